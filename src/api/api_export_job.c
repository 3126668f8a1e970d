/* Folders of exports, and the thread that works on one after another. */
#include "api_export_job.h"

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#include "access_param.h"

#include "mk_banned.h"

#define JOB_BYTES_MAX ((size_t)32 << 20)
#define TYPE_NAME_MAX 64

struct ApiExports {
    pthread_mutex_t lock;
    pthread_cond_t news;
    pthread_t thread;
    bool begun, stop;           /* stop: the server ends */
    char id[EXPORT_ID_HEX + 1]; /* that is being worked on; empty: none */
    char type[TYPE_NAME_MAX];   /* of it */
    uint64_t count;
    bool cancelled;
};

/* ---- Folders ---------------------------------------------------------------------------- */

const char *export_path(const Api *api, Arena *a, Str id, Str name)
{
    Str folder = path_join(a, path_join(a, str_from_c(api->options.dir), STR("export")), id);
    return name.n ? path_join(a, folder, name).p : folder.p;
}

static bool id_good(Str id)
{
    bool good = id.n == EXPORT_ID_HEX;
    for (size_t i = 0; good && i < id.n; i++) {
        good = (id.p[i] >= '0' && id.p[i] <= '9') || (id.p[i] >= 'a' && id.p[i] <= 'f');
    }
    return good;
}

static Status file_unlink(void *ctx, Str name, Err *err)
{
    Arena a;
    (void)err;
    arena_init(&a, 0);
    (void)unlink(path_join(&a, str_from_c(ctx), name).p);
    arena_done(&a);
    return OK;
}

static void folder_remove(const Api *api, Str id)
{
    Arena a;
    arena_init(&a, 0);
    const char *folder = export_path(api, &a, id, STR_NONE);
    if (dir_walk(&a, folder, file_unlink, (void *)folder, NULL) != OK) {
        log_warn("api", "the export %.*s cannot be removed", STR_ARG(id));
    }
    (void)rmdir(folder);
    arena_done(&a);
}

