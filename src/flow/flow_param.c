/* Parameters valid on the day of the event, and durations. */
#include "flow_inner.h"

/* ---- Parameters ------------------------------------------------------------------------------ */

bool flow_region_ok(Str code)
{
    for (size_t i = 0; i < code.n; i++) {
        if (code.p[i] < '0' || code.p[i] > '9') {
            return false;
        }
    }
    return code.n == 2 || code.n == 4 || code.n == 6;
}

/* Of the rows valid on the day the one whose region says most of the county's code. */
static const FlowParam *param_find(const FlowPackage *p, Str key, Str region, int64_t day)
{
    const FlowParam *best = NULL;
    for (size_t i = 0; i < p->param_n; i++) {
        const FlowParam *row = &p->param[i];
        if (str_eq(row->key, key) && day >= row->from_day && day < row->to_day &&
            str_starts(region, row->region) && (!best || row->region.n > best->region.n)) {
            best = row;
        }
    }
    return best;
}

/* A row with a unit is a Quantity, else the JSON value itself. */
static FhirValue param_node(Arena *a, const FlowPackage *p, const FlowParam *row)
{
    const JsonDoc *d = p->params_doc;
    if (!row->unit.n) {
        return fhir_value_node(fhir_node_typed(d, row->value, NULL));
    }
    Buf out;
    JsonWriter w = json_begin(&out, '{');
    json_key(&w, "value");
    json_put_raw(&w, json_raw(d, row->value));
    json_member_str(&w, "unit", row->unit);
    json_close(&w, '}');
    JsonDoc *doc = arena_new(a, JsonDoc);
    Status ok = json_parse(a, arena_str(a, buf_str(&out)), &JSON_LIMITS_FHIR, doc, NULL);
    mk_check(ok == OK);
    buf_done(&out);
    return fhir_value_node(fhir_node_typed(doc, JSON_ROOT, fhir_type_find(STR("Quantity"))));
}

static FhirValue plain_value(const JsonDoc *d, JsonRef r, FhirValue node)
{
    int64_t whole;
    switch (json_type(d, r)) {
    case JSON_TRUE:
    case JSON_FALSE:
        return fhir_value_boolean(json_is_true(d, r));
    case JSON_STRING:
        return fhir_value_string(json_str(d, r));
    case JSON_NUMBER:
        return json_to_i64(d, r, &whole) ? fhir_value_integer(whole) : node;
    default:
        return node;
    }
}

bool flow_param_value(const FlowScope *s, Str key, FhirValues *ret)
{
    int64_t local = s->now_ms + s->zone_min * MS_MINUTE;
    int64_t day = local / MS_DAY - (local % MS_DAY < 0 ? 1 : 0);
    const FlowParam *row = s->pkg ? param_find(s->pkg, key, s->region, day) : NULL;
    if (!row) {
        return false;
    }
    FhirValue v = param_node(s->arena, s->pkg, row);
    if (!row->unit.n) {
        v = plain_value(s->pkg->params_doc, row->value, v);
        if (v.kind == FHIR_VALUE_NODE && json_type(s->pkg->params_doc, row->value) == JSON_NUMBER) {
            v = fhir_value_node(
                fhir_node_typed(s->pkg->params_doc, row->value, fhir_type_find(STR("decimal"))));
        }
    }
    *ret = (FhirValues){0};
    fhir_values_add(s->arena, ret, v);
    return true;
}

/* ---- Durations ------------------------------------------------------------------------------- */

static bool flow_months_add(int64_t from_ms, int64_t months, int zone_min, int64_t *ret)
{
    int64_t local = from_ms + zone_min * MS_MINUTE;
    int64_t days = local / MS_DAY - (local % MS_DAY < 0 ? 1 : 0);
    int y, m, d;
    civil_from_days(days, &y, &m, &d);
    int64_t total = (int64_t)y * 12 + (m - 1) + months;
    if (total < 12 || total > 9999 * 12 + 11) {
        return false;
    }
    y = (int)(total / 12);
    m = (int)(total % 12) + 1;
    int last = days_in_month(y, m);
    int64_t day = days_from_civil(y, m, d < last ? d : last);
    *ret = from_ms + (day - days) * MS_DAY;
    return true;
}

static int64_t unit_ms(Str unit)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } UNITS[] = {
        {"s", MS_SECOND}, {"min", MS_MINUTE}, {"h", MS_HOUR}, {"d", MS_DAY}, {"wk", 7 * MS_DAY}};
    for (size_t i = 0; i < sizeof UNITS / sizeof UNITS[0]; i++) {
        if (str_is(unit, UNITS[i].unit)) {
            return UNITS[i].ms;
        }
    }
    return 0;
}

/* An object with value and unit; false when it is not a duration. */
bool flow_duration_read(const JsonDoc *d, JsonRef r, int64_t *ret_ms, int64_t *ret_months)
{
    double value;
    Str unit = json_str_at(d, r, "unit");
    if (!unit.n) {
        unit = json_str_at(d, r, "code");
    }
    if (!json_to_double(d, json_get_c(d, r, "value"), &value) || value < 0 || value > 1e6) {
        return false;
    }
    *ret_months = str_is(unit, "mo") ? (int64_t)value : 0;
    *ret_ms = str_is(unit, "mo") ? 0 : (int64_t)(value * (double)unit_ms(unit));
    return str_is(unit, "mo") || unit_ms(unit) > 0;
}

Status flow_duration_after(const FlowScope *s, const FlowArg *d, int64_t from_ms, int64_t *ret,
                           Err *err)
{
    int64_t ms = d->duration_ms, months = d->months;
    if (d->expr) {
        FhirValues values = {0};
        TRY(flow_eval(s, d->expr, &values, err));
        if (values.n != 1 || values.at[0].kind != FHIR_VALUE_NODE ||
            !flow_duration_read(values.at[0].node.doc, values.at[0].node.ref, &ms, &months)) {
            return flow_refuse(err, FLOW_RULE_EXPRESSION_FAILED, STR_NONE,
                               arena_cat(s->arena, d->expr->where, STR(": not a duration")));
        }
    }
    int64_t at = from_ms + ms;
    if (months && !flow_months_add(from_ms, months, s->zone_min, &at)) {
        return flow_refuse(err, FLOW_RULE_EXPRESSION_FAILED, STR_NONE, STR("duration"));
    }
    *ret = at;
    return OK;
}
