/*
 * Memory from the system that is never NULL, and a reserve for when there is none.
 *
 * A server under a limit of memory must neither crash nor answer with half of something because
 * one allocation failed. So 32 MiB are kept aside: a failed allocation takes a piece of the reserve
 * and tries again, and what is in hand can be finished. While the reserve is not whole, memory is
 * short: the door of the server refuses what comes new (503) and tries to fill the reserve again.
 * With nothing left in the reserve the process says so and aborts; what was acknowledged is on
 * disk.
 *
 * What is returned is freed with free(). Thread-safe.
 */
#ifndef MK_MEMORY_H
#define MK_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

void *memory_take(size_t n) __attribute__((malloc, returns_nonnull));
void *memory_take_zeroed(size_t n) __attribute__((malloc, returns_nonnull));
/* As realloc; p may be NULL. */
void *memory_grow(void *p, size_t n) __attribute__((returns_nonnull));

/* For a library that allocates by itself: gives up a piece of the reserve, so that its call may be
 * tried again. False: none is left. */
bool memory_relieve(void);

/* Fills the reserve as far as the system gives; true when it is whole. A process that serves calls
 * it first; without it there is no reserve. */
bool memory_reserve_fill(void);
/* Some of the reserve is in use. */
bool memory_is_short(void);

#endif
