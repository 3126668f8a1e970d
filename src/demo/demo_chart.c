/*
 * What stands in the residents' charts on the county's first day: visits, diagnoses, prescriptions,
 * examinations and vaccinations of the years before, out of demo/chart.json. They are facts brought
 * over from older systems, so no case stands behind them.
 */
#include "demo_inner.h"

enum {
    CHART_IDS_MAX = 16,        /* resources of one visit that may name each other */
    CHART_DAYS_BACK = 3 * 365, /* of visits; vaccinations go back to birth */
    CHARTS_MAX = 60000,        /* in a larger county so many have one, 24 resources each */
};

/* A hole in a resource: <name>, <id:K>, <LO..HI>, <one|other>. */
typedef enum HoleKind {
    HOLE_NONE, /* the end of the text */
    HOLE_PATIENT,
    HOLE_CLINIC,
    HOLE_TOWNSHIP,
    HOLE_DOCTOR,
    HOLE_DAY,
    HOLE_TIME,
    HOLE_LATER, /* half an hour after <time> */
    HOLE_INSTANT,
    HOLE_NTH,    /* 1, 2, 3 … among the person's visits of this kind */
    HOLE_ID,     /* of the visit's Kth resource */
    HOLE_NUMBER, /* alone in its string: becomes a number with as many digits as the bounds have */
    HOLE_CHOICE,
} HoleKind;

typedef struct ChartPiece {
    Str text; /* before the hole */
    HoleKind kind;
    int id;               /* HOLE_ID */
    int64_t lo, hi, unit; /* HOLE_NUMBER, in units of 1/unit */
    const Str *choice;    /* HOLE_CHOICE */
    int choice_n;
} ChartPiece;

typedef struct ChartResource {
    Str type;
    int id; /* which of the visit's ids is its own */
    const ChartPiece *piece;
    int n;
} ChartResource;

typedef struct ChartVisit {
    int age_min, age_max;     /* whole years, on the county's first day */
    int share;                /* per mille of those */
    int times_min, times_max; /* unless at_n */
    const int64_t *at;        /* days of age */
    int at_n;
    const ChartResource *first, *each; /* first: at the first time only */
    int first_n, each_n;
} ChartVisit;

/* ---- Reading chart.json
 * -------------------------------------------------------------------------- */

static const struct {
    const char *name;
    HoleKind kind;
} HOLES[] = {
    {"patient", HOLE_PATIENT}, {"clinic", HOLE_CLINIC},   {"township", HOLE_TOWNSHIP},
    {"doctor", HOLE_DOCTOR},   {"day", HOLE_DAY},         {"time", HOLE_TIME},
    {"later", HOLE_LATER},     {"instant", HOLE_INSTANT}, {"nth", HOLE_NTH},
};

static int64_t bound_read(Str text, int64_t *ret_unit)
{
    int64_t v = 0;
    *ret_unit = 1;
    for (size_t i = 0, past = 0; i < text.n; i++) {
        if (text.p[i] == '.') {
            past = 1;
            continue;
        }
        v = v * 10 + (text.p[i] - '0');
        *ret_unit *= past ? 10 : 1;
    }
    return v;
}

static void choice_read(Arena *a, Str name, ChartPiece *ret)
{
    Str *list = arena_array(a, Str, name.n + 1), head, tail = name;
    while (str_cut(tail, '|', &head, &tail)) {
        list[ret->choice_n++] = head;
    }
    list[ret->choice_n++] = head;
    ret->choice = list;
    ret->kind = HOLE_CHOICE;
}

static void hole_read(Arena *a, Str name, ChartPiece *ret)
{
    for (size_t i = 0; i < sizeof HOLES / sizeof *HOLES; i++) {
        if (str_is(name, HOLES[i].name)) {
            ret->kind = HOLES[i].kind;
            return;
        }
    }
    ptrdiff_t dots = str_find(name, STR(".."));
    int64_t id = 0;
    if (str_starts(name, STR("id:"))) {
        mk_check(str_to_i64(str_skip(name, 3), &id) && id >= 0 && id < CHART_IDS_MAX);
        ret->kind = HOLE_ID;
        ret->id = (int)id;
    } else if (dots > 0) {
        ret->kind = HOLE_NUMBER;
        ret->lo = bound_read(str_take(name, (size_t)dots), &ret->unit);
        ret->hi = bound_read(str_skip(name, (size_t)dots + 2), &ret->unit);
        mk_check(ret->lo < ret->hi);
    } else {
        choice_read(a, name, ret);
    }
}

