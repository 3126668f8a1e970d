/*
 * Trains a compression dictionary for resource bodies: train-dict OUT FOLDER…
 *
 * Reads every .json file and every line of every .ndjson file below the folders, each without its
 * blanks and without what its row says, as the store keeps it, writes at most 256 KiB to OUT.
 * Trained on published examples and invented data only, never on patients. A dictionary that has
 * been released is never changed: another one gets the next number (src/store/store_body.c).
 */
#define ZDICT_STATIC_LINKING_ONLY
#include <stdio.h>
#include <stdlib.h>
#include <zdict.h>

#include "json_layout.h"
#include "store_inner.h"

#include "mk_banned.h"

#define DICT_BYTES        (256u * 1024u)
#define FILE_BYTES_MAX    (256u << 20)
#define SAMPLE_BYTES_MAX  (32u * 1024u)
#define SAMPLES_BYTES_MAX (64u << 20)

typedef struct Samples {
    Arena *arena;
    Str folder;
    Buf bytes;
    size_t *size;
    unsigned n, room;
} Samples;

/* What stands behind the first of it in a text, up to the next quote. */
static Str behind(Str text, Str what)
{
    Str value = STR_NONE, rest;
    ptrdiff_t at = str_find(text, what);
    if (at >= 0) {
        str_cut(str_skip(text, (size_t)at + what.n), '"', &value, &rest);
    }
    return value;
}

static Status sample_take(Samples *s, Str text, Err *err)
{
    Arena scratch;
    if (str_empty(text) || text.n > SAMPLE_BYTES_MAX) {
        return OK; /* larger than a resource commonly is */
    }
    if (s->n == s->room) {
        s->room = s->room ? s->room * 2 : 1024;
        s->size = realloc(s->size, s->room * sizeof *s->size);
        mk_check(s->size != NULL);
    }
    if (s->bytes.n + text.n > SAMPLES_BYTES_MAX) {
        return err_status(err, ERR_TOO_LARGE);
    }
    arena_init(&scratch, 0);
    Str body = json_compact(&scratch, text);
    BodyRow row = {.id = behind(body, STR("\"id\":\"")),
                   .patients = behind(body, STR("\"Patient/"))};
    body_shorten(&scratch, &row, body, &body);
    buf_add(&s->bytes, body);
    s->size[s->n++] = body.n;
    arena_done(&scratch);
    return OK;
}

static Status file_take(void *ctx, Str relative, Err *err)
{
    Samples *s = ctx;
    Str text, line;
    bool lines = str_ends(relative, STR(".ndjson"));
    if (!lines && !str_ends(relative, STR(".json"))) {
        return OK;
    }
    TRY(file_read(s->arena, path_join(s->arena, s->folder, relative).p, FILE_BYTES_MAX, &text,
                  err));
    while (lines && !str_empty(text)) {
        str_cut(text, '\n', &line, &text);
        TRY(sample_take(s, line, err));
    }
    return sample_take(s, text, err);
}

static int fail(const char *what)
{
    fprintf(stderr, "train-dict: %s\n", what);
    return 1;
}

int main(int argc, char **argv)
{
    Arena a;
    Err err;
    Samples s = {.arena = &a};
    if (argc < 3) {
        fprintf(stderr, "train-dict OUT FOLDER...\n");
        return 2;
    }
    arena_init(&a, 0);
    err_init(&err, &a);
    buf_init(&s.bytes, 0);
    for (int i = 2; i < argc; i++) {
        s.folder = str_from_c(argv[i]);
        if (dir_walk(&a, argv[i], file_take, &s, &err) != OK) {
            return fail("a folder cannot be read or holds too much");
        }
    }
    char *dict = malloc(DICT_BYTES);
    mk_check(dict != NULL);
    /* long segments: whole elements of one type beside short ones of many types */
    ZDICT_cover_params_t cover = {.k = 1024, .d = 8};
    size_t n = ZDICT_trainFromBuffer_cover(dict, DICT_BYTES, s.bytes.p, s.size, s.n, cover);
    if (ZDICT_isError(n)) {
        return fail(ZDICT_getErrorName(n));
    }
    if (file_write_durable(argv[1], (Str){dict, n}, 0644, &err) != OK) {
        return fail("cannot write the dictionary");
    }
    fprintf(stderr, "%u samples, %zu bytes: dictionary of %zu bytes\n", s.n, s.bytes.n, n);
    free(dict);
    free(s.size);
    buf_done(&s.bytes);
    arena_done(&a);
    return 0;
}
