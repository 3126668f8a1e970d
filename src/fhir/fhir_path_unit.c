#include "fhir_path_unit.h"

#include <math.h>

typedef struct Atom {
    const char *code;
    double factor;
    int8_t dim[UNIT_DIMENSIONS];
    bool metric; /* takes prefixes */
} Atom;

#define D(m, s, g, rad, k, c, cd)                                                                  \
    {                                                                                              \
        m, s, g, rad, k, c, cd                                                                     \
    }
#define NONE D(0, 0, 0, 0, 0, 0, 0)

/* UCUM's table 1 to 5 as far as clinical data use it; factors in m, s, g, rad, K, C, cd. */
static const Atom ATOMS[] = {
    {"m", 1, D(1, 0, 0, 0, 0, 0, 0), true},
    {"s", 1, D(0, 1, 0, 0, 0, 0, 0), true},
    {"g", 1, D(0, 0, 1, 0, 0, 0, 0), true},
    {"rad", 1, D(0, 0, 0, 1, 0, 0, 0), true},
    {"K", 1, D(0, 0, 0, 0, 1, 0, 0), true},
    {"C", 1, D(0, 0, 0, 0, 0, 1, 0), true},
    {"cd", 1, D(0, 0, 0, 0, 0, 0, 1), true},
    {"[iU]", 1, {0, 0, 0, 0, 0, 0, 0, 1}, true},
    {"[IU]", 1, {0, 0, 0, 0, 0, 0, 0, 1}, true},
    {"10*", 10, NONE, false},
    {"10^", 10, NONE, false},
    {"[pi]", 3.14159265358979323846, NONE, false},
    {"%", 0.01, NONE, false},
    {"[ppth]", 1e-3, NONE, false},
    {"[ppm]", 1e-6, NONE, false},
    {"[ppb]", 1e-9, NONE, false},
    {"[pptr]", 1e-12, NONE, false},
    {"[HPF]", 1, NONE, false},
    {"[LPF]", 100, NONE, false},
    {"mol", 6.02214076e23, NONE, true},
    {"eq", 6.02214076e23, NONE, true},
    {"osm", 6.02214076e23, NONE, true},
    {"kat", 6.02214076e23, D(0, -1, 0, 0, 0, 0, 0), true},
    {"U", 6.02214076e23 * 1e-6 / 60, D(0, -1, 0, 0, 0, 0, 0), true},
    {"Hz", 1, D(0, -1, 0, 0, 0, 0, 0), true},
    {"Bq", 1, D(0, -1, 0, 0, 0, 0, 0), true},
    {"N", 1e3, D(1, -2, 1, 0, 0, 0, 0), true},
    {"Pa", 1e3, D(-1, -2, 1, 0, 0, 0, 0), true},
    {"J", 1e3, D(2, -2, 1, 0, 0, 0, 0), true},
    {"W", 1e3, D(2, -3, 1, 0, 0, 0, 0), true},
    {"A", 1, D(0, -1, 0, 0, 0, 1, 0), true},
    {"V", 1e3, D(2, -2, 1, 0, 0, -1, 0), true},
    {"F", 1e-3, D(-2, 2, -1, 0, 0, 2, 0), true},
    {"Ohm", 1e3, D(2, -1, 1, 0, 0, -2, 0), true},
    {"S", 1e-3, D(-2, 1, -1, 0, 0, 2, 0), true},
    {"Wb", 1e3, D(2, -1, 1, 0, 0, -1, 0), true},
    {"T", 1e3, D(0, -1, 1, 0, 0, -1, 0), true},
    {"dyn", 1e-2, D(1, -2, 1, 0, 0, 0, 0), true},
    {"Gy", 1, D(2, -2, 0, 0, 0, 0, 0), true},
    {"Sv", 1, D(2, -2, 0, 0, 0, 0, 0), true},
    {"L", 1e-3, D(3, 0, 0, 0, 0, 0, 0), true},
    {"l", 1e-3, D(3, 0, 0, 0, 0, 0, 0), true},
    {"t", 1e6, D(0, 0, 1, 0, 0, 0, 0), true},
    {"u", 1.66053906660e-24, D(0, 0, 1, 0, 0, 0, 0), true},
    {"bar", 1e8, D(-1, -2, 1, 0, 0, 0, 0), true},
    {"m[Hg]", 133322000, D(-1, -2, 1, 0, 0, 0, 0), true},
    {"m[H2O]", 9806650, D(-1, -2, 1, 0, 0, 0, 0), true},
    {"[in_i'Hg]", 3386378.8, D(-1, -2, 1, 0, 0, 0, 0), false},
    {"atm", 101325000, D(-1, -2, 1, 0, 0, 0, 0), false},
    {"cal", 4184, D(2, -2, 1, 0, 0, 0, 0), true},
    {"[Cal]", 4184000, D(2, -2, 1, 0, 0, 0, 0), false},
    {"deg", 0.0174532925199432958, D(0, 0, 0, 1, 0, 0, 0), false},
    {"'", 0.0174532925199432958 / 60, D(0, 0, 0, 1, 0, 0, 0), false},
    {"min", 60, D(0, 1, 0, 0, 0, 0, 0), false},
    {"h", 3600, D(0, 1, 0, 0, 0, 0, 0), false},
    {"d", 86400, D(0, 1, 0, 0, 0, 0, 0), false},
    {"wk", 604800, D(0, 1, 0, 0, 0, 0, 0), false},
    {"mo", 2629800, D(0, 1, 0, 0, 0, 0, 0), false},
    {"a", 31557600, D(0, 1, 0, 0, 0, 0, 0), false},
    {"[in_i]", 0.0254, D(1, 0, 0, 0, 0, 0, 0), false},
    {"[ft_i]", 0.3048, D(1, 0, 0, 0, 0, 0, 0), false},
    {"[yd_i]", 0.9144, D(1, 0, 0, 0, 0, 0, 0), false},
    {"[mi_i]", 1609.344, D(1, 0, 0, 0, 0, 0, 0), false},
    {"[gr]", 0.06479891, D(0, 0, 1, 0, 0, 0, 0), false},
    {"[lb_av]", 453.59237, D(0, 0, 1, 0, 0, 0, 0), false},
    {"[oz_av]", 28.349523125, D(0, 0, 1, 0, 0, 0, 0), false},
    {"[stone_av]", 6350.29318, D(0, 0, 1, 0, 0, 0, 0), false},
    {"[gal_us]", 3.785411784e-3, D(3, 0, 0, 0, 0, 0, 0), false},
    {"[pt_us]", 4.73176473e-4, D(3, 0, 0, 0, 0, 0, 0), false},
    {"[foz_us]", 2.95735295625e-5, D(3, 0, 0, 0, 0, 0, 0), false},
    {"[cup_us]", 2.365882365e-4, D(3, 0, 0, 0, 0, 0, 0), false},
    {"[tbs_us]", 1.478676478125e-5, D(3, 0, 0, 0, 0, 0, 0), false},
    {"[tsp_us]", 4.92892159375e-6, D(3, 0, 0, 0, 0, 0, 0), false},
    {"[drp]", 5e-8, D(3, 0, 0, 0, 0, 0, 0), false},
};

