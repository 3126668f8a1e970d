/*
 * $reindex, for administrators: the whole index anew (POST /fhir/$reindex), or waiting until one
 * SearchParameter can be searched by (POST /fhir/SearchParameter/ID/$reindex; its rows are made in
 * any case). Both work in the background; /reindexes/ID tells how far they are.
 *
 * Each lies in DIR/reindex/ID as job.json. After a restart one that was not finished begins again.
 */
#include "api_jobs.h"

#include <stdlib.h>

#include "store_params.h"

#include "mk_banned.h"

#define JOB_BYTES_MAX 65536u
#define LOOK_MS       100

typedef struct ReindexJob {
    Str id, username, param;    /* param: id of a SearchParameter; empty: the whole index */
    int64_t at_ms, finished_ms; /* TIME_NONE: not yet */
    bool failed;
    Str zh, en; /* why it failed */
} ReindexJob;

struct ApiReindexes {
    ApiJobs *jobs;
    atomic_uint_fast64_t done, total; /* of the one that runs */
};

static const JobKind REINDEX;

/* ---- job.json -------------------------------------------------------------------------------- */

static Status job_save(const Api *api, Arena *a, const ReindexJob *job, Err *err)
{
    Buf out;
    JsonWriter w = json_begin(&out, '{');
    json_member_str(&w, "id", job->id);
    json_member_str(&w, "username", job->username);
    json_member_str(&w, "param", job->param);
    json_member_i64(&w, "at", job->at_ms);
    if (job->finished_ms != TIME_NONE) {
        json_member_i64(&w, "finished", job->finished_ms);
    }
    json_member_bool(&w, "failed", job->failed);
    json_member_str(&w, "zh", job->zh);
    json_member_str(&w, "en", job->en);
    return file_write_durable(jobs_path(api, a, &REINDEX, job->id, STR("job.json")),
                              json_end(&w, '}', a), 0600, err);
}

static Status job_load(const Api *api, Arena *a, Str id, ReindexJob *ret, Err *err)
{
    Str text;
    JsonDoc *d = arena_new(a, JsonDoc);
    if (!job_id_good(id) ||
        file_read(a, jobs_path(api, a, &REINDEX, id, STR("job.json")), JOB_BYTES_MAX, &text,
                  NULL) != OK ||
        json_parse(a, text, &JSON_LIMITS_FHIR, d, NULL) != OK) {
        return err_add(err, ERR_NOT_FOUND, NULL, STR_NONE, "没有这个任务，或已过期",
                       "There is no such job, or it has expired");
    }
    *ret = (ReindexJob){.id = json_str_at(d, JSON_ROOT, "id"),
                        .username = json_str_at(d, JSON_ROOT, "username"),
                        .param = json_str_at(d, JSON_ROOT, "param"),
                        .finished_ms = TIME_NONE,
                        .failed = json_is_true(d, json_get_c(d, JSON_ROOT, "failed")),
                        .zh = json_str_at(d, JSON_ROOT, "zh"),
                        .en = json_str_at(d, JSON_ROOT, "en")};
    (void)json_to_i64(d, json_get_c(d, JSON_ROOT, "at"), &ret->at_ms);
    (void)json_to_i64(d, json_get_c(d, JSON_ROOT, "finished"), &ret->finished_ms);
    return OK;
}

/* ---- The work -------------------------------------------------------------------------------- */

static void progress_take(void *ctx, const char *what, uint64_t done, uint64_t total)
{
    Api *api = ctx;
    (void)what;
    atomic_store(&api->reindexes->done, done);
    atomic_store(&api->reindexes->total, total);
    if (!jobs_going(api->reindexes->jobs)) {
        store_reindex_stop(api->store);
    }
}

static bool param_find(const Api *api, Arena *a, Str id, StoreParam *ret)
{
    StoreParam *list;
    size_t n;
    store_params_list(api->store, a, &list, &n);
    for (size_t i = 0; i < n; i++) {
        if (str_eq(list[i].id, id)) {
            *ret = list[i];
            return true;
        }
    }
    return false;
}

/* Until its rows are there; the store makes them by itself. */
static Status param_wait(Api *api, Str id, Err *err)
{
    Arena a;
    StoreParam p = {.state = STORE_PARAM_BUILDING};
    arena_init(&a, 0);
    bool there = true;
    while (there && p.state == STORE_PARAM_BUILDING && jobs_going(api->reindexes->jobs)) {
        (void)store_wait(api->store, UINT64_MAX, LOOK_MS);
        arena_reset(&a);
        there = param_find(api, &a, id, &p);
        progress_take(api, NULL, p.done, p.total);
    }
    Status s = !there ? err_add(err, ERR_NOT_FOUND, NULL, STR_NONE, "该检索参数已停用",
                                "The search parameter is not in use any more")
               : p.state == STORE_PARAM_FAULTY
                   ? err_text(err, ERR_UNPROCESSABLE, NULL, STR_NONE, p.zh, p.en)
                   : OK;
    arena_done(&a);
    return s;
}

static void reindex_do(Api *api, StoreReader *r, Arena *a, Str id)
{
    Err err;
    ReindexJob job;
    (void)r;
    err_init(&err, a);
    if (job_load(api, a, id, &job, &err) != OK) {
        return; /* taken away meanwhile */
    }
    progress_take(api, NULL, 0, 0);
    Status s = job.param.n ? param_wait(api, job.param, &err)
                           : store_reindex(api->store, progress_take, api, &err);
    if (!jobs_going(api->reindexes->jobs)) {
        return; /* cancelled, or begun again after the restart */
    }
    job.finished_ms = clock_now(api->options.clock);
    job.failed = s != OK;
    job.zh = s != OK && err.first ? err.first->zh : STR_NONE;
    job.en = s != OK && err.first ? err.first->en : STR_NONE;
    if (job_save(api, a, &job, NULL) != OK) {
        log_warn("api", "what became of the reindex %.*s cannot be written down", STR_ARG(id));
    }
}

