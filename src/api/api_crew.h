/*
 * Requests of an import that are executed beside each other: threads that take them in turn, each
 * with a door of its own (api_local_open). They are begun in the order in which they were sent and
 * taken back in that order, so that what is counted and refused stands as if one had followed the
 * other. Whoever sends decides what may go beside what (api_bundle_is_free, ids that are under
 * way); everything else waits until all others were taken back.
 *
 * One thread sends and takes back.
 */
#ifndef API_CREW_H
#define API_CREW_H

#include "api.h"
#include "json.h"

typedef struct ApiCrew ApiCrew;

/* Set ctx, key, body (and doc, where it was parsed already); the rest is the crew's. */
typedef struct ApiErrand {
    Arena arena;
    void *ctx;
    Str key, body;
    const JsonDoc *doc;
    int status; /* once it is taken back */
    Str answer;
    struct ApiErrand *next;
    bool done;
} ApiErrand;

/* As many threads as there are processors, within bounds. as: see api_local_open. */
Status api_crew_open(Api *api, const AccessCaller *as, ApiCrew **ret, Err *err) MUST_USE;
/* Nothing may be under way. */
void api_crew_close(ApiCrew *c);

ApiErrand *api_crew_errand(void);
void api_crew_errand_free(ApiErrand *e);

/* Room for one more of so many bytes; else one must be taken back first. */
bool api_crew_has_room(const ApiCrew *c, size_t bytes);
/* POST /fhir. */
void api_crew_send(ApiCrew *c, ApiErrand *e);
/* The oldest, when it is done; NULL: nothing is under way. */
ApiErrand *api_crew_take(ApiCrew *c);
/* Those under way, oldest first; their arenas are not to be used. */
const ApiErrand *api_crew_first(const ApiCrew *c);

/* It says the same whatever goes on beside it: no definition that others are checked by, and no
 * conditional reference. */
bool api_resource_is_free(const JsonDoc *d, JsonRef resource);
/* A transaction that only makes such resources, under new ids and without conditions. */
bool api_bundle_is_free(const JsonDoc *bundle);

#endif
