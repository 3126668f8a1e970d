/* What a request knows: resources by url and version, version rules, supplements, words. */
#include <stdlib.h>

#include "fhir_term_inner.h"
#include "fhir_term_pack.h"

struct TermFound {
    TermFound *next;
    TermKind kind;
    Str url;
    TermItems items;
    bool past; /* earlier forms were looked for */
};

void fhir_term_items_add(Arena *a, TermItems *list, const TermItem *item)
{
    if (list->n >= FHIR_TERM_VERSIONS) {
        return;
    }
    if (list->n == list->room) {
        size_t room = list->room ? list->room * 2 : 4;
        const TermItem **more = arena_array(a, const TermItem *, room);
        if (list->n) {
            memcpy(more, list->at, list->n * sizeof *more);
        }
        list->at = more;
        list->room = room;
    }
    list->at[list->n++] = item;
}

FhirTerm *fhir_term_new(Arena *a, const TermSource *source)
{
    FhirTerm *t = arena_new(a, FhirTerm);
    t->arena = a;
    t->source = source;
    t->as_listed = true;
    return t;
}

/* ---- canonicals ---------------------------------------------------------------------------------
 */

Str term_canonical(Arena *a, Str url, Str version)
{
    return version.n ? arena_cat(a, url, STR("|"), version) : url;
}

void term_split(Str canonical, Str *ret_url, Str *ret_version)
{
    Str url, version;
    str_cut(canonical, '|', &url, &version);
    *ret_url = url;
    *ret_version = version;
}

/* ---- versions
 * ------------------------------------------------------------------------------------ */

static int newest_last(const void *x, const void *y)
{
    const TermItem *a = *(const TermItem *const *)x, *b = *(const TermItem *const *)y;
    return term_version_order(a->version, b->version);
}

static bool has_version(const TermItems *list, const TermItem *item)
{
    for (size_t i = 0; i < list->n; i++) {
        if (str_eq(list->at[i]->version, item->version)) {
            return true;
        }
    }
    return false;
}

/* The first one of a version counts: the request's, the store's, R4's. */
static void items_join(Arena *a, TermItems *into, const TermItems *from)
{
    for (size_t i = 0; i < from->n; i++) {
        if (!has_version(into, from->at[i])) {
            fhir_term_items_add(a, into, from->at[i]);
        }
    }
}

static void items_look(FhirTerm *t, TermKind kind, Str url, TermItems *ret)
{
    TermItems list = {0};
    for (size_t i = 0; i < t->extra.n; i++) {
        if (t->extra.at[i]->kind == kind && str_eq(t->extra.at[i]->url, url)) {
            fhir_term_items_add(t->arena, &list, t->extra.at[i]);
        }
    }
    items_join(t->arena, ret, &list);
    list = (TermItems){0};
    Status st =
        t->source->find ? t->source->find(t->source->ctx, t->arena, kind, url, &list, t->err) : OK;
    items_join(t->arena, ret, &list);
    list = (TermItems){0};
    st = st == OK ? term_pack_find(t->source->cache, t->arena, kind, url, &list, t->err) : st;
    items_join(t->arena, ret, &list);
    t->trouble = t->trouble == OK ? st : t->trouble;
    if (ret->n) {
        qsort(ret->at, ret->n, sizeof *ret->at, newest_last);
    }
}

static TermFound *found_of(FhirTerm *t, TermKind kind, Str url)
{
    for (TermFound *f = t->found; f; f = f->next) {
        if (f->kind == kind && str_eq(f->url, url)) {
            return f;
        }
    }
    TermFound *f = arena_new(t->arena, TermFound);
    *f = (TermFound){.next = t->found, .kind = kind, .url = url};
    t->found = f;
    if (url.n) {
        items_look(t, kind, url, &f->items);
    }
    return f;
}

/* Every version known of a url, oldest first. */
static const TermItems *term_versions(FhirTerm *t, TermKind kind, Str url)
{
    return &found_of(t, kind, url)->items;
}

/*
 * A resource that was changed into its next version leaves the earlier one in the log: who names
 * that version still gets it. What is newer than all that is there was taken back, and is not
 * looked at. True when there is more than before.
 */
static bool past_look(FhirTerm *t, TermKind kind, Str url)
{
    TermFound *f = found_of(t, kind, url);
    TermItems list = {0};
    size_t before = f->items.n;
    if (f->past || before == 0 || !t->source->past) {
        return false;
    }
    f->past = true;
    Str newest = f->items.at[before - 1]->version;
    Status st = t->source->past(t->source->ctx, t->arena, kind, url, &list, t->err);
    t->trouble = t->trouble == OK ? st : t->trouble;
    for (size_t i = 0; i < list.n; i++) {
        if (!has_version(&f->items, list.at[i]) &&
            term_version_order(list.at[i]->version, newest) < 0) {
            fhir_term_items_add(t->arena, &f->items, list.at[i]);
        }
    }
    qsort(f->items.at, f->items.n, sizeof *f->items.at, newest_last);
    return f->items.n > before;
}

