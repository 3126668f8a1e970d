/* Splitting a text into layout and tokens, and joining it again. */
#include "json_layout.h"

#include "mk_banned.h"

#define DEPTH_MAX      128
#define INDENT_MAX     250
#define RUNS_MAX       8
#define RUN_BLANKS_MAX 64
#define LINE_BYTES     64 /* copied at once for a line's beginning, whatever its length */
#define LAYOUT_BYTES   (14 + RUNS_MAX * (11 + RUN_BLANKS_MAX))

typedef enum Rule {
    RULE_LINES,  /* each member and each element on a line */
    RULE_INLINE, /* each member on a line, elements behind one another: [ 1, 2 ] */
    RULE_TIGHT,  /* the same without blanks inside of the brackets: [1, 2] */
    RULE_SPACED, /* one line: {"a": [1, 2]} */
    RULES
} Rule;

/* Where in the structure the last token stands; what the rule puts behind it. */
typedef struct Place {
    Rule rule;
    unsigned unit, base;
    unsigned depth, levels; /* open brackets; those that indent */
    bool array[DEPTH_MAX];
    char last;
} Place;

typedef struct Run {
    uint64_t skip, gaps;
    Str blanks;
} Run;

/* The blanks of a line's beginning. */
static const char line_blanks[INDENT_MAX + 2] =
    "\n                                                                                "
    "                                                                                     "
    "                                                                                     ";

/* Most are of no byte or one. */
static inline char *text_put(char *out, Str s)
{
    if (s.n == 1) {
        *out = s.p[0];
        return out + 1;
    }
    return s.n ? mempcpy(out, s.p, s.n) : out;
}

static inline bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static size_t blanks_end(Str s, size_t at)
{
    while (at < s.n && is_blank(s.p[at])) {
        at++;
    }
    return at;
}

static size_t string_end(Str s, size_t at)
{
    for (size_t from = at + 1; from < s.n;) {
        const char *quote = memchr(s.p + from, '"', s.n - from), *back = quote;
        if (!quote) {
            return s.n;
        }
        while (back > s.p + from && back[-1] == '\\') {
            back--;
        }
        from = (size_t)(quote - s.p) + 1;
        if ((quote - back) % 2 == 0) {
            return from;
        }
    }
    return s.n;
}

static inline bool is_structure(char c)
{
    return c == '{' || c == '}' || c == '[' || c == ']' || c == ',' || c == ':';
}

/* The end of the token that begins at `at`. */
static size_t token_end(Str s, size_t at)
{
    if (s.p[at] == '"') {
        return string_end(s, at);
    }
    if (is_structure(s.p[at])) {
        return at + 1;
    }
    do {
        at++;
    } while (at < s.n && !is_blank(s.p[at]) && !is_structure(s.p[at]));
    return at;
}

/* ---- The rule ------------------------------------------------------------------------------ */

static bool level_indents(const Place *p, bool array)
{
    return p->rule == RULE_LINES || (!array && p->rule != RULE_SPACED);
}

/* False: nested deeper than is kept track of, or closed more often than opened. */
static bool place_step(Place *p, char token)
{
    p->last = token;
    if (token == '{' || token == '[') {
        if (p->depth == DEPTH_MAX) {
            return false;
        }
        p->array[p->depth++] = token == '[';
        p->levels += level_indents(p, token == '[');
    } else if (token == '}' || token == ']') {
        if (p->depth == 0) {
            return false;
        }
        p->depth--;
        p->levels -= level_indents(p, p->array[p->depth]);
    }
    return true;
}

static Str line_at(const Place *p, unsigned levels)
{
    unsigned n = p->base + p->unit * levels;
    return (Str){line_blanks, 1 + (n < INDENT_MAX ? n : INDENT_MAX)};
}

static Str blank_if(bool blank)
{
    return blank ? STR(" ") : STR("");
}

static Str inside_bracket(const Place *p, bool array, unsigned levels)
{
    return p->rule == RULE_SPACED           ? STR("")
           : array && p->rule != RULE_LINES ? blank_if(p->rule == RULE_INLINE)
                                            : line_at(p, levels);
}

/* What stands between the last token and the next by the rule. */
static inline Str place_gap(const Place *p, char next)
{
    if (next == ':' || next == ',') {
        return STR("");
    }
    if (p->last == ':') {
        return STR(" ");
    }
    bool array = p->depth > 0 && p->array[p->depth - 1];
    bool opened = p->last == '{' || p->last == '[';
    bool closes = next == '}' || next == ']';
    if (opened || closes) {
        unsigned levels = p->levels - (closes && level_indents(p, array));
        return opened && closes ? STR("") : inside_bracket(p, array, levels);
    }
    return level_indents(p, array) ? line_at(p, p->levels) : STR(" ");
}

/* ---- Recognising it ------------------------------------------------------------------------ */

