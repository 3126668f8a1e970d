#include "fhir_validate_inner.h"

#include <stdio.h>

#define PLACE_BYTES_MAX   1024
#define TEXT_BYTES_MAX    1024
#define ELEMS_MAX         64 /* of one type; tests/unit/fhir checks the tables */
#define CLIP_BYTES        80
#define SCRATCH_BYTES_MAX (16u << 20) /* of one evaluation */
#define SCRATCH_KEEP      (256u << 10)

/* --- places and issues --- */

static void place_put(const Place *at, Buf *out)
{
    if (at->up) {
        place_put(at->up, out);
        buf_char(out, '.');
    }
    buf_add(out, at->name);
    if (at->index != PLACE_NO_INDEX) {
        buf_printf(out, "[%u]", at->index);
    }
    if (at->choice && at->type) {
        buf_printf(out, ".ofType(%.*s)", STR_ARG(fhir_type_name(at->type)));
    }
}

Str walk_clip(Str s)
{
    return utf8_take(s, CLIP_BYTES);
}

static Str text_put(char *out, size_t room, const char *fmt, va_list args)
    __attribute__((format(printf, 3, 0)));

static Str text_put(char *out, size_t room, const char *fmt, va_list args)
{
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(out, room, fmt, again);
    va_end(again);
    Str whole = {out, n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1};
    return (size_t)n < room ? whole : utf8_take(whole, room - 4);
}

/* The texts of an issue, made on the stack; warnings leave the status alone. */
static void issue_put(Walk *w, const Place *at, bool warning, const char *code, const char *zh,
                      const char *en, va_list args)
    __attribute__((format(printf, 5, 0), format(printf, 6, 0)));

static void issue_put(Walk *w, const Place *at, bool warning, const char *code, const char *zh,
                      const char *en, va_list args)
{
    char text_zh[TEXT_BYTES_MAX], text_en[TEXT_BYTES_MAX];
    Buf place;
    buf_init(&place, PLACE_BYTES_MAX);
    place_put(at, &place);
    Str said_zh = text_put(text_zh, sizeof text_zh, zh, args);
    Str said_en = text_put(text_en, sizeof text_en, en, args);
    if (warning) {
        err_warn(w->err, code, buf_str(&place), said_zh, said_en);
    } else {
        err_text(w->err, ERR_UNPROCESSABLE, code, buf_str(&place), said_zh, said_en);
    }
    buf_done(&place);
}

void walk_issue(Walk *w, const Place *at, const char *code, const char *zh, const char *en, ...)
{
    if (w->issues++ >= FHIR_VALIDATE_STOP || !w->err) {
        return;
    }
    va_list args;
    va_start(args, en);
    issue_put(w, at, false, code, zh, en, args);
    va_end(args);
}

void walk_strict(Walk *w, const Place *at, const char *code, const char *zh, const char *en, ...)
{
    if (!w->check->thorough || w->issues++ >= FHIR_VALIDATE_STOP || !w->err) {
        return;
    }
    va_list args;
    va_start(args, en);
    issue_put(w, at, false, code, zh, en, args);
    va_end(args);
}

void walk_warning(Walk *w, const Place *at, const char *code, const char *zh, const char *en, ...)
{
    if (!w->check->thorough || !w->err || w->warnings++ >= FHIR_VALIDATE_WARNINGS) {
        return;
    }
    va_list args;
    va_start(args, en);
    issue_put(w, at, true, code, zh, en, args);
    va_end(args);
}

void walk_doubt(Walk *w, const Place *at, const char *code, const char *zh, const char *en, ...)
{
    bool strict = w->check->thorough && w->check->strict;
    unsigned *n = strict ? &w->issues : &w->warnings;
    unsigned most = strict ? FHIR_VALIDATE_STOP : FHIR_VALIDATE_WARNINGS;
    if (!w->check->thorough || (*n)++ >= most || !w->err) {
        return;
    }
    va_list args;
    va_start(args, en);
    issue_put(w, at, !strict, code, zh, en, args);
    va_end(args);
}

Arena *walk_scratch(Walk *w)
{
    if (!w->scratch_made) {
        arena_init(&w->scratch, SCRATCH_BYTES_MAX);
        w->scratch_made = true;
    } else if (w->scratch.used_bytes > SCRATCH_KEEP) {
        arena_reset(&w->scratch);
    }
    return &w->scratch;
}

/* --- values --- */

static const char *json_type_name(JsonType t)
{
    static const char *const NAME[] = {"nothing", "null",   "boolean", "boolean",
                                       "number",  "string", "array",   "object"};
    return NAME[t];
}

