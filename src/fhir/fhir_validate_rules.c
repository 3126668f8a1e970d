/*
 * Rules across the members of one object: extensions, references, coded concepts with a
 * required binding, contained resources, Bundle, Parameters, Period, Attachment. Their R4
 * keys (ext-1, dom-2, bdl-3 …) stand in the messages.
 */
#include "fhir_validate_inner.h"

#include <stdio.h>

static JsonRef get(const Walk *w, JsonRef object, const char *key)
{
    return json_get_c(w->d, object, key);
}

static bool has(const Walk *w, JsonRef object, const char *key)
{
    return get(w, object, key) != JSON_NONE;
}

/* Members whose key begins with prefix followed by a capital: value[x]. */
static bool has_choice(const Walk *w, JsonRef object, Str prefix)
{
    bool found = false;
    for (JsonIter it = json_iter(w->d, object); !found && json_next(&it);) {
        Str key = str_starts(it.key, STR("_")) ? str_skip(it.key, 1) : it.key;
        found = str_starts(key, prefix) && key.n > prefix.n && key.p[prefix.n] >= 'A' &&
                key.p[prefix.n] <= 'Z';
    }
    return found;
}

/* Its url says what it is; only inside another extension may it be relative to that. */
static void check_extension_url(Walk *w, const Place *at, JsonRef x)
{
    Str url = json_str(w->d, get(w, x, "url")), shown = walk_clip(url);
    const Place *holder = at->up;
    bool nested = holder && holder->type && fhir_type_id(holder->type) == FHIR_TYPE_Extension;
    if (url.n && str_find_char(url, ':') < 0 && !nested) {
        Place place = {at, STR("url"), PLACE_NO_INDEX};
        walk_strict(w, &place, "invalid", "扩展的 url“%.*s”必须是绝对 URL",
                    "the extension's url \"%.*s\" must be absolute", STR_ARG(shown));
    }
}

static void check_identifier(Walk *w, const Place *at, JsonRef identifier)
{
    Str system = json_str(w->d, get(w, identifier, "system")), shown = walk_clip(system);
    if (system.n && str_find_char(system, ':') < 0) {
        Place place = {at, STR("system"), PLACE_NO_INDEX};
        walk_strict(w, &place, "invalid", "标识系统“%.*s”必须是绝对 URI",
                    "the identifier's system \"%.*s\" must be an absolute URI", STR_ARG(shown));
    }
}

static void check_extension(Walk *w, const Place *at, JsonRef x)
{
    check_extension_url(w, at, x);
    walk_extension(w, at, x);
    bool value = has_choice(w, x, STR("value")), nested = has(w, x, "extension");
    if (value && nested) {
        walk_issue(w, at, "invariant", "扩展不能同时有值和子扩展（ext-1）：请只留一种",
                   "an extension has either a value or extensions, not both (ext-1): keep one");
    } else if (!value && !nested) {
        walk_issue(w, at, "invariant", "扩展既没有值也没有子扩展（ext-1）：请补上 value[x]",
                   "the extension has neither a value nor extensions (ext-1): add value[x]");
    }
}

/* --- references --- */

static JsonRef contained_find(Walk *w, Str id)
{
    for (JsonIter it = json_iter(w->d, get(w, w->container, "contained")); json_next(&it);) {
        w->lookups++;
        if (str_eq(json_str(w->d, get(w, it.value, "id")), id)) {
            return it.value;
        }
    }
    return JSON_NONE;
}

JsonRef walk_resolve(Walk *w, Str reference)
{
    if (str_is(reference, "#")) {
        return w->container;
    }
    if (w->lookups >= FHIR_VALIDATE_LOOKUPS) {
        return JSON_NONE;
    }
    return str_starts(reference, STR("#")) ? contained_find(w, str_skip(reference, 1))
                                           : walk_bundle_find(w, reference);
}

