/* menkou serve: the server on one data directory, until SIGTERM or SIGINT. */
#include <stdio.h>

#include "cmd.h"
#include "cmd_args.h"
#include "embed.h"

#include "mk_banned.h"

static const char USAGE[] =
    "menkou serve --data DIR [--db ADDRESS] [--listen HOST:PORT]\n"
    "             [--tls CERT KEY | --behind-proxy] [--pathways DIR]... [--region CODE] [--now "
    "TIME]\n"
    "\n"
    "Serves a data directory made by menkou init (or demo). Prints one line\n"
    "\"listening on http://HOST:PORT\" when it is ready.\n"
    "\n"
    "  --db ADDRESS        postgresql://…: the data lie in this database, kept in DIR\n"
    "  --listen HOST:PORT  default 127.0.0.1:8080; port 0 takes a free one\n"
    "  --tls CERT KEY      PEM files; an address other than loopback needs this …\n"
    "  --behind-proxy      … or a proxy that does TLS; its X-Forwarded-* are believed\n"
    "  --pathways DIR      a county's own packages over those of the program; repeatable\n"
    "  --region CODE       the county's six digits of GB/T 2260, kept in the data directory:\n"
    "                      chooses among the packages' parameters\n"
    "  --now TIME          starts the program's clock there (demo data only)\n"
    "\n"
    "Exit status: 0 ended by a signal; 2 wrong use or the address is taken; 3 the directory is\n"
    "held by another process or in an unknown state.\n";

typedef struct ServeWish {
    const char *data, *listen, *now, *region;
    const char *tls_cert, *tls_key;
    const char *overlay[CMD_OVERLAYS_MAX];
    CmdList overlays; /* of overlay */
    bool behind_proxy;
} ServeWish;

/* -1: go on. */
static int wish_read(ServeWish *w, int argc, char **argv)
{
    const CmdOption options[] = {{"--data", .value = &w->data},
                                 {"--listen", .value = &w->listen},
                                 {"--now", .value = &w->now},
                                 {"--region", .value = &w->region},
                                 {"--tls", .value = &w->tls_cert, .second = &w->tls_key},
                                 {"--behind-proxy", .flag = &w->behind_proxy},
                                 {"--pathways", .list = &w->overlays}};
    CmdArgs args = {.command = "serve",
                    .usage = USAGE,
                    .option = options,
                    .option_n = sizeof options / sizeof *options};
    int rc = cmd_args_parse(&args, argc, argv);
    if (rc < 0 && !w->data) {
        return cmd_wrong_use("serve", "--data DIR is missing");
    }
    return rc < 0 ? cmd_region_check("serve", w->region) : rc;
}

static int address_read(Arena *a, const ServeWish *w, ApiOptions *o)
{
    const char *listen = w->listen ? w->listen : "127.0.0.1:8080";
    if (!api_listen_parse(a, str_from_c(listen), &o->host, &o->port)) {
        return cmd_wrong_use("serve", "'%s' is no HOST:PORT", listen);
    }
    if (w->tls_cert && w->behind_proxy) {
        return cmd_wrong_use("serve", "--tls and --behind-proxy exclude each other: one of them "
                                      "ends the encryption");
    }
    if (!api_host_is_loopback(o->host) && !w->tls_cert && !w->behind_proxy) {
        return cmd_wrong_use(
            "serve", "%s is not loopback: --tls CERT KEY or --behind-proxy is needed", o->host);
    }
    return -1;
}

/* Records of living people are not dated by hand: outside of a demo it is said aloud. */
static int clock_read(Arena *a, const ServeWish *w, Clock *clock)
{
    int64_t now_ms;
    if (!w->now) {
        clock_init_system(clock);
        return -1;
    }
    if (!time_parse(str_from_c(w->now), ZONE_CHINA_MIN, &now_ms)) {
        return cmd_wrong_use("serve", "'%s' is no time; write 2026-11-22T08:00:00+08:00", w->now);
    }
    if (!file_exists(path_join(a, str_from_c(w->data), STR(CMD_DEMO_MARKER)).p)) {
        fprintf(stderr,
                "menkou serve: %s is no demo: with --now what is written is dated wrongly; "
                "never with records of living people\n",
                w->data);
    }
    clock_init_at(clock, now_ms);
    return -1;
}

static int data_check(const char *dir)
{
    return store_is_there(str_from_c(dir))
               ? -1
               : cmd_wrong_use("serve", "%s has no data; make them with menkou init --data %s", dir,
                               dir);
}

static int serve(Arena *a, const ServeWish *w)
{
    Clock clock;
    Random random;
    ApiOptions o = {.dir = w->data,
                    .tls_cert = w->tls_cert,
                    .tls_key = w->tls_key,
                    .behind_proxy = w->behind_proxy,
                    .overlay = w->overlays.at,
                    .overlay_n = w->overlays.n,
                    .clock = &clock,
                    .random = &random,
                    .zone_min = ZONE_CHINA_MIN,
                    .region = w->region,
                    .web = embed_web,
                    .pathways = embed_pathways,
                    .maps = embed_maps};
    random_init_system(&random);
    int rc = address_read(a, w, &o);
    rc = rc < 0 ? data_check(w->data) : rc;
    rc = rc < 0 ? clock_read(a, w, &clock) : rc;
    return rc < 0 ? api_run(&o) : rc;
}

int cmd_serve(int argc, char **argv)
{
    ServeWish w = {0};
    w.overlays = (CmdList){w.overlay, 0, CMD_OVERLAYS_MAX};
    int rc = wish_read(&w, argc, argv);
    if (rc >= 0) {
        return rc;
    }
    Arena a;
    arena_init(&a, 0);
    rc = serve(&a, &w);
    arena_done(&a);
    return rc;
}
