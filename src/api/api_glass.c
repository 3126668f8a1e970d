/*
 * Break-glass: someone who cares for a patient out of sight opens the record in an emergency, for a
 * limited time and with a reason; the organisation in charge and the consortium's office are
 * alerted, the audit says so, and a reviewer marks each opening with a verdict.
 *
 * What is opened is the person's own sight of that one patient (a grant that ends by the clock);
 * sensitive content still needs its own right.
 */
#include "api_glass.h"

#include "access_param.h"
#include "care_id.h"
#include "care_name.h"

#define OFFICE_MAX 50

static const char *const REASONS[] = {"emergency", "consultation", "handover", "other"};
static const char *const VERDICTS[] = {"justified", "unjustified", "unclear"};

/* ---- What is asked ------------------------------------------------------------------------------
 */

static Status bad(ApiCall *c, Str name, const char *zh, const char *en)
{
    return err_add(&c->err, ERR_INVALID, "value", arena_cat(c->arena, STR("parameter:"), name),
                   "参数 %.*s %s%.0s", "The parameter %.*s %.0s%s", STR_ARG(name), zh, en);
}

static Status parameters_read(ApiCall *c, JsonDoc *ret)
{
    TRY(api_body(c, ret));
    if (!str_is(fhir_resource_type(ret), "Parameters")) {
        return err_add(&c->err, ERR_INVALID, "invalid", STR("resourceType"),
                       "请求内容应为 Parameters", "The body must be Parameters");
    }
    return fhir_validate(ret, JSON_ROOT, STR("Parameters"), &c->err);
}

static bool among(Str code, const char *const *codes, size_t n)
{
    bool found = false;
    for (size_t i = 0; i < n && !found; i++) {
        found = str_is(code, codes[i]);
    }
    return found;
}

static Status text_check(ApiCall *c, Str text)
{
    size_t n = utf8_count(str_trim(text));
    return n >= GLASS_TEXT_MIN && n <= GLASS_TEXT_MAX
               ? OK
               : bad(c, STR("text"), "应以 4 至 500 字写明", "must say it in 4 to 500 characters");
}

static Status ask_part(ApiCall *c, const JsonDoc *d, JsonRef part, ApiGlass *g)
{
    Str name = json_str_at(d, part, "name");
    if (str_is(name, "patient")) {
        g->patient = json_str_at(d, part, "valueReference.reference");
    } else if (str_is(name, "reason")) {
        g->reason = json_str_at(d, part, "valueCode");
    } else if (str_is(name, "text")) {
        g->text = json_str_at(d, part, "valueString");
    } else if (str_is(name, "extend")) {
        g->extend = json_is_true(d, json_get_c(d, part, "valueBoolean"));
    } else {
        return bad(c, name, "不认识", "is not known");
    }
    return OK;
}

static Status ask_read(ApiCall *c, ApiGlass *g)
{
    JsonDoc d;
    TRY(parameters_read(c, &d));
    *g = (ApiGlass){.now_ms = c->caller->view.now_ms};
    for (JsonIter it = json_iter(&d, json_get_c(&d, JSON_ROOT, "parameter")); json_next(&it);) {
        TRY(ask_part(c, &d, it.value, g));
    }
    FhirRef ref = fhir_ref_parse(g->patient);
    if (ref.kind != FHIR_REF_RELATIVE || !str_is(ref.type, "Patient") || !fhir_id_ok(ref.id)) {
        return bad(c, STR("patient"), "应形如 Patient/ID", "must look like Patient/ID");
    }
    if (!among(g->reason, REASONS, sizeof REASONS / sizeof *REASONS)) {
        return bad(c, STR("reason"), "应为 emergency、consultation、handover 或 other",
                   "must be emergency, consultation, handover or other");
    }
    g->until_ms = g->now_ms + access_param(ACCESS_BREAK_GLASS_MS, g->now_ms);
    return text_check(c, g->text);
}

/* ---- Whether it may be opened -------------------------------------------------------------------
 */

