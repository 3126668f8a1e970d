/*
 * The index: the rows that are made of a resource, their numbers and hashes, and the calls that
 * bring the index up to the log.
 *
 * rid: a number for a resource (type and id), given in the order of first writing and never
 * used again. nd: the negated clinical date in ms, so that ascending order is newest first;
 * ND_NONE where a resource has none (they come last, in the order of writing).
 */
#ifndef STORE_INDEX_H
#define STORE_INDEX_H

#include "db.h"
#include "fhir_custom.h"
#include "store.h"

#define ND_NONE INT64_MAX

typedef struct BodyCodec BodyCodec;

typedef enum IndexTable {
    INDEX_TOKEN,       /* a = hash, b = nd */
    INDEX_REF,         /* a = hash, b = nd */
    INDEX_DATE,        /* a = -lo, b = -hi (first and last+1 ms) */
    INDEX_STRING,      /* text folded */
    INDEX_NUMBER,      /* lo, hi */
    INDEX_QUANTITY,    /* a = list (index_list), lo, hi */
    INDEX_URI,         /* text */
    INDEX_COMPARTMENT, /* param = type number; a = hash of Patient/ID, b = of what, c = nd */
    INDEX_CODE,        /* a = hash of a code alone, b = of a system|code that it stands for */
    INDEX_PHRASE,      /* param = type number; text folded, a = its hash */
    INDEX_TERM,        /* a = hash of a system|code, text = its display folded, b = its hash */
    INDEX_TABLES
} IndexTable;

/*
 * The quantities of a unit, or a measure's of a code, stand in three lists, each in the order of
 * their lower ends: points that are the resource's only one there, so that who walks the list meets
 * a resource once; points of several; intervals, whose upper ends follow no order.
 */
typedef enum IndexSpread { SPREAD_SOLE, SPREAD_SEVERAL, SPREAD_INTERVAL, SPREADS } IndexSpread;
static inline int64_t index_list(int64_t of, IndexSpread spread)
{
    return of ^ (int64_t)spread << 61;
}

/* In `quantity` in place of a point's upper end, which is its lower one: no bytes. */
#define INDEX_POINT 0.0

/* In `date` an interval stands by its negated start and how long it is, an unbounded one by what
 * wraps around to its end; from the span likewise to the negated end. */
static inline int64_t index_date_span(int64_t nlo, int64_t nhi)
{
    return (int64_t)((uint64_t)nlo - (uint64_t)nhi);
}

/* One row without its rid. `param` says type and parameter (index_param). */
typedef struct IndexRow {
    IndexTable table;
    uint32_t param;
    int64_t a, b, c;
    double lo, hi;
    Str text;
} IndexRow;

/* What the index knows of one resource: rows sorted by index_row_order, without doubles. */
typedef struct IndexDoc {
    const FhirType *type;
    int64_t nd;
    IndexRow *rows;
    size_t rows_n;
    const Str *patients; /* ids; a Patient's own first */
    size_t patients_n;
    unsigned labels; /* store_label.h */
    uint32_t whose;
} IndexDoc;

/*
 * Whose a resource is, so that a view of few patients can pass over others' resources without
 * looking at them: of its one patient's hash 32 bits, which others may share.
 */
#define INDEX_WHOSE_UNKNOWN 0 /* nobody's, several patients' */
static inline uint32_t index_whose(int64_t patient)
{
    return (uint32_t)patient | 1u;
}

/*
 * A Task's nd is no date: priority, then when it is due (least first), so that any list of Tasks
 * stands in the order of work. A rank is 0 stat, 1 asap, 2 urgent, 3 routine, 4 any other code.
 */
#define INDEX_RANK_NONE 5
bool index_type_is_work(const FhirType *type);
int index_priority_rank(Str code);
int64_t index_work_nd(int rank, int64_t due_ms); /* TIME_NONE: not due */
int index_work_rank(int64_t nd);
/* The clinical date in an nd of the type, or TIME_NONE. */
int64_t index_nd_date(const FhirType *type, int64_t nd);

