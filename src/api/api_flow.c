/* The pathway engine's operations: $start, $act, what may be done, and what is printed. */
#include "api_inner.h"

/* What the query of $start and $act may say. A dry run that is misspelt must not become a real one.
 */
static Status query_read(ApiCall *c, FlowRequest *q)
{
    Str rest = c->http->request.query, name, value;
    while (http_next_pair(&rest, &name, &value)) {
        if (!str_is(name, "_dry")) {
            TRY(api_ask_unknown(c, name, "_dry"));
            continue;
        }
        q->dry = str_is(value, "true");
        if (!q->dry && !str_is(value, "false")) {
            return api_ask_bad(c, name, "应为 true 或 false", "must be true or false");
        }
    }
    return OK;
}

static void flow_asked(ApiCall *c, FlowRequest *ret)
{
    *ret = (FlowRequest){.caller = c->caller,
                         .reader = c->reader,
                         .arena = c->arena,
                         .now_ms = clock_now(c->api->options.clock)};
}

static Status flow_request(ApiCall *c, FlowRequest *ret)
{
    flow_asked(c, ret);
    TRY(query_read(c, ret));
    if (!ret->dry) {
        TRY(api_idempotency_key(c, &ret->idempotency_key, &c->err));
    }
    if (ret->idempotency_key.n) {
        ret->body_sha = api_body_sha(c);
    }
    return OK;
}

/* ---- Parameters -------------------------------------------------------------------------------
 */

typedef struct FlowInput {
    JsonDoc doc;
    Str pathway, action, patient, focus, owner, secret;
    JsonRef form, secret_at;
    bool by_code; /* the secret is a one-time code, not the password */
} FlowInput;

static Status part_bad(ApiCall *c, Str name)
{
    return err_add(&c->err, ERR_INVALID, "invalid",
                   arena_cat(c->arena, STR("Parameters.parameter:"), name),
                   "参数 %.*s 不认识或类型不对",
                   "The parameter %.*s is not known here, or of another type", STR_ARG(name));
}

/* Two of one name would leave open which was meant. */
static Status part_once(ApiCall *c, Str name, bool first)
{
    return first ? OK
                 : err_add(&c->err, ERR_INVALID, "invalid",
                           arena_cat(c->arena, STR("Parameters.parameter:"), name),
                           "参数 %.*s 只能有一个", "There may be only one parameter %.*s",
                           STR_ARG(name));
}

/* Once, and one of them: two would leave open which was meant. */
static Status secret_take(ApiCall *c, FlowInput *in, Str name, JsonRef part)
{
    JsonRef at = json_get_c(&in->doc, part, "valueString");
    if (in->secret.n || !json_str(&in->doc, at).n) {
        return part_bad(c, name);
    }
    in->secret_at = at;
    in->secret = json_str(&in->doc, at);
    in->by_code = str_is(name, "otp");
    return OK;
}

static Status part_take(ApiCall *c, FlowInput *in, Str name, JsonRef part)
{
    if (str_is(name, "password") || str_is(name, "otp")) {
        return secret_take(c, in, name, part);
    }
    const struct {
        const char *name, *path;
        Str *ret;
    } texts[] = {{"pathway", "valueCode", &in->pathway},
                 {"action", "valueCode", &in->action},
                 {"patient", "valueReference.reference", &in->patient},
                 {"focus", "valueReference.reference", &in->focus},
                 {"owner", "valueReference.reference", &in->owner}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (str_is(name, texts[i].name)) {
            TRY(part_once(c, name, !texts[i].ret->n));
            *texts[i].ret = json_str_at(&in->doc, part, texts[i].path);
            return texts[i].ret->n ? OK : part_bad(c, name);
        }
    }
    TRY(part_once(c, name, in->form == JSON_NONE));
    in->form = json_get_c(&in->doc, part, "resource");
    return str_is(name, "form") && json_type(&in->doc, in->form) == JSON_OBJECT ? OK
                                                                                : part_bad(c, name);
}

