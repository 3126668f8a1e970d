/* The table of functions, and those of lists: existence, filtering, subsets, combining. */
#include "fhir_path_fn.h"

static const PathFunction FUNCTIONS[] = {
#define X(name, min, max, type_arg) {#name, min, max, type_arg, path_fn_##name},
#include "fhir_path_fn.def"
#undef X
};

const PathFunction *path_function_find(Str name)
{
    size_t lo = 0, hi = sizeof FUNCTIONS / sizeof *FUNCTIONS;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int c = str_cmp(name, str_from_c(FUNCTIONS[mid].name));
        if (c == 0) {
            return &FUNCTIONS[mid];
        }
        lo = c > 0 ? mid + 1 : lo;
        hi = c < 0 ? mid : hi;
    }
    return NULL;
}

/* --- helpers --- */

static Status put_all(Eval *e, const FhirValues *from, size_t first, size_t end, FhirValues *ret)
{
    for (size_t i = first; i < end && i < from->n; i++) {
        path_put(e, ret, from->at[i]);
    }
    return path_step(e, from->n);
}

static Status put_bool(Eval *e, FhirValues *ret, bool b)
{
    path_put(e, ret, fhir_value_boolean(b));
    return OK;
}

/* Evaluates argument 0 over item i and asks for its truth. */
static Status item_truth(Eval *e, const PathNode *p, const FhirValues *in, size_t i, Truth *ret)
{
    FhirValues out = {0};
    TRY(path_eval_item(e, p->args[0], &in->at[i], (int64_t)i, NULL, &out));
    return path_truth(e, p->args[0], &out, ret);
}

static Status put_distinct(Eval *e, const FhirValues *from, FhirValues *ret)
{
    for (size_t i = 0; i < from->n; i++) {
        bool has;
        TRY(path_has(e, ret, &from->at[i], &has));
        if (!has) {
            path_put(e, ret, from->at[i]);
        }
    }
    return OK;
}

/* Whether every value of x is in y. */
static Status contained_in(Eval *e, const FhirValues *x, const FhirValues *y, bool *ret)
{
    *ret = true;
    for (size_t i = 0; i < x->n && *ret; i++) {
        TRY(path_has(e, y, &x->at[i], ret));
    }
    return OK;
}

/* --- existence --- */

PATH_FN(empty)
{
    UNUSED2(p, s);
    return put_bool(e, ret, in->n == 0);
}

PATH_FN(exists)
{
    (void)s;
    Truth t = TRUTH_FALSE;
    if (p->argc == 0) {
        return put_bool(e, ret, in->n > 0);
    }
    for (size_t i = 0; i < in->n && t != TRUTH_TRUE; i++) {
        TRY(item_truth(e, p, in, i, &t));
    }
    return put_bool(e, ret, t == TRUTH_TRUE);
}

PATH_FN(all)
{
    (void)s;
    Truth t = TRUTH_TRUE;
    for (size_t i = 0; i < in->n && t == TRUTH_TRUE; i++) {
        TRY(item_truth(e, p, in, i, &t));
    }
    return put_bool(e, ret, t == TRUTH_TRUE);
}

/* Counts the booleans of the input that are `wanted`. */
static Status booleans(Eval *e, const PathNode *p, const FhirValues *in, bool wanted, size_t *ret)
{
    *ret = 0;
    for (size_t i = 0; i < in->n; i++) {
        FhirValue v;
        TRY(path_step(e, 1));
        if (!fhir_value_scalar(e->arena, &in->at[i], &v) || v.kind != FHIR_VALUE_BOOLEAN) {
            return path_fail(e, p, "该函数只能用于布尔值", "this function works on booleans");
        }
        *ret += v.boolean == wanted;
    }
    return OK;
}

PATH_FN(allTrue)
{
    (void)s;
    size_t n;
    TRY(booleans(e, p, in, true, &n));
    return put_bool(e, ret, n == in->n);
}

PATH_FN(anyTrue)
{
    (void)s;
    size_t n;
    TRY(booleans(e, p, in, true, &n));
    return put_bool(e, ret, n > 0);
}

