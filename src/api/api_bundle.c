/* POST /fhir: a transaction is one batch of the store, a batch is one request after the other. */
#include "api_inner.h"

#include "fhir_r5.h"

/* ---- places of issues ------------------------------------------------------------------------ */

/* "Patient.name[0]" of entry 3 → "Bundle.entry[3].resource.name[0]". */
static Str entry_place(Arena *a, int index, Str where, Str type)
{
    Str entry = arena_printf(a, "Bundle.entry[%d]", index);
    if (type.n && str_starts(where, type) && (where.n == type.n || where.p[type.n] == '.')) {
        return arena_cat(a, entry, STR(".resource"), str_skip(where, type.n));
    }
    return str_starts(where, STR("Bundle.entry[")) ? where : entry;
}

Status api_entry_err(ApiCall *c, const Err *inner, const ApiWrite *w, Err *err)
{
    for (const Issue *i = inner->first; i; i = i->next) {
        Str place = entry_place(c->arena, w->entry, i->where, w->type);
        (void)err_rule(err, inner->status, i->rule, place, "%s", "%s", "");
        if (err->count <= ERR_ISSUES_MAX) {
            err->last->zh = i->zh;
            err->last->en = i->en;
            err->last->code = i->code;
            err->last->severity = i->severity;
        }
    }
    err->retry_after_s = inner->retry_after_s;
    return inner->first ? inner->status : err_status(err, inner->status);
}

/* ---- transaction --------------------------------------------------------------------------------
 */

typedef struct Transaction {
    ApiCall *c;
    const JsonDoc *doc;
    FhirBundle *bundle;
    FhirRewrite rewrite;
    ApiWrite *write; /* one per changing entry, in the order of processing */
    size_t n;
    ApiWrite **of_entry; /* NULL for reads */
    Map changed;         /* Type/id → ApiWrite, of what is there already */
} Transaction;

static bool changes(const FhirEntry *e)
{
    return e->method < FHIR_METHOD_GET && !(e->method == FHIR_METHOD_POST && e->operation.n);
}

/* Entries we do not serve are refused before anything happens. */
static Status entry_served(const FhirEntry *e, Err *err)
{
    if (changes(e) && (str_empty(e->type) || e->operation.n)) {
        return err_add(err, ERR_INVALID, "not-supported", STR_NONE, "包中不支持操作“%.*s”",
                       "'%.*s' is not served inside a bundle", STR_ARG(e->url));
    }
    return OK;
}

static Status write_from_entry(Transaction *t, const FhirEntry *e, ApiWrite *w, Err *err)
{
    ApiCall *c = t->c;
    TRY(entry_served(e, err));
    *w = (ApiWrite){.method = e->method,
                    .type = e->type,
                    .id = e->id,
                    .must_be_new = str_is(e->if_none_match, "*"),
                    .entry = (int)e->index};
    TRY(api_if_match(e->if_match, w, err));
    if (e->method == FHIR_METHOD_POST) {
        TRY(api_if_none_exist(e->if_none_exist, w, err));
        w->id = uuid7(c->arena, c->api->options.random, clock_now(c->api->options.clock));
    } else if (str_empty(w->id)) {
        w->condition = e->query;
    }
    return OK;
}

/* What a condition finds may not be changed by another entry too. */
static Status changed_once(Transaction *t, ApiWrite *w, Str id, Err *err)
{
    Str name = arena_cat(t->c->arena, w->type, STR("/"), id);
    const ApiWrite *other = map_get(&t->changed, name);
    if (other && other != w) {
        return err_add(err, ERR_INVALID, "invalid", STR_NONE, "同一事务中两次改动同一资源",
                       "The transaction changes the same resource twice");
    }
    map_put(&t->changed, name, w);
    return OK;
}

static Status change_note(Transaction *t, const FhirEntry *e, ApiWrite *w, Err *err)
{
    (void)e;
    if (w->method == FHIR_METHOD_POST) {
        return OK;
    }
    for (size_t i = 0; i < w->target_n; i++) {
        TRY(changed_once(t, w, w->target[i].id, err));
    }
    return w->id.n ? changed_once(t, w, w->id, err) : OK;
}

/* The place that references to this entry get: what the condition finds, if there is one. */
static Status condition_resolve(Transaction *t, const FhirEntry *e, ApiWrite *w, Err *err)
{
    bool there;
    if (w->condition.n) {
        Str id = json_str(t->doc, json_get_c(t->doc, e->resource, "id"));
        return api_condition_target(t->c, w, w->method == FHIR_METHOD_PUT ? id : STR_NONE, err);
    }
    return w->if_none_exist.n ? api_condition_place(t->c, w, &there, err) : OK;
}

