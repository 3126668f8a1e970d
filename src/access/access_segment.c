#include "access_segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "mk_banned.h"

/* Half of a packed record is its mac, which no level packs: the higher ones only take longer. */
#define PACK_LEVEL      1
#define FRAME_BYTES_MAX (ZSTD_COMPRESSBOUND(SEGMENT_BLOCK_BYTES) + SEGMENT_LINE_MAX)
#define PLAIN_BYTES_MAX (SEGMENT_BLOCK_BYTES + SEGMENT_LINE_MAX)

static const char PLAIN[] = ".log", PACKED[] = ".log.zst", INDEX[] = ".idx";

Status segment_failed(Err *err, const char *path)
{
    return err_add(err, ERR_UNAVAILABLE, NULL, str_from_c(path), "审计文件无法读取：%s",
                   "The audit file cannot be read: %s", path);
}

static Status segment_damaged(Err *err, const char *path)
{
    return err_add(err, ERR_CONFLICT, "integrity", str_from_c(path), "审计分段已损坏，无法解压",
                   "The audit's segment is damaged and cannot be unpacked");
}

/* ---- Names ------------------------------------------------------------------------------------
 */

typedef struct Listing {
    Arena *arena;
    SegmentList *list;
} Listing;

static Segment *listed(SegmentList *l, Str day)
{
    Segment *last = l->n ? &l->at[l->n - 1] : NULL;
    return last && str_is(day, last->day) ? last : NULL;
}

/* In byte order the plain form of a day comes before its packed one. */
static Status segment_seen(void *ctx, Str relative, Err *err)
{
    (void)err;
    const Listing *x = ctx;
    SegmentList *l = x->list;
    Str day = str_take(relative, SEGMENT_DAY_BYTES), rest = str_skip(relative, SEGMENT_DAY_BYTES);
    bool packed = str_is(rest, PACKED);
    if ((!packed && !str_is(rest, PLAIN)) || listed(l, day)) {
        return OK;
    }
    if (l->n == l->room) {
        size_t room = l->room ? l->room * 2 : 64;
        Segment *wider = arena_array(x->arena, Segment, room);
        if (l->n) {
            memcpy(wider, l->at, l->n * sizeof *wider);
        }
        l->at = wider;
        l->room = room;
    }
    Segment *s = &l->at[l->n++];
    *s = (Segment){.packed = packed};
    memcpy(s->day, day.p, day.n);
    return OK;
}

Status segment_list(Arena *a, const char *folder, SegmentList *ret, Err *err)
{
    *ret = (SegmentList){0};
    Listing x = {a, ret};
    return dir_walk(a, folder, segment_seen, &x, err);
}

const char *segment_path(Arena *a, const char *folder, const Segment *s)
{
    return arena_printf(a, "%s/%s%s", folder, s->day, s->packed ? PACKED : PLAIN).p;
}

const char *segment_index_path(Arena *a, const char *folder, const Segment *s)
{
    return arena_printf(a, "%s/%s%s", folder, s->day, INDEX).p;
}

/* ---- Frames -----------------------------------------------------------------------------------
 */

Status segment_frames_open(const char *path, SegmentFrames *ret, Err *err)
{
    *ret = (SegmentFrames){.path = path};
    ret->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (ret->fd < 0) {
        return segment_failed(err, path);
    }
    buf_init(&ret->packed, 0);
    buf_init(&ret->plain, 0);
    return OK;
}

void segment_frames_close(SegmentFrames *f)
{
    close(f->fd);
    buf_done(&f->packed);
    buf_done(&f->plain);
}

/* Up to `bytes` at `at`; fewer at the end of the file. */
static Status bytes_read(SegmentFrames *f, uint64_t at, size_t bytes, Err *err)
{
    f->packed.n = 0;
    buf_reserve(&f->packed, bytes);
    while (f->packed.n < bytes) {
        ssize_t n =
            pread(f->fd, f->packed.p + f->packed.n, bytes - f->packed.n, (off_t)(at + f->packed.n));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return segment_failed(err, f->path);
        }
        if (n == 0) {
            return OK;
        }
        f->packed.n += (size_t)n;
    }
    return OK;
}

static Status frame_unpack(SegmentFrames *f, size_t bytes, Str *ret_lines, Err *err)
{
    unsigned long long plain = ZSTD_getFrameContentSize(f->packed.p, bytes);
    if (plain > PLAIN_BYTES_MAX) { /* the two error values are the largest */
        return segment_damaged(err, f->path);
    }
    f->plain.n = 0;
    buf_reserve(&f->plain, (size_t)plain + 1);
    size_t n = ZSTD_decompress(f->plain.p, (size_t)plain, f->packed.p, bytes);
    if (ZSTD_isError(n) || n != plain) {
        return segment_damaged(err, f->path);
    }
    f->plain.n = n;
    *ret_lines = buf_str(&f->plain);
    return OK;
}

Status segment_frame_read(SegmentFrames *f, uint64_t at, uint32_t bytes, Str *ret_lines, Err *err)
{
    if (bytes > FRAME_BYTES_MAX) {
        return segment_damaged(err, f->path);
    }
    TRY(bytes_read(f, at, bytes, err));
    return f->packed.n == bytes ? frame_unpack(f, bytes, ret_lines, err)
                                : segment_damaged(err, f->path);
}

