/* The figures of a period: whose, which, and the Bundle of them. */
#include <time.h>

#include "insight_inner.h"

#include "store_sight.h"

#include "mk_banned.h"

#define CATCH_UP_ROWS 5000
#define CATCH_UP_MS   8000

typedef struct Figures {
    const InsightQuery *query;
    StoreReader *reader;
    Arena *arena;
    Facts facts;
    Places places;
    Map ends; /* of `within`: what and when → its end */
    int zone_min;
} Figures;

/* ---- Following to the end -------------------------------------------------------------------- */

static Status caught_up(Insight *in, StoreReader *r, Err *err)
{
    int64_t until = time_mono_ms() + CATCH_UP_MS;
    bool more = true;
    while (more && time_mono_ms() < until) {
        TRY(insight_follow(in, r, CATCH_UP_ROWS, &more, err));
    }
    if (!more) {
        return OK;
    }
    Status s = err_add(err, ERR_UNAVAILABLE, NULL, STR_NONE,
                       "统计数据正在整理（还差 %llu 条记录），请稍后再试",
                       "The figures are being prepared (%llu entries left); try again shortly",
                       (unsigned long long)insight_behind(in));
    if (err) {
        err->retry_after_s = 5;
    }
    return s;
}

/* ---- Rules ----------------------------------------------------------------------------------- */

static const Word *words_of(Figures *g, const Str *code, size_t n)
{
    Word *list = arena_array(g->arena, Word, n + 1);
    for (size_t i = 0; i < n; i++) {
        list[i] = lexicon_find(&g->facts.words, code[i]);
    }
    return list;
}

static RuleMoment rule_moment(Figures *g, const FlowMoment *m)
{
    return (RuleMoment){m->kind, words_of(g, m->code, m->code_n), m->code_n};
}

/* Asked once for each day, urgency and indicator: parameters change by the day. */
static int64_t within_end(void *ctx, const Rule *r, Word priority, int64_t from_ms)
{
    Figures *g = ctx;
    int64_t day = (from_ms + g->zone_min * MS_MINUTE) / MS_DAY, end;
    Str key =
        arena_printf(g->arena, "%p %u %lld", (const void *)r->indicator, priority, (long long)day);
    int64_t *known = map_get(&g->ends, key);
    if (!known) {
        Str text = priority ? g->facts.words.text[priority] : STR_NONE;
        known = arena_new(g->arena, int64_t);
        *known = flow_within_end(r->pkg, r->indicator, g->arena, text, from_ms, g->zone_min, &end,
                                 NULL) == OK
                     ? end - from_ms
                     : TIME_NONE;
        map_put(&g->ends, key, known);
    }
    return *known == TIME_NONE ? TIME_NONE : from_ms + *known;
}

static Rule rule_make(Figures *g, const FlowCounted *p, const FlowIndicator *i)
{
    Rule r = {.pkg = p, .indicator = i, .within_end = within_end, .ctx = g};
    Str *end = arena_array(g->arena, Str, p->state_n + 1);
    for (size_t k = 0; k < p->state_n; k++) {
        if (p->state_end[k]) {
            end[r.end_n++] = p->state[k];
        }
    }
    r.end = words_of(g, end, r.end_n);
    r.counted = rule_moment(g, &i->counted);
    r.other = rule_moment(g, &i->other);
    r.by = rule_moment(g, &i->by);
    r.priority = words_of(g, i->priority, i->priority_n);
    r.priority_n = i->priority_n;
    return r;
}

/* ---- Whose ----------------------------------------------------------------------------------- */

/* One of the organisations looked at asked, or had to act at some time. */
static bool takes_part(Places *p, const Case *c)
{
    bool part = places_in_scope(p, c->requester) || places_in_scope(p, c->owner);
    for (size_t i = 0; i < c->n && !part; i++) {
        part = places_in_scope(p, c->moment[i].after);
    }
    return part;
}

/* As a read of the case would decide. */
static bool is_seen(const Figures *g, StoreSight *sight, const Case *c)
{
    const StoreView *view = &g->query->caller->view;
    return view->everything || (!(c->labels & ~view->labels) &&
                                (!c->patient.n || store_sight_patient(sight, c->patient)));
}

/* Only what the caller may see is counted; so a figure tells of nobody else. */
static Status facts_narrow(Figures *g, Err *err)
{
    Facts *f = &g->facts;
    size_t n = 0;
    StoreSight *sight = store_sight_new(g->reader, g->arena, &g->query->caller->view);
    for (size_t i = 0; i < f->n; i++) {
        const Case *c = &f->at[i];
        if (takes_part(&g->places, c) && is_seen(g, sight, c)) {
            f->at[n++] = *c;
        }
    }
    f->n = n;
    return arena_exhausted(g->arena) ? err_status(err, ERR_TOO_MANY) : OK;
}

/* ---- Counting -------------------------------------------------------------------------------- */

