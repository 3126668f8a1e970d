#include "fhir_package.h"

#include <zlib.h>

#define BLOCK          512u
#define CHUNK          (64u << 10)
#define NAME_BYTES_MAX 1024u /* of a file, long names included */

/* --- the unpacked stream --- */

typedef struct Stream {
    z_stream z;
    unsigned char out[CHUNK];
    size_t at, n;    /* what of out is not read yet */
    uint64_t passed; /* bytes handed out */
    bool ended;
    Err *err;
} Stream;

static Status broken(Err *err, const char *zh, const char *en)
{
    return err_add(err, ERR_INVALID, "structure", STR("package"), "%s%.0s", "%.0s%s", zh, en);
}

static Status not_gzip(Err *err)
{
    return broken(err, "不是 FHIR 包：gzip 数据损坏或不完整",
                  "not a FHIR package: the gzip data is damaged or cut off");
}

/* More bytes in out; none: the stream has ended. */
static Status stream_fill(Stream *s)
{
    s->at = s->n = 0;
    while (s->n == 0 && !s->ended) {
        s->z.next_out = s->out;
        s->z.avail_out = CHUNK;
        int rc = inflate(&s->z, Z_NO_FLUSH);
        s->n = CHUNK - s->z.avail_out;
        s->ended = rc == Z_STREAM_END;
        if (rc != Z_OK && rc != Z_STREAM_END) {
            return not_gzip(s->err);
        }
    }
    s->passed += s->n;
    return s->passed <= FHIR_PACKAGE_BYTES
               ? OK
               : err_add(s->err, ERR_TOO_LARGE, "too-costly", STR("package"), "包解开后超过 4 GiB",
                         "the package unpacks to more than 4 GiB");
}

/* n bytes to `to`, which may be NULL; *ret_n fewer only at the end. */
static Status stream_take(Stream *s, char *to, uint64_t n, uint64_t *ret_n)
{
    uint64_t got = 0;
    while (got < n) {
        if (s->at == s->n) {
            TRY(stream_fill(s));
            if (s->n == 0) {
                break;
            }
        }
        size_t part = s->n - s->at < n - got ? s->n - s->at : (size_t)(n - got);
        if (to) {
            memcpy(to + got, s->out + s->at, part);
        }
        s->at += part;
        got += part;
    }
    *ret_n = got;
    return OK;
}

static Status stream_need(Stream *s, char *to, uint64_t n)
{
    uint64_t got;
    TRY(stream_take(s, to, n, &got));
    return got == n ? OK : not_gzip(s->err);
}

/* --- tar --- */

typedef struct Tar {
    Stream *s;
    Arena *a; /* of the file at hand */
    char name[NAME_BYTES_MAX];
    size_t name_n; /* of a long name told before its file; 0: none */
    FhirPackageFile *fn;
    void *ctx;
    Err *err;
} Tar;

/* Octal digits, padded with blanks or NUL; false for anything else. */
static bool octal_parse(const char *p, size_t n, uint64_t *ret)
{
    uint64_t v = 0;
    size_t i = 0, digits = 0;
    while (i < n && p[i] == ' ') {
        i++;
    }
    for (; i < n && p[i] >= '0' && p[i] <= '7'; i++, digits++) {
        v = v << 3 | (uint64_t)(p[i] - '0');
    }
    *ret = v;
    return digits > 0 && digits <= 12 && (i == n || p[i] == ' ' || p[i] == 0);
}

static bool header_sums(const char *h)
{
    uint64_t told, sum = 0;
    for (size_t i = 0; i < BLOCK; i++) {
        sum += i >= 148 && i < 156 ? ' ' : (unsigned char)h[i];
    }
    return octal_parse(h + 148, 8, &told) && told == sum;
}

static bool header_empty(const char *h)
{
    bool empty = true;
    for (size_t i = 0; i < BLOCK && empty; i++) {
        empty = h[i] == 0;
    }
    return empty;
}

static size_t field_bytes(const char *p, size_t max)
{
    size_t n = 0;
    while (n < max && p[n]) {
        n++;
    }
    return n;
}

/* prefix/name of the header, unless a long name was told. */
static void name_take(Tar *t, const char *h)
{
    size_t prefix = memcmp(h + 257, "ustar", 5) == 0 ? field_bytes(h + 345, 155) : 0;
    size_t n = field_bytes(h, 100);
    if (t->name_n) {
        return;
    }
    memcpy(t->name, h + 345, prefix);
    if (prefix) {
        t->name[prefix++] = '/';
    }
    memcpy(t->name + prefix, h, n);
    t->name_n = prefix + n;
}

/* The value of path= among the records "LENGTH KEY=VALUE\n" of an extended header. */
static void pax_read(Tar *t, Str records)
{
    Str digits, rest;
    int64_t n;
    while (str_cut(records, ' ', &digits, &rest) && str_to_i64(digits, &n) &&
           n > (int64_t)digits.n + 1 && (size_t)n <= records.n) {
        Str record = str_take(rest, (size_t)n - digits.n - 1);
        if (str_starts(record, STR("path=")) && record.n > 6 && record.n - 6 < NAME_BYTES_MAX) {
            memcpy(t->name, record.p + 5, record.n - 6);
            t->name_n = record.n - 6;
        }
        records = str_skip(records, (size_t)n);
    }
}

