/*
 * Inside cmd_csv*.c: one table on its way in. Memory of the whole file is in Csv.arena; what one
 * group of rows needs is in an arena of the caller, emptied when the group is put.
 */
#ifndef CMD_CSV_INNER_H
#define CMD_CSV_INNER_H

#include <stdio.h>

#include "access.h"
#include "api.h"
#include "cmd_csv.h"
#include "link_rows.h"

#define GROUP_MAX     100 /* rows in one transaction */
#define SAME_NAME_MAX 2   /* as many as it takes to know that a name is not one institution's */

/* An account that a row of staff asks for. */
typedef struct CsvAccount {
    struct CsvAccount *next;
    Str username, name, person;
} CsvAccount;

/* In order of weight: a row with two resources has the fate of the one that changed most. */
typedef enum Fate { MADE, CHANGED, UNCHANGED } Fate;

/* A row that is well by itself and waits for its group. */
typedef struct Pending {
    LinkRecord record;
    LinkMade made;
    bool put[2]; /* which of its resources have to be written */
    Fate fate;
} Pending;

typedef struct Csv {
    const CmdCsv *o;
    ApiLocal *local;
    Arena *arena; /* lives as long as the file */
    LinkMap map;
    LinkContext context;
    Str name;   /* of the file, without its folder */
    Map seen;   /* "Type/id" → line of this file */
    Map places; /* institution as written → its reference */
    CsvAccount *account_first, *account_last;
    FILE *refused_file;
    LinkRecord header;
    uint64_t made, changed, unchanged, refused;
    Pending group[GROUP_MAX];
    size_t group_n;
} Csv;

/* ---- cmd_csv_sheet.c: what the operator reads afterwards ---- */

/* DIR/import/NAME and the suffix, emptied; NULL when it cannot be made. The caller closes it. */
FILE *cmd_csv_sheet_open(Csv *c, const char *suffix);
void cmd_csv_sheet_line(FILE *f, const Str *field, size_t n);
/* Counts the row as refused and writes it down as it was, with its line and the reasons. */
void cmd_csv_refuse(Csv *c, Arena *a, const LinkRecord *r, const Err *err);

/* ---- cmd_csv_find.c: what the county has ---- */

/* At most `max` ids of a search; how many. */
size_t cmd_csv_ids_find(Csv *c, Arena *a, const char *type, const char *param, Str value, Str *ret,
                        size_t max);
/* An institution as written → its reference; a LinkContext's, ctx is the Csv. */
Status cmd_csv_place_find(void *ctx, Arena *a, Str text, Str *ret, Err *err);
/* An institution of this file: later rows find it although its group is not put yet. */
void cmd_csv_place_keep(Csv *c, Str text, Str reference);

/* ---- cmd_csv_rows.c ---- */

/* Makes a row's resources and has it wait for its group; `a` lives until the group is put. */
void cmd_csv_row_take(Csv *c, Arena *a, const LinkRecord *r);
/* Writes the rows that wait, and resets `a`. */
void cmd_csv_group_put(Csv *c, Arena *a);

/* ---- cmd_csv_accounts.c ---- */

/* Notes the account that a row of staff asks for, if it does. */
void cmd_csv_account_want(Csv *c, const LinkMade *m);
/* Makes the accounts that were asked for; the exit status. */
int cmd_csv_accounts_make(Csv *c);

#endif
