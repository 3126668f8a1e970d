/* From a pattern to its program. */
#include "fhir_path_regex_inner.h"

#define PROGRAM_MAX 8000u
#define REPEAT_MAX  1000
#define DEPTH_MAX   50

typedef struct Compiler {
    Arena *arena;
    Str s;
    size_t at;
    Instr *code;
    uint32_t n, room;
    Range *range;
    uint32_t ranges_n, ranges_room;
    uint32_t groups;
    int depth;
    const char *zh, *en;
} Compiler;

static bool wrong(Compiler *c, const char *zh, const char *en)
{
    if (!c->en) {
        c->zh = zh;
        c->en = en;
    }
    return false;
}

static bool emit(Compiler *c, Instr i)
{
    if (c->n >= PROGRAM_MAX) {
        return wrong(c, "正则表达式过大", "the pattern is too large");
    }
    if (c->n == c->room) {
        uint32_t room = c->room ? c->room * 2 : 64;
        Instr *more = arena_alloc_raw(c->arena, room * sizeof *more);
        if (c->n) {
            memcpy(more, c->code, c->n * sizeof *more);
        }
        c->code = more;
        c->room = room;
    }
    c->code[c->n++] = i;
    return true;
}

static bool range_add(Compiler *c, uint32_t lo, uint32_t hi)
{
    if (lo > hi) {
        return wrong(c, "字符范围的顺序颠倒", "a range of characters is the wrong way round");
    }
    if (c->ranges_n >= PROGRAM_MAX) {
        return wrong(c, "正则表达式过大", "the pattern is too large");
    }
    if (c->ranges_n == c->ranges_room) {
        uint32_t room = c->ranges_room ? c->ranges_room * 2 : 32;
        Range *more = arena_alloc_raw(c->arena, room * sizeof *more);
        if (c->ranges_n) {
            memcpy(more, c->range, c->ranges_n * sizeof *more);
        }
        c->range = more;
        c->ranges_room = room;
    }
    c->range[c->ranges_n++] = (Range){lo, hi};
    return true;
}

static int peek(const Compiler *c)
{
    return c->at < c->s.n ? (uint8_t)c->s.p[c->at] : -1;
}

static bool eat(Compiler *c, char ch)
{
    if (peek(c) == (uint8_t)ch) {
        c->at++;
        return true;
    }
    return false;
}

static bool hex_read(Compiler *c, int digits, uint32_t *ret)
{
    uint32_t v = 0;
    for (int i = 0; i < digits; i++, c->at++) {
        int ch = peek(c), l = ch | 32;
        int d = ch >= '0' && ch <= '9' ? ch - '0' : l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
        if (d < 0) {
            return wrong(c, "\\u 或 \\x 之后须为十六进制数字",
                         "\\u and \\x need hexadecimal digits");
        }
        v = v << 4 | (uint32_t)d;
    }
    *ret = v;
    return true;
}

/* \d \w \s and their negations as ranges. False when `letter` is none of them. */
static bool shorthand(Compiler *c, int letter)
{
    static const Range DIGIT[] = {{'0', '9'}},
                       WORD[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}},
                       SPACE[] = {
                           {9, 13}, {' ', ' '}, {0xA0, 0xA0}, {0x2000, 0x200A}, {0x3000, 0x3000}};
    int lower = letter | 32;
    const Range *set = lower == 'd' ? DIGIT : lower == 'w' ? WORD : lower == 's' ? SPACE : NULL;
    int n = lower == 'd' ? 1 : lower == 'w' ? 4 : 5;
    if (!set) {
        return false;
    }
    uint32_t from = 0;
    for (int i = 0; i < n; i++) {
        if (letter == lower) {
            range_add(c, set[i].lo, set[i].hi);
        } else if (set[i].lo > from) {
            range_add(c, from, set[i].lo - 1);
        }
        from = set[i].hi + 1;
    }
    if (letter != lower) {
        range_add(c, from, 0x10FFFF);
    }
    return true;
}

/* A single character after a backslash. */
static bool escaped_char(Compiler *c, int letter, uint32_t *ret)
{
    static const char FROM[] = "nrtf0", TO[] = "\n\r\t\f\0";
    const char *at = letter > 0 ? strchr(FROM, letter) : NULL;
    if (at && *at) {
        *ret = (uint8_t)TO[at - FROM];
        return true;
    }
    if (letter == 'u' || letter == 'x') {
        return hex_read(c, letter == 'u' ? 4 : 2, ret);
    }
    if (letter < 0 || (letter >= '1' && letter <= '9') ||
        ((letter | 32) >= 'a' && (letter | 32) <= 'z')) {
        return wrong(c, "不支持反斜杠之后的这个字符",
                     "this character after a backslash is not supported");
    }
    *ret = (uint32_t)letter;
    return true;
}

static uint32_t next_char(Compiler *c)
{
    return utf8_next(c->s, &c->at);
}

