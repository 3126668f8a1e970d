/* $expand: what is written of one code: its names, properties and extensions, the codes below it.
 */
#include "fhir_term_expansion.h"

#define CONCEPT_PROPERTY "http://hl7.org/fhir/concept-properties#"
#define R5_EXTENSION     "http://hl7.org/fhir/5.0/StructureDefinition/extension-ValueSet.expansion"

/* ---- properties of a code
 * ------------------------------------------------------------------------------ */

static void declare(TermExpansion *x, Str code, Str uri)
{
    for (size_t i = 0; i < x->declared_n; i++) {
        if (str_eq(x->declared[i].code, code)) {
            return;
        }
    }
    if (x->declared_n < PROPERTIES_MAX) {
        x->declared[x->declared_n++] = (TermDeclared){code, uri};
    }
}

/* several: the property may have more than one value. */
static void show(TermExpansion *x, Str code, Str uri, const char *key, Str raw, bool several)
{
    declare(x, code, uri);
    for (size_t i = 0; i < x->shown_n && !several; i++) {
        if (str_eq(x->shown[i].code, code)) {
            x->shown[i] = (TermShown){key, code, raw};
            return;
        }
    }
    if (x->shown_n < PROPERTIES_MAX) {
        x->shown[x->shown_n++] = (TermShown){key, code, raw};
    }
}

static Str json_text(Arena *a, Str text)
{
    Buf out;
    buf_init(&out, 0);
    buf_json_str(&out, text);
    return buf_take(&out, a);
}

static void show_status(TermExpansion *x, Str status)
{
    if (status.n && !str_eq_nocase(status, STR("active"))) {
        show(x, STR("status"), STR(CONCEPT_PROPERTY "status"), "valueCode",
             json_text(x->t->arena, status), false);
    }
}

/* Extensions that R5 made properties. */
static void show_extensions(TermExpansion *x, const JsonDoc *d, JsonRef object)
{
    static const struct {
        const char *url, *code, *uri, *key;
    } KNOWN[] = {
        {TERM_EXT("codesystem-label"), "label", CONCEPT_PROPERTY "label", "valueString"},
        {TERM_EXT("valueset-label"), "label", CONCEPT_PROPERTY "label", "valueString"},
        {TERM_EXT("codesystem-conceptOrder"), "order", CONCEPT_PROPERTY "order", "valueDecimal"},
        {TERM_EXT("valueset-conceptOrder"), "order", CONCEPT_PROPERTY "order", "valueDecimal"},
        {TERM_EXT("itemWeight"), "weight", CONCEPT_PROPERTY "itemWeight", "valueDecimal"},
    };
    for (size_t i = 0; i < sizeof KNOWN / sizeof *KNOWN; i++) {
        JsonRef value = term_extension(d, object, KNOWN[i].url);
        if (value != JSON_NONE) {
            show(x, str_from_c(KNOWN[i].code), str_from_c(KNOWN[i].uri), KNOWN[i].key,
                 json_raw(d, value), false);
        }
    }
}

static void show_asked(TermExpansion *x, const TermSystem *s, const TermConcept *c, Str code)
{
    if (str_is(code, "definition")) {
        Str text = term_definition(s, c);
        if (text.n) {
            show(x, code, STR(CONCEPT_PROPERTY "definition"), "valueString",
                 json_text(x->t->arena, text), false);
        }
        return;
    }
    TermProps it = term_props(s, c, str_is(code, "*") ? STR_NONE : code);
    while (term_prop_next(&it)) {
        show(x, it.code, term_prop_uri(s, it.code), it.key, json_raw(it.doc, it.value), true);
    }
}

static void properties_collect(TermExpansion *x, const TermMember *m, const TermItem *const *more,
                               size_t n)
{
    const TermSystem *s = m->system;
    x->shown_n = 0;
    show_status(x, term_status(s, m->concept));
    if (s->item) {
        show_extensions(x, &s->item->doc, m->concept->ref);
    }
    for (size_t i = 0; i < x->property_n; i++) {
        show_asked(x, s, m->concept, x->property[i]);
    }
    for (size_t k = 0; k < n; k++) {
        const TermConcept *c = term_locate(x->t->arena, more[k]->system, m->concept->code);
        if (c) {
            show_extensions(x, &more[k]->doc, c->ref);
        }
        for (size_t i = 0; c && i < x->property_n; i++) {
            show_asked(x, more[k]->system, c, x->property[i]);
        }
    }
    if (m->vs) {
        show_extensions(x, &m->vs->doc, m->include);
    }
}

