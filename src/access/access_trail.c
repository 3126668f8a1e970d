#include "access_trail.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "access_inner.h"
#include "access_keep.h"
#include "access_segment.h"

#include "mk_banned.h"

#define TIME_MAX_MS     1500
#define BYTES_MAX       ((size_t)4 << 20) /* of the lines on one page */
#define TAIL_BYTES      ((size_t)1 << 20) /* of a plain segment, read at once */
#define TIME_LOOK_LINES 256u

typedef struct Look {
    Arena *arena;
    const TrailQuery *query;
    const char *folder;
    HashKey key;
    int64_t until_mono_ms;
    TrailRecord *record;
    size_t n, bytes;
    uint64_t seen;  /* the oldest record looked at */
    unsigned lines; /* since the clock was asked */
    bool full;      /* nothing more is looked at */
    bool end;       /* nothing older can match */
} Look;

/* ---- One line ---------------------------------------------------------------------------------
 */

static bool names_one(Str line, const Str *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        ptrdiff_t at = str_find(line, list[i]);
        while (at >= 0) {
            Str rest = str_skip(line, (size_t)at);
            if (at > 0 && line.p[at - 1] == '"' && rest.n > list[i].n && rest.p[list[i].n] == '"') {
                return true;
            }
            ptrdiff_t next = str_find(str_skip(rest, 1), list[i]);
            at = next < 0 ? -1 : at + 1 + next;
        }
    }
    return n == 0;
}

static bool is_one(Str value, const Str *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (str_eq(value, list[i])) {
            return true;
        }
    }
    return n == 0;
}

static void patients_take(const JsonDoc *d, Arena *a, TrailRecord *ret)
{
    JsonRef list = json_get_c(d, JSON_ROOT, "patients");
    Str *patients = arena_array(a, Str, json_count(d, list) + 1);
    for (JsonIter it = json_iter(d, list); json_next(&it);) {
        patients[ret->patients_n++] = json_str(d, it.value);
    }
    ret->patients = patients;
}

/* False when the line is no record of ours: check tells of it. */
static bool record_parse(Arena *a, Str line, TrailRecord *ret)
{
    JsonDoc d;
    int64_t n, status = 0;
    Str own = arena_str(a, str_trim(line));
    *ret = (TrailRecord){0};
    if (json_parse(a, own, &JSON_LIMITS_FHIR, &d, NULL) != OK ||
        !json_to_i64(&d, json_get_c(&d, JSON_ROOT, "n"), &n) ||
        !time_parse(json_str_at(&d, JSON_ROOT, "at"), 0, &ret->at_ms)) {
        return false;
    }
    (void)json_to_i64(&d, json_get_c(&d, JSON_ROOT, "status"), &status);
    ret->n = (uint64_t)n;
    ret->status = (int)status;
    ret->action = json_str_at(&d, JSON_ROOT, "do");
    ret->user = json_str_at(&d, JSON_ROOT, "user");
    ret->who = json_str_at(&d, JSON_ROOT, "who");
    ret->role = json_str_at(&d, JSON_ROOT, "role");
    ret->org = json_str_at(&d, JSON_ROOT, "org");
    ret->app = json_str_at(&d, JSON_ROOT, "app");
    ret->what = json_str_at(&d, JSON_ROOT, "what");
    ret->from = json_str_at(&d, JSON_ROOT, "from");
    ret->request = json_str_at(&d, JSON_ROOT, "request");
    patients_take(&d, a, ret);
    return true;
}

static bool patient_matches(const TrailQuery *q, const TrailRecord *r)
{
    for (size_t i = 0; i < r->patients_n; i++) {
        if (is_one(r->patients[i], q->patients, q->patients_n)) {
            return true;
        }
    }
    return q->patients_n == 0;
}

static bool person_matches(const TrailQuery *q, const TrailRecord *r)
{
    return q->persons_n == 0 || is_one(r->user, q->persons, q->persons_n) ||
           is_one(r->who, q->persons, q->persons_n) || is_one(r->org, q->persons, q->persons_n);
}

/* E is everything that is neither made, read, changed nor removed, in whatever word. */
static bool action_matches(Str wanted, Str action)
{
    bool is_other = action.n != 1 || str_find_char(STR("CRUD"), action.p[0]) < 0;
    return str_empty(wanted) || str_eq(wanted, action) || (str_is(wanted, "E") && is_other);
}

