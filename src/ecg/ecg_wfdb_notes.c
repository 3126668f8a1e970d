/* What the comments of a WFDB header say of the patient. */
#include "ecg_wfdb.h"

/* What stands behind `key` in a comment ("age: 81", "<age>: 25  <sex>: M"); empty if nothing. */
static Str note_value(Str note, const char *key)
{
    for (Str rest = note, head; rest.n > 0;) {
        if (!str_cut(rest, ':', &head, &rest)) {
            break;
        }
        Str k = str_trim(head), name = str_from_c(key);
        while (k.n > 0 && (k.p[k.n - 1] == '>' || k.p[k.n - 1] == ' ')) {
            k.n--;
        }
        bool ends = k.n >= name.n && str_eq_nocase(str_skip(k, k.n - name.n), name);
        bool whole = ends && (k.n == name.n || k.p[k.n - name.n - 1] == '<');
        Str value = str_trim(rest), word, more;
        if (whole && str_cut(value, ' ', &word, &more)) {
            return word;
        }
        if (whole) {
            return value;
        }
    }
    return STR_NONE;
}

static EcgSex sex_from(Str s)
{
    if (str_eq_nocase(s, STR("m")) || str_eq_nocase(s, STR("male"))) {
        return ECG_SEX_MALE;
    }
    bool female = str_eq_nocase(s, STR("f")) || str_eq_nocase(s, STR("female"));
    return female ? ECG_SEX_FEMALE : ECG_SEX_UNKNOWN;
}

static void age_take(EcgPatient *p, Str text)
{
    int64_t age;
    if (p->age == 0 && str_to_i64(text, &age) && age > 0 && age <= 150) {
        p->age = (int)age;
        p->age_unit = 'a';
    }
}

/* Comments have no fixed form; three spellings are common: PTB's and PhysioNet's keys, and
 * MIT-BIH's "69 M …" in the first comment behind the signals. */
void ecg_wfdb_patient(const Wfdb *w, EcgPatient *p)
{
    for (size_t i = 0; i < w->n_notes; i++) {
        age_take(p, note_value(w->note[i], "age"));
        EcgSex sex = sex_from(note_value(w->note[i], "sex"));
        p->sex = p->sex == ECG_SEX_UNKNOWN ? sex : p->sex;
        Str age, rest, word, more;
        if (str_cut(w->note[i], ' ', &age, &rest)) {
            str_cut(rest, ' ', &word, &more);
            if (p->age == 0 && word.n == 1 && sex_from(word) != ECG_SEX_UNKNOWN) {
                age_take(p, age);
                p->sex = p->age > 0 ? sex_from(word) : p->sex;
            }
        }
    }
}
