/*
 * A clause against the values of one resource in memory: for what the index cannot answer by
 * itself, and for rows of the delta.
 */
#include <math.h>

#include "fhir_card.h"
#include "store_query.h"

#include "mk_banned.h"

#define EARTH_METRES 6371008.8 /* mean radius */

/* ---- Texts --------------------------------------------------------------------------------- */

/* :above and :below speak of the paths of URLs, which URNs do not have. */
static bool uri_is_path(Str uri)
{
    return !str_starts(uri, STR("urn:"));
}

bool query_text_matches(const Clause *c, const QueryValue *v, Str text)
{
    switch (c->modifier) {
    case MODIFIER_EXACT:
        return str_eq(text, v->text);
    case MODIFIER_CONTAINS:
    case MODIFIER_TEXT:
        return str_find(text, v->text) >= 0;
    case MODIFIER_ABOVE:
        return uri_is_path(v->text) && str_starts(v->text, text);
    case MODIFIER_BELOW:
        return uri_is_path(text) && str_starts(text, v->text);
    default:
        return c->kind == CLAUSE_URI ? str_eq(text, v->text) : str_starts(text, v->text);
    }
}

/* ---- Tokens and references ------------------------------------------------------------------ */

static bool code_is(const QueryValue *v, Str system, Str code)
{
    FhirCard asked, has;
    if (v->has_system && !str_eq(v->system, system)) {
        return false;
    }
    return str_empty(v->code) ||
           str_eq(fhir_card_key(system, v->code, &asked), fhir_card_key(system, code, &has));
}

static bool token_matches(const Run *r, Modifier m, const QueryValue *v, const FhirTokenValue *t)
{
    switch (m) {
    case MODIFIER_TEXT:
        return str_starts(fhir_fold(r->arena, t->text), v->text);
    case MODIFIER_OF_TYPE:
        return str_eq(t->type_system, v->system) && str_eq(t->type_code, v->type_code) &&
               str_eq(t->code, v->code);
    default:
        return !str_empty(t->code) && code_is(v, t->system, t->code);
    }
}

static bool url_is(const FhirReferenceValue *has, Str text)
{
    Str url, version;
    bool versioned = str_cut(text, '|', &url, &version);
    return str_eq(has->url, url) && (!versioned || str_eq(has->version, version));
}

static bool reference_matches(const Clause *c, const QueryValue *v, const FhirReferenceValue *has)
{
    if (c->modifier == MODIFIER_IDENTIFIER) {
        return !str_empty(has->identifier_value) &&
               code_is(v, has->identifier_system, has->identifier_value);
    }
    if (!str_empty(has->url)) {
        return !v->type && url_is(has, v->text);
    }
    return has->type && fhir_param_allows(c->param, has->type) &&
           (!v->type || v->type == has->type) && str_eq(has->id, v->code);
}

/* ---- Quantities ----------------------------------------------------------------------------- */

static bool unit_is(const QueryValue *v, const FhirNumberValue *has)
{
    if (!str_empty(v->system) && !str_eq(v->system, has->system)) {
        return false;
    }
    bool by_name = str_empty(v->system) && str_eq(v->code, has->unit);
    return str_empty(v->code) || str_eq(v->code, has->code) || by_name;
}

static bool quantity_matches(const QueryValue *v, const FhirNumberValue *has)
{
    if (unit_is(v, has)) {
        return query_number_matches(v, has->lo, has->hi);
    }
    if (!v->convertible || !has->canonical || !str_eq(v->base, has->canonical_code)) {
        return false;
    }
    QueryValue base = query_value_in_base(v);
    return query_number_matches(&base, has->canonical_lo, has->canonical_hi);
}

/* ---- Places --------------------------------------------------------------------------------- */

static double distance(double lat1, double lon1, double lat2, double lon2)
{
    double half_lat = sin((lat2 - lat1) * M_PI / 360), half_lon = sin((lon2 - lon1) * M_PI / 360);
    double h =
        half_lat * half_lat + cos(lat1 * M_PI / 180) * cos(lat2 * M_PI / 180) * half_lon * half_lon;
    return 2 * EARTH_METRES * asin(sqrt(h < 1 ? h : 1));
}

static bool near_matches(const Clause *c, const Found *f)
{
    const JsonDoc *d = f->json;
    JsonRef place = json_get_c(d, JSON_ROOT, "position");
    double lat, lon;
    if (!json_to_double(d, json_get_c(d, place, "latitude"), &lat) ||
        !json_to_double(d, json_get_c(d, place, "longitude"), &lon)) {
        return false;
    }
    for (size_t i = 0; i < c->values_n; i++) {
        const QueryValue *v = &c->values[i];
        if (distance(lat, lon, v->latitude, v->longitude) <= v->metres) {
            return true;
        }
    }
    return false;
}

