/* The facts of a period, out of the file into a request's arena. */
#include "insight_inner.h"

#include "mk_banned.h"

Word lexicon_find(const Lexicon *l, Str text)
{
    return text.n ? (Word)(uintptr_t)map_get(&l->number, text) : 0;
}

Word lexicon_add(Lexicon *l, Str text)
{
    Word known = lexicon_find(l, text);
    if (known || !text.n) {
        return known;
    }
    if (l->n + 1 >= l->room) {
        size_t room = l->room ? l->room * 2 : 256;
        Str *more = arena_array(l->arena, Str, room);
        if (l->n) {
            memcpy(more, l->text, (l->n + 1) * sizeof *more);
        }
        l->text = more;
        l->room = room;
    }
    l->text[++l->n] = arena_str(l->arena, text);
    map_put(&l->number, l->text[l->n], (void *)(uintptr_t)l->n);
    return (Word)l->n;
}

static void lexicon_copy(Lexicon *l, Arena *a, const Insight *in)
{
    *l = (Lexicon){.arena = a};
    map_init(&l->number, a);
    for (size_t i = 1; i <= in->word_n; i++) {
        lexicon_add(l, in->word[i]);
    }
}

/* ---- Cases ----------------------------------------------------------------------------------- */

typedef struct Load {
    Insight *in;
    Arena *arena;
    Facts *facts;
    size_t room;
    Moment *moment; /* of the case being read */
    size_t moment_n, moment_room;
    Err *err;
} Load;

static Moment *moment_add(Load *l)
{
    if (l->moment_n == l->moment_room) {
        size_t room = l->moment_room ? l->moment_room * 2 : 64;
        Moment *more = arena_array(l->arena, Moment, room);
        if (l->moment_n) {
            memcpy(more, l->moment, l->moment_n * sizeof *more);
        }
        l->moment = more;
        l->moment_room = room;
    }
    return &l->moment[l->moment_n++];
}

static Status moments_read(Load *l, int64_t run, Case *c)
{
    DbStmt *st = db_take(l->in->db, "SELECT at, kind, code, state, before, after FROM moment"
                                    " WHERE run = ? ORDER BY at, ord, kind, code");
    if (!st) {
        return db_failed(l->in->db, l->err);
    }
    db_bind_i64(st, 0, run);
    Word state = 0;
    DbStep step;
    l->moment_n = 0;
    while ((step = db_step(st)) == DB_ROW) {
        Moment m = {.at_ms = db_col_i64(st, 0),
                    .kind = (MomentKind)db_col_i64(st, 1),
                    .code = (Word)db_col_i64(st, 2),
                    .state = (Word)db_col_i64(st, 3),
                    .before = (Word)db_col_i64(st, 4),
                    .after = (Word)db_col_i64(st, 5)};
        m.entered = m.kind == MOMENT_STEP && m.state && m.state != state;
        state = m.entered ? m.state : state;
        *moment_add(l) = m;
    }
    Status s = step == DB_NONE ? OK : db_failed(l->in->db, l->err);
    db_give(st);
    Moment *kept = arena_array(l->arena, Moment, l->moment_n + 1);
    if (l->moment_n) {
        memcpy(kept, l->moment, l->moment_n * sizeof *kept);
    }
    c->moment = kept;
    c->n = l->moment_n;
    return s;
}

static Case *case_add(Load *l)
{
    Facts *f = l->facts;
    if (f->n == l->room) {
        size_t room = l->room ? l->room * 2 : 1024;
        Case *more = arena_array(l->arena, Case, room);
        if (f->n) {
            memcpy(more, f->at, f->n * sizeof *more);
        }
        f->at = more;
        l->room = room;
    }
    return &f->at[f->n++];
}

static Status cases_read(Load *l, DbStmt *st)
{
    DbStep step;
    while ((step = db_step(st)) == DB_ROW) {
        Case *c = case_add(l);
        *c = (Case){.id = arena_str(l->arena, db_col_str(st, 1)),
                    .patient = arena_str(l->arena, db_col_str(st, 2)),
                    .pathway = (Word)db_col_i64(st, 3),
                    .requester = (Word)db_col_i64(st, 4),
                    .owner = (Word)db_col_i64(st, 5),
                    .priority = (Word)db_col_i64(st, 6),
                    .state = (Word)db_col_i64(st, 7),
                    .labels = (unsigned)db_col_i64(st, 8)};
        TRY(moments_read(l, db_col_i64(st, 0), c));
        if (arena_exhausted(l->arena)) {
            return err_add(l->err, ERR_TOO_MANY, "too-costly", STR("period-start"),
                           "此时段的病例过多，请缩短时段",
                           "The period has too many cases; choose a shorter one");
        }
    }
    return step == DB_NONE ? OK : db_failed(l->in->db, l->err);
}

Status facts_load(Insight *in, Arena *a, int64_t from_ms, int64_t to_ms, Facts *ret, Err *err)
{
    Load l = {.in = in, .arena = a, .facts = ret, .err = err};
    *ret = (Facts){0};
    lexicon_copy(&ret->words, a, in);
    DbStmt *st =
        db_take(in->db, "SELECT no, id, patient, pathway, requester, owner, priority, state, labels"
                        " FROM run WHERE last >= ? AND first < ? AND pathway > 0");
    if (!st) {
        return db_failed(in->db, err);
    }
    db_bind_i64(st, 0, from_ms);
    db_bind_i64(st, 1, to_ms);
    Status s = cases_read(&l, st);
    db_give(st);
    return s;
}
