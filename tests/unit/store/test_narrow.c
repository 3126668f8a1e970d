/*
 * Narrow views over long lists: whatever way a search takes (the condition's rows, the first
 * resources, the caller's own patients, the changes), its pages are those of everybody's answer
 * with what may not be seen taken out.
 */
#include "store_test.h"

#define PEOPLE 2400
#define LONG                                                                                       \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define STEP 800

static bool sees_all(int person)
{
    (void)person;
    return true;
}

static bool village_sees(int person)
{
    return person % 60 == 0;
}

static bool township_sees(int person)
{
    return person % 3 == 0;
}

typedef struct Eyes {
    const char *org;
    bool (*sees)(int person);
} Eyes;
static const Eyes eyes[] = {{"Organization/v", village_sees}, {"Organization/t", township_sees}};

static StoreView view_of(Rig *g, const Eyes *e)
{
    Str *org = arena_new(&g->arena, Str);
    *org = str_from_c(e->org);
    return (StoreView){.clinical = true, .orgs = org, .orgs_n = 1, .now_ms = clock_now(&g->clock)};
}

static void put(Rig *g, StoreBatch *b, const char *type, Str id, Str body)
{
    rig_ok(g, store_batch_update(b, str_from_c(type), id, body, STR_NONE, &g->err));
}

/* Priorities in turn, the sixth without one; some are not due. */
static void task_put(Rig *g, StoreBatch *b, int i)
{
    static const char *const priorities[] = {"routine", "urgent", "asap", "stat", "other", NULL};
    Arena *a = &g->arena;
    const char *p = priorities[i % 6];
    Str priority = p ? arena_printf(a, "\"priority\":\"%s\",", p) : STR("");
    Str due = i % 10 == 9
                  ? STR("")
                  : arena_printf(a, "\"restriction\":{\"period\":{\"end\":\"2026-%02d-%02d\"}},",
                                 i % 12 + 1, i * 7 % 28 + 1);
    put(g, b, "Task", arena_printf(a, "p%d-t", i),
        arena_printf(a,
                     "{\"resourceType\":\"Task\",\"id\":\"p%d-t\",%.*s%.*s\"status\":\"%s\","
                     "\"intent\":\"order\",\"code\":{\"coding\":[{\"code\":\"k%d\"}]},"
                     "\"for\":{\"reference\":\"Patient/p%d\"}}",
                     i, STR_ARG(priority), STR_ARG(due), i % 5 ? "requested" : "completed", i % 3,
                     i));
}

/* Families in turn: ab, ac, b, c; every fiftieth given name is longer than a place remembers;
 * everyone has two values, the second without a date at times. */
static void person_put(Rig *g, StoreBatch *b, int i)
{
    static const char *const families[] = {"ab", "ac", "b", "c"};
    Arena *a = &g->arena;
    Str id = arena_printf(a, "p%d", i);
    put(g, b, "Patient", id,
        arena_printf(a,
                     "{\"resourceType\":\"Patient\",\"id\":\"p%d\",\"name\":[{\"family\":\"%s\","
                     "\"given\":[\"a%c%s\"]}],\"gender\":\"%s\",\"birthDate\":\"19%02d-01-01\"}",
                     i, families[i % 4], 'a' + i % 26, i % 50 ? "" : LONG,
                     i % 7 ? "male" : "female", i % 90 + 10));
    task_put(g, b, i);
    for (int k = 0; k < 2; k++) {
        Str when = k && i % 5 == 0 ? STR("")
                                   : arena_printf(a, "\"effectiveDateTime\":\"20%02d-%02d-%02d\",",
                                                  i % 20 + 5, i % 12 + 1, (i + k) % 28 + 1);
        put(g, b, "Observation", arena_printf(a, "p%d-%d", i, k),
            arena_printf(a,
                         "{\"resourceType\":\"Observation\",\"id\":\"p%d-%d\",\"status\":\"final\","
                         "%.*s\"code\":{\"coding\":[{\"system\":\"urn:s\",\"code\":\"c%d\"}]},"
                         "\"category\":[{\"coding\":[{\"code\":\"k\"}]}],"
                         "\"valueQuantity\":{\"value\":%d},"
                         "\"subject\":{\"reference\":\"Patient/p%d\"}}",
                         i, k, STR_ARG(when), i % 11 == 0 ? 2 : 1, i * 13 % 1000, i));
    }
    for (size_t e = 0; e < 2; e++) {
        if (eyes[e].sees(i)) {
            store_batch_grant(b, str_from_c(eyes[e].org), id, STR("test"), STR("Task/1"), T0,
                              TIME_FOREVER);
        }
    }
}

