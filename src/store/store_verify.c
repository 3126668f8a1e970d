/*
 * Whether the store is what it says: the databases' own pages, the log's numbering and digests,
 * every body against its SHA-256, whose each version is, heads against versions, blobs against
 * their names, and the index both ways.
 */
#include <stdlib.h>

#include "store_inner.h"
#include "store_purge_inner.h"

#include "mk_banned.h"

#define PROGRESS_STEP 1000u
#define ASKED_MAX     64u /* resources whose rows are asked for together … */
#define ASKED_BYTES   ((size_t)8 << 20)

/* A resource, and whether each of its rows is there. */
typedef struct Asked {
    const FhirType *type;
    Str id;
    const bool *there;
    size_t n;
} Asked;

typedef struct Verify {
    StoreReader *reader;
    Arena scratch;
    StoreProgress *progress;
    void *ctx;
    uint64_t faults;
    const ParamTable *params;
    ParamStand stand;
    Asked asked[ASKED_MAX]; /* in scratch, while the index is compared */
    size_t asked_n;
    int64_t rows[INDEX_TABLES]; /* that ought to be there */
    Err *err;
} Verify;

static void fault(Verify *v, Str where, const char *zh, const char *en)
{
    v->faults++;
    Status s = err_text(v->err, ERR_INTERNAL, NULL, where, str_from_c(zh), str_from_c(en));
    (void)s;
}

static void tell(Verify *v, const char *what, uint64_t done, uint64_t total)
{
    if (v->progress && (done % PROGRESS_STEP == 0 || done == total)) {
        v->progress(v->ctx, what, done, total);
    }
}

/* ---- The databases' own structure
 * ---------------------------------------------------------------------------- */

typedef struct Pages {
    Verify *v;
    const char *file;
} Pages;

static void pages_fault(void *ctx, Str what)
{
    const Pages *x = ctx;
    fault(x->v, arena_printf(&x->v->scratch, "%s: %.*s", x->file, STR_ARG(what)),
          "数据库文件的结构已损坏", "The structure of a database file is damaged");
}

static Status pages_check(Verify *v, Err *err)
{
    Pages log = {v, "log.db"}, index = {v, "index.db"};
    TRY(db_verify(v->reader->log, pages_fault, &log, err));
    return db_verify(v->reader->index, pages_fault, &index, err);
}

/* ---- The log --------------------------------------------------------------------------------- */

typedef struct TxWalk {
    DbStmt *tx, *version;
    bool version_live;
    uint64_t seq;
    Sha256 digest;
    int64_t at_ms;
} TxWalk;

/* What stands beside a body, outside of the digests: who may see the version. */
static void whose_check(Verify *v, DbStmt *st, Str where, const FhirType *type, Str body)
{
    Str found;
    Status s = body.n ? index_whose_text(v->reader->store, &v->scratch, type, body, &found, NULL)
                      : version_before(v->reader->log, &v->scratch, db_col_i64(st, 11),
                                       db_col_i64(st, 0), &found, NULL);
    if (s != OK || !str_eq(found, db_col_id(st, 10))) {
        fault(v, where, "版本所记的患者或敏感标签与其内容不符",
              "The patients or labels noted for a version are not those of its body");
    }
}

/* *ret_sha: of what is there, or what is kept of what was purged; for the digest. */
static void body_check(Verify *v, DbStmt *st, StoreOp op, const FhirType *type, Sha256 *ret_sha)
{
    uint64_t seq = (uint64_t)db_col_i64(st, 0);
    Str sha = db_col_str(st, 6);
    *ret_sha = (Sha256){0};
    memcpy(ret_sha->b, sha.p, sha.n < sizeof ret_sha->b ? sha.n : sizeof ret_sha->b);
    Str where = arena_printf(&v->scratch, "version %llu", (unsigned long long)seq), body = STR_NONE;
    bool without = db_col_is_null(st, 8);
    if (without && op != STORE_DELETE && purge_took(v->reader->log, seq)) {
        return; /* its SHA-256 stays in the digests */
    }
    if (without != (op == STORE_DELETE)) {
        fault(v, where, "版本缺少内容，或删除的版本带有内容",
              "A version lacks its body, or a deletion has one");
        return;
    }
    BodyRow row = body_row(st, 7);
    if (op != STORE_DELETE &&
        body_unpack(v->reader->store, &v->reader->codec, &v->scratch, &row, &body, NULL) != OK) {
        fault(v, where, "版本内容无法解压", "The body of a version cannot be unpacked");
        return;
    }
    *ret_sha = sha256(body);
    if (sha.n < BODY_SHA_BYTES || sha.n > sizeof ret_sha->b ||
        memcmp(ret_sha->b, sha.p, sha.n) != 0) {
        fault(v, where, "版本内容与其 SHA-256 不符",
              "The body of a version differs from its SHA-256");
        return;
    }
    whose_check(v, st, where, type, body);
}

