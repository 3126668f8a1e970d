#include "store_uploads.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store_binary.h"
#include "store_inner.h"

#include "mk_banned.h"

#define SETTING      "uploads-read-to"
#define KEPT_EVERY   1000 /* versions between two keepings of the place */
#define SAME_SHA_MAX 100

struct StoreUploads {
    StoreReader *reader;
    StoreUpload *waiting; /* in the order of uploading */
    size_t n, room;
    uint64_t at;             /* read up to here */
    uint64_t kept;           /* the place in the store */
    uint64_t back, back_end; /* looking back: read up to, to be read to; equal: not looking */
};

/* ---- its place ------------------------------------------------------------------------------- */

Status store_uploads_open(StoreReader *r, StoreUploads **ret, Err *err)
{
    StoreUploads *u = memory_take_zeroed(sizeof *u);
    u->reader = r;
    Arena a;
    arena_init(&a, 0);
    Str text;
    int64_t place = 0;
    Status s = store_setting_get(r, &a, STR(SETTING), &text, NULL);
    if (s == OK && str_to_i64(text, &place)) {
        u->at = u->kept = (uint64_t)place;
    }
    arena_done(&a);
    if (s != OK && s != ERR_NOT_FOUND) {
        free(u);
        return err_status(err, s);
    }
    *ret = u;
    return OK;
}

/* What still waits must be read again after a restart. */
static Status place_keep(StoreUploads *u, uint64_t step, Err *err)
{
    uint64_t place = u->n ? u->waiting[0].seq - 1 : u->at;
    if (place < u->kept + step) {
        return OK;
    }
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)place);
    TRY(store_setting_put(u->reader->store, STR(SETTING), str_from_c(text), err));
    u->kept = place;
    return OK;
}

void store_uploads_close(StoreUploads *u)
{
    if (!u) {
        return;
    }
    if (place_keep(u, 1, NULL) != OK) {
        log_warn("store", "the place among the uploads was not kept");
    }
    free(u->waiting);
    free(u);
}

/* ---- reading on ------------------------------------------------------------------------------ */

static void waiting_cut(StoreUploads *u, size_t i)
{
    u->n--;
    memmove(&u->waiting[i], &u->waiting[i + 1], (u->n - i) * sizeof *u->waiting);
}

static void waiting_add(StoreUploads *u, const StoreVersion *v, Str sha)
{
    if (u->n == u->room) {
        u->room = u->room ? u->room * 2 : 16;
        u->waiting = memory_grow(u->waiting, u->room * sizeof *u->waiting);
    }
    StoreUpload *x = &u->waiting[u->n++];
    /* Only an id of the client's own can have been named before. */
    *x = (StoreUpload){
        .at_ms = v->at_ms, .seq = v->seq, .looked_back = str_is(v->cause, "POST Binary")};
    snprintf(x->id, sizeof x->id, "%.*s", STR_ARG(v->id));
    snprintf(x->sha, sizeof x->sha, "%.*s", STR_ARG(sha));
}

/* All uploads under the id: a later one replaces the bytes of an earlier. */
static void waiting_forget(StoreUploads *u, Str id)
{
    for (size_t i = u->n; i-- > 0;) {
        if (str_is(id, u->waiting[i].id)) {
            waiting_cut(u, i);
        }
    }
}

/* Whatever the text names does not wait any more. */
static void names_forget(StoreUploads *u, Str body)
{
    for (Str rest = body, id; u->n > 0 && store_binary_named(&rest, &id);) {
        waiting_forget(u, id);
    }
}

/* The next version of a Binary after `at` in index.db; 0: none. */
static Status upload_in_index(StoreReader *r, uint64_t at, uint64_t *ret, Err *err)
{
    DbStmt *st =
        db_take(r->index, "SELECT seq FROM change WHERE type = ? AND seq > ? ORDER BY seq LIMIT 1");
    if (!st) {
        return db_failed(r->index, err);
    }
    db_bind_i64(st, 0, type_number(fhir_resource_find(STR("Binary"))));
    db_bind_i64(st, 1, (int64_t)at);
    DbStep step = db_step(st);
    *ret = step == DB_ROW ? (uint64_t)db_col_i64(st, 0) : 0;
    db_give(st);
    return step == DB_ROW || step == DB_NONE ? OK : db_failed(r->index, err);
}

