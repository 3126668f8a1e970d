/*
 * Custom parameters inside of the store (store_params.h): the table, and how far the index goes.
 *
 * Number: the place of a version among all versions of SearchParameters in the log. It stands in
 * the rows' param, so the same in every process and after every rebuild.
 *
 * Stand: what of each definition is in an index. It is one value of the index's meta, written with
 * the rows it tells of: "FLOOR;NUMBER=RID;NUMBER=ready;…". Numbers up to FLOOR have been looked at:
 * of those not listed there are no rows. A version of a resource has the rows of a parameter when
 * it came after the definition, or when its rid is at or below RID (params_settle). Whatever writes
 * rows keeps to this rule, so an index is exact while parameters are built as well.
 */
#ifndef STORE_PARAMS_INNER_H
#define STORE_PARAMS_INNER_H

#include <stdatomic.h>

#include "store_index.h"
#include "store_params.h"

#define PARAM_READY      INT64_MAX
#define PARAM_BIT        0x80000000u /* of the number in rows: 20 bits number, 3 part, 8 type */
#define PARAM_SHIFT      11
#define PARAM_NUMBER_MAX ((1u << 20) - 1)

static inline uint32_t param_rows_from(uint32_t number)
{
    return PARAM_BIT | number << PARAM_SHIFT;
}
static inline uint32_t param_rows_number(uint32_t param)
{
    return (param & ~PARAM_BIT) >> PARAM_SHIFT;
}

/* One definition in use, kept as long as the store. */
typedef struct ParamDef {
    uint32_t number;
    uint64_t seq;      /* of its version */
    uint64_t from_seq; /* versions after it have its rows */
    FhirCustomDef def;
    _Atomic int64_t done; /* as in the stand; for who asks */
} ParamDef;

/* It was in use and fell out, since what it rests on is gone. */
typedef struct ParamDropped {
    uint32_t number;
    struct ParamDropped *next;
} ParamDropped;

typedef struct ParamFault {
    Str id, url, code, zh, en;
} ParamFault;

typedef struct ParamTable {
    uint64_t seq;   /* of the last version of a SearchParameter */
    uint32_t last;  /* its number */
    ParamDef **def; /* by number */
    size_t def_n;
    FhirCustoms customs;
    ParamFault *fault;
    size_t fault_n;
} ParamTable;

typedef struct ParamAt {
    uint32_t number;
    int64_t done; /* rid, or PARAM_READY */
} ParamAt;

typedef struct ParamStand {
    uint32_t floor;
    ParamAt *at;
    size_t n;
} ParamStand;

/* ---- The table (store_params.c) ---- */

const ParamTable *params_now(const Store *s);
/* From the log as this connection sees it; `stand` of the index, NULL: of an empty one. */
Status params_load(Store *s, Db *log, const ParamStand *stand, Err *err) MUST_USE;
const ParamDef *params_def(const ParamTable *t, uint32_t number);
bool param_is_ready(const Store *s, const FhirCustomParam *p);
/* How many hundredths of the resources were looked at. */
int param_percent(const Store *s, const FhirCustomParam *p);

/* ---- How far an index goes (store_params_stand.c) ---- */

/* Without a value: an empty one, floor 0. */
Status params_stand_read(Db *index, Arena *a, ParamStand *ret, Err *err) MUST_USE;
Status params_stand_write(Db *index, Arena *a, const ParamStand *stand, Err *err) MUST_USE;
bool params_stand_same(const ParamStand *x, const ParamStand *y);
/* Of an index that is made anew: everything in the table is in it. */
ParamStand params_stand_whole(const ParamTable *t, Arena *a);
/* -1: not listed. */
int64_t params_stand_done(const ParamStand *stand, uint32_t number);
/* A document without the rows that its version has not in an index of this stand; NULL of NULL. */
const IndexDoc *params_settle(Arena *a, const ParamTable *t, const ParamStand *stand, int64_t rid,
                              uint64_t seq, const IndexDoc *doc);
/* s->stand, by which the writer goes, as the index has it: with the settling lock held, in a
 * server's group, or by who opens. */
Status params_stand_take(Store *s, Db *index, Err *err) MUST_USE;
/* For who asks: what is ready and how far the others are. */
void params_tell(Store *s, const ParamStand *stand);
/* Both, of an index that is there. */
Status params_open(Store *s, Db *index, Err *err) MUST_USE;
/* All definitions in use are built. */
bool params_stand_all(const ParamTable *t, const ParamStand *stand);
/* The index may have rows of it, though it is not in use (any more). */
bool params_pending(const ParamTable *t, const ParamStand *stand, uint32_t number);

/* ---- The thread (store_params_build.c) ---- */

void params_build_start(Store *s);
void params_build_stop(Store *s);
/* Something may be to do. */
void params_build_wake(Store *s);
/* On a server: another process may have changed which there are. */
Status params_follow(Store *s, Db *db, Err *err) MUST_USE;

#endif
