/*
 * Inside api_table*.c: one table on its way in. Memory of the whole file is in Table.arena; what
 * one group of rows needs is in an arena of the caller, emptied when the group is put.
 */
#ifndef API_TABLE_INNER_H
#define API_TABLE_INNER_H

#include <stdio.h>

#include "api_inner.h"
#include "api_table.h"
#include "link_rows.h"

#define GROUP_MAX     100 /* rows in one transaction */
#define SAME_NAME_MAX 2   /* as many as it takes to know that a name is not one institution's */

/* An account that a row of staff asks for. */
typedef struct TableAccount {
    struct TableAccount *next;
    Str username, name, person;
    LinkRecord row;
} TableAccount;

/* In order of weight: a row with two resources has the fate of the one that changed most. */
typedef enum Fate { MADE, CHANGED, UNCHANGED } Fate;

/* A row that is well by itself and waits for its group. */
typedef struct Pending {
    LinkRecord record;
    LinkMade made;
    bool put[2]; /* which of its resources have to be written */
    Fate fate;
} Pending;

typedef struct Table {
    const ApiTable *o;
    Api *api;
    ApiLocal *local;
    Arena *arena; /* lives as long as the file */
    LinkMap map;
    LinkContext context;
    LinkRecord header;
    Map seen;   /* "Type/id" → line of this file */
    Map places; /* institution as written → its reference */
    TableAccount *account_first, *account_last;
    FILE *refused, *passwords; /* NULL: not made yet */
    ApiTableDone done;
    Pending group[GROUP_MAX];
    size_t group_n;
} Table;

/* ---- api_table_sheet.c: what is read afterwards ---- */

/* Counts the row as refused and writes it down as it was, with its line and the reasons. */
void table_refuse(Table *t, Arena *a, const LinkRecord *r, const Err *err);
void table_password_note(Table *t, const TableAccount *account, Str password);
/* Ends both sheets and notes in Table.done what they hold. */
void table_sheets_close(Table *t);

/* ---- api_table_find.c: what the county has ---- */

/* At most `max` ids of a search; how many. */
size_t table_ids_find(Table *t, Arena *a, const char *type, const char *param, Str value, Str *ret,
                      size_t max);
/* An institution as written → its reference; a LinkContext's, ctx is the Table. */
Status table_place_find(void *ctx, Arena *a, Str text, Str *ret, Err *err);
/* An institution of this file: later rows find it although its group is not put yet. */
void table_place_keep(Table *t, Str text, Str reference);

/* ---- api_table_rows.c ---- */

/* Makes a row's resources and has it wait for its group; `a` lives until the group is put. */
void table_row_take(Table *t, Arena *a, const LinkRecord *r);
/* Writes the rows that wait, and resets `a`. */
void table_group_put(Table *t, Arena *a);

/* ---- api_table_accounts.c ---- */

/* Notes the account that a row of staff asks for, if it does. */
void table_account_want(Table *t, const LinkMade *m, const LinkRecord *row);
/* Makes the accounts that were asked for; those that cannot be made are refused. */
Status table_accounts_make(Table *t, Err *err) MUST_USE;

#endif
