#include "mk_memory.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "mk_log.h"

#define PIECE_BYTES ((size_t)2 << 20) /* the C library gives such pieces back to the system */
#define PIECES      16

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void *piece[PIECES];
static unsigned piece_n;
static _Atomic bool is_short;

bool memory_is_short(void)
{
    return atomic_load(&is_short);
}

bool memory_reserve_fill(void)
{
    pthread_mutex_lock(&lock);
    while (piece_n < PIECES && (piece[piece_n] = malloc(PIECE_BYTES)) != NULL) {
        piece_n++;
    }
    bool whole = piece_n == PIECES;
    bool was_short = atomic_exchange(&is_short, !whole);
    pthread_mutex_unlock(&lock);
    if (whole && was_short) {
        log_info("base", "memory: the reserve is whole again");
    }
    return whole;
}

bool memory_relieve(void)
{
    pthread_mutex_lock(&lock);
    bool any = piece_n > 0;
    if (any) {
        free(piece[--piece_n]);
    }
    bool was_short = atomic_exchange(&is_short, true);
    pthread_mutex_unlock(&lock);
    if (!was_short) {
        log_warn("base", "memory is short: the reserve is in use");
    }
    return any;
}

/* Nothing half done is answered; the log is on disk. */
static _Noreturn void out_of_memory(size_t n)
{
    log_error("base", "out of memory: %zu bytes, and nothing in reserve", n);
    abort();
}

void *memory_take(size_t n)
{
    void *p;
    while (!(p = malloc(n ? n : 1))) {
        if (!memory_relieve()) {
            out_of_memory(n);
        }
    }
    return p;
}

void *memory_take_zeroed(size_t n)
{
    void *p;
    while (!(p = calloc(1, n ? n : 1))) {
        if (!memory_relieve()) {
            out_of_memory(n);
        }
    }
    return p;
}

void *memory_grow(void *p, size_t n)
{
    void *grown;
    while (!(grown = realloc(p, n ? n : 1))) {
        if (!memory_relieve()) {
            out_of_memory(n);
        }
    }
    return grown;
}
