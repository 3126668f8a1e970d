#include "mk_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mk_memory.h"

#include "mk_banned.h"

#define BLOCK_BYTES ((size_t)1 << 20)

static Status copy_failed(Err *err, const char *path, int error)
{
    Status s = error == ENOENT                      ? ERR_NOT_FOUND
               : error == ENOSPC || error == EDQUOT ? ERR_STORAGE_FULL
                                                    : ERR_INTERNAL;
    char why[128];
    const char *text = strerror_r(error, why, sizeof why);
    return err_add(err, s, NULL, str_from_c(path), "无法复制文件：%s",
                   "The file cannot be copied: %s", text);
}

/* 0 or the errno. */
static int block_put(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t put = write(fd, p, n);
        if (put < 0 && errno != EINTR) {
            return errno;
        }
        p += put > 0 ? put : 0;
        n -= put > 0 ? (size_t)put : 0;
    }
    return 0;
}

/* to -1: only read. *ret_from_failed: the errno is of the reading side. */
static int bytes_copy(int from, int to, uint64_t bytes_max, FileSum *ret, bool *ret_from_failed)
{
    char *block = memory_take(BLOCK_BYTES);
    Sha256Run run;
    int error = 0;
    ssize_t got = 1;
    ret->bytes = 0;
    sha256_run_init(&run);
    while (!error && got > 0 && ret->bytes < bytes_max) {
        uint64_t left = bytes_max - ret->bytes;
        got = read(from, block, left < BLOCK_BYTES ? (size_t)left : BLOCK_BYTES);
        if (got < 0 && errno == EINTR) {
            got = 1;
            continue;
        }
        *ret_from_failed = got < 0;
        error = got < 0 ? errno : to < 0 ? 0 : block_put(to, block, (size_t)got);
        if (got > 0) {
            sha256_run_add(&run, (Str){block, (size_t)got});
            ret->bytes += (uint64_t)got;
        }
    }
    ret->sha = sha256_run_done(&run);
    free(block);
    return error;
}

static Status copy_to(int from, const char *from_path, const char *to, uint64_t bytes_max,
                      unsigned mode, FileSum *ret, Err *err)
{
    Arena a;
    arena_init(&a, 0);
    char *name = arena_cstr(&a, arena_cat(&a, str_from_c(to), STR(".tmp-XXXXXX")));
    bool from_failed = false;
    int fd = mkostemp(name, O_CLOEXEC);
    int error = fd < 0 ? errno : bytes_copy(from, fd, bytes_max, ret, &from_failed);
    if (!error && (fchmod(fd, mode) != 0 || fsync(fd) != 0)) {
        error = errno;
    }
    if (fd >= 0 && close(fd) != 0 && !error) {
        error = errno;
    }
    if (!error && rename(name, to) != 0) {
        error = errno;
    }
    if (error && fd >= 0) {
        unlink(name);
    }
    arena_done(&a);
    return error ? copy_failed(err, from_failed ? from_path : to, error) : OK;
}

Status file_copy(const char *from, const char *to, uint64_t bytes_max, unsigned mode, FileSum *ret,
                 Err *err)
{
    FileSum sum;
    bool from_failed;
    int fd = open(from, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return copy_failed(err, from, errno);
    }
    Status s = OK;
    if (to) {
        s = copy_to(fd, from, to, bytes_max, mode, &sum, err);
    } else {
        int error = bytes_copy(fd, -1, bytes_max, &sum, &from_failed);
        s = error ? copy_failed(err, from, error) : OK;
    }
    close(fd);
    TRY(s);
    *ret = sum;
    return OK;
}

int dir_fence(const char *folder, bool alone)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && flock(fd, (alone ? LOCK_EX : LOCK_SH) | LOCK_NB) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}