PATH_FN(allFalse)
{
    (void)s;
    size_t n;
    TRY(booleans(e, p, in, false, &n));
    return put_bool(e, ret, n == in->n);
}

PATH_FN(anyFalse)
{
    (void)s;
    size_t n;
    TRY(booleans(e, p, in, false, &n));
    return put_bool(e, ret, n > 0);
}

PATH_FN(subsetOf)
{
    FhirValues other = {0};
    bool yes;
    TRY(path_arg(e, p, 0, s, &other));
    TRY(contained_in(e, in, &other, &yes));
    return put_bool(e, ret, yes);
}

PATH_FN(supersetOf)
{
    FhirValues other = {0};
    bool yes;
    TRY(path_arg(e, p, 0, s, &other));
    TRY(contained_in(e, &other, in, &yes));
    return put_bool(e, ret, yes);
}

PATH_FN(count)
{
    UNUSED2(p, s);
    path_put(e, ret, fhir_value_integer((int64_t)in->n));
    return OK;
}

PATH_FN(distinct)
{
    UNUSED2(p, s);
    return put_distinct(e, in, ret);
}

PATH_FN(isDistinct)
{
    UNUSED2(p, s);
    FhirValues once = {0};
    TRY(put_distinct(e, in, &once));
    return put_bool(e, ret, once.n == in->n);
}

PATH_FN(not )
{
    (void)s;
    Truth t;
    TRY(path_truth(e, p, in, &t));
    path_put_truth(e, ret, t == TRUTH_EMPTY ? t : t == TRUTH_TRUE ? TRUTH_FALSE : TRUTH_TRUE);
    return OK;
}

/* --- filtering --- */

PATH_FN(where)
{
    (void)s;
    for (size_t i = 0; i < in->n; i++) {
        Truth t;
        TRY(item_truth(e, p, in, i, &t));
        if (t == TRUTH_TRUE) {
            path_put(e, ret, in->at[i]);
        }
    }
    return OK;
}

PATH_FN(select)
{
    (void)s;
    for (size_t i = 0; i < in->n; i++) {
        FhirValues out = {0};
        TRY(path_eval_item(e, p->args[0], &in->at[i], (int64_t)i, NULL, &out));
        TRY(put_all(e, &out, 0, out.n, ret));
    }
    return OK;
}

static bool same_place(const FhirValue *x, const FhirValue *y)
{
    return x->kind == FHIR_VALUE_NODE && y->kind == FHIR_VALUE_NODE && x->node.doc == y->node.doc &&
           x->node.ref == y->node.ref && x->node.shadow == y->node.shadow;
}

/* A node is new when its place has not been seen; a computed value when none is equal. */
static Status seen(Eval *e, const FhirValues *list, const FhirValue *v, bool *ret)
{
    if (v->kind != FHIR_VALUE_NODE) {
        return path_has(e, list, v, ret);
    }
    *ret = false;
    for (size_t i = 0; i < list->n && !*ret; i++) {
        *ret = same_place(&list->at[i], v);
    }
    return path_step(e, list->n / 8 + 1);
}

/* Those of them that are new (all: each one) go to the result, and are gone on from. */
static Status repeat_take(Eval *e, const FhirValues *found, bool all, FhirValues *work,
                          FhirValues *ret)
{
    for (size_t k = 0; k < found->n; k++) {
        bool again = false;
        TRY(all ? path_step(e, 1) : seen(e, ret, &found->at[k], &again));
        if (!again) {
            path_put(e, ret, found->at[k]);
            path_put(e, work, found->at[k]);
        }
    }
    return OK;
}

static Status repeat_put(Eval *e, const PathNode *p, const FhirValues *in, bool all,
                         FhirValues *ret)
{
    FhirValues work = {0};
    TRY(put_all(e, in, 0, in->n, &work));
    for (size_t i = 0; i < work.n; i++) {
        FhirValues found = {0};
        FhirValue item = work.at[i];
        TRY(path_eval_item(e, p->args[0], &item, (int64_t)i, NULL, &found));
        TRY(repeat_take(e, &found, all, &work, ret));
    }
    return OK;
}

