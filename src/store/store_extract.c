/*
 * From the values that fhir_extract finds to the rows that the index keeps.
 *
 * A token has a row for system|code, one for code alone and one for system| alone; an element of
 * type code has no system of its own, so the code list's counts but is no row by itself. A
 * quantity has one for each way of naming its unit, and one without. A parameter whose values
 * are another's (patient and subject) has no rows: index_param leads to the other's.
 */
#include <math.h>
#include <stdlib.h>

#include "fhir_extract.h"
#include "store_inner.h"

#include "mk_banned.h"

#define OF_PATIENT ".where(resolve() is Patient)"

typedef struct Rows {
    const Store *store;
    const FhirType *type;
    IndexRow *at;
    size_t n, room;
    Arena *arena;
} Rows;

static IndexRow *row_add(Rows *r, IndexTable table, uint32_t param)
{
    if (r->n == r->room) {
        size_t room = r->room ? r->room * 2 : 48;
        IndexRow *more = arena_array(r->arena, IndexRow, room);
        if (r->n) {
            memcpy(more, r->at, r->n * sizeof *more);
        }
        r->at = more;
        r->room = room;
    }
    IndexRow *row = &r->at[r->n++];
    *row = (IndexRow){.table = table, .param = param};
    return row;
}

static void token_row(Rows *r, uint32_t param, int64_t hash, Str code)
{
    IndexRow *row = row_add(r, INDEX_TOKEN, param);
    row->a = hash;
    row->raw = code;
}

static void token_rows(Rows *r, uint32_t param, Str system, Str code, bool implied)
{
    const Store *s = r->store;
    if (str_empty(code)) {
        token_row(r, param, index_hash_text(s, STR_NONE), STR_NONE); /* a text only: it is there */
        return;
    }
    token_row(r, param, index_hash_code(s, code), code);
    token_row(r, param, index_hash_token(s, system, code), code);
    if (!str_empty(system) && !implied) {
        token_row(r, param, index_hash_system(s, system), code);
    }
}

static void reference_rows(Rows *r, uint32_t param, const FhirReferenceValue *v)
{
    const Store *s = r->store;
    if (!str_empty(v->identifier_value)) {
        token_rows(r, param, v->identifier_system, v->identifier_value, false);
    }
    if (!str_empty(v->url)) {
        /* another server's resource, or a canonical: never to be taken for one of ours */
        row_add(r, INDEX_REF, param)->a = index_hash_text(s, v->url);
        if (!str_empty(v->version)) {
            Str whole = arena_cat(r->arena, v->url, STR("|"), v->version);
            row_add(r, INDEX_REF, param)->a = index_hash_text(s, whole);
        }
    } else if (v->type) {
        IndexRow *row = row_add(r, INDEX_REF, param);
        row->a = index_hash_ref(s, fhir_type_name(v->type), v->id);
        row->raw = arena_cat(r->arena, fhir_type_name(v->type), STR("/"), v->id);
    }
}

static void date_row(Rows *r, uint32_t param, const FhirDateValue *v)
{
    IndexRow *row = row_add(r, INDEX_DATE, param);
    row->a = v->lo_ms == TIME_NONE ? INT64_MAX : -v->lo_ms;
    row->b = -v->hi_ms;
}

static void number_row(Rows *r, IndexTable table, uint32_t param, int64_t unit, double lo,
                       double hi)
{
    IndexRow *row = row_add(r, table, param);
    row->a = unit;
    row->lo = lo;
    row->hi = hi;
}

static void quantity_rows(Rows *r, uint32_t param, const FhirNumberValue *v)
{
    const Store *s = r->store;
    number_row(r, INDEX_QUANTITY, param, 0, v->lo, v->hi);
    if (!str_empty(v->code)) {
        number_row(r, INDEX_QUANTITY, param, index_hash_unit(s, STR_NONE, v->code), v->lo, v->hi);
        if (!str_empty(v->system)) {
            number_row(r, INDEX_QUANTITY, param, index_hash_unit(s, v->system, v->code), v->lo,
                       v->hi);
        }
    }
    if (!str_empty(v->unit) && !str_eq(v->unit, v->code)) {
        number_row(r, INDEX_QUANTITY, param, index_hash_unit(s, STR_NONE, v->unit), v->lo, v->hi);
    }
    if (v->canonical) {
        int64_t unit = index_hash_unit(s, STR(INDEX_UNIT_CANONICAL), v->canonical_code);
        number_row(r, INDEX_QUANTITY, param, unit, v->canonical_lo, v->canonical_hi);
    }
}

static void text_row(Rows *r, IndexTable table, uint32_t param, Str text, Str raw)
{
    IndexRow *row = row_add(r, table, param);
    row->text = text;
    row->raw = raw;
}

static void value_rows(Rows *r, const FhirIndexRow *v)
{
    uint32_t param = index_param(r->type, v->param);
    switch (v->kind) {
    case FHIR_PARAM_TOKEN:
        token_rows(r, param, v->token.system, v->token.code, v->token.implied);
        break;
    case FHIR_PARAM_REFERENCE:
        reference_rows(r, param, &v->reference);
        break;
    case FHIR_PARAM_DATE:
        date_row(r, param, &v->date);
        break;
    case FHIR_PARAM_STRING:
        text_row(r, INDEX_STRING, param, v->string.folded, v->string.raw);
        break;
    case FHIR_PARAM_NUMBER:
        number_row(r, INDEX_NUMBER, param, 0, v->number.lo, v->number.hi);
        break;
    case FHIR_PARAM_QUANTITY:
        quantity_rows(r, param, &v->number);
        break;
    case FHIR_PARAM_URI:
        text_row(r, INDEX_URI, param, v->uri, v->uri);
        break;
    case FHIR_PARAM_COMPOSITE:
    case FHIR_PARAM_SPECIAL:
        break;
    }
}

