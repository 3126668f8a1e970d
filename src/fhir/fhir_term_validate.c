/* $validate-code of code systems and value sets, alone and in batches. */
#include <stdlib.h>

#include "fhir_term_validate.h"
#include "fhir_write.h"

/* ---- what is asked
 * --------------------------------------------------------------------------------- */

static TermCoding coding_read(const JsonDoc *d, JsonRef r)
{
    return (TermCoding){json_str_at(d, r, "system"), json_str_at(d, r, "version"),
                        json_str_at(d, r, "code"), json_str_at(d, r, "display")};
}

static void concept_read(TermValidate *v, JsonRef concept)
{
    v->mode = TERM_BY_CONCEPT;
    v->concept = concept;
    JsonRef list = json_get_c(v->doc, concept, "coding");
    v->coding = arena_array(v->t->arena, TermCoding, CODINGS_MAX);
    for (JsonIter it = json_iter(v->doc, list); json_next(&it) && v->n < CODINGS_MAX;) {
        v->coding[v->n++] = coding_read(v->doc, it.value);
    }
}

static void code_read(TermValidate *v, bool system)
{
    TermAsk *ask = v->ask;
    Str url = term_ask_str(ask, "system");
    v->coding = arena_new(v->t->arena, TermCoding);
    *v->coding = (TermCoding){url.n || !system ? url : term_ask_str(ask, "url"),
                              term_ask_str(ask, system ? "version" : "systemVersion"),
                              term_ask_str(ask, "code"), term_ask_str(ask, "display")};
    if (str_empty(v->coding->system) && system && ask->request->instance) {
        v->coding->system = ask->request->instance->url;
    }
    v->n = v->coding->code.n && (v->coding->system.n || v->check.infer) ? 1 : 0;
    v->mode = TERM_BY_CODE;
}

static bool codings_read(TermValidate *v, bool system)
{
    JsonRef coding = term_ask_value(v->ask, "coding");
    JsonRef concept = term_ask_value(v->ask, "codeableConcept");
    v->doc = v->ask->doc;
    v->concept = JSON_NONE;
    if (coding != JSON_NONE) {
        v->mode = TERM_BY_CODING;
        v->coding = arena_new(v->t->arena, TermCoding);
        *v->coding = coding_read(v->doc, coding);
        v->n = v->coding->code.n ? 1 : 0;
    } else if (concept != JSON_NONE) {
        concept_read(v, concept);
    } else {
        code_read(v, system);
    }
    if (v->n == 0) {
        term_fault(v->t, 400, "invalid", NULL, TERM_SAY_NO_CODE, TERM_SAY(v->t, NO_CODE, STR_NONE));
    }
    return v->n > 0;
}

static void options_read(TermValidate *v)
{
    const TermAsk *ask = v->ask;
    v->lenient = term_ask_shared_bool(ask, "lenient-display-validation", false);
    v->check.t = v->t;
    v->check.issues = &v->issues;
    v->check.abstract_ok = term_ask_shared_bool(ask, "abstract", true);
    v->check.active_only = term_ask_shared_bool(ask, "activeOnly", false);
    v->check.membership_only = term_ask_shared_bool(ask, "valueset-membership-only", false);
    v->check.infer = term_ask_shared_bool(ask, "inferSystem", false) ||
                     term_ask_shared_bool(ask, "implySystem", false);
}

/* ---- all together
 * -------------------------------------------------------------------------------------------
 */

static void not_in_valueset(TermValidate *v)
{
    if (v->answer != TERM_NO || !v->vs) {
        return;
    }
    FhirTerm *t = v->t;
    if (v->mode == TERM_BY_CONCEPT) {
        term_validate_issue(v, SEVERITY_ERROR, "code-invalid", "not-in-vs",
                            TERM_SAY_NO_VALID_CODING,
                            TERM_SAY(t, NO_VALID_CODING, term_validate_set_name(v)), STR_NONE);
    } else {
        term_validate_issue(v, SEVERITY_ERROR, "code-invalid", "not-in-vs", TERM_SAY_NOT_IN_VS,
                            TERM_SAY(t, NOT_IN_VS, term_validate_set_name(v), v->list),
                            v->mode == TERM_BY_CODE ? STR("code") : STR("Coding.code"));
    }
}

static void status_issues(TermValidate *v)
{
    FhirTerm *t = v->t;
    Str status = v->check.status, path = v->check.inactive_path;
    if (v->check.inactive) {
        bool plain = str_empty(status) || str_is(status, "inactive");
        Str words = plain ? STR("inactive") : arena_cat(t->arena, status, STR(" and inactive"));
        Str text = TERM_SAY(t, CONCEPT_INACTIVE, words, v->check.inactive_code);
        term_validate_issue(v, SEVERITY_WARNING, "business-rule", "code-comment",
                            TERM_SAY_CONCEPT_INACTIVE, text, path);
    } else if (str_eq_nocase(status, STR("deprecated"))) {
        Str text = TERM_SAY(t, CONCEPT_DEPRECATED, v->last.code);
        term_validate_issue(v, SEVERITY_WARNING, "business-rule", "code-comment",
                            TERM_SAY_CONCEPT_DEPRECATED, text, path);
    }
}

