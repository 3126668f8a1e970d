/* Ordered walks: several posting lists merged by (nd, rid), from a place onwards. */
#include "store_posting.h"

#include "mk_banned.h"

#define STREAMS_OPEN 64     /* lists read each by a statement of its own */
#define PHRASES_ROWS 300000 /* of texts that are no token's */
#define CHUNK_FIRST  4      /* rows of one of more lists, read at once … */
#define CHUNK_MAX    64     /* … and of one that goes on giving */

typedef struct Stream {
    DbStmt *st;
    int64_t key[3]; /* param, hash, – or patient, type, code */
    Candidate head;
    bool live;
    Candidate *row; /* index.db's that come next, of the last read */
    size_t row_n, row_at;
    bool over;        /* index.db has no more */
    Candidate *delta; /* a heap of the delta's: the next is the first */
    size_t delta_n;
} Stream;

/*
 * Oldest first is two phases, so that what has no date still comes last. Rows with the same date
 * follow each other by rid in the direction of the walk.
 */
struct Walk {
    Run *run;
    IndexTable table;
    bool ascending, undated;
    int64_t from, to; /* of nd */
    Stream *stream;
    size_t stream_n;
    Candidates apart; /* of a text: the last stream's, which is no list of the index */
    Stream **heap;    /* of those that live: the next is the first's */
    size_t heap_n;
    Candidate after;
    bool has_after;
};

static DbStmt *stream_stmt(const Walk *w)
{
    Db *db = w->run->reader->index;
    if (w->table == INDEX_COMPARTMENT) {
        return w->ascending
                   ? db_take(db, "SELECT nd, rid FROM compartment WHERE patient = ?1 AND type = ?2"
                                 " AND code = ?3 AND nd BETWEEN ?4 AND ?5 AND (nd, rid) < (?6, ?7)"
                                 " ORDER BY nd DESC, rid DESC")
                   : db_take(db, "SELECT nd, rid FROM compartment WHERE patient = ?1 AND type = ?2"
                                 " AND code = ?3 AND nd BETWEEN ?4 AND ?5 AND (nd, rid) > (?6, ?7)"
                                 " ORDER BY nd, rid");
    }
    if (w->table == INDEX_TOKEN) {
        return w->ascending ? db_take(db, "SELECT nd, rid FROM token WHERE param = ?1 AND hash = ?2"
                                          " AND nd BETWEEN ?4 AND ?5 AND (nd, rid) < (?6, ?7)"
                                          " ORDER BY nd DESC, rid DESC")
                            : db_take(db, "SELECT nd, rid FROM token WHERE param = ?1 AND hash = ?2"
                                          " AND nd BETWEEN ?4 AND ?5 AND (nd, rid) > (?6, ?7)"
                                          " ORDER BY nd, rid");
    }
    return w->ascending ? db_take(db, "SELECT nd, rid FROM ref WHERE param = ?1 AND hash = ?2"
                                      " AND nd BETWEEN ?4 AND ?5 AND (nd, rid) < (?6, ?7)"
                                      " ORDER BY nd DESC, rid DESC")
                        : db_take(db, "SELECT nd, rid FROM ref WHERE param = ?1 AND hash = ?2"
                                      " AND nd BETWEEN ?4 AND ?5 AND (nd, rid) > (?6, ?7)"
                                      " ORDER BY nd, rid");
}

static bool comes_before(const Walk *w, Candidate x, Candidate y)
{
    bool less = x.nd != y.nd ? x.nd < y.nd : x.rid < y.rid;
    bool same = x.nd == y.nd && x.rid == y.rid;
    return !same && (w->ascending ? !less : less);
}

static void stream_bounds(const Walk *w, int64_t *lo, int64_t *hi, Candidate *place)
{
    *lo = w->from;
    *hi = w->to;
    if (w->ascending && w->undated) {
        *lo = ND_NONE;
    } else if (w->ascending && w->to == ND_NONE) {
        *hi = ND_NONE - 1;
    }
    *place = w->has_after   ? w->after
             : w->ascending ? (Candidate){INT64_MAX, INT64_MAX}
                            : (Candidate){INT64_MIN, INT64_MIN};
}

