/* Blobs: DIR/blobs/aa/<sha256>, on disk under their final name before the call returns; in a bulk
 * load when its maker calls disk_sync. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store_binary.h"
#include "store_inner.h"

#include "mk_banned.h"

/* From the blob's writing to the commit of its Binary: far longer than any request may take. */
#define BLOB_ON_ITS_WAY_MS MS_HOUR

static Str blob_folder(const Store *s, Arena *a, Str sha)
{
    return arena_printf(a, "%.*s/blobs/%.2s", STR_ARG(s->dir), sha.p);
}

/* A folder that another thread has just made is not durable before somebody has synced it. */
static Status folder_make(Store *s, Arena *a, const Sha256 *sha, const char *folder, Err *err)
{
    _Atomic bool *durable = &s->blob_folder_durable[sha->b[0]];
    if (atomic_load(durable)) {
        return OK;
    }
    TRY(dir_make(folder, 0700, err));
    TRY(s->options.bulk ? OK : dir_sync(path_join(a, s->dir, STR("blobs")).p, err));
    atomic_store(durable, true);
    return OK;
}

/* With the lock held: forgets what was put long ago. */
static void puts_prune(Store *s, int64_t now_ms)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->blob_put_n; i++) {
        if (now_ms - s->blob_put[i].mono_ms < BLOB_ON_ITS_WAY_MS) {
            s->blob_put[kept++] = s->blob_put[i];
        }
    }
    s->blob_put_n = kept;
}

static void put_note(Store *s, const Sha256 *sha)
{
    int64_t now_ms = time_mono_ms();
    pthread_mutex_lock(&s->lock);
    if (s->blob_put_n == s->blob_put_room) {
        puts_prune(s, now_ms);
    }
    if (s->blob_put_n == s->blob_put_room) {
        s->blob_put_room = s->blob_put_room ? s->blob_put_room * 2 : 16;
        s->blob_put = memory_grow(s->blob_put, s->blob_put_room * sizeof *s->blob_put);
    }
    s->blob_put[s->blob_put_n++] = (BlobPut){*sha, now_ms};
    pthread_mutex_unlock(&s->lock);
}

/* With the lock held. */
static bool put_lately(Store *s, const uint8_t sha[32])
{
    puts_prune(s, time_mono_ms());
    for (size_t i = 0; i < s->blob_put_n; i++) {
        if (memcmp(s->blob_put[i].sha.b, sha, 32) == 0) {
            return true;
        }
    }
    return false;
}

Status store_blob_put(Store *s, Arena *a, Str bytes, Str *ret_sha, Err *err)
{
    Sha256 digest = sha256(bytes);
    Str sha = hex_encode(a, digest.b, sizeof digest.b);
    const char *folder = blob_folder(s, a, sha).p;
    put_note(s, &digest); /* before its file is there, so that no removal takes it */
    TRY(folder_make(s, a, &digest, folder, err));
    const char *path = path_join(a, str_from_c(folder), sha).p;
    /* Written again even if it is there: an earlier writer may not have come to its fsync. */
    TRY(s->options.bulk ? file_write_later(path, bytes, 0600, err)
                        : file_write_durable(path, bytes, 0600, err));
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

Status blob_there(Store *s, Arena *a, Str body, Err *err)
{
    JsonDoc d;
    uint8_t raw[32];
    if (str_find(body, STR(STORE_BLOB_SYSTEM)) < 0 ||
        json_parse(a, body, &JSON_LIMITS_FHIR, &d, NULL) != OK) {
        return OK;
    }
    Str sha = store_binary_sha(&d);
    if (sha.n != 64 || !hex_decode(sha, raw, sizeof raw) ||
        file_exists(path_join(a, blob_folder(s, a, sha), sha).p)) {
        return OK;
    }
    pthread_mutex_lock(&s->lock);
    bool lately = put_lately(s, raw);
    pthread_mutex_unlock(&s->lock);
    return lately ? err_add(err, ERR_UNAVAILABLE, NULL, STR_NONE, "同样的内容刚被清除，请重新上传",
                            "The same bytes were purged a moment ago; send them again")
                  : OK;
}

int blob_fence(const Store *s, Arena *a)
{
    return dir_fence(path_join(a, s->dir, STR("blobs")).p, true);
}

Status blob_unlink(Store *s, Arena *a, Str sha, Err *err)
{
    uint8_t raw[32];
    if (sha.n != 64 || !hex_decode(sha, raw, sizeof raw)) {
        return err_status(err, ERR_NOT_FOUND);
    }
    const char *path = path_join(a, blob_folder(s, a, sha), sha).p;
    pthread_mutex_lock(&s->lock);
    bool kept = put_lately(s, raw);
    int reason = kept || unlink(path) == 0 || errno == ENOENT ? 0 : errno;
    pthread_mutex_unlock(&s->lock);
    if (reason) {
        return err_add(err, ERR_INTERNAL, NULL, STR_NONE, "无法删除文件内容 %.*s：%s",
                       "The content %.*s cannot be removed: %s", STR_ARG(sha), strerror(reason));
    }
    return OK;
}
