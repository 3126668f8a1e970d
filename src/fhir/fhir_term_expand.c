/*
 * Which codes a value set has: the list, with the tree where one code system gives one.
 *
 * Excludes are gathered first; then each include adds what passes its filters and is in every
 * value set that it imports. An import is expanded by itself.
 */
#include "fhir_term_inner.h"

typedef struct Set {
    TermExpand *e;
    const TermItem *vs;
    const JsonDoc *doc;
    JsonRef ref; /* an include or exclude */
    Str where;   /* "include[0]" */
    const TermSystem *system;
    const TermExpand *import; /* imported value sets: a code must be in each */
    size_t import_n;
    bool out; /* an exclude */
    bool no_inactive;
} Set;

#define IMPORTS_MAX 32

/* ---- parameters of the expansion
 * ------------------------------------------------------------------ */

void term_expand_param(TermExpand *e, const char *name, const char *type, Str value)
{
    for (TermParam *p = e->param_first; p; p = p->next) {
        if (strcmp(p->name, name) == 0 && str_eq(p->value, value)) {
            return;
        }
    }
    TermParam *made = arena_new(e->t->arena, TermParam);
    *made = (TermParam){.name = name, .type = type, .value = value};
    if (e->param_last) {
        e->param_last->next = made;
    } else {
        e->param_first = made;
    }
    e->param_last = made;
}

static void used(TermExpand *e, const char *name, Str url, Str version)
{
    if (url.n) {
        term_expand_param(e, name, "valueUri", term_canonical(e->t->arena, url, version));
    }
}

void term_expand_standing(TermExpand *e, const TermItem *item, const TermItem *from)
{
    static const char *const NAMES[] = {
        [TERM_DEPRECATED] = "warning-deprecated", [TERM_WITHDRAWN] = "warning-withdrawn",
        [TERM_RETIRED] = "warning-retired",       [TERM_EXPERIMENTAL] = "warning-experimental",
        [TERM_DRAFT] = "warning-draft",
    };
    TermStanding standing = item ? term_standing(item, from) : TERM_GOOD;
    if (standing != TERM_GOOD) {
        used(e, NAMES[standing], item->url, item->version);
    }
}

/* ---- the list
 * --------------------------------------------------------------------------------------- */

static Str key_of(const TermExpand *e, const TermSystem *s, Str code)
{
    Arena *a = e->t->arena;
    return e->versions && !e->merge ? arena_cat(a, s->url, STR("|"), s->version, STR("#"), code)
                                    : arena_cat(a, s->url, STR("#"), code);
}

static bool in_imports(const Set *set, const TermSystem *s, Str code)
{
    for (size_t i = 0; i < set->import_n; i++) {
        if (!map_get(&set->import[i].seen, key_of(&set->import[i], s, code))) {
            return false;
        }
    }
    return true;
}

static bool word_matches(Str text, Str word)
{
    for (size_t i = 0; i + word.n <= text.n; i++) {
        if (str_eq_nocase((Str){text.p + i, word.n}, word)) {
            return true;
        }
    }
    return false;
}

static bool any_word_matches(const TermWords *words, Str code, Str word)
{
    bool found = word_matches(code, word);
    for (const TermWord *w = words->first; w && !found; w = w->next) {
        found = w->value.n && word_matches(w->value, word);
    }
    return found;
}

/* Each word of the filter stands in the code or in one of the concept's names. */
static bool text_matches(const Set *set, const TermSystem *s, const TermConcept *c, JsonRef include)
{
    Str rest = str_trim(set->e->filter), word;
    if (str_empty(rest)) {
        return true;
    }
    TermWords words = term_words(set->e->t, s, c);
    if (include != JSON_NONE) {
        term_words_of_include(set->e->t, &words, set->vs, include);
    }
    for (bool more = true; more;) {
        more = str_cut(rest, ' ', &word, &rest);
        if (word.n && !any_word_matches(&words, c->code, word)) {
            return false;
        }
    }
    return true;
}

/* The list is as long as it may be: a page that lies inside is enough, else it is too costly. */
static bool has_room(TermExpand *e)
{
    if (e->n < e->limit || e->excludes) {
        return true;
    }
    e->full = e->no_total = true;
    bool page = e->count >= 0 && e->count + (e->offset > 0 ? e->offset : 0) <= (int64_t)e->n;
    if (!page) {
        FhirTerm *t = e->t;
        Str more = arena_printf(t->arena, ">%zu", e->limit);
        term_fault(t, 422, "too-costly", NULL, TERM_SAY_TOO_COSTLY,
                   TERM_SAY(t, TOO_COSTLY, t->path[0], more));
    }
    return false;
}

