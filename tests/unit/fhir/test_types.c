#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fhir_params.h"

static const FhirType *type(const char *name)
{
    const FhirType *t = fhir_type_find(str_from_c(name));
    assert_non_null(t);
    return t;
}

static void assert_str(Str got, const char *want)
{
    if (!str_is(got, want)) {
        fail_msg("got \"%.*s\", want \"%s\"", STR_ARG(got), want);
    }
}

static void test_types_found(void **state)
{
    (void)state;
    assert_int_equal(fhir_resource_count, 146);
    for (unsigned i = 0; i < fhir_type_count; i++) {
        assert_ptr_equal(fhir_type_find(fhir_type_name(fhir_type(i))), fhir_type(i));
    }
    for (unsigned i = 0; i < fhir_resource_count; i++) {
        assert_int_equal(fhir_resource_at(i)->resource, i);
    }
    assert_null(fhir_type_find(STR("Patients")));
    assert_null(fhir_type_find(STR("")));
    assert_null(fhir_resource_find(STR("Resource")));
    assert_null(fhir_resource_find(STR("HumanName")));
    assert_int_equal(fhir_type_id(type("Patient")), FHIR_TYPE_Patient);
}

static void test_bases(void **state)
{
    (void)state;
    assert_true(fhir_type_is(type("Age"), type("Quantity")));
    assert_true(fhir_type_is(type("Age"), type("Element")));
    assert_true(fhir_type_is(type("Patient"), type("DomainResource")));
    assert_true(fhir_type_is(type("Bundle"), type("Resource")));
    assert_false(fhir_type_is(type("Bundle"), type("DomainResource")));
    assert_true(fhir_type_is(type("id"), type("string")));
    assert_true(fhir_type_is(type("Patient.contact"), type("BackboneElement")));
    assert_int_equal(type("dateTime")->prim, FHIR_PRIM_DATETIME);
}

static void test_members(void **state)
{
    (void)state;
    FhirMember m;
    assert_true(fhir_elem_find(type("Observation"), STR("valueQuantity"), &m));
    assert_str(fhir_elem_name(m.elem), "value");
    assert_ptr_equal(m.type, type("Quantity"));
    assert_true(fhir_elem_is_choice(m.elem));
    assert_false(m.underscore);
    assert_true(fhir_elem_find(type("Patient"), STR("_birthDate"), &m));
    assert_true(m.underscore);
    assert_ptr_equal(m.type, type("date"));
    assert_false(fhir_elem_find(type("Patient"), STR("_name"), &m));
    assert_false(fhir_elem_find(type("Patient"), STR("value"), &m));
    assert_false(fhir_elem_find(type("Patient"), STR("_"), &m));
    assert_false(fhir_elem_find(type("Observation"), STR("value"), &m));
    assert_true(fhir_elem_find(type("Questionnaire.item"), STR("item"), &m));
    assert_ptr_equal(m.type, type("Questionnaire.item"));
    assert_true(fhir_elem_find(type("Patient"), STR("id"), &m));
    assert_ptr_equal(m.type, type("id"));
    assert_true(fhir_elem_find(type("Patient"), STR("contained"), &m));
    assert_true(m.type->abstract);
}

static void test_every_member_names_its_element(void **state)
{
    (void)state;
    for (unsigned i = 0; i < fhir_type_count; i++) {
        const FhirType *t = fhir_type(i);
        assert_in_range(t->elem_count, 0, 64); /* the validator keeps them in one word */
        for (unsigned k = 0; k < t->elem_count; k++) {
            const FhirElem *e = fhir_type_elem(t, k);
            assert_ptr_equal(fhir_elem_named(t, fhir_elem_name(e)), e);
            assert_int_equal(fhir_elem_index(e), k);
            for (unsigned o = 0; o < e->option_count; o++) {
                FhirMember m;
                assert_true(fhir_elem_find(t, fhir_elem_key(e, o), &m));
                assert_ptr_equal(m.elem, e);
                assert_ptr_equal(m.type, fhir_elem_type(e, o));
            }
        }
    }
}

