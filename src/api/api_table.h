/*
 * Tables of residents, staff and institutions into the record (docs/formats/csv.md): what
 * `menkou import --csv` and the doors at /imports share. Each row becomes its resources by
 * link_rows, goes through the same checks as a client's request, a group of rows in one
 * transaction, and is counted as made, changed, unchanged or refused.
 *
 * A table that was cut off is simply brought in again: what is there already is unchanged.
 */
#ifndef API_TABLE_H
#define API_TABLE_H

#include "access.h"
#include "api.h"
#include "link_map.h"

#define API_TABLE_SHOWN 20 /* refusals that are told at once; all of them stand in the sheet */

typedef struct ApiTable {
    LinkKind kind;
    Str map;       /* JSON */
    bool dry;      /* says what would happen, writes nothing but the sheet of refusals */
    bool proposed; /* posts wait for the security administrator's grant */
    const char *refused, *passwords; /* paths of the sheets, made when there is something to say */
    const AccessCaller *as;          /* in whose name; NULL: the system's */
    /* After each row, and once more at the end; false: no more rows. */
    bool (*going)(void *ctx, uint64_t done, uint64_t total);
    void *ctx;
} ApiTable;

typedef struct ApiTableRefusal {
    uint64_t line;
    Str zh, en;
} ApiTableRefusal;

typedef struct ApiTableDone {
    const char *charset;
    uint64_t made, changed, unchanged, refused;
    uint64_t accounts;                   /* new ones; their passwords stand in the sheet */
    bool stopped;                        /* going() said so */
    bool refused_sheet, passwords_sheet; /* were made … */
    bool incomplete;                     /* … but the disk did not take all */
    Str unused[LINK_CSV_COLUMNS_MAX];    /* columns that are not imported */
    size_t unused_n;
    ApiTableRefusal shown[API_TABLE_SHOWN]; /* the first */
    size_t shown_n;
} ApiTableDone;

/* The program's own map of a kind; false if it has none. */
bool api_table_map(ApiFiles maps, LinkKind kind, Str *ret);
/* The columns' names: ERR_INVALID when there are none. */
Status api_table_header(Arena *a, LinkCsv *csv, LinkRecord *ret, Err *err) MUST_USE;
/* ERR_INVALID, ERR_TOO_LARGE, ERR_UNPROCESSABLE: it is no such table, and nothing was done.
 * *ret lives in `a`. */
Status api_table_import(Api *api, Arena *a, const ApiTable *table, Str bytes, ApiTableDone *ret,
                        Err *err) MUST_USE;

#endif
