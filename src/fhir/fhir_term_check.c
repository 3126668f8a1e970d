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

static void term_check_unknown(TermCheck *k, Str system)
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

void term_check_standing(TermCheck *k, const TermItem *item, const TermItem *seen_from)
{
    static const TermMessage SAYS[] = {
        [TERM_DEPRECATED] = TERM_SAY_STANDING_DEPRECATED,
        [TERM_WITHDRAWN] = TERM_SAY_STANDING_WITHDRAWN,
        [TERM_RETIRED] = TERM_SAY_STANDING_RETIRED,
        [TERM_EXPERIMENTAL] = TERM_SAY_STANDING_EXPERIMENTAL,
        [TERM_DRAFT] = TERM_SAY_STANDING_DRAFT,
    };
    TermStanding standing = term_standing(item, seen_from);
    if (standing == TERM_GOOD) {
        return;
    }
    Str type = json_str_at(&item->doc, item->ref, "resourceType");
    Str name = term_canonical(k->t->arena, item->url, item->version);
    issue(k, SEVERITY_INFORMATION, "business-rule", "status-check", SAYS[standing],
          term_text(k->t, SAYS[standing], TERM_STR_LIST(type, name)), STR_NONE);
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

/* A later coding does not clear what an earlier one was found to be. */
void term_check_see(TermCheck *k, const TermSystem *s, const TermConcept *c)
{
    if (k->inactive) {
        return;
    }
    k->inactive = c->inactive;
    k->inactive_path = k->path.n ? k->path : STR("code");
    k->inactive_code = c->code;
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
    term_check_see(k, s, c);
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
            term_check_see(k, s, c);
        } else {
            refuse_inactive(k, s, c, code);
        }
        return false;
    }
    note_case(k, s, c, code);
    term_check_see(k, s, c);
    return true;
}

void term_check_words(TermCheck *k, const TermSystem *s, const TermConcept *c)
{
    k->words = term_words(k->t, s, c);
    k->system = s;
}

/* ---- one include or exclude
 * -------------------------------------------------------------------------------
 */

static bool whole_has(const TermInclude *i, Str code)
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
    term_check_words(k, i->system, c);
    return ok;
}

static void note_deprecated(const TermInclude *i, JsonRef concept, Str code)
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

static bool list_has(const TermInclude *i, JsonRef list, Str code)
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
        term_check_words(k, i->system, c);
        term_words_of_include(k->t, &k->words, i->vs, it.value);
        if (ok) {
            note_deprecated(i, it.value, code);
            return true;
        }
    }
    return false;
}

static bool filters_have(const TermInclude *i, Str code)
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
    term_check_words(k, i->system, c);
    return ok;
}

static bool set_has(const TermInclude *i, Str code)
{
    const JsonDoc *d = &i->vs->doc;
    JsonRef concepts = json_get_c(d, i->ref, "concept");
    bool filtered = json_count(d, json_get_c(d, i->ref, "filter")) > 0;
    if (json_count(d, concepts) == 0 && !filtered) {
        return whole_has(i, code);
    }
    return list_has(i, concepts, code) || (filtered && filters_have(i, code));
}

static TermAnswer of_system(TermInclude *i, Str version, Str code)
{
    TermCheck *k = i->k;
    const JsonDoc *d = &i->vs->doc;
    Str system = json_str_at(d, i->ref, "system"), stated = json_str_at(d, i->ref, "version");
    Str chosen = version_choose(k, system, stated, version);
    i->system = term_find_system(k->t, system, chosen);
    i->system = i->system ? i->system : term_listed(k->t, d, i->ref);
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
static TermAnswer of_imports(const TermInclude *i, TermAnswer so_far, Str system, Str version,
                             Str code)
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

TermAnswer term_include_has(TermInclude *i, Str system, Str version, Str code)
{
    Str own = json_str_at(&i->vs->doc, i->ref, "system");
    TermAnswer answer = TERM_YES;
    if (own.n) {
        answer = str_eq(own, system) ? of_system(i, version, code) : TERM_NO;
    }
    return answer == TERM_UNKNOWN ? answer : of_imports(i, answer, system, version, code);
}

TermAnswer term_check_system(TermCheck *k, const TermSystem *s, Str code)
{
    TermInclude i = {.k = k, .in = true, .system = s};
    k->version = s->version;
    version_check(k, s);
    if (s->item) {
        term_check_standing(k, s->item, s->item);
    }
    return whole_has(&i, code) ? TERM_YES : TERM_NO;
}
