/*
 * Random searches over random resources against a naive evaluation of the same conditions: all
 * pages together hold each match once, and the total says how many; before, while and after rows
 * are merged, with changes and deletions between, in lists longer than any that is only gathered.
 */
#include <math.h>

#include "store_test.h"

#define OBSERVATIONS     2600
#define OBSERVATIONS_FEW 300
#define PATIENTS         40
#define QUESTIONS        260
#define QUESTIONS_FEW    60
#define BATCH            100

#define PARTS_MAX 2

typedef struct Value {
    double value;
    int unit;   /* 0 none, 1 g, 2 kg */
    bool below; /* comparator < */
} Value;

typedef struct Obs {
    bool there;
    int code, other; /* other: a second coding, -1 none */
    bool shown;      /* with their displays */
    int status, category, patient;
    bool has_value;
    Value value;
    int parts_n;
    int part_code[PARTS_MAX];
    Value part[PARTS_MAX];
    bool has_date;
    int64_t lo, hi;
    bool has_when; /* a time as its value */
    int64_t when_lo, when_hi;
} Obs;

typedef struct World {
    Rig rig;
    int n, page; /* on a server, where each hit is a round trip, fewer and shorter pages */
    Obs obs[OBSERVATIONS];
    bool male[PATIENTS];
} World;

static const char *const codes[] = {"a", "b", "c", "d"};
static const char *const statuses[] = {"final", "amended", "preliminary"};
static const char *const categories[] = {"laboratory", "vital-signs"};
static const char *const units[] = {"", "g", "kg"};

static int below(World *w, int n)
{
    return (int)random_below(&w->rig.random, (uint32_t)n);
}

/* ---- Resources --------------------------------------------------------------------------------
 */

static Value value_random(World *w)
{
    return (Value){below(w, 60), below(w, 3), below(w, 25) == 0};
}

static Str value_text(World *w, Value v)
{
    Arena *a = &w->rig.arena;
    Str unit = v.unit ? arena_printf(a, ",\"system\":\"http://unitsofmeasure.org\",\"code\":\"%s\"",
                                     units[v.unit])
                      : STR("");
    return arena_printf(a, "\"valueQuantity\":{\"value\":%g%s%.*s}", v.value,
                        v.below ? ",\"comparator\":\"<\"" : "", STR_ARG(unit));
}

static void range_of(const char *text, int64_t *lo, int64_t *hi)
{
    DateTime d;
    assert_true(datetime_parse_loose(str_from_c(text), &d));
    datetime_range(&d, ZONE_CHINA_MIN, lo, hi);
}

/* A year, a month, a day, a second. */
static const char *date_random(World *w)
{
    int year = 2000 + below(w, 25), month = 1 + below(w, 12), day = 1 + below(w, 28);
    Arena *a = &w->rig.arena;
    switch (below(w, 6)) {
    case 0:
        return arena_printf(a, "%d", year).p;
    case 1:
        return arena_printf(a, "%d-%02d", year, month).p;
    case 2:
        return arena_printf(a, "%d-%02d-%02dT%02d:30:00+08:00", year, month, day, below(w, 24)).p;
    default:
        return arena_printf(a, "%d-%02d-%02d", year, month, day).p;
    }
}

/* As effectiveDateTime or effectivePeriod, or of another element. */
static Str date_text(World *w, const char *element, int64_t *ret_lo, int64_t *ret_hi)
{
    Arena *a = &w->rig.arena;
    int64_t unused;
    const char *first = date_random(w);
    range_of(first, ret_lo, ret_hi);
    if (below(w, 5)) {
        return arena_printf(a, ",\"%sDateTime\":\"%s\"", element, first);
    }
    const char *last = arena_printf(a, "%d-12-31", 2025 + below(w, 3)).p;
    range_of(last, &unused, ret_hi);
    return arena_printf(a, ",\"%sPeriod\":{\"start\":\"%s\",\"end\":\"%s\"}", element, first, last);
}

