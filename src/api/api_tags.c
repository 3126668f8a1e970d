/*
 * $meta, $meta-add, $meta-delete: profiles, security labels and tags of a resource. A change is an
 * update like any other, a version with all its guards: labels decide who may see a resource
 * (docs/decisions/031), so nobody gives one whose class he does not see, and what is held by a case
 * stays as it is.
 */
#include "api_inner.h"
#include "fhir_write.h"

/* ---- $meta ------------------------------------------------------------------------------------
 */

static Status meta_answer(ApiCall *c, Str body)
{
    JsonDoc d;
    Buf out;
    TRY(json_parse(c->arena, body, &JSON_LIMITS_FHIR, &d, &c->err));
    JsonWriter w = fhir_begin(&out, "Parameters", STR_NONE);
    json_key_open(&w, "parameter", '[');
    json_open(&w, '{');
    json_member_c(&w, "name", "return");
    json_key(&w, "valueMeta");
    json_put_raw(&w, json_raw(&d, json_get_c(&d, JSON_ROOT, "meta")));
    json_close(&w, '}');
    json_close(&w, ']');
    c->result.body = json_end(&w, '}', c->arena);
    return OK;
}

Status api_meta_get(ApiCall *c)
{
    const HttpRequest *r = &c->http->request;
    Str vid = r->part_n > 2 ? r->part[2] : STR_NONE;
    c->what = arena_cat(c->arena, r->part[0], STR("/"), r->part[1], STR("/$meta"));
    TRY(api_query_only(c, API_FORM_PARAMETERS));
    TRY(api_read_one(c, r->part[0], r->part[1], vid, &c->result, &c->err));
    return meta_answer(c, c->result.body);
}

/* ---- $meta-add, $meta-delete ------------------------------------------------------------------
 */

static const char *const LISTS[] = {"profile", "security", "tag"};

/* Codings are the same by system and code, profiles by their address. */
static bool label_same(const JsonDoc *a, JsonRef ra, const JsonDoc *b, JsonRef rb)
{
    if (json_type(a, ra) == JSON_STRING) {
        return str_eq(json_str(a, ra), json_str(b, rb));
    }
    return str_eq(json_str_at(a, ra, "system"), json_str_at(b, rb, "system")) &&
           str_eq(json_str_at(a, ra, "code"), json_str_at(b, rb, "code"));
}

static bool label_listed(const JsonDoc *a, JsonRef label, const JsonDoc *b, JsonRef list)
{
    for (JsonIter it = json_iter(b, list); json_next(&it);) {
        if (label_same(a, label, b, it.value)) {
            return true;
        }
    }
    return false;
}

typedef struct Edit {
    const JsonDoc *d, *given;
    JsonRef meta, change; /* the resource's meta, and the one given */
    bool adds;
} Edit;

/* One list as it becomes; none at all when it is empty. */
static void list_write(const Edit *e, JsonWriter *w, const char *name)
{
    JsonRef have = json_get_c(e->d, e->meta, name), want = json_get_c(e->given, e->change, name);
    bool open = false;
    for (JsonIter it = json_iter(e->d, have); json_next(&it);) {
        if (e->adds || !label_listed(e->d, it.value, e->given, want)) {
            if (!open) {
                json_key_open(w, name, '[');
            }
            json_put_raw(w, json_raw(e->d, it.value));
            open = true;
        }
    }
    for (JsonIter it = json_iter(e->given, want); e->adds && json_next(&it);) {
        if (!label_listed(e->given, it.value, e->d, have)) {
            if (!open) {
                json_key_open(w, name, '[');
            }
            json_put_raw(w, json_raw(e->given, it.value));
            open = true;
        }
    }
    if (open) {
        json_close(w, ']');
    }
}

static bool is_list(Str name)
{
    for (size_t i = 0; i < sizeof LISTS / sizeof *LISTS; i++) {
        if (str_is(name, LISTS[i])) {
            return true;
        }
    }
    return false;
}

Str api_meta_edit(ApiCall *c, const ApiPatch *patch, const JsonDoc *d)
{
    Edit e = {.d = d,
              .given = patch->doc,
              .meta = json_get_c(d, JSON_ROOT, "meta"),
              .change = patch->meta,
              .adds = patch->adds};
    Buf out;
    JsonWriter w = json_begin(&out, '{');
    for (JsonIter it = json_iter(d, e.meta); json_next(&it);) {
        if (!is_list(it.key)) {
            json_key_str(&w, it.key);
            json_put_raw(&w, json_raw(d, it.value));
        }
    }
    for (size_t i = 0; i < sizeof LISTS / sizeof *LISTS; i++) {
        list_write(&e, &w, LISTS[i]);
    }
    Str meta = json_end(&w, '}', c->arena);
    JsonSplice splice = json_splice_member(c->arena, d, JSON_ROOT, "meta", meta, "id");
    return json_splice(c->arena, d->bytes, &splice, 1);
}

/* The one parameter "meta" of the body. */
static Status meta_given(ApiCall *c, JsonDoc *d, JsonRef *ret)
{
    TRY(api_body(c, d));
    TRY(str_is(fhir_resource_type(d), "Parameters")
            ? fhir_validate(d, JSON_ROOT, STR("Parameters"), &c->err)
            : OK);
    for (JsonIter it = json_iter(d, json_get_c(d, JSON_ROOT, "parameter")); json_next(&it);) {
        JsonRef meta = json_get_c(d, it.value, "valueMeta");
        if (str_is(json_str_at(d, it.value, "name"), "meta") && meta != JSON_NONE) {
            *ret = meta;
            return OK;
        }
    }
    return err_add(&c->err, ERR_INVALID, "required", STR("Parameters.parameter"),
                   "缺少参数 meta（valueMeta）", "The parameter meta (valueMeta) is missing");
}

static Status meta_change(ApiCall *c, bool adds)
{
    const HttpRequest *r = &c->http->request;
    JsonDoc d;
    JsonRef meta;
    TRY(api_type_known(c, r->part[0], &c->err));
    TRY(meta_given(c, &d, &meta));
    ApiPatch patch = {.doc = &d, .meta = meta, .adds = adds};
    ApiWrite w = {
        .method = FHIR_METHOD_PATCH, .type = r->part[0], .id = r->part[1], .patch = &patch};
    TRY(api_write_single(c, &w));
    return meta_answer(c, w.version.body);
}

Status api_meta_add(ApiCall *c)
{
    return meta_change(c, true);
}

Status api_meta_delete(ApiCall *c)
{
    return meta_change(c, false);
}