static Status reference_resolve(Transaction *t, Str reference, Err *err)
{
    ApiCall *c = t->c;
    FhirRef ref = fhir_ref_parse(reference);
    const StoreHit *hit;
    size_t n;
    TRY(api_type_known(c, ref.type, err));
    TRY(api_search_ids(c, ref.type, ref.query, 2, &hit, &n, err));
    if (n != 1) {
        return err_add(err, ERR_PRECONDITION, n ? "multiple-matches" : "not-found", STR_NONE,
                       "条件引用“%.*s”应恰好找到一个资源",
                       "The conditional reference '%.*s' must find exactly one",
                       STR_ARG(reference));
    }
    fhir_rewrite_add_search(&t->rewrite, reference, ref.type, hit[0].id);
    return OK;
}

static Status references_resolve(Transaction *t, const FhirEntry *e, Err *err)
{
    Str *refs;
    size_t n;
    if (e->resource == JSON_NONE) {
        return OK;
    }
    TRY(fhir_conditional_refs(t->c->arena, t->doc, e->resource, &refs, &n, err));
    for (size_t i = 0; i < n; i++) {
        TRY(reference_resolve(t, refs[i], err));
    }
    return OK;
}

static Status body_rewrite(Transaction *t, const FhirEntry *e, ApiWrite *w, Err *err)
{
    ApiCall *c = t->c;
    if (e->resource != JSON_NONE && w->method != FHIR_METHOD_DELETE) {
        JsonDoc rewritten, *d = arena_new(c->arena, JsonDoc);
        TRY(fhir_rewrite_apply(&t->rewrite, c->arena, t->doc, e, &rewritten, err));
        TRY(fhir_from_r5(c->arena, &rewritten, d, err));
        if (w->method == FHIR_METHOD_PATCH) {
            ApiPatch *patch = arena_new(c->arena, ApiPatch);
            TRY(api_patch_of_resource(c, d, patch, err));
            w->patch = patch;
        } else {
            w->doc = d;
        }
    }
    return api_write_check(c, w, err);
}

/* Runs fn for each changing entry and places its issues. All entries are looked at. */
static Status each_write(Transaction *t,
                         Status (*fn)(Transaction *, const FhirEntry *, ApiWrite *, Err *),
                         Err *err)
{
    Status first = OK;
    for (size_t i = 0; i < t->n; i++) {
        Err inner;
        err_init(&inner, t->c->arena);
        const FhirEntry *e = &t->bundle->entry[t->write[i].entry];
        if (fn(t, e, &t->write[i], &inner) != OK) {
            Status status = api_entry_err(t->c, &inner, &t->write[i], err);
            first = first == OK ? status : first;
        }
    }
    return first;
}

static Status place_know(Transaction *t, const FhirEntry *e, ApiWrite *w, Err *err)
{
    TRY(condition_resolve(t, e, w, err));
    if (e->full_url.n && fhir_id_ok(w->id)) { /* api_write_check refuses others */
        fhir_rewrite_add(&t->rewrite, e->full_url, w->type, w->id);
    }
    return references_resolve(t, e, err);
}

static Status writes_collect(Transaction *t, Err *err)
{
    FhirBundle *b = t->bundle;
    t->write = arena_array(t->c->arena, ApiWrite, b->count ? b->count : 1);
    t->of_entry = arena_array(t->c->arena, ApiWrite *, b->count ? b->count : 1);
    Status first = OK;
    for (uint32_t i = 0; i < b->count; i++) {
        const FhirEntry *e = &b->entry[b->order[i]];
        ApiWrite *w = &t->write[t->n];
        Err inner;
        err_init(&inner, t->c->arena);
        *w = (ApiWrite){.entry = (int)e->index, .type = e->type};
        Status status = changes(e) ? write_from_entry(t, e, w, &inner) : entry_served(e, &inner);
        if (status != OK) {
            status = api_entry_err(t->c, &inner, w, err);
            first = first == OK ? status : first;
        } else if (changes(e)) {
            t->of_entry[e->index] = w;
            t->n++;
        }
    }
    return first;
}

/* ---- the answer
 * ------------------------------------------------------------------------------------------ */

/* The transaction itself makes or changes what this entry reads. */
static bool written_here(const Transaction *t, const FhirEntry *e)
{
    for (size_t i = 0; i < t->n; i++) {
        if (e->id.n && str_eq(t->write[i].type, e->type) && str_eq(t->write[i].id, e->id)) {
            return true;
        }
    }
    return false;
}