static ChartResource resource_read(Arena *a, const JsonDoc *d, JsonRef at)
{
    ChartResource r = {.type = json_str_at(d, at, "resourceType")};
    Str text = json_raw(d, at), head, name;
    ChartPiece *list = arena_array(a, ChartPiece, text.n / 2 + 1);
    while (str_cut(text, '<', &head, &text)) {
        ChartPiece *p = &list[r.n++];
        mk_check(str_cut(text, '>', &name, &text));
        hole_read(a, name, p);
        bool bare = p->kind == HOLE_NUMBER || p->kind == HOLE_NTH;
        p->text = bare ? str_take(head, head.n - 1) : head;
        text = bare ? str_skip(text, 1) : text;
    }
    list[r.n++] = (ChartPiece){.text = head};
    r.piece = list;
    ChartPiece own = {0};
    Str id = json_str_at(d, at, "id");
    hole_read(a, str_take(str_skip(id, 1), id.n - 2), &own);
    r.id = own.id;
    return r;
}

static const ChartResource *resources_read(Arena *a, const JsonDoc *d, JsonRef list, int *ret_n)
{
    ChartResource *r = arena_array(a, ChartResource, json_count(d, list) + 1);
    for (JsonIter it = json_iter(d, list); json_next(&it);) {
        r[(*ret_n)++] = resource_read(a, d, it.value);
    }
    return r;
}

static ChartVisit visit_read(Arena *a, const JsonDoc *d, JsonRef at)
{
    ChartVisit v = {.age_max = 150, .times_min = 1, .times_max = 1};
    JsonRef days = json_get_c(d, at, "at");
    int64_t share = 0;
    mk_check(json_to_i64(d, json_get_c(d, at, "share"), &share));
    v.share = (int)share;
    demo_range_read(d, at, "age", &v.age_min, &v.age_max);
    demo_range_read(d, at, "times", &v.times_min, &v.times_max);
    int64_t *list = arena_array(a, int64_t, json_count(d, days) + 1);
    for (JsonIter it = json_iter(d, days); json_next(&it);) {
        mk_check(json_to_i64(d, it.value, &list[v.at_n++]));
    }
    v.at = list;
    v.first = resources_read(a, d, json_get_c(d, at, "first"), &v.first_n);
    v.each = resources_read(a, d, json_get_c(d, at, "each"), &v.each_n);
    return v;
}

/* ---- One resident's chart
 * ---------------------------------------------------------------------------- */

typedef struct ChartScene {
    Demo *demo;
    Arena *arena; /* as long as the resident's turn */
    Buf *body;
    Str patient, clinic, township, doctor; /* references */
    Str id[CHART_IDS_MAX];
    int64_t at_ms;
    int nth;
} ChartScene;

static void number_write(ChartScene *s, const ChartPiece *p)
{
    int64_t v = p->lo + (int64_t)random_below(&s->demo->random, (uint64_t)(p->hi - p->lo + 1));
    int digits = 0;
    for (int64_t unit = p->unit; unit > 1; unit /= 10) {
        digits++;
    }
    if (digits == 0) {
        buf_i64(s->body, v);
    } else {
        buf_printf(s->body, "%lld.%0*lld", (long long)(v / p->unit), digits,
                   (long long)(v % p->unit));
    }
}

static void hole_write(ChartScene *s, const ChartPiece *p)
{
    Buf *b = s->body;
    int zone = store_zone_min(s->demo->store);
    switch (p->kind) {
    case HOLE_NONE:
        break;
    case HOLE_PATIENT:
        buf_add(b, s->patient);
        break;
    case HOLE_CLINIC:
        buf_add(b, s->clinic);
        break;
    case HOLE_TOWNSHIP:
        buf_add(b, s->township);
        break;
    case HOLE_DOCTOR:
        buf_add(b, s->doctor);
        break;
    case HOLE_DAY:
        buf_add(b, time_iso_day(s->arena, s->at_ms, zone));
        break;
    case HOLE_TIME:
    case HOLE_INSTANT:
        buf_time_iso(b, s->at_ms, zone);
        break;
    case HOLE_LATER:
        buf_time_iso(b, s->at_ms + 30 * MS_MINUTE, zone);
        break;
    case HOLE_NTH:
        buf_i64(b, s->nth);
        break;
    case HOLE_ID:
        buf_add(b, s->id[p->id]);
        break;
    case HOLE_NUMBER:
        number_write(s, p);
        break;
    case HOLE_CHOICE:
        buf_add(b, p->choice[random_below(&s->demo->random, (uint64_t)p->choice_n)]);
        break;
    }
}

static Status resources_put(ChartScene *s, const ChartResource *list, int n, Err *err)
{
    for (int i = 0; i < n; i++) {
        buf_clear(s->body);
        for (int k = 0; k < list[i].n; k++) {
            buf_add(s->body, list[i].piece[k].text);
            hole_write(s, &list[i].piece[k]);
        }
        mk_check(!s->body->failed);
        TRY(demo_put(s->demo, list[i].type, s->id[list[i].id], s->body, err));
    }
    return OK;
}