static Status input_read(ApiCall *c, FlowInput *in)
{
    *in = (FlowInput){.form = JSON_NONE, .secret_at = JSON_NONE};
    TRY(api_body(c, &in->doc));
    if (!str_is(fhir_resource_type(&in->doc), "Parameters")) {
        return err_add(&c->err, ERR_INVALID, "invalid", STR("resourceType"),
                       "请求内容应为 Parameters", "The body must be Parameters");
    }
    TRY(fhir_validate(&in->doc, JSON_ROOT, STR("Parameters"), &c->err));
    JsonRef list = json_get_c(&in->doc, JSON_ROOT, "parameter");
    for (JsonIter it = json_iter(&in->doc, list); json_next(&it);) {
        TRY(part_take(c, in, json_str_at(&in->doc, it.value, "name"), it.value));
    }
    return OK;
}

static Status input_need(ApiCall *c, Str value, const char *name)
{
    if (value.n) {
        return OK;
    }
    return err_add(&c->err, ERR_INVALID, "required", STR("Parameters.parameter"), "缺少参数 %s",
                   "The parameter %s is missing", name);
}

/* ---- start, act
 * ----------------------------------------------------------------------------------- */

/* Cases are people's work: an integrator and the administrators take no step, whatever they send.
 */
static Status person_check(ApiCall *c)
{
    if (!c->caller->integrator && !c->caller->administrator) {
        return OK;
    }
    return err_rule(&c->err, ERR_FORBIDDEN, STR("not-a-person"), STR_NONE,
                    "此类账号不能发起或办理流程",
                    "An account of this kind neither starts nor acts on a case");
}

/* The request without its secret: what is kept for an Idempotency-Key must not help to guess it. */
static Sha256 sha_without_secret(const ApiCall *c, const FlowInput *in)
{
    const HttpRequest *r = &c->http->request;
    Str secret = json_raw(&in->doc, in->secret_at);
    size_t at = (size_t)(secret.p - in->doc.bytes.p);
    Str parts[] = {r->method_name,
                   STR(" "),
                   r->path,
                   STR("\n"),
                   str_take(in->doc.bytes, at),
                   str_skip(in->doc.bytes, at + secret.n)};
    return sha256_parts(parts, sizeof parts / sizeof *parts);
}

/* A password or code that comes with the request must be right, whether it was asked for or not. */
static Status secret_settle(ApiCall *c, const FlowInput *in, FlowRequest *q)
{
    Access *access = c->api->access;
    if (!in->secret.n) {
        return OK;
    }
    if (in->by_code) {
        TRY(access_factor_check(access, c->reader, c->caller, in->secret, &c->err));
    } else {
        TRY(access_password_check(access, c->reader, c->caller, in->secret, &c->err));
    }
    q->password_checked = !in->by_code;
    q->factor_checked = in->by_code;
    q->body_sha = sha_without_secret(c, in);
    return OK;
}

static void flow_answer(ApiCall *c, const FlowRequest *q, const FlowAnswer *a)
{
    if (q->dry) {
        c->result = (ApiResult){.status = 200, .body = a->dry_response};
        return;
    }
    ApiWrite w = {.method = FHIR_METHOD_POST, .status = a->http_status, .version = a->task};
    c->changed = true;
    api_write_result(c, &w, &c->result);
}

/* A dry run that is refused tells beside the faults what it computed all the same. */
static void dry_beside(ApiCall *c, const FlowRequest *q, const FlowAnswer *a)
{
    JsonDoc *d = arena_new(c->arena, JsonDoc);
    if (q->dry && a->dry_response.n &&
        json_parse(c->arena, a->dry_response, &JSON_LIMITS_FHIR, d, NULL) == OK) {
        c->beside = d;
    }
}

Status api_start(ApiCall *c)
{
    FlowInput in;
    FlowRequest q;
    FlowAnswer answer = {0};
    TRY(person_check(c));
    TRY(input_read(c, &in));
    TRY(input_need(c, in.pathway, "pathway"));
    TRY(input_need(c, in.patient, "patient"));
    TRY(flow_request(c, &q));
    c->what = arena_cat(c->arena, STR("start:"), in.pathway, STR(" "), in.patient);
    TRY(secret_settle(c, &in, &q));
    if (!q.dry) {
        TRY(access_audit_ready(c->api->access, &c->err));
    }
    q.draft_key = arena_cat(c->arena, STR("start:"), in.pathway, STR(":"), in.patient);
    Status status = flow_start(c->api->flow, &q, in.pathway, in.patient, in.focus, in.owner,
                               &in.doc, in.form, &answer, &c->err);
    dry_beside(c, &q, &answer);
    TRY(status);
    flow_answer(c, &q, &answer);
    return OK;
}

