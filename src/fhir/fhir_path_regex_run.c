/* Running a pattern's program: all threads in step, the preferred first. */
#include "fhir_path_inner.h"
#include "fhir_path_regex_inner.h"

#define SLOTS (REGEX_GROUPS_MAX * 2)

typedef struct Thread {
    uint32_t pc;
    size_t slot[SLOTS];
} Thread;

typedef struct Runner {
    const FhirRegex *r;
    Str text;
    bool whole; /* the match must end at the end of the text */
    unsigned flags;
    uint32_t *mark; /* by pc: the step at which it was added */
    uint32_t step;
    struct {
        uint32_t pc;
        uint32_t slot;
        size_t old; /* slot != UINT32_MAX: restore */
    } * stack;
    uint64_t cost;
} Runner;

static bool word_at(Str s, size_t at)
{
    if (at >= s.n) {
        return false;
    }
    char c = s.p[at], l = (char)(c | 32);
    return (c >= '0' && c <= '9') || (l >= 'a' && l <= 'z') || c == '_';
}

static bool assertion(const Runner *x, Code code, size_t at)
{
    bool lines = (x->flags & REGEX_LINES) != 0;
    if (code == CODE_START) {
        return at == 0 || (lines && x->text.p[at - 1] == '\n');
    }
    if (code == CODE_STOP) {
        return at == x->text.n || (lines && x->text.p[at] == '\n');
    }
    bool boundary = (at > 0 && word_at(x->text, at - 1)) != word_at(x->text, at);
    return boundary == (code == CODE_BOUNDARY);
}

/* Follows jumps from pc and adds the threads that read a character, in order of preference. */
static uint32_t add_thread(Runner *x, Thread *list, uint32_t n, uint32_t pc, size_t *slot,
                           size_t at)
{
    uint32_t top = 0;
    x->stack[top].pc = pc;
    x->stack[top++].slot = UINT32_MAX;
    while (top) {
        uint32_t here = x->stack[--top].pc;
        if (x->stack[top].slot != UINT32_MAX) {
            slot[x->stack[top].slot] = x->stack[top].old;
            continue;
        }
        x->cost++;
        if (x->mark[here] == x->step) {
            continue;
        }
        x->mark[here] = x->step;
        const Instr *i = &x->r->code[here];
        switch ((Code)i->code) {
        case CODE_JUMP:
            x->stack[top].pc = i->x;
            x->stack[top++].slot = UINT32_MAX;
            break;
        case CODE_SPLIT:
            x->stack[top].pc = i->y;
            x->stack[top++].slot = UINT32_MAX;
            x->stack[top].pc = i->x;
            x->stack[top++].slot = UINT32_MAX;
            break;
        case CODE_SAVE:
            x->stack[top].slot = i->x;
            x->stack[top++].old = slot[i->x];
            slot[i->x] = at;
            x->stack[top].pc = here + 1;
            x->stack[top++].slot = UINT32_MAX;
            break;
        case CODE_START:
        case CODE_STOP:
        case CODE_BOUNDARY:
        case CODE_NOT_BOUNDARY:
            if (assertion(x, (Code)i->code, at)) {
                x->stack[top].pc = here + 1;
                x->stack[top++].slot = UINT32_MAX;
            }
            break;
        default:
            list[n].pc = here;
            memcpy(list[n++].slot, slot, SLOTS * sizeof *slot);
        }
    }
    return n;
}

/* Whether the instruction names this very character; a negated class: leaves it out. */
static bool names(const FhirRegex *r, const Instr *i, uint32_t ch)
{
    if (i->code != CODE_CLASS) {
        return i->x == ch;
    }
    for (uint32_t k = i->x; k < i->x + i->y; k++) {
        if (ch >= r->range[k].lo && ch <= r->range[k].hi) {
            return true;
        }
    }
    return false;
}

static bool reads(const Runner *x, const Instr *i, uint32_t ch)
{
    if (i->code == CODE_ANY) {
        return true;
    }
    bool named = names(x->r, i, ch) ||
                 (x->flags & REGEX_ANY_CASE &&
                  (names(x->r, i, path_cased(ch, true)) || names(x->r, i, path_cased(ch, false))));
    return named != (i->code == CODE_CLASS && i->negated);
}

/* A fresh start has the lowest preference; its marks are those of this position. */
static uint32_t start_add(Runner *x, Thread *now, uint32_t n, size_t at)
{
    size_t start[SLOTS];
    for (uint32_t i = 0; i < n; i++) {
        x->mark[now[i].pc] = x->step;
    }
    memset(start, 0xFF, sizeof start);
    start[0] = at;
    return add_thread(x, now, n, 0, start, at);
}

static void match_take(const Thread *t, size_t at, FhirMatch *ret)
{
    for (int g = 0; g < REGEX_GROUPS_MAX; g++) {
        ret->at[g] = t->slot[2 * g];
        ret->end[g] = g ? t->slot[2 * g + 1] : at;
    }
}

/* All threads over the character at `at`, *after behind it: how many live on in `next`. */
static uint32_t threads_step(Runner *x, Thread *now, uint32_t n, Thread *next, size_t at,
                             size_t *after, FhirMatch *ret, bool *found)
{
    uint32_t ch = at < x->text.n ? utf8_next(x->text, after) : UTF8_BAD, m = 0;
    x->step++;
    for (uint32_t i = 0; i < n; i++) {
        const Instr *in = &x->r->code[now[i].pc];
        x->cost++;
        if (in->code == CODE_MATCH) {
            if (x->whole && at != x->text.n) {
                continue;
            }
            match_take(&now[i], at, ret);
            *found = true;
            break; /* the threads behind are less preferred */
        }
        if (at < x->text.n && reads(x, in, ch)) {
            m = add_thread(x, next, m, now[i].pc + 1, now[i].slot, *after);
        }
    }
    return m;
}

bool fhir_regex_find(const FhirRegex *r, Arena *a, Str text, size_t from, bool whole,
                     unsigned flags, FhirMatch *ret, uint64_t *ret_cost)
{
    Runner x = {.r = r, .text = text, .whole = whole, .flags = flags};
    Thread *now = arena_try_raw(a, 2 * (r->n + 1) * sizeof *now), *next = now + r->n + 1;
    x.mark = arena_try(a, (r->n + 1) * sizeof *x.mark);
    x.stack = arena_try_raw(a, (2 * r->n + 4) * sizeof *x.stack);
    if (!now || !x.mark || !x.stack) {
        *ret_cost = UINT64_MAX;
        return false;
    }
    uint32_t n = 0; /* threads of `now` */
    bool found = false;
    for (size_t at = from, after = from;; at = after) {
        x.step++;
        if (!found && (at == from || !whole)) {
            n = start_add(&x, now, n, at);
        }
        if (n == 0 && (found || whole)) {
            break;
        }
        n = threads_step(&x, now, n, next, at, &after, ret, &found);
        if (at >= text.n) {
            break;
        }
        Thread *swap = now;
        now = next;
        next = swap;
    }
    *ret_cost = x.cost;
    return found;
}
