/*
 * A response against its questionnaire: the items stand where and in the order the questionnaire
 * has them, those asked for are there, those not enabled are not, and each answer fits
 * (form_answer). The questionnaire is the contained one, or found by its canonical url.
 */
#include "fhir_validate_form.h"

#include "fhir_path_inner.h"

#define R4X "http://hl7.org/fhir/StructureDefinition/"

static void check_level(Form *f, const Place *at, JsonRef parent, const Answered *around,
                        unsigned depth);

static JsonRef member(const Form *f, JsonRef object, const char *key)
{
    return json_get_c(f->w->d, object, key);
}

/* --- the place of items --- */

/* The number of the item with the linkId among the children of a questionnaire's item, or -1. */
static int64_t number_of(const Form *f, JsonRef parent, Str id)
{
    for (JsonIter it = json_iter(f->d, json_get_c(f->d, parent, "item")); json_next(&it);) {
        if (str_eq(form_text(f, it.value, "linkId"), id)) {
            return it.index;
        }
    }
    return -1;
}

static void check_place(Form *f, const Place *at, Str id, int64_t number, int64_t *last)
{
    Walk *w = f->w;
    Str shown = walk_clip(id);
    if (number < 0 && form_item(f, id) == JSON_NONE) {
        walk_strict(w, at, "not-found", "问卷中没有 linkId“%.*s”",
                    "the questionnaire has no linkId \"%.*s\"", STR_ARG(shown));
    } else if (number < 0) {
        walk_strict(w, at, "structure", "linkId“%.*s”在问卷中不在此处",
                    "the questionnaire has the linkId \"%.*s\", but not here", STR_ARG(shown));
    } else if (number < *last) {
        walk_strict(w, at, "structure", "linkId“%.*s”的次序与问卷不同",
                    "the linkId \"%.*s\" is not in the questionnaire's order", STR_ARG(shown));
    }
    *last = number > *last ? number : *last;
}

static void check_places(Form *f, const Place *at, JsonRef parent, JsonRef object)
{
    int64_t last = -1;
    for (JsonIter it = json_iter(f->w->d, member(f, object, "item"));
         json_next(&it) && !walk_stopped(f->w);) {
        Place place = {at, STR("item"), it.index};
        Str id = json_str_at(f->w->d, it.value, "linkId");
        if (id.n) {
            check_place(f, &place, id, number_of(f, parent, id), &last);
        }
    }
}

/* --- one item --- */

static bool is_answered(const Form *f, JsonRef item)
{
    for (JsonIter it = json_iter(f->w->d, member(f, item, "answer")); json_next(&it);) {
        if (form_value(f->w->d, it.value, "value").type) {
            return true;
        }
    }
    return false;
}

/* An option that stands alone (questionnaire-optionExclusive) has no other beside it. */
static void check_exclusive(Form *f, const Place *at, JsonRef question, JsonRef answers)
{
    bool several = json_count(f->w->d, answers) > 1;
    for (JsonIter it = json_iter(f->w->d, answers); several && json_next(&it);) {
        FormValue v = form_value(f->w->d, it.value, "value");
        Place place = {at, STR("answer"), it.index};
        for (JsonIter o = json_iter(f->d, json_get_c(f->d, question, "answerOption"));
             json_next(&o);) {
            FormValue option = form_value(f->d, o.value, "value");
            FormValue alone = form_limit(f, o.value, R4X "questionnaire-optionExclusive");
            if (alone.type && json_is_true(alone.d, alone.ref) && form_same(f->w, &option, &v)) {
                walk_strict(f->w, &place, "invariant", "此选项不能与别的选项同时选",
                            "this option cannot be chosen together with others");
            }
        }
    }
}

