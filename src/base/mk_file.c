#include "mk_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "mk_buf.h"

#include "mk_banned.h"

#define WALK_DEPTH_MAX 64

/* Says what the system refused; keeps the meaning of the errno. */
static Status file_failed(Err *err, const char *path, int error, const char *zh, const char *en)
{
    Status s = error == ENOENT || error == ENOTDIR  ? ERR_NOT_FOUND
               : error == EACCES || error == EPERM  ? ERR_FORBIDDEN
               : error == ENOSPC || error == EDQUOT ? ERR_STORAGE_FULL
                                                    : ERR_INTERNAL;
    char why[128];
    Buf said_zh, said_en;
    const char *text = strerror_r(error, why, sizeof why);
    buf_init(&said_zh, 0);
    buf_init(&said_en, 0);
    buf_printf(&said_zh, "%s %s：%s", zh, path, text);
    buf_printf(&said_en, "%s %s: %s", en, path, text);
    err_text(err, s, NULL, str_from_c(path), buf_str(&said_zh), buf_str(&said_en));
    buf_done(&said_zh);
    buf_done(&said_en);
    return s;
}

/* Up to max_bytes + 1 bytes; 0 or the errno. */
static int read_all(int fd, size_t size_hint, size_t max_bytes, Buf *b)
{
    for (;;) {
        size_t want = size_hint > b->n ? size_hint - b->n + 1 : 4096;
        want = b->n + want > max_bytes + 1 ? max_bytes + 1 - b->n : want;
        if (want == 0) {
            return 0;
        }
        buf_reserve(b, want);
        ssize_t got = read(fd, b->p + b->n, want);
        if (got == 0) {
            return 0;
        }
        if (got < 0 && errno != EINTR) {
            return errno;
        }
        b->n += got > 0 ? (size_t)got : 0;
    }
}

static Status read_open(Arena *a, int fd, const char *path, size_t max_bytes, Str *ret, Err *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return file_failed(err, path, errno, "无法读取文件", "Cannot read");
    }
    if (S_ISDIR(st.st_mode)) {
        return file_failed(err, path, EISDIR, "无法读取文件", "Cannot read");
    }
    Buf b;
    buf_init(&b, 0);
    int error = read_all(fd, (size_t)st.st_size, max_bytes, &b);
    Status s = OK;
    if (error) {
        s = file_failed(err, path, error, "无法读取文件", "Cannot read");
    } else if (b.n > max_bytes) {
        s = err_add(err, ERR_TOO_LARGE, NULL, str_from_c(path), "文件 %s 超过 %zu 字节",
                    "The file %s is larger than %zu bytes", path, max_bytes);
    } else {
        *ret = arena_str(a, buf_str(&b));
    }
    buf_done(&b);
    return s;
}

/* The standard input may be a socket, which has no name to be opened by. */
static int file_open(const char *path)
{
    return strcmp(path, "/dev/stdin") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
}

Status file_read(Arena *a, const char *path, size_t max_bytes, Str *ret, Err *err)
{
    int fd = file_open(path);
    if (fd < 0) {
        return file_failed(err, path, errno, "无法打开文件", "Cannot open");
    }
    Status s = read_open(a, fd, path, max_bytes, ret, err);
    close(fd);
    return s;
}

static int write_all(int fd, Str bytes, bool durable)
{
    while (bytes.n) {
        ssize_t put = write(fd, bytes.p, bytes.n);
        if (put < 0 && errno != EINTR) {
            return errno;
        }
        bytes = put > 0 ? str_skip(bytes, (size_t)put) : bytes;
    }
    return !durable || fsync(fd) == 0 ? 0 : errno;
}

static Status parent_sync(Arena *a, const char *path, Err *err)
{
    const char *slash = strrchr(path, '/');
    Str dir = !slash ? STR(".") : slash == path ? STR("/") : (Str){path, (size_t)(slash - path)};
    return dir_sync(arena_cstr(a, dir), err);
}

static Status file_write(const char *path, Str bytes, unsigned mode, bool durable, Err *err)
{
    Arena a;
    arena_init(&a, 0);
    Str temporary = arena_cat(&a, str_from_c(path), STR(".tmp-XXXXXX"));
    char *name = arena_cstr(&a, temporary);
    int fd = mkostemp(name, O_CLOEXEC);
    int error = fd < 0 ? errno : write_all(fd, bytes, durable);
    if (!error && fchmod(fd, mode) != 0) {
        error = errno;
    }
    if (fd >= 0 && close(fd) != 0 && !error) {
        error = errno;
    }
    if (!error && rename(name, path) != 0) {
        error = errno;
    }
    if (error && fd >= 0) {
        unlink(name);
    }
    Status s = error     ? file_failed(err, path, error, "无法写入文件", "Cannot write")
               : durable ? parent_sync(&a, path, err)
                         : OK;
    arena_done(&a);
    return s;
}

Status file_write_durable(const char *path, Str bytes, unsigned mode, Err *err)
{
    return file_write(path, bytes, mode, true, err);
}

