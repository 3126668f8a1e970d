/*
 * A blob read in parts: for recordings of days, of which a request needs some seconds. The whole is
 * proved against its SHA-256 by store_blob_get and `menkou check`; a part is not.
 */
#ifndef STORE_BLOB_PART_H
#define STORE_BLOB_PART_H

#include "store.h"

typedef struct StoreBlob {
    int fd; /* closed with the arena */
    uint64_t size;
} StoreBlob;

/* ERR_NOT_FOUND when there is no such blob. */
Status store_blob_open(const Store *s, Arena *a, Str sha, StoreBlob **ret, Err *err) MUST_USE;
/* n bytes from `at` on into `to`; `blob` is a StoreBlob. */
Status store_blob_part(void *blob, uint64_t at, size_t n, char *to, Err *err) MUST_USE;

#endif
