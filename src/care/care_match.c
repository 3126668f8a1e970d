#include "care_match.h"

#include <math.h>

#include "care_id.h"
#include "care_name.h"
#include "fhir_pinyin.h"

#define NAMES_MAX       4
#define IDENTIFIERS_MAX 16
#define PHONES_MAX      8

struct CarePerson {
    Arena *arena;
    Str name[NAMES_MAX]; /* without blanks and dots, Latin letters in lower case */
    Str *sound[NAMES_MAX];
    size_t sounds[NAMES_MAX];
    unsigned names;
    Str system[IDENTIFIERS_MAX], value[IDENTIFIERS_MAX];
    unsigned identifiers;
    Str card; /* 18 characters, or empty */
    DateTime birth;
    bool has_birth;
    Str gender;
    Str phone[PHONES_MAX]; /* digits alone, without +86 */
    unsigned phones;
    Str address;
};

/* Weights in bits: log2 of how much likelier the finding is for one person than for two. */
static const double NAME_SAME = 6, NAME_SOUNDS = 4, NAME_NEAR = 1.5, NAME_OTHER = -5;
static const double BIRTH_SAME = 8, BIRTH_NEAR = 2, BIRTH_MONTH = 4, BIRTH_YEAR = 2,
                    BIRTH_OTHER = -6;
static const double SEX_SAME = 1, SEX_OTHER = -4;
static const double PHONE_SAME = 6, PHONE_OTHER = -0.5;
static const double ADDRESS_SAME = 4, ADDRESS_NEAR = 2, ADDRESS_OTHER = -1;
static const double PROBABLE_FROM = 12, POSSIBLE_FROM = 6;

/* --- reading a Patient --- */

/* Letters and characters only: what people write differently is left out. */
static Str name_plain(Arena *a, Str s)
{
    char *out = arena_alloc(a, s.n + 1);
    size_t n = 0;
    for (size_t at = 0; at < s.n;) {
        size_t from = at;
        uint32_t cp = utf8_next(s, &at);
        bool skip = cp <= ' ' || cp == '.' || cp == '-' || cp == 0x00B7 || cp == 0x2022 ||
                    cp == 0x30FB || cp == 0x3000;
        if (!skip) {
            memcpy(out + n, s.p + from, at - from);
            out[n] = cp >= 'A' && cp <= 'Z' ? (char)(cp + 32) : out[n];
            n += at - from;
        }
    }
    return (Str){out, n};
}

static void read_names(CarePerson *p, const JsonDoc *d, JsonRef patient)
{
    for (JsonIter it = json_iter(d, json_get_c(d, patient, "name"));
         json_next(&it) && p->names < NAMES_MAX;) {
        Str text = care_name_text(p->arena, d, it.value);
        Str plain = name_plain(p->arena, text);
        if (plain.n) {
            fhir_pinyin_full(p->arena, text, &p->sound[p->names], &p->sounds[p->names]);
            p->name[p->names++] = plain;
        }
    }
}

static void read_identifiers(CarePerson *p, const JsonDoc *d, JsonRef patient)
{
    JsonIter it = json_iter(d, json_get_c(d, patient, "identifier"));
    while (json_next(&it) && p->identifiers < IDENTIFIERS_MAX) {
        Str system = json_str(d, json_get_c(d, it.value, "system"));
        Str value = str_trim(json_str(d, json_get_c(d, it.value, "value")));
        if (!system.n || !value.n) {
            continue;
        }
        FhirCard card;
        value = arena_str(p->arena, fhir_card_key(system, value, &card));
        p->card = str_is(system, FHIR_CARD_SYSTEM) ? value : p->card;
        p->system[p->identifiers] = system;
        p->value[p->identifiers++] = value;
    }
}

static Str phone_plain(Arena *a, Str s)
{
    char *out = arena_alloc(a, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] >= '0' && s.p[i] <= '9') {
            out[n++] = s.p[i];
        }
    }
    Str digits = {out, n};
    return n == 13 && str_starts(digits, STR("86")) ? str_skip(digits, 2) : digits;
}

static void read_phones(CarePerson *p, const JsonDoc *d, JsonRef patient)
{
    for (JsonIter it = json_iter(d, json_get_c(d, patient, "telecom"));
         json_next(&it) && p->phones < PHONES_MAX;) {
        Str system = json_str(d, json_get_c(d, it.value, "system"));
        Str value = phone_plain(p->arena, json_str(d, json_get_c(d, it.value, "value")));
        if (value.n >= 7 && (str_is(system, "phone") || str_is(system, "sms") || !system.n)) {
            p->phone[p->phones++] = value;
        }
    }
}

