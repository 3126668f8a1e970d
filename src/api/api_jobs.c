/* Folders of work, and the thread that does one after another. */
#include "api_jobs.h"

#include <dirent.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "mk_banned.h"

#define FOLDERS_MAX   (4 * JOBS_MAX)
#define LOOK_AGAIN_MS 2000 /* after a job that could not be read or written down */

struct ApiJobs {
    Api *api;
    const JobKind *kind;
    StoreReader *reader; /* the thread's */
    pthread_mutex_t lock;
    pthread_cond_t news;
    pthread_t thread;
    bool begun, stop, cancelled; /* stop: the server ends; cancelled: the one that runs */
    char id[JOB_ID_HEX + 1];     /* that is being worked on; empty: none */
};

/* ---- Folders -------------------------------------------------------------------------------- */

const char *jobs_path(const Api *api, Arena *a, const JobKind *kind, Str id, Str name)
{
    Str root = path_join(a, str_from_c(api->options.dir), str_from_c(kind->folder));
    Str folder = path_join(a, root, id);
    return name.n ? path_join(a, folder, name).p : folder.p;
}

bool job_id_good(Str id)
{
    bool good = id.n == JOB_ID_HEX;
    for (size_t i = 0; good && i < id.n; i++) {
        good = (id.p[i] >= '0' && id.p[i] <= '9') || (id.p[i] >= 'a' && id.p[i] <= 'f');
    }
    return good;
}