static bool target_allowed(const FhirOption *o, const FhirType *t)
{
    bool allowed = o->target_count == 0;
    for (unsigned i = 0; i < o->target_count && !allowed; i++) {
        allowed = fhir_targets[o->target_first + i] == fhir_type_id(t);
    }
    return allowed;
}

static void check_target(Walk *w, const Place *at, const FhirMember *as, Str type)
{
    const FhirType *t = fhir_resource_find(type);
    if (!t || !as || target_allowed(as->option, t)) {
        return;
    }
    char list[160] = "";
    size_t n = 0;
    for (unsigned i = 0; i < as->option->target_count && n + 48 < sizeof list; i++) {
        Str name = fhir_type_name(fhir_type(fhir_targets[as->option->target_first + i]));
        n += (size_t)snprintf(list + n, sizeof list - n, "%s%.*s", i ? ", " : "", STR_ARG(name));
    }
    walk_issue(w, at, "structure", "此处不能引用 %.*s；可引用：%s",
               "this may not refer to a %.*s; allowed: %s", STR_ARG(type), list);
}

static void check_contained_reference(Walk *w, const Place *at, const FhirMember *as, Str id)
{
    if (str_empty(id)) {
        return; /* "#" is the container itself */
    }
    if (w->lookups >= FHIR_VALIDATE_LOOKUPS) {
        walk_issue(w, at, "too-costly", "对内含资源的引用过多",
                   "too many references to contained resources");
        w->issues = FHIR_VALIDATE_STOP;
        return;
    }
    JsonRef found = contained_find(w, id);
    if (found == JSON_NONE) {
        Str shown = walk_clip(id);
        walk_issue(w, at, "invariant", "contained 中没有 id 为“%.*s”的资源（ref-1）",
                   "no contained resource has the id \"%.*s\" (ref-1)", STR_ARG(shown));
    } else {
        check_target(w, at, as, json_str(w->d, get(w, found, "resourceType")));
    }
}

/* A reference among the entries of a bundle whose text names no type means what it leads to. */
static void check_led_to(Walk *w, const Place *at, const FhirMember *as, const FhirRef *ref)
{
    JsonRef found = w->bundle && !ref->type.n ? walk_bundle_find(w, ref->text) : JSON_NONE;
    if (found != JSON_NONE) {
        check_target(w, at, as, json_str(w->d, get(w, found, "resourceType")));
    }
}

/* Reference.type: the type referred to, one that may be. */
static void check_stated_type(Walk *w, const Place *at, const FhirMember *as, Str type,
                              const FhirRef *ref)
{
    Str shown = walk_clip(type);
    if (type.n && ref->kind == FHIR_REF_RELATIVE && !str_eq(type, ref->type)) {
        walk_issue(w, at, "structure", "Reference.type“%.*s”与引用的类型不符",
                   "Reference.type \"%.*s\" is not the type referred to", STR_ARG(shown));
    } else if (type.n && !ref->type.n && w->check->thorough) {
        check_target(w, at, as, type);
    }
}

/* What is to be searched for only a transaction looks up. */
static void check_conditional(Walk *w, const Place *at, const FhirRef *ref)
{
    bool looked_up = w->bundle && (walk_bundle_is(w, "transaction") || walk_bundle_is(w, "batch"));
    if (ref->kind == FHIR_REF_SEARCH && !looked_up) {
        walk_strict(w, at, "invalid", "条件引用只能用在 transaction 型 Bundle 中",
                    "a conditional reference has a meaning only in a transaction");
    } else if (str_starts(ref->text, STR("urn:uuid:")) &&
               !fhir_primitive_ok(FHIR_PRIM_UUID, ref->text)) {
        walk_doubt(w, at, "invalid", "引用不是合法的 UUID", "the reference is no valid UUID");
    }
}

/* Relative references need an address to be relative to; in Parameters that bring resources of a
 * type themselves, a reference to that type means one of them. */