PATH_FN(repeat)
{
    (void)s;
    return repeat_put(e, p, in, false, ret);
}

/* What was found before is found again: an endless circle ends with the budget. */
PATH_FN(repeatAll)
{
    (void)s;
    return repeat_put(e, p, in, true, ret);
}

static Status put_typed(Eval *e, const PathNode *p, const FhirValues *in, FhirValues *ret)
{
    for (size_t i = 0; i < in->n; i++) {
        if (path_as(&in->at[i], &p->type)) {
            path_put(e, ret, in->at[i]);
        }
    }
    return path_step(e, in->n);
}

PATH_FN(ofType)
{
    (void)s;
    return put_typed(e, p, in, ret);
}

/* One value; the published search parameters use it over lists. */
PATH_FN(as)
{
    (void)s;
    const FhirValue *v;
    if (!e->env->keep_duplicates) {
        TRY(path_single(e, p, in, &v));
    }
    return put_typed(e, p, in, ret);
}

PATH_FN(is)
{
    (void)s;
    const FhirValue *v;
    TRY(path_single(e, p, in, &v));
    return v ? put_bool(e, ret, path_is(v, &p->type)) : OK;
}

/* --- subsets --- */

PATH_FN(single)
{
    (void)s;
    const FhirValue *v;
    TRY(path_single(e, p, in, &v));
    return put_all(e, in, 0, 1, ret);
}

PATH_FN(first)
{
    UNUSED2(p, s);
    return put_all(e, in, 0, 1, ret);
}

PATH_FN(last)
{
    UNUSED2(p, s);
    return put_all(e, in, in->n ? in->n - 1 : 0, in->n, ret);
}

PATH_FN(tail)
{
    UNUSED2(p, s);
    return put_all(e, in, 1, in->n, ret);
}

PATH_FN(skip)
{
    bool has;
    int64_t n = 0;
    TRY(path_arg_integer(e, p, 0, s, &has, &n));
    return has ? put_all(e, in, n < 0 ? 0 : (size_t)n, in->n, ret) : OK;
}

PATH_FN(take)
{
    bool has;
    int64_t n = 0;
    TRY(path_arg_integer(e, p, 0, s, &has, &n));
    return has ? put_all(e, in, 0, n < 0 ? 0 : (size_t)n, ret) : OK;
}

PATH_FN(intersect)
{
    FhirValues other = {0}, both = {0};
    TRY(path_arg(e, p, 0, s, &other));
    for (size_t i = 0; i < in->n; i++) {
        bool has;
        TRY(path_has(e, &other, &in->at[i], &has));
        if (has) {
            path_put(e, &both, in->at[i]);
        }
    }
    return put_distinct(e, &both, ret);
}

PATH_FN(exclude)
{
    FhirValues other = {0};
    TRY(path_arg(e, p, 0, s, &other));
    for (size_t i = 0; i < in->n; i++) {
        bool has;
        TRY(path_has(e, &other, &in->at[i], &has));
        if (!has) {
            path_put(e, ret, in->at[i]);
        }
    }
    return OK;
}

/* --- combining --- */

PATH_FN(union)
{
    FhirValues other = {0};
    TRY(path_arg(e, p, 0, s, &other));
    TRY(put_distinct(e, in, ret));
    return put_distinct(e, &other, ret);
}

PATH_FN(combine)
{
    FhirValues other = {0};
    TRY(path_arg(e, p, 0, s, &other));
    TRY(put_all(e, in, 0, in->n, ret));
    return put_all(e, &other, 0, other.n, ret);
}

PATH_FN(coalesce)
{
    TRY(put_all(e, in, 0, p->left ? in->n : 0, ret));
    for (uint32_t i = 0; i < p->argc && ret->n == 0; i++) {
        TRY(path_arg(e, p, i, s, ret));
    }
    return OK;
}

