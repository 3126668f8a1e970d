/* Searches across types and within compartments: the same question for each type, one after
 * another.
 */
#include "fhir_compartment.h"
#include "store_parse.h"
#include "store_persons.h"

#include "mk_banned.h"

static Status none_named(Err *err)
{
    return err_add(err, ERR_INVALID, "required", STR("_type"), "没有可检索的资源类型",
                   "There is no type to search");
}

Status store_query_parse_types(const Store *s, Arena *a, const Str *types, size_t n, Str query,
                               bool lenient, int zone_min, StoreQuery **ret, Err *err)
{
    StoreQuery *first = NULL, **at = &first;
    for (size_t i = 0; i < n; i++) {
        TRY(query_parse_one(s, a, types[i], query, lenient, n > 1, zone_min, at, err));
        at = &(*at)->more;
    }
    *ret = first;
    return first ? OK : none_named(err);
}

/* ---- Compartments ------------------------------------------------------------------------------
 */

static Status compartment_known(Str name, const FhirType **ret, Err *err)
{
    *ret = fhir_resource_find(name);
    return *ret && fhir_compartment_is(*ret)
               ? OK
               : err_add(err, ERR_NOT_FOUND, "not-supported", STR_NONE, "没有 %.*s 分区",
                         "There is no %.*s compartment", STR_ARG(name));
}

Status store_compartment_types(Arena *a, Str compartment, const Str **ret, size_t *ret_n, Err *err)
{
    const FhirType *of;
    const FhirParam *params[FHIR_COMPARTMENT_PARAMS_MAX];
    TRY(compartment_known(compartment, &of, err));
    Str *list = arena_array(a, Str, fhir_resource_count);
    *ret_n = 0;
    for (unsigned i = 0; i < fhir_resource_count; i++) {
        const FhirType *t = fhir_resource_at(i);
        if (t == of || fhir_compartment_params(of, t, params) > 0) {
            list[(*ret_n)++] = fhir_type_name(t);
        }
    }
    *ret = list;
    return OK;
}

/* ids: of one patient's records, or of one resource. */
static Clause *belongs(Arena *a, const FhirType *of, const FhirType *type, const Str *id, size_t n)
{
    const FhirParam **params = arena_array(a, const FhirParam *, FHIR_COMPARTMENT_PARAMS_MAX);
    Clause *c = arena_new(a, Clause);
    *c = (Clause){.kind = type == of ? CLAUSE_ID : CLAUSE_REF,
                  .values = arena_array(a, QueryValue, n),
                  .values_n = n};
    for (size_t i = 0; i < n; i++) {
        c->values[i] =
            type == of ? (QueryValue){.text = id[i]} : (QueryValue){.type = of, .code = id[i]};
    }
    size_t params_n = type == of ? 0 : fhir_compartment_params(of, type, params);
    c->param = params_n ? params[0] : NULL;
    c->also = params + 1;
    c->also_n = params_n ? params_n - 1 : 0;
    return type == of || params_n ? c : NULL;
}

Status store_query_within(const Store *s, Arena *a, StoreQuery *q, Str compartment, Str id,
                          Err *err)
{
    const FhirType *of;
    const Str *other;
    TRY(compartment_known(compartment, &of, err));
    size_t n = str_is(compartment, "Patient") ? store_person_others(s, a, id, &other) : 0;
    Str *ids = arena_array(a, Str, n + 1);
    ids[0] = id;
    if (n) {
        memcpy(ids + 1, other, n * sizeof *ids);
    }
    for (StoreQuery *each = q; each; each = each->more) {
        Clause *c = belongs(a, of, each->type, ids, n + 1);
        if (!c) {
            return err_add(err, ERR_INVALID, "not-supported", STR_NONE, "%.*s 不属于 %.*s 分区",
                           "%.*s does not belong to the %.*s compartment",
                           STR_ARG(fhir_type_name(each->type)), STR_ARG(compartment));
        }
        c->next = each->first;
        each->first = c;
        each->last = each->last ? each->last : c;
    }
    q->within = arena_cat(a, compartment, STR("/"), id);
    return OK;
}
