/* Values of a FHIRPath Patch: value[x], a resource, or the parts of an element without a datatype.
 */
#include "fhir_patch_value.h"

Status patch_choice_key(PathPatch *x, const FhirType *type, Str name, const PatchValue *v,
                        const FhirElem **ret_elem, Str *ret_key)
{
    FhirMember m;
    const FhirElem *elem = fhir_elem_named(type, name);
    Str key = name;
    if (elem && fhir_elem_is_choice(elem)) {
        key = arena_cat(x->x.arena, name, v->suffix);
    }
    if (!fhir_elem_find(type, key, &m) || m.underscore || (elem && m.elem != elem)) {
        return elem ? patch_unfit(&x->x, "该元素不能有这种类型的值",
                                  "the element does not take a value of this type")
                    : patch_unfit(&x->x, "该类型没有名为 name 的元素",
                                  "the type has no element of this name");
    }
    *ret_elem = m.elem;
    *ret_key = key;
    return OK;
}

/* `"key":[…],"_key":[…]` of items; a single item stands without brackets unless it may repeat. */
void patch_items_texts(Arena *a, const PatchItems *list, bool many, Str *ret_text, Str *ret_shadow)
{
    Buf text, shadow;
    bool any_text = false, any_shadow = false;
    buf_init(&text, 0);
    buf_init(&shadow, 0);
    for (uint32_t i = 0; i < list->n; i++) {
        const PatchValue *v = &list->at[i];
        any_text |= v->text.n > 0;
        any_shadow |= v->shadow.n > 0;
        buf_c(&text, i ? "," : "");
        buf_c(&shadow, i ? "," : "");
        buf_add(&text, v->text.n ? v->text : STR("null"));
        buf_add(&shadow, v->shadow.n ? v->shadow : STR("null"));
    }
    Str open = many ? STR("[") : STR(""), close = many ? STR("]") : STR("");
    *ret_text = any_text ? arena_cat(a, open, buf_str(&text), close) : STR_NONE;
    *ret_shadow = any_shadow ? arena_cat(a, open, buf_str(&shadow), close) : STR_NONE;
    buf_done(&text);
    buf_done(&shadow);
}

/* The parts of one name are one member; only an element that repeats takes several. */
static Status member_put(PathPatch *x, const FhirType *type, JsonRef parts, JsonRef first,
                         JsonWriter *w)
{
    const JsonDoc *d = x->patch;
    Str name = json_str_at(d, first, "name"), key, text, shadow;
    const FhirElem *elem = NULL;
    PatchItems list = {arena_array(x->x.arena, PatchValue, json_count(d, parts)), 0};
    for (JsonIter it = json_iter(d, parts); json_next(&it);) {
        if (!str_eq(json_str_at(d, it.value, "name"), name)) {
            continue;
        }
        const FhirElem *named = fhir_elem_named(type, name);
        TRY(patch_value_read(x, it.value, named ? fhir_elem_type(named, 0) : NULL,
                             &list.at[list.n]));
        TRY(patch_choice_key(x, type, name, &list.at[list.n++], &elem, &key));
    }
    if (list.n > 1 && !fhir_elem_is_many(elem)) {
        return patch_unfit(&x->x, "该元素不能重复", "the element does not repeat");
    }
    patch_items_texts(x->x.arena, &list, fhir_elem_is_many(elem), &text, &shadow);
    if (text.n) {
        json_key_str(w, key);
        json_put_raw(w, text);
    }
    if (shadow.n) {
        json_key_str(w, arena_cat(x->x.arena, STR("_"), key));
        json_put_raw(w, shadow);
    }
    return OK;
}

static bool is_first_of_name(const JsonDoc *d, JsonRef parts, JsonRef part)
{
    Str name = json_str_at(d, part, "name");
    for (JsonIter it = json_iter(d, parts); json_next(&it);) {
        if (str_eq(json_str_at(d, it.value, "name"), name)) {
            return it.value == part;
        }
    }
    return false;
}

/* An element without a datatype of its own (Patient.contact) is given by its parts. */
static Status parts_read(PathPatch *x, JsonRef parts, const FhirType *type, Str *ret)
{
    Buf out;
    JsonWriter w = json_begin(&out, '{');
    Status status = type ? OK
                         : patch_unfit(&x->x, "该类型没有名为 name 的元素",
                                       "the type has no element of this name");
    for (JsonIter it = json_iter(x->patch, parts); status == OK && json_next(&it);) {
        if (is_first_of_name(x->patch, parts, it.value)) {
            status = member_put(x, type, parts, it.value, &w);
        }
    }
    Str text = json_end(&w, '}', x->x.arena);
    if (status == OK) {
        *ret = text;
    }
    return status;
}

Status patch_value_read(PathPatch *x, JsonRef part, const FhirType *type, PatchValue *ret)
{
    static const Str VALUE = {"value", 5}, SHADOW = {"_value", 6};
    const JsonDoc *d = x->patch;
    JsonRef parts = json_get_c(d, part, "part"), resource = json_get_c(d, part, "resource");
    *ret = (PatchValue){0};
    for (JsonIter it = json_iter(d, part); json_next(&it);) {
        if (str_starts(it.key, VALUE)) {
            ret->text = json_raw(d, it.value);
            ret->suffix = str_skip(it.key, VALUE.n);
        } else if (str_starts(it.key, SHADOW)) {
            ret->shadow = json_raw(d, it.value);
            ret->suffix = str_skip(it.key, SHADOW.n);
        }
    }
    if (parts != JSON_NONE) {
        TRY(parts_read(x, parts, type, &ret->text));
    } else if (resource != JSON_NONE) {
        ret->text = json_raw(d, resource);
    }
    return ret->text.n || ret->shadow.n ? OK
                                        : patch_malformed(&x->x, "缺少 value[x]、part 或 resource",
                                                          "value[x], part or resource is missing");
}
