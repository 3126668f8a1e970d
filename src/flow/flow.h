/*
 * Flow: the pathway engine. A function of the county is a package of data
 * (docs/formats/package.md); a running case is a FHIR Task; an action checks role, state, guard,
 * form and access, applies all effects and moves the state in one transaction, or refuses with the
 * reason.
 *
 * flow_core.c decides and is pure (no clock, socket, database); flow.c does.
 */
#ifndef FLOW_H
#define FLOW_H

#include "access.h"
#include "fhir_path.h"

typedef struct Flow Flow;

/* A setting of the store: the county's six digits of GB/T 2260, by which rows of params.json are
 * chosen. Absent: only rows for every region hold. */
#define FLOW_SETTING_REGION "region"
/* Two digits (province), four (prefecture) or six (county). */
bool flow_region_ok(Str code);

typedef struct FlowPackageSource {
    Str name;         /* folder name */
    const Str *paths; /* "pathway.json", "forms/start.json" … */
    const Str *contents;
    size_t files_n;
} FlowPackageSource;

/* Lays the pages that packages share (their paths are file names) into the package's print/, where
 * it has none of that name. */
void flow_package_share(Arena *a, FlowPackageSource *package, const FlowPackageSource *shared);

/* Lints, compiles and puts new packages into the log; later sources lay over earlier ones by name.
 * Versions already in the log that running cases use are loaded too. */
Status flow_open(Store *s, const FlowPackageSource *sources, size_t n, Flow **ret,
                 Err *err) MUST_USE;
void flow_close(Flow *f);

typedef struct FlowRequest {
    const AccessCaller *caller;
    StoreReader *reader;
    Arena *arena;
    int64_t now_ms;
    Str idempotency_key;   /* or empty */
    Sha256 body_sha;       /* of the request's body, for the key */
    Str draft_key;         /* of the caller's draft that ends with the step, or empty */
    Str only;              /* flow_actions: tell of this action alone; empty: of all */
    bool dry;              /* check and compute only */
    bool password_checked; /* the caller gave the password with this very request … */
    bool factor_checked;   /* … or a code of the second factor */
} FlowRequest;

typedef struct FlowAnswer {
    int http_status; /* 201, 200 */
    StoreVersion task;
    Str dry_response; /* QuestionnaireResponse JSON when dry; also set when the dry run is refused
                         after the form was read */
} FlowAnswer;

/* form: root of a QuestionnaireResponse in `params`, or JSON_NONE. */
Status flow_start(Flow *f, const FlowRequest *q, Str pathway, Str patient, Str focus, Str owner,
                  const JsonDoc *params, JsonRef form, FlowAnswer *ret, Err *err) MUST_USE;
Status flow_act(Flow *f, const FlowRequest *q, Str task_id, Str if_vid, Str action,
                const JsonDoc *params, JsonRef form, FlowAnswer *ret, Err *err) MUST_USE;
/* Parameters JSON (contracts 1.2). task_id empty: what may be started (pathway, patient). */
Status flow_actions(Flow *f, const FlowRequest *q, Str task_id, Str pathway, Str patient, Buf *out,
                    Err *err) MUST_USE;
/* Parameters JSON: packages, their states and the work lists of the caller's role. */
Status flow_pathways(Flow *f, const FlowRequest *q, Buf *out, Err *err) MUST_USE;
/* Printed page (HTML, A4) of a case. */
Status flow_print(Flow *f, const FlowRequest *q, Str task_id, Str print, Buf *out,
                  Err *err) MUST_USE;

/* Fires what is due, each as an act of the system in one transaction; *ret_next: when to look
 * again. */
Status flow_fire(Flow *f, StoreReader *r, int64_t now_ms, size_t *ret_fired, int64_t *ret_next,
                 Err *err) MUST_USE;

/* ERR_CONFLICT with rule held-by-case when a raw write may not touch this. new_body may be empty
 * (delete). */
Status flow_guard_raw_write(Flow *f, StoreReader *r, Arena *a, Str type, Str id,
                            const JsonDoc *new_body, Err *err) MUST_USE;

/* The bytes that a signature covers: members in byte order, no white space, without id, meta and
 * text. */
Str flow_canonical(Arena *a, const JsonDoc *resource);

/*
 * Verifies every signature that the engine (or one that says so) made: the detached JWS over the
 * canonical bytes of the version named, by the person's own key. Broken ones are issues in err.
 */
Status flow_verify(StoreReader *r, uint64_t *ret_signatures, uint64_t *ret_faults,
                   Err *err) MUST_USE;

/* Command line: lint and test of package folders. Issues in err; counts in the results. */
Status flow_lint(const FlowPackageSource *source, Err *err) MUST_USE;
typedef struct FlowStoryResult {
    int steps, failed;
} FlowStoryResult;
/*
 * A Bundle of MeasureReports of [period_ms[0], period_ms[1]) as one of the story's people sees it:
 * given by the room that counts (insight_story.h).
 */
typedef Status FlowStoryFigures(const Flow *f, Store *s, StoreReader *r, const AccessCaller *caller,
                                const int64_t period_ms[2], Arena *a, Str *ret, Err *err);
Status flow_story(const FlowPackageSource *sources, size_t n, Str package,
                  FlowStoryFigures *figures, Buf *report, FlowStoryResult *ret, Err *err) MUST_USE;
/* Walks every case of the store through its package; illegal steps are issues. */
Status flow_replay(Flow *f, StoreReader *r, uint64_t *ret_cases, uint64_t *ret_faults,
                   Err *err) MUST_USE;

#endif
