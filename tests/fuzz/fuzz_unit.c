/*
 * UCUM: lines are a unit, another unit, a decimal. What parses has a name and a base unit that
 * parses too; converting and comparing end; a unit is always equal to itself.
 */
#include "fhir_path_inner.h"
#include "fhir_unit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void one(Arena *a, Str code, const FhirUnit *u)
{
    FhirUnit base;
    Str text;
    mk_check(fhir_unit_display(a, code, &text));
    mk_check(!u->convertible || fhir_unit_same_dimension(u, u));
    if (u->convertible) {
        mk_check(fhir_unit_parse(fhir_unit_base_text(a, u), &base));
        mk_check(fhir_unit_same_dimension(u, &base));
    }
}

static void two(Arena *a, const FhirQuantity *x, const FhirUnit *u, const FhirQuantity *y,
                const FhirUnit *v)
{
    FhirDecimal d;
    FhirQuantity q;
    int c;
    (void)fhir_unit_convert(&x->value, u, v, &d);
    (void)fhir_unit_multiply(a, x, y, false, &q);
    (void)fhir_unit_multiply(a, x, y, true, &q);
    if (fhir_unit_is_linear(u)) {
        mk_check(fhir_unit_compare(&x->value, u, &x->value, u, &c) && c == 0);
    }
    (void)fhir_unit_compare(&x->value, u, &y->value, v, &c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    Arena a;
    Str first, second, rest;
    FhirUnit u, v;
    FhirDecimal d;
    arena_init(&a, 4u << 20);
    str_cut((Str){(const char *)data, n}, '\n', &first, &rest);
    str_cut(rest, '\n', &second, &rest);
    if (!decimal_parse(rest, &d)) {
        d = decimal_from_i64(15);
    }
    if (fhir_unit_parse(first, &u)) {
        one(&a, first, &u);
        if (fhir_unit_parse(second, &v)) {
            FhirQuantity x = {.value = d, .unit = first}, y = {.value = d, .unit = second};
            two(&a, &x, &u, &y, &v);
        }
    }
    arena_done(&a);
    return 0;
}