/* The sequence before the next version of a Binary, or the end. */
static Status upload_next(StoreUploads *u, uint64_t end, uint64_t *ret, Err *err)
{
    uint64_t next = 0;
    TRY(store_snapshot_begin(u->reader, err));
    Status s = upload_in_index(u->reader, u->at, &next, err);
    if (s == OK && next == 0) {
        const FhirType *binary = fhir_resource_find(STR("Binary"));
        const DeltaDoc *d = delta_change_after(&u->reader->delta, binary, u->at);
        next = d ? d->seq : end + 1;
    }
    store_snapshot_end(u->reader);
    *ret = next - 1;
    return s;
}

static Status binary_take(StoreUploads *u, Arena *a, const StoreVersion *v, Err *err)
{
    JsonDoc d;
    if (v->op == STORE_DELETE || v->purged) {
        waiting_forget(u, v->id);
        return OK;
    }
    TRY(json_parse(a, v->body, &JSON_LIMITS_FHIR, &d, err));
    Str sha = store_binary_sha(&d);
    if (sha.n == 64) {
        waiting_add(u, v, sha);
    }
    return OK;
}

typedef Status VersionTake(StoreUploads *u, Arena *a, const StoreVersion *v, Err *err);

static Status version_follow(StoreUploads *u, Arena *a, const StoreVersion *v, Err *err)
{
    u->at = v->seq;
    if (str_is(v->type, "Binary")) {
        return binary_take(u, a, v, err);
    }
    names_forget(u, v->body);
    return OK;
}

static Status version_look_back(StoreUploads *u, Arena *a, const StoreVersion *v, Err *err)
{
    (void)a;
    (void)err;
    u->back = v->seq;
    names_forget(u, v->body);
    return OK;
}

static Status versions_take(StoreUploads *u, VersionTake *take, uint64_t after, size_t limit,
                            size_t *ret_n, Err *err)
{
    Db *log = u->reader->log;
    DbStmt *st =
        db_take(log, "SELECT " VERSION_COLUMNS "FROM version v JOIN head h ON h.rid = v.rid"
                     " JOIN tx t ON t.tx = v.tx WHERE v.seq > ?1 ORDER BY v.seq LIMIT ?2");
    if (!st) {
        return db_failed(log, err);
    }
    db_bind_i64(st, 0, (int64_t)after);
    db_bind_i64(st, 1, (int64_t)limit);
    Arena a;
    arena_init(&a, 0);
    DbStep step = DB_NONE;
    Status s = OK;
    for (*ret_n = 0; s == OK && (step = db_step(st)) == DB_ROW; ++*ret_n) {
        StoreVersion v;
        s = version_read(u->reader, st, &a, true, &v, err);
        s = s == OK ? take(u, &a, &v, err) : s;
        arena_reset(&a);
    }
    if (s == OK && step != DB_NONE) {
        s = db_failed(log, err);
    }
    db_give(st);
    arena_done(&a);
    return s;
}

Status store_uploads_follow(StoreUploads *u, size_t limit, bool *ret_end, Err *err)
{
    uint64_t end = store_seq(u->reader->store);
    while (limit > 0 && u->at < end) {
        if (u->n == 0) {
            TRY(upload_next(u, end, &u->at, err));
        }
        if (u->at >= end) {
            break;
        }
        size_t n = 0;
        TRY(versions_take(u, version_follow, u->at, u->n == 0 ? 1 : limit, &n, err));
        mk_check(n > 0); /* the log has no gaps */
        limit -= n < limit ? n : limit;
    }
    *ret_end = u->at >= end;
    return place_keep(u, KEPT_EVERY, err);
}

/* Up to which version there is something to look for. */
static uint64_t look_back_end(const StoreUploads *u, int64_t before_ms)
{
    uint64_t end = 0;
    for (size_t i = 0; i < u->n && u->waiting[i].at_ms < before_ms; i++) {
        end = u->waiting[i].looked_back ? end : u->waiting[i].seq;
    }
    return end;
}

