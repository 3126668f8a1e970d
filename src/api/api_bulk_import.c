/*
 * $import and /bulk-imports/{id}: NDJSON that is sent (application/fhir+ndjson), or fetched from
 * sources that an administrator has allowed (a manifest as JSON, or Parameters with `input`).
 */
#include "api_allow.h"
#include "api_bulk.h"
#include "api_jobs.h"

#include "fhir_types.h"

/* ---- What is asked -------------------------------------------------------------------------- */

static Status input_add(ApiCall *c, BulkJob *job, Str type, Str url)
{
    if (job->input_n == BULK_INPUTS_MAX) {
        return api_ask_bad(c, STR("input"), "过多", "is given too often");
    }
    if (type.n && !fhir_resource_find(type)) {
        return api_ask_bad(c, STR("type"), "不是 R4 资源类型", "is no resource type of R4");
    }
    if (!api_allowed(c->reader, ALLOW_SOURCES, url)) {
        return err_add(
            &c->err, ERR_INVALID, "security", STR("url"), "来源 %.*s 不在管理员允许的名单内",
            "The source %.*s is not one that an administrator has allowed", STR_ARG(url));
    }
    job->input[job->input_n++] = (BulkInput){.type = type, .url = url};
    return OK;
}

static Status format_check(ApiCall *c, Str format)
{
    return !format.n || str_find(format, STR("ndjson")) >= 0
               ? OK
               : api_ask_bad(c, STR("inputFormat"), "应为 application/fhir+ndjson",
                             "is application/fhir+ndjson");
}

static Str part_text(const JsonDoc *d, JsonRef parts, const char *name)
{
    static const char *const KEYS[] = {"valueUrl", "valueUri", "valueString", "valueCode"};
    for (JsonIter it = json_iter(d, parts); json_next(&it);) {
        for (size_t i = 0;
             str_is(json_str_at(d, it.value, "name"), name) && i < sizeof KEYS / sizeof *KEYS;
             i++) {
            Str text = json_str_at(d, it.value, KEYS[i]);
            if (text.n) {
                return text;
            }
        }
    }
    return STR_NONE;
}

static Status parameters_read(ApiCall *c, const JsonDoc *d, BulkJob *job)
{
    for (JsonIter it = json_iter(d, json_get_c(d, JSON_ROOT, "parameter")); json_next(&it);) {
        Str name = json_str_at(d, it.value, "name");
        JsonRef part = json_get_c(d, it.value, "part");
        if (str_is(name, "input")) {
            Str type = part_text(d, part, "type");
            type = type.n ? type : part_text(d, part, "resourceType");
            TRY(input_add(c, job, type, part_text(d, part, "url")));
        } else if (str_is(name, "inputFormat")) {
            Str code = json_str_at(d, it.value, "valueCode");
            TRY(format_check(c, code.n ? code : json_str_at(d, it.value, "valueString")));
        } else if (!str_is(name, "inputSource")) {
            TRY(api_ask_unknown(c, name, "inputFormat, inputSource, input"));
        }
    }
    return OK;
}

static Status manifest_read(ApiCall *c, const JsonDoc *d, BulkJob *job)
{
    TRY(format_check(c, json_str_at(d, JSON_ROOT, "inputFormat")));
    for (JsonIter it = json_iter(d, json_get_c(d, JSON_ROOT, "input")); json_next(&it);) {
        TRY(input_add(c, job, json_str_at(d, it.value, "type"), json_str_at(d, it.value, "url")));
    }
    return OK;
}

static Status body_read(ApiCall *c, BulkJob *job, Str *ret_sent)
{
    const HttpRequest *r = &c->http->request;
    JsonDoc *d = arena_new(c->arena, JsonDoc);
    Str media = http_media(c->arena, http_header(r, "Content-Type"));
    *ret_sent = STR_NONE;
    if (str_find(media, STR("ndjson")) >= 0) {
        *ret_sent = r->body;
        job->input_n = r->body.n ? 1 : 0;
    } else if (!api_media_is_fhir(media)) {
        return err_add(&c->err, ERR_MEDIA, NULL, STR_NONE,
                       "请求内容应为 application/fhir+ndjson、清单（JSON）或 Parameters",
                       "The body is application/fhir+ndjson, a manifest (JSON) or Parameters");
    } else {
        TRY(json_parse(c->arena, r->body, &JSON_LIMITS_FHIR, d, &c->err));
        bool parameters = str_is(json_str_at(d, JSON_ROOT, "resourceType"), "Parameters");
        TRY(parameters ? parameters_read(c, d, job) : manifest_read(c, d, job));
    }
    return job->input_n ? OK
                        : err_add(&c->err, ERR_INVALID, "required", STR("input"), "没有输入",
                                  "There is no input");
}

