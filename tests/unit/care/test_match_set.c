/*
 * Matching measured on a made set: a village register in which every second person was written
 * down twice, the second time as it happens at a counter (no card, a homophone, day and month
 * exchanged, another telephone, no address). Prints precision and recall.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "care_id.h"
#include "care_match.h"

#define PEOPLE 400

static const char *const FAMILY[] = {"王", "李", "张", "刘", "陈", "杨", "赵", "黄", "周", "吴"};
/* Characters and one that sounds the same. */
static const char *const GIVEN[][2] = {{"桂", "贵"}, {"芝", "枝"}, {"英", "瑛"}, {"华", "花"},
                                       {"明", "铭"}, {"国", "国"}, {"强", "强"}, {"玉", "玉"},
                                       {"兰", "岚"}, {"军", "君"}, {"伟", "炜"}, {"娟", "娟"},
                                       {"丽", "莉"}, {"福", "富"}, {"海", "海"}};

typedef struct Made {
    unsigned family, first, second; /* second 0: a name of two characters */
    bool homophone, no_card, no_phone, no_address, male, swapped;
    int year, month, day, house;
    unsigned phone;
} Made;

static unsigned below(Random *r, unsigned n)
{
    return (unsigned)random_below(r, n);
}

static Made made_person(Random *r)
{
    return (Made){.family = below(r, 10),
                  .first = below(r, 15),
                  .second = below(r, 15),
                  .no_card = below(r, 10) == 0,
                  .no_phone = below(r, 5) == 0,
                  .no_address = below(r, 5) == 0,
                  .male = below(r, 2) == 0,
                  .year = 1940 + (int)below(r, 70),
                  .month = 1 + (int)below(r, 12),
                  .day = 1 + (int)below(r, 28),
                  .house = 1 + (int)below(r, 200),
                  .phone = below(r, 90000000)};
}

static Made made_twice(Random *r, Made m)
{
    m.no_card = m.no_card || below(r, 10) < 6;
    m.homophone = below(r, 10) < 3;
    m.swapped = below(r, 10) == 0 && m.day <= 12;
    m.phone = below(r, 10) < 2 ? below(r, 90000000) : m.phone;
    m.no_address = m.no_address || below(r, 10) < 4;
    return m;
}

static const CarePerson *person_of(Arena *a, const Made *m, unsigned number)
{
    char card[19], text[700];
    int month = m->swapped ? m->day : m->month, day = m->swapped ? m->month : m->day;
    snprintf(card, sizeof card, "110105%04d%02d%02d%03u", m->year, m->month, m->day,
             (number * 2 + m->male) % 1000);
    card[17] = fhir_card_check_digit(card);
    card[18] = 0;
    int n = snprintf(text, sizeof text,
                     "{\"resourceType\":\"Patient\",\"name\":[{\"text\":\"%s%s%s\"}],\"birthDate\":"
                     "\"%04d-%02d-%02d\","
                     "\"gender\":\"%s\"",
                     FAMILY[m->family], GIVEN[m->first][m->homophone],
                     m->second ? GIVEN[m->second][0] : "", m->year, month, day,
                     m->male ? "male" : "female");
    if (!m->no_card) {
        n += snprintf(text + n, sizeof text - (size_t)n,
                      ",\"identifier\":[{\"system\":\"%s\",\"value\":\"%s\"}]", FHIR_CARD_SYSTEM,
                      card);
    }
    if (!m->no_phone) {
        n += snprintf(text + n, sizeof text - (size_t)n,
                      ",\"telecom\":[{\"system\":\"phone\",\"value\":\"138%08u\"}]", m->phone);
    }
    if (!m->no_address) {
        n += snprintf(text + n, sizeof text - (size_t)n,
                      ",\"address\":[{\"text\":\"柳河镇北村%d号\"}]", m->house);
    }
    snprintf(text + n, sizeof text - (size_t)n, "}");
    JsonDoc *d = arena_new(a, JsonDoc);
    assert_int_equal(json_parse(a, arena_str(a, str_from_c(text)), &JSON_LIMITS_FHIR, d, NULL), OK);
    return care_person_new(a, d, JSON_ROOT);
}

static void test_precision_and_recall(void **state)
{
    (void)state;
    Arena a;
    Random r;
    const CarePerson *one[PEOPLE], *two[PEOPLE];
    unsigned right = 0, wrong = 0, offered = 0, twice = 0;
    arena_init(&a, 0);
    random_init_seed(&r, 20261122);
    for (unsigned i = 0; i < PEOPLE; i++) {
        Made m = made_person(&r), again = made_twice(&r, m);
        one[i] = person_of(&a, &m, i);
        two[i] = i % 2 ? person_of(&a, &again, i) : NULL;
    }
    for (unsigned i = 0; i < PEOPLE; i++) {
        for (unsigned k = 0; two[i] && k < PEOPLE; k++) {
            CareGrade grade = care_match(two[i], one[k]).grade;
            right += i == k && grade >= CARE_GRADE_PROBABLE;
            offered += i == k && grade >= CARE_GRADE_POSSIBLE;
            wrong += i != k && grade >= CARE_GRADE_PROBABLE;
            twice += i == k;
        }
    }
    double precision = (double)right / (right + wrong), recall = (double)right / twice;
    print_message("# made set of %u: precision %.3f, recall %.3f, offered at all %.3f\n", twice,
                  precision, recall, (double)offered / twice);
    assert_true(precision >= 0.99);
    assert_true(recall >= 0.9);
    assert_true((double)offered / twice >= 0.98);
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_precision_and_recall)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
