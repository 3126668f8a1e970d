/*
 * A whole server without its sockets: store, access with its audit, flow and api on one data
 * directory, and requests that go through routes, checks, commit and audit as a client's do. Used
 * where the disk or the memory beneath is made to fail.
 */
#ifndef API_STAGE_H
#define API_STAGE_H

#include "api_inner.h"

#include "test.h"

typedef struct Stage {
    Clock clock;
    Random random;
    Arena arena; /* of err */
    Err err;
    Api *api;
    char task[64]; /* the case that kinds act on */
    char work[64]; /* the job that is under way */
} Stage;

/* False with stage->err when it does not open; then nothing is to be closed but the stage's own. */
bool stage_open(Stage *s, const char *dir);
void stage_close(Stage *s);

typedef struct StageCall {
    const char *method;
    Str path; /* with its query */
    Str body;
    const char *type;              /* NULL: FHIR JSON */
    Str request_id, key, if_match; /* or empty */
    const char *who; /* "doctor", "office", "machine" or "system"; NULL: may everything */
    bool async;      /* Prefer: respond-async */
} StageCall;

typedef struct StageAnswer {
    int status;
    Str body, etag, location, content_location, retry_after;
} StageAnswer;

/* One reader a thread; the answer lives in `a`. */
StageAnswer stage_call(Stage *s, StoreReader *reader, Arena *a, const StageCall *call);

/* One kind of request, for tests that make something fail in each of them. */
typedef struct StageKind {
    const char *name, *method, *path, *body, *type; /* '#' in path and body: the round's number */
    int status;                                     /* when nothing fails */
    bool writes;
    const char *who; /* as StageCall.who */
    bool follows;    /* a read that brings a file of its own up to date: 507 on a full disk */
    bool on_case;    /* acts on a new case: '@' in the path, made by stage_kind_prepare */
} StageKind;

/* MENKOU_TEST_KIND: only kinds and works that have this in their name. */
bool stage_wanted(const char *name);

extern const StageKind STAGE_KINDS[];
extern const size_t STAGE_KINDS_N;
/* What the kinds read is there afterwards. */
void stage_fill(Stage *s, StoreReader *reader);
/* What one call of this kind finds before it; nothing may be made to fail here. */
void stage_kind_prepare(Stage *s, StoreReader *reader, const StageKind *kind);
StageAnswer stage_kind_call(Stage *s, StoreReader *reader, Arena *a, const StageKind *kind,
                            int round);

/* ---- Work that outlives its request (api_work.c) ----------------------------------------------
 */

typedef enum StageEnd {
    STAGE_REFUSED, /* with a clear answer; nothing was begun */
    STAGE_WHOLE,   /* all was done */
    STAGE_PARTLY,  /* it says that some of it was refused, or why it could not go on */
} StageEnd;

typedef struct StageWork {
    const char *name;
    /* What it begins with; nothing may be made to fail here. */
    void (*prepare)(Stage *s, StoreReader *reader);
    StageAnswer (*begin)(Stage *s, StoreReader *reader, Arena *a);
    /* False: it is not over, or the answer was that it cannot be said now. */
    bool (*over)(Stage *s, StoreReader *reader, StageEnd *ret);
    bool tireless; /* once begun it goes on until it is whole */
} StageWork;

/* The telling of a subscriber (api_work_hook.c). */
void stage_hook_prepare(Stage *s, StoreReader *reader);
StageAnswer stage_hook_begin(Stage *s, StoreReader *reader, Arena *a);
bool stage_hook_over(Stage *s, StoreReader *reader, StageEnd *ret);

extern const StageWork STAGE_WORKS[];
extern const size_t STAGE_WORKS_N;
/* The threads that do it; a stage has none before. */
void stage_work_open(Stage *s);
void stage_work_prepare(Stage *s, StoreReader *reader, const StageWork *work);
/* Begins it and waits for its end. */
StageEnd stage_work_do(Stage *s, StoreReader *reader, const StageWork *work);

/* Faults of log, bodies, blobs, index and audit, as `menkou check` finds them; each is printed. */
uint64_t stage_check(const char *dir);
/* The audit alone, also of a folder whose index was lost with the power: false then. */
bool stage_audit_check(const char *dir, AccessAuditFound *ret);
/* The bytes of all segments of the audit, in order. */
Str stage_audit(Arena *a, const char *dir);

/* A folder of the test's own below $TMPDIR or /tmp, and its end. */
void stage_remove(const char *folder);

#endif