static void check_reachable(Walk *w, const Place *at, const FhirRef *ref)
{
    if (ref->kind != FHIR_REF_RELATIVE) {
        return;
    }
    if (walk_bundle_lacks_url(w)) {
        walk_strict(w, at, "invalid", "条目没有 fullUrl，其中的相对引用没有所指",
                    "a relative reference means nothing in an entry without fullUrl");
    } else if (walk_parameters_lack(w, ref)) {
        walk_strict(w, at, "not-found", "Parameters 中没有 %.*s/%.*s",
                    "the Parameters hold no %.*s/%.*s", STR_ARG(ref->type), STR_ARG(ref->id));
    }
}

static void check_reference(Walk *w, const Place *at, JsonRef object, const FhirMember *as)
{
    Str text = json_str(w->d, get(w, object, "reference"));
    if (str_empty(text)) { /* logical or display only; a wrong JSON type is already told */
        check_stated_type(w, at, as, json_str(w->d, get(w, object, "type")), &(FhirRef){0});
        return;
    }
    FhirRef ref = fhir_ref_parse(text);
    if (ref.kind == FHIR_REF_CONTAINED) {
        check_contained_reference(w, at, as, ref.id);
    } else if (ref.kind == FHIR_REF_OTHER ? !walk_is_absolute(text)
                                          : str_find_char(text, ' ') >= 0) {
        Str shown = walk_clip(text);
        walk_issue(w, at, "value", "引用“%.*s”应为 类型/id、绝对 URL、urn:uuid: 或 #id",
                   "the reference \"%.*s\" must be Type/id, an absolute URL, urn:uuid: or #id",
                   STR_ARG(shown));
    } else if (ref.type.n) {
        check_target(w, at, as, ref.type);
    }
    check_led_to(w, at, as, &ref);
    check_reachable(w, at, &ref);
    check_conditional(w, at, &ref);
    check_stated_type(w, at, as, json_str(w->d, get(w, object, "type")), &ref);
}

/* --- coded concepts with a required binding --- */

static bool coding_in(const Walk *w, const FhirValueSet *v, JsonRef coding)
{
    Str system = json_str(w->d, get(w, coding, "system"));
    return system.n && fhir_valueset_has(v, system, json_str(w->d, get(w, coding, "code")));
}

static void check_concept(Walk *w, const Place *at, JsonRef concept, const FhirMember *as)
{
    const FhirValueSet *v = &fhir_valuesets[as->elem->valueset];
    bool found = v->any;
    for (JsonIter it = json_iter(w->d, get(w, concept, "coding")); !found && json_next(&it);) {
        found = coding_in(w, v, it.value);
    }
    if (!found) {
        Str url = fhir_valueset_url(v);
        walk_issue(w, at, "code-invalid", "至少要有一个来自必选值集 %.*s 的 coding",
                   "at least one coding must come from the required value set %.*s", STR_ARG(url));
    }
}

/* --- Quantity, Period, Attachment --- */

static void check_quantity(Walk *w, const Place *at, JsonRef quantity, const FhirMember *as)
{
    if (as && (as->elem->flags & FHIR_ELEM_SIMPLE) && has(w, quantity, "comparator")) {
        walk_issue(w, at, "invariant", "此处的数量不能有 comparator（sqty-1）：请删去",
                   "a quantity may have no comparator here (sqty-1): remove it");
    }
    walk_unit(w, at, quantity);
}

static void check_period(Walk *w, const Place *at, JsonRef period)
{
    DateTime start, end;
    int64_t lo, hi, start_hi, last;
    if (datetime_parse(json_str(w->d, get(w, period, "start")), &start) &&
        datetime_parse(json_str(w->d, get(w, period, "end")), &end)) {
        datetime_range(&start, ZONE_CHINA_MIN, &lo, &start_hi);
        datetime_range(&end, ZONE_CHINA_MIN, &last, &hi);
        if (lo >= hi) {
            walk_issue(w, at, "invariant", "时段的开始晚于结束（per-1）：请更正 start 或 end",
                       "the period starts after it ends (per-1): correct start or end");
        } else if (start.precision != end.precision && start_hi > last && lo < hi &&
                   (start.precision <= DATE_DAY) != (end.precision <= DATE_DAY)) {
            walk_strict(w, at, "invariant",
                        "start 与 end 的精度不同，无法判定先后（per-1）：请写到同样的精度",
                        "start and end differ in precision, their order cannot be told (per-1): "
                        "write both to the same");
        }
    }
}

