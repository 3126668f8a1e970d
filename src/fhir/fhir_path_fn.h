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

#define UNUSED2(a, b)                                                                              \
    (void)(a);                                                                                     \
    (void)(b)

#endif