/* One character or shorthand inside [ ]; *ret_set true for a shorthand. */
static bool class_item(Compiler *c, uint32_t *ret, bool *ret_set)
{
    *ret_set = false;
    if (!eat(c, '\\')) {
        *ret = next_char(c);
        return true;
    }
    int letter = peek(c);
    if (letter >= 0 && letter < 0x80) {
        c->at++;
        *ret_set = shorthand(c, letter);
        return *ret_set || escaped_char(c, letter, ret);
    }
    *ret = next_char(c);
    return true;
}

static bool class_parse(Compiler *c)
{
    Instr i = {.code = CODE_CLASS, .negated = eat(c, '^'), .x = c->ranges_n};
    bool first = true;
    while (first || peek(c) != ']') {
        uint32_t lo, hi;
        bool set;
        if (peek(c) < 0) {
            return wrong(c, "缺少 ]", "] is missing");
        }
        if (!class_item(c, &lo, &set)) {
            return false;
        }
        first = false;
        hi = lo;
        bool range = !set && peek(c) == '-' && c->at + 1 < c->s.n && c->s.p[c->at + 1] != ']';
        if (range) {
            bool other_set;
            c->at++;
            if (!class_item(c, &hi, &other_set)) {
                return false;
            }
            if (other_set) {
                return wrong(c, "字符范围的终点须为一个字符", "a range must end with a character");
            }
        }
        if (!set && !range_add(c, lo, hi)) {
            return false;
        }
    }
    c->at++;
    i.y = c->ranges_n - i.x;
    return emit(c, i);
}

static bool alternatives(Compiler *c);

static bool group_parse(Compiler *c)
{
    bool capture = !eat(c, '?');
    if (!capture && !eat(c, ':')) {
        return wrong(c, "不支持 (?…) 形式", "groups that begin with (? are not supported");
    }
    if (++c->depth > DEPTH_MAX) {
        return wrong(c, "括号嵌套过深", "parentheses are nested too deep");
    }
    uint32_t group = capture ? ++c->groups : 0;
    bool save = capture && group < REGEX_GROUPS_MAX;
    if (save && !emit(c, (Instr){.code = CODE_SAVE, .x = group * 2})) {
        return false;
    }
    if (!alternatives(c)) {
        return false;
    }
    c->depth--;
    if (!eat(c, ')')) {
        return wrong(c, "缺少 )", ") is missing");
    }
    return !save || emit(c, (Instr){.code = CODE_SAVE, .x = group * 2 + 1});
}

static bool escape_parse(Compiler *c)
{
    int letter = peek(c);
    if (letter >= 0x80) {
        return emit(c, (Instr){.code = CODE_CHAR, .x = next_char(c)});
    }
    c->at += letter >= 0;
    if (letter == 'b' || letter == 'B') {
        return emit(c, (Instr){.code = letter == 'b' ? CODE_BOUNDARY : CODE_NOT_BOUNDARY});
    }
    uint32_t from = c->ranges_n, ch;
    if (letter >= 0 && shorthand(c, letter)) {
        return emit(c, (Instr){.code = CODE_CLASS, .x = from, .y = c->ranges_n - from});
    }
    return escaped_char(c, letter, &ch) && emit(c, (Instr){.code = CODE_CHAR, .x = ch});
}

static bool atom(Compiler *c)
{
    int ch = peek(c);
    switch (ch) {
    case '.':
        c->at++;
        return emit(c, (Instr){.code = CODE_ANY});
    case '^':
        c->at++;
        return emit(c, (Instr){.code = CODE_START});
    case '$':
        c->at++;
        return emit(c, (Instr){.code = CODE_STOP});
    case '[':
        c->at++;
        return class_parse(c);
    case '(':
        c->at++;
        return group_parse(c);
    case '\\':
        c->at++;
        return escape_parse(c);
    case '*':
    case '+':
    case '?':
        return wrong(c, "重复符号之前没有内容", "there is nothing to repeat");
    default:
        return emit(c, (Instr){.code = CODE_CHAR, .x = next_char(c)});
    }
}

static bool count_read(Compiler *c, int *ret)
{
    int v = 0;
    size_t from = c->at;
    while (peek(c) >= '0' && peek(c) <= '9' && v <= REPEAT_MAX) {
        v = v * 10 + (peek(c) - '0');
        c->at++;
    }
    *ret = v;
    return c->at > from && v <= REPEAT_MAX;
}

/* {m}, {m,}, {m,n}; max -1: no end. A brace that is none of these stands for itself. */
static bool braces_read(Compiler *c, int *min, int *max, bool *ret_is)
{
    size_t from = c->at;
    *ret_is = true;
    c->at++;
    if (!count_read(c, min)) {
        c->at = from;
        *ret_is = false;
        return true;
    }
    *max = *min;
    if (eat(c, ',')) {
        *max = -1;
        if (peek(c) != '}' && (!count_read(c, max) || *max < *min)) {
            return wrong(c, "重复次数有误", "the numbers in { } are wrong");
        }
    }
    return eat(c, '}') || wrong(c, "缺少 }", "} is missing");
}

