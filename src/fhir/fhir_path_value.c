/* Values: making them, reading primitives out of nodes, text and JSON. */
#include "fhir_path_inner.h"

/* --- making --- */

FhirNode fhir_node_resource(const JsonDoc *d, JsonRef resource)
{
    Str name = json_str(d, json_get(d, resource, STR("resourceType")));
    return (FhirNode){d,   resource, JSON_NONE, resource, name.n ? fhir_resource_find(name) : NULL,
                      NULL};
}

FhirNode fhir_node_root(const JsonDoc *d)
{
    return fhir_node_resource(d, JSON_ROOT);
}

FhirNode fhir_node_typed(const JsonDoc *d, JsonRef ref, const FhirType *type)
{
    return (FhirNode){d, ref, JSON_NONE, JSON_ROOT, type, NULL};
}

FhirValue fhir_value_node(FhirNode n)
{
    return (FhirValue){.kind = FHIR_VALUE_NODE, .node = n};
}

FhirValue fhir_value_boolean(bool v)
{
    return (FhirValue){.kind = FHIR_VALUE_BOOLEAN, .boolean = v};
}

FhirValue fhir_value_string(Str s)
{
    return (FhirValue){.kind = FHIR_VALUE_STRING, .text = s};
}

FhirValue fhir_value_integer(int64_t v)
{
    return (FhirValue){.kind = FHIR_VALUE_INTEGER, .integer = v};
}

static DateTime from_ms(int64_t ms, int zone_min, DatePrecision precision)
{
    DateTime t = {.precision = precision};
    int64_t local = ms + zone_min * MS_MINUTE, of_day = ((local % MS_DAY) + MS_DAY) % MS_DAY;
    civil_from_days((local - of_day) / MS_DAY, &t.year, &t.month, &t.day);
    if (precision == DATE_MS) {
        t.hour = (int)(of_day / MS_HOUR);
        t.minute = (int)(of_day / MS_MINUTE % 60);
        t.second = (int)(of_day / MS_SECOND % 60);
        t.ms = (int)(of_day % MS_SECOND);
        t.zone_min = zone_min;
        t.has_zone = true;
    }
    return t;
}

FhirValue fhir_value_datetime(Arena *a, int64_t ms, int zone_min)
{
    return path_time(a, FHIR_VALUE_DATETIME, from_ms(ms, zone_min, DATE_MS));
}

FhirValue fhir_value_date(Arena *a, int64_t ms, int zone_min)
{
    return path_time(a, FHIR_VALUE_DATE, from_ms(ms, zone_min, DATE_DAY));
}

void fhir_values_add(Arena *a, FhirValues *list, FhirValue v)
{
    if (list->n == list->room) {
        size_t room = list->room ? list->room * 2 : 4;
        FhirValue *more = arena_try_raw(a, room * sizeof *more);
        if (!more) {
            a->exhausted = true; /* path_step sees it */
            return;
        }
        if (list->n) {
            memcpy(more, list->at, list->n * sizeof *more);
        }
        list->at = more;
        list->room = room;
    }
    list->at[list->n++] = v;
}

FhirValues fhir_values_one(Arena *a, FhirValue v)
{
    FhirValues list = {0};
    fhir_values_add(a, &list, v);
    return list;
}

/* --- scalars of nodes --- */

bool path_scalar_time(Arena *a, FhirValueKind kind, Str text, FhirValue *ret)
{
    DateTime t;
    bool ok =
        kind == FHIR_VALUE_TIME ? time_of_day_parse(text, &t) : datetime_parse_loose(text, &t);
    if (ok) {
        *ret = path_time(a, kind, t);
    }
    return ok;
}

static bool scalar_number(Arena *a, Str text, bool decimal, FhirValue *ret)
{
    int64_t i;
    FhirDecimal d;
    if (!decimal && str_to_i64(text, &i)) {
        *ret = fhir_value_integer(i);
        return true;
    }
    if (!decimal_parse(text, &d)) {
        return false;
    }
    *ret = path_decimal(a, d);
    return true;
}

FhirValueKind path_kind_of(const FhirType *t)
{
    switch (t ? t->prim : FHIR_PRIM_NONE) {
    case FHIR_PRIM_DATE:
        return FHIR_VALUE_DATE;
    case FHIR_PRIM_DATETIME:
    case FHIR_PRIM_INSTANT:
        return FHIR_VALUE_DATETIME;
    case FHIR_PRIM_TIME:
        return FHIR_VALUE_TIME;
    default:
        return FHIR_VALUE_STRING;
    }
}

