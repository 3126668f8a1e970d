#include "api_persons.h"

#include <stdlib.h>

#include "fhir_params.h"
#include "store_params.h"
#include "store_refer.h"

#define STRETCH    1000
#define PAGE_BYTES ((size_t)64 << 20)

/* A record and the one it was merged into. */
typedef struct Join {
    Str id, into; /* on the heap */
} Join;

struct ApiPersons {
    pthread_mutex_t lock;
    Join *join;
    size_t n, room;
    _Atomic size_t count; /* n, without the lock */
    uint64_t seq;         /* followed up to here; the timer's thread alone */
};

/* ---- The list, under the lock ------------------------------------------------------------- */

static Str heap_str(Str s)
{
    char *p = memory_take(s.n + 1);
    memcpy(p, s.p, s.n);
    return (Str){p, s.n};
}

static Join *join_find(ApiPersons *x, Str id)
{
    for (size_t i = 0; i < x->n; i++) {
        if (str_eq(x->join[i].id, id)) {
            return &x->join[i];
        }
    }
    return NULL;
}

static void join_drop(ApiPersons *x, Join *j)
{
    free((char *)j->id.p);
    free((char *)j->into.p);
    *j = x->join[--x->n];
}

static void join_add(ApiPersons *x, Str id, Str into)
{
    if (x->n == x->room) {
        x->room = x->room ? x->room * 2 : 16;
        x->join = memory_grow(x->join, x->room * sizeof *x->join);
    }
    x->join[x->n++] = (Join){heap_str(id), heap_str(into)};
}

static Str survivor(ApiPersons *x, Str id)
{
    for (int i = 0; i < PERSON_CHAIN_MAX; i++) {
        const Join *j = join_find(x, id);
        if (!j) {
            break;
        }
        id = j->into;
    }
    return id;
}

/* ---- What a body says --------------------------------------------------------------------- */

static Str link_into(const JsonDoc *d)
{
    for (JsonIter it = json_iter(d, json_get_c(d, JSON_ROOT, "link")); json_next(&it);) {
        Str other = json_str_at(d, it.value, "other.reference");
        if (str_is(json_str_at(d, it.value, "type"), "replaced-by") &&
            str_starts(other, STR("Patient/"))) {
            return str_skip(other, 8);
        }
    }
    return STR_NONE;
}

void api_persons_note(Api *api, Str patient_id, Str body)
{
    ApiPersons *x = api->persons;
    Arena a;
    JsonDoc d;
    arena_init(&a, PAGE_BYTES);
    bool there = body.n && json_parse(&a, body, &JSON_LIMITS_FHIR, &d, NULL) == OK;
    Str into = there ? link_into(&d) : STR_NONE;
    pthread_mutex_lock(&x->lock);
    Join *had = join_find(x, patient_id);
    if (had) {
        join_drop(x, had);
    }
    if (into.n && !str_eq(into, patient_id)) {
        join_add(x, patient_id, into);
    }
    atomic_store(&x->count, x->n);
    pthread_mutex_unlock(&x->lock);
    arena_done(&a);
}

Str api_persons_survivor(Api *api, Arena *a, Str patient_id)
{
    ApiPersons *x = api->persons;
    pthread_mutex_lock(&x->lock);
    Str id = arena_str(a, survivor(x, patient_id));
    pthread_mutex_unlock(&x->lock);
    return id;
}

/* ---- Following the log -------------------------------------------------------------------- */

void api_persons_keep(Api *api, StoreReader *r, bool *ret_more)
{
    ApiPersons *x = api->persons;
    Arena a;
    StoreVersion *rows, v;
    size_t n = 0;
    if (x->seq >= store_seq(api->store)) {
        return;
    }
    arena_init(&a, PAGE_BYTES);
    if (store_log(r, &a, x->seq, STRETCH, &rows, &n, NULL) != OK) {
        n = 0;
    }
    for (size_t i = 0; i < n; i++) {
        if (str_is(rows[i].type, "Patient")) {
            bool there =
                store_read(r, &a, &STORE_VIEW_ALL, rows[i].type, rows[i].id, &v, NULL) == OK;
            api_persons_note(api, rows[i].id, there ? v.body : STR_NONE);
        }
        x->seq = rows[i].seq;
    }
    *ret_more |= n > 0 && x->seq < store_seq(api->store);
    arena_done(&a);
}

