/*
 * Value sets: whether a coded value is in one. R4's required bindings stand in the tables; others
 * are asked of the terminology at hand; a value set that lists its codes is known without their
 * system.
 */
#include "fhir_term_inner.h"
#include "fhir_validate_profile.h"

FhirTerm *walk_terms(Walk *w)
{
    if (!w->terms && w->check->terms) {
        w->terms = fhir_term_new(w->items, w->check->terms);
    }
    return w->terms;
}

/* One include of a value set, as far as it goes without the code system; no system: any. */
static TermAnswer include_has(const JsonDoc *d, JsonRef include, Str system, Str code)
{
    JsonRef list = json_get_c(d, include, "concept");
    if (json_get_c(d, include, "valueSet") != JSON_NONE) {
        return TERM_UNKNOWN;
    }
    if (system.n && !str_eq(json_str_at(d, include, "system"), system)) {
        return TERM_NO;
    }
    for (JsonIter it = json_iter(d, list); json_next(&it);) {
        if (str_eq(json_str_at(d, it.value, "code"), code)) {
            return TERM_YES;
        }
    }
    return list == JSON_NONE ? TERM_UNKNOWN : TERM_NO;
}

TermAnswer walk_listed_in(const JsonDoc *d, JsonRef valueset, Str system, Str code)
{
    JsonRef compose = json_get_c(d, valueset, "compose");
    TermAnswer answer = TERM_NO;
    if (compose == JSON_NONE || json_get_c(d, compose, "exclude") != JSON_NONE) {
        return TERM_UNKNOWN;
    }
    for (JsonIter it = json_iter(d, json_get_c(d, compose, "include"));
         answer != TERM_YES && json_next(&it);) {
        TermAnswer one = include_has(d, it.value, system, code);
        answer = one == TERM_NO ? answer : one;
    }
    return answer;
}

TermAnswer walk_code_in(Walk *w, Str valueset, Str system, Str code)
{
    Str url, version;
    str_cut(valueset, '|', &url, &version);
    const FhirValueSet *v = fhir_valueset_find(url);
    if (v && !v->any) {
        return fhir_valueset_has(v, system, code) ? TERM_YES : TERM_NO;
    }
    FhirTerm *t = walk_terms(w);
    return t ? fhir_term_in(t, valueset, system, STR_NONE, code) : TERM_UNKNOWN;
}

static bool code_in_set(Walk *w, Str valueset, Str system, Str code, bool *ret)
{
    TermAnswer answer = walk_code_in(w, valueset, system, code);
    *ret = answer == TERM_YES;
    return answer != TERM_UNKNOWN;
}

static bool coding_in_set(Walk *w, Str valueset, JsonRef coding, bool *ret)
{
    Str code = json_str_at(w->d, coding, "code");
    *ret = false;
    return !code.n || code_in_set(w, valueset, json_str_at(w->d, coding, "system"), code, ret);
}

bool value_in_set(Walk *w, Str valueset, const Item *item, bool *ret)
{
    unsigned id = fhir_type_id(item->type);
    if (item->type->kind == FHIR_KIND_PRIMITIVE) {
        return item->value == JSON_NONE ||
               code_in_set(w, valueset, STR_NONE, json_str(w->d, item->value), ret);
    }
    if (id != FHIR_TYPE_CodeableConcept) {
        return coding_in_set(w, valueset, item->value, ret);
    }
    bool known = true;
    *ret = false;
    for (JsonIter it = json_iter(w->d, json_get_c(w->d, item->value, "coding"));
         !*ret && json_next(&it);) {
        bool in = false;
        known = coding_in_set(w, valueset, it.value, &in) && known;
        *ret = in;
    }
    return known || *ret;
}

/* --- binding --- */

void check_binding(Walk *w, const Place *at, const ProfileNode *n, const Item *item)
{
    bool in = true;
    if (n->strength == BINDING_NONE || item->value == JSON_NONE) {
        return;
    }
    if (!value_in_set(w, n->valueset, item, &in)) {
        walk_warning(w, at, "not-found", "值集 %.*s 未知，代码未核对",
                     "the value set %.*s is not known here: the code was not checked",
                     STR_ARG(n->valueset));
    } else if (!in && n->strength == BINDING_REQUIRED) {
        walk_issue(w, at, "code-invalid", "代码不在必选值集 %.*s 中",
                   "the code is not in the required value set %.*s", STR_ARG(n->valueset));
    } else if (!in) {
        walk_warning(w, at, "code-invalid", "代码不在可扩展值集 %.*s 中：有合适的代码时应取自其中",
                     "the code is not in the extensible value set %.*s: take one of it if any fits",
                     STR_ARG(n->valueset));
    }
}
