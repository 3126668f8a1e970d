/* Records, quoting, character sets, and what is refused with its line. */
#include "link_csv.h"

#include "test.h"

typedef struct Table {
    Arena arena;
    Err err;
    LinkCsv csv;
    LinkRecord record;
} Table;

static void table_init(Table *t, const char *text)
{
    arena_init(&t->arena, 0);
    err_init(&t->err, &t->arena);
    link_csv_init(&t->csv, str_from_c(text));
}

static LinkCsvStep next(Table *t)
{
    err_clear(&t->err);
    return link_csv_next(&t->csv, &t->arena, &t->record, &t->err);
}

static void field_is(const Table *t, size_t i, const char *want)
{
    assert_true(i < t->record.n);
    assert_true(str_is(t->record.field[i], want));
}

static void fields_and_lines(void **state)
{
    (void)state;
    Table t;
    table_init(&t, "a,b,c\r\n\r\n\"x, \"\"y\"\"\",\"two\nlines\",\r\n,,last");
    assert_int_equal(next(&t), LINK_CSV_RECORD);
    assert_int_equal(t.record.n, 3);
    assert_int_equal(next(&t), LINK_CSV_RECORD);
    assert_int_equal(t.record.line, 3);
    field_is(&t, 0, "x, \"y\"");
    field_is(&t, 1, "two\nlines");
    field_is(&t, 2, "");
    assert_int_equal(next(&t), LINK_CSV_RECORD);
    assert_int_equal(t.record.line, 5);
    field_is(&t, 2, "last");
    assert_int_equal(next(&t), LINK_CSV_END);
    arena_done(&t.arena);
}

static void separators(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {"a,b;\n", "a;b,;\n", "a\tb\n", "a,b,"};
    static const char WANT[] = {',', ';', '\t', ','};
    for (size_t i = 0; i < sizeof WANT; i++) {
        Table t;
        table_init(&t, TEXTS[i]);
        assert_int_equal(t.csv.separator, WANT[i]);
        arena_done(&t.arena);
    }
}

static void bad_records_are_passed(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {"h\n\"open,x\ngood", "h\n\"a\"b\ngood"};
    for (size_t i = 0; i < 2; i++) {
        Table t;
        table_init(&t, TEXTS[i]);
        assert_int_equal(next(&t), LINK_CSV_RECORD);
        assert_int_equal(next(&t), LINK_CSV_BAD);
        assert_int_equal(t.record.line, 2);
        assert_int_equal(t.err.count, 1);
        assert_int_equal(next(&t), LINK_CSV_RECORD);
        field_is(&t, 0, "good");
        assert_int_equal(t.record.line, 3);
        assert_int_equal(next(&t), LINK_CSV_END);
        arena_done(&t.arena);
    }
}

static void too_many_columns(void **state)
{
    (void)state;
    Table t;
    char text[LINK_CSV_COLUMNS_MAX + 8];
    memset(text, ',', sizeof text);
    text[sizeof text - 1] = '\0';
    table_init(&t, text);
    assert_int_equal(next(&t), LINK_CSV_BAD);
    assert_int_equal(next(&t), LINK_CSV_END);
    arena_done(&t.arena);
}

static void decodes_as(const char *bytes, size_t n, const char *charset, const char *want)
{
    Arena a;
    Err err;
    Str text;
    const char *was;
    arena_init(&a, 0);
    err_init(&err, &a);
    assert_int_equal(link_csv_decode(&a, (Str){bytes, n}, &text, &was, &err), OK);
    assert_string_equal(was, charset);
    assert_true(str_is(text, want));
    arena_done(&a);
}

static void character_sets(void **state)
{
    (void)state;
    decodes_as("\xef\xbb\xbf姓名", 9, "UTF-8", "姓名");
    decodes_as("\xd0\xd5\xc3\xfb", 4, "GB18030", "姓名");
    decodes_as("\xff\xfe\xd3\x59\x0d\x54", 6, "UTF-16LE", "姓名");
    decodes_as("\xfe\xff\x59\xd3\x54\x0d", 6, "UTF-16BE", "姓名");
    /* Four bytes, plane 2 (GB 18030 level 3). */
    decodes_as("\x99\x33\xd4\x38\xd0\xd5", 6, "GB18030",
               "\xf0\xac\xb4\x82"
               "姓");
    decodes_as("", 0, "UTF-8", "");
}

static void not_text(void **state)
{
    (void)state;
    static const Str BAD[] = {
        {"\xff\x80\x81", 3}, {"a\0b", 3}, {"\xd0", 1}, {"\xff\xfe\x00\xd8", 4}};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        Arena a;
        Err err;
        Str text;
        const char *was;
        arena_init(&a, 0);
        err_init(&err, &a);
        assert_int_equal(link_csv_decode(&a, BAD[i], &text, &was, &err), ERR_INVALID);
        assert_int_equal(err.count, 1);
        arena_done(&a);
    }
}

static void written_as_read(void **state)
{
    (void)state;
    static const char *const FIELDS[] = {"", "a", "a,b", "\"", "x\ny", "一;二", "=1+1"};
    Buf out;
    Table t;
    buf_init(&out, 0);
    for (size_t i = 0; i < sizeof FIELDS / sizeof *FIELDS; i++) {
        buf_c(&out, i ? "," : "");
        link_csv_put(&out, str_from_c(FIELDS[i]));
    }
    buf_char(&out, '\0');
    table_init(&t, out.p);
    assert_int_equal(next(&t), LINK_CSV_RECORD);
    assert_int_equal(t.record.n, sizeof FIELDS / sizeof *FIELDS);
    for (size_t i = 0; i < t.record.n; i++) {
        field_is(&t, i, FIELDS[i]);
    }
    arena_done(&t.arena);
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_and_lines),       cmocka_unit_test(separators),
        cmocka_unit_test(bad_records_are_passed), cmocka_unit_test(too_many_columns),
        cmocka_unit_test(character_sets),         cmocka_unit_test(not_text),
        cmocka_unit_test(written_as_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
