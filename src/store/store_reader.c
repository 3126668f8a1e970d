/* Readers, heads and versions. */
#include <stdlib.h>

#include "store_inner.h"
#include "store_purge.h"

#include "mk_banned.h"

const StoreView STORE_VIEW_ALL = {.everything = true, .clinical = true};

Status store_reader_open(Store *s, StoreReader **ret, Err *err)
{
    StoreReader *r = memory_take_zeroed(sizeof *r);
    r->store = s;
    body_codec_init(&r->codec);
    Status st = store_db_open(s, "log.db", DB_SYNC_FULL, false, &r->log, err);
    if (st != OK) {
        store_reader_close(r);
        return st;
    }
    *ret = r;
    return OK;
}

void store_reader_close(StoreReader *r)
{
    if (!r) {
        return;
    }
    store_snapshot_end(r);
    db_close(r->index == r->log ? NULL : r->index);
    db_close(r->log);
    body_codec_done(&r->codec);
    free(r->own);
    free(r);
}

Store *store_of(const StoreReader *r)
{
    return r->store;
}

/* The index connection, opened when first needed and again when the index was swapped. */
Status reader_index(StoreReader *r, Err *err)
{
    if (r->store->server) {
        r->index = r->log;
        return OK;
    }
    unsigned now = atomic_load(&r->store->index_generation);
    if (r->index && r->generation == now) {
        return OK;
    }
    r->trouble = r->index ? db_trouble(r->index) : r->trouble;
    db_close(r->index);
    r->index = NULL;
    r->generation = now;
    Status s = store_db_open(r->store, "index.db", DB_SYNC_NORMAL, false, &r->index, err);
    r->trouble = s == OK ? r->trouble : s;
    return s;
}

Status store_reader_trouble(const StoreReader *r, Err *err)
{
    Status log = db_trouble(r->log), index = r->index ? db_trouble(r->index) : OK;
    Status s = log != OK ? log : index != OK ? index : r->trouble;
    return s == OK ? OK : err_status(err, s);
}

void store_reader_calm(StoreReader *r)
{
    r->trouble = OK;
    db_calm(r->log);
    if (r->index) {
        db_calm(r->index);
    }
}

Status spare_take(Store *s, StoreReader **ret, Err *err)
{
    pthread_mutex_lock(&s->lock);
    StoreReader *r = s->spare;
    if (r) {
        s->spare = r->next;
    }
    pthread_mutex_unlock(&s->lock);
    if (r) {
        *ret = r;
        return OK;
    }
    return store_reader_open(s, ret, err);
}

void spare_give(StoreReader *r)
{
    pthread_mutex_lock(&r->store->lock);
    r->next = r->store->spare;
    r->store->spare = r;
    pthread_mutex_unlock(&r->store->lock);
}

/* Another process may have changed which custom parameters there are. */
static Status params_beside(StoreReader *r, Err *err)
{
    Store *s = r->store;
    if (!s->options.read_only) {
        return OK;
    }
    TRY(params_stand_take(s, r->index, err));
    return params_load(s, r->log, &s->stand, err);
}

static Status tails_read(StoreReader *r, Err *err)
{
    TRY(db_get_i64(r->index, "SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'seq'", 0,
                   &r->index_file_seq, err));
    delta_trim(r->store, &r->delta, (uint64_t)r->index_file_seq);
    int64_t to = (int64_t)r->delta.to_seq;
    r->index_seq = to > r->index_file_seq ? to : r->index_file_seq;
    TRY(db_begin_read(r->log, err));
    DbStmt *st =
        db_take(r->log, "SELECT (SELECT max(seq) FROM version), (SELECT max(rid) FROM head)");
    if (!st) {
        return db_failed(r->log, err);
    }
    Status s = db_step(st) == DB_ROW ? OK : db_failed(r->log, err);
    if (s == OK) {
        r->log_seq = db_col_i64(st, 0);
        r->rid_max = db_col_i64(st, 1);
    }
    db_give(st);
    TRY(s);
    TRY(params_beside(r, err));
    bool lacks = r->store->options.read_only && r->index_file_seq < r->log_seq;
    return lacks ? delta_of_log(r, err) : OK;
}

/* The delta, for the very file that is open: another may have taken its place and all its parts. */
static Status delta_take(StoreReader *r, Err *err)
{
    for (;;) {
        TRY(reader_index(r, err));
        delta_pin(r->store, &r->delta);
        if (r->generation == atomic_load(&r->store->index_generation)) {
            return OK;
        }
        delta_unpin(r->store, &r->delta);
    }
}

/*
 * The delta is pinned, then both databases by a first read, the index first: so nothing between
 * delta and index is missed, and the log is never behind them.
 */