static int set_up(void **state)
{
    Rig *g = calloc(1, sizeof *g);
    rig_init(g, false);
    for (int from = 0; from < PEOPLE; from += STEP) {
        StoreReceipt receipt;
        StoreBatch *b = rig_batch(g);
        for (int i = 0; i < STEP; i++) {
            person_put(g, b, (from + i) * 7 % PEOPLE);
        }
        rig_ok(g, store_commit(b, &receipt, &g->err));
        clock_set(&g->clock, clock_now(&g->clock) + 1000);
    }
    *state = g;
    return 0;
}

static int tear_down(void **state)
{
    rig_done(*state);
    free(*state);
    return 0;
}

static int person_of(Str id)
{
    Str number, rest;
    int64_t n = -1;
    str_cut(str_skip(id, 1), '-', &number, &rest);
    assert_true(str_to_i64(number, &n));
    return (int)n;
}

/* All pages' ids of those that `sees` lets through, in order. */
static Str walk(Rig *g, const StoreView *view, const char *type, const char *query, int count,
                bool (*sees)(int person))
{
    StoreQuery *q;
    Buf b;
    Str cursor = STR_NONE;
    buf_init(&b, 0);
    Str text = arena_printf(&g->arena, "%s&_count=%d", query, count);
    rig_ok(g, store_query_parse(NULL, &g->arena, str_from_c(type), text, false, ZONE_CHINA_MIN, &q,
                                &g->err));
    do {
        StorePage page;
        rig_ok(g, store_search(g->reader, &g->arena, q, view, cursor, &page, &g->err));
        for (size_t i = 0; i < page.hits_n; i++) {
            if (sees(person_of(page.hits[i].id))) {
                buf_add(&b, page.hits[i].id);
                buf_char(&b, ' ');
            }
        }
        cursor = page.next;
    } while (!str_empty(cursor));
    Str all = arena_str(&g->arena, buf_str(&b));
    buf_done(&b);
    return all;
}

static const char *const queries[][2] = {
    {"Patient", ""},
    {"Patient", "family=a"},
    {"Patient", "family=a&gender=female"},
    {"Patient", "family=a&birthdate=ge1980&gender=male"},
    {"Patient", "gender=male"},
    {"Patient", "name=a"},
    {"Patient", "name=ab&birthdate=lt1950"},
    {"Patient", "given=aa"},
    {"Task", ""},
    {"Task", "status=requested&_sort=priority,due"},
    {"Task", "status=requested,completed&code=k1&_sort=priority"},
    {"Task", "code=k2&_sort=due"},
    {"Task", "status=requested&_sort=-due,-_lastUpdated"},
    {"Task", "status=requested&_sort=-priority,_id"},
    {"Patient", "_sort=_lastUpdated"},
    {"Patient", "family=a&_sort=-_lastUpdated"},
    {"Patient", "gender=male&_sort=birthdate"},
    {"Patient", "_sort=-birthdate"},
    {"Patient", "_sort=given"},
    {"Patient", "gender=male&_sort=-family"},
    {"Patient", "_sort=-death-date"},
    {"Observation", "code=c1"},
    {"Observation", "code=c2"},
    {"Observation", "code=urn:s|c1&_sort=date"},
    {"Observation", "category=k&_sort=-date"},
    {"Observation", "category=k&code=c1&status=final"},
    {"Observation", "date=ge2008"},
    {"Observation", "date=ge2008&code=c1&_sort=date"},
    {"Observation", "_sort=-_lastUpdated"},
    {"Observation", "category=k&code=c2&_sort=_lastUpdated"},
    {"Observation", "patient.family=a&code=c1"},
};

static void test_pages_are_a_part_of_everybodys(void **state)
{
    Rig *g = *state;
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        for (size_t e = 0; e < 2; e++) {
            StoreView view = view_of(g, &eyes[e]);
            Str want = walk(g, &STORE_VIEW_ALL, queries[i][0], queries[i][1], 1000, eyes[e].sees);
            Str found = walk(g, &view, queries[i][0], queries[i][1], 20, sees_all);
            if (!str_eq(want, found)) {
                fail_msg("%s?%s as %s:\n%.*s\ninstead of\n%.*s", queries[i][0], queries[i][1],
                         eyes[e].org, STR_ARG(str_take(found, 400)), STR_ARG(str_take(want, 400)));
            }
        }
    }
}

