/* The audit's folder at rest: its key, and where the chain ends after a crash. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access_audit.h"
#include "access_inner.h"
#include "access_keep.h"
#include "access_segment.h"
#include "access_trail.h"

#include "mk_banned.h"

#define TAIL_LOOK_BYTES ((off_t)32 << 20) /* more than one batch: what a crash may have torn */

/* ---- The key ----------------------------------------------------------------------------
 */

Status audit_key_read(Arena *a, const char *path, Str *ret, Err *err)
{
    Str text;
    TRY(file_read(a, path, 1024, &text, err));
    char *key = arena_alloc(a, CHAIN_KEY_BYTES);
    if (!hex_decode(str_trim(text), key, CHAIN_KEY_BYTES)) {
        return err_add(err, ERR_CONFLICT, NULL, str_from_c(path), "审计密钥文件已损坏：%s",
                       "The audit's key file is damaged: %s", path);
    }
    *ret = (Str){key, CHAIN_KEY_BYTES};
    return OK;
}

static Status key_make(Arena *a, const char *path, Str *ret, Err *err)
{
    Random random;
    char *key = arena_alloc(a, CHAIN_KEY_BYTES);
    random_init_system(&random);
    random_bytes(&random, key, CHAIN_KEY_BYTES);
    TRY(file_write_durable(path, arena_cat(a, hex_encode(a, key, CHAIN_KEY_BYTES), STR("\n")), 0600,
                           err));
    *ret = (Str){key, CHAIN_KEY_BYTES};
    return OK;
}

/* ---- The end ----------------------------------------------------------------------------------
 */

static Status end_bytes(Arena *a, int fd, const char *path, Str *ret, off_t *ret_size, Err *err)
{
    off_t size = lseek(fd, 0, SEEK_END);
    off_t from = size > TAIL_LOOK_BYTES ? size - TAIL_LOOK_BYTES : 0;
    if (size < 0) {
        return segment_failed(err, path);
    }
    char *bytes = arena_alloc(a, (size_t)(size - from) + 1);
    for (off_t at = from; at < size;) {
        ssize_t n = pread(fd, bytes + (at - from), (size_t)(size - at), at);
        if (n <= 0) {
            return segment_failed(err, path);
        }
        at += n;
    }
    *ret = (Str){bytes, (size_t)(size - from)};
    *ret_size = size;
    return OK;
}

/* Bytes up to and with the last line end. */
static Str whole_lines(Str bytes)
{
    size_t n = bytes.n;
    while (n > 0 && bytes.p[n - 1] != '\n') {
        n--;
    }
    return str_take(bytes, n);
}

static Str last_line(Str lines)
{
    size_t from = lines.n ? lines.n - 1 : 0;
    while (from > 0 && lines.p[from - 1] != '\n') {
        from--;
    }
    return str_skip(lines, from);
}

/*
 * What a crash left of the last batch: its end may be missing, and sectors within it (they read as
 * zeros, which no record holds). The whole lines before that; nothing that log.db already knows is
 * taken for torn.
 */
static Str sound_lines(Str bytes, uint64_t head_n, bool first)
{
    Str lines = whole_lines(bytes);
    ptrdiff_t hole = str_find_char(lines, '\0');
    if (hole < 0) {
        return lines;
    }
    uint64_t n = 0;
    Sha256 mac;
    Str before = whole_lines(str_take(lines, (size_t)hole));
    bool known =
        before.n ? !chain_stated(last_line(before), &n, &mac) || n < head_n : first && head_n > 0;
    return known ? lines : before;
}

/* Takes the last line of one segment; cuts a torn end off. An empty segment leaves *ret as it is.
 */
static Status segment_end(Arena *a, const char *path, bool first, AuditTail *ret, Err *err)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        return segment_failed(err, path);
    }
    Str bytes = STR_NONE;
    off_t size = 0;
    Status status = end_bytes(a, fd, path, &bytes, &size, err);
    if (status == OK) {
        Str lines = sound_lines(bytes, ret->head_n, first), last = last_line(lines);
        ret->torn_bytes = bytes.n - lines.n;
        if (ret->torn_bytes &&
            (ftruncate(fd, size - (off_t)ret->torn_bytes) != 0 || fsync(fd) != 0)) {
            status = segment_failed(err, path);
        } else if (last.n && !chain_stated(last, &ret->n, &ret->mac)) {
            ret->cut = true; /* not a line of ours: noted, and by check found again */
        }
    }
    close(fd);
    return status;
}

/* Of a closed one, where the newest has nothing yet. */
static Status packed_end(const char *path, AuditTail *ret, Err *err)
{
    SegmentFrames f;
    Str lines;
    bool more = true;
    TRY(segment_frames_open(path, &f, err));
    Status status = OK;
    while (status == OK && more) {
        status = segment_frames_next(&f, &lines, &more, err);
        if (status == OK && more && !chain_stated(last_line(lines), &ret->n, &ret->mac)) {
            ret->cut = true;
        }
    }
    segment_frames_close(&f);
    return status;
}