/* A read that fails refuses the whole, so it is tried before anything is written. */
static Status reads_check(Transaction *t, Err *err)
{
    Status first = OK;
    for (uint32_t i = 0; i < t->bundle->count; i++) {
        const FhirEntry *e = &t->bundle->entry[i];
        ApiWrite place = {.entry = (int)i, .type = e->type};
        ApiResult result;
        Err inner;
        err_init(&inner, t->c->arena);
        if (!t->of_entry[i] && !written_here(t, e) &&
            api_entry_read(t->c, t->doc, e, &result, &inner) != OK) {
            Status status = api_entry_err(t->c, &inner, &place, err);
            first = first == OK ? status : first;
        }
    }
    return first;
}

static Status transaction_answer(Transaction *t)
{
    ApiCall *c = t->c;
    Buf out;
    buf_init(&out, 0);
    JsonWriter w = api_entries_begin(&out, "transaction-response", t->bundle->count);
    for (uint32_t i = 0; i < t->bundle->count; i++) {
        ApiResult result = {0};
        Err inner;
        err_init(&inner, c->arena);
        const ApiWrite *done = t->of_entry[i];
        Status status = OK;
        if (done) {
            api_write_result(c, done, &result);
        } else {
            status = api_entry_read(c, t->doc, &t->bundle->entry[i], &result, &inner);
        }
        api_entry_answer(c, &w, &result, status == OK ? NULL : &inner);
    }
    api_entries_end(c, &out, &w, t->bundle->count);
    return OK;
}

/* What the condition of an entry finds now is what it found or made then. */
static Status place_again(Transaction *t, ApiWrite *w, bool *ret_known)
{
    *ret_known = w->method != FHIR_METHOD_POST && w->id.n > 0;
    if (w->if_none_exist.n) {
        return api_condition_place(t->c, w, ret_known, &t->c->err);
    }
    if (w->condition.n && w->method != FHIR_METHOD_DELETE) {
        TRY(api_condition_target(t->c, w, STR_NONE, &t->c->err));
        *ret_known = w->target_n > 0;
    }
    return OK;
}

/* The first answer's change of this entry: of its type, of its id where that is known, and a
 * deletion where it asked for one. */
static bool remembered_fits(const ApiWrite *w, bool id_known, const StoreVersion *v)
{
    return str_eq(v->type, w->type) && (!id_known || str_eq(v->id, w->id)) &&
           (v->op == STORE_DELETE) == (w->method == FHIR_METHOD_DELETE);
}

/* An entry that changed nothing the first time: what it found, as it is now. */
static Status unchanged_again(Transaction *t, ApiWrite *w)
{
    ApiCall *c = t->c;
    Err inner;
    err_init(&inner, c->arena);
    w->status = w->method == FHIR_METHOD_DELETE ? 204 : 200;
    if (w->method == FHIR_METHOD_DELETE) {
        return OK;
    }
    Status status = api_read_version(c, w->type, w->id, STR_NONE, &w->version, &inner);
    return status == OK || status == ERR_NOT_FOUND || status == ERR_GONE
               ? OK
               : err_move(&c->err, &inner, STR_NONE);
}

/* The answer to a repeated Idempotency-Key: what the first one changed, from the log. */
static Status transaction_again(Transaction *t, const StoreMemory *memory)
{
    size_t at = 0;
    for (size_t i = 0; i < t->n; i++) {
        ApiWrite *w = &t->write[i];
        bool known;
        TRY(place_again(t, w, &known));
        if (at == memory->versions_n || !remembered_fits(w, known, &memory->versions[at])) {
            TRY(unchanged_again(t, w));
            continue;
        }
        do { /* a condition may have deleted several */
            w->version = memory->versions[at++];
        } while (w->method == FHIR_METHOD_DELETE && w->condition.n && at < memory->versions_n &&
                 remembered_fits(w, known, &memory->versions[at]));
        w->status = w->version.op == STORE_DELETE ? 204 : w->version.op == STORE_CREATE ? 201 : 200;
    }
    return transaction_answer(t);
}

/* From the conditions' search to the commit, in turn with who asks the same. */
static Status transaction_write(Transaction *t, ApiCommit *commit)
{
    ApiCall *c = t->c;
    map_init(&t->changed, c->arena);
    TRY(each_write(t, place_know, &c->err));
    TRY(each_write(t, change_note, &c->err));
    TRY(each_write(t, body_rewrite, &c->err));
    TRY(reads_check(t, &c->err));
    return api_write_commit(c, commit, &c->err);
}

