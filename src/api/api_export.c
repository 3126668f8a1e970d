/*
 * $export of FHIR Bulk Data (system, Patient, Group/{id}) and /exports/{id}: kick-off, status,
 * files, cancelling. Who asked, in the post it was asked in, is the only one an export exists for.
 */
#include "api_export_job.h"
#include "api_jobs.h"

#include "access_param.h"
#include "fhir_params.h"

#define PATIENTS_ASKED_MAX 1000u

typedef struct Ask {
    ApiCall *c;
    ExportJob job;
    bool compartment; /* Patient and Group level: only what is a patient's */
    Str *type;
    bool typed; /* _type was given */
    ExportFilter *filter;
    Str *patient;
} Ask;

/* ---- What is asked ------------------------------------------------------------------------ */

static const char KNOWN[] = "_outputFormat, _since, _type, _typeFilter, patient";

static Status bad(Ask *ask, Str name, const char *zh, const char *en)
{
    return api_ask_bad(ask->c, name, zh, en);
}

static bool in_compartment(Str type)
{
    unsigned links;
    bool self;
    fhir_patient_links(fhir_resource_find(type), &links, &self);
    return links > 0 || self;
}

static bool type_readable(const Ask *ask, Str type)
{
    return access_may(ask->c->caller, ACCESS_READ, type, NULL) == OK &&
           (!ask->compartment || in_compartment(type));
}

static Status type_add(Ask *ask, Str name, Str type)
{
    if (!fhir_resource_find(type)) {
        return bad(ask, name, "含有不认识的资源类型", "names an unknown resource type");
    }
    for (size_t i = 0; i < ask->job.type_n; i++) {
        if (str_eq(ask->type[i], type)) {
            return OK;
        }
    }
    if (type_readable(ask, type)) {
        ask->type[ask->job.type_n++] = type;
    }
    return OK;
}

static Status types_take(Ask *ask, Str name, Str value)
{
    ask->typed = true;
    for (Str rest = value, one; rest.n;) {
        str_cut(rest, ',', &one, &rest);
        TRY(type_add(ask, name, str_trim(one)));
    }
    return OK;
}

/* "Observation?status=final&date=gt2020", several by commas before a type. */
static Status filter_add(Ask *ask, Str name, Str text)
{
    Str type, query;
    StoreQuery *q;
    str_cut(text, '?', &type, &query);
    if (!fhir_resource_find(type) || ask->job.filter_n == EXPORT_FILTERS_MAX) {
        return bad(ask, name, "应为 类型?查询", "must be Type?query");
    }
    TRY(store_query_parse(ask->c->api->store, ask->c->arena, type, query, false,
                          ask->c->api->options.zone_min, &q, &ask->c->err));
    ask->filter[ask->job.filter_n++] = (ExportFilter){type, query};
    return OK;
}

/* A comma parts two filters only before "Type?": others belong to a value. */
static size_t filter_end(Str text)
{
    for (size_t i = 0; i < text.n; i++) {
        Str type, rest = str_skip(text, i + 1);
        if (text.p[i] == ',' && str_cut(rest, '?', &type, &rest) && fhir_resource_find(type)) {
            return i;
        }
    }
    return text.n;
}

static Status filters_take(Ask *ask, Str name, Str value)
{
    for (Str rest = value; rest.n;) {
        size_t end = filter_end(rest);
        TRY(filter_add(ask, name, str_take(rest, end)));
        rest = str_skip(rest, end + 1);
    }
    return OK;
}

static Status format_take(Ask *ask, Str name, Str value)
{
    static const char *const NAMES[] = {"application/fhir+ndjson", "application/ndjson",
                                        "application/fhir ndjson", "ndjson"};
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) { /* a plus that was not encoded */
        if (str_is(value, NAMES[i])) {
            return OK;
        }
    }
    return bad(ask, name, "只能是 application/fhir+ndjson", "can only be application/fhir+ndjson");
}