Status segment_frames_next(SegmentFrames *f, Str *ret_lines, bool *ret_more, Err *err)
{
    TRY(bytes_read(f, f->at, FRAME_BYTES_MAX, err));
    if (f->packed.n == 0) {
        *ret_more = false;
        return OK;
    }
    size_t frame = ZSTD_findFrameCompressedSize(f->packed.p, f->packed.n);
    if (ZSTD_isError(frame)) {
        return segment_damaged(err, f->path);
    }
    TRY(frame_unpack(f, frame, ret_lines, err));
    f->at += frame;
    *ret_more = true;
    return OK;
}

/* ---- Packing ----------------------------------------------------------------------------------
 */

typedef struct Packing {
    ZSTD_CCtx *zstd;
    int from, to;
    Buf held, frame; /* bytes read and not yet packed; one packed frame */
    Sha256Run sum;   /* of the plain bytes */
} Packing;

static bool put_all(int fd, Str bytes)
{
    while (bytes.n) {
        ssize_t n = write(fd, bytes.p, bytes.n);
        if (n < 0 && errno != EINTR) {
            return false;
        }
        bytes = n > 0 ? str_skip(bytes, (size_t)n) : bytes;
    }
    return true;
}

static bool frame_put(Packing *p, Str lines)
{
    size_t room = ZSTD_compressBound(lines.n);
    p->frame.n = 0;
    buf_reserve(&p->frame, room);
    size_t n = ZSTD_compress2(p->zstd, p->frame.p, room, lines.p, lines.n);
    if (ZSTD_isError(n)) {
        return false;
    }
    sha256_run_add(&p->sum, lines);
    return put_all(p->to, (Str){p->frame.p, n});
}

/* The whole lines at the front, as many as a frame takes; at least one. 0: no line is whole. */
static size_t frame_take(Str held)
{
    size_t n = held.n < SEGMENT_BLOCK_BYTES ? held.n : SEGMENT_BLOCK_BYTES;
    while (n > 0 && held.p[n - 1] != '\n') {
        n--;
    }
    ptrdiff_t first = n == 0 ? str_find_char(held, '\n') : 0;
    return n > 0 ? n : first < 0 ? 0 : (size_t)first + 1;
}

/* False: a system error, or the segment does not end with a whole line. */
static bool lines_pack(Packing *p)
{
    ssize_t got;
    do {
        buf_reserve(&p->held, PLAIN_BYTES_MAX);
        got = read(p->from, p->held.p + p->held.n, PLAIN_BYTES_MAX - p->held.n);
        if (got < 0) {
            return false;
        }
        p->held.n += (size_t)got;
        size_t n = frame_take(buf_str(&p->held));
        if (n > 0 && (got == 0 || p->held.n >= SEGMENT_BLOCK_BYTES)) {
            if (!frame_put(p, str_take(buf_str(&p->held), n))) {
                return false;
            }
            p->held.n -= n;
            memmove(p->held.p, p->held.p + n, p->held.n);
            got = 1;
        } else if (n == 0 && p->held.n >= PLAIN_BYTES_MAX) {
            return false; /* one line that no record is */
        }
    } while (got > 0);
    return p->held.n == 0;
}

static Status pack_failed(Err *err, const char *path)
{
    return err_add(err, errno == ENOSPC ? ERR_STORAGE_FULL : ERR_UNAVAILABLE, NULL,
                   str_from_c(path), "审计分段无法压缩", "The audit's segment cannot be packed");
}

static Status pack_bytes(const char *from, const char *to, Sha256 *ret, Err *err)
{
    Packing p = {.from = open(from, O_RDONLY | O_CLOEXEC),
                 .to = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600),
                 .zstd = ZSTD_createCCtx()};
    mk_check(p.zstd != NULL);
    ZSTD_CCtx_setParameter(p.zstd, ZSTD_c_compressionLevel, PACK_LEVEL);
    ZSTD_CCtx_setParameter(p.zstd, ZSTD_c_checksumFlag, 1);
    buf_init(&p.held, 0);
    buf_init(&p.frame, 0);
    sha256_run_init(&p.sum);
    bool ok = p.from >= 0 && p.to >= 0 && lines_pack(&p) && fsync(p.to) == 0;
    Status s = ok ? OK : pack_failed(err, from);
    *ret = sha256_run_done(&p.sum);
    if (p.from >= 0) {
        close(p.from);
    }
    if (p.to >= 0) {
        close(p.to);
    }
    buf_done(&p.held);
    buf_done(&p.frame);
    ZSTD_freeCCtx(p.zstd);
    return s;
}

Status segment_pack(Arena *a, const char *folder, const Segment *s, HashKey key, Err *err)
{
    Segment packed = *s;
    Sha256 sum, found;
    SegmentIndex index;
    packed.packed = true;
    const char *from = segment_path(a, folder, s), *to = segment_path(a, folder, &packed);
    const char *making = arena_printf(a, "%s.tmp", to).p;
    Status st = pack_bytes(from, making, &sum, err);
    st = st == OK ? segment_index_make(a, making, key, &index, &found, err) : st;
    if (st == OK && memcmp(found.b, sum.b, sizeof sum.b) != 0) {
        st = segment_damaged(err, making);
    }
    st = st == OK ? segment_index_write(a, folder, &packed, &index, err) : st;
    if (st == OK && rename(making, to) != 0) {
        st = pack_failed(err, to);
    }
    if (st != OK) {
        unlink(making);
        return st;
    }
    TRY(dir_sync(folder, err));
    return unlink(from) == 0 ? dir_sync(folder, err) : pack_failed(err, from);
}