static size_t base64_bytes(Str s)
{
    size_t n = 0, pad = 0;
    for (size_t i = 0; i < s.n; i++) {
        pad += s.p[i] == '=';
        n += (unsigned char)s.p[i] > ' ';
    }
    return n / 4 * 3 - (pad <= 2 ? pad : 0);
}

static void check_attachment(Walk *w, const Place *at, JsonRef attachment)
{
    int64_t size;
    Str data = json_str(w->d, get(w, attachment, "data"));
    if (data.n && json_to_i64(w->d, get(w, attachment, "size"), &size) &&
        (size_t)size != base64_bytes(data)) {
        walk_issue(w, at, "structure", "附件 size 为 %lld，实际为 %zu 字节",
                   "the attachment's size says %lld, but it holds %zu bytes", (long long)size,
                   base64_bytes(data));
    }
}

/* --- contained resources --- */

static void check_contained(Walk *w, const Place *at, JsonRef resource)
{
    JsonRef meta = get(w, resource, "meta");
    if (has(w, resource, "contained")) {
        walk_issue(w, at, "invariant", "内含资源不能再内含资源（dom-2）：请移到最外层",
                   "a contained resource may not contain others (dom-2): move them out");
    }
    if (!has(w, resource, "id")) {
        walk_issue(w, at, "required", "内含资源必须有 id，才能以 #id 引用",
                   "a contained resource needs an id, to be referred to as #id");
    }
    if (has(w, meta, "versionId") || has(w, meta, "lastUpdated")) {
        walk_issue(w, at, "invariant",
                   "内含资源不能有 meta.versionId 或 meta.lastUpdated（dom-4）：请删去",
                   "a contained resource may not have meta.versionId or meta.lastUpdated (dom-4): "
                   "remove them");
    }
}

/* The text after '#' of a string that begins so. */
static bool fragment_at(const Walk *w, JsonRef r, Str *ret)
{
    const JsonTok *t = &w->d->tok[r];
    if (t->type != JSON_STRING || t->end < t->at + 3 || w->d->bytes.p[t->at + 1] != '#') {
        return false;
    }
    *ret = str_skip(json_str(w->d, r), 1);
    return true;
}

static bool refers_to_container(const Walk *w, JsonRef resource)
{
    Str id;
    bool found = false;
    for (JsonRef r = resource; !found && r < w->d->tok[resource].next; r++) {
        found = fragment_at(w, r, &id) && id.n == 0;
    }
    return found;
}

/* Marks by the index in the list what some #id in the container means. */
static void mark_referred(Walk *w, JsonRef container, JsonRef list, bool *marks)
{
    Str id;
    for (JsonRef r = container; r < w->d->tok[container].next; r++) {
        if (!fragment_at(w, r, &id) || w->lookups >= FHIR_VALIDATE_LOOKUPS) {
            continue;
        }
        for (JsonIter it = json_iter(w->d, list); json_next(&it);) {
            w->lookups++;
            marks[it.index] |= str_eq(json_str(w->d, get(w, it.value, "id")), id);
        }
    }
}

/* A narrative shows it: <img src="#id">, in a JSON string. */
static bool narrative_shows(Walk *w, JsonRef container, JsonRef resource)
{
    Str id = json_str(w->d, get(w, resource, "id")), raw = json_raw(w->d, container);
    Str link = arena_cat(walk_scratch(w), STR("\\\"#"), id, STR("\\\""));
    w->lookups += (unsigned)(raw.n / 64);
    return id.n && w->lookups < FHIR_VALIDATE_LOOKUPS && str_find(raw, link) >= 0;
}

