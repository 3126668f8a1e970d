/* Conversion, order, products and quotients of quantities. Linear units exactly. */
#include <math.h>

#include "fhir_path_inner.h"
#include "fhir_unit_rows.h"

/* A value on the way: ± num / den × 10^exp. */
typedef struct Exact {
    bool minus;
    UnitRatio r;
} Exact;

/* --- exactly --- */

/* What is added to a value before the factor: 273.15, 459.67, 273.15 × 4/5. */
static bool shift_of(UnitFunction f, FhirDecimal *ret)
{
    static const FhirDecimal SHIFT[] = {
        [UNIT_CELSIUS] = {27315, 2}, [UNIT_FAHRENHEIT] = {45967, 2}, [UNIT_REAUMUR] = {21852, 2}};
    *ret = f <= UNIT_REAUMUR ? SHIFT[f] : (FhirDecimal){0, 0};
    return ret->digits != 0;
}

static Exact exact_from(const FhirDecimal *v)
{
    Exact x = {v->digits < 0, ratio_one()};
    x.r.num = big_from_digits(v->digits);
    x.r.exp = -v->scale;
    return x;
}

/* x += ± d; both over x's denominator and with the smaller power of ten. */
static bool exact_add(Exact *x, const FhirDecimal *d, bool minus)
{
    UnitBig other = big_from_digits(d->digits);
    int low = x->r.exp < -d->scale ? x->r.exp : -d->scale;
    minus ^= d->digits < 0;
    if (!big_multiply(&other, &x->r.den) || !big_times_ten(&other, -d->scale - low) ||
        !big_times_ten(&x->r.num, x->r.exp - low)) {
        return false;
    }
    x->r.exp = low;
    if (minus == x->minus) {
        return big_add(&x->r.num, &other);
    }
    if (big_cmp(&x->r.num, &other) < 0) {
        UnitBig swap = x->r.num;
        x->r.num = other;
        other = swap;
        x->minus = minus;
    }
    big_subtract(&x->r.num, &other);
    return true;
}

static bool exact_to_base(const FhirDecimal *v, const FhirUnit *u, Exact *ret)
{
    FhirDecimal shift;
    *ret = exact_from(v);
    ret->r.exp += u->prefix_exp;
    return (!shift_of(u->function, &shift) || exact_add(ret, &shift, false)) &&
           ratio_multiply(&ret->r, &u->ratio, 1);
}

static bool exact_from_base(Exact *x, const FhirUnit *u)
{
    FhirDecimal shift;
    bool ok = ratio_multiply(&x->r, &u->ratio, -1) &&
              (!shift_of(u->function, &shift) || exact_add(x, &shift, true));
    x->r.exp -= u->prefix_exp;
    return ok;
}

/* --- in floating point --- */

static double hahnemann_base(UnitFunction f)
{
    return f == UNIT_HP_X ? 10 : f == UNIT_HP_C ? 100 : f == UNIT_HP_M ? 1000 : 50000;
}

static double function_of(UnitFunction f, double x)
{
    switch (f) {
    case UNIT_PH:
        return pow(10, -x);
    case UNIT_LN:
        return exp(x);
    case UNIT_LG:
        return pow(10, x);
    case UNIT_LG2:
        return pow(10, x / 2);
    case UNIT_LD:
        return exp2(x);
    case UNIT_TAN:
        return atan(x / 100);
    case UNIT_SQRT:
        return x * x;
    default:
        return pow(hahnemann_base(f), -x);
    }
}

static double inverse_of(UnitFunction f, double x)
{
    switch (f) {
    case UNIT_PH:
        return -log10(x);
    case UNIT_LN:
        return log(x);
    case UNIT_LG:
        return log10(x);
    case UNIT_LG2:
        return 2 * log10(x);
    case UNIT_LD:
        return log2(x);
    case UNIT_TAN:
        return tan(x) * 100;
    case UNIT_SQRT:
        return sqrt(x);
    default:
        return -log(x) / log(hahnemann_base(f));
    }
}

