/*
 * _summary and _elements: parts of a resource, tagged SUBSETTED so that nobody writes one back
 * taking it for the whole. What the type makes mandatory is always there.
 */
#include "api_inner.h"

#define SUBSETTED                                                                                  \
    "{\"system\":\"http://terminology.hl7.org/CodeSystem/v3-ObservationValue\","                   \
    "\"code\":\"SUBSETTED\",\"display\":\"subsetted\"}"

#define ELEMENTS_MAX 100

static bool api_subset_cuts(const ApiSubset *s)
{
    return s->elements_n > 0 || (s->summary.n && !str_is(s->summary, "false"));
}

static bool element_named(const ApiSubset *s, Str name)
{
    for (size_t i = 0; i < s->elements_n; i++) {
        if (str_eq(s->elements[i], name)) {
            return true;
        }
    }
    return false;
}

static bool member_kept(const ApiSubset *s, const FhirType *type, Str key)
{
    FhirMember m;
    if (str_is(key, "resourceType") || !fhir_elem_find(type, key, &m)) {
        return true;
    }
    Str name = fhir_elem_name(m.elem);
    if (str_is(name, "id") || str_is(name, "meta") || m.elem->min > 0) {
        return true;
    }
    if (s->elements_n > 0) {
        return element_named(s, name);
    }
    return str_is(s->summary, "text")   ? str_is(name, "text")
           : str_is(s->summary, "data") ? !str_is(name, "text")
                                        : (m.elem->flags & FHIR_ELEM_SUMMARY) != 0;
}

static void tags_write(JsonWriter *w, const JsonDoc *d, JsonRef tags)
{
    json_key_open(w, "tag", '[');
    for (JsonIter it = json_iter(d, tags); json_next(&it);) {
        json_put_raw(w, json_raw(d, it.value));
    }
    json_put_raw(w, STR(SUBSETTED));
    json_close(w, ']');
}

static void meta_write(JsonWriter *w, const JsonDoc *d, JsonRef meta)
{
    json_key_open(w, "meta", '{');
    for (JsonIter it = json_iter(d, meta); json_next(&it);) {
        if (!str_is(it.key, "tag")) {
            json_key_str(w, it.key);
            json_put_raw(w, json_raw(d, it.value));
        }
    }
    tags_write(w, d, json_get_c(d, meta, "tag"));
    json_close(w, '}');
}

Str api_subset_body(ApiCall *c, const ApiSubset *s, Str type, Str body)
{
    const FhirType *t = fhir_resource_find(type);
    JsonDoc d;
    if (!api_subset_cuts(s) || !t ||
        json_parse(c->arena, body, &JSON_LIMITS_FHIR, &d, NULL) != OK) {
        return body;
    }
    Buf out;
    JsonWriter w = json_begin(&out, '{');
    for (JsonIter it = json_iter(&d, JSON_ROOT); json_next(&it);) {
        if (str_is(it.key, "meta")) {
            meta_write(&w, &d, it.value);
        } else if (member_kept(s, t, it.key)) {
            json_key_str(&w, it.key);
            json_put_raw(&w, json_raw(&d, it.value));
        }
    }
    return json_end(&w, '}', c->arena);
}

/* ---- of a read: a search's are understood by the store ----------------------------------------
 */

static Status summary_check(Str value, Err *err)
{
    static const char *const known[] = {"true", "text", "data", "false"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (str_is(value, known[i])) {
            return OK;
        }
    }
    return err_add(err, ERR_INVALID, "value", STR("_summary"),
                   "读取时 _summary 应为 true、text、data 或 false",
                   "_summary of a read must be true, text, data or false");
}

static Status elements_read(ApiCall *c, Str type, Str text, ApiSubset *ret)
{
    const FhirType *t = fhir_resource_find(type);
    Str *element = arena_array(c->arena, Str, ELEMENTS_MAX);
    while (t && text.n) {
        Str one;
        str_cut(text, ',', &one, &text);
        if (!fhir_elem_named(t, one) || ret->elements_n == ELEMENTS_MAX) {
            return err_add(&c->err, ERR_INVALID, "value", STR("_elements"),
                           "_elements 含有该类型没有的元素“%.*s”",
                           "_elements names '%.*s', which the type does not have", STR_ARG(one));
        }
        element[ret->elements_n++] = one;
    }
    ret->elements = element;
    return OK;
}

Status api_subset_read(ApiCall *c, Str type, ApiSubset *ret)
{
    *ret = (ApiSubset){.summary = api_query(c, "_summary")};
    if (ret->summary.n) {
        TRY(summary_check(ret->summary, &c->err));
    }
    return elements_read(c, type, api_query(c, "_elements"), ret);
}
