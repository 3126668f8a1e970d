/* $lookup and $subsumes of code systems, and the plain questions of other parts. */
#include "fhir_term_inner.h"
#include "fhir_write.h"

typedef struct Code {
    Str system, version, code;
} Code;

/* ---- $lookup ----------------------------------------------------------------------------------
 */

static Code code_asked(const TermAsk *ask)
{
    JsonRef coding = term_ask_value(ask, "coding");
    const TermItem *instance = ask->request->instance;
    if (coding != JSON_NONE) {
        return (Code){json_str_at(ask->doc, coding, "system"),
                      json_str_at(ask->doc, coding, "version"),
                      json_str_at(ask->doc, coding, "code")};
    }
    Str system = term_ask_str(ask, "system");
    return (Code){system.n || !instance ? system : instance->url, term_ask_str(ask, "version"),
                  term_ask_str(ask, "code")};
}

static bool asked_for(const TermAsk *ask, Str code)
{
    bool any = false;
    for (JsonIter it = json_iter(ask->doc, ask->list); ask->doc && json_next(&it);) {
        if (!str_is(json_str_at(ask->doc, it.value, "name"), "property")) {
            continue;
        }
        Str wanted = json_str(ask->doc, term_param_value(ask->doc, it.value));
        if (str_is(wanted, "*") || str_eq(wanted, code)) {
            return true;
        }
        any = true;
    }
    return !any && str_is(code, "inactive");
}

static void part_open(JsonWriter *w, const char *name)
{
    json_open(w, '{');
    json_member_c(w, "name", name);
    json_key_open(w, "part", '[');
}

static void part_close(JsonWriter *w)
{
    json_close(w, ']');
    json_close(w, '}');
}

static void property_put(JsonWriter *w, Str code, const char *key, Str raw, Str description)
{
    part_open(w, "property");
    term_put_str(w, "code", "valueCode", code);
    json_open(w, '{');
    json_member_c(w, "name", "value");
    json_key(w, key);
    json_put_raw(w, raw);
    json_close(w, '}');
    term_put_str(w, "description", "valueString", description);
    part_close(w);
}

static Str quoted(Arena *a, Str text)
{
    Buf out;
    buf_init(&out, 0);
    buf_json_str(&out, text);
    return buf_take(&out, a);
}

static void neighbours_put(FhirTerm *t, JsonWriter *w, const TermSystem *s, const TermConcept *c,
                           bool parents)
{
    for (uint32_t i = 0; i < s->n && term_step(t); i++) {
        const TermConcept *x = &s->concept[i];
        if (parents ? term_is_child(s, c, x) : term_is_child(s, x, c)) {
            property_put(w, parents ? STR("parent") : STR("child"), "valueCode",
                         quoted(t->arena, x->code), x->display);
        }
    }
}

static bool placed(const TermSystem *s, Str code)
{
    return str_eq(code, s->prop_parent) || str_eq(code, s->prop_child) ||
           str_eq(code, s->prop_inactive);
}

static void properties_put(TermAsk *ask, JsonWriter *w, const TermSystem *s, const TermConcept *c)
{
    if (asked_for(ask, STR("inactive"))) {
        property_put(w, STR("inactive"), "valueBoolean", c->inactive ? STR("true") : STR("false"),
                     STR_NONE);
    }
    if (asked_for(ask, STR("parent"))) {
        neighbours_put(ask->t, w, s, c, true);
    }
    if (asked_for(ask, STR("child"))) {
        neighbours_put(ask->t, w, s, c, false);
    }
    TermProps it = term_props(s, c, STR_NONE);
    while (term_prop_next(&it)) {
        if (!placed(s, it.code) && asked_for(ask, it.code)) {
            property_put(w, it.code, it.key, json_raw(it.doc, it.value), STR_NONE);
        }
    }
}

static void designation_put(JsonWriter *w, const TermWord *word)
{
    JsonRef use = word->doc ? json_get_c(word->doc, word->ref, "use") : JSON_NONE;
    part_open(w, "designation");
    term_put_str(w, "language", "valueCode", word->lang);
    if (use != JSON_NONE || word->base) {
        json_open(w, '{');
        json_member_c(w, "name", "use");
        json_key(w, "valueCoding");
        json_put_raw(w, use != JSON_NONE ? json_raw(word->doc, use) : STR(TERM_PREFERRED_USE));
        json_close(w, '}');
    }
    term_put_str(w, "value", "valueString", word->value);
    term_put_str(w, "source", "valueCanonical", word->source);
    part_close(w);
}

