/*
 * Whether one code is in one value set, and what is to be said on the way. The rules of versions
 * are those of the terminology ecosystem: the request's rules, the include's version and the
 * coding's version must agree.
 */
#include "fhir_term_inner.h"

#define UNKNOWN_MAX 32

Str term_check_path(TermCheck *k, const char *member)
{
    return k->path.n ? arena_cat(k->t->arena, k->path, STR("."), str_from_c(member))
                     : str_from_c(member);
}

static void issue(TermCheck *k, Severity severity, const char *code, const char *kind,
                  TermMessage m, Str text, Str path)
{
    TermIssue x = {
        .severity = severity, .code = code, .kind = kind, .message = m, .text = text, .path = path};
    term_issue_add(k->t, k->issues, x);
}

void term_check_unknown(TermCheck *k, Str system)
{
    for (size_t i = 0; i < k->unknown_n; i++) {
        if (str_eq(k->unknown[i], system)) {
            return;
        }
    }
    if (!k->unknown) {
        k->unknown = arena_array(k->t->arena, Str, UNKNOWN_MAX);
    }
    if (k->unknown_n < UNKNOWN_MAX) {
        k->unknown[k->unknown_n++] = system;
    }
}

void term_check_missing(TermCheck *k, Str system, Str version)
{
    FhirTerm *t = k->t;
    size_t known = 0;
    Str list = version.n ? term_version_list(t, system, &known) : STR_NONE;
    TermMessage m = str_empty(version) ? TERM_SAY_UNKNOWN_SYSTEM
                    : known            ? TERM_SAY_UNKNOWN_SYSTEM_VERSION
                                       : TERM_SAY_UNKNOWN_SYSTEM_VERSION_NONE;
    term_check_unknown(k, known ? term_canonical(t->arena, system, version) : system);
    issue(k, SEVERITY_ERROR, "not-found", "not-found", m,
          term_text(t, m, TERM_STR_LIST(system, version, list)), term_check_path(k, "system"));
}

/* What was unknown between two places of the list does not matter any more. */
static void unknown_forget(TermCheck *k, size_t from, size_t to)
{
    if (to > from) {
        memmove(k->unknown + from, k->unknown + to, (k->unknown_n - to) * sizeof *k->unknown);
        k->unknown_n -= to - from;
    }
}

/* ---- versions -----------------------------------------------------------------------------------
 */

static void mismatch(TermCheck *k, TermMessage m, Str system, Str used, Str stated, Str given)
{
    Str text;
    Severity severity = SEVERITY_ERROR;
    if (m == TERM_SAY_VERSION_DEFAULT) {
        severity = SEVERITY_WARNING;
        text = TERM_SAY(k->t, VERSION_DEFAULT, system, used, given);
    } else if (m == TERM_SAY_VERSION_CHANGED) {
        text = TERM_SAY(k->t, VERSION_CHANGED, system, used, stated, given);
    } else {
        text = TERM_SAY(k->t, VERSION_MISMATCH, system, used, given);
    }
    issue(k, severity, "invalid", "vs-invalid", m, text, term_check_path(k, "version"));
}

/* Does the version that is used agree with the coding's? */
static void versions_compare(TermCheck *k, Str system, Str stated, Str ruled, Str given)
{
    const TermSystem *s = term_find_system(k->t, system, ruled);
    if (!s) {
        if (!str_eq(ruled, given)) {
            mismatch(k, TERM_SAY_VERSION_MISMATCH, system, ruled, stated, given);
        }
        return;
    }
    if (term_version_fits(given, s->version)) {
        return;
    }
    if (str_empty(ruled)) {
        mismatch(k, TERM_SAY_VERSION_DEFAULT, system, s->version, stated, given);
    } else if (!str_eq(ruled, stated)) {
        mismatch(k, TERM_SAY_VERSION_CHANGED, system, ruled, stated, given);
    } else {
        mismatch(k, TERM_SAY_VERSION_MISMATCH, system, stated, stated, given);
    }
    if (!term_find_system(k->t, system, given)) {
        term_check_missing(k, system, given);
    }
}

/* The version to look in: `stated` in the include, `given` with the code. */
static Str version_choose(TermCheck *k, Str system, Str stated, Str given)
{
    Str ruled = term_version_ruled(k->t, system, stated, NULL);
    if (str_empty(given)) {
        return ruled;
    }
    if (ruled.n && term_version_fits(ruled, given) && term_find_system(k->t, system, given)) {
        ruled = given;
    } else if (str_empty(ruled) && term_find_system(k->t, system, given)) {
        ruled = given;
    }
    versions_compare(k, system, stated, ruled, given);
    return ruled;
}

