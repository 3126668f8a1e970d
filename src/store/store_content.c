/*
 * Texts: which phrases of the index hold what is looked for, and whether a body does.
 *
 * The index keeps each phrase once, as trigrams (gram), and tells of which resources it is
 * (phrase_doc) or of which tokens it is the display (phrase_token): so a search for the display of
 * a code goes through the code's posting list. What the phrases give is always looked up in the
 * body, so they may say too much; what is longer than INDEX_TEXT_BYTES of a resource is not in
 * them.
 */
#include <stdlib.h>

#include "fhir_texts.h"
#include "store_posting.h"

#include "mk_banned.h"

#define PHRASES_MAX 5000 /* more: the text is too common to be found by its phrases */
#define TERMS_MAX   5000
#define GRAMS_MAX   24    /* of a long text: these are enough */
#define LISTED_MAX  20000 /* of one trigram */
#define GRAM_LOOK   200
#define GRAM_FEW    20 /* so few that no rarer one is looked for */

/* ---- What is looked for ---------------------------------------------------------------------- */

bool test_is_text(const Test *t)
{
    const Clause *c = t->clause;
    return c->kind == CLAUSE_CONTENT || (c->kind == CLAUSE_TOKEN && c->modifier == MODIFIER_TEXT) ||
           (c->kind == CLAUSE_STRING && !(c->param->flags & FHIR_PARAM_PINYIN) &&
            (c->modifier == MODIFIER_CONTAINS || c->modifier == MODIFIER_TEXT));
}

/* Of several words the longest, which the fewest phrases hold. */
static Str asked_text(const Clause *c, const QueryValue *v)
{
    Str best = STR_NONE;
    if (c->kind != CLAUSE_CONTENT) {
        return v->text;
    }
    for (Str word, rest = v->text; !str_empty(rest);) {
        str_cut(rest, ' ', &word, &rest);
        best = word.n > best.n ? word : best;
    }
    return best;
}

/* ---- Phrases -----------------------------------------------------------------------------------
 */

static bool listed_add(int64_t *list, size_t *n, size_t max, int64_t x)
{
    if (*n == max) {
        return false;
    }
    list[(*n)++] = x;
    return true;
}

/* The phrases with a gram of a range. *ret_all false: there are more than are listed. */
static Status grams_list(Run *r, Gram from, Gram to, size_t max, int64_t *list, size_t *n,
                         bool *ret_all, Err *err)
{
    DbStmt *st = db_take(r->reader->index, "SELECT phrase FROM gram WHERE gram BETWEEN ? AND ?");
    if (!st) {
        return db_failed(r->reader->index, err);
    }
    db_bind_i64(st, 0, from);
    db_bind_i64(st, 1, to);
    size_t before = *n;
    DbStep step = DB_NONE;
    *ret_all = true;
    while (*ret_all && (step = db_step(st)) == DB_ROW) {
        *ret_all = listed_add(list, n, max, db_col_i64(st, 0));
    }
    Status s = step == DB_FAIL || step == DB_RETRY ? db_failed(r->reader->index, err) : OK;
    db_give(st);
    TRY(s);
    return run_charge(r, (int64_t)(*n - before) + 1, err);
}

static Status gram_held(Run *r, int64_t phrase, Gram gram, bool *ret, Err *err)
{
    DbStmt *st = db_take(r->reader->index, "SELECT 1 FROM gram WHERE gram = ? AND phrase = ?");
    if (!st) {
        return db_failed(r->reader->index, err);
    }
    db_bind_i64(st, 0, gram);
    db_bind_i64(st, 1, phrase);
    DbStep step = db_step(st);
    Status s = step == DB_FAIL || step == DB_RETRY ? db_failed(r->reader->index, err) : OK;
    *ret = step == DB_ROW;
    db_give(st);
    TRY(s);
    return run_charge(r, 1, err);
}

/* Of several grams the one that the fewest phrases have, counted no further than GRAM_LOOK. */
static Status gram_rarest(Run *r, const Gram *gram, size_t n, size_t *ret, Err *err)
{
    int64_t list[GRAM_LOOK];
    size_t fewest = SIZE_MAX;
    bool all;
    for (size_t i = 0; i < n && fewest > GRAM_FEW; i++) {
        size_t found = 0;
        TRY(grams_list(r, gram[i], gram[i], GRAM_LOOK, list, &found, &all, err));
        *ret = found < fewest ? i : *ret;
        fewest = found < fewest ? found : fewest;
    }
    return OK;
}

