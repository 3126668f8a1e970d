/* The types a profile allows, the profiles it asks of a value, and of what a reference means. */
#include "fhir_validate_profile.h"

#define REFERENCE_DEPTH_MAX 3u /* of references followed to check what they mean */

/* The very type (a code is no string here), or any for which an abstract one stands. */
bool type_fits(const FhirType *t, const FhirType *want)
{
    return t == want || (want->abstract && fhir_type_is(t, want));
}

static const ProfileType *type_find(const ProfileNode *n, const FhirType *t)
{
    for (unsigned i = 0; i < n->type_n; i++) {
        if (type_fits(t, n->type[i].type)) {
            return &n->type[i];
        }
    }
    return NULL;
}

static void issue_type(Walk *w, const Place *at, const ProfileNode *n, const FhirType *t)
{
    Buf list;
    buf_init(&list, 400);
    for (unsigned i = 0; i < n->type_n; i++) {
        buf_printf(&list, "%s%.*s", i ? ", " : "", STR_ARG(fhir_type_name(n->type[i].type)));
    }
    Str got = fhir_type_name(t), want = buf_str(&list);
    walk_issue(w, at, "structure", "类型 %.*s 不合要求；可用：%.*s",
               "the type %.*s is not allowed here; allowed: %.*s", STR_ARG(got), STR_ARG(want));
    buf_done(&list);
}

/* An extension is checked by the definition that its url names (walk_extension). */
static bool is_by_url(const Walk *w, const Item *item, Str canonical)
{
    Str url, version;
    str_cut(canonical, '|', &url, &version);
    return fhir_type_id(item->type) == FHIR_TYPE_Extension &&
           str_eq(json_str_at(w->d, item->value, "url"), url);
}

void issue_unknown_profile(Walk *w, const Place *at, Str canonical)
{
    Str shown = walk_clip(canonical);
    walk_warning(w, at, "not-found", "配置（profile）“%.*s”未知，未核对",
                 "the profile \"%.*s\" is not known here: it was not checked", STR_ARG(shown));
}

static void check_type_profiles(Walk *w, const Place *at, const ProfileType *t, const Item *item)
{
    const FhirType *type;
    JsonRef object = item_object(w, item, &type);
    for (unsigned i = 0; i < t->profile_n; i++) {
        const FhirProfile *p = is_by_url(w, item, t->profile[i])
                                   ? NULL
                                   : fhir_profile_find(walk_profiles_hold(w), t->profile[i]);
        if (!p || object == JSON_NONE) {
            if (object != JSON_NONE && !is_by_url(w, item, t->profile[i])) {
                issue_unknown_profile(w, at, t->profile[i]);
            }
            return;
        }
        if (t->profile_n == 1) {
            walk_profile(w, at, p, object, type);
            return;
        }
        if (walk_conforms(w, p, object, type)) {
            return;
        }
    }
    if (t->profile_n) {
        walk_issue(w, at, "structure", "不符合所要求的 %u 个配置（profile）中的任何一个",
                   "conforms to none of the %u profiles asked for", t->profile_n);
    }
}

/* Whether a target profile lets the type stand; unknown profiles let everything. */
static bool target_fits(Walk *w, Str canonical, const FhirType *t)
{
    const FhirProfile *p = fhir_profile_find(walk_profiles_hold(w), canonical);
    return !p || !p->type || fhir_type_is(t, p->type);
}

static bool target_conforms(Walk *w, const ProfileType *t, JsonRef resource, const FhirType *type)
{
    bool conforms = t->target_n == 0;
    for (unsigned i = 0; !conforms && i < t->target_n; i++) {
        const FhirProfile *p = fhir_profile_find(walk_profiles_hold(w), t->target[i]);
        conforms =
            !p || (p->type && fhir_type_is(type, p->type) && walk_conforms(w, p, resource, type));
    }
    return conforms;
}

static void check_reference(Walk *w, const Place *at, const ProfileType *t, const Item *item)
{
    Str text = json_str_at(w->d, item->value, "reference");
    FhirRef ref = fhir_ref_parse(text);
    JsonRef found = walk_resolve(w, text);
    Str name = found == JSON_NONE ? ref.type : json_str_at(w->d, found, "resourceType");
    const FhirType *type = fhir_resource_find(name);
    bool fits = !type || t->target_n == 0;
    for (unsigned i = 0; !fits && i < t->target_n; i++) {
        fits = target_fits(w, t->target[i], type);
    }
    if (!fits) {
        walk_issue(w, at, "structure", "此配置（profile）不许引用 %.*s",
                   "the profile does not allow a reference to a %.*s", STR_ARG(name));
    } else if (type && found != JSON_NONE && w->depth < REFERENCE_DEPTH_MAX &&
               !target_conforms(w, t, found, type)) {
        walk_issue(w, at, "structure", "所引用的资源不符合此处要求的配置（profile）",
                   "the resource referred to conforms to none of the profiles asked for here");
    }
}

void check_types(Walk *w, const Place *at, const ProfileNode *n, const Item *item)
{
    if (n->type_n == 0) {
        return;
    }
    const ProfileType *t = type_find(n, item->type);
    if (!t) {
        issue_type(w, at, n, item->type);
        return;
    }
    check_type_profiles(w, at, t, item);
    if (t->target_n && fhir_type_id(item->type) == FHIR_TYPE_Reference) {
        check_reference(w, at, t, item);
    }
}