static void version_check(TermCheck *k, const TermSystem *s)
{
    const TermRule *r = term_version_forbidden(k->t, s);
    if (r) {
        issue(k, SEVERITY_ERROR, "exception", "version-error", TERM_SAY_VERSION_FORBIDDEN,
              TERM_SAY(k->t, VERSION_FORBIDDEN, s->url, s->version, r->version),
              term_check_path(k, "version"));
    }
}

/* ---- what a resource is worth
 * ------------------------------------------------------------------------ */

static Str standing_of(const TermItem *item)
{
    const JsonDoc *d = &item->doc;
    return json_str(d,
                    term_extension(d, item->ref, TERM_EXT("structuredefinition-standards-status")));
}

void term_check_standing(TermCheck *k, const TermItem *item, const TermItem *seen_from)
{
    const JsonDoc *d = &item->doc, *from = &seen_from->doc;
    Str standing = standing_of(item), status = json_str_at(d, item->ref, "status");
    TermMessage m = TERM_SAY_COUNT;
    if (str_is(standing, "deprecated")) {
        m = TERM_SAY_STANDING_DEPRECATED;
    } else if (str_is(standing, "withdrawn")) {
        m = TERM_SAY_STANDING_WITHDRAWN;
    } else if (str_is(status, "retired")) {
        m = TERM_SAY_STANDING_RETIRED;
    } else if (json_is_true(d, json_get_c(d, item->ref, "experimental"))) {
        bool same = json_is_true(from, json_get_c(from, seen_from->ref, "experimental"));
        m = same ? TERM_SAY_COUNT : TERM_SAY_STANDING_EXPERIMENTAL;
    } else if (str_is(status, "draft") || str_is(standing, "draft")) {
        bool same = str_is(json_str_at(from, seen_from->ref, "status"), "draft") ||
                    str_is(standing_of(seen_from), "draft");
        m = same ? TERM_SAY_COUNT : TERM_SAY_STANDING_DRAFT;
    }
    if (m == TERM_SAY_COUNT) {
        return;
    }
    Str type = json_str_at(d, item->ref, "resourceType");
    Str name = term_canonical(k->t->arena, item->url, item->version);
    issue(k, SEVERITY_INFORMATION, "business-rule", "status-check", m,
          term_text(k->t, m, TERM_STR_LIST(type, name)), STR_NONE);
}

/* ---- one concept
 * --------------------------------------------------------------------------------------- */

static void unknown_code(TermCheck *k, const TermSystem *s, Str code)
{
    TermMessage m = s->content != TERM_CONTENT_COMPLETE ? TERM_SAY_UNKNOWN_CODE_FRAGMENT
                    : s->version.n                      ? TERM_SAY_UNKNOWN_CODE_VERSION
                                                        : TERM_SAY_UNKNOWN_CODE;
    issue(k, s->content == TERM_CONTENT_COMPLETE ? SEVERITY_ERROR : SEVERITY_WARNING,
          "code-invalid", "invalid-code", m,
          term_text(k->t, m, TERM_STR_LIST(code, s->url, s->version)), term_check_path(k, "code"));
}

static void see_concept(TermCheck *k, const TermSystem *s, const TermConcept *c)
{
    k->inactive = c->inactive;
    k->inactive_path = k->path.n ? k->path : STR("code");
    k->status = term_status(s, c);
}

static void refuse_abstract(TermCheck *k, const TermSystem *s, Str code)
{
    if (!k->membership_only) {
        issue(k, SEVERITY_ERROR, "business-rule", "code-rule", TERM_SAY_ABSTRACT_CODE,
              TERM_SAY(k->t, ABSTRACT_CODE, s->url, code), term_check_path(k, "code"));
    }
}

static void refuse_inactive(TermCheck *k, const TermSystem *s, const TermConcept *c, Str code)
{
    see_concept(k, s, c);
    issue(k, SEVERITY_ERROR, "business-rule", "code-rule", TERM_SAY_NOT_ACTIVE,
          TERM_SAY(k->t, NOT_ACTIVE, code), term_check_path(k, "code"));
}

static void note_case(TermCheck *k, const TermSystem *s, const TermConcept *c, Str code)
{
    if (!str_eq(c->code, code)) {
        Str name = term_canonical(k->t->arena, s->url, s->version);
        issue(k, SEVERITY_INFORMATION, "business-rule", "code-rule", TERM_SAY_CASE_DIFFERS,
              TERM_SAY(k->t, CASE_DIFFERS, code, c->code, name), term_check_path(k, "code"));
        k->normal = c->code;
    }
}