/* The versions of one transaction: without gaps, each with its line in the digest. */
static size_t versions_check(Verify *v, TxWalk *w, int64_t tx, Str *parts, size_t room)
{
    size_t n = 1;
    while (w->version_live && db_col_i64(w->version, 1) == tx) {
        DbStmt *st = w->version;
        uint64_t seq = (uint64_t)db_col_i64(st, 0);
        Sha256 sha;
        StoreOp op = (StoreOp)db_col_i64(st, 5);
        if (seq != ++w->seq) {
            fault(v, arena_printf(&v->scratch, "version %llu", (unsigned long long)seq),
                  "日志编号不连续", "The numbering of the log has a gap");
            w->seq = seq;
        }
        const FhirType *type = fhir_resource_at((unsigned)db_col_i64(st, 2));
        body_check(v, st, op, type, &sha);
        if (n < room) {
            parts[n++] = digest_line(&v->scratch, seq, fhir_type_name(type), db_col_id(st, 3),
                                     db_col_str(st, 4), op, &sha);
        }
        w->version_live = db_step(st) == DB_ROW;
    }
    return n;
}

static void tx_check(Verify *v, TxWalk *w, int64_t expected)
{
    DbStmt *st = w->tx;
    StoreVersion t = {.tx = (uint64_t)db_col_i64(st, 0),
                      .at_ms = db_col_i64(st, 1),
                      .author = db_col_str(st, 2),
                      .role = db_col_str(st, 3),
                      .org = db_col_str(st, 4),
                      .cause = db_col_str(st, 8)};
    Str where = arena_printf(&v->scratch, "tx %llu", (unsigned long long)t.tx);
    size_t room = STORE_ENTRIES_MAX + 1;
    Str *parts = arena_array(&v->scratch, Str, room);
    if ((int64_t)t.tx != expected) {
        fault(v, where, "事务编号不连续", "The numbering of transactions has a gap");
    }
    if (t.at_ms < w->at_ms) {
        fault(v, where, "事务时间倒退", "The time of a transaction lies before the one before it");
    }
    w->at_ms = t.at_ms;
    parts[0] = digest_head(&v->scratch, &w->digest, &t, db_col_i64(st, 5), db_col_i64(st, 6),
                           (uint64_t)db_col_i64(st, 7));
    size_t n = versions_check(v, w, (int64_t)t.tx, parts, room);
    Sha256 found = sha256_parts(parts, n);
    Str stored = db_col_str(st, 9);
    if (stored.n != sizeof found.b || memcmp(stored.p, found.b, stored.n) != 0) {
        fault(v, where, "事务摘要不符：内容被改动",
              "The digest of a transaction does not fit: something was changed");
    }
    if (stored.n == sizeof w->digest.b) {
        memcpy(w->digest.b, stored.p, stored.n);
    }
}