/* Appends a copy of code[from, to) with its jumps moved. */
static bool copy_code(Compiler *c, uint32_t from, uint32_t to)
{
    uint32_t shift = c->n - from;
    for (uint32_t i = from; i < to; i++) {
        Instr in = c->code[i];
        if (in.code == CODE_SPLIT || in.code == CODE_JUMP) {
            in.x += shift;
            in.y += shift;
        }
        if (!emit(c, in)) {
            return false;
        }
    }
    return true;
}

static Instr split(uint32_t into, uint32_t past, bool lazy)
{
    return (Instr){.code = CODE_SPLIT, .x = lazy ? past : into, .y = lazy ? into : past};
}

/* Rewrites the atom at code[from, n) as atom{min,max}. */
static bool repeat(Compiler *c, uint32_t from, int min, int max, bool lazy)
{
    uint32_t size = c->n - from;
    Instr *saved = arena_alloc_raw(c->arena, (size + 1) * sizeof *saved);
    memcpy(saved, c->code + from, size * sizeof *saved);
    if (min == 0) {
        c->n = from;
    }
    for (int i = 1; i < min; i++) {
        if (!copy_code(c, from, from + size)) {
            return false;
        }
    }
    /* The optional part: (max - min) nested options, or one loop. */
    int options = max < 0 ? 1 : max - min;
    for (int i = 0; i < options; i++) {
        uint32_t at = c->n, body = at + 1, past = body + size + (max < 0);
        if (!emit(c, split(body, past, lazy))) {
            return false;
        }
        for (uint32_t k = 0; k < size; k++) {
            Instr in = saved[k];
            if (in.code == CODE_SPLIT || in.code == CODE_JUMP) {
                in.x += body - from;
                in.y += body - from;
            }
            if (!emit(c, in)) {
                return false;
            }
        }
        if (max < 0 && !emit(c, (Instr){.code = CODE_JUMP, .x = at})) {
            return false;
        }
    }
    return true;
}

static bool piece(Compiler *c)
{
    uint32_t from = c->n;
    if (!atom(c)) {
        return false;
    }
    for (;;) {
        int min = 0, max = -1, ch = peek(c);
        if (ch == '{') {
            bool is;
            if (!braces_read(c, &min, &max, &is)) {
                return false;
            }
            if (!is) {
                return true;
            }
        } else if (ch == '*' || ch == '+' || ch == '?') {
            c->at++;
            min = ch == '+';
            max = ch == '?' ? 1 : -1;
        } else {
            return true;
        }
        bool lazy = eat(c, '?');
        if (!repeat(c, from, min, max, lazy)) {
            return false;
        }
    }
}

/* Moves code[from, n) one place up, and its jumps with it, to make room for a split. */
static bool insert_split(Compiler *c, uint32_t from)
{
    if (!emit(c, (Instr){.code = CODE_JUMP})) {
        return false;
    }
    memmove(c->code + from + 1, c->code + from, (c->n - 1 - from) * sizeof *c->code);
    for (uint32_t i = from + 1; i < c->n; i++) {
        Instr *in = &c->code[i];
        if (in->code == CODE_SPLIT || in->code == CODE_JUMP) {
            in->x++;
            in->y++;
        }
    }
    return true;
}

static bool alternatives(Compiler *c)
{
    uint32_t from = c->n;
    while (peek(c) >= 0 && peek(c) != '|' && peek(c) != ')') {
        if (!piece(c)) {
            return false;
        }
    }
    if (!eat(c, '|')) {
        return true;
    }
    if (++c->depth > DEPTH_MAX * 4) {
        return wrong(c, "分支过多", "there are too many alternatives");
    }
    if (!insert_split(c, from)) {
        return false;
    }
    uint32_t jump = c->n;
    if (!emit(c, (Instr){.code = CODE_JUMP})) {
        return false;
    }
    c->code[from] = split(from + 1, c->n, false);
    if (!alternatives(c)) {
        return false;
    }
    c->depth--;
    c->code[jump].x = c->n;
    return true;
}

FhirRegex *fhir_regex_compile(Arena *a, Str pattern, const char **ret_zh, const char **ret_en)
{
    Compiler c = {.arena = a, .s = pattern};
    bool ok = alternatives(&c) &&
              (c.at == pattern.n || wrong(&c, "多余的 )", "there is a ) too many")) &&
              emit(&c, (Instr){.code = CODE_MATCH});
    if (!ok || c.en) {
        *ret_zh = c.zh;
        *ret_en = c.en;
        return NULL;
    }
    FhirRegex *r = arena_new(a, FhirRegex);
    *r = (FhirRegex){c.code, c.n, c.range, c.ranges_n};
    return r;
}
