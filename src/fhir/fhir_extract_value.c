/* What a value of each R4 type becomes under each kind of parameter (R4, Search). */
#include <math.h>

#include "fhir_extract_inner.h"
#include "fhir_pinyin.h"
#include "fhir_resource.h"
#include "fhir_unit.h"

#define UCUM     "http://unitsofmeasure.org"
#define CURRENCY "urn:iso:std:iso:4217"

static FhirIndexRow *extract_row(Extract *x)
{
    FhirIndexRows *rows = x->rows;
    if (rows->n == rows->room) {
        size_t room = rows->room ? rows->room * 2 : 64;
        FhirIndexRow *more = arena_try_raw(x->env->arena, room * sizeof *more);
        if (!more) {
            x->env->arena->exhausted = true;
            return &x->spare;
        }
        if (rows->n) {
            memcpy(more, rows->at, rows->n * sizeof *more);
        }
        rows->at = more;
        rows->room = room;
    }
    FhirIndexRow *row = &rows->at[rows->n++];
    memset(row, 0, sizeof *row);
    row->param = x->param;
    row->kind = x->kind;
    row->tuple = x->tuple;
    row->component = x->component;
    return row;
}

static Str text_at(const FhirNode *n, Str key)
{
    return json_str(n->doc, json_get(n->doc, n->ref, key));
}

static JsonRef at(const FhirNode *n, Str key)
{
    return json_get(n->doc, n->ref, key);
}

static FhirNode below(const FhirNode *n, JsonRef ref)
{
    FhirNode child = *n;
    child.ref = ref;
    child.shadow = JSON_NONE;
    child.type = NULL;
    child.elem = NULL;
    return child;
}

static unsigned type_id(const FhirValue *v)
{
    return v->kind == FHIR_VALUE_NODE && v->node.type ? fhir_type_id(v->node.type) : FHIR_NONE;
}

/* --- token --- */

static void coding(Extract *x, const FhirNode *n)
{
    Str code = text_at(n, STR("code")), system = text_at(n, STR("system"));
    if (code.n || system.n) {
        FhirTokenValue *t = &extract_row(x)->token;
        *t = (FhirTokenValue){.system = system, .code = code, .text = text_at(n, STR("display"))};
    }
}

static void codeable_concept(Extract *x, const FhirNode *n)
{
    for (JsonIter it = json_iter(n->doc, at(n, STR("coding"))); json_next(&it);) {
        FhirNode c = below(n, it.value);
        coding(x, &c);
    }
    Str text = text_at(n, STR("text"));
    if (text.n) {
        extract_row(x)->token.text = text;
    }
}

static void identifier(Extract *x, const FhirNode *n)
{
    Str value = text_at(n, STR("value")), system = text_at(n, STR("system"));
    if (!value.n && !system.n) {
        return;
    }
    FhirNode type = below(n, at(n, STR("type")));
    FhirNode first = below(n, json_item(n->doc, at(&type, STR("coding")), 0));
    extract_row(x)->token = (FhirTokenValue){
        .system = system,
        .code = value,
        .text = text_at(&type, STR("text")),
        .type_system = text_at(&first, STR("system")),
        .type_code = text_at(&first, STR("code")),
    };
}

/* The system of the code list that a code's element is bound to. */
static Str implied_system(const FhirNode *n, Str code)
{
    if (!n->elem || n->elem->valueset == FHIR_NONE) {
        return STR_NONE;
    }
    const FhirValueSet *v = &fhir_valuesets[n->elem->valueset];
    for (unsigned i = 0; !v->any && i < v->code_count; i++) {
        Str system;
        if (str_eq(fhir_valueset_code(v, i, &system), code)) {
            return system;
        }
    }
    return STR_NONE;
}