static bool record_matches(const TrailQuery *q, const TrailRecord *r)
{
    return patient_matches(q, r) && person_matches(q, r) && action_matches(q->action, r->action) &&
           (str_empty(q->address) || str_eq(q->address, r->from)) && str_starts(r->what, q->what) &&
           (q->status_to == 0 || (r->status >= q->status_from && r->status < q->status_to)) &&
           r->at_ms >= q->from_ms && (q->to_ms == 0 || r->at_ms < q->to_ms);
}

static void record_keep(Look *k, const TrailRecord *r, size_t bytes)
{
    if (k->n == k->query->limit || k->bytes > BYTES_MAX) {
        k->full = true; /* there is one more */
        return;
    }
    k->record[k->n++] = *r;
    k->bytes += bytes;
    k->seen = r->n;
}

static void line_look(Look *k, Str line)
{
    const TrailQuery *q = k->query;
    uint64_t n = segment_line_n(line);
    TrailRecord r;
    if (n == 0 || n >= q->before || (q->n && n > q->n)) {
        return;
    }
    k->end |= q->n && n <= q->n;
    bool may = (!q->n || n == q->n) && names_one(line, q->patients, q->patients_n) &&
               names_one(line, q->persons, q->persons_n);
    if (may && record_parse(k->arena, line, &r) && record_matches(q, &r)) {
        record_keep(k, &r, line.n);
    }
    if (!k->full) {
        k->seen = n;
    }
}

/* Lines from the last to the first. */
static void lines_look(Look *k, Str lines)
{
    while (lines.n && !k->full && !k->end) {
        size_t from = lines.n - 1;
        while (from > 0 && lines.p[from - 1] != '\n') {
            from--;
        }
        line_look(k, str_skip(lines, from));
        lines = str_take(lines, from);
        if (++k->lines % TIME_LOOK_LINES == 0) {
            k->full |= time_mono_ms() > k->until_mono_ms;
        }
    }
}

/* ---- A plain segment --------------------------------------------------------------------------
 */

static bool bytes_at(int fd, char *p, size_t n, off_t at)
{
    while (n) {
        ssize_t got = pread(fd, p, n, at);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return false;
        }
        p += got;
        n -= (size_t)got;
        at += got;
    }
    return true;
}

/* Whole lines of a piece: without what stands before the first line end, unless it is the front. */
static Str piece_lines(Str piece, bool front)
{
    size_t n = piece.n;
    while (n > 0 && piece.p[n - 1] != '\n') {
        n--; /* a record that is being written */
    }
    piece = str_take(piece, n);
    ptrdiff_t first = front ? -1 : str_find_char(piece, '\n');
    return first < 0 ? piece : str_skip(piece, (size_t)first + 1);
}

static Status plain_look(Look *k, const char *path, Err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? OK : segment_failed(err, path);
    }
    Buf piece;
    buf_init(&piece, 0);
    buf_reserve(&piece, TAIL_BYTES);
    off_t end = lseek(fd, 0, SEEK_END);
    Status s = end < 0 ? segment_failed(err, path) : OK;
    while (s == OK && end > 0 && !k->full && !k->end) {
        off_t from = end > (off_t)TAIL_BYTES ? end - (off_t)TAIL_BYTES : 0;
        size_t n = (size_t)(end - from);
        if (!bytes_at(fd, piece.p, n, from)) {
            s = segment_failed(err, path);
            break;
        }
        Str lines = piece_lines((Str){piece.p, n}, from == 0);
        lines_look(k, lines);
        off_t next = from + (lines.p - piece.p);
        end = lines.n && next < end ? next : from;
    }
    buf_done(&piece);
    close(fd);
    return s;
}

/* ---- A closed segment -------------------------------------------------------------------------
 */

typedef struct Marks {
    uint64_t word[65536 / 64];
} Marks;

static void marks_set(Marks *m, const Look *k, const SegmentIndex *index, SegmentTerm kind,
                      const Str *list, size_t n)
{
    *m = (Marks){0};
    for (size_t i = 0; i < n; i++) {
        const uint64_t *at;
        size_t found = segment_index_find(index, segment_term(k->key, kind, list[i]), &at);
        for (size_t f = 0; f < found; f++) {
            m->word[(at[f] & 0xffff) / 64] |= (uint64_t)1 << at[f] % 64;
        }
    }
    if (n == 0) {
        memset(m->word, 0xff, sizeof m->word);
    }
}

static bool marked(const Marks *m, size_t block)
{
    return m->word[block / 64] >> block % 64 & 1;
}