static void check_contained_ids(Walk *w, const Place *at, JsonRef list)
{
    Map seen;
    map_init(&seen, walk_scratch(w));
    for (JsonIter it = json_iter(w->d, list); json_next(&it) && w->check->thorough;) {
        Place place = {at, STR("contained"), it.index};
        Str id = json_str(w->d, get(w, it.value, "id")), shown = walk_clip(id);
        if (id.n && map_get(&seen, id)) {
            walk_strict(w, &place, "business-rule", "内含资源的 id“%.*s”重复",
                        "two contained resources have the id \"%.*s\"", STR_ARG(shown));
        } else if (id.n) {
            map_put(&seen, id, w);
        }
    }
}

/* dom-3: what is contained is referred to (#id), or refers to its container (#). */
static void check_contained_used(Walk *w, const Place *at, JsonRef container)
{
    JsonRef list = get(w, container, "contained");
    size_t n = json_count(w->d, list);
    if (!n || json_type(w->d, list) != JSON_ARRAY) {
        return;
    }
    check_contained_ids(w, at, list);
    bool *marks = arena_array(walk_scratch(w), bool, n);
    mark_referred(w, container, list, marks);
    for (JsonIter it = json_iter(w->d, list); json_next(&it) && !walk_stopped(w);) {
        if (!marks[it.index] && !refers_to_container(w, it.value) &&
            !narrative_shows(w, container, it.value)) {
            Place place = {at, STR("contained"), it.index};
            walk_issue(w, &place, "invariant",
                       "内含资源没有被引用（dom-3）：请在本资源中以 #id 引用它，或删去",
                       "nothing refers to the contained resource (dom-3): refer to it as #id, or "
                       "remove it");
        }
    }
}

/* --- Parameters --- */

static void check_parameter(Walk *w, const Place *at, JsonRef p)
{
    int n = has_choice(w, p, STR("value")) + has(w, p, "resource") + has(w, p, "part");
    if (n != 1) {
        walk_issue(w, at, "invariant", "参数须且只能有 value[x]、resource、part 三者之一（inv-1）",
                   "a parameter has exactly one of value[x], resource and part (inv-1)");
    }
}

void walk_type_rules(Walk *w, const Place *at, const FhirType *t, JsonRef object,
                     const FhirMember *as)
{
    switch (fhir_type_id(t)) {
    case FHIR_TYPE_Extension:
        check_extension(w, at, object);
        return;
    case FHIR_TYPE_Reference:
        check_reference(w, at, object, as);
        return;
    case FHIR_TYPE_CodeableConcept:
        if (as && as->elem->valueset != FHIR_NONE) {
            check_concept(w, at, object, as);
        }
        return;
    case FHIR_TYPE_Identifier:
        check_identifier(w, at, object);
        return;
    case FHIR_TYPE_Coding:
        walk_coding(w, at, object);
        return;
    case FHIR_TYPE_Age:
    case FHIR_TYPE_Count:
    case FHIR_TYPE_Distance:
    case FHIR_TYPE_Duration:
    case FHIR_TYPE_Quantity:
        check_quantity(w, at, object, as);
        return;
    case FHIR_TYPE_Period:
        check_period(w, at, object);
        return;
    case FHIR_TYPE_Attachment:
        check_attachment(w, at, object);
        return;
    case FHIR_TYPE_Bundle:
        walk_bundle_rules(w, at, object);
        return;
    default:
        break;
    }
    if (t->kind == FHIR_KIND_RESOURCE && w->in_contained) {
        check_contained(w, at, object);
    } else if (t->kind == FHIR_KIND_RESOURCE) {
        check_contained_used(w, at, object);
    } else if (str_is(fhir_type_name(t), "Parameters.parameter")) {
        check_parameter(w, at, object);
    }
}