typedef struct Prefix {
    const char *code;
    double factor;
} Prefix;

static const Prefix PREFIXES[] = {
    {"da", 1e1}, {"Y", 1e24},  {"Z", 1e21},  {"E", 1e18},  {"P", 1e15},  {"T", 1e12},  {"G", 1e9},
    {"M", 1e6},  {"k", 1e3},   {"h", 1e2},   {"d", 1e-1},  {"c", 1e-2},  {"m", 1e-3},  {"u", 1e-6},
    {"n", 1e-9}, {"p", 1e-12}, {"f", 1e-15}, {"a", 1e-18}, {"z", 1e-21}, {"y", 1e-24},
};

#define COUNT(x) (sizeof(x) / sizeof *(x))

static const Atom *atom_find(Str code)
{
    for (size_t i = 0; i < COUNT(ATOMS); i++) {
        if (str_is(code, ATOMS[i].code)) {
            return &ATOMS[i];
        }
    }
    return NULL;
}

/* A simple unit: an atom, or a prefix and a metric atom. */
static bool simple_parse(Str code, FhirUnit *ret)
{
    const Atom *atom = atom_find(code);
    double prefix = 1;
    for (size_t i = 0; !atom && i < COUNT(PREFIXES); i++) {
        Str p = str_from_c(PREFIXES[i].code);
        if (code.n > p.n && str_starts(code, p)) {
            atom = atom_find(str_skip(code, p.n));
            atom = atom && atom->metric ? atom : NULL;
            prefix = PREFIXES[i].factor;
        }
    }
    if (!atom) {
        return false;
    }
    *ret = (FhirUnit){.factor = prefix * atom->factor};
    memcpy(ret->dim, atom->dim, sizeof ret->dim);
    return true;
}

static bool multiply(FhirUnit *into, const FhirUnit *by, int power)
{
    into->factor *= pow(by->factor, power);
    for (int i = 0; i < UNIT_DIMENSIONS; i++) {
        int d = into->dim[i] + by->dim[i] * power;
        if (d > 99 || d < -99) {
            return false;
        }
        into->dim[i] = (int8_t)d;
    }
    return true;
}

#define NESTING_MAX 8

typedef struct UnitScan {
    Str s;
    size_t at;
    int depth;
} UnitScan;

static bool term_parse(UnitScan *x, FhirUnit *ret);

static char peek(const UnitScan *x)
{
    return x->at < x->s.n ? x->s.p[x->at] : 0;
}

