#include "mk_arena.h"

#include <stdarg.h>

#include "mk_err.h"
#include "mk_memory.h"

#include "mk_banned.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#define HIDE(p, n) ASAN_POISON_MEMORY_REGION((p), (n))
#define SHOW(p, n) ASAN_UNPOISON_MEMORY_REGION((p), (n))
#define GAP_BYTES  16u /* between two allocations, so that an overrun is seen */
#else
#define HIDE(p, n) ((void)(p), (void)(n))
#define SHOW(p, n) ((void)(p), (void)(n))
#define GAP_BYTES  0u
#endif

#define BLOCK_BYTES_MIN (8u * 1024u)
#define BLOCK_BYTES_MAX (256u * 1024u)

struct ArenaBlock {
    ArenaBlock *next;
    size_t at, room;
    _Alignas(16) char bytes[];
};

struct ArenaDefer {
    ArenaDefer *next;
    void (*fn)(void *);
    void *arg;
};

void arena_init(Arena *a, size_t cap_bytes)
{
    *a = (Arena){.cap_bytes = cap_bytes};
}

static void run_deferred(Arena *a)
{
    while (a->defer) {
        ArenaDefer *d = a->defer;
        a->defer = d->next;
        d->fn(d->arg);
    }
}

static void free_blocks(ArenaBlock *b)
{
    while (b) {
        ArenaBlock *next = b->next;
        SHOW(b->bytes, b->room);
        free(b);
        b = next;
    }
}

void arena_done(Arena *a)
{
    run_deferred(a);
    free_blocks(a->block);
    arena_init(a, a->cap_bytes);
}

void arena_reset(Arena *a)
{
    run_deferred(a);
    ArenaBlock *keep = a->block;
    if (!keep || keep->room > BLOCK_BYTES_MAX) {
        arena_done(a);
        return;
    }
    free_blocks(keep->next);
    keep->next = NULL;
    keep->at = 0;
    HIDE(keep->bytes, keep->room);
    a->used_bytes = keep->room;
    a->exhausted = false;
}

/* What a new block may hold when `need` must fit: grows with the arena, never past the cap by
 * itself. */
static size_t block_room(const Arena *a, size_t need)
{
    size_t room = a->used_bytes < BLOCK_BYTES_MIN ? BLOCK_BYTES_MIN : a->used_bytes;
    room = room > BLOCK_BYTES_MAX ? BLOCK_BYTES_MAX : room;
    if (a->cap_bytes && a->used_bytes + room > a->cap_bytes) {
        room = a->cap_bytes > a->used_bytes ? a->cap_bytes - a->used_bytes : 0;
    }
    return need > room ? need : room;
}

static ArenaBlock *block_add(Arena *a, size_t need)
{
    size_t room = block_room(a, need);
    ArenaBlock *b = memory_take(sizeof *b + room);
    b->at = 0;
    b->room = room;
    HIDE(b->bytes, room);
    a->used_bytes += room;
    if (a->block && need > BLOCK_BYTES_MAX) { /* the newest keeps serving small allocations */
        b->next = a->block->next;
        a->block->next = b;
    } else {
        b->next = a->block;
        a->block = b;
    }
    return b;
}

static size_t rounded(size_t n)
{
    return ((n ? n : 1) + 15 + GAP_BYTES) & ~(size_t)15;
}

static void *take(ArenaBlock *b, size_t need, size_t n)
{
    char *p = b->bytes + b->at;
    b->at += need;
    SHOW(p, n);
    return p;
}

static bool over_cap(const Arena *a, size_t need)
{
    return a->cap_bytes && (need > a->cap_bytes || a->used_bytes > a->cap_bytes - need);
}

void *arena_alloc_raw(Arena *a, size_t n)
{
    mk_check(n < SIZE_MAX / 2);
    size_t need = rounded(n);
    if (a->block && a->block->room - a->block->at >= need) {
        return take(a->block, need, n);
    }
    if (over_cap(a, need)) {
        a->exhausted = true;
        mk_check(a->used_bytes + need <= a->cap_bytes + ARENA_RESERVE_BYTES);
    }
    return take(block_add(a, need), need, n);
}

void *arena_alloc(Arena *a, size_t n)
{
    return memset(arena_alloc_raw(a, n), 0, n);
}

void *arena_try_raw(Arena *a, size_t n)
{
    if (n >= SIZE_MAX / 2) {
        return NULL;
    }
    size_t need = rounded(n);
    bool fits = a->block && a->block->room - a->block->at >= need;
    return fits || !over_cap(a, need) ? arena_alloc_raw(a, n) : NULL;
}

void *arena_try(Arena *a, size_t n)
{
    void *p = arena_try_raw(a, n);
    return p ? memset(p, 0, n) : NULL;
}

void arena_shrink(Arena *a, void *p, size_t had, size_t keep)
{
    for (ArenaBlock *b = a->block; b; b = b == a->block ? b->next : NULL) {
        size_t from = b->at - rounded(had);
        if (b->at >= rounded(had) && b->bytes + from == (char *)p) {
            b->at = from + rounded(keep);
            HIDE(b->bytes + b->at, b->room - b->at);
            HIDE((char *)p + ((keep + 7) & ~(size_t)7), rounded(keep) - ((keep + 7) & ~(size_t)7));
            return;
        }
    }
}

void arena_defer(Arena *a, void (*fn)(void *), void *arg)
{
    ArenaDefer *d = arena_new(a, ArenaDefer);
    *d = (ArenaDefer){a->defer, fn, arg};
    a->defer = d;
}

void arena_adopt(Arena *a, void *p, size_t n)
{
    arena_defer(a, free, p);
    a->used_bytes += n;
    a->exhausted = a->exhausted || (a->cap_bytes && a->used_bytes > a->cap_bytes);
}

Str arena_str(Arena *a, Str s)
{
    return (Str){arena_cstr(a, s), s.n};
}

char *arena_cstr(Arena *a, Str s)
{
    char *p = arena_alloc_raw(a, s.n + 1);
    if (s.n) {
        memcpy(p, s.p, s.n);
    }
    p[s.n] = 0;
    return p;
}

Str arena_concat(Arena *a, const Str *parts, size_t n)
{
    size_t total = 0;
    for (size_t i = 0; i < n; i++) {
        total += parts[i].n;
    }
    char *p = arena_alloc_raw(a, total + 1), *at = p;
    for (size_t i = 0; i < n; i++) {
        if (parts[i].n) {
            memcpy(at, parts[i].p, parts[i].n);
            at += parts[i].n;
        }
    }
    *at = 0;
    return (Str){p, total};
}

Str arena_printf(Arena *a, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    mk_check(n >= 0);
    char *p = arena_alloc_raw(a, (size_t)n + 1);
    vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    return (Str){p, (size_t)n};
}
