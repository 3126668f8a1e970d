/* What every cmocka test needs in front of cmocka.h, and the helpers they share. */
#ifndef TEST_H
#define TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mk.h"

#define assert_str(got, want)                                                                      \
    do {                                                                                           \
        Str got_ = (got), want_ = str_from_c(want);                                                \
        if (!str_eq(got_, want_)) {                                                                \
            fail_msg("\"%.*s\" is not \"%.*s\"", STR_ARG(got_), STR_ARG(want_));                   \
        }                                                                                          \
    } while (0)

/* The folder of a public suite, or NULL after saying loudly that the test is skipped. */
static inline const char *suite_folder(Arena *a, const char *name)
{
    const char *root = getenv("MENKOU_SUITES");
    Str path = root ? path_join(a, str_from_c(root), str_from_c(name)) : STR_NONE;
    if (!root || !file_exists(path.p)) {
        printf("SKIPPED %s: MENKOU_SUITES does not name a folder that has it\n", name);
        return NULL;
    }
    return path.p;
}

/* A new empty folder below $TMPDIR, which tests/run.mjs lays into memory where it can. */
#define TEST_FOLDER_MAX 64
static inline char *test_folder(char out[TEST_FOLDER_MAX])
{
    const char *root = getenv("TMPDIR");
    snprintf(out, TEST_FOLDER_MAX, "%s/menkou-test-XXXXXX",
             root && strlen(root) < TEST_FOLDER_MAX - 24 ? root : "/tmp");
    assert_non_null(mkdtemp(out));
    return out;
}

#endif
