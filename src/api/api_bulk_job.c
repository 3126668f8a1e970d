/* What stands in an import's folder, and the jobs of importing. */
#include "api_bulk.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "api_jobs.h"

#include "mk_banned.h"

#define JOB_BYTES_MAX ((size_t)16 << 20)

struct ApiBulk {
    ApiJobs *jobs;
    _Atomic size_t input; /* in hand, and how many of its lines were looked at */
    _Atomic uint64_t lines;
};

static const JobKind IMPORT;

const char *bulk_path(const Api *api, Arena *a, Str id, Str name)
{
    return jobs_path(api, a, &IMPORT, id, name);
}

Str bulk_file(Arena *a, const char *stem, size_t input)
{
    return arena_printf(a, "%s%zu.ndjson", stem, input + 1);
}

/* ---- job.json ------------------------------------------------------------------------------- */

static const char *const STATES[] = {"waits", "done", "failed"};

/* The members that are texts, by name. */
#define TEXTS(X)                                                                                   \
    X(id) X(username) X(name) X(practitioner) X(role) X(organization) X(post) X(request) X(zh) X(en)

static Str job_text(Arena *a, const BulkJob *job)
{
    Buf out;
    JsonWriter w = json_begin(&out, '{');
#define X(member) json_member_str(&w, #member, job->member);
    TEXTS(X)
#undef X
    json_member_i64(&w, "at", job->at_ms);
    json_member_i64(&w, "finished", job->finished_ms);
    json_member_c(&w, "state", STATES[job->state]);
    json_member_i64(&w, "done", (int64_t)job->done_n);
    json_key_open(&w, "inputs", '[');
    for (size_t i = 0; i < job->input_n; i++) {
        json_open(&w, '{');
        json_member_str(&w, "type", job->input[i].type);
        json_member_str(&w, "url", job->input[i].url);
        json_member_i64(&w, "imported", (int64_t)job->input[i].imported);
        json_member_i64(&w, "refused", (int64_t)job->input[i].refused);
        json_close(&w, '}');
    }
    json_close(&w, ']');
    return json_end(&w, '}', a);
}

static int64_t number_at(const JsonDoc *d, JsonRef from, const char *name)
{
    int64_t n = 0;
    (void)json_to_i64(d, json_get_c(d, from, name), &n);
    return n;
}

static void job_read(Arena *a, const JsonDoc *d, BulkJob *job)
{
    JsonRef inputs = json_get_c(d, JSON_ROOT, "inputs");
    *job = (BulkJob){.at_ms = number_at(d, JSON_ROOT, "at"),
                     .finished_ms = number_at(d, JSON_ROOT, "finished"),
                     .done_n = (size_t)number_at(d, JSON_ROOT, "done")};
#define X(member) job->member = json_str_at(d, JSON_ROOT, #member);
    TEXTS(X)
#undef X
    Str state = json_str_at(d, JSON_ROOT, "state");
    for (int i = BULK_WAITS; i <= BULK_FAILED; i++) {
        job->state = str_is(state, STATES[i]) ? (BulkState)i : job->state;
    }
    job->input = arena_array(a, BulkInput, json_count(d, inputs) + 1);
    for (JsonIter it = json_iter(d, inputs); json_next(&it);) {
        job->input[job->input_n++] =
            (BulkInput){json_str_at(d, it.value, "type"), json_str_at(d, it.value, "url"),
                        (uint64_t)number_at(d, it.value, "imported"),
                        (uint64_t)number_at(d, it.value, "refused")};
    }
}

Status bulk_load(const Api *api, Arena *a, Str id, BulkJob *ret, Err *err)
{
    JsonDoc *d = arena_new(a, JsonDoc);
    Status s = jobs_read(api, a, &IMPORT, id, STR("job.json"), JOB_BYTES_MAX, d);
    if (s == ERR_NOT_FOUND) {
        return err_add(err, ERR_NOT_FOUND, NULL, STR_NONE, "没有这个导入任务，或已过期",
                       "There is no such import, or it has expired");
    }
    if (s != OK) {
        return err_status(err, s);
    }
    job_read(a, d, ret);
    return OK;
}