/* Ids of all that is there, at most max. */
static size_t folders_list(const Api *api, Arena *a, Str *ret, size_t max)
{
    size_t n = 0;
    struct dirent *e;
    DIR *dir = opendir(export_path(api, a, STR_NONE, STR_NONE));
    while (dir && n < max && (e = readdir(dir)) != NULL) {
        Str id = arena_str(a, str_from_c(e->d_name));
        if (id_good(id)) {
            ret[n++] = id;
        }
    }
    if (dir) {
        closedir(dir);
    }
    return n;
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
    Str text;
    JsonDoc *d = arena_new(a, JsonDoc);
    if (!id_good(id) ||
        file_read(a, export_path(api, a, id, STR("job.json")), JOB_BYTES_MAX, &text, NULL) != OK ||
        json_parse(a, text, &JSON_LIMITS_FHIR, d, NULL) != OK) {
        return err_add(err, ERR_NOT_FOUND, NULL, STR_NONE, "没有这个导出任务，或已过期",
                       "There is no such export, or it has expired");
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

/* ---- Keeping and removing ---------------------------------------------------------------- */

static bool too_old(const Api *api, Arena *a, Str id)
{
    ExportJob job;
    int64_t now_ms = clock_now(api->options.clock);
    return export_load(api, a, id, &job, NULL) != OK ||
           (job.state != EXPORT_WAITS &&
            job.finished_ms < now_ms - access_param(ACCESS_EXPORT_KEPT_MS, now_ms));
}

/* What is too old goes; how many are left. */
static size_t folders_tidy(const Api *api)
{
    Arena a;
    Str id[4 * EXPORTS_MAX];
    size_t left = 0;
    arena_init(&a, 0);
    size_t n = folders_list(api, &a, id, sizeof id / sizeof *id);
    for (size_t i = 0; i < n; i++) {
        bool old = too_old(api, &a, id[i]);
        if (old) {
            folder_remove(api, id[i]);
        }
        left += !old;
    }
    arena_done(&a);
    return left;
}

Status export_begin(Api *api, Arena *a, ExportJob *job, Err *err)
{
    ApiExports *x = api->exports;
    uint8_t bytes[EXPORT_ID_HEX / 2];
    random_bytes(api->options.random, bytes, sizeof bytes);
    job->id = hex_encode(a, bytes, sizeof bytes);
    pthread_mutex_lock(&x->lock);
    Status s =
        folders_tidy(api) < EXPORTS_MAX
            ? dir_make(export_path(api, a, job->id, STR_NONE), 0700, err)
            : err_add(err, ERR_TOO_MANY, NULL, STR_NONE, "导出任务过多，请先删除已取走的任务",
                      "There are too many exports; delete those that were fetched");
    s = s == OK ? export_save(api, job, err) : s;
    pthread_cond_signal(&x->news);
    pthread_mutex_unlock(&x->lock);
    return s;
}

void export_remove(Api *api, Str id)
{
    ApiExports *x = api->exports;
    pthread_mutex_lock(&x->lock);
    if (str_is(id, x->id)) {
        x->cancelled = true; /* the thread removes it when it has stopped */
    } else {
        folder_remove(api, id);
    }
    pthread_mutex_unlock(&x->lock);
}

/* ---- Progress ----------------------------------------------------------------------------- */

void export_progress(Api *api, Arena *a, Str id, ExportProgress *ret)
{
    ApiExports *x = api->exports;
    pthread_mutex_lock(&x->lock);
    *ret = (ExportProgress){.running = str_is(id, x->id)};
    if (ret->running) {
        ret->type = arena_str(a, str_from_c(x->type));
        ret->count = x->count;
    }
    pthread_mutex_unlock(&x->lock);
}

bool export_going(Api *api, Str type, uint64_t count)
{
    ApiExports *x = api->exports;
    pthread_mutex_lock(&x->lock);
    snprintf(x->type, sizeof x->type, "%.*s", STR_ARG(type));
    x->count += count;
    bool going = !x->stop && !x->cancelled;
    pthread_mutex_unlock(&x->lock);
    return going;
}

/* ---- The thread --------------------------------------------------------------------------- */

/* The one that waits longest. */
static bool job_next(const Api *api, Arena *a, ExportJob *ret)
{
    Str id[4 * EXPORTS_MAX];
    ExportJob job;
    bool found = false;
    size_t n = folders_list(api, a, id, sizeof id / sizeof *id);
    for (size_t i = 0; i < n; i++) {
        if (export_load(api, a, id[i], &job, NULL) == OK && job.state == EXPORT_WAITS &&
            (!found || job.at_ms < ret->at_ms)) {
            *ret = job;
            found = true;
        }
    }
    return found;
}

static void job_do(Api *api, StoreReader *r, Arena *a, ExportJob *job)
{
    Err err;
    err_init(&err, a);
    store_reader_calm(r);
    Status s = export_run(api, r, a, job, &err);
    if (!export_going(api, STR_NONE, 0)) {
        return; /* cancelled, or gone on with after the restart */
    }
    job->state = s == OK ? EXPORT_DONE : EXPORT_FAILED;
    job->finished_ms = clock_now(api->options.clock);
    if (s != OK && err.first) {
        job->zh = err.first->zh;
        job->en = err.first->en;
    }
    if (export_save(api, job, NULL) != OK) {
        log_warn("api", "what became of the export %.*s cannot be written down", STR_ARG(job->id));
    }
}

/* With the lock held; it is let go while the job runs. */
static bool one_job(Api *api, StoreReader *r)
{
    ApiExports *x = api->exports;
    Arena a;
    ExportJob job;
    arena_init(&a, 0);
    bool found = job_next(api, &a, &job);
    if (found) {
        memcpy(x->id, job.id.p, EXPORT_ID_HEX);
        x->count = 0;
        x->cancelled = false;
        x->type[0] = 0;
        pthread_mutex_unlock(&x->lock);
        job_do(api, r, &a, &job);
        pthread_mutex_lock(&x->lock);
        if (x->cancelled) {
            folder_remove(api, job.id);
        }
        x->id[0] = 0;
    }
    arena_done(&a);
    return found;
}

static void *exports_main(void *arg)
{
    Api *api = arg;
    ApiExports *x = api->exports;
    StoreReader *r;
    if (store_reader_open(api->store, &r, NULL) != OK) {
        log_error("api", "the thread of exports cannot open its reader");
        return NULL;
    }
    pthread_mutex_lock(&x->lock);
    while (!x->stop) {
        if (!one_job(api, r) && !x->stop) {
            pthread_cond_wait(&x->news, &x->lock);
        }
    }
    pthread_mutex_unlock(&x->lock);
    store_reader_close(r);
    return NULL;
}

/* ---- Life --------------------------------------------------------------------------------- */

Status api_exports_open(Api *api, Err *err)
{
    ApiExports *x = memory_take_zeroed(sizeof *x);
    pthread_mutex_init(&x->lock, NULL);
    pthread_cond_init(&x->news, NULL);
    api->exports = x;
    (void)folders_tidy(api);
    x->begun = pthread_create(&x->thread, NULL, exports_main, api) == 0;
    return x->begun ? OK : err_status(err, ERR_UNAVAILABLE);
}

void api_exports_close(Api *api)
{
    ApiExports *x = api->exports;
    if (!x) {
        return;
    }
    pthread_mutex_lock(&x->lock);
    x->stop = true;
    pthread_cond_signal(&x->news);
    pthread_mutex_unlock(&x->lock);
    if (x->begun) {
        pthread_join(x->thread, NULL);
    }
    pthread_cond_destroy(&x->news);
    pthread_mutex_destroy(&x->lock);
    free(x);
    api->exports = NULL;
}

void api_exports_forget(Api *api)
{
    Arena a;
    Str id[4 * EXPORTS_MAX];
    arena_init(&a, 0);
    size_t n = folders_list(api, &a, id, sizeof id / sizeof *id);
    for (size_t i = 0; i < n; i++) {
        if (api->exports) {
            export_remove(api, id[i]);
        } else {
            folder_remove(api, id[i]); /* nothing works on it yet */
        }
    }
    arena_done(&a);
}