/* One that the caller may see; all others are told in the same words. */
static Status patient_add(Ask *ask, Str name, Str reference)
{
    ApiCall *c = ask->c;
    Str id = api_id_of(reference, "Patient");
    StoreVersion v;
    if (ask->job.patient_n == PATIENTS_ASKED_MAX) {
        return bad(ask, name, "过多，请用 Group", "is given too often; use a Group");
    }
    if (store_read(c->reader, c->arena, &c->caller->view, STR("Patient"), id, &v, NULL) != OK) {
        return err_add(&c->err, ERR_INVALID, "not-found", name, "没有找到患者 %.*s",
                       "The patient %.*s was not found", STR_ARG(id));
    }
    ask->patient[ask->job.patient_n++] = v.id;
    ask->job.members = true;
    return OK;
}

static Status value_take(void *ctx, const ApiAsked *asked)
{
    static const struct {
        const char *name;
        Status (*take)(Ask *ask, Str name, Str value);
    } TAKES[] = {{"_type", types_take},
                 {"_typeFilter", filters_take},
                 {"_outputFormat", format_take},
                 {"patient", patient_add}};
    Ask *ask = ctx;
    for (size_t i = 0; i < sizeof TAKES / sizeof *TAKES; i++) {
        if (str_is(asked->name, TAKES[i].name)) {
            return TAKES[i].take(ask, asked->name, asked->value);
        }
    }
    return str_is(asked->name, "_since") ? api_ask_instant(ask->c, asked, &ask->job.since_ms)
                                         : api_ask_unknown(ask->c, asked->name, KNOWN);
}

/* ---- Which types, whose ------------------------------------------------------------------- */

/* Without _type all; those that a filter names come in any case. */
static Status types_settle(Ask *ask)
{
    for (size_t i = 0; i < ask->job.filter_n; i++) {
        if (ask->typed) {
            TRY(type_add(ask, STR("_typeFilter"), ask->filter[i].type));
        }
    }
    for (unsigned i = 0; !ask->typed && i < fhir_resource_count; i++) {
        TRY(type_add(ask, STR_NONE, fhir_type_name(fhir_resource_at(i))));
    }
    ask->job.type = ask->type;
    ask->job.filter = ask->filter;
    ask->job.patient = ask->patient;
    return OK;
}

/* The members of a group that the caller sees; others are none. */
static Status group_take(Ask *ask, Str id)
{
    ApiCall *c = ask->c;
    StoreVersion group;
    JsonDoc *d = arena_new(c->arena, JsonDoc);
    TRY(api_read_version(c, STR("Group"), id, STR_NONE, &group, &c->err));
    TRY(json_parse(c->arena, group.body, &JSON_LIMITS_FHIR, d, &c->err));
    JsonRef list = json_get_c(d, JSON_ROOT, "member");
    const Str *asked = ask->patient;
    size_t asked_n = ask->job.patient_n, n = json_count(d, list);
    Str *member = arena_array(c->arena, Str, n + 1);
    size_t member_n = 0;
    if (n > EXPORT_MEMBERS_MAX) {
        return err_add(&c->err, ERR_TOO_LARGE, "too-costly", STR("Group.member"), "组员过多",
                       "The group has too many members");
    }
    for (JsonIter it = json_iter(d, list); json_next(&it);) {
        Str who = json_str_at(d, it.value, "entity.reference");
        bool patient = str_starts(who, STR("Patient/")) &&
                       !json_is_true(d, json_get_c(d, it.value, "inactive"));
        who = str_skip(who, 8);
        bool wanted = asked_n == 0;
        for (size_t i = 0; i < asked_n; i++) {
            wanted |= str_eq(asked[i], who);
        }
        if (patient && wanted && store_patient_visible(c->reader, &c->caller->view, who)) {
            member[member_n++] = who;
        }
    }
    ask->patient = member;
    ask->job.patient_n = member_n;
    ask->job.members = true;
    return OK;
}