static Status log_check(Verify *v, Err *err)
{
    Db *log = v->reader->log;
    int64_t total, expected = 0;
    TRY(db_get_i64(log, "SELECT count(*) FROM tx", 0, &total, err));
    TxWalk w = {.at_ms = INT64_MIN};
    w.tx = db_take(
        log,
        "SELECT tx, at, author, role, org, site, epoch, oseq, cause, digest FROM tx ORDER BY tx");
    w.version =
        db_take(log, "SELECT v.seq, v.tx, h.type, h.id, v.vid, v.op, v.body_sha, " BODY_COLUMNS
                     ", v.rid FROM version v JOIN head h ON h.rid = v.rid ORDER BY v.seq");
    DbStep step = DB_FAIL;
    if (w.tx && w.version) {
        w.version_live = db_step(w.version) == DB_ROW;
        while ((step = db_step(w.tx)) == DB_ROW) {
            tx_check(v, &w, ++expected);
            tell(v, "log", (uint64_t)expected, (uint64_t)total);
            arena_reset(&v->scratch);
        }
        if (w.version_live) {
            fault(v, STR("version"), "存在不属于任何事务的版本",
                  "There are versions of no transaction");
        }
    }
    Status s = step == DB_NONE ? OK : db_failed(log, err);
    db_give(w.tx);
    db_give(w.version);
    return s;
}

/* A head names the newest version of its resource, and what that version did. */
static Status heads_check(Verify *v, Err *err)
{
    DbStmt *st =
        db_take(v->reader->log,
                "SELECT h.rid FROM head h LEFT JOIN version v ON v.seq = h.seq"
                " WHERE v.rid IS DISTINCT FROM h.rid OR (v.op = 3) <> (h.op = 3) OR h.seq <>"
                " (SELECT max(x.seq) FROM version x WHERE x.rid = h.rid)");
    if (!st) {
        return db_failed(v->reader->log, err);
    }
    DbStep step;
    while ((step = db_step(st)) == DB_ROW) {
        fault(v, arena_printf(&v->scratch, "head %lld", (long long)db_col_i64(st, 0)),
              "资源的当前版本记录有误", "A head does not name the newest version of its resource");
    }
    Status s = step == DB_NONE ? OK : db_failed(v->reader->log, err);
    db_give(st);
    return s;
}

static void purge_fault(void *ctx, Str where, const char *zh, const char *en)
{
    fault(ctx, where, zh, en);
}

/* ---- Blobs
 * ---------------------------------------------------------------------------------------- */

static Status blob_check(void *ctx, Str relative, Err *err)
{
    (void)err;
    Verify *v = ctx;
    Str folder, sha, bytes;
    if (!str_cut(relative, '/', &folder, &sha) || str_find(sha, STR(".tmp-")) >= 0) {
        return OK; /* what a crash left before its rename */
    }
    if (store_blob_get(v->reader->store, &v->scratch, sha, &bytes, NULL) != OK) {
        fault(v, arena_cat(&v->scratch, STR("blobs/"), relative), "文件内容与其名称（SHA-256）不符",
              "A blob differs from its name, the SHA-256");
    }
    arena_reset(&v->scratch);
    return OK;
}

/* What a living Binary names must be there. */
static Status blob_named(void *ctx, Str sha, bool needed, Err *err)
{
    (void)err;
    Verify *v = ctx;
    Str dir = v->reader->store->dir;
    Str path = arena_printf(&v->scratch, "%.*s/blobs/%.2s/%.*s", STR_ARG(dir), sha.p, STR_ARG(sha));
    if (needed && !file_exists(path.p)) {
        fault(v, sha, "缺少文件内容", "The content that a Binary names is missing");
    }
    arena_reset(&v->scratch);
    return OK;
}

static Status blobs_check(Verify *v, Err *err)
{
    Arena a;
    arena_init(&a, 0);
    const char *dir = path_join(&a, v->reader->store->dir, STR("blobs")).p;
    Status s = file_exists(dir) ? dir_walk(&a, dir, blob_check, v, err) : OK;
    arena_done(&a);
    return s == OK ? store_blobs_named(v->reader, blob_named, v, err) : s;
}

/* ---- The index, both ways
 * ---------------------------------------------------------------------------- */

static const char *const table_count[INDEX_TABLES] = {
    [INDEX_TOKEN] = "SELECT count(*) FROM token",
    [INDEX_REF] = "SELECT count(*) FROM ref",
    [INDEX_DATE] = "SELECT count(*) FROM date",
    [INDEX_STRING] = "SELECT count(*) FROM string",
    [INDEX_NUMBER] = "SELECT count(*) FROM number",
    [INDEX_QUANTITY] = "SELECT count(*) FROM quantity",
    [INDEX_URI] = "SELECT count(*) FROM uri",
    [INDEX_COMPARTMENT] = "SELECT count(*) FROM compartment",
    [INDEX_PHRASE] = "SELECT count(*) FROM phrase_doc",
    [INDEX_CODE] = "SELECT CAST(coalesce(sum(n), 0) AS bigint) FROM code",
    [INDEX_TERM] = NULL, /* one for many resources, and kept when the last is gone */
};

