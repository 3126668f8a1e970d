/*
 * /accounts: the administrators' work on accounts (docs/formats/accounts.md). Who may do what is
 * said by access_accounts.def; here are only the words of the requests and the answers.
 */
#include "access_accounts.h"
#include "api_inner.h"

#define PAGE_DEFAULT 50
#define PAGE_MAX     200

/* ---- What an account looks like -------------------------------------------------------------- */

static void posts_write(JsonWriter *w, const AccountSeen *seen)
{
    static const char *const STATES[] = {"proposed", "coming", "in-force", "ended"};
    json_key_open(w, "posts", '[');
    for (size_t i = 0; i < seen->posts_n; i++) {
        const AccessPost *p = &seen->posts[i].post;
        json_open(w, '{');
        json_member_str(w, "post", p->post);
        json_member_str(w, "role", p->role);
        json_member_str(w, "organization", p->organization);
        json_member_str(w, "organizationName", p->organization_name);
        json_member_c(w, "state", STATES[seen->posts[i].state]);
        json_close(w, '}');
    }
    json_close(w, ']');
}

static void failures_write(ApiCall *c, JsonWriter *w, const AccountSeen *seen)
{
    json_key_open(w, "failures", '[');
    for (size_t i = 0; i < seen->failures_n; i++) {
        const AccountFailures *f = &seen->failures[i];
        json_open(w, '{');
        json_member_str(w, "address", f->address);
        json_member_i64(w, "count", f->failures);
        if (f->locked_until_ms) {
            api_json_time(c, w, "lockedUntil", f->locked_until_ms);
        }
        json_close(w, '}');
    }
    json_close(w, ']');
}

static void sessions_write(ApiCall *c, JsonWriter *w, const AccountSeen *seen)
{
    json_key_open(w, "sessions", '[');
    for (size_t i = 0; i < seen->sessions_n; i++) {
        const StoreSession *s = &seen->sessions[i];
        json_open(w, '{');
        json_member_str(w, "post", s->post);
        api_json_time(c, w, "since", s->created_ms);
        api_json_time(c, w, "seen", s->seen_ms);
        json_close(w, '}');
    }
    json_close(w, ']');
}

static void account_write(ApiCall *c, JsonWriter *w, const AccountSeen *seen, bool whole)
{
    const StoreAccount *x = &seen->account;
    json_open(w, '{');
    json_member_str(w, "username", x->username);
    json_member_str(w, "name", x->name);
    json_member_str(w, "practitioner", x->practitioner);
    json_member_str(w, "role", x->role);
    json_member_str(w, "organization", x->organization);
    json_member_c(w, "state", account_state(seen));
    json_member_bool(w, "factor", seen->factor);
    json_member_bool(w, "locked", seen->locked);
    api_json_time(c, w, "created", x->created_ms);
    posts_write(w, seen);
    if (whole) {
        failures_write(c, w, seen);
        sessions_write(c, w, seen);
    }
    json_close(w, '}');
}

/* ---- Reading ----------------------------------------------------------------------------------
 */

static Status number_query(ApiCall *c, const char *name, int64_t otherwise, int64_t most,
                           size_t *ret)
{
    Str text = api_query(c, name);
    int64_t n = otherwise;
    if ((text.n && !str_to_i64(text, &n)) || n < 0) {
        return err_add(&c->err, ERR_INVALID, NULL, str_from_c(name), "%s 应为非负整数",
                       "%s must be a whole number", name);
    }
    *ret = (size_t)(n < most ? n : most);
    return OK;
}

/* What this role may do here: the screen offers nothing else. */
static void may_write(ApiCall *c, JsonWriter *w)
{
    json_key_open(w, "may", '[');
    for (int i = 0; i < ACCOUNT_DOINGS; i++) {
        if (access_account_may(c->caller, (AccountDo)i, NULL) == OK) {
            json_put_c(w, account_do_word((AccountDo)i));
        }
    }
    json_close(w, ']');
}

