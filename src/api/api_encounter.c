/*
 * Encounter/$everything: the encounter with what it refers to, then R4's encounter compartment,
 * type by type. Each page is one search or several small ones, through the caller's sight; the
 * cursor says which type is next and where in it.
 */
#include "api_inner.h"

#define COUNT_DEFAULT 200
#define COUNT_MAX     1000

static const struct {
    const char *type, *param;
} LINKS[] = {
#define LINK(type, param) {#type, param},
#include "api_encounters.def"
#undef LINK
};
enum { LINKS_N = sizeof LINKS / sizeof *LINKS };

typedef struct Ask {
    ApiCall *c;
    Str id, types, since, cursor;
    size_t count;
    Buf self;
} Ask;

/* ---- what is asked -----------------------------------------------------------------------------
 */

static Status types_check(const Ask *ask, Str types)
{
    for (Str one, rest = types; rest.n;) {
        str_cut(rest, ',', &one, &rest);
        if (!fhir_resource_find(one)) {
            return api_ask_bad(ask->c, STR("_type"), "含有不认识的资源类型",
                               "names an unknown resource type");
        }
    }
    return OK;
}

static Status ask_take(void *ctx, const ApiAsked *asked)
{
    Ask *ask = ctx;
    int64_t since_ms;
    if (str_is(asked->name, "_cursor")) {
        ask->cursor = asked->value;
        return OK;
    }
    if (!str_is(asked->name, "_since") && !str_is(asked->name, "_type") &&
        !str_is(asked->name, "_count")) {
        return api_ask_unknown(ask->c, asked->name, "_since, _type, _count");
    }
    buf_printf(&ask->self, "%s%.*s=", ask->self.n ? "&" : "", STR_ARG(asked->name));
    buf_url(&ask->self, asked->value);
    if (str_is(asked->name, "_since")) {
        ask->since = asked->value;
        return api_ask_instant(ask->c, asked, &since_ms);
    }
    if (str_is(asked->name, "_type")) {
        ask->types = asked->value;
        return types_check(ask, asked->value);
    }
    return api_ask_number(ask->c, asked, COUNT_MAX, &ask->count);
}

/* ---- pages -------------------------------------------------------------------------------------
 */

/* The type is asked for, and one that the caller may read. */
static bool type_wanted(const Ask *ask, Str type)
{
    bool named = str_empty(ask->types);
    for (Str one, rest = ask->types; rest.n && !named;) {
        str_cut(rest, ',', &one, &rest);
        named = str_eq(one, type);
    }
    return named && access_may(ask->c->caller, ACCESS_READ, type, NULL) == OK;
}

/* Step 0 is the encounter itself. */
static Str step_type(size_t step)
{
    return step == 0 ? STR("Encounter") : str_from_c(LINKS[step - 1].type);
}

static Str step_query(const Ask *ask, size_t step)
{
    Arena *a = ask->c->arena;
    Buf q;
    buf_init(&q, 0);
    if (step == 0) {
        buf_printf(&q, "_id=%.*s&_include=Encounter:*", STR_ARG(ask->id));
    } else {
        buf_printf(&q, "%s=Encounter/%.*s", LINKS[step - 1].param, STR_ARG(ask->id));
    }
    buf_printf(&q, "&_count=%zu", ask->count);
    if (ask->since.n) {
        buf_c(&q, "&_lastUpdated=ge");
        buf_url(&q, ask->since);
    }
    return buf_take(&q, a);
}

/* "STEP" or "STEP.CURSOR" */
static Status cursor_read(const Ask *ask, size_t *ret_step, Str *ret_inner)
{
    Str step;
    int64_t n = 0;
    str_cut(ask->cursor, '.', &step, ret_inner);
    if (ask->cursor.n && (!str_to_i64(step, &n) || n < 0 || n > LINKS_N)) {
        return api_ask_bad(ask->c, STR("_cursor"), "无效", "is not one of ours");
    }
    *ret_step = (size_t)n;
    return OK;
}

/* Of what stands beside the encounter only the types asked for. */
static void hits_take(const Ask *ask, StoreHit *hit, size_t *n, const StorePage *page)
{
    for (size_t i = 0; i < page->hits_n; i++) {
        if (type_wanted(ask, page->hits[i].type)) {
            hit[(*n)++] = page->hits[i];
        }
    }
}

static StoreHit *hits_room(Arena *a, const StoreHit *hit, size_t n, size_t more)
{
    StoreHit *room = arena_array(a, StoreHit, n + more + 1);
    if (n) {
        memcpy(room, hit, n * sizeof *room);
    }
    return room;
}

static Status step_run(const Ask *ask, size_t step, Str inner, StorePage *ret)
{
    ApiCall *c = ask->c;
    StoreQuery *q;
    TRY(store_query_parse(NULL, c->arena, step_type(step), step_query(ask, step), false,
                          c->api->options.zone_min, &q, &c->err));
    return store_search(c->reader, c->arena, q, &c->caller->view, inner, ret, &c->err);
}

/*
 * Fills a page step by step; ret->next is where the rest begins. A cursor goes on with the count it
 * was made with, so a type that does not fit any more begins the next page.
 */
static Status page_fill(const Ask *ask, StorePage *ret)
{
    ApiCall *c = ask->c;
    size_t step, n = 0;
    Str inner, next = STR_NONE;
    StoreHit *hit = NULL;
    TRY(cursor_read(ask, &step, &inner));
    for (; step <= LINKS_N && str_empty(next); step++, inner = STR_NONE) {
        StorePage page;
        if (step > 0 && !type_wanted(ask, step_type(step))) {
            continue;
        }
        TRY(step_run(ask, step, inner, &page));
        if (n > 0 && n + page.hits_n > ask->count) {
            next = arena_printf(c->arena, "%zu", step);
            break;
        }
        hit = hits_room(c->arena, hit, n, page.hits_n);
        hits_take(ask, hit, &n, &page);
        if (page.next.n) {
            next = arena_printf(c->arena, "%zu.%.*s", step, STR_ARG(page.next));
        }
    }
    *ret = (StorePage){.hits = hit, .hits_n = n, .total = -1, .next = next};
    return OK;
}

Status api_encounter_everything(ApiCall *c)
{
    Ask ask = {.c = c, .id = c->http->request.part[0], .count = COUNT_DEFAULT};
    StoreVersion encounter;
    StorePage page;
    Str path = arena_cat(c->arena, STR("Encounter/"), ask.id, STR("/$everything"));
    c->what = path;
    TRY(api_read_version(c, STR("Encounter"), ask.id, STR_NONE, &encounter, &c->err));
    api_touch_version(c, &encounter);
    buf_init(&ask.self, 0);
    Status status = api_ask_read(c, ask_take, &ask);
    Str self = buf_take(&ask.self, c->arena);
    TRY(status);
    TRY(page_fill(&ask, &page));
    page.self = self;
    api_page_touch(c, &page);
    c->result = (ApiResult){.status = 200, .body = api_page_write(c, path, &page, ask.cursor)};
    return OK;
}
