/* Questionnaires: what their conditions name must exist, and come before; values fit questions. */
#include "fhir_validate_form.h"

#include "fhir_path_inner.h"

/* --- reading --- */

static void form_collect(Form *f, JsonRef items, unsigned depth)
{
    for (JsonIter it = json_iter(f->d, items); json_next(&it) && depth < FORM_DEPTH_MAX && f->left;
         f->left--) {
        Str id = form_text(f, it.value, "linkId");
        if (id.n && !map_get(&f->ids, id)) {
            map_put(&f->ids, id, (void *)(uintptr_t)(it.value + 1));
        }
        form_collect(f, json_get_c(f->d, it.value, "item"), depth + 1);
    }
}

void form_open(Form *f, Walk *w, const JsonDoc *d, JsonRef questionnaire)
{
    *f = (Form){.w = w, .d = d, .questionnaire = questionnaire, .left = FORM_ITEMS_MAX};
    map_init(&f->ids, w->items);
    form_collect(f, json_get_c(d, questionnaire, "item"), 0);
}

JsonRef form_item(const Form *f, Str id)
{
    uintptr_t at = (uintptr_t)map_get(&f->ids, id);
    return at ? (JsonRef)(at - 1) : JSON_NONE;
}

Str form_text(const Form *f, JsonRef object, const char *key)
{
    return json_str(f->d, json_get_c(f->d, object, key));
}

/* The extension of an element of the questionnaire that has the url; JSON_NONE: none. */
static JsonRef form_extension(const Form *f, JsonRef element, const char *url)
{
    for (JsonIter it = json_iter(f->d, json_get_c(f->d, element, "extension")); json_next(&it);) {
        if (str_is(form_text(f, it.value, "url"), url)) {
            return it.value;
        }
    }
    return JSON_NONE;
}

FormValue form_limit(const Form *f, JsonRef element, const char *url)
{
    return form_value(f->d, form_extension(f, element, url), "value");
}

/* The type that the end of a key names: Coding, dateTime of valueDateTime. */
static const FhirType *type_of_end(Str end)
{
    char name[64];
    const FhirType *t = fhir_type_find(end);
    if (!t && end.n > 0 && end.n < sizeof name) {
        memcpy(name, end.p, end.n);
        name[0] = (char)(end.p[0] | 0x20);
        t = fhir_type_find((Str){name, end.n});
    }
    return t;
}

FormValue form_value(const JsonDoc *d, JsonRef object, const char *prefix)
{
    Str head = str_from_c(prefix);
    for (JsonIter it = json_iter(d, object); json_next(&it);) {
        const FhirType *t = str_starts(it.key, head) ? type_of_end(str_skip(it.key, head.n)) : NULL;
        if (t) {
            return (FormValue){d, it.value, t};
        }
    }
    return (FormValue){d, JSON_NONE, NULL};
}

FhirValue form_scalar(const FormValue *v)
{
    return fhir_value_node(fhir_node_typed(v->d, v->ref, v->type));
}

static bool same_text(const FormValue *a, const FormValue *b, const char *key)
{
    return str_eq(json_str_at(a->d, a->ref, key), json_str_at(b->d, b->ref, key));
}

bool form_same(Walk *w, const FormValue *a, const FormValue *b)
{
    if (!a->type || a->type != b->type) {
        return false;
    }
    if (fhir_type_id(a->type) == FHIR_TYPE_Coding) {
        return same_text(a, b, "code") && same_text(a, b, "system");
    }
    if (fhir_type_id(a->type) == FHIR_TYPE_Reference) {
        return same_text(a, b, "reference");
    }
    FhirValue x = form_scalar(a), y = form_scalar(b);
    return path_equal(walk_scratch(w), &x, &y) == TRUTH_TRUE;
}

/* --- a questionnaire itself --- */

/* Whether `inner` is among the items below `item`. */
static bool is_below(const Form *f, JsonRef item, JsonRef inner)
{
    return inner > item && inner < f->d->tok[item].next;
}

