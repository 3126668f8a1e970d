/* A county in memory for tests of the engine: one township, one county hospital, two wards, slots,
 * people. */
#ifndef FLOW_STAGE_H
#define FLOW_STAGE_H

#include "flow_test.h"
#include "json.h"

typedef struct Stage {
    TestPackages packages;
    Arena arena;
    Clock clock;
    Random random;
    Store *store;
    StoreReader *reader;
    Flow *flow;
    const char *dir; /* NULL: in memory */
} Stage;

void stage_init(Stage *s, const char *dir);
void stage_done(Stage *s);
/* Closes and opens again what is on disk. */
void stage_restart(Stage *s);
void stage_put(Stage *s, const char *json);
/* "doctor" (township), "office" and "office2" (county), "stranger" (another township), "system"
 * (integrator). */
AccessCaller stage_person(Stage *s, const char *name);
FlowRequest stage_request(Stage *s, const AccessCaller *caller);

typedef struct StageDone {
    Status status;
    Str rule, where, en;
    FlowAnswer answer;
} StageDone;

#define STAGE_FORM                                                                                 \
    "{\"linkId\":\"ward\",\"answer\":[{\"valueReference\":{\"reference\":\"HealthcareService/"     \
    "w1\"}}]},"                                                                                    \
    "{\"linkId\":\"urgency\",\"answer\":[{\"valueCoding\":{\"system\":\"http://hl7.org/fhir/"      \
    "request-priority\","                                                                          \
    "\"code\":\"routine\"}}]},{\"linkId\":\"reason\",\"answer\":[{\"valueString\":\"发热 <3 "    \
    "天>\"}]}"

/* `items`: the items of a QuestionnaireResponse, or NULL for no form. */
StageDone stage_start(Stage *s, const char *who, const char *items);
StageDone stage_act(Stage *s, const char *who, Str task, const char *vid, const char *action,
                    const char *items);
StageDone stage_start_with(Stage *s, FlowRequest *q, const char *items);
StageDone stage_act_with(Stage *s, FlowRequest *q, Str task, Str vid, const char *action,
                         const char *items);
/* The Task as it is now. */
JsonDoc stage_task(Stage *s, Str id, Str *ret_vid);
size_t stage_count(Stage *s, const char *type, const char *query);

#endif