static Status patient_read(ApiCall *c, ApiGlass *g)
{
    StoreVersion v;
    JsonDoc d;
    Str id = str_skip(g->patient, strlen("Patient/"));
    if (store_read(c->reader, c->arena, &STORE_VIEW_ALL, STR("Patient"), id, &v, NULL) != OK) {
        return err_add(&c->err, ERR_NOT_FOUND, NULL, STR_NONE, "没有找到 %.*s",
                       "%.*s was not found", STR_ARG(g->patient));
    }
    TRY(json_parse(c->arena, v.body, &JSON_LIMITS_FHIR, &d, &c->err));
    Str name = care_name_text(c->arena, &d, json_at(&d, JSON_ROOT, "name.0"));
    g->name = name.n ? care_name_mask(c->arena, name) : STR("*");
    g->organization = json_str_at(&d, JSON_ROOT, "managingOrganization.reference");
    return store_find(c->reader, c->arena, &STORE_VIEW_ALL, STR("PractitionerRole"),
                      STR("role=urn:menkou:role%7Cconsortium-office&active=true"), OFFICE_MAX,
                      &g->office, &g->office_n, &c->err);
}

/* The caller's own latest opening of this patient, where it has not yet ended. */
static Status open_find(ApiCall *c, ApiGlass *g, int64_t *ret_until)
{
    StoreQuery *q;
    StorePage page;
    JsonDoc d;
    Str query = arena_cat(c->arena, STR("category=urn:menkou:alert%7C" GLASS_CATEGORY "&subject="),
                          g->patient, STR("&sender="), c->caller->practitioner,
                          STR("&_sort=-sent&_count=1"));
    TRY(store_query_parse(c->api->store, c->arena, STR("Communication"), query, false,
                          c->api->options.zone_min, &q, &c->err));
    TRY(store_search(c->reader, c->arena, q, &STORE_VIEW_ALL, STR_NONE, &page, &c->err));
    *ret_until = TIME_NONE;
    if (page.hits_n == 0) {
        return OK;
    }
    TRY(json_parse(c->arena, page.hits[0].body, &JSON_LIMITS_FHIR, &d, &c->err));
    int64_t until = api_glass_until(&d);
    if (until > g->now_ms) {
        *ret_until = until;
        g->before = arena_cat(c->arena, STR("Communication/"), page.hits[0].id);
    }
    return OK;
}

static Status may_open(ApiCall *c, ApiGlass *g)
{
    int64_t until;
    TRY(patient_read(c, g));
    TRY(open_find(c, g, &until));
    if (g->before.n && !g->extend) {
        Str at = time_iso(c->arena, until, c->api->options.zone_min);
        return err_rule(&c->err, ERR_CONFLICT, STR("glass-open"), STR("parameter:patient"),
                        "您已打开此档案，至 %.*s；确需延长请加参数 extend 并再写明理由",
                        "You have opened this record until %.*s; to prolong it give the parameter "
                        "extend and a reason again",
                        STR_ARG(at));
    }
    Str id = str_skip(g->patient, strlen("Patient/"));
    if (!g->before.n && store_patient_visible(c->reader, &c->caller->view, id)) {
        return err_rule(&c->err, ERR_CONFLICT, STR("glass-needless"), STR("parameter:patient"),
                        "您本就可以查看此居民的档案，无需紧急查看",
                        "You may see this patient's record anyway; there is no glass to break");
    }
    return OK;
}

/* ---- Opening ------------------------------------------------------------------------------------
 */

static Status opening_audit(ApiCall *c, Str what, const Str *patient, const char *action)
{
    AccessAudit record = {.caller = c->caller,
                          .action = action,
                          .what = what,
                          .patients = patient,
                          .patients_n = 1,
                          .http_status = 201};
    return access_audit(c->api->access, &record, true, &c->err);
}

static Status opening_commit(ApiCall *c, const ApiGlass *g, Str key, StoreVersion *ret)
{
    StoreAuthor author = access_author(c->caller);
    StoreReceipt receipt;
    Str id, *patient = arena_new(c->arena, Str);
    *patient = str_skip(g->patient, strlen("Patient/"));
    StoreBatch *b = store_batch_new(c->api->store, c->arena, &author,
                                    arena_cat(c->arena, STR("break-glass "), g->patient));
    store_batch_reader(b, c->reader);
    store_batch_urgent(b);
    TRY(store_batch_create(b, STR("Communication"), STR_NONE, api_glass_body(c, g), &id, &c->err));
    Str source = arena_cat(c->arena, STR("Communication/"), id);
    store_batch_grant(b, c->caller->practitioner, *patient, STR(GLASS_CATEGORY), source, g->now_ms,
                      g->until_ms);
    if (key.n) {
        store_batch_remember(b, api_person(c), key, api_body_sha(c), 201);
    }
    TRY(access_audit_ready(c->api->access, &c->err));
    TRY(store_commit(b, &receipt, &c->err));
    c->changed = true;
    *ret = receipt.versions[0];
    return opening_audit(c, source, patient, GLASS_CATEGORY);
}