Status jobs_read(const Api *api, Arena *a, const JobKind *kind, Str id, Str name, size_t max_bytes,
                 JsonDoc *ret)
{
    Str text;
    if (!job_id_good(id)) {
        return ERR_NOT_FOUND;
    }
    TRY(file_read(a, jobs_path(api, a, kind, id, name), max_bytes, &text, NULL));
    return json_parse(a, text, &JSON_LIMITS_FHIR, ret, NULL) == OK ? OK : ERR_NOT_FOUND;
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

static void folder_remove(const Api *api, const JobKind *kind, Str id)
{
    Arena a;
    arena_init(&a, 0);
    const char *folder = jobs_path(api, &a, kind, id, STR_NONE);
    if (dir_walk(&a, folder, file_unlink, (void *)folder, NULL) != OK) {
        log_warn("api", "%s/%.*s cannot be removed", kind->folder, STR_ARG(id));
    }
    (void)rmdir(folder);
    arena_done(&a);
}

/* Ids of all that is there, at most FOLDERS_MAX. */
static size_t folders_list(const Api *api, Arena *a, const JobKind *kind, Str *ret)
{
    size_t n = 0;
    struct dirent *e;
    DIR *dir = opendir(jobs_path(api, a, kind, STR_NONE, STR_NONE));
    while (dir && n < FOLDERS_MAX && (e = readdir(dir)) != NULL) {
        Str id = arena_str(a, str_from_c(e->d_name));
        if (job_id_good(id)) {
            ret[n++] = id;
        }
    }
    if (dir) {
        closedir(dir);
    }
    return n;
}

static bool too_old(const Api *api, Arena *a, const JobKind *kind, Str id)
{
    JobStand stand;
    int64_t now_ms = clock_now(api->options.clock);
    Status s = kind->stand(api, a, id, &stand);
    return s == ERR_NOT_FOUND || (s == OK && stand.finished_ms != TIME_NONE &&
                                  stand.finished_ms < now_ms - access_param(kind->kept, now_ms));
}

/* What is too old goes; how many are left. */
static size_t folders_tidy(const Api *api, const JobKind *kind)
{
    Arena a;
    Str id[FOLDERS_MAX];
    size_t left = 0;
    arena_init(&a, 0);
    size_t n = folders_list(api, &a, kind, id);
    for (size_t i = 0; i < n; i++) {
        bool old = too_old(api, &a, kind, id[i]);
        if (old) {
            folder_remove(api, kind, id[i]);
        }
        left += !old;
    }
    arena_done(&a);
    return left;
}

Status jobs_begin(ApiJobs *j, Arena *a, JobKeep *keep, void *ctx, Err *err)
{
    uint8_t bytes[JOB_ID_HEX / 2];
    random_bytes(j->api->options.random, bytes, sizeof bytes);
    Str id = hex_encode(a, bytes, sizeof bytes);
    pthread_mutex_lock(&j->lock);
    Status s =
        folders_tidy(j->api, j->kind) < JOBS_MAX
            ? dir_make(jobs_path(j->api, a, j->kind, id, STR_NONE), 0700, err)
            : err_add(err, ERR_TOO_MANY, NULL, STR_NONE, "已有 %u 个，请先删除不再需要的任务",
                      "There are %u jobs of this kind; delete those that are not needed", JOBS_MAX);
    s = s == OK ? keep(j->api, a, id, ctx, err) : s;
    pthread_cond_signal(&j->news);
    pthread_mutex_unlock(&j->lock);
    return s;
}

void jobs_remove(ApiJobs *j, Str id)
{
    pthread_mutex_lock(&j->lock);
    if (str_is(id, j->id)) {
        j->cancelled = true; /* the thread removes it when it has stopped */
    } else {
        folder_remove(j->api, j->kind, id);
    }
    pthread_mutex_unlock(&j->lock);
}

void jobs_forget(const Api *api, const JobKind *kind, ApiJobs *j)
{
    Arena a;
    Str id[FOLDERS_MAX];
    arena_init(&a, 0);
    size_t n = folders_list(api, &a, kind, id);
    for (size_t i = 0; i < n; i++) {
        if (j) {
            jobs_remove(j, id[i]);
        } else {
            folder_remove(api, kind, id[i]);
        }
    }
    arena_done(&a);
}

bool jobs_runs(ApiJobs *j, Str id)
{
    pthread_mutex_lock(&j->lock);
    bool runs = str_is(id, j->id);
    pthread_mutex_unlock(&j->lock);
    return runs;
}

void jobs_answer_waits(ApiCall *c, Str progress)
{
    http_set_header(c->http, "X-Progress", progress);
    http_set_header(c->http, "Retry-After", STR("2"));
    c->result = (ApiResult){.status = 202};
}

bool jobs_going(ApiJobs *j)
{
    pthread_mutex_lock(&j->lock);
    bool going = !j->stop && !j->cancelled;
    pthread_mutex_unlock(&j->lock);
    return going;
}

/* ---- The thread ----------------------------------------------------------------------------- */

/* The one that waits longest. */
static bool job_next(ApiJobs *j, Arena *a, Str *ret)
{
    Str id[FOLDERS_MAX];
    JobStand stand;
    int64_t first_ms = INT64_MAX;
    size_t n = folders_list(j->api, a, j->kind, id);
    for (size_t i = 0; i < n; i++) {
        if (j->kind->stand(j->api, a, id[i], &stand) == OK && stand.finished_ms == TIME_NONE &&
            stand.asked_ms < first_ms) {
            first_ms = stand.asked_ms;
            *ret = id[i];
        }
    }
    return first_ms != INT64_MAX;
}

/* Its end is written down. */
static bool job_over(ApiJobs *j, Arena *a, Str id)
{
    JobStand stand;
    return j->kind->stand(j->api, a, id, &stand) == OK && stand.finished_ms != TIME_NONE;
}

/* With the lock held; it is let go while the job runs. False: there is nothing to be done now. */
static bool one_job(ApiJobs *j, StoreReader *r)
{
    Arena a;
    Str id;
    arena_init(&a, 0);
    bool found = job_next(j, &a, &id);
    if (found) {
        memcpy(j->id, id.p, JOB_ID_HEX);
        j->cancelled = false;
        pthread_mutex_unlock(&j->lock);
        store_reader_calm(r);
        j->kind->run(j->api, r, &a, id);
        pthread_mutex_lock(&j->lock);
        if (j->cancelled) {
            folder_remove(j->api, j->kind, id);
        }
        found = j->cancelled || job_over(j, &a, id);
        j->id[0] = 0;
    }
    arena_done(&a);
    return found;
}

static void wait_for_news(ApiJobs *j)
{
    int64_t until_ms = time_mono_ms() + LOOK_AGAIN_MS;
    struct timespec at = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    pthread_cond_timedwait(&j->news, &j->lock, &at);
}

static void *jobs_main(void *arg)
{
    ApiJobs *j = arg;
    pthread_mutex_lock(&j->lock);
    while (!j->stop) {
        if (!one_job(j, j->reader) && !j->stop) {
            wait_for_news(j);
        }
    }
    pthread_mutex_unlock(&j->lock);
    return NULL;
}

Status jobs_open(Api *api, const JobKind *kind, ApiJobs **ret, Err *err)
{
    ApiJobs *j = memory_take_zeroed(sizeof *j);
    j->api = api;
    j->kind = kind;
    pthread_mutex_init(&j->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&j->news, &attr);
    pthread_condattr_destroy(&attr);
    (void)folders_tidy(api, kind);
    *ret = j; /* before the thread, which looks for it */
    TRY(store_reader_open(api->store, &j->reader, err));
    j->begun = pthread_create(&j->thread, NULL, jobs_main, j) == 0;
    return j->begun ? OK : err_status(err, ERR_UNAVAILABLE);
}

void jobs_close(ApiJobs *j)
{
    if (!j) {
        return;
    }
    pthread_mutex_lock(&j->lock);
    j->stop = true;
    pthread_cond_signal(&j->news);
    pthread_mutex_unlock(&j->lock);
    if (j->begun) {
        pthread_join(j->thread, NULL);
    }
    store_reader_close(j->reader);
    pthread_cond_destroy(&j->news);
    pthread_mutex_destroy(&j->lock);
    free(j);
}