static bool has_codes(const TermItem *item)
{
    return item->system->content == TERM_CONTENT_COMPLETE ||
           item->system->content == TERM_CONTENT_FRAGMENT;
}

/* The newest that fits; `coded`: of the code systems that have codes. */
static const TermItem *newest_find(FhirTerm *t, TermKind kind, Str url, Str version, bool coded)
{
    const TermItems *list = term_versions(t, kind, url);
    do {
        for (size_t i = list->n; i-- > 0;) {
            if ((!coded || has_codes(list->at[i])) &&
                (str_empty(version) || term_version_fits(version, list->at[i]->version))) {
                return list->at[i];
            }
        }
    } while (version.n && past_look(t, kind, url));
    return NULL;
}

const TermItem *term_find(FhirTerm *t, TermKind kind, Str url, Str version)
{
    return newest_find(t, kind, url, version, false);
}

const TermSystem *term_find_system(FhirTerm *t, Str url, Str version)
{
    const TermItem *item = newest_find(t, TERM_CODESYSTEM, url, version, true);
    if (item) {
        return item->system;
    }
    const TermSystem *g = term_grammar(url);
    return g && (str_empty(version) || term_version_fits(version, g->version)) ? g : NULL;
}

/* Whatever a value set lists is a code: of LOINC or SNOMED CT, say, which are not here. */
static bool listed_is(Arena *a, Str code, Str *ret_display)
{
    (void)a;
    (void)code;
    *ret_display = STR_NONE;
    return true;
}

const TermSystem *term_listed(FhirTerm *t, const JsonDoc *d, JsonRef include)
{
    bool lists = json_count(d, json_get_c(d, include, "concept")) > 0 &&
                 json_count(d, json_get_c(d, include, "filter")) == 0;
    if (!t->as_listed || !lists) {
        return NULL;
    }
    TermSystem *s = arena_new(t->arena, TermSystem);
    *s = (TermSystem){.url = json_str_at(d, include, "system"),
                      .version = json_str_at(d, include, "version"),
                      .content = TERM_CONTENT_FRAGMENT,
                      .case_sensitive = true,
                      .grammar = listed_is};
    return s;
}

Str term_version_list(FhirTerm *t, Str url, size_t *ret_n)
{
    const TermItems *list = term_versions(t, TERM_CODESYSTEM, url);
    Str text = STR_NONE;
    size_t n = 0;
    for (size_t i = 0; i < list->n; i++) {
        n += has_codes(list->at[i]) && list->at[i]->version.n;
    }
    *ret_n = n;
    for (size_t i = 0, k = 0; i < list->n; i++) {
        if (has_codes(list->at[i]) && list->at[i]->version.n) {
            Str glue = k == 0      ? STR_NONE
                       : k + 1 < n ? STR(", ")
                       : n == 2    ? STR(" or ")
                                   : STR(" and ");
            text = arena_cat(t->arena, text, glue, list->at[i]->version);
            k++;
        }
    }
    return text;
}

/* ---- version rules
 * ---------------------------------------------------------------------------------- */

static TermRule *rule_of(FhirTerm *t, Str url, int mode)
{
    for (TermRule *r = t->rules; r; r = r->next) {
        if ((int)r->mode == mode && str_eq(r->url, url)) {
            return r;
        }
    }
    return NULL;
}

Str term_version_ruled(FhirTerm *t, Str url, Str version, const TermRule **ret_rule)
{
    TermRule *r = rule_of(t, url, RULE_FORCE);
    if (!r && str_empty(version)) {
        r = rule_of(t, url, RULE_DEFAULT);
        r = r ? r : rule_of(t, url, RULE_CHECK);
    }
    if (ret_rule) {
        *ret_rule = r;
    }
    if (!r) {
        return version;
    }
    r->used = true;
    return r->version;
}

const TermRule *term_version_forbidden(FhirTerm *t, const TermSystem *s)
{
    const TermRule *r = rule_of(t, s->url, RULE_CHECK);
    return r && !term_version_fits(r->version, s->version) ? r : NULL;
}

/* ---- value sets
 * ---------------------------------------------------------------------------------------- */

