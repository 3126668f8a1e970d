#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access_audit.h"
#include "access_inner.h"

#include "mk_banned.h"

#define TAIL_LOOK_BYTES    ((off_t)32 << 20) /* more than one batch: what a crash may have torn */
#define READ_BYTES         ((size_t)1 << 20)
#define LINE_BYTES_MAX     ((size_t)128 << 10)
#define SEGMENT_NAME_BYTES (sizeof "2026-11-22.log" - 1)

/* ---- Key and names ----------------------------------------------------------------------------
 */

static Status key_read(Arena *a, const char *path, Str *ret, Err *err)
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

typedef struct Segments {
    Arena *arena;
    Str *name;
    size_t n, room;
} Segments;

static Status segment_seen(void *ctx, Str relative, Err *err)
{
    (void)err;
    Segments *s = ctx;
    if (relative.n != SEGMENT_NAME_BYTES || !str_ends(relative, STR(".log"))) {
        return OK;
    }
    if (s->n == s->room) {
        size_t room = s->room ? s->room * 2 : 64;
        Str *wider = arena_array(s->arena, Str, room);
        if (s->n) {
            memcpy(wider, s->name, s->n * sizeof *wider);
        }
        s->name = wider;
        s->room = room;
    }
    s->name[s->n++] = arena_str(s->arena, relative);
    return OK;
}

/* In order of the day, which is the order of the names. */
static Status segments_list(Arena *a, const char *folder, Segments *ret, Err *err)
{
    *ret = (Segments){.arena = a};
    return dir_walk(a, folder, segment_seen, ret, err);
}

/* ---- The end ----------------------------------------------------------------------------------
 */

static Status cannot_read(Err *err, const char *path)
{
    return err_add(err, ERR_UNAVAILABLE, NULL, str_from_c(path), "审计文件无法读取：%s",
                   "The audit file cannot be read: %s", path);
}

