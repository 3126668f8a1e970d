/* The set of profiles: finding by url, generations, R4's own. Compiling is in fhir_profile_make.c.
 */
#include <pthread.h>
#include <stdlib.h>

#include "fhir_profile_inner.h"

#define GENERATION_BYTES_MAX (256u << 20)
#define UNKNOWN_MAX          4096u /* urls remembered as unknown */

static const Str CORE = {"http://hl7.org/fhir/StructureDefinition/", 40};

struct FhirProfileHold {
    FhirProfiles *set;
    Arena arena;
    Map known; /* url[|version] → FhirProfile, or UNKNOWN */
    size_t unknown_n;
    unsigned depth;     /* of bases being compiled */
    unsigned held;      /* under set->lock; the set itself holds the newest */
    FhirProfile **core; /* by type id, made when asked for */
};

struct FhirProfiles {
    const FhirProfileSource *source;
    pthread_mutex_t lock; /* the newest generation, all counts, and compiling */
    FhirProfileHold *newest;
};

static FhirProfile UNKNOWN;

/* --- generations --- */

static FhirProfileHold *generation_new(FhirProfiles *set)
{
    FhirProfileHold *g = memory_take_zeroed(sizeof *g);
    g->set = set;
    g->held = 1;
    arena_init(&g->arena, 0);
    map_init(&g->known, &g->arena);
    g->core = arena_array(&g->arena, FhirProfile *, fhir_type_count);
    return g;
}

static void generation_drop(FhirProfileHold *g)
{
    if (--g->held == 0) {
        arena_done(&g->arena);
        free(g);
    }
}

FhirProfiles *fhir_profiles_new(const FhirProfileSource *source)
{
    FhirProfiles *set = calloc(1, sizeof *set);
    mk_check(set != NULL);
    set->source = source;
    mk_check(pthread_mutex_init(&set->lock, NULL) == 0);
    set->newest = generation_new(set);
    return set;
}

void fhir_profiles_free(FhirProfiles *set)
{
    if (set) {
        generation_drop(set->newest);
        pthread_mutex_destroy(&set->lock);
        free(set);
    }
}

void fhir_profiles_forget(FhirProfiles *set)
{
    pthread_mutex_lock(&set->lock);
    generation_drop(set->newest);
    set->newest = generation_new(set);
    pthread_mutex_unlock(&set->lock);
}

static FhirProfiles *published;
static pthread_once_t published_made = PTHREAD_ONCE_INIT;

static void published_make(void)
{
    published = fhir_profiles_new(NULL);
}

FhirProfileHold *fhir_profiles_hold(FhirProfiles *set)
{
    if (!set) {
        pthread_once(&published_made, published_make);
        set = published;
    }
    pthread_mutex_lock(&set->lock);
    FhirProfileHold *g = set->newest;
    g->held++;
    pthread_mutex_unlock(&set->lock);
    return g;
}

void fhir_profiles_release(FhirProfileHold *g)
{
    FhirProfiles *set = g->set;
    pthread_mutex_lock(&set->lock);
    generation_drop(g);
    pthread_mutex_unlock(&set->lock);
}

/* --- finding --- */

static int published_order(const void *url, const void *row)
{
    const FhirPublished *p = row;
    return str_cmp(*(const Str *)url, (Str){fhir_published_pool + p->url_at, p->url_n});
}

static bool published_find(Str url, Str *ret)
{
    const FhirPublished *p = bsearch(&url, fhir_published, fhir_published_count,
                                     sizeof *fhir_published, published_order);
    if (p) {
        *ret = (Str){fhir_published_pool + p->text_at, p->text_n};
    }
    return p != NULL;
}

const FhirType *profile_core_type(Str canonical)
{
    Str url, version;
    str_cut(canonical, '|', &url, &version);
    return str_starts(url, CORE) ? fhir_type_find(str_skip(url, CORE.n)) : NULL;
}

