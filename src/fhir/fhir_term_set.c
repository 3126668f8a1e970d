/*
 * One include or exclude of a value set: all of a code system, codes that are listed or pass
 * filters, and of those what is in every value set that it imports.
 */
#include "fhir_term_set.h"

#define IMPORTS_MAX 32

/* ---- one include or exclude
 * --------------------------------------------------------------------------- */

static void whole_take(TermSet *set)
{
    const TermSystem *s = set->system;
    TermExpand *e = set->e;
    FhirTerm *t = e->t;
    TermMember **made = arena_array(t->arena, TermMember *, s->n + 1);
    for (uint32_t i = 0; i < s->n && !e->full && term_step(t); i++) {
        const TermConcept *c = &s->concept[i];
        if (set->out) {
            term_set_remove(set, s, c);
            continue;
        }
        TermMember *parent = c->parent == TERM_NONE ? NULL : made[c->parent];
        bool hidden = (e->not_for_ui && c->abstract) || (e->active_only && c->inactive);
        made[i] = hidden ? parent : term_set_add(set, s, c, parent, NULL, JSON_NONE);
    }
}

static void list_take(TermSet *set, JsonRef list)
{
    TermExpand *e = set->e;
    FhirTerm *t = e->t;
    for (JsonIter it = json_iter(set->doc, list); !e->full && json_next(&it) && term_step(t);) {
        const TermConcept *c =
            term_locate(t->arena, set->system, json_str_at(set->doc, it.value, "code"));
        if (c && set->out) {
            term_set_remove(set, set->system, c);
        } else if (c) {
            term_set_add(set, set->system, c, NULL, set->vs, it.value);
        }
    }
}

static void filters_take(TermSet *set)
{
    const TermSystem *s = set->system;
    TermExpand *e = set->e;
    FhirTerm *t = e->t;
    const TermFilters *f = term_filters(t, s, set->vs, set->ref, set->where);
    TermMember **made = arena_array(t->arena, TermMember *, s->n + 1);
    for (uint32_t i = 0; f && i < s->n && !e->full && term_step(t); i++) {
        const TermConcept *c = &s->concept[i];
        bool passes = term_filters_pass(t, f, c);
        if (passes && set->out) {
            term_set_remove(set, s, c);
        } else if (passes) {
            TermMember *parent = c->parent == TERM_NONE ? NULL : made[c->parent];
            made[i] = term_set_add(set, s, c, parent, NULL, JSON_NONE);
        }
    }
}

/* The code system, in the version that is meant; a fault when there is none. */
static bool system_choose(TermSet *set)
{
    FhirTerm *t = set->e->t;
    Str url = json_str_at(set->doc, set->ref, "system");
    Str version = json_str_at(set->doc, set->ref, "version");
    const TermRule *rule;
    version = term_version_ruled(t, url, version, &rule);
    if (rule) {
        term_expand_param(set->e, arena_cstr(t->arena, rule->name), "valueUri",
                          term_canonical(t->arena, rule->url, rule->version));
    }
    set->system = term_find_system(t, url, version);
    set->system = set->system ? set->system : term_listed(t, set->doc, set->ref);
    if (!set->system) {
        static const TermMessage SAYS[] = {TERM_SAY_EXPAND_UNKNOWN_SYSTEM,
                                           TERM_SAY_EXPAND_UNKNOWN_VERSION,
                                           TERM_SAY_EXPAND_UNKNOWN_VERSION_NONE};
        term_system_fault(t, 422, SAYS, url, version);
        return false;
    }
    rule = term_version_forbidden(t, set->system);
    if (rule) {
        term_fault(t, 422, "exception", "version-error", TERM_SAY_VERSION_FORBIDDEN,
                   TERM_SAY(t, VERSION_FORBIDDEN, url, set->system->version, rule->version));
        return false;
    }
    return true;
}

static void system_note(TermSet *set)
{
    const TermSystem *s = set->system;
    TermExpand *e = set->e;
    const TermItem *some[16];
    term_expand_used(e, "used-codesystem", s->url, s->version);
    if (s->content == TERM_CONTENT_FRAGMENT) {
        term_expand_used(e, "used-fragment", s->url, s->version);
        e->unclosed = arena_cat(
            e->t->arena, STR("This extension is based on a fragment of the code system "), s->url);
    }
    size_t n = term_supplements(e->t, s, some, 16);
    for (size_t i = 0; i < n; i++) {
        term_expand_used(e, "used-supplement", some[i]->url, some[i]->version);
    }
    term_expand_standing(e, s->item, set->vs);
}

