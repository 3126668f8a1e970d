/* Equality, equivalence and order of values and lists. */
#include "fhir_path_inner.h"

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

/* Exactly, or by the rules of equivalence (loose). */
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

bool path_json_same(const JsonDoc *a, JsonRef ra, const JsonDoc *b, JsonRef rb)
{
    return json_same(a, ra, b, rb, false);
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
           path_scalar_time(a, time->kind, text->text, text);
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
           path_kind_of(x->node.type) == FHIR_VALUE_STRING &&
           path_kind_of(y->node.type) == FHIR_VALUE_STRING;
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

static bool path_equivalent(Arena *a, const FhirValue *x, const FhirValue *y)
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
