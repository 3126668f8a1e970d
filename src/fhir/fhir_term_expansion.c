/* $expand: its parameters, and the ValueSet that answers. */
#include "fhir_term_expansion.h"

/* ---- what is asked
 * ---------------------------------------------------------------------------------- */

static void list_read(TermExpansion *x, const char *name, Str *into, size_t max, size_t *n)
{
    for (JsonIter it = json_iter(x->ask->doc, x->ask->list); x->ask->doc && json_next(&it);) {
        if (str_is(json_str_at(x->ask->doc, it.value, "name"), name) && *n < max) {
            into[(*n)++] = json_str(x->ask->doc, term_param_value(x->ask->doc, it.value));
        }
    }
}

static void echo_bool(TermExpansion *x, const char *name, bool *ret)
{
    if (term_ask(x->ask, name) != JSON_NONE) {
        *ret = term_ask_bool(x->ask, name, false);
        term_expand_param(&x->e, name, "valueBoolean", *ret ? STR("true") : STR("false"));
    }
}

static void echo_i64(TermExpansion *x, const char *name, int64_t *ret)
{
    *ret = -1;
    if (term_ask_i64(x->ask, name, ret)) {
        term_expand_param(&x->e, name, "valueInteger",
                          arena_printf(x->t->arena, "%lld", (long long)*ret));
    }
}

static void options_read(TermExpansion *x)
{
    x->e.t = x->t;
    x->e.limit = FHIR_TERM_LIMIT;
    x->e.filter = term_ask_str(x->ask, "filter");
    if (x->e.filter.n) {
        term_expand_param(&x->e, "filter", "valueString", x->e.filter);
    }
    list_read(x, "property", x->property, PROPERTIES_MAX, &x->property_n);
    list_read(x, "designation", x->designation, DESIGNATIONS_MAX, &x->designation_n);
    for (size_t i = 0; i < x->designation_n; i++) {
        term_expand_param(&x->e, "designation", "valueString", x->designation[i]);
    }
    echo_bool(x, "excludeNested", &x->e.exclude_nested);
    echo_bool(x, "activeOnly", &x->e.active_only);
    echo_bool(x, "versionsMatch", &x->e.merge);
    echo_bool(x, "includeDesignations", &x->designations);
    echo_bool(x, "includeDefinition", &x->definition);
    echo_bool(x, "excludeNotForUI", &x->e.not_for_ui);
    bool ignored = false;
    echo_bool(x, "excludePostCoordinated", &ignored);
    echo_i64(x, "count", &x->e.count);
    echo_i64(x, "offset", &x->e.offset);
}

/* ---- the resource
 * ------------------------------------------------------------------------------------------------
 */

static bool member_kept(Str key, bool whole)
{
    static const char *const NEVER[] = {"id", "meta", "text", "expansion", "resourceType"};
    static const char *const DEFINITION[] = {"compose",   "purpose",   "description", "contact",
                                             "copyright", "publisher", "extension",   "contained"};
    for (size_t i = 0; i < sizeof NEVER / sizeof *NEVER; i++) {
        if (str_is(key, NEVER[i])) {
            return false;
        }
    }
    for (size_t i = 0; !whole && i < sizeof DEFINITION / sizeof *DEFINITION; i++) {
        if (str_is(key, DEFINITION[i])) {
            return false;
        }
    }
    return true;
}

static void params_write(const TermExpand *e, JsonWriter *w)
{
    json_key_open(w, "parameter", '[');
    for (const TermParam *p = e->param_first; p; p = p->next) {
        bool raw = strcmp(p->type, "valueBoolean") == 0 || strcmp(p->type, "valueInteger") == 0;
        json_open(w, '{');
        json_member_c(w, "name", p->name);
        json_key(w, p->type);
        if (raw) {
            json_put_raw(w, p->value);
        } else {
            json_put_str(w, p->value);
        }
        json_close(w, '}');
    }
    json_close(w, ']');
}