Status api_act(ApiCall *c)
{
    FlowInput in;
    FlowRequest q;
    FlowAnswer answer = {0};
    ApiWrite match = {0};
    Str id = c->http->request.part[0];
    TRY(person_check(c));
    TRY(input_read(c, &in));
    TRY(input_need(c, in.action, "action"));
    TRY(flow_request(c, &q));
    TRY(api_if_match(http_header(&c->http->request, "If-Match"), &match, &c->err));
    c->what = arena_cat(c->arena, STR("act:"), in.action, STR(" Task/"), id);
    TRY(secret_settle(c, &in, &q));
    if (!q.dry) {
        TRY(access_audit_ready(c->api->access, &c->err));
    }
    q.draft_key = arena_cat(c->arena, STR("Task/"), id, STR(":"), in.action);
    Status status = flow_act(c->api->flow, &q, id, match.if_match, in.action, &in.doc, in.form,
                             &answer, &c->err);
    dry_beside(c, &q, &answer);
    TRY(status);
    flow_answer(c, &q, &answer);
    return OK;
}

/* ---- what may be done, what is there, what is printed
 * ------------------------------------------------ */

static Status actions(ApiCall *c, Str task)
{
    FlowRequest q;
    flow_asked(c, &q);
    Buf out;
    buf_init(&out, 0);
    Status status = flow_actions(c->api->flow, &q, task, api_query(c, "pathway"),
                                 api_query(c, "patient"), &out, &c->err);
    c->result = (ApiResult){.status = 200, .body = buf_take(&out, c->arena)};
    return status;
}

Status api_task_actions(ApiCall *c)
{
    TRY(api_query_only(c, API_FORM_PARAMETERS));
    c->what = arena_cat(c->arena, STR("Task/"), c->http->request.part[0], STR("/$actions"));
    return actions(c, c->http->request.part[0]);
}

Status api_start_actions(ApiCall *c)
{
    TRY(api_query_only(c, "pathway, patient, " API_FORM_PARAMETERS));
    TRY(input_need(c, api_query(c, "pathway"), "pathway"));
    c->what = arena_cat(c->arena, STR("$actions "), api_query(c, "patient"));
    return actions(c, STR_NONE);
}

Status api_pathways(ApiCall *c)
{
    FlowRequest q;
    flow_asked(c, &q);
    Buf out;
    buf_init(&out, 0);
    Status status = flow_pathways(c->api->flow, &q, &out, &c->err);
    c->result = (ApiResult){.status = 200, .body = buf_take(&out, c->arena)};
    return status;
}

Status api_print(ApiCall *c)
{
    FlowRequest q;
    const Str *part = c->http->request.part;
    StoreVersion task;
    AccessCaller reader = *c->caller;
    Str lang = api_query(c, "lang");
    flow_asked(c, &q);
    reader.lang = lang.n ? api_lang(lang) : reader.lang; /* a link cannot carry Accept-Language */
    q.caller = &reader;
    c->what = arena_cat(c->arena, STR("print Task/"), part[0], STR(" "), part[1]);
    TRY(api_read_version(c, STR("Task"), part[0], STR_NONE, &task, &c->err));
    api_touch_version(c, &task);
    Buf out;
    buf_init(&out, 0);
    Status status = flow_print(c->api->flow, &q, part[0], part[1], &out, &c->err);
    c->result = (ApiResult){
        .status = 200, .body = buf_take(&out, c->arena), .media = "text/html; charset=utf-8"};
    http_set_header(c->http, "Content-Security-Policy",
                    STR("default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
                        "font-src 'self'; frame-ancestors 'self'"));
    return status;
}
