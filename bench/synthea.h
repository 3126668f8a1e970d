/*
 * Synthea: bundles of public test patients as templates, from which as many people are made as a
 * measurement needs. Each UUID of the bundles becomes another one in each copy, everywhere it
 * occurs, so that references hold within a copy and nothing is shared between copies.
 */
#ifndef BENCH_SYNTHEA_H
#define BENCH_SYNTHEA_H

#include "json.h"
#include "mk.h"

typedef struct SyntheaPiece {
    Str text;   /* as it stands */
    Str uuid;   /* after it, to be changed; empty at the end */
    Str prefix; /* before the uuid: "Type/" in place of urn:uuid: */
} SyntheaPiece;

typedef struct SyntheaResource {
    Str type, uuid;
    SyntheaPiece *piece;
    size_t piece_n;
} SyntheaResource;

typedef struct Synthea {
    SyntheaResource *at; /* Patients before what is theirs, as in the bundles */
    size_t n, room;
    Arena *arena;
    Map types; /* uuid → name of the type */
} Synthea;

/* Every *.json of the folder. */
Status synthea_load(Arena *a, const char *dir, Synthea *ret, Err *err) MUST_USE;
/* What becomes of a UUID in a copy. */
Str synthea_id(Arena *a, Str uuid, uint32_t copy);
Str synthea_body(Arena *a, const SyntheaResource *r, uint32_t copy);

#endif