/* Longer than a day: kept a second time, by its end. Takes first and last+1 ms. */
static inline bool index_date_is_long(int64_t lo, int64_t hi)
{
    return lo < INT64_MIN / 2 || hi > INT64_MAX / 2 || hi - lo > 2 * MS_DAY;
}

/*
 * What a compartment's row is of: the hash of a system|code, or of none, with its lowest bit as
 * INDEX_OTHER_LINK where the patient is not who `patient` or `subject` means, but a performer, say.
 */
#define INDEX_OTHER_LINK 1
static inline int64_t index_compartment_code(int64_t token)
{
    return token & ~(int64_t)INDEX_OTHER_LINK;
}
/* The number of the rows of `patient` or `subject`; 0: the type has neither. */
uint32_t index_param_patient(const FhirType *type);

/* In place of a patient's hash: resources of a patient's type that name no patient. */
#define INDEX_NOBODY 0

/* The number of a parameter's own rows. Parameters of all resources (_tag) get the type into it. */
uint32_t index_param(const FhirType *type, const FhirParam *p);
/* The numbers under which a parameter's rows stand: its own, or those of the parameters that say
 * the same. */
#define INDEX_PARTS_MAX 2
size_t index_parts(const FhirType *type, const FhirParam *p, uint32_t ret[INDEX_PARTS_MAX]);
bool index_param_is_alias(const FhirType *type, const FhirParam *p);
/* A resource has no more than one value for it. */
bool index_param_is_single(const FhirType *type, const FhirParam *p);
/* Its tokens may be searched by system| alone through the index. */
bool index_param_by_system(const FhirParam *p);
/* A token list, under hash 0, of all resources of a type. */
uint32_t index_param_all(const FhirType *type);
int index_row_order(const IndexRow *x, const IndexRow *y);
#define INDEX_TEXT_BYTES 65536u /* of a resource's texts, folded; what is longer is not in them */
#define INDEX_UNIT_BASE  "ucum-base" /* in place of a unit's system: UCUM in base units */

Status index_extract(const Store *s, Arena *a, const FhirType *type, Str body, IndexDoc *ret,
                     Err *err) MUST_USE;
/* id: that the resource is given, where the document may not have it yet; or empty. */
Status index_extract_doc(const Store *s, Arena *a, const FhirType *type, const JsonDoc *d, Str id,
                         IndexDoc *ret, Err *err) MUST_USE;
/* What a version notes of whose it is (version.patient): its labels, then its patients. */
Str index_whose_join(Arena *a, unsigned labels, const Str *patients, size_t n);
Status index_whose_text(const Store *s, Arena *a, const FhirType *type, Str body, Str *ret,
                        Err *err) MUST_USE;
/* The rows of one version; NULL for a deletion. Of custom parameters those of all in use
 * (params_settle takes out what an index has not). */
Status index_doc_at(const Store *s, Db *log, BodyCodec *c, Arena *a, const FhirType *type,
                    uint64_t seq, const IndexDoc **ret, Err *err) MUST_USE;
/* The rows of custom parameters alone. */
Status index_extract_customs(const Store *s, Arena *a, const FhirType *type, Str body,
                             const FhirCustoms *customs, IndexDoc *ret, Err *err) MUST_USE;

/* Keyed hashes of what is searched for; the same functions make and look for rows. */
int64_t index_hash_token(const Store *s, Str system, Str code); /* system|code */
int64_t index_hash_code(const Store *s, Str code);              /* any system */
int64_t index_hash_system(const Store *s, Str system);          /* system| */
int64_t index_hash_ref(const Store *s, Str type, Str id);
int64_t index_hash_unit(const Store *s, Str system, Str code); /* 0: without a unit */
int64_t index_hash_text(const Store *s, Str text);             /* a reference that is no Type/id */