/* ---- Kick-off ----------------------------------------------------------------------------- */

static Status async_check(ApiCall *c)
{
    if (str_find(http_header(&c->http->request, "Prefer"), STR("respond-async")) >= 0) {
        return OK;
    }
    return err_add(&c->err, ERR_INVALID, "not-supported", STR("Prefer"),
                   "$export 在后台完成，请求须带请求头 Prefer: respond-async",
                   "$export works in the background: the request needs the header Prefer: "
                   "respond-async");
}

static Str url_called(ApiCall *c)
{
    const HttpRequest *r = &c->http->request;
    return arena_cat(c->arena, api_base_url(c), r->path, r->query.n ? STR("?") : STR_NONE,
                     r->query);
}

static void ask_init(ApiCall *c, bool compartment, Ask *ask)
{
    *ask = (Ask){.c = c,
                 .compartment = compartment,
                 .type = arena_array(c->arena, Str, fhir_resource_count),
                 .filter = arena_array(c->arena, ExportFilter, EXPORT_FILTERS_MAX),
                 .patient = arena_array(c->arena, Str, PATIENTS_ASKED_MAX)};
    ask->job = (ExportJob){.username = c->caller->username,
                           .post = c->caller->post.post,
                           .request = url_called(c),
                           .since_ms = TIME_NONE};
}

static Status kick_off(Ask *ask)
{
    ApiCall *c = ask->c;
    TRY(types_settle(ask));
    ask->job.seq = store_seq(c->api->store);
    ask->job.at_ms = clock_now(c->api->options.clock);
    TRY(export_begin(c->api, c->arena, &ask->job, &c->err));
    http_set_header(c->http, "Content-Location",
                    arena_cat(c->arena, api_base_url(c), STR("/exports/"), ask->job.id));
    c->result = (ApiResult){.status = 202};
    return OK;
}

static Status export_ask(ApiCall *c, bool compartment, Str group)
{
    Ask ask;
    c->what = str_skip(c->http->request.path, strlen("/fhir/"));
    TRY(access_may(c->caller, ACCESS_READ, STR("$export"), &c->err));
    TRY(async_check(c));
    ask_init(c, compartment, &ask);
    TRY(api_ask_read(c, value_take, &ask));
    if (group.n) {
        TRY(group_take(&ask, group));
    }
    return kick_off(&ask);
}

Status api_export_system(ApiCall *c)
{
    return export_ask(c, false, STR_NONE);
}

Status api_export_patients(ApiCall *c)
{
    return export_ask(c, true, STR_NONE);
}

Status api_export_group(ApiCall *c)
{
    return export_ask(c, true, c->http->request.part[0]);
}

Status api_export_groups(ApiCall *c)
{
    return err_add(&c->err, ERR_INVALID, "required", STR("Group"),
                   "请指明哪一个组：Group/{id}/$export", "Say which group: Group/{id}/$export");
}

/* ---- Status and files --------------------------------------------------------------------- */

static Status own_export(ApiCall *c, ExportJob *ret)
{
    Str id = c->http->request.part[0];
    c->what = arena_cat(c->arena, STR("exports/"), id);
    TRY(export_load(c->api, c->arena, id, ret, &c->err));
    if (!str_eq(ret->username, c->caller->username) || !str_eq(ret->post, c->caller->post.post)) {
        return export_load(c->api, c->arena, STR_NONE, ret, &c->err); /* there is none for you */
    }
    return OK;
}

