/* Histories at three levels, and the log as it is read by those who follow it. */
#include "store_inner.h"

#include "mk_banned.h"

#define HISTORY_SCAN_MAX 100000 /* versions looked at for one page, seen or not */

static DbStmt *history_stmt(StoreReader *r, Str id)
{
    if (!str_empty(id)) {
        return db_take(r->log,
                       "SELECT " VERSION_COLUMNS "FROM head h CROSS JOIN version v"
                       " JOIN tx t ON t.tx = v.tx WHERE h.type = ?3 AND h.id = ?4 AND v.rid = h.rid"
                       " AND v.seq < ?1 AND t.at >= ?2 ORDER BY v.seq DESC");
    }
    return db_take(r->log, "SELECT " VERSION_COLUMNS "FROM version v JOIN head h ON h.rid = v.rid"
                           " JOIN tx t ON t.tx = v.tx WHERE v.seq < ?1 AND t.at >= ?2"
                           " ORDER BY v.seq DESC");
}

typedef struct Page {
    StoreReader *reader;
    Arena *arena;
    Sight sight;
    StoreVersion *rows;
    size_t n, limit, scanned;
    int64_t since_ms;
    int64_t from_ms, to_ms; /* current at some time between; TIME_NONE, TIME_FOREVER: any */
    bool more, old;
} Page;

/* When the version after this one came; TIME_FOREVER: it is current now. */
static Status replaced_at(Page *p, int64_t seq, int64_t *ret, Err *err)
{
    DbStmt *st =
        db_take(p->reader->log, "SELECT t.at FROM version v JOIN version n ON n.rid = v.rid AND"
                                " n.seq > v.seq JOIN tx t ON t.tx = n.tx WHERE v.seq = ?"
                                " ORDER BY n.seq LIMIT 1");
    if (!st) {
        return db_failed(p->reader->log, err);
    }
    db_bind_i64(st, 0, seq);
    DbStep step = db_step(st);
    *ret = step == DB_ROW ? db_col_i64(st, 0) : TIME_FOREVER;
    Status s = step == DB_ROW || step == DB_NONE ? OK : db_failed(p->reader->log, err);
    db_give(st);
    return s;
}

/* The row was current at some time that is asked for. */
static Status row_current(Page *p, DbStmt *st, bool *ret, Err *err)
{
    int64_t until = TIME_FOREVER;
    *ret = db_col_i64(st, 6) < p->to_ms;
    if (*ret && p->from_ms != TIME_NONE) {
        TRY(replaced_at(p, db_col_i64(st, 0), &until, err));
        *ret = until > p->from_ms;
    }
    return OK;
}

/* One row, if it may be seen: a version's own patients decide. */
static Status page_row(Page *p, DbStmt *st, Err *err)
{
    const FhirType *type = fhir_resource_at((unsigned)db_col_i64(st, 2));
    bool current;
    TRY(row_current(p, st, &current, err));
    if (!current) {
        return OK;
    }
    if (!sight_resource(&p->sight, type, db_col_id(st, 11), (uint64_t)db_col_i64(st, 14))) {
        return OK;
    }
    if (p->n == p->limit) {
        p->more = true;
        return OK;
    }
    return version_read(p->reader, st, p->arena, true, &p->rows[p->n++], err);
}

/* A row of one type: found in the index's list of changes, read from the log. */
static Status page_seq(Page *p, int64_t seq, Err *err)
{
    DbStmt *st = db_take(p->reader->log, "SELECT " VERSION_COLUMNS "FROM version v"
                                         " JOIN head h ON h.rid = v.rid JOIN tx t ON t.tx = v.tx"
                                         " WHERE v.seq = ?");
    if (!st) {
        return db_failed(p->reader->log, err);
    }
    db_bind_i64(st, 0, seq);
    DbStep step = db_step(st);
    Status s = OK;
    if (step == DB_ROW && db_col_i64(st, 6) < p->since_ms) {
        p->old = true;
    } else if (step == DB_ROW) {
        s = page_row(p, st, err);
    } else if (step != DB_NONE) {
        s = db_failed(p->reader->log, err);
    }
    db_give(st);
    return s;
}