/* ---- The delta's rows: a heap, since most walks end early ------------------------------------ */

static void heap_sink(const Walk *w, Candidate *heap, size_t n, size_t at)
{
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && comes_before(w, heap[child + 1], heap[child])) {
            child++;
        }
        if (!comes_before(w, heap[child], heap[at])) {
            return;
        }
        Candidate x = heap[at];
        heap[at] = heap[child];
        heap[child] = x;
    }
}

static bool row_is_of(const Walk *w, const Stream *s, const IndexRow *row)
{
    return w->table != INDEX_COMPARTMENT || (row->param == s->key[1] && row->b == s->key[2]);
}

static void delta_put(const Walk *w, Stream *s, Candidate c, size_t *room)
{
    if (s->delta_n == *room) {
        *room = *room ? *room * 2 : 16;
        Candidate *wider = arena_array(w->run->arena, Candidate, *room);
        if (s->delta_n) {
            memcpy(wider, s->delta, s->delta_n * sizeof *wider);
        }
        s->delta = wider;
    }
    s->delta[s->delta_n++] = c;
}

static bool stream_is_apart(const Walk *w, const Stream *s)
{
    return w->apart.room && s == &w->stream[w->stream_n - 1];
}

/* What comes from memory: the delta's rows, or what a text has beside its tokens. */
static void stream_delta(const Walk *w, Stream *s, int64_t lo, int64_t hi, Candidate place)
{
    uint32_t param = w->table == INDEX_COMPARTMENT ? 0 : (uint32_t)s->key[0];
    DeltaRows rows = delta_rows(&w->run->reader->delta, w->table, param,
                                s->key[w->table == INDEX_COMPARTMENT ? 0 : 1]);
    bool apart = stream_is_apart(w, s);
    size_t room = 0, at = 0;
    s->delta_n = 0;
    for (;;) {
        const DeltaRow *r = apart ? NULL : delta_next(&rows);
        if (apart ? at == w->apart.n : !r) {
            break;
        }
        Candidate c = apart ? w->apart.at[at++] : (Candidate){r->doc->doc->nd, r->doc->rid};
        if (c.nd >= lo && c.nd <= hi && comes_before(w, place, c) &&
            (apart || row_is_of(w, s, r->row))) {
            delta_put(w, s, c, &room);
        }
    }
    for (size_t i = s->delta_n / 2; i > 0; i--) {
        heap_sink(w, s->delta, s->delta_n, i - 1);
    }
}

/* ---- Rows of index.db ------------------------------------------------------------------------ */

static bool streams_are_open(const Walk *w)
{
    return w->stream_n <= STREAMS_OPEN;
}

static Status stream_ask(const Walk *w, Stream *s, Candidate place, Err *err)
{
    int64_t lo, hi;
    Candidate start;
    stream_bounds(w, &lo, &hi, &start);
    s->st = stream_stmt(w);
    if (!s->st) {
        return db_failed(w->run->reader->index, err);
    }
    for (int i = 0; i < (w->table == INDEX_COMPARTMENT ? 3 : 2); i++) {
        db_bind_i64(s->st, i, s->key[i]);
    }
    db_bind_i64(s->st, 3, lo);
    db_bind_i64(s->st, 4, hi);
    db_bind_i64(s->st, 5, place.nd);
    db_bind_i64(s->st, 6, place.rid);
    return OK;
}

/* Of many lists, few rows of each are read, and twice as many of one that is asked again. */
static size_t chunk_room(const Walk *w, Stream *s)
{
    size_t room = streams_are_open(w) ? 1 : s->row_n ? s->row_n * 2 : CHUNK_FIRST;
    room = room < CHUNK_MAX ? room : CHUNK_MAX;
    if (!s->row || room > s->row_n) {
        s->row = arena_array(w->run->arena, Candidate, room);
    }
    return room;
}

