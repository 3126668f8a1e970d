/* Between the files of `menkou import`: what is being imported. */
#ifndef CMD_IMPORT_H
#define CMD_IMPORT_H

#include "api_intake.h"
#include "cmd_args.h"

/* A file. */
typedef struct Import {
    Arena arena;
    Str name; /* without its folder */
    Str mapped;
    Str bytes; /* of XML what it says in JSON: the places of entries are in it */
    ApiIntake in;
} Import;

/* A FHIR package (cmd_import_package.c). */
void import_package(Import *im);

#endif
