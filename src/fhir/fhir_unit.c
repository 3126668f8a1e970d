/* The grammar of UCUM, what a unit is made of, and its name. */
#include <math.h>

#include "fhir_unit_rows.h"

#define EXPONENT_MAX 999

/* --- look-up --- */

static const UnitRow *row_find(Str code)
{
    size_t lo = 0, hi = fhir_unit_rows_n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int c = str_cmp(code, str_from_c(fhir_unit_rows[mid].code));
        if (c == 0) {
            return &fhir_unit_rows[mid];
        }
        lo = c > 0 ? mid + 1 : lo;
        hi = c < 0 ? mid : hi;
    }
    return NULL;
}

/* A unit's own code comes before a prefix: cd is candela, not a hundredth of a day. */
static bool simple_find(Str code, UnitPart *ret)
{
    ret->prefix = NULL;
    ret->row = row_find(code);
    for (unsigned i = 0; !ret->row && i < fhir_unit_prefixes_n; i++) {
        const UnitPrefix *p = &fhir_unit_prefixes[i];
        size_t n = strlen(p->code);
        if (code.n > n && str_starts(code, (Str){p->code, n})) {
            const UnitRow *row = row_find(str_skip(code, n));
            if (row && row->metric) {
                ret->row = row;
                ret->prefix = p;
            }
        }
    }
    return ret->row != NULL;
}

/* --- grammar --- */

typedef struct Scan {
    Str s;
    size_t at;
    int depth;
    UnitVisit visit;
    void *ctx;
} Scan;

static bool term_scan(Scan *x, int power);

