/*
 * /drafts: half-filled forms, kept on the server for their author (docs/formats/drafts.md).
 *
 * A draft belongs to a person in a post. Its key names what it is about; a part of the key that is
 * a reference must be in the caller's sight at every call but DELETE, so that a draft does not
 * keep a record open that has been closed.
 */
#include "access_param.h"
#include "api_inner.h"
#include "fhir_types.h"
#include "store_draft.h"

#define KEY_BYTES_MAX  200
#define SEEN_BYTES_MAX 64

typedef struct DraftsOf {
    Str person, post;
    int64_t now_ms, before_ms; /* those not younger are gone */
} DraftsOf;

/* The author, or a refusal: accounts that fill no forms have no drafts. */
static Status drafts_of(ApiCall *c, DraftsOf *ret)
{
    if (c->caller->integrator || c->caller->administrator) {
        return err_rule(&c->err, ERR_FORBIDDEN, STR("not-a-person"), STR_NONE,
                        "此类账号不填写表单，没有草稿",
                        "An account of this kind fills no forms and has no drafts");
    }
    TRY(access_may(c->caller, ACCESS_READ, STR("QuestionnaireResponse"), &c->err));
    int64_t now_ms = clock_now(c->api->options.clock);
    *ret = (DraftsOf){.person = api_person(c),
                      .post = c->caller->post.post,
                      .now_ms = now_ms,
                      .before_ms = now_ms - access_param(ACCESS_DRAFT_KEPT_MS, now_ms)};
    return OK;
}

/* ---- Keys ------------------------------------------------------------------------------------ */

static bool key_char(char c)
{
    char low = (char)(c | 0x20);
    return (low >= 'a' && low <= 'z') || (c >= '0' && c <= '9') || c == ':' || c == '/' ||
           c == '-' || c == '.' || c == '_';
}

static Status key_take(ApiCall *c, Str *ret)
{
    Str key = c->http->request.part[0];
    bool good = key.n <= KEY_BYTES_MAX;
    for (size_t i = 0; good && i < key.n; i++) {
        good = key_char(key.p[i]);
    }
    if (!good) {
        return err_add(&c->err, ERR_INVALID, NULL, STR("key"),
                       "草稿的键只能是 1–%d 个字母、数字、: / - . _",
                       "The key of a draft is 1–%d letters, digits, : / - . _", KEY_BYTES_MAX);
    }
    c->what = arena_cat(c->arena, STR("draft "), key);
    *ret = key;
    return OK;
}

/* What the key refers to is in sight; whose data it is goes into the audit. */
static Status key_visible(ApiCall *c, Str key, Err *err)
{
    Str part, type, id;
    while (key.n > 0) {
        str_cut(key, ':', &part, &key);
        if (!str_cut(part, '/', &type, &id)) {
            continue;
        }
        StoreVersion v;
        TRY(api_read_version(c, type, id, STR_NONE, &v, err));
        api_touch_version(c, &v);
    }
    return OK;
}

/* ---- Answers --------------------------------------------------------------------------------- */

static void draft_write(ApiCall *c, JsonWriter *w, const StoreDraft *d)
{
    json_open(w, '{');
    json_member_str(w, "key", d->key);
    json_member_str(w, "seen", d->seen);
    api_json_time(c, w, "at", d->at_ms);
    if (d->body.n) {
        json_key(w, "response");
        json_put_raw(w, d->body);
    }
    json_close(w, '}');
}

static void draft_answer(ApiCall *c, const StoreDraft *d)
{
    Buf out;
    buf_init(&out, 0);
    JsonWriter w = json_writer(&out);
    draft_write(c, &w, d);
    api_json_answer(c, 200, &out);
}

Status api_drafts_list(ApiCall *c)
{
    DraftsOf of;
    StoreDraft *list;
    size_t n;
    TRY(drafts_of(c, &of));
    c->what = STR("drafts");
    TRY(store_draft_list(c->reader, c->arena, of.person, of.post, of.before_ms, &list, &n,
                         &c->err));
    Buf out;
    JsonWriter w = json_begin(&out, '{');
    json_key_open(&w, "drafts", '[');
    for (size_t i = 0; i < n; i++) {
        if (key_visible(c, list[i].key, NULL) == OK) {
            draft_write(c, &w, &list[i]);
        }
    }
    json_close(&w, ']');
    json_close(&w, '}');
    api_json_answer(c, 200, &out);
    return OK;
}

Status api_draft_read(ApiCall *c)
{
    DraftsOf of;
    StoreDraft draft;
    Str key;
    TRY(drafts_of(c, &of));
    TRY(key_take(c, &key));
    TRY(key_visible(c, key, &c->err));
    TRY(store_draft_get(c->reader, c->arena, of.person, of.post, key, of.before_ms, &draft,
                        &c->err));
    draft_answer(c, &draft);
    return OK;
}

/* The form as R4 has it, but unfinished. */
static Status response_take(ApiCall *c, const JsonDoc *d, Str *ret)
{
    JsonRef form = json_get_c(d, JSON_ROOT, "response");
    if (!str_is(json_str_at(d, form, "resourceType"), "QuestionnaireResponse") ||
        !str_is(json_str_at(d, form, "status"), "in-progress")) {
        return err_add(&c->err, ERR_UNPROCESSABLE, NULL, STR("response"),
                       "response 应为状态 in-progress 的 QuestionnaireResponse",
                       "response must be a QuestionnaireResponse with the status in-progress");
    }
    TRY(fhir_validate(d, form, STR("QuestionnaireResponse"), &c->err));
    *ret = json_raw(d, form);
    return OK;
}

Status api_draft_write(ApiCall *c)
{
    DraftsOf of;
    JsonDoc d;
    TRY(drafts_of(c, &of));
    StoreDraft draft = {.person = of.person, .post = of.post, .at_ms = of.now_ms};
    TRY(key_take(c, &draft.key));
    TRY(api_json_body(c, &d));
    draft.seen = json_str_at(&d, JSON_ROOT, "seen");
    if (draft.seen.n > SEEN_BYTES_MAX) {
        return err_add(&c->err, ERR_INVALID, NULL, STR("seen"), "seen 过长", "seen is too long");
    }
    TRY(response_take(c, &d, &draft.body));
    TRY(key_visible(c, draft.key, &c->err));
    TRY(access_audit_ready(c->api->access, &c->err));
    TRY(store_draft_put(c->api->store, &draft, of.before_ms,
                        access_param(ACCESS_DRAFTS_MAX, of.now_ms), &c->err));
    c->changed = true;
    draft.body = STR_NONE;
    draft_answer(c, &draft);
    return OK;
}

Status api_draft_remove(ApiCall *c)
{
    DraftsOf of;
    Str key;
    TRY(drafts_of(c, &of));
    TRY(key_take(c, &key));
    TRY(access_audit_ready(c->api->access, &c->err));
    TRY(store_draft_remove(c->api->store, of.person, of.post, key, &c->err));
    c->changed = true;
    c->result = (ApiResult){.status = 204};
    return OK;
}
