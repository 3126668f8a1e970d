/*
 * Leases: of several processes on one database one does what is to be done once. A lease ends by
 * the database's clock; its holder asks again long before, by its own.
 */
#include "store_inner.h"

#include "mk_banned.h"

#define NOW         "CAST(extract(epoch from clock_timestamp()) AS double precision)"
#define RENEW_SHARE 3 /* a held lease is asked for again after this part of its time */

typedef struct LeaseAsk {
    Str name;
    double seconds;
    bool held;
} LeaseAsk;

static Status lease_run(Store *s, Job *job, Err *err)
{
    LeaseAsk *ask = job->arg;
    DbStmt *st = db_take(
        s->log, "INSERT INTO lease(name, holder, until) VALUES(?1, ?2, " NOW " + ?3)"
                " ON CONFLICT(name) DO UPDATE SET holder = excluded.holder, until = excluded.until"
                " WHERE lease.holder = excluded.holder OR lease.until < " NOW " RETURNING holder");
    if (!st) {
        return db_failed(s->log, err);
    }
    db_bind_str(st, 0, ask->name);
    db_bind_str(st, 1, s->holder);
    db_bind_double(st, 2, ask->seconds);
    DbStep step = db_step(st);
    ask->held = step == DB_ROW;
    db_give(st);
    return step == DB_ROW || step == DB_NONE ? OK : db_failed(s->log, err);
}

bool store_lease(Store *s, StoreLease *lease)
{
    int64_t now = time_mono_ms();
    if (!s->server) {
        return true; /* the folder's lock is the lease */
    }
    if (now < lease->ask_again_ms) {
        return lease->held;
    }
    LeaseAsk ask = {.name = str_from_c(lease->name), .seconds = (double)lease->ms / 1000};
    Job job = {.run = lease_run, .arg = &ask, .urgent = true, .weight = 1};
    Status st = writer_run(s, &job, NULL);
    if (st == OK) {
        lease->held = ask.held;
        lease->until_ms = now + lease->ms;
    } else {
        lease->held = lease->held && time_mono_ms() < lease->until_ms;
    }
    lease->ask_again_ms = now + lease->ms / RENEW_SHARE;
    return lease->held;
}

static Status give_run(Store *s, Job *job, Err *err)
{
    const LeaseAsk *ask = job->arg;
    DbStmt *st = db_take(s->log, "DELETE FROM lease WHERE name = ? AND holder = ?");
    if (st) {
        db_bind_str(st, 0, ask->name);
        db_bind_str(st, 1, s->holder);
    }
    return db_run(s->log, st, err);
}

void store_lease_give(Store *s, StoreLease *lease)
{
    LeaseAsk ask = {.name = str_from_c(lease->name)};
    Job job = {.run = give_run, .arg = &ask, .weight = 1};
    if (s->server && lease->held && writer_run(s, &job, NULL) != OK) {
        log_debug("store", "a lease runs out by itself");
    }
    lease->held = false;
}
