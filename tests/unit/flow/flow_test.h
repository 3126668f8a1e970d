/* What the tests of this room share: packages read from folders. */
#ifndef FLOW_TEST_H
#define FLOW_TEST_H

#include "flow.h"

#include "test.h"

#define TEST_PACKAGES_MAX 20

typedef struct TestPackages {
    Arena arena;
    FlowPackageSource source[TEST_PACKAGES_MAX];
    size_t n;
} TestPackages;

void test_packages_init(TestPackages *p);
void test_packages_done(TestPackages *p);
/* Every package below dir. */
void test_packages_read(TestPackages *p, const char *dir);
FlowPackageSource *test_package(TestPackages *p, const char *name);
/* Replaces (or adds) one file of a package; the view must live as long as p. */
void test_file_set(TestPackages *p, FlowPackageSource *source, const char *path, Str bytes);
Str test_file(const FlowPackageSource *source, const char *path);
/* All issues in English, one a line. */
Str test_issues(Arena *a, const Err *err);
/* The whole story; prints the report when it fails. */
FlowStoryResult test_story(TestPackages *p, const char *name, bool print);

#endif