static Rule arrays_rule(Str text)
{
    for (size_t i = 0; i + 1 < text.n; i++) {
        if (text.p[i] == '"') {
            i = string_end(text, i) - 1;
        } else if (text.p[i] == '[' && text.p[i + 1] != ']') {
            return text.p[i + 1] == '\n'  ? RULE_LINES
                   : text.p[i + 1] == ' ' ? RULE_INLINE
                                          : RULE_TIGHT;
        }
    }
    return RULE_LINES;
}

/* From the first and the last line of an object. */
static bool place_recognise(Str text, Place *ret)
{
    *ret = (Place){0};
    if (text.n < 5 || text.p[0] != '{' || text.p[text.n - 1] != '}') {
        return false;
    }
    if (text.p[1] == '"') {
        size_t key = string_end(text, 1);
        ret->rule = RULE_SPACED;
        return key + 1 < text.n && text.p[key] == ':' && text.p[key + 1] == ' ';
    }
    size_t first = blanks_end(text, 1) - 1, last = text.n - 1;
    while (last > 0 && text.p[last - 1] == ' ') {
        last--;
    }
    size_t base = text.n - 1 - last;
    if (text.p[1] != '\n' || text.p[last - 1] != '\n' || first - 1 <= base || first > INDENT_MAX) {
        return false;
    }
    ret->base = (unsigned)base;
    ret->unit = (unsigned)(first - 1 - base);
    ret->rule = arrays_rule(text);
    return true;
}

/* ---- Runs ---------------------------------------------------------------------------------- */

typedef struct Runs {
    Run at[RUNS_MAX];
    size_t n;
    uint64_t end;   /* the first gap behind the last run */
    uint64_t reach; /* the first behind that which has other blanks than the run */
} Runs;

/* A gap that is as the rule has it may lie within a run all the same. */
static void runs_pass(Runs *r, uint64_t gap, Str blanks)
{
    if (r->n && r->reach == gap && str_eq(r->at[r->n - 1].blanks, blanks)) {
        r->reach++;
    }
}

/* False: there are too many. */
static bool runs_add(Runs *r, uint64_t gap, Str blanks)
{
    if (r->n && r->reach == gap && str_eq(r->at[r->n - 1].blanks, blanks)) {
        r->at[r->n - 1].gaps += gap + 1 - r->end;
    } else if (r->n == RUNS_MAX || blanks.n > RUN_BLANKS_MAX) {
        return false;
    } else {
        r->at[r->n++] = (Run){gap - r->end, 1, blanks};
    }
    r->end = r->reach = gap + 1;
    return true;
}

static char *varint_put(char *p, uint64_t v)
{
    for (; v >= 0x80; v >>= 7) {
        *p++ = (char)(v | 0x80);
    }
    *p++ = (char)v;
    return p;
}

static uint64_t varint_take(Reader *r)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 63; shift += 7) {
        uint8_t b = reader_u8(r);
        v |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80)) {
            return v;
        }
    }
    r->failed = true;
    return 0;
}

static Str layout_write(Arena *a, const Place *p, size_t text_n, const Runs *runs)
{
    char *start = arena_alloc_raw(a, LAYOUT_BYTES), *out = start;
    *out++ = (char)p->rule;
    *out++ = (char)p->unit;
    *out++ = (char)p->base;
    out = varint_put(out, text_n);
    *out++ = (char)runs->n;
    for (size_t i = 0; i < runs->n; i++) {
        out = varint_put(out, runs->at[i].skip);
        out = varint_put(out, runs->at[i].gaps);
        *out++ = (char)runs->at[i].blanks.n;
        memcpy(out, runs->at[i].blanks.p, runs->at[i].blanks.n);
        out += runs->at[i].blanks.n;
    }
    return (Str){start, (size_t)(out - start)};
}

/* False: the layout is damaged. */
static bool layout_read(Str layout, Place *ret, size_t *ret_text_n, Runs *ret_runs)
{
    Reader r = reader_from(layout);
    *ret = (Place){.rule = reader_u8(&r)};
    ret->unit = reader_u8(&r);
    ret->base = reader_u8(&r);
    *ret_text_n = varint_take(&r);
    *ret_runs = (Runs){.n = reader_u8(&r)};
    if (ret_runs->n > RUNS_MAX || ret->rule >= RULES) {
        return false;
    }
    for (size_t i = 0; i < ret_runs->n; i++) {
        Run *run = &ret_runs->at[i];
        run->skip = varint_take(&r);
        run->gaps = varint_take(&r);
        run->blanks = reader_bytes(&r, reader_u8(&r));
    }
    return !r.failed && reader_left(&r) == 0;
}

/* ---- Splitting ----------------------------------------------------------------------------- */

/*
 * Outside of runs nothing stands before a comma or colon: it goes with the token before it. True:
 * it did, and `end` is past it.
 */
static inline bool mark_take(Place *place, Str tokens, size_t *end)
{
    if (*end < tokens.n && (tokens.p[*end] == ',' || tokens.p[*end] == ':')) {
        place->last = tokens.p[(*end)++];
        return true;
    }
    return false;
}

