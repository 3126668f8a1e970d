#include "api_stage.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "embed.h"

bool stage_open(Stage *s, const char *dir)
{
    *s = (Stage){0};
    arena_init(&s->arena, 0);
    err_init(&s->err, &s->arena);
    clock_init_system(&s->clock);
    random_init_system(&s->random);
    ApiOptions options = {.dir = dir,
                          .clock = &s->clock,
                          .random = &s->random,
                          .zone_min = ZONE_CHINA_MIN,
                          .maps = embed_maps};
    static const char *const packages = FLOW_FIXTURES_DIR;
    options.overlay = &packages;
    options.overlay_n = 1;
    if (api_open(&options, &s->api, &s->err) != OK) {
        s->api = NULL;
        return false;
    }
    return true;
}

void stage_close(Stage *s)
{
    if (s->api) {
        api_close(s->api);
    }
    arena_done(&s->arena);
}

static Str header_of(const HttpCall *call, const char *name)
{
    for (unsigned i = 0; i < call->response.header_n; i++) {
        if (str_is(call->response.header[i].name, name)) {
            return call->response.header[i].value;
        }
    }
    return STR_NONE;
}

static AccessCaller person_at(Stage *s, Arena *a, const char *who)
{
    static const struct {
        const char *who, *role, *organization;
    } POSTS[] = {{"doctor", "township-doctor", "Organization/t1"},
                 {"office", "referral-office", "Organization/c"},
                 {"system", "system-administrator", "Organization/c"}};
    size_t at = 0;
    while (strcmp(POSTS[at].who, who) != 0) {
        at++;
    }
    Str *org = arena_new(a, Str);
    *org = str_from_c(POSTS[at].organization);
    AccessCaller c = {.username = str_from_c(who),
                      .name = str_from_c(who),
                      .practitioner = arena_cat(a, STR("Practitioner/"), str_from_c(who))};
    c.post = (AccessPost){.post = arena_cat(a, STR("PractitionerRole/"), str_from_c(who)),
                          .role = str_from_c(POSTS[at].role),
                          .organization = *org};
    c.view = (StoreView){.clinical = strcmp(who, "system") != 0,
                         .orgs = org,
                         .orgs_n = 1,
                         .person = c.practitioner,
                         .now_ms = clock_now(&s->clock)};
    return c;
}

static void caller_set(Stage *s, ApiCall *c, const char *who)
{
    c->caller = arena_new(c->arena, AccessCaller);
    if (who && strcmp(who, "machine") == 0) {
        assert_int_equal(access_caller_named(s->api->access, c->reader, c->arena, STR("machine"),
                                             STR_NONE, c->caller, NULL),
                         OK);
    } else {
        *c->caller = who ? person_at(s, c->arena, who) : access_system(s->api->store);
    }
    c->caller->address = STR("stage");
    c->caller->request_id = c->request_id;
}

StageAnswer stage_call(Stage *s, StoreReader *reader, Arena *a, const StageCall *what)
{
    HttpPair header[6];
    size_t n = 0;
    header[n++] = (HttpPair){STR("Content-Type"),
                             str_from_c(what->type ? what->type : "application/fhir+json")};
    if (what->request_id.n) {
        header[n++] = (HttpPair){STR("X-Request-Id"), what->request_id};
    }
    if (what->key.n) {
        header[n++] = (HttpPair){STR("Idempotency-Key"), what->key};
    }
    if (what->if_match.n) {
        header[n++] = (HttpPair){STR("If-Match"), what->if_match};
    }
    if (what->async) {
        header[n++] = (HttpPair){STR("Prefer"), STR("respond-async")};
    }
    HttpCall call = {.arena = a, .app = s->api, .thread = reader};
    Str path, query;
    str_cut(what->path, '?', &path, &query);
    call.request =
        (HttpRequest){.method = str_is(str_from_c(what->method), "POST")     ? HTTP_POST
                                : str_is(str_from_c(what->method), "PUT")    ? HTTP_PUT
                                : str_is(str_from_c(what->method), "DELETE") ? HTTP_DELETE
                                                                             : HTTP_GET,
                      .method_name = str_from_c(what->method),
                      .path = path,
                      .query = query,
                      .address = STR("stage"),
                      .header = header,
                      .header_n = n,
                      .body = what->body};
    unsigned allowed;
    call.request.route = http_route_find(API_ROUTES, API_ROUTES_N, a, &call.request, &allowed);
    assert_non_null(call.request.route);
    caller_set(s, api_call_new(&call), what->who);
    api_enter(&call);
    return (StageAnswer){.status = call.response.status,
                         .body = call.response.body,
                         .etag = header_of(&call, "ETag"),
                         .location = header_of(&call, "Location"),
                         .content_location = header_of(&call, "Content-Location"),
                         .retry_after = header_of(&call, "Retry-After")};
}