static void member_link(TermExpand *e, TermMember *m, TermMember *parent)
{
    if (e->last) {
        e->last->next = m;
    } else {
        e->first = m;
    }
    e->last = m;
    e->n++;
    m->parent = parent;
    if (parent) {
        if (parent->child_last) {
            parent->child_last->sibling = m;
        } else {
            parent->child_first = m;
        }
        parent->child_last = m;
    }
}

/* Adds a concept, or NULL when it is not to be there. */
static TermMember *member_add(const Set *set, const TermSystem *s, const TermConcept *c,
                              TermMember *parent, const TermItem *vs, JsonRef include)
{
    TermExpand *e = set->e;
    bool no_inactive = set->no_inactive || e->active_only;
    if ((c->inactive && no_inactive) || !text_matches(set, s, c, include) ||
        !in_imports(set, s, c->code)) {
        return NULL;
    }
    Str key = key_of(e, s, c->code);
    if (map_get(&e->removed, key) || !has_room(e)) {
        return NULL;
    }
    if (map_get(&e->seen, key)) {
        e->tree = false;
        return NULL;
    }
    TermMember *m = arena_new(e->t->arena, TermMember);
    *m = (TermMember){.system = s, .concept = c, .vs = vs, .include = include};
    map_put(&e->seen, key, m);
    member_link(e, m, parent);
    used(e, "used-codesystem", s->url, s->version);
    return m;
}

static void member_remove(const Set *set, const TermSystem *s, const TermConcept *c)
{
    static char there;
    if (in_imports(set, s, c->code)) {
        map_put(&set->e->removed, key_of(set->e, s, c->code), &there);
    }
}

/* ---- one include or exclude
 * --------------------------------------------------------------------------- */

static void whole_take(Set *set)
{
    const TermSystem *s = set->system;
    TermExpand *e = set->e;
    FhirTerm *t = e->t;
    TermMember **made = arena_array(t->arena, TermMember *, s->n + 1);
    for (uint32_t i = 0; i < s->n && !e->full && term_step(t); i++) {
        const TermConcept *c = &s->concept[i];
        if (set->out) {
            member_remove(set, s, c);
            continue;
        }
        TermMember *parent = c->parent == TERM_NONE ? NULL : made[c->parent];
        bool hidden = (e->not_for_ui && c->abstract) || (e->active_only && c->inactive);
        made[i] = hidden ? parent : member_add(set, s, c, parent, NULL, JSON_NONE);
    }
}

static void list_take(Set *set, JsonRef list)
{
    TermExpand *e = set->e;
    FhirTerm *t = e->t;
    for (JsonIter it = json_iter(set->doc, list); !e->full && json_next(&it) && term_step(t);) {
        const TermConcept *c =
            term_locate(t->arena, set->system, json_str_at(set->doc, it.value, "code"));
        if (c && set->out) {
            member_remove(set, set->system, c);
        } else if (c) {
            member_add(set, set->system, c, NULL, set->vs, it.value);
        }
    }
}

static void filters_take(Set *set)
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
            member_remove(set, s, c);
        } else if (passes) {
            TermMember *parent = c->parent == TERM_NONE ? NULL : made[c->parent];
            made[i] = member_add(set, s, c, parent, NULL, JSON_NONE);
        }
    }
}

static void unknown_system(FhirTerm *t, Str url, Str version)
{
    size_t n = 0;
    Str list = version.n ? term_version_list(t, url, &n) : STR_NONE;
    TermMessage m = str_empty(version) ? TERM_SAY_EXPAND_UNKNOWN_SYSTEM
                    : n                ? TERM_SAY_EXPAND_UNKNOWN_VERSION
                                       : TERM_SAY_EXPAND_UNKNOWN_VERSION_NONE;
    term_fault(t, 422, "not-found", "not-found", m,
               term_text(t, m, TERM_STR_LIST(url, version, list)));
}

