/* Finding literal references: a typed walk, so that only real references and URIs are seen. */
#include "fhir_resource.h"

typedef struct RefWalk {
    const JsonDoc *d;
    bool uris;
    Status (*fn)(void *ctx, const FhirRefAt *ref, Err *err);
    void *ctx;
    Err *err;
} RefWalk;

static Status ref_give(RefWalk *w, JsonRef value, JsonRef holder)
{
    FhirRefAt at = {.value = value,
                    .at = w->d->tok[value].at,
                    .end = w->d->tok[value].end,
                    .ref = fhir_ref_parse(json_str(w->d, value)),
                    .holder = holder};
    return w->fn(w->ctx, &at, w->err);
}

static bool is_uri(FhirPrim prim)
{
    return prim == FHIR_PRIM_URI || prim == FHIR_PRIM_URL || prim == FHIR_PRIM_CANONICAL ||
           prim == FHIR_PRIM_OID || prim == FHIR_PRIM_UUID;
}

static bool is_urn_id(Str s)
{
    return str_starts(s, STR("urn:uuid:")) || str_starts(s, STR("urn:oid:"));
}

static Status object_walk(RefWalk *w, const FhirType *t, JsonRef r);

static Status value_walk(RefWalk *w, const FhirMember *m, JsonRef value)
{
    JsonType json = json_type(w->d, value);
    if (json == JSON_OBJECT) {
        return object_walk(w, m->underscore ? fhir_type(FHIR_TYPE_Element) : m->type, value);
    }
    bool urn = w->uris && json == JSON_STRING && is_uri((FhirPrim)m->type->prim) &&
               is_urn_id(json_str(w->d, value));
    return urn ? ref_give(w, value, JSON_NONE) : OK;
}

static Status member_walk(RefWalk *w, const FhirMember *m, JsonRef value)
{
    if (json_type(w->d, value) != JSON_ARRAY) {
        return value_walk(w, m, value);
    }
    for (JsonIter it = json_iter(w->d, value); json_next(&it);) {
        TRY(value_walk(w, m, it.value));
    }
    return OK;
}

static Status object_walk(RefWalk *w, const FhirType *t, JsonRef r)
{
    if (t->kind == FHIR_KIND_RESOURCE) {
        t = fhir_resource_find(json_str(w->d, json_get(w->d, r, STR("resourceType"))));
    }
    bool is_reference = t && fhir_type_id(t) == FHIR_TYPE_Reference;
    for (JsonIter it = json_iter(w->d, r); t && json_next(&it);) {
        FhirMember m;
        if (is_reference && str_is(it.key, "reference") &&
            json_type(w->d, it.value) == JSON_STRING) {
            TRY(ref_give(w, it.value, r));
        } else if (fhir_elem_find(t, it.key, &m)) {
            TRY(member_walk(w, &m, it.value));
        }
    }
    return OK;
}

Status fhir_refs_walk(const JsonDoc *d, JsonRef from, bool uris,
                      Status (*fn)(void *ctx, const FhirRefAt *ref, Err *err), void *ctx, Err *err)
{
    RefWalk w = {d, uris, fn, ctx, err};
    return json_type(d, from) == JSON_OBJECT ? object_walk(&w, fhir_type(FHIR_TYPE_Resource), from)
                                             : OK;
}
