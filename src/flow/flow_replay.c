/*
 * Walking every case through its package: each version of a Task names the actions that made it,
 * and each of them must have been allowed from the state before and have led to the state after.
 */
#include "flow_inner.h"

#define PAGE_CASES   200
#define VERSIONS_MAX 5000

typedef struct Walk {
    Flow *flow;
    StoreReader *reader;
    Arena *arena; /* of one case */
    Err *err;
    uint64_t faults;
    Str task_id;
} Walk;

static void fault(Walk *w, Str vid, const char *zh, const char *en, Str what)
{
    Str where = arena_cat(w->arena, STR("Task/"), w->task_id, STR("/_history/"), vid);
    w->faults++;
    (void)flow_say(w->err, ERR_UNPROCESSABLE, STR("illegal-step"), where,
                   arena_cat(w->arena, str_from_c(zh), STR("："), what),
                   arena_cat(w->arena, str_from_c(en), STR(": "), what));
}

/* The start or entry of that code; NULL. */
static const FlowAction *begin_named(const FlowPackage *p, Str code)
{
    if (p->start && str_eq(p->start->code, code)) {
        return p->start;
    }
    for (size_t i = 0; i < p->entry_n; i++) {
        if (str_eq(p->entry[i].code, code)) {
            return &p->entry[i];
        }
    }
    return NULL;
}

/* The states that an action of that code may lead to from `state`; 0: it is not allowed there. */
static uint64_t states_after(const FlowPackage *p, Str code, int state)
{
    uint64_t after = 0;
    for (size_t i = 0; i < p->action_n; i++) {
        const FlowAction *a = &p->action[i];
        if (str_eq(a->code, code) && (a->from >> state & 1)) {
            after |= 1ULL << (a->to >= 0 ? a->to : state);
        }
    }
    return after;
}

static uint64_t step_apply(const FlowPackage *p, Str code, uint64_t states)
{
    const FlowAction *begin = begin_named(p, code);
    if (!states) {
        return begin ? 1ULL << begin->to : 0;
    }
    uint64_t after = 0;
    for (size_t i = 0; i < p->state_n; i++) {
        after |= states >> i & 1 ? states_after(p, code, (int)i) : 0;
    }
    return after;
}

/* One version: its actions one after another, from what the version before allows. */
static void version_walk(Walk *w, const JsonDoc *d, Str vid, uint64_t *states,
                         const FlowPackage **before)
{
    const FlowPackage *p =
        flow_package_canonical(w->flow, json_str_at(d, JSON_ROOT, "instantiatesCanonical"));
    FlowCase *c = arena_new(w->arena, FlowCase);
    if (!p || !flow_case_read(w->arena, d, vid, p, c)) {
        fault(w, vid, "病例的路径包或状态未知", "the case's package or state is unknown",
              json_str_at(d, JSON_ROOT, "instantiatesCanonical"));
        return;
    }
    size_t steps = 0;
    bool migrated = *before && *before != p;
    for (JsonIter it = json_iter(d, json_get_c(d, JSON_ROOT, "extension"));
         json_next(&it) && !migrated;) {
        if (str_is(json_str_at(d, it.value, "url"), FLOW_EXT_STEP)) {
            Str code = json_str_at(d, it.value, "valueCode");
            uint64_t after = step_apply(p, code, *states);
            if (!after) {
                fault(w, vid, "此状态下不允许的操作", "an action that its state does not allow",
                      code);
            }
            *states = after;
            steps++;
        }
    }
    if (!steps && !migrated && *states != 1ULL << c->state) {
        fault(w, vid, "没有操作却改变了状态", "the state changed without an action",
              p->state[c->state].code);
    } else if (steps && *states && !(*states >> c->state & 1)) {
        fault(w, vid, "操作不会到达此状态", "the action does not lead to this state",
              p->state[c->state].code);
    }
    if (!str_eq(json_str_at(d, JSON_ROOT, "status"), p->state[c->state].task)) {
        fault(w, vid, "Task.status 与状态不符", "Task.status does not fit the state",
              p->state[c->state].code);
    }
    *states = 1ULL << c->state;
    *before = p;
}

static Status case_walk(Walk *w)
{
    StoreVersion *versions;
    size_t n;
    bool more;
    uint64_t states = 0;
    const FlowPackage *before = NULL;
    TRY(store_history(w->reader, w->arena, &STORE_VIEW_ALL, STR("Task"), w->task_id, TIME_NONE, 0,
                      VERSIONS_MAX, &versions, &n, &more, w->err));
    for (size_t i = n; i-- > 0 && !more;) {
        JsonDoc d;
        if (versions[i].op == STORE_DELETE) {
            fault(w, versions[i].vid, "病例被删除", "the case was deleted", w->task_id);
            continue;
        }
        if (versions[i].purged) {
            states = ~0ULL; /* whatever it was */
            continue;
        }
        TRY(json_parse(w->arena, versions[i].body, &JSON_LIMITS_FHIR, &d, w->err));
        version_walk(w, &d, versions[i].vid, &states, &before);
    }
    if (more) {
        fault(w, versions[0].vid, "版本过多", "too many versions", w->task_id);
    }
    return OK;
}

static Status page_walk(Walk *w, const StorePage *page, uint64_t *cases)
{
    for (size_t i = 0; i < page->hits_n; i++) {
        Arena a;
        JsonDoc d;
        Status s = OK;
        arena_init(&a, 0);
        w->arena = &a;
        w->task_id = page->hits[i].id;
        if (json_parse(&a, page->hits[i].body, &JSON_LIMITS_FHIR, &d, NULL) == OK &&
            flow_case_pathway(&d).n) {
            s = case_walk(w);
            (*cases)++;
        }
        arena_done(&a);
        TRY(s);
    }
    return OK;
}

static Status tasks_walk(Walk *w, Arena *a, uint64_t *cases)
{
    StoreQuery *q;
    StorePage page = {0};
    char query[32];
    snprintf(query, sizeof query, "_count=%d", PAGE_CASES);
    TRY(store_query_parse(NULL, a, STR("Task"), str_from_c(query), false, ZONE_CHINA_MIN, &q,
                          w->err));
    do {
        Str cursor = page.next;
        TRY(store_search(w->reader, a, q, &STORE_VIEW_ALL, cursor, &page, w->err));
        TRY(page_walk(w, &page, cases));
    } while (page.next.n);
    return OK;
}

Status flow_replay(Flow *f, StoreReader *r, uint64_t *ret_cases, uint64_t *ret_faults, Err *err)
{
    Arena a;
    Walk w = {.flow = f, .reader = r, .err = err};
    uint64_t cases = 0;
    arena_init(&a, 0);
    Status s = tasks_walk(&w, &a, &cases);
    arena_done(&a);
    TRY(s);
    *ret_cases = cases;
    *ret_faults = w.faults;
    return OK;
}
