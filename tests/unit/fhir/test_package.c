/* FHIR packages: read whole, in order, and refused when cut, damaged or hostile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <zlib.h>

#include <stdio.h>

#include "fhir_package.h"

#define BLOCK 512

/* --- an archive of our own --- */

static void header_put(Buf *tar, const char *name, size_t size, char kind)
{
    char h[BLOCK] = {0};
    unsigned sum = 0;
    snprintf(h, 100, "%s", name);
    snprintf(h + 124, 12, "%011zo", size);
    h[156] = kind;
    memcpy(h + 257, "ustar", 5);
    memset(h + 148, ' ', 8);
    for (size_t i = 0; i < BLOCK; i++) {
        sum += (unsigned char)h[i];
    }
    snprintf(h + 148, 8, "%06o", sum);
    buf_bytes(tar, h, BLOCK);
}

static void file_put(Buf *tar, const char *name, Str bytes, char kind)
{
    static const char ZERO[BLOCK];
    header_put(tar, name, bytes.n, kind);
    buf_add(tar, bytes);
    buf_bytes(tar, ZERO, (BLOCK - bytes.n % BLOCK) % BLOCK);
}

static void end_put(Buf *tar)
{
    static const char ZERO[2 * BLOCK];
    buf_bytes(tar, ZERO, sizeof ZERO);
}

static Str packed(Arena *a, Str bytes)
{
    z_stream z = {0};
    size_t room = bytes.n + 1024;
    unsigned char *out = arena_alloc(a, room);
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)(uintptr_t)bytes.p;
    z.avail_in = (uInt)bytes.n;
    z.next_out = out;
    z.avail_out = (uInt)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    Str all = {(const char *)out, room - z.avail_out};
    deflateEnd(&z);
    return all;
}

typedef struct Seen {
    Arena *a;
    Buf names;
} Seen;

static Status seen_add(void *ctx, Str name, Str bytes, Err *err)
{
    Seen *s = ctx;
    (void)err;
    buf_printf(&s->names, "%.*s=%.*s ", STR_ARG(name), STR_ARG(bytes));
    return OK;
}

static Status read_all(Arena *a, Str tgz, Str *ret_names)
{
    Seen s = {.a = a};
    Err err;
    err_init(&err, a);
    buf_init(&s.names, 0);
    Status status = fhir_package_read(tgz, seen_add, &s, &err);
    *ret_names = buf_take(&s.names, a);
    return status;
}

static void test_files(void **state)
{
    (void)state;
    Arena a;
    Buf tar;
    Str names;
    arena_init(&a, 0);
    buf_init(&tar, 0);
    file_put(&tar, "package/package.json", STR("{}"), '0');
    file_put(&tar, "package/.index.json", STR("no"), '0');
    file_put(&tar, "package/example/a.json", STR("no"), '0');
    file_put(&tar, "package/readme.md", STR("no"), '0');
    file_put(&tar, "../package/out.json", STR("no"), '0');
    file_put(&tar, "package/", STR(""), '5');
    file_put(&tar, "PaxHeader", STR("33 path=package/a-long-name.json\n"), 'x');
    file_put(&tar, "package/short", STR("1"), '0');
    file_put(&tar, "././@LongLink", STR("package/b.json\0"), 'L');
    file_put(&tar, "package/other", STR("2"), '0');
    file_put(&tar, "package/link.json", STR(""), '2');
    file_put(&tar, "package/c.json", STR("3"), '0');
    end_put(&tar);
    assert_int_equal(read_all(&a, packed(&a, buf_str(&tar)), &names), OK);
    assert_string_equal(arena_cstr(&a, names),
                        "package.json={} a-long-name.json=1 b.json=2 c.json=3 ");
    buf_done(&tar);
    arena_done(&a);
}

/* Cut anywhere, and with any byte of the stream turned, it is refused or read: never worse. */
static void test_damage(void **state)
{
    (void)state;
    Arena a;
    Buf tar;
    Str names;
    arena_init(&a, 0);
    buf_init(&tar, 0);
    file_put(&tar, "package/a.json", STR("{\"a\":1}"), '0');
    end_put(&tar);
    Str whole = packed(&a, buf_str(&tar));
    for (size_t n = 0; n < whole.n - 8; n++) {
        char *copy = arena_cstr(&a, whole);
        Status cut = read_all(&a, str_take(whole, n), &names);
        assert_true(cut == ERR_INVALID || (cut == OK && names.n));
        copy[n] ^= 0x55;
        Status s = read_all(&a, (Str){copy, whole.n}, &names);
        assert_true(s == OK || s == ERR_INVALID || s == ERR_TOO_LARGE);
    }
    buf_done(&tar);
    arena_done(&a);
}

static void test_hostile(void **state)
{
    (void)state;
    Arena a;
    Buf tar;
    Str names;
    arena_init(&a, 0);
    buf_init(&tar, 0);
    header_put(&tar, "package/a.json", (size_t)1 << 32, '0'); /* more than there is */
    end_put(&tar);
    assert_int_equal(read_all(&a, packed(&a, buf_str(&tar)), &names), ERR_INVALID);
    buf_clear(&tar);
    header_put(&tar, "package/a.json", 1, 'L'); /* an empty long name */
    end_put(&tar);
    assert_int_equal(read_all(&a, packed(&a, buf_str(&tar)), &names), ERR_INVALID);
    buf_clear(&tar);
    end_put(&tar);
    assert_int_equal(read_all(&a, packed(&a, buf_str(&tar)), &names), ERR_INVALID);
    assert_int_equal(read_all(&a, STR("no gzip"), &names), ERR_INVALID);
    buf_done(&tar);
    arena_done(&a);
}

static void test_head(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        bool ok, r4;
    } CASES[] = {{"{\"name\":\"a\",\"fhirVersions\":[\"4.0.1\"]}", true, true},
                 {"{\"name\":\"a\",\"fhir-version-list\":[\"5.0.0\"]}", true, false},
                 {"{\"name\":\"a\"}", true, true},
                 {"{\"version\":\"1\"}", false, false}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        Arena a;
        JsonDoc d;
        Err err;
        FhirPackageHead head;
        arena_init(&a, 0);
        err_init(&err, &a);
        assert_int_equal(json_parse(&a, str_from_c(CASES[i].json), &JSON_LIMITS_FHIR, &d, &err),
                         OK);
        assert_int_equal(fhir_package_head(&d, &head, &err) == OK, CASES[i].ok);
        assert_true(!CASES[i].ok || head.r4 == CASES[i].r4);
        arena_done(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_files), cmocka_unit_test(test_damage),
                                       cmocka_unit_test(test_hostile), cmocka_unit_test(test_head)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