Status file_write_later(const char *path, Str bytes, unsigned mode, Err *err)
{
    return file_write(path, bytes, mode, false, err);
}

Status disk_sync(const char *path, Err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int error = fd < 0 || syncfs(fd) != 0 ? errno : 0;
    if (fd >= 0) {
        close(fd);
    }
    return error ? file_failed(err, path, error, "无法写入磁盘", "Cannot sync the disk of") : OK;
}

bool file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

Status dir_make(const char *path, unsigned mode, Err *err)
{
    Arena a;
    arena_init(&a, 0);
    char *p = arena_cstr(&a, str_from_c(path));
    Status s = OK;
    for (char *at = p + 1; s == OK; at++) {
        if (*at != '/' && *at != 0) {
            continue;
        }
        char end = *at;
        *at = 0;
        if (mkdir(p, mode) != 0 && errno != EEXIST) {
            s = file_failed(err, p, errno, "无法创建目录", "Cannot make the folder");
        }
        *at = end;
        if (end == 0) {
            break;
        }
    }
    arena_done(&a);
    struct stat st;
    if (s == OK && (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))) {
        return file_failed(err, path, ENOTDIR, "不是目录", "Not a folder");
    }
    return s;
}

Status dir_sync(const char *path, Err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return file_failed(err, path, errno, "无法打开目录", "Cannot open the folder");
    }
    int error = fsync(fd) == 0 ? 0 : errno;
    close(fd);
    return error ? file_failed(err, path, error, "无法同步目录", "Cannot sync the folder") : OK;
}

Status disk_space(const char *path, uint64_t *ret_free, uint64_t *ret_total, Err *err)
{
    struct statvfs st;
    if (statvfs(path, &st) != 0) {
        return file_failed(err, path, errno, "无法查看磁盘空间", "Cannot look at the space of");
    }
    *ret_free = (uint64_t)st.f_bavail * st.f_frsize;
    *ret_total = (uint64_t)st.f_blocks * st.f_frsize;
    return OK;
}

Str path_join(Arena *a, Str dir, Str name)
{
    return str_empty(dir) || str_ends(dir, STR("/")) ? arena_cat(a, dir, name)
                                                     : arena_cat(a, dir, STR("/"), name);
}

typedef struct Walk {
    Arena *arena;
    Status (*fn)(void *ctx, Str relative, Err *err);
    void *ctx;
} Walk;

typedef struct Names {
    Str *at;
    size_t n, room;
} Names;

static void names_add(Arena *a, Names *list, Str name)
{
    if (list->n == list->room) {
        Str *more = arena_array(a, Str, list->room ? list->room * 2 : 32);
        if (list->n) {
            memcpy(more, list->at, list->n * sizeof *more);
        }
        list->at = more;
        list->room = list->room ? list->room * 2 : 32;
    }
    list->at[list->n++] = name;
}

static int name_order(const void *a, const void *b)
{
    return str_cmp(*(const Str *)a, *(const Str *)b);
}

/* Names of files, and of folders with a '/' behind, so that sorting them sorts the paths. */
static Status names_read(Walk *w, const char *dir, Names *list, Err *err)
{
    DIR *d = opendir(dir);
    if (!d) {
        return file_failed(err, dir, errno, "无法打开目录", "Cannot open the folder");
    }
    for (struct dirent *e = readdir(d); e; e = readdir(d)) {
        struct stat st, link;
        Str name = str_from_c(e->d_name);
        if (str_is(name, ".") || str_is(name, "..") || fstatat(dirfd(d), e->d_name, &st, 0) != 0 ||
            fstatat(dirfd(d), e->d_name, &link, AT_SYMLINK_NOFOLLOW) != 0) {
            continue;
        }
        if (S_ISREG(st.st_mode)) {
            names_add(w->arena, list, arena_str(w->arena, name));
        } else if (S_ISDIR(link.st_mode)) {
            names_add(w->arena, list, arena_cat(w->arena, name, STR("/")));
        }
    }
    closedir(d);
    if (list->n) {
        qsort(list->at, list->n, sizeof *list->at, name_order);
    }
    return OK;
}

static Status walk(Walk *w, Str dir, Str relative, int depth, Err *err)
{
    if (depth > WALK_DEPTH_MAX) {
        return err_add(err, ERR_TOO_LARGE, NULL, dir, "目录嵌套过深",
                       "Folders are nested too deep");
    }
    Names list = {0};
    TRY(names_read(w, arena_cstr(w->arena, dir), &list, err));
    for (size_t i = 0; i < list.n; i++) {
        Str path = arena_cat(w->arena, relative, list.at[i]);
        if (str_ends(path, STR("/"))) {
            TRY(walk(w, path_join(w->arena, dir, list.at[i]), path, depth + 1, err));
        } else {
            TRY(w->fn(w->ctx, path, err));
        }
    }
    return OK;
}

Status dir_walk(Arena *a, const char *dir, Status (*fn)(void *ctx, Str relative, Err *err),
                void *ctx, Err *err)
{
    Walk w = {a, fn, ctx};
    return walk(&w, str_from_c(dir), STR_NONE, 0, err);
}