static double to_base(const FhirDecimal *v, const FhirUnit *u)
{
    double x = decimal_to_double(v);
    return fhir_unit_is_linear(u) ? x * u->factor + u->offset
                                  : function_of(u->function, x * pow(10, u->prefix_exp)) *
                                        (double)ratio_to_double(&u->ratio);
}

static double from_base(double x, const FhirUnit *u)
{
    return fhir_unit_is_linear(u)
               ? (x - u->offset) / u->factor
               : inverse_of(u->function, x / (double)ratio_to_double(&u->ratio)) /
                     pow(10, u->prefix_exp);
}

/* --- conversion and order --- */

bool fhir_unit_convert(const FhirDecimal *v, const FhirUnit *from, const FhirUnit *to,
                       FhirDecimal *ret)
{
    Exact x;
    if (!fhir_unit_same_dimension(from, to)) {
        return false;
    }
    if (fhir_unit_is_linear(from) && fhir_unit_is_linear(to) && exact_to_base(v, from, &x) &&
        exact_from_base(&x, to)) {
        return ratio_to_decimal(&x.r, x.minus, ret);
    }
    return decimal_from_double(from_base(to_base(v, from), to), ret);
}

static bool exact_cmp(Exact *x, Exact *y, int *ret)
{
    bool x_zero = x->r.num.n == 0, y_zero = y->r.num.n == 0;
    int low = x->r.exp < y->r.exp ? x->r.exp : y->r.exp;
    if (x_zero || y_zero || x->minus != y->minus) {
        int sx = x_zero ? 0 : x->minus ? -1 : 1, sy = y_zero ? 0 : y->minus ? -1 : 1;
        *ret = (sx > sy) - (sx < sy);
        return true;
    }
    if (!big_multiply(&x->r.num, &y->r.den) || !big_multiply(&y->r.num, &x->r.den) ||
        !big_times_ten(&x->r.num, x->r.exp - low) || !big_times_ten(&y->r.num, y->r.exp - low)) {
        return false;
    }
    int c = big_cmp(&x->r.num, &y->r.num);
    *ret = x->minus ? -c : c;
    return true;
}

bool fhir_unit_compare(const FhirDecimal *x, const FhirUnit *ux, const FhirDecimal *y,
                       const FhirUnit *uy, int *ret)
{
    Exact p, q;
    if (!fhir_unit_same_dimension(ux, uy)) {
        return false;
    }
    if (fhir_unit_is_linear(ux) && fhir_unit_is_linear(uy) && exact_to_base(x, ux, &p) &&
        exact_to_base(y, uy, &q) && exact_cmp(&p, &q, ret)) {
        return true;
    }
    double a = to_base(x, ux), b = to_base(y, uy), near = 1e-12 * fmax(fabs(a), fabs(b));
    *ret = fabs(a - b) <= near ? 0 : a < b ? -1 : 1;
    return isfinite(a) && isfinite(b);
}

/* --- products --- */

#define FACTORS_MAX 32

typedef struct Factor {
    const UnitPrefix *prefix;
    const UnitRow *row;
    int x, y; /* powers on either side */
} Factor;

typedef struct Factors {
    Factor at[FACTORS_MAX];
    size_t n;
    bool other; /* numbers among them, or too many */
    bool right; /* which side is read */
} Factors;

static void factor_visit(void *ctx, const UnitPart *part)
{
    Factors *f = ctx;
    size_t i = 0;
    if (part->kind == UNIT_PART_SIGN) {
        return;
    }
    while (i < f->n && (f->at[i].row != part->row || f->at[i].prefix != part->prefix)) {
        i++;
    }
    if (part->kind == UNIT_PART_NUMBER || i == FACTORS_MAX) {
        f->other |= !str_is(part->digits, "1");
        return;
    }
    if (i == f->n) {
        f->at[f->n++] = (Factor){part->prefix, part->row, 0, 0};
    }
    *(f->right ? &f->at[i].y : &f->at[i].x) += part->power;
}

