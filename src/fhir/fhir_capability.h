/*
 * /fhir/metadata: a CapabilityStatement from the same tables that serve. It lists what the
 * caller says it serves and nothing else.
 */
#ifndef FHIR_CAPABILITY_H
#define FHIR_CAPABILITY_H

#include "fhir_custom.h"

enum {
    FHIR_SERVES_READ = 1,
    FHIR_SERVES_VREAD = 2,
    FHIR_SERVES_CREATE = 4,
    FHIR_SERVES_UPDATE = 8,
    FHIR_SERVES_PATCH = 16,
    FHIR_SERVES_DELETE = 32,
    FHIR_SERVES_HISTORY_INSTANCE = 64,
    FHIR_SERVES_HISTORY_TYPE = 128,
    FHIR_SERVES_SEARCH = 256,
    FHIR_SERVES_CONDITIONAL_CREATE = 512,
    FHIR_SERVES_CONDITIONAL_UPDATE = 1024,
    FHIR_SERVES_CONDITIONAL_DELETE = 2048,
    FHIR_SERVES_UPDATE_CREATE = 4096,
    FHIR_SERVES_CONDITIONAL_READ = 8192,
};
enum {
    FHIR_SYSTEM_TRANSACTION = 1,
    FHIR_SYSTEM_BATCH = 2,
    FHIR_SYSTEM_HISTORY = 4,
    FHIR_SYSTEM_SEARCH = 8,
};

#define FHIR_OPERATION_ANY "resource" /* served for every type */

typedef struct FhirOperation {
    const char *type;       /* NULL: system; or FHIR_OPERATION_ANY */
    const char *name;       /* without $ */
    const char *definition; /* canonical URL */
} FhirOperation;

typedef struct FhirServed {
    unsigned interactions; /* FHIR_SERVES_*, of every concrete type */
    unsigned system;       /* FHIR_SYSTEM_* */
    /* NULL: all parameters with an expression whose kind is in `kinds` (bits 1 << FhirParamKind).
     */
    bool (*serves_param)(const FhirType *type, const FhirParam *p);
    unsigned kinds;
    const FhirCustoms *customs; /* also these, which are all served; NULL: none */
    bool includes;              /* _include and _revinclude */
    const FhirOperation *operation;
    unsigned operation_count;
    Str authorize, token;      /* addresses of OAuth, SMART's; empty: none */
    Str base_url;              /* implementation.url */
    Str version;               /* software.version */
    Str date;                  /* of the statement; dateTime */
    const char *const *format; /* "json" … */
    unsigned format_count;
    const char *const *patch_format;
    unsigned patch_format_count;
} FhirServed;

void fhir_capability_write(Buf *out, const FhirServed *s);

#endif