/* A header that tells of the file after it: a long name ('L'), or records ('x'). */
static Status extension_read(Tar *t, char kind, uint64_t size)
{
    char text[4096];
    if (size > sizeof text) {
        return broken(t->err, "包内文件名过长", "a file name in the package is too long");
    }
    TRY(stream_need(t->s, text, size));
    if (kind == 'x') {
        pax_read(t, (Str){text, size});
        return OK;
    }
    size_t n = field_bytes(text, size);
    if (n == 0 || n > NAME_BYTES_MAX) {
        return broken(t->err, "包内文件名过长", "a file name in the package is too long");
    }
    memcpy(t->name, text, n);
    t->name_n = n;
    return OK;
}

/* What is asked for: package/NAME.json. */
static bool name_wanted(Str name, Str *ret)
{
    Str folder = STR("package/");
    Str dot = STR("./");
    name = str_starts(name, dot) ? str_skip(name, dot.n) : name;
    *ret = str_skip(name, folder.n);
    return str_starts(name, folder) && str_ends(name, STR(".json")) &&
           str_find_char(*ret, '/') < 0 && ret->p[0] != '.';
}

static Status file_read_in(Tar *t, uint64_t size)
{
    Str name;
    if (!name_wanted((Str){t->name, t->name_n}, &name) || size > FHIR_PACKAGE_FILE_BYTES) {
        return stream_need(t->s, NULL, size);
    }
    arena_reset(t->a);
    char *bytes = arena_alloc_raw(t->a, (size_t)size + 1);
    TRY(stream_need(t->s, bytes, size));
    return t->fn(t->ctx, name, (Str){bytes, (size_t)size}, t->err);
}

static Status entry_read(Tar *t, const char *h)
{
    uint64_t size;
    char kind = h[156];
    if (!header_sums(h) || !octal_parse(h + 124, 12, &size) || size > FHIR_PACKAGE_BYTES) {
        return broken(t->err, "包内的 tar 头有误", "a tar header in the package is wrong");
    }
    if (kind == 'L' || kind == 'x') {
        TRY(extension_read(t, kind, size));
    } else if (kind == '0' || kind == 0) {
        name_take(t, h);
        TRY(file_read_in(t, size));
        t->name_n = 0;
    } else {
        TRY(stream_need(t->s, NULL, size));
        t->name_n = kind == 'g' ? t->name_n : 0;
    }
    return stream_need(t->s, NULL, (BLOCK - size % BLOCK) % BLOCK);
}

static Status entries_read(Tar *t)
{
    char header[BLOCK];
    for (unsigned n = 0; n < FHIR_PACKAGE_FILES; n++) {
        uint64_t got;
        TRY(stream_take(t->s, header, BLOCK, &got));
        if (got == 0 || (got == BLOCK && header_empty(header))) {
            return n > 0 ? OK : broken(t->err, "包是空的", "the package is empty");
        }
        if (got < BLOCK) {
            return not_gzip(t->err);
        }
        TRY(entry_read(t, header));
    }
    return err_add(t->err, ERR_TOO_LARGE, "too-costly", STR("package"), "包内文件过多",
                   "the package has too many files");
}

Status fhir_package_read(Str tgz, FhirPackageFile *fn, void *ctx, Err *err)
{
    Arena a, stream;
    arena_init(&a, 0);
    arena_init(&stream, 0);
    Stream *s = arena_new(&stream, Stream);
    s->err = err;
    s->z.next_in = (Bytef *)(uintptr_t)tgz.p;
    s->z.avail_in = (uInt)tgz.n;
    Status status = OK;
    if (tgz.n == 0 || tgz.n > UINT32_MAX || inflateInit2(&s->z, MAX_WBITS + 16) != Z_OK) {
        status = not_gzip(err);
    } else {
        Tar *t = arena_new(&stream, Tar);
        *t = (Tar){.s = s, .a = &a, .fn = fn, .ctx = ctx, .err = err};
        status = entries_read(t);
        inflateEnd(&s->z);
    }
    arena_done(&stream);
    arena_done(&a);
    return status;
}

/* --- the manifest --- */

Status fhir_package_head(const JsonDoc *manifest, FhirPackageHead *ret, Err *err)
{
    JsonRef versions = json_get_c(manifest, JSON_ROOT, "fhirVersions");
    versions =
        versions == JSON_NONE ? json_get_c(manifest, JSON_ROOT, "fhir-version-list") : versions;
    FhirPackageHead h = {.name = json_str_at(manifest, JSON_ROOT, "name"),
                         .version = json_str_at(manifest, JSON_ROOT, "version"),
                         .r4 = json_count(manifest, versions) == 0,
                         .dependencies = json_get_c(manifest, JSON_ROOT, "dependencies")};
    for (JsonIter it = json_iter(manifest, versions); json_next(&it);) {
        h.r4 = h.r4 || str_starts(json_str(manifest, it.value), STR("4.0"));
    }
    if (!h.name.n) {
        return broken(err, "package.json 没有 name", "package.json has no name");
    }
    *ret = h;
    return OK;
}