static void token(Extract *x, const FhirValue *v)
{
    Str text;
    switch (type_id(v)) {
    case FHIR_TYPE_Coding:
        coding(x, &v->node);
        return;
    case FHIR_TYPE_CodeableConcept:
        codeable_concept(x, &v->node);
        return;
    case FHIR_TYPE_Identifier:
        identifier(x, &v->node);
        return;
    case FHIR_TYPE_ContactPoint:
        text = text_at(&v->node, STR("value"));
        break;
    default:
        if (!fhir_value_text(x->env->arena, v, &text)) {
            return;
        }
    }
    if (text.n) {
        bool code = type_id(v) == FHIR_TYPE_code;
        Str system = code ? implied_system(&v->node, text) : STR_NONE;
        extract_row(x)->token =
            (FhirTokenValue){.system = system, .implied = system.n > 0, .code = text};
    }
}

/* --- reference --- */

static void reference_text(Extract *x, Str text, Str system, Str value)
{
    FhirRef ref = fhir_ref_parse(text);
    bool literal = text.n && ref.kind != FHIR_REF_CONTAINED && ref.kind != FHIR_REF_SEARCH;
    if (!literal && !value.n) {
        return;
    }
    FhirReferenceValue *r = &extract_row(x)->reference;
    r->identifier_system = system;
    r->identifier_value = value;
    if (literal) {
        r->type = ref.type.n ? fhir_resource_find(ref.type) : NULL;
        r->id = r->type ? ref.id : STR_NONE;
        r->version = r->type ? ref.version : STR_NONE;
        if (ref.kind != FHIR_REF_RELATIVE || !r->type) {
            Str version;
            str_cut(text, '|', &r->url, &version); /* canonical|version */
            r->version = version.n ? version : r->version;
        }
    }
}

static void reference(Extract *x, const FhirValue *v)
{
    Str text;
    if (type_id(v) == FHIR_TYPE_Reference) {
        FhirNode id = below(&v->node, at(&v->node, STR("identifier")));
        reference_text(x, text_at(&v->node, STR("reference")), text_at(&id, STR("system")),
                       text_at(&id, STR("value")));
    } else if (v->kind == FHIR_VALUE_NODE && v->node.type && fhir_type_is_resource(v->node.type)) {
        FhirReferenceValue r = {.type = v->node.type, .id = text_at(&v->node, STR("id"))};
        if (r.id.n) {
            extract_row(x)->reference = r;
        }
    } else if (fhir_value_text(x->env->arena, v, &text)) {
        reference_text(x, text, STR_NONE, STR_NONE);
    }
}

/* --- date --- */

static bool span_of(const Extract *x, Str text, FhirDateValue *ret)
{
    DateTime t;
    if (!datetime_parse_loose(text, &t)) {
        return false;
    }
    datetime_range(&t, x->env->zone_min, &ret->lo_ms, &ret->hi_ms);
    return true;
}

static bool period(const Extract *x, const FhirNode *n, FhirDateValue *ret)
{
    FhirDateValue start = {.lo_ms = TIME_NONE}, end = {.hi_ms = TIME_FOREVER};
    bool has_start = span_of(x, text_at(n, STR("start")), &start),
         has_end = span_of(x, text_at(n, STR("end")), &end);
    *ret = (FhirDateValue){start.lo_ms, end.hi_ms};
    return has_start || has_end;
}

/* From the first event to the last, or the bounds within which it repeats. */
static bool timing(const Extract *x, const FhirNode *n, FhirDateValue *ret)
{
    FhirDateValue all = {TIME_FOREVER, TIME_NONE}, one;
    for (JsonIter it = json_iter(n->doc, at(n, STR("event"))); json_next(&it);) {
        if (span_of(x, json_str(n->doc, it.value), &one)) {
            all.lo_ms = one.lo_ms < all.lo_ms ? one.lo_ms : all.lo_ms;
            all.hi_ms = one.hi_ms > all.hi_ms ? one.hi_ms : all.hi_ms;
        }
    }
    FhirNode bounds = below(n, json_get(n->doc, at(n, STR("repeat")), STR("boundsPeriod")));
    if (period(x, &bounds, &one)) {
        all.lo_ms = one.lo_ms < all.lo_ms ? one.lo_ms : all.lo_ms;
        all.hi_ms = one.hi_ms > all.hi_ms ? one.hi_ms : all.hi_ms;
    }
    *ret = all;
    return all.lo_ms != TIME_FOREVER;
}

