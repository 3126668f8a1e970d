/* menkou demo: makes a synthetic county in a data directory of its own, and serves it. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd.h"
#include "cmd_args.h"
#include "demo.h"
#include "embed.h"

#include "mk_banned.h"

static const char USAGE[] =
    "menkou demo [--data DIR] [--people N] [--seed S] [--now TIME] [--listen HOST:PORT]\n"
    "            [--pathways DIR]... [--fresh] [--make-only]\n"
    "\n"
    "Makes a synthetic county and serves it. Served again, it goes on where it was. The accounts\n"
    "are shown on stderr and stand in DIR/accounts.json.\n"
    "\n"
    "  --data DIR       default menkou-demo; a directory that is no demo is refused\n"
    "  --people N       50 to 2000000, default 20000\n"
    "  --seed S         default 1; the same people, seed and now give the same county\n"
    "  --now TIME       where the program's clock starts; default today 08:00 +08:00\n"
    "  --listen H:P     default 127.0.0.1:8080; port 0 takes a free one\n"
    "  --pathways DIR   a county's own packages over those of the program; repeatable\n"
    "  --fresh          discards an earlier demo in DIR\n"
    "  --make-only      makes the county and ends\n"
    "\n"
    "Exit status: 0 done; 1 it could not be made; 2 wrong use; 3 DIR is held by another process\n"
    "or is no demo.\n";

typedef struct DemoWish {
    const char *data, *people, *seed, *now, *listen;
    const char *overlay[CMD_OVERLAYS_MAX];
    CmdList overlays; /* of overlay */
    bool fresh, make_only;
} DemoWish;

typedef struct DemoPlan {
    Str dir;
    int people;
    uint64_t seed;
    int64_t now_ms; /* TIME_NONE: not said */
} DemoPlan;

/* ---- What stands in the directory ------------------------------------------------------------ */

typedef enum DemoState { DEMO_EMPTY, DEMO_READY, DEMO_UNFINISHED, DEMO_FOREIGN } DemoState;

static Str marker_path(Arena *a, Str dir)
{
    return path_join(a, dir, STR(CMD_DEMO_MARKER));
}

static bool dir_empty(Arena *a, Str dir)
{
    DIR *d = opendir(arena_cstr(a, dir));
    if (!d) {
        return true;
    }
    bool empty = true;
    for (struct dirent *e; (e = readdir(d));) {
        empty =
            empty && (e->d_name[0] == '.' || str_is(str_from_c(e->d_name), STORE_DATABASE_FILE));
    }
    closedir(d);
    return empty;
}

static DemoState state_read(Arena *a, Str dir, JsonDoc *ret_marker)
{
    Str marker = marker_path(a, dir), text;
    if (!file_exists(marker.p)) {
        return dir_empty(a, dir) ? DEMO_EMPTY : DEMO_FOREIGN;
    }
    if (file_read(a, marker.p, 1 << 16, &text, NULL) != OK ||
        json_parse(a, text, &JSON_LIMITS_FHIR, ret_marker, NULL) != OK) {
        return DEMO_FOREIGN;
    }
    bool ready = json_is_true(ret_marker, json_get_c(ret_marker, JSON_ROOT, "ready"));
    return ready ? DEMO_READY : DEMO_UNFINISHED;
}

static Status marker_write(Arena *a, const DemoPlan *p, bool ready, Err *err)
{
    Str now = time_iso(a, p->now_ms, ZONE_CHINA_MIN);
    Str text = arena_printf(
        a, "{\"people\": %d, \"seed\": %llu, \"now\": \"%.*s\", \"ready\": %s}\n", p->people,
        (unsigned long long)p->seed, STR_ARG(now), ready ? "true" : "false");
    return file_write_durable(marker_path(a, p->dir).p, text, 0600, err);
}

/* The marker goes last, so that a discarding cut short is still known as a demo. */
static bool is_kept(Str name)
{
    return str_is(name, CMD_DEMO_MARKER) || str_is(name, STORE_DATABASE_FILE);
}

static void tree_remove(Arena *a, Str dir, bool keep_marker)
{
    DIR *d = opendir(arena_cstr(a, dir));
    if (!d) {
        return;
    }
    for (struct dirent *e; (e = readdir(d));) {
        Str name = str_from_c(e->d_name);
        if (str_is(name, ".") || str_is(name, "..") || (keep_marker && is_kept(name))) {
            continue;
        }
        Str path = path_join(a, dir, arena_str(a, name));
        struct stat st;
        if (lstat(path.p, &st) == 0 && S_ISDIR(st.st_mode)) {
            tree_remove(a, path, false);
            rmdir(path.p);
        } else {
            unlink(path.p);
        }
    }
    closedir(d);
}

/* ---- Making
 * ---------------------------------------------------------------------------------------- */

typedef struct DemoMaker {
    Arena *arena;
    const DemoPlan *plan;
    const char *const *overlay;
    size_t overlay_n;
    Clock clock;
    Random random;
    Store *store;
    Flow *flow;
} DemoMaker;

