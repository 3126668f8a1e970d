/* The county's packages are their own test: every story passes. */
#include <stdio.h>

#include "flow_test.h"

static void stories_pass(void **state)
{
    (void)state;
    TestPackages p;
    int failed = 0;
    test_packages_init(&p);
    test_packages_read(&p, PATHWAYS_DIR);
    for (size_t i = 0; i < p.n; i++) {
        int64_t begun = time_mono_us();
        FlowStoryResult r = test_story(&p, arena_cstr(&p.arena, p.source[i].name), true);
        printf("%.*s: %d steps, %d failed, %lld ms\n", STR_ARG(p.source[i].name), r.steps, r.failed,
               (long long)(time_mono_us() - begun) / 1000);
        assert_true(r.steps > 0 || r.failed > 0);
        failed += r.failed;
    }
    test_packages_done(&p);
    assert_int_equal(failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(stories_pass)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
