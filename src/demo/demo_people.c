/* One resident by chance: name, birthday, card, telephone. */
#include "demo_inner.h"

#include "fhir_card.h"

static const struct {
    const char *text;
    int weight;
} SURNAMES[] = {
#define SURNAME(text, weight) {text, weight},
#define GIVEN(text, sex)
#define TOWN(text)
#define VILLAGE(text)
#include "demo_names.def"
#undef SURNAME
#undef GIVEN
};

static const struct {
    const char *text;
    char sex;
} GIVENS[] = {
#define SURNAME(text, weight)
#define GIVEN(text, sex) {text, sex},
#include "demo_names.def"
#undef SURNAME
#undef GIVEN
#undef TOWN
#undef VILLAGE
};

/* Share of residents by decade of age, per mille: an ageing county. */
static const int AGE_DECADES[] = {95, 105, 95, 130, 140, 165, 140, 90, 35, 5};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static Str surname_pick(Random *r)
{
    int all = 0;
    for (size_t i = 0; i < COUNT(SURNAMES); i++) {
        all += SURNAMES[i].weight;
    }
    int at = (int)random_below(r, (uint64_t)all);
    for (size_t i = 0; i < COUNT(SURNAMES); i++) {
        at -= SURNAMES[i].weight;
        if (at < 0) {
            return str_from_c(SURNAMES[i].text);
        }
    }
    return STR("王");
}

static Str given_pick(Random *r, bool female)
{
    for (;;) {
        size_t i = (size_t)random_below(r, COUNT(GIVENS));
        if (GIVENS[i].sex == 'b' || (GIVENS[i].sex == 'f') == female) {
            return str_from_c(GIVENS[i].text);
        }
    }
}

Str demo_name(Arena *a, Random *r, bool female)
{
    Str family = surname_pick(r);
    Str given = given_pick(r, female);
    return arena_cat(a, family, given);
}

static int age_pick(Random *r)
{
    int at = (int)random_below(r, 1000);
    for (size_t decade = 0; decade < COUNT(AGE_DECADES); decade++) {
        at -= AGE_DECADES[decade];
        if (at < 0) {
            return (int)(decade * 10 + random_below(r, 10));
        }
    }
    return 40;
}

Str demo_card(Arena *a, const DemoBirth *b)
{
    char digits[24];
    snprintf(digits, sizeof digits, DEMO_REGION "%04d%02d%02d%03d", b->year, b->month, b->day,
             b->serial);
    digits[17] = fhir_card_check_digit(digits);
    return arena_str(a, (Str){digits, 18});
}

DemoBirth demo_birth(Arena *a, Random *r, int64_t now_ms)
{
    DemoBirth b = {0};
    b.female = random_below(r, 1000) < 490;
    b.family = surname_pick(r);
    b.given = given_pick(r, b.female);
    b.name = arena_cat(a, b.family, b.given);
    int64_t days = now_ms / MS_DAY - age_pick(r) * 365LL - (int64_t)random_below(r, 365) - 1;
    civil_from_days(days, &b.year, &b.month, &b.day);
    bool newborn = days > now_ms / MS_DAY - 60;
    b.serial = newborn ? -1 : (int)random_below(r, 500) * 2 + (b.female ? 0 : 1);
    b.card = newborn ? STR_NONE : demo_card(a, &b);
    b.phone = arena_printf(a, "12%09llu", (unsigned long long)random_below(r, 1000000000ULL));
    return b;
}