Status api_accounts_list(ApiCall *c)
{
    AccountFilter filter = {.text = str_trim(api_query(c, "q")),
                            .state = api_query(c, "state"),
                            .role = api_query(c, "role")};
    AccountSeen *list;
    size_t n, total;
    TRY(number_query(c, "offset", 0, INT32_MAX, &filter.offset));
    TRY(number_query(c, "count", PAGE_DEFAULT, PAGE_MAX, &filter.limit));
    c->what = STR("accounts");
    TRY(accounts_list(c->api->access, c->reader, c->arena, c->caller, &filter, &list, &n, &total,
                      &c->err));
    Buf out;
    JsonWriter w = json_begin(&out, '{');
    json_member_i64(&w, "total", (int64_t)total);
    may_write(c, &w);
    json_key_open(&w, "accounts", '[');
    for (size_t i = 0; i < n; i++) {
        account_write(c, &w, &list[i], false);
    }
    json_close(&w, ']');
    json_close(&w, '}');
    api_json_answer(c, 200, &out);
    return OK;
}

/* The account as it is now; after a reset with the password that is shown this once. */
static Status account_answer(ApiCall *c, int status, Str username, Str password)
{
    AccountSeen seen;
    TRY(accounts_read(c->api->access, c->reader, c->arena, c->caller, username, &seen, &c->err));
    Buf out;
    JsonWriter w = json_begin(&out, '{');
    json_key(&w, "account");
    account_write(c, &w, &seen, true);
    if (password.n) {
        json_member_str(&w, "password", password);
    }
    json_close(&w, '}');
    api_json_answer(c, status, &out);
    return OK;
}

Status api_account_read(ApiCall *c)
{
    Str username = c->http->request.part[0];
    c->what = arena_cat(c->arena, STR("account "), username);
    return account_answer(c, 200, username, STR_NONE);
}

/* ---- Changing ---------------------------------------------------------------------------------
 */

Status api_account_create(ApiCall *c)
{
    JsonDoc d;
    AccountNew n = {0};
    Str password;
    TRY(api_json_body(c, &d));
    TRY(api_json_need(c, &d, "username", &n.username));
    TRY(api_json_need(c, &d, "name", &n.name));
    TRY(api_json_need(c, &d, "role", &n.role));
    n.name = str_trim(n.name);
    n.practitioner = json_str_at(&d, JSON_ROOT, "practitioner");
    n.organization = json_str_at(&d, JSON_ROOT, "organization");
    c->what = arena_cat(c->arena, STR("account create "), n.username, STR(" "), n.role, STR(" "),
                        n.organization);
    TRY(access_audit_ready(c->api->access, &c->err));
    TRY(accounts_create(c->api->access, c->reader, c->arena, c->caller, &n, &password, &c->err));
    c->changed = true;
    return account_answer(c, 201, n.username, password);
}

Status api_account_change(ApiCall *c)
{
    JsonDoc d;
    Str password = STR_NONE, word = c->http->request.part[1];
    AccountChange change = {.username = c->http->request.part[0]};
    if (!account_do_find(word, &change.what) || change.what == ACCOUNT_LIST ||
        change.what == ACCOUNT_CREATE || change.what == ACCOUNT_IMPORT) {
        return err_status(&c->err, ERR_NOT_FOUND);
    }
    TRY(api_json_body(c, &d));
    change.post = json_str_at(&d, JSON_ROOT, "post");
    change.role = json_str_at(&d, JSON_ROOT, "role");
    change.organization = json_str_at(&d, JSON_ROOT, "organization");
    c->what = arena_cat(c->arena, STR("account "), word, STR(" "), change.username, STR(" "),
                        change.post, change.role, STR(" "), change.organization);
    c->what = str_trim(c->what);
    TRY(access_audit_ready(c->api->access, &c->err));
    TRY(accounts_change(c->api->access, c->reader, c->arena, c->caller, &change, &password,
                        &c->err));
    c->changed = true;
    return account_answer(c, 200, change.username, password);
}