static Str lookup_write(TermAsk *ask, const TermSystem *s, const TermConcept *c)
{
    FhirTerm *t = ask->t;
    const TermItem *more[16];
    Buf out;
    JsonWriter w = term_answer_begin(&out);
    TermWords words = term_words(t, s, c);
    const TermWord *best = term_words_best(&words, &t->langs);
    term_put_str(&w, "name", "valueString", s->name.n ? s->name : s->url);
    term_put_str(&w, "system", "valueUri", s->url);
    term_put_str(&w, "code", "valueCode", c->code);
    term_put_str(&w, "version", "valueString", s->version);
    term_put_str(&w, "display", "valueString", best ? best->value : c->code);
    term_put_str(&w, "definition", "valueString", term_definition(s, c));
    term_put_bool(&w, "abstract", c->abstract);
    for (const TermWord *word = words.first; word; word = word->next) {
        if (word->value.n) {
            designation_put(&w, word);
        }
    }
    properties_put(ask, &w, s, c);
    size_t n = term_supplements(t, s, more, 16);
    for (size_t i = 0; i < n; i++) {
        term_put_str(&w, "used-supplement", "valueCanonical",
                     term_canonical(t->arena, more[i]->url, more[i]->version));
    }
    return term_answer_end(&w, t->arena);
}

static void code_fault(FhirTerm *t, const TermSystem *s, Str code)
{
    TermMessage m = s->version.n ? TERM_SAY_UNKNOWN_CODE_VERSION : TERM_SAY_UNKNOWN_CODE;
    term_fault(t, 404, "not-found", "invalid-code", m,
               term_text(t, m, TERM_STR_LIST(code, s->url, s->version)));
}

/* The system and the concept, or a fault. */
static const TermConcept *concept_find(FhirTerm *t, const TermItem *instance, Code code,
                                       const TermSystem **ret_system)
{
    const TermSystem *s =
        instance && str_eq(code.system, instance->url)
            ? instance->system
            : term_find_system(t, code.system,
                               term_version_ruled(t, code.system, code.version, NULL));
    if (!s) {
        static const TermMessage SAYS[] = {TERM_SAY_UNKNOWN_SYSTEM, TERM_SAY_UNKNOWN_SYSTEM_VERSION,
                                           TERM_SAY_UNKNOWN_SYSTEM_VERSION_NONE};
        term_system_fault(t, 404, SAYS, code.system, code.version);
        return NULL;
    }
    const TermConcept *c = term_locate(t->arena, s, code.code);
    if (!c) {
        code_fault(t, s, code.code);
    }
    *ret_system = s;
    return c;
}

Str term_op_lookup(TermAsk *ask)
{
    FhirTerm *t = ask->t;
    Code code = code_asked(ask);
    const TermSystem *s;
    const TermItem *some[16];
    if (str_empty(code.system) || str_empty(code.code)) {
        term_fault(t, 400, "invalid", NULL, TERM_SAY_NO_LOOKUP_CODE,
                   TERM_SAY(t, NO_LOOKUP_CODE, STR_NONE));
        return STR_NONE;
    }
    const TermConcept *c = concept_find(t, ask->request->instance, code, &s);
    if (!c) {
        return STR_NONE;
    }
    term_supplements(t, s, some, 16);
    term_supplements_check(t);
    return term_stopped(t) ? STR_NONE : lookup_write(ask, s, c);
}

/* ---- $subsumes
 * ------------------------------------------------------------------------------------ */

static Code subsumed_asked(const TermAsk *ask, const char *code, const char *coding)
{
    JsonRef r = term_ask_value(ask, coding);
    if (r != JSON_NONE) {
        return (Code){json_str_at(ask->doc, r, "system"), json_str_at(ask->doc, r, "version"),
                      json_str_at(ask->doc, r, "code")};
    }
    Code c = code_asked(ask);
    c.code = term_ask_str(ask, code);
    return c;
}

