/* One arena and one list of errors for a test, new each time: cmocka_unit_test_setup_teardown(x,
 * begin, end). */
#ifndef TEST_ARENA_H
#define TEST_ARENA_H

#include "json.h"

#include "test.h"

static Arena arena;
static Err err;

static inline int begin(void **state)
{
    (void)state;
    arena_init(&arena, 0);
    err_init(&err, &arena);
    return 0;
}

static inline int end(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

/* The text, which is well formed. */
static inline JsonDoc parse(Str json)
{
    JsonDoc d;
    assert_int_equal(json_parse(&arena, json, &JSON_LIMITS_FHIR, &d, &err), OK);
    return d;
}

#endif
