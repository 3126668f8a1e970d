/* Folders of tables that were sent, and the thread that brings one in. */
#include "api_import_job.h"

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#include "access_param.h"

#include "mk_banned.h"

#define ID_HEX 16

struct ApiImports {
    pthread_mutex_t lock;
    pthread_t thread;
    bool begun; /* the thread is to be joined */
    char id[ID_HEX + 1];
    Arena arena; /* of the run */
    ApiTable table;
    AccessCaller as;
    Str map, folder;
    _Atomic bool running, stop;
    _Atomic uint64_t done, total;
};

void api_imports_open(Api *api)
{
    ApiImports *x = calloc(1, sizeof *x);
    mk_check(x != NULL);
    pthread_mutex_init(&x->lock, NULL);
    api->imports = x;
    Arena a;
    Str ids[IMPORTS_MAX];
    arena_init(&a, 0);
    (void)imports_list(api, &a, ids, IMPORTS_MAX); /* what grew too old meanwhile goes */
    arena_done(&a);
}

static void job_join(ApiImports *x)
{
    if (x->begun) {
        pthread_join(x->thread, NULL);
        arena_done(&x->arena);
        x->begun = false;
    }
}

void api_imports_close(Api *api)
{
    ApiImports *x = api->imports;
    if (x) {
        atomic_store(&x->stop, true);
        job_join(x);
        pthread_mutex_destroy(&x->lock);
        free(x);
        api->imports = NULL;
    }
}

/* ---- Folders ----------------------------------------------------------------------------------
 */

const char *import_path(const Api *api, Arena *a, Str id, const char *name)
{
    Str folder = path_join(a, path_join(a, str_from_c(api->options.dir), STR("import")), id);
    return *name ? path_join(a, folder, str_from_c(name)).p : folder.p;
}

bool import_id_good(Str id)
{
    bool good = id.n == ID_HEX;
    for (size_t i = 0; good && i < id.n; i++) {
        good = (id.p[i] >= '0' && id.p[i] <= '9') || (id.p[i] >= 'a' && id.p[i] <= 'f');
    }
    return good;
}

void import_remove(const Api *api, Str id)
{
    static const char *const FILES[] = {"table.csv", "state.json", "refused.csv", "passwords.csv",
                                        "about.json"};
    Arena a;
    arena_init(&a, 0);
    for (size_t i = 0; i < sizeof FILES / sizeof *FILES; i++) {
        (void)unlink(import_path(api, &a, id, FILES[i]));
    }
    (void)rmdir(import_path(api, &a, id, ""));
    arena_done(&a);
}

/* Also one whose upload was cut off: it has no about.json. */
static bool too_old(const Api *api, Arena *a, Str id)
{
    Str bytes;
    JsonDoc d;
    DateTime at;
    int64_t lo_ms, hi_ms, now_ms = clock_now(api->options.clock);
    Status s = file_read(a, import_path(api, a, id, "about.json"), IMPORT_BYTES_MAX, &bytes, NULL);
    if (s != OK && s != ERR_NOT_FOUND) {
        return false; /* not now */
    }
    if (s != OK || json_parse(a, bytes, &JSON_LIMITS_FHIR, &d, NULL) != OK ||
        !datetime_parse(json_str_at(&d, JSON_ROOT, "at"), &at)) {
        return true;
    }
    datetime_range(&at, api->options.zone_min, &lo_ms, &hi_ms);
    return lo_ms < now_ms - access_param(ACCESS_IMPORT_KEPT_MS, now_ms);
}

size_t imports_list(Api *api, Arena *a, Str *ret, size_t max)
{
    size_t n = 0;
    struct dirent *e;
    ImportProgress unused;
    DIR *dir = opendir(import_path(api, a, STR_NONE, ""));
    while (dir && (e = readdir(dir)) != NULL) {
        Str id = arena_str(a, str_from_c(e->d_name));
        if (!import_id_good(id)) {
            continue;
        }
        if (!import_running(api, id, &unused) && too_old(api, a, id)) {
            import_remove(api, id);
        } else if (n < max) {
            ret[n++] = id;
        }
    }
    if (dir) {
        closedir(dir);
    }
    return n;
}

/* ---- The run ----------------------------------------------------------------------------------
 */

bool import_running(Api *api, Str id, ImportProgress *ret)
{
    ApiImports *x = api->imports;
    pthread_mutex_lock(&x->lock);
    bool running = atomic_load(&x->running) && str_is(id, x->id);
    if (running) {
        *ret = (ImportProgress){x->table.dry, atomic_load(&x->done), atomic_load(&x->total)};
    }
    pthread_mutex_unlock(&x->lock);
    return running;
}

static bool going(void *ctx, uint64_t done, uint64_t total)
{
    ApiImports *x = ctx;
    atomic_store(&x->done, done);
    atomic_store(&x->total, total);
    return !atomic_load(&x->stop);
}

static void words_write(JsonWriter *w, const char *name, Str zh, Str en)
{
    json_key_open(w, name, '{');
    json_member_str(w, "zh", zh);
    json_member_str(w, "en", en);
    json_close(w, '}');
}