/* One more version is looked at. */
static Status page_charge(Page *p, Err *err)
{
    return ++p->scanned <= HISTORY_SCAN_MAX
               ? OK
               : err_add(err, ERR_TOO_MANY, "too-costly", STR_NONE,
                         "历史查询范围过大，请用 _since 缩小",
                         "The history asked for is too long; narrow it with _since");
}

static bool page_is_done(const Page *p)
{
    return p->more || p->old;
}

static Status page_fill(Page *p, DbStmt *st, Err *err)
{
    DbStep step = DB_NONE;
    while (!page_is_done(p) && (step = db_step(st)) == DB_ROW) {
        TRY(page_charge(p, err));
        TRY(page_row(p, st, err));
    }
    return step == DB_FAIL || step == DB_RETRY ? db_failed(p->reader->log, err) : OK;
}

/* The versions of a type that the delta has; they are younger than the index's. */
static Status page_delta(Page *p, const FhirType *type, uint64_t before, Err *err)
{
    const DeltaView *delta = &p->reader->delta;
    const DeltaDoc *d;
    while (!page_is_done(p) && (d = delta_change_before(delta, type, before)) != NULL) {
        TRY(page_charge(p, err));
        TRY(page_seq(p, (int64_t)d->seq, err));
        before = d->seq;
    }
    return OK;
}

static Status page_index(Page *p, const FhirType *type, uint64_t before, Err *err)
{
    Db *db = p->reader->index;
    DbStmt *st = db_take(db, "SELECT seq FROM change WHERE type = ? AND seq < ? ORDER BY seq DESC");
    if (!st) {
        return db_failed(db, err);
    }
    db_bind_i64(st, 0, type_number(type));
    db_bind_i64(st, 1, (int64_t)before);
    DbStep step = DB_NONE;
    Status s = OK;
    while (s == OK && !page_is_done(p) && (step = db_step(st)) == DB_ROW) {
        s = page_charge(p, err);
        s = s == OK ? page_seq(p, db_col_i64(st, 0), err) : s;
    }
    s = s == OK && (step == DB_FAIL || step == DB_RETRY) ? db_failed(db, err) : s;
    db_give(st);
    return s;
}

static Status history_of_type(Page *p, const FhirType *type, uint64_t before, Err *err)
{
    bool ours = !p->reader->snapshot;
    if (ours) {
        TRY(store_snapshot_begin(p->reader, err));
    }
    Status s = page_delta(p, type, before, err);
    s = s == OK ? page_index(p, type, before, err) : s;
    if (ours) {
        store_snapshot_end(p->reader);
    }
    return s;
}

static Status history_of_log(Page *p, const FhirType *type, Str id, uint64_t before, Err *err)
{
    DbStmt *st = history_stmt(p->reader, id);
    if (!st) {
        return db_failed(p->reader->log, err);
    }
    db_bind_i64(st, 0, (int64_t)before);
    db_bind_i64(st, 1, p->since_ms);
    if (!str_empty(id)) {
        db_bind_i64(st, 2, type_number(type));
        db_bind_id(st, 3, id);
    }
    Status s = page_fill(p, st, err);
    db_give(st);
    return s;
}

static Status instance_known(StoreReader *r, Arena *a, const FhirType *type, Str id, Err *err)
{
    Head head;
    bool found;
    TRY(head_find(r->log, a, type, id, &head, &found, err));
    return found ? OK
                 : err_add(err, ERR_NOT_FOUND, NULL, STR_NONE, "没有找到 %.*s/%.*s",
                           "%.*s/%.*s was not found", STR_ARG(fhir_type_name(type)), STR_ARG(id));
}

