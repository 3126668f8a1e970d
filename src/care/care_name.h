/* Names of people, as one text. */
#ifndef CARE_NAME_H
#define CARE_NAME_H

#include "json.h"

/* A HumanName as one text: `text`, else family and given as they are written in their script. */
Str care_name_text(Arena *a, const JsonDoc *d, JsonRef human_name);

#endif