Status store_snapshot_begin(StoreReader *r, Err *err)
{
    mk_check(!r->snapshot);
    uint64_t kept = kept_state(r->store); /* before it is known which index is read */
    TRY(delta_take(r, err));
    r->grants_done = own_grants_done(r->store);
    Status st = db_begin_read(r->index, err);
    if (st != OK) {
        delta_unpin(r->store, &r->delta);
        return st;
    }
    r->snapshot = true;
    st = r->store->server ? server_moment(r, err) : tails_read(r, err);
    r->kept_state = kept == kept_state(r->store) ? kept : KEPT_NONE;
    st = st == OK && r->store->server ? params_beside(r, err) : st;
    if (st != OK) {
        store_snapshot_end(r);
    }
    return st;
}

void store_snapshot_end(StoreReader *r)
{
    if (r->snapshot) {
        db_abort(r->log);
        db_abort(r->index);
        delta_unpin(r->store, &r->delta);
        reader_own_release(r);
        r->snapshot = false;
    }
}

Status type_known(Str name, const FhirType **ret, Err *err)
{
    const FhirType *t = fhir_resource_find(name);
    if (!t) {
        return err_add(err, ERR_NOT_FOUND, "not-supported", STR_NONE, "没有资源类型 %.*s",
                       "There is no resource type %.*s", STR_ARG(name));
    }
    *ret = t;
    return OK;
}

Status head_find(Db *log, Arena *a, const FhirType *type, Str id, Head *ret, bool *ret_found,
                 Err *err)
{
    DbStmt *st = db_take(log, "SELECT h.rid, h.seq, h.born, h.op, v.vid FROM head h"
                              " JOIN version v ON v.seq = h.seq WHERE h.type = ? AND h.id = ?");
    if (!st) {
        return db_failed(log, err);
    }
    db_bind_i64(st, 0, type_number(type));
    db_bind_id(st, 1, id);
    DbStep step = db_step(st);
    Status s = OK;
    if (step == DB_ROW) {
        *ret = (Head){db_col_i64(st, 0), (uint64_t)db_col_i64(st, 1), (uint64_t)db_col_i64(st, 2),
                      (StoreOp)db_col_i64(st, 3), arena_str(a, db_col_str(st, 4))};
        *ret_found = true;
    } else if (step == DB_NONE) {
        *ret_found = false;
    } else {
        s = db_failed(log, err);
    }
    db_give(st);
    return s;
}

Status indexed_seq(StoreReader *r, int64_t rid, uint64_t *ret, Err *err)
{
    const DeltaDoc *moved = delta_find(&r->delta, rid);
    if (moved) {
        *ret = moved->doc ? moved->seq : 0;
        return OK;
    }
    DbStmt *st = db_take(r->index, "SELECT seq FROM doc WHERE rid = ?");
    if (!st) {
        return db_failed(r->index, err);
    }
    db_bind_i64(st, 0, rid);
    *ret = db_step(st) == DB_ROW ? (uint64_t)db_col_i64(st, 0) : 0;
    db_give(st);
    return OK;
}

Status version_body(const Store *s, Db *log, BodyCodec *c, Arena *a, uint64_t seq, Str *ret,
                    Err *err)
{
    DbStmt *st = db_take(log, "SELECT " BODY_COLUMNS "FROM version v JOIN head h ON h.rid = v.rid"
                              " WHERE v.seq = ?");
    if (!st) {
        return db_failed(log, err);
    }
    db_bind_i64(st, 0, (int64_t)seq);
    DbStep step = db_step(st);
    Status status;
    if (step == DB_ROW && !db_col_is_null(st, 1)) {
        BodyRow row = body_row(st, 0);
        status = body_unpack(s, c, a, &row, ret, err);
    } else if (step == DB_ROW || step == DB_NONE) {
        *ret = STR_NONE;
        status = OK;
    } else {
        status = db_failed(log, err);
    }
    db_give(st);
    return status;
}

Str version_id_next(const Store *s, Arena *a, Str before)
{
    int64_t n = 0;
    Str number = before, rest;
    str_cut(before, '-', &number, &rest);
    if (!str_to_i64(number, &n)) {
        n = 0;
    }
    if (s->site == 0) {
        return arena_printf(a, "%lld", (long long)n + 1);
    }
    return s->epoch > 1 ? arena_printf(a, "%lld-%lld-%lld", (long long)n + 1, (long long)s->site,
                                       (long long)s->epoch)
                        : arena_printf(a, "%lld-%lld", (long long)n + 1, (long long)s->site);
}

const Str *patients_split(Arena *a, Str text, size_t *ret_n)
{
    size_t n = 0;
    bool unknown;
    store_labels_cut(&text, &unknown);
    for (size_t i = 0; i < text.n; i++) {
        n += text.p[i] == ' ';
    }
    Str *ids = arena_array(a, Str, n + 1);
    *ret_n = 0;
    for (Str rest = text, id; !str_empty(rest); ids[(*ret_n)++] = id) {
        str_cut(rest, ' ', &id, &rest);
    }
    return ids;
}

