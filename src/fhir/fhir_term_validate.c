/* $validate-code of code systems and value sets, alone and in batches. */
#include <stdlib.h>

#include "fhir_term_inner.h"
#include "fhir_write.h"

#define CODINGS_MAX 100
#define SYSTEMS_MAX 200 /* of one value set */

typedef enum Mode { MODE_CODE, MODE_CODING, MODE_CONCEPT } Mode;

typedef struct Coding {
    Str system, version, code, display;
} Coding;

typedef struct Validate {
    TermAsk *ask;
    FhirTerm *t;
    Mode mode;
    const JsonDoc *doc; /* of the codings */
    JsonRef concept;    /* CodeableConcept, or JSON_NONE */
    Coding *coding;
    bool in[CODINGS_MAX]; /* beside coding: it is in the value set */
    size_t n;
    const TermItem *vs;       /* NULL: of a code system */
    const TermSystem *system; /* likewise */
    bool lenient;
    TermIssues issues;
    TermCheck check;

    TermAnswer answer;
    Str system_of, code_of, version_of, display_of; /* of the coding that is in */
    bool display_known, valid;
    Coding last; /* of the one that was looked at */
    Str list;    /* 'system#code', … */
    Str path_of; /* likewise */
} Validate;

/* ---- what is asked
 * --------------------------------------------------------------------------------- */

static Coding coding_read(const JsonDoc *d, JsonRef r)
{
    return (Coding){json_str_at(d, r, "system"), json_str_at(d, r, "version"),
                    json_str_at(d, r, "code"), json_str_at(d, r, "display")};
}

static void concept_read(Validate *v, JsonRef concept)
{
    v->mode = MODE_CONCEPT;
    v->concept = concept;
    JsonRef list = json_get_c(v->doc, concept, "coding");
    v->coding = arena_array(v->t->arena, Coding, CODINGS_MAX);
    for (JsonIter it = json_iter(v->doc, list); json_next(&it) && v->n < CODINGS_MAX;) {
        v->coding[v->n++] = coding_read(v->doc, it.value);
    }
}

static void code_read(Validate *v, bool system)
{
    TermAsk *ask = v->ask;
    Str url = term_ask_str(ask, "system");
    v->coding = arena_new(v->t->arena, Coding);
    *v->coding = (Coding){url.n || !system ? url : term_ask_str(ask, "url"),
                          term_ask_str(ask, system ? "version" : "systemVersion"),
                          term_ask_str(ask, "code"), term_ask_str(ask, "display")};
    if (str_empty(v->coding->system) && system && ask->request->instance) {
        v->coding->system = ask->request->instance->url;
    }
    v->n = v->coding->code.n && (v->coding->system.n || v->check.infer) ? 1 : 0;
    v->mode = MODE_CODE;
}

