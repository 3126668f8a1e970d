/* Folders of imports, and the thread that fetches and brings in one after another. */
#include "api_bulk.h"

#include <curl/curl.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "access_param.h"
#include "api_allow.h"
#include "fhir_resource.h"

#include "mk_banned.h"

#define JOB_BYTES_MAX   ((size_t)16 << 20)
#define GROUP_MAX       200u
#define GROUP_BYTES_MAX ((size_t)8 << 20)
#define CONNECT_S       10L
#define SLOW_S          60L /* without 100 bytes a second for so long it is given up */
#define FETCH_S         7200L

struct ApiBulk {
    pthread_mutex_t lock;
    pthread_cond_t news;
    pthread_t thread;
    bool begun, stop, cancelled;
    char id[BULK_ID_HEX + 1]; /* that is being worked on; empty: none */
    size_t input;
    uint64_t lines;
};

/* ---- Folders -------------------------------------------------------------------------------- */

const char *bulk_path(const Api *api, Arena *a, Str id, Str name)
{
    Str root = path_join(a, str_from_c(api->options.dir), STR("bulk-import"));
    Str folder = path_join(a, root, id);
    return name.n ? path_join(a, folder, name).p : folder.p;
}

Str bulk_file(Arena *a, const char *stem, size_t input)
{
    return arena_printf(a, "%s%zu.ndjson", stem, input + 1);
}

static bool id_good(Str id)
{
    bool good = id.n == BULK_ID_HEX;
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
    const char *folder = bulk_path(api, &a, id, STR_NONE);
    if (dir_walk(&a, folder, file_unlink, (void *)folder, NULL) != OK) {
        log_warn("api", "the import %.*s cannot be removed", STR_ARG(id));
    }
    (void)rmdir(folder);
    arena_done(&a);
}

static size_t folders_list(const Api *api, Arena *a, Str *ret, size_t max)
{
    size_t n = 0;
    struct dirent *e;
    DIR *dir = opendir(bulk_path(api, a, STR_NONE, STR_NONE));
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
    Str text;
    JsonDoc *d = arena_new(a, JsonDoc);
    if (!id_good(id) ||
        file_read(a, bulk_path(api, a, id, STR("job.json")), JOB_BYTES_MAX, &text, NULL) != OK ||
        json_parse(a, text, &JSON_LIMITS_FHIR, d, NULL) != OK) {
        return err_add(err, ERR_NOT_FOUND, NULL, STR_NONE, "没有这个导入任务，或已过期",
                       "There is no such import, or it has expired");
    }
    job_read(a, d, ret);
    return OK;
}

static Status job_save(const Api *api, const BulkJob *job, Err *err)
{
    Arena a;
    arena_init(&a, 0);
    Status s = file_write_durable(bulk_path(api, &a, job->id, STR("job.json")), job_text(&a, job),
                                  0600, err);
    arena_done(&a);
    return s;
}

/* ---- Keeping and removing ------------------------------------------------------------------- */

static size_t folders_tidy(const Api *api)
{
    Arena a;
    Str id[4 * BULK_JOBS_MAX];
    BulkJob job;
    size_t left = 0;
    int64_t now_ms = clock_now(api->options.clock);
    arena_init(&a, 0);
    size_t n = folders_list(api, &a, id, sizeof id / sizeof *id);
    for (size_t i = 0; i < n; i++) {
        bool old = bulk_load(api, &a, id[i], &job, NULL) != OK ||
                   (job.state != BULK_WAITS &&
                    job.finished_ms < now_ms - access_param(ACCESS_IMPORT_KEPT_MS, now_ms));
        if (old) {
            folder_remove(api, id[i]);
        }
        left += !old;
    }
    arena_done(&a);
    return left;
}

Status bulk_begin(Api *api, Arena *a, BulkJob *job, Str sent, Err *err)
{
    ApiBulk *x = api->bulk;
    uint8_t bytes[BULK_ID_HEX / 2];
    random_bytes(api->options.random, bytes, sizeof bytes);
    job->id = hex_encode(a, bytes, sizeof bytes);
    pthread_mutex_lock(&x->lock);
    Status s =
        folders_tidy(api) < BULK_JOBS_MAX
            ? dir_make(bulk_path(api, a, job->id, STR_NONE), 0700, err)
            : err_add(err, ERR_TOO_MANY, NULL, STR_NONE, "导入任务过多，请先删除已完成的任务",
                      "There are too many imports; delete those that are done");
    if (s == OK && sent.n) {
        s = file_write_durable(bulk_path(api, a, job->id, bulk_file(a, "", 0)), sent, 0600, err);
    }
    s = s == OK ? job_save(api, job, err) : s;
    pthread_cond_signal(&x->news);
    pthread_mutex_unlock(&x->lock);
    return s;
}

