/*
 * Sessions: a token's digest in the store, and a cache of who is behind it. An entry of the cache
 * is good until somebody's account, post or institution changes, here or in another process.
 */
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "access_app.h"
#include "access_inner.h"

#include "mk_banned.h"

#define TOKEN_BYTES      32
#define CALLER_BYTES_MAX ((size_t)8 << 20)
/* Posts and accounts may also change in another process (menkou user): looked at again after this.
 */
#define ENTRY_FRESH_MS 5000
#define SEEN_SAVED_MS  MS_MINUTE
/* A session seen further in the future than this was made under another clock. */
#define CLOCK_SLACK_MS  (5 * MS_MINUTE)
#define LOG_ROWS_A_LOOK 1000
#define LOG_LOOKS_MAX   20

typedef struct ShaText {
    char text[65];
} ShaText;

/* What one session's requests share: immutable but for seen_ms, counted by its users. */
struct SessionEntry {
    SessionEntry *next;
    atomic_int users;
    Arena arena;
    StoreSession session;
    AccessCaller caller;
    int64_t seen_ms; /* under the lock of Sessions */
    int64_t built_mono_ms;
    uint64_t generation;
};

static ShaText sha_of(Str token)
{
    static const char HEX[] = "0123456789abcdef";
    Sha256 sum = sha256(token);
    ShaText out = {0};
    for (size_t i = 0; i < sizeof sum.b; i++) {
        out.text[2 * i] = HEX[sum.b[i] >> 4];
        out.text[2 * i + 1] = HEX[sum.b[i] & 15];
    }
    return out;
}

static Status not_logged_in(Err *err)
{
    return err_add(err, ERR_UNAUTHORIZED, NULL, STR_NONE, "请登录：没有会话，或会话已结束",
                   "Log in: there is no session, or it has ended");
}

/* ---- The cache --------------------------------------------------------------------------------
 */

void sessions_init(Sessions *s, uint64_t seq)
{
    pthread_mutex_init(&s->lock, NULL);
    s->seen_seq = seq;
}

static void entry_release(void *arg)
{
    SessionEntry *e = arg;
    if (atomic_fetch_sub(&e->users, 1) == 1) {
        arena_done(&e->arena);
        free(e);
    }
}

void sessions_done(Sessions *s)
{
    for (size_t i = 0; i < SESSION_BUCKETS; i++) {
        while (s->bucket[i]) {
            SessionEntry *e = s->bucket[i];
            s->bucket[i] = e->next;
            entry_release(e);
        }
    }
    pthread_mutex_destroy(&s->lock);
}

void sessions_forget(Sessions *s)
{
    atomic_fetch_add(&s->generation, 1);
}

/* The digest is uniform: its first bytes choose the bucket. */
static SessionEntry **slot_of(Sessions *s, Str sha)
{
    uint32_t head;
    memcpy(&head, sha.p, sizeof head);
    SessionEntry **at = &s->bucket[(head ^ head >> 16) % SESSION_BUCKETS];
    while (*at && !str_eq((*at)->session.token_sha, sha)) {
        at = &(*at)->next;
    }
    return at;
}

static void unlink_at(Sessions *s, SessionEntry **at)
{
    SessionEntry *e = *at;
    *at = e->next;
    s->n--;
    entry_release(e);
}

static void drop(Sessions *s, Str sha)
{
    pthread_mutex_lock(&s->lock);
    SessionEntry **at = slot_of(s, sha);
    if (*at) {
        unlink_at(s, at);
    }
    pthread_mutex_unlock(&s->lock);
}

/* The one unseen longest makes room; its session stays in the store. */
static void drop_oldest(Sessions *s)
{
    SessionEntry **oldest = NULL;
    for (size_t i = 0; i < SESSION_BUCKETS; i++) {
        for (SessionEntry **at = &s->bucket[i]; *at; at = &(*at)->next) {
            oldest = !oldest || (*at)->seen_ms < (*oldest)->seen_ms ? at : oldest;
        }
    }
    if (oldest) {
        unlink_at(s, oldest);
    }
}

static void keep(Sessions *s, SessionEntry *e)
{
    pthread_mutex_lock(&s->lock);
    SessionEntry **at = slot_of(s, e->session.token_sha);
    if (*at) {
        e->seen_ms = (*at)->seen_ms > e->seen_ms ? (*at)->seen_ms : e->seen_ms;
        unlink_at(s, at);
    }
    if (s->n >= SESSIONS_CACHED_MAX) {
        drop_oldest(s);
    }
    at = slot_of(s, e->session.token_sha);
    e->next = *at;
    *at = e;
    s->n++;
    pthread_mutex_unlock(&s->lock);
}

/* ---- What makes it stale ----------------------------------------------------------------------
 */

static bool is_directory(Str type)
{
    return str_is(type, "Organization") || str_is(type, "PractitionerRole") ||
           str_is(type, "Practitioner");
}

