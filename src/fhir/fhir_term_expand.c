/*
 * Which codes a value set has: the list, with the tree where one code system gives one.
 *
 * Excludes are gathered first; then each include adds what passes its filters and is in every
 * value set that it imports. An import is expanded by itself.
 */
#include "fhir_term_set.h"

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

void term_expand_used(TermExpand *e, const char *name, Str url, Str version)
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
        term_expand_used(e, NAMES[standing], item->url, item->version);
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

static bool in_imports(const TermSet *set, const TermSystem *s, Str code)
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
static bool text_matches(const TermSet *set, const TermSystem *s, const TermConcept *c,
                         JsonRef include)
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
TermMember *term_set_add(const TermSet *set, const TermSystem *s, const TermConcept *c,
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
    term_expand_used(e, "used-codesystem", s->url, s->version);
    return m;
}

void term_set_remove(const TermSet *set, const TermSystem *s, const TermConcept *c)
{
    static char there;
    if (in_imports(set, s, c->code)) {
        map_put(&set->e->removed, key_of(set->e, s, c->code), &there);
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
        TermSet set = {.e = e, .vs = vs, .doc = d, .out = out, .no_inactive = no_inactive};
        uint32_t at = order ? order[i] : i;
        set.ref = json_item(d, list, at);
        set.where = arena_printf(e->t->arena, "%s[%u]", name, at);
        term_set_take(&set);
    }
}

/* A value set that brings its expansion and nothing else. */
static void contains_take(TermExpand *e, const TermItem *vs, JsonRef list)
{
    const JsonDoc *d = &vs->doc;
    TermSet set = {.e = e, .vs = vs, .doc = d};
    for (JsonIter it = json_iter(d, list); !e->full && json_next(&it) && term_step(e->t);) {
        const TermSystem *s = term_find_system(e->t, json_str_at(d, it.value, "system"),
                                               json_str_at(d, it.value, "version"));
        const TermConcept *c =
            s ? term_locate(e->t->arena, s, json_str_at(d, it.value, "code")) : NULL;
        if (c) {
            term_set_add(&set, s, c, NULL, vs, it.value);
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