bool stage_wanted(const char *name)
{
    const char *only = getenv("MENKOU_TEST_KIND");
    return !only || strstr(name, only);
}

static void issues_print(const Err *err)
{
    for (const Issue *i = err->first; i; i = i->next) {
        print_error("%.*s: %.*s\n", STR_ARG(i->where), STR_ARG(i->en));
    }
}

/* A directory as `menkou check` opens it. */
typedef struct Look {
    Stage stage; /* its clock, arena and err */
    Store *store;
    StoreReader *reader;
} Look;

static bool look_open(Look *l, const char *dir)
{
    *l = (Look){0};
    arena_init(&l->stage.arena, 0);
    err_init(&l->stage.err, &l->stage.arena);
    clock_init_system(&l->stage.clock);
    random_init_system(&l->stage.random);
    StoreOptions options = {.dir = dir,
                            .clock = &l->stage.clock,
                            .random = &l->stage.random,
                            .zone_min = ZONE_CHINA_MIN,
                            .read_only = true};
    return store_open(&options, &l->store, &l->stage.err) == OK &&
           store_reader_open(l->store, &l->reader, &l->stage.err) == OK;
}

static void look_close(Look *l)
{
    if (l->reader) {
        store_reader_close(l->reader);
    }
    store_close(l->store);
    arena_done(&l->stage.arena);
}

uint64_t stage_check(const char *dir)
{
    Look l;
    uint64_t faults = 0;
    AccessAuditFound audit;
    assert_true(look_open(&l, dir));
    Arena *a = &l.stage.arena;
    Err *err = &l.stage.err;
    assert_int_equal(store_verify(l.reader, a, NULL, NULL, &faults, err), OK);
    assert_int_equal(access_audit_verify(l.reader, a, dir, &audit, err), OK);
    issues_print(err);
    look_close(&l);
    return faults + audit.faults + audit.torn_bytes;
}

bool stage_audit_check(const char *dir, AccessAuditFound *ret)
{
    Look l;
    bool looked = look_open(&l, dir);
    if (looked) {
        assert_int_equal(access_audit_verify(l.reader, &l.stage.arena, dir, ret, &l.stage.err), OK);
    }
    look_close(&l);
    return looked;
}

typedef struct Segments {
    Arena *arena;
    const char *folder;
    Buf all;
} Segments;

static Status segment_add(void *ctx, Str relative, Err *err)
{
    Segments *s = ctx;
    Str bytes;
    TRY(file_read(s->arena, path_join(s->arena, str_from_c(s->folder), relative).p,
                  (size_t)256 << 20, &bytes, err));
    buf_add(&s->all, bytes);
    return OK;
}

Str stage_audit(Arena *a, const char *dir)
{
    Segments s = {.arena = a, .folder = path_join(a, str_from_c(dir), STR("audit")).p};
    buf_init(&s.all, 0);
    assert_int_equal(dir_walk(a, s.folder, segment_add, &s, NULL), OK);
    Str text = arena_str(a, buf_str(&s.all));
    buf_done(&s.all);
    return text;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *at)
{
    (void)st;
    (void)flag;
    (void)at;
    return remove(path);
}

void stage_remove(const char *folder)
{
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
