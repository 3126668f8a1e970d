/* Threads that execute an import's requests beside each other. */
#include "api_crew.h"

#include <stdlib.h>
#include <unistd.h>

#include "api_inner.h"

#include "mk_banned.h"

#define THREADS_MIN 2
#define THREADS_MAX 8
#define ERRANDS_MAX 16u
#define BYTES_MAX   ((size_t)16 << 20) /* of the bodies under way; a larger one goes alone */

typedef struct Hand {
    ApiCrew *crew;
    ApiLocal *local;
    pthread_t thread;
} Hand;

struct ApiCrew {
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    Hand hand[THREADS_MAX];
    size_t hand_n;
    ApiErrand *first, *last; /* under way, oldest first */
    ApiErrand *next;         /* the first that nobody has begun; NULL: none */
    size_t n, bytes;
    bool closing;
};

/* ---- A hand ---------------------------------------------------------------------------------- */

static void errand_run(ApiLocal *local, ApiErrand *e)
{
    const Str path = STR("/fhir");
    e->status = e->doc
                    ? api_local_send(local, &e->arena, "POST", path, e->key, e->doc, &e->answer)
                    : api_local_call(local, &e->arena, "POST", path, e->key, e->body, &e->answer);
}

static void *hand_main(void *arg)
{
    Hand *h = arg;
    ApiCrew *c = h->crew;
    pthread_mutex_lock(&c->lock);
    while (!c->closing) {
        ApiErrand *e = c->next;
        if (!e) {
            pthread_cond_wait(&c->work, &c->lock);
            continue;
        }
        c->next = e->next;
        pthread_mutex_unlock(&c->lock);
        errand_run(h->local, e);
        pthread_mutex_lock(&c->lock);
        e->done = true;
        pthread_cond_signal(&c->done);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

/* ---- The crew -------------------------------------------------------------------------------- */

static size_t threads_wanted(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < THREADS_MIN ? THREADS_MIN : n > THREADS_MAX ? THREADS_MAX : (size_t)n;
}

Status api_crew_open(Api *api, const AccessCaller *as, ApiCrew **ret, Err *err)
{
    ApiCrew *c = memory_take_zeroed(sizeof *c);
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->work, NULL);
    pthread_cond_init(&c->done, NULL);
    Status s = OK;
    for (size_t n = threads_wanted(); s == OK && c->hand_n < n;) {
        Hand *h = &c->hand[c->hand_n];
        h->crew = c;
        s = api_local_open(api, as, &h->local, err);
        if (s == OK && pthread_create(&h->thread, NULL, hand_main, h) != 0) {
            api_local_close(h->local);
            s = err_status(err, ERR_INTERNAL);
        }
        c->hand_n += s == OK;
    }
    if (s != OK) {
        api_crew_close(c);
        return s;
    }
    *ret = c;
    return OK;
}

void api_crew_close(ApiCrew *c)
{
    mk_check(!c->first);
    pthread_mutex_lock(&c->lock);
    c->closing = true;
    pthread_cond_broadcast(&c->work);
    pthread_mutex_unlock(&c->lock);
    for (size_t i = 0; i < c->hand_n; i++) {
        pthread_join(c->hand[i].thread, NULL);
        api_local_close(c->hand[i].local);
    }
    pthread_cond_destroy(&c->done);
    pthread_cond_destroy(&c->work);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

ApiErrand *api_crew_errand(void)
{
    ApiErrand *e = memory_take_zeroed(sizeof *e);
    arena_init(&e->arena, 0);
    return e;
}

void api_crew_errand_free(ApiErrand *e)
{
    arena_done(&e->arena);
    free(e);
}

bool api_crew_has_room(const ApiCrew *c, size_t bytes)
{
    return c->n == 0 || (c->n < ERRANDS_MAX && c->bytes + bytes <= BYTES_MAX);
}

void api_crew_send(ApiCrew *c, ApiErrand *e)
{
    pthread_mutex_lock(&c->lock);
    if (c->last) {
        c->last->next = e;
    } else {
        c->first = e;
    }
    c->last = e;
    c->next = c->next ? c->next : e;
    c->n++;
    c->bytes += e->body.n;
    pthread_cond_signal(&c->work);
    pthread_mutex_unlock(&c->lock);
}

ApiErrand *api_crew_take(ApiCrew *c)
{
    pthread_mutex_lock(&c->lock);
    ApiErrand *e = c->first;
    while (e && !e->done) {
        pthread_cond_wait(&c->done, &c->lock);
    }
    if (e) {
        c->first = e->next;
        c->last = c->first ? c->last : NULL;
        c->n--;
        c->bytes -= e->body.n;
    }
    pthread_mutex_unlock(&c->lock);
    return e;
}

const ApiErrand *api_crew_first(const ApiCrew *c)
{
    return c->first;
}

/* ---- What may go beside others --------------------------------------------------------------- */

bool api_resource_is_free(const JsonDoc *d, JsonRef resource)
{
    static const char *const definitions[] = {
        "CodeSystem",   "ConceptMap",          "NamingSystem", "SearchParameter",
        "Subscription", "StructureDefinition", "ValueSet"};
    Str type = json_str_at(d, resource, "resourceType");
    bool is_free = fhir_resource_find(type) != NULL;
    for (size_t i = 0; is_free && i < sizeof definitions / sizeof *definitions; i++) {
        is_free = !str_is(type, definitions[i]);
    }
    if (!is_free || str_find_char(json_raw(d, resource), '?') < 0) {
        return is_free;
    }
    Arena a;
    Str *conditional;
    size_t n;
    arena_init(&a, 0);
    is_free = fhir_conditional_refs(&a, d, resource, &conditional, &n, NULL) == OK && n == 0;
    arena_done(&a);
    return is_free;
}

static bool entry_is_free(const JsonDoc *d, JsonRef entry)
{
    JsonRef request = json_get_c(d, entry, "request");
    return str_is(json_str_at(d, request, "method"), "POST") &&
           json_get_c(d, request, "ifNoneExist") == JSON_NONE &&
           api_resource_is_free(d, json_get_c(d, entry, "resource"));
}

bool api_bundle_is_free(const JsonDoc *bundle)
{
    bool is_free = str_is(json_str_at(bundle, JSON_ROOT, "resourceType"), "Bundle") &&
                   str_is(json_str_at(bundle, JSON_ROOT, "type"), "transaction");
    JsonIter it = json_iter(bundle, json_get_c(bundle, JSON_ROOT, "entry"));
    while (is_free && json_next(&it)) {
        is_free = entry_is_free(bundle, it.value);
    }
    return is_free;
}