static void file_list(ApiCall *c, JsonWriter *w, const ExportJob *job, const char *name,
                      bool deleted)
{
    Str base = arena_cat(c->arena, api_base_url(c), STR("/exports/"), job->id, STR("/"));
    json_key_open(w, name, '[');
    for (size_t i = 0; i < job->file_n; i++) {
        const ExportFile *f = &job->file[i];
        if (f->deleted == deleted) {
            json_open(w, '{');
            json_member_str(w, "type", f->type);
            json_member_str(w, "url", arena_cat(c->arena, base, f->name));
            json_member_i64(w, "count", (int64_t)f->count);
            json_close(w, '}');
        }
    }
    json_close(w, ']');
}

static void manifest(ApiCall *c, const ExportJob *job)
{
    Buf out;
    int64_t now_ms = clock_now(c->api->options.clock);
    JsonWriter w = json_begin(&out, '{');
    json_member_str(&w, "transactionTime",
                    time_iso(c->arena, job->at_ms, c->api->options.zone_min));
    json_member_str(&w, "request", job->request);
    json_member_bool(&w, "requiresAccessToken", true);
    file_list(c, &w, job, "output", false);
    file_list(c, &w, job, "deleted", true);
    json_key_open(&w, "error", '[');
    json_close(&w, ']');
    int64_t until_ms = job->finished_ms + access_param(ACCESS_EXPORT_KEPT_MS, now_ms);
    http_set_header(c->http, "Expires", http_date(c->arena, until_ms));
    c->result = (ApiResult){.status = 200,
                            .body = json_end(&w, '}', c->arena),
                            .media = "application/json; charset=utf-8"};
}

static void still_working(ApiCall *c, const ExportJob *job)
{
    ExportProgress p;
    export_progress(c->api, c->arena, job->id, &p);
    Str words = p.running ? arena_printf(c->arena, "%.*s: %zu of %zu types, %llu resources",
                                         STR_ARG(p.type), job->done_n, job->type_n,
                                         (unsigned long long)p.count)
                          : STR("waits for another export");
    jobs_answer_waits(c, words);
}

Status api_export_status(ApiCall *c)
{
    ExportJob job;
    TRY(own_export(c, &job));
    if (job.state == EXPORT_FAILED) {
        return err_text(&c->err, ERR_INTERNAL, "exception", STR_NONE, job.zh, job.en);
    }
    if (job.state == EXPORT_WAITS) {
        still_working(c, &job);
    } else {
        manifest(c, &job);
    }
    return OK;
}

/* For the audit: whose data are fetched. They were told apart when the part was written. */
static Status patients_touch(ApiCall *c, const ExportJob *job, Str part)
{
    Str list, name = arena_cat(c->arena, part, STR(EXPORT_PATIENTS));
    TRY(file_read(c->arena, export_path(c->api, c->arena, job->id, name), EXPORT_PART_BYTES, &list,
                  &c->err));
    c->patients = arena_array(c->arena, Str, list.n / 2 + 1);
    c->patients_n = 0;
    c->patients_room = list.n / 2 + 1;
    while (list.n) {
        str_cut(list, '\n', &c->patients[c->patients_n++], &list);
    }
    return OK;
}

Status api_export_file(ApiCall *c)
{
    ExportJob job;
    Str name = c->http->request.part[1];
    TRY(own_export(c, &job));
    c->what = arena_cat(c->arena, c->what, STR("/"), name);
    for (size_t i = 0; i < job.file_n && job.state == EXPORT_DONE; i++) {
        if (str_eq(job.file[i].name, name)) {
            TRY(patients_touch(c, &job, name));
            c->result = (ApiResult){.status = 200, .media = "application/fhir+ndjson"};
            return file_read(c->arena, export_path(c->api, c->arena, job.id, name),
                             2 * EXPORT_PART_BYTES + JSON_LIMITS_FHIR.bytes, &c->result.body,
                             &c->err);
        }
    }
    return err_status(&c->err, ERR_NOT_FOUND);
}

Status api_export_remove(ApiCall *c)
{
    ExportJob job;
    TRY(own_export(c, &job));
    export_remove(c->api, job.id);
    c->result = (ApiResult){.status = 202};
    return OK;
}
