/* Between the files of `menkou import`: what is being imported. */
#ifndef CMD_IMPORT_H
#define CMD_IMPORT_H

#include "api_intake.h"
#include "cmd_args.h"

typedef struct Import {
    const char *dir;
    Str name; /* of the file, without its folder */
    Str bytes;
    ApiIntake in;
} Import;

/* A FHIR package (cmd_import_package.c). */
void import_package(Import *im);

#endif