static void check_condition(Form *f, const Place *at, JsonRef item, Str question)
{
    Walk *w = f->w;
    JsonRef target = form_item(f, question);
    Str shown = walk_clip(question);
    if (target == JSON_NONE) {
        walk_strict(w, at, "business-rule", "enableWhen 所指的问题“%.*s”不存在",
                    "enableWhen names the question \"%.*s\", which does not exist", STR_ARG(shown));
    } else if (target == item) {
        walk_strict(w, at, "business-rule", "enableWhen 不能指向自己",
                    "enableWhen cannot name its own question");
    } else if (is_below(f, item, target)) {
        walk_strict(w, at->up, "business-rule", "enableWhen 不能指向自己下级的问题“%.*s”",
                    "enableWhen cannot name a question inside its own item: \"%.*s\"",
                    STR_ARG(shown));
    } else if (target > item) {
        walk_warning(w, at, "business-rule", "enableWhen 所指的问题“%.*s”在其后面",
                     "enableWhen names the question \"%.*s\", which comes later", STR_ARG(shown));
    }
}

/* What is compared with the answers must be able to be one; "exists" asks yes or no (que-7, whose
 * published expression refuses all). */
static void check_compared(Form *f, const Place *at, JsonRef condition)
{
    JsonRef target = form_item(f, form_text(f, condition, "question"));
    FormValue v = form_value(f->d, condition, "answer");
    Str type = target == JSON_NONE ? STR_NONE : form_text(f, target, "type");
    Str given = v.type ? fhir_type_name(v.type) : STR_NONE;
    if (str_is(form_text(f, condition, "operator"), "exists")) {
        if (v.type && fhir_type_id(v.type) != FHIR_TYPE_boolean) {
            walk_strict(f->w, at, "invariant",
                        "operator 为 exists 时 answer 必须是 boolean（que-7）",
                        "with the operator \"exists\" the answer must be a boolean (que-7)");
        }
    } else if (v.type && type.n && !form_type_answers(type, given)) {
        walk_strict(f->w, at, "business-rule", "%.*s 型的问题不会有 %.*s 型的回答",
                    "a question of type %.*s is never answered by a %.*s", STR_ARG(type),
                    STR_ARG(given));
    }
}

static void check_conditions(Form *f, const Place *at, JsonRef item)
{
    Walk *w = f->w;
    JsonRef list = json_get_c(f->d, item, "enableWhen");
    /* que-12 as its words have it; its published expression begins to count at three. */
    if (json_count(f->d, list) == 2 && !form_text(f, item, "enableBehavior").n) {
        walk_strict(w, at, "invariant", "有多个 enableWhen 时必须给出 enableBehavior（que-12）",
                    "more than one enableWhen need an enableBehavior (que-12)");
    }
    for (JsonIter it = json_iter(f->d, list); json_next(&it);) {
        Place place = {at, STR("enableWhen"), it.index};
        Str question = form_text(f, it.value, "question");
        if (question.n) {
            check_condition(f, &place, item, question);
            check_compared(f, &place, it.value);
        }
    }
}

/* The values a question begins with, or offers, must answer it. */
static void check_offers(Form *f, const Place *at, JsonRef item, const char *name)
{
    Str type = form_text(f, item, "type");
    for (JsonIter it = json_iter(f->d, json_get_c(f->d, item, name)); json_next(&it);) {
        Place place = {at, str_from_c(name), it.index};
        FormValue v = form_value(f->d, it.value, "value");
        Str given = v.type ? fhir_type_name(v.type) : STR_NONE;
        if (v.type && !form_type_answers(type, given)) {
            walk_strict(f->w, &place, "business-rule", "%.*s 型的问题不能取 %.*s 型的值",
                        "a question of type %.*s cannot have a %.*s", STR_ARG(type),
                        STR_ARG(given));
        }
    }
}

static void check_form_items(Form *f, const Place *at, JsonRef object, unsigned depth)
{
    for (JsonIter it = json_iter(f->d, json_get_c(f->d, object, "item"));
         json_next(&it) && depth < FORM_DEPTH_MAX && !walk_stopped(f->w);) {
        Place place = {at, STR("item"), it.index};
        check_conditions(f, &place, it.value);
        check_offers(f, &place, it.value, "initial");
        check_offers(f, &place, it.value, "answerOption");
        check_form_items(f, &place, it.value, depth + 1);
    }
}

void walk_questionnaire(Walk *w, const Place *at, JsonRef questionnaire)
{
    Form f;
    form_open(&f, w, w->d, questionnaire);
    check_form_items(&f, at, questionnaire, 0);
}