Status bulk_save(const Api *api, const BulkJob *job, Err *err)
{
    Arena a;
    arena_init(&a, 0);
    Status s = file_write_durable(bulk_path(api, &a, job->id, STR("job.json")), job_text(&a, job),
                                  0600, err);
    arena_done(&a);
    return s;
}

/* ---- One of the kinds of jobs --------------------------------------------------------------- */

static Status bulk_stand(const Api *api, Arena *a, Str id, JobStand *ret)
{
    BulkJob job;
    TRY(bulk_load(api, a, id, &job, NULL));
    *ret = (JobStand){job.at_ms, job.state == BULK_WAITS ? TIME_NONE : job.finished_ms};
    return OK;
}

bool bulk_progress(Api *api, Str id, size_t *ret_input, uint64_t *ret_lines)
{
    ApiBulk *x = api->bulk;
    *ret_input = atomic_load(&x->input);
    *ret_lines = atomic_load(&x->lines);
    return jobs_runs(x->jobs, id);
}

bool bulk_going(Api *api, size_t input, uint64_t lines)
{
    atomic_store(&api->bulk->input, input);
    atomic_store(&api->bulk->lines, lines);
    return jobs_going(api->bulk->jobs);
}

static void bulk_do(Api *api, StoreReader *r, Arena *a, Str id)
{
    Err err;
    BulkJob job;
    err_init(&err, a);
    if (bulk_load(api, a, id, &job, &err) != OK) {
        return; /* taken away meanwhile, or it is looked at again */
    }
    Status s = bulk_run(api, r, a, &job, &err);
    if (!jobs_going(api->bulk->jobs)) {
        return; /* cancelled, or gone on with after the restart */
    }
    job.state = s == OK ? BULK_DONE : BULK_FAILED;
    job.finished_ms = clock_now(api->options.clock);
    if (s != OK && err.first) {
        job.zh = err.first->zh;
        job.en = err.first->en;
    }
    if (bulk_save(api, &job, NULL) != OK) {
        log_warn("api", "what became of the import %.*s cannot be written down", STR_ARG(id));
    }
}

static const JobKind IMPORT = {
    .folder = "bulk-import",
    .kept = ACCESS_IMPORT_KEPT_MS,
    .stand = bulk_stand,
    .run = bulk_do,
};

typedef struct Sent {
    BulkJob *job;
    Str bytes;
} Sent;

static Status bulk_keep(Api *api, Arena *a, Str id, void *ctx, Err *err)
{
    Sent *sent = ctx;
    sent->job->id = id;
    if (sent->bytes.n) {
        TRY(file_write_durable(bulk_path(api, a, id, bulk_file(a, "", 0)), sent->bytes, 0600, err));
    }
    return bulk_save(api, sent->job, err);
}

Status bulk_begin(Api *api, Arena *a, BulkJob *job, Str sent, Err *err)
{
    return jobs_begin(api->bulk->jobs, a, bulk_keep, &(Sent){job, sent}, err);
}

void bulk_remove(Api *api, Str id)
{
    jobs_remove(api->bulk->jobs, id);
}

Status api_bulk_open(Api *api, Err *err)
{
    ApiBulk *x = memory_take_zeroed(sizeof *x);
    api->bulk = x;
    return jobs_open(api, &IMPORT, &x->jobs, err);
}

void api_bulk_close(Api *api)
{
    if (api->bulk) {
        jobs_close(api->bulk->jobs);
        free(api->bulk);
        api->bulk = NULL;
    }
}

void api_bulk_forget(Api *api)
{
    jobs_forget(api, &IMPORT, api->bulk ? api->bulk->jobs : NULL);
}
