/* What the county has already, asked by the same searches as a client's. */
#include "cmd_csv_inner.h"

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

size_t cmd_csv_ids_find(Csv *c, Arena *a, const char *type, const char *param, Str value, Str *ret,
                        size_t max)
{
    JsonDoc d;
    Str answer, path = arena_printf(a, "/fhir/%s?%s=%.*s&_count=%zu", type, param,
                                    STR_ARG(query_value(a, value)), max);
    size_t n = 0;
    if (api_local_call(c->local, a, "GET", path, STR_NONE, STR_NONE, &answer) != 200 ||
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
static Status place_search(Csv *c, Arena *a, Str text, Str *ret, Err *err)
{
    Str ids[SAME_NAME_MAX], head, id;
    size_t n;
    if (str_cut(text, '/', &head, &id) && str_is(head, "Organization")) {
        n = cmd_csv_ids_find(c, a, "Organization", "_id", id, ids, SAME_NAME_MAX);
    } else {
        n = cmd_csv_ids_find(c, a, "Organization", "identifier", text, ids, SAME_NAME_MAX);
        n = n ? n : cmd_csv_ids_find(c, a, "Organization", "name:exact", text, ids, SAME_NAME_MAX);
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

void cmd_csv_place_keep(Csv *c, Str text, Str reference)
{
    if (text.n && !map_get(&c->places, text)) {
        Str *kept = arena_new(c->arena, Str);
        *kept = arena_str(c->arena, reference);
        map_put(&c->places, arena_str(c->arena, text), kept);
    }
}

Status cmd_csv_place_find(void *ctx, Arena *a, Str text, Str *ret, Err *err)
{
    Csv *c = ctx;
    const Str *known = map_get(&c->places, text);
    if (known) {
        *ret = *known;
        return OK;
    }
    TRY(place_search(c, a, text, ret, err));
    cmd_csv_place_keep(c, text, *ret);
    return OK;
}