static Str coding(World *w, int code, bool shown)
{
    Arena *a = &w->rig.arena;
    Str display = shown ? arena_printf(a, ",\"display\":\"Shown%s\"", codes[code]) : STR("");
    return arena_printf(a, "{\"system\":\"http://x.y/%d\",\"code\":\"%s\"%.*s}", code % 2,
                        codes[code], STR_ARG(display));
}

static Str parts_text(World *w, Obs *o)
{
    Arena *a = &w->rig.arena;
    Str text = STR("");
    o->parts_n = below(w, 3) ? 0 : 1 + below(w, PARTS_MAX);
    for (int i = 0; i < o->parts_n; i++) {
        o->part_code[i] = below(w, 4);
        o->part[i] = value_random(w);
        Str one = arena_printf(a, "%s{\"code\":{\"coding\":[%.*s]},%.*s}", i ? "," : "",
                               STR_ARG(coding(w, o->part_code[i], false)),
                               STR_ARG(value_text(w, o->part[i])));
        text = arena_cat(a, text, one);
    }
    return o->parts_n ? arena_cat(a, STR(",\"component\":["), text, STR("]")) : text;
}

static Str observation(World *w, int id)
{
    Arena *a = &w->rig.arena;
    Obs *o = &w->obs[id];
    *o = (Obs){.there = true, .code = below(w, 8) ? 0 : below(w, 4), .other = -1};
    o->other = below(w, 6) ? -1 : below(w, 4);
    o->shown = below(w, 3) > 0;
    o->status = below(w, 10) ? 0 : below(w, 3);
    o->category = below(w, 2);
    o->patient = below(w, PATIENTS);
    o->has_value = below(w, 8) > 1;
    o->has_when = !o->has_value && below(w, 5);
    o->value = value_random(w);
    o->has_date = below(w, 12) > 0;
    Str second = o->other < 0 ? STR("") : arena_cat(a, STR(","), coding(w, o->other, o->shown));
    Str value = o->has_value  ? arena_cat(a, STR(","), value_text(w, o->value))
                : o->has_when ? date_text(w, "value", &o->when_lo, &o->when_hi)
                              : STR("");
    Str date = o->has_date ? date_text(w, "effective", &o->lo, &o->hi) : STR("");
    Str parts = parts_text(w, o);
    return arena_printf(
        a,
        "{\"resourceType\":\"Observation\",\"id\":\"o%d\",\"status\":\"%s\",\"category\":[{"
        "\"coding\":[{\"system\":\"http://c\",\"code\":\"%s\"}]}],\"code\":{\"coding\":[%.*s%.*s]},"
        "\"subject\":{\"reference\":\"Patient/p%d\"}%.*s%.*s%.*s}",
        id, statuses[o->status], categories[o->category], STR_ARG(coding(w, o->code, o->shown)),
        STR_ARG(second), o->patient, STR_ARG(value), STR_ARG(date), STR_ARG(parts));
}

static void observations_put(World *w, const int *ids, int n)
{
    Rig *g = &w->rig;
    StoreReceipt receipt;
    StoreBatch *b = rig_batch(g);
    for (int i = 0; i < n; i++) {
        Str name = arena_printf(&g->arena, "o%d", ids[i]);
        rig_ok(g, store_batch_update(b, STR("Observation"), name, observation(w, ids[i]), STR_NONE,
                                     &g->err));
    }
    rig_ok(g, store_commit(b, &receipt, &g->err));
}

static void observation_delete(World *w, int id)
{
    Rig *g = &w->rig;
    StoreReceipt receipt;
    StoreBatch *b = rig_batch(g);
    if (w->obs[id].there) {
        Str name = arena_printf(&g->arena, "o%d", id);
        rig_ok(g, store_batch_delete(b, STR("Observation"), name, STR_NONE, &g->err));
        rig_ok(g, store_commit(b, &receipt, &g->err));
        w->obs[id].there = false;
    }
}

static void fill(World *w)
{
    int ids[BATCH];
    for (int i = 0; i < PATIENTS; i++) {
        w->male[i] = below(w, 2);
        rig_put(&w->rig, arena_printf(&w->rig.arena,
                                      "{\"resourceType\":\"Patient\",\"id\":\"p%d\",\"gender\":"
                                      "\"%s\"}",
                                      i, w->male[i] ? "male" : "female")
                             .p);
    }
    for (int from = 0; from < w->n; from += BATCH) {
        for (int i = 0; i < BATCH; i++) {
            ids[i] = from + i;
        }
        observations_put(w, ids, BATCH);
    }
}