static void walk_object(Walk *w, const Place *at, const FhirType *t, JsonRef r,
                        const FhirMember *as);

static void issue_wrong_json(Walk *w, const Place *at, const char *want, JsonRef r)
{
    const char *got = json_type_name(json_type(w->d, r));
    walk_issue(w, at, "structure", "此处应为 JSON 的 %s，实为 %s", "this must be a JSON %s, not %s",
               want, got);
}

/* An id alone names nothing: a value or an extension belongs to it (ele-1). */
static void walk_shadow(Walk *w, const Place *at, const FhirMember *m, JsonRef shadow)
{
    const Place *holder = at->up;
    Str key = fhir_elem_key(m->elem, (unsigned)(m->option - fhir_elem_option(m->elem, 0)));
    JsonRef value = json_get(w->d, holder->value, key);
    if (at->index == PLACE_NO_INDEX && value == JSON_NONE &&
        json_get_c(w->d, shadow, "extension") == JSON_NONE) {
        walk_strict(w, at, "invariant", "元素既没有值也没有扩展（ele-1）：请补上或删去",
                    "the element has neither a value nor an extension (ele-1): fill it or remove "
                    "it");
    }
}

/* The object beside a primitive: id and extensions. */
static void walk_underscore(Walk *w, const Place *at, const FhirMember *m, JsonRef value)
{
    if (json_type(w->d, value) == JSON_OBJECT) {
        walk_object(w, at, fhir_type(FHIR_TYPE_Element), value, NULL);
        walk_shadow(w, at, m, value);
    } else {
        issue_wrong_json(w, at, "object", value);
    }
}

static void walk_value(Walk *w, const Place *at, const FhirMember *m, JsonRef value)
{
    JsonType json = json_type(w->d, value);
    if (m->underscore) {
        walk_underscore(w, at, m, value);
    } else if (m->type->kind == FHIR_KIND_PRIMITIVE) {
        walk_primitive(w, at, m, value);
    } else if (json != JSON_OBJECT) {
        issue_wrong_json(w, at, "object", value);
    } else if (m->type->kind == FHIR_KIND_RESOURCE) {
        walk_resource(w, at, value, m->type->abstract ? NULL : m->type);
    } else {
        walk_object(w, at, m->type, value, m);
    }
}

/* The other half of a primitive array: `_given` for `given` and the other way round. */
static JsonRef partner_of(const Walk *w, JsonRef object, const FhirMember *m, Str key)
{
    char other[128];
    if (m->underscore) {
        return json_get(w->d, object, str_skip(key, 1));
    }
    if (m->type->kind != FHIR_KIND_PRIMITIVE || key.n + 1 > sizeof other) {
        return JSON_NONE;
    }
    other[0] = '_';
    memcpy(other + 1, key.p, key.n);
    return json_get(w->d, object, (Str){other, key.n + 1});
}

static void walk_array(Walk *w, const Place *at, const FhirMember *m, JsonRef object, Str key,
                       JsonRef array)
{
    if (json_count(w->d, array) == 0) {
        walk_issue(w, at, "structure", "数组不能为空：没有内容时请删去“%.*s”",
                   "an array must not be empty: remove \"%.*s\" instead", STR_ARG(key));
        return;
    }
    JsonRef partner = JSON_NONE;
    bool searched = false;
    for (JsonIter it = json_iter(w->d, array); json_next(&it) && !walk_stopped(w);) {
        Place item = *at;
        item.index = it.index;
        item.value = it.value;
        if (json_type(w->d, it.value) != JSON_NULL) {
            walk_value(w, &item, m, it.value);
            continue;
        }
        if (!searched) {
            partner = partner_of(w, object, m, key);
            searched = true;
        }
        JsonType other = json_type(w->d, json_item(w->d, partner, it.index));
        if (other == JSON_ABSENT || other == JSON_NULL) {
            walk_issue(
                w, &item, "structure", "null 只能作占位：同一位置的值与扩展至少要有一个",
                "null only fills a place: the value or the extension at this index must be there");
        }
    }
}

static void check_alignment(Walk *w, const Place *at, JsonRef object, const FhirMember *m, Str key,
                            JsonRef array)
{
    JsonRef partner = m->underscore ? partner_of(w, object, m, key) : JSON_NONE;
    if (json_type(w->d, partner) == JSON_ARRAY &&
        json_count(w->d, partner) != json_count(w->d, array)) {
        walk_issue(w, at, "structure", "“%.*s”与它的值数组长度不同：请用 null 补齐",
                   "\"%.*s\" and its array of values differ in length: fill with null",
                   STR_ARG(key));
    }
}