/* Only the rows of one parameter, by its number (index_parts). */
Status index_extract_part(const Store *s, Arena *a, const FhirType *type, const JsonDoc *d,
                          uint32_t part, IndexDoc *ret, Err *err) MUST_USE;

/* One resource's move from old to new; either may be NULL. */
typedef struct IndexMove {
    int64_t rid;
    uint64_t seq; /* of the head that `fresh` was made from */
    const IndexDoc *old, *fresh;
    bool born; /* among the versions that come: no index has a row of it */
} IndexMove;

/* Log entries that came between, for the list of changes. */
typedef struct IndexChange {
    const FhirType *type;
    uint64_t seq;
    int64_t rid;
    bool born; /* by it, or one that comes with it */
} IndexChange;

Status index_open(Store *s, Err *err) MUST_USE;
/* Its own small values: version, and up to which seq it goes. */
Status index_meta_put(Db *db, const char *name, Str value, Err *err) MUST_USE;
Status index_meta_get(Db *db, Arena *a, const char *name, Str *ret, Err *err) MUST_USE;
Status index_seq_put(Db *db, Arena *a, uint64_t seq, Err *err) MUST_USE;
/* In one transaction: the rows, the changes, the counters, and that the index goes up to `seq`. */
Status index_apply(Db *db, Arena *a, const IndexMove *moves, size_t moves_n,
                   const IndexChange *changes, size_t changes_n, uint64_t seq, Err *err) MUST_USE;
/* The same inside a transaction of the caller's. */
Status index_write(Db *db, Arena *a, const IndexMove *moves, size_t moves_n,
                   const IndexChange *changes, size_t changes_n, uint64_t seq, Err *err) MUST_USE;
/* Rows alone, of resources that the index has, inside a transaction of the caller's. */
Status index_rows_add(Db *db, Arena *a, const IndexMove *moves, size_t n, Err *err) MUST_USE;
/*
 * A phrase (INDEX_PHRASE, INDEX_TERM) of one resource comes or goes (store_phrase.c). On a server
 * the numbers of all that will be written are asked for first, and what nobody has any more is
 * taken out at the end; in a file each is looked up when its turn comes. Whose they are is written
 * at the end.
 */
typedef struct Phrases Phrases;
Status phrases_ask(Db *db, Arena *a, const IndexRow *const *rows, size_t n, Phrases **ret,
                   Err *err) MUST_USE;
Status phrase_write(Phrases *p, Db *db, Arena *a, const IndexRow *row, int64_t rid, bool add,
                    Err *err) MUST_USE;
Status phrases_settle(Phrases *p, Db *db, Arena *a, Err *err) MUST_USE;
Status phrase_ask(Db *db, const IndexRow *row, int64_t rid, bool *ret, Err *err) MUST_USE;
/* Three characters of a text, the first in the highest bits; 0 behind its end. A text of one or two
 * is the beginning of a range of them. */
#define GRAM_CHARS 3
#define GRAM_BITS  21
typedef int64_t Gram;
/* One gram for each character of a folded text; in `ret`, which has room for as many. */
size_t grams_of(Str text, Gram *ret);
/*
 * Asks (db_ask) whether the index has this of a resource: each row, and last the document itself.
 * The answers stand after db_ask_end; further rows are found by counting.
 */
Status index_doc_ask(Db *db, Arena *a, int64_t rid, uint64_t seq, const IndexDoc *doc,
                     const bool **ret, Err *err) MUST_USE;
/* Of this version, and not ahead of the log. */
bool index_is_usable(Store *s, Db *db, Arena *a);
Status index_catch_up(Store *s, Db *db, Err *err) MUST_USE;
Status index_build(Store *s, StoreProgress *progress, void *ctx, Err *err) MUST_USE;
/* The connection to index.db is closed for good when an exchange failed half way: nothing is merged
 * then, nothing is lost. */
Status index_there(const Store *s, Err *err) MUST_USE;
Str index_version_text(const Store *s, Arena *a);

#endif