/* R5's property as R4's extension: opened, with its code; the caller adds what else it has. */
static void property_open(JsonWriter *w, const char *url, Str code)
{
    fhir_extension_open(w, url);
    json_key_open(w, "extension", '[');
    fhir_extension_open(w, "code");
    json_member_str(w, "valueCode", code);
    json_close(w, '}');
}

static void property_close(JsonWriter *w)
{
    json_close(w, ']');
    json_close(w, '}');
}

static void property_write(TermExpansion *x, JsonWriter *w, const TermShown *p)
{
    if (x->ask->request->r5) {
        json_open(w, '{');
        json_member_str(w, "code", p->code);
        json_key(w, p->key);
        json_put_raw(w, p->raw);
        json_close(w, '}');
        return;
    }
    property_open(w, R5_EXTENSION ".contains.property", p->code);
    fhir_extension_open(w, "value");
    json_key(w, p->key);
    json_put_raw(w, p->raw);
    json_close(w, '}');
    property_close(w);
}

void term_expansion_declared(TermExpansion *x, JsonWriter *w, const TermDeclared *p)
{
    if (x->ask->request->r5) {
        json_open(w, '{');
        json_member_str(w, "code", p->code);
        json_member_str(w, "uri", p->uri);
        json_close(w, '}');
        return;
    }
    property_open(w, R5_EXTENSION ".property", p->code);
    if (p->uri.n) {
        fhir_extension_open(w, "uri");
        json_member_str(w, "valueUri", p->uri);
        json_close(w, '}');
    }
    property_close(w);
}

/* ---- extensions that are passed on
 * ------------------------------------------------------------------------ */

typedef struct Passing {
    JsonWriter *w;
    bool open;
} Passing;

static void passing_open(Passing *p)
{
    if (!p->open) {
        json_key_open(p->w, "extension", '[');
        p->open = true;
    }
}

static void extensions_pass(Passing *p, const JsonDoc *d, JsonRef object, const char *const *known)
{
    for (JsonIter it = json_iter(d, json_get_c(d, object, "extension")); json_next(&it);) {
        Str url = json_str_at(d, it.value, "url");
        for (size_t i = 0; known[i]; i++) {
            if (str_is(url, known[i])) {
                passing_open(p);
                json_put_raw(p->w, json_raw(d, it.value));
            }
        }
    }
}

static void member_extensions(TermExpansion *x, JsonWriter *w, const TermMember *m,
                              const TermItem *const *more, size_t n)
{
    static const char *const OF_SYSTEM[] = {
        TERM_EXT("coding-sctdescid"), TERM_EXT("rendering-style"), TERM_EXT("rendering-xhtml"),
        TERM_EXT("codesystem-alternate"), NULL};
    static const char *const OF_VALUESET[] = {TERM_EXT("valueset-deprecated"),
                                              TERM_EXT("structuredefinition-standards-status"),
                                              TERM_EXT("valueset-concept-definition"),
                                              TERM_EXT("coding-sctdescid"),
                                              TERM_EXT("rendering-style"),
                                              TERM_EXT("rendering-xhtml"),
                                              NULL};
    Passing p = {.w = w};
    if (m->system->item) {
        extensions_pass(&p, &m->system->item->doc, m->concept->ref, OF_SYSTEM);
    }
    for (size_t k = 0; k < n; k++) {
        const TermConcept *c = term_locate(x->t->arena, more[k]->system, m->concept->code);
        if (c) {
            extensions_pass(&p, &more[k]->doc, c->ref, OF_SYSTEM);
        }
    }
    if (m->vs) {
        extensions_pass(&p, &m->vs->doc, m->include, OF_VALUESET);
    }
    for (size_t i = 0; !x->ask->request->r5 && i < x->shown_n; i++) {
        passing_open(&p);
        property_write(x, w, &x->shown[i]);
    }
    if (p.open) {
        json_close(w, ']');
    }
}

/* ---- one code
 * ------------------------------------------------------------------------------------------------
 */

