/* Carrying a purge out, step by step; each step is durable and may be done again. */
#include "store_purge_inner.h"

#include "mk_banned.h"

#define ROUNDS_MAX   20  /* somebody goes on writing about the patient */
#define DELETE_BATCH 200 /* resources */

const StoreAuthor purge_author = {{"system", 6}, {"system", 6}, {"", 0}};

/* ---- What is living is deleted ---------------------------------------------------------------
 */

static Status batch_delete(Store *s, const StorePurge *p, PurgeResource **list, size_t n, Err *err)
{
    Arena a;
    StoreReceipt receipt;
    arena_init(&a, 0);
    StoreBatch *b =
        store_batch_new(s, &a, &purge_author, arena_cat(&a, STR(STORE_PURGE_CAUSE), p->id));
    Status status = OK;
    b->purge = true;
    for (size_t i = 0; status == OK && i < n; i++) {
        Str type = fhir_type_name(list[i]->type);
        status = store_batch_delete(b, type, list[i]->id, STR_NONE, err);
        if (str_is(type, "Task")) {
            store_batch_timer_clear(b, arena_cat(&a, type, STR("/"), list[i]->id), STR_NONE);
        }
    }
    status = status == OK ? store_commit(b, &receipt, err) : status;
    arena_done(&a);
    return status;
}

static Status living_delete(Store *s, const StorePurge *p, PurgeFound *f, bool *ret_any, Err *err)
{
    PurgeResource **list = arena_array(f->arena, PurgeResource *, f->n + 1);
    size_t n = 0;
    for (size_t i = 0; i < f->n; i++) {
        if (f->list[i]->living) {
            list[n++] = f->list[i];
        }
    }
    for (size_t i = 0; i < n; i += DELETE_BATCH) {
        TRY(batch_delete(s, p, list + i, n - i < DELETE_BATCH ? n - i : DELETE_BATCH, err));
    }
    *ret_any = n > 0;
    return OK;
}

/* Until nothing of it is living and nobody has written meanwhile. */
static Status delete_and_seal(StoreReader *r, const StorePurge *p, Err *err)
{
    for (int round = 0; round < ROUNDS_MAX; round++) {
        Arena a;
        Err moved;
        PurgeFound f;
        bool any = false;
        arena_init(&a, 0);
        err_init(&moved, &a);
        Status s = purge_find(r, &a, p->target, true, &f, &moved);
        s = s == OK ? living_delete(r->store, p, &f, &any, &moved) : s;
        s = s == OK && !any ? purge_seal(r, p, &f, &moved) : s;
        bool over = (s == OK && !any) || (s != OK && s != ERR_CONFLICT);
        if (over && s != OK) {
            s = err_move(err, &moved, STR_NONE);
        }
        arena_done(&a);
        if (over) {
            return s;
        }
    }
    return err_status(err, ERR_UNAVAILABLE);
}

/* ---- The whole -------------------------------------------------------------------------------
 */

static Status next_find(StoreReader *r, Arena *a, StorePurge *ret, Err *err)
{
    DbStmt *st =
        db_take(r->log, "SELECT " PURGE_COLUMNS
                        "FROM purge WHERE state BETWEEN 2 AND 4 ORDER BY state = 4, decided, id");
    if (!st) {
        return db_failed(r->log, err);
    }
    DbStep step = db_step(st);
    *ret = step == DB_ROW ? purge_row(st, a, 0) : (StorePurge){0};
    db_give(st);
    return step == DB_ROW || step == DB_NONE ? OK : db_failed(r->log, err);
}

Status store_purge_run(StoreReader *r, Arena *a, uint64_t tidy_bytes, StorePurge *ret, Err *err)
{
    StorePurge p;
    bool may_tidy = purge_held_bytes(r, a) <= tidy_bytes;
    TRY(next_find(r, a, &p, err));
    if (str_empty(p.id) || (p.state == PURGE_TIDYING && !may_tidy)) {
        *ret = (StorePurge){0};
        return OK;
    }
    if (p.state == PURGE_CONFIRMED) {
        TRY(delete_and_seal(r, &p, err));
        p.state = PURGE_ERASING;
    }
    if (p.state == PURGE_ERASING) {
        rebuild_hold(r->store);
        Status erased = purge_erase(r, a, p.id, err);
        rebuild_release(r->store);
        TRY(erased);
        p.state = PURGE_TIDYING;
    }
    if (p.state == PURGE_TIDYING && may_tidy) {
        TRY(purge_tidy(r->store, err));
    }
    return store_purge_get(r, a, p.id, 0, ret, err);
}
