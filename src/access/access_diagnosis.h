/*
 * The switch without which every drawn ECG says "Not for diagnosis" (docs/decisions/097). The
 * system administrator sets it, with the own password again (access_again), in the name of the
 * person who answers for it, and with a reason; the county takes it back the same way. It is one
 * setting of the log: a copy, a backup and a server's database keep it.
 *
 * Never known is off: drawings stay marked when the switch cannot be read.
 */
#ifndef ACCESS_DIAGNOSIS_H
#define ACCESS_DIAGNOSIS_H

#include "access.h"

typedef struct AccessDiagnosis {
    bool on;
    Str person; /* who answers for it, as on paper; empty while it is off */
    Str reason; /* why it was last changed */
    Str by;     /* the account that changed it; empty: it never was */
    int64_t at_ms;
} AccessDiagnosis;

/* ERR_FORBIDDEN that names who may. Everybody may read. */
Status access_diagnosis_may(const AccessCaller *caller, AccessDo what, Err *err) MUST_USE;
/* All zero where it was never set. */
Status access_diagnosis(StoreReader *r, Arena *a, AccessDiagnosis *ret, Err *err) MUST_USE;
bool access_diagnosis_on(StoreReader *r, Arena *a);
/* Now and by this caller. ERR_UNPROCESSABLE rules person-missing, reason-missing. */
Status access_diagnosis_set(Access *x, Arena *a, const AccessCaller *caller,
                            const AccessDiagnosis *wanted, AccessDiagnosis *ret, Err *err) MUST_USE;

#endif