static void walk_member(Walk *w, const Place *at, const FhirMember *m, JsonRef object, Str key,
                        JsonRef value)
{
    JsonType json = json_type(w->d, value);
    if (json == JSON_NULL) {
        walk_issue(w, at, "structure", "“%.*s”不能是 null：没有值时请删去",
                   "\"%.*s\" must not be null: remove it when there is no value", STR_ARG(key));
    } else if (!fhir_elem_is_many(m->elem)) {
        walk_value(w, at, m, value);
    } else if (json != JSON_ARRAY) {
        issue_wrong_json(w, at, "array", value);
    } else {
        walk_array(w, at, m, object, key, value);
        check_alignment(w, at, object, m, key, value);
    }
}

/* --- objects --- */

typedef struct Seen {
    uint64_t elems; /* bits by the element's index in its type */
    uint16_t option[ELEMS_MAX];
} Seen;

static void check_choice(Walk *w, const Place *at, const FhirMember *m, Seen *seen)
{
    unsigned i = fhir_elem_index(m->elem);
    uint64_t bit = UINT64_C(1) << i;
    uint16_t option = (uint16_t)(m->option - fhir_options);
    if ((seen->elems & bit) && seen->option[i] != option) {
        Str name = fhir_elem_name(m->elem);
        walk_issue(w, at, "structure", "%.*s[x] 只能取一种类型：请只保留一个",
                   "%.*s[x] may have one type only: keep one of them", STR_ARG(name));
    }
    seen->elems |= bit;
    seen->option[i] = option;
}

/* The place is the object that lacks it: an expression names what there is. */
static void check_required(Walk *w, const Place *at, const FhirType *t, uint64_t seen)
{
    for (unsigned i = 0; i < t->elem_count && !walk_stopped(w); i++) {
        const FhirElem *e = fhir_type_elem(t, i);
        if (e->min > 0 && !(seen >> i & 1)) {
            Str name = fhir_elem_name(e), type = fhir_type_name(t);
            walk_issue(w, at, "required", "缺少必填元素“%.*s”（%.*s 至少要有 1 个）：请补上",
                       "the element \"%.*s\" is missing (%.*s needs at least 1): add it",
                       STR_ARG(name), STR_ARG(type));
        }
    }
}

static void issue_unknown(Walk *w, const Place *at, const FhirType *t, Str key)
{
    Str shown = walk_clip(key), type = fhir_type_name(t);
    Place place = {at, shown, PLACE_NO_INDEX};
    walk_issue(w, &place, "structure",
               "R4 的 %2$.*1$s 没有元素“%4$.*3$s”：请删去，或改用扩展（extension）",
               "%2$.*1$s has no element \"%4$.*3$s\" in R4: remove it, or use an extension",
               STR_ARG(type), STR_ARG(shown));
}

/* The ids of elements name places in their resource: each only once. */
static void check_element_id(Walk *w, const Place *at, JsonRef object)
{
    Str id = json_str(w->d, json_get_c(w->d, object, "id")), shown = walk_clip(id);
    if (id.n && map_get(w->ids, id)) {
        walk_strict(w, at, "business-rule", "元素 id“%.*s”在资源中重复",
                    "the element id \"%.*s\" occurs twice in the resource", STR_ARG(shown));
    } else if (id.n) {
        map_put(w->ids, id, w->ids);
    }
}

static void walk_object(Walk *w, const Place *at, const FhirType *t, JsonRef r,
                        const FhirMember *as)
{
    Seen seen;
    bool only_id = true;
    seen.elems = 0;
    for (JsonIter it = json_iter(w->d, r); json_next(&it) && !walk_stopped(w);) {
        FhirMember m;
        if (fhir_elem_find(t, it.key, &m)) {
            Place place = {at,       fhir_elem_name(m.elem),     PLACE_NO_INDEX, m.type,
                           it.value, fhir_elem_is_choice(m.elem)};
            check_choice(w, &place, &m, &seen);
            walk_member(w, &place, &m, r, it.key, it.value);
            only_id = only_id && m.elem == fhir_type_elem(t, 0) && t->kind != FHIR_KIND_RESOURCE;
        } else if (t->kind != FHIR_KIND_RESOURCE || !str_is(it.key, "resourceType")) {
            issue_unknown(w, at, t, it.key);
            only_id = false;
        } else {
            only_id = false;
        }
    }
    /* The Element beside a primitive may well be an id alone: the value stands elsewhere. */
    if (only_id && (json_count(w->d, r) == 0 || fhir_type_id(t) != FHIR_TYPE_Element)) {
        walk_issue(w, at, "invariant", "对象没有内容（ele-1）：请填写内容或删去",
                   "the object has no content (ele-1): fill it or remove it");
    }
    check_required(w, at, t, seen.elems);
    /* In a definition the same element stands in differential and snapshot. */
    if (w->check->thorough && t->kind != FHIR_KIND_RESOURCE &&
        fhir_type_id(t) != FHIR_TYPE_ElementDefinition) {
        check_element_id(w, at, r);
    }
    walk_type_rules(w, at, t, r, as);
    walk_constraints(w, at, t, r);
}

