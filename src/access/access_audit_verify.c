/* Walking all of the audit: every record, its place in the chain, head and beginning, the indexes.
 */
#include <fcntl.h>
#include <unistd.h>

#include "access_audit.h"
#include "access_keep.h"
#include "access_segment.h"

#include "mk_banned.h"

#define READ_BYTES  ((size_t)1 << 20)
#define FENCE_TRIES 50 /* of 100 ms */

typedef struct Walk {
    Chain chain;
    uint64_t head_n;
    Sha256 head_mac;
    bool head_met;
    uint64_t base_n; /* records up to here were dropped in time */
    Str base;        /* as its record says it */
    bool base_met;
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

/* A record that says which records were dropped vouches for where the chain begins. */
static void dropped_look(Walk *w, Str line)
{
    if (w->base_n && str_is(segment_line_member(line, "do"), AUDIT_DROPPED) &&
        str_starts(segment_line_member(line, "what"), w->base)) {
        w->base_met = true;
    }
}

static void walk_line(Walk *w, Str line)
{
    uint64_t n = segment_line_n(line);
    if (n && n <= w->base_n && w->found.records == 0) {
        return; /* dropped, and not yet removed */
    }
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
    dropped_look(w, line);
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

static Status walk_plain(Walk *w, Arena *a, const char *path, bool newest, Err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return segment_failed(err, path);
    }
    char *block = arena_alloc(a, READ_BYTES + SEGMENT_LINE_MAX);
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
        } else if (rest.n > SEGMENT_LINE_MAX) {
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
    return n < 0 ? segment_failed(err, path) : OK;
}

/* An index that is missing is made again by itself; one that differs would hide records. */
static Status index_walk(Walk *w, Arena *a, const char *folder, const Segment *s, Err *err)
{
    SegmentIndex made;
    HashKey key = segment_term_key(w->chain.key);
    if (!file_exists(segment_index_path(a, folder, s))) {
        return OK;
    }
    TRY(segment_index_make(a, segment_path(a, folder, s), key, &made, NULL, err));
    if (segment_index_lies(a, folder, s, &made)) {
        fault(w, "索引与分段不符；删除 .idx 文件，系统会重建",
              "the index differs from the segment; remove the .idx file, it is made again");
    }
    return OK;
}

static Status walk_packed(Walk *w, Arena *a, const char *folder, const Segment *s, Err *err)
{
    SegmentFrames f;
    Str lines;
    bool more = true;
    TRY(segment_frames_open(segment_path(a, folder, s), &f, err));
    Status status = OK;
    while (status == OK && more) {
        status = segment_frames_next(&f, &lines, &more, err);
        if (status == OK && more && walk_lines(w, lines).n > 0) {
            fault(w, "分段末尾不完整", "the segment's end is unfinished");
        }
    }
    segment_frames_close(&f);
    if (status == ERR_CONFLICT) {
        w->found.faults++;
        return OK; /* told; the records it hides are faults of the next segment */
    }
    TRY(status);
    return index_walk(w, a, folder, s, err);
}

static Status walk_all(Walk *w, Arena *a, const char *folder, Err *err)
{
    SegmentList segments;
    TRY(segment_list(a, folder, &segments, err));
    for (size_t i = 0; i < segments.n; i++) {
        const Segment *s = &segments.at[i];
        Arena scratch;
        arena_init(&scratch, 0);
        w->segment = s->day;
        Status status = s->packed ? walk_packed(w, &scratch, folder, s, err)
                                  : walk_plain(w, &scratch, segment_path(&scratch, folder, s),
                                               i + 1 == segments.n, err);
        arena_done(&scratch);
        TRY(status);
    }
    return OK;
}

/* The keeper of a running server leaves the segments alone meanwhile. */
static Status walk_fenced(Walk *w, Arena *a, const char *folder, Err *err)
{
    int fence = dir_fence(folder, false);
    for (int i = 0; fence < 0 && i < FENCE_TRIES && file_exists(folder); i++) {
        usleep(100000);
        fence = dir_fence(folder, false);
    }
    Status status = walk_all(w, a, folder, err);
    if (fence >= 0) {
        close(fence);
    }
    return status;
}

static void ends_compare(Walk *w)
{
    if (w->base_n && !w->base_met) {
        fault(w, "日志库所记的链首没有对应的删除记录：开头被截去",
              "no record vouches for the beginning that log.db knows: the front was cut off");
    }
    if (w->head_n > w->chain.n) {
        fault(w, "末尾被截断：日志库记得更晚的记录",
              "the end was cut: log.db knows a later record");
    } else if (w->head_n > w->base_n && !w->head_met) {
        fault(w, "链头与日志库不符，整条链被重算",
              "the head differs from log.db: the chain was computed anew");
    }
}

Status access_audit_verify(StoreReader *r, Arena *a, const char *dir, AccessAuditFound *ret,
                           Err *err)
{
    Walk w = {.segment = "", .err = err};
    const char *folder = path_join(a, str_from_c(dir), STR("audit")).p;
    const char *key_path = path_join(a, str_from_c(dir), STR("audit.key")).p;
    /* The head first: a running server only adds behind it. */
    TRY(audit_place_read(r, a, STR(AUDIT_HEAD), &w.head_n, &w.head_mac, err));
    if (!file_exists(key_path) && w.head_n == 0) {
        *ret = (AccessAuditFound){0};
        return OK; /* never served */
    }
    TRY(audit_key_read(a, key_path, &w.chain.key, err));
    TRY(audit_place_read(r, a, STR(AUDIT_BASE), &w.chain.n, &w.chain.mac, err));
    w.base_n = w.chain.n;
    w.base = chain_head(a, &w.chain);
    TRY(walk_fenced(&w, a, folder, err));
    ends_compare(&w);
    *ret = w.found;
    return OK;
}