/* Of a text of three characters or more: the phrases that have all its grams. */
static Status long_find(Run *r, Test *t, const Gram *gram, size_t n, bool *ret_all, Err *err)
{
    size_t rarest = 0, listed = 0;
    int64_t *list = arena_array(r->arena, int64_t, LISTED_MAX);
    TRY(gram_rarest(r, gram, n, &rarest, err));
    TRY(grams_list(r, gram[rarest], gram[rarest], LISTED_MAX, list, &listed, ret_all, err));
    for (size_t i = 0; i < listed && *ret_all; i++) {
        bool held = true;
        for (size_t k = 0; k < n && held; k++) {
            if (k != rarest) {
                TRY(gram_held(r, list[i], gram[k], &held, err));
            }
        }
        *ret_all = !held || listed_add(t->phrase, &t->phrase_n, PHRASES_MAX, list[i]);
    }
    return OK;
}

/* What stands behind the text's last character does not matter. */
static Status text_find(Run *r, Test *t, Str text, bool *ret_all, Err *err)
{
    Gram *gram = arena_array(r->arena, Gram, text.n + 1);
    size_t n = grams_of(text, gram);
    if (n < GRAM_CHARS) {
        Gram rest = ((Gram)1 << (GRAM_CHARS - n) * GRAM_BITS) - 1;
        return grams_list(r, gram[0], gram[0] | rest, PHRASES_MAX, t->phrase, &t->phrase_n, ret_all,
                          err);
    }
    n -= GRAM_CHARS - 1;
    return long_find(r, t, gram, n < GRAMS_MAX ? n : GRAMS_MAX, ret_all, err);
}

static int phrase_order(const void *x, const void *y)
{
    return rid_order(x, y);
}

static void phrases_unique(Test *t)
{
    size_t n = 0;
    if (t->phrase_n) {
        qsort(t->phrase, t->phrase_n, sizeof *t->phrase, phrase_order);
    }
    for (size_t i = 0; i < t->phrase_n; i++) {
        if (n == 0 || t->phrase[n - 1] != t->phrase[i]) {
            t->phrase[n++] = t->phrase[i];
        }
    }
    t->phrase_n = n;
}

/* ---- Tokens that are displayed so ---------------------------------------------------------------
 */

static bool term_is_asked(const Test *t, uint32_t param)
{
    bool any = t->clause->kind != CLAUSE_TOKEN;
    for (size_t i = 0; i < t->part_n && !any; i++) {
        any = t->part[i] == param;
    }
    return any;
}

static Status terms_find(Run *r, Test *t, int64_t phrase, bool *ret_all, Err *err)
{
    Db *db = r->reader->index;
    DbStmt *st = db_take(db, "SELECT param, token FROM phrase_token WHERE phrase = ?"
                             " AND param BETWEEN ? AND ?");
    if (!st) {
        return db_failed(db, err);
    }
    uint32_t last = index_param_all(r->query->type), first = last & ~(uint32_t)FHIR_NONE;
    if (t->clause->kind == CLAUSE_TOKEN && fhir_param_custom(t->clause->param)) {
        first = last = t->part[0];
    }
    db_bind_i64(st, 0, phrase);
    db_bind_i64(st, 1, first);
    db_bind_i64(st, 2, last);
    DbStep step;
    while ((step = db_step(st)) == DB_ROW && *ret_all) {
        Term term = {(uint32_t)db_col_i64(st, 0), db_col_i64(st, 1)};
        *ret_all = !term_is_asked(t, term.param) || t->term_n < TERMS_MAX;
        if (*ret_all && term_is_asked(t, term.param)) {
            t->term[t->term_n++] = term;
        }
    }
    Status s = step == DB_FAIL || step == DB_RETRY ? db_failed(db, err) : OK;
    db_give(st);
    TRY(s);
    return run_charge(r, 1, err);
}