void bulk_remove(Api *api, Str id)
{
    ApiBulk *x = api->bulk;
    pthread_mutex_lock(&x->lock);
    if (str_is(id, x->id)) {
        x->cancelled = true; /* the thread removes it when it has stopped */
    } else {
        folder_remove(api, id);
    }
    pthread_mutex_unlock(&x->lock);
}

bool bulk_progress(Api *api, Str id, size_t *ret_input, uint64_t *ret_lines)
{
    ApiBulk *x = api->bulk;
    pthread_mutex_lock(&x->lock);
    bool running = str_is(id, x->id);
    *ret_input = x->input;
    *ret_lines = x->lines;
    pthread_mutex_unlock(&x->lock);
    return running;
}

static bool going(ApiBulk *x, uint64_t lines)
{
    pthread_mutex_lock(&x->lock);
    x->lines = lines;
    bool yes = !x->stop && !x->cancelled;
    pthread_mutex_unlock(&x->lock);
    return yes;
}

/* ---- Fetching ------------------------------------------------------------------------------- */

typedef struct Fetch {
    ApiBulk *bulk;
    FILE *to;
    uint64_t bytes;
} Fetch;

static size_t bytes_take(char *p, size_t size, size_t n, void *ctx)
{
    Fetch *f = ctx;
    f->bytes += size * n;
    return f->bytes <= BULK_INPUT_BYTES && going(f->bulk, 0) ? fwrite(p, size, n, f->to) : 0;
}

static Status fetched(CURLcode code, long status, const Fetch *f, Str url, Err *err)
{
    if (code == CURLE_OK && status == 200) {
        return OK;
    }
    if (f->bytes > BULK_INPUT_BYTES) {
        return err_add(err, ERR_TOO_LARGE, NULL, url, "文件超过 4 GiB", "The file is above 4 GiB");
    }
    return code == CURLE_OK ? err_add(err, ERR_UNPROCESSABLE, NULL, url, "来源答复 %ld",
                                      "The source answered %ld", status)
                            : err_add(err, ERR_UNPROCESSABLE, NULL, url, "无法取得：%s",
                                      "It cannot be fetched: %s", curl_easy_strerror(code));
}

static Status fetch(Api *api, StoreReader *r, Arena *a, const BulkJob *job, size_t i, Err *err)
{
    Str url = job->input[i].url;
    long status = 0;
    if (!url.n) {
        return OK;
    }
    if (!api_allowed(r, ALLOW_SOURCES, url)) {
        return err_add(err, ERR_UNPROCESSABLE, NULL, url, "该来源不在管理员允许的名单内",
                       "An administrator has not allowed this source");
    }
    CURL *curl = curl_easy_init();
    Fetch f = {api->bulk, fopen(bulk_path(api, a, job->id, bulk_file(a, "", i)), "we"), 0};
    if (!curl || !f.to) {
        return err_add(err, ERR_STORAGE_FULL, NULL, url, "无法保存：%s", "It cannot be kept: %s",
                       strerror(errno));
    }
    curl_easy_setopt(curl, CURLOPT_URL, arena_cstr(a, url));
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "");
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_S);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 100L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, SLOW_S);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, FETCH_S);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, bytes_take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &f);
    CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(curl);
    bool kept = fclose(f.to) == 0;
    TRY(fetched(code, status, &f, url, err));
    return kept ? OK : err_status(err, ERR_STORAGE_FULL);
}

/* ---- Lines ---------------------------------------------------------------------------------- */

typedef struct Item {
    uint64_t number;
    Str body, type, id;
} Item;

typedef struct Lines {
    Api *api;
    ApiLocal *local;
    const BulkJob *job;
    BulkInput *input;
    Arena arena; /* of the group */
    Item group[GROUP_MAX];
    size_t n, bytes;
    FILE *refused;
    const char *refused_path;
} Lines;