/* ---- Conditions, naively ------------------------------------------------------------------------
 */

typedef enum Kind {
    BY_CODE,
    BY_STATUS,
    BY_STATUS_NOT,
    BY_CODE_NOT,
    BY_CATEGORY,
    BY_CATEGORY_NOT,
    BY_PATIENT,
    BY_GENDER,
    BY_DATE,
    BY_VALUE,
    BY_PART_VALUE,
    BY_ANY_VALUE,
    BY_CODE_VALUE,
    BY_PART_CODE_VALUE,
    BY_ANY_CODE_VALUE,
    BY_VALUE_MISSING,
    BY_DATE_MISSING,
    BY_WHEN_MISSING,
    BY_CODE_TEXT,
    BY_CONTENT,
    KINDS
} Kind;

typedef struct Condition {
    Kind kind;
    int choice; /* code, status, category, patient, gender */
    int prefix;
    double number;
    int unit;
    int64_t lo, hi;
    Str text;
} Condition;

static const char *const prefixes[] = {"", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb"};

static bool number_met(const Condition *c, double lo, double hi, double number, double half)
{
    bool equal = number - half <= lo && hi < number + half;
    switch (c->prefix) {
    case 2:
        return !equal;
    case 3:
        return hi > number;
    case 4:
        return lo < number;
    case 5:
        return hi >= number;
    case 6:
        return lo <= number;
    case 7:
        return lo > number;
    case 8:
        return hi < number;
    default:
        return equal;
    }
}

static double grams(int unit)
{
    return unit == 2 ? 1000 : 1;
}

static bool value_met(const Condition *c, Value v)
{
    double lo = v.below ? -INFINITY : v.value;
    if (c->unit == 0 || c->unit == v.unit) {
        return number_met(c, lo, v.value, c->number, 0.5);
    }
    return v.unit && number_met(c, lo * grams(v.unit), v.value * grams(v.unit),
                                c->number * grams(c->unit), 0.5 * grams(c->unit));
}

static bool date_met(const Condition *c, int64_t lo, int64_t hi)
{
    bool within = c->lo <= lo && hi <= c->hi;
    switch (c->prefix) {
    case 2:
        return !within;
    case 3:
        return hi > c->hi;
    case 4:
        return lo < c->lo;
    case 5:
        return hi > c->hi || within;
    case 6:
        return lo < c->lo || within;
    case 7:
        return lo >= c->hi;
    case 8:
        return hi <= c->lo;
    default:
        return within;
    }
}

static bool has_code(const Obs *o, int code)
{
    return o->code == code || o->other == code;
}

static bool any_part(const Condition *c, const Obs *o, bool coded)
{
    for (int i = 0; i < o->parts_n; i++) {
        if ((!coded || o->part_code[i] == c->choice) && value_met(c, o->part[i])) {
            return true;
        }
    }
    return false;
}

static bool met(const World *w, const Condition *c, const Obs *o)
{
    bool own = o->has_value && value_met(c, o->value);
    switch (c->kind) {
    case BY_CODE:
        return has_code(o, c->choice);
    case BY_STATUS:
        return o->status == c->choice;
    case BY_STATUS_NOT:
        return o->status != c->choice;
    case BY_CODE_NOT:
        return !has_code(o, c->choice);
    case BY_CATEGORY:
        return o->category == c->choice;
    case BY_CATEGORY_NOT:
        return o->category != c->choice;
    case BY_PATIENT:
        return o->patient == c->choice;
    case BY_GENDER:
        return w->male[o->patient] == (c->choice == 1);
    case BY_DATE:
        return o->has_date && date_met(c, o->lo, o->hi);
    case BY_VALUE:
        return own;
    case BY_PART_VALUE:
        return any_part(c, o, false);
    case BY_ANY_VALUE:
        return own || any_part(c, o, false);
    case BY_CODE_VALUE:
        return own && has_code(o, c->choice);
    case BY_PART_CODE_VALUE:
        return any_part(c, o, true);
    case BY_ANY_CODE_VALUE:
        return (own && has_code(o, c->choice)) || any_part(c, o, true);
    case BY_VALUE_MISSING:
        return o->has_value != (c->choice == 1);
    case BY_DATE_MISSING:
        return o->has_date != (c->choice == 1);
    case BY_WHEN_MISSING:
        return o->has_when != (c->choice == 1);
    case BY_CODE_TEXT:
    case BY_CONTENT:
        return o->shown && has_code(o, c->choice);
    case KINDS:
        break;
    }
    return false;
}

/* ---- Questions ----------------------------------------------------------------------------------
 */

static Str code_text(World *w, int code)
{
    Arena *a = &w->rig.arena;
    return below(w, 2) ? arena_printf(a, "http://x.y/%d%%7C%s", code % 2, codes[code])
                       : str_from_c(codes[code]);
}

static Str quantity_text(World *w, Condition *c)
{
    Arena *a = &w->rig.arena;
    c->prefix = below(w, 9);
    c->number = below(w, 62) - 1;
    c->unit = below(w, 3) ? 0 : below(w, 3);
    Str unit =
        c->unit ? arena_printf(a, "%%7Chttp://unitsofmeasure.org%%7C%s", units[c->unit]) : STR("");
    return arena_printf(a, "%s%g%.*s", prefixes[c->prefix], c->number, STR_ARG(unit));
}

static Condition condition_random(World *w)
{
    static const char *const names[KINDS] = {"code",
                                             "status",
                                             "status:not",
                                             "code:not",
                                             "category",
                                             "category:not",
                                             "patient",
                                             "patient.gender",
                                             "date",
                                             "value-quantity",
                                             "component-value-quantity",
                                             "combo-value-quantity",
                                             "code-value-quantity",
                                             "component-code-value-quantity",
                                             "combo-code-value-quantity",
                                             "value-quantity:missing",
                                             "date:missing",
                                             "value-date:missing",
                                             "code:text",
                                             "_content"};
    Arena *a = &w->rig.arena;
    Condition c = {.kind = (Kind)below(w, KINDS), .choice = below(w, 3)};
    Str value = STR("");
    switch (c.kind) {
    case BY_CODE:
    case BY_CODE_NOT:
        value = code_text(w, c.choice);
        break;
    case BY_STATUS:
    case BY_STATUS_NOT:
        value = str_from_c(statuses[c.choice]);
        break;
    case BY_CATEGORY:
    case BY_CATEGORY_NOT:
        c.choice %= 2;
        value = str_from_c(categories[c.choice]);
        break;
    case BY_PATIENT:
        value = arena_printf(a, "Patient/p%d", c.choice);
        break;
    case BY_GENDER:
        c.choice %= 2;
        value = c.choice ? STR("male") : STR("female");
        break;
    case BY_VALUE_MISSING:
    case BY_DATE_MISSING:
    case BY_WHEN_MISSING:
        c.choice %= 2;
        value = c.choice ? STR("true") : STR("false");
        break;
    case BY_CODE_TEXT:
    case BY_CONTENT:
        value = arena_cat(a, STR("shown"), str_from_c(codes[c.choice]));
        break;
    case BY_DATE: {
        const char *date = date_random(w);
        range_of(date, &c.lo, &c.hi);
        c.prefix = below(w, 9);
        Str text = str_from_c(date);
        for (size_t i = 0; i < text.n; i++) {
            value = text.p[i] == '+' ? arena_cat(a, value, STR("%2B"))
                                     : arena_cat(a, value, (Str){text.p + i, 1});
        }
        value = arena_cat(a, str_from_c(prefixes[c.prefix]), value);
        break;
    }
    case BY_VALUE:
    case BY_PART_VALUE:
    case BY_ANY_VALUE:
        value = quantity_text(w, &c);
        break;
    default:
        value = arena_cat(a, code_text(w, c.choice), STR("$"), quantity_text(w, &c));
        break;
    }
    c.text = arena_cat(a, str_from_c(names[c.kind]), STR("="), value);
    return c;
}

static bool all_met(const World *w, const Condition *c, int n, const Obs *o)
{
    for (int i = 0; i < n; i++) {
        if (!met(w, &c[i], o)) {
            return false;
        }
    }
    return o->there;
}

/* By value-date: upwards by its start, downwards by its end, last those that have none. */
static bool stands_before(const Obs *x, const Obs *y, int direction)
{
    bool both = x->has_when && y->has_when;
    return direction == 0 || (both && direction > 0 ? x->when_lo <= y->when_lo
                              : both                ? x->when_hi >= y->when_hi
                                                    : x->has_when || !y->has_when);
}

/* Every page; seen counts how often each came. direction: of value-date, 0: not sorted by it. */
static int64_t pages_read(World *w, Str query, int direction, int *seen)
{
    Rig *g = &w->rig;
    StoreQuery *q;
    StorePage page = {0};
    int64_t total = -1, last = -1;
    rig_ok(g, store_query_parse(NULL, &g->arena, STR("Observation"), query, false, ZONE_CHINA_MIN,
                                &q, &g->err));
    do {
        rig_ok(g,
               store_search(g->reader, &g->arena, q, &STORE_VIEW_ALL, page.next, &page, &g->err));
        assert_true(total < 0 || page.total == total);
        total = page.total;
        for (size_t i = 0; i < page.hits_n; i++) {
            int64_t id;
            assert_true(str_to_i64(str_skip(page.hits[i].id, 1), &id));
            seen[id]++;
            if (last >= 0 && !stands_before(&w->obs[last], &w->obs[id], direction)) {
                print_error("%.*s: o%lld before o%lld\n", STR_ARG(query), (long long)last,
                            (long long)id);
                fail();
            }
            last = id;
        }
        assert_true(page.hits_n > 0 || str_empty(page.next));
    } while (!str_empty(page.next));
    return total;
}

static void question(World *w)
{
    static const char *const orders[] = {"",
                                         "",
                                         "",
                                         "&_sort=date",
                                         "&_sort=-date",
                                         "&_sort=-_lastUpdated",
                                         "&_sort=value-date",
                                         "&_sort=-value-date"};
    static int seen[OBSERVATIONS];
    Arena *a = &w->rig.arena;
    Condition c[3];
    int n = 1 + below(w, 3), expected = 0;
    int order = below(w, 8), direction = order == 6 ? 1 : order == 7 ? -1 : 0;
    bool total = below(w, 3) == 0;
    Str query = STR("");
    memset(seen, 0, sizeof seen);
    for (int i = 0; i < n; i++) {
        c[i] = condition_random(w);
        query = arena_cat(a, query, c[i].text, STR("&"));
    }
    query = arena_printf(a, "%.*s_count=%d%s%s", STR_ARG(query), 20 + below(w, w->page),
                         orders[order], total ? "&_total=accurate" : "");
    int64_t told = pages_read(w, query, direction, seen);
    for (int i = 0; i < w->n; i++) {
        bool is = all_met(w, c, n, &w->obs[i]);
        expected += is;
        if (seen[i] != is) {
            print_error("%.*s: o%d came %d times, not %d\n", STR_ARG(query), i, seen[i], is);
            fail();
        }
    }
    if (total && told != expected) {
        print_error("%.*s: a total of %lld, not %d\n", STR_ARG(query), (long long)told, expected);
        fail();
    }
}

/* ---- Tests --------------------------------------------------------------------------------------
 */

static void test_answers_are_the_naive_ones(void **state)
{
    static World w;
    rig_init(&w.rig, true);
    w.n = rig_server() ? OBSERVATIONS_FEW : OBSERVATIONS;
    w.page = rig_server() ? 30 : 400;
    fill(&w);
    for (int i = 0; i < (rig_server() ? QUESTIONS_FEW : QUESTIONS); i++) {
        question(&w);
        int id = below(&w, w.n);
        if (i % 3 == 0) {
            observations_put(&w, &id, 1);
        } else if (i % 7 == 0) {
            observation_delete(&w, id);
        }
        arena_reset(&w.rig.arena);
    }
    rig_done(&w.rig);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_answers_are_the_naive_ones)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