static void date(Extract *x, const FhirValue *v)
{
    FhirDateValue d;
    bool ok;
    switch (type_id(v)) {
    case FHIR_TYPE_Period:
        ok = period(x, &v->node, &d);
        break;
    case FHIR_TYPE_Timing:
        ok = timing(x, &v->node, &d);
        break;
    default:
        ok = fhir_value_time_range(v, x->env->zone_min, &d.lo_ms, &d.hi_ms);
    }
    if (ok) {
        extract_row(x)->date = d;
    }
}

/* --- string --- */

static void string_text(Extract *x, Str text)
{
    if (text.n) {
        extract_row(x)->string = (FhirStringValue){text, fhir_fold(x->env->arena, text)};
    }
}

/* The string members of a name or an address that a search looks into. */
static void string_members(Extract *x, const FhirNode *n, const Str *keys, size_t keys_n)
{
    for (size_t i = 0; i < keys_n; i++) {
        JsonRef r = at(n, keys[i]);
        if (json_type(n->doc, r) != JSON_ARRAY) {
            string_text(x, json_str(n->doc, r));
            continue;
        }
        for (JsonIter it = json_iter(n->doc, r); json_next(&it);) {
            string_text(x, json_str(n->doc, it.value));
        }
    }
}

#define KEY(s)                                                                                     \
    {                                                                                              \
        s, sizeof(s) - 1                                                                           \
    }

static void string(Extract *x, const FhirValue *v)
{
    static const Str NAME[] = {KEY("text"), KEY("family"), KEY("given"), KEY("prefix"),
                               KEY("suffix")};
    static const Str ADDRESS[] = {KEY("text"),  KEY("line"),    KEY("city"),      KEY("district"),
                                  KEY("state"), KEY("country"), KEY("postalCode")};
    static const Str CONCEPT[] = {KEY("text")};
    Str text;
    switch (type_id(v)) {
    case FHIR_TYPE_HumanName:
        string_members(x, &v->node, NAME, sizeof NAME / sizeof *NAME);
        return;
    case FHIR_TYPE_Address:
        string_members(x, &v->node, ADDRESS, sizeof ADDRESS / sizeof *ADDRESS);
        return;
    case FHIR_TYPE_CodeableConcept:
        string_members(x, &v->node, CONCEPT, 1);
        return;
    default:
        if (fhir_value_text(x->env->arena, v, &text)) {
            string_text(x, text);
        }
    }
}

/* A name's text, or family and given names together as they are said in Chinese. */
static Str name_said(Extract *x, const FhirValue *v)
{
    Str text = text_at(&v->node, STR("text")), said = text_at(&v->node, STR("family"));
    if (text.n) {
        return text;
    }
    for (JsonIter it = json_iter(v->node.doc, at(&v->node, STR("given"))); json_next(&it);) {
        said = arena_cat(x->env->arena, said, json_str(v->node.doc, it.value));
    }
    return said;
}

static void pinyin(Extract *x, const FhirValue *v)
{
    Str *keys, text = STR_NONE;
    size_t n;
    if (type_id(v) == FHIR_TYPE_HumanName) {
        text = name_said(x, v);
    } else if (!fhir_value_text(x->env->arena, v, &text)) {
        return;
    }
    fhir_pinyin_keys(x->env->arena, text, &keys, &n);
    for (size_t i = 0; i < n; i++) {
        extract_row(x)->string = (FhirStringValue){keys[i], keys[i]};
    }
}

/* --- number and quantity --- */

static bool number_at(const FhirNode *n, Str key, double *ret)
{
    return json_to_double(n->doc, at(n, key), ret);
}

static void canonical_fill(FhirNumberValue *v, Arena *a)
{
    FhirUnit u;
    if (!str_is(v->system, UCUM) || !fhir_unit_parse(v->code, &u) || !fhir_unit_is_linear(&u)) {
        return;
    }
    v->canonical = true;
    v->canonical_lo = v->lo * u.factor + u.offset;
    v->canonical_hi = v->hi * u.factor + u.offset;
    v->canonical_code = fhir_unit_base_text(a, &u);
}

