/*
 * Membership in a value set: which of its includes count for a code, what excludes take away, and
 * which code systems it draws on.
 */
#include "fhir_term_inner.h"

#define VERSIONS_MAX 32 /* of one code system in one value set */

/* What was unknown between two places of the list does not matter any more. */
static void unknown_forget(TermCheck *k, size_t from, size_t to)
{
    if (to > from) {
        memmove(k->unknown + from, k->unknown + to, (k->unknown_n - to) * sizeof *k->unknown);
        k->unknown_n -= to - from;
    }
}

/* ---- one value set
 * -------------------------------------------------------------------------------------- */

/* A value set that comes with its expansion only. */
static TermAnswer in_expansion(TermCheck *k, const TermItem *vs, JsonRef list, Str system, Str code)
{
    const JsonDoc *d = &vs->doc;
    TermAnswer answer = TERM_NO;
    for (JsonIter it = json_iter(d, list);
         answer == TERM_NO && json_next(&it) && term_step(k->t);) {
        if (str_eq(json_str_at(d, it.value, "code"), code) &&
            str_eq(json_str_at(d, it.value, "system"), system)) {
            const TermSystem *s =
                term_find_system(k->t, system, json_str_at(d, it.value, "version"));
            const TermConcept *c = s ? term_locate(k->t->arena, s, code) : NULL;
            if (c) {
                term_check_see(k, s, c);
                term_check_words(k, s, c);
                k->version = s->version;
            }
            return TERM_YES;
        }
        answer = in_expansion(k, vs, json_get_c(d, it.value, "contains"), system, code);
    }
    return answer;
}

static bool same_system(const JsonDoc *d, JsonRef include, Str system)
{
    return str_eq(json_str_at(d, include, "system"), system);
}

/* ---- versions side by side
 * ------------------------------------------------------------------------- */

/* The versions of a system that the includes name, newest first. */
static size_t versions_stated(const JsonDoc *d, JsonRef list, Str system, Str *ret)
{
    size_t n = 0;
    for (JsonIter it = json_iter(d, list); json_next(&it) && n < VERSIONS_MAX;) {
        Str version = json_str_at(d, it.value, "version");
        bool there = str_empty(version) || !same_system(d, it.value, system);
        for (size_t i = 0; i < n; i++) {
            there = there || str_eq(ret[i], version);
        }
        size_t at = n;
        for (; !there && at > 0 && term_version_order(version, ret[at - 1]) > 0; at--) {
            ret[at] = ret[at - 1];
        }
        if (!there) {
            ret[at] = version;
            n++;
        }
    }
    return n;
}

Str term_version_stated(const TermItem *vs, Str system)
{
    Str version[VERSIONS_MAX];
    size_t n =
        versions_stated(&vs->doc, json_at(&vs->doc, vs->ref, "compose.include"), system, version);
    return n == 1 ? version[0] : STR_NONE;
}

/* Where several versions are named, a coding that states one of them is looked for there alone. */
static Str version_pick(const JsonDoc *d, JsonRef list, Str system, Str given)
{
    Str version[VERSIONS_MAX];
    size_t n = given.n ? versions_stated(d, list, system, version) : 0;
    for (size_t i = 0; i < n; i++) {
        if (term_version_fits(version[i], given)) {
            return version[i];
        }
    }
    return STR_NONE;
}

static bool newer_of_same(const JsonDoc *d, JsonRef a, JsonRef b)
{
    return str_eq(json_str_at(d, a, "system"), json_str_at(d, b, "system")) &&
           term_version_order(json_str_at(d, a, "version"), json_str_at(d, b, "version")) > 0;
}

uint32_t *term_includes_order(Arena *a, const JsonDoc *d, JsonRef list, uint32_t n)
{
    uint32_t *order = arena_array(a, uint32_t, n + 1);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t k = i;
        JsonRef one = json_item(d, list, i);
        for (; k > 0 && newer_of_same(d, one, json_item(d, list, order[k - 1])); k--) {
            order[k] = order[k - 1];
        }
        order[k] = i;
    }
    return order;
}

static void issues_join(FhirTerm *t, TermIssues *into, const TermIssues *from)
{
    for (const TermIssue *x = from->first; x; x = x->next) {
        term_issue_add(t, into, *x);
    }
}

/* Whether the concept that was found bears the name that came with the code. */
static bool named_so(const TermCheck *k)
{
    return str_empty(k->display) ||
           term_words_fit(&k->words, NULL, k->display, true) == TERM_FIT_YES;
}

/*
 * The includes one after another, of one system the newest version first. What those say that do
 * not have the code counts only when none has it. by_name: one that has it under another name does
 * not count.
 */
