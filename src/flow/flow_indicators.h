/*
 * What the packages count, for src/insight: a package's indicators as compiled from its
 * indicators.json (docs/formats/package.md), and the facts that a case's resources hold.
 *
 * A *moment* of a case is a step taken, a state entered, or a deadline falling due. An indicator
 * names moments; when they happened is in the resources (Provenance.occurredDateTime, the
 * deadline's own time), never when a node wrote them. A package without indicators.json is
 * counted by what every package has: cases begun, and each of its ends.
 *
 * Everything here belongs to the Flow and lives as long as it; facts live in the arena given.
 */
#ifndef FLOW_INDICATORS_H
#define FLOW_INDICATORS_H

#include "flow.h"

typedef struct FlowText {
    Str zh, en;
} FlowText;

static inline Str flow_text(FlowText t, Lang lang)
{
    return lang == LANG_ZH ? t.zh : t.en;
}

/* ---- Indicators ------------------------------------------------------------------------------ */

typedef enum FlowMomentKind {
    FLOW_MOMENT_NONE,
    FLOW_MOMENT_ACTION,  /* one of these steps was taken */
    FLOW_MOMENT_STATE,   /* one of these states was entered */
    FLOW_MOMENT_DEADLINE /* the deadline fell, or will fall, due */
} FlowMomentKind;

typedef struct FlowMoment {
    FlowMomentKind kind;
    const Str *code;
    size_t code_n;
} FlowMoment;

typedef enum FlowFigure { FLOW_FIGURE_COUNT, FLOW_FIGURE_SHARE, FLOW_FIGURE_MINUTES } FlowFigure;

/* Whose figure it is. */
typedef enum FlowInstitution {
    FLOW_OF_REQUESTER,
    FLOW_OF_OWNER,   /* who had to act before the counted moment */
    FLOW_OF_RECEIVER /* who has to act after it */
} FlowInstitution;

typedef enum FlowDirection { FLOW_EITHER, FLOW_MORE, FLOW_LESS } FlowDirection;

enum { FLOW_BY_PRIORITY = 1, FLOW_BY_PATH = 2 };

typedef struct FlowIndicator {
    Str code;
    FlowText title, description;
    FlowFigure figure;
    FlowMoment counted; /* in whose period the case counts: numerator, denominator or `to` */
    FlowMoment other;   /* share: what makes it count above the line; minutes: `from` */
    bool since;         /* share: `other` is looked for before the counted moment, not after */
    bool has_within;    /* … and must be at most so long away */
    FlowMoment by;      /* … and not after this moment */
    struct FlowArg *within;
    const Str *priority; /* only cases of these; none: all */
    size_t priority_n;
    FlowInstitution institution;
    FlowDirection direction;
    unsigned strata; /* FLOW_BY_… */
} FlowIndicator;

/* A package as it is counted: the newest of its name. */
typedef struct FlowCounted {
    Str name, version, color;
    FlowText title;
    const Str *state; /* codes, with their titles */
    const FlowText *state_title;
    const bool *state_end; /* no way out of it */
    size_t state_n;
    const FlowIndicator *indicator;
    size_t indicator_n;
    const Flow *flow;
    const struct FlowPackage *pkg;
} FlowCounted;

/* In the order of the packages. */
size_t flow_counted(const Flow *f, Arena *a, const FlowCounted **ret);
/*
 * When `within` is over for a case of that priority, counted from from_ms, by the parameters of
 * that day. ERR_UNPROCESSABLE where no parameter is valid then.
 */
Status flow_within_end(const FlowCounted *p, const FlowIndicator *i, Arena *a, Str priority,
                       int64_t from_ms, int zone_min, int64_t *ret_end_ms, Err *err) MUST_USE;

/* ---- Facts ----------------------------------------------------------------------------------- */

typedef struct FlowDue {
    Str name;
    int64_t due_ms;
} FlowDue;

/* What one version of a case says. */
typedef struct FlowCaseFacts {
    Str pathway, state, patient, requester, owner, priority; /* references as "Type/id" */
    const FlowDue *due;
    size_t due_n;
    Str last_step; /* the last action of this version; empty where none is written */
} FlowCaseFacts;

/* False when the Task is no case. */
bool flow_case_facts(Arena *a, const JsonDoc *task, FlowCaseFacts *ret);

/* What a step's Provenance says. */
typedef struct FlowStepFacts {
    Str task, vid, action; /* task: the id */
    int64_t at_ms;
} FlowStepFacts;

/* False when the Provenance is not of a step of a case. */
bool flow_step_facts(Arena *a, const JsonDoc *provenance, FlowStepFacts *ret);

#endif