/* A profile of a base type: nothing more than the type. */
static const FhirProfile *core_find(FhirProfileHold *g, const FhirType *t)
{
    FhirProfile **slot = &g->core[fhir_type_id(t)];
    if (!*slot) {
        FhirProfile *p = arena_new(&g->arena, FhirProfile);
        p->url = arena_cat(&g->arena, CORE, fhir_type_name(t));
        p->name = fhir_type_name(t);
        p->type = t;
        p->root = arena_new(&g->arena, ProfileNode);
        p->root->root = t;
        p->root->max = PROFILE_MANY;
        err_init(&p->fault, &g->arena);
        *slot = p;
    }
    return *slot;
}

/* R4's own first: a package that brings another edition of them does not change R4. */
static bool text_find(FhirProfileHold *g, Str url, Str version, Str *ret, bool *ret_published)
{
    const FhirProfileSource *source = g->set->source;
    *ret_published = published_find(url, ret);
    return *ret_published ||
           (source && source->find && source->find(source->ctx, &g->arena, url, version, ret));
}

static FhirProfile *text_compile(FhirProfileHold *g, Str key, Str text)
{
    FhirProfile *p = arena_new(&g->arena, FhirProfile);
    JsonDoc *d = arena_new(&g->arena, JsonDoc);
    err_init(&p->fault, &g->arena);
    p->url = key;
    p->compiling = true;
    map_put(&g->known, key, p);
    if (json_parse(&g->arena, text, &JSON_LIMITS_FHIR, d, &p->fault) == OK) {
        profile_compile(g, &g->arena, d, JSON_ROOT, p);
    }
    p->compiling = false;
    return p;
}

const FhirProfile *profile_find_locked(FhirProfileHold *g, Str canonical)
{
    const FhirType *core = profile_core_type(canonical);
    if (core) {
        return core_find(g, core);
    }
    FhirProfile *p = map_get(&g->known, canonical);
    if (p) {
        return p == &UNKNOWN ? NULL : p;
    }
    Str url, version, text;
    str_cut(canonical, '|', &url, &version);
    bool own = false,
         room = g->arena.used_bytes < GENERATION_BYTES_MAX && g->depth < PROFILE_DEPTH_MAX;
    if (room && text_find(g, url, version, &text, &own)) {
        g->depth++;
        p = text_compile(g, arena_str(&g->arena, canonical), text);
        p->published = own;
        g->depth--;
    } else if (g->unknown_n < UNKNOWN_MAX && canonical.n < 1024) {
        g->unknown_n++;
        map_put(&g->known, arena_str(&g->arena, canonical), &UNKNOWN);
    }
    return p;
}

const FhirProfile *fhir_profile_find(FhirProfileHold *g, Str canonical)
{
    if (canonical.n == 0) {
        return NULL;
    }
    pthread_mutex_lock(&g->set->lock);
    const FhirProfile *p = profile_find_locked(g, canonical);
    pthread_mutex_unlock(&g->set->lock);
    return p;
}

Str fhir_profile_url(const FhirProfile *p)
{
    return p->url;
}

const FhirType *fhir_profile_type(const FhirProfile *p)
{
    return p->type;
}

const Err *fhir_profile_fault(const FhirProfile *p)
{
    return p->fault.count ? &p->fault : NULL;
}

Status fhir_profile_try(FhirProfileHold *g, const JsonDoc *d, JsonRef definition, Err *err)
{
    Arena a;
    FhirProfile p = {.compiling = true};
    arena_init(&a, 0);
    err_init(&p.fault, &a);
    pthread_mutex_lock(&g->set->lock);
    profile_compile(g, &a, d, definition, &p);
    pthread_mutex_unlock(&g->set->lock);
    Status s = p.fault.count ? ERR_UNPROCESSABLE : OK;
    if (s != OK && err) {
        err_move(err, &p.fault, STR_NONE);
    }
    arena_done(&a);
    return s;
}