static Status opening_answer(ApiCall *c, const StoreVersion *v)
{
    JsonDoc d;
    Buf out;
    TRY(json_parse(c->arena, v->body, &JSON_LIMITS_FHIR, &d, &c->err));
    buf_init(&out, 0);
    buf_c(&out, "{\"resourceType\":\"Parameters\",\"parameter\":[{\"name\":\"until\","
                "\"valueDateTime\":");
    buf_json_str(&out, time_iso(c->arena, api_glass_until(&d), c->api->options.zone_min));
    buf_c(&out, "},{\"name\":\"patient\",\"valueReference\":");
    buf_add(&out, json_raw(&d, json_get_c(&d, JSON_ROOT, "subject")));
    buf_c(&out, "},{\"name\":\"record\",\"valueReference\":{\"reference\":");
    buf_json_str(&out, arena_cat(c->arena, STR("Communication/"), v->id));
    buf_c(&out, "}}]}");
    c->result = (ApiResult){.status = 201,
                            .body = buf_take(&out, c->arena),
                            .location = arena_cat(c->arena, STR("/fhir/Communication/"), v->id)};
    api_touch_version(c, v);
    return OK;
}

Status api_break_glass(ApiCall *c)
{
    ApiGlass g;
    StoreVersion v;
    StoreMemory memory;
    Str key;
    bool known;
    c->what = STR("$break-glass");
    TRY(access_may(c->caller, ACCESS_CREATE, GLASS_RIGHT, &c->err));
    if (!c->caller->practitioner.n || c->caller->integrator) {
        return err_rule(&c->err, ERR_FORBIDDEN, STR("no-person"), STR_NONE,
                        "只有本人以岗位登录才能紧急查看",
                        "Only a person in a post breaks the glass");
    }
    TRY(ask_read(c, &g));
    c->what = arena_cat(c->arena, STR("$break-glass "), g.patient);
    api_touch(c, str_skip(g.patient, strlen("Patient/")));
    TRY(api_idempotency_key(c, &key, &c->err));
    TRY(api_remembered(c, key, &known, &memory, &c->err));
    if (known) {
        return opening_answer(c, &memory.versions[0]);
    }
    TRY(may_open(c, &g));
    TRY(opening_commit(c, &g, key, &v));
    return opening_answer(c, &v);
}

/* ---- Reviewing ----------------------------------------------------------------------------------
 */

/* ?reviewed=true|false, _count, _cursor; the newest first. */
static Status list_query(ApiCall *c, Str *ret_query, Str *ret_self)
{
    Str reviewed = api_query(c, "reviewed"), count = api_query(c, "_count");
    int64_t n;
    if ((reviewed.n && !str_is(reviewed, "true") && !str_is(reviewed, "false")) ||
        (count.n && (!str_to_i64(count, &n) || n < 1))) {
        return err_add(&c->err, ERR_INVALID, "value", STR("reviewed"),
                       "reviewed 应为 true 或 false，_count 应为正整数",
                       "reviewed is true or false, _count a positive integer");
    }
    Str status = !reviewed.n                ? STR_NONE
                 : str_is(reviewed, "true") ? STR("&status=completed")
                                            : STR("&status=in-progress");
    *ret_query = arena_cat(c->arena, STR("category=urn:menkou:alert%7C" GLASS_CATEGORY), status,
                           STR("&_sort=-sent"), count.n ? STR("&_count=") : STR_NONE, count);
    *ret_self = arena_cat(c->arena, reviewed.n ? STR("reviewed=") : STR_NONE, reviewed,
                          reviewed.n && count.n ? STR("&") : STR_NONE,
                          count.n ? STR("_count=") : STR_NONE, count);
    return OK;
}