static void import_note(TermExpand *e, const TermItem *other, const TermExpand *inner,
                        const TermItem *from)
{
    term_expand_used(e, "used-valueset", other->url, other->version);
    term_expand_standing(e, other, from);
    for (const TermParam *p = inner->param_first; p; p = p->next) {
        term_expand_param(e, p->name, p->type, p->value);
    }
    if (inner->unclosed.n) {
        e->unclosed = inner->unclosed;
    }
}

static void import_missing(FhirTerm *t, Str canonical)
{
    Str url, version;
    term_split(canonical, &url, &version);
    version = term_version_ruled(t, url, version, NULL);
    TermMessage m = version.n ? TERM_SAY_UNKNOWN_IMPORT_VERSION : TERM_SAY_UNKNOWN_IMPORT;
    term_fault(t, 422, "not-found", "not-found", m, term_text(t, m, TERM_STR_LIST(url, version)));
}

/* Expands what the include imports, each by itself. */
static bool imports_expand(TermSet *set, TermExpand *inner)
{
    TermExpand *e = set->e;
    for (JsonIter it = json_iter(set->doc, json_get_c(set->doc, set->ref, "valueSet"));
         json_next(&it);) {
        Str canonical = json_str(set->doc, it.value), url, version;
        const TermRule *rule;
        const TermItem *other = term_find_valueset(e->t, canonical, set->vs);
        if (!other || set->import_n == IMPORTS_MAX) {
            import_missing(e->t, canonical);
            return false;
        }
        term_split(canonical, &url, &version);
        term_version_ruled(e->t, url, version, &rule);
        if (rule) {
            term_expand_param(e, arena_cstr(e->t->arena, rule->name), "valueUri",
                              term_canonical(e->t->arena, rule->url, rule->version));
        }
        TermExpand *x = &inner[set->import_n];
        *x = (TermExpand){.t = e->t,
                          .active_only = e->active_only,
                          .count = -1,
                          .offset = -1,
                          .limit = FHIR_TERM_COUNT_MAX,
                          .exclude_nested = true};
        term_expand(x, other);
        if (term_stopped(e->t)) {
            return false;
        }
        import_note(e, other, x, set->vs);
        set->import_n++;
        e->tree = false;
    }
    set->import = inner;
    return true;
}

/* No code system is named: the codes are those of the first import that are in all others. */
static void imports_take(TermSet *set)
{
    TermExpand *e = set->e;
    for (const TermMember *m = set->import_n ? set->import[0].first : NULL;
         m && !e->full && term_step(e->t); m = m->next) {
        if (set->out) {
            term_set_remove(set, m->system, m->concept);
        } else {
            term_set_add(set, m->system, m->concept, NULL, m->vs, m->include);
        }
    }
}

static void grammar_take(TermSet *set)
{
    if (set->e->filter.n || set->import_n == 0) {
        term_fault(set->e->t, 422, "not-supported", NULL, TERM_SAY_NOT_ENUMERABLE,
                   TERM_SAY(set->e->t, NOT_ENUMERABLE, set->system->url));
        return;
    }
    for (const TermMember *m = set->import[0].first; m; m = m->next) {
        if (str_eq(m->system->url, set->system->url)) {
            term_set_add(set, m->system, m->concept, NULL, m->vs, m->include);
        }
    }
}

static void system_take(TermSet *set)
{
    JsonRef list = json_get_c(set->doc, set->ref, "concept");
    uint32_t filters = json_count(set->doc, json_get_c(set->doc, set->ref, "filter"));
    bool listed = json_count(set->doc, list) > 0;
    set->e->tree = set->e->tree && !listed && filters < 2;
    system_note(set);
    if (listed) {
        list_take(set, list);
    }
    if (filters) {
        filters_take(set);
    } else if (!listed && set->system->grammar) {
        grammar_take(set);
    } else if (!listed) {
        set->e->no_total = set->e->no_total || (set->e->filter.n && !set->out);
        whole_take(set);
    }
}

void term_set_take(TermSet *set)
{
    TermExpand *inner = NULL;
    FhirTerm *t = set->e->t;
    bool own = json_str_at(set->doc, set->ref, "system").n > 0;
    if (own && !system_choose(set)) {
        return;
    }
    uint32_t imports = json_count(set->doc, json_get_c(set->doc, set->ref, "valueSet"));
    if (imports) {
        inner = arena_array(t->arena, TermExpand, imports < IMPORTS_MAX ? imports : IMPORTS_MAX);
        if (!imports_expand(set, inner)) {
            return;
        }
    }
    if (own) {
        system_take(set);
    } else {
        imports_take(set);
    }
}
