/*
 * Between the files that check questionnaires, and responses by them. A questionnaire stands in
 * the walk's own document (contained) or in another one; what it asks of a response is told by a
 * thorough check only, a write is not refused for it.
 */
#ifndef FHIR_VALIDATE_FORM_H
#define FHIR_VALIDATE_FORM_H

#include "fhir_validate_inner.h"

#define FORM_ITEMS_MAX 20000u
#define FORM_DEPTH_MAX 64u

typedef struct Form {
    Walk *w;
    const JsonDoc *d; /* the questionnaire's */
    JsonRef questionnaire;
    Map ids;       /* linkId → item + 1 */
    unsigned left; /* items still to go through; bounded */
    unsigned steps;
    bool complete; /* of the response: answers that are asked for must be there */
} Form;

/* The one value[x] (answer[x]) of an object; type NULL where there is none. */
typedef struct FormValue {
    const JsonDoc *d;
    JsonRef ref;
    const FhirType *type;
} FormValue;

/* An item or answer of a response inside those around it: where a condition looks for answers. */
typedef struct Answered {
    const struct Answered *up;
    JsonRef object;
} Answered;

void form_open(Form *f, Walk *w, const JsonDoc *d, JsonRef questionnaire);
/* JSON_NONE: no item has the linkId. */
JsonRef form_item(const Form *f, Str id);
Str form_text(const Form *f, JsonRef object, const char *key);
/* Its value; type NULL: none. */
FormValue form_limit(const Form *f, JsonRef element, const char *url);
FormValue form_value(const JsonDoc *d, JsonRef object, const char *prefix);
/* A code by system and code, a reference by what it refers to, everything else by its value. */
bool form_same(Walk *w, const FormValue *a, const FormValue *b);
FhirValue form_scalar(const FormValue *v);

/* Whether the conditions of a questionnaire's item hold where a response has it, or would. */
bool form_enabled(Form *f, JsonRef question, const Answered *around);
/* Whether a question of a type (choice, date …) is answered by values of this type of FHIR. */
bool form_type_answers(Str question, Str value);
/* One answer to a question, without what is nested in it. at: the answer. */
void form_answer(Form *f, const Place *at, JsonRef question, JsonRef answer);

#endif
