/* Values: making them, reading primitives out of nodes, text and JSON, equality and order. */
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

static bool scalar_time(Arena *a, FhirValueKind kind, Str text, FhirValue *ret)
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

static FhirValueKind kind_of_prim(const FhirType *t)
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
    FhirValueKind kind = kind_of_prim(n->type);
    if (kind == FHIR_VALUE_STRING || !scalar_time(a, kind, text, ret)) {
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

Str fhir_value_type_name(const FhirValue *v)
{
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

/* --- equality of content --- */

static bool json_same(const JsonDoc *a, JsonRef ra, const JsonDoc *b, JsonRef rb, bool loose);

/* Equivalence of texts: case and white space do not count. */
static Str loose_text(Arena *a, Str s)
{
    char *out = arena_alloc_raw(a, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool space = c == ' ' || (c >= '\t' && c <= '\r');
        if (space && (n == 0 || out[n - 1] == ' ')) {
            continue;
        }
        out[n++] = space ? ' ' : c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    }
    return str_trim((Str){out, n});
}

static bool text_equivalent(Str x, Str y)
{
    Arena scratch;
    arena_init(&scratch, 0);
    bool same = str_eq(loose_text(&scratch, x), loose_text(&scratch, y));
    arena_done(&scratch);
    return same;
}

static bool json_same_number(Str x, Str y, bool loose)
{
    FhirDecimal a, b;
    if (!decimal_parse(x, &a) || !decimal_parse(y, &b)) {
        return str_eq(x, y);
    }
    if (loose) {
        int scale = a.scale < b.scale ? a.scale : b.scale;
        a = decimal_round(&a, scale);
        b = decimal_round(&b, scale);
    }
    return decimal_cmp(&a, &b) == 0;
}

static bool json_same_items(const JsonDoc *a, JsonRef ra, const JsonDoc *b, JsonRef rb, bool loose)
{
    JsonIter ia = json_iter(a, ra), ib = json_iter(b, rb);
    while (json_next(&ia) && json_next(&ib)) {
        bool found = json_same(a, ia.value, b, ib.value, loose);
        for (JsonIter any = json_iter(b, rb); loose && !found && json_next(&any);) {
            found = json_same(a, ia.value, b, any.value, loose);
        }
        if (!found) {
            return false;
        }
    }
    return true;
}

static bool json_same(const JsonDoc *a, JsonRef ra, const JsonDoc *b, JsonRef rb, bool loose)
{
    JsonType type = json_type(a, ra);
    if (type != json_type(b, rb) || json_count(a, ra) != json_count(b, rb)) {
        return false;
    }
    switch (type) {
    case JSON_STRING:
        return loose ? text_equivalent(json_str(a, ra), json_str(b, rb))
                     : str_eq(json_str(a, ra), json_str(b, rb));
    case JSON_NUMBER:
        return json_same_number(json_raw(a, ra), json_raw(b, rb), loose);
    case JSON_ARRAY:
        return json_same_items(a, ra, b, rb, loose);
    case JSON_OBJECT:
        break;
    default:
        return true;
    }
    for (JsonIter it = json_iter(a, ra); json_next(&it);) {
        JsonRef other = json_get(b, rb, it.key);
        if (other == JSON_NONE || !json_same(a, it.value, b, other, loose)) {
            return false;
        }
    }
    return true;
}

static bool nodes_same(const FhirValue *x, const FhirValue *y, bool loose)
{
    const FhirNode *a = &x->node, *b = &y->node;
    if (x->kind != FHIR_VALUE_NODE || y->kind != FHIR_VALUE_NODE) {
        return false;
    }
    if (a->doc == b->doc && a->ref == b->ref && a->ref != JSON_NONE) {
        return true;
    }
    if (a->ref == JSON_NONE && b->ref == JSON_NONE) {
        return a->doc == b->doc && a->shadow == b->shadow;
    }
    return json_same(a->doc, a->ref, b->doc, b->ref, loose);
}

/* --- equality and order of values --- */

static bool is_time_kind(FhirValueKind k)
{
    return k == FHIR_VALUE_DATE || k == FHIR_VALUE_DATETIME;
}

static bool is_number(FhirValueKind k)
{
    return k == FHIR_VALUE_INTEGER || k == FHIR_VALUE_DECIMAL;
}

static FhirQuantity quantity_of(const FhirValue *v)
{
    FhirQuantity q = {.unit = STR("1")};
    if (v->kind == FHIR_VALUE_QUANTITY) {
        return *v->quantity;
    }
    decimal_of(v, &q.value);
    return q;
}

static Order order_from(int c)
{
    return c < 0 ? ORDER_LESS : c > 0 ? ORDER_GREATER : ORDER_EQUAL;
}

/* A text beside a date is read as one (a value of an extension, a form's answer). */
static bool text_as_time(Arena *a, FhirValue *text, const FhirValue *time)
{
    return text->kind == FHIR_VALUE_STRING &&
           (is_time_kind(time->kind) || time->kind == FHIR_VALUE_TIME) &&
           scalar_time(a, time->kind, text->text, text);
}

static Order scalar_order(Arena *a, FhirValue x, FhirValue y)
{
    if (!text_as_time(a, &x, &y)) {
        text_as_time(a, &y, &x);
    }
    if (is_number(x.kind) && is_number(y.kind)) {
        FhirDecimal p, q;
        decimal_of(&x, &p);
        decimal_of(&y, &q);
        return order_from(decimal_cmp(&p, &q));
    }
    if ((x.kind == FHIR_VALUE_QUANTITY && (y.kind == FHIR_VALUE_QUANTITY || is_number(y.kind))) ||
        (y.kind == FHIR_VALUE_QUANTITY && is_number(x.kind))) {
        FhirQuantity p = quantity_of(&x), q = quantity_of(&y);
        return quantity_order(&p, &q);
    }
    if ((is_time_kind(x.kind) && is_time_kind(y.kind)) ||
        (x.kind == FHIR_VALUE_TIME && y.kind == FHIR_VALUE_TIME)) {
        return time_order(x.time, y.time);
    }
    if (x.kind == FHIR_VALUE_STRING && y.kind == FHIR_VALUE_STRING) {
        return order_from(str_cmp(x.text, y.text));
    }
    return ORDER_WRONG;
}

Order path_order(Arena *a, const FhirValue *x, const FhirValue *y)
{
    FhirValue p, q;
    if (!fhir_value_scalar(a, x, &p) || !fhir_value_scalar(a, y, &q)) {
        return ORDER_WRONG;
    }
    return scalar_order(a, p, q);
}

static bool both_nodes_of_text(const FhirValue *x, const FhirValue *y)
{
    return x->kind == FHIR_VALUE_NODE && y->kind == FHIR_VALUE_NODE &&
           kind_of_prim(x->node.type) == FHIR_VALUE_STRING &&
           kind_of_prim(y->node.type) == FHIR_VALUE_STRING;
}

Truth path_equal(Arena *a, const FhirValue *x, const FhirValue *y)
{
    FhirValue p, q;
    if (both_nodes_of_text(x, y) && nodes_same(x, y, false)) {
        return TRUTH_TRUE;
    }
    if (!fhir_value_scalar(a, x, &p) || !fhir_value_scalar(a, y, &q)) {
        return nodes_same(x, y, false) ? TRUTH_TRUE : TRUTH_FALSE;
    }
    if (p.kind == q.kind && p.kind == FHIR_VALUE_BOOLEAN) {
        return p.boolean == q.boolean ? TRUTH_TRUE : TRUTH_FALSE;
    }
    if (p.kind == q.kind && p.kind == FHIR_VALUE_TYPE) {
        return str_eq(p.text, q.text) ? TRUTH_TRUE : TRUTH_FALSE;
    }
    Order o = scalar_order(a, p, q);
    return o == ORDER_UNKNOWN ? TRUTH_EMPTY : o == ORDER_EQUAL ? TRUTH_TRUE : TRUTH_FALSE;
}

bool path_equivalent(Arena *a, const FhirValue *x, const FhirValue *y)
{
    FhirValue p, q;
    if (!fhir_value_scalar(a, x, &p) || !fhir_value_scalar(a, y, &q)) {
        return nodes_same(x, y, true);
    }
    if (p.kind == FHIR_VALUE_STRING && q.kind == FHIR_VALUE_STRING) {
        return text_equivalent(p.text, q.text);
    }
    if (is_number(p.kind) && is_number(q.kind)) {
        FhirDecimal m, n;
        decimal_of(&p, &m);
        decimal_of(&q, &n);
        int scale = m.scale < n.scale ? m.scale : n.scale;
        m = decimal_round(&m, scale);
        n = decimal_round(&n, scale);
        return decimal_cmp(&m, &n) == 0;
    }
    if (p.kind == FHIR_VALUE_QUANTITY && q.kind == FHIR_VALUE_QUANTITY) {
        return quantity_equivalent(p.quantity, q.quantity);
    }
    return path_equal(a, &p, &q) == TRUTH_TRUE;
}

/* --- equality of lists --- */

Status path_lists_equal(Eval *e, const FhirValues *x, const FhirValues *y, Truth *ret)
{
    if (x->n == 0 || y->n == 0) {
        *ret = TRUTH_EMPTY;
        return OK;
    }
    Truth all = x->n == y->n ? TRUTH_TRUE : TRUTH_FALSE;
    for (size_t i = 0; i < x->n && all != TRUTH_FALSE; i++) {
        TRY(path_step(e, 1));
        Truth t = path_equal(e->arena, &x->at[i], &y->at[i]);
        all = t == TRUTH_TRUE ? all : t;
    }
    *ret = all;
    return OK;
}

Status path_lists_equivalent(Eval *e, const FhirValues *x, const FhirValues *y, bool *ret)
{
    *ret = x->n == y->n;
    bool *used = arena_try(e->arena, y->n + 1);
    if (!used) {
        e->arena->exhausted = true;
        return path_step(e, 0);
    }
    for (size_t i = 0; i < x->n && *ret; i++) {
        bool found = false;
        for (size_t k = 0; k < y->n && !found; k++) {
            TRY(path_step(e, 1));
            found = !used[k] && path_equivalent(e->arena, &x->at[i], &y->at[k]);
            used[k] |= found;
        }
        *ret = found;
    }
    return OK;
}

Status path_has(Eval *e, const FhirValues *list, const FhirValue *v, bool *ret)
{
    *ret = false;
    for (size_t i = 0; i < list->n && !*ret; i++) {
        TRY(path_step(e, 1));
        *ret = path_equal(e->arena, &list->at[i], v) == TRUTH_TRUE;
    }
    return OK;
}
