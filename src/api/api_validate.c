/*
 * Profiles of a server, and $validate. The set's definitions are the StructureDefinitions that are
 * stored; a write of one makes the set forget what it compiled. They say nothing of patients, so
 * they are read with the server's own eyes, by a reader that only the set uses (under its lock).
 */
#include "api_inner.h"

#include <stdlib.h>

#include "store_term.h"

#include "mk_banned.h"

#define DEFINITIONS_MAX 100 /* versions of one url */
#define PROFILES_MAX    20  /* asked for in one $validate */

struct ApiProfiles {
    FhirProfileSource source;
    FhirProfiles *set;
    StoreReader *reader;
    _Atomic uint64_t seen; /* seq up to which no definition was written by anybody */
};

/* ---- the set
 * ------------------------------------------------------------------------------------- */

/* Of several versions the one asked for, else the highest in byte order. */
static bool version_choose(Arena *a, const StoreHit *hit, size_t n, Str version, Str *ret)
{
    Str best = STR_NONE;
    bool found = false;
    for (size_t i = 0; i < n; i++) {
        JsonDoc d;
        if (json_parse(a, hit[i].body, &JSON_LIMITS_FHIR, &d, NULL) != OK) {
            continue;
        }
        Str own = json_str_at(&d, JSON_ROOT, "version");
        if (version.n ? str_eq(own, version) : !found || str_cmp(own, best) > 0) {
            *ret = hit[i].body;
            best = own;
            found = true;
        }
    }
    return found;
}

/* The stored resource of a type that has this canonical url, as far as the view sees it. */
static bool canonical_find(StoreReader *r, const StoreView *view, Arena *a, Str type, Str url,
                           Str version, Str *ret_json)
{
    const StoreHit *hit;
    size_t n;
    Buf query;
    Arena scratch;
    Str json;
    arena_init(&scratch, 0);
    buf_init(&query, 0);
    buf_c(&query, "url=");
    buf_url(&query, url);
    bool found = store_find(r, &scratch, view, type, buf_take(&query, &scratch), DEFINITIONS_MAX,
                            &hit, &n, NULL) == OK &&
                 version_choose(&scratch, hit, n, version, &json);
    if (found) {
        *ret_json = arena_str(a, json);
    }
    arena_done(&scratch);
    return found;
}

static bool definition_find(void *ctx, Arena *a, Str url, Str version, Str *ret_json)
{
    ApiProfiles *p = ctx;
    store_reader_calm(p->reader);
    return canonical_find(p->reader, &STORE_VIEW_ALL, a, STR("StructureDefinition"), url, version,
                          ret_json);
}

Status api_profiles_open(Api *api, Err *err)
{
    ApiProfiles *p = calloc(1, sizeof *p);
    mk_check(p != NULL);
    Status status = store_reader_open(api->store, &p->reader, err);
    if (status != OK) {
        free(p);
        return status;
    }
    p->source = (FhirProfileSource){p, definition_find};
    p->set = fhir_profiles_new(&p->source);
    p->seen = store_seq(api->store);
    api->profiles = p;
    return OK;
}

void api_profiles_close(ApiProfiles *p)
{
    if (p) {
        fhir_profiles_free(p->set);
        store_reader_close(p->reader);
        free(p);
    }
}

void api_profiles_forget(ApiProfiles *p)
{
    fhir_profiles_forget(p->set);
}

/* On a server others write, too: whoever has heard of more of the log looks what it was. */
static void others_follow(const ApiCall *c)
{
    ApiProfiles *p = c->api->profiles;
    uint64_t seen = atomic_load(&p->seen), to = seen;
    bool written = true;
    if (!store_is_shared(c->api->store) || store_seq(c->api->store) <= seen) {
        return;
    }
    Status s = store_type_written(c->reader, STR("StructureDefinition"), seen, &to, &written, NULL);
    if (s != OK || written) {
        api_profiles_forget(p);
    }
    if (s == OK && to > seen) {
        atomic_compare_exchange_strong(&p->seen, &seen, to);
    }
}

FhirCheck api_check_of(const ApiCall *c, Str type, const TermSource *terms)
{
    others_follow(c);
    return (FhirCheck){.type = type, .profiles = c->api->profiles->set, .terms = terms};
}

/* ---- $validate
 * ------------------------------------------------------------------------------------- */

typedef struct Asked {
    JsonDoc doc;
    JsonRef resource; /* JSON_NONE: none was sent */
    Str mode;
    Str profile[PROFILES_MAX];
    size_t profile_n;
} Asked;

static void profile_add(Asked *q, Str url)
{
    if (url.n && q->profile_n < PROFILES_MAX) {
        q->profile[q->profile_n++] = url;
    }
}

static void parameters_take(Asked *q)
{
    q->resource = JSON_NONE;
    for (JsonIter it = json_iter(&q->doc, json_get_c(&q->doc, JSON_ROOT, "parameter"));
         json_next(&it);) {
        Str name = json_str_at(&q->doc, it.value, "name");
        if (str_is(name, "resource")) {
            q->resource = json_get_c(&q->doc, it.value, "resource");
        } else if (str_is(name, "mode")) {
            q->mode = json_str_at(&q->doc, it.value, "valueCode");
        } else if (str_is(name, "profile")) {
            Str url = json_str_at(&q->doc, it.value, "valueUri");
            profile_add(q, url.n ? url : json_str_at(&q->doc, it.value, "valueCanonical"));
        }
    }
}