Str term_op_subsumes(TermAsk *ask)
{
    FhirTerm *t = ask->t;
    Code a = subsumed_asked(ask, "codeA", "codingA"), b = subsumed_asked(ask, "codeB", "codingB");
    const TermSystem *s;
    if (str_empty(a.code) || str_empty(b.code) || str_empty(a.system)) {
        term_fault(t, 400, "invalid", NULL, TERM_SAY_NO_SUBSUMES_CODES,
                   TERM_SAY(t, NO_SUBSUMES_CODES, STR_NONE));
        return STR_NONE;
    }
    if (!str_eq(a.system, b.system)) {
        term_fault(t, 400, "invalid", NULL, TERM_SAY_SYSTEMS_DIFFER,
                   TERM_SAY(t, SYSTEMS_DIFFER, a.system, b.system));
        return STR_NONE;
    }
    const TermConcept *x = concept_find(t, ask->request->instance, a, &s);
    const TermConcept *y = x ? concept_find(t, ask->request->instance, b, &s) : NULL;
    if (!y) {
        return STR_NONE;
    }
    const char *outcome = str_eq(x->code, y->code) ? "equivalent"
                          : term_is_a(s, y, x)     ? "subsumes"
                          : term_is_a(s, x, y)     ? "subsumed-by"
                                                   : "not-subsumed";
    Buf out;
    JsonWriter w = term_answer_begin(&out);
    term_put_str(&w, "outcome", "valueCode", str_from_c(outcome));
    return term_answer_end(&w, t->arena);
}

/* ---- other parts' questions
 * -------------------------------------------------------------------------- */

static TermAnswer answer_end(FhirTerm *t, TermAnswer answer)
{
    TermAnswer said = term_stopped(t) ? TERM_UNKNOWN : answer;
    t->fault = NULL; /* of this question only */
    t->steps = 0;
    return said;
}

#define SYSTEMS_MAX 200 /* of one value set */

/* An element of type code does not say its system. */
static TermAnswer in_any_system(FhirTerm *t, const TermItem *vs, Str code)
{
    Str system[SYSTEMS_MAX];
    size_t n = term_systems_of(t, vs, system, SYSTEMS_MAX);
    TermAnswer answer = TERM_NO;
    for (size_t i = 0; i < n && answer != TERM_YES && !term_stopped(t); i++) {
        TermIssues issues = {0};
        TermCheck k = {.t = t, .issues = &issues, .abstract_ok = true};
        TermAnswer one = term_check_valueset(&k, vs, system[i], STR_NONE, code);
        answer = one == TERM_NO ? answer : one;
    }
    return answer;
}

TermAnswer fhir_term_in(FhirTerm *t, Str valueset, Str system, Str version, Str code)
{
    const TermItem *vs = term_find_valueset(t, valueset, NULL);
    if (!vs) {
        return answer_end(t, TERM_UNKNOWN);
    }
    if (str_empty(system)) {
        return answer_end(t, in_any_system(t, vs, code));
    }
    TermIssues issues = {0};
    TermCheck k = {.t = t, .issues = &issues, .abstract_ok = true};
    return answer_end(t, term_check_valueset(&k, vs, system, version, code));
}

static const TermSystem *system_any_version(FhirTerm *t, Str system, Str version)
{
    const TermSystem *s = term_find_system(t, system, version);
    return s ? s : term_find_system(t, system, STR_NONE);
}

TermAnswer fhir_term_known(FhirTerm *t, Str system, Str version, Str code)
{
    const TermSystem *s = system_any_version(t, system, version);
    if (!s) {
        return answer_end(t, TERM_UNKNOWN);
    }
    bool there = term_locate(t->arena, s, code) != NULL;
    return answer_end(t, there                                 ? TERM_YES
                         : s->content == TERM_CONTENT_COMPLETE ? TERM_NO
                                                               : TERM_UNKNOWN);
}

static bool words_find(FhirTerm *t, Str system, Str version, Str code, TermWords *ret)
{
    const TermSystem *s = system_any_version(t, system, version);
    const TermConcept *c = s ? term_locate(t->arena, s, code) : NULL;
    if (!c) {
        return false;
    }
    *ret = term_words(t, s, c);
    return true;
}

Str fhir_term_display(FhirTerm *t, Str system, Str version, Str code, Str language)
{
    TermWords words;
    TermLangs langs = {0};
    if (!words_find(t, system, version, code, &words) || !term_langs_parse(language, &langs)) {
        return STR_NONE;
    }
    const TermWord *best = term_words_best(&words, &langs);
    return best ? best->value : STR_NONE;
}

TermAnswer fhir_term_display_fits(FhirTerm *t, Str system, Str version, Str code, Str display)
{
    TermWords words;
    if (!words_find(t, system, version, code, &words) || term_words_count(&words, NULL) == 0) {
        return answer_end(t, TERM_UNKNOWN);
    }
    return answer_end(t, term_words_fit(&words, NULL, display, false) != TERM_FIT_NO ? TERM_YES
                                                                                     : TERM_NO);
}