static void done_write(JsonWriter *w, const ApiTableDone *d)
{
    json_member_c(w, "charset", d->charset);
    json_member_i64(w, "made", (int64_t)d->made);
    json_member_i64(w, "changed", (int64_t)d->changed);
    json_member_i64(w, "unchanged", (int64_t)d->unchanged);
    json_member_i64(w, "refused", (int64_t)d->refused);
    json_member_i64(w, "accounts", (int64_t)d->accounts);
    json_member_bool(w, "refusedSheet", d->refused_sheet);
    json_member_bool(w, "passwordsSheet", d->passwords_sheet);
    json_member_bool(w, "incomplete", d->incomplete);
    json_key_open(w, "unused", '[');
    for (size_t i = 0; i < d->unused_n; i++) {
        json_put_str(w, d->unused[i]);
    }
    json_close(w, ']');
    json_key_open(w, "refusals", '[');
    for (size_t i = 0; i < d->shown_n; i++) {
        json_open(w, '{');
        json_member_i64(w, "line", (int64_t)d->shown[i].line);
        words_write(w, "reason", d->shown[i].zh, d->shown[i].en);
        json_close(w, '}');
    }
    json_close(w, ']');
}

/* done NULL: begun, or not a table at all (err says why). */
static Status state_put(Api *api, const ApiImports *x, const char *state, const ApiTableDone *done,
                        const Err *failed, Err *err)
{
    Arena a;
    Buf out;
    arena_init(&a, 0);
    JsonWriter w = json_begin(&out, '{');
    json_member_c(&w, "state", state);
    json_member_str(&w, "by", x->as.username);
    json_member_str(&w, "at", time_iso(&a, clock_now(api->options.clock), api->options.zone_min));
    json_member_bool(&w, "dry", x->table.dry);
    json_key(&w, "map");
    json_put_raw(&w, x->map);
    if (done) {
        done_write(&w, done);
    } else if (failed && failed->first) {
        words_write(&w, "reason", failed->first->zh, failed->first->en);
    }
    Str text = json_end(&w, '}', &a);
    const char *path = path_join(&a, x->folder, STR("state.json")).p;
    Status status = file_write_durable(path, text, 0600, err);
    arena_done(&a);
    return status;
}

static const char *state_after(const ApiImports *x, const ApiTableDone *done)
{
    return done->stopped ? "stopped" : x->table.dry ? "checked" : "imported";
}

static void run(Api *api, ApiImports *x)
{
    Arena *a = &x->arena;
    Str bytes;
    Err err;
    ApiTableDone done;
    err_init(&err, a);
    bool good = file_read(a, path_join(a, x->folder, STR("table.csv")).p, IMPORT_BYTES_MAX, &bytes,
                          &err) == OK &&
                api_table_import(api, a, &x->table, bytes, &done, &err) == OK;
    if (state_put(api, x, good ? state_after(x, &done) : "failed", good ? &done : NULL, &err,
                  NULL) != OK) {
        log_warn("api", "what became of the table %s cannot be written down", x->id);
    }
}

static void *job_main(void *arg)
{
    Api *api = arg;
    run(api, api->imports);
    atomic_store(&api->imports->running, false);
    return NULL;
}

/* What outlives the request. */
static AccessCaller caller_keep(Arena *a, const AccessCaller *caller)
{
    AccessCaller kept = {.username = arena_str(a, caller->username),
                         .name = arena_str(a, caller->name),
                         .practitioner = arena_str(a, caller->practitioner),
                         .address = arena_str(a, caller->address)};
    kept.post.role = arena_str(a, caller->post.role);
    kept.post.organization = arena_str(a, caller->post.organization);
    return kept;
}

static Status job_start(Api *api, ApiImports *x, Err *err)
{
    TRY(state_put(api, x, x->table.dry ? "checking" : "importing", NULL, NULL, err));
    (void)unlink(x->table.refused);
    atomic_store(&x->stop, false);
    atomic_store(&x->done, 0);
    atomic_store(&x->total, 0);
    atomic_store(&x->running, true);
    x->begun = pthread_create(&x->thread, NULL, job_main, api) == 0;
    if (x->begun) {
        return OK;
    }
    atomic_store(&x->running, false);
    return err_status(err, ERR_UNAVAILABLE);
}

static Status job_prepare(ApiCall *c, ApiImports *x, Str id, LinkKind kind, Str map, bool dry)
{
    if (atomic_load(&x->running)) {
        return err_rule(&c->err, ERR_CONFLICT, STR("import-runs"), STR_NONE,
                        "另一份表正在处理，请等它完成",
                        "Another table is being worked on; wait for it");
    }
    job_join(x);
    arena_init(&x->arena, 0);
    memcpy(x->id, id.p, ID_HEX);
    x->as = caller_keep(&x->arena, c->caller);
    x->map = arena_str(&x->arena, map);
    x->folder = str_from_c(import_path(c->api, &x->arena, id, ""));
    x->table = (ApiTable){.kind = kind,
                          .map = x->map,
                          .dry = dry,
                          .proposed = true,
                          .refused = import_path(c->api, &x->arena, id, "refused.csv"),
                          .passwords = import_path(c->api, &x->arena, id, "passwords.csv"),
                          .as = &x->as,
                          .going = going,
                          .ctx = x};
    Status status = job_start(c->api, x, &c->err);
    if (status != OK) {
        arena_done(&x->arena);
    }
    return status;
}

Status import_begin(ApiCall *c, Str id, LinkKind kind, Str map, bool dry)
{
    ApiImports *x = c->api->imports;
    pthread_mutex_lock(&x->lock);
    Status status = job_prepare(c, x, id, kind, map, dry);
    pthread_mutex_unlock(&x->lock);
    return status;
}

void import_stop(Api *api, Str id)
{
    ApiImports *x = api->imports;
    pthread_mutex_lock(&x->lock);
    if (atomic_load(&x->running) && str_is(id, x->id)) {
        atomic_store(&x->stop, true);
        job_join(x);
    }
    pthread_mutex_unlock(&x->lock);
}
