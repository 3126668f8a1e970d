/* Whether the name that came with a code is one of its names. */
#include "fhir_term_inner.h"

typedef struct Display {
    FhirTerm *t;
    const TermWords *words;
    Str url, code, display; /* as given */
    TermLangs own;          /* the code system's language */
} Display;

static Str langs_text(const FhirTerm *t)
{
    return t->langs.raw.n ? t->langs.raw : STR("--");
}

static TermMessage display_wrong(const Display *x, TermFit fit, size_t choices, Str *ret_text)
{
    FhirTerm *t = x->t;
    bool spaces = fit == TERM_FIT_SPACES;
    TermMessage m = choices == 1 ? spaces ? TERM_SAY_DISPLAY_SPACES : TERM_SAY_DISPLAY_WRONG
                    : spaces     ? TERM_SAY_DISPLAY_SPACES_SEVERAL
                                 : TERM_SAY_DISPLAY_WRONG_SEVERAL;
    Str list = term_words_list(t->arena, x->words, &t->langs);
    *ret_text = term_text(t, m,
                          TERM_STR_LIST(x->display, x->url, x->code, list, langs_text(t),
                                        arena_printf(t->arena, "%zu", choices)));
    return m;
}

/* No word in the languages asked for: the code system's own language then says what is right. */
static TermMessage display_foreign(const Display *x, Severity *severity, Str *ret_text)
{
    FhirTerm *t = x->t;
    const TermWord *base = term_words_best(x->words, NULL);
    TermMessage m = TERM_SAY_DISPLAY_WRONG_LANG;
    if (!base) {
        m = TERM_SAY_DISPLAY_NONE;
        *severity = SEVERITY_WARNING;
    } else if (term_words_fit(x->words, &x->own, x->display, true) == TERM_FIT_YES) {
        m = TERM_SAY_DISPLAY_OTHER_LANG;
        *severity = SEVERITY_INFORMATION;
    }
    *ret_text = term_text(
        t, m,
        TERM_STR_LIST(x->display, x->url, x->code, base ? base->value : STR_NONE, langs_text(t)));
    return m;
}

static Str display_retired(const Display *x)
{
    const TermWord *best = term_words_best(x->words, &x->own);
    Str right = best ? arena_cat(x->t->arena, STR("\""), best->value, STR("\"")) : STR_NONE;
    return TERM_SAY(x->t, DISPLAY_INACTIVE, x->display, x->code, right, STR("deprecated"));
}

void term_display_check(TermCheck *k, bool lenient, Str code, Str display)
{
    FhirTerm *t = k->t;
    if (str_empty(display) || !k->system) {
        return;
    }
    const TermWords *w = &k->words;
    Display x = {.t = t, .words = w, .url = k->system->url, .code = code, .display = display};
    x.own = (TermLangs){.n = w->base_lang.n ? 1 : 0, .tag = {w->base_lang}};
    TermIssue issue = {.severity = SEVERITY_WARNING,
                       .code = "invalid",
                       .kind = "display-comment",
                       .message = TERM_SAY_DISPLAY_INACTIVE,
                       .path = term_check_path(k, "display")};
    TermFit fit = term_words_fit(w, &t->langs, display, false);
    if (fit == TERM_FIT_YES) {
        if (term_words_fit(w, &t->langs, display, true) != TERM_FIT_YES) {
            issue.text = display_retired(&x);
            term_issue_add(t, k->issues, issue);
        }
        return;
    }
    size_t choices = term_words_count(w, &t->langs);
    issue.severity = lenient ? SEVERITY_WARNING : SEVERITY_ERROR;
    issue.kind = "invalid-display";
    issue.said = true;
    issue.message = choices ? display_wrong(&x, fit, choices, &issue.text)
                            : display_foreign(&x, &issue.severity, &issue.text);
    term_issue_add(t, k->issues, issue);
}
