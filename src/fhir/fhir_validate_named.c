/* The profiles that a resource is held against: those it names, those asked for, those R4 implies.
 */
#include "fhir_validate_profile.h"

/* Vital signs: R4 asks that an Observation with one of these codes conforms to the profile. */
static const struct Vital {
    const char *loinc, *snomed, *profile;
} VITALS[] = {
    {"85353-1", "", "vitalspanel"},        {"9279-1", "86290005", "resprate"},
    {"8867-4", "364075005", "heartrate"},  {"2708-6", "431314004", "oxygensat"},
    {"8310-5", "276885007", "bodytemp"},   {"8302-2", "50373000", "bodyheight"},
    {"9843-4", "363811000", "headcircum"}, {"29463-7", "27113001", "bodyweight"},
    {"39156-5", "60621009", "bmi"},        {"85354-9", "75367002", "bp"},
};

static const char *vital_of(const Walk *w, JsonRef coding)
{
    Str system = json_str_at(w->d, coding, "system"), code = json_str_at(w->d, coding, "code");
    bool loinc = str_is(system, "http://loinc.org"),
         snomed = str_is(system, "http://snomed.info/sct");
    for (size_t i = 0; (loinc || snomed) && code.n && i < sizeof VITALS / sizeof *VITALS; i++) {
        if (str_is(code, loinc ? VITALS[i].loinc : VITALS[i].snomed)) {
            return VITALS[i].profile;
        }
    }
    return NULL;
}

static void check_implied(Walk *w, const Place *at, JsonRef resource, const FhirType *type)
{
    JsonRef codings = json_at(w->d, resource, "code.coding");
    for (JsonIter it = json_iter(w->d, codings); json_next(&it);) {
        const char *vital = vital_of(w, it.value);
        if (vital) {
            Str url = arena_cat(w->items, STR("http://hl7.org/fhir/StructureDefinition/"),
                                str_from_c(vital));
            walk_profile(w, at, fhir_profile_find(walk_profiles_hold(w), url), resource, type);
            return;
        }
    }
}

void walk_profiles(Walk *w, const Place *at, JsonRef resource, const FhirType *type)
{
    JsonRef meta = json_get_c(w->d, resource, "meta");
    JsonRef named = json_get_c(w->d, meta, "profile");
    Place meta_at = {at, STR("meta"), PLACE_NO_INDEX};
    for (JsonIter it = json_iter(w->d, named); json_next(&it) && !walk_stopped(w);) {
        Place place = {&meta_at, STR("profile"), it.index};
        Str url = json_str(w->d, it.value);
        const FhirProfile *p = fhir_profile_find(walk_profiles_hold(w), url);
        if (p) {
            walk_profile(w, at, p, resource, type);
        } else {
            issue_unknown_profile(w, &place, url);
        }
    }
    for (size_t i = 0; w->depth == 0 && !at->up && i < w->check->profile_n; i++) {
        const FhirProfile *p = fhir_profile_find(walk_profiles_hold(w), w->check->profile[i]);
        Str shown = walk_clip(w->check->profile[i]);
        if (p) {
            walk_profile(w, at, p, resource, type);
        } else {
            walk_issue(w, at, "not-found", "要求的配置（profile）“%.*s”未知：请先导入它的包",
                       "the profile asked for, \"%.*s\", is not known: import its package first",
                       STR_ARG(shown));
        }
    }
    Str status = json_str_at(w->d, resource, "status");
    if (w->check->thorough && fhir_type_id(type) == FHIR_TYPE_Observation &&
        !str_is(status, "entered-in-error")) {
        check_implied(w, at, resource, type);
    }
}
