/* The program's own file calls, made to pass here by the linker (--wrap, see
 * tests/meson.build). Files are of 64 bits everywhere here, so the C library's names end in 64. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cutdisk.h"

#define WRAP(type, name, ...)                                                                      \
    type __real_##name(__VA_ARGS__);                                                               \
    type __wrap_##name(__VA_ARGS__)

WRAP(int, open64, const char *path, int flags, ...);
WRAP(ssize_t, read, int fd, void *p, size_t n);
WRAP(ssize_t, pread64, int fd, void *p, size_t n, off_t at);
WRAP(ssize_t, write, int fd, const void *p, size_t n);
WRAP(ssize_t, pwrite64, int fd, const void *p, size_t n, off_t at);
WRAP(int, ftruncate64, int fd, off_t size);
WRAP(int, fsync, int fd);
WRAP(int, fdatasync, int fd);
WRAP(int, rename, const char *from, const char *to);
WRAP(int, unlink, const char *path);
WRAP(int, mkdir, const char *path, mode_t mode);

static bool path_of(int fd, char path[CUT_PATH_MAX])
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, CUT_PATH_MAX - 1);
    path[n > 0 ? n : 0] = 0;
    return n > 0;
}

/* Leaves the disk; true, with errno, when the call fails. */
static bool refused(int error)
{
    disk_leave();
    if (error) {
        errno = error;
    }
    return error != 0;
}

int __wrap_open64(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    disk_enter();
    bool ours = disk_has(path), makes = ours && flags & O_CREAT && access(path, F_OK) != 0;
    int error = makes ? disk_call(CUT_NAME) : ours && disk_is_dead() ? EIO : 0;
    if (makes && !error) {
        disk_file(path);
    }
    return refused(error) ? -1 : __real_open64(path, flags, mode);
}

static int read_call(int fd)
{
    char path[CUT_PATH_MAX];
    return path_of(fd, path) && disk_has(path) ? disk_call(CUT_READ) : 0;
}

ssize_t __wrap_read(int fd, void *p, size_t n)
{
    disk_enter();
    return refused(read_call(fd)) ? -1 : __real_read(fd, p, n);
}

ssize_t __wrap_pread64(int fd, void *p, size_t n, off_t at)
{
    disk_enter();
    return refused(read_call(fd)) ? -1 : __real_pread64(fd, p, n, at);
}

static int write_call(int fd, const void *p, size_t n, off_t at)
{
    char path[CUT_PATH_MAX];
    if (!path_of(fd, path) || !disk_has(path)) {
        return 0;
    }
    int error = disk_call(CUT_WRITE);
    if (!error) {
        disk_write(path, p, (int64_t)n, at);
    }
    return error;
}

ssize_t __wrap_write(int fd, const void *p, size_t n)
{
    disk_enter();
    return refused(write_call(fd, p, n, lseek(fd, 0, SEEK_CUR))) ? -1 : __real_write(fd, p, n);
}

ssize_t __wrap_pwrite64(int fd, const void *p, size_t n, off_t at)
{
    disk_enter();
    return refused(write_call(fd, p, n, at)) ? -1 : __real_pwrite64(fd, p, n, at);
}

int __wrap_ftruncate64(int fd, off_t size)
{
    char path[CUT_PATH_MAX];
    disk_enter();
    bool ours = path_of(fd, path) && disk_has(path);
    int error = ours ? disk_call(CUT_WRITE) : 0;
    if (ours && !error) {
        disk_truncate(path, size);
    }
    return refused(error) ? -1 : __real_ftruncate64(fd, size);
}

static bool sync_model(int fd, int *ret_error)
{
    char path[CUT_PATH_MAX];
    struct stat st;
    if (!path_of(fd, path) || (!disk_is_root(path) && !disk_has(path))) {
        return false;
    }
    *ret_error = disk_sync_call(path);
    if (*ret_error) {
        return true;
    }
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        disk_sync_folder(path);
    } else {
        disk_sync_file(path);
    }
    return true;
}

int __wrap_fsync(int fd)
{
    int error = 0;
    disk_enter();
    bool ours = sync_model(fd, &error);
    return refused(error) ? -1 : ours ? 0 : __real_fsync(fd);
}

int __wrap_fdatasync(int fd)
{
    int error = 0;
    disk_enter();
    bool ours = sync_model(fd, &error);
    return refused(error) ? -1 : ours ? 0 : __real_fdatasync(fd);
}

int __wrap_rename(const char *from, const char *to)
{
    disk_enter();
    bool ours = disk_has(to);
    int error = ours ? disk_call(CUT_NAME) : 0;
    if (ours && !error) {
        disk_rename(from, to);
    }
    return refused(error) ? -1 : __real_rename(from, to);
}

int __wrap_unlink(const char *path)
{
    disk_enter();
    bool ours = disk_has(path);
    int error = ours ? disk_call(CUT_NAME) : 0;
    if (ours && !error) {
        disk_remove(path, false);
    }
    return refused(error) ? -1 : __real_unlink(path);
}

int __wrap_mkdir(const char *path, mode_t mode)
{
    disk_enter();
    bool makes = disk_has(path) && access(path, F_OK) != 0;
    int error = makes ? disk_call(CUT_NAME) : 0;
    if (makes && !error) {
        disk_folder(path);
    }
    return refused(error) ? -1 : __real_mkdir(path, mode);
}