static Str demo_text(const char *name)
{
    for (size_t i = 0; i < embed_demo.n; i++) {
        if (str_is(embed_demo.file[i].path, name)) {
            return embed_demo.file[i].bytes;
        }
    }
    return STR("{}");
}

static Status county_make(DemoMaker *m, Err *err)
{
    FlowPackageSource *sources;
    size_t n;
    TRY(api_packages(m->arena, embed_pathways, m->overlay, m->overlay_n, &sources, &n, err));
    TRY(store_setting_put(m->store, STR(FLOW_SETTING_REGION), STR(DEMO_REGION), err));
    TRY(flow_open(m->store, sources, n, &m->flow, err));
    DemoOptions o = {.store = m->store,
                     .flow = m->flow,
                     .clock = &m->clock,
                     .scenarios = demo_text("scenarios.json"),
                     .chart = demo_text("chart.json"),
                     .dir = m->plan->dir.p,
                     .people = m->plan->people,
                     .seed = m->plan->seed,
                     .now_ms = m->plan->now_ms,
                     .progress = cmd_progress,
                     .progress_ctx = (void *)(uintptr_t) "demo"};
    DemoResult r;
    TRY(demo_make(&o, &r, err));
    fprintf(stderr, "demo: %llu residents, %llu cases, %llu steps, %llu refused\n",
            (unsigned long long)r.residents, (unsigned long long)r.cases,
            (unsigned long long)r.steps, (unsigned long long)r.refused);
    return OK;
}

/* Nothing is discarded under a process that has the directory open (store_open locks the same
 * file). */
static Status discard(Arena *a, const DemoPlan *plan, Err *err)
{
    TRY(dir_make(plan->dir.p, 0700, err));
    int lock = open(path_join(a, plan->dir, STR("lock")).p, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB) != 0) {
        if (lock >= 0) {
            close(lock);
        }
        return err_rule(err, ERR_UNAVAILABLE, STR("held"), plan->dir, "数据目录正被另一个进程使用",
                        "Another process has the data folder open");
    }
    bool was_demo = file_exists(marker_path(a, plan->dir).p);
    Status s = marker_write(a, plan, false, err);
    if (s == OK) {
        tree_remove(a, plan->dir, true);
        s = was_demo ? store_database_discard(plan->dir, err) : OK;
    }
    close(lock);
    return s;
}

static Status make(DemoMaker *m, Err *err)
{
    TRY(discard(m->arena, m->plan, err));
    clock_init_fixed(&m->clock, m->plan->now_ms - (DEMO_DAYS_LIVED + 1) * MS_DAY);
    random_init_seed(&m->random, m->plan->seed);
    StoreOptions o = {.dir = m->plan->dir.p,
                      .clock = &m->clock,
                      .random = &m->random,
                      .zone_min = ZONE_CHINA_MIN,
                      .bulk = true};
    TRY(store_open(&o, &m->store, err));
    Status s = store_seq(m->store) == 0 ? county_make(m, err)
                                        : err_rule(err, ERR_UNAVAILABLE, STR("held"), m->plan->dir,
                                                   "数据库中已有别的数据",
                                                   "The database holds something that is no demo");
    flow_close(m->flow);
    store_close(m->store);
    s = s == OK ? disk_sync(m->plan->dir.p, err) : s;
    return s == OK ? marker_write(m->arena, m->plan, true, err) : s;
}

static int make_said(Arena *a, const DemoWish *w, const DemoPlan *plan)
{
    Err err;
    err_init(&err, a);
    DemoMaker m = {.arena = a, .plan = plan, .overlay = w->overlays.at, .overlay_n = w->overlays.n};
    return make(&m, &err) == OK ? -1 : cmd_failed("demo", &err);
}

/* ---- Serving
 * ---------------------------------------------------------------------------------------- */

static void accounts_show(Arena *a, Str dir)
{
    Str text;
    JsonDoc d;
    if (file_read(a, path_join(a, dir, STR("accounts.json")).p, 1 << 20, &text, NULL) != OK ||
        json_parse(a, text, &JSON_LIMITS_FHIR, &d, NULL) != OK) {
        return;
    }
    for (JsonIter it = json_iter(&d, JSON_ROOT); json_next(&it);) {
        fprintf(stderr, "  %-12.*s %-14.*s %-22.*s %.*s %.*s\n",
                STR_ARG(json_str_at(&d, it.value, "username")),
                STR_ARG(json_str_at(&d, it.value, "password")),
                STR_ARG(json_str_at(&d, it.value, "role")),
                STR_ARG(json_str_at(&d, it.value, "organizationName")),
                STR_ARG(json_str_at(&d, it.value, "name")));
    }
}

/* Served again without --now: the world's clock, or the county's last moment when that is later. */
static int64_t clock_resume(const JsonDoc *marker)
{
    Clock system;
    clock_init_system(&system);
    int64_t then, now = clock_now(&system);
    bool known = time_parse(json_str_at(marker, JSON_ROOT, "now"), ZONE_CHINA_MIN, &then);
    return known && then > now ? then : now;
}