static Status end_bytes(Arena *a, int fd, const char *path, Str *ret, off_t *ret_size, Err *err)
{
    off_t size = lseek(fd, 0, SEEK_END);
    off_t from = size > TAIL_LOOK_BYTES ? size - TAIL_LOOK_BYTES : 0;
    if (size < 0) {
        return cannot_read(err, path);
    }
    char *bytes = arena_alloc(a, (size_t)(size - from) + 1);
    for (off_t at = from; at < size;) {
        ssize_t n = pread(fd, bytes + (at - from), (size_t)(size - at), at);
        if (n <= 0) {
            return cannot_read(err, path);
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
        return cannot_read(err, path);
    }
    Str bytes = STR_NONE;
    off_t size = 0;
    Status status = end_bytes(a, fd, path, &bytes, &size, err);
    if (status == OK) {
        Str lines = sound_lines(bytes, ret->head_n, first), last = last_line(lines);
        ret->torn_bytes = bytes.n - lines.n;
        if (ret->torn_bytes &&
            (ftruncate(fd, size - (off_t)ret->torn_bytes) != 0 || fsync(fd) != 0)) {
            status = cannot_read(err, path);
        } else if (last.n && !chain_stated(last, &ret->n, &ret->mac)) {
            ret->cut = true; /* not a line of ours: noted, and by check found again */
        }
    }
    close(fd);
    return status;
}

static Status tail_find(Arena *a, const char *folder, const Segments *segments, AuditTail *ret,
                        Err *err)
{
    uint64_t torn = 0;
    for (size_t i = segments->n; i > 0 && ret->n == 0; i--) {
        TRY(segment_end(a, path_join(a, str_from_c(folder), segments->name[i - 1]).p, i == 1, ret,
                        err));
        torn += ret->torn_bytes;
    }
    ret->torn_bytes = torn;
    if (segments->n) {
        Str day = str_take(segments->name[segments->n - 1], 10);
        memcpy(ret->day, day.p, day.n);
    }
    return OK;
}

static Status head_read(StoreReader *r, Arena *a, uint64_t *ret_n, Sha256 *ret_mac, Err *err)
{
    Str text;
    *ret_n = 0;
    if (store_setting_get(r, a, STR(AUDIT_HEAD), &text, NULL) != OK || str_empty(text)) {
        return OK; /* at birth */
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
    Status status = head_read(r, a, ret_n, ret_mac, err);
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
    Segments segments;
    const char *key_path = path_join(a, str_from_c(dir), STR("audit.key")).p;
    TRY(dir_make(folder, 0700, err));
    TRY(dir_sync(dir, err));
    TRY(segments_list(a, folder, &segments, err));
    if (file_exists(key_path)) {
        TRY(key_read(a, key_path, ret_key, err));
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

/* ---- Walking all of it ------------------------------------------------------------------------
 */

typedef struct Walk {
    Chain chain;
    uint64_t head_n;
    Sha256 head_mac;
    bool head_met;
    const char *segment;
    bool hole; /* sectors of this segment never came to the disk */
    AccessAuditFound found;
    Err *err;
} Walk;

static void fault(Walk *w, const char *zh, const char *en)
{
    w->found.faults++;
    (void)err_add(w->err, ERR_CONFLICT, "integrity", str_from_c(w->segment),
                  "审计 %s 第 %llu 条：%s%.0s", "Audit %s, record %llu: %.0s%s", w->segment,
                  (unsigned long long)w->chain.n, zh, en);
}

static void walk_line(Walk *w, Str line)
{
    switch (chain_follow(&w->chain, line)) {
    case CHAIN_GOOD:
        break;
    case CHAIN_MALFORMED:
        fault(w, "这一行不是审计记录", "the line is not an audit record");
        return;
    case CHAIN_NUMBER:
        fault(w, "编号不连续，有记录被删除或插入",
              "its number does not follow: records were removed or inserted");
        break;
    case CHAIN_MAC:
        fault(w, "内容与校验不符，已被改动", "its bytes are not those that were written");
        break;
    }
    w->found.records++;
    if (str_find(line, STR(",\"do\":\"" AUDIT_FAULT "\"")) >= 0) {
        fault(w, "启动时发现末尾被截断", "at an opening the end was found cut");
    }
    if (w->chain.n == w->head_n) {
        w->head_met = bytes_equal_const(w->chain.mac.b, w->head_mac.b, sizeof w->head_mac.b);
    }
}

/* Lines of `bytes` in turn, as far as one with a hole; what is left after the last line end. */
static Str walk_lines(Walk *w, Str bytes)
{
    for (ptrdiff_t end = str_find_char(bytes, '\n'); end >= 0; end = str_find_char(bytes, '\n')) {
        Str line = str_take(bytes, (size_t)end + 1);
        w->hole = str_find_char(line, '\0') >= 0;
        if (w->hole) {
            break;
        }
        walk_line(w, line);
        bytes = str_skip(bytes, (size_t)end + 1);
    }
    return bytes;
}

static Status walk_segment(Walk *w, Arena *a, const char *path, bool newest, Err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return cannot_read(err, path);
    }
    char *block = arena_alloc(a, READ_BYTES + LINE_BYTES_MAX);
    size_t held = 0, behind_hole = 0;
    ssize_t n;
    w->hole = false;
    while ((n = read(fd, block + held, READ_BYTES)) > 0) {
        if (w->hole) {
            behind_hole += (size_t)n;
            continue;
        }
        Str rest = walk_lines(w, (Str){block, held + (size_t)n});
        if (w->hole) {
            behind_hole = rest.n;
            rest = STR_NONE;
        } else if (rest.n > LINE_BYTES_MAX) {
            fault(w, "一行过长", "a line is too long");
            rest = STR_NONE;
        }
        held = rest.n;
        memmove(block, rest.p ? rest.p : block, held);
    }
    close(fd);
    if (newest) {
        w->found.torn_bytes = held + behind_hole;
    } else if (held + behind_hole > 0) {
        fault(w, "分段末尾不完整", "the segment's end is unfinished");
    }
    return n < 0 ? cannot_read(err, path) : OK;
}

static Status walk_all(Walk *w, Arena *a, const char *folder, Err *err)
{
    Segments segments;
    TRY(segments_list(a, folder, &segments, err));
    for (size_t i = 0; i < segments.n; i++) {
        Arena scratch;
        arena_init(&scratch, 0);
        w->segment = arena_cstr(a, segments.name[i]);
        const char *path = path_join(&scratch, str_from_c(folder), segments.name[i]).p;
        Status status = walk_segment(w, &scratch, path, i + 1 == segments.n, err);
        arena_done(&scratch);
        TRY(status);
    }
    return OK;
}

Status access_audit_verify(StoreReader *r, Arena *a, const char *dir, AccessAuditFound *ret,
                           Err *err)
{
    Walk w = {.segment = "", .err = err};
    const char *folder = path_join(a, str_from_c(dir), STR("audit")).p;
    const char *key_path = path_join(a, str_from_c(dir), STR("audit.key")).p;
    /* The head first: a running server only adds behind it. */
    TRY(head_read(r, a, &w.head_n, &w.head_mac, err));
    if (!file_exists(key_path) && w.head_n == 0) {
        *ret = (AccessAuditFound){0};
        return OK; /* never served */
    }
    TRY(key_read(a, key_path, &w.chain.key, err));
    TRY(walk_all(&w, a, folder, err));
    if (w.head_n > w.chain.n) {
        fault(&w, "末尾被截断：日志库记得更晚的记录",
              "the end was cut: log.db knows a later record");
    } else if (w.head_n && !w.head_met) {
        fault(&w, "链头与日志库不符，整条链被重算",
              "the head differs from log.db: the chain was computed anew");
    }
    *ret = w.found;
    return OK;
}
