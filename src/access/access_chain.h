/*
 * The audit's chain: what a segment on disk looks like and how one line follows from the last.
 *
 * DIR/audit/YYYY-MM-DD.log holds one JSON object a line (docs/formats/audit.md):
 *   {"n":1,"at":"…","do":"R",…,"mac":"64 hex digits"}\n
 * `n` counts from 1 without a gap over all segments. `mac` is HMAC-SHA-256 with the key in
 * DIR/audit.key over the mac before it (32 bytes; of line 1: zeros) and the line's own bytes
 * up to, not including, `,"mac":`. Pure: bytes in, bytes out.
 */
#ifndef ACCESS_CHAIN_H
#define ACCESS_CHAIN_H

#include "mk.h"

#define CHAIN_TAIL_BYTES (sizeof ",\"mac\":\"\"}\n" - 1 + 64)
#define CHAIN_KEY_BYTES  32

typedef struct Chain {
    Str key;
    uint64_t n; /* of the last line */
    Sha256 mac; /* of the last line */
} Chain;

/*
 * Writes the next line: `members` are the object's members after n, beginning with a comma.
 * Moves the chain on.
 */
void chain_write(Chain *c, Str members, Buf *out);

typedef enum ChainLine {
    CHAIN_GOOD,
    CHAIN_MALFORMED, /* not of the form above */
    CHAIN_NUMBER,    /* n does not follow */
    CHAIN_MAC        /* the bytes are not those that were written */
} ChainLine;

/*
 * Looks at one line (with its \n) after the one before. Afterwards the chain stands at this line
 * as it says itself, so that one bad line is one fault and not every line after it.
 */
ChainLine chain_follow(Chain *c, Str line);
/* n and mac that a line states, unproved; false when malformed. */
bool chain_stated(Str line, uint64_t *ret_n, Sha256 *ret_mac);

/* "n:mac in hex", as the head is kept in log.db. */
Str chain_head(Arena *a, const Chain *c);
bool chain_head_parse(Str text, uint64_t *ret_n, Sha256 *ret_mac);

#endif