/* The rows behind those that were read. */
static Status rows_read(Walk *w, Stream *s, Err *err)
{
    DbStep step = DB_NONE;
    if (!s->st) {
        TRY(stream_ask(w, s, s->row[s->row_n - 1], err));
    }
    size_t room = chunk_room(w, s);
    s->row_at = s->row_n = 0;
    while (s->row_n < room && (step = db_step(s->st)) == DB_ROW) {
        s->row[s->row_n++] = (Candidate){db_col_i64(s->st, 0), db_col_i64(s->st, 1)};
    }
    s->over = s->row_n < room;
    if (s->over || !streams_are_open(w)) {
        db_give(s->st);
        s->st = NULL;
    }
    TRY(step == DB_FAIL || step == DB_RETRY ? db_failed(w->run->reader->index, err) : OK);
    return run_charge(w->run, (int64_t)s->row_n, err);
}

static bool row_lives(const Stream *s)
{
    return s->row_at < s->row_n;
}

static Status row_step(Walk *w, Stream *s, Err *err)
{
    do {
        s->row_at++;
        if (!row_lives(s) && !s->over) {
            TRY(rows_read(w, s, err));
        }
    } while (row_lives(s) && delta_moved(&w->run->reader->delta, s->row[s->row_at].rid));
    return OK;
}

/* ---- Streams --------------------------------------------------------------------------------- */

/* The head is the next of both. */
static Status stream_step(Walk *w, Stream *s, Err *err)
{
    s->live = row_lives(s) || s->delta_n > 0;
    if (row_lives(s) && (s->delta_n == 0 || comes_before(w, s->row[s->row_at], s->delta[0]))) {
        s->head = s->row[s->row_at];
        return row_step(w, s, err);
    }
    if (s->live) {
        s->head = s->delta[0];
        s->delta[0] = s->delta[--s->delta_n];
        heap_sink(w, s->delta, s->delta_n, 0);
    }
    return run_charge(w->run, s->live, err);
}

static Status stream_start(Walk *w, Stream *s, Err *err)
{
    int64_t lo, hi;
    Candidate place;
    stream_bounds(w, &lo, &hi, &place);
    stream_delta(w, s, lo, hi, place);
    s->row_n = 0;
    s->over = stream_is_apart(w, s);
    if (!s->over) {
        TRY(stream_ask(w, s, place, err));
        TRY(rows_read(w, s, err));
    }
    if (row_lives(s) && delta_moved(&w->run->reader->delta, s->row[0].rid)) {
        TRY(row_step(w, s, err));
    }
    return stream_step(w, s, err);
}

static void streams_stop(Walk *w)
{
    for (size_t i = 0; i < w->stream_n; i++) {
        if (w->stream[i].st) {
            db_give(w->stream[i].st);
            w->stream[i].st = NULL;
        }
    }
}

static void streams_sink(Walk *w, size_t at)
{
    for (size_t child; (child = 2 * at + 1) < w->heap_n; at = child) {
        child += child + 1 < w->heap_n &&
                 comes_before(w, w->heap[child + 1]->head, w->heap[child]->head);
        if (!comes_before(w, w->heap[child]->head, w->heap[at]->head)) {
            return;
        }
        Stream *s = w->heap[at];
        w->heap[at] = w->heap[child];
        w->heap[child] = s;
    }
}

static Status streams_start(Walk *w, Err *err)
{
    w->heap_n = 0;
    for (size_t i = 0; i < w->stream_n; i++) {
        TRY(stream_start(w, &w->stream[i], err));
        if (w->stream[i].live) {
            w->heap[w->heap_n++] = &w->stream[i];
        }
    }
    for (size_t i = w->heap_n / 2; i > 0; i--) {
        streams_sink(w, i - 1);
    }
    return OK;
}

/* The first stream goes one further. */
static Status streams_step(Walk *w, Err *err)
{
    TRY(stream_step(w, w->heap[0], err));
    if (!w->heap[0]->live) {
        w->heap[0] = w->heap[--w->heap_n];
    }
    streams_sink(w, 0);
    return OK;
}