/* Ids are made before the resources: they name each other. */
static Status visit_put(ChartScene *s, const ChartVisit *v, Err *err)
{
    int all = v->first_n + v->each_n;
    mk_check(all <= CHART_IDS_MAX);
    for (int i = 0; i < all; i++) {
        s->id[i] = uuid7(s->arena, &s->demo->random, s->demo->epoch_ms);
    }
    if (s->nth == 1) {
        TRY(resources_put(s, v->first, v->first_n, err));
    }
    return resources_put(s, v->each, v->each_n, err);
}

/* Some minute of the working day. */
static int64_t working_ms(Demo *d, int64_t day)
{
    int zone = store_zone_min(d->store);
    return day * MS_DAY - zone * MS_MINUTE + 8 * MS_HOUR +
           (int64_t)random_below(&d->random, 9 * 60) * MS_MINUTE;
}

/* Days since 1970 of the nth visit: days of age, or the nth part of the years looked back on. */
static int64_t visit_day(Demo *d, const ChartVisit *v, const DemoPerson *p, int nth, int times)
{
    if (v->at_n) {
        return p->born_day + v->at[nth];
    }
    int64_t today = d->epoch_ms / MS_DAY, oldest = today - CHART_DAYS_BACK;
    int64_t from = oldest < p->born_day ? p->born_day : oldest;
    int64_t part = (today - from) / times;
    return from + nth * part + (part > 0 ? (int64_t)random_below(&d->random, (uint64_t)part) : 0);
}

static Status visits_put(ChartScene *s, const ChartVisit *v, const DemoPerson *p, Err *err)
{
    Demo *d = s->demo;
    int64_t today = d->epoch_ms / MS_DAY, age = (today - p->born_day) / 365;
    bool has = p->born_day < today && age >= v->age_min && age <= v->age_max &&
               (int)random_below(&d->random, 1000) < v->share;
    if (!has) {
        return OK;
    }
    int more = (int)random_below(&d->random, (uint64_t)(v->times_max - v->times_min + 1));
    int times = v->at_n ? v->at_n : v->times_min + more;
    for (int i = 0; i < times; i++) {
        int64_t day = visit_day(d, v, p, i, times);
        if (day < today) {
            s->at_ms = working_ms(d, day);
            s->nth = i + 1;
            TRY(visit_put(s, v, err));
        }
    }
    return OK;
}

static Status chart_put(Demo *d, Arena *a, Buf *body, const ChartVisit *visit, int n,
                        const DemoPerson *p, Err *err)
{
    const DemoClinic *clinic = &d->clinic[p->clinic];
    ChartScene scene = {.demo = d, .arena = a, .body = body};
    scene.patient = arena_cat(a, STR("Patient/"), p->id);
    scene.clinic = arena_cat(a, STR("Organization/"), clinic->id);
    scene.township = arena_cat(a, STR("Organization/"), d->township[clinic->township].id);
    scene.doctor = d->post[clinic->doctor].practitioner;
    for (int i = 0; i < n; i++) {
        TRY(visits_put(&scene, &visit[i], p, err));
    }
    return OK;
}

/* Everybody's; in a county of more than CHARTS_MAX those of as many, evenly among its people. */
static bool has_chart(const Demo *d, int i)
{
    int64_t of = d->persons_n > CHARTS_MAX ? CHARTS_MAX : d->persons_n;
    return (i + 1) * of / d->persons_n > i * of / d->persons_n;
}

static Status charts_put(Demo *d, const ChartVisit *visit, int n, Err *err)
{
    const DemoOptions *o = d->options;
    Buf body;
    buf_init(&body, 1 << 20);
    Status s = OK;
    for (int i = 0; i < d->persons_n && s == OK; i++) {
        Arena a;
        arena_init(&a, 0);
        s = has_chart(d, i) ? chart_put(d, &a, &body, visit, n, &d->person[i], err) : OK;
        arena_done(&a);
        if (o->progress && (i + 1) % 500 == 0) {
            o->progress(o->progress_ctx, "charts", (uint64_t)i + 1, (uint64_t)d->persons_n);
        }
    }
    buf_done(&body);
    return s == OK ? demo_flush(d, err) : s;
}

Status demo_charts(Demo *d, Err *err)
{
    JsonDoc doc;
    TRY(json_parse(d->arena, d->options->chart, &JSON_LIMITS_FHIR, &doc, err));
    JsonRef all = json_get_c(&doc, JSON_ROOT, "visits");
    int n = 0;
    ChartVisit *visit = arena_array(d->arena, ChartVisit, json_count(&doc, all) + 1);
    for (JsonIter it = json_iter(&doc, all); json_next(&it);) {
        visit[n++] = visit_read(d->arena, &doc, it.value);
    }
    return charts_put(d, visit, n, err);
}
