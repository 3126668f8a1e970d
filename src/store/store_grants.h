/* Which grants a patient's record has that are open or will be, without the copies that it has from
 * other records of the person: for who copies them. */
#ifndef STORE_GRANTS_H
#define STORE_GRANTS_H

#include "store.h"

#define GRANT_COPY_BASIS "person" /* copied from another record of the person */

typedef struct StoreGrant {
    Str grantee, source;
    int64_t since_ms, until_ms;
} StoreGrant;

Status store_grants_of(StoreReader *r, Arena *a, Str patient_id, int64_t now_ms,
                       const StoreGrant **ret, size_t *ret_n, Err *err) MUST_USE;

#endif
