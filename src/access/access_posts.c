/* Posts in force of a practitioner, and the institutions beneath one. */
#include <stdlib.h>

#include "access_inner.h"
#include "fhir_write.h"

#include "mk_banned.h"

#define POSTS_MAX         64
#define ORGANIZATIONS_MAX 20000
#define PARENTS_A_QUERY   50

#define ROLE_SYSTEM "urn:menkou:role"

/* "Organization/ID" → ID; empty if it is another type. */
static Str id_of(Str reference, const char *type)
{
    Str head, id;
    bool cut = str_cut(reference, '/', &head, &id);
    return cut && str_is(head, type) ? id : STR_NONE;
}

static Status read_living(StoreReader *r, Arena *a, const char *type, Str reference, JsonDoc *ret,
                          Err *err)
{
    StoreVersion version;
    TRY(store_read(r, a, &STORE_VIEW_ALL, str_from_c(type), id_of(reference, type), &version, err));
    return json_parse(a, version.body, &JSON_LIMITS_FHIR, ret, err);
}

Str access_organization_name(StoreReader *r, Arena *a, Str organization)
{
    JsonDoc doc;
    if (str_empty(organization) ||
        read_living(r, a, "Organization", organization, &doc, NULL) != OK) {
        return STR_NONE;
    }
    return json_str_at(&doc, JSON_ROOT, "name");
}

/* ---- Posts ------------------------------------------------------------------------------------
 */

/* Where a moment lies to the day (or time) of a period: -1 before it, 0 unknown, 1 at or after. */
static int after(const JsonDoc *d, const char *path, bool end, int zone_min, int64_t now_ms)
{
    DateTime at;
    int64_t lo_ms, hi_ms;
    if (!datetime_parse(json_str_at(d, JSON_ROOT, path), &at)) {
        return 0;
    }
    datetime_range(&at, zone_min, &lo_ms, &hi_ms);
    return now_ms >= (end ? hi_ms : lo_ms) ? 1 : -1;
}

static AccountPostState state_of(const JsonDoc *d, int zone_min, int64_t now_ms)
{
    int ended = after(d, "period.end", true, zone_min, now_ms);
    if (json_type(d, json_get_c(d, JSON_ROOT, "active")) == JSON_FALSE) {
        return ended == 0 ? POST_PROPOSED : POST_ENDED;
    }
    return ended == 1                                                ? POST_ENDED
           : after(d, "period.start", false, zone_min, now_ms) == -1 ? POST_COMING
                                                                     : POST_IN_FORCE;
}

/* The first code of ours; a post has one role. */
static Str role_of(const JsonDoc *d)
{
    for (JsonIter code = json_iter(d, json_get_c(d, JSON_ROOT, "code")); json_next(&code);) {
        JsonIter coding = json_iter(d, json_get_c(d, code.value, "coding"));
        while (json_next(&coding)) {
            Str role = json_str_at(d, coding.value, "code");
            if (str_is(json_str_at(d, coding.value, "system"), ROLE_SYSTEM) &&
                access_role_known(role)) {
                return role;
            }
        }
    }
    return STR_NONE;
}

static int post_order(const void *a, const void *b)
{
    return str_cmp(((const AccountPost *)a)->post.post, ((const AccountPost *)b)->post.post);
}

Status access_posts_all(StoreReader *r, Arena *a, Str practitioner, int64_t now_ms,
                        AccountPost **ret, size_t *ret_n, Err *err)
{
    const StoreHit *hits;
    size_t hits_n, n = 0;
    int zone_min = store_zone_min(store_of(r));
    Str query = arena_cat(a, STR("practitioner="), practitioner);
    TRY(store_find(r, a, &STORE_VIEW_ALL, STR("PractitionerRole"), query, POSTS_MAX, &hits, &hits_n,
                   err));
    AccountPost *posts = arena_array(a, AccountPost, hits_n + 1);
    for (size_t i = 0; i < hits_n; i++) {
        JsonDoc doc;
        TRY(json_parse(a, hits[i].body, &JSON_LIMITS_FHIR, &doc, err));
        AccessPost post = {.post = arena_cat(a, STR("PractitionerRole/"), hits[i].id),
                           .role = role_of(&doc),
                           .organization = json_str_at(&doc, JSON_ROOT, "organization.reference")};
        if (!str_empty(post.role) && !str_empty(post.organization)) {
            post.organization_name = access_organization_name(r, a, post.organization);
            posts[n++] = (AccountPost){post, state_of(&doc, zone_min, now_ms)};
        }
    }
    qsort(posts, n, sizeof *posts, post_order);
    *ret = posts;
    *ret_n = n;
    return OK;
}

