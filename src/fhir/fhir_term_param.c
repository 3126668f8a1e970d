/* Parameters in and out, and fhir_term_run. */
#include "fhir_term_inner.h"
#include "fhir_write.h"

/* ---- reading ----------------------------------------------------------------------------------
 */

JsonRef term_param_value(const JsonDoc *d, JsonRef parameter)
{
    for (JsonIter it = json_iter(d, parameter); json_next(&it);) {
        if (str_starts(it.key, STR("value"))) {
            return it.value;
        }
    }
    return json_get_c(d, parameter, "resource");
}

JsonRef term_ask(const TermAsk *ask, const char *name)
{
    for (JsonIter it = json_iter(ask->doc, ask->list); ask->doc && json_next(&it);) {
        if (str_is(json_str_at(ask->doc, it.value, "name"), name)) {
            return it.value;
        }
    }
    return JSON_NONE;
}

JsonRef term_ask_value(const TermAsk *ask, const char *name)
{
    JsonRef p = term_ask(ask, name);
    return p == JSON_NONE ? p : term_param_value(ask->doc, p);
}

Str term_ask_str(const TermAsk *ask, const char *name)
{
    JsonRef v = term_ask_value(ask, name);
    return v == JSON_NONE ? STR_NONE : json_str(ask->doc, v);
}

/* A parameter that came in an address is text. */
bool term_ask_bool(const TermAsk *ask, const char *name, bool otherwise)
{
    JsonRef v = term_ask_value(ask, name);
    if (v == JSON_NONE) {
        return otherwise;
    }
    JsonType type = json_type(ask->doc, v);
    return type == JSON_STRING ? str_is(json_str(ask->doc, v), "true") : type == JSON_TRUE;
}

bool term_ask_i64(const TermAsk *ask, const char *name, int64_t *ret)
{
    JsonRef v = term_ask_value(ask, name);
    if (v == JSON_NONE) {
        return false;
    }
    int64_t n = -1;
    bool ok = json_type(ask->doc, v) == JSON_STRING ? str_to_i64(json_str(ask->doc, v), &n)
                                                    : json_to_i64(ask->doc, v, &n);
    if (!ok || n < 0) {
        term_fault(ask->t, 400, "invalid", NULL, TERM_SAY_PARAMETER_BAD,
                   TERM_SAY(ask->t, PARAMETER_BAD, str_from_c(name)));
        return false;
    }
    *ret = n;
    return true;
}

JsonRef term_ask_shared(const TermAsk *ask, const char *name, const JsonDoc **ret_doc)
{
    for (; ask; ask = ask->outer) {
        JsonRef v = term_ask_value(ask, name);
        if (v != JSON_NONE) {
            *ret_doc = ask->doc;
            return v;
        }
    }
    return JSON_NONE;
}

Str term_ask_shared_str(const TermAsk *ask, const char *name)
{
    const JsonDoc *d;
    JsonRef v = term_ask_shared(ask, name, &d);
    return v == JSON_NONE ? STR_NONE : json_str(d, v);
}

bool term_ask_shared_bool(const TermAsk *ask, const char *name, bool otherwise)
{
    while (ask && term_ask(ask, name) == JSON_NONE) {
        ask = ask->outer;
    }
    return ask ? term_ask_bool(ask, name, otherwise) : otherwise;
}

const TermItem *term_ask_valueset(const TermAsk *ask)
{
    FhirTerm *t = ask->t;
    const JsonDoc *d;
    JsonRef inside = term_ask_shared(ask, "valueSet", &d);
    if (ask->request->instance) {
        return ask->request->instance;
    }
    if (inside != JSON_NONE && str_is(json_str_at(d, inside, "resourceType"), "ValueSet")) {
        return term_item_inline(t, d, inside);
    }
    Str url = term_ask_shared_str(ask, "url");
    if (str_empty(url)) {
        term_fault(t, 400, "invalid", NULL, TERM_SAY_NO_VALUESET,
                   TERM_SAY(t, NO_VALUESET, STR_NONE));
        return NULL;
    }
    Str version = term_ask_shared_str(ask, "valueSetVersion");
    Str canonical = str_find_char(url, '|') < 0 ? term_canonical(t->arena, url, version) : url;
    const TermItem *vs = term_find_valueset(t, canonical, NULL);
    if (!vs) {
        term_fault(t, 404, "not-found", "not-found", TERM_SAY_UNKNOWN_VALUESET,
                   TERM_SAY(t, UNKNOWN_VALUESET, canonical));
    }
    return vs;
}

/* ---- what a request says once for all
 * ------------------------------------------------------------ */

static void rule_add(FhirTerm *t, Str name, int mode, Str canonical)
{
    TermRule *r = arena_new(t->arena, TermRule), **end = &t->rules;
    *r = (TermRule){.name = name};
    r->mode = mode;
    term_split(canonical, &r->url, &r->version);
    for (TermRule *x = t->rules; x; x = x->next) {
        if ((int)x->mode == mode && str_eq(x->url, r->url) && !str_eq(x->version, r->version)) {
            term_fault(t, 422, "exception", "version-error", TERM_SAY_RULES_DISAGREE,
                       TERM_SAY(t, RULES_DISAGREE, r->url, x->version, r->version));
        }
    }
    while (*end) {
        end = &(*end)->next;
    }
    if (r->version.n) {
        *end = r;
    }
}