/* The text when one side has only units that the other has too; false otherwise. */
static bool merged_text(Arena *a, Str x, Str y, int sign, Str *ret)
{
    Factors f = {.n = 0};
    bool only_x = false, only_y = false;
    bool ok = unit_walk(x, factor_visit, &f);
    f.right = true;
    ok = ok && unit_walk(y, factor_visit, &f);
    for (size_t i = 0; i < f.n; i++) {
        only_x |= f.at[i].y == 0;
        only_y |= f.at[i].x == 0;
    }
    if (!ok || f.other || (only_x && only_y)) {
        return false;
    }
    Buf b;
    buf_init(&b, 0);
    for (size_t i = 0; i < f.n; i++) {
        int power = f.at[i].x + sign * f.at[i].y;
        if (power) {
            buf_c(&b, b.n ? "." : "");
            buf_c(&b, f.at[i].prefix ? f.at[i].prefix->code : "");
            buf_c(&b, f.at[i].row->code);
        }
        if (power && power != 1) {
            buf_i64(&b, power);
        }
    }
    if (b.n == 0) {
        buf_c(&b, "1");
    }
    *ret = buf_take(&b, a);
    return true;
}

static bool units_joined(const FhirUnit *x, const FhirUnit *y, int sign, FhirUnit *ret)
{
    *ret = *x;
    for (int i = 0; i < UNIT_DIMENSIONS; i++) {
        int d = x->dim[i] + sign * y->dim[i];
        if (d > INT8_MAX || d < INT8_MIN) {
            return false;
        }
        ret->dim[i] = (int8_t)d;
    }
    for (int i = 0; i < UNIT_ARBITRARY_MAX; i++) {
        const UnitArbitrary *at = &y->arbitrary[i];
        if (at->exp && !unit_arbitrary_add(ret, at->id, sign * at->exp)) {
            return false;
        }
    }
    return ratio_multiply(&ret->ratio, &y->ratio, sign);
}

static bool is_one(const UnitRatio *r)
{
    return r->exp == 0 && r->num.n == 1 && r->num.w[0] == 1 && r->den.n == 1 && r->den.w[0] == 1;
}

/* The product of the values keeps its places (1.5 × 2 is 3.0) where nothing is converted. */
static bool product(const FhirDecimal *x, const FhirDecimal *y, int sign, const UnitRatio *by,
                    FhirDecimal *ret)
{
    Exact v = exact_from(x), w = exact_from(y);
    if (sign > 0 && is_one(by)) {
        return decimal_multiply(x, y, ret);
    }
    return ratio_multiply(&v.r, &w.r, sign) && ratio_multiply(&v.r, by, 1) &&
           ratio_to_decimal(&v.r, v.minus != w.minus, ret);
}

bool fhir_unit_multiply(Arena *a, const FhirQuantity *x, const FhirQuantity *y, bool divide,
                        FhirQuantity *ret)
{
    FhirUnit ux, uy, both;
    FhirQuantity q = {.unit = STR("1")};
    int sign = divide ? -1 : 1;
    if ((divide && y->value.digits == 0) || !fhir_unit_parse(x->unit, &ux) ||
        !fhir_unit_parse(y->unit, &uy) || !ux.convertible || !uy.convertible ||
        ux.function != UNIT_RATIO || uy.function != UNIT_RATIO) {
        return false;
    }
    if (!units_joined(&ux, &uy, sign, &both)) {
        return false;
    }
    bool merged = merged_text(a, x->unit, y->unit, sign, &q.unit);
    UnitRatio one = ratio_one();
    if (!product(&x->value, &y->value, sign, merged ? &one : &both.ratio, &q.value)) {
        return false;
    }
    q.unit = merged ? q.unit : fhir_unit_base_text(a, &both);
    *ret = q;
    return true;
}