static char peek(const Scan *x)
{
    return x->at < x->s.n ? x->s.p[x->at] : 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void visit_sign(Scan *x, char sign)
{
    UnitPart part = {.kind = UNIT_PART_SIGN, .sign = sign};
    x->visit(x->ctx, &part);
}

static Str digits_scan(Scan *x)
{
    size_t from = x->at;
    while (is_digit(peek(x))) {
        x->at++;
    }
    return (Str){x->s.p + from, x->at - from};
}

/* A symbol ends at an operator, a digit or a sign; square brackets are taken whole. */
static Str symbol_scan(Scan *x)
{
    size_t from = x->at;
    bool inside = false;
    for (; x->at < x->s.n; x->at++) {
        char c = x->s.p[x->at];
        if (c <= ' ' || c > '~' || (!inside && (strchr("./(){}+-", c) || is_digit(c)))) {
            break;
        }
        inside = c == '[' || (inside && c != ']');
    }
    return (Str){x->s.p + from, x->at - from};
}

static bool exponent_scan(Scan *x, int *ret)
{
    int64_t v = 1;
    char sign = peek(x);
    bool signed_ = sign == '-' || sign == '+';
    x->at += signed_;
    Str digits = digits_scan(x);
    if (digits.n == 0) {
        *ret = 1;
        return !signed_;
    }
    if (digits.n > 3 || !str_to_i64(digits, &v)) {
        return false;
    }
    *ret = (int)(sign == '-' ? -v : v);
    return true;
}

/* {words}: printable ASCII that says more and counts nothing. */
static bool annotation_scan(Scan *x)
{
    if (peek(x) != '{') {
        return true;
    }
    for (x->at++; peek(x) > ' ' && peek(x) <= '~' && peek(x) != '{'; x->at++) {
        if (peek(x) == '}') {
            x->at++;
            return true;
        }
    }
    return false;
}

static bool simple_scan(Scan *x, int power)
{
    UnitPart part = {.kind = UNIT_PART_SIMPLE};
    bool ten = peek(x) == '1'; /* 10* and 10^ are symbols that begin with digits */
    Str code = ten ? str_take(str_skip(x->s, x->at), 3) : symbol_scan(x);
    x->at += ten ? 3 : 0;
    if (!simple_find(code, &part) || !exponent_scan(x, &part.exponent)) {
        return false;
    }
    part.power = part.exponent * power;
    x->visit(x->ctx, &part);
    return annotation_scan(x);
}

static bool number_scan(Scan *x, int power)
{
    UnitPart part = {.kind = UNIT_PART_NUMBER, .power = power};
    part.digits = digits_scan(x);
    bool zero = true;
    for (size_t i = 0; i < part.digits.n; i++) {
        zero &= part.digits.p[i] == '0';
    }
    x->visit(x->ctx, &part);
    return !zero && annotation_scan(x);
}

static bool component_scan(Scan *x, int power)
{
    Str rest = str_skip(x->s, x->at);
    if (peek(x) == '{') {
        UnitPart part = {.kind = UNIT_PART_NUMBER, .power = power, .digits = STR("1")};
        x->visit(x->ctx, &part);
        return annotation_scan(x);
    }
    if (peek(x) == '(') {
        x->at++;
        visit_sign(x, '(');
        if (++x->depth > UNIT_NESTING_MAX || !term_scan(x, power) || peek(x) != ')') {
            return false;
        }
        x->depth--;
        x->at++;
        visit_sign(x, ')');
        return true;
    }
    bool ten = str_starts(rest, STR("10*")) || str_starts(rest, STR("10^"));
    return is_digit(peek(x)) && !ten ? number_scan(x, power) : simple_scan(x, power);
}

/* From left to right: a/b.c is (a/b).c. */
static bool term_scan(Scan *x, int power)
{
    bool divide = peek(x) == '/';
    if (divide) {
        x->at++;
        visit_sign(x, '/');
    }
    for (;;) {
        if (!component_scan(x, divide ? -power : power)) {
            return false;
        }
        char c = peek(x);
        if (c != '.' && c != '/') {
            return true;
        }
        divide = c == '/';
        x->at++;
        visit_sign(x, c);
    }
}

bool unit_walk(Str code, UnitVisit visit, void *ctx)
{
    Scan x = {code, 0, 0, visit, ctx};
    return code.n > 0 && code.n <= UNIT_BYTES_MAX && term_scan(&x, 1) && x.at == code.n;
}

/* --- what it is worth --- */

typedef struct Worth {
    FhirUnit *unit;
    unsigned parts;
    const UnitRow *special;
} Worth;

static UnitBig big_from_row(const uint64_t *words)
{
    UnitBig x;
    x.n = 0;
    for (uint32_t i = 0; i < UNIT_ROW_WORDS; i++) {
        x.w[i] = words[i];
        x.n = words[i] ? i + 1 : x.n;
    }
    return x;
}

static bool ratio_by_number(UnitRatio *r, Str digits, int power)
{
    UnitRatio by = ratio_one();
    for (size_t i = 0; i < digits.n; i++) {
        UnitBig digit = big_from((uint64_t)(digits.p[i] - '0'));
        if (!big_times_ten(&by.num, i > 0) ||
            (i == 0 ? !big_multiply(&by.num, &digit) : !big_add(&by.num, &digit))) {
            return false;
        }
    }
    return ratio_multiply(r, &by, power);
}

static bool dim_add(int8_t *dim, int by)
{
    int d = *dim + by;
    if (d > INT8_MAX || d < INT8_MIN) {
        return false;
    }
    *dim = (int8_t)d;
    return true;
}

bool unit_arbitrary_add(FhirUnit *u, uint8_t id, int power)
{
    for (size_t i = 0; i < UNIT_ARBITRARY_MAX; i++) {
        UnitArbitrary *at = &u->arbitrary[i];
        if (at->id == id) {
            return dim_add(&at->exp, power);
        }
        if (at->id == 0 || at->id > id) { /* kept in order */
            if (u->arbitrary[UNIT_ARBITRARY_MAX - 1].id) {
                return false;
            }
            memmove(at + 1, at, sizeof *at * (UNIT_ARBITRARY_MAX - 1 - i));
            *at = (UnitArbitrary){id, 0};
            return dim_add(&at->exp, power);
        }
    }
    return false;
}

static bool multiply_simple(FhirUnit *u, const UnitPart *part)
{
    const UnitRow *row = part->row;
    UnitRatio r = {big_from_row(row->num), big_from_row(row->den), row->exp};
    if (part->prefix && row->function == UNIT_RATIO) {
        UnitBig by = big_from(part->prefix->num);
        r.exp += part->prefix->exp;
        (void)big_multiply(&r.num, &by);
    }
    bool ok = abs(part->power) <= EXPONENT_MAX && ratio_multiply(&u->ratio, &r, part->power);
    for (int i = 0; i < UNIT_DIMENSIONS && ok; i++) {
        ok = dim_add(&u->dim[i], row->dim[i] * part->power);
    }
    return ok && (!row->arbitrary || unit_arbitrary_add(u, row->arbitrary, part->power));
}

static void worth_visit(void *ctx, const UnitPart *part)
{
    Worth *w = ctx;
    FhirUnit *u = w->unit;
    if (part->kind == UNIT_PART_SIGN || !u->convertible) {
        return;
    }
    w->parts++;
    if (part->kind == UNIT_PART_NUMBER) {
        u->convertible = ratio_by_number(&u->ratio, part->digits, part->power);
        return;
    }
    if (part->row->function != UNIT_RATIO) {
        w->special = part->power == 1 ? part->row : w->special;
        u->convertible = part->power == 1;
        u->prefix_exp = part->prefix ? part->prefix->exp : 0;
        u->function = part->row->function;
    }
    u->convertible = u->convertible && multiply_simple(u, part);
}

/* What is added before the factor. */
static double shift_of(UnitFunction f)
{
    static const double SHIFT[] = {
        [UNIT_CELSIUS] = 273.15, [UNIT_FAHRENHEIT] = 459.67, [UNIT_REAUMUR] = 218.52};
    return f <= UNIT_REAUMUR ? SHIFT[f] : 0;
}

bool fhir_unit_parse(Str code, FhirUnit *ret)
{
    FhirUnit u = {.convertible = true, .ratio = ratio_one()};
    Worth w = {&u, 0, NULL};
    if (!unit_walk(code, worth_visit, &w)) {
        return false;
    }
    if (!ret) {
        return true;
    }
    long double factor = u.convertible ? ratio_to_double(&u.ratio) : 0;
    u.offset = (double)(factor * shift_of(u.function));
    u.factor = (double)(factor * powl(10, u.prefix_exp));
    u.convertible =
        u.convertible && (!w.special || w.parts == 1) && isfinite(u.factor) && u.factor > 0;
    *ret = u;
    return true;
}

bool fhir_unit_is_linear(const FhirUnit *u)
{
    return u->convertible && u->function <= UNIT_REAUMUR;
}

static int arbitrary_exp(const FhirUnit *u, uint8_t id)
{
    for (size_t i = 0; i < UNIT_ARBITRARY_MAX; i++) {
        if (u->arbitrary[i].id == id) {
            return u->arbitrary[i].exp;
        }
    }
    return 0;
}

static bool same_arbitrary(const FhirUnit *a, const FhirUnit *b)
{
    for (size_t i = 0; i < UNIT_ARBITRARY_MAX; i++) {
        const UnitArbitrary *x = &a->arbitrary[i], *y = &b->arbitrary[i];
        if ((x->id && x->exp != arbitrary_exp(b, x->id)) ||
            (y->id && y->exp != arbitrary_exp(a, y->id))) {
            return false;
        }
    }
    return true;
}

bool fhir_unit_same_dimension(const FhirUnit *a, const FhirUnit *b)
{
    return a->convertible && b->convertible && memcmp(a->dim, b->dim, sizeof a->dim) == 0 &&
           same_arbitrary(a, b);
}

/* --- texts --- */

static void put_power(Buf *b, const char *name, int exp)
{
    if (exp == 0) {
        return;
    }
    buf_c(b, b->n ? "." : "");
    buf_c(b, name);
    if (exp != 1) {
        buf_i64(b, exp);
    }
}

static const char *arbitrary_name(uint8_t id)
{
    unsigned i = 0;
    while (i < fhir_unit_rows_n && fhir_unit_rows[i].arbitrary != id) {
        i++;
    }
    return fhir_unit_rows[i].code;
}

Str fhir_unit_base_text(Arena *a, const FhirUnit *u)
{
    static const char *const NAMES[UNIT_DIMENSIONS] = {"C", "K", "cd", "g", "m", "rad", "s"};
    Buf b;
    buf_init(&b, 0);
    for (int i = 0; i < UNIT_DIMENSIONS; i++) {
        put_power(&b, NAMES[i], u->dim[i]);
    }
    for (int i = 0; i < UNIT_ARBITRARY_MAX; i++) {
        if (u->arbitrary[i].exp) {
            put_power(&b, arbitrary_name(u->arbitrary[i].id), u->arbitrary[i].exp);
        }
    }
    if (b.n == 0) {
        buf_c(&b, "1");
    }
    return buf_take(&b, a);
}

static void display_visit(void *ctx, const UnitPart *part)
{
    Buf *b = ctx;
    if (part->kind == UNIT_PART_NUMBER) {
        buf_add(b, part->digits);
    } else if (part->kind == UNIT_PART_SIMPLE) {
        buf_char(b, '(');
        buf_c(b, part->prefix ? part->prefix->name : "");
        buf_c(b, part->row->name);
        if (part->exponent != 1) {
            buf_printf(b, " ^ %d", part->exponent);
        }
        buf_char(b, ')');
    } else if (part->sign == '(' || part->sign == ')') {
        buf_char(b, part->sign);
    } else {
        buf_c(b, b->n ? " " : "");
        buf_c(b, part->sign == '/' ? "/ " : "* ");
    }
}

bool fhir_unit_display(Arena *a, Str code, Str *ret)
{
    Buf b;
    buf_init(&b, 0);
    if (!unit_walk(code, display_visit, &b)) {
        buf_done(&b);
        return false;
    }
    *ret = buf_take(&b, a);
    return true;
}