static void check_answers(Form *f, const Place *at, JsonRef question, JsonRef item,
                          const Answered *around, unsigned depth)
{
    JsonRef answers = member(f, item, "answer");
    for (JsonIter it = json_iter(f->w->d, answers); json_next(&it) && !walk_stopped(f->w);) {
        Place place = {at, STR("answer"), it.index};
        Answered inside = {around, it.value};
        form_answer(f, &place, question, it.value);
        check_level(f, &place, question, &inside, depth + 1);
    }
    check_exclusive(f, at, question, answers);
}

static void check_entry(Form *f, const Place *at, JsonRef question, JsonRef item,
                        const Answered *around, unsigned depth)
{
    Walk *w = f->w;
    Str type = form_text(f, question, "type");
    Answered inside = {around, item};
    bool required = f->complete && json_is_true(f->d, json_get_c(f->d, question, "required"));
    if (str_is(type, "group")) {
        if (required && json_count(w->d, member(f, item, "item")) == 0) {
            walk_strict(w, at, "required", "必填的组没有内容", "a required group has no items");
        }
        check_level(f, at, question, &inside, depth + 1);
    } else if (required && !str_is(type, "display") && !is_answered(f, item)) {
        walk_strict(w, at, "required", "必填的问题没有回答", "a required question has no answer");
    }
    if ((str_is(type, "group") || str_is(type, "display") || str_is(type, "question")) &&
        json_count(w->d, member(f, item, "answer"))) {
        walk_strict(w, at, "structure", "%.*s 型的条目不能有回答",
                    "an item of type %.*s cannot be answered", STR_ARG(type));
    } else if (!str_is(type, "group")) {
        check_answers(f, at, question, item, &inside, depth);
        if (json_count(w->d, member(f, item, "item"))) {
            walk_strict(w, at, "structure", "问题之下的条目应放在它的回答（answer）之内",
                        "items below a question stand in its answer");
        }
    }
}

/* --- how many --- */

typedef struct Count {
    size_t items, answers, first; /* the number of the first item of the question */
} Count;

static Count count_of(const Form *f, JsonRef object, Str id)
{
    Count n = {0, 0, 0};
    for (JsonIter it = json_iter(f->w->d, member(f, object, "item")); json_next(&it);) {
        if (str_eq(json_str_at(f->w->d, it.value, "linkId"), id)) {
            n.first = n.items++ ? n.first : it.index;
            n.answers += json_count(f->w->d, member(f, it.value, "answer"));
        }
    }
    return n;
}

static int64_t limit_number(const Form *f, JsonRef question, const char *url, int64_t otherwise)
{
    int64_t n = otherwise;
    FormValue limit = form_limit(f, question, url);
    if (limit.type) {
        (void)!json_to_i64(limit.d, limit.ref, &n);
    }
    return n;
}

static void check_numbers(Form *f, const Place *at, JsonRef question, Count n)
{
    Walk *w = f->w;
    Place first = {at, STR("item"), (uint32_t)n.first};
    const Place *place = n.items ? &first : at;
    Str id = form_text(f, question, "linkId"), shown = walk_clip(id);
    bool group = str_is(form_text(f, question, "type"), "group");
    bool required = json_is_true(f->d, json_get_c(f->d, question, "required"));
    bool repeats = json_is_true(f->d, json_get_c(f->d, question, "repeats"));
    int64_t count = (int64_t)(group ? n.items : n.answers);
    int64_t least = limit_number(f, question, R4X "questionnaire-minOccurs", 0);
    int64_t most = limit_number(f, question, R4X "questionnaire-maxOccurs", INT64_MAX);
    if (f->complete && required && !n.items) {
        walk_strict(w, at, "required", "缺少对必填条目“%.*s”的回答",
                    "the required item \"%.*s\" is not answered", STR_ARG(shown));
    } else if (f->complete && (required || n.items) && count < least) {
        walk_strict(w, place, "invalid", "条目“%.*s”至少要有 %lld 个回答",
                    "the item \"%.*s\" needs at least %lld answers", STR_ARG(shown),
                    (long long)least);
    }
    if (!repeats && (n.items > 1 || n.answers > 1)) {
        walk_strict(w, place, "invalid", "条目“%.*s”只能回答一次",
                    "the item \"%.*s\" takes one answer only", STR_ARG(shown));
    } else if (count > most) {
        walk_strict(w, place, "invalid", "条目“%.*s”至多 %lld 个回答",
                    "the item \"%.*s\" takes at most %lld answers", STR_ARG(shown),
                    (long long)most);
    }
}

