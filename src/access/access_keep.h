/*
 * Keeping the audit: closed segments are packed, their indexes made where they are missing, and the
 * oldest dropped when the whole is larger than it may be and they are older than they must be kept
 * (both dated parameters). A thread of its own, beside the one that writes. Only for the files of
 * this room.
 */
#ifndef ACCESS_KEEP_H
#define ACCESS_KEEP_H

#include "access_inner.h"

#define AUDIT_BASE "audit-base" /* setting: number and mac of the last record that was dropped */
#define AUDIT_DROPPED                                                                              \
    "dropped"                    /* action of the record that notes it: "N:MAC FIRST-DAY LAST-DAY" \
                                  */
#define AUDIT_FULL "nearly-full" /* action of the record that warns of it, once a day */

typedef struct AuditKeeper AuditKeeper;

/* What the keeper needs of the audit (access_audit.c). */
const char *audit_folder(const Audit *u);
Str audit_key(const Audit *u);
Store *audit_store(const Audit *u);

AuditKeeper *audit_keeper(const Audit *u);

AuditKeeper *audit_keeper_new(Audit *u);
void audit_keeper_free(AuditKeeper *k);
typedef struct AuditLimits {
    uint64_t bytes_max;
    int64_t keep_ms;
} AuditLimits;
/* One pass; the thread makes one at the beginning and then each minute. */
Status audit_keep(AuditKeeper *k, const AuditLimits *limits, Err *err) MUST_USE;

#endif
