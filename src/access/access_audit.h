/*
 * The audit's folder at rest: finding the end of the chain at opening, and walking all of it.
 * Only for the files of this room. The running side (queue, thread) is access_audit.c.
 */
#ifndef ACCESS_AUDIT_H
#define ACCESS_AUDIT_H

#include "access_chain.h"
#include "store.h"

#define AUDIT_HEAD  "audit-head" /* the setting in log.db */
#define AUDIT_TORN  "torn-end"   /* action of the record that notes a crash's unfinished line */
#define AUDIT_FAULT "cut-tail"   /* action of the record of what opening could not explain */

/* Where the next record goes. */
typedef struct AuditTail {
    uint64_t n; /* of the last whole line; 0: none */
    Sha256 mac;
    char day[16];        /* the newest segment's, "" if none */
    uint64_t torn_bytes; /* cut off from its end */
    uint64_t head_n;     /* what log.db knows */
    bool cut;            /* the head is not in the segments */
} AuditTail;

/*
 * Makes folder and key at birth; removes a torn end; compares the end with the head. ERR_CONFLICT
 * when there are segments and no key. key: CHAIN_KEY_BYTES in `a`.
 */
Status audit_prepare(Store *s, Arena *a, const char *dir, const char *folder, Str *ret_key,
                     AuditTail *ret, Err *err) MUST_USE;

/* CHAIN_KEY_BYTES in `a`. */
Status audit_key_read(Arena *a, const char *path, Str *ret, Err *err) MUST_USE;
/* AUDIT_HEAD or AUDIT_BASE, as log.db has it; n 0: it has none. */
Status audit_place_read(StoreReader *r, Arena *a, Str name, uint64_t *ret_n, Sha256 *ret_mac,
                        Err *err) MUST_USE;

#endif