static int text_order(const void *x, const void *y)
{
    return str_cmp(*(const Str *)x, *(const Str *)y);
}

/* What the issues say, each once, in the order of the alphabet. */
static Str message_of(TermValidate *v)
{
    size_t n = 0;
    Str all = STR_NONE;
    for (const TermIssue *x = v->issues.first; x; x = x->next) {
        n += x->said;
    }
    Str *text = arena_array(v->t->arena, Str, n + 1);
    n = 0;
    for (const TermIssue *x = v->issues.first; x; x = x->next) {
        if (x->said) {
            text[n++] = x->text;
        }
    }
    qsort(text, n, sizeof *text, text_order);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || !str_eq(text[i], text[i - 1])) {
            all = arena_cat(v->t->arena, all, i ? STR("; ") : STR_NONE, text[i]);
        }
    }
    return all;
}

static bool any_error(const TermIssues *list)
{
    for (const TermIssue *x = list->first; x; x = x->next) {
        if (x->severity == SEVERITY_ERROR) {
            return true;
        }
    }
    return false;
}

static void code_put(TermValidate *v, JsonWriter *w)
{
    bool single = v->mode != TERM_BY_CONCEPT;
    Str system = v->system_of.n ? v->system_of : single ? v->last.system : STR_NONE;
    Str code = v->code_of.n ? v->code_of : single ? v->last.code : STR_NONE;
    Str version = v->version_of.n ? v->version_of : single ? v->last.version : STR_NONE;
    term_put_str(w, "system", "valueUri", system);
    term_put_str(w, "code", "valueCode", code);
    term_put_str(w, "version", "valueString", version);
    if (v->display_known && code.n) {
        term_put_str(w, "display", "valueString", v->display_of);
    }
    term_put_str(w, "normalized-code", "valueCode", v->check.normal);
    for (size_t i = 0; !v->valid && i < v->check.unknown_n; i++) {
        term_put_str(w, v->answer == TERM_NO ? "x-unknown-system" : "x-caused-by-unknown-system",
                     "valueCanonical", v->check.unknown[i]);
    }
}

/* Of the code that is given back; in a CodeableConcept another coding may be the inactive one. */
static void status_put(const TermValidate *v, JsonWriter *w)
{
    const TermCheck *k = &v->check;
    if (k->inactive) {
        if (v->mode != TERM_BY_CONCEPT || (v->code_of.n && str_eq(k->inactive_path, v->path_of))) {
            term_put_bool(w, "inactive", true);
            term_put_str(w, "status", "valueCode",
                         str_is(k->status, "inactive") ? STR_NONE : k->status);
        }
    } else if (str_eq_nocase(k->status, STR("deprecated"))) {
        term_put_str(w, "status", "valueCode", STR("deprecated"));
    }
}

static Str result_write(TermValidate *v)
{
    Buf out;
    JsonWriter w = term_answer_begin(&out);
    not_in_valueset(v);
    status_issues(v);
    term_validate_soften(v);
    v->valid = v->answer == TERM_YES && !any_error(&v->issues);
    term_put_bool(&w, "result", v->valid);
    code_put(v, &w);
    status_put(v, &w);
    term_put_str(&w, "message", "valueString", message_of(v));
    if (v->concept != JSON_NONE) {
        json_open(&w, '{');
        json_member_c(&w, "name", "codeableConcept");
        json_key(&w, "valueCodeableConcept");
        json_put_raw(&w, json_raw(v->doc, v->concept));
        json_close(&w, '}');
    }
    if (v->issues.first) {
        json_open(&w, '{');
        json_member_c(&w, "name", "issues");
        json_key(&w, "resource");
        term_issues_write(&w, &v->issues);
        json_close(&w, '}');
    }
    return term_answer_end(&w, v->t->arena);
}

/* A value set that this one imports is not there: the answer says so instead of the code. */
static bool imports_look(TermValidate *v, const TermItem *vs)
{
    const JsonDoc *d = &vs->doc;
    if (!term_enter(v->t, vs)) {
        return false;
    }
    bool ok = true;
    static const char *const PARTS[] = {"compose.include", "compose.exclude"};
    for (size_t p = 0; p < 2 && ok; p++) {
        JsonIter set = json_iter(d, json_at(d, vs->ref, PARTS[p]));
        while (ok && json_next(&set) && term_step(v->t)) {
            JsonIter it = json_iter(d, json_get_c(d, set.value, "valueSet"));
            while (ok && json_next(&it)) {
                Str canonical = json_str(d, it.value), url, version;
                const TermItem *other = term_find_valueset(v->t, canonical, vs);
                term_split(canonical, &url, &version);
                version = term_version_ruled(v->t, url, version, NULL);
                if (!other) {
                    Str name = term_canonical(v->t->arena, url, version);
                    term_validate_issue(v, SEVERITY_ERROR, "not-found", "not-found",
                                        TERM_SAY_UNKNOWN_VALUESET,
                                        TERM_SAY(v->t, UNKNOWN_VALUESET, name), STR_NONE);
                }
                ok = other && imports_look(v, other);
            }
        }
    }
    term_leave(v->t);
    return ok;
}