Status version_read(StoreReader *r, DbStmt *st, Arena *a, bool body, StoreVersion *ret, Err *err)
{
    *ret = (StoreVersion){
        .seq = (uint64_t)db_col_i64(st, 0),
        .tx = (uint64_t)db_col_i64(st, 1),
        .type = fhir_type_name(fhir_resource_at((unsigned)db_col_i64(st, 2))),
        .id = arena_str(a, db_col_id(st, 3)),
        .vid = arena_str(a, db_col_str(st, 4)),
        .op = (StoreOp)db_col_i64(st, 5),
        .at_ms = db_col_i64(st, 6),
        .author = arena_str(a, db_col_str(st, 7)),
        .role = arena_str(a, db_col_str(st, 8)),
        .org = arena_str(a, db_col_str(st, 9)),
        .cause = arena_str(a, db_col_str(st, 10)),
    };
    ret->patients = patients_split(a, arena_str(a, db_col_id(st, 11)), &ret->patients_n);
    bool without = db_col_is_null(st, 13);
    ret->purged =
        ret->op == STORE_DELETE ? str_starts(ret->cause, STR(STORE_PURGE_CAUSE)) : without;
    if (!body || without) {
        return OK;
    }
    BodyRow row = {(int)db_col_i64(st, 12), db_col_str(st, 13), ret->id, db_col_id(st, 11)};
    return body_unpack(r->store, &r->codec, a, &row, &ret->body, err);
}

static Status not_found(Err *err, Str type, Str id)
{
    return err_add(err, ERR_NOT_FOUND, NULL, STR_NONE, "没有找到 %.*s/%.*s",
                   "%.*s/%.*s was not found", STR_ARG(type), STR_ARG(id));
}

/* One row of version ⨝ head ⨝ tx, if the view may see it. */
static Status read_row(StoreReader *r, DbStmt *st, Arena *a, const StoreView *view, Str type,
                       Str id, StoreVersion *ret, Err *err)
{
    DbStep step = db_step(st);
    if (step == DB_NONE) {
        return not_found(err, type, id);
    }
    if (step != DB_ROW) {
        return db_failed(r->log, err);
    }
    if (!view->everything) {
        Sight sight;
        sight_init(&sight, r, view, a);
        if (!sight_resource(&sight, fhir_resource_find(type), db_col_id(st, 11),
                            (uint64_t)db_col_i64(st, 14))) {
            return not_found(err, type, id);
        }
    }
    TRY(version_read(r, st, a, true, ret, err));
    if (ret->purged) {
        return err_rule(err, ERR_GONE, STR("purged"), STR_NONE,
                        "%.*s/%.*s 的内容已按规定清除，无法恢复",
                        "The content of %.*s/%.*s was purged: it was erased for good",
                        STR_ARG(type), STR_ARG(id));
    }
    if (ret->op == STORE_DELETE) {
        return err_add(err, ERR_GONE, NULL, STR_NONE, "%.*s/%.*s 已删除", "%.*s/%.*s was deleted",
                       STR_ARG(type), STR_ARG(id));
    }
    return OK;
}

Status store_read(StoreReader *r, Arena *a, const StoreView *view, Str type, Str id,
                  StoreVersion *ret, Err *err)
{
    const FhirType *t;
    TRY(type_known(type, &t, err));
    DbStmt *st =
        db_take(r->log, "SELECT " VERSION_COLUMNS "FROM head h JOIN version v ON v.seq = h.seq"
                        " JOIN tx t ON t.tx = v.tx WHERE h.type = ? AND h.id = ?");
    if (!st) {
        return db_failed(r->log, err);
    }
    db_bind_i64(st, 0, type_number(t));
    db_bind_id(st, 1, id);
    Status s = read_row(r, st, a, view, type, id, ret, err);
    db_give(st);
    return s;
}

Status store_vread(StoreReader *r, Arena *a, const StoreView *view, Str type, Str id, Str vid,
                   StoreVersion *ret, Err *err)
{
    const FhirType *t;
    TRY(type_known(type, &t, err));
    DbStmt *st = db_take(r->log, "SELECT " VERSION_COLUMNS "FROM head h"
                                 " CROSS JOIN version v ON v.rid = h.rid"
                                 " JOIN tx t ON t.tx = v.tx WHERE h.type = ? AND h.id = ?"
                                 " AND v.vid = ?");
    if (!st) {
        return db_failed(r->log, err);
    }
    db_bind_i64(st, 0, type_number(t));
    db_bind_id(st, 1, id);
    db_bind_str(st, 2, vid);
    Status s = read_row(r, st, a, view, type, id, ret, err);
    db_give(st);
    return s;
}