static Status tail_find(Arena *a, const char *folder, const SegmentList *segments, AuditTail *ret,
                        Err *err)
{
    uint64_t torn = 0;
    for (size_t i = segments->n; i > 0 && ret->n == 0; i--) {
        const Segment *s = &segments->at[i - 1];
        const char *path = segment_path(a, folder, s);
        TRY(s->packed ? packed_end(path, ret, err) : segment_end(a, path, i == 1, ret, err));
        torn += s->packed ? 0 : ret->torn_bytes;
    }
    ret->torn_bytes = torn;
    if (segments->n) {
        memcpy(ret->day, segments->at[segments->n - 1].day, SEGMENT_DAY_BYTES + 1);
    }
    return OK;
}

Status audit_place_read(StoreReader *r, Arena *a, Str name, uint64_t *ret_n, Sha256 *ret_mac,
                        Err *err)
{
    Str text;
    *ret_n = 0;
    Status s = store_setting_get(r, a, store_folder_setting(store_of(r), a, name), &text, NULL);
    if (s == ERR_NOT_FOUND || (s == OK && str_empty(text))) {
        return OK; /* at birth */
    }
    if (s != OK) {
        return err_status(err, s);
    }
    if (!chain_head_parse(text, ret_n, ret_mac)) {
        return err_add(err, ERR_CONFLICT, NULL, STR_NONE, "日志库中的审计链头已损坏",
                       "The audit's head in log.db is damaged");
    }
    return OK;
}

static Status head_load(Store *s, Arena *a, uint64_t *ret_n, Sha256 *ret_mac, Err *err)
{
    StoreReader *r;
    TRY(store_reader_open(s, &r, err));
    Status status = audit_place_read(r, a, STR(AUDIT_HEAD), ret_n, ret_mac, err);
    store_reader_close(r);
    return status;
}

static void head_compare(AuditTail *tail, const Sha256 *mac)
{
    bool same = tail->head_n != tail->n || tail->n == 0 ||
                bytes_equal_const(mac->b, tail->mac.b, sizeof mac->b);
    tail->cut |= tail->n < tail->head_n || !same;
}

Status audit_prepare(Store *s, Arena *a, const char *dir, const char *folder, Str *ret_key,
                     AuditTail *ret, Err *err)
{
    AuditTail tail = {0};
    Sha256 head_mac = {0};
    SegmentList segments;
    const char *key_path = path_join(a, str_from_c(dir), STR("audit.key")).p;
    TRY(dir_make(folder, 0700, err));
    TRY(dir_sync(dir, err));
    TRY(segment_list(a, folder, &segments, err));
    if (file_exists(key_path)) {
        TRY(audit_key_read(a, key_path, ret_key, err));
    } else if (segments.n > 0) {
        return err_add(err, ERR_CONFLICT, NULL, str_from_c(key_path), "有审计记录但没有密钥文件 %s",
                       "There are audit records but no key file %s", key_path);
    } else {
        TRY(key_make(a, key_path, ret_key, err));
    }
    TRY(head_load(s, a, &tail.head_n, &head_mac, err));
    TRY(tail_find(a, folder, &segments, &tail, err));
    head_compare(&tail, &head_mac);
    *ret = tail;
    return OK;
}

/* ---- What a copy needs ------------------------------------------------------------------------
 */

static Status whole_bytes(Arena *a, const char *path, uint64_t *ret, Err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    Str bytes = STR_NONE;
    off_t size = 0;
    if (fd < 0) {
        return segment_failed(err, path);
    }
    Status status = end_bytes(a, fd, path, &bytes, &size, err);
    close(fd);
    TRY(status);
    *ret = (uint64_t)size - (bytes.n - whole_lines(bytes).n);
    return OK;
}

Status access_audit_files(Arena *a, const char *dir,
                          Status (*fn)(void *ctx, Str relative, uint64_t bytes, Err *err),
                          void *ctx, Err *err)
{
    SegmentList list;
    const char *folder = path_join(a, str_from_c(dir), STR("audit")).p;
    if (!file_exists(folder)) {
        return OK; /* never served */
    }
    TRY(segment_list(a, folder, &list, err));
    for (size_t i = 0; i < list.n; i++) {
        Arena scratch;
        struct stat st;
        uint64_t bytes = 0;
        arena_init(&scratch, 0);
        const char *path = segment_path(&scratch, folder, &list.at[i]);
        Status status = stat(path, &st) == 0 ? OK : segment_failed(err, path);
        bytes = status == OK ? (uint64_t)st.st_size : 0;
        if (status == OK && i + 1 == list.n && !list.at[i].packed) {
            status = whole_bytes(&scratch, path, &bytes, err);
        }
        Str relative = str_skip(str_from_c(path), strlen(dir) + 1);
        status = status == OK ? fn(ctx, relative, bytes, err) : status;
        arena_done(&scratch);
        TRY(status);
    }
    return OK;
}
