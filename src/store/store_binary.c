#include "store_binary.h"
#include "fhir_write.h"

Str store_binary_body(Arena *a, Str id, Str content_type, Str sha, size_t bytes_n, Str context)
{
    Buf b;
    JsonWriter w = fhir_begin(&b, "Binary", id);
    json_key_open(&w, "meta", '{');
    json_key_open(&w, "tag", '[');
    json_open(&w, '{');
    json_member_c(&w, "system", STORE_BLOB_SYSTEM);
    json_member_str(&w, "code", sha);
    json_member_str(&w, "display", arena_printf(a, "%zu", bytes_n));
    json_close(&w, '}');
    json_close(&w, ']');
    json_close(&w, '}');
    json_member_str(&w, "contentType", content_type);
    if (!str_empty(context)) {
        json_key_open(&w, "securityContext", '{');
        json_member_str(&w, "reference", context);
        json_close(&w, '}');
    }
    return json_end(&w, '}', a);
}

Str store_binary_sha(const JsonDoc *doc)
{
    for (JsonIter it = json_iter(doc, json_at(doc, JSON_ROOT, "meta.tag")); json_next(&it);) {
        if (str_is(json_str_at(doc, it.value, "system"), STORE_BLOB_SYSTEM)) {
            return json_str_at(doc, it.value, "code");
        }
    }
    return STR_NONE;
}

static bool id_char(char c)
{
    char low = (char)(c | 0x20);
    return (low >= 'a' && low <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
}

bool store_binary_named(Str *rest, Str *ret_id)
{
    for (ptrdiff_t at; (at = str_find(*rest, STR("Binary"))) >= 0;) {
        *rest = str_skip(*rest, (size_t)at + strlen("Binary"));
        Str id = str_starts(*rest, STR("\\/")) ? str_skip(*rest, 2)
                 : str_starts(*rest, STR("/")) ? str_skip(*rest, 1)
                                               : STR_NONE;
        size_t n = 0;
        while (n < id.n && id_char(id.p[n])) {
            n++;
        }
        if (n) {
            *ret_id = str_take(id, n);
            return true;
        }
    }
    return false;
}

Status store_binary_put(StoreBatch *b, Store *s, Arena *a, Str id, Str content_type, Str bytes,
                        Str context, Str *ret_id, Err *err)
{
    Str sha;
    TRY(store_blob_put(s, a, bytes, &sha, err));
    Str body = store_binary_body(a, id, content_type, sha, bytes.n, context);
    return store_batch_create(b, STR("Binary"), id, body, ret_id, err);
}
