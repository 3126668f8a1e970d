/*
 * A search as understood (store_query.c parses), and what runs it: sources that give candidates
 * from the index, tests that a candidate must pass, pages, includes.
 *
 * The order of joins is ours: one source is walked, everything else is a point lookup with the
 * clinical date inside the key, a set of rids, or a look at the body. Every step is charged to a
 * budget; past it the search ends with ERR_TOO_MANY and says how to narrow it.
 */
#ifndef STORE_QUERY_H
#define STORE_QUERY_H

#include "fhir_extract.h"
#include "store_inner.h"

#define QUERY_COUNT_DEFAULT 20
#define QUERY_COUNT_MAX     1000
#define QUERY_SORTS_MAX     4
#define QUERY_VALUES_MAX    500
#define QUERY_DEPTH_MAX     12    /* chains and _has within each other */
#define QUERY_CLAUSES_MAX   2000  /* conditions, with those of each type that a chain may lead to */
#define QUERY_CHAIN_MAX     10000 /* resources that an inner search may give */
#define QUERY_INCLUDES_MAX  1000  /* resources beside the matches */
#define QUERY_ITERATE_MAX   5
#define CURSOR_LIFE_MS      MS_HOUR

typedef enum Prefix {
    PREFIX_EQ,
    PREFIX_NE,
    PREFIX_GT,
    PREFIX_LT,
    PREFIX_GE,
    PREFIX_LE,
    PREFIX_SA,
    PREFIX_EB,
    PREFIX_AP
} Prefix;

typedef enum Modifier {
    MODIFIER_NONE,
    MODIFIER_NOT,
    MODIFIER_EXACT,
    MODIFIER_CONTAINS,
    MODIFIER_MISSING,
    MODIFIER_IDENTIFIER,
    MODIFIER_ABOVE,
    MODIFIER_BELOW,
    MODIFIER_TEXT,
    MODIFIER_OF_TYPE,
    MODIFIER_IN,    /* becomes the codes of a value set when the search is run … */
    MODIFIER_NOT_IN /* … and these negated */
} Modifier;

typedef enum ClauseKind {
    CLAUSE_TOKEN,
    CLAUSE_REF,
    CLAUSE_DATE,
    CLAUSE_STRING,
    CLAUSE_NUMBER,
    CLAUSE_QUANTITY,
    CLAUSE_URI,
    CLAUSE_COMPOSITE,
    CLAUSE_NEAR,    /* a Location's position */
    CLAUSE_CONTENT, /* _content, _text */
    CLAUSE_ID,      /* _id, and what becomes ids when the search is run: _list */
    CLAUSE_TYPE,    /* _type, of a search of one type: all or nothing */
    CLAUSE_UPDATED, /* _lastUpdated */
    CLAUSE_CHAIN,   /* becomes CLAUSE_REF when its inner search is done */
    CLAUSE_HAS      /* becomes CLAUSE_ID */
} ClauseKind;

/* One of the alternatives of a clause; which members count depends on the kind. */
typedef struct QueryValue {
    Str text;             /* string, :text, content: folded; uri, id: as given */
    Str system;           /* token, quantity; :of-type: of the type */
    Str code;             /* also a string as given */
    Str type_code;        /* :of-type */
    bool has_system;      /* a bar was written */
    const FhirType *type; /* reference: Type/id; NULL: only an id, or a URL in text */
    Prefix prefix;
    int64_t lo, hi; /* date: first and last+1 ms */
    double number, from, to;
    bool convertible; /* quantity: the unit is UCUM; in base units × factor + offset */
    double factor, offset;
    Str base;
    double latitude, longitude, metres; /* near */
    struct QueryValue *part;            /* composite: one for each component */
} QueryValue;

typedef struct Clause Clause;
struct Clause {
    Clause *next;
    ClauseKind kind;
    Modifier modifier;
    bool missing;   /* :missing=true; CLAUSE_TYPE: nothing matches */
    bool list;      /* CLAUSE_ID: the values are Lists, whose entries count */
    bool narrative; /* CLAUSE_CONTENT: of the narrative alone */
    const FhirParam *param;
    const FhirParam **also; /* a compartment: the values may stand in these parameters, too */
    size_t also_n;
    QueryValue *values;
    size_t values_n;
    /* What every match of this one meets, too, and the index can tell (composite: its components').
     */
    Clause *hint;
    StoreQuery **inner; /* chain: one for each possible target; _has: one */
    size_t inner_n;
    const FhirParam *via; /* _has: the reference parameter of inner[0]'s type */
};

