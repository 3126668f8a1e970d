/* Languages asked for, and the words a concept has in them. */
#include "fhir_term_inner.h"

/* ---- languages --------------------------------------------------------------------------------
 */

static bool tag_ok(Str tag)
{
    for (size_t i = 0; i < tag.n; i++) {
        char c = tag.p[i], low = (char)(c | 0x20);
        if (!(low >= 'a' && low <= 'z') && !(i > 0 && ((c >= '0' && c <= '9') || c == '-'))) {
            return false;
        }
    }
    return tag.n > 1;
}

bool term_langs_parse(Str text, TermLangs *ret)
{
    *ret = (TermLangs){.raw = text};
    Str part, rest = str_trim(text), tag, weight;
    for (bool more = rest.n > 0; more;) {
        more = str_cut(rest, ',', &part, &rest);
        bool weighted = str_cut(str_trim(part), ';', &tag, &weight);
        tag = str_trim(tag);
        bool none =
            weighted && (str_is(str_trim(weight), "q=0") || str_is(str_trim(weight), "q=0.0"));
        if (str_is(tag, "*")) {
            ret->only = none;
        } else if (!tag_ok(tag)) {
            return false;
        } else if (!none && ret->n < TERM_LANGS_MAX) {
            ret->tag[ret->n++] = tag;
        }
    }
    return true;
}

static bool narrows(Str wide, Str tag)
{
    return tag.n > wide.n && tag.p[wide.n] == '-' && str_eq_nocase(str_take(tag, wide.n), wide);
}

static bool term_lang_fits(Str wanted, Str have)
{
    return str_eq_nocase(wanted, have) || narrows(wanted, have) || narrows(have, wanted);
}

/* A word without a language will do in any. */
static bool word_fits(const TermWord *w, const TermLangs *langs)
{
    bool fits = !langs || langs->n == 0 || str_empty(w->lang);
    for (size_t i = 0; !fits && i < langs->n; i++) {
        fits = term_lang_fits(langs->tag[i], w->lang);
    }
    return fits;
}

/* ---- words --------------------------------------------------------------------------------------
 */

void term_words_add(Arena *a, TermWords *w, TermWord word)
{
    TermWord *made = arena_new(a, TermWord);
    *made = word;
    if (w->last) {
        w->last->next = made;
    } else {
        w->first = made;
    }
    w->last = made;
}

static const TermWord *word_in(const TermWords *w, Str lang, bool exactly)
{
    const TermWord *found = NULL;
    for (const TermWord *x = w->first; x; x = x->next) {
        bool fits =
            exactly ? str_eq_nocase(x->lang, lang) : x->lang.n && term_lang_fits(lang, x->lang);
        if (x->display && !x->inactive && x->value.n && fits &&
            (!found || (x->base && !found->base))) {
            found = x;
        }
    }
    return found;
}

const TermWord *term_words_best(const TermWords *w, const TermLangs *langs)
{
    for (size_t i = 0; langs && i < langs->n; i++) {
        const TermWord *x = word_in(w, langs->tag[i], true);
        x = x ? x : word_in(w, langs->tag[i], false);
        if (x) {
            return x;
        }
    }
    const TermWord *base = NULL;
    for (const TermWord *x = w->first; x; x = x->next) {
        if (x->base && x->value.n && (!base || (str_empty(base->lang) && x->lang.n))) {
            base = x;
        }
    }
    return base && langs && langs->only && base->lang.n ? NULL : base;
}

static bool same_but_spaces(Str a, Str b)
{
    a = str_trim(a);
    b = str_trim(b);
    size_t i = 0, k = 0;
    while (i < a.n && k < b.n) {
        bool ga = false, gb = false;
        for (; i < a.n && strchr(" \t\r\n", a.p[i]); i++) {
            ga = true;
        }
        for (; k < b.n && strchr(" \t\r\n", b.p[k]); k++) {
            gb = true;
        }
        if (ga != gb || !str_eq_nocase((Str){a.p + i, 1}, (Str){b.p + k, 1})) {
            return false;
        }
        i++;
        k++;
    }
    return i == a.n && k == b.n;
}

TermFit term_words_fit(const TermWords *w, const TermLangs *langs, Str display, bool active)
{
    TermFit fit = TERM_FIT_NO;
    for (const TermWord *x = w->first; x && fit != TERM_FIT_YES; x = x->next) {
        if (!x->display || (active && x->inactive) || !word_fits(x, langs)) {
            continue;
        }
        if (str_eq_nocase(x->value, display)) {
            fit = TERM_FIT_YES;
        } else if (same_but_spaces(x->value, display)) {
            fit = TERM_FIT_SPACES;
        }
    }
    return fit;
}

static bool is_choice(const TermWords *w, const TermWord *x, const TermLangs *langs)
{
    if (!x->display || x->inactive || str_empty(x->value) || !word_fits(x, langs)) {
        return false;
    }
    for (const TermWord *y = w->first; y != x; y = y->next) {
        if (y->display && !y->inactive && word_fits(y, langs) && str_eq(y->value, x->value) &&
            str_eq(y->lang, x->lang)) {
            return false;
        }
    }
    return true;
}

size_t term_words_count(const TermWords *w, const TermLangs *langs)
{
    size_t n = 0;
    for (const TermWord *x = w->first; x; x = x->next) {
        n += is_choice(w, x, langs);
    }
    return n;
}

Str term_words_list(Arena *a, const TermWords *w, const TermLangs *langs)
{
    Buf out;
    buf_init(&out, 0);
    size_t left = term_words_count(w, langs);
    for (const TermWord *x = w->first; x; x = x->next) {
        if (!is_choice(w, x, langs)) {
            continue;
        }
        buf_char(&out, '\'');
        buf_add(&out, x->value);
        buf_char(&out, '\'');
        if (x->lang.n) {
            buf_printf(&out, " (%.*s)", STR_ARG(x->lang));
        }
        left--;
        buf_c(&out, left > 1 ? ", " : left == 1 ? " or " : "");
    }
    return buf_take(&out, a);
}
