#include "store_label.h"

#include "mk_banned.h"

typedef struct LabelRow {
    const char *name, *system, *codes;
} LabelRow;

static const LabelRow LABELS[] = {
#define LABEL(name, system, codes) {#name, system, codes},
#include "store_labels.def"
#undef LABEL
};

static bool names_code(const char *codes, Str code)
{
    for (Str rest = str_from_c(codes), one; !str_empty(rest);) {
        str_cut(rest, ' ', &one, &rest);
        if (str_eq(one, code)) {
            return true;
        }
    }
    return false;
}

unsigned store_labels_of(const JsonDoc *d)
{
    unsigned labels = 0;
    for (JsonIter it = json_iter(d, json_at(d, JSON_ROOT, "meta.security")); json_next(&it);) {
        Str system = json_str_at(d, it.value, "system"), code = json_str_at(d, it.value, "code");
        for (unsigned i = 0; i < STORE_LABELS; i++) {
            if (str_is(system, LABELS[i].system) && names_code(LABELS[i].codes, code)) {
                labels |= 1u << i;
            }
        }
    }
    return labels;
}

Str store_labels_text(Arena *a, unsigned labels)
{
    Str text = STR_NONE;
    for (unsigned i = 0; i < STORE_LABELS; i++) {
        if (labels >> i & 1) {
            text = arena_cat(a, text, STR("!"), str_from_c(LABELS[i].name), STR(" "));
        }
    }
    return text;
}

unsigned store_labels_cut(Str *text, bool *ret_unknown)
{
    unsigned labels = 0;
    *ret_unknown = false;
    while (text->n && text->p[0] == '!') {
        Str name;
        unsigned i = 0;
        str_cut(str_skip(*text, 1), ' ', &name, text);
        while (i < STORE_LABELS && !str_is(name, LABELS[i].name)) {
            i++;
        }
        *ret_unknown = *ret_unknown || i == STORE_LABELS;
        labels |= i < STORE_LABELS ? 1u << i : 0;
    }
    return labels;
}

Str store_labels_digest(Arena *a)
{
    Str parts[STORE_LABELS * 3];
    for (unsigned i = 0; i < STORE_LABELS; i++) {
        parts[3 * i] = arena_cat(a, str_from_c(LABELS[i].name), STR("|"));
        parts[3 * i + 1] = arena_cat(a, str_from_c(LABELS[i].system), STR("|"));
        parts[3 * i + 2] = arena_cat(a, str_from_c(LABELS[i].codes), STR("|"));
    }
    Sha256 sum = sha256_parts(parts, sizeof parts / sizeof *parts);
    return hex_encode(a, sum.b, sizeof sum.b);
}