static bool born_early(int person)
{
    return person % 90 < 5;
}

static bool born_late(int person)
{
    return person % 90 >= 30;
}

/* Chains to a hundred and to many hundreds of patients: the pages are those of the whole type with
 * the rest taken out. */
static void test_chains_are_a_part_of_the_whole(void **state)
{
    static const struct {
        const char *chain, *order;
        bool (*sees)(int person);
    } chains[] = {
        {"patient.birthdate=lt1915", "", born_early},
        {"patient.birthdate=lt1915", "&_sort=date", born_early},
        {"patient.birthdate=lt1915&status=final", "&_sort=-date", born_early},
        {"patient.birthdate=ge1940", "", born_late},
        {"patient.birthdate=ge1940&category=k", "&_sort=date", born_late},
    };
    Rig *g = *state;
    for (size_t i = 0; i < sizeof chains / sizeof *chains; i++) {
        const char *chain = arena_printf(&g->arena, "%s%s", chains[i].chain, chains[i].order).p;
        Str want = walk(g, &STORE_VIEW_ALL, "Observation", chains[i].order, 1000, chains[i].sees);
        Str found = walk(g, &STORE_VIEW_ALL, "Observation", chain, 50, sees_all);
        if (!str_eq(want, found)) {
            fail_msg("%s:\n%.*s\ninstead of\n%.*s", chain, STR_ARG(str_take(found, 400)),
                     STR_ARG(str_take(want, 400)));
        }
    }
}

static int by_text(const void *x, const void *y)
{
    return str_cmp(*(const Str *)x, *(const Str *)y);
}

/* The words of a walk, sorted. */
static Str sorted(Rig *g, Str words)
{
    Str *list = arena_array(&g->arena, Str, words.n + 1), all = STR("");
    size_t n = 0;
    for (Str rest = words; !str_empty(rest); n++) {
        str_cut(rest, ' ', &list[n], &rest);
    }
    qsort(list, n, sizeof *list, by_text);
    for (size_t i = 0; i < n; i++) {
        all = arena_cat(&g->arena, all, list[i], STR(" "));
    }
    return all;
}

/*
 * Who asks for no order gets that of the values, unless few of them are theirs: whichever it is,
 * all pages together hold each once.
 */
static void test_pages_by_value_hold_each_once(void **state)
{
    static const char *const by_value[][2] = {
        {"Patient", "birthdate=ge1940"},
        {"Patient", "birthdate=lt1990&gender=male"},
        {"Observation", "date=lt2020&category=k"},
        {"Observation", "value-quantity=gt300"},
        {"Observation", "value-quantity=lt900&code=c1"},
        {"Observation", "status:not=amended&value-quantity=ge0"},
    };
    Rig *g = *state;
    for (size_t i = 0; i < sizeof by_value / sizeof *by_value; i++) {
        for (size_t e = 0; e < 2; e++) {
            const char *type = by_value[i][0], *query = by_value[i][1];
            StoreView view = view_of(g, &eyes[e]);
            Str want = sorted(g, walk(g, &STORE_VIEW_ALL, type, query, 1000, eyes[e].sees));
            Str found = sorted(g, walk(g, &view, type, query, 20, sees_all));
            assert_true(want.n > 0);
            if (!str_eq(want, found)) {
                fail_msg("%s?%s as %s:\n%.*s\ninstead of\n%.*s", type, query, eyes[e].org,
                         STR_ARG(str_take(found, 400)), STR_ARG(str_take(want, 400)));
            }
        }
    }
}

static void test_totals_count_what_is_seen(void **state)
{
    Rig *g = *state;
    for (size_t e = 0; e < 2; e++) {
        StoreView view = view_of(g, &eyes[e]);
        StoreQuery *q;
        StorePage page;
        int64_t seen = 0;
        for (int i = 0; i < PEOPLE; i++) {
            seen += eyes[e].sees(i) && i % 4 < 2;
        }
        rig_ok(g,
               store_query_parse(NULL, &g->arena, STR("Patient"), STR("family=a&_total=accurate"),
                                 false, ZONE_CHINA_MIN, &q, &g->err));
        rig_ok(g, store_search(g->reader, &g->arena, q, &view, STR_NONE, &page, &g->err));
        assert_int_equal(page.total, seen);
    }
}