static bool rule_read(FhirTerm *t, Str name, Str value)
{
    static const struct {
        const char *name;
        int mode;
    } RULES[] = {{"system-version", RULE_DEFAULT},       {"check-system-version", RULE_CHECK},
                 {"force-system-version", RULE_FORCE},   {"default-valueset-version", RULE_DEFAULT},
                 {"check-valueset-version", RULE_CHECK}, {"force-valueset-version", RULE_FORCE}};
    for (size_t i = 0; i < sizeof RULES / sizeof *RULES; i++) {
        if (str_is(name, RULES[i].name)) {
            rule_add(t, name, RULES[i].mode, value);
            return true;
        }
    }
    return false;
}

static void langs_read(FhirTerm *t, Str text, bool must)
{
    if (str_empty(text)) {
        return;
    }
    TermLangs langs;
    if (term_langs_parse(text, &langs)) {
        t->langs = langs;
        t->langs_given = true;
    } else if (must) {
        term_fault(t, 400, "processing", "invalid-display", TERM_SAY_LANGUAGE_BAD,
                   TERM_SAY(t, LANGUAGE_BAD, text));
    }
}

static void parameter_read(TermAsk *ask, Str name, JsonRef parameter)
{
    FhirTerm *t = ask->t;
    JsonRef value = term_param_value(ask->doc, parameter);
    Str text = value == JSON_NONE ? STR_NONE : json_str(ask->doc, value);
    if (str_is(name, "tx-resource")) {
        TermItem *item = term_item_inline(t, ask->doc, value);
        if (item) {
            fhir_term_items_add(t->arena, &t->extra, item);
        }
    } else if (str_is(name, "displayLanguage")) {
        langs_read(t, text, true);
    } else if (str_is(name, "useSupplement")) {
        term_supplement_require(t, text);
    } else {
        rule_read(t, name, text);
    }
}

void term_ask_read(TermAsk *ask)
{
    for (JsonIter it = json_iter(ask->doc, ask->list); ask->doc && json_next(&it);) {
        parameter_read(ask, json_str_at(ask->doc, it.value, "name"), it.value);
    }
}

/* ---- answers
 * --------------------------------------------------------------------------------------- */

JsonWriter term_answer_begin(Buf *out)
{
    JsonWriter w = fhir_begin(out, "Parameters", STR_NONE);
    json_key_open(&w, "parameter", '[');
    return w;
}

Str term_answer_end(JsonWriter *w, Arena *a)
{
    json_close(w, ']');
    return json_end(w, '}', a);
}

void term_put_str(JsonWriter *w, const char *name, const char *type, Str value)
{
    if (value.n) {
        json_open(w, '{');
        json_member_c(w, "name", name);
        json_member_str(w, type, value);
        json_close(w, '}');
    }
}

void term_put_bool(JsonWriter *w, const char *name, bool value)
{
    json_open(w, '{');
    json_member_c(w, "name", name);
    json_member_bool(w, "valueBoolean", value);
    json_close(w, '}');
}

static Str operation_run(TermAsk *ask)
{
    switch (ask->request->operation) {
    case TERM_EXPAND:
        return term_op_expand(ask);
    case TERM_VALIDATE_VALUESET:
        return term_op_validate(ask, false);
    case TERM_VALIDATE_SYSTEM:
        return term_op_validate(ask, true);
    case TERM_BATCH_VALIDATE:
        return term_op_batch(ask);
    case TERM_LOOKUP:
        return term_op_lookup(ask);
    case TERM_SUBSUMES:
        return term_op_subsumes(ask);
    case TERM_TRANSLATE:
        return term_op_translate(ask);
    }
    return STR_NONE;
}

static bool prefers_chinese(Str accept_language)
{
    Str first, rest;
    str_cut(accept_language, ',', &first, &rest);
    first = str_trim(first);
    return first.n >= 2 && str_eq_nocase(str_take(first, 2), STR("zh"));
}

Status fhir_term_run(const TermSource *source, Arena *a, const TermRequest *request,
                     TermResult *ret, Err *err)
{
    FhirTerm *t = fhir_term_new(a, source);
    t->as_listed = false; /* the operations say which code systems they lack */
    TermAsk ask = {.t = t, .request = request, .doc = request->parameters, .list = JSON_NONE};
    t->err = err;
    t->now_ms = request->now_ms;
    t->zh = prefers_chinese(request->accept_language);
    if (ask.doc) {
        ask.list = json_get_c(ask.doc, JSON_ROOT, "parameter");
    }
    langs_read(t, request->accept_language, false);
    term_ask_read(&ask);
    Str body = term_stopped(t) ? STR_NONE : operation_run(&ask);
    TRY(t->trouble);
    *ret = (TermResult){200, body};
    if (t->fault) {
        *ret = (TermResult){t->fault_status, term_outcome(t, t->fault)};
    }
    return OK;
}
