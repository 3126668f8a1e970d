/* The JSON reader: parses, walks everything, writes it again; the copy must be equal. */
#include "json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void walk(const JsonDoc *d, JsonRef r)
{
    int64_t i;
    double x;
    (void)json_str(d, r);
    (void)json_to_i64(d, r, &i);
    (void)json_to_double(d, r, &x);
    for (JsonIter it = json_iter(d, r); json_next(&it);) {
        mk_check(it.object_ ? json_get(d, r, it.key) != JSON_NONE
                            : json_item(d, r, it.index) == it.value);
        walk(d, it.value);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    Arena a;
    Err err;
    JsonDoc d, again;
    arena_init(&a, 8u << 20);
    err_init(&err, &a);
    if (json_parse(&a, (Str){(const char *)data, n}, &JSON_LIMITS_FHIR, &d, &err) == OK) {
        mk_check(utf8_valid(d.bytes));
        if (d.count < 2000) {
            walk(&d, JSON_ROOT);
        }
        Buf b;
        buf_init(&b, 0);
        json_pretty(&b, &d, JSON_ROOT);
        mk_check(json_parse(&a, buf_str(&b), &JSON_LIMITS_FHIR, &again, &err) == OK);
        mk_check((d.flags & JSON_FLAG_DUPLICATE_KEY) ||
                 json_equal(&d, JSON_ROOT, &again, JSON_ROOT));
        buf_done(&b);
    } else {
        mk_check(err.count == 1);
    }
    arena_done(&a);
    return 0;
}