typedef enum SortKind {
    SORT_CLINICAL,
    SORT_UPDATED,
    SORT_ID,
    SORT_PRIORITY,
    SORT_PARAM,
    SORT_CHAIN /* by what a reference leads to */
} SortKind;

typedef struct Sort {
    SortKind kind;
    bool descending;
    const FhirParam *param;
    const FhirParam *via; /* chain: the reference; param is then of the target */
    const FhirType *target;
} Sort;

typedef struct Include {
    struct Include *next;
    bool reverse, iterate, all; /* all: every reference parameter of the type */
    const FhirType *type;       /* NULL: any (*) */
    const FhirParam *param;
    const FhirType *target; /* NULL: any */
} Include;

struct StoreQuery {
    const FhirType *type;
    StoreQuery *more; /* across types: the same question of the next one; what governs the answer
                         stands in the first */
    Clause *first, *last;
    Sort sort[QUERY_SORTS_MAX];
    size_t sort_n;         /* 0: as the lists stand, or by_text */
    const Clause *by_text; /* in the order of what matched this one; NULL: as sort says */
    int64_t count;
    StoreTotal total;
    bool count_only;
    bool brief;   /* store_query_brief */
    bool explain; /* the plan is noted */
    Str summary;
    Str *elements;
    size_t elements_n;
    Include *include_first, *include_last;
    Str self;
    Str within; /* a compartment: "Patient/ID" */
    Str *ignored;
    size_t ignored_n;
    int zone_min;
    const FhirCustoms *customs; /* known to it; or NULL */
    unsigned clauses;           /* how many were parsed */
};

/* ---- Values ------------------------------------------------------------------------------ */

/* Percent-decoded text of a value into the clause's alternatives; ERR_INVALID names the parameter.
 */
Status query_values_parse(Arena *a, Clause *c, Str name, Str text, int zone_min, Err *err) MUST_USE;
bool query_date_matches(const QueryValue *v, int64_t lo, int64_t hi, int64_t now_ms);
bool query_number_matches(const QueryValue *v, double lo, double hi);
/* A folded text of a string, or a uri as written. */
bool query_text_matches(const Clause *c, const QueryValue *v, Str text);
/* The same question in UCUM's base units. */
QueryValue query_value_in_base(const QueryValue *v);

/* ---- Running --------------------------------------------------------------------------------- */

typedef struct Candidate {
    int64_t nd, rid;
} Candidate;

/* For sorting rids. */
int rid_order(const void *x, const void *y);

typedef struct Candidates {
    Candidate *at;
    size_t n, room;
} Candidates;

/* A token's posting list, by the number of its parameter. */
typedef struct Term {
    uint32_t param;
    int64_t hash;
} Term;

typedef struct Run Run;
typedef struct Range Range; /* store_range.h */

/* What a search may still look at. */
typedef struct Budget {
    int64_t rows;   /* of index and log */
    int64_t bodies; /* looked into */
    int64_t until_us;
} Budget;
#define BUDGET_LOOK_ROWS 1024 /* between looks at the clock */

/* A clause prepared for one run: its hashes, and its rids where it is answered as a set. */
#define TEST_PARTS_MAX 32
typedef struct Test Test;
struct Test {
    const Clause *clause;
    uint32_t part[TEST_PARTS_MAX]; /* under which numbers its rows stand */
    size_t part_n;
    int64_t *hash;
    size_t hash_n, hash_room;
    int64_t *code; /* of codes without a system: hash has what they stand for in the index */
    size_t code_n;
    bool no_rows; /* the index has no rows for one of its values (system| alone) */
    bool of_any;  /* :missing, and whoever is missing a value has no row of the parameter at all, or
                     whoever has one has a row */
    int64_t *rid; /* sorted; of CLAUSE_ID and of clauses turned into sets */
    size_t rid_n;
    bool is_set;
    size_t asked; /* how many candidates it was asked about … */
    size_t tried; /* … and to how many rows a set of its rids was tried */
    Range *range; /* of a condition on values: where its rows stand */
    size_t range_n, range_room;
    bool driven;   /* the source already answers it */
    bool wide;     /* rows or set hold more than what matches: the body is asked, too */
    bool hint;     /* of another clause, which looks into the body: this one never does */
    bool moot;     /* a hint that is not needed */
    bool met;      /* answered by the run's bits */
    Test *join[2]; /* of a measure: the code and the quantity asked for, which it answers */
    /* Of a text: the phrases that hold it, and the tokens that are displayed so (store_content.c).
     */
    bool listed;
    int64_t *phrase;
    Term *term;
    size_t phrase_n, term_n;
    /* Inner searches with too many results to gather: asked about each candidate instead. */
    bool lazy;
    Run *inner;
    Clause *referrer; /* _has: in the inner search, whose referrers it looks for */
    Map led;          /* "Type/id" → whether it was found */
};