Status access_posts(StoreReader *r, Arena *a, Str practitioner, int64_t now_ms, AccessPost **ret,
                    size_t *ret_n, Err *err)
{
    AccountPost *all;
    size_t all_n, n = 0;
    TRY(access_posts_all(r, a, practitioner, now_ms, &all, &all_n, err));
    AccessPost *posts = arena_array(a, AccessPost, all_n + 1);
    for (size_t i = 0; i < all_n; i++) {
        if (all[i].state == POST_IN_FORCE) {
            posts[n++] = all[i].post;
        }
    }
    *ret = posts;
    *ret_n = n;
    return OK;
}

/* ---- Organisations beneath --------------------------------------------------------------------
 */

typedef struct Subtree {
    Arena *arena;
    Map known;
    Str *list;
    size_t n, room;
} Subtree;

static void subtree_add(Subtree *t, Str organization)
{
    if (map_get(&t->known, organization)) {
        return; /* a circle of partOf ends here */
    }
    if (t->n == t->room) {
        Str *wider = arena_array(t->arena, Str, t->room * 2);
        memcpy(wider, t->list, t->n * sizeof *wider);
        t->list = wider;
        t->room *= 2;
    }
    t->list[t->n++] = organization;
    map_put(&t->known, organization, t);
}

/* Children of list[from … to), in one query. */
static Status subtree_grow(StoreReader *r, Subtree *t, size_t from, size_t to, Err *err)
{
    Buf query;
    buf_init(&query, 0);
    buf_c(&query, "partof=");
    for (size_t i = from; i < to; i++) {
        buf_c(&query, i > from ? "," : "");
        buf_add(&query, t->list[i]);
    }
    const StoreHit *hits;
    size_t hits_n;
    Status status = store_find(r, t->arena, &STORE_VIEW_ALL, STR("Organization"), buf_str(&query),
                               ORGANIZATIONS_MAX, &hits, &hits_n, err);
    buf_done(&query);
    TRY(status);
    for (size_t i = 0; i < hits_n; i++) {
        subtree_add(t, arena_cat(t->arena, STR("Organization/"), hits[i].id));
    }
    return OK;
}

Status access_subtree(StoreReader *r, Arena *a, Str organization, Str **ret, size_t *ret_n,
                      Err *err)
{
    Subtree t = {.arena = a, .room = 64};
    t.list = arena_array(a, Str, t.room);
    map_init(&t.known, a);
    if (!str_empty(organization)) {
        subtree_add(&t, arena_str(a, organization));
    }
    for (size_t at = 0; at < t.n;) {
        size_t to = t.n - at > PARENTS_A_QUERY ? at + PARENTS_A_QUERY : t.n;
        TRY(subtree_grow(r, &t, at, to, err));
        at = to;
    }
    *ret = t.list;
    *ret_n = t.n;
    return OK;
}

/* ---- A post for an account that has none -------------------------------------------------------
 */

Str access_practitioner_body(Arena *a, Str name)
{
    Buf out;
    JsonWriter w = fhir_begin(&out, "Practitioner", STR_NONE);
    json_member_bool(&w, "active", true);
    fhir_texts_put(&w, "name", name);
    return json_end(&w, '}', a);
}

Str access_post_body(Arena *a, Str practitioner, Str role, Str organization, bool active)
{
    Buf out;
    JsonWriter w = fhir_begin(&out, "PractitionerRole", STR_NONE);
    json_member_bool(&w, "active", active);
    fhir_reference_put(&w, "practitioner", practitioner, STR_NONE);
    fhir_reference_put(&w, "organization", organization, STR_NONE);
    fhir_concepts_put(&w, "code", STR(ROLE_SYSTEM), role, STR_NONE);
    return json_end(&w, '}', a);
}

Status access_account_settle(Access *x, Arena *a, StoreAccount *account, Err *err)
{
    const AccessRole *role = access_role_find(account->role);
    if (!str_empty(account->practitioner) || str_empty(account->organization) || !role ||
        role->kind != CLINICAL) {
        return OK;
    }
    StoreAuthor author = {
        .author = STR("system"), .role = STR("system"), .org = account->organization};
    Str name = str_empty(account->name) ? account->username : account->name;
    StoreBatch *batch = store_batch_new(x->store, a, &author, STR("first log-in"));
    Str id;
    TRY(store_batch_create(batch, STR("Practitioner"), STR_NONE, access_practitioner_body(a, name),
                           &id, err));
    Str practitioner = arena_cat(a, STR("Practitioner/"), id);
    TRY(store_batch_create(
        batch, STR("PractitionerRole"), STR_NONE,
        access_post_body(a, practitioner, account->role, account->organization, true), NULL, err));
    StoreReceipt receipt;
    TRY(store_commit(batch, &receipt, err));
    account->practitioner = practitioner;
    return store_account_put(x->store, account, err);
}
