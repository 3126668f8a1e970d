/*
 * Inside the room: the file that follows the log, the facts of a period as loaded, one case
 * judged by one indicator, and the report made of what was counted.
 *
 * A word is a text that many cases share (a state, an action, an organisation) as a number;
 * 0 is no word. Words belong to the Insight and are only ever added.
 */
#ifndef INSIGHT_INNER_H
#define INSIGHT_INNER_H

#include <pthread.h>
#include <semaphore.h>

#include "db.h"
#include "insight.h"

#define INSIGHT_BUCKETS_MAX 400
#define INSIGHT_SEATS       2
#define INSIGHT_SEAT_BYTES  ((size_t)384 << 20)
#define INSIGHT_WAIT_S      10

typedef uint32_t Word;

struct Insight {
    Store *store;
    Arena arena; /* of the words */
    const char *path;
    bool in_memory;
    sem_t seats;          /* of those who count at once, which bounds the memory */
    pthread_mutex_t lock; /* of all that follows */
    Db *db;
    uint64_t seq;
    Map words; /* text → number + 1 as a pointer */
    Str *word;
    size_t word_n, word_room;
};

/* Thrown away and made anew: after a failure, and when it is not of this log. */
Status insight_reset(Insight *in, Err *err) MUST_USE;
Status insight_meta_put(Insight *in, const char *name, Str value, Err *err) MUST_USE;
/* The row of the log at `seq` in words, by which another log is told apart. Empty: there is none.
 */
Str insight_mark(StoreReader *r, Arena *a, uint64_t seq);
/* Made if unknown; 0 for no text. */
Status insight_word_put(Insight *in, Str text, Word *ret, Err *err) MUST_USE;

/* ---- Facts ----------------------------------------------------------------------------------- */

typedef enum MomentKind { MOMENT_STEP = 1, MOMENT_DUE = 2 } MomentKind;

typedef struct Moment {
    int64_t at_ms;
    MomentKind kind;
    Word code;          /* the action, or the deadline's name */
    Word state;         /* after the step; 0: not known */
    bool entered;       /* the step led into another state */
    Word before, after; /* who had to act */
} Moment;

typedef struct Case {
    Str id, patient; /* id of the Task; id of the patient, or empty */
    Word pathway, requester, owner, priority, state;
    unsigned labels;      /* of sensitive content, store_label.h */
    const Moment *moment; /* by time, then as they happened */
    size_t n;
} Case;

/* The words of one request: a copy, so that nobody waits for it. */
typedef struct Lexicon {
    Arena *arena;
    Map number; /* text → number as a pointer */
    Str *text;
    size_t n, room; /* numbers 1 to n */
} Lexicon;

Word lexicon_find(const Lexicon *l, Str text); /* 0 if unknown */
Word lexicon_add(Lexicon *l, Str text);

typedef struct Facts {
    Case *at;
    size_t n;
    Lexicon words;
} Facts;

/* The cases that have a moment in [from, to); patients are not looked at. Under the lock. */
Status facts_load(Insight *in, Arena *a, int64_t from_ms, int64_t to_ms, Facts *ret,
                  Err *err) MUST_USE;

/* ---- Places ---------------------------------------------------------------------------------- */

/* An organisation; a service stands for who provides it. */
typedef struct Place {
    Str id; /* of the Organization; empty: not known */
    Str name;
    Word self;   /* the word of the Organization */
    Word parent; /* 0: none */
} Place;

typedef struct Places {
    Lexicon *words;
    StoreReader *reader;
    Arena *arena;
    Map known; /* reference → Place */
    Map scope; /* references of the organisations looked at; unused when `all` */
    bool all;
    Word root; /* the organisation looked at; 0: everything */
} Places;

Status places_init(Places *p, StoreReader *r, Arena *a, Lexicon *words, const InsightQuery *q,
                   Err *err) MUST_USE;
/* Never NULL. */
const Place *places_get(Places *p, Word w);
/* The branch right below the root that the place belongs to, or the place itself. */
const Place *places_branch(Places *p, Word w);
bool places_in_scope(Places *p, Word w);

/* ---- Judging (insight_core.c) ---------------------------------------------------------------- */

typedef struct RuleMoment {
    FlowMomentKind kind;
    const Word *code;
    size_t n;
} RuleMoment;

typedef struct Rule {
    const FlowCounted *pkg;
    const FlowIndicator *indicator;
    RuleMoment counted, other, by;
    const Word *priority;
    size_t priority_n;
    const Word *end; /* states without a way out */
    size_t end_n;
    /* When the time allowed is over, from from_ms; TIME_NONE: no parameter says. */
    int64_t (*within_end)(void *ctx, const struct Rule *r, Word priority, int64_t from_ms);
    void *ctx;
} Rule;

typedef struct Hit {
    const Case *c;
    const Moment *at; /* the moment by which it counts */
    bool above;       /* share: it is in the numerator */
    double minutes;
} Hit;

/* Does the case count in [from, to)? now_ms decides what is still open. */
bool rule_judge(const Rule *r, const Case *c, int64_t from_ms, int64_t to_ms, int64_t now_ms,
                Hit *ret);
/* Of n numbers, which it sorts; n > 0. */
double minutes_median(double *at, size_t n);

/* ---- Strata and reports ---------------------------------------------------------------------- */

typedef struct Sum {
    size_t n, above;
    double median; /* of minutes; n > 0 */
} Sum;

typedef struct Stratum {
    uint64_t key; /* as the stratifier packs it */
    Sum sum;
} Stratum;

typedef struct Counted {
    const Rule *rule;
    Hit *hit;
    size_t n;
    bool touched; /* the pathway has a moment in the period: nothing counted is 0, not unknown */
} Counted;

typedef uint64_t StratumKey(void *ctx, const Hit *h);

Sum counted_sum(Arena *a, const Hit *hit, size_t n);
/* By key, ascending. */
size_t counted_strata(Arena *a, const Counted *c, StratumKey *key, void *ctx, Stratum **ret);

/* First ms of each part of [from, to), and `to` at the end; false: too many. */
bool interval_starts(Arena *a, const InsightQuery *q, int zone_min, int64_t **ret, size_t *ret_n);

typedef struct Report {
    Arena *arena;
    Places *places;
    const InsightQuery *query;
    const Facts *facts;
    int zone_min;
    const int64_t *starts; /* of the intervals; the end of the last stands behind them */
    size_t starts_n;
} Report;

void report_put(const Report *r, JsonWriter *w, const Counted *c);

#endif