static Status reindex_stand(const Api *api, Arena *a, Str id, JobStand *ret)
{
    ReindexJob job;
    TRY(job_load(api, a, id, &job, NULL));
    *ret = (JobStand){job.at_ms, job.finished_ms};
    return OK;
}

static const JobKind REINDEX = {
    .folder = "reindex",
    .kept = ACCESS_EXPORT_KEPT_MS,
    .stand = reindex_stand,
    .run = reindex_do,
};

Status api_reindexes_open(Api *api, Err *err)
{
    api->reindexes = memory_take_zeroed(sizeof *api->reindexes);
    return jobs_open(api, &REINDEX, &api->reindexes->jobs, err);
}

void api_reindexes_close(Api *api)
{
    if (api->reindexes) {
        jobs_close(api->reindexes->jobs);
        free(api->reindexes);
        api->reindexes = NULL;
    }
}

/* ---- Asked for ------------------------------------------------------------------------------- */

static Status job_keep(Api *api, Arena *a, Str id, void *ctx, Err *err)
{
    ReindexJob *job = ctx;
    job->id = id;
    return job_save(api, a, job, err);
}

static Status async_check(ApiCall *c)
{
    if (str_find(http_header(&c->http->request, "Prefer"), STR("respond-async")) >= 0) {
        return OK;
    }
    return err_add(&c->err, ERR_INVALID, "not-supported", STR("Prefer"),
                   "$reindex 在后台完成，请求须带请求头 Prefer: respond-async",
                   "$reindex works in the background: the request needs the header Prefer: "
                   "respond-async");
}

static Status reindex_begin(ApiCall *c, Str param)
{
    ReindexJob job = {.username = c->caller->username,
                      .param = param,
                      .at_ms = clock_now(c->api->options.clock),
                      .finished_ms = TIME_NONE};
    TRY(api_query_only(c, API_FORM_PARAMETERS));
    TRY(async_check(c));
    TRY(jobs_begin(c->api->reindexes->jobs, c->arena, job_keep, &job, &c->err));
    http_set_header(c->http, "Content-Location",
                    arena_cat(c->arena, api_base_url(c), STR("/reindexes/"), job.id));
    c->result = (ApiResult){.status = 202};
    return OK;
}

Status api_reindex_all(ApiCall *c)
{
    c->what = STR("$reindex");
    TRY(access_may(c->caller, ACCESS_UPDATE, STR("$reindex"), &c->err));
    return reindex_begin(c, STR_NONE);
}

Status api_reindex_param(ApiCall *c)
{
    StoreParam p;
    Str id = c->http->request.part[0];
    c->what = arena_cat(c->arena, STR("SearchParameter/"), id, STR("/$reindex"));
    TRY(access_may(c->caller, ACCESS_UPDATE, STR("$reindex"), &c->err));
    return param_find(c->api, c->arena, id, &p)
               ? reindex_begin(c, id)
               : err_add(&c->err, ERR_NOT_FOUND, NULL, STR_NONE,
                         "没有启用的检索参数 SearchParameter/%.*s",
                         "SearchParameter/%.*s is no search parameter in use", STR_ARG(id));
}

/* ---- /reindexes/ID --------------------------------------------------------------------------- */

static Status job_of(ApiCall *c, AccessDo what, ReindexJob *ret)
{
    Str id = c->http->request.part[0];
    c->what = arena_cat(c->arena, STR("reindexes/"), id);
    TRY(access_may(c->caller, what, STR("$reindex"), &c->err));
    return job_load(c->api, c->arena, id, ret, &c->err);
}

static void still_working(ApiCall *c, const ReindexJob *job)
{
    ApiReindexes *x = c->api->reindexes;
    Str words = jobs_runs(x->jobs, job->id)
                    ? arena_printf(c->arena, "%llu of %llu", (unsigned long long)x->done,
                                   (unsigned long long)x->total)
                    : STR("waits for another reindex");
    jobs_answer_waits(c, words);
}

Status api_reindex_status(ApiCall *c)
{
    ReindexJob job;
    TRY(job_of(c, ACCESS_READ, &job));
    if (job.finished_ms == TIME_NONE) {
        still_working(c, &job);
        return OK;
    }
    if (job.failed) {
        return err_text(&c->err, ERR_INTERNAL, "exception", STR_NONE, job.zh, job.en);
    }
    Err fine;
    Buf out;
    err_init(&fine, c->arena);
    err_warn(&fine, "informational", STR_NONE, STR("索引已重建"), STR("The index is built"));
    fine.last->severity = SEVERITY_INFORMATION;
    buf_init(&out, 0);
    fhir_outcome_write(&out, &fine, c->lang);
    c->result = (ApiResult){.status = 200, .body = buf_take(&out, c->arena)};
    return OK;
}

Status api_reindex_remove(ApiCall *c)
{
    ReindexJob job;
    TRY(job_of(c, ACCESS_UPDATE, &job));
    jobs_remove(c->api->reindexes->jobs, job.id);
    c->result = (ApiResult){.status = 202};
    return OK;
}