static void refuse(Lines *l, uint64_t number, int status, Str reason, Str body)
{
    Buf out;
    l->input->refused++;
    l->refused = l->refused ? l->refused : fopen(l->refused_path, "we");
    if (!l->refused) {
        return;
    }
    JsonWriter w = json_begin(&out, '{');
    json_member_i64(&w, "number", (int64_t)number);
    json_member_i64(&w, "status", status);
    json_key(&w, "reason");
    json_put_raw(&w, reason.n ? reason : STR("null"));
    json_key(&w, "bytes");
    json_put_str(&w, str_take(body, JSON_LIMITS_FHIR.bytes));
    json_close(&w, '}');
    buf_char(&out, '\n');
    fwrite(out.p, 1, out.n, l->refused);
    buf_done(&out);
}

static void refuse_err(Lines *l, uint64_t number, const Err *err, Str body)
{
    Buf out;
    buf_init(&out, 0);
    fhir_outcome_write(&out, err, LANG_EN);
    refuse(l, number, status_http(err->status), buf_str(&out), body);
    buf_done(&out);
}

static void put_one(Lines *l, const Item *item)
{
    Str answer, path = arena_cat(&l->arena, STR("/fhir/"), item->type, STR("/"), item->id);
    int status = api_local_call(l->local, &l->arena, "PUT", path, STR_NONE, item->body, &answer);
    if (status == 200 || status == 201) {
        l->input->imported++;
    } else {
        refuse(l, item->number, status, answer, item->body);
    }
}

static Str group_bundle(Lines *l)
{
    Buf out;
    buf_init(&out, 0);
    buf_c(&out, "{\"resourceType\":\"Bundle\",\"type\":\"transaction\",\"entry\":[");
    for (size_t i = 0; i < l->n; i++) {
        buf_c(&out, i ? ",{\"resource\":" : "{\"resource\":");
        buf_add(&out, l->group[i].body);
        buf_c(&out, ",\"request\":{\"method\":\"PUT\",\"url\":");
        buf_json_str(&out, arena_cat(&l->arena, l->group[i].type, STR("/"), l->group[i].id));
        buf_c(&out, "}}");
    }
    buf_c(&out, "]}");
    return buf_take(&out, &l->arena);
}

static void group_put(Lines *l)
{
    Str answer;
    int status = 0;
    if (l->n > 1) {
        status = api_local_call(l->local, &l->arena, "POST", STR("/fhir"), STR_NONE,
                                group_bundle(l), &answer);
    }
    l->input->imported += status == 200 ? l->n : 0;
    for (size_t i = 0; status != 200 && i < l->n; i++) {
        put_one(l, &l->group[i]);
    }
    l->n = l->bytes = 0;
    arena_reset(&l->arena);
}

static void line_take(Lines *l, Str line, uint64_t number)
{
    JsonDoc d;
    Err err;
    Str body = arena_str(&l->arena, line), want = l->input->type;
    err_init(&err, &l->arena);
    if (json_parse(&l->arena, body, &JSON_LIMITS_FHIR, &d, &err) != OK) {
        refuse_err(l, number, &err, line);
        return;
    }
    Item item = {number, d.bytes, json_str_at(&d, JSON_ROOT, "resourceType"),
                 json_str_at(&d, JSON_ROOT, "id")};
    if (!fhir_resource_find(item.type) || !fhir_id_ok(item.id) ||
        (want.n && !str_eq(item.type, want))) {
        (void)err_add(&err, ERR_INVALID, "required", STR("id"), "导入的资源须有 id，并且是 %.*s",
                      "An imported resource needs an id, and is %.*s",
                      STR_ARG(want.n ? want : STR("R4")));
        refuse_err(l, number, &err, line);
        return;
    }
    l->group[l->n++] = item;
    l->bytes += line.n;
    if (l->n == GROUP_MAX || l->bytes > GROUP_BYTES_MAX) {
        group_put(l);
    }
}

static void lines_take(Lines *l, FILE *from)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    uint64_t number = 0;
    while ((n = getline(&line, &room, from)) >= 0 && going(l->api->bulk, number)) {
        Str text = str_trim((Str){line, (size_t)n});
        number++;
        if (text.n) {
            line_take(l, text, number);
        }
    }
    group_put(l);
    free(line);
}

static Status input_do(Api *api, Arena *a, const BulkJob *job, size_t i, ApiLocal *local, Err *err)
{
    Lines l = {.api = api, .local = local, .job = job, .input = &job->input[i]};
    FILE *from = fopen(bulk_path(api, a, job->id, bulk_file(a, "", i)), "re");
    if (!from) {
        return err_add(err, ERR_INTERNAL, NULL, STR_NONE, "输入文件不见了：%s",
                       "The input is not there: %s", strerror(errno));
    }
    l.refused_path = bulk_path(api, a, job->id, bulk_file(a, "refused.", i));
    l.input->imported = l.input->refused = 0;
    (void)unlink(l.refused_path);
    arena_init(&l.arena, 0);
    lines_take(&l, from);
    arena_done(&l.arena);
    fclose(from);
    bool kept = !l.refused || fclose(l.refused) == 0;
    return kept ? OK : err_status(err, ERR_STORAGE_FULL);
}