static bool is_quantity(const FhirNode *n)
{
    static const FhirType *quantity;
    const FhirType *q = __atomic_load_n(&quantity, __ATOMIC_RELAXED);
    if (!q) {
        q = fhir_type_find(STR("Quantity"));
        __atomic_store_n(&quantity, q, __ATOMIC_RELAXED);
    }
    return n->type && n->type->kind == FHIR_KIND_COMPLEX && fhir_type_is(n->type, q);
}

static bool scalar_quantity(Arena *a, const FhirNode *n, FhirValue *ret)
{
    FhirQuantity q = {0};
    if (!is_quantity(n) ||
        !decimal_parse(json_number(n->doc, json_get(n->doc, n->ref, STR("value"))), &q.value)) {
        return false;
    }
    Str system = json_str(n->doc, json_get(n->doc, n->ref, STR("system")));
    q.unit = json_str(n->doc, json_get(n->doc, n->ref, STR("code")));
    if (q.unit.n == 0 || (system.n && !str_is(system, "http://unitsofmeasure.org"))) {
        Str unit = json_str(n->doc, json_get(n->doc, n->ref, STR("unit")));
        q.unit = unit.n ? unit : q.unit.n ? q.unit : STR("1");
    }
    *ret = path_quantity(a, q);
    return true;
}

static bool scalar_string(Arena *a, const FhirNode *n, FhirValue *ret)
{
    Str text = json_str(n->doc, n->ref);
    FhirValueKind kind = path_kind_of(n->type);
    if (kind == FHIR_VALUE_STRING || !path_scalar_time(a, kind, text, ret)) {
        *ret = fhir_value_string(text);
    }
    return true;
}

bool fhir_value_scalar(Arena *a, const FhirValue *v, FhirValue *ret)
{
    if (v->kind != FHIR_VALUE_NODE) {
        *ret = *v;
        return true;
    }
    const FhirNode *n = &v->node;
    switch (json_type(n->doc, n->ref)) {
    case JSON_STRING:
        return scalar_string(a, n, ret);
    case JSON_NUMBER:
        return scalar_number(a, json_number(n->doc, n->ref),
                             n->type && n->type->prim == FHIR_PRIM_DECIMAL, ret);
    case JSON_TRUE:
    case JSON_FALSE:
        *ret = fhir_value_boolean(json_is_true(n->doc, n->ref));
        return true;
    case JSON_OBJECT:
        return scalar_quantity(a, n, ret);
    default:
        return false;
    }
}

bool path_plain_kind(const FhirValue *v, FhirValueKind *ret)
{
    int64_t whole;
    if (v->kind != FHIR_VALUE_NODE || v->node.type) {
        return false;
    }
    switch (json_type(v->node.doc, v->node.ref)) {
    case JSON_STRING:
        *ret = FHIR_VALUE_STRING;
        return true;
    case JSON_NUMBER:
        *ret = str_to_i64(json_number(v->node.doc, v->node.ref), &whole) ? FHIR_VALUE_INTEGER
                                                                         : FHIR_VALUE_DECIMAL;
        return true;
    case JSON_TRUE:
    case JSON_FALSE:
        *ret = FHIR_VALUE_BOOLEAN;
        return true;
    default:
        return false;
    }
}

Str fhir_value_type_name(const FhirValue *v)
{
    FhirValueKind plain;
    static const char *const NAMES[] = {
        [FHIR_VALUE_BOOLEAN] = "System.Boolean", [FHIR_VALUE_STRING] = "System.String",
        [FHIR_VALUE_INTEGER] = "System.Integer", [FHIR_VALUE_DECIMAL] = "System.Decimal",
        [FHIR_VALUE_DATE] = "System.Date",       [FHIR_VALUE_DATETIME] = "System.DateTime",
        [FHIR_VALUE_TIME] = "System.Time",       [FHIR_VALUE_QUANTITY] = "System.Quantity",
        [FHIR_VALUE_TYPE] = "System.TypeInfo",
    };
    if (v->kind != FHIR_VALUE_NODE) {
        return str_from_c(NAMES[v->kind]);
    }
    if (path_plain_kind(v, &plain)) {
        return str_from_c(NAMES[plain]);
    }
    return v->node.type ? fhir_type_name(v->node.type) : STR("Element");
}