/* ---- Which parameter's rows answer ---------------------------------------------------------- */

/* The parameter that has the rows of `p` among its own; p itself when it has its own. */
static const FhirParam *param_alias(const FhirType *type, const FhirParam *p)
{
    Str text = fhir_param_expression(p);
    if (p->kind != FHIR_PARAM_REFERENCE || !str_ends(text, STR(OF_PATIENT))) {
        return p;
    }
    Str whole = str_take(text, text.n - (sizeof OF_PATIENT - 1));
    unsigned n;
    const FhirParam *own = fhir_params_of(type, &n);
    for (unsigned i = 0; i < n; i++) {
        if (own[i].kind == FHIR_PARAM_REFERENCE && str_eq(fhir_param_expression(&own[i]), whole)) {
            return &own[i];
        }
    }
    return p;
}

static _Atomic uint16_t alias_of[UINT16_MAX]; /* id of the alias + 1; 0: not yet asked */

static const FhirParam *param_rows_of(const FhirType *type, const FhirParam *p)
{
    uint16_t known = atomic_load_explicit(&alias_of[p->id], memory_order_relaxed);
    if (!known) {
        known = (uint16_t)(param_alias(type, p)->id + 1);
        atomic_store_explicit(&alias_of[p->id], known, memory_order_relaxed);
    }
    return &fhir_params[known - 1];
}

bool index_param_is_alias(const FhirType *type, const FhirParam *p)
{
    return param_rows_of(type, p) != p;
}

/* Parameters of all resources (_tag) get the type into their number, so that lists never mix. */
uint32_t index_param(const FhirType *type, const FhirParam *p)
{
    return (uint32_t)(type->resource + 1) << 16 | param_rows_of(type, p)->id;
}

uint32_t index_param_all(const FhirType *type)
{
    return (uint32_t)(type->resource + 1) << 16 | FHIR_NONE;
}

static bool row_is_kept(const FhirType *type, const FhirIndexRow *v)
{
    Str name = fhir_param_name(v->param);
    return v->tuple == 0 && !str_is(name, "_id") && !str_is(name, "_lastUpdated") &&
           !index_param_is_alias(type, v->param);
}

/* ---- Whole resources --------------------------------------------------------------------------
 */

/* patient × type, and × what it is, as it is commonly asked for: with the system and without. */
static void compartment_rows(Rows *r, const FhirIndexRows *found)
{
    const FhirParam *code = fhir_param_find(r->type, STR("code"));
    uint32_t param = code ? index_param(r->type, code) : 0;
    unsigned links;
    bool self;
    fhir_patient_links(r->type, &links, &self);
    size_t own = r->n, patients = found->patients_n;
    for (size_t i = 0; i < patients || (i == 0 && links > 0); i++) {
        int64_t patient = i < patients
                              ? index_hash_ref(r->store, STR("Patient"), found->patients[i])
                              : INDEX_NOBODY;
        row_add(r, INDEX_COMPARTMENT, type_number(r->type))->a = patient;
        for (size_t k = 0; code && k < own; k++) {
            int64_t hash = r->at[k].a;
            if (r->at[k].table == INDEX_TOKEN && r->at[k].param == param) {
                IndexRow *row = row_add(r, INDEX_COMPARTMENT, type_number(r->type));
                row->a = patient;
                row->b = hash;
            }
        }
    }
}

static int row_order(const void *x, const void *y)
{
    return index_row_order(x, y);
}

static void rows_unique(Rows *r)
{
    size_t n = 0;
    if (r->n) {
        qsort(r->at, r->n, sizeof *r->at, row_order);
    }
    for (size_t i = 0; i < r->n; i++) {
        if (n == 0 || index_row_order(&r->at[n - 1], &r->at[i]) != 0) {
            r->at[n++] = r->at[i];
        }
    }
    r->n = n;
}

static void doc_fill(Rows *r, const FhirIndexRows *found, IndexDoc *ret)
{
    rows_unique(r);
    *ret = (IndexDoc){.type = r->type,
                      .nd = found->date_ms == TIME_NONE ? ND_NONE : -found->date_ms,
                      .rows = r->at,
                      .rows_n = r->n,
                      .patients = found->patients,
                      .patients_n = found->patients_n};
}

Status index_extract(const Store *s, Arena *a, const FhirType *type, Str body, IndexDoc *ret,
                     Err *err)
{
    JsonDoc *d = arena_new(a, JsonDoc);
    FhirIndexRows found;
    FhirExtractEnv env = {a, s->options.zone_min};
    Rows r = {.store = s, .type = type, .arena = a};
    TRY(json_parse(a, body, &JSON_LIMITS_FHIR, d, err));
    TRY(fhir_extract(d, type, &env, &found, err));
    for (size_t i = 0; i < found.n; i++) {
        if (row_is_kept(type, &found.at[i])) {
            value_rows(&r, &found.at[i]);
        }
    }
    compartment_rows(&r, &found);
    row_add(&r, INDEX_TOKEN, index_param_all(type));
    doc_fill(&r, &found, ret);
    return OK;
}

Status index_extract_param(const Store *s, Arena *a, const FhirType *type, const FhirParam *param,
                           const JsonDoc *d, IndexDoc *ret, Err *err)
{
    FhirIndexRows found;
    FhirExtractEnv env = {a, s->options.zone_min};
    Rows r = {.store = s, .type = type, .arena = a};
    TRY(fhir_extract_param(d, type, param, &env, &found, err));
    for (size_t i = 0; i < found.n; i++) {
        if (found.at[i].tuple == 0) {
            value_rows(&r, &found.at[i]);
        }
    }
    doc_fill(&r, &found, ret);
    return OK;
}
