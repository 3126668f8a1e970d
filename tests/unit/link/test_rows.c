/* Days as they are written, headers as they are called, rows as resources. */
#include "link_rows.h"

#include "test.h"

#define NOW ((int64_t)1795305600000)

static void days(void **state)
{
    (void)state;
    static const char *const GOOD[] = {"1956-03-08", "1956/3/8",     "1956.3.8",
                                       "19560308",   "1956年3月8日", "1956-3-08 0:00:00"};
    static const char *const BAD[] = {"",           "1956",     "1956-13-01",
                                      "1956-02-30", "8.3.1956", "1956-03-08 12:00"};
    Arena a;
    Str day;
    arena_init(&a, 0);
    for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++) {
        assert_true(link_date(&a, str_from_c(GOOD[i]), &day));
        assert_true(str_is(day, "1956-03-08"));
    }
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        assert_false(link_date(&a, str_from_c(BAD[i]), &day));
    }
    arena_done(&a);
}

static Status no_place(void *ctx, Arena *a, Str text, Str *ret, Err *err)
{
    (void)ctx;
    (void)a;
    (void)ret;
    return err_add(err, ERR_UNPROCESSABLE, NULL, STR_NONE, "没有机构 %.*s", "no place %.*s",
                   STR_ARG(text));
}

typedef struct Bench {
    Arena arena;
    Err err;
    LinkMap map;
    LinkContext context;
    LinkCsv csv;
    LinkRecord record;
} Bench;

static void bench_init(Bench *b, const char *map, const char *table)
{
    Str unused[LINK_CSV_COLUMNS_MAX];
    size_t n;
    *b = (Bench){0};
    arena_init(&b->arena, 0);
    err_init(&b->err, &b->arena);
    assert_int_equal(link_map_read(&b->arena, LINK_RESIDENTS, str_from_c(map), &b->map, &b->err),
                     OK);
    b->context = (LinkContext){.map = &b->map,
                               .key = STR("secret"),
                               .now_ms = NOW,
                               .zone_min = ZONE_CHINA_MIN,
                               .organization = no_place};
    link_csv_init(&b->csv, str_from_c(table));
    assert_int_equal(link_csv_next(&b->csv, &b->arena, &b->record, &b->err), LINK_CSV_RECORD);
    assert_int_equal(link_map_bind(&b->map, &b->arena, &b->record, unused, &n, &b->err), OK);
}

static Status row(Bench *b, LinkMade *ret)
{
    err_clear(&b->err);
    assert_int_equal(link_csv_next(&b->csv, &b->arena, &b->record, &b->err), LINK_CSV_RECORD);
    return link_row_make(&b->context, &b->arena, &b->record, ret, &b->err);
}

static const char MAP[] =
    "{\"columns\":{\"name\":[\"姓名\"],\"card\":[\"证件号\"],\"gender\":[\"性别\"],"
    "\"record\":[\"档案号\"]},\"values\":{\"gender\":{\"男\":\"male\",\"女\":\"female\"}}}";

static void headers_however_they_are_called(void **state)
{
    (void)state;
    Bench b;
    bench_init(&b, MAP, "＊姓 名（必填）,证件号(18位),Gender,birthdate\n");
    assert_int_equal(b.map.column[LINK_NAME], 0);
    assert_int_equal(b.map.column[LINK_CARD], 1);
    assert_int_equal(b.map.column[LINK_GENDER], 2);
    assert_int_equal(b.map.column[LINK_BIRTH], 3);
    arena_done(&b.arena);
}

/* The id follows from the number, not from the words, and another county's differs. */
static void one_row_one_id(void **state)
{
    (void)state;
    Bench b;
    LinkMade first, again, other, elsewhere;
    bench_init(&b, MAP, "姓名,档案号,性别\n甲,H1,男\n甲改名,H1,男\n甲,H2,男\n甲,H1,男\n");
    assert_int_equal(row(&b, &first), OK);
    assert_int_equal(row(&b, &again), OK);
    assert_int_equal(row(&b, &other), OK);
    b.context.key = STR("another");
    assert_int_equal(row(&b, &elsewhere), OK);
    assert_true(str_eq(first.resource[0].id, again.resource[0].id));
    assert_false(str_eq(first.resource[0].id, other.resource[0].id));
    assert_false(str_eq(first.resource[0].id, elsewhere.resource[0].id));
    arena_done(&b.arena);
}

static void every_fault_is_told(void **state)
{
    (void)state;
    Bench b;
    LinkMade made;
    bench_init(&b, MAP, "姓名,证件号,性别,phone,organization\n,123,变,abc,哪里\n");
    assert_int_equal(row(&b, &made), ERR_UNPROCESSABLE);
    assert_int_equal(b.err.count, 5);
    arena_done(&b.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(days),
        cmocka_unit_test(headers_however_they_are_called),
        cmocka_unit_test(one_row_one_id),
        cmocka_unit_test(every_fault_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