static void test_valuesets(void **state)
{
    (void)state;
    FhirMember m;
    assert_true(fhir_elem_find(type("Patient"), STR("gender"), &m));
    const FhirValueSet *v = &fhir_valuesets[m.elem->valueset];
    assert_str(fhir_valueset_url(v), "http://hl7.org/fhir/ValueSet/administrative-gender");
    assert_ptr_equal(fhir_valueset_find(fhir_valueset_url(v)), v);
    assert_true(fhir_valueset_has(v, STR_NONE, STR("female")));
    assert_true(
        fhir_valueset_has(v, STR("http://hl7.org/fhir/administrative-gender"), STR("male")));
    assert_false(fhir_valueset_has(v, STR("urn:other"), STR("male")));
    assert_false(fhir_valueset_has(v, STR_NONE, STR("f")));
    assert_int_equal(v->code_count, 4);
    assert_true(fhir_valueset_find(STR("http://hl7.org/fhir/ValueSet/mimetypes"))->any);
}

static const FhirParam *param(const char *t, const char *name)
{
    return fhir_param_find(type(t), str_from_c(name));
}

static void test_params(void **state)
{
    (void)state;
    const FhirParam *code = param("Observation", "code");
    assert_str(fhir_param_expression(code), "Observation.code");
    assert_int_equal(code->kind, FHIR_PARAM_TOKEN);
    assert_ptr_equal(&fhir_params[code->id], code);
    assert_str(fhir_param_expression(param("Condition", "code")), "Condition.code");
    assert_str(fhir_param_expression(param("Patient", "family")), "Patient.name.family");
    assert_str(fhir_param_expression(param("AllergyIntolerance", "code")),
               "AllergyIntolerance.code | AllergyIntolerance.reaction.substance");
    assert_str(fhir_param_expression(param("Patient", "_id")), "Resource.id");
    assert_int_equal(param("Patient", "pinyin")->flags, FHIR_PARAM_OURS | FHIR_PARAM_PINYIN);
    assert_null(param("Patient", "nonsense"));
    assert_true(fhir_param_allows(param("Observation", "subject"), type("Patient")));
    assert_false(fhir_param_allows(param("Observation", "subject"), type("Slot")));
    const FhirParam *composite = param("Observation", "code-value-quantity");
    assert_int_equal(composite->component_count, 2);
    const FhirComponent *part = fhir_param_component(composite, 1);
    assert_int_equal(fhir_params[part->param].kind, FHIR_PARAM_QUANTITY);
    for (unsigned i = 0; i < fhir_param_count; i++) {
        assert_int_equal(fhir_params[i].id, i);
        assert_ptr_equal(
            fhir_param_find(fhir_type(fhir_params[i].type), fhir_param_name(&fhir_params[i])),
            &fhir_params[i]);
    }
}

static void test_patient_links(void **state)
{
    (void)state;
    unsigned n;
    bool self;
    const FhirPatientLink *l = fhir_patient_links(type("Task"), &n, &self);
    assert_int_equal(n, 1);
    assert_str(fhir_patient_link_expression(l), "Task.for");
    assert_false(self);
    fhir_patient_links(type("Patient"), &n, &self);
    assert_true(self);
    l = fhir_patient_links(type("Observation"), &n, &self);
    assert_str(fhir_patient_link_expression(l), "Observation.subject");
    fhir_patient_links(type("Organization"), &n, &self);
    assert_int_equal(n, 0);
}

static void test_clinical_dates(void **state)
{
    (void)state;
    assert_str(fhir_clinical_date(type("Task")), "Task.restriction.period.end");
    assert_str(fhir_clinical_date(type("Patient")), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types_found),   cmocka_unit_test(test_bases),
        cmocka_unit_test(test_members),       cmocka_unit_test(test_every_member_names_its_element),
        cmocka_unit_test(test_valuesets),     cmocka_unit_test(test_params),
        cmocka_unit_test(test_patient_links), cmocka_unit_test(test_clinical_dates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
