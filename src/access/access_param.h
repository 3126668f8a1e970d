/*
 * Dated parameters: numbers that a rule or an office may change, each valid from a day on.
 * access_params.def is the list; nothing else in the code says them.
 */
#ifndef ACCESS_PARAM_H
#define ACCESS_PARAM_H

#include "mk.h"

typedef enum AccessParam {
#define PARAM(name, from, value) ACCESS_##name,
#include "access_params.def"
#undef PARAM
    ACCESS_PARAMS
} AccessParam;

/* The value in force at a moment: of several rows of one name the latest that has begun. */
int64_t access_param(AccessParam which, int64_t now_ms);

#endif