/* Of custom parameters, by their numbers: those that are about to be taken out do not count. */
static const char *const table_range[INDEX_TABLES] = {
    [INDEX_TOKEN] = "SELECT count(*) FROM token WHERE param >= ? AND param < ?",
    [INDEX_REF] = "SELECT count(*) FROM ref WHERE param >= ? AND param < ?",
    [INDEX_DATE] = "SELECT count(*) FROM date WHERE param >= ? AND param < ?",
    [INDEX_STRING] = "SELECT count(*) FROM string WHERE param >= ? AND param < ?",
    [INDEX_NUMBER] = "SELECT count(*) FROM number WHERE param >= ? AND param < ?",
    [INDEX_QUANTITY] = "SELECT count(*) FROM quantity WHERE param >= ? AND param < ?",
    [INDEX_URI] = "SELECT count(*) FROM uri WHERE param >= ? AND param < ?",
    [INDEX_CODE] = "SELECT CAST(coalesce(sum(n), 0) AS bigint) FROM code"
                   " WHERE param >= ? AND param < ?",
};

static Status range_count(Verify *v, const char *sql, uint32_t number, int64_t *found, Err *err)
{
    Db *db = v->reader->index;
    if (!params_pending(v->params, &v->stand, number)) {
        return OK;
    }
    DbStmt *st = db_take(db, sql);
    if (!st) {
        return db_failed(db, err);
    }
    db_bind_i64(st, 0, param_rows_from(number));
    db_bind_i64(st, 1, (int64_t)param_rows_from(number) + (1 << PARAM_SHIFT));
    Status s = db_step(st) == DB_ROW ? OK : db_failed(db, err);
    *found -= s == OK ? db_col_i64(st, 0) : 0;
    db_give(st);
    return s;
}

/* The rows of a table that ought to belong to some resource. */
static Status rows_count(Verify *v, size_t table, int64_t *ret, Err *err)
{
    const char *sql = table_range[table];
    TRY(db_get_i64(v->reader->index, table_count[table], 0, ret, err));
    for (size_t i = 0; sql && i < v->stand.n; i++) {
        TRY(range_count(v, sql, v->stand.at[i].number, ret, err));
    }
    for (uint32_t n = v->stand.floor + 1; sql && v->params && n <= v->params->last; n++) {
        TRY(range_count(v, sql, n, ret, err));
    }
    return OK;
}

static Status asked_settle(Verify *v, Err *err)
{
    TRY(db_ask_end(v->reader->index, err));
    for (size_t i = 0; i < v->asked_n; i++) {
        const Asked *x = &v->asked[i];
        bool same = true;
        for (size_t k = 0; k < x->n && same; k++) {
            same = x->there[k];
        }
        if (!same) {
            Str where = arena_cat(&v->scratch, fhir_type_name(x->type), STR("/"), x->id);
            fault(v, where, "索引与资源内容不符，请运行 menkou reindex",
                  "The index differs from the resource; run menkou reindex");
        }
    }
    v->asked_n = 0;
    arena_reset(&v->scratch);
    return OK;
}

static Status doc_check(Verify *v, DbStmt *st, Err *err)
{
    const Store *store = v->reader->store;
    Arena *a = &v->scratch;
    Asked *x = &v->asked[v->asked_n];
    const FhirType *type = fhir_resource_at((unsigned)db_col_i64(st, 1));
    int64_t rid = db_col_i64(st, 0);
    uint64_t seq = (uint64_t)db_col_i64(st, 2);
    Str body;
    IndexDoc doc;
    BodyRow row = body_row(st, 3);
    TRY(body_unpack(store, &v->reader->codec, a, &row, &body, err));
    TRY(index_extract(store, a, type, body, &doc, err));
    const IndexDoc *right = params_settle(a, v->params, &v->stand, rid, seq, &doc);
    for (size_t i = 0; i < right->rows_n; i++) {
        v->rows[right->rows[i].table]++;
    }
    *x = (Asked){type, arena_str(a, row.id), NULL, right->rows_n + 1};
    TRY(index_doc_ask(v->reader->index, a, rid, seq, right, &x->there, err));
    v->asked_n++;
    return v->asked_n == ASKED_MAX || a->used_bytes > ASKED_BYTES ? asked_settle(v, err) : OK;
}

