/*
 * Arena: memory that lives and dies together, with a cap in bytes.
 *
 * Four lifetimes use it: process, worker, request, scratch. When the cap is reached
 * arena_alloc returns NULL only through the `try` form; the plain form marks the arena
 * as exhausted and jumps to nowhere: it returns memory from a small reserve so that
 * callers stay straight-line code, and `arena_exhausted` tells the door (request
 * handler) to answer 413/503. Code that allocates sizes chosen by a caller uses `try`.
 * Beyond cap and reserve the process aborts: that is our bug, not the caller's.
 */
#ifndef MK_ARENA_H
#define MK_ARENA_H

#include "mk_str.h"

typedef struct ArenaBlock ArenaBlock;
typedef struct ArenaDefer ArenaDefer;

typedef struct Arena {
    ArenaBlock *block; /* newest first */
    ArenaDefer *defer;
    size_t used_bytes; /* of all blocks */
    size_t cap_bytes;  /* 0: no cap */
    bool exhausted;
} Arena;

#define ARENA_RESERVE_BYTES (256u * 1024u)

void arena_init(Arena *a, size_t cap_bytes);
/* Runs the deferred closes, newest first, and frees everything. Safe to call twice. */
void arena_done(Arena *a);
/* As arena_done, but keeps one block for reuse; for worker loops. */
void arena_reset(Arena *a);

/* Zeroed memory aligned for any type. */
void *arena_alloc(Arena *a, size_t n) __attribute__((malloc, returns_nonnull));
/* NULL when the cap would be passed. */
void *arena_try(Arena *a, size_t n) __attribute__((malloc));
/* As arena_alloc, but the bytes are not zeroed. */
void *arena_alloc_raw(Arena *a, size_t n) __attribute__((malloc, returns_nonnull));
/* Gives back the tail of the newest allocation p of `had` bytes; nothing happens if it is not the
 * newest. */
void arena_shrink(Arena *a, void *p, size_t had, size_t keep);
void *arena_try_raw(Arena *a, size_t n) __attribute__((malloc));
#define arena_new(a, T)      ((T *)arena_alloc((a), sizeof(T)))
#define arena_array(a, T, n) ((T *)arena_alloc((a), sizeof(T) * (size_t)(n)))
static inline bool arena_exhausted(const Arena *a)
{
    return a->exhausted;
}

/* Calls fn(arg) when the arena is done or reset. */
void arena_defer(Arena *a, void (*fn)(void *), void *arg);

/* Memory of malloc becomes the arena's own, and counts as such. */
void arena_adopt(Arena *a, void *p, size_t n);

Str arena_str(Arena *a, Str s);    /* a copy, followed by a NUL that n does not count */
char *arena_cstr(Arena *a, Str s); /* a NUL-terminated copy */
Str arena_concat(Arena *a, const Str *parts, size_t n);
Str arena_printf(Arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3), nonnull(2)));

#define arena_cat(a, ...)                                                                          \
    arena_concat((a), (const Str[]){__VA_ARGS__}, sizeof((const Str[]){__VA_ARGS__}) / sizeof(Str))

#endif