/* Found: is it allowed as well? */
static bool concept_allowed(TermCheck *k, const TermSystem *s, const TermConcept *c, Str code,
                            bool no_inactive, bool listed)
{
    if (c->abstract && !k->abstract_ok) {
        refuse_abstract(k, s, code);
        return false;
    }
    if (c->inactive && (no_inactive || k->active_only)) {
        if (listed) {
            see_concept(k, s, c);
        } else {
            refuse_inactive(k, s, c, code);
        }
        return false;
    }
    note_case(k, s, c, code);
    see_concept(k, s, c);
    return true;
}

static void see_words(TermCheck *k, const TermSystem *s, const TermConcept *c)
{
    k->words = term_words(k->t, s, c);
    k->system = s;
}

/* ---- one include or exclude
 * -------------------------------------------------------------------------------
 */

typedef struct Include {
    TermCheck *k;
    const TermItem *vs;
    JsonRef ref;
    Str where; /* "include[0]" */
    const TermSystem *system;
    bool no_inactive, in; /* in: an include, not an exclude */
} Include;

static bool whole_has(const Include *i, Str code)
{
    TermCheck *k = i->k;
    const TermConcept *c = term_locate(k->t->arena, i->system, code);
    if (!c) {
        if (i->in && !k->membership_only) {
            unknown_code(k, i->system, code);
        }
        return i->in && i->system->content != TERM_CONTENT_COMPLETE;
    }
    if (!i->in) {
        return true;
    }
    bool ok = concept_allowed(k, i->system, c, code, i->no_inactive, false);
    see_words(k, i->system, c);
    return ok;
}

static void note_deprecated(const Include *i, JsonRef concept, Str code)
{
    const JsonDoc *d = &i->vs->doc;
    Str standing =
        json_str(d, term_extension(d, concept, TERM_EXT("structuredefinition-standards-status")));
    bool marked = term_extension(d, concept, TERM_EXT("valueset-deprecated")) != JSON_NONE;
    bool stated = str_is(standing, "withdrawn") || str_is(standing, "deprecated");
    if (stated || marked) {
        Str name = term_canonical(i->k->t->arena, i->vs->url, i->vs->version);
        issue(i->k, SEVERITY_WARNING, "business-rule", "code-comment", TERM_SAY_DEPRECATED_IN_VS,
              TERM_SAY(i->k->t, DEPRECATED_IN_VS, i->system->url, code,
                       stated ? standing : STR("deprecated"), name),
              term_check_path(i->k, "code"));
    }
}

static bool code_is(const TermSystem *s, Str a, Str b)
{
    return s->case_sensitive ? str_eq(a, b) : str_eq_nocase(a, b);
}

static bool list_has(const Include *i, JsonRef list, Str code)
{
    TermCheck *k = i->k;
    const JsonDoc *d = &i->vs->doc;
    for (JsonIter it = json_iter(d, list); json_next(&it) && term_step(k->t);) {
        const TermConcept *c = code_is(i->system, json_str_at(d, it.value, "code"), code)
                                   ? term_locate(k->t->arena, i->system, code)
                                   : NULL;
        if (!c) {
            continue;
        }
        if (!i->in) {
            return true;
        }
        bool ok = concept_allowed(k, i->system, c, code, i->no_inactive, true);
        see_words(k, i->system, c);
        term_words_of_include(k->t, &k->words, i->vs, it.value);
        if (ok) {
            note_deprecated(i, it.value, code);
            return true;
        }
    }
    return false;
}

static bool filters_have(const Include *i, Str code)
{
    TermCheck *k = i->k;
    const TermFilters *f = term_filters(k->t, i->system, i->vs, i->ref, i->where);
    const TermConcept *c = f ? term_locate(k->t->arena, i->system, code) : NULL;
    if (!c || !term_filters_pass(k->t, f, c)) {
        return false;
    }
    if (!i->in) {
        return true;
    }
    bool ok = concept_allowed(k, i->system, c, code, i->no_inactive, true);
    see_words(k, i->system, c);
    return ok;
}