static void query_take(ApiCall *c, Asked *q)
{
    Str pairs = c->http->request.query, key, value, name, text;
    while (http_next_pair(&pairs, &key, &value)) {
        if (!http_decode(c->arena, key, true, &name) ||
            !http_decode(c->arena, value, true, &text)) {
            continue;
        }
        if (str_is(name, "profile")) {
            profile_add(q, text);
        } else if (str_is(name, "mode")) {
            q->mode = text;
        }
    }
}

/* The resource in the body, or the stored one of the address. */
static Status asked_read(ApiCall *c, Str type, Str id, Asked *q)
{
    StoreVersion v;
    q->resource = JSON_NONE;
    if (c->http->request.body.n) {
        TRY(api_body(c, &q->doc));
        q->resource = JSON_ROOT;
        if (str_is(fhir_resource_type(&q->doc), "Parameters") && !str_is(type, "Parameters")) {
            parameters_take(q);
        }
    }
    query_take(c, q);
    if (id.n) {
        TRY(api_read_version(c, type, id, STR_NONE, &v, &c->err));
        c->what = arena_cat(c->arena, type, STR("/"), id);
        if (q->resource == JSON_NONE) {
            q->resource = JSON_ROOT;
            return json_parse(c->arena, v.body, &JSON_LIMITS_FHIR, &q->doc, &c->err);
        }
    }
    return OK;
}

static Status mode_check(const Asked *q, Str id, Err *err)
{
    static const char *const MODES[] = {"", "create", "update", "delete", "profile"};
    bool known = false;
    for (size_t i = 0; i < sizeof MODES / sizeof *MODES; i++) {
        known = known || str_is(q->mode, MODES[i]);
    }
    if (!known) {
        return err_add(err, ERR_INVALID, "value", STR("mode"),
                       "mode 应为 create、update、delete 或 profile",
                       "mode must be create, update, delete or profile");
    }
    if (str_is(q->mode, "delete") && !id.n) {
        return err_add(err, ERR_INVALID, "required", STR("mode"),
                       "mode=delete 只能用于一个已有的资源", "mode=delete needs a stored resource");
    }
    if (str_is(q->mode, "profile") && q->profile_n == 0) {
        return err_add(err, ERR_INVALID, "required", STR("profile"), "mode=profile 须给出 profile",
                       "mode=profile needs a profile");
    }
    return OK;
}

/* What the interaction would ask of the id. */
static void id_check(const Asked *q, Str type, Err *found)
{
    bool has = json_get_c(&q->doc, q->resource, "id") != JSON_NONE;
    if (str_is(q->mode, "update") && !has) {
        Str where = arena_cat(found->arena, type, STR(".id"));
        (void)!err_add(found, ERR_UNPROCESSABLE, "required", where, "更新时资源必须有 id",
                       "a resource that is updated needs an id");
    }
}

static Status resource_needed(ApiCall *c, const Asked *q)
{
    return json_type(&q->doc, q->resource) == JSON_OBJECT
               ? OK
               : err_add(&c->err, ERR_INVALID, "required", STR("Parameters.parameter"),
                         "缺少名为 resource 的参数", "The parameter named resource is missing");
}

/* What the resource names is looked up with the caller's eyes. */
static bool library_find(void *ctx, Arena *a, Str type, Str url, Str version, Str *ret_json)
{
    ApiCall *c = ctx;
    return canonical_find(c->reader, &c->caller->view, a, type, url, version, ret_json);
}

static Status validate(ApiCall *c, Str id)
{
    Asked *q = arena_new(c->arena, Asked);
    Str type = c->http->request.part[0];
    StoreTerm term;
    Err found;
    TRY(api_type_known(c, type, &c->err));
    TRY(api_query_only(c, "mode, profile, " API_FORM_PARAMETERS));
    TRY(asked_read(c, type, id, q));
    TRY(mode_check(q, id, &c->err));
    err_init(&found, c->arena);
    if (!str_is(q->mode, "delete")) {
        TRY(resource_needed(c, q));
        store_term_init(&term, c->reader, &c->caller->view);
        FhirCheck check = api_check_of(c, type, &term.source);
        FhirLibrary library = {c, library_find};
        check.thorough = true;
        check.library = &library;
        check.profile = q->profile;
        check.profile_n = q->profile_n;
        (void)!fhir_validate_with(&q->doc, q->resource, &check, &found);
        id_check(q, type, &found);
    }
    Buf out;
    buf_init(&out, 0);
    fhir_outcome_write(&out, &found, c->lang);
    c->result = (ApiResult){.status = 200, .body = buf_take(&out, c->arena)};
    return OK;
}

Status api_validate(ApiCall *c)
{
    return validate(c, STR_NONE);
}

Status api_validate_instance(ApiCall *c)
{
    return validate(c, c->http->request.part[1]);
}
