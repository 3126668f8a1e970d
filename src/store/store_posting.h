/*
 * Postings: rows of the index on their way to the candidates of a search, up to a limit.
 */
#ifndef STORE_POSTING_H
#define STORE_POSTING_H

#include "store_query.h"

typedef struct Postings {
    Run *run;
    Candidates *out;
    uint64_t *bits;            /* or as bits by rid, in place of out */
    const OwnPatients *within; /* only these Patients; NULL: all */
    int64_t n, limit;
    bool full; /* the limit was reached: there may be more */
} Postings;

void posting_take(Postings *rows, Candidate x);
/* A row that was looked at in vain; the budget may be at its end with it. */
void posting_pass(Postings *rows);
/* The rows (nd, rid) of a statement, which it gives back. */
Status posting_statement(Postings *rows, DbStmt *st, Err *err) MUST_USE;
/* Of a text: its phrases' and their tokens'; without what stands in the tokens' lists. */
Status posting_texts(Postings *rows, const Test *t, Err *err) MUST_USE;
Status posting_phrases(Postings *rows, const Test *t, Err *err) MUST_USE;
/* Of hashes, with their clinical date. */
Status posting_hashes(Postings *rows, IndexTable table, uint32_t param, const int64_t *hash,
                      size_t n, Err *err) MUST_USE;
Status posting_patients(Postings *rows, const Source *src, Err *err) MUST_USE;
Status posting_compartments(Postings *rows, const Source *src, Err *err) MUST_USE;
Status posting_test(Postings *rows, const Test *t, Err *err) MUST_USE;

/* The first text that does not begin with the prefix: its last byte one higher. */
Str posting_prefix_end(Arena *a, Str prefix);

/* The texts of a string condition in order, each with the rid it stands at, from a text onwards. */
typedef struct Texts {
    Run *run;
    DbStmt *st;          /* index.db's rows; live: stands on one */
    bool live, at_index; /* at_index: the next is its, not the delta's */
    const DeltaRow **delta;
    size_t delta_n, delta_at;
} Texts;

Status texts_open(Run *r, const Test *t, Str from, Texts *ret, Err *err) MUST_USE;
/* The next; false: there is none. The text is valid until texts_skip, which goes past it. */
bool texts_head(Texts *w, Str *ret_text, int64_t *ret_rid);
Status texts_skip(Texts *w, Err *err) MUST_USE;
void texts_close(Texts *w);

#endif
