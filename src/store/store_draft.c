#include "store_draft.h"

#include "store_inner.h"

#include "mk_banned.h"

#define DRAFTS_LISTED_MAX 1000

typedef struct DraftPut {
    const StoreDraft *draft;
    int64_t before_ms, person_max;
} DraftPut;

static Status old_remove(Store *s, int64_t before_ms, Err *err)
{
    DbStmt *st = db_take(s->log, "DELETE FROM draft WHERE at <= ?");
    if (st) {
        db_bind_i64(st, 0, before_ms);
    }
    return db_run(s->log, st, err);
}

/* How many the person has in all posts, but for the one about to be replaced. */
static Status others_count(Store *s, const StoreDraft *d, int64_t *ret, Err *err)
{
    DbStmt *st = db_take(s->log, "SELECT count(*) FROM draft WHERE person = ?1"
                                 " AND NOT (post = ?2 AND key = ?3)");
    if (!st) {
        return db_failed(s->log, err);
    }
    db_bind_str(st, 0, d->person);
    db_bind_str(st, 1, d->post);
    db_bind_str(st, 2, d->key);
    DbStep step = db_step(st);
    *ret = step == DB_ROW ? db_col_i64(st, 0) : 0;
    db_give(st);
    return step == DB_ROW ? OK : db_failed(s->log, err);
}

DbStmt *draft_put_stmt(Store *s, const StoreDraft *d)
{
    DbStmt *st = db_take(s->log, "INSERT OR REPLACE INTO draft(person, post, key, seen, body, at)"
                                 " VALUES(?, ?, ?, ?, ?, ?)");
    if (st) {
        db_bind_str(st, 0, d->person);
        db_bind_str(st, 1, d->post);
        db_bind_str(st, 2, d->key);
        db_bind_str(st, 3, d->seen);
        db_bind_blob(st, 4, d->body.p, d->body.n);
        db_bind_i64(st, 5, d->at_ms);
    }
    return st;
}

static Status draft_write(Store *s, Job *job, Err *err)
{
    const DraftPut *put = job->arg;
    const StoreDraft *d = put->draft;
    int64_t others;
    TRY(old_remove(s, put->before_ms, err));
    TRY(others_count(s, d, &others, err));
    if (others >= put->person_max) {
        return err_rule(err, ERR_CONFLICT, STR("drafts-full"), STR_NONE,
                        "您已有 %lld 份未完成的表单，请先完成或删除其中一份",
                        "You have %lld unfinished forms already; send or discard one first",
                        (long long)others);
    }
    return db_run(s->log, draft_put_stmt(s, d), err);
}

Status store_draft_put(Store *s, const StoreDraft *draft, int64_t before_ms, int64_t person_max,
                       Err *err)
{
    DraftPut put = {draft, before_ms, person_max};
    Job job = {.run = draft_write, .arg = &put, .weight = 1};
    return writer_run(s, &job, err);
}

DbStmt *draft_end_stmt(Store *s, Str person, Str post, Str key)
{
    DbStmt *st = db_take(s->log, "DELETE FROM draft WHERE person = ? AND post = ? AND key = ?");
    if (st) {
        db_bind_str(st, 0, person);
        db_bind_str(st, 1, post);
        db_bind_str(st, 2, key);
    }
    return st;
}

static Status draft_delete(Store *s, Job *job, Err *err)
{
    const StoreDraft *d = job->arg;
    return db_run(s->log, draft_end_stmt(s, d->person, d->post, d->key), err);
}

Status store_draft_remove(Store *s, Str person, Str post, Str key, Err *err)
{
    StoreDraft d = {.person = person, .post = post, .key = key};
    Job job = {.run = draft_delete, .arg = &d, .weight = 1};
    return writer_run(s, &job, err);
}

/* ---- Reading ---------------------------------------------------------------------------------
 */

Status store_draft_get(StoreReader *r, Arena *a, Str person, Str post, Str key, int64_t before_ms,
                       StoreDraft *ret, Err *err)
{
    DbStmt *st = db_take(r->log, "SELECT seen, body, at FROM draft"
                                 " WHERE person = ? AND post = ? AND key = ? AND at > ?");
    if (!st) {
        return db_failed(r->log, err);
    }
    db_bind_str(st, 0, person);
    db_bind_str(st, 1, post);
    db_bind_str(st, 2, key);
    db_bind_i64(st, 3, before_ms);
    DbStep step = db_step(st);
    if (step == DB_ROW) {
        *ret = (StoreDraft){.person = person,
                            .post = post,
                            .key = key,
                            .seen = arena_str(a, db_col_str(st, 0)),
                            .body = arena_str(a, db_col_str(st, 1)),
                            .at_ms = db_col_i64(st, 2)};
    }
    db_give(st);
    return step == DB_ROW    ? OK
           : step == DB_NONE ? err_status(err, ERR_NOT_FOUND)
                             : db_failed(r->log, err);
}

Status store_draft_list(StoreReader *r, Arena *a, Str person, Str post, int64_t before_ms,
                        StoreDraft **ret, size_t *ret_n, Err *err)
{
    size_t n = 0;
    StoreDraft *list = arena_array(a, StoreDraft, DRAFTS_LISTED_MAX);
    DbStmt *st = db_take(r->log, "SELECT key, seen, at FROM draft"
                                 " WHERE person = ? AND post = ? AND at > ? ORDER BY at DESC, key");
    if (!st) {
        return db_failed(r->log, err);
    }
    db_bind_str(st, 0, person);
    db_bind_str(st, 1, post);
    db_bind_i64(st, 2, before_ms);
    DbStep step = DB_NONE;
    while (n < DRAFTS_LISTED_MAX && (step = db_step(st)) == DB_ROW) {
        list[n++] = (StoreDraft){.person = person,
                                 .post = post,
                                 .key = arena_str(a, db_col_str(st, 0)),
                                 .seen = arena_str(a, db_col_str(st, 1)),
                                 .at_ms = db_col_i64(st, 2)};
    }
    db_give(st);
    if (step != DB_NONE && step != DB_ROW) {
        return db_failed(r->log, err);
    }
    *ret = list;
    *ret_n = n;
    return OK;
}