static bool touches(const Case *c, const InsightQuery *q)
{
    for (size_t i = 0; i < c->n; i++) {
        if (c->moment[i].at_ms >= q->from_ms && c->moment[i].at_ms < q->to_ms) {
            return true;
        }
    }
    return false;
}

static Counted count(Figures *g, const Rule *rule)
{
    const InsightQuery *q = g->query;
    Word pathway = lexicon_find(&g->facts.words, rule->pkg->name);
    Counted c = {.rule = rule, .hit = arena_array(g->arena, Hit, g->facts.n + 1)};
    for (size_t i = 0; pathway && i < g->facts.n; i++) {
        const Case *at = &g->facts.at[i];
        if (at->pathway == pathway) {
            c.touched = c.touched || touches(at, q);
            c.n += rule_judge(rule, at, q->from_ms, q->to_ms, q->now_ms, &c.hit[c.n]) ? 1 : 0;
        }
    }
    return c;
}

/* "urn:menkou:measure:PACKAGE:CODE", with or without |version. */
static bool is_asked(Figures *g, const FlowCounted *p, const FlowIndicator *i)
{
    Str name, version;
    str_cut(g->query->measure, '|', &name, &version);
    return !name.n || str_eq(name, arena_cat(g->arena, STR("urn:menkou:measure:"), p->name,
                                             STR(":"), i->code));
}

static Status reports_put(Figures *g, const Flow *f, const Report *report, JsonWriter *w, Err *err)
{
    const FlowCounted *pkg;
    size_t n = flow_counted(f, g->arena, &pkg), asked = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < pkg[i].indicator_n; k++) {
            if (!is_asked(g, &pkg[i], &pkg[i].indicator[k])) {
                continue;
            }
            Rule rule = rule_make(g, &pkg[i], &pkg[i].indicator[k]);
            Counted c = count(g, &rule);
            json_open(w, '{');
            json_key(w, "resource");
            report_put(report, w, &c);
            json_close(w, '}');
            asked++;
        }
    }
    if (!asked && g->query->measure.n) {
        return err_add(err, ERR_NOT_FOUND, NULL, STR("measure"), "没有这个指标：%.*s",
                       "There is no such indicator: %.*s", STR_ARG(g->query->measure));
    }
    return arena_exhausted(g->arena) ? err_status(err, ERR_TOO_MANY) : OK;
}

static Status bundle_put(Figures *g, const Flow *f, Buf *out, Err *err)
{
    Report report = {.arena = g->arena,
                     .places = &g->places,
                     .query = g->query,
                     .facts = &g->facts,
                     .zone_min = g->zone_min};
    int64_t *starts;
    if (!interval_starts(g->arena, g->query, g->zone_min, &starts, &report.starts_n)) {
        return err_add(err, ERR_INVALID, NULL, STR("interval"), "时段超过 %d 段，请选择更长的间隔",
                       "The period has more than %d parts; choose a longer interval",
                       INSIGHT_BUCKETS_MAX);
    }
    report.starts = starts;
    JsonWriter w = json_writer(out);
    json_open(&w, '{');
    json_member_c(&w, "resourceType", "Bundle");
    json_member_c(&w, "type", "collection");
    json_member_str(&w, "timestamp", time_iso(g->arena, g->query->now_ms, g->zone_min));
    json_key_open(&w, "entry", '[');
    TRY(reports_put(g, f, &report, &w, err));
    json_close(&w, ']');
    json_close(&w, '}');
    return OK;
}

static Status facts_take(Insight *in, Figures *g, Err *err)
{
    pthread_mutex_lock(&in->lock);
    Status s = facts_load(in, g->arena, g->query->from_ms, g->query->to_ms, &g->facts, err);
    pthread_mutex_unlock(&in->lock);
    return s;
}

static Status figures_make(Insight *in, const Flow *f, Figures *g, Buf *out, Err *err)
{
    map_init(&g->ends, g->arena);
    TRY(caught_up(in, g->reader, err));
    TRY(facts_take(in, g, err));
    TRY(places_init(&g->places, g->reader, g->arena, &g->facts.words, g->query, err));
    TRY(facts_narrow(g, err));
    return bundle_put(g, f, out, err);
}

/* One of few seats; false: all were taken for too long. */
static bool seat_take(Insight *in)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += INSIGHT_WAIT_S;
    return sem_timedwait(&in->seats, &until) == 0;
}

Status insight_figures(Insight *in, const Flow *f, StoreReader *r, const InsightQuery *q, Buf *out,
                       Err *err)
{
    if (!seat_take(in)) {
        return err_status(err, ERR_UNAVAILABLE);
    }
    Arena a;
    arena_init(&a, INSIGHT_SEAT_BYTES);
    Figures g = {.query = q, .reader = r, .arena = &a, .zone_min = store_zone_min(in->store)};
    Status s = figures_make(in, f, &g, out, err);
    arena_done(&a);
    sem_post(&in->seats);
    return s;
}