static TermAnswer coding_in(FhirTerm *t, const FhirNode *n, JsonRef coding, Str valueset)
{
    const JsonDoc *d = n->doc;
    Str code = json_str_at(d, coding, "code");
    return str_empty(code) ? TERM_NO
                           : fhir_term_in(t, valueset, json_str_at(d, coding, "system"),
                                          json_str_at(d, coding, "version"), code);
}

bool fhir_term_member_of(void *term, const FhirValue *v, Str valueset, bool *ret)
{
    FhirTerm *t = term;
    Str text;
    TermAnswer answer = TERM_NO;
    if (v->kind != FHIR_VALUE_NODE || json_type(v->node.doc, v->node.ref) != JSON_OBJECT) {
        answer = fhir_value_text(t->arena, v, &text)
                     ? fhir_term_in(t, valueset, STR_NONE, STR_NONE, text)
                     : TERM_UNKNOWN;
    } else {
        const FhirNode *n = &v->node;
        JsonRef list = json_get_c(n->doc, n->ref, "coding");
        answer = list == JSON_NONE ? coding_in(t, n, n->ref, valueset) : TERM_NO;
        for (JsonIter it = json_iter(n->doc, list); answer != TERM_YES && json_next(&it);) {
            TermAnswer one = coding_in(t, n, it.value, valueset);
            answer = one == TERM_NO ? answer : one;
        }
    }
    *ret = answer == TERM_YES;
    return answer != TERM_UNKNOWN;
}

static Status fault_status(FhirTerm *t, Err *err)
{
    TRY(t->trouble);
    const TermIssue *f = t->fault;
    Status st = t->fault_status == 404               ? ERR_NOT_FOUND
                : strcmp(f->code, "too-costly") == 0 ? ERR_TOO_LARGE
                : strcmp(f->code, "not-found") == 0  ? ERR_NOT_FOUND
                                                     : ERR_INVALID;
    t->fault = NULL;
    t->steps = 0;
    return err_text(err, st, f->code, f->path, f->text, f->text);
}

Status fhir_term_members(FhirTerm *t, Str valueset, size_t limit, TermCode **ret, size_t *ret_n,
                         Err *err)
{
    const TermItem *vs = term_find_valueset(t, valueset, NULL);
    TermExpand e = {.t = t, .count = -1, .offset = -1, .limit = limit, .exclude_nested = true};
    if (vs) {
        term_expand(&e, vs);
    } else {
        term_fault(t, 404, "not-found", NULL, TERM_SAY_UNKNOWN_VALUESET,
                   TERM_SAY(t, UNKNOWN_VALUESET, valueset));
    }
    if (!term_stopped(t) && e.n > limit) {
        term_fault(t, 422, "too-costly", NULL, TERM_SAY_TOO_COSTLY,
                   TERM_SAY(t, TOO_COSTLY, valueset, arena_printf(t->arena, ">%zu", limit)));
    }
    if (term_stopped(t)) {
        return fault_status(t, err);
    }
    size_t n = 0;
    TermCode *list = arena_array(t->arena, TermCode, e.n + 1);
    for (const TermMember *m = e.first; m; m = m->next) {
        list[n++] = (TermCode){m->system->url, m->concept->code};
    }
    t->steps = 0;
    *ret = list;
    *ret_n = n;
    return OK;
}

Status fhir_term_related(FhirTerm *t, Str system, Str code, bool below, size_t limit,
                         TermCode **ret, size_t *ret_n, Err *err)
{
    const TermSystem *s;
    const TermConcept *c = concept_find(t, NULL, (Code){system, STR_NONE, code}, &s);
    if (!c) {
        return fault_status(t, err);
    }
    size_t n = 1, room = limit < s->n ? limit : s->n;
    TermCode *list = arena_array(t->arena, TermCode, room + 2);
    list[0] = (TermCode){s->url, c->code};
    for (uint32_t i = 0; i < s->n && term_step(t); i++) {
        const TermConcept *x = &s->concept[i];
        if (x == c || !(below ? term_is_a(s, x, c) : term_is_a(s, c, x))) {
            continue;
        }
        if (n > limit) {
            term_fault(t, 422, "too-costly", NULL, TERM_SAY_TOO_COSTLY,
                       TERM_SAY(t, TOO_COSTLY, system, arena_printf(t->arena, ">%zu", limit)));
            break;
        }
        list[n++] = (TermCode){s->url, x->code};
    }
    if (term_stopped(t)) {
        return fault_status(t, err);
    }
    t->steps = 0;
    *ret = list;
    *ret_n = n;
    return OK;
}
