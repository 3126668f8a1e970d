/* Inside stories: the stage, its people, the cases named so far. */
#ifndef FLOW_STORY_INNER_H
#define FLOW_STORY_INNER_H

#include "flow_inner.h"

#define PEOPLE_MAX 64
#define NAMES_MAX  128

typedef struct Person {
    Str name;
    AccessCaller caller;
} Person;

typedef struct Named {
    Str name, id;
} Named;

typedef struct Story {
    Arena arena;   /* of the whole story */
    Arena scratch; /* of one step */
    Clock clock;
    Random random;
    Store *store;
    StoreReader *reader;
    Flow *flow;
    FlowPackageSource *sources; /* its own copy: `param` changes one */
    size_t sources_n;
    const JsonDoc *doc;
    Str package;
    Person person[PEOPLE_MAX];
    size_t person_n;
    Named named[NAMES_MAX];
    size_t named_n;
    FlowStoryFigures *figures;
    Buf *report;
    FlowStoryResult result;
    int step;
} Story;

/* A line in the report, and one failure more. */
void story_fail(Story *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
Str story_reason(const Err *err);
/* NULL when the story knows nobody of that name. */
Person *story_person(Story *s, Str name);
/* Task id of the case last named so, or empty. */
Str story_case(const Story *s, Str name);
void story_name(Story *s, Str name, Str id);
/* The step's flat answers, with recordings stored as the person's Binaries. */
Status story_answers(Story *s, const Person *p, JsonRef answers, JsonDoc *ret, Err *err) MUST_USE;
/* A resource of the stage, new or changed, as the system writes it. */
Status story_put(Story *s, const JsonDoc *d, JsonRef resource, Err *err) MUST_USE;
/* The package with other values of parameters, as a county would set them. */
Status story_params(Story *s, JsonRef values, Err *err) MUST_USE;
void story_step(Story *s, JsonRef step);

/* ---- flow_story_figures.c ---- */

/* {"who", "figures": {code: expectation}, "period": [from, to]}: to the story's own day by default.
 */
void story_figures(Story *s, Person *p, JsonRef step);

#endif