static bool codings_read(Validate *v, bool system)
{
    JsonRef coding = term_ask_value(v->ask, "coding");
    JsonRef concept = term_ask_value(v->ask, "codeableConcept");
    v->doc = v->ask->doc;
    v->concept = JSON_NONE;
    if (coding != JSON_NONE) {
        v->mode = MODE_CODING;
        v->coding = arena_new(v->t->arena, Coding);
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

static void options_read(Validate *v)
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

/* ---- issues
 * ---------------------------------------------------------------------------------------------- */

static void issue(Validate *v, Severity severity, const char *code, const char *kind, TermMessage m,
                  Str text, Str path)
{
    bool said = severity == SEVERITY_WARNING; /* ours are part of the message, as errors are */
    term_issue_add(v->t, &v->issues,
                   (TermIssue){.severity = severity,
                               .code = code,
                               .kind = kind,
                               .message = m,
                               .text = text,
                               .path = path,
                               .said = said});
}

static void display_take(Validate *v)
{
    const TermWord *best = v->check.system ? term_words_best(&v->check.words, &v->t->langs) : NULL;
    if (!best && v->check.system) {
        best = term_words_best(&v->check.words, NULL);
    }
    if (best) {
        v->display_of = best->value;
        v->display_known = true;
    }
}

/* ---- one coding
 * ------------------------------------------------------------------------------------------ */

static Str coding_text(Validate *v, const Coding *c)
{
    Arena *a = v->t->arena;
    Str system = v->check.inferred.n ? v->check.inferred : c->system;
    Str text = arena_cat(a, STR("'"), term_canonical(a, system, c->version), STR("#"), c->code);
    return c->display.n ? arena_cat(a, text, STR(" ('"), c->display, STR("')'"))
                        : arena_cat(a, text, STR("'"));
}

static bool is_absolute(Str url)
{
    return str_find(url, STR("://")) > 0 || str_starts(url, STR("urn:"));
}

/* The coding is not in: what is wrong with it apart from that? */
static void system_examine(Validate *v, const Coding *c, Str system)
{
    FhirTerm *t = v->t;
    Str path = term_check_path(&v->check, "system");
    if (!is_absolute(system)) {
        issue(v, SEVERITY_ERROR, "invalid", "invalid-data", TERM_SAY_SYSTEM_RELATIVE,
              TERM_SAY(t, SYSTEM_RELATIVE, system), path);
    }
    const TermItem *other = term_find(t, TERM_CODESYSTEM, system, STR_NONE);
    if (term_find(t, TERM_VALUESET, system, STR_NONE)) {
        issue(v, SEVERITY_ERROR, "invalid", "invalid-data", TERM_SAY_SYSTEM_IS_VALUESET,
              TERM_SAY(t, SYSTEM_IS_VALUESET, system), path);
    } else if (other && other->system->content == TERM_CONTENT_SUPPLEMENT) {
        issue(
            v, SEVERITY_ERROR, "invalid", "invalid-data", TERM_SAY_SYSTEM_IS_SUPPLEMENT,
            TERM_SAY(t, SYSTEM_IS_SUPPLEMENT, term_canonical(t->arena, other->url, other->version)),
            path);
    } else {
        term_check_missing(&v->check, system, c->version);
    }
}

static void code_examine(Validate *v, const Coding *c, const TermSystem *s)
{
    FhirTerm *t = v->t;
    const TermConcept *x = term_locate(t->arena, s, c->code);
    if (!x) {
        term_check_system(&v->check, s, c->code);
        return;
    }
    const TermRule *r = term_version_forbidden(t, s);
    if (r) {
        issue(v, SEVERITY_ERROR, "exception", "version-error", TERM_SAY_VERSION_FORBIDDEN,
              TERM_SAY(t, VERSION_FORBIDDEN, s->url, s->version, r->version),
              term_check_path(&v->check, "version"));
    }
    if (!v->check.system) {
        term_check_words(&v->check, s, x);
    }
    if (x->inactive) {
        term_check_see(&v->check, s, x);
    }
    display_take(v);
    term_display_check(&v->check, v->lenient, c->code, c->display);
    v->version_of = s->version;
}

static void coding_examine(Validate *v, const Coding *c)
{
    Str system = v->check.inferred.n ? v->check.inferred : c->system;
    if (v->check.membership_only || str_empty(system)) {
        return;
    }
    Str version = term_version_ruled(v->t, system, c->version, NULL);
    const TermSystem *s = term_find_system(v->t, system, version);
    Str stated = v->vs && str_empty(version) ? term_version_stated(v->vs, system) : STR_NONE;
    const TermSystem *meant = stated.n ? term_find_system(v->t, system, stated) : NULL;
    s = meant ? meant : s;
    if (s) {
        code_examine(v, c, s);
    } else {
        system_examine(v, c, system);
    }
}

static void not_this_one(Validate *v, const Coding *c)
{
    Str name = term_canonical(v->t->arena, v->vs->url, v->vs->version);
    issue(v, SEVERITY_INFORMATION, "code-invalid", "this-code-not-in-vs", TERM_SAY_NOT_IN_VS,
          TERM_SAY(v->t, NOT_IN_VS, name, coding_text(v, c)), term_check_path(&v->check, "code"));
}

static Str path_of(const Validate *v, size_t i)
{
    return v->mode == MODE_CODE     ? STR_NONE
           : v->mode == MODE_CODING ? STR("Coding")
                                    : arena_printf(v->t->arena, "CodeableConcept.coding[%zu]", i);
}

static Str vs_name(const Validate *v)
{
    Str name = term_canonical(v->t->arena, v->vs->url, v->vs->version);
    return name.n ? name : STR("(unidentified)");
}

/* Whether the value set has the code in this system, without a word. */
static bool has_quietly(Validate *v, const Coding *c, Str system)
{
    TermIssues issues = {0};
    TermCheck k = {.t = v->t, .issues = &issues, .abstract_ok = true};
    return term_check_valueset(&k, v->vs, system, c->version, c->code) == TERM_YES;
}

/* Without a system the code must be in one of those that the value set draws on. */
static TermAnswer infer_check(Validate *v, const Coding *c)
{
    FhirTerm *t = v->t;
    Str system[SYSTEMS_MAX], several = STR_NONE;
    size_t n = term_systems_of(t, v->vs, system, SYSTEMS_MAX), found = 0;
    for (size_t i = 0; i < n && !term_stopped(t); i++) {
        if (has_quietly(v, c, system[i])) {
            several = arena_cat(t->arena, several, found ? STR(",") : STR_NONE, system[i]);
            v->check.inferred = system[i];
            found++;
        }
    }
    if (found == 1) {
        return term_check_valueset(&v->check, v->vs, v->check.inferred, c->version, c->code);
    }
    v->check.inferred = STR_NONE;
    TermMessage m = found ? TERM_SAY_INFER_SEVERAL : TERM_SAY_CANNOT_INFER;
    issue(v, SEVERITY_ERROR, "not-found", "cannot-infer", m,
          term_text(t, m, TERM_STR_LIST(c->code, vs_name(v), several)), STR("code"));
    return TERM_NO;
}

static TermAnswer coding_check(Validate *v, const Coding *c)
{
    if (str_empty(c->system) && !v->check.infer) {
        Str text = TERM_SAY(v->t, NO_SYSTEM, STR_NONE);
        issue(v, SEVERITY_WARNING, "invalid", "invalid-data", TERM_SAY_NO_SYSTEM, text,
              v->check.path);
        return TERM_NO;
    }
    if (!v->vs) {
        return v->system ? term_check_system(&v->check, v->system, c->code) : TERM_UNKNOWN;
    }
    return str_empty(c->system)
               ? infer_check(v, c)
               : term_check_valueset(&v->check, v->vs, c->system, c->version, c->code);
}

/* The first coding that is in is the one that is given back. */
static void coding_in(Validate *v, const Coding *c)
{
    term_display_check(&v->check, v->lenient, c->code, c->display);
    if (v->code_of.n) {
        return;
    }
    v->path_of = v->check.path;
    v->system_of = v->check.inferred.n ? v->check.inferred : c->system;
    v->code_of = c->code;
    if (v->check.version.n) {
        v->version_of = v->check.version;
    }
    display_take(v);
}

static void coding_run(Validate *v, size_t i)
{
    const Coding *c = &v->coding[i];
    v->check.path = path_of(v, i);
    v->check.display = c->display;
    v->check.words = (TermWords){0};
    v->check.system = NULL;
    v->check.version = v->check.inferred = STR_NONE;
    TermAnswer answer = coding_check(v, c);
    if (str_empty(v->last.code) || answer == TERM_YES) {
        v->last = *c;
    }
    Str text = coding_text(v, c);
    v->list = v->list.n ? arena_cat(v->t->arena, v->list, STR(", "), text) : text;
    if (answer == TERM_NO && v->vs && v->mode == MODE_CONCEPT) {
        not_this_one(v, c);
    }
    if (i == 0 || (v->answer != TERM_YES && answer != TERM_NO)) {
        v->answer = answer;
    }
    if (answer == TERM_YES) {
        coding_in(v, c);
        v->in[i] = true;
    } else if (!term_stopped(v->t)) {
        coding_examine(v, c);
    }
}

/* One coding is in: that another's system is unknown is no fault of the whole. */
static void unknown_soften(Validate *v)
{
    for (TermIssue *x = v->issues.first; x && v->mode == MODE_CONCEPT && v->answer == TERM_YES;
         x = x->next) {
        bool unknown = x->message == TERM_SAY_UNKNOWN_SYSTEM ||
                       x->message == TERM_SAY_UNKNOWN_SYSTEM_VERSION ||
                       x->message == TERM_SAY_UNKNOWN_SYSTEM_VERSION_NONE;
        for (size_t i = 0; unknown && i < v->n; i++) {
            const Coding *c = &v->coding[i];
            Str path = arena_cat(v->t->arena, path_of(v, i), STR(".system"));
            if (!v->in[i] && str_eq(x->path, path)) {
                x->severity = SEVERITY_WARNING;
                x->message = TERM_SAY_NOT_CHECKED;
                x->text =
                    TERM_SAY(v->t, NOT_CHECKED, term_canonical(v->t->arena, c->system, c->version));
            }
        }
    }
}

/* ---- all together
 * -------------------------------------------------------------------------------------------
 */

static void not_in_valueset(Validate *v)
{
    if (v->answer != TERM_NO || !v->vs) {
        return;
    }
    FhirTerm *t = v->t;
    if (v->mode == MODE_CONCEPT) {
        issue(v, SEVERITY_ERROR, "code-invalid", "not-in-vs", TERM_SAY_NO_VALID_CODING,
              TERM_SAY(t, NO_VALID_CODING, vs_name(v)), STR_NONE);
    } else {
        issue(v, SEVERITY_ERROR, "code-invalid", "not-in-vs", TERM_SAY_NOT_IN_VS,
              TERM_SAY(t, NOT_IN_VS, vs_name(v), v->list),
              v->mode == MODE_CODE ? STR("code") : STR("Coding.code"));
    }
}

static void status_issues(Validate *v)
{
    FhirTerm *t = v->t;
    Str status = v->check.status, path = v->check.inactive_path;
    if (v->check.inactive) {
        bool plain = str_empty(status) || str_is(status, "inactive");
        Str words = plain ? STR("inactive") : arena_cat(t->arena, status, STR(" and inactive"));
        Str text = TERM_SAY(t, CONCEPT_INACTIVE, words, v->check.inactive_code);
        issue(v, SEVERITY_WARNING, "business-rule", "code-comment", TERM_SAY_CONCEPT_INACTIVE, text,
              path);
    } else if (str_eq_nocase(status, STR("deprecated"))) {
        Str text = TERM_SAY(t, CONCEPT_DEPRECATED, v->last.code);
        issue(v, SEVERITY_WARNING, "business-rule", "code-comment", TERM_SAY_CONCEPT_DEPRECATED,
              text, path);
    }
}

static int text_order(const void *x, const void *y)
{
    return str_cmp(*(const Str *)x, *(const Str *)y);
}

/* What the issues say, each once, in the order of the alphabet. */
static Str message_of(Validate *v)
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

static void code_put(Validate *v, JsonWriter *w)
{
    bool single = v->mode != MODE_CONCEPT;
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
static void status_put(const Validate *v, JsonWriter *w)
{
    const TermCheck *k = &v->check;
    if (k->inactive) {
        if (v->mode != MODE_CONCEPT || (v->code_of.n && str_eq(k->inactive_path, v->path_of))) {
            term_put_bool(w, "inactive", true);
            term_put_str(w, "status", "valueCode",
                         str_is(k->status, "inactive") ? STR_NONE : k->status);
        }
    } else if (str_eq_nocase(k->status, STR("deprecated"))) {
        term_put_str(w, "status", "valueCode", STR("deprecated"));
    }
}

static Str result_write(Validate *v)
{
    Buf out;
    JsonWriter w = term_answer_begin(&out);
    not_in_valueset(v);
    status_issues(v);
    unknown_soften(v);
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
static bool imports_look(Validate *v, const TermItem *vs)
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
                    issue(v, SEVERITY_ERROR, "not-found", "not-found", TERM_SAY_UNKNOWN_VALUESET,
                          TERM_SAY(v->t, UNKNOWN_VALUESET, name), STR_NONE);
                }
                ok = other && imports_look(v, other);
            }
        }
    }
    term_leave(v->t);
    return ok;
}

static bool supplements_look(Validate *v)
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

static Str validate_in_valueset(Validate *v)
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
        coding_run(v, i);
    }
    return result_write(v);
}

/* ---- code systems
 * ---------------------------------------------------------------------------------------- */

static bool system_choose(Validate *v)
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

static Str validate_in_system(Validate *v)
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
        coding_run(v, i);
    }
    return result_write(v);
}

Str term_op_validate(TermAsk *ask, bool system)
{
    Validate *v = arena_new(ask->t->arena, Validate);
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