/* True when one of the rows changed the directory; moves *after on. */
static bool look_through(StoreReader *r, Arena *scratch, uint64_t *after, bool *ret_end)
{
    StoreVersion *rows;
    size_t n;
    bool changed = false;
    if (store_log(r, scratch, *after, LOG_ROWS_A_LOOK, &rows, &n, NULL) != OK) {
        *ret_end = true;
        return true;
    }
    for (size_t i = 0; i < n; i++) {
        changed |= is_directory(rows[i].type);
        *after = rows[i].seq;
    }
    *ret_end = n == 0;
    return changed;
}

/* Reads what the log has gained since the last look; too far behind counts as changed. */
static void follow_directory(Access *x, StoreReader *r)
{
    Sessions *s = &x->sessions;
    uint64_t now = store_seq(x->store);
    pthread_mutex_lock(&s->lock);
    uint64_t after = s->seen_seq;
    s->seen_seq = now > after ? now : after;
    pthread_mutex_unlock(&s->lock);
    if (after >= now) {
        return;
    }
    bool changed = now - after > (uint64_t)LOG_ROWS_A_LOOK * LOG_LOOKS_MAX, end = false;
    while (!changed && !end && after < now) {
        Arena scratch;
        arena_init(&scratch, 0);
        changed = look_through(r, &scratch, &after, &end);
        arena_done(&scratch);
    }
    if (changed) {
        sessions_forget(s);
    }
}

/* ---- One session --------------------------------------------------------------------------- */

static bool session_alive(const StoreSession *session, int64_t seen_ms, int64_t now_ms)
{
    return now_ms < session->expires_ms && seen_ms <= now_ms + CLOCK_SLACK_MS &&
           now_ms - seen_ms < access_param(ACCESS_SESSION_IDLE_MS, now_ms);
}

static Status entry_fill(Access *x, StoreReader *r, Str sha, SessionEntry *e, Err *err)
{
    StoreAccount account;
    if (store_session_get(r, &e->arena, sha, &e->session, NULL) != OK ||
        store_account_get(r, &e->arena, e->session.username, &account, NULL) != OK ||
        account.disabled) {
        return not_logged_in(err);
    }
    e->seen_ms = e->session.seen_ms;
    TRY(access_caller_build(x, r, &e->arena, &account, e->session.post, &e->caller, err));
    TRY(access_app_narrow(x, r, &e->arena, &e->session, &e->caller, err));
    TRY(store_reader_trouble(r, err));
    e->caller.token_sha = e->session.token_sha;
    return OK;
}

/* One user: the cache, once kept. */
static Status entry_build(Access *x, StoreReader *r, Str sha, SessionEntry **ret, Err *err)
{
    SessionEntry *e = memory_take_zeroed(sizeof *e);
    atomic_init(&e->users, 1);
    arena_init(&e->arena, CALLER_BYTES_MAX);
    /* Before anything is read: a change in between makes the entry stale, not wrong. */
    e->generation = atomic_load(&x->sessions.generation);
    e->built_mono_ms = time_mono_ms();
    Status status = entry_fill(x, r, sha, e, err);
    if (status != OK) {
        entry_release(e);
        return status;
    }
    *ret = e;
    return OK;
}

/* Writes when it was last seen, once a minute, so that a restart knows. */
static Status seen_save(Access *x, const SessionEntry *e, Err *err)
{
    StoreSession session = e->session;
    if (e->seen_ms - session.seen_ms < SEEN_SAVED_MS) {
        return OK;
    }
    session.seen_ms = e->seen_ms;
    return store_session_put(x->store, &session, err);
}

/* ---- Operations -------------------------------------------------------------------------------
 */

/* From the cache: counted once more for the user, or NULL. `acts`: somebody does something. */
static SessionEntry *entry_cached(Access *x, Str sha, int64_t now_ms, bool acts)
{
    Sessions *s = &x->sessions;
    pthread_mutex_lock(&s->lock);
    SessionEntry *e = *slot_of(s, sha);
    if (e && (e->generation != atomic_load(&s->generation) ||
              time_mono_ms() - e->built_mono_ms > ENTRY_FRESH_MS ||
              !session_alive(&e->session, e->seen_ms, now_ms))) {
        e = NULL;
    }
    if (e) {
        e->seen_ms = acts && now_ms > e->seen_ms ? now_ms : e->seen_ms;
        atomic_fetch_add(&e->users, 1);
    }
    pthread_mutex_unlock(&s->lock);
    return e;
}

/* An entry that is stale still knows of requests that the store was not told of; 0: none. */
static int64_t seen_in_cache(Sessions *s, Str sha)
{
    pthread_mutex_lock(&s->lock);
    const SessionEntry *e = *slot_of(s, sha);
    int64_t seen_ms = e ? e->seen_ms : 0;
    pthread_mutex_unlock(&s->lock);
    return seen_ms;
}

