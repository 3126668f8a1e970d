/* Between the two files that compile a profile. */
#ifndef FHIR_PROFILE_MAKE_H
#define FHIR_PROFILE_MAKE_H

#include "fhir_profile_inner.h"

#define MAKE_PASSED_MAX 64

/* The last node at a path: the parent of what follows in the list. */
typedef struct MakePlace {
    Str path;
    ProfileNode *node;
} MakePlace;

typedef struct Make {
    FhirProfileHold *hold;
    Arena *a;
    const JsonDoc *d;
    FhirProfile *p;
    bool snapshot; /* the elements are a snapshot: much of it says what R4 says */
    uint32_t element;
    Str path; /* of the element, for words */
    MakePlace passed[MAKE_PASSED_MAX];
    unsigned passed_n;
} Make;

/* What makes the whole definition unusable stands at its root, as it has no single place. */
#define MAKE_FAULT(m, code, ...)                                                                   \
    ((void)!err_add(&(m)->p->fault, ERR_UNPROCESSABLE, code, STR("StructureDefinition"),           \
                    __VA_ARGS__))

/* Lays what element e says over the node. */
void make_fill(Make *m, ProfileNode *n, JsonRef e);
/* A compiled expression; false, and a fault, when it is none. */
bool make_program(Make *m, Str text, FhirPath **ret);

#endif
