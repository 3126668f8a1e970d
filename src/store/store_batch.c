/* A batch: what a request wants, collected and prepared on the request's own thread. */
#include "fhir_card.h"
#include "fhir_resource.h"
#include "store_ahead.h"
#include "store_grants.h"
#include "store_persons.h"

#include "mk_banned.h"

/*
 * Identifiers that only one living Patient may have. The resident ID card (GB 11643) is issued
 * once to one person; two charts for one card are a mistake that is costly to undo. Health
 * record and hospital numbers are not here: they collide between institutions.
 */
static const char *const unique_systems[] = {FHIR_CARD_SYSTEM};

StoreBatch *store_batch_new(Store *s, Arena *a, const StoreAuthor *author, Str cause)
{
    StoreBatch *b = arena_new(a, StoreBatch);
    b->store = s;
    b->arena = a;
    b->author = (StoreAuthor){arena_str(a, author->author), arena_str(a, author->role),
                              arena_str(a, author->org)};
    b->cause = arena_str(a, cause);
    map_init(&b->by_name, a);
    return b;
}

void store_batch_reader(StoreBatch *b, const StoreReader *r)
{
    b->reader = r;
}

void store_batch_urgent(StoreBatch *b)
{
    b->urgent = true;
}

static Str change_name(Arena *a, const FhirType *type, Str id)
{
    return arena_cat(a, fhir_type_name(type), STR("/"), id);
}

/* With its id. */
static Str body_shown(const StoreBatch *b, const Change *c)
{
    bool has_id = str_eq(fhir_resource_id(&c->received), c->id);
    return has_id ? c->received.bytes
                  : fhir_resource_stamp(b->arena, &c->received, c->id, STR_NONE, STR_NONE);
}

static Status change_add(StoreBatch *b, const Change *want, Err *err)
{
    Str name = change_name(b->arena, want->type, want->id);
    Change *c = map_get(&b->by_name, name);
    if (c) {
        Change *next = c->next;
        bool only_new = c->only_new;
        Str if_vid = str_empty(want->if_vid) ? c->if_vid : want->if_vid;
        *c = *want;
        c->next = next;
        c->only_new = only_new || want->only_new;
        c->if_vid = if_vid;
        return OK;
    }
    if (b->changes_n == STORE_ENTRIES_MAX) {
        return err_add(err, ERR_TOO_LARGE, NULL, STR_NONE, "一次最多写入 %u 个资源",
                       "At most %u resources may be written at once", STORE_ENTRIES_MAX);
    }
    b->redefines = b->redefines || str_is(fhir_type_name(want->type), "SearchParameter");
    c = arena_new(b->arena, Change);
    *c = *want;
    if (b->last) {
        b->last->next = c;
    } else {
        b->first = c;
    }
    b->last = c;
    b->changes_n++;
    map_put(&b->by_name, name, c);
    return OK;
}

static Status body_parse(StoreBatch *b, Str body, JsonDoc *ret, Err *err)
{
    return json_parse(b->arena, arena_str(b->arena, body), &JSON_LIMITS_FHIR, ret, err);
}

Status store_batch_create(StoreBatch *b, Str type, Str id, Str body, Str *ret_id, Err *err)
{
    JsonDoc d;
    TRY(body_parse(b, body, &d, err));
    return store_batch_create_doc(b, type, id, &d, ret_id, err);
}

Status store_batch_create_doc(StoreBatch *b, Str type, Str id, const JsonDoc *doc, Str *ret_id,
                              Err *err)
{
    Change c = {.op = STORE_CREATE, .only_new = true, .received = *doc};
    TRY(type_known(type, &c.type, err));
    const Clock *clock = b->store->options.clock;
    c.id = str_empty(id) ? uuid7(b->arena, b->store->options.random, clock_now(clock))
                         : arena_str(b->arena, id);
    TRY(change_add(b, &c, err));
    if (ret_id) {
        *ret_id = c.id;
    }
    return OK;
}

Status store_batch_update(StoreBatch *b, Str type, Str id, Str body, Str if_vid, Err *err)
{
    JsonDoc d;
    TRY(body_parse(b, body, &d, err));
    return store_batch_update_doc(b, type, id, &d, if_vid, err);
}

Status store_batch_update_doc(StoreBatch *b, Str type, Str id, const JsonDoc *doc, Str if_vid,
                              Err *err)
{
    Change c = {.op = STORE_UPDATE, .received = *doc};
    TRY(type_known(type, &c.type, err));
    c.id = arena_str(b->arena, id);
    c.if_vid = arena_str(b->arena, if_vid);
    return change_add(b, &c, err);
}

Status store_batch_delete(StoreBatch *b, Str type, Str id, Str if_vid, Err *err)
{
    Change c = {.op = STORE_DELETE};
    TRY(type_known(type, &c.type, err));
    c.id = arena_str(b->arena, id);
    c.if_vid = arena_str(b->arena, if_vid);
    TRY(change_add(b, &c, err));
    if (str_is(type, "Patient") && !b->purge) {
        store_batch_require_unreferenced(b, id);
    }
    return OK;
}

