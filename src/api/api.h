/*
 * Api: FHIR R4 at /fhir, and beside it /auth, /events, /print, /metrics, /healthz and the
 * workstation. One file per endpoint family; routes.def is the list of all of them.
 *
 * An Api owns the open data directory (store, access, flow), the clock that fires deadlines
 * and the HTTP server, from api_open to api_close.
 */
#ifndef API_H
#define API_H

#include "flow.h"

typedef struct Api Api;

/* A file inside the program. */
typedef struct ApiFile {
    Str path;                /* "assets/index-abc.js", "PATHWAY/pathway.json" */
    Str bytes, gzip, brotli; /* the latter two may be empty */
} ApiFile;

typedef struct ApiFiles {
    const ApiFile *file; /* by path in byte order */
    size_t n;
} ApiFiles;

typedef struct ApiOptions {
    const char *dir;
    const char *host;     /* NULL: nobody is served; for api_local_call */
    uint16_t port;        /* 0: a free one */
    const char *tls_cert; /* paths of PEM files; NULL: plain HTTP */
    const char *tls_key;
    bool behind_proxy;          /* X-Forwarded-For, -Proto and -Host are believed */
    const char *const *overlay; /* --pathways folders, later ones over earlier */
    size_t overlay_n;
    const Clock *clock;
    Random *random;
    int zone_min;
    const char *region; /* the county's code, to be kept in the store; NULL: as it is there */
    ApiFiles web, pathways;
    ApiFiles maps; /* "residents.json" …: which column of a table means what */
} ApiOptions;

/* ERR_UNAVAILABLE rule "held": the directory belongs to another process; ERR_INVALID: address, TLS
 * files. */
Status api_open(const ApiOptions *options, Api **ret, Err *err) MUST_USE;
/* Ends streams, finishes what was accepted, closes everything. */
void api_close(Api *api);

/*
 * Serves until SIGTERM or SIGINT: prints exactly one line "listening on URL" on stdout. The
 * result is the exit status (contracts 1.7); a failure is told on stderr.
 */
int api_run(const ApiOptions *options);

/*
 * Where subscribers stand, from one store's place (store_beside; a file may be missing) to
 * another's, which holds nothing else then. Both are as of one moment.
 */
typedef struct ApiHooksPlace {
    const char *path, *space;
} ApiHooksPlace;
Status api_hooks_copy(const ApiHooksPlace *from, const ApiHooksPlace *to, Err *err) MUST_USE;
/* Its pages (db_verify) and how many subscribers stand in it; only looks. */
Status api_hooks_verify(Store *store, uint64_t *ret_subscribers, uint64_t *ret_faults,
                        Err *err) MUST_USE;

/*
 * Requests from inside the process, for import: executed like POST or PUT of a client that may
 * everything, with the same checks, commit, memory of keys and audit record. One thread at a time.
 * `as` (NULL: the system) stands in the log and the audit, and must outlive it.
 */
typedef struct ApiLocal ApiLocal;
Status api_local_open(Api *api, const AccessCaller *as, ApiLocal **ret, Err *err) MUST_USE;
void api_local_close(ApiLocal *l);
/* path "/fhir", "/fhir/Type/id" or "/fhir/Type?query"; key may be empty. The HTTP status; *ret_body
 * lives in `a`. */
int api_local_call(ApiLocal *l, Arena *a, const char *method, Str path, Str key, Str body,
                   Str *ret_body);
/* The same with a body that was parsed already. */
int api_local_send(ApiLocal *l, Arena *a, const char *method, Str path, Str key,
                   const JsonDoc *body, Str *ret_body);

/* "HOST:PORT" or "[::1]:PORT". False if it is neither. host is NUL-terminated in `a`. */
bool api_listen_parse(Arena *a, Str text, const char **ret_host, uint16_t *ret_port);
/* Only these are served without TLS or a proxy before us. */
bool api_host_is_loopback(const char *host);

/* The pages beside the packages' folders, which every package may use as parts of its own. */
FlowPackageSource api_pages_shared(Arena *a, ApiFiles files);
/* The packages of the program and of folders as flow_open wants them. */
Status api_packages(Arena *a, ApiFiles files, const char *const *overlay, size_t overlay_n,
                    FlowPackageSource **ret, size_t *ret_n, Err *err) MUST_USE;

#endif
