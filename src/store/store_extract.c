/*
 * From the values that fhir_extract finds to the rows that the index keeps: as few as answer
 * every search, since each is a page of a tree to be written.
 *
 * A token has a row for system|code, to which the table of codes leads from a code alone;
 * identifiers have one for their system, too; an ID card's number stands in its normal form,
 * however it was written. A quantity has one without its unit and one with it, in UCUM's base units
 * where it can be converted. A measure (code-value-quantity) has one under its code, as the number
 * was written. A parameter whose values are another's (patient and subject, combo-code and code)
 * has no rows: index_parts leads to the others'; of two others' the table of codes has its own
 * count.
 */
#include <math.h>
#include <stdlib.h>

#include "fhir_card.h"
#include "fhir_extract.h"
#include "fhir_texts.h"
#include "store_inner.h"

#include "mk_banned.h"

typedef struct Rows {
    const Store *store;
    const FhirType *type;
    IndexRow *at;
    size_t n, room;
    Arena *arena;
    const Str *display; /* texts of tokens, folded, by which these are found */
    size_t display_n;
    size_t text_bytes; /* of phrases */
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

static void token_row(Rows *r, uint32_t param, int64_t hash)
{
    row_add(r, INDEX_TOKEN, param)->a = hash;
}

static bool param_has_rows(const Rows *r, uint32_t param)
{
    for (size_t i = 0; i < r->n; i++) {
        if (r->at[i].param == param) {
            return true;
        }
    }
    return false;
}

static void token_rows(Rows *r, uint32_t param, Str system, Str code, bool by_system)
{
    const Store *s = r->store;
    FhirCard card;
    if (!str_empty(code)) {
        int64_t token = index_hash_token(s, system, code);
        IndexRow *alone = row_add(r, INDEX_CODE, param);
        alone->a = index_hash_code(s, fhir_card_key(system, code, &card));
        alone->b = token;
        token_row(r, param, token);
        if (!str_empty(system) && by_system) {
            token_row(r, param, index_hash_system(s, system));
        }
    } else if (!param_has_rows(r, param)) {
        token_row(r, param, index_hash_text(s, STR_NONE)); /* a text only: not missing */
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
        row_add(r, INDEX_REF, param)->a = index_hash_ref(s, fhir_type_name(v->type), v->id);
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
    if (v->canonical) {
        int64_t unit = index_hash_unit(s, STR(INDEX_UNIT_BASE), v->canonical_code);
        number_row(r, INDEX_QUANTITY, param, unit, v->canonical_lo, v->canonical_hi);
        return;
    }
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
}

/* The rows of one tuple of a measure: each of its codes with each of its numbers. */
static void measure_rows(Rows *r, const FhirIndexRow *tuple, size_t n)
{
    uint32_t param = index_param(r->type, tuple->param);
    for (size_t i = 0; i < n; i++) {
        const FhirTokenValue *t = &tuple[i].token;
        for (size_t k = 0; tuple[i].component == 0 && !str_empty(t->code) && k < n; k++) {
            if (tuple[k].component == 1) {
                number_row(r, INDEX_QUANTITY, param, index_hash_token(r->store, t->system, t->code),
                           tuple[k].number.lo, tuple[k].number.hi);
            }
        }
    }
}

static void text_row(Rows *r, IndexTable table, uint32_t param, Str text)
{
    row_add(r, table, param)->text = text;
}

/* How many resources have a code in either of two parameters is counted for the one of both. */
static void combined_row(Rows *r, const FhirIndexRow *v)
{
    FhirCard card;
    uint32_t part[INDEX_PARTS_MAX];
    bool combined = v->kind == FHIR_PARAM_TOKEN && v->tuple == 0 && !str_empty(v->token.code) &&
                    index_param_is_alias(r->type, v->param) &&
                    index_parts(r->type, v->param, part) == 2;
    if (combined) {
        IndexRow *row = row_add(r, INDEX_CODE, index_param(r->type, v->param));
        row->a = index_hash_code(r->store, fhir_card_key(v->token.system, v->token.code, &card));
        row->b = index_hash_token(r->store, v->token.system, v->token.code);
    }
}

static void value_rows(Rows *r, const FhirIndexRow *v)
{
    uint32_t param = index_param(r->type, v->param);
    switch (v->kind) {
    case FHIR_PARAM_TOKEN:
        token_rows(r, param, v->token.system, v->token.code, index_param_by_system(v->param));
        break;
    case FHIR_PARAM_REFERENCE:
        reference_rows(r, param, &v->reference);
        break;
    case FHIR_PARAM_DATE:
        date_row(r, param, &v->date);
        break;
    case FHIR_PARAM_STRING:
        text_row(r, INDEX_STRING, param, v->string.folded);
        break;
    case FHIR_PARAM_NUMBER:
        number_row(r, INDEX_NUMBER, param, 0, v->number.lo, v->number.hi);
        break;
    case FHIR_PARAM_QUANTITY:
        quantity_rows(r, param, &v->number);
        break;
    case FHIR_PARAM_URI:
        text_row(r, INDEX_URI, param, v->uri);
        break;
    case FHIR_PARAM_COMPOSITE:
    case FHIR_PARAM_SPECIAL:
        break;
    }
}

/* ---- Whole resources --------------------------------------------------------------------------
 */

static bool row_is_kept(const FhirType *type, const FhirIndexRow *v)
{
    Str name = fhir_param_name(v->param);
    return v->tuple == 0 && !str_is(name, "_id") && !str_is(name, "_lastUpdated") &&
           !index_param_is_alias(type, v->param);
}

/* What else a plain extraction gives are the tuples of measures. */
static void tuples_rows(Rows *r, const FhirIndexRows *found)
{
    for (size_t from = 0, to; from < found->n; from = to) {
        const FhirIndexRow *first = &found->at[from];
        for (to = from + 1; to < found->n && found->at[to].param == first->param &&
                            found->at[to].tuple == first->tuple;
             to++) {
        }
        if (first->tuple) {
            measure_rows(r, first, to - from);
        }
    }
}

/* The patient is whom `patient` or `subject` of the resource means. */
static bool patient_is_main(const Rows *r, const FhirIndexRows *found, Str patient)
{
    uint32_t param = index_param_patient(r->type);
    for (size_t i = 0; param && i < found->n; i++) {
        const FhirIndexRow *v = &found->at[i];
        if (v->kind == FHIR_PARAM_REFERENCE && index_param(r->type, v->param) == param &&
            v->reference.type == fhir_resource_find(STR("Patient")) &&
            str_eq(v->reference.id, patient)) {
            return true;
        }
    }
    return false;
}

static void compartment_row(Rows *r, int64_t patient, int64_t token, int64_t link)
{
    IndexRow *row = row_add(r, INDEX_COMPARTMENT, (uint32_t)type_number(r->type));
    row->a = patient;
    row->b = index_compartment_code(token) | link;
}

/* patient × type × what it is; one with 0 where it is nothing. */
static void compartment_rows(Rows *r, const FhirIndexRows *found)
{
    const FhirParam *code = fhir_param_find(r->type, STR("code"));
    unsigned links;
    bool self;
    fhir_patient_links(r->type, &links, &self);
    for (size_t i = 0; i < found->patients_n || (i == 0 && links > 0); i++) {
        bool named = i < found->patients_n;
        int64_t patient =
            named ? index_hash_ref(r->store, STR("Patient"), found->patients[i]) : INDEX_NOBODY;
        int64_t link =
            named && patient_is_main(r, found, found->patients[i]) ? 0 : INDEX_OTHER_LINK;
        size_t before = r->n;
        for (size_t k = 0; code && k < found->n; k++) {
            const FhirIndexRow *v = &found->at[k];
            if (v->param == code && v->kind == FHIR_PARAM_TOKEN && !str_empty(v->token.code)) {
                compartment_row(r, patient,
                                index_hash_token(r->store, v->token.system, v->token.code), link);
            }
        }
        if (r->n == before) {
            compartment_row(r, patient, 0, link);
        }
    }
}

/* ---- Texts -----------------------------------------------------------------------------------
 */

/* A code's display is the same in many resources: their token's list has them, the phrase leads
 * there. An identifier's would lead to lists of one. */
static bool is_displayed(const FhirIndexRow *v)
{
    return v->kind == FHIR_PARAM_TOKEN && v->tuple == 0 && v->token.code.n && v->token.text.n &&
           !index_param_by_system(v->param);
}

static void display_rows(Rows *r, const FhirIndexRows *found)
{
    Str *list = arena_array(r->arena, Str, found->n + 1);
    for (size_t i = 0; i < found->n; i++) {
        const FhirIndexRow *v = &found->at[i];
        if (!is_displayed(v) || index_param_is_alias(r->type, v->param)) {
            continue;
        }
        Str text = utf8_take(fhir_fold(r->arena, v->token.text), INDEX_TEXT_BYTES);
        IndexRow *row = row_add(r, INDEX_TERM, index_param(r->type, v->param));
        row->a = index_hash_token(r->store, v->token.system, v->token.code);
        row->b = index_hash_text(r->store, text);
        row->text = text;
        if (!fhir_param_custom(v->param)) {
            list[r->display_n++] = text; /* other rows never hang on which custom ones there are */
        }
    }
    r->display = list;
}

static bool phrase_told(void *ctx, Str text, bool narrative)
{
    (void)narrative;
    Rows *r = ctx;
    Str folded = fhir_fold(r->arena, text);
    bool displayed = str_empty(folded);
    for (size_t i = 0; i < r->display_n && !displayed; i++) {
        displayed = str_eq(r->display[i], folded);
    }
    if (displayed) {
        return true;
    }
    folded = utf8_take(folded, INDEX_TEXT_BYTES - r->text_bytes);
    r->text_bytes += folded.n;
    IndexRow *row = row_add(r, INDEX_PHRASE, (uint32_t)type_number(r->type));
    row->a = index_hash_text(r->store, folded);
    row->text = folded;
    return r->text_bytes < INDEX_TEXT_BYTES - 4;
}

static int row_order(const void *x, const void *y)
{
    return index_row_order(x, y);
}

static void rows_sort(Rows *r)
{
    if (r->n) {
        qsort(r->at, r->n, sizeof *r->at, row_order);
    }
}

/* Quantities into the lists that say how many they are (index_list). Sorted, those of a unit follow
 * each other. */
static void rows_spread(Rows *r)
{
    bool moved = false;
    for (size_t from = 0, to; from < r->n; from = to) {
        const IndexRow first = r->at[from];
        for (to = from + 1; to < r->n && r->at[to].table == first.table &&
                            r->at[to].param == first.param && r->at[to].a == first.a;
             to++) {
        }
        for (size_t i = from; first.table == INDEX_QUANTITY && i < to; i++) {
            IndexRow *row = &r->at[i];
            IndexSpread spread = row->lo < row->hi ? SPREAD_INTERVAL
                                 : to - from > 1   ? SPREAD_SEVERAL
                                                   : SPREAD_SOLE;
            row->a = index_list(row->a, spread);
            moved = moved || spread != SPREAD_SOLE;
        }
    }
    if (moved) {
        rows_sort(r);
    }
}

static void rows_unique(Rows *r)
{
    size_t n = 0;
    rows_sort(r);
    for (size_t i = 0; i < r->n; i++) {
        if (n == 0 || index_row_order(&r->at[n - 1], &r->at[i]) != 0) {
            r->at[n++] = r->at[i];
        }
    }
    r->n = n;
}

static int64_t nd_of(const Rows *r, const FhirIndexRows *found)
{
    if (!index_type_is_work(r->type)) {
        return found->date_ms == TIME_NONE ? ND_NONE : -found->date_ms;
    }
    const FhirParam *priority = fhir_param_find(r->type, STR("priority"));
    Str code = STR_NONE;
    for (size_t i = 0; i < found->n; i++) {
        code = found->at[i].param == priority ? found->at[i].token.code : code;
    }
    return index_work_nd(index_priority_rank(code), found->date_ms);
}

static void doc_fill(Rows *r, const FhirIndexRows *found, IndexDoc *ret)
{
    rows_unique(r);
    rows_spread(r);
    *ret = (IndexDoc){.type = r->type,
                      .nd = nd_of(r, found),
                      .rows = r->at,
                      .rows_n = r->n,
                      .patients = found->patients,
                      .patients_n = found->patients_n};
}

Status index_extract(const Store *s, Arena *a, const FhirType *type, Str body, IndexDoc *ret,
                     Err *err)
{
    JsonDoc *d = arena_new(a, JsonDoc);
    TRY(json_parse(a, body, &JSON_LIMITS_FHIR, d, err));
    return index_extract_doc(s, a, type, d, STR_NONE, ret, err);
}

Str index_whose_join(Arena *a, unsigned labels, const Str *patients, size_t n)
{
    Str text = store_labels_text(a, labels);
    for (size_t i = 0; i < n; i++) {
        text = arena_cat(a, text, i ? STR(" ") : STR_NONE, patients[i]);
    }
    return text;
}

Status index_whose_text(const Store *s, Arena *a, const FhirType *type, Str body, Str *ret,
                        Err *err)
{
    JsonDoc d;
    const Str *patients;
    size_t n;
    FhirExtractEnv env = {.arena = a, .zone_min = s->options.zone_min};
    TRY(json_parse(a, body, &JSON_LIMITS_FHIR, &d, err));
    TRY(fhir_extract_patients(&d, type, &env, &patients, &n, err));
    *ret = index_whose_join(a, store_labels_of(&d), patients, n);
    return OK;
}

/* A custom parameter, or a part of one, by the number of its rows. */
static const FhirParam *custom_of(const Store *s, uint32_t param)
{
    const ParamDef *def = params_def(params_now(s), param_rows_number(param));
    unsigned part = param >> 8 & 7;
    const FhirCustomParam *whole = def ? &def->def.params[0] : NULL;
    return !whole ? NULL : part ? &whole->parts[part - 1].row : &whole->row;
}

Status index_extract_part(const Store *s, Arena *a, const FhirType *type, const JsonDoc *d,
                          uint32_t part, IndexDoc *ret, Err *err)
{
    FhirIndexRows found;
    FhirExtractEnv env = {.arena = a, .zone_min = s->options.zone_min};
    Rows r = {.store = s, .type = type, .arena = a};
    const FhirParam *p = part & PARAM_BIT ? custom_of(s, part) : &fhir_params[part & FHIR_NONE];
    if (!p) {
        *ret = (IndexDoc){.type = type};
        return OK; /* withdrawn meanwhile */
    }
    TRY(fhir_extract_param(d, type, p, &env, &found, err));
    for (size_t i = 0; i < found.n; i++) {
        if (row_is_kept(type, &found.at[i])) {
            value_rows(&r, &found.at[i]);
        }
    }
    tuples_rows(&r, &found);
    doc_fill(&r, &found, ret);
    return OK;
}

Status index_extract_doc(const Store *s, Arena *a, const FhirType *type, const JsonDoc *d, Str id,
                         IndexDoc *ret, Err *err)
{
    FhirIndexRows found;
    const ParamTable *params = params_now(s);
    FhirExtractEnv env = {a, s->options.zone_min, id, true, params ? &params->customs : NULL};
    Rows r = {.store = s, .type = type, .arena = a};
    TRY(fhir_extract(d, type, &env, &found, err));
    for (size_t i = 0; i < found.n; i++) {
        if (row_is_kept(type, &found.at[i])) {
            value_rows(&r, &found.at[i]);
        } else {
            combined_row(&r, &found.at[i]);
        }
    }
    tuples_rows(&r, &found);
    compartment_rows(&r, &found);
    display_rows(&r, &found);
    fhir_texts(a, d, type, phrase_told, &r);
    row_add(&r, INDEX_TOKEN, index_param_all(type));
    doc_fill(&r, &found, ret);
    ret->labels = store_labels_of(d);
    ret->whose = found.patients_n == 1
                     ? index_whose(index_hash_ref(s, STR("Patient"), found.patients[0]))
                     : INDEX_WHOSE_UNKNOWN;
    return OK;
}

Status index_extract_customs(const Store *s, Arena *a, const FhirType *type, Str body,
                             const FhirCustoms *customs, IndexDoc *ret, Err *err)
{
    JsonDoc *d = arena_new(a, JsonDoc);
    FhirIndexRows found;
    FhirExtractEnv env = {a, s->options.zone_min, STR_NONE, true, customs};
    Rows r = {.store = s, .type = type, .arena = a};
    TRY(json_parse(a, body, &JSON_LIMITS_FHIR, d, err));
    TRY(fhir_extract_customs(d, type, &env, &found, err));
    for (size_t i = 0; i < found.n; i++) {
        value_rows(&r, &found.at[i]);
    }
    display_rows(&r, &found);
    rows_unique(&r);
    rows_spread(&r);
    *ret = (IndexDoc){.type = type, .rows = r.at, .rows_n = r.n};
    return OK;
}