static Status transaction_run(ApiCall *c, const JsonDoc *doc, FhirBundle *bundle)
{
    Transaction t = {.c = c, .doc = doc, .bundle = bundle};
    StoreMemory memory;
    bool known = false;
    Str key;
    fhir_rewrite_init(&t.rewrite, c->arena);
    TRY(api_idempotency_key(c, &key, &c->err));
    TRY(writes_collect(&t, &c->err));
    TRY(api_remembered(c, key, &known, &memory, &c->err));
    ApiCommit commit = {.write = t.write,
                        .n = t.n,
                        .cause = STR("POST transaction"),
                        .key = key,
                        .in_turn = true,
                        .remember_status = 200,
                        .ret_known = &known,
                        .ret_memory = &memory};
    if (!known) {
        uint64_t turns = api_turns_of(c, t.write, t.n);
        TRY(api_turns_take(turns, &c->err));
        Status status = transaction_write(&t, &commit);
        api_turns_give(turns);
        TRY(status);
    }
    return known ? transaction_again(&t, &memory) : transaction_answer(&t);
}

/* ---- batch: each entry stands alone
 * ------------------------------------------------------------------------- */

/* Each entry remembers its own part of the key. */
static Str entry_key(ApiCall *c, Str key, uint32_t index)
{
    if (str_empty(key)) {
        return STR_NONE;
    }
    Str parts[] = {key, arena_printf(c->arena, "#%u", index)};
    Sha256 sum = sha256_parts(parts, 2);
    return hex_encode(c->arena, sum.b, sizeof sum.b);
}

static Status batch_write(Transaction *t, const FhirEntry *e, Str key, ApiResult *ret, Err *err)
{
    ApiCall *c = t->c;
    ApiWrite w;
    StoreMemory memory;
    bool known = false;
    TRY(write_from_entry(t, e, &w, err));
    TRY(references_resolve(t, e, err));
    TRY(body_rewrite(t, e, &w, err));
    TRY(api_remembered(c, key, &known, &memory, err));
    w.entry = -1;
    ApiCommit commit = {.write = &w,
                        .n = 1,
                        .cause =
                            arena_cat(c->arena, STR("batch "),
                                      str_from_c(fhir_method_name(e->method)), STR(" "), e->type),
                        .key = key,
                        .remember_status = 201,
                        .ret_known = &known,
                        .ret_memory = &memory};
    if (!known) {
        TRY(api_write_commit(c, &commit, err));
    }
    if (known) {
        w.version = memory.versions[0];
        w.status = memory.http_status;
    }
    api_write_result(c, &w, ret);
    return OK;
}

static Status batch_run(ApiCall *c, const JsonDoc *doc, FhirBundle *bundle)
{
    Transaction t = {.c = c, .doc = doc, .bundle = bundle};
    Str key;
    fhir_rewrite_init(&t.rewrite, c->arena);
    TRY(api_idempotency_key(c, &key, &c->err));
    Buf out;
    buf_init(&out, 0);
    JsonWriter w = api_entries_begin(&out, "batch-response", bundle->count);
    for (uint32_t i = 0; i < bundle->count; i++) {
        const FhirEntry *e = &bundle->entry[i];
        ApiResult result = {0};
        Err inner;
        err_init(&inner, c->arena);
        Status status = e->refused             ? err_move(&inner, e->refused, STR_NONE)
                        : api_term_is_entry(e) ? api_term_entry(c, doc, e, &result, &inner)
                        : changes(e) ? batch_write(&t, e, entry_key(c, key, i), &result, &inner)
                                     : api_entry_read(c, doc, e, &result, &inner);
        api_entry_answer(c, &w, &result, status == OK ? NULL : &inner);
    }
    api_entries_end(c, &out, &w, bundle->count);
    return OK;
}

Status api_bundle(ApiCall *c)
{
    JsonDoc d;
    FhirBundle bundle;
    TRY(api_query_only(c, API_FORM_PARAMETERS));
    TRY(api_body(c, &d));
    c->what = STR("bundle");
    if (json_type(&d, JSON_ROOT) != JSON_OBJECT || !str_is(fhir_resource_type(&d), "Bundle")) {
        return err_add(&c->err, ERR_INVALID, "invalid", STR("resourceType"),
                       "此处只接受 Bundle（transaction 或 batch）",
                       "Only a Bundle (transaction or batch) is accepted here");
    }
    Str base = arena_cat(c->arena, api_base_url(c), STR("/fhir"));
    TRY(fhir_bundle_parse(c->arena, &d, base, &bundle, &c->err));
    return bundle.transaction ? transaction_run(c, &d, &bundle) : batch_run(c, &d, &bundle);
}