/* The tokens that are displayed so, and what has the text otherwise. */
static void texts_make(Walk *w, const Test *t)
{
    w->table = INDEX_TOKEN;
    w->stream = arena_array(w->run->arena, Stream, t->term_n + 1);
    for (size_t i = 0; i < t->term_n; i++) {
        w->stream[i] = (Stream){.key = {t->term[i].param, t->term[i].hash, 0}};
    }
    w->stream[t->term_n] = (Stream){0};
    w->stream_n = t->term_n + 1;
}

static Status texts_gather(Walk *w, const Test *t, Err *err)
{
    Postings rows = {.run = w->run, .out = &w->apart, .limit = PHRASES_ROWS};
    TRY(posting_phrases(&rows, t, err));
    TRY(rows.full ? run_charge(w->run, INT64_MAX / 2, err) : OK);
    TRY(candidates_date(w->run, &w->apart, err));
    w->apart.room = w->apart.room ? w->apart.room : 1;
    return OK;
}

static void streams_make(Walk *w, const Source *src)
{
    Run *r = w->run;
    int64_t type = type_number(r->query->type);
    if (src->kind == SOURCE_COMPARTMENT) {
        w->table = INDEX_COMPARTMENT;
        w->stream = arena_array(r->arena, Stream, src->patient_n * src->code_n);
        for (size_t i = 0; i < src->patient_n * src->code_n; i++) {
            w->stream[w->stream_n++] =
                (Stream){.key = {src->patient[i / src->code_n], type, src->code[i % src->code_n]}};
        }
        return;
    }
    if (src->kind == SOURCE_TEST && src->test->listed) {
        texts_make(w, src->test);
        return;
    }
    bool all = src->kind == SOURCE_ALL;
    bool token = all || src->test->clause->kind == CLAUSE_TOKEN ||
                 src->test->clause->modifier == MODIFIER_IDENTIFIER;
    w->table = token ? INDEX_TOKEN : INDEX_REF;
    size_t n = all ? 1 : src->test->hash_n * src->test->part_n;
    w->stream = arena_array(r->arena, Stream, n + 1);
    for (size_t i = 0; i < n; i++) {
        int64_t param =
            all ? index_param_all(r->query->type) : src->test->part[i / src->test->hash_n];
        w->stream[w->stream_n++] =
            (Stream){.key = {param, all ? 0 : src->test->hash[i % src->test->hash_n], 0}};
    }
}

Status walk_open(Run *r, const Source *src, bool ascending, const Candidate *after, Walk **ret,
                 Err *err)
{
    Walk *w = arena_new(r->arena, Walk);
    *w = (Walk){.run = r,
                .ascending = ascending,
                .from = src->from,
                .to = src->to,
                .has_after = after != NULL};
    if (after) {
        w->after = *after;
        w->undated = ascending && after->nd == ND_NONE;
    }
    if (src->kind == SOURCE_TEST && src->test->listed) {
        TRY(texts_gather(w, src->test, err));
    }
    streams_make(w, src);
    w->heap = arena_array(r->arena, Stream *, w->stream_n + 1);
    Status s = streams_start(w, err);
    if (s != OK) {
        streams_stop(w);
        return s;
    }
    *ret = w;
    return OK;
}

/* The next in order; what stands in several lists comes once. */
Status walk_next(Walk *w, Candidate *ret, bool *ret_more, Err *err)
{
    if (!w->heap_n && w->ascending && !w->undated && w->to == ND_NONE) {
        w->undated = true;
        w->has_after = false;
        streams_stop(w);
        TRY(streams_start(w, err));
    }
    *ret_more = w->heap_n > 0;
    if (!*ret_more) {
        return OK;
    }
    Candidate found = w->heap[0]->head;
    while (w->heap_n && w->heap[0]->head.nd == found.nd && w->heap[0]->head.rid == found.rid) {
        TRY(streams_step(w, err));
    }
    *ret = found;
    return OK;
}

void walk_close(Walk *w)
{
    streams_stop(w);
}