static bool designation_asked(const TermExpansion *x, const TermWord *word)
{
    for (size_t i = 0; i < x->designation_n; i++) {
        Str system, code;
        str_cut(x->designation[i], '|', &system, &code);
        bool lang = str_is(system, "urn:ietf:bcp:47") && str_eq_nocase(code, word->lang);
        bool use = word->doc && str_eq(json_str_at(word->doc, word->ref, "use.system"), system) &&
                   str_eq(json_str_at(word->doc, word->ref, "use.code"), code);
        if (lang || use) {
            return true;
        }
    }
    return x->designation_n == 0;
}

static void designation_write(JsonWriter *w, const TermWord *word)
{
    static const char *const KNOWN[] = {TERM_EXT("coding-sctdescid"),
                                        TERM_EXT("structuredefinition-standards-status"),
                                        TERM_EXT("rendering-style"), NULL};
    json_open(w, '{');
    Passing p = {.w = w};
    if (word->doc) {
        extensions_pass(&p, word->doc, word->ref, KNOWN);
    }
    if (p.open) {
        json_close(w, ']');
    }
    json_member_str(w, "language", word->lang);
    JsonRef use = word->doc ? json_get_c(word->doc, word->ref, "use") : JSON_NONE;
    if (word->base) {
        json_key(w, "use");
        json_put_raw(w, STR(TERM_PREFERRED_USE));
    } else if (use != JSON_NONE) {
        json_key(w, "use");
        json_put_raw(w, json_raw(word->doc, use));
    }
    json_member_str(w, "value", word->value);
    json_close(w, '}');
}

static void designations_write(TermExpansion *x, JsonWriter *w, const TermWords *words,
                               const TermWord *best)
{
    bool open = false;
    for (const TermWord *word = words->first; word; word = word->next) {
        bool same = best && str_eq(word->value, best->value) && str_eq(word->lang, best->lang);
        if (word == best || same || str_empty(word->value) || !designation_asked(x, word)) {
            continue;
        }
        if (!open) {
            json_key_open(w, "designation", '[');
            open = true;
        }
        designation_write(w, word);
    }
    if (open) {
        json_close(w, ']');
    }
}

static void member_write(TermExpansion *x, JsonWriter *w, const TermMember *m, bool nested)
{
    FhirTerm *t = x->t;
    const TermItem *more[16];
    size_t n = term_supplements(t, m->system, more, 16);
    TermWords words = term_words(t, m->system, m->concept);
    if (m->vs) {
        term_words_of_include(t, &words, m->vs, m->include);
    }
    const TermWord *best = term_words_best(&words, &t->langs);
    properties_collect(x, m, more, n);
    json_open(w, '{');
    member_extensions(x, w, m, more, n);
    json_member_str(w, "system", m->system->url);
    if (m->concept->abstract) {
        json_member_bool(w, "abstract", true);
    }
    if (m->concept->inactive) {
        json_member_bool(w, "inactive", true);
    }
    if (x->e.versions) {
        json_member_str(w, "version", m->system->version);
    }
    json_member_str(w, "code", m->concept->code);
    json_member_str(w, "display", best ? best->value : STR_NONE);
    if (x->designations) {
        designations_write(x, w, &words, best);
    }
    if (x->ask->request->r5 && x->shown_n) {
        json_key_open(w, "property", '[');
        for (size_t i = 0; i < x->shown_n; i++) {
            property_write(x, w, &x->shown[i]);
        }
        json_close(w, ']');
    }
    if (nested && m->child_first) {
        json_key_open(w, "contains", '[');
        for (const TermMember *c = m->child_first; c; c = c->sibling) {
            member_write(x, w, c, true);
        }
        json_close(w, ']');
    }
    json_close(w, '}');
}

Str term_expansion_contains(TermExpansion *x)
{
    Buf out;
    JsonWriter w = json_begin(&out, '[');
    const TermExpand *e = &x->e;
    bool tree = e->tree && !e->no_total && (e->count < 0 || e->count > (int64_t)e->n);
    int64_t at = 0, from = e->offset > 0 ? e->offset : 0;
    for (const TermMember *m = e->first; m; m = m->next) {
        if (tree && m->parent) {
            continue;
        }
        if (at >= from && (e->count < 0 || at < from + e->count)) {
            member_write(x, &w, m, tree);
        }
        at++;
    }
    return json_end(&w, ']', x->t->arena);
}
