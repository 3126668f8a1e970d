/*
 * Subscriptions to topics (R5's, as the backport guide has them for R4): which there are, how far
 * each is along the log, how its notifications are made and sent (decision 072).
 *
 * A Hook is a Subscription as it stands now with its topic's triggers. How far it is (HookPlace)
 * stands in DIR/hooks.db: the row of the log up to which everything was told, so that nothing is
 * lost over a restart, and nothing that a failed delivery holds up is passed over. A notification
 * that is refused for good, or failed too often, becomes a letter: an administrator sees it and
 * may send it again.
 */
#ifndef API_HOOK_H
#define API_HOOK_H

#include "api_inner.h"
#include "db.h"
#include "fhir_path.h"

#define HOOKS_MAX         200u
#define HOOK_TRIGGERS_MAX 16u
#define HOOK_EVENTS_KEPT  10000 /* of one subscription, for $events */
#define HOOK_LETTERS_KEPT 1000
#define HOOK_BATCH_MAX    100u
#define HOOKS_RIGHT       STR("$hooks") /* in access_rights.def */

typedef enum HookContent { HOOK_EMPTY, HOOK_ID_ONLY, HOOK_FULL } HookContent;

typedef struct HookTrigger {
    Str type;
    unsigned ops;             /* 1 << StoreOp */
    const FhirPath *criteria; /* over the new version, with %previous; NULL: none */
    Str query;                /* a search that must find it; or empty */
} HookTrigger;

typedef struct Hook {
    Str id, vid, status, topic, endpoint;
    Str author, role, org; /* in whose name it was written last */
    HookTrigger trigger[HOOK_TRIGGERS_MAX];
    size_t trigger_n;
    Str *filter; /* "Observation?code=x" */
    size_t filter_n;
    Str *header;
    size_t header_n;
    HookContent content;
    int64_t heartbeat_s, timeout_s; /* 0: none, the default */
    size_t batch;                   /* events in one notification */
    const JsonDoc *doc;
} Hook;

/* ---- api_hook_read.c: what a Subscription and its topic say ---- */

/* All that are requested or active, of whoever wrote them. What is wrong with one is in `wrong`. */
Status hooks_read(Api *api, StoreReader *r, Arena *a, Hook **ret, size_t *ret_n, Err *err) MUST_USE;
/* ERR_UNPROCESSABLE: it says something that cannot be done; *hook is filled as far as it goes. */
Status hook_read(Api *api, StoreReader *r, Arena *a, const StoreVersion *v, Hook *ret,
                 Err *err) MUST_USE;

/* ---- api_hook_keep.c: how far each is ---- */

typedef struct HookPlace {
    uint64_t after, number; /* seq; events told so far */
    int64_t attempts, next_ms, sent_ms;
    Str error;
} HookPlace;

typedef struct HookLetter {
    int64_t no, at_ms, attempts;
    Str hook, reason;
    uint64_t first, last; /* numbers of its events */
} HookLetter;

typedef struct HookKeep HookKeep;
Status hook_keep_open(Api *api, HookKeep **ret, Err *err) MUST_USE;
void hook_keep_close(HookKeep *k);
/* *ret_known false: it is new, and *ret is left as it is. */
Status hook_place_get(HookKeep *k, Arena *a, Str hook, HookPlace *ret, bool *ret_known,
                      Err *err) MUST_USE;
/* What was gone past since the last place: seqs of events, and the letter if they were not taken.
 */
typedef struct HookTold {
    const uint64_t *seq;
    size_t n;
    const HookLetter *letter; /* or NULL */
} HookTold;
/* This is the place now, and this was told (HookTold of zeros: nothing): in one transaction. */
Status hook_place_put(HookKeep *k, Str hook, const HookPlace *p, const HookTold *told,
                      Err *err) MUST_USE;
/* seqs of events first … last. *n: room; then how many there are. */
Status hook_events(HookKeep *k, Str hook, uint64_t first, uint64_t last, uint64_t *ret_number,
                   uint64_t *ret_seq, size_t *n, Err *err) MUST_USE;
Status hook_letters(HookKeep *k, Arena *a, HookLetter *ret, size_t *n, Err *err) MUST_USE;
Status hook_letter_drop(HookKeep *k, int64_t no, Err *err) MUST_USE;

/* ---- api_hook_note.c: what is sent ---- */

typedef struct HookEvent {
    uint64_t number;
    StoreVersion v; /* with its body where it is to be shown */
} HookEvent;

typedef struct HookNote {
    const char *kind; /* handshake, heartbeat, event-notification, query-status, query-event */
    const char *status;
    uint64_t number; /* events since the subscription began */
    const HookEvent *event;
    size_t event_n;
    Str error;
} HookNote;

/* Parameters that are a SubscriptionStatus. */
void hook_status_write(Api *api, Arena *a, JsonWriter *w, const Hook *h, const HookNote *n);
Str hook_note_write(Api *api, Arena *a, const Hook *h, const HookNote *n);

/* ---- api_hook_send.c ---- */

/* OK: it was taken (2xx). ERR_UNPROCESSABLE: refused for good. ERR_UNAVAILABLE: try again. */
Status hook_send(Arena *a, const Hook *h, Str body, Err *err) MUST_USE;

/* ---- api_hooks.c: the thread ---- */

HookKeep *hooks_keep_of(Api *api);

/* ---- api_hook_event.c: which rows of the log are events ---- */

/* One subscriber's eyes for some rows of the log. */
typedef struct HookLook {
    Api *api;
    StoreReader *reader; /* its trouble: what was answered may not be so */
    const Hook *hook;
    AccessCaller caller;
    Arena *arena;
} HookLook;

/* Who wrote it last, in that post, as they are now. */
Status hook_subscriber(Api *api, StoreReader *r, Arena *a, const Hook *h, AccessCaller *ret,
                       Err *err) MUST_USE;
bool hook_row_is_event(HookLook *l, const StoreVersion *v);
/* What the subscriber may see of the rows with these seqs, in the form the hook asks for. */
Status hook_events_load(Api *api, StoreReader *r, Arena *a, const Hook *h, const uint64_t *number,
                        const uint64_t *seq, size_t n, HookEvent **ret, size_t *ret_n,
                        Err *err) MUST_USE;

#endif