/* Bytes of a simple unit: up to an operator, but brackets are taken whole. */
static Str simple_scan(UnitScan *x)
{
    size_t from = x->at;
    bool inside = false;
    for (; x->at < x->s.n; x->at++) {
        char c = x->s.p[x->at];
        inside = c == '[' ? true : c == ']' ? false : inside;
        bool star = (c == '*' || c == '^') && x->at == from + 2;
        if (!inside && c != ']' && !star &&
            (strchr("./(){}+-", c) || (c >= '0' && c <= '9' && x->at > from + 1) ||
             (c >= '0' && c <= '9' && x->at > from && x->s.p[from] != '1'))) {
            break;
        }
    }
    return (Str){x->s.p + from, x->at - from};
}

static int exponent_scan(UnitScan *x)
{
    int sign = peek(x) == '-' ? -1 : 1, v = 0;
    if (peek(x) == '-' || peek(x) == '+') {
        x->at++;
    }
    size_t from = x->at;
    while (peek(x) >= '0' && peek(x) <= '9' && v < 100) {
        v = v * 10 + (peek(x) - '0');
        x->at++;
    }
    return x->at == from ? 1 : sign * v;
}

/* {words}: ASCII that says more and counts nothing. False when it does not end. */
static bool annotation_skip(UnitScan *x)
{
    if (peek(x) != '{') {
        return true;
    }
    while (x->at < x->s.n && x->s.p[x->at] != '}' && x->s.p[x->at] > ' ') {
        x->at++;
    }
    return x->at < x->s.n && x->s.p[x->at++] == '}';
}

static bool number_scan(UnitScan *x, FhirUnit *ret)
{
    size_t at = x->at;
    double v = 0;
    while (at < x->s.n && x->s.p[at] >= '0' && x->s.p[at] <= '9') {
        v = v * 10 + (x->s.p[at++] - '0');
    }
    if (at == x->at || (at < x->s.n && !strchr("./(){}", x->s.p[at]))) {
        return false;
    }
    x->at = at;
    *ret = (FhirUnit){.factor = v};
    return v > 0;
}

static bool component_parse(UnitScan *x, FhirUnit *ret)
{
    if (peek(x) == '{') {
        *ret = (FhirUnit){.factor = 1};
        return annotation_skip(x);
    }
    if (peek(x) == '(') {
        x->at++;
        if (++x->depth > NESTING_MAX || !term_parse(x, ret) || peek(x) != ')') {
            return false;
        }
        x->depth--;
        x->at++;
        return true;
    }
    if (number_scan(x, ret)) {
        return annotation_skip(x);
    }
    FhirUnit simple;
    if (!simple_parse(simple_scan(x), &simple)) {
        return false;
    }
    *ret = (FhirUnit){.factor = 1};
    bool ok = multiply(ret, &simple, exponent_scan(x));
    return annotation_skip(x) && ok;
}

static bool term_parse(UnitScan *x, FhirUnit *ret)
{
    FhirUnit all = {.factor = 1}, part;
    int power = 1;
    if (peek(x) == '/') {
        power = -1;
        x->at++;
    }
    for (;;) {
        if (!component_parse(x, &part) || !multiply(&all, &part, power)) {
            return false;
        }
        char c = peek(x);
        if (c != '.' && c != '/') {
            break;
        }
        power = c == '/' ? -1 : 1;
        x->at++;
    }
    *ret = all;
    return true;
}

static bool temperature_parse(Str code, FhirUnit *ret)
{
    bool celsius = str_is(code, "Cel"), fahrenheit = str_is(code, "[degF]");
    if (celsius || fahrenheit) {
        *ret = (FhirUnit){.factor = celsius ? 1 : 5.0 / 9,
                          .offset = celsius ? 273.15 : 459.67 * 5 / 9};
        ret->dim[UNIT_K] = 1;
    }
    return celsius || fahrenheit;
}

bool fhir_unit_parse(Str code, FhirUnit *ret)
{
    UnitScan x = {code, 0, 0};
    if (code.n == 0 || code.n > 200 || temperature_parse(code, ret)) {
        return code.n > 0 && code.n <= 200;
    }
    FhirUnit u;
    if (!term_parse(&x, &u) || x.at != code.n || !isfinite(u.factor) || u.factor <= 0) {
        return false;
    }
    *ret = u;
    return true;
}

bool fhir_unit_same_dimension(const FhirUnit *a, const FhirUnit *b)
{
    return memcmp(a->dim, b->dim, sizeof a->dim) == 0;
}

Str fhir_unit_base_text(Arena *a, const FhirUnit *u)
{
    static const char *const NAMES[UNIT_DIMENSIONS] = {"m", "s", "g",  "rad",
                                                       "K", "C", "cd", "[iU]"};
    Buf b;
    buf_init(&b, 0);
    for (int i = 0; i < UNIT_DIMENSIONS; i++) {
        if (u->dim[i]) {
            buf_c(&b, b.n ? "." : "");
            buf_c(&b, NAMES[i]);
            if (u->dim[i] != 1) {
                buf_i64(&b, u->dim[i]);
            }
        }
    }
    Str text = b.n ? arena_str(a, buf_str(&b)) : STR("1");
    buf_done(&b);
    return text;
}
