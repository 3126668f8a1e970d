/*
 * A Binary whose bytes are a blob (docs/formats/binary.md): the resource in the log names the
 * blob by a tag, so that 64 MiB of a recording never pass through the log.
 */
#ifndef STORE_BINARY_H
#define STORE_BINARY_H

#include "store.h"

#define STORE_BLOB_SYSTEM "urn:menkou:blob"

/* The resource's JSON. context: "Patient/ID", or empty while nobody's. */
Str store_binary_body(Arena *a, Str id, Str content_type, Str sha, size_t bytes_n, Str context);
/* The blob that a Binary names, or STR_NONE (its bytes are then in `data`). */
Str store_binary_sha(const JsonDoc *doc);
/*
 * The next "Binary/ID" anywhere in a text, also with the solidus escaped; *rest goes on behind it.
 */
bool store_binary_named(Str *rest, Str *ret_id);
/* Makes blob and resource in the batch; the new id in *ret_id. */
Status store_binary_put(StoreBatch *b, Store *s, Arena *a, Str id, Str content_type, Str bytes,
                        Str context, Str *ret_id, Err *err) MUST_USE;

#endif