Status store_uploads_look_back(StoreUploads *u, int64_t before_ms, size_t limit, bool *ret_end,
                               Err *err)
{
    if (u->back == u->back_end) {
        u->back = 0;
        u->back_end = look_back_end(u, before_ms);
    }
    while (limit > 0 && u->back < u->back_end) {
        size_t n, left = (size_t)(u->back_end - u->back);
        TRY(versions_take(u, version_look_back, u->back, left < limit ? left : limit, &n, err));
        mk_check(n > 0); /* the log has no gaps */
        limit -= n;
    }
    for (size_t i = 0; u->back == u->back_end && i < u->n; i++) {
        u->waiting[i].looked_back |= u->waiting[i].seq <= u->back_end;
    }
    *ret_end = u->back == u->back_end && look_back_end(u, before_ms) == 0;
    return OK;
}

/* A backup is being made. */
static bool blobs_are_copied(const StoreUploads *u)
{
    Arena a;
    arena_init(&a, 0);
    int fence = blob_fence(u->reader->store, &a);
    arena_done(&a);
    if (fence >= 0) {
        close(fence);
    }
    return fence < 0;
}

bool store_uploads_oldest(const StoreUploads *u, int64_t before_ms, StoreUpload *ret)
{
    for (size_t i = 0; i < u->n && u->waiting[i].at_ms < before_ms; i++) {
        if (u->waiting[i].looked_back && !blobs_are_copied(u)) {
            *ret = u->waiting[i];
            return true;
        }
    }
    return false;
}

/* ---- removing -------------------------------------------------------------------------------- */

/* Another living Binary has the same bytes. */
static bool sha_used(StoreUploads *u, Arena *a, Str sha)
{
    const StoreHit *hit;
    size_t n = 0;
    Str query = arena_cat(a, STR("_tag=" STORE_BLOB_SYSTEM "|"), sha);
    Status s = store_find(u->reader, a, &STORE_VIEW_ALL, STR("Binary"), query, SAME_SHA_MAX, &hit,
                          &n, NULL);
    return s != OK || n > 0;
}

static Status version_remove(StoreUploads *u, Arena *a, const StoreUpload *x,
                             const StoreAuthor *author, Str cause, bool *ret_removed, Err *err)
{
    Store *s = u->reader->store;
    StoreVersion v;
    Str id = str_from_c(x->id);
    Status status = store_read(u->reader, a, &STORE_VIEW_ALL, STR("Binary"), id, &v, NULL);
    *ret_removed = status == OK;
    if (status != OK) {
        return status == ERR_GONE || status == ERR_NOT_FOUND ? OK : err_status(err, status);
    }
    StoreBatch *b = store_batch_new(s, a, author, cause);
    StoreReceipt receipt = {0};
    store_batch_require_version(b, STR("Binary"), id, v.vid);
    TRY(store_batch_delete(b, STR("Binary"), id, STR_NONE, err));
    status = store_commit(b, &receipt, err);
    *ret_removed = status == OK;
    return receipt.stale ? OK : status;
}

/* The bytes of every upload under the id, once nothing says so any more. */
static Status blobs_remove(StoreUploads *u, Arena *a, Str id, Err *err)
{
    for (size_t i = 0; i < u->n; i++) {
        Str sha = str_from_c(u->waiting[i].sha);
        if (str_is(id, u->waiting[i].id) && !sha_used(u, a, sha)) {
            TRY(blob_unlink(u->reader->store, a, sha, err));
        }
    }
    return OK;
}

/* Behind the fence: no copy is made between the version and its bytes. */
static Status upload_remove(StoreUploads *u, Arena *a, const StoreUpload *x,
                            const StoreAuthor *author, Str cause, bool *ret_removed, Err *err)
{
    Str id = str_from_c(x->id);
    TRY(version_remove(u, a, x, author, cause, ret_removed, err));
    Status s = *ret_removed ? blobs_remove(u, a, id, err) : OK;
    waiting_forget(u, id);
    return s;
}

Status store_uploads_remove(StoreUploads *u, Arena *a, const StoreUpload *upload,
                            const StoreAuthor *author, Str cause, bool *ret_removed, Err *err)
{
    StoreUpload x = *upload;
    int fence = blob_fence(u->reader->store, a);
    *ret_removed = false;
    if (fence < 0) {
        return OK; /* a backup has begun: later */
    }
    Status s = upload_remove(u, a, &x, author, cause, ret_removed, err);
    close(fence);
    return s;
}