bool fhir_value_text(Arena *a, const FhirValue *v, Str *ret)
{
    FhirValue s;
    if (v->kind == FHIR_VALUE_NODE && json_type(v->node.doc, v->node.ref) == JSON_STRING) {
        *ret = json_str(v->node.doc, v->node.ref); /* as written */
        return true;
    }
    if (v->kind == FHIR_VALUE_NODE && json_type(v->node.doc, v->node.ref) == JSON_NUMBER) {
        *ret = json_number(v->node.doc, v->node.ref);
        return true;
    }
    if (!fhir_value_scalar(a, v, &s)) {
        return false;
    }
    switch (s.kind) {
    case FHIR_VALUE_BOOLEAN:
        *ret = s.boolean ? STR("true") : STR("false");
        break;
    case FHIR_VALUE_INTEGER:
        *ret = arena_printf(a, "%lld", (long long)s.integer);
        break;
    case FHIR_VALUE_DECIMAL:
        *ret = decimal_text(a, s.decimal);
        break;
    case FHIR_VALUE_QUANTITY:
        *ret = quantity_text(a, s.quantity);
        break;
    case FHIR_VALUE_DATE:
    case FHIR_VALUE_DATETIME:
    case FHIR_VALUE_TIME:
        *ret = time_text(a, s.time, s.kind);
        break;
    default:
        *ret = s.text;
    }
    return true;
}

static void quantity_json(Buf *out, const FhirQuantity *q, Arena *a)
{
    JsonWriter w = json_writer(out);
    json_open(&w, '{');
    json_key(&w, "value");
    json_put_raw(&w, decimal_text(a, &q->value));
    json_member_str(&w, "unit", q->unit);
    if (!q->calendar) {
        json_member_c(&w, "system", "http://unitsofmeasure.org");
        json_member_str(&w, "code", q->unit);
    }
    json_close(&w, '}');
}

static void type_json(Buf *out, Str text)
{
    Str space, name;
    str_cut(text, '.', &space, &name);
    JsonWriter w = json_writer(out);
    json_open(&w, '{');
    json_member_str(&w, "namespace", space);
    json_member_str(&w, "name", name);
    json_close(&w, '}');
}

void fhir_value_json(Buf *out, const FhirValue *v)
{
    if (v->kind == FHIR_VALUE_NODE) {
        bool there = json_type(v->node.doc, v->node.ref) != JSON_ABSENT;
        buf_add(out, there ? json_raw(v->node.doc, v->node.ref) : STR("null"));
        return;
    }
    Arena a;
    Str text = STR_NONE;
    arena_init(&a, 0);
    if (v->kind == FHIR_VALUE_QUANTITY) {
        quantity_json(out, v->quantity, &a);
    } else if (v->kind == FHIR_VALUE_TYPE) {
        type_json(out, v->text);
    } else if (fhir_value_text(&a, v, &text) &&
               (v->kind == FHIR_VALUE_BOOLEAN || v->kind == FHIR_VALUE_INTEGER ||
                v->kind == FHIR_VALUE_DECIMAL)) {
        buf_add(out, text);
    } else {
        buf_json_str(out, text);
    }
    arena_done(&a);
}

bool fhir_value_time_range(const FhirValue *v, int zone_min, int64_t *ret_lo_ms, int64_t *ret_hi_ms)
{
    DateTime t;
    if (v->kind == FHIR_VALUE_NODE) {
        if (!datetime_parse_loose(json_str(v->node.doc, v->node.ref), &t)) {
            return false;
        }
    } else if (v->kind == FHIR_VALUE_DATE || v->kind == FHIR_VALUE_DATETIME) {
        t = *v->time;
    } else {
        return false;
    }
    datetime_range(&t, zone_min, ret_lo_ms, ret_hi_ms);
    return true;
}

bool fhir_values_truth(const FhirValues *list, bool *ret)
{
    if (list->n > 1) {
        return false;
    }
    const FhirValue *v = list->at;
    bool boolean = list->n && v->kind == FHIR_VALUE_BOOLEAN;
    bool node_false =
        list->n && v->kind == FHIR_VALUE_NODE && json_type(v->node.doc, v->node.ref) == JSON_FALSE;
    *ret = list->n && !node_false && (!boolean || v->boolean);
    return true;
}
