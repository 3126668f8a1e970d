/* Lint: the county's packages are clean; each rule finds its fault and says where; mutated JSON
 * never crashes. */
#include <stdio.h>

#include "flow_test.h"

static void county_packages_are_clean(void **state)
{
    (void)state;
    TestPackages p;
    int faults = 0;
    test_packages_init(&p);
    test_packages_read(&p, PATHWAYS_DIR);
    for (size_t i = 0; i < p.n; i++) {
        Err err;
        err_init(&err, &p.arena);
        if (flow_lint(&p.source[i], &err) != OK) {
            printf("%.*s:\n%.*s", STR_ARG(p.source[i].name), STR_ARG(test_issues(&p.arena, &err)));
            faults += err.count;
        }
    }
    test_packages_done(&p);
    assert_int_equal(faults, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(county_packages_are_clean)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
