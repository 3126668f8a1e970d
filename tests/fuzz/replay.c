/*
 * Runs a fuzz target without a fuzzer: every file of the corpus folder as it is, then each
 * mutated a few thousand times from a fixed seed, so that a failure comes again.
 *
 *   replay CORPUS [ROUNDS]
 */
#include <stdio.h>

#include "mk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define ROUNDS_DEFAULT  2000
#define INPUT_BYTES_MAX (1u << 20)

typedef struct Replay {
    Arena *arena;
    const char *dir;
    Random random;
    int64_t rounds;
    int files;
} Replay;

/* A copy of exactly n bytes, so that a read past the end is seen. */
static void run_once(const char *p, size_t n)
{
    uint8_t *copy = malloc(n ? n : 1);
    mk_check(copy != NULL);
    if (n) {
        memcpy(copy, p, n);
    }
    (void)LLVMFuzzerTestOneInput(copy, n);
    free(copy);
}

static void mutate_once(Random *r, Buf *b)
{
    size_t at = (size_t)random_below(r, b->n);
    switch (random_below(r, 5)) {
    case 0:
        b->p[at] = (char)random_below(r, 256);
        break;
    case 1:
        b->p[at] ^= (char)(1 << random_below(r, 8));
        break;
    case 2: /* cut the end */
        b->n = at + 1;
        break;
    case 3: { /* remove a piece */
        size_t n = (size_t)random_below(r, b->n - at);
        memmove(b->p + at, b->p + at + n, b->n - at - n);
        b->n -= n;
        break;
    }
    default: { /* repeat a piece */
        size_t n = (size_t)random_below(r, b->n - at) % 64;
        if (buf_reserve(b, n)) {
            memmove(b->p + at + n, b->p + at, b->n - at);
            b->n += n;
        }
    }
    }
}

static void mutate(Replay *x, Str text)
{
    Buf b;
    buf_init(&b, INPUT_BYTES_MAX * 2);
    for (int64_t i = 0; i < x->rounds; i++) {
        buf_clear(&b);
        buf_add(&b, text);
        for (uint64_t left = 1 + random_below(&x->random, 6); left && b.n; left--) {
            mutate_once(&x->random, &b);
        }
        run_once(b.p, b.n);
    }
    buf_done(&b);
}

static Status replay_file(void *ctx, Str name, Err *err)
{
    Replay *x = ctx;
    Str text;
    TRY(file_read(x->arena, path_join(x->arena, str_from_c(x->dir), name).p, INPUT_BYTES_MAX, &text,
                  err));
    run_once(text.p, text.n);
    if (text.n) {
        mutate(x, text);
    }
    x->files++;
    return OK;
}

int main(int argc, char **argv)
{
    Arena a;
    Err err;
    if (argc < 2) {
        fprintf(stderr, "usage: %s CORPUS [ROUNDS]\n", argv[0]);
        return 2;
    }
    arena_init(&a, 0);
    err_init(&err, &a);
    Replay x = {.arena = &a, .dir = argv[1], .rounds = ROUNDS_DEFAULT};
    random_init_seed(&x.random, 20261122);
    if (argc > 2 && !str_to_i64(str_from_c(argv[2]), &x.rounds)) {
        return 2;
    }
    Status s = dir_walk(&a, argv[1], replay_file, &x, &err);
    if (s != OK || x.files == 0) {
        fprintf(stderr, "replay: %s\n", s != OK ? err.first->en.p : "the corpus is empty");
        return 1;
    }
    printf("%d files, %d mutations each\n", x.files, (int)x.rounds);
    arena_done(&a);
    return 0;
}
