/* Classes of sensitive content: read from a resource, kept beside the patients, seen by role. */
#include "access_inner.h"
#include "store_label.h"

#include "test.h"

static unsigned labels_of(Arena *a, const char *security)
{
    JsonDoc d;
    Str body = arena_cat(a, STR("{\"resourceType\":\"Observation\",\"meta\":{\"security\":["),
                         str_from_c(security), STR("]}}"));
    assert_int_equal(json_parse(a, body, &JSON_LIMITS_FHIR, &d, NULL), OK);
    return store_labels_of(&d);
}

#define CODING(system, code) "{\"system\":\"" system "\",\"code\":\"" code "\"}"
#define SENSITIVITY          "http://terminology.hl7.org/CodeSystem/v3-ActCode"
#define CONFIDENTIALITY      "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"

static void codings_have_classes(void **state)
{
    (void)state;
    Arena a;
    arena_init(&a, 0);
    assert_int_equal(labels_of(&a, CODING(SENSITIVITY, "HIV")), store_label_bit(STORE_LABEL_HIV));
    assert_int_equal(labels_of(&a, CODING(SENSITIVITY, "PSY") "," CODING(CONFIDENTIALITY, "V")),
                     store_label_bit(STORE_LABEL_MENTAL) |
                         store_label_bit(STORE_LABEL_VERY_RESTRICTED));
    assert_int_equal(labels_of(&a, CODING(CONFIDENTIALITY, "N") "," CODING("urn:x", "HIV")), 0);
    assert_int_equal(labels_of(&a, CODING(SENSITIVITY, "HI")), 0);
    assert_int_equal(labels_of(&a, ""), 0);
    arena_done(&a);
}

static void classes_stand_before_the_patients(void **state)
{
    (void)state;
    Arena a;
    bool unknown;
    arena_init(&a, 0);
    for (unsigned labels = 0; labels < 1u << STORE_LABELS; labels += 37) {
        Str text = arena_cat(&a, store_labels_text(&a, labels), STR("p1 p2"));
        assert_int_equal(store_labels_cut(&text, &unknown), labels);
        assert_true(str_is(text, "p1 p2"));
        assert_false(unknown);
    }
    Str later = STR("!TOMORROW !HIV p1");
    assert_int_equal(store_labels_cut(&later, &unknown), store_label_bit(STORE_LABEL_HIV));
    assert_true(unknown); /* of a program to come: nobody sees it */
    arena_done(&a);
}

static void roles_see_classes_from_a_day_on(void **state)
{
    (void)state;
    int64_t now;
    assert_true(time_parse(STR("2026-11-22T08:00:00+08:00"), 0, &now));
    unsigned hiv = store_label_bit(STORE_LABEL_HIV), mental = store_label_bit(STORE_LABEL_MENTAL);
    assert_int_equal(access_labels(STR("county-doctor"), now), (1u << STORE_LABELS) - 1);
    assert_int_equal(access_labels(STR("township-doctor"), now) & (hiv | mental), mental);
    assert_int_equal(access_labels(STR("village-doctor"), now), mental);
    static const char *const NONE[] = {"technician",           "reader",
                                       "consortium-office",    "referral-office",
                                       "system-administrator", "security-administrator",
                                       "audit-administrator",  "porter"};
    for (size_t i = 0; i < sizeof NONE / sizeof *NONE; i++) {
        assert_int_equal(access_labels(str_from_c(NONE[i]), now), 0);
    }
}

static void nobody_gives_a_label_he_does_not_see(void **state)
{
    (void)state;
    unsigned hiv = store_label_bit(STORE_LABEL_HIV);
    AccessCaller caller = {.username = STR("someone")};
    assert_int_equal(access_may_label(&caller, 0, NULL), OK);
    assert_int_equal(access_may_label(&caller, hiv, NULL), ERR_FORBIDDEN);
    caller.view.labels = hiv;
    assert_int_equal(access_may_label(&caller, hiv, NULL), OK);
    caller.view = STORE_VIEW_ALL;
    assert_int_equal(access_may_label(&caller, hiv << 1, NULL), OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codings_have_classes),
        cmocka_unit_test(classes_stand_before_the_patients),
        cmocka_unit_test(roles_see_classes_from_a_day_on),
        cmocka_unit_test(nobody_gives_a_label_he_does_not_see),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