PATH_FN(aggregate)
{
    FhirValues total = {0};
    if (p->argc > 1) {
        TRY(path_arg(e, p, 1, s, &total));
    }
    for (size_t i = 0; i < in->n; i++) {
        FhirValues next = {0};
        TRY(path_eval_item(e, p->args[0], &in->at[i], (int64_t)i, &total, &next));
        total = next;
    }
    return put_all(e, &total, 0, total.n, ret);
}

/* The input is $this of all three, as one. */
PATH_FN(iif)
{
    FhirValues test = {0};
    const FhirValue *only = NULL;
    Scope inner = *s;
    if (p->left) {
        TRY(path_single(e, p, in, &only));
        inner = (Scope){in, 0, s->total};
    }
    TRY(path_arg(e, p, 0, &inner, &test));
    TRY(path_single(e, p->args[0], &test, &only));
    FhirValue v;
    bool has = only && fhir_value_scalar(e->arena, only, &v);
    if (only && (!has || v.kind != FHIR_VALUE_BOOLEAN)) {
        return path_fail(e, p->args[0], "条件须为布尔值", "the condition must be a boolean");
    }
    if (has && v.boolean) {
        return path_arg(e, p, 1, &inner, ret);
    }
    return p->argc > 2 ? path_arg(e, p, 2, &inner, ret) : OK;
}

/* --- sorting --- */

typedef struct Sorted {
    FhirValue value;
    FhirValues key[8];
} Sorted;

/* <0, 0, >0; a missing key comes first, whichever the direction. */
static int key_order(Eval *e, const FhirValues *x, const FhirValues *y, bool down)
{
    if (x->n == 0 || y->n == 0) {
        return (x->n > 0) - (y->n > 0);
    }
    Order o = path_order(e->arena, x->at, y->at);
    int c = o == ORDER_LESS ? -1 : o == ORDER_GREATER ? 1 : 0;
    return down ? -c : c;
}

static bool descending(const PathNode *arg)
{
    return arg->op == PATH_NEGATE;
}

static bool goes_before(Eval *e, const PathNode *p, const Sorted *x, const Sorted *y)
{
    for (uint32_t k = 0; k < (p->argc ? p->argc : 1); k++) {
        int c = key_order(e, &x->key[k], &y->key[k], p->argc && descending(p->args[k]));
        if (c) {
            return c < 0;
        }
    }
    return false;
}

/* Stable merge of the halves of list[0, n) through `spare`. */
static Status merge_sort(Eval *e, const PathNode *p, Sorted *list, Sorted *spare, size_t n)
{
    if (n < 2) {
        return OK;
    }
    size_t half = n / 2, i = 0, k = half, out = 0;
    TRY(merge_sort(e, p, list, spare, half));
    TRY(merge_sort(e, p, list + half, spare, n - half));
    TRY(path_step(e, n));
    while (i < half || k < n) {
        bool right = i == half || (k < n && goes_before(e, p, &list[k], &list[i]));
        spare[out++] = list[right ? k++ : i++];
    }
    memcpy(list, spare, n * sizeof *list);
    return OK;
}

PATH_FN(sort)
{
    (void)s;
    Sorted *list = arena_try(e->arena, (in->n + 1) * sizeof *list);
    Sorted *spare = arena_try(e->arena, (in->n + 1) * sizeof *spare);
    if (!list || !spare) {
        e->arena->exhausted = true;
        return path_step(e, 0);
    }
    for (size_t i = 0; i < in->n; i++) {
        list[i].value = in->at[i];
        list[i].key[0] = fhir_values_one(e->arena, in->at[i]);
        for (uint32_t k = 0; k < p->argc; k++) {
            const PathNode *arg = descending(p->args[k]) ? p->args[k]->left : p->args[k];
            list[i].key[k] = (FhirValues){0};
            TRY(path_eval_item(e, arg, &in->at[i], (int64_t)i, NULL, &list[i].key[k]));
        }
    }
    TRY(merge_sort(e, p, list, spare, in->n));
    for (size_t i = 0; i < in->n; i++) {
        path_put(e, ret, list[i].value);
    }
    return OK;
}
