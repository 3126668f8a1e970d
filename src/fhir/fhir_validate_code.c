/*
 * Codes and units: whether a code system that is known here has the code, by which name, and
 * whether a UCUM unit is one. Thorough checks only: what a code system holds changes, a write does
 * not wait for it.
 */
#include "fhir_validate_inner.h"

static Str member(const Walk *w, JsonRef object, const char *key)
{
    return json_str(w->d, json_get_c(w->d, object, key));
}

/* A wrong name is told: many systems send their own words beside a right code. */
static void check_display(Walk *w, const Place *at, Str system, Str version, Str code, Str display)
{
    Place place = {at, STR("display"), PLACE_NO_INDEX};
    FhirTerm *t = walk_terms(w);
    Str right = fhir_term_display(t, system, version, code, STR_NONE), shown = walk_clip(display);
    bool named = right.n && !str_eq_nocase(right, code); /* languages have no names of their own */
    if (named && fhir_term_display_fits(t, system, version, code, display) == TERM_NO) {
        walk_doubt(w, &place, "invalid", "“%.*s”不是代码 %.*s 的名称；应为“%.*s”",
                   "\"%.*s\" is not a name of the code %.*s; it is \"%.*s\"", STR_ARG(shown),
                   STR_ARG(code), STR_ARG(right));
    }
}

static void check_system(Walk *w, const Place *at, Str system)
{
    Place place = {at, STR("system"), PLACE_NO_INDEX};
    Str shown = walk_clip(system);
    if (str_find_char(system, ':') < 0) {
        walk_strict(w, &place, "invalid", "代码系统“%.*s”必须是绝对 URI",
                    "the code system \"%.*s\" must be an absolute URI", STR_ARG(shown));
    } else if (str_starts(system, STR("http://hl7.org/fhir/ValueSet/"))) {
        walk_strict(w, &place, "invalid", "“%.*s”是值集，不是代码系统",
                    "\"%.*s\" is a value set, not a code system", STR_ARG(shown));
    }
}

/* Units: R4's own examples have some that are none; a measurement is not refused for it. */
void walk_unit(Walk *w, const Place *at, JsonRef quantity)
{
    Str system = member(w, quantity, "system"), code = member(w, quantity, "code");
    FhirTerm *t = w->check->thorough ? walk_terms(w) : NULL;
    if (t && system.n && code.n && fhir_term_known(t, system, STR_NONE, code) == TERM_NO) {
        Place place = {at, STR("code"), PLACE_NO_INDEX};
        Str shown = walk_clip(code);
        walk_warning(w, &place, "code-invalid", "%2$.*1$s 没有单位“%4$.*3$s”",
                     "%2$.*1$s has no unit \"%4$.*3$s\"", STR_ARG(system), STR_ARG(shown));
    }
}

void walk_known_code(Walk *w, const Place *at, Str system, Str version, Str code, Str display)
{
    FhirTerm *t = w->check->thorough && system.n && code.n ? walk_terms(w) : NULL;
    TermAnswer known = t ? fhir_term_known(t, system, version, code) : TERM_UNKNOWN;
    if (known == TERM_NO) {
        Place place = {at, STR("code"), PLACE_NO_INDEX};
        Str shown = walk_clip(code);
        walk_doubt(w, &place, "code-invalid", "代码系统 %2$.*1$s 没有代码“%4$.*3$s”",
                   "the code system %2$.*1$s has no code \"%4$.*3$s\"", STR_ARG(system),
                   STR_ARG(shown));
    } else if (known == TERM_YES && display.n) {
        check_display(w, at, system, version, code, display);
    }
}

void walk_coding(Walk *w, const Place *at, JsonRef coding)
{
    Str system = member(w, coding, "system");
    if (w->check->thorough && system.n) {
        check_system(w, at, system);
        walk_known_code(w, at, system, member(w, coding, "version"), member(w, coding, "code"),
                        member(w, coding, "display"));
    }
}
