/* The clock: what fell due, each as one act of the system in one transaction, so once. */
#include "flow_inner.h"

#define FIRE_AT_ONCE 100

typedef struct Firing {
    Flow *flow;
    StoreReader *reader;
    Arena *arena;
    int64_t now_ms;
    const StoreTimer *timer;
} Firing;

/* Takes the action if the state allows it, else the deadline is only taken off the case. */
static Status deadline_fire(FlowTx *tx, FlowCase *c, FlowDeadline *x, Err *err)
{
    Err quiet;
    FlowStep *st = arena_new(tx->arena, FlowStep);
    Str action = x->action;
    err_init(&quiet, tx->arena);
    flow_step_init(st, tx, c, NULL);
    c->touched = true;
    if (!action.n || flow_step_choose(st, action, false, &quiet) != OK) {
        memmove(x, x + 1, (size_t)(&c->deadline[c->deadline_n] - (x + 1)) * sizeof *x);
        c->deadline_n--;
        return OK;
    }
    x->fired = true;
    TRY(flow_step_check(st, err));
    return flow_step_apply(st, err);
}

static Status timer_only_clear(const Firing *f, FlowTx *tx, Err *err)
{
    StoreReceipt receipt = {0};
    store_batch_timer_clear(tx->batch, f->timer->owner, f->timer->name);
    Status s = store_commit(tx->batch, &receipt, err);
    return s == ERR_CONFLICT && receipt.stale ? OK : s;
}

/* True in *ret_done when this timer needs no second try. */
static Status fire_once(const Firing *f, bool *ret_done, Err *err)
{
    FlowTx tx;
    FlowCase *c = NULL;
    StoreReceipt receipt = {0};
    AccessCaller caller = access_system(f->flow->store);
    flow_tx_init(&tx, f->flow, f->reader, f->arena, &caller, f->now_ms);
    tx.clock = true;
    flow_tx_begin(&tx,
                  arena_cat(f->arena, STR("clock:"), f->timer->name, STR(" "), f->timer->owner));
    store_batch_require_timer(tx.batch, f->timer->owner, f->timer->name, f->timer->due_ms);
    *ret_done = true;
    Status s = flow_tx_case(&tx, f->timer->owner, &c, NULL);
    FlowDeadline *x = s == OK ? flow_case_deadline(c, f->timer->name) : NULL;
    if (!x || x->fired) {
        return timer_only_clear(f, &tx, err);
    }
    Err said;
    err_init(&said, f->arena);
    s = deadline_fire(&tx, c, x, &said);
    if (s == OK) {
        s = flow_tx_cases_put(&tx, &said);
    }
    if (s == OK) {
        s = store_commit(tx.batch, &receipt, &said);
        *ret_done = !(s != OK && receipt.stale);
    }
    if (s != OK && *ret_done) {
        return err_move(err, &said, STR_NONE);
    }
    return OK;
}

/* An action that its own rules refuse is not tried for ever: the deadline is marked and said aloud.
 */
static Status fire_failed(const Firing *f, const Err *said, Err *err)
{
    FlowTx tx;
    FlowCase *c = NULL;
    StoreReceipt receipt = {0};
    AccessCaller caller = access_system(f->flow->store);
    Str why = said->first ? said->first->en : STR_NONE;
    log_error("flow", "deadline %.*s of %.*s cannot be taken: %.*s", STR_ARG(f->timer->name),
              STR_ARG(f->timer->owner), STR_ARG(why));
    flow_tx_init(&tx, f->flow, f->reader, f->arena, &caller, f->now_ms);
    tx.clock = true;
    flow_tx_begin(
        &tx, arena_cat(f->arena, STR("clock-failed:"), f->timer->name, STR(" "), f->timer->owner));
    FlowDeadline *x = flow_tx_case(&tx, f->timer->owner, &c, NULL) == OK
                          ? flow_case_deadline(c, f->timer->name)
                          : NULL;
    if (!x) {
        return timer_only_clear(f, &tx, err);
    }
    x->fired = true;
    c->touched = true;
    TRY(flow_tx_cases_put(&tx, err));
    return store_commit(tx.batch, &receipt, err);
}

static Status timer_fire(Firing *f, Err *err)
{
    Arena a;
    Err said;
    bool done = false;
    Status s = OK;
    arena_init(&a, 0);
    f->arena = &a;
    err_init(&said, &a);
    store_reader_calm(f->reader);
    for (int i = 0; i <= FLOW_RETRIES_MAX && !done && s == OK; i++) {
        s = fire_once(f, &done, &said);
    }
    bool rule =
        s == ERR_UNPROCESSABLE || s == ERR_CONFLICT || s == ERR_FORBIDDEN || s == ERR_INVALID;
    if (s != OK) {
        s = rule ? fire_failed(f, &said, err) : err_move(err, &said, STR_NONE);
    }
    arena_done(&a);
    return s;
}

Status flow_fire(Flow *f, StoreReader *r, int64_t now_ms, size_t *ret_fired, int64_t *ret_next,
                 Err *err)
{
    size_t fired = 0, n;
    do {
        Arena a;
        StoreTimer *timers = NULL;
        arena_init(&a, 0);
        n = 0;
        Status s = store_timers_due(r, &a, now_ms, FIRE_AT_ONCE, &timers, &n, ret_next, err);
        for (size_t i = 0; i < n && s == OK; i++) {
            Firing firing = {.flow = f, .reader = r, .now_ms = now_ms, .timer = &timers[i]};
            s = timer_fire(&firing, err);
            fired += s == OK ? 1 : 0;
        }
        arena_done(&a);
        TRY(s);
    } while (n > 0 && fired < 100000);
    *ret_fired = fired;
    return OK;
}