static bool set_has(const Include *i, Str code)
{
    const JsonDoc *d = &i->vs->doc;
    JsonRef concepts = json_get_c(d, i->ref, "concept");
    bool filtered = json_count(d, json_get_c(d, i->ref, "filter")) > 0;
    if (json_count(d, concepts) == 0 && !filtered) {
        return whole_has(i, code);
    }
    return list_has(i, concepts, code) || (filtered && filters_have(i, code));
}

static TermAnswer of_system(Include *i, Str version, Str code)
{
    TermCheck *k = i->k;
    const JsonDoc *d = &i->vs->doc;
    Str system = json_str_at(d, i->ref, "system"), stated = json_str_at(d, i->ref, "version");
    Str chosen = version_choose(k, system, stated, version);
    i->system = term_find_system(k->t, system, chosen);
    if (!i->system) {
        if (k->membership_only) {
            return TERM_NO;
        }
        term_check_missing(k, system, chosen);
        return TERM_UNKNOWN;
    }
    version_check(k, i->system);
    if (i->system->item) {
        term_check_standing(k, i->system->item, i->vs);
    }
    k->version = i->system->version;
    return set_has(i, code) ? TERM_YES : TERM_NO;
}

/* All the value sets that an include names must have the code. */
static TermAnswer of_imports(const Include *i, TermAnswer so_far, Str system, Str version, Str code)
{
    const JsonDoc *d = &i->vs->doc;
    for (JsonIter it = json_iter(d, json_get_c(d, i->ref, "valueSet")); json_next(&it);) {
        const TermItem *other = term_find_valueset(i->k->t, json_str(d, it.value), i->vs);
        if (!other) {
            return TERM_NO; /* said before, when the value set was looked through */
        }
        term_check_standing(i->k, other, i->vs);
        if (so_far == TERM_YES) {
            so_far = term_check_valueset(i->k, other, system, version, code);
        }
    }
    return so_far;
}

static TermAnswer of_include(Include *i, Str system, Str version, Str code)
{
    Str own = json_str_at(&i->vs->doc, i->ref, "system");
    TermAnswer answer = TERM_YES;
    if (own.n) {
        answer = str_eq(own, system) ? of_system(i, version, code) : TERM_NO;
    }
    return answer == TERM_UNKNOWN ? answer : of_imports(i, answer, system, version, code);
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
                see_concept(k, s, c);
                see_words(k, s, c);
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

/* An include of another version, where one of the includes has the version that is given. */
static bool other_version(const JsonDoc *d, JsonRef list, JsonRef include, Str system, Str version)
{
    if (str_empty(version) || !same_system(d, include, system) ||
        term_version_fits(json_str_at(d, include, "version"), version)) {
        return false;
    }
    for (JsonIter it = json_iter(d, list); json_next(&it);) {
        if (same_system(d, it.value, system) &&
            term_version_fits(json_str_at(d, it.value, "version"), version)) {
            return true;
        }
    }
    return false;
}

static void issues_join(FhirTerm *t, TermIssues *into, const TermIssues *from)
{
    for (const TermIssue *x = from->first; x; x = x->next) {
        term_issue_add(t, into, *x);
    }
}

/* What the includes say that do not have the code counts only when none has it. */
static TermAnswer in_includes(Include *i, JsonRef list, Str system, Str version, Str code)
{
    TermCheck *k = i->k;
    const JsonDoc *d = &i->vs->doc;
    TermIssues *outer = k->issues, said = {0};
    TermAnswer answer = TERM_NO;
    size_t known = k->unknown_n;
    JsonIter it = json_iter(d, list);
    while (answer == TERM_NO && json_next(&it) && term_step(k->t)) {
        TermIssues own = {0};
        if (other_version(d, list, it.value, system, version)) {
            continue;
        }
        k->issues = &own;
        i->ref = it.value;
        i->where = arena_printf(k->t->arena, "include[%u]", it.index);
        size_t before = k->unknown_n;
        answer = of_include(i, system, version, code);
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

static TermAnswer in_compose(TermCheck *k, const TermItem *vs, JsonRef compose, Str system,
                             Str version, Str code)
{
    const JsonDoc *d = &vs->doc;
    Include i = {.k = k, .vs = vs, .in = true};
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
        answer = of_include(&i, system, STR_NONE, code) == TERM_YES ? TERM_NO : TERM_YES;
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

TermAnswer term_check_system(TermCheck *k, const TermSystem *s, Str code)
{
    Include i = {.k = k, .in = true, .system = s};
    k->version = s->version;
    version_check(k, s);
    if (s->item) {
        term_check_standing(k, s->item, s->item);
    }
    return whole_has(&i, code) ? TERM_YES : TERM_NO;
}
