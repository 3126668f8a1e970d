#include "http.h"

#include "test.h"

static const HttpRoute ROUTES[] = {
    {.methods = HTTP_POST, .pattern = "/fhir"},
    {.methods = HTTP_GET, .pattern = "/fhir/metadata"},
    {.methods = HTTP_POST, .pattern = "/fhir/Task/{id}/$act"},
    {.methods = HTTP_GET, .pattern = "/fhir/{Type}/{id}"},
    {.methods = HTTP_DELETE, .pattern = "/fhir/{Type}/{id}"},
    {.methods = HTTP_GET, .pattern = "/fhir/{Type}"},
    {.methods = HTTP_ANY, .pattern = "/fhir/*"},
    {.methods = HTTP_GET, .pattern = "/*"},
};
enum { N = sizeof ROUTES / sizeof *ROUTES };

typedef struct Case {
    HttpMethod method;
    const char *path;
    int route; /* -1: none */
    unsigned allowed;
} Case;

static void the_first_fitting_row_is_taken(void **state)
{
    (void)state;
    const Case cases[] = {
        {HTTP_POST, "/fhir", 0, 0},
        {HTTP_POST, "/fhir/", 0, 0},
        {HTTP_GET, "/fhir", -1, HTTP_POST},
        {HTTP_HEAD, "/fhir/metadata", 1, 0},
        {HTTP_DELETE, "/fhir/metadata", -1, HTTP_GET | HTTP_HEAD},
        {HTTP_POST, "/fhir/Task/7/$act", 2, 0},
        {HTTP_POST, "/fhir/Task/7/%24act", 2, 0},
        {HTTP_GET, "/fhir/Patient/1", 3, 0},
        {HTTP_DELETE, "/fhir/Patient/1", 4, 0},
        {HTTP_PUT, "/fhir/Patient/1", -1, HTTP_GET | HTTP_HEAD | HTTP_DELETE},
        {HTTP_GET, "/fhir/Patient/$x", 6, 0},
        {HTTP_GET, "/fhir/patient", 6, 0},
        {HTTP_GET, "/fhir/Patient/%zz", 6, 0},
        {HTTP_GET, "/fhir/Patient/1/2/3/4/5/6/7/8/9", 6, 0},
        {HTTP_GET, "/work/list", 7, 0},
        {HTTP_POST, "/work/list", -1, HTTP_GET | HTTP_HEAD},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Arena a;
        arena_init(&a, 1 << 20);
        HttpRequest r = {.method = cases[i].method, .path = str_from_c(cases[i].path)};
        unsigned allowed;
        const HttpRoute *found = http_route_find(ROUTES, N, &a, &r, &allowed);
        assert_int_equal(found ? found - ROUTES : -1, cases[i].route);
        if (!found) {
            assert_int_equal(allowed, cases[i].allowed);
        }
        arena_done(&a);
    }
}

static void parts_are_decoded(void **state)
{
    (void)state;
    Arena a;
    arena_init(&a, 1 << 20);
    HttpRequest r = {.method = HTTP_GET, .path = STR("/fhir/Patient/a%2Fb")};
    unsigned allowed;
    assert_non_null(http_route_find(ROUTES, N, &a, &r, &allowed));
    assert_int_equal(r.part_n, 2);
    assert_true(str_is(r.part[0], "Patient") && str_is(r.part[1], "a/b"));
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_fitting_row_is_taken),
        cmocka_unit_test(parts_are_decoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
