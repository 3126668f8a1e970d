/*
 * The counts of public suites, kept in tests/passcounts.json: a flat object, name → number.
 * A count may rise (then write the new one there), never fall.
 */
#ifndef PASSCOUNTS_H
#define PASSCOUNTS_H

#include "json.h"

#include "test.h"

#ifndef PASSCOUNTS_FILE
#error "the build names PASSCOUNTS_FILE"
#endif

static inline void passcount_check(const char *name, int64_t got)
{
    Arena a;
    Err err;
    Str text;
    JsonDoc d;
    int64_t want = 0;
    arena_init(&a, 0);
    err_init(&err, &a);
    assert_int_equal(file_read(&a, PASSCOUNTS_FILE, 1 << 20, &text, &err), OK);
    assert_int_equal(json_parse(&a, text, &JSON_LIMITS_FHIR, &d, &err), OK);
    assert_true(json_to_i64(&d, json_get_c(&d, JSON_ROOT, name), &want));
    arena_done(&a);
    printf("%s: %lld (recorded: %lld)\n", name, (long long)got, (long long)want);
    if (got < want) {
        fail_msg("%s fell from %lld to %lld", name, (long long)want, (long long)got);
    }
}

#endif
