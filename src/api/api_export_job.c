/* What stands in an export's folder, and how far the one is that is being written. */
#include "api_export_job.h"

#include <stdlib.h>

#include "api_jobs.h"

#include "mk_banned.h"

#define JOB_BYTES_MAX ((size_t)32 << 20)
#define TYPE_NAME_MAX 64

struct ApiExports {
    ApiJobs *jobs;
    pthread_mutex_t lock;
    char type[TYPE_NAME_MAX]; /* that is being written */
    uint64_t count;
};

static const JobKind EXPORT;

const char *export_path(const Api *api, Arena *a, Str id, Str name)
{
    return jobs_path(api, a, &EXPORT, id, name);
}

/* ---- What stands in job.json ------------------------------------------------------------- */

static const char *const STATES[] = {"waits", "done", "failed"};

static void texts_write(JsonWriter *w, const char *name, const Str *at, size_t n)
{
    json_key_open(w, name, '[');
    for (size_t i = 0; i < n; i++) {
        json_put_str(w, at[i]);
    }
    json_close(w, ']');
}

static void files_write(JsonWriter *w, const ExportJob *job)
{
    json_key_open(w, "files", '[');
    for (size_t i = 0; i < job->file_n; i++) {
        json_open(w, '{');
        json_member_str(w, "type", job->file[i].type);
        json_member_str(w, "name", job->file[i].name);
        json_member_i64(w, "count", (int64_t)job->file[i].count);
        json_member_bool(w, "deleted", job->file[i].deleted);
        json_close(w, '}');
    }
    json_close(w, ']');
    json_key_open(w, "filters", '[');
    for (size_t i = 0; i < job->filter_n; i++) {
        json_open(w, '{');
        json_member_str(w, "type", job->filter[i].type);
        json_member_str(w, "query", job->filter[i].query);
        json_close(w, '}');
    }
    json_close(w, ']');
}

static Str job_text(Arena *a, const ExportJob *job)
{
    Buf out;
    JsonWriter w = json_begin(&out, '{');
    json_member_str(&w, "id", job->id);
    json_member_str(&w, "username", job->username);
    json_member_str(&w, "post", job->post);
    json_member_str(&w, "request", job->request);
    json_member_i64(&w, "seq", (int64_t)job->seq);
    json_member_i64(&w, "at", job->at_ms);
    if (job->since_ms != TIME_NONE) {
        json_member_i64(&w, "since", job->since_ms);
    }
    json_member_bool(&w, "members", job->members);
    json_member_c(&w, "state", STATES[job->state]);
    json_member_i64(&w, "done", (int64_t)job->done_n);
    json_member_i64(&w, "finished", job->finished_ms);
    json_member_str(&w, "zh", job->zh);
    json_member_str(&w, "en", job->en);
    texts_write(&w, "types", job->type, job->type_n);
    texts_write(&w, "patients", job->patient, job->patient_n);
    files_write(&w, job);
    return json_end(&w, '}', a);
}

static const Str *texts_read(Arena *a, const JsonDoc *d, const char *name, size_t *ret_n)
{
    JsonRef list = json_get_c(d, JSON_ROOT, name);
    Str *at = arena_array(a, Str, json_count(d, list) + 1);
    *ret_n = 0;
    for (JsonIter it = json_iter(d, list); json_next(&it);) {
        at[(*ret_n)++] = json_str(d, it.value);
    }
    return at;
}

static void files_read(Arena *a, const JsonDoc *d, ExportJob *job)
{
    JsonRef files = json_get_c(d, JSON_ROOT, "files"),
            filters = json_get_c(d, JSON_ROOT, "filters");
    ExportFilter *filter = arena_array(a, ExportFilter, json_count(d, filters) + 1);
    job->file_room = json_count(d, files) + 8;
    job->file = arena_array(a, ExportFile, job->file_room);
    for (JsonIter it = json_iter(d, files); json_next(&it);) {
        int64_t count = 0;
        (void)json_to_i64(d, json_get_c(d, it.value, "count"), &count);
        job->file[job->file_n++] =
            (ExportFile){json_str_at(d, it.value, "type"), json_str_at(d, it.value, "name"),
                         (uint64_t)count, json_is_true(d, json_get_c(d, it.value, "deleted"))};
    }
    for (JsonIter it = json_iter(d, filters); json_next(&it);) {
        filter[job->filter_n++] =
            (ExportFilter){json_str_at(d, it.value, "type"), json_str_at(d, it.value, "query")};
    }
    job->filter = filter;
}

static int64_t number_at(const JsonDoc *d, const char *name, int64_t without)
{
    int64_t n = without;
    (void)json_to_i64(d, json_get_c(d, JSON_ROOT, name), &n);
    return n;
}

