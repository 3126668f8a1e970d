/*
 * Changing a resource by a patch: JSON Patch (RFC 6902) and FHIRPath Patch (a Parameters
 * resource, R4's fhirpatch). Each operation is a splice of the bytes, so that everything it does
 * not name stays as it was received.
 *
 * Operations are done in order, all or none: on failure nothing is returned. ERR_INVALID: the
 * patch itself is malformed; ERR_UNPROCESSABLE: it does not fit this document (no such place, a
 * test that fails); ERR_TOO_LARGE: too many operations or too much work. Issues name the
 * operation ("[2].path", "Parameters.parameter[2]"). The result is JSON, not yet a valid resource:
 * the caller validates.
 *
 * Pure. What it returns lives in the arena given.
 */
#ifndef FHIR_PATCH_H
#define FHIR_PATCH_H

#include "json.h"

#define FHIR_PATCH_OPERATIONS_MAX 1000u
#define FHIR_PATCH_WORK_BYTES_MAX (256u << 20) /* of all documents on the way together */

/* `patch` is an array of operations, `doc` any JSON. */
Status fhir_patch_json(Arena *a, const JsonDoc *doc, const JsonDoc *patch, Str *ret,
                       Err *err) MUST_USE;

/*
 * `parameters` is a Parameters resource in `patch`, `doc` a resource. Adding to a list appends;
 * deleting what is not there changes nothing; an object that loses its last element goes too.
 */
Status fhir_patch_path(Arena *a, const JsonDoc *doc, const JsonDoc *patch, JsonRef parameters,
                       Str *ret, Err *err) MUST_USE;

/*
 * The document without empty objects and arrays, which FHIR does not have: what a JSON Patch
 * leaves behind that removed the last item of a list. Its own values are left alone: when one of
 * them is or has an empty container, the document comes back as it is.
 */
Str fhir_patch_tidy(Arena *a, Str bytes, const JsonDoc *patch);

#endif