/* Since when, and current during what; from_ms TIME_NONE: at any time. */
static Status history(Page *p, const StoreView *view, Str type, Str id, uint64_t before_seq,
                      Err *err)
{
    const FhirType *t = NULL;
    if (!str_empty(type)) {
        TRY(type_known(type, &t, err));
    }
    if (!str_empty(id)) {
        TRY(instance_known(p->reader, p->arena, t, id, err));
    }
    sight_init(&p->sight, p->reader, view, p->arena);
    p->rows = arena_array(p->arena, StoreVersion, p->limit + 1);
    uint64_t before = before_seq ? before_seq : INT64_MAX;
    return t && str_empty(id) ? history_of_type(p, t, before, err)
                              : history_of_log(p, t, id, before, err);
}

static void page_take(const Page *p, StoreVersion **ret, size_t *ret_n, bool *ret_more)
{
    *ret = p->rows;
    *ret_n = p->n;
    *ret_more = p->more;
}

Status store_history(StoreReader *r, Arena *a, const StoreView *view, Str type, Str id,
                     int64_t since_ms, uint64_t before_seq, size_t limit, StoreVersion **ret,
                     size_t *ret_n, bool *ret_more, Err *err)
{
    Page p = {.reader = r,
              .arena = a,
              .limit = limit,
              .since_ms = since_ms,
              .from_ms = TIME_NONE,
              .to_ms = TIME_FOREVER};
    TRY(history(&p, view, type, id, before_seq, err));
    if (!str_empty(id) && p.n == 0 && !view->everything && since_ms <= 0 && before_seq == 0) {
        return err_add(err, ERR_NOT_FOUND, NULL, STR_NONE, "没有找到 %.*s/%.*s",
                       "%.*s/%.*s was not found", STR_ARG(type), STR_ARG(id));
    }
    page_take(&p, ret, ret_n, ret_more);
    return OK;
}

Status store_history_during(StoreReader *r, Arena *a, const StoreView *view, Str type, Str id,
                            int64_t from_ms, int64_t to_ms, uint64_t before_seq, size_t limit,
                            StoreVersion **ret, size_t *ret_n, bool *ret_more, Err *err)
{
    Page p = {.reader = r,
              .arena = a,
              .limit = limit,
              .since_ms = TIME_NONE,
              .from_ms = from_ms,
              .to_ms = to_ms};
    TRY(history(&p, view, type, id, before_seq, err));
    page_take(&p, ret, ret_n, ret_more);
    return OK;
}

Status store_transactions(StoreReader *r, uint64_t *ret, Err *err)
{
    int64_t n;
    TRY(db_get_i64(r->log, "SELECT max(tx) FROM tx", 0, &n, err));
    *ret = (uint64_t)n;
    return OK;
}

Status store_log(StoreReader *r, Arena *a, uint64_t after, size_t limit, StoreVersion **ret,
                 size_t *ret_n, Err *err)
{
    DbStmt *st =
        db_take(r->log, "SELECT " VERSION_COLUMNS "FROM version v JOIN head h ON h.rid = v.rid"
                        " JOIN tx t ON t.tx = v.tx WHERE v.seq > ? ORDER BY v.seq");
    if (!st) {
        return db_failed(r->log, err);
    }
    db_bind_i64(st, 0, (int64_t)after);
    size_t n = 0, room = 16; /* those who follow the log ask for many and mostly find one */
    StoreVersion *rows = arena_array(a, StoreVersion, room);
    DbStep step;
    Status s = OK;
    while (s == OK && (step = db_step(st)) == DB_ROW) {
        if (n >= limit && n > 0 && (uint64_t)db_col_i64(st, 1) != rows[n - 1].tx) {
            break;
        }
        if (n == room) {
            StoreVersion *more = arena_array(a, StoreVersion, room * 2);
            memcpy(more, rows, n * sizeof *rows);
            rows = more;
            room *= 2;
        }
        s = version_read(r, st, a, false, &rows[n++], err);
    }
    if (s == OK && (step == DB_FAIL || step == DB_RETRY)) {
        s = db_failed(r->log, err);
    }
    db_give(st);
    TRY(s);
    *ret = rows;
    *ret_n = n;
    return OK;
}