Status content_resolve(Run *r, Test *t, Err *err)
{
    const Clause *c = t->clause;
    bool all = true;
    t->phrase = arena_array(r->arena, int64_t, PHRASES_MAX);
    t->term = arena_array(r->arena, Term, TERMS_MAX);
    for (size_t i = 0; i < c->values_n && all; i++) {
        Str text = asked_text(c, &c->values[i]);
        TRY(text_find(r, t, text, &all, err));
    }
    phrases_unique(t);
    for (size_t i = 0; i < t->phrase_n && all; i++) {
        TRY(terms_find(r, t, t->phrase[i], &all, err));
    }
    t->listed = all;
    return OK;
}

/* ---- Their postings
 * ------------------------------------------------------------------------------
 */

static bool text_is_asked(const Clause *c, Str text)
{
    for (size_t i = 0; i < c->values_n; i++) {
        if (str_find(text, asked_text(c, &c->values[i])) >= 0) {
            return true;
        }
    }
    return false;
}

static Status delta_texts(Postings *rows, const Test *t, IndexTable table, uint32_t param, Err *err)
{
    DeltaRows list = delta_rows(&rows->run->reader->delta, table, param, 0);
    int64_t before = rows->n;
    for (const DeltaRow *d; !rows->full && (d = delta_next(&list)) != NULL;) {
        if (text_is_asked(t->clause, d->row->text)) {
            posting_take(rows, (Candidate){ND_NONE, d->doc->rid});
        } else {
            posting_pass(rows);
        }
    }
    return run_charge(rows->run, rows->n - before, err);
}

/* The delta tells of displays what the index's phrases do not know yet. */
static Status delta_terms(Postings *rows, const Test *t, Err *err)
{
    const FhirType *type = rows->run->query->type;
    const FhirParam **token;
    size_t n = query_params_of(rows->run, type, FHIR_PARAM_TOKEN, &token);
    for (size_t i = 0; i < n && !rows->full; i++) {
        uint32_t param = index_param(type, token[i]);
        if (term_is_asked(t, param)) {
            TRY(delta_texts(rows, t, INDEX_TERM, param, err));
        }
    }
    return OK;
}

Status posting_texts(Postings *rows, const Test *t, Err *err)
{
    for (size_t i = 0; i < t->term_n && !rows->full; i++) {
        const Term *term = &t->term[i];
        TRY(posting_hashes(rows, INDEX_TOKEN, term->param, &term->hash, 1, err));
    }
    return posting_phrases(rows, t, err);
}

Status posting_phrases(Postings *rows, const Test *t, Err *err)
{
    Db *db = rows->run->reader->index;
    uint32_t type = (uint32_t)type_number(rows->run->query->type);
    for (size_t i = 0; i < t->phrase_n && !rows->full; i++) {
        DbStmt *st = db_take(db, "SELECT 0, rid FROM phrase_doc WHERE phrase = ? AND type = ?");
        if (st) {
            db_bind_i64(st, 0, t->phrase[i]);
            db_bind_i64(st, 1, type);
        }
        TRY(posting_statement(rows, st, err));
    }
    TRY(delta_texts(rows, t, INDEX_PHRASE, type, err));
    return delta_terms(rows, t, err);
}

/* ---- In the bytes of the body -----------------------------------------------------------------
 */

static uint64_t words_all(Str text)
{
    uint64_t bit = 1, all = 0;
    for (Str word, rest = text; !str_empty(rest) && bit; bit <<= 1) {
        str_cut(rest, ' ', &word, &rest);
        all |= bit;
    }
    return all;
}

static uint64_t words_in(Str words, Str text)
{
    uint64_t bit = 1, found = 0;
    for (Str word, rest = words; !str_empty(rest) && bit; bit <<= 1) {
        str_cut(rest, ' ', &word, &rest);
        found |= str_find(text, word) >= 0 ? bit : 0;
    }
    return found;
}

/* Bytes in lower case; plain: texts are what they are (ASCII, no escapes, marks, entities). */
typedef struct Bytes {
    char *p;
    size_t n;
    bool plain;
} Bytes;

