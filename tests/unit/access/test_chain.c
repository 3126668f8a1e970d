/* The audit's chain: every way of changing a file of lines is seen. */
#include "access_chain.h"

#include "test.h"

static const char KEY[] = "0123456789abcdef0123456789abcdef";

typedef struct Lines {
    Buf all;
    size_t at[8]; /* where each line begins; at[n] is the end */
    int n;
} Lines;

static Chain chain_new(void)
{
    return (Chain){.key = STR("0123456789abcdef0123456789abcdef")};
}

static Lines lines_make(int n)
{
    Lines l = {.n = n};
    Chain c = chain_new();
    buf_init(&l.all, 0);
    for (int i = 0; i < n; i++) {
        char members[64];
        snprintf(members, sizeof members, ",\"do\":\"R\",\"what\":\"Patient/%d\"", i);
        l.at[i] = l.all.n;
        chain_write(&c, str_from_c(members), &l.all);
    }
    l.at[n] = l.all.n;
    return l;
}

static Str line_of(const Lines *l, int i)
{
    return (Str){l->all.p + l->at[i], l->at[i + 1] - l->at[i]};
}

static void a_written_chain_follows(void **state)
{
    (void)state;
    Lines l = lines_make(5);
    Chain c = chain_new();
    for (int i = 0; i < 5; i++) {
        assert_int_equal(chain_follow(&c, line_of(&l, i)), CHAIN_GOOD);
    }
    assert_int_equal(c.n, 5);
    buf_done(&l.all);
}

static void any_changed_byte_is_seen(void **state)
{
    (void)state;
    Lines l = lines_make(2);
    for (size_t at = 0; at + 1 < l.at[1]; at++) {
        Chain c = chain_new();
        l.all.p[at] ^= 1;
        assert_int_not_equal(chain_follow(&c, line_of(&l, 0)), CHAIN_GOOD);
        l.all.p[at] ^= 1;
    }
    buf_done(&l.all);
}

static void a_removed_line_is_seen_once(void **state)
{
    (void)state;
    Lines l = lines_make(4);
    Chain c = chain_new();
    assert_int_equal(chain_follow(&c, line_of(&l, 0)), CHAIN_GOOD);
    assert_int_equal(chain_follow(&c, line_of(&l, 2)), CHAIN_NUMBER);
    assert_int_equal(chain_follow(&c, line_of(&l, 3)), CHAIN_GOOD);
    buf_done(&l.all);
}

static void a_doubled_line_is_seen(void **state)
{
    (void)state;
    Lines l = lines_make(2);
    Chain c = chain_new();
    assert_int_equal(chain_follow(&c, line_of(&l, 0)), CHAIN_GOOD);
    assert_int_equal(chain_follow(&c, line_of(&l, 0)), CHAIN_NUMBER);
    buf_done(&l.all);
}

static void another_key_cannot_continue(void **state)
{
    (void)state;
    Lines l = lines_make(1);
    Chain c = {.key = STR("another key another key another!")};
    assert_int_equal(chain_follow(&c, line_of(&l, 0)), CHAIN_MAC);
    assert_int_equal(sizeof KEY - 1, CHAIN_KEY_BYTES);
    buf_done(&l.all);
}

static void a_long_line_is_chained_like_a_short_one(void **state)
{
    (void)state;
    Buf members, out;
    Chain write = chain_new(), read = chain_new();
    buf_init(&members, 0);
    buf_init(&out, 0);
    buf_c(&members, ",\"what\":\"");
    for (int i = 0; i < 5000; i++) {
        buf_char(&members, 'x');
    }
    buf_char(&members, '"');
    chain_write(&write, buf_str(&members), &out);
    assert_int_equal(chain_follow(&read, buf_str(&out)), CHAIN_GOOD);
    buf_done(&members);
    buf_done(&out);
}

static void a_head_reads_back(void **state)
{
    (void)state;
    Arena a;
    arena_init(&a, 0);
    Lines l = lines_make(3);
    Chain c = chain_new();
    for (int i = 0; i < 3; i++) {
        assert_int_equal(chain_follow(&c, line_of(&l, i)), CHAIN_GOOD);
    }
    uint64_t n;
    Sha256 mac;
    assert_true(chain_head_parse(chain_head(&a, &c), &n, &mac));
    assert_int_equal(n, 3);
    assert_memory_equal(mac.b, c.mac.b, sizeof mac.b);
    assert_false(chain_head_parse(STR("3:abc"), &n, &mac));
    assert_false(chain_head_parse(STR(""), &n, &mac));
    buf_done(&l.all);
    arena_done(&a);
}

static void foreign_lines_are_malformed(void **state)
{
    (void)state;
    static const char *const LINES[] = {"", "\n", "{}\n", "{\"n\":1}\n",
                                        "hello, this is a line of some length\n"};
    for (size_t i = 0; i < sizeof LINES / sizeof *LINES; i++) {
        Chain c = chain_new();
        assert_int_equal(chain_follow(&c, str_from_c(LINES[i])), CHAIN_MALFORMED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_written_chain_follows),
        cmocka_unit_test(any_changed_byte_is_seen),
        cmocka_unit_test(a_removed_line_is_seen_once),
        cmocka_unit_test(a_doubled_line_is_seen),
        cmocka_unit_test(another_key_cannot_continue),
        cmocka_unit_test(a_long_line_is_chained_like_a_short_one),
        cmocka_unit_test(a_head_reads_back),
        cmocka_unit_test(foreign_lines_are_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
