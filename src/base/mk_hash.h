/*
 * Hashes and randomness. SipHash-2-4 keyed 64 bits for index keys; SHA-256 for content;
 * HMAC-SHA-256 for chains and cursors. Random is the one source of ids and keys: from the
 * system, or from a seed so that a demo county is the same each time.
 */
#ifndef MK_HASH_H
#define MK_HASH_H

#include <pthread.h>

#include "mk_arena.h"

typedef struct HashKey {
    uint64_t k0, k1;
} HashKey;

uint64_t hash_sip(HashKey key, const void *p, size_t n);
/* The hash of several parts as if joined by byte 0x1f. */
uint64_t hash_sip_parts(HashKey key, const Str *parts, size_t n);

typedef struct Sha256 {
    uint8_t b[32];
} Sha256;

Sha256 sha256(Str s);
Sha256 hmac_sha256(Str key, Str s);
/* Only for one-time passwords (RFC 4226), whose standard names it. */
void hmac_sha1(Str key, Str s, uint8_t ret[20]);
/* Several parts without joining them. */
Sha256 sha256_parts(const Str *parts, size_t n);
/* Piece by piece, for what is larger than memory; done gives the digest. */
typedef struct Sha256Run {
    void *context;
} Sha256Run;
void sha256_run_init(Sha256Run *r);
void sha256_run_add(Sha256Run *r, Str s);
Sha256 sha256_run_done(Sha256Run *r);
Str hex_encode(Arena *a, const void *p, size_t n);
bool hex_decode(Str hex, void *ret, size_t n); /* exactly 2n digits */
/* RFC 4648, upper case, without padding. */
Str base32_encode(Arena *a, const void *p, size_t n);
Str base64_encode(Arena *a, Str s, bool url);
/* Accepts both alphabets' own padding rules; false on anything else. */
bool base64_decode(Arena *a, Str s, bool url, Str *ret);
/* Equal in time that depends on the length only. */
bool bytes_equal_const(const void *a, const void *b, size_t n);

typedef struct Random {
    bool seeded;
    uint64_t s[4];
    pthread_mutex_t lock;
} Random;

void random_init_system(Random *r);
void random_init_seed(Random *r, uint64_t seed);
void random_bytes(Random *r, void *p, size_t n);
uint64_t random_u64(Random *r);
/* Uniform in [0, n); n > 0. */
uint64_t random_below(Random *r, uint64_t n);
/* UUID version 7 text (36 bytes): time first, so that new rows are neighbours. */
Str uuid7(Arena *a, Random *r, int64_t now_ms);

#endif