Status store_batch_read(StoreBatch *b, StoreReader *r, Arena *a, Str type, Str id,
                        StoreVersion *ret, Err *err)
{
    const FhirType *t;
    TRY(type_known(type, &t, err));
    const Change *c = map_get(&b->by_name, change_name(b->arena, t, id));
    if (!c) {
        return store_read(r, a, &STORE_VIEW_ALL, type, id, ret, err);
    }
    if (c->op == STORE_DELETE) {
        return err_status(err, ERR_GONE);
    }
    *ret = (StoreVersion){.type = fhir_type_name(t),
                          .id = c->id,
                          .op = c->op,
                          .body = body_shown(b, c),
                          .author = b->author.author,
                          .role = b->author.role,
                          .org = b->author.org,
                          .cause = b->cause};
    return OK;
}

static Require *require_add(StoreBatch *b, RequireKind kind)
{
    Require *q = arena_new(b->arena, Require);
    q->kind = kind;
    if (b->require_last) {
        b->require_last->next = q;
    } else {
        b->require_first = q;
    }
    b->require_last = q;
    return q;
}

void store_batch_require_version(StoreBatch *b, Str type, Str id, Str vid)
{
    Require *q = require_add(b, REQUIRE_VERSION);
    q->type = fhir_resource_find(type);
    q->a = arena_str(b->arena, id);
    q->b = arena_str(b->arena, vid);
    mk_check(q->type != NULL);
}

void store_batch_require_no_token(StoreBatch *b, Str type, Str param, Str system, Str code)
{
    Require *q = require_add(b, REQUIRE_NO_TOKEN);
    q->type = fhir_resource_find(type);
    mk_check(q->type != NULL);
    q->param = fhir_param_find(q->type, param);
    q->a = arena_str(b->arena, system);
    q->b = arena_str(b->arena, code);
    mk_check(q->param != NULL);
}

void store_batch_require_unreferenced(StoreBatch *b, Str patient_id)
{
    require_add(b, REQUIRE_UNREFERENCED)->a = arena_str(b->arena, patient_id);
}

void store_batch_require_timer(StoreBatch *b, Str owner, Str name, int64_t due_ms)
{
    Require *q = require_add(b, REQUIRE_TIMER);
    q->a = arena_str(b->arena, owner);
    q->b = arena_str(b->arena, name);
    q->due_ms = due_ms;
}

void store_batch_remember(StoreBatch *b, Str person, Str key, Sha256 body, int http_status)
{
    b->remember = true;
    b->person = arena_str(b->arena, person);
    b->key = arena_str(b->arena, key);
    b->key_body = body;
    b->http_status = http_status;
}

static Side *side_add(StoreBatch *b, SideKind kind, Str x, Str y)
{
    Side *d = arena_new(b->arena, Side);
    d->kind = kind;
    d->a = arena_str(b->arena, x);
    d->b = arena_str(b->arena, y);
    if (b->side_last) {
        b->side_last->next = d;
    } else {
        b->side_first = d;
    }
    b->side_last = d;
    return d;
}

void store_batch_timer_set(StoreBatch *b, Str owner, Str name, int64_t due_ms)
{
    side_add(b, SIDE_TIMER_SET, owner, name)->x = due_ms;
}

void store_batch_timer_clear(StoreBatch *b, Str owner, Str name)
{
    side_add(b, SIDE_TIMER_CLEAR, owner, name);
}

static void grant_add(StoreBatch *b, Str grantee, Str patient_id, Str basis, Str source,
                      int64_t since_ms, int64_t until_ms)
{
    Side *d = side_add(b, SIDE_GRANT, grantee, patient_id);
    d->c = arena_str(b->arena, basis);
    d->d = arena_str(b->arena, source);
    d->x = since_ms;
    d->y = until_ms;
}

void batch_grant_copy(StoreBatch *b, const StoreGrant *grant, Str to)
{
    grant_add(b, grant->grantee, to, STR(GRANT_COPY_BASIS), grant->source, grant->since_ms,
              grant->until_ms);
}

void store_batch_grant(StoreBatch *b, Str grantee, Str patient_id, Str basis, Str source,
                       int64_t since_ms, int64_t until_ms)
{
    const Str *other;
    size_t n = store_person_others(b->store, b->arena, patient_id, &other);
    StoreGrant grant = {grantee, source, since_ms, until_ms};
    grant_add(b, grantee, patient_id, basis, source, since_ms, until_ms);
    for (size_t i = 0; i < n; i++) {
        batch_grant_copy(b, &grant, other[i]);
    }
}

void batch_grant_copies_end(StoreBatch *b, Str patient_id, int64_t until_ms)
{
    side_add(b, SIDE_COPIES_END, patient_id, STR_NONE)->x = until_ms;
}

void store_batch_grant_end(StoreBatch *b, Str source, int64_t until_ms)
{
    side_add(b, SIDE_GRANT_END, source, STR_NONE)->x = until_ms;
}