static void unclosed_write(const TermExpand *e, JsonWriter *w)
{
    if (e->unclosed.n) {
        fhir_extension_open(w, TERM_EXT("valueset-unclosed"));
        json_member_bool(w, "valueBoolean", true);
        json_close(w, '}');
        fhir_extension_open(w, TERM_EXT("valueset-unclosed-reason"));
        json_member_str(w, "valueString", e->unclosed);
        json_close(w, '}');
    }
}

static void declared_all(TermExpansion *x, JsonWriter *w)
{
    for (size_t i = 0; i < x->declared_n; i++) {
        term_expansion_declared(x, w, &x->declared[i]);
    }
}

static void expansion_write(TermExpansion *x, JsonWriter *w)
{
    const TermRequest *r = x->ask->request;
    const TermExpand *e = &x->e;
    Str contains = term_expansion_contains(x);
    json_key_open(w, "expansion", '{');
    if (e->unclosed.n || (!r->r5 && x->declared_n)) {
        json_key_open(w, "extension", '[');
        unclosed_write(e, w);
        if (!r->r5) {
            declared_all(x, w);
        }
        json_close(w, ']');
    }
    json_member_str(w, "identifier", arena_cat(x->t->arena, STR("urn:uuid:"), r->uuid));
    json_member_str(w, "timestamp", time_iso(x->t->arena, r->now_ms, ZONE_CHINA_MIN));
    if (!e->no_total) {
        json_member_i64(w, "total", (int64_t)e->n);
    }
    if (e->offset >= 0) {
        json_member_i64(w, "offset", e->offset);
    }
    if (e->param_first) {
        params_write(e, w);
    }
    if (r->r5 && x->declared_n) {
        json_key_open(w, "property", '[');
        declared_all(x, w);
        json_close(w, ']');
    }
    if (contains.n > 2) {
        json_key(w, "contains");
        json_put_raw(w, contains);
    }
    json_close(w, '}');
}

static Str answer_write(TermExpansion *x)
{
    Buf out;
    JsonWriter w = fhir_begin(&out, "ValueSet", STR_NONE);
    const JsonDoc *d = &x->vs->doc;
    for (JsonIter it = json_iter(d, x->vs->ref); json_next(&it);) {
        if (member_kept(it.key, x->definition)) {
            json_key_str(&w, it.key);
            json_put_raw(&w, json_raw(d, it.value));
        }
    }
    expansion_write(x, &w);
    return json_end(&w, '}', x->t->arena);
}

/* As asked for; that no other will do is always written in one way. */
static Str langs_text(const FhirTerm *t)
{
    Str text = STR_NONE;
    for (size_t i = 0; t->langs.only && i < t->langs.n; i++) {
        text = arena_cat(t->arena, text, i ? STR(",") : STR_NONE, t->langs.tag[i]);
    }
    return t->langs.only ? arena_cat(t->arena, text, STR(", *; q=0")) : t->langs.raw;
}

Str term_op_expand(TermAsk *ask)
{
    FhirTerm *t = ask->t;
    TermExpansion *x = arena_new(t->arena, TermExpansion);
    x->ask = ask;
    x->t = t;
    options_read(x);
    x->vs = term_stopped(t) ? NULL : term_ask_valueset(ask);
    if (!x->vs) {
        return STR_NONE;
    }
    term_see_valueset(t, x->vs);
    if (t->langs.raw.n) {
        term_expand_param(&x->e, "displayLanguage", "valueCode", langs_text(t));
    }
    if (x->e.count > FHIR_TERM_COUNT_MAX) {
        x->e.count = FHIR_TERM_COUNT_MAX;
    }
    int64_t page = (x->e.offset > 0 ? x->e.offset : 0) + (x->e.count > 0 ? x->e.count : 0);
    x->e.limit = page > (int64_t)x->e.limit ? (size_t)page : x->e.limit;
    term_expand_standing(&x->e, x->vs, x->vs);
    term_expand(&x->e, x->vs);
    if (!term_stopped(t)) {
        term_supplements_check(t);
    }
    return term_stopped(t) ? STR_NONE : answer_write(x);
}
