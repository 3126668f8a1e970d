#include "fhir_pinyin.h"

#include "fhir_pinyin_rows.h"

#define UNITS_MAX    16 /* characters, or words of Latin letters, of one name */
#define READINGS_MAX 8
#define FULL_MAX     48 /* the rest of FHIR_PINYIN_KEYS_MAX is for initials */
#define KEY_BYTES    128

/* A character or a Latin word, with its readings, likeliest first. */
typedef struct Unit {
    Str reading[READINGS_MAX];
    unsigned n;
} Unit;

typedef struct Name {
    Arena *arena;
    Unit unit[UNITS_MAX];
    unsigned n;
} Name;

static Str readings_of(uint32_t cp)
{
    unsigned lo = 0, hi = fhir_pinyin_count;
    while (lo < hi) {
        unsigned mid = lo + (hi - lo) / 2;
        if (fhir_pinyin_chars[mid] < cp) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    bool found = lo < fhir_pinyin_count && fhir_pinyin_chars[lo] == cp;
    return found ? str_from_c(fhir_pinyin_readings_of[fhir_pinyin_sets[lo]]) : STR_NONE;
}

/* --- reading a name --- */

static void unit_add_reading(Unit *u, Str reading)
{
    for (unsigned i = 0; i < u->n; i++) {
        if (str_eq(u->reading[i], reading)) {
            return;
        }
    }
    if (u->n < READINGS_MAX && reading.n) {
        u->reading[u->n++] = reading;
    }
}

static void unit_add_readings(Unit *u, Str list)
{
    Str one;
    while (list.n) {
        str_cut(list, ',', &one, &list);
        unit_add_reading(u, one);
    }
}

/* ASCII letter or digit in lower case, also of the full-width block; 0 otherwise. */
static char latin_of(uint32_t cp)
{
    if (cp >= 0xFF01 && cp <= 0xFF5E) {
        cp -= 0xFEE0;
    }
    if (cp >= 'A' && cp <= 'Z') {
        cp += 'a' - 'A';
    }
    return (cp >= 'a' && cp <= 'z') || (cp >= '0' && cp <= '9') ? (char)cp : 0;
}

static Str latin_word(Arena *a, Str name, size_t *at)
{
    char word[KEY_BYTES / 2];
    size_t n = 0;
    while (*at < name.n) {
        size_t next = *at;
        char c = latin_of(utf8_next(name, &next));
        if (!c) {
            break;
        }
        if (n < sizeof word) {
            word[n++] = c;
        }
        *at = next;
    }
    return arena_str(a, (Str){word, n});
}

/* The longest surname that the name begins with; its readings go first. */
static const FhirPinyinSurname *surname_of(Str name)
{
    const FhirPinyinSurname *found = NULL;
    for (unsigned i = 0; i < fhir_pinyin_surname_count; i++) {
        const FhirPinyinSurname *s = &fhir_pinyin_surnames[i];
        if (str_starts(name, str_from_c(s->name)) &&
            (!found || strlen(s->name) > strlen(found->name))) {
            found = s;
        }
    }
    return found;
}

static void name_read(Name *x, Str name)
{
    const FhirPinyinSurname *surname = surname_of(name);
    Str first = surname ? str_from_c(surname->readings) : STR_NONE, one;
    for (size_t at = 0; at < name.n && x->n < UNITS_MAX;) {
        size_t next = at;
        uint32_t cp = utf8_next(name, &next);
        Unit *u = &x->unit[x->n];
        if (latin_of(cp)) {
            unit_add_reading(u, latin_word(x->arena, name, &at));
            x->n++;
            continue;
        }
        at = next;
        if (first.n) {
            str_cut(first, ',', &one, &first);
            unit_add_reading(u, one);
        }
        unit_add_readings(u, readings_of(cp));
        x->n += u->n > 0;
    }
}

/* --- combining --- */

typedef struct Keys {
    Arena *arena;
    Str *list;
    size_t n, max;
} Keys;

static void key_add(Keys *k, Str key)
{
    for (size_t i = 0; i < k->n; i++) {
        if (str_eq(k->list[i], key)) {
            return;
        }
    }
    k->list[k->n++] = arena_str(k->arena, key);
}

/* Ranks that the units from i on can still take up. */
static unsigned ranks_left(const Name *x, unsigned i)
{
    unsigned sum = 0;
    for (; i < x->n; i++) {
        sum += x->unit[i].n - 1;
    }
    return sum;
}

/* Every combination whose ranks add up to `rank`: 0 is the likeliest of all. */
static void combine(const Name *x, Keys *k, unsigned i, unsigned rank, char *key, size_t n)
{
    if (i == x->n) {
        key_add(k, (Str){key, n});
        return;
    }
    unsigned left = ranks_left(x, i + 1);
    for (unsigned r = 0; r < x->unit[i].n && r <= rank && k->n < k->max; r++) {
        Str reading = x->unit[i].reading[r];
        if (rank - r <= left && n + reading.n <= KEY_BYTES) {
            memcpy(key + n, reading.p, reading.n);
            combine(x, k, i + 1, rank - r, key, n + reading.n);
        }
    }
}

static void combine_all(const Name *x, Keys *k, size_t max)
{
    char key[KEY_BYTES];
    unsigned most = ranks_left(x, 0);
    k->max = max;
    for (unsigned rank = 0; rank <= most && k->n < k->max; rank++) {
        combine(x, k, 0, rank, key, 0);
    }
}

static void initials_of(const Name *x, Name *ret)
{
    ret->arena = x->arena;
    ret->n = x->n;
    for (unsigned i = 0; i < x->n; i++) {
        for (unsigned r = 0; r < x->unit[i].n; r++) {
            unit_add_reading(&ret->unit[i], str_take(x->unit[i].reading[r], 1));
        }
    }
}

static void keys_make(Arena *a, Str name, bool with_initials, Str **ret_keys, size_t *ret_n)
{
    Name full = {.arena = a}, initials = {0};
    Keys keys = {.arena = a, .list = arena_array(a, Str, FHIR_PINYIN_KEYS_MAX)};
    name_read(&full, str_trim(name));
    if (full.n) {
        combine_all(&full, &keys, FULL_MAX);
    }
    if (full.n && with_initials) {
        initials_of(&full, &initials);
        combine_all(&initials, &keys, FHIR_PINYIN_KEYS_MAX);
    }
    *ret_keys = keys.list;
    *ret_n = keys.n;
}

void fhir_pinyin_keys(Arena *a, Str name, Str **ret_keys, size_t *ret_n)
{
    keys_make(a, name, true, ret_keys, ret_n);
}

void fhir_pinyin_full(Arena *a, Str name, Str **ret_keys, size_t *ret_n)
{
    keys_make(a, name, false, ret_keys, ret_n);
}