void store_batch_draft_end(StoreBatch *b, Str person, Str post, Str key)
{
    side_add(b, SIDE_DRAFT_END, person, post)->c = arena_str(b->arena, key);
}

/* ---- Preparing ------------------------------------------------------------------------------ */

static bool system_is_unique(Str system)
{
    for (size_t i = 0; i < sizeof unique_systems / sizeof *unique_systems; i++) {
        if (str_is(system, unique_systems[i])) {
            return true;
        }
    }
    return false;
}

static void unique_collect(Arena *a, Change *c)
{
    const JsonDoc *d = &c->received;
    JsonRef list = json_get_c(d, JSON_ROOT, "identifier");
    Str *found = arena_array(a, Str, 2 * json_count(d, list) + 1);
    for (JsonIter it = json_iter(d, list); json_next(&it);) {
        Str system = json_str_at(d, it.value, "system"), value = json_str_at(d, it.value, "value");
        if (system_is_unique(system) && !str_empty(value)) {
            found[c->unique_n++] = system;
            found[c->unique_n++] = value;
        }
    }
    c->unique = found;
}

/* Of many changes on a server all at once; else each is asked for when its turn comes. */
static Status bases_ask(StoreBatch *b, StoreReader *r, Err *err)
{
    size_t n = 0;
    if (!b->store->server || b->changes_n < 2) {
        return OK;
    }
    Ahead *list = arena_array(b->arena, Ahead, b->changes_n);
    for (Change *c = b->first; c; c = c->next) {
        if (!c->only_new) {
            c->base = &list[n];
            list[n++] = (Ahead){.type = c->type, .id = c->id};
        }
    }
    return n ? ahead_ask(r->log, b->arena, list, n, true, err) : OK;
}

static Status base_find(StoreBatch *b, StoreReader *r, const Change *c, Head *ret, bool *ret_found,
                        Err *err)
{
    if (!c->base) {
        return head_find(r->log, b->arena, c->type, c->id, ret, ret_found, err);
    }
    *ret = c->base->head;
    *ret_found = c->base->found;
    return OK;
}

static Status base_body(StoreBatch *b, StoreReader *r, const Change *c, Str *ret, Err *err)
{
    if (!c->base) {
        return version_body(b->store, r->log, &r->codec, b->arena, c->base_seq, ret, err);
    }
    *ret = STR_NONE;
    return c->base->body.packed.p
               ? body_unpack(b->store, &r->codec, b->arena, &c->base->body, ret, err)
               : OK;
}

/* The rows of what is there now; the writer looks whether it still is. */
static Status base_prepare(StoreBatch *b, StoreReader *r, Change *c, Err *err)
{
    Head head = {0};
    bool found;
    TRY(base_find(b, r, c, &head, &found, err));
    if (!found) {
        return OK;
    }
    c->base_seq = head.seq;
    c->old_living = head.op != STORE_DELETE;
    if (!c->old_living) {
        return OK;
    }
    Str body;
    TRY(base_body(b, r, c, &body, err));
    return index_extract(b->store, b->arena, c->type, body, &c->old, err);
}

static Status change_prepare(StoreBatch *b, StoreReader *r, Change *c, Err *err)
{
    if (c->op != STORE_DELETE) {
        body_cut(b->arena, &c->received, c->id, &c->pieces);
        TRY(index_extract_doc(b->store, b->arena, c->type, &c->received, c->id, &c->doc, err));
        if (c->type == fhir_resource_find(STR("Patient"))) {
            unique_collect(b->arena, c);
        }
    }
    return c->only_new ? OK : base_prepare(b, r, c, err);
}

Status store_prepare(StoreBatch *b, Err *err)
{
    StoreReader *r;
    TRY(spare_take(b->store, &r, err));
    b->params = params_now(b->store);
    Status s = bases_ask(b, r, err);
    for (Change *c = b->first; c && s == OK; c = c->next) {
        s = change_prepare(b, r, c, err);
    }
    spare_give(r);
    b->prepared = s == OK;
    return s;
}

static void receipt_fill(StoreBatch *b, StoreReceipt *ret)
{
    StoreVersion *versions = arena_array(b->arena, StoreVersion, b->changes_n + 1);
    bool *created = arena_array(b->arena, bool, b->changes_n + 1);
    size_t n = 0;
    for (const Change *c = b->first; c; c = c->next) {
        versions[n] = c->done;
        created[n++] = c->created;
    }
    *ret = (StoreReceipt){b->tx, b->at_ms, versions, n, created, false};
}

Status store_commit(StoreBatch *b, StoreReceipt *ret, Err *err)
{
    *ret = (StoreReceipt){0};
    if (b->reader) {
        TRY(store_reader_trouble(b->reader, err));
    }
    if (!b->prepared) {
        TRY(store_prepare(b, err));
    }
    Job job = {.run = batch_apply,
               .arg = b,
               .urgent = b->urgent,
               .last = b->redefines,
               .weight = b->changes_n + 1};
    Status s = writer_run(b->store, &job, err);
    ret->stale = b->stale;
    if (s == OK) {
        receipt_fill(b, ret);
    }
    return s;
}
