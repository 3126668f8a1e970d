#include "store_blob_part.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store_inner.h"

#include "mk_banned.h"

static void blob_close(void *arg)
{
    close(((StoreBlob *)arg)->fd);
}

Status store_blob_open(const Store *s, Arena *a, Str sha, StoreBlob **ret, Err *err)
{
    uint8_t raw[32];
    struct stat st;
    if (sha.n != 64 || !hex_decode(sha, raw, sizeof raw)) {
        return err_status(err, ERR_NOT_FOUND);
    }
    Str path = arena_printf(a, "%.*s/blobs/%.2s/%.*s", STR_ARG(s->dir), sha.p, STR_ARG(sha));
    StoreBlob *b = arena_new(a, StoreBlob);
    b->fd = open(path.p, O_RDONLY | O_CLOEXEC);
    if (b->fd < 0) {
        return err_add(err, ERR_NOT_FOUND, NULL, STR_NONE, "没有找到文件内容 %.*s",
                       "The content %.*s was not found", STR_ARG(sha));
    }
    arena_defer(a, blob_close, b);
    if (fstat(b->fd, &st) != 0) {
        return err_add(err, ERR_INTERNAL, NULL, STR_NONE, "无法读取文件内容 %.*s：%s",
                       "The content %.*s cannot be read: %s", STR_ARG(sha), strerror(errno));
    }
    b->size = (uint64_t)st.st_size;
    *ret = b;
    return OK;
}

Status store_blob_part(void *blob, uint64_t at, size_t n, char *to, Err *err)
{
    const StoreBlob *b = blob;
    for (size_t done = 0; done < n;) {
        ssize_t some = pread(b->fd, to + done, n - done, (off_t)(at + done));
        if (some < 0 && errno == EINTR) {
            continue;
        }
        if (some <= 0) {
            return err_add(err, ERR_INTERNAL, NULL, STR_NONE, "无法读取文件内容：%s",
                           "The content cannot be read: %s", some < 0 ? strerror(errno) : "EOF");
        }
        done += (size_t)some;
    }
    return OK;
}