/* ---- Searches ----------------------------------------------------------------------------- */

static bool names_patient(const Store *s, const FhirType *type, Str name)
{
    Str bare, modifier;
    str_cut(name, ':', &bare, &modifier);
    if (str_is(bare, "_id")) {
        return str_is(fhir_type_name(type), "Patient") && !modifier.n;
    }
    const FhirParam *p = store_param_find(s, type, bare);
    if (!p || p->kind != FHIR_PARAM_REFERENCE || (modifier.n && !str_is(modifier, "Patient"))) {
        return false;
    }
    bool patient = p->target_count == 0;
    for (unsigned i = 0; i < p->target_count; i++) {
        patient |= str_is(fhir_type_name(fhir_param_target(p, i)), "Patient");
    }
    return patient;
}

/* The value, and for each other record of the person the same value with its id. */
static void value_expand(ApiPersons *x, Buf *out, Str value)
{
    Str id = api_id_of(value, "Patient"), prefix = str_take(value, value.n - id.n);
    Str root = survivor(x, id);
    buf_add(out, value);
    if (!str_eq(root, id)) {
        buf_c(out, ",");
        buf_add(out, prefix);
        buf_add(out, root);
    }
    for (size_t i = 0; i < x->n; i++) {
        if (!str_eq(x->join[i].id, id) && str_eq(survivor(x, x->join[i].id), root)) {
            buf_c(out, ",");
            buf_add(out, prefix);
            buf_add(out, x->join[i].id);
        }
    }
}

Str api_persons_expand(ApiCall *c, Str type, Str query)
{
    ApiPersons *x = c->api->persons;
    const FhirType *t = fhir_resource_find(type);
    Str name, raw, value, one;
    Buf out;
    if (!t || atomic_load(&x->count) == 0) {
        return query;
    }
    buf_init(&out, 0);
    for (Str rest = query; http_next_pair(&rest, &name, &raw);) {
        buf_c(&out, out.n ? "&" : "");
        buf_add(&out, name);
        buf_char(&out, '=');
        if (!names_patient(c->api->store, t, name) || !http_decode(c->arena, raw, true, &value)) {
            buf_add(&out, raw);
            continue;
        }
        Buf all;
        buf_init(&all, 0);
        pthread_mutex_lock(&x->lock);
        while (value.n) {
            str_cut(value, ',', &one, &value);
            buf_c(&all, all.n ? "," : "");
            value_expand(x, &all, one);
        }
        pthread_mutex_unlock(&x->lock);
        buf_url(&out, buf_str(&all));
        buf_done(&all);
    }
    return buf_take(&out, c->arena);
}

/* ---- Life --------------------------------------------------------------------------------- */

static Status link_told(void *ctx, const StoreVersion *v, Err *err)
{
    (void)err;
    api_persons_note(ctx, v->id, v->body);
    return OK;
}

/* Those that say of themselves that they are linked. */
static Status links_load(Api *api, StoreReader *r, Err *err)
{
    const FhirType *patient = fhir_resource_find(STR("Patient"));
    const FhirParam *link = fhir_param_find(patient, STR("link"));
    return store_referring(r, patient, link, link_told, api, err);
}

Status api_persons_open(Api *api, Err *err)
{
    ApiPersons *x = memory_take_zeroed(sizeof *x);
    StoreReader *r;
    pthread_mutex_init(&x->lock, NULL);
    api->persons = x;
    x->seq = store_seq(api->store);
    TRY(store_reader_open(api->store, &r, err));
    Status s = links_load(api, r, err);
    store_reader_close(r);
    return s;
}

void api_persons_close(Api *api)
{
    ApiPersons *x = api->persons;
    if (!x) {
        return;
    }
    while (x->n) {
        join_drop(x, x->join);
    }
    free(x->join);
    pthread_mutex_destroy(&x->lock);
    free(x);
    api->persons = NULL;
}
