/*
 * Between the files of `menkou import`: what is being imported, how one resource goes in, and what
 * becomes of those that are refused.
 */
#ifndef CMD_IMPORT_H
#define CMD_IMPORT_H

#include <stdio.h>

#include "api.h"
#include "cmd_args.h"

#define GROUP_MAX 200

/* One resource as it stands in the file. */
typedef struct Item {
    uint64_t number; /* line or entry, from 1 */
    size_t at;       /* byte in the file */
    Str body, type, id;
} Item;

typedef struct Import {
    ApiLocal *local;
    const char *dir;
    Str name; /* of the file, without its folder */
    Str bytes;
    Str seal; /* of a package: its digest, so that another of the same name is another */
    FILE *refused_file;
    uint64_t imported, refused;
    Item group[GROUP_MAX];
    size_t group_n, group_bytes;
} Import;

/* reason is JSON: an OperationOutcome. */
void import_refuse(Import *im, uint64_t number, int status, Str reason, Str body);
void import_refuse_err(Import *im, Arena *a, uint64_t number, const Err *err, Str body);
/* Type and id of what stands at `r`; false (refused) without them. */
bool import_item_read(Import *im, Arena *a, const JsonDoc *d, JsonRef r, Item *item);
/* type and id must live until the group is put: `a` is the file's. */
void import_item_add(Import *im, Arena *a, Item item);
/* Many in one transaction; when it is refused, each alone, so that only the guilty stay out. */
void import_group_put(Import *im);
/* A FHIR package (cmd_import_package.c). */
void import_package(Import *im);

#endif