TermItem *term_item_inline(FhirTerm *t, const JsonDoc *d, JsonRef resource)
{
    TermKind kind = term_kind_of(json_str_at(d, resource, "resourceType"));
    if (kind == TERM_KINDS) {
        return NULL;
    }
    TermItem *item = arena_new(t->arena, TermItem);
    TermSystem *s;
    *item = (TermItem){.kind = kind,
                       .url = json_str_at(d, resource, "url"),
                       .version = json_str_at(d, resource, "version"),
                       .doc = *d,
                       .ref = resource};
    if (kind == TERM_CODESYSTEM) {
        if (term_system_compile(t->arena, item, &s, NULL) != OK) {
            return NULL;
        }
        item->system = s;
    }
    return item;
}

static const TermItem *contained_find(FhirTerm *t, const TermItem *holder, Str id)
{
    const JsonDoc *d = &holder->doc;
    for (JsonIter it = json_iter(d, json_get_c(d, holder->ref, "contained")); json_next(&it);) {
        if (str_eq(json_str_at(d, it.value, "id"), id) &&
            str_is(json_str_at(d, it.value, "resourceType"), "ValueSet")) {
            TermItem *item = term_item_inline(t, d, it.value);
            item->url = STR_NONE; /* known by its place only */
            return item;
        }
    }
    return NULL;
}

const TermItem *term_find_valueset(FhirTerm *t, Str canonical, const TermItem *holder)
{
    if (holder && canonical.n && canonical.p[0] == '#') {
        return contained_find(t, holder, str_skip(canonical, 1));
    }
    Str url, version;
    term_split(canonical, &url, &version);
    return term_find(t, TERM_VALUESET, url, term_version_ruled(t, url, version, NULL));
}

static void rule_of_valueset(FhirTerm *t, const JsonDoc *d, JsonRef extension)
{
    Str name = STR_NONE;
    JsonRef value = JSON_NONE;
    for (JsonIter it = json_iter(d, json_get_c(d, extension, "extension")); json_next(&it);) {
        Str url = json_str_at(d, it.value, "url");
        if (str_is(url, "name")) {
            name = json_str(d, term_param_value(d, it.value));
        } else if (str_is(url, "value")) {
            value = term_param_value(d, it.value);
        }
    }
    if (str_is(name, "displayLanguage") && !t->langs_given) {
        term_langs_parse(json_str(d, value), &t->langs);
    }
}

void term_see_valueset(FhirTerm *t, const TermItem *vs)
{
    const JsonDoc *d = &vs->doc;
    JsonRef compose = json_get_c(d, vs->ref, "compose");
    for (JsonIter it = json_iter(d, json_get_c(d, compose, "extension")); json_next(&it);) {
        Str url = json_str_at(d, it.value, "url");
        if (str_ends(url, STR("/StructureDefinition/valueset-expansion-parameter"))) {
            rule_of_valueset(t, d, it.value);
        }
    }
    if (str_empty(t->langs.raw)) {
        term_langs_parse(json_str_at(d, vs->ref, "language"), &t->langs);
    }
    for (JsonIter it = json_iter(d, json_get_c(d, vs->ref, "extension")); json_next(&it);) {
        if (str_is(json_str_at(d, it.value, "url"), TERM_EXT("valueset-supplement"))) {
            term_supplement_require(t, json_str(d, term_param_value(d, it.value)));
        }
    }
}

static Str path_text(FhirTerm *t)
{
    Str text = STR("[");
    for (size_t i = 0; i < t->depth; i++) {
        text = arena_cat(t->arena, text, i ? STR(", ") : STR_NONE, t->path[i]);
    }
    return arena_cat(t->arena, text, STR("]"));
}

bool term_enter(FhirTerm *t, const TermItem *vs)
{
    Str id = json_str_at(&vs->doc, vs->ref, "id");
    Str name = vs->url.n ? term_canonical(t->arena, vs->url, vs->version)
                         : arena_cat(t->arena, STR("#"), id);
    bool again = t->depth == FHIR_TERM_DEPTH;
    for (size_t i = 0; i < t->depth; i++) {
        again = again || (name.n > 1 && str_eq(t->path[i], name));
    }
    if (again) {
        term_fault(t, 400, "processing", "vs-invalid", TERM_SAY_CIRCULAR,
                   TERM_SAY(t, CIRCULAR, name, path_text(t)));
        return false;
    }
    t->path[t->depth++] = name;
    return true;
}

void term_leave(FhirTerm *t)
{
    t->depth--;
}

/* ---- supplements
 * ------------------------------------------------------------------------------------- */

#define SUPPLEMENTS_MAX 16

