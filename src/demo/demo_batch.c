/*
 * Plain resources go in by the thousand. While one batch is written, the next is filled and
 * indexed, which costs as much. Batches are committed in the order of their making, so the log is
 * the same each time.
 */
#include "demo_inner.h"

StoreBatch *demo_batch(Demo *d)
{
    DemoLane *lane = &d->lane[d->filling];
    if (!lane->batch) {
        arena_init(&lane->arena, 0);
        StoreAuthor author = {STR("system"), STR("system"), STR("Organization/county-hospital")};
        lane->batch = store_batch_new(d->store, &lane->arena, &author, STR("demo"));
    }
    return lane->batch;
}

Arena *demo_arena(Demo *d)
{
    demo_batch(d);
    return &d->lane[d->filling].arena;
}

static void *commit_main(void *arg)
{
    DemoLane *lane = arg;
    StoreReceipt receipt;
    err_init(&lane->err, &lane->arena);
    lane->status = store_commit(lane->batch, &receipt, &lane->err);
    return NULL;
}

/* Waits for the lane's commit, if one runs, and empties it. */
static Status lane_settle(DemoLane *lane, Err *err)
{
    Status s = OK;
    if (lane->running) {
        pthread_join(lane->committer, NULL);
        s = lane->status == OK ? OK : err_move(err, &lane->err, STR_NONE);
    }
    if (lane->batch) {
        arena_done(&lane->arena);
    }
    *lane = (DemoLane){0};
    return s;
}

/* Hands the filled lane to a committer, after the one before it has ended. */
static Status lanes_turn(Demo *d, Err *err)
{
    DemoLane *full = &d->lane[d->filling];
    TRY(store_prepare(full->batch, err));
    d->filling = !d->filling;
    TRY(lane_settle(&d->lane[d->filling], err));
    full->running = pthread_create(&full->committer, NULL, commit_main, full) == 0;
    return full->running ? OK : err_status(err, ERR_UNAVAILABLE);
}

JsonWriter demo_resource_open(Buf *b, const char *type, Str id)
{
    buf_clear(b);
    JsonWriter w = json_writer(b);
    json_open(&w, '{');
    json_member_c(&w, "resourceType", type);
    json_member_str(&w, "id", id);
    return w;
}

Status demo_put(Demo *d, Str type, Str id, const Buf *body, Err *err)
{
    mk_check(!body->failed);
    StoreBatch *batch = demo_batch(d);
    DemoLane *lane = &d->lane[d->filling];
    Str copy = arena_str(&lane->arena, buf_str(body));
    TRY(store_batch_create(batch, type, id, copy, NULL, err));
    return ++lane->rows >= DEMO_BATCH_ROWS ? lanes_turn(d, err) : OK;
}

Status demo_flush(Demo *d, Err *err)
{
    if (d->lane[d->filling].batch) {
        TRY(lanes_turn(d, err));
    }
    TRY(lane_settle(&d->lane[!d->filling], err));
    return lane_settle(&d->lane[d->filling], err);
}

void demo_drop(Demo *d)
{
    for (int i = 0; i < 2; i++) {
        if (lane_settle(&d->lane[i], NULL) != OK) {
            log_warn("demo", "a batch was not written");
        }
    }
}
