/*
 * Uploads that nobody has named (contracts 1.5): a blob is uploaded first and named by a form or
 * a resource afterwards; one that nothing has named within a day is removed.
 *
 * A StoreUploads follows the log once, in order: it notes each Binary that was uploaded as raw
 * bytes, forgets it when a later version of any resource says "Binary/ID", and gives out those
 * that have waited too long. While none waits it skips to the next upload. Its place is kept in
 * the store, so that a restart goes on. An upload under an id of the client's own (PUT) may have
 * been named before it came: once it has waited too long, the log before it is looked through, and
 * only then it is given out.
 *
 * One thread's own; the reader must outlive it.
 */
#ifndef STORE_UPLOADS_H
#define STORE_UPLOADS_H

#include "store.h"

typedef struct StoreUploads StoreUploads;

typedef struct StoreUpload {
    char id[65], sha[65];
    int64_t at_ms; /* when it was uploaded */
    uint64_t seq;
    bool looked_back; /* nothing before it names it */
} StoreUpload;

Status store_uploads_open(StoreReader *r, StoreUploads **ret, Err *err) MUST_USE;
/* Keeps its place in the store. */
void store_uploads_close(StoreUploads *u);
/* Reads at most `limit` versions further; *ret_end: everything committed has been read. */
Status store_uploads_follow(StoreUploads *u, size_t limit, bool *ret_end, Err *err) MUST_USE;
/*
 * Looks at most `limit` versions further through the log before those uploads that need it and came
 * before `before_ms`; *ret_end: none is left to look for.
 */
Status store_uploads_look_back(StoreUploads *u, int64_t before_ms, size_t limit, bool *ret_end,
                               Err *err) MUST_USE;
/* The oldest that was uploaded before `before_ms` and that nothing read so far has named; none
 * while a backup is being made. */
bool store_uploads_oldest(const StoreUploads *u, int64_t before_ms, StoreUpload *ret);
/*
 * Deletes the Binary as a version of the log with the given cause, then the bytes of all uploads
 * under its id unless another Binary has the same; not given out again. *ret_removed is false when
 * someone else has changed or deleted it meanwhile.
 */
Status store_uploads_remove(StoreUploads *u, Arena *a, const StoreUpload *upload,
                            const StoreAuthor *author, Str cause, bool *ret_removed,
                            Err *err) MUST_USE;

#endif
