/* Blobs: DIR/blobs/aa/<sha256>, on disk under their final name before the call returns. */
#include <sys/stat.h>

#include "store_inner.h"

#include "mk_banned.h"

static Str blob_folder(const Store *s, Arena *a, Str sha)
{
    return arena_printf(a, "%.*s/blobs/%.2s", STR_ARG(s->dir), sha.p);
}

static Status folder_make(const Store *s, Arena *a, const char *folder, Err *err)
{
    if (file_exists(folder)) {
        return OK;
    }
    TRY(dir_make(folder, 0700, err));
    return dir_sync(path_join(a, s->dir, STR("blobs")).p, err);
}

Status store_blob_put(Store *s, Arena *a, Str bytes, Str *ret_sha, Err *err)
{
    Sha256 digest = sha256(bytes);
    Str sha = hex_encode(a, digest.b, sizeof digest.b);
    const char *folder = blob_folder(s, a, sha).p;
    TRY(folder_make(s, a, folder, err));
    const char *path = path_join(a, str_from_c(folder), sha).p;
    /* Written again even if it is there: an earlier writer may not have come to its fsync. */
    TRY(file_write_durable(path, bytes, 0600, err));
    *ret_sha = sha;
    return OK;
}

Status store_blob_get(Store *s, Arena *a, Str sha, Str *ret_bytes, Err *err)
{
    uint8_t raw[32];
    if (sha.n != 64 || !hex_decode(sha, raw, sizeof raw)) {
        return err_status(err, ERR_NOT_FOUND);
    }
    const char *path = path_join(a, blob_folder(s, a, sha), sha).p;
    Str bytes;
    Status st = file_read(a, path, STORE_BODY_BYTES_MAX, &bytes, NULL);
    if (st != OK) {
        return err_add(err, st, NULL, STR_NONE, "没有找到文件内容 %.*s",
                       "The content %.*s was not found", STR_ARG(sha));
    }
    Sha256 found = sha256(bytes);
    if (memcmp(found.b, raw, sizeof raw) != 0) {
        return err_add(err, ERR_INTERNAL, NULL, STR_NONE, "文件内容 %.*s 已损坏",
                       "The content %.*s is damaged", STR_ARG(sha));
    }
    *ret_bytes = bytes;
    return OK;
}
