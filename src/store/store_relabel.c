/*
 * Labels of sensitive content on versions that were written before the program knew of them, or of
 * a class of theirs: looked up in their bodies once, at open, when the table of classes has
 * changed. The digests of the log do not cover version.patient.
 */
#include "store_inner.h"

#include "mk_banned.h"

#define SETTING "labels"
#define STEP    2000u

typedef struct Row {
    uint64_t seq;
    int64_t rid;
    bool deleted;
    BodyRow body; /* packed empty: it was purged */
} Row;

/* The labels of a version's text, behind which its patients begin. */
static unsigned labels_cut(Str *text)
{
    bool unknown;
    return store_labels_cut(text, &unknown);
}

static Status body_labels(Store *s, Arena *a, const Row *row, unsigned *ret, Err *err)
{
    Str body;
    JsonDoc d;
    *ret = 0;
    TRY(body_unpack(s, &s->codec, a, &row->body, &body, err));
    if (str_find(body, STR("\"security\"")) >= 0) {
        TRY(json_parse(a, body, &JSON_LIMITS_FHIR, &d, err));
        *ret = store_labels_of(&d);
    }
    return OK;
}

Status version_before(Db *log, Arena *a, int64_t rid, int64_t seq, Str *ret, Err *err)
{
    *ret = STR_NONE;
    DbStmt *st = db_take(log, "SELECT patient FROM version WHERE rid = ? AND seq < ?"
                              " ORDER BY seq DESC LIMIT 1");
    if (!st) {
        return db_failed(log, err);
    }
    db_bind_i64(st, 0, rid);
    db_bind_i64(st, 1, seq);
    DbStep step = db_step(st);
    if (step == DB_ROW) {
        *ret = arena_str(a, db_col_id(st, 0));
    }
    db_give(st);
    return step == DB_ROW || step == DB_NONE ? OK : db_failed(log, err);
}

/* A deletion has those of what it deleted, which stand there already. */
static Status deletion_labels(Store *s, Arena *a, const Row *row, unsigned *ret, Err *err)
{
    Str before;
    TRY(version_before(s->log, a, row->rid, (int64_t)row->seq, &before, err));
    *ret = labels_cut(&before);
    return OK;
}

static Status row_relabel(Store *s, Arena *a, const Row *row, Err *err)
{
    Str patients = row->body.patients;
    unsigned labels;
    labels_cut(&patients);
    if (row->deleted) {
        TRY(deletion_labels(s, a, row, &labels, err));
    } else if (row->body.packed.n) {
        TRY(body_labels(s, a, row, &labels, err));
    } else {
        return OK; /* purged: as it was */
    }
    Str text = arena_cat(a, store_labels_text(a, labels), patients);
    if (str_eq(text, row->body.patients)) {
        return OK;
    }
    DbStmt *st = db_take(s->log, "UPDATE version SET patient = ? WHERE seq = ?");
    if (st) {
        db_bind_id(st, 0, text);
        db_bind_i64(st, 1, (int64_t)row->seq);
    }
    return db_run(s->log, st, err);
}

static Status rows_read(Store *s, Arena *a, uint64_t after, Row *list, size_t *ret_n, Err *err)
{
    DbStmt *st = db_take(s->log, "SELECT v.seq, v.rid, v.op, " BODY_COLUMNS "FROM version v"
                                 " JOIN head h ON h.rid = v.rid WHERE v.seq > ?"
                                 " ORDER BY v.seq LIMIT ?");
    if (!st) {
        return db_failed(s->log, err);
    }
    db_bind_i64(st, 0, (int64_t)after);
    db_bind_i64(st, 1, STEP);
    DbStep step;
    size_t n = 0;
    while ((step = db_step(st)) == DB_ROW) {
        BodyRow row = body_row(st, 3);
        list[n++] = (Row){.seq = (uint64_t)db_col_i64(st, 0),
                          .rid = db_col_i64(st, 1),
                          .deleted = db_col_i64(st, 2) == STORE_DELETE,
                          .body = {row.dict, arena_str(a, row.packed), arena_str(a, row.id),
                                   arena_str(a, row.patients)}};
    }
    db_give(st);
    *ret_n = n;
    return step == DB_NONE ? OK : db_failed(s->log, err);
}

static Status rows_relabel(Store *s, Arena *a, uint64_t *seq, Err *err)
{
    Row *list = arena_array(a, Row, STEP);
    size_t n;
    TRY(rows_read(s, a, *seq, list, &n, err));
    TRY(db_begin(s->log, err));
    for (size_t i = 0; i < n; i++) {
        TRY(row_relabel(s, a, &list[i], err));
    }
    TRY(db_commit(s->log, err));
    *seq = n ? list[n - 1].seq : s->seq;
    return OK;
}

static Status all_relabel(Store *s, Err *err)
{
    Arena a;
    arena_init(&a, 0);
    Status st = OK;
    for (uint64_t seq = 0; st == OK && seq < s->seq;) {
        st = rows_relabel(s, &a, &seq, err);
        arena_reset(&a);
        if (st == OK && s->options.progress) {
            s->options.progress(s->options.progress_ctx, "labels", seq, s->seq);
        }
    }
    if (st != OK) {
        db_abort(s->log);
    }
    arena_done(&a);
    return st;
}

Status labels_settle(Store *s, Err *err)
{
    Arena a;
    Str there;
    arena_init(&a, 0);
    Str now = store_labels_digest(&a);
    Status st = log_setting_read(s, SETTING, &there, err);
    if (st == OK && !str_eq(there, now)) {
        if (s->seq) {
            log_info("store", "looking for sensitive content in %llu versions",
                     (unsigned long long)s->seq);
            /* Rows that grow make pages split. */
            st = log_setting_write(s->log, SETTING_BODIES_ONCE, STR("0"), err);
        }
        st = st == OK ? all_relabel(s, err) : st;
        st = st == OK ? log_setting_write(s->log, SETTING, now, err) : st;
    }
    st = st == OK ? log_setting_read(s, SETTING_BODIES_ONCE, &there, err) : st;
    s->bodies_once = st == OK && str_is(there, "1");
    arena_done(&a);
    return st;
}