/* The patients whom a caller's grants have named; some of the grants may have ended. */
#define OWN_PATIENTS_MAX 131072 /* of one grantee */
typedef struct OwnPatients {
    bool many;            /* too many to begin with, or everybody: no list */
    const OwnList **list; /* of each grantee; held by the reader */
    size_t list_n;
    const int64_t *rid;  /* sorted; 0: of a patient that is not there */
    const int64_t *hash; /* of Patient/ID, in the order of rid; hash[n] is INDEX_NOBODY, for what
                            their own organisation wrote */
    size_t n;
} OwnPatients;

struct Run {
    StoreReader *reader;
    Store *store;
    Arena *arena;
    Sight sight;
    const StoreView *view;
    const StoreQuery *query;
    Test *test;
    size_t test_n;
    bool index_current;    /* index and log of this snapshot end at the same seq */
    uint64_t snapshot_seq; /* of the first page */
    int64_t snapshot_rid;
    bool later_page;
    const struct Bits
        *met;     /* who stands in the source's list and those of all tests that are met */
    bool no_sets; /* a short look: conditions are tested in the bodies, not gathered */
    const OwnPatients *own; /* once asked for */
    const OwnPatients *few; /* whose resources alone may be seen, where that is asked first */
    Budget *budget;         /* of this and all inner searches together */
    Buf *plan;              /* _explain: a line for each decision; or NULL */
    /* On a server: the candidates that will be considered next; of some the heads are there. */
    const Candidate *coming, *ahead;
    size_t coming_n, ahead_n;
    struct Found *ahead_found; /* seq 0: not to be seen */
    size_t page_n; /* as many heads as fill a page; 0: the first are asked for already */
};

/* What is known of a candidate's present head. */
typedef struct Found {
    Candidate at;
    uint64_t seq;
    int64_t at_ms; /* only where a condition asks for it */
    int dict;
    Str id, vid, patients, packed; /* patients: as in version.patient */
    Str body;                      /* unpacked on demand, without blanks */
    JsonDoc *json;                 /* on demand */
    int64_t key[QUERY_SORTS_MAX];
    Str text[QUERY_SORTS_MAX];
} Found;

/* Of a type and its bases, published and custom ones of this kind that are ready. */
size_t query_params_of(Run *r, const FhirType *type, FhirParamKind kind, const FhirParam ***ret);

