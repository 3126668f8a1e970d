#include "mk_hash.h"

#include <endian.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/random.h>

#include "mk_err.h"
#include "mk_memory.h"

#include "mk_banned.h"

static uint64_t rotl(uint64_t x, int b)
{
    return x << b | x >> (64 - b);
}

/* --- SipHash-2-4, fed in pieces --- */

typedef struct Sip {
    uint64_t v0, v1, v2, v3;
    uint64_t tail; /* bytes not yet mixed, little end first */
    size_t n;
} Sip;

static void sip_round(Sip *s)
{
    s->v0 += s->v1;
    s->v1 = rotl(s->v1, 13) ^ s->v0;
    s->v0 = rotl(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotl(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotl(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotl(s->v1, 17) ^ s->v2;
    s->v2 = rotl(s->v2, 32);
}

static void sip_init(Sip *s, HashKey key)
{
    *s = (Sip){key.k0 ^ 0x736f6d6570736575ull,
               key.k1 ^ 0x646f72616e646f6dull,
               key.k0 ^ 0x6c7967656e657261ull,
               key.k1 ^ 0x7465646279746573ull,
               0,
               0};
}

static void sip_word(Sip *s, uint64_t w)
{
    s->v3 ^= w;
    sip_round(s);
    sip_round(s);
    s->v0 ^= w;
}

static void sip_byte(Sip *s, uint8_t c)
{
    s->tail |= (uint64_t)c << 8 * (s->n++ & 7);
    if ((s->n & 7) == 0) {
        sip_word(s, s->tail);
        s->tail = 0;
    }
}

static void sip_add(Sip *s, const uint8_t *p, size_t n)
{
    while (n && (s->n & 7)) {
        sip_byte(s, *p++);
        n--;
    }
    for (; n >= 8; n -= 8, p += 8, s->n += 8) {
        uint64_t w;
        memcpy(&w, p, 8);
        sip_word(s, le64toh(w));
    }
    while (n--) {
        sip_byte(s, *p++);
    }
}

static uint64_t sip_end(Sip *s)
{
    sip_word(s, s->tail | (uint64_t)s->n << 56);
    s->v2 ^= 0xff;
    for (int i = 0; i < 4; i++) {
        sip_round(s);
    }
    return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

uint64_t hash_sip(HashKey key, const void *p, size_t n)
{
    Sip s;
    sip_init(&s, key);
    sip_add(&s, p, n);
    return sip_end(&s);
}

uint64_t hash_sip_parts(HashKey key, const Str *parts, size_t n)
{
    Sip s;
    sip_init(&s, key);
    for (size_t i = 0; i < n; i++) {
        if (i) {
            sip_byte(&s, 0x1f);
        }
        sip_add(&s, (const uint8_t *)parts[i].p, parts[i].n);
    }
    return sip_end(&s);
}

/* --- SHA-256 --- */

static void *crypto_take(size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    return memory_take(n);
}

static void *crypto_grow(void *p, size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    if (n == 0) {
        free(p);
        return NULL;
    }
    return memory_grow(p, n);
}

static void crypto_free(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    free(p);
}

/* Before the library's first allocation, so that a digest never fails for want of memory. */
__attribute__((constructor)) static void crypto_memory(void)
{
    CRYPTO_set_mem_functions(crypto_take, crypto_grow, crypto_free);
}

Sha256 sha256(Str s)
{
    return sha256_parts(&s, 1);
}

/* Fetched once: the library would look for it at each digest. */
static EVP_MD *sha256_kind;

static void sha256_fetch(void)
{
    sha256_kind = EVP_MD_fetch(NULL, "SHA256", NULL);
    mk_check(sha256_kind);
}

void sha256_run_init(Sha256Run *r)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, sha256_fetch);
    r->context = EVP_MD_CTX_new();
    mk_check(r->context && EVP_DigestInit_ex(r->context, sha256_kind, NULL));
}

void sha256_run_add(Sha256Run *r, Str s)
{
    mk_check(EVP_DigestUpdate(r->context, s.p, s.n));
}

Sha256 sha256_run_done(Sha256Run *r)
{
    Sha256 out;
    mk_check(EVP_DigestFinal_ex(r->context, out.b, NULL));
    EVP_MD_CTX_free(r->context);
    return out;
}

Sha256 sha256_parts(const Str *parts, size_t n)
{
    Sha256Run run;
    sha256_run_init(&run);
    for (size_t i = 0; i < n; i++) {
        sha256_run_add(&run, parts[i]);
    }
    return sha256_run_done(&run);
}

/* RFC 2104 over the digest that is fetched once: the library's HMAC looks for it at each call. */
Sha256 hmac_sha256(Str key, Str s)
{
    uint8_t inner[64] = {0}, outer[64];
    if (key.n > sizeof inner) {
        Sha256 shorter = sha256(key);
        memcpy(inner, shorter.b, sizeof shorter.b);
    } else if (key.n) {
        memcpy(inner, key.p, key.n);
    }
    for (size_t i = 0; i < sizeof inner; i++) {
        outer[i] = inner[i] ^ 0x5c;
        inner[i] ^= 0x36;
    }
    Sha256 within = sha256_parts((Str[]){{(const char *)inner, sizeof inner}, s}, 2);
    Str parts[] = {{(const char *)outer, sizeof outer}, {(const char *)within.b, sizeof within.b}};
    Sha256 out = sha256_parts(parts, 2);
    explicit_bzero(inner, sizeof inner);
    explicit_bzero(outer, sizeof outer);
    return out;
}

void hmac_sha1(Str key, Str s, uint8_t ret[20])
{
    const void *k = key.p ? key.p : "";
    mk_check(HMAC(EVP_sha1(), k, (int)key.n, (const uint8_t *)s.p, s.n, ret, NULL));
}

/* --- text forms --- */

Str hex_encode(Arena *a, const void *p, size_t n)
{
    static const char HEX[] = "0123456789abcdef";
    const uint8_t *b = p;
    char *out = arena_alloc_raw(a, 2 * n + 1);
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = HEX[b[i] >> 4];
        out[2 * i + 1] = HEX[b[i] & 15];
    }
    out[2 * n] = 0;
    return (Str){out, 2 * n};
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    char l = (char)(c | 32);
    return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

bool hex_decode(Str hex, void *ret, size_t n)
{
    uint8_t *out = ret;
    if (hex.n != 2 * n) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        int hi = hex_digit(hex.p[2 * i]), lo = hex_digit(hex.p[2 * i + 1]);
        if (hi < 0 || lo < 0) {
            return false;
        }
        out[i] = (uint8_t)(hi << 4 | lo);
    }
    return true;
}

static const char BASE64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char BASE64_URL[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

Str base32_encode(Arena *a, const void *p, size_t n)
{
    static const char ABC[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    const uint8_t *b = p;
    char *out = arena_alloc_raw(a, (n * 8 + 4) / 5 + 1), *at = out;
    uint32_t held = 0;
    unsigned bits = 0;
    for (size_t i = 0; i < n; i++) {
        held = held << 8 | b[i];
        for (bits += 8; bits >= 5; bits -= 5) {
            *at++ = ABC[held >> (bits - 5) & 31];
        }
    }
    if (bits) {
        *at++ = ABC[held << (5 - bits) & 31];
    }
    *at = 0;
    return (Str){out, (size_t)(at - out)};
}

Str base64_encode(Arena *a, Str s, bool url)
{
    const char *abc = url ? BASE64_URL : BASE64;
    const uint8_t *b = (const uint8_t *)s.p;
    char *out = arena_alloc_raw(a, (s.n + 2) / 3 * 4 + 1), *at = out;
    for (size_t i = 0; i < s.n; i += 3) {
        size_t k = s.n - i < 3 ? s.n - i : 3;
        uint32_t w =
            (uint32_t)b[i] << 16 | (k > 1 ? (uint32_t)b[i + 1] << 8 : 0) | (k > 2 ? b[i + 2] : 0u);
        *at++ = abc[w >> 18];
        *at++ = abc[w >> 12 & 63];
        if (k > 1 || !url) {
            *at++ = k > 1 ? abc[w >> 6 & 63] : '=';
        }
        if (k > 2 || !url) {
            *at++ = k > 2 ? abc[w & 63] : '=';
        }
    }
    *at = 0;
    return (Str){out, (size_t)(at - out)};
}

static int base64_digit(char c, bool url)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == (url ? '-' : '+') ? 62 : c == (url ? '_' : '/') ? 63 : -1;
}

/* Removes the padding; false when it is not the alphabet's own. */
static bool base64_unpad(Str *s, bool url)
{
    size_t pad = 0;
    while (pad < 2 && s->n > pad && s->p[s->n - 1 - pad] == '=') {
        pad++;
    }
    bool whole = s->n % 4 == 0;
    s->n -= pad;
    return (whole || (url && pad == 0)) && s->n % 4 != 1;
}

bool base64_decode(Arena *a, Str s, bool url, Str *ret)
{
    if (!base64_unpad(&s, url)) {
        return false;
    }
    char *out = arena_alloc_raw(a, s.n * 3 / 4 + 1), *at = out;
    uint32_t w = 0;
    int bits = 0;
    for (size_t i = 0; i < s.n; i++) {
        int v = base64_digit(s.p[i], url);
        if (v < 0) {
            return false;
        }
        w = w << 6 | (uint32_t)v;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            *at++ = (char)(w >> bits);
            w &= (1u << bits) - 1;
        }
    }
    if (w) {
        return false; /* bits that no byte holds */
    }
    *at = 0;
    *ret = (Str){out, (size_t)(at - out)};
    return true;
}

bool bytes_equal_const(const void *a, const void *b, size_t n)
{
    const volatile uint8_t *x = a, *y = b;
    uint8_t differs = 0;
    for (size_t i = 0; i < n; i++) {
        differs |= x[i] ^ y[i];
    }
    return differs == 0;
}

/* --- randomness --- */

static uint64_t splitmix(uint64_t *x)
{
    uint64_t z = (*x += 0x9e3779b97f4a7c15ull);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

void random_init_system(Random *r)
{
    *r = (Random){.lock = PTHREAD_MUTEX_INITIALIZER};
}

void random_init_seed(Random *r, uint64_t seed)
{
    *r = (Random){.seeded = true, .lock = PTHREAD_MUTEX_INITIALIZER};
    for (int i = 0; i < 4; i++) {
        r->s[i] = splitmix(&seed);
    }
}

/* xoshiro256**; the caller holds the lock. */
static uint64_t seeded_next(uint64_t s[4])
{
    uint64_t out = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return out;
}

static void system_bytes(uint8_t *p, size_t n)
{
    while (n) {
        ssize_t got = getrandom(p, n, 0);
        mk_check(got > 0 || errno == EINTR);
        if (got > 0) {
            p += got;
            n -= (size_t)got;
        }
    }
}

/* Ids are asked for at every request: the system is asked for many at once. What was given is
 * wiped. */
static void pooled_bytes(uint8_t *p, size_t n)
{
    static _Thread_local uint8_t pool[512];
    static _Thread_local size_t left;
    if (n > sizeof pool / 8) {
        system_bytes(p, n);
        return;
    }
    if (n > left) {
        system_bytes(pool, sizeof pool);
        left = sizeof pool;
    }
    left -= n;
    memcpy(p, pool + left, n);
    explicit_bzero(pool + left, n);
}

void random_bytes(Random *r, void *p, size_t n)
{
    if (!r->seeded) {
        pooled_bytes(p, n);
        return;
    }
    uint8_t *at = p;
    pthread_mutex_lock(&r->lock);
    while (n) {
        uint64_t w = seeded_next(r->s);
        size_t k = n < 8 ? n : 8;
        memcpy(at, &w, k);
        at += k;
        n -= k;
    }
    pthread_mutex_unlock(&r->lock);
}

uint64_t random_u64(Random *r)
{
    uint64_t v;
    random_bytes(r, &v, sizeof v);
    return v;
}

uint64_t random_below(Random *r, uint64_t n)
{
    mk_check(n > 0);
    uint64_t skip = -n % n, v; /* 2^64 mod n: those values would favour the small ones */
    do {
        v = random_u64(r);
    } while (v < skip);
    return v % n;
}

Str uuid7(Arena *a, Random *r, int64_t now_ms)
{
    uint8_t b[16];
    random_bytes(r, b, sizeof b);
    for (int i = 0; i < 6; i++) {
        b[i] = (uint8_t)((uint64_t)now_ms >> (40 - 8 * i));
    }
    b[6] = (uint8_t)(0x70 | (b[6] & 15));
    b[8] = (uint8_t)(0x80 | (b[8] & 63));
    Str hex = hex_encode(a, b, sizeof b);
    char *out = arena_alloc_raw(a, 37), *at = out;
    for (size_t i = 0; i < hex.n; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20) {
            *at++ = '-';
        }
        *at++ = hex.p[i];
    }
    *at = 0;
    return (Str){out, 36};
}
