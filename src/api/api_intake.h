/*
 * Resources that keep their id (PUT), brought in many in one transaction; when it is refused, each
 * alone, so that only the guilty stay out. Transactions go beside each other (api_crew.h), but
 * never two that have the same id. What is refused goes into a file of lines: number, status,
 * reason (an OperationOutcome), bytes.
 */
#ifndef API_INTAKE_H
#define API_INTAKE_H

#include <stdio.h>

#include "api_crew.h"
#include "fhir_resource.h"

#define API_INTAKE_GROUP 200

typedef struct ApiIntakeItem {
    uint64_t number; /* line or entry, from 1 */
    size_t at;       /* byte in the source */
    Str body, type, id;
    bool waits; /* for all before it, and all behind it for it (api_intake_read) */
} ApiIntakeItem;

/* Set the first members, zero the rest. */
typedef struct ApiIntake {
    ApiLocal *local;
    ApiCrew *crew;
    Str source; /* what the bytes are, for the memory of keys: begun again, nothing is done twice;
                   may be empty */
    Str type;   /* the only one that is taken; empty: any */
    Lang lang;  /* of reasons */
    const char *refused_path; /* made with the first refusal */

    FILE *refused_file;
    bool unkept; /* a refusal could not be written down */
    uint64_t imported, refused;
    ApiIntakeItem group[API_INTAKE_GROUP];
    size_t group_n, group_bytes;
} ApiIntake;

/* reason: JSON, or empty. */
void api_intake_refuse(ApiIntake *x, uint64_t number, int status, Str reason, Str body);
void api_intake_refuse_err(ApiIntake *x, uint64_t number, const Err *err, Str body);
/* Type and id of the resource at `r` into the item; false (refused) when it has none, or another
 * type. */
bool api_intake_read(ApiIntake *x, const JsonDoc *d, JsonRef r, ApiIntakeItem *item);
/* What the item points to must live until the group has gone: group_n is 0 again. */
void api_intake_add(ApiIntake *x, const ApiIntakeItem *item);
void api_intake_alone(ApiIntake *x, const ApiIntakeItem *item);
/* Everything that was added is done. */
void api_intake_flush(ApiIntake *x);
/* The same source, place and bytes are the same request; empty without a source. */
Str api_intake_key(const ApiIntake *x, Arena *a, size_t at, size_t n);
/* Closes the file of refusals. False: not all of them could be kept. */
bool api_intake_end(ApiIntake *x);

#endif