static Str address_plain(Arena *a, const JsonDoc *d, JsonRef address)
{
    static const char *const PARTS[] = {"state", "city", "district"};
    Str text = json_str(d, json_get_c(d, address, "text"));
    if (text.n) {
        return name_plain(a, text);
    }
    for (size_t i = 0; i < 3; i++) {
        text = arena_cat(a, text, json_str(d, json_get_c(d, address, PARTS[i])));
    }
    for (JsonIter it = json_iter(d, json_get_c(d, address, "line")); json_next(&it);) {
        text = arena_cat(a, text, json_str(d, it.value));
    }
    return name_plain(a, text);
}

CarePerson *care_person_new(Arena *a, const JsonDoc *d, JsonRef patient)
{
    CarePerson *p = arena_new(a, CarePerson);
    p->arena = a;
    read_names(p, d, patient);
    read_identifiers(p, d, patient);
    read_phones(p, d, patient);
    p->has_birth = datetime_parse(json_str(d, json_get_c(d, patient, "birthDate")), &p->birth);
    p->gender = json_str(d, json_get_c(d, patient, "gender"));
    p->address = address_plain(a, d, json_item(d, json_get_c(d, patient, "address"), 0));
    return p;
}

/* --- weighing --- */

/* How many characters differ between texts of equal count; -1 if the counts differ. */
static int characters_differ(Str a, Str b)
{
    size_t i = 0, k = 0;
    int n = 0;
    while (i < a.n && k < b.n) {
        n += utf8_next(a, &i) != utf8_next(b, &k);
    }
    return i == a.n && k == b.n ? n : -1;
}

static bool sounds_same(const CarePerson *a, unsigned i, const CarePerson *b, unsigned k)
{
    bool same = false;
    for (size_t x = 0; x < a->sounds[i] && !same; x++) {
        for (size_t y = 0; y < b->sounds[k] && !same; y++) {
            same = str_eq(a->sound[i][x], b->sound[k][y]);
        }
    }
    return same;
}

static double name_weight_pair(const CarePerson *a, unsigned i, const CarePerson *b, unsigned k)
{
    if (str_eq(a->name[i], b->name[k])) {
        return NAME_SAME;
    }
    if (sounds_same(a, i, b, k)) {
        return NAME_SOUNDS;
    }
    bool long_enough = utf8_count(a->name[i]) >= 3;
    return long_enough && characters_differ(a->name[i], b->name[k]) == 1 ? NAME_NEAR : NAME_OTHER;
}

/* The best of all pairs of names; 0 when a side has none. */
static double name_weight(const CarePerson *a, const CarePerson *b)
{
    double best = a->names && b->names ? NAME_OTHER : 0;
    for (unsigned i = 0; i < a->names; i++) {
        for (unsigned k = 0; k < b->names; k++) {
            best = fmax(best, name_weight_pair(a, i, b, k));
        }
    }
    return best;
}

/* One digit wrong, or day and month exchanged: what happens at a counter. */
static bool birth_near(const DateTime *a, const DateTime *b)
{
    int x = a->year * 10000 + a->month * 100 + a->day,
        y = b->year * 10000 + b->month * 100 + b->day, wrong = 0;
    for (int i = 0; i < 8; i++, x /= 10, y /= 10) {
        wrong += x % 10 != y % 10;
    }
    return wrong == 1 || (a->year == b->year && a->month == b->day && a->day == b->month);
}

static double birth_weight(const CarePerson *p, const CarePerson *q)
{
    const DateTime *a = &p->birth, *b = &q->birth;
    if (!p->has_birth || !q->has_birth) {
        return 0;
    }
    DatePrecision common = a->precision < b->precision ? a->precision : b->precision;
    if (common >= DATE_DAY) {
        bool same = a->year == b->year && a->month == b->month && a->day == b->day;
        return same ? BIRTH_SAME : birth_near(a, b) ? BIRTH_NEAR : BIRTH_OTHER;
    }
    bool same = a->year == b->year && (common == DATE_YEAR || a->month == b->month);
    return !same ? BIRTH_OTHER : common == DATE_YEAR ? BIRTH_YEAR : BIRTH_MONTH;
}