static int serve(Arena *a, const DemoWish *w, const DemoPlan *plan)
{
    Clock clock;
    Random random;
    clock_init_at(&clock, plan->now_ms);
    random_init_system(&random);
    ApiOptions o = {.dir = plan->dir.p,
                    .clock = &clock,
                    .random = &random,
                    .overlay = w->overlays.at,
                    .overlay_n = w->overlays.n,
                    .zone_min = ZONE_CHINA_MIN,
                    .web = embed_web,
                    .pathways = embed_pathways,
                    .maps = embed_maps};
    const char *listen = w->listen ? w->listen : "127.0.0.1:8080";
    if (!api_listen_parse(a, str_from_c(listen), &o.host, &o.port)) {
        return cmd_wrong_use("demo", "'%s' is no HOST:PORT", listen);
    }
    if (!api_host_is_loopback(o.host)) {
        return cmd_wrong_use("demo", "%s is not loopback; a demo is served here only", o.host);
    }
    accounts_show(a, plan->dir);
    return api_run(&o);
}

/* ---- Words
 * ------------------------------------------------------------------------------------------- */

static int64_t today_eight(void)
{
    Clock system;
    clock_init_system(&system);
    int64_t local = clock_now(&system) + ZONE_CHINA_MIN * MS_MINUTE;
    return local / MS_DAY * MS_DAY + 8 * MS_HOUR - ZONE_CHINA_MIN * MS_MINUTE;
}

static int plan_read(Arena *a, const DemoWish *w, DemoPlan *ret)
{
    int64_t people = 20000, seed = 1;
    ret->dir = arena_str(a, str_from_c(w->data ? w->data : "menkou-demo"));
    if (w->people &&
        (!str_to_i64(str_from_c(w->people), &people) || people < 50 || people > 2000000)) {
        return cmd_wrong_use("demo", "--people takes a number from 50 to 2000000, not '%s'",
                             w->people);
    }
    if (w->seed && (!str_to_i64(str_from_c(w->seed), &seed) || seed < 0)) {
        return cmd_wrong_use("demo", "--seed takes a whole number, not '%s'", w->seed);
    }
    ret->people = (int)people;
    ret->seed = (uint64_t)seed;
    ret->now_ms = TIME_NONE;
    if (w->now && !time_parse(str_from_c(w->now), ZONE_CHINA_MIN, &ret->now_ms)) {
        return cmd_wrong_use("demo", "'%s' is no time; write 2026-11-22T08:00:00+08:00", w->now);
    }
    return -1;
}

/* A county that is there stays as it is: said where another one was asked for. */
static void kept_say(const DemoWish *w, const DemoPlan *plan, const JsonDoc *marker)
{
    int64_t people = 0, seed = 0;
    (void)json_to_i64(marker, json_get_c(marker, JSON_ROOT, "people"), &people);
    (void)json_to_i64(marker, json_get_c(marker, JSON_ROOT, "seed"), &seed);
    bool other = (w->people && people != plan->people) || (w->seed && (uint64_t)seed != plan->seed);
    if (other) {
        fprintf(stderr,
                "menkou demo: %s holds a county of %lld people, seed %lld, and goes on with it; "
                "--fresh makes another\n",
                plan->dir.p, (long long)people, (long long)seed);
    }
}

static int run(Arena *a, const DemoWish *w)
{
    DemoPlan plan;
    int rc = plan_read(a, w, &plan);
    if (rc >= 0) {
        return rc;
    }
    JsonDoc marker;
    DemoState state = state_read(a, plan.dir, &marker);
    if (state == DEMO_FOREIGN) {
        fprintf(stderr, "menkou demo: %s holds something that is no demo; name another --data\n",
                plan.dir.p);
        return CMD_HELD;
    }
    if (state == DEMO_READY && !w->fresh) {
        kept_say(w, &plan, &marker);
        plan.now_ms = plan.now_ms == TIME_NONE ? clock_resume(&marker) : plan.now_ms;
    } else {
        plan.now_ms = plan.now_ms == TIME_NONE ? today_eight() : plan.now_ms;
        rc = make_said(a, w, &plan);
    }
    return rc >= 0 ? rc : w->make_only ? CMD_DONE : serve(a, w, &plan);
}

int cmd_demo(int argc, char **argv)
{
    DemoWish w = {0};
    w.overlays = (CmdList){w.overlay, 0, CMD_OVERLAYS_MAX};
    const CmdOption options[] = {
        {"--data", &w.data, NULL},     {"--people", &w.people, NULL},
        {"--seed", &w.seed, NULL},     {"--now", &w.now, NULL},
        {"--listen", &w.listen, NULL}, {"--pathways", .list = &w.overlays},
        {"--fresh", NULL, &w.fresh},   {"--make-only", NULL, &w.make_only},
    };
    CmdArgs args = {.command = "demo",
                    .usage = USAGE,
                    .option = options,
                    .option_n = sizeof options / sizeof *options};
    int rc = cmd_args_parse(&args, argc, argv);
    if (rc >= 0) {
        return rc;
    }
    Arena a;
    arena_init(&a, 0);
    rc = run(&a, &w);
    arena_done(&a);
    return rc;
}
