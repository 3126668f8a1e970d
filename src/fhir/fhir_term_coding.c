/* $validate-code: one coding, in the value set or the code system that is asked about. */
#include "fhir_term_validate.h"

#define SYSTEMS_MAX 200 /* of one value set */

/* ---- issues
 * ---------------------------------------------------------------------------------------------- */

void term_validate_issue(TermValidate *v, Severity severity, const char *code, const char *kind,
                         TermMessage m, Str text, Str path)
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

static void display_take(TermValidate *v)
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

static Str coding_text(TermValidate *v, const TermCoding *c)
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
static void system_examine(TermValidate *v, const TermCoding *c, Str system)
{
    FhirTerm *t = v->t;
    Str path = term_check_path(&v->check, "system");
    if (!is_absolute(system)) {
        term_validate_issue(v, SEVERITY_ERROR, "invalid", "invalid-data", TERM_SAY_SYSTEM_RELATIVE,
                            TERM_SAY(t, SYSTEM_RELATIVE, system), path);
    }
    const TermItem *other = term_find(t, TERM_CODESYSTEM, system, STR_NONE);
    if (term_find(t, TERM_VALUESET, system, STR_NONE)) {
        term_validate_issue(v, SEVERITY_ERROR, "invalid", "invalid-data",
                            TERM_SAY_SYSTEM_IS_VALUESET, TERM_SAY(t, SYSTEM_IS_VALUESET, system),
                            path);
    } else if (other && other->system->content == TERM_CONTENT_SUPPLEMENT) {
        term_validate_issue(
            v, SEVERITY_ERROR, "invalid", "invalid-data", TERM_SAY_SYSTEM_IS_SUPPLEMENT,
            TERM_SAY(t, SYSTEM_IS_SUPPLEMENT, term_canonical(t->arena, other->url, other->version)),
            path);
    } else {
        term_check_missing(&v->check, system, c->version);
    }
}

static void code_examine(TermValidate *v, const TermCoding *c, const TermSystem *s)
{
    FhirTerm *t = v->t;
    const TermConcept *x = term_locate(t->arena, s, c->code);
    if (!x) {
        term_check_system(&v->check, s, c->code);
        return;
    }
    const TermRule *r = term_version_forbidden(t, s);
    if (r) {
        term_validate_issue(v, SEVERITY_ERROR, "exception", "version-error",
                            TERM_SAY_VERSION_FORBIDDEN,
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

static void coding_examine(TermValidate *v, const TermCoding *c)
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

static void not_this_one(TermValidate *v, const TermCoding *c)
{
    Str name = term_canonical(v->t->arena, v->vs->url, v->vs->version);
    term_validate_issue(v, SEVERITY_INFORMATION, "code-invalid", "this-code-not-in-vs",
                        TERM_SAY_NOT_IN_VS, TERM_SAY(v->t, NOT_IN_VS, name, coding_text(v, c)),
                        term_check_path(&v->check, "code"));
}

static Str path_of(const TermValidate *v, size_t i)
{
    return v->mode == TERM_BY_CODE ? STR_NONE
           : v->mode == TERM_BY_CODING
               ? STR("Coding")
               : arena_printf(v->t->arena, "CodeableConcept.coding[%zu]", i);
}

Str term_validate_set_name(const TermValidate *v)
{
    Str name = term_canonical(v->t->arena, v->vs->url, v->vs->version);
    return name.n ? name : STR("(unidentified)");
}

/* Whether the value set has the code in this system, without a word. */
static bool has_quietly(TermValidate *v, const TermCoding *c, Str system)
{
    TermIssues issues = {0};
    TermCheck k = {.t = v->t, .issues = &issues, .abstract_ok = true};
    return term_check_valueset(&k, v->vs, system, c->version, c->code) == TERM_YES;
}

/* Without a system the code must be in one of those that the value set draws on. */
static TermAnswer infer_check(TermValidate *v, const TermCoding *c)
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
    term_validate_issue(v, SEVERITY_ERROR, "not-found", "cannot-infer", m,
                        term_text(t, m, TERM_STR_LIST(c->code, term_validate_set_name(v), several)),
                        STR("code"));
    return TERM_NO;
}

static TermAnswer coding_check(TermValidate *v, const TermCoding *c)
{
    if (str_empty(c->system) && !v->check.infer) {
        Str text = TERM_SAY(v->t, NO_SYSTEM, STR_NONE);
        term_validate_issue(v, SEVERITY_WARNING, "invalid", "invalid-data", TERM_SAY_NO_SYSTEM,
                            text, v->check.path);
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
static void coding_in(TermValidate *v, const TermCoding *c)
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

void term_validate_coding(TermValidate *v, size_t i)
{
    const TermCoding *c = &v->coding[i];
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
    if (answer == TERM_NO && v->vs && v->mode == TERM_BY_CONCEPT) {
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
void term_validate_soften(TermValidate *v)
{
    for (TermIssue *x = v->issues.first; x && v->mode == TERM_BY_CONCEPT && v->answer == TERM_YES;
         x = x->next) {
        bool unknown = x->message == TERM_SAY_UNKNOWN_SYSTEM ||
                       x->message == TERM_SAY_UNKNOWN_SYSTEM_VERSION ||
                       x->message == TERM_SAY_UNKNOWN_SYSTEM_VERSION_NONE;
        for (size_t i = 0; unknown && i < v->n; i++) {
            const TermCoding *c = &v->coding[i];
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