/* ---- Clauses -------------------------------------------------------------------------------- */

static bool value_matches(const Run *r, const Clause *c, const QueryValue *v,
                          const FhirIndexRow *row)
{
    switch (row->kind) {
    case FHIR_PARAM_TOKEN:
        return token_matches(r, c->modifier, v, &row->token);
    case FHIR_PARAM_REFERENCE:
        return reference_matches(c, v, &row->reference);
    case FHIR_PARAM_DATE:
        return query_date_matches(v, row->date.lo_ms, row->date.hi_ms, r->view->now_ms);
    case FHIR_PARAM_STRING:
        return c->modifier == MODIFIER_EXACT ? str_eq(row->string.raw, v->code)
                                             : query_text_matches(c, v, row->string.folded);
    case FHIR_PARAM_NUMBER:
        return query_number_matches(v, row->number.lo, row->number.hi);
    case FHIR_PARAM_QUANTITY:
        return quantity_matches(v, &row->number);
    case FHIR_PARAM_URI:
        return query_text_matches(c, v, row->uri);
    case FHIR_PARAM_COMPOSITE:
    case FHIR_PARAM_SPECIAL:
        break;
    }
    return false;
}

/* The rows of one tuple, which follow each other, meet all components of one alternative. */
static bool tuple_matches(const Run *r, const Clause *c, const QueryValue *v,
                          const FhirIndexRow *rows, size_t n)
{
    const Clause *part = c->hint;
    bool met = true;
    for (unsigned i = 0; part && met; i++, part = part->next) {
        met = false;
        for (size_t k = 0; k < n && !met; k++) {
            met = rows[k].component == i && value_matches(r, part, &v->part[i], &rows[k]);
        }
    }
    return met;
}

static bool composite_matches(const Run *r, const Clause *c, const FhirIndexRows *values)
{
    for (size_t from = 0, to; from < values->n; from = to) {
        for (to = from; to < values->n && values->at[to].tuple == values->at[from].tuple; to++) {
        }
        for (size_t k = 0; k < c->values_n; k++) {
            if (tuple_matches(r, c, &c->values[k], &values->at[from], to - from)) {
                return true;
            }
        }
    }
    return false;
}

static bool any_matches(const Run *r, const Clause *c, const FhirIndexRows *values)
{
    if (c->kind == CLAUSE_COMPOSITE) {
        return composite_matches(r, c, values);
    }
    for (size_t i = 0; i < values->n; i++) {
        for (size_t k = 0; k < c->values_n; k++) {
            if (value_matches(r, c, &c->values[k], &values->at[i])) {
                return true;
            }
        }
    }
    return false;
}

static bool updated_matches(const Run *r, const Clause *c, int64_t at_ms)
{
    for (size_t i = 0; i < c->values_n; i++) {
        if (query_date_matches(&c->values[i], at_ms, at_ms + 1, r->view->now_ms)) {
            return true;
        }
    }
    return false;
}

/* One of the references is to what the inner search has found. */
static Status chain_matches(Run *r, Test *t, const FhirIndexRows *values, bool *ret, Err *err)
{
    *ret = false;
    for (size_t i = 0; i < values->n && !*ret; i++) {
        const FhirReferenceValue *v = &values->at[i].reference;
        if (v->type && str_empty(v->url)) {
            TRY(chain_leads(r, t, v->type, v->id, ret, err));
        }
    }
    return OK;
}

Status clause_matches(Run *r, Test *t, const FhirIndexRows *values, Found *f, bool *ret, Err *err)
{
    const Clause *c = t->clause;
    if (c->modifier == MODIFIER_MISSING) {
        *ret = (values->n == 0) == c->missing;
        return OK;
    }
    switch (c->kind) {
    case CLAUSE_CHAIN:
        return chain_matches(r, t, values, ret, err);
    case CLAUSE_HAS:
        return has_leads(r, t, f, ret, err);
    case CLAUSE_UPDATED:
        *ret = updated_matches(r, c, f->at_ms);
        return OK;
    case CLAUSE_NEAR:
        *ret = near_matches(c, f);
        return OK;
    case CLAUSE_CONTENT:
        *ret = content_matches(r, c, f);
        return OK;
    default:
        *ret = any_matches(r, c, values) != clause_is_negated(c);
        return OK;
    }
}
