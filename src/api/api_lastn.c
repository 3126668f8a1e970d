/*
 * Observation/$lastn (R4): the newest of each code. Observations that share a coding, directly or
 * through others, are of one code; what has only a text is grouped by it. Several subjects are kept
 * apart. Of those that tie with the last one all come.
 */
#include <stdlib.h>

#include "api_inner.h"
#include "store_persons.h"

#define LOOKED_MAX   20000 /* observations */
#define MAX_MAX      1000
#define PAGE_BYTES   ((size_t)128 << 20)
#define PAGE_COUNTED "&_sort=-date&_count=500"

/* A code, or one that was found to be the same as another. */
typedef struct Group {
    struct Group *same; /* NULL: it stands for itself */
    size_t n, shown;
    int64_t last_ms; /* of the oldest that was kept */
} Group;

typedef struct Kept {
    StoreHit hit;
    Group *group;
    int64_t at_ms;
} Kept;

typedef struct Ask {
    ApiCall *c;
    Buf query; /* the search, without max */
    bool subject, code;
    size_t max;
    Map group; /* subject and coding → Group */
    Kept *kept;
    size_t kept_n, kept_room, looked;
} Ask;

/* ---- What is asked ------------------------------------------------------------------------ */

/* "code:in", "patient.name" → code, patient */
static Str bare_name(Str name)
{
    Str head, rest;
    str_cut(name, ':', &head, &rest);
    str_cut(head, '.', &head, &rest);
    return head;
}

static Status ask_read(Ask *ask)
{
    ApiCall *c = ask->c;
    Str rest = c->http->request.query, name, value;
    while (http_next_pair(&rest, &name, &value)) {
        Str bare = bare_name(name);
        if (str_is(name, "max")) {
            TRY(api_ask_number(c, &(ApiAsked){.name = name, .value = value}, MAX_MAX, &ask->max));
            continue;
        }
        if (str_is(name, "_sort") || str_is(name, "_count") || str_is(name, "_summary")) {
            return api_ask_bad(c, name, "在 $lastn 中没有意义", "has no meaning in $lastn");
        }
        ask->subject |= str_is(bare, "patient") || str_is(bare, "subject");
        ask->code |= str_is(bare, "category") || str_find(bare, STR("code")) >= 0;
        buf_c(&ask->query, ask->query.n ? "&" : "");
        buf_add(&ask->query, name);
        buf_char(&ask->query, '=');
        buf_add(&ask->query, value);
    }
    if (ask->subject && ask->code) {
        return OK;
    }
    return err_add(&c->err, ERR_INVALID, "required",
                   ask->subject ? STR("category") : STR("patient"),
                   "$lastn 须有 patient（或 subject），以及 category 或一个代码参数",
                   "$lastn needs patient (or subject), and category or a parameter of codes");
}

/* ---- Codes -------------------------------------------------------------------------------- */

static Group *group_root(Group *g)
{
    while (g->same) {
        g = g->same;
    }
    return g;
}

static Group *group_join(Group *a, Group *b)
{
    a = group_root(a);
    b = group_root(b);
    if (a != b) {
        b->same = a;
        a->n += b->n;
        a->last_ms = b->n && b->last_ms < a->last_ms ? b->last_ms : a->last_ms;
    }
    return a;
}

static Group *group_named(Ask *ask, Str key)
{
    Group *g = map_get(&ask->group, key);
    if (!g) {
        g = arena_new(ask->c->arena, Group);
        g->last_ms = TIME_FOREVER;
        map_put(&ask->group, arena_str(ask->c->arena, key), g);
    }
    return g;
}

/* Records of one person are one subject. */
static Str subject_of(const Ask *ask, Arena *a, const JsonDoc *d)
{
    Str subject = json_str_at(d, JSON_ROOT, "subject.reference");
    return str_starts(subject, STR("Patient/"))
               ? store_person_survivor(ask->c->api->store, a, str_skip(subject, 8))
               : subject;
}

static Group *group_of(Ask *ask, Arena *a, const JsonDoc *d)
{
    Group *all = NULL;
    Str subject = subject_of(ask, a, d);
    JsonRef code = json_get_c(d, JSON_ROOT, "code");
    for (JsonIter it = json_iter(d, json_get_c(d, code, "coding")); json_next(&it);) {
        Str system = json_str_at(d, it.value, "system"), value = json_str_at(d, it.value, "code");
        if (value.n) {
            Group *g = group_named(ask, arena_cat(a, subject, STR("\n"), system, STR("|"), value));
            all = all ? group_join(all, g) : group_root(g);
        }
    }
    Str text = json_str_at(d, code, "text");
    return all ? all : group_named(ask, arena_cat(a, subject, STR("\n\n"), text));
}

/* ---- Looking through, newest first -------------------------------------------------------- */

static int64_t effective_ms(const Ask *ask, const JsonDoc *d)
{
    static const char *const PATHS[] = {"effectiveDateTime", "effectiveInstant",
                                        "effectivePeriod.start", "effectivePeriod.end",
                                        "effectiveTiming.event.0"};
    int64_t at_ms = TIME_NONE;
    for (size_t i = 0; i < sizeof PATHS / sizeof *PATHS && at_ms == TIME_NONE; i++) {
        (void)time_parse(json_str_at(d, JSON_ROOT, PATHS[i]), ask->c->api->options.zone_min,
                         &at_ms);
    }
    return at_ms;
}

