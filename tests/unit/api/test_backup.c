/*
 * A backup and its restoring on a full or broken disk: the k-th call of the disk fails. The command
 * says so, the backup before stays good until the new one is whole, and done again it succeeds.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api_stage.h"
#include "cmd.h"
#include "cmd_args.h"
#include "cutvfs.h"
#include "embed.h"

const ApiFiles embed_pathways;

static char base[64], county[128], copy[128], back[128];

static int silent(int (*command)(int, char **), int argc, char **argv)
{
    fflush(stdout);
    fflush(stderr);
    int out = dup(1), err = dup(2), nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    assert_true(out >= 0 && err >= 0 && nowhere >= 0);
    dup2(nowhere, 1);
    dup2(nowhere, 2);
    int rc = command(argc, argv);
    fflush(stdout);
    dup2(out, 1);
    dup2(err, 2);
    close(out);
    close(err);
    close(nowhere);
    return rc;
}

static int backup(void)
{
    char name[] = "backup", data[] = "--data", to[] = "--to";
    char *argv[] = {name, data, county, to, copy, NULL};
    return silent(cmd_backup, 5, argv);
}

static int restore(void)
{
    char name[] = "restore", data[] = "--data";
    char *argv[] = {name, copy, data, back, NULL};
    stage_remove(back);
    return silent(cmd_restore, 4, argv);
}

static void backup_holds(void)
{
    assert_int_equal(restore(), CMD_DONE);
    assert_int_equal(stage_check(back), 0);
}

typedef struct Way {
    unsigned ops;
    int error;
} Way;

static const Way WAYS[] = {{CUT_WRITE, ENOSPC}, {CUT_SYNC, EIO}, {CUT_NAME, EIO}, {CUT_READ, EIO}};

/* Until no call is left to fail; how many times it was refused. */
static int each_call(int (*command)(void), const Way *way, void (*after)(void))
{
    int refused = 0;
    bool hit = true;
    for (uint64_t k = 0; hit; k += 1 + k / 6) {
        cut_fail(way->ops, way->error, k, 1);
        int rc = command();
        hit = cut_fail_failed() > 0;
        cut_fail(0, 0, 0, 0);
        assert_true(rc == CMD_DONE || (hit && rc != CMD_WRONG_USE));
        refused += rc != CMD_DONE;
        if (rc != CMD_DONE) {
            after();
        }
    }
    return refused;
}

static void a_backup_that_fails_leaves_the_one_before(void **state)
{
    (void)state;
    assert_int_equal(backup(), CMD_DONE);
    for (size_t i = 0; i < sizeof WAYS / sizeof *WAYS; i++) {
        int refused = each_call(backup, &WAYS[i], backup_holds);
        print_message("backup, errno %d: %d refused\n", WAYS[i].error, refused);
        assert_true(refused > 0);
        assert_int_equal(backup(), CMD_DONE);
        backup_holds();
    }
}

static void nothing(void)
{
}

static void a_restore_that_fails_is_done_again(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof WAYS / sizeof *WAYS; i++) {
        int refused = each_call(restore, &WAYS[i], nothing);
        print_message("restore, errno %d: %d refused\n", WAYS[i].error, refused);
        assert_true(refused > 0);
        backup_holds();
    }
}

static int begin(void **state)
{
    (void)state;
    Stage stage;
    StoreReader *reader;
    test_folder(base);
    snprintf(county, sizeof county, "%s/county", base);
    snprintf(copy, sizeof copy, "%s/copy", base);
    snprintf(back, sizeof back, "%s/back", base);
    assert_int_equal(mkdir(county, 0700), 0);
    log_level_set((LogLevel)(LOG_ERROR + 1)); /* a bad disk is what they would tell of */
    cut_vfs_default(true);
    cut_start(base, 0, 1);
    assert_true(stage_open(&stage, county));
    assert_int_equal(store_reader_open(stage.api->store, &reader, &stage.err), OK);
    stage_fill(&stage, reader);
    store_reader_close(reader);
    stage_close(&stage);
    return 0;
}

static int end(void **state)
{
    (void)state;
    cut_end();
    cut_vfs_default(false);
    stage_remove(base);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_backup_that_fails_leaves_the_one_before),
        cmocka_unit_test(a_restore_that_fails_is_done_again),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
