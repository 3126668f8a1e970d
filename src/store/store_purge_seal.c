/*
 * The last transaction of a purge: which versions go, tied to the log by their digest. Half-filled
 * forms and remembered answers of theirs go with it.
 */
#include <stdlib.h>

#include "store_binary.h"
#include "store_draft.h"
#include "store_purge_inner.h"

#include "mk_banned.h"

typedef struct Seal {
    const StorePurge *purge;
    PurgeFound *found;
    const Str *sha;
    size_t sha_n;
    StoreBatch *batch;
} Seal;

/* Somebody wrote about what is to go since it was looked for. */
static Status since_look(Store *s, const PurgeFound *f, bool *ret_moved, Err *err)
{
    DbStmt *st = db_take(s->log, "SELECT v.patient, h.type, h.id FROM version v"
                                 " JOIN head h ON h.rid = v.rid WHERE v.seq > ?");
    if (!st) {
        return db_failed(s->log, err);
    }
    db_bind_i64(st, 0, (int64_t)f->log_seq);
    DbStep step;
    *ret_moved = false;
    while ((step = db_step(st)) == DB_ROW && !*ret_moved) {
        Str type = fhir_type_name(fhir_resource_at((unsigned)db_col_i64(st, 1)));
        Str name = arena_cat(&s->group.arena, type, STR("/"), db_col_id(st, 2));
        *ret_moved = map_get(&f->resource, name) != NULL;
        for (Str rest = db_col_id(st, 0), id; !str_empty(rest) && !*ret_moved;) {
            str_cut(rest, ' ', &id, &rest);
            *ret_moved = map_get(&f->patients, id) != NULL;
        }
    }
    db_give(st);
    return step == DB_FAIL || step == DB_RETRY ? db_failed(s->log, err) : OK;
}

static Status rows_write(Store *s, const Seal *x, Err *err)
{
    for (size_t i = 0; i < x->found->seq_n; i++) {
        DbStmt *st = db_take(s->log, "INSERT OR IGNORE INTO purged(seq, purge) VALUES(?, ?)");
        if (st) {
            db_bind_i64(st, 0, x->found->seq[i]);
            db_bind_str(st, 1, x->purge->id);
        }
        TRY(db_run(s->log, st, err));
    }
    for (size_t i = 0; i < x->sha_n; i++) {
        DbStmt *st = db_take(s->log, "INSERT OR REPLACE INTO purge_blob(sha, purge) VALUES(?, ?)");
        if (st) {
            db_bind_str(st, 0, x->sha[i]);
            db_bind_str(st, 1, x->purge->id);
        }
        TRY(db_run(s->log, st, err));
    }
    return OK;
}

/* Whether a half-filled form is about something that goes: what its key names, or its patient. */
static bool draft_is_theirs(const PurgeFound *f, Arena *a, Str key, Str body)
{
    for (Str rest = key, part; !str_empty(rest);) {
        str_cut(rest, ':', &part, &rest);
        Str type, id;
        if (map_get(&f->resource, part) || (str_cut(part, '/', &type, &id) &&
                                            str_is(type, "Patient") && map_get(&f->patients, id))) {
            return true;
        }
    }
    for (size_t i = 0; i < f->n; i++) {
        const PurgeResource *x = f->list[i];
        if (str_is(fhir_type_name(x->type), "Patient") &&
            str_find(body, arena_cat(a, STR("\"Patient/"), x->id, STR("\""))) >= 0) {
            return true;
        }
    }
    return false;
}

/* What stays, in memory: as much as people have begun within some days. */
static Status drafts_staying(Store *s, const PurgeFound *f, StoreDraft **ret, size_t *ret_n,
                             Err *err)
{
    DbStmt *st = db_take(s->log, "SELECT person, post, key, seen, body, at FROM draft"
                                 " ORDER BY person, post, key");
    if (!st) {
        return db_failed(s->log, err);
    }
    Arena *a = &s->group.arena;
    StoreDraft *list = NULL;
    size_t n = 0, room = 0;
    DbStep step;
    while ((step = db_step(st)) == DB_ROW) {
        if (draft_is_theirs(f, a, db_col_str(st, 2), db_col_str(st, 4))) {
            continue;
        }
        if (n == room) {
            room = room ? room * 2 : 16;
            list = memory_grow(list, room * sizeof *list);
        }
        list[n++] = (StoreDraft){.person = arena_str(a, db_col_str(st, 0)),
                                 .post = arena_str(a, db_col_str(st, 1)),
                                 .key = arena_str(a, db_col_str(st, 2)),
                                 .seen = arena_str(a, db_col_str(st, 3)),
                                 .body = arena_str(a, db_col_str(st, 4)),
                                 .at_ms = db_col_i64(st, 5)};
    }
    db_give(st);
    *ret = list;
    *ret_n = n;
    return step == DB_NONE ? OK : db_failed(s->log, err);
}

