/*
 * FHIR packages as npm carries them: a gzip of a tar with package/package.json and a file a
 * resource. Read in one pass, nothing is written anywhere; names only choose what is looked at.
 *
 * Strict and bounded: header checksums, sizes and the end of the archive are checked; at most
 * FHIR_PACKAGE_FILES entries and FHIR_PACKAGE_BYTES unpacked bytes; a file of more than
 * FHIR_PACKAGE_FILE_BYTES is passed over as none of FHIR's.
 */
#ifndef FHIR_PACKAGE_H
#define FHIR_PACKAGE_H

#include "json.h"

#define FHIR_PACKAGE_FILES      200000u
#define FHIR_PACKAGE_BYTES      ((uint64_t)4 << 30)
#define FHIR_PACKAGE_FILE_BYTES ((size_t)32 << 20)

/* A file directly below package/: its name without the folder; bytes live during the call. */
typedef Status FhirPackageFile(void *ctx, Str name, Str bytes, Err *err);

/* The JSON files of a package, in its order. ERR_INVALID: not such an archive; ERR_TOO_LARGE. */
Status fhir_package_read(Str tgz, FhirPackageFile *fn, void *ctx, Err *err) MUST_USE;

/* What package.json says; the texts are the document's. */
typedef struct FhirPackageHead {
    Str name, version;
    bool r4;              /* some 4.0.x is among fhirVersions, or none are named */
    JsonRef dependencies; /* name → version */
} FhirPackageHead;

/* ERR_INVALID when there is no name. */
Status fhir_package_head(const JsonDoc *manifest, FhirPackageHead *ret, Err *err) MUST_USE;

#endif