void term_supplement_require(FhirTerm *t, Str canonical)
{
    for (size_t i = 0; i < t->supplements_n; i++) {
        if (str_eq(t->supplements[i], canonical)) {
            return;
        }
    }
    if (!t->supplements) {
        t->supplements = arena_array(t->arena, Str, SUPPLEMENTS_MAX);
        t->supplement_used = arena_array(t->arena, bool, SUPPLEMENTS_MAX);
    }
    if (canonical.n && t->supplements_n < SUPPLEMENTS_MAX) {
        t->supplements[t->supplements_n++] = canonical;
    }
}

size_t term_supplements(FhirTerm *t, const TermSystem *s, const TermItem **ret, size_t max)
{
    size_t n = 0;
    for (size_t i = 0; i < t->supplements_n && n < max; i++) {
        Str url, version, of, of_version;
        term_split(t->supplements[i], &url, &version);
        const TermItem *x = term_find(t, TERM_CODESYSTEM, url, version);
        if (!x || x->system->content != TERM_CONTENT_SUPPLEMENT) {
            continue;
        }
        term_split(json_str_at(&x->doc, x->ref, "supplements"), &of, &of_version);
        if (str_eq(of, s->url) &&
            (str_empty(of_version) || term_version_fits(of_version, s->version))) {
            ret[n++] = x;
            t->supplement_used[i] = true;
        }
    }
    return n;
}

void term_supplements_check(FhirTerm *t)
{
    Str missing = STR_NONE;
    size_t n = 0;
    for (size_t i = 0; i < t->supplements_n; i++) {
        if (!t->supplement_used[i]) {
            missing = arena_cat(t->arena, missing, n++ ? STR(",") : STR_NONE, t->supplements[i]);
        }
    }
    if (n) {
        TermMessage m = n == 1 ? TERM_SAY_SUPPLEMENT_MISSING : TERM_SAY_SUPPLEMENTS_MISSING;
        term_fault(t, 422, "not-found", "not-found", m, term_text(t, m, &missing, 1));
    }
}

/* ---- words of a concept
 * ------------------------------------------------------------------------------- */

/* A designation without a use, or whose use is to be shown. */
static bool use_shows(const JsonDoc *d, JsonRef designation)
{
    Str code = json_str_at(d, designation, "use.code");
    return str_empty(code) || str_is(code, "display") || str_is(code, "preferredForLanguage") ||
           str_is(code, "synonym") || str_is(code, "900000000000013009");
}

static void designations_add(FhirTerm *t, TermWords *w, const JsonDoc *d, JsonRef concept,
                             Str source)
{
    for (JsonIter it = json_iter(d, json_get_c(d, concept, "designation")); json_next(&it);) {
        Str standing = json_str(
            d, term_extension(d, it.value, TERM_EXT("structuredefinition-standards-status")));
        term_words_add(t->arena, w,
                       (TermWord){.lang = json_str_at(d, it.value, "language"),
                                  .value = json_str_at(d, it.value, "value"),
                                  .doc = d,
                                  .ref = it.value,
                                  .source = source,
                                  .display = use_shows(d, it.value),
                                  .inactive = str_is(standing, "withdrawn") ||
                                              str_is(standing, "deprecated")});
    }
}

TermWords term_words(FhirTerm *t, const TermSystem *s, const TermConcept *c)
{
    TermWords w = {.base_lang = s->language};
    const TermItem *more[SUPPLEMENTS_MAX];
    term_words_add(t->arena, &w,
                   (TermWord){.lang = s->language,
                              .value = c->display,
                              .ref = JSON_NONE,
                              .base = true,
                              .display = true});
    if (s->item) {
        designations_add(t, &w, &s->item->doc, c->ref, STR_NONE);
    }
    size_t n = term_supplements(t, s, more, SUPPLEMENTS_MAX);
    for (size_t i = 0; i < n; i++) {
        const TermConcept *x = term_locate(t->arena, more[i]->system, c->code);
        if (x) {
            designations_add(t, &w, &more[i]->doc, x->ref,
                             term_canonical(t->arena, more[i]->url, more[i]->version));
        }
    }
    return w;
}

void term_words_of_include(FhirTerm *t, TermWords *w, const TermItem *vs, JsonRef concept)
{
    const JsonDoc *d = &vs->doc;
    Str display = str_trim(json_str_at(d, concept, "display"));
    if (display.n) {
        TermWord word = {.lang = json_str_at(d, vs->ref, "language"),
                         .value = display,
                         .ref = JSON_NONE,
                         .base = true,
                         .display = true};
        word.lang = word.lang.n ? word.lang : w->base_lang;
        word.next = w->first;
        TermWords with = {.base_lang = w->base_lang};
        term_words_add(t->arena, &with, word);
        with.first->next = w->first; /* the value set's own word is preferred */
        with.last = w->last;
        *w = with;
    }
    designations_add(t, w, d, concept, STR_NONE);
}