/*
 * The end of the blanks where they are what the rule puts before a token that closes nothing, which
 * is seen without looking for their end; else 0.
 */
static inline size_t gap_by_rule(const Place *place, Str text, size_t end, Str *ret_blanks)
{
    Str rule = place_gap(place, '"');
    size_t next = end + rule.n;
    if (next >= text.n || memcmp(text.p + end, rule.p, rule.n) != 0) {
        return 0;
    }
    char c = text.p[next];
    *ret_blanks = rule;
    return is_blank(c) || (is_structure(c) && c != '{' && c != '[') ? 0 : next;
}

/* The blanks behind a token, up to the next; false: too many runs. */
static inline bool gap_take(const Place *place, Runs *runs, uint64_t gap, Str text, size_t *at)
{
    Str blanks;
    size_t next = gap_by_rule(place, text, *at, &blanks);
    if (next) {
        runs_pass(runs, gap, blanks);
        *at = next;
        return true;
    }
    next = blanks_end(text, *at);
    blanks = (Str){text.p + *at, next - *at};
    *at = next;
    if (next == text.n) {
        return true;
    }
    if (str_eq(blanks, place_gap(place, text.p[next]))) {
        runs_pass(runs, gap, blanks);
        return true;
    }
    return runs_add(runs, gap, blanks);
}

bool json_layout_split(Arena *a, Str text, Str *ret_layout, Str *ret_tokens)
{
    Place place;
    Runs runs = {.n = 0};
    if (!place_recognise(text, &place)) {
        return false;
    }
    char *tokens = arena_alloc_raw(a, text.n + 1), *out = tokens;
    uint64_t gap = 0;
    for (size_t at = 0; at < text.n; gap++) {
        size_t end = token_end(text, at);
        if (!place_step(&place, text.p[at])) {
            return false;
        }
        if (!runs.n || runs.reach != gap) {
            gap += mark_take(&place, text, &end);
        }
        out = text_put(out, (Str){text.p + at, end - at});
        at = end;
        if (!gap_take(&place, &runs, gap, text, &at)) {
            return false;
        }
    }
    *out = 0;
    *ret_layout = layout_write(a, &place, text.n, &runs);
    *ret_tokens = (Str){tokens, (size_t)(out - tokens)};
    return true;
}

Str json_compact(Arena *a, Str text)
{
    char *tokens = arena_alloc_raw(a, text.n + 1), *out = tokens;
    for (size_t at = blanks_end(text, 0); at < text.n;) {
        size_t end = token_end(text, at);
        out = text_put(out, (Str){text.p + at, end - at});
        at = blanks_end(text, end);
    }
    *out = 0;
    return (Str){tokens, (size_t)(out - tokens)};
}

/* ---- Joining ------------------------------------------------------------------------------- */

/* The gap at which the next run begins. */
static inline uint64_t runs_next(const Runs *r, size_t run)
{
    return run < r->n ? r->end + r->at[run].skip : UINT64_MAX;
}

/* What stands in the gap: of a run that holds it, or by the rule. */
static Str runs_gap(Runs *r, size_t *run, uint64_t gap, const Place *place, char next)
{
    if (gap >= runs_next(r, *run)) {
        const Run *x = &r->at[*run];
        if (gap + 1 >= r->end + x->skip + x->gaps) {
            r->end = gap + 1;
            ++*run;
        }
        return x->blanks;
    }
    return place_gap(place, next);
}

/* The text has LINE_BYTES of room behind its end. */
static inline char *gap_put(char *out, Str blanks)
{
    if (blanks.p == line_blanks && blanks.n <= LINE_BYTES) {
        memcpy(out, line_blanks, LINE_BYTES);
        return out + blanks.n;
    }
    return text_put(out, blanks);
}

bool json_layout_join(Arena *a, Str layout, Str tokens, Str *ret_text)
{
    Place place;
    Runs runs;
    size_t room, run = 0;
    if (!layout_read(layout, &place, &room, &runs) || room / (INDENT_MAX + 2) > tokens.n) {
        return false;
    }
    char *text = arena_alloc_raw(a, room + LINE_BYTES), *out = text;
    uint64_t gap = 0;
    for (size_t at = 0; at < tokens.n; gap++) {
        size_t end = token_end(tokens, at);
        Str blanks = STR_NONE;
        if (!place_step(&place, tokens.p[at])) {
            return false;
        }
        if (gap < runs_next(&runs, run)) {
            gap += mark_take(&place, tokens, &end);
        }
        if (end < tokens.n) {
            blanks = runs_gap(&runs, &run, gap, &place, tokens.p[end]);
        }
        if (end - at + blanks.n > room - (size_t)(out - text)) {
            return false;
        }
        out = text_put(out, (Str){tokens.p + at, end - at});
        out = gap_put(out, blanks);
        at = end;
    }
    *out = 0;
    *ret_text = (Str){text, room};
    return (size_t)(out - text) == room;
}
