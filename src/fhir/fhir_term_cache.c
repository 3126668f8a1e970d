/* Parsed and compiled resources, shared by threads, let go when all together are too large. */
#include <pthread.h>
#include <stdlib.h>

#include "fhir_resource.h"
#include "fhir_term_inner.h"

#include "mk_banned.h"

typedef struct Entry Entry;
struct Entry {
    TermItem item;
    Arena arena; /* of the item, its bytes and its key */
    Str key;
    uint64_t hash;
    unsigned holds;
    Entry *next;          /* same bucket */
    Entry *older, *newer; /* by last use */
};

#define BUCKETS 1024u

struct TermCache {
    pthread_mutex_t lock;
    Entry *bucket[BUCKETS];
    Entry *oldest, *newest;
    size_t bytes, bytes_max;
};

/* What an arena holds until it is done. */
typedef struct Hold {
    TermCache *cache;
    Entry *entry;
} Hold;

TermCache *fhir_term_cache_new(size_t bytes_max)
{
    TermCache *c = calloc(1, sizeof *c);
    mk_check(c);
    pthread_mutex_init(&c->lock, NULL);
    c->bytes_max = bytes_max;
    return c;
}

static uint64_t key_hash(Str key)
{
    uint64_t h = 14695981039346656037u;
    for (size_t i = 0; i < key.n; i++) {
        h = (h ^ (unsigned char)key.p[i]) * 1099511628211u;
    }
    return h;
}

static void entry_free(Entry *e)
{
    arena_done(&e->arena);
    free(e);
}

/* ---- under the lock -----------------------------------------------------------------------------
 */

static void use_unlink(TermCache *c, Entry *e)
{
    *(e->older ? &e->older->newer : &c->oldest) = e->newer;
    *(e->newer ? &e->newer->older : &c->newest) = e->older;
    e->older = e->newer = NULL;
}

static void use_link(TermCache *c, Entry *e)
{
    e->older = c->newest;
    *(c->newest ? &c->newest->newer : &c->oldest) = e;
    c->newest = e;
}

static Entry *entry_find(const TermCache *c, uint64_t hash, Str key)
{
    Entry *e = c->bucket[hash % BUCKETS];
    while (e && !(e->hash == hash && str_eq(e->key, key))) {
        e = e->next;
    }
    return e;
}

static void entry_unlist(TermCache *c, Entry *e)
{
    Entry **at = &c->bucket[e->hash % BUCKETS];
    while (*at != e) {
        at = &(*at)->next;
    }
    *at = e->next;
    use_unlink(c, e);
    c->bytes -= e->arena.used_bytes;
}

static void entry_list(TermCache *c, Entry *e)
{
    Entry **head = &c->bucket[e->hash % BUCKETS];
    e->next = *head;
    *head = e;
    use_link(c, e);
    c->bytes += e->arena.used_bytes;
}

/* Those that nobody holds go, oldest first. */
static void cache_shrink(TermCache *c)
{
    for (Entry *e = c->oldest, *newer; e && c->bytes > c->bytes_max; e = newer) {
        newer = e->newer;
        if (e->holds == 0) {
            entry_unlist(c, e);
            entry_free(e);
        }
    }
}

/* ---- holding
 * ------------------------------------------------------------------------------------- */

static void hold_end(void *arg)
{
    Hold *h = arg;
    pthread_mutex_lock(&h->cache->lock);
    h->entry->holds--;
    cache_shrink(h->cache);
    pthread_mutex_unlock(&h->cache->lock);
}

static const TermItem *entry_hold(TermCache *c, Arena *a, Entry *e)
{
    Hold *h = arena_new(a, Hold);
    *h = (Hold){c, e};
    arena_defer(a, hold_end, h);
    return &e->item;
}

const TermItem *fhir_term_cache_get(TermCache *c, Arena *a, Str key)
{
    pthread_mutex_lock(&c->lock);
    Entry *e = entry_find(c, key_hash(key), key);
    if (e) {
        e->holds++;
        use_unlink(c, e);
        use_link(c, e);
    }
    pthread_mutex_unlock(&c->lock);
    return e ? entry_hold(c, a, e) : NULL;
}

TermKind term_kind_of(Str type)
{
    return str_is(type, "CodeSystem")   ? TERM_CODESYSTEM
           : str_is(type, "ValueSet")   ? TERM_VALUESET
           : str_is(type, "ConceptMap") ? TERM_CONCEPTMAP
                                        : TERM_KINDS;
}

static Status entry_fill(Entry *e, Str key, Str body, Err *err)
{
    Arena *a = &e->arena;
    TermItem *item = &e->item;
    TermSystem *s;
    e->key = arena_str(a, key);
    e->hash = key_hash(key);
    TRY(json_parse(a, arena_str(a, body), &JSON_LIMITS_FHIR, &item->doc, err));
    item->ref = JSON_ROOT;
    item->kind = term_kind_of(fhir_resource_type(&item->doc));
    item->url = json_str_at(&item->doc, JSON_ROOT, "url");
    item->version = json_str_at(&item->doc, JSON_ROOT, "version");
    if (item->kind == TERM_KINDS) {
        return err_add(err, ERR_INVALID, NULL, STR("resourceType"), "不是术语资源",
                       "This is no resource of terminology");
    }
    if (item->kind == TERM_CODESYSTEM) {
        TRY(term_system_compile(a, item, &s, err));
        item->system = s;
    }
    return OK;
}

Status fhir_term_cache_put(TermCache *c, Arena *a, Str key, Str body, const TermItem **ret,
                           Err *err)
{
    Entry *e = memory_take_zeroed(sizeof *e), *there;
    arena_init(&e->arena, 0);
    Status st = entry_fill(e, key, body, err);
    if (st != OK) {
        entry_free(e);
        return st;
    }
    pthread_mutex_lock(&c->lock);
    there = entry_find(c, e->hash, key); /* another thread was quicker */
    if (!there) {
        entry_list(c, e);
    }
    Entry *kept = there ? there : e;
    kept->holds++;
    cache_shrink(c);
    pthread_mutex_unlock(&c->lock);
    if (there) {
        entry_free(e);
    }
    *ret = entry_hold(c, a, kept);
    return OK;
}

void fhir_term_cache_free(TermCache *c)
{
    for (Entry *e = c ? c->oldest : NULL, *newer; e; e = newer) {
        newer = e->newer;
        entry_free(e);
    }
    if (c) {
        pthread_mutex_destroy(&c->lock);
        free(c);
    }
}