static bool block_may(const Look *k, const SegmentBlock *b)
{
    const TrailQuery *q = k->query;
    return b->first_n < q->before && (!q->n || b->first_n <= q->n) && b->max_ms >= q->from_ms &&
           (q->to_ms == 0 || b->min_ms < q->to_ms);
}

static Status blocks_look(Look *k, const char *path, const SegmentIndex *index, Err *err)
{
    Marks patients, persons;
    SegmentFrames f;
    Str lines;
    marks_set(&patients, k, index, TERM_PATIENT, k->query->patients, k->query->patients_n);
    marks_set(&persons, k, index, TERM_PERSON, k->query->persons, k->query->persons_n);
    TRY(segment_frames_open(path, &f, err));
    Status s = OK;
    for (size_t i = index->block_n; i > 0 && s == OK && !k->full && !k->end; i--) {
        const SegmentBlock *b = &index->block[i - 1];
        if (marked(&patients, i - 1) && marked(&persons, i - 1) && block_may(k, b)) {
            s = segment_frame_read(&f, b->at, b->bytes, &lines, err);
            if (s == OK) {
                lines_look(k, lines);
            }
        }
        if (!k->full && b->first_n < k->seen) {
            k->seen = b->first_n;
        }
    }
    segment_frames_close(&f);
    return s;
}

static Status packed_look(Look *k, const Segment *segment, Err *err)
{
    Arena scratch;
    SegmentIndex index;
    arena_init(&scratch, 0);
    const char *path = segment_path(&scratch, k->folder, segment);
    Status s = segment_index_open(&scratch, k->folder, segment, k->key, &index, err);
    if (s == OK) {
        s = blocks_look(k, path, &index, err);
        segment_index_close(&index);
    }
    arena_done(&scratch);
    k->full |= time_mono_ms() > k->until_mono_ms;
    return s;
}

/* ---- All of them ------------------------------------------------------------------------------
 */

/* A segment was closed and packed between listing and opening. */
static Status segment_look(Look *k, const Segment *segment, Err *err)
{
    Segment now = *segment;
    Arena scratch;
    if (!now.packed) {
        arena_init(&scratch, 0);
        const char *path = segment_path(&scratch, k->folder, &now);
        bool there = file_exists(path);
        Status s = there ? plain_look(k, path, err) : OK;
        arena_done(&scratch);
        if (there || s != OK) {
            return s;
        }
        now.packed = true;
    }
    return packed_look(k, &now, err);
}

/* A record never stands in a segment of an earlier day than its own. */
static bool segment_may(const Look *k, const Store *s, const Segment *segment)
{
    if (k->query->from_ms <= 0) {
        return true;
    }
    Arena scratch;
    arena_init(&scratch, 0);
    Str first = time_iso_day(&scratch, k->query->from_ms, store_zone_min(s));
    bool may = str_cmp(str_from_c(segment->day), first) >= 0;
    arena_done(&scratch);
    return may;
}

Status access_trail_page(Access *x, Arena *a, const TrailQuery *q, TrailPage *ret, Err *err)
{
    SegmentList list;
    TrailQuery asked = *q;
    *ret = (TrailPage){0};
    if (!x->audit) {
        return OK; /* in memory nothing is kept */
    }
    asked.before = q->before ? q->before : UINT64_MAX;
    Look k = {.arena = a,
              .query = &asked,
              .folder = audit_folder(x->audit),
              .key = segment_term_key(audit_key(x->audit)),
              .until_mono_ms = time_mono_ms() + TIME_MAX_MS,
              .record = arena_array(a, TrailRecord, q->limit + 1),
              .seen = asked.before};
    TRY(segment_list(a, k.folder, &list, err));
    Status s = OK;
    for (size_t i = list.n; i > 0 && s == OK && !k.full && !k.end; i--) {
        k.end = !segment_may(&k, x->store, &list.at[i - 1]);
        s = k.end ? OK : segment_look(&k, &list.at[i - 1], err);
    }
    TRY(s);
    *ret = (TrailPage){.record = k.record, .n = k.n, .next = k.full && k.seen > 1 ? k.seen : 0};
    return OK;
}

Sha256 access_trail_mac(const Access *x, Str text)
{
    Sha256 key = hmac_sha256(x->audit ? audit_key(x->audit) : STR_NONE, STR("menkou audit cursor"));
    return hmac_sha256((Str){(const char *)key.b, sizeof key.b}, text);
}