static Status entry_of(Access *x, StoreReader *r, Str sha, int64_t now_ms, bool acts,
                       SessionEntry **ret, Err *err)
{
    SessionEntry *e = entry_cached(x, sha, now_ms, acts);
    if (e) {
        *ret = e;
        return OK;
    }
    TRY(entry_build(x, r, sha, &e, err));
    int64_t cached_ms = seen_in_cache(&x->sessions, sha);
    e->seen_ms = cached_ms > e->seen_ms ? cached_ms : e->seen_ms;
    if (!session_alive(&e->session, e->seen_ms, now_ms)) {
        drop(&x->sessions, sha);
        Status status = store_session_end(x->store, sha, STR_NONE, NULL);
        entry_release(e);
        return status == OK ? not_logged_in(err) : err_status(err, status);
    }
    e->seen_ms = acts && now_ms > e->seen_ms ? now_ms : e->seen_ms;
    Status status = seen_save(x, e, err);
    if (status != OK) {
        entry_release(e);
        return status;
    }
    atomic_fetch_add(&e->users, 1);
    keep(&x->sessions, e);
    *ret = e;
    return OK;
}

static Status caller_of(Access *x, StoreReader *r, Arena *a, Str sha, bool acts, AccessCaller *ret,
                        Err *err)
{
    int64_t now_ms = clock_now(store_clock(x->store));
    SessionEntry *e = NULL;
    follow_directory(x, r);
    TRY(entry_of(x, r, sha, now_ms, acts, &e, err));
    arena_defer(a, entry_release, e);
    *ret = e->caller;
    ret->view.now_ms = now_ms;
    return OK;
}

Status access_caller(Access *x, StoreReader *r, Arena *a, Str token, AccessCaller *ret, Err *err)
{
    if (str_empty(token) || token.n > 256) {
        return not_logged_in(err);
    }
    ShaText sha = sha_of(token);
    return caller_of(x, r, a, str_from_c(sha.text), true, ret, err);
}

Status access_caller_again(Access *x, StoreReader *r, Arena *a, Str token_sha, AccessCaller *ret,
                           Err *err)
{
    return caller_of(x, r, a, token_sha, false, ret, err);
}

Str access_token_make(Access *x, Arena *a)
{
    uint8_t bytes[TOKEN_BYTES];
    random_bytes(&x->random, bytes, sizeof bytes);
    Str token = base64_encode(a, (Str){(const char *)bytes, sizeof bytes}, true);
    sodium_memzero(bytes, sizeof bytes);
    return token;
}

Str access_token_sha(Arena *a, Str token)
{
    ShaText sha = sha_of(token);
    return arena_str(a, str_from_c(sha.text));
}

Status access_session_begin(Access *x, Arena *a, const AccessCaller *caller, Str app,
                            AccessLogin *ret, Err *err)
{
    int64_t now_ms = clock_now(store_clock(x->store));
    int64_t life_ms =
        access_param(app.n ? ACCESS_APP_TOKEN_MS : ACCESS_SESSION_ABSOLUTE_MS, now_ms);
    Str token = access_token_make(x, a);
    StoreSession session = {.token_sha = access_token_sha(a, token),
                            .username = caller->username,
                            .post = caller->post.post,
                            .app = app,
                            .created_ms = now_ms,
                            .seen_ms = now_ms,
                            .expires_ms = now_ms + life_ms};
    TRY(store_session_put(x->store, &session, err));
    *ret = (AccessLogin){.token = token, .expires_in_s = (int)(life_ms / 1000), .caller = *caller};
    ret->caller.token_sha = session.token_sha;
    ret->caller.view.now_ms = now_ms;
    return OK;
}

Status access_logout(Access *x, const AccessCaller *caller, Err *err)
{
    TRY(store_session_end(x->store, caller->token_sha, STR_NONE, err));
    drop(&x->sessions, caller->token_sha);
    return OK;
}

Status access_choose_post(Access *x, StoreReader *r, Arena *a, const AccessCaller *caller, Str post,
                          AccessCaller *ret, Err *err)
{
    bool mine = false;
    for (size_t i = 0; i < caller->posts_n; i++) {
        mine |= str_eq(caller->posts[i].post, post);
    }
    if (!mine) {
        return err_add(err, ERR_FORBIDDEN, NULL, STR("post"), "这不是您的岗位：%.*s",
                       "This is not a post of yours: %.*s", STR_ARG(post));
    }
    StoreSession session;
    StoreAccount account;
    AccessCaller next;
    TRY(store_session_get(r, a, caller->token_sha, &session, err));
    TRY(store_account_get(r, a, caller->username, &account, err));
    TRY(access_caller_build(x, r, a, &account, post, &next, err));
    session.post = post;
    session.seen_ms = clock_now(store_clock(x->store));
    TRY(store_session_put(x->store, &session, err));
    drop(&x->sessions, caller->token_sha);
    next.token_sha = caller->token_sha;
    next.by_cookie = caller->by_cookie;
    next.lang = caller->lang;
    next.address = caller->address;
    next.request_id = caller->request_id;
    next.view.now_ms = session.seen_ms;
    *ret = next;
    return OK;
}

Status access_sessions_others_end(Access *x, StoreReader *r, Arena *a, const AccessCaller *caller,
                                  Err *err)
{
    StoreSession session;
    TRY(store_session_get(r, a, caller->token_sha, &session, err));
    TRY(store_session_end(x->store, STR_NONE, caller->username, err));
    session.seen_ms = clock_now(store_clock(x->store));
    TRY(store_session_put(x->store, &session, err));
    sessions_forget(&x->sessions);
    return OK;
}
