/* The document that a patch works on, shared by both kinds of patches; nobody else includes this.
 */
#ifndef FHIR_PATCH_INNER_H
#define FHIR_PATCH_INNER_H

#include "fhir_patch.h"

typedef struct PatchDoc {
    Arena *arena;     /* of the caller: what must outlive an operation */
    Arena scratch[2]; /* the present document and the one before it, in turns */
    int turn;
    JsonDoc d;
    size_t work_bytes;
    Err *err;
    Str where; /* of the operation */
} PatchDoc;

Status patch_begin(PatchDoc *x, Arena *a, const JsonDoc *doc, Err *err) MUST_USE;
void patch_done(PatchDoc *x);

/* x->d becomes the document with one range replaced. References before the range stay good. */
Status patch_splice(PatchDoc *x, JsonSplice s) MUST_USE;
/* Sets a member of an object; an empty text removes it. */
Status patch_member(PatchDoc *x, JsonRef object, Str key, Str text) MUST_USE;
/* Adds an item before the index-th of an array, or at its end. */
Status patch_item(PatchDoc *x, JsonRef array, uint32_t index, Str text) MUST_USE;
/* Takes a value out of its array or object. */
Status patch_remove(PatchDoc *x, JsonRef parent, JsonRef value) MUST_USE;

Status patch_malformed(PatchDoc *x, const char *zh, const char *en);
Status patch_unfit(PatchDoc *x, const char *zh, const char *en);

/* The same document without empty containers. */
Str patch_tidied(Arena *a, const JsonDoc *d);

#endif
