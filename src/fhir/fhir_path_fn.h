/*
 * The functions of FHIRPath: one prototype each, from fhir_path_fn.def. PATH_FN opens a
 * definition: the parameters are e (evaluation), p (the call), in (what stands before the
 * dot), s (where the call stands) and ret.
 */
#ifndef FHIR_PATH_FN_H
#define FHIR_PATH_FN_H

#include "fhir_path_inner.h"

#define PATH_FN(name)                                                                              \
    Status path_fn_##name(Eval *e, const PathNode *p, const FhirValues *in, const Scope *s,        \
                          FhirValues *ret)

#define X(name, min, max, type_arg) PATH_FN(name);
#include "fhir_path_fn.def"
#undef X

#define PATH_TEXT_BYTES_MAX (4u << 20) /* of one text that a function makes */

Status path_put_str(Eval *e, FhirValues *ret, Str s) MUST_USE;
/* The text of a Buf, moved to the arena; ERR_TOO_LARGE when it did not fit. Ends the Buf. */
Status path_put_buf(Eval *e, Buf *b, FhirValues *ret) MUST_USE;
/* Input and first argument as strings; *ret_both false when one is empty. */
Status path_two_strings(Eval *e, const PathNode *p, const FhirValues *in, const Scope *s, Str *x,
                        Str *y, bool *ret_both) MUST_USE;

#define UNUSED2(a, b)                                                                              \
    (void)(a);                                                                                     \
    (void)(b)

#endif