/* --- levels --- */

static void check_question(Form *f, const Place *at, JsonRef question, const Answered *around,
                           unsigned depth)
{
    Walk *w = f->w;
    Str id = form_text(f, question, "linkId"), shown = walk_clip(id);
    bool enabled = form_enabled(f, question, around);
    if (enabled) {
        check_numbers(f, at, question, count_of(f, around->object, id));
    }
    for (JsonIter it = json_iter(w->d, member(f, around->object, "item"));
         json_next(&it) && !walk_stopped(w);) {
        Place place = {at, STR("item"), it.index};
        if (!str_eq(json_str_at(w->d, it.value, "linkId"), id)) {
            continue;
        }
        if (enabled) {
            check_entry(f, &place, question, it.value, around, depth);
        } else if (is_answered(f, it.value) || json_count(w->d, member(f, it.value, "item"))) {
            walk_strict(w, &place, "invalid", "条目“%.*s”未启用（enableWhen），却有回答",
                        "the item \"%.*s\" is not enabled (enableWhen), but answered",
                        STR_ARG(shown));
        }
    }
}

static void check_level(Form *f, const Place *at, JsonRef parent, const Answered *around,
                        unsigned depth)
{
    if (depth >= FORM_DEPTH_MAX) {
        return;
    }
    check_places(f, at, parent, around->object);
    for (JsonIter it = json_iter(f->d, json_get_c(f->d, parent, "item"));
         json_next(&it) && !walk_stopped(f->w) && f->left; f->left--) {
        check_question(f, at, it.value, around, depth);
    }
}

/* --- finding the questionnaire --- */

/* From the library: the document lives as long as the walk. */
static bool library_find(Walk *w, Str canonical, const JsonDoc **ret)
{
    const FhirLibrary *library = w->check->library;
    Str url, version, json;
    str_cut(canonical, '|', &url, &version);
    JsonDoc *d = arena_new(w->items, JsonDoc);
    if (!library ||
        !library->find(library->ctx, w->items, STR("Questionnaire"), url, version, &json) ||
        json_parse(w->items, json, &JSON_LIMITS_FHIR, d, NULL) != OK) {
        return false;
    }
    *ret = d;
    return true;
}

void walk_response(Walk *w, const Place *at, JsonRef response)
{
    JsonRef name = json_get_c(w->d, response, "questionnaire");
    Str canonical = json_str(w->d, name), status = json_str_at(w->d, response, "status");
    Place place = {at, STR("questionnaire"), PLACE_NO_INDEX};
    bool inside = str_starts(canonical, STR("#"));
    JsonRef root = inside ? walk_resolve(w, canonical) : JSON_ROOT;
    const JsonDoc *d = w->d;
    Form f;
    if (!canonical.n || root == JSON_NONE) {
        return;
    }
    if (!inside && !library_find(w, canonical, &d)) {
        Str shown = walk_clip(canonical);
        walk_warning(w, &place, "not-found", "问卷“%.*s”未知，未按它核对",
                     "the questionnaire \"%.*s\" is not known here: it was not checked by",
                     STR_ARG(shown));
    } else if (str_is(json_str_at(d, root, "resourceType"), "Questionnaire")) {
        Answered whole = {NULL, response};
        form_open(&f, w, d, root);
        f.left = FORM_ITEMS_MAX;
        f.complete = str_is(status, "completed") || str_is(status, "amended");
        check_level(&f, at, root, &whole, 0);
    }
}
