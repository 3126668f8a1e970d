/* Running cases that a newer package takes over: the state is renamed, nothing else moves. */
#include "flow_inner.h"

static const FlowMigration *migration_from(const FlowPackage *p, Str version)
{
    for (size_t i = 0; i < p->migration_n; i++) {
        if (str_eq(p->migration[i].from, version)) {
            return &p->migration[i];
        }
    }
    return NULL;
}

static Status case_migrate(FlowTx *tx, FlowCase *c, const FlowPackage *to, const FlowMigration *m,
                           Err *err)
{
    static const FlowAction MOVE = {.code = {"migrate", 7},
                                    .title = {{"升级路径版本", 18}, {"Migrated", 8}}};
    Str old = c->pkg->state[c->state].code,
        named = json_str(to->doc, json_get(to->doc, m->states, old));
    int state = flow_state_index(to, named.n ? named : old);
    if (state < 0) {
        return OK; /* a state that the newer package neither has nor maps keeps the older one */
    }
    FlowStep *st = arena_new(tx->arena, FlowStep);
    c->pkg = to;
    c->state = state;
    flow_step_init(st, tx, c, &MOVE);
    return flow_step_migrated(st, err);
}

static Status task_migrate(Flow *f, StoreReader *r, const FlowPackage *to, Str task_id, Err *err)
{
    Arena a;
    FlowTx tx;
    FlowCase *c = NULL;
    StoreReceipt receipt;
    arena_init(&a, 0);
    AccessCaller caller = access_system(f->store);
    flow_tx_init(&tx, f, r, &a, &caller, clock_now(store_clock(f->store)));
    tx.clock = true;
    flow_tx_begin(&tx, arena_cat(&a, STR("migrate:"), to->canonical, STR(" Task/"), task_id));
    Status s = flow_tx_case(&tx, arena_cat(&a, STR("Task/"), task_id), &c, NULL);
    const FlowMigration *m = s == OK ? migration_from(to, c->pkg->version) : NULL;
    if (m && !c->pkg->state[c->state].end) {
        s = case_migrate(&tx, c, to, m, err);
        s = s == OK ? flow_tx_cases_put(&tx, err) : s;
        s = s == OK ? store_commit(tx.batch, &receipt, err) : s;
    } else {
        s = OK;
    }
    arena_done(&a);
    return s;
}

static Status package_migrate(Flow *f, StoreReader *r, const FlowPackage *to, Err *err)
{
    Arena a;
    arena_init(&a, 0);
    Status s = OK;
    const StoreHit *hits;
    size_t n = 0;
    Str query =
        arena_cat(&a, STR("code=" FLOW_SYSTEM_PATHWAY "%7C"), to->name,
                  STR("&status=draft,requested,received,accepted,ready,in-progress,on-hold"));
    s = store_find(r, &a, &STORE_VIEW_ALL, STR("Task"), query, 1000000, &hits, &n, err);
    for (size_t i = 0; i < n && s == OK; i++) {
        s = task_migrate(f, r, to, hits[i].id, err);
    }
    arena_done(&a);
    return s;
}

Status flow_migrate(Flow *f, StoreReader *r, Err *err)
{
    for (size_t i = 0; i < f->pkg_n; i++) {
        const FlowPackage *p = f->pkg[i];
        if (p->migration_n && flow_package_named(f, p->name) == p) {
            TRY(package_migrate(f, r, p, err));
        }
    }
    return OK;
}