static bool supplements_look(TermValidate *v)
{
    const JsonDoc *d = &v->vs->doc;
    const TermItem *some[16];
    for (JsonIter it = json_iter(d, json_at(d, v->vs->ref, "compose.include")); json_next(&it);) {
        const TermSystem *s = term_find_system(v->t, json_str_at(d, it.value, "system"),
                                               json_str_at(d, it.value, "version"));
        if (s) {
            term_supplements(v->t, s, some, 16);
        }
    }
    term_supplements_check(v->t);
    return !term_stopped(v->t);
}

static Str validate_in_valueset(TermValidate *v)
{
    v->vs = term_ask_valueset(v->ask);
    if (!v->vs || !codings_read(v, false)) {
        return STR_NONE;
    }
    term_see_valueset(v->t, v->vs);
    if (!supplements_look(v)) {
        return STR_NONE;
    }
    term_check_standing(&v->check, v->vs, v->vs);
    if (!imports_look(v, v->vs)) {
        v->answer = TERM_UNKNOWN;
        v->last = v->coding[0];
        return term_stopped(v->t) ? STR_NONE : result_write(v);
    }
    for (size_t i = 0; i < v->n && !term_stopped(v->t); i++) {
        term_validate_coding(v, i);
    }
    return result_write(v);
}

/* ---- code systems
 * ---------------------------------------------------------------------------------------- */

static bool system_choose(TermValidate *v)
{
    const TermAsk *ask = v->ask;
    const JsonDoc *d;
    JsonRef inside = term_ask_shared(ask, "codeSystem", &d);
    const TermItem *item = ask->request->instance;
    if (!item && inside != JSON_NONE && json_type(d, inside) == JSON_OBJECT) {
        item = term_item_inline(v->t, d, inside);
    }
    if (item && item->system) {
        v->system = item->system;
        return true;
    }
    Str url = term_ask_shared_str(ask, "url"), version = term_ask_shared_str(ask, "version");
    if (str_empty(url)) {
        url = v->coding[0].system;
        version = v->coding[0].version;
    }
    if (str_empty(url)) {
        term_fault(v->t, 400, "invalid", NULL, TERM_SAY_NO_CODESYSTEM,
                   TERM_SAY(v->t, NO_CODESYSTEM, STR_NONE));
        return false;
    }
    v->system = term_find_system(v->t, url, term_version_ruled(v->t, url, version, NULL));
    return true;
}

static Str validate_in_system(TermValidate *v)
{
    const TermItem *some[16];
    if (!codings_read(v, true) || !system_choose(v)) {
        return STR_NONE;
    }
    if (v->system) {
        term_supplements(v->t, v->system, some, 16);
        term_supplements_check(v->t);
    }
    for (size_t i = 0; i < v->n && !term_stopped(v->t); i++) {
        term_validate_coding(v, i);
    }
    return result_write(v);
}

Str term_op_validate(TermAsk *ask, bool system)
{
    TermValidate *v = arena_new(ask->t->arena, TermValidate);
    v->ask = ask;
    v->t = ask->t;
    options_read(v);
    return system ? validate_in_system(v) : validate_in_valueset(v);
}

/* ---- batches
 * ------------------------------------------------------------------------------------------------
 */

/* Each part is a request of its own over the same resources; a fault is that part's answer. */
static Str part_run(TermAsk *outer, JsonRef parameters)
{
    FhirTerm *t = arena_new(outer->t->arena, FhirTerm);
    *t = *outer->t;
    TermAsk ask = {.t = t,
                   .request = outer->request,
                   .doc = outer->doc,
                   .list = json_get_c(outer->doc, parameters, "parameter"),
                   .outer = outer};
    term_ask_read(&ask);
    bool system =
        term_ask(&ask, "valueSet") == JSON_NONE && str_empty(term_ask_shared_str(&ask, "url"));
    Str body = term_stopped(t) ? STR_NONE : term_op_validate(&ask, system);
    outer->t->steps = t->steps;
    outer->t->found = t->found;
    outer->t->trouble = t->trouble;
    return t->fault ? term_outcome(t, t->fault) : body;
}

Str term_op_batch(TermAsk *ask)
{
    Buf out;
    JsonWriter w = term_answer_begin(&out);
    for (JsonIter it = json_iter(ask->doc, ask->list); ask->doc && json_next(&it);) {
        if (!str_is(json_str_at(ask->doc, it.value, "name"), "validation") ||
            term_stopped(ask->t)) {
            continue;
        }
        json_open(&w, '{');
        json_member_c(&w, "name", "validation");
        json_key(&w, "resource");
        json_put_raw(&w, part_run(ask, json_get_c(ask->doc, it.value, "resource")));
        json_close(&w, '}');
    }
    return term_answer_end(&w, ask->t->arena);
}