void walk_enter(Walk *w, const Place *at, const Place *root, JsonRef r, Within *outer)
{
    *outer = (Within){w->in_contained, w->container,   w->resource, w->parameters,
                      w->entry,        w->resource_at, w->bundle,   w->ids};
    w->in_contained = at && str_is(at->name, "contained");
    w->container = w->in_contained ? outer->container : r;
    w->entry = at && at->up && str_is(at->up->name, "entry") ? at->up->value : w->entry;
    w->resource = r;
    w->resource_at = root;
}

void walk_leave(Walk *w, const Within *outer)
{
    w->in_contained = outer->in_contained;
    w->container = outer->container;
    w->resource = outer->resource;
    w->parameters = outer->parameters;
    w->entry = outer->entry;
    w->resource_at = outer->resource_at;
    w->bundle = outer->bundle;
    w->ids = outer->ids;
}

static void resource_check(Walk *w, const Place *root, const FhirType *t, JsonRef r)
{
    w->ids = w->check->thorough ? arena_new(w->items, Map) : NULL;
    if (w->ids) {
        map_init(w->ids, w->items);
    }
    if (fhir_type_id(t) == FHIR_TYPE_Bundle) {
        walk_bundle_open(w, r);
    }
    if (fhir_type_id(t) == FHIR_TYPE_Parameters) {
        w->parameters = r;
    }
    walk_object(w, root, t, r, NULL);
    walk_profiles(w, root, r, t);
    if (w->check->thorough) {
        walk_definition(w, root, t, r);
    }
}

void walk_resource(Walk *w, const Place *at, JsonRef r, const FhirType *expected)
{
    Str name = json_str(w->d, json_get(w->d, r, STR("resourceType")));
    const FhirType *t = fhir_resource_find(name);
    const FhirType *known = t ? t : fhir_type(FHIR_TYPE_Resource);
    Str shown = walk_clip(name);
    Place root = at ? *at : (Place){NULL, fhir_type_name(known), PLACE_NO_INDEX};
    root.type = known;
    root.value = r;
    if (!t) {
        Place place = {&root, STR("resourceType"), PLACE_NO_INDEX};
        walk_issue(w, &place, "structure", "resourceType“%.*s”不是 R4 的资源类型",
                   "resourceType \"%.*s\" is not a resource type of R4", STR_ARG(shown));
    } else if (expected && t != expected) {
        Str want = fhir_type_name(expected);
        walk_issue(w, &root, "structure", "资源类型是 %.*s，此处应为 %.*s",
                   "the resource is a %.*s, not a %.*s", STR_ARG(shown), STR_ARG(want));
    } else {
        Within outer;
        walk_enter(w, at, &root, r, &outer);
        resource_check(w, &root, t, r);
        walk_leave(w, &outer);
    }
}

/* --- doors --- */

Status fhir_validate(const JsonDoc *d, JsonRef resource, Str expected_type, Err *err)
{
    return fhir_validate_with(d, resource, &(FhirCheck){.type = expected_type}, err);
}

Status fhir_validate_with(const JsonDoc *d, JsonRef resource, const FhirCheck *check, Err *err)
{
    if (json_type(d, resource) != JSON_OBJECT) {
        return err_add(err, ERR_UNPROCESSABLE, "structure", STR_NONE,
                       "FHIR 资源必须是一个 JSON 对象", "a FHIR resource must be a JSON object");
    }
    Arena items;
    Walk w = {.d = d,
              .err = err,
              .container = resource,
              .resource = resource,
              .entry = JSON_NONE,
              .parameters = JSON_NONE,
              .check = check,
              .items = &items};
    arena_init(&items, 0);
    walk_resource(&w, NULL, resource,
                  str_empty(check->type) ? NULL : fhir_resource_find(check->type));
    if (w.scratch_made) {
        arena_done(&w.scratch);
    }
    if (w.profiles) {
        fhir_profiles_release(w.profiles);
    }
    arena_done(&items);
    return w.issues ? ERR_UNPROCESSABLE : OK;
}