static double sex_weight(const CarePerson *a, const CarePerson *b)
{
    bool known = (str_is(a->gender, "male") || str_is(a->gender, "female")) &&
                 (str_is(b->gender, "male") || str_is(b->gender, "female"));
    return !known ? 0 : str_eq(a->gender, b->gender) ? SEX_SAME : SEX_OTHER;
}

static double phone_weight(const CarePerson *a, const CarePerson *b)
{
    double weight = a->phones && b->phones ? PHONE_OTHER : 0;
    for (unsigned i = 0; i < a->phones; i++) {
        for (unsigned k = 0; k < b->phones; k++) {
            weight = str_eq(a->phone[i], b->phone[k]) ? PHONE_SAME : weight;
        }
    }
    return weight;
}

/* Share of a's pairs of neighbouring characters that also stand in b. */
static double pairs_shared(Str a, Str b)
{
    size_t at = 0, from = 0, middle = 0;
    int pairs = 0, shared = 0;
    utf8_next(a, &at);
    middle = at;
    while (at < a.n) {
        utf8_next(a, &at);
        shared += str_find(b, (Str){a.p + from, at - from}) >= 0;
        pairs++;
        from = middle;
        middle = at;
    }
    return pairs ? (double)shared / pairs : str_eq(a, b);
}

static double address_weight(const CarePerson *a, const CarePerson *b)
{
    if (!a->address.n || !b->address.n) {
        return 0;
    }
    Str x = str_take(a->address, 300), y = str_take(b->address, 300);
    double shared = (pairs_shared(x, y) + pairs_shared(y, x)) / 2;
    return shared >= 0.8   ? ADDRESS_SAME
           : shared >= 0.5 ? ADDRESS_NEAR
           : shared < 0.2  ? ADDRESS_OTHER
                           : 0;
}

/* --- deciding --- */

static bool identifier_shared(const CarePerson *a, const CarePerson *b)
{
    bool shared = false;
    for (unsigned i = 0; i < a->identifiers && !shared; i++) {
        for (unsigned k = 0; k < b->identifiers && !shared; k++) {
            shared = str_eq(a->system[i], b->system[k]) && str_eq(a->value[i], b->value[k]);
        }
    }
    return shared;
}

/* A borrowed or mistyped number: everything else says somebody else. */
static bool contradicts(double name, double birth, double sex)
{
    return (name == NAME_OTHER) + (birth == BIRTH_OTHER) + (sex == SEX_OTHER) >= 2;
}

static CareGrade grade_of(const CarePerson *a, const CarePerson *b, double weight, double name)
{
    bool cards_differ = a->card.n && b->card.n && !str_eq(a->card, b->card);
    bool mistyped =
        cards_differ && characters_differ(a->card, b->card) <= 2 && a->card.n == b->card.n;
    CareGrade grade = weight >= PROBABLE_FROM && name >= NAME_SOUNDS ? CARE_GRADE_PROBABLE
                      : weight >= POSSIBLE_FROM                      ? CARE_GRADE_POSSIBLE
                                                                     : CARE_GRADE_NOT;
    if (cards_differ) {
        return mistyped && grade == CARE_GRADE_PROBABLE ? CARE_GRADE_POSSIBLE : CARE_GRADE_NOT;
    }
    return grade;
}

CareMatch care_match(const CarePerson *wanted, const CarePerson *found)
{
    double name = name_weight(wanted, found), birth = birth_weight(wanted, found);
    double sex = sex_weight(wanted, found);
    double weight =
        name + birth + sex + phone_weight(wanted, found) + address_weight(wanted, found);
    double score = 1 / (1 + exp2(PROBABLE_FROM / 2 - weight));
    if (identifier_shared(wanted, found)) {
        bool doubtful = contradicts(name, birth, sex);
        return (CareMatch){doubtful ? CARE_GRADE_PROBABLE : CARE_GRADE_CERTAIN, doubtful ? 0.9 : 1};
    }
    CareGrade grade = grade_of(wanted, found, weight, name);
    return (CareMatch){grade, grade == CARE_GRADE_NOT ? fmin(score, 0.1) : fmin(score, 0.99)};
}

const char *care_grade_code(CareGrade grade)
{
    static const char *const CODE[] = {"certainly-not", "possible", "probable", "certain"};
    return CODE[grade];
}