static void keep(Ask *ask, const StoreHit *h, Group *g, int64_t at_ms)
{
    Arena *a = ask->c->arena;
    if (ask->kept_n == ask->kept_room) {
        size_t room = ask->kept_room ? ask->kept_room * 2 : 64;
        Kept *more = arena_array(a, Kept, room);
        for (size_t i = 0; i < ask->kept_n; i++) {
            more[i] = ask->kept[i];
        }
        ask->kept = more;
        ask->kept_room = room;
    }
    Str *patients = arena_array(a, Str, h->patients_n + 1);
    for (size_t i = 0; i < h->patients_n; i++) {
        patients[i] = arena_str(a, h->patients[i]);
    }
    StoreHit copy = {.mode = STORE_MATCH,
                     .type = STR("Observation"),
                     .id = arena_str(a, h->id),
                     .vid = arena_str(a, h->vid),
                     .body = arena_str(a, h->body),
                     .patients = patients,
                     .patients_n = h->patients_n};
    ask->kept[ask->kept_n++] = (Kept){copy, g, at_ms};
}

static Status hit_look(Ask *ask, Arena *a, const StoreHit *h)
{
    JsonDoc d;
    if (h->mode != STORE_MATCH) {
        return OK;
    }
    TRY(json_parse(a, h->body, &JSON_LIMITS_FHIR, &d, &ask->c->err));
    Group *g = group_root(group_of(ask, a, &d));
    int64_t at_ms = effective_ms(ask, &d);
    if (g->n < ask->max || at_ms >= g->last_ms) {
        keep(ask, h, g, at_ms);
        g->n++;
        g->last_ms = at_ms < g->last_ms ? at_ms : g->last_ms;
    }
    return ++ask->looked <= LOOKED_MAX
               ? OK
               : err_add(&ask->c->err, ERR_TOO_MANY, "too-costly", STR_NONE,
                         "符合条件的观察过多，请用 date 等条件缩小范围",
                         "Too many observations match; ask for less, for instance with date");
}

static Status page_look(Ask *ask, Str query, Str *cursor)
{
    ApiCall *c = ask->c;
    Arena a;
    StoreQuery *q;
    StorePage page;
    arena_init(&a, PAGE_BYTES);
    Status s = store_query_parse(c->api->store, &a, STR("Observation"), query, api_is_lenient(c),
                                 c->api->options.zone_min, &q, &c->err);
    s = s == OK ? store_search(c->reader, &a, q, &c->caller->view, *cursor, &page, &c->err) : s;
    for (size_t i = 0; s == OK && i < page.ignored_n; i++) {
        api_ignore(c, arena_str(c->arena, page.ignored[i]));
    }
    for (size_t i = 0; s == OK && i < page.hits_n; i++) {
        s = hit_look(ask, &a, &page.hits[i]);
    }
    *cursor = s == OK ? arena_str(c->arena, page.next) : STR_NONE;
    arena_done(&a);
    return s;
}

/* ---- The answer --------------------------------------------------------------------------- */

static int newest_first(const void *x, const void *y)
{
    const Kept *a = x, *b = y;
    return a->at_ms != b->at_ms ? (a->at_ms > b->at_ms ? -1 : 1) : str_cmp(a->hit.id, b->hit.id);
}

/* The newest `max` of each group, and who ties with the last of them. */
static StoreHit *hits_choose(Ask *ask, size_t *ret_n)
{
    StoreHit *hit = arena_array(ask->c->arena, StoreHit, ask->kept_n + 1);
    *ret_n = 0;
    if (ask->kept_n > 0) {
        qsort(ask->kept, ask->kept_n, sizeof *ask->kept, newest_first);
    }
    for (size_t i = 0; i < ask->kept_n; i++) {
        const Kept *k = &ask->kept[i];
        Group *g = group_root(k->group);
        bool ties = g->shown >= ask->max && k->at_ms == g->last_ms;
        if (g->shown < ask->max || ties) {
            g->shown++;
            g->last_ms = k->at_ms;
            hit[(*ret_n)++] = k->hit;
        }
    }
    return hit;
}

/* The question without what was left aside. */
static Str self_of(const ApiCall *c)
{
    Buf self;
    Str name, value, rest = c->http->request.query;
    buf_init(&self, 0);
    while (http_next_pair(&rest, &name, &value)) {
        bool known = true;
        for (size_t i = 0; i < c->ignored_n && known; i++) {
            known = !str_eq(c->ignored[i], name);
        }
        if (known) {
            buf_c(&self, self.n ? "&" : "");
            buf_add(&self, name);
            buf_char(&self, '=');
            buf_add(&self, value);
        }
    }
    return buf_take(&self, c->arena);
}

Status api_lastn(ApiCall *c)
{
    Ask ask = {.c = c, .max = 1};
    Str cursor = STR_NONE;
    c->what = arena_cat(c->arena, STR("Observation/$lastn?"), c->http->request.query);
    TRY(access_may(c->caller, ACCESS_READ, STR("Observation"), &c->err));
    map_init(&ask.group, c->arena);
    buf_init(&ask.query, 0);
    Status s = ask_read(&ask);
    Str asked = buf_take(&ask.query, c->arena);
    TRY(s);
    Str query = arena_cat(c->arena, asked, STR(PAGE_COUNTED));
    do {
        TRY(page_look(&ask, query, &cursor));
    } while (cursor.n);
    StorePage page = {.total = -1, .self = self_of(c)};
    page.hits = hits_choose(&ask, &page.hits_n);
    page.total = (int64_t)page.hits_n;
    api_page_touch(c, &page);
    c->result = (ApiResult){.status = 200,
                            .body = api_page_write(c, STR("Observation/$lastn"), &page, STR_NONE)};
    return OK;
}