static size_t found_n(Rig *g, const char *type, const char *query)
{
    StoreView view = view_of(g, &eyes[0]);
    Str ids = walk(g, &view, type, query, 20, sees_all);
    size_t n = 0;
    for (size_t i = 0; i < ids.n; i++) {
        n += ids.p[i] == ' ';
    }
    return n;
}

/* The kept list of the caller's patients follows the grants, and those that begin and end by time.
 */
static void test_grants_are_seen_at_once(void **state)
{
    Rig *g = *state;
    StoreReceipt receipt;
    size_t before = found_n(g, "Patient", "family=a");
    StoreBatch *b = rig_batch(g);
    int64_t now = clock_now(&g->clock);
    store_batch_grant(b, STR("Organization/v"), STR("p1"), STR("test"), STR("Task/2"), now,
                      TIME_FOREVER);
    store_batch_grant(b, STR("Organization/v"), STR("p5"), STR("test"), STR("Task/3"),
                      now + MS_HOUR, now + 2 * MS_HOUR);
    rig_ok(g, store_commit(b, &receipt, &g->err));
    assert_int_equal(found_n(g, "Patient", "family=a"), before + 1);
    clock_set(&g->clock, now + MS_HOUR);
    assert_int_equal(found_n(g, "Patient", "family=a"), before + 2);
    clock_set(&g->clock, now + 2 * MS_HOUR);
    assert_int_equal(found_n(g, "Patient", "family=a"), before + 1);
    b = rig_batch(g);
    store_batch_grant_end(b, STR("Task/2"), now);
    rig_ok(g, store_commit(b, &receipt, &g->err));
    assert_int_equal(found_n(g, "Patient", "family=a"), before);
}

/* Each page stands where the one before ends, and within it the order is what was asked for. */
static void test_work_stands_by_priority_and_due(void **state)
{
    Rig *g = *state;
    Str ids = walk(g, &STORE_VIEW_ALL, "Task", "status=requested&_sort=priority,due", 7, sees_all);
    int rank_before = -1, seen = 0;
    Str due_before = STR_NONE;
    for (Str id, rest = ids; !str_empty(rest); seen++) {
        StoreVersion v;
        JsonDoc d;
        str_cut(rest, ' ', &id, &rest);
        rig_ok(g, store_read(g->reader, &g->arena, &STORE_VIEW_ALL, STR("Task"), id, &v, &g->err));
        rig_ok(g, json_parse(&g->arena, v.body, &JSON_LIMITS_FHIR, &d, &g->err));
        static const int ranks[] = {3, 2, 1, 0, 4, 5}; /* of task_put's priorities */
        int rank = ranks[person_of(id) % 6];
        Str due = json_str_at(&d, JSON_ROOT, "restriction.period.end");
        due = str_empty(due) ? STR("9") : due;
        assert_true(rank > rank_before || (rank == rank_before && str_cmp(due_before, due) <= 0));
        rank_before = rank;
        due_before = due;
    }
    assert_int_equal(seen, PEOPLE - PEOPLE / 5);
}

/* Whoever has several texts that match stands at the first of them, once. */
static void test_names_stand_in_their_order(void **state)
{
    Rig *g = *state;
    Str ids = walk(g, &STORE_VIEW_ALL, "Patient", "name=a", 9, sees_all);
    bool seen[PEOPLE] = {false};
    char before = 'a';
    for (Str id, rest = ids; !str_empty(rest);) {
        str_cut(rest, ' ', &id, &rest);
        int i = person_of(id);
        char given = (char)('a' + i % 26), family = "bczz"[i % 4];
        char least = given < family ? given : family;
        assert_false(seen[i]);
        assert_true(before <= least);
        seen[i] = true;
        before = least;
    }
    for (int i = 0; i < PEOPLE; i++) {
        assert_true(seen[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages_are_a_part_of_everybodys),
        cmocka_unit_test(test_chains_are_a_part_of_the_whole),
        cmocka_unit_test(test_pages_by_value_hold_each_once),
        cmocka_unit_test(test_totals_count_what_is_seen),
        cmocka_unit_test(test_work_stands_by_priority_and_due),
        cmocka_unit_test(test_names_stand_in_their_order),
        cmocka_unit_test(test_grants_are_seen_at_once),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
