/* Writes from their batch to the log: prepared and committed, again when the ground has moved. */
#include "api_inner.h"

#define COMMIT_TRIES 4 /* the first and three more */

Status api_idempotency_key(ApiCall *c, Str *ret, Err *err)
{
    Str key = http_header(&c->http->request, "Idempotency-Key");
    if (key.p && (key.n < 1 || key.n > 64)) {
        return err_rule(err, ERR_INVALID, STR("idempotency-key"), STR("Idempotency-Key"),
                        "幂等键须为 1 至 64 个字符", "An Idempotency-Key has 1 to 64 characters");
    }
    *ret = key;
    return OK;
}

Status api_remembered(ApiCall *c, Str key, bool *ret_known, StoreMemory *ret, Err *err)
{
    *ret_known = false;
    if (str_empty(key) || !store_remembered(c->reader, c->arena, api_person(c), key, ret)) {
        return OK;
    }
    Sha256 body = api_body_sha(c);
    if (memcmp(ret->body.b, body.b, sizeof body.b) != 0) {
        return err_rule(err, ERR_UNPROCESSABLE, STR("idempotency-mismatch"), STR("Idempotency-Key"),
                        "同一幂等键已用于其他请求",
                        "This Idempotency-Key was used for another request");
    }
    *ret_known = true;
    return OK;
}

static Status entry_err(ApiCall *c, const ApiWrite *w, const Err *inner, Err *err)
{
    return w->entry < 0 ? err_move(err, inner, STR_NONE) : api_entry_err(c, inner, w, err);
}

static Status all_prepare(ApiCall *c, StoreBatch *b, ApiWrite *w, size_t n, size_t *ret_changes,
                          Err *err)
{
    ApiScope scope = {0};
    size_t changes = 0;
    api_scope_fill(c, &scope, w, n);
    for (size_t i = 0; i < n; i++) {
        Err inner;
        err_init(&inner, c->arena);
        if (api_write_prepare(c, b, &scope, &w[i], &inner) != OK) {
            return entry_err(c, &w[i], &inner, err);
        }
        if (!w[i].done) {
            w[i].at = changes;
            changes += w[i].changes;
        }
    }
    *ret_changes = changes;
    return OK;
}

static void receipt_take(ApiCall *c, ApiWrite *w, size_t n, const StoreReceipt *receipt)
{
    for (size_t i = 0; i < n; i++) {
        if (w[i].done) {
            continue;
        }
        w[i].version = receipt->versions[w[i].at];
        w[i].status = w[i].method == FHIR_METHOD_DELETE ? 204
                      : receipt->created[w[i].at]       ? 201
                                                        : 200;
        for (size_t k = 0; k < w[i].changes; k++) {
            api_touch_version(c, &receipt->versions[w[i].at + k]);
        }
    }
}

static bool any_if_match(const ApiWrite *w, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (w[i].if_match.n) {
            return true;
        }
    }
    return false;
}

static Status commit_once(ApiCall *c, const ApiCommit *what, StoreReceipt *ret, bool *ret_empty,
                          Err *err)
{
    StoreAuthor author = access_author(c->caller);
    StoreBatch *b = store_batch_new(c->api->store, c->arena, &author, what->cause);
    store_batch_reader(b, c->reader);
    size_t changes = 0;
    TRY(all_prepare(c, b, what->write, what->n, &changes, err));
    *ret_empty = changes == 0;
    if (changes == 0) {
        return OK;
    }
    if (what->key.n) {
        store_batch_remember(b, api_person(c), what->key, api_body_sha(c), what->remember_status);
    }
    TRY(access_audit_ready(c->api->access, err));
    return store_commit(b, ret, err);
}

static Status commit_tried(ApiCall *c, const ApiCommit *what, Err *err)
{
    bool once = any_if_match(what->write, what->n);
    for (int tries = 1;; tries++) {
        Err inner;
        err_init(&inner, c->arena);
        StoreReceipt receipt = {0};
        bool empty = false;
        Status status = commit_once(c, what, &receipt, &empty, &inner);
        if (status == OK && !empty) {
            c->changed = true;
            receipt_take(c, what->write, what->n, &receipt);
        }
        if (status == OK) {
            return OK;
        }
        if (!receipt.stale || once || tries == COMMIT_TRIES) {
            return err_move(err, &inner, STR_NONE);
        }
        StoreMemory memory;
        bool known;
        TRY(api_remembered(c, what->key, &known, &memory, err));
        if (known) { /* the same request in another connection was first */
            *what->ret_memory = memory;
            *what->ret_known = true;
            return OK;
        }
    }
}

Status api_write_commit(ApiCall *c, const ApiCommit *what, Err *err)
{
    uint64_t turns = what->in_turn ? 0 : api_turns_of(c, what->write, what->n);
    TRY(api_turns_take(turns, err));
    Status status = commit_tried(c, what, err);
    api_turns_give(turns);
    return status;
}