static TermAnswer includes_ask(TermInclude *i, JsonRef list, Str system, Str version, Str code,
                               bool by_name)
{
    TermCheck *k = i->k;
    const JsonDoc *d = &i->vs->doc;
    TermIssues *outer = k->issues, said = {0};
    TermAnswer answer = TERM_NO;
    size_t known = k->unknown_n;
    uint32_t n = json_count(d, list), *order = term_includes_order(k->t->arena, d, list, n);
    Str picked = version_pick(d, list, system, version);
    for (uint32_t x = 0; answer == TERM_NO && x < n && term_step(k->t); x++) {
        TermIssues own = {0};
        i->ref = json_item(d, list, order[x]);
        i->where = arena_printf(k->t->arena, "include[%u]", order[x]);
        if (picked.n && same_system(d, i->ref, system) &&
            !str_eq(json_str_at(d, i->ref, "version"), picked)) {
            continue;
        }
        k->issues = &own;
        size_t before = k->unknown_n;
        answer = term_include_has(i, system, version, code);
        answer = answer == TERM_YES && by_name && !named_so(k) ? TERM_NO : answer;
        if (answer == TERM_YES) {
            said = own;
            unknown_forget(k, known, before);
        } else {
            issues_join(k->t, &said, &own);
        }
    }
    k->issues = outer;
    issues_join(k->t, outer, &said);
    return answer;
}

static TermAnswer in_includes(TermInclude *i, JsonRef list, Str system, Str version, Str code)
{
    Str stated[VERSIONS_MAX];
    bool several = str_empty(version) && i->k->display.n &&
                   versions_stated(&i->vs->doc, list, system, stated) > 1;
    if (several) {
        TermCheck before = *i->k;
        TermIssues own = {0};
        i->k->issues = &own;
        if (includes_ask(i, list, system, version, code, true) == TERM_YES) {
            i->k->issues = before.issues;
            issues_join(i->k->t, i->k->issues, &own);
            return TERM_YES;
        }
        *i->k = before;
    }
    return includes_ask(i, list, system, version, code, false);
}

static TermAnswer in_compose(TermCheck *k, const TermItem *vs, JsonRef compose, Str system,
                             Str version, Str code)
{
    const JsonDoc *d = &vs->doc;
    TermInclude i = {.k = k, .vs = vs, .in = true};
    i.no_inactive = json_type(d, json_get_c(d, compose, "inactive")) == JSON_FALSE;
    TermAnswer answer = in_includes(&i, json_get_c(d, compose, "include"), system, version, code);
    if (answer == TERM_YES && i.no_inactive && k->inactive) {
        answer = TERM_NO; /* an import has it */
    }
    i.in = false;
    JsonIter it = json_iter(d, json_get_c(d, compose, "exclude"));
    while (answer == TERM_YES && json_next(&it) && term_step(k->t)) {
        TermCheck quiet = *k;
        TermIssues none = {0};
        quiet.issues = &none;
        i.k = &quiet;
        i.ref = it.value;
        i.where = arena_printf(k->t->arena, "exclude[%u]", it.index);
        answer = term_include_has(&i, system, STR_NONE, code) == TERM_YES ? TERM_NO : TERM_YES;
    }
    return answer;
}

TermAnswer term_check_valueset(TermCheck *k, const TermItem *vs, Str system, Str version, Str code)
{
    const JsonDoc *d = &vs->doc;
    if (!term_enter(k->t, vs)) {
        return TERM_UNKNOWN;
    }
    JsonRef compose = json_get_c(d, vs->ref, "compose");
    TermAnswer answer =
        compose != JSON_NONE
            ? in_compose(k, vs, compose, system, version, code)
            : in_expansion(k, vs, json_at(d, vs->ref, "expansion.contains"), system, code);
    term_leave(k->t);
    return answer;
}

/* ---- which code systems
 * ---------------------------------------------------------------------------- */

static size_t system_note(Str *list, size_t n, size_t max, Str url)
{
    for (size_t i = 0; i < n; i++) {
        if (str_eq(list[i], url)) {
            return n;
        }
    }
    if (url.n && n < max) {
        list[n++] = url;
    }
    return n;
}

static size_t contains_systems(const JsonDoc *d, JsonRef list, Str *ret, size_t n, size_t max)
{
    for (JsonIter it = json_iter(d, list); json_next(&it);) {
        n = system_note(ret, n, max, json_str_at(d, it.value, "system"));
        n = contains_systems(d, json_get_c(d, it.value, "contains"), ret, n, max);
    }
    return n;
}

static size_t systems_add(FhirTerm *t, const TermItem *vs, Str *ret, size_t n, size_t max)
{
    const JsonDoc *d = &vs->doc;
    if (!term_enter(t, vs)) {
        return n;
    }
    JsonIter it = json_iter(d, json_at(d, vs->ref, "compose.include"));
    while (json_next(&it) && term_step(t)) {
        n = system_note(ret, n, max, json_str_at(d, it.value, "system"));
        for (JsonIter u = json_iter(d, json_get_c(d, it.value, "valueSet")); json_next(&u);) {
            const TermItem *other = term_find_valueset(t, json_str(d, u.value), vs);
            n = other ? systems_add(t, other, ret, n, max) : n;
        }
    }
    if (json_get_c(d, vs->ref, "compose") == JSON_NONE) {
        n = contains_systems(d, json_at(d, vs->ref, "expansion.contains"), ret, n, max);
    }
    term_leave(t);
    return n;
}

size_t term_systems_of(FhirTerm *t, const TermItem *vs, Str *ret, size_t max)
{
    return systems_add(t, vs, ret, 0, max);
}
