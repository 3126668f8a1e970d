/*
 * A PostgreSQL for tests: the one that MENKOU_PG names (tests/run.mjs starts one for all), else a
 * server of this program's own, ended with it. Each test takes a schema of its own.
 */
#ifndef TEST_PG_H
#define TEST_PG_H

#include <sys/statvfs.h>
#include <unistd.h>

#include "test.h"

static char test_pg_folder[TEST_FOLDER_MAX];

static inline void test_pg_end(void)
{
    char command[512];
    snprintf(command, sizeof command, "%s stop %s", TEST_PG_PROGRAM, test_pg_folder);
    if (system(command) != 0) {
        printf("PostgreSQL of the tests could not be ended\n");
    }
}

/* NULL after saying loudly that the tests are skipped: there is no server on this machine. */
static inline const char *test_pg_address(void)
{
    static char address[256];
    const char *given = getenv("MENKOU_PG");
    if ((given && *given) || address[0]) {
        return given && *given ? given : address;
    }
    char command[512];
    struct statvfs memory;
    bool room = statvfs("/dev/shm", &memory) == 0 &&
                (uint64_t)memory.f_bavail * memory.f_frsize > (uint64_t)1 << 30;
    snprintf(test_pg_folder, sizeof test_pg_folder, "%s/mkpg-%d", room ? "/dev/shm" : "/tmp",
             (int)getpid());
    snprintf(command, sizeof command, "%s start %s", TEST_PG_PROGRAM, test_pg_folder);
    FILE *f = popen(command, "r");
    assert_non_null(f);
    bool got = fgets(address, sizeof address, f) != NULL;
    address[strcspn(address, "\n")] = '\0';
    if (pclose(f) != 0 || !got) {
        printf("SKIPPED on PostgreSQL: no server of version 15 or later can be started here\n");
        address[0] = '\0';
        return NULL;
    }
    atexit(test_pg_end);
    return address;
}

#endif
