/* A case (病程) as the engine holds it, read from its Task and written to it; of one request's
 * arena and thread. */
#ifndef FLOW_CASE_H
#define FLOW_CASE_H

#include "flow_compiled.h"

#define FLOW_SYSTEM_PATHWAY  "urn:menkou:pathway"
#define FLOW_SYSTEM_STATE    "urn:menkou:state:"
#define FLOW_SYSTEM_ACTION   "urn:menkou:action"
#define FLOW_SYSTEM_HELD     "urn:menkou:held"
#define FLOW_SYSTEM_FORM     "urn:menkou:form"
#define FLOW_SYSTEM_EPISODE  "urn:menkou:episode"
#define FLOW_SYSTEM_FUNCTION "urn:menkou:function"
#define FLOW_SYSTEM_ROLE     "urn:menkou:role"
#define FLOW_EXT_CLAIMANT    "urn:menkou:claimant"
#define FLOW_EXT_DEADLINE    "urn:menkou:deadline"
#define FLOW_EXT_TAIL        "urn:menkou:tail"
#define FLOW_EXT_STEP        "urn:menkou:step"
#define FLOW_EXT_SIGNED_BY   "urn:menkou:signed-by"
/* The engine itself reads this parameter: signing asks for the password again. */
#define FLOW_PARAM_SIGN_PASSWORD "sign-password"
#define FLOW_CATEGORY_ALERT      "urn:menkou:alert"
#define FLOW_CATEGORY_NOTICE     "urn:menkou:notice"

typedef struct FlowDeadline {
    Str name, action, level;
    int64_t due_ms;
    bool fired;
} FlowDeadline;

typedef struct FlowNamed {
    Str name, reference;
} FlowNamed;

typedef struct FlowCase {
    const FlowPackage *pkg;
    Str id, vid;   /* vid empty: not yet written */
    Str reference; /* "Task/ID" */
    JsonDoc *doc;  /* as read; NULL when new */
    int state;
    Str patient, patient_name, requester, requester_name, owner, owner_name, focus, priority;
    Str group, part_of;
    Str claimant, claimant_name; /* PractitionerRole */
    int64_t claimed_until_ms;
    FlowDeadline deadline[FLOW_LIST_MAX];
    size_t deadline_n;
    FlowNamed held[FLOW_LIST_MAX];
    size_t held_n;
    FlowNamed input[FLOW_LIST_MAX]; /* form code → QuestionnaireResponse */
    size_t input_n;
    FlowNamed tail[FLOW_LIST_MAX]; /* Organization → milliseconds after the end, as text */
    size_t tail_n;
    Str step[8]; /* actions of this version */
    size_t step_n;
    Str authored, started, ended; /* as written */
    Str extra;                    /* members the engine does not keep, as `"key":value,…` */
    int64_t end_tail_ms;
    bool touched;
} FlowCase;

/* The code of a CodeableConcept's coding whose system begins so, or empty. */
Str flow_coding_code(const JsonDoc *d, JsonRef concept, const char *system);
/* False when the extension has no due time. */
bool flow_deadline_read(const JsonDoc *d, JsonRef e, FlowDeadline *ret);
/* The name of the pathway that a Task runs, or empty. */
Str flow_case_pathway(const JsonDoc *doc);
/* Fills a case from its Task. False when the Task is not one of the engine's. */
bool flow_case_read(Arena *a, const JsonDoc *doc, Str vid, const FlowPackage *pkg, FlowCase *ret);
Str flow_case_write(Arena *a, const FlowCase *c, int64_t now_ms, int zone_min);
Str flow_case_held(const FlowCase *c, Str name);
/* False when the case holds too much already. */
bool flow_case_hold(FlowCase *c, Str name, Str reference);
void flow_case_drop(FlowCase *c, Str name);
FlowDeadline *flow_case_deadline(FlowCase *c, Str name);
/* The earliest open one, or NULL. */
const FlowDeadline *flow_case_due(const FlowCase *c);

#endif