/* The code system, in the version that is meant; a fault when there is none. */
static bool system_choose(Set *set)
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
    if (!set->system) {
        unknown_system(t, url, version);
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

static void system_note(Set *set)
{
    const TermSystem *s = set->system;
    TermExpand *e = set->e;
    const TermItem *some[16];
    used(e, "used-codesystem", s->url, s->version);
    if (s->content == TERM_CONTENT_FRAGMENT) {
        used(e, "used-fragment", s->url, s->version);
        e->unclosed = arena_cat(
            e->t->arena, STR("This extension is based on a fragment of the code system "), s->url);
    }
    size_t n = term_supplements(e->t, s, some, 16);
    for (size_t i = 0; i < n; i++) {
        used(e, "used-supplement", some[i]->url, some[i]->version);
    }
    term_expand_standing(e, s->item, set->vs);
}

static void import_note(TermExpand *e, const TermItem *other, const TermExpand *inner,
                        const TermItem *from)
{
    used(e, "used-valueset", other->url, other->version);
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
static bool imports_expand(Set *set, TermExpand *inner)
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
static void imports_take(Set *set)
{
    TermExpand *e = set->e;
    for (const TermMember *m = set->import_n ? set->import[0].first : NULL;
         m && !e->full && term_step(e->t); m = m->next) {
        if (set->out) {
            member_remove(set, m->system, m->concept);
        } else {
            member_add(set, m->system, m->concept, NULL, m->vs, m->include);
        }
    }
}

static void grammar_take(Set *set)
{
    if (set->e->filter.n || set->import_n == 0) {
        term_fault(set->e->t, 422, "not-supported", NULL, TERM_SAY_NOT_ENUMERABLE,
                   TERM_SAY(set->e->t, NOT_ENUMERABLE, set->system->url));
        return;
    }
    for (const TermMember *m = set->import[0].first; m; m = m->next) {
        if (str_eq(m->system->url, set->system->url)) {
            member_add(set, m->system, m->concept, NULL, m->vs, m->include);
        }
    }
}

static void system_take(Set *set)
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

static void set_take(Set *set)
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

/* ---- one value set
 * ---------------------------------------------------------------------------------------- */

/* One code system in several versions: then the codes are told apart by them. */
static bool versions_differ(const JsonDoc *d, JsonRef compose)
{
    JsonRef parts[] = {json_get_c(d, compose, "include"), json_get_c(d, compose, "exclude")};
    Str url = STR_NONE, version = STR_NONE;
    for (size_t p = 0; p < 2; p++) {
        for (JsonIter it = json_iter(d, parts[p]); json_next(&it);) {
            Str system = json_str_at(d, it.value, "system");
            Str here = json_str_at(d, it.value, "version");
            if (url.n && str_eq(system, url) && !str_eq(here, version)) {
                return true;
            }
            url = system.n ? system : url;
            version = system.n ? here : version;
        }
    }
    return false;
}

static void part_take(TermExpand *e, const TermItem *vs, JsonRef compose, bool out)
{
    const JsonDoc *d = &vs->doc;
    const char *name = out ? "exclude" : "include";
    JsonRef list = json_get_c(d, compose, name);
    uint32_t n = json_count(d, list);
    /* Where versions are merged the newest gives the names. */
    uint32_t *order = e->merge ? term_includes_order(e->t->arena, d, list, n) : NULL;
    bool no_inactive = json_type(d, json_get_c(d, compose, "inactive")) == JSON_FALSE;
    for (uint32_t i = 0; i < n && !e->full && term_step(e->t); i++) {
        Set set = {.e = e, .vs = vs, .doc = d, .out = out, .no_inactive = no_inactive};
        uint32_t at = order ? order[i] : i;
        set.ref = json_item(d, list, at);
        set.where = arena_printf(e->t->arena, "%s[%u]", name, at);
        set_take(&set);
    }
}

/* A value set that brings its expansion and nothing else. */
static void contains_take(TermExpand *e, const TermItem *vs, JsonRef list)
{
    const JsonDoc *d = &vs->doc;
    Set set = {.e = e, .vs = vs, .doc = d};
    for (JsonIter it = json_iter(d, list); !e->full && json_next(&it) && term_step(e->t);) {
        const TermSystem *s = term_find_system(e->t, json_str_at(d, it.value, "system"),
                                               json_str_at(d, it.value, "version"));
        const TermConcept *c =
            s ? term_locate(e->t->arena, s, json_str_at(d, it.value, "code")) : NULL;
        if (c) {
            member_add(&set, s, c, NULL, vs, it.value);
        }
        contains_take(e, vs, json_get_c(d, it.value, "contains"));
    }
}

void term_expand(TermExpand *e, const TermItem *vs)
{
    const JsonDoc *d = &vs->doc;
    JsonRef compose = json_get_c(d, vs->ref, "compose");
    if (!term_enter(e->t, vs)) {
        return;
    }
    map_init(&e->seen, e->t->arena);
    map_init(&e->removed, e->t->arena);
    e->tree = !e->exclude_nested && e->offset <= 0;
    e->versions = versions_differ(d, compose);
    e->excludes = json_count(d, json_get_c(d, compose, "exclude")) > 0;
    part_take(e, vs, compose, true);
    part_take(e, vs, compose, false);
    if (compose == JSON_NONE) {
        contains_take(e, vs, json_at(d, vs->ref, "expansion.contains"));
    }
    term_leave(e->t);
}