static void comparator_apply(FhirNumberValue *v, Str comparator)
{
    if (comparator.n == 0) {
        return;
    }
    if (comparator.p[0] == '<') {
        v->lo = -INFINITY;
    } else {
        v->hi = INFINITY;
    }
}

static bool quantity_read(const FhirNode *n, FhirNumberValue *ret)
{
    double value;
    if (!number_at(n, STR("value"), &value)) {
        return false;
    }
    *ret = (FhirNumberValue){
        .lo = value,
        .hi = value,
        .system = text_at(n, STR("system")),
        .code = text_at(n, STR("code")),
        .unit = text_at(n, STR("unit")),
    };
    comparator_apply(ret, text_at(n, STR("comparator")));
    return true;
}

static bool money_read(const FhirNode *n, FhirNumberValue *ret)
{
    bool ok = quantity_read(n, ret);
    ret->system = STR(CURRENCY);
    ret->code = text_at(n, STR("currency"));
    return ok;
}

/* low and high; an open end is infinite. */
static bool range_read(const FhirNode *n, FhirNumberValue *ret)
{
    FhirNode low = below(n, at(n, STR("low"))), high = below(n, at(n, STR("high")));
    FhirNumberValue l, h;
    bool has_low = quantity_read(&low, &l), has_high = quantity_read(&high, &h);
    *ret = has_low ? l : h;
    ret->lo = has_low ? l.lo : -INFINITY;
    ret->hi = has_high ? h.hi : INFINITY;
    return has_low || has_high;
}

static bool plain_read(Arena *a, const FhirValue *v, FhirNumberValue *ret)
{
    FhirValue s;
    double x;
    if (v->kind == FHIR_VALUE_NODE && json_to_double(v->node.doc, v->node.ref, &x)) {
        *ret = (FhirNumberValue){.lo = x, .hi = x};
        return true;
    }
    if (!fhir_value_scalar(a, v, &s) ||
        (s.kind != FHIR_VALUE_INTEGER && s.kind != FHIR_VALUE_DECIMAL)) {
        return false;
    }
    x = s.kind == FHIR_VALUE_INTEGER ? (double)s.integer
                                     : (double)s.decimal->digits / pow(10, s.decimal->scale);
    *ret = (FhirNumberValue){.lo = x, .hi = x};
    return true;
}

static void number(Extract *x, const FhirValue *v)
{
    FhirNumberValue n;
    bool ok;
    switch (type_id(v)) {
    case FHIR_TYPE_Quantity:
    case FHIR_TYPE_Age:
    case FHIR_TYPE_Count:
    case FHIR_TYPE_Distance:
    case FHIR_TYPE_Duration:
        ok = quantity_read(&v->node, &n);
        break;
    case FHIR_TYPE_Money:
        ok = money_read(&v->node, &n);
        break;
    case FHIR_TYPE_Range:
        ok = range_read(&v->node, &n);
        break;
    default:
        ok = plain_read(x->env->arena, v, &n);
    }
    if (ok) {
        canonical_fill(&n, x->env->arena);
        extract_row(x)->number = n;
    }
}

/* --- uri --- */

static void uri(Extract *x, const FhirValue *v)
{
    Str text;
    if (fhir_value_text(x->env->arena, v, &text) && text.n) {
        extract_row(x)->uri = text;
    }
}

void extract_value(Extract *x, const FhirValue *v)
{
    switch (x->kind) {
    case FHIR_PARAM_TOKEN:
        token(x, v);
        break;
    case FHIR_PARAM_REFERENCE:
        reference(x, v);
        break;
    case FHIR_PARAM_DATE:
        date(x, v);
        break;
    case FHIR_PARAM_STRING:
        if (x->param->flags & FHIR_PARAM_PINYIN) {
            pinyin(x, v);
        } else {
            string(x, v);
        }
        break;
    case FHIR_PARAM_NUMBER:
    case FHIR_PARAM_QUANTITY:
        number(x, v);
        break;
    case FHIR_PARAM_URI:
        uri(x, v);
        break;
    default:
        break;
    }
}
