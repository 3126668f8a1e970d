/* What a test of a reader has, new each time: cmocka_unit_test_setup_teardown(x, setup, teardown).
 */
#ifndef ECG_FIXTURE_H
#define ECG_FIXTURE_H

#include "ecg_make.h"

typedef struct Fixture {
    Arena arena;
    Err err;
    EcgRecording rec;
} Fixture;

static inline int setup(void **state)
{
    Fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    arena_init(&f->arena, 512u << 20);
    err_init(&f->err, &f->arena);
    *state = f;
    return 0;
}

static inline int teardown(void **state)
{
    Fixture *f = *state;
    arena_done(&f->arena);
    free(f);
    return 0;
}

#endif