/*
 * The table is emptied, which frees and zeroes each of its pages, and those that stay are written
 * again: a form that was removed before, or sent, may stand in a gap that a page's split left.
 */
static Status drafts_end(Store *s, const PurgeFound *f, Err *err)
{
    StoreDraft *list = NULL;
    size_t n = 0;
    Status status = drafts_staying(s, f, &list, &n, err);
    status = status == OK ? db_run(s->log, db_take(s->log, "DELETE FROM draft"), err) : status;
    for (size_t i = 0; status == OK && i < n; i++) {
        status = db_run(s->log, draft_put_stmt(s, &list[i]), err);
    }
    free(list);
    return status;
}

/* Answers kept for those who ask again would be answers without content. */
static Status remembered_end(Store *s, Str id, Err *err)
{
    DbStmt *st = db_take(s->log, "DELETE FROM remembered WHERE EXISTS (SELECT 1 FROM purged p"
                                 " WHERE p.purge = ? AND p.seq BETWEEN seq_first AND seq_last)");
    if (st) {
        db_bind_str(st, 0, id);
    }
    return db_run(s->log, st, err);
}

static Status sealed_put(Store *s, const Seal *x, Err *err)
{
    DbStmt *st = db_take(s->log, "UPDATE purge SET state = ?, tx = ?, resources = ?, versions = ?,"
                                 " blobs = ?, kept = ? WHERE id = ?");
    if (st) {
        db_bind_i64(st, 0, PURGE_ERASING);
        db_bind_i64(st, 1, (int64_t)x->batch->tx);
        db_bind_i64(st, 2, (int64_t)x->found->n);
        db_bind_i64(st, 3, (int64_t)x->found->seq_n);
        db_bind_i64(st, 4, (int64_t)x->sha_n);
        db_bind_i64(st, 5, (int64_t)x->found->kept_n);
        db_bind_str(st, 6, x->purge->id);
    }
    return db_run(s->log, st, err);
}

static Status seal_run(Store *s, Job *job, Err *err)
{
    Seal *x = job->arg;
    bool moved;
    TRY(since_look(s, x->found, &moved, err));
    if (moved) {
        return err_status(err, ERR_CONFLICT);
    }
    TRY(rows_write(s, x, err));
    TRY(purge_digest(s->log, x->batch->arena, x->purge, &x->batch->cause, err));
    Job tx = {.arg = x->batch};
    TRY(batch_apply(s, &tx, err));
    TRY(drafts_end(s, x->found, err));
    TRY(remembered_end(s, x->purge->id, err));
    return sealed_put(s, x, err);
}

/* The blobs that the bodies name, while these are still there. */
static Status shas_find(StoreReader *r, PurgeFound *f, Str **ret, size_t *ret_n, Err *err)
{
    Arena scratch;
    arena_init(&scratch, 0);
    Str *list = arena_array(f->arena, Str, f->seq_n + 1);
    size_t n = 0;
    Status s = OK;
    for (size_t i = 0; s == OK && i < f->seq_n; i++) {
        Str body;
        JsonDoc d;
        s = version_body(r->store, r->log, &r->codec, &scratch, (uint64_t)f->seq[i], &body, err);
        if (s == OK && str_find(body, STR(STORE_BLOB_SYSTEM)) >= 0 &&
            json_parse(&scratch, body, &JSON_LIMITS_FHIR, &d, NULL) == OK &&
            str_is(json_str_at(&d, JSON_ROOT, "resourceType"), "Binary") &&
            store_binary_sha(&d).n == 64) {
            list[n++] = arena_str(f->arena, store_binary_sha(&d));
        }
        arena_reset(&scratch);
    }
    arena_done(&scratch);
    *ret = list;
    *ret_n = n;
    return s;
}

Status purge_seal(StoreReader *r, const StorePurge *p, PurgeFound *f, Err *err)
{
    Str *sha;
    Seal x = {.purge = p, .found = f};
    TRY(shas_find(r, f, &sha, &x.sha_n, err));
    x.sha = sha;
    x.batch = store_batch_new(r->store, f->arena, &purge_author, STR(STORE_PURGE_CAUSE));
    x.batch->purge = true;
    Job job = {.run = seal_run, .arg = &x, .weight = f->seq_n + 1};
    return writer_run(r->store, &job, err);
}