static void bytes_put(Bytes *b, char c)
{
    b->plain = b->plain && !(c & (char)0x80) && c != '\\' && c != '<' && c != '&';
    b->p[b->n++] = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static Bytes bytes_new(Arena *a, Str body)
{
    return (Bytes){arena_alloc_raw(a, body.n + 1), 0, true};
}

static Bytes bytes_of_all(Arena *a, Str body)
{
    Bytes b = bytes_new(a, body);
    for (size_t i = 0; i < body.n && b.plain; i++) {
        bytes_put(&b, body.p[i]);
    }
    return b;
}

/* What is no mark of an XHTML fragment within a string (as in fhir_texts.c); returns its end. */
static size_t bytes_of_div(Bytes *b, Str body, size_t i)
{
    bool mark = false;
    for (; i < body.n && body.p[i] != '"'; i++) {
        bool escaped = body.p[i] == '\\' && i + 1 < body.n;
        char c = body.p[i += escaped];
        bool itself = !escaped || c == '"' || c == '/';
        if (mark) {
            mark = c != '>';
        } else if (c == '<') {
            mark = true;
            bytes_put(b, ' ');
        } else {
            bool blank = escaped && (c == 'n' || c == 't' || c == 'r');
            bytes_put(b, blank ? ' ' : itself ? c : '\\');
        }
    }
    return i;
}

/* Behind a name, where its string begins; SIZE_MAX: no string does. */
static size_t string_begin(Str body, size_t i)
{
    bool colon = false;
    for (; i < body.n && body.p[i] != '"'; i++) {
        colon = colon || body.p[i] == ':';
        if (body.p[i] != ':' && body.p[i] != ' ' && body.p[i] != '\n' && body.p[i] != '\r' &&
            body.p[i] != '\t') {
            return SIZE_MAX;
        }
    }
    return colon && i < body.n ? i + 1 : SIZE_MAX;
}

/* The narrative alone, of what is contained, too; a name may be written with escapes. */
static Bytes bytes_of_narrative(Arena *a, Str body)
{
    static const Str key = {"\"div\"", 5}, escape = {"\\u", 2};
    Bytes b = bytes_new(a, body);
    b.plain = str_find(body, escape) < 0;
    for (ptrdiff_t at; b.plain && (at = str_find(body, key)) >= 0;) {
        size_t from = string_begin(body, (size_t)at + key.n);
        b.plain = from != SIZE_MAX;
        body = b.plain ? str_skip(body, bytes_of_div(&b, body, from)) : body;
        b.p[b.n++] = ' ';
    }
    return b;
}

bool content_may_match(Arena *a, const Clause *c, Str body)
{
    if (fhir_param_custom(c->param)) {
        return true; /* its texts may be computed */
    }
    Bytes b = c->narrative ? bytes_of_narrative(a, body) : bytes_of_all(a, body);
    bool may = !b.plain;
    for (size_t i = 0; i < c->values_n && !may; i++) {
        may = words_in(c->values[i].text, (Str){b.p, b.n}) == words_all(c->values[i].text);
    }
    return may;
}

/* ---- In the body --------------------------------------------------------------------------------
 */

typedef struct Look {
    const Clause *clause;
    Arena scratch;
    uint64_t *found; /* of each alternative: its words that were seen */
} Look;

static bool look_met(const Look *look)
{
    for (size_t i = 0; i < look->clause->values_n; i++) {
        if (look->found[i] == words_all(look->clause->values[i].text)) {
            return true;
        }
    }
    return false;
}

static bool look_told(void *ctx, Str text, bool narrative)
{
    Look *look = ctx;
    if (look->clause->narrative && !narrative) {
        return true;
    }
    Str folded = fhir_fold(&look->scratch, text);
    for (size_t i = 0; i < look->clause->values_n; i++) {
        look->found[i] |= words_in(look->clause->values[i].text, folded);
    }
    return !look_met(look);
}

bool content_matches(const Run *r, const Clause *c, const Found *f)
{
    Look look = {.clause = c};
    arena_init(&look.scratch, 0);
    look.found = arena_array(&look.scratch, uint64_t, c->values_n);
    fhir_texts(&look.scratch, f->json, r->query->type, look_told, &look);
    bool met = look_met(&look);
    arena_done(&look.scratch);
    return met;
}
