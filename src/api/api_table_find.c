/* What the county has already, asked by the same searches as a client's. */
#include "api_table_inner.h"

#include "mk_banned.h"

/* A value as it stands in a query. */
static Str query_value(Arena *a, Str text)
{
    static const char HEX[] = "0123456789ABCDEF";
    char *out = arena_alloc_raw(a, text.n * 3 + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if ((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z')) {
            out[n++] = (char)c;
        } else {
            out[n++] = '%';
            out[n++] = HEX[c >> 4];
            out[n++] = HEX[c & 15];
        }
    }
    return (Str){out, n};
}

size_t table_ids_find(Table *t, Arena *a, const char *type, const char *param, Str value, Str *ret,
                      size_t max)
{
    JsonDoc d;
    Str answer, path = arena_printf(a, "/fhir/%s?%s=%.*s&_count=%zu", type, param,
                                    STR_ARG(query_value(a, value)), max);
    size_t n = 0;
    if (api_local_call(t->local, a, "GET", path, STR_NONE, STR_NONE, &answer) != 200 ||
        json_parse(a, answer, &JSON_LIMITS_FHIR, &d, NULL) != OK) {
        return 0;
    }
    JsonIter it = json_iter(&d, json_get_c(&d, JSON_ROOT, "entry"));
    while (n < max && json_next(&it)) {
        Str id = json_str_at(&d, it.value, "resource.id");
        if (id.n) {
            ret[n++] = id;
        }
    }
    return n;
}

/* A reference as it is, else a code, else a name that exactly one institution has. */
static Status place_search(Table *t, Arena *a, Str text, Str *ret, Err *err)
{
    Str ids[SAME_NAME_MAX], head, id;
    size_t n;
    if (str_cut(text, '/', &head, &id) && str_is(head, "Organization")) {
        n = table_ids_find(t, a, "Organization", "_id", id, ids, SAME_NAME_MAX);
    } else {
        n = table_ids_find(t, a, "Organization", "identifier", text, ids, SAME_NAME_MAX);
        n = n ? n : table_ids_find(t, a, "Organization", "name:exact", text, ids, SAME_NAME_MAX);
    }
    if (n == 1) {
        *ret = arena_cat(a, STR("Organization/"), ids[0]);
        return OK;
    }
    return err_rule(err, ERR_UNPROCESSABLE, STR("institution-unknown"), STR("organization"),
                    n ? "有多个机构叫“%.*s”，请写机构编码" : "没有机构“%.*s”，请先导入机构",
                    n ? "Several institutions are called '%.*s'; write the code"
                      : "There is no institution '%.*s'; import institutions first",
                    STR_ARG(text));
}

void table_place_keep(Table *t, Str text, Str reference)
{
    if (text.n && !map_get(&t->places, text)) {
        Str *kept = arena_new(t->arena, Str);
        *kept = arena_str(t->arena, reference);
        map_put(&t->places, arena_str(t->arena, text), kept);
    }
}

Status table_place_find(void *ctx, Arena *a, Str text, Str *ret, Err *err)
{
    Table *t = ctx;
    const Str *known = map_get(&t->places, text);
    if (known) {
        *ret = *known;
        return OK;
    }
    TRY(place_search(t, a, text, ret, err));
    table_place_keep(t, text, *ret);
    return OK;
}