/* Of heads as they were where index.db ends. */
static Status docs_check(Verify *v, Err *err)
{
    int64_t total, done = 0;
    TRY(db_get_i64(v->reader->log, "SELECT count(*) FROM head WHERE op <> 3", 0, &total, err));
    DbStmt *st =
        db_take(v->reader->log,
                "SELECT h.rid, h.type, v.seq, " BODY_COLUMNS "FROM head h"
                " CROSS JOIN version v WHERE v.seq = CASE WHEN h.seq <= ?1 THEN h.seq"
                " ELSE (SELECT max(o.seq) FROM version o WHERE o.rid = h.rid"
                " AND o.seq <= ?1) END AND v.op <> 3 AND v.body IS NOT NULL ORDER BY h.rid");
    if (!st) {
        return db_failed(v->reader->log, err);
    }
    db_bind_i64(st, 0, v->reader->index_file_seq);
    DbStep step = DB_NONE;
    Status s = OK;
    while (s == OK && (step = db_step(st)) == DB_ROW) {
        s = doc_check(v, st, err);
        tell(v, "index", (uint64_t)++done, (uint64_t)total);
    }
    s = s == OK && step != DB_NONE ? db_failed(v->reader->log, err) : s;
    db_give(st);
    if (s != OK) {
        (void)!db_ask_end(v->reader->index, NULL);
        return s;
    }
    return asked_settle(v, err);
}

/*
 * Every head's rows are there; and as many as all of them together, so that there are no others.
 */
static Status index_check(Verify *v, Err *err)
{
    TRY(docs_check(v, err));
    for (size_t t = 0; t < INDEX_TABLES; t++) {
        int64_t found;
        if (!table_count[t]) {
            continue;
        }
        TRY(rows_count(v, t, &found, err));
        if (found != v->rows[t]) {
            fault(
                v, STR("index.db"), "索引中有多余或缺少的行，请运行 menkou reindex",
                "The index has rows that belong to no resource, or lacks some; run menkou reindex");
        }
    }
    return OK;
}

/* Rows of another layout are nothing to compare with; a server makes them anew when it opens. */
static Status index_known(StoreReader *r, Arena *a, Err *err)
{
    Str version;
    TRY(reader_index(r, err));
    TRY(index_meta_get(r->index, a, "version", &version, err));
    return str_eq(version, index_version_text(r->store, a))
               ? OK
               : err_add(
                     err, ERR_UNAVAILABLE, NULL, STR("index.db"),
                     "索引是本程序另一版本建的，或尚未建完：请先启动一次 menkou serve，会自动重建",
                     "The index is of another version of this program, or is not finished: run "
                     "menkou serve once, which makes it anew");
}

Status store_verify(StoreReader *r, Arena *a, StoreProgress *progress, void *ctx,
                    uint64_t *ret_faults, Err *err)
{
    Err found;
    Verify v = {.reader = r, .progress = progress, .ctx = ctx, .err = &found};
    err_init(&found, a);
    TRY(index_known(r, a, err));
    arena_init(&v.scratch, 0);
    TRY(store_snapshot_begin(r, err));
    v.params = params_now(r->store);
    Status s = params_stand_read(r->index, a, &v.stand, err);
    s = s == OK ? pages_check(&v, err) : s;
    s = s == OK ? log_check(&v, err) : s;
    s = s == OK ? heads_check(&v, err) : s;
    s = s == OK ? purges_verify(r, &v.scratch, purge_fault, &v, err) : s;
    s = s == OK ? blobs_check(&v, err) : s;
    s = s == OK ? index_check(&v, err) : s;
    store_snapshot_end(r);
    arena_done(&v.scratch);
    TRY(s);
    if (v.faults) {
        s = err_move(err, &found, STR_NONE);
    }
    *ret_faults = v.faults;
    return OK;
}