/* ---- The thread ----------------------------------------------------------------------------- */

static Status inputs_do(Api *api, StoreReader *r, Arena *a, BulkJob *job, ApiLocal *local, Err *err)
{
    while (job->done_n < job->input_n) {
        size_t i = job->done_n;
        pthread_mutex_lock(&api->bulk->lock);
        api->bulk->input = i;
        pthread_mutex_unlock(&api->bulk->lock);
        TRY(fetch(api, r, a, job, i, err));
        TRY(input_do(api, a, job, i, local, err));
        if (!going(api->bulk, 0)) {
            return OK;
        }
        (void)unlink(bulk_path(api, a, job->id, bulk_file(a, "", i)));
        job->done_n++;
        TRY(job_save(api, job, err));
    }
    return OK;
}

static void job_do(Api *api, StoreReader *r, Arena *a, BulkJob *job)
{
    Err err;
    ApiLocal *local;
    AccessCaller as = {.username = job->username,
                       .name = job->name,
                       .practitioner = job->practitioner,
                       .address = STR("import")};
    as.post.role = job->role;
    as.post.organization = job->organization;
    err_init(&err, a);
    store_reader_calm(r);
    Status s = api_local_open(api, &as, &local, &err);
    if (s == OK) {
        s = inputs_do(api, r, a, job, local, &err);
        api_local_close(local);
    }
    if (!going(api->bulk, 0)) {
        return; /* cancelled, or gone on with after the restart */
    }
    job->state = s == OK ? BULK_DONE : BULK_FAILED;
    job->finished_ms = clock_now(api->options.clock);
    if (s != OK && err.first) {
        job->zh = err.first->zh;
        job->en = err.first->en;
    }
    if (job_save(api, job, NULL) != OK) {
        log_warn("api", "what became of the import %.*s cannot be written down", STR_ARG(job->id));
    }
}

/* The one that waits longest. */
static bool job_next(const Api *api, Arena *a, BulkJob *ret)
{
    Str id[4 * BULK_JOBS_MAX];
    BulkJob job;
    bool found = false;
    size_t n = folders_list(api, a, id, sizeof id / sizeof *id);
    for (size_t i = 0; i < n; i++) {
        if (bulk_load(api, a, id[i], &job, NULL) == OK && job.state == BULK_WAITS &&
            (!found || job.at_ms < ret->at_ms)) {
            *ret = job;
            found = true;
        }
    }
    return found;
}

/* With the lock held; it is let go while the job runs. */
static bool one_job(Api *api, StoreReader *r)
{
    ApiBulk *x = api->bulk;
    Arena a;
    BulkJob job;
    arena_init(&a, 0);
    bool found = job_next(api, &a, &job);
    if (found) {
        memcpy(x->id, job.id.p, BULK_ID_HEX);
        x->lines = x->input = 0;
        x->cancelled = false;
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

static void *bulk_main(void *arg)
{
    Api *api = arg;
    ApiBulk *x = api->bulk;
    StoreReader *r;
    if (store_reader_open(api->store, &r, NULL) != OK) {
        log_error("api", "the thread of imports cannot open its reader");
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

Status api_bulk_open(Api *api, Err *err)
{
    ApiBulk *x = memory_take_zeroed(sizeof *x);
    pthread_mutex_init(&x->lock, NULL);
    pthread_cond_init(&x->news, NULL);
    api->bulk = x;
    (void)folders_tidy(api);
    x->begun = pthread_create(&x->thread, NULL, bulk_main, api) == 0;
    return x->begun ? OK : err_status(err, ERR_UNAVAILABLE);
}

void api_bulk_close(Api *api)
{
    ApiBulk *x = api->bulk;
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
    api->bulk = NULL;
}

void api_bulk_forget(Api *api)
{
    Arena a;
    Str id[4 * BULK_JOBS_MAX];
    arena_init(&a, 0);
    size_t n = folders_list(api, &a, id, sizeof id / sizeof *id);
    for (size_t i = 0; i < n; i++) {
        if (api->bulk) {
            bulk_remove(api, id[i]);
        } else {
            folder_remove(api, id[i]); /* nothing works on it yet */
        }
    }
    arena_done(&a);
}