Status run_charge(Run *r, int64_t rows, Err *err) MUST_USE;
/* A line of the plan, where one is asked for. */
void run_note(Run *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "code", "_has", … of a test, for the plan. */
Str test_name(const Test *t);
/* outer: inside of which it runs; NULL: it has a budget of its own. */
void run_init(Run *r, StoreReader *reader, Arena *a, const StoreQuery *q, const StoreView *view,
              const Run *outer);

/*
 * Measures (store_measure.c): a composite of a code and a quantity is answered by rows of its own;
 * a code and a quantity asked for beside each other mean the same where both are of the resource.
 */
#define MEASURES_JOINED_MAX 1
/* A test more for such a pair, which only serves as a source. */
void measures_join(Run *r);
Status measure_resolve(Run *r, Test *t, Err *err) MUST_USE;
/* Codes without their systems, as the tokens that they stand for. */
Status codes_resolve(Run *r, Test *t, Err *err) MUST_USE;

/* Inner searches first: chains become references, _has becomes ids. */
Status run_resolve(Run *r, Err *err) MUST_USE;
Status chain_resolve(Run *r, Test *t, Err *err) MUST_USE;
Status has_resolve(Run *r, Test *t, Err *err) MUST_USE;
/* A clause of a value set or of a code's relatives, as the codes themselves. */
Status term_resolve(Run *r, Test *t, Err *err) MUST_USE;
bool clause_is_of_terms(const Clause *c);
void test_init(Run *r, Test *t, const Clause *c);
void test_hash_push(Run *r, Test *t, int64_t hash);
/* Whether the body meets it. */
Status test_in_body(Run *r, Test *t, Found *f, bool *ret, Err *err) MUST_USE;
/* The tests of a text that the index can find in its phrases. */
bool test_is_text(const Test *t);
Status content_resolve(Run *r, Test *t, Err *err) MUST_USE;

/*
 * Asks whether a candidate is a match that may be seen now. *ret_match false: it is not, or it
 * was made after the first page.
 */
Status run_consider(Run *r, Candidate c, Found *ret, bool *ret_match, Err *err) MUST_USE;
/* They will be considered in this order, if not the page is full before; none any more: n = 0. */
#define RUN_COMING 64
void run_coming(Run *r, const Candidate *list, size_t n);
/* The present head of one, if it lives, is of this snapshot and may be seen. */
Status run_head(Run *r, Candidate c, Found *ret, bool *ret_seen, Err *err) MUST_USE;
/* How many are worth to be known before the first is considered. */
static inline size_t run_stretch(const Run *r)
{
    return r->store->server ? RUN_COMING : 1;
}
/* Fills in the clinical dates under which their rows stand. */
Status run_dates(Run *r, Candidate *list, size_t n, Err *err) MUST_USE;
/* The versions that their rows are of; 0: they have none. */
Status run_seqs(Run *r, Candidate *list, size_t n, uint64_t *ret, Err *err) MUST_USE;
Status found_body(Run *r, Found *f, Err *err) MUST_USE;
Status found_json(Run *r, Found *f, Err *err) MUST_USE;
/* How many resources a token's list holds, as the index has counted; -1: it does not know. */
Status test_counted(Run *r, const Test *t, int64_t *ret, Err *err) MUST_USE;
/* Living resources of a type, as the index has counted them. */
Status type_counter(Run *r, const FhirType *type, int64_t *ret, Err *err) MUST_USE;
/* The values of one parameter, from the body. */
Status found_values(Run *r, Found *f, const FhirParam *param, FhirIndexRows *ret,
                    Err *err) MUST_USE;

/* ---- Sources ------------------------------------------------------------------------------------
 */

typedef enum SourceKind {
    SOURCE_ALL,
    SOURCE_TEST,        /* the rows of one test */
    SOURCE_COMPARTMENT, /* patient × type × code */
    SOURCE_PATIENTS     /* what the caller's patients have */
} SourceKind;

typedef struct Source {
    SourceKind kind;
    Test *test;             /* whose rows they are */
    const int64_t *patient; /* compartment, patients */
    size_t patient_n;
    const OwnPatients *own; /* patients: whose list it is */
    int64_t *code;          /* as index_compartment_code; none: all */
    size_t code_n;
    bool ordered;       /* gives (nd, rid) in order: may be walked … */
    int64_t from, to;   /* … between these, past which nothing matches (source_bound) */
    Test *within[2];    /* whose rows hold all of these: patient and code, of a compartment … */
    bool answers[2];    /* … and whether being of it is the whole answer */
    int64_t rows;       /* counted up to a bound … */
    Candidates counted; /* … and these are all of them, when it was not reached */
    bool whole;
} Source;

Source source_of_all(void);
/* The rows of one test, and what else these answer. */
Source source_of_test(Test *t);
/* For the plan: what it is, and of which parameter. */
Str source_name(const Source *src);
Str source_param(const Source *src);
Status own_patients(Run *r, const OwnPatients **ret, Err *err) MUST_USE;
bool own_has_rid(const OwnPatients *own, int64_t rid);
/* The next of the rids in order; 0: there is none. */
int64_t own_next_rid(const OwnPatients *own, int64_t after);
/* whose: as of a resource (IndexDoc); false: they surely have no sight of it. */
bool own_may_see(const OwnPatients *own, uint32_t whose);

/* The cheapest; its rows are counted no further than SOURCE_COUNT_MAX. */
#define SOURCE_COUNT_MAX 1024
#define SOURCE_SHORT     64
Status source_choose(Run *r, Source *ret, Err *err) MUST_USE;
bool run_is_of_one(const Run *r);
/* Its rows give the order, since none was asked for. */
bool source_is_by_value(const Run *r, const Source *src);
/* Its rows stand in the order of what is looked for. */
bool source_is_by_text(const Run *r, const Source *src);
/* What the caller's patients have, where there is a list of them; false: not to be used. */
Status source_patients(Run *r, Source *ret, bool *ret_usable, Err *err) MUST_USE;
/* Its rows, no further than the limit. */
Status source_count(Run *r, Source *src, int64_t limit, Err *err) MUST_USE;
/* The clinical date under which a resource's rows stand. */
Status candidate_of(Run *r, int64_t rid, Candidate *ret, Err *err) MUST_USE;
/* Fills in the clinical date where the rows did not carry it. */
Status candidates_date(Run *r, Candidates *c, Err *err) MUST_USE;
/* The index has rows that answer the test; they carry the clinical date. */
bool test_has_rows(const Test *t);
bool test_has_nd(const Test *t);
/* within: only the rids of these patients; NULL: all. */
Status source_gather(Run *r, const Source *src, const OwnPatients *within, Candidates *ret,
                     Err *err) MUST_USE;
/* A test's rids as a sorted set, if they are few beside the candidates that it was asked about. */
Status test_gather_set(Run *r, Test *t, Err *err) MUST_USE;

/* Between which dates a walk can meet what the conditions on the clinical date ask for. */
Status source_bound(Run *r, Source *src, Err *err) MUST_USE;

typedef struct Walk Walk;
/* From after `after` (NULL: the beginning), newest first, or oldest first when ascending. */
Status walk_open(Run *r, const Source *src, bool ascending, const Candidate *after, Walk **ret,
                 Err *err) MUST_USE;
Status walk_next(Walk *w, Candidate *ret, bool *ret_more, Err *err) MUST_USE;
void walk_close(Walk *w);

/* ---- Rows of one resource against a clause
 * -------------------------------------------------------- */

/* values: of the clause's parameter; f: its body is there, and at_ms for _lastUpdated. */
Status clause_matches(Run *r, Test *t, const FhirIndexRows *values, Found *f, bool *ret,
                      Err *err) MUST_USE;
/* The inner search of a chain has found (or would find) this one. */
Status chain_leads(Run *r, Test *t, const FhirType *type, Str id, bool *ret, Err *err) MUST_USE;
/* One of those who refer to f would be found by the inner search of a lazy _has. */
Status has_leads(Run *r, Test *t, const Found *f, bool *ret, Err *err) MUST_USE;
/* False: surely no text of the body is what a text condition asks for. */
bool content_may_match(Arena *a, const Clause *c, Str body);
/* Every word of one alternative stands in the body's texts. */
bool content_matches(const Run *r, const Clause *c, const Found *f);
/* _id:not is met by what is not in the set. */
static inline bool clause_is_negated(const Clause *c)
{
    return c->modifier == MODIFIER_NOT || c->modifier == MODIFIER_NOT_IN;
}

/* ---- Cursor
 * ---------------------------------------------------------------------------------------- */

typedef struct Cursor {
    int64_t part; /* across types: in which of them */
    int64_t way;  /* 0: in the query's order; else by the values of the test before, at last.key */
    uint64_t seq;
    int64_t rid_max;
    Found last;
} Cursor;
Str cursor_write(const Run *r, const Cursor *c);
Status cursor_read(const Run *r, Str text, Cursor *ret, Err *err) MUST_USE;

/* ---- Order ------------------------------------------------------------------------------- */

#define KEY_MISSING   INT64_MAX
#define KEY_BYTES_MAX 200 /* of a text: longer ones are equal and stand in the order of rid */

/* The posting lists stand in this order, and whether it goes through them from their ends. */
bool query_is_walked(const StoreQuery *q);
/* The parameter's value is the clinical date of whatever has one. */
bool param_is_clinical(const FhirType *type, const FhirParam *param);
bool query_ascends(const StoreQuery *q);
int candidate_newest_first(const void *x, const void *y);
int candidate_oldest_first(const void *x, const void *y);
/* Every key is known from the candidate, or from the seq of its head. */
bool query_keys_in_index(const StoreQuery *q);
int64_t candidate_key(const StoreQuery *q, const Sort *s, Candidate c, uint64_t seq);
int found_order(const StoreQuery *q, const Found *x, const Found *y);
Status found_keys(Run *r, Found *f, Err *err) MUST_USE;

/* ---- Pages ------------------------------------------------------------------------------- */

typedef struct Page {
    Run *run;
    const Cursor *cursor;     /* NULL: the first page */
    const OwnPatients *among; /* a search for patients: no other can be a hit; NULL: any */
    int64_t way;              /* as in Cursor: how the page was found */
    size_t limit;
    bool count_all;
    bool counted;          /* total was counted apart (page_count) */
    Candidate walked;      /* behind which page_walked goes on … */
    bool has_walked;       /* … if it was begun */
    bool texts_from_first; /* by_text: no text was gone past before, and rows are of the heads */
    Found *found;
    size_t n, room;
    int64_t total;
    bool more;
} Page;
/* Fills in found, n, total and more. */
Status page_fill(Page *p, Err *err) MUST_USE;
/* The source's list in order, so many candidates further; *ret_done: it is at its end, or the page
 * is full. */
Status page_walked(Page *p, const Source *src, size_t limit, bool *ret_done, Err *err) MUST_USE;
/* These, sorted; they are all that can match. */
Status page_candidates(Page *p, Candidates *c, Err *err) MUST_USE;
/* The i-th of them is considered next. */
void page_comes(Page *p, const Candidates *c, size_t i);

/*
 * Long lists that hardly meet (store_meet.c): source and tests are met as bits where there are kept
 * sets of all of them, or when these have been read.
 */
bool run_may_meet(const Run *r, const Source *src);
/* Nothing is met any more: another source or other hashes. */
void run_part(Run *r);
/* A walk of the source that may turn out to be such a one. */
Status page_met(Page *p, const Source *src, bool *ret_done, Err *err) MUST_USE;

/*
 * In the order of the values that the source's test asks for (store_page_value.c): who asked for no
 * order gets the first that match. *ret_done false: another way is better.
 */
Status page_by_value(Page *p, const Source *src, bool *ret_done, Err *err) MUST_USE;
/* The page behind a cursor that was made so. */
Status page_value_next(Page *p, Err *err) MUST_USE;
/*
 * The total without looking at resources (store_count.c), where rows of the index are the whole
 * answer for who sees everything. *ret_known false: they are not. ERR_TOO_MANY: not within the
 * budget.
 */
Status page_count(Page *p, bool *ret_known, Err *err) MUST_USE;
/*
 * In the order of the rows of the parameter sorted by (store_sort_rows.c), where it has such and
 * they are fewer work than the keys of all that the source has. *ret_done false: they tell no
 * order.
 */
bool sort_has_rows(const Run *r);
bool sort_rows_are_fewer(const Page *p, int64_t source_rows, int64_t all);
Status page_rows(Page *p, bool *ret_done, Err *err) MUST_USE;
/* In another order than that of the lists (store_sort.c). */
Status page_sort(Page *p, Source *src, Err *err) MUST_USE;
/*
 * A candidate in order: `stub` has what is known of its place (query_is_walked: where it stands;
 * else its keys, if `keyed`). Matches before the cursor count, but stand on earlier pages.
 */
Status page_offer(Page *p, const Found *stub, bool keyed, Err *err) MUST_USE;
bool page_is_past(const Page *p, const Found *f);
bool page_is_full(const Page *p);
void page_keep(Page *p, const Found *f);
bool page_has(const Page *p, int64_t rid);
void page_restart(Page *p);
/* The test that the source's rows answer is not asked again; back: another source takes over. */
void source_drive(const Source *src);
void source_yield(const Source *src);
Status own_is_shorter(Page *p, const OwnPatients *own, bool *ret, Err *err) MUST_USE;
/* From here on what is surely others' is passed over, where most of what comes by is. */
Status run_pass_others(Run *r, const OwnPatients *own, Err *err) MUST_USE;

/* All matches in order, up to a limit past which it is ERR_TOO_MANY. */
Status run_all(Run *r, size_t limit, Found **ret, size_t *ret_n, Err *err) MUST_USE;

typedef struct Hits {
    StoreHit *at;
    size_t n, room;
    Map seen; /* "Type/id" */
} Hits;
Status run_includes(Run *r, Hits *hits, Err *err) MUST_USE;

#endif