static void job_read(Arena *a, const JsonDoc *d, ExportJob *job)
{
    *job = (ExportJob){.id = json_str_at(d, JSON_ROOT, "id"),
                       .username = json_str_at(d, JSON_ROOT, "username"),
                       .post = json_str_at(d, JSON_ROOT, "post"),
                       .request = json_str_at(d, JSON_ROOT, "request"),
                       .seq = (uint64_t)number_at(d, "seq", 0),
                       .at_ms = number_at(d, "at", 0),
                       .since_ms = number_at(d, "since", TIME_NONE),
                       .members = json_is_true(d, json_get_c(d, JSON_ROOT, "members")),
                       .done_n = (size_t)number_at(d, "done", 0),
                       .finished_ms = number_at(d, "finished", 0),
                       .zh = json_str_at(d, JSON_ROOT, "zh"),
                       .en = json_str_at(d, JSON_ROOT, "en")};
    Str state = json_str_at(d, JSON_ROOT, "state");
    for (int i = EXPORT_WAITS; i <= EXPORT_FAILED; i++) {
        job->state = str_is(state, STATES[i]) ? (ExportState)i : job->state;
    }
    job->type = texts_read(a, d, "types", &job->type_n);
    job->patient = texts_read(a, d, "patients", &job->patient_n);
    files_read(a, d, job);
}

Status export_load(const Api *api, Arena *a, Str id, ExportJob *ret, Err *err)
{
    JsonDoc *d = arena_new(a, JsonDoc);
    Status s = jobs_read(api, a, &EXPORT, id, STR("job.json"), JOB_BYTES_MAX, d);
    if (s == ERR_NOT_FOUND) {
        return err_add(err, ERR_NOT_FOUND, NULL, STR_NONE, "没有这个导出任务，或已过期",
                       "There is no such export, or it has expired");
    }
    if (s != OK) {
        return err_status(err, s);
    }
    job_read(a, d, ret);
    return OK;
}

Status export_save(const Api *api, const ExportJob *job, Err *err)
{
    Arena a;
    arena_init(&a, 0);
    Status s = file_write_durable(export_path(api, &a, job->id, STR("job.json")), job_text(&a, job),
                                  0600, err);
    arena_done(&a);
    return s;
}

/* ---- One of the kinds of jobs --------------------------------------------------------------- */

static Status export_stand(const Api *api, Arena *a, Str id, JobStand *ret)
{
    ExportJob job;
    TRY(export_load(api, a, id, &job, NULL));
    *ret = (JobStand){job.at_ms, job.state == EXPORT_WAITS ? TIME_NONE : job.finished_ms};
    return OK;
}

void export_progress(Api *api, Arena *a, Str id, ExportProgress *ret)
{
    ApiExports *x = api->exports;
    *ret = (ExportProgress){.running = jobs_runs(x->jobs, id)};
    pthread_mutex_lock(&x->lock);
    ret->type = arena_str(a, str_from_c(x->type));
    ret->count = x->count;
    pthread_mutex_unlock(&x->lock);
}

static void progress_put(ApiExports *x, Str type, uint64_t count)
{
    pthread_mutex_lock(&x->lock);
    snprintf(x->type, sizeof x->type, "%.*s", STR_ARG(type));
    x->count = count;
    pthread_mutex_unlock(&x->lock);
}

bool export_going(Api *api, Str type, uint64_t count)
{
    ApiExports *x = api->exports;
    progress_put(x, type, x->count + count);
    return jobs_going(x->jobs);
}

static void export_do(Api *api, StoreReader *r, Arena *a, Str id)
{
    Err err;
    ExportJob job;
    err_init(&err, a);
    if (export_load(api, a, id, &job, &err) != OK) {
        return; /* taken away meanwhile, or it is looked at again */
    }
    progress_put(api->exports, STR_NONE, 0);
    Status s = export_run(api, r, a, &job, &err);
    if (!jobs_going(api->exports->jobs)) {
        return; /* cancelled, or gone on with after the restart */
    }
    job.state = s == OK ? EXPORT_DONE : EXPORT_FAILED;
    job.finished_ms = clock_now(api->options.clock);
    if (s != OK && err.first) {
        job.zh = err.first->zh;
        job.en = err.first->en;
    }
    if (export_save(api, &job, NULL) != OK) {
        log_warn("api", "what became of the export %.*s cannot be written down", STR_ARG(id));
    }
}

static const JobKind EXPORT = {
    .folder = "export",
    .kept = ACCESS_EXPORT_KEPT_MS,
    .stand = export_stand,
    .run = export_do,
};

static Status export_keep(Api *api, Arena *a, Str id, void *ctx, Err *err)
{
    ExportJob *job = ctx;
    (void)a;
    job->id = id;
    return export_save(api, job, err);
}

Status export_begin(Api *api, Arena *a, ExportJob *job, Err *err)
{
    return jobs_begin(api->exports->jobs, a, export_keep, job, err);
}

void export_remove(Api *api, Str id)
{
    jobs_remove(api->exports->jobs, id);
}

Status api_exports_open(Api *api, Err *err)
{
    ApiExports *x = memory_take_zeroed(sizeof *x);
    pthread_mutex_init(&x->lock, NULL);
    api->exports = x;
    return jobs_open(api, &EXPORT, &x->jobs, err);
}

void api_exports_close(Api *api)
{
    ApiExports *x = api->exports;
    if (x) {
        jobs_close(x->jobs);
        pthread_mutex_destroy(&x->lock);
        free(x);
        api->exports = NULL;
    }
}

void api_exports_forget(Api *api)
{
    jobs_forget(api, &EXPORT, api->exports ? api->exports->jobs : NULL);
}