Status api_break_glass_list(ApiCall *c)
{
    StoreQuery *q;
    StorePage page;
    Str query, self, cursor = api_query(c, "_cursor");
    c->what = STR("$break-glass");
    TRY(access_may(c->caller, ACCESS_READ, GLASS_RIGHT, &c->err));
    TRY(list_query(c, &query, &self));
    TRY(store_query_parse(NULL, c->arena, STR("Communication"), query, false,
                          c->api->options.zone_min, &q, &c->err));
    TRY(store_search(c->reader, c->arena, q, &STORE_VIEW_ALL, cursor, &page, &c->err));
    page.self = self;
    api_page_touch(c, &page);
    c->result =
        (ApiResult){.status = 200, .body = api_page_write(c, STR("$break-glass"), &page, cursor)};
    return OK;
}

typedef struct Review {
    Str verdict, text;
} Review;

static Status review_read(ApiCall *c, Review *r)
{
    JsonDoc d;
    *r = (Review){0};
    TRY(parameters_read(c, &d));
    for (JsonIter it = json_iter(&d, json_get_c(&d, JSON_ROOT, "parameter")); json_next(&it);) {
        Str name = json_str_at(&d, it.value, "name");
        if (str_is(name, "verdict")) {
            r->verdict = json_str_at(&d, it.value, "valueCode");
        } else if (str_is(name, "text")) {
            r->text = json_str_at(&d, it.value, "valueString");
        } else {
            return bad(c, name, "不认识", "is not known");
        }
    }
    if (!among(r->verdict, VERDICTS, sizeof VERDICTS / sizeof *VERDICTS)) {
        return bad(c, STR("verdict"), "应为 justified、unjustified 或 unclear",
                   "must be justified, unjustified or unclear");
    }
    return text_check(c, r->text);
}

static Status record_read(ApiCall *c, Str id, StoreVersion *ret_version, JsonDoc *ret)
{
    Status s = store_read(c->reader, c->arena, &STORE_VIEW_ALL, STR("Communication"), id,
                          ret_version, NULL);
    if (s == OK) {
        TRY(json_parse(c->arena, ret_version->body, &JSON_LIMITS_FHIR, ret, &c->err));
    }
    if (s != OK || !api_glass_is_record(ret)) {
        return err_add(&c->err, ERR_NOT_FOUND, NULL, STR_NONE, "没有此紧急查看记录：%.*s",
                       "There is no such break-glass record: %.*s", STR_ARG(id));
    }
    if (str_is(json_str_at(ret, JSON_ROOT, "status"), "completed")) {
        return err_rule(&c->err, ERR_CONFLICT, STR("reviewed"), STR_NONE, "此记录已复核",
                        "This record has been reviewed already");
    }
    if (c->caller->practitioner.n &&
        str_eq(json_str_at(ret, JSON_ROOT, "sender.reference"), c->caller->practitioner)) {
        return err_rule(&c->err, ERR_FORBIDDEN, STR("own-glass"), STR_NONE,
                        "不能复核自己的紧急查看", "Nobody reviews an opening of his own");
    }
    return OK;
}

Status api_break_glass_review(ApiCall *c)
{
    Review review;
    StoreVersion v;
    JsonDoc d;
    StoreReceipt receipt;
    Str id = c->http->request.part[0];
    c->what = arena_cat(c->arena, STR("Communication/"), id, STR("/$review"));
    TRY(access_may(c->caller, ACCESS_UPDATE, GLASS_RIGHT, &c->err));
    TRY(review_read(c, &review));
    TRY(record_read(c, id, &v, &d));
    StoreAuthor author = access_author(c->caller);
    StoreBatch *b = store_batch_new(c->api->store, c->arena, &author,
                                    arena_cat(c->arena, STR("review "), c->what));
    TRY(store_batch_update(b, STR("Communication"), id,
                           api_glass_reviewed(c, &d, review.verdict, review.text), v.vid, &c->err));
    TRY(access_audit_ready(c->api->access, &c->err));
    TRY(store_commit(b, &receipt, &c->err));
    c->changed = true;
    api_result_version(c, 200, &receipt.versions[0], &c->result);
    return OK;
}