Status api_bulk_import(ApiCall *c)
{
    Str sent;
    c->what = STR("$import");
    TRY(access_may(c->caller, ACCESS_CREATE, STR("$import"), &c->err));
    if (str_find(http_header(&c->http->request, "Prefer"), STR("respond-async")) < 0) {
        return err_add(&c->err, ERR_INVALID, "not-supported", STR("Prefer"),
                       "$import 在后台完成，请求须带请求头 Prefer: respond-async",
                       "$import works in the background: the request needs the header Prefer: "
                       "respond-async");
    }
    BulkJob job = {.username = c->caller->username,
                   .name = c->caller->name,
                   .practitioner = c->caller->practitioner,
                   .role = c->caller->post.role,
                   .organization = c->caller->post.organization,
                   .post = c->caller->post.post,
                   .request = arena_cat(c->arena, api_base_url(c), c->http->request.path),
                   .at_ms = clock_now(c->api->options.clock),
                   .input = arena_array(c->arena, BulkInput, BULK_INPUTS_MAX)};
    TRY(body_read(c, &job, &sent));
    TRY(bulk_begin(c->api, c->arena, &job, sent, &c->err));
    http_set_header(c->http, "Content-Location",
                    arena_cat(c->arena, api_base_url(c), STR("/bulk-imports/"), job.id));
    c->result = (ApiResult){.status = 202};
    return OK;
}

/* ---- Status and what was refused ------------------------------------------------------------ */

static Status own_import(ApiCall *c, BulkJob *ret)
{
    Str id = c->http->request.part[0];
    c->what = arena_cat(c->arena, STR("bulk-imports/"), id);
    TRY(bulk_load(c->api, c->arena, id, ret, &c->err));
    bool own =
        str_eq(ret->username, c->caller->username) && str_eq(ret->post, c->caller->post.post);
    return own ? OK : bulk_load(c->api, c->arena, STR_NONE, ret, &c->err);
}

static void input_write(ApiCall *c, JsonWriter *w, const BulkJob *job, size_t i, bool refused)
{
    const BulkInput *in = &job->input[i];
    json_open(w, '{');
    json_member_c(w, "type", "OperationOutcome");
    json_member_str(w, "inputUrl", in->url);
    json_member_i64(w, "count", (int64_t)(refused ? in->refused : in->imported));
    if (refused) {
        json_member_str(w, "url",
                        arena_cat(c->arena, api_base_url(c), STR("/bulk-imports/"), job->id,
                                  STR("/"), bulk_file(c->arena, "refused.", i)));
    }
    json_close(w, '}');
}

static void result_write(ApiCall *c, const BulkJob *job)
{
    Buf out;
    JsonWriter w = json_begin(&out, '{');
    json_member_str(&w, "transactionTime",
                    time_iso(c->arena, job->at_ms, c->api->options.zone_min));
    json_member_str(&w, "request", job->request);
    json_member_bool(&w, "requiresAccessToken", true);
    json_key_open(&w, "output", '[');
    for (size_t i = 0; i < job->input_n; i++) {
        input_write(c, &w, job, i, false);
    }
    json_close(&w, ']');
    json_key_open(&w, "error", '[');
    for (size_t i = 0; i < job->input_n; i++) {
        if (job->input[i].refused) {
            input_write(c, &w, job, i, true);
        }
    }
    json_close(&w, ']');
    c->result = (ApiResult){.status = 200,
                            .body = json_end(&w, '}', c->arena),
                            .media = "application/json; charset=utf-8"};
}

Status api_bulk_import_status(ApiCall *c)
{
    BulkJob job;
    size_t input;
    uint64_t lines;
    TRY(own_import(c, &job));
    if (job.state == BULK_FAILED) {
        return err_text(&c->err, ERR_INTERNAL, "exception", STR_NONE, job.zh, job.en);
    }
    if (job.state == BULK_DONE) {
        result_write(c, &job);
        return OK;
    }
    bool running = bulk_progress(c->api, job.id, &input, &lines);
    jobs_answer_waits(c, running ? arena_printf(c->arena, "input %zu of %zu, %llu lines", input + 1,
                                                job.input_n, (unsigned long long)lines)
                                 : STR("waits for another import"));
    return OK;
}

Status api_bulk_import_file(ApiCall *c)
{
    BulkJob job;
    Str name = c->http->request.part[1];
    TRY(own_import(c, &job));
    c->what = arena_cat(c->arena, c->what, STR("/"), name);
    for (size_t i = 0; i < job.input_n && job.state == BULK_DONE; i++) {
        if (job.input[i].refused && str_eq(name, bulk_file(c->arena, "refused.", i))) {
            c->result = (ApiResult){.status = 200, .media = "application/fhir+ndjson"};
            return file_read(c->arena, bulk_path(c->api, c->arena, job.id, name), (size_t)256 << 20,
                             &c->result.body, &c->err);
        }
    }
    return err_status(&c->err, ERR_NOT_FOUND);
}

Status api_bulk_import_remove(ApiCall *c)
{
    BulkJob job;
    TRY(own_import(c, &job));
    bulk_remove(c->api, job.id);
    c->result = (ApiResult){.status = 202};
    return OK;
}
