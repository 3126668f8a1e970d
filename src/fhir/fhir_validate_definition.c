/*
 * Definitions that a machine will run: a profile must compile, a search parameter's expression must
 * speak of its base types, a questionnaire's conditions must name questions that exist. All of this
 * is told only by a thorough check; R4's own invariants of these types are checked always.
 */
#include "fhir_params.h"
#include "fhir_path_inner.h"
#include "fhir_validate_inner.h"

static JsonRef get(const Walk *w, JsonRef object, const char *key)
{
    return json_get_c(w->d, object, key);
}

/* --- StructureDefinition --- */

/* The faults stand at the definition's own place, wherever it is in the document. */
static void check_profile(Walk *w, const Place *at, JsonRef definition)
{
    Arena *a = w->items;
    Err found;
    Str derivation = json_str_at(w->d, definition, "derivation");
    if (!str_is(derivation, "constraint") ||
        str_is(json_str_at(w->d, definition, "kind"), "logical")) {
        return;
    }
    err_init(&found, a);
    (void)!fhir_profile_try(walk_profiles_hold(w), w->d, definition, &found);
    for (const Issue *i = found.first; i && !walk_stopped(w); i = i->next) {
        if (strcmp(i->code, "not-supported") == 0 || strcmp(i->code, "not-found") == 0) {
            walk_warning(w, at, i->code, "%s%.0s", "%.0s%s", arena_cstr(a, i->zh),
                         arena_cstr(a, i->en));
        } else {
            walk_strict(w, at, i->code, "%s%.0s", "%.0s%s", arena_cstr(a, i->zh),
                        arena_cstr(a, i->en));
        }
    }
}

/* --- SearchParameter --- */

static bool base_has(const Walk *w, JsonRef base, Str type)
{
    const FhirType *t = fhir_type_find(type);
    for (JsonIter it = json_iter(w->d, base); json_next(&it);) {
        const FhirType *b = fhir_type_find(json_str(w->d, it.value));
        if (b && t && (fhir_type_is(b, t) || fhir_type_is(t, b))) {
            return true;
        }
    }
    return false;
}

/* The types that the branches of an expression begin with: Patient in Patient.name | Person.name.
 */
static void check_begins(Walk *w, const Place *at, const PathNode *p, JsonRef base)
{
    if (p->op == PATH_UNION) {
        check_begins(w, at, p->left, base);
        check_begins(w, at, p->args[0], base);
        return;
    }
    while (p->left) {
        p = p->left;
    }
    if (p->op == PATH_MEMBER && p->root_type && p->root_type->kind == FHIR_KIND_RESOURCE &&
        !base_has(w, base, p->name)) {
        walk_strict(w, at, "business-rule", "表达式以 %.*s 开头，base 中却没有它",
                    "the expression begins with %.*s, which is not among the base types",
                    STR_ARG(p->name));
    }
}

static void check_expression(Walk *w, const Place *at, JsonRef parameter)
{
    Str text = json_str(w->d, get(w, parameter, "expression"));
    Place place = {at, STR("expression"), PLACE_NO_INDEX};
    Arena *a = w->items;
    FhirPath *program;
    Err err;
    err_init(&err, a);
    if (text.n && fhir_path_compile(a, text, &program, &err) != OK) {
        walk_strict(w, &place, "invalid", "%s%.0s", "%.0s%s", arena_cstr(a, err.first->zh),
                    arena_cstr(a, err.first->en));
    } else if (text.n) {
        check_begins(w, &place, program->root, get(w, parameter, "base"));
    }
}

/* The published parameter it derives from must have the same bases. */
static void check_derived(Walk *w, const Place *at, JsonRef parameter)
{
    Str from = json_str(w->d, get(w, parameter, "derivedFrom"));
    for (JsonIter it = json_iter(w->d, get(w, parameter, "base")); from.n && json_next(&it);) {
        Str base = json_str(w->d, it.value);
        bool known = false, has = false;
        for (unsigned i = 0; i < fhir_param_count; i++) {
            if (str_eq(fhir_param_url(&fhir_params[i]), from)) {
                known = true;
                has = has || str_eq(fhir_type_name(fhir_type(fhir_params[i].type)), base);
            }
        }
        if (known && !has) {
            walk_strict(w, at, "invalid", "所派生的检索参数 %.*s 没有 base %.*s",
                        "%.*s, which this is derived from, has no base %.*s", STR_ARG(from),
                        STR_ARG(base));
        }
    }
}

static void check_search_parameter(Walk *w, const Place *at, JsonRef parameter)
{
    check_expression(w, at, parameter);
    check_derived(w, at, parameter);
    if (str_is(json_str_at(w->d, parameter, "type"), "composite") &&
        json_count(w->d, get(w, parameter, "component")) < 2) {
        walk_strict(w, at, "business-rule", "composite 型的检索参数至少要有两个 component",
                    "a search parameter of type composite needs two or more components");
    }
}

/* --- Questionnaire --- */

typedef struct Form {
    Walk *w;
    Map ids; /* linkId → the item */
    unsigned left;
} Form;

static void form_collect(Form *f, JsonRef items, unsigned depth)
{
    for (JsonIter it = json_iter(f->w->d, items); json_next(&it) && depth < 64 && f->left;) {
        Str id = json_str(f->w->d, get(f->w, it.value, "linkId"));
        f->left--;
        if (id.n && !map_get(&f->ids, id)) {
            map_put(&f->ids, id, (void *)(uintptr_t)(it.value + 1));
        }
        form_collect(f, get(f->w, it.value, "item"), depth + 1);
    }
}

static void form_open(Form *f, Walk *w, JsonRef questionnaire)
{
    f->w = w;
    f->left = 20000;
    map_init(&f->ids, w->items);
    form_collect(f, get(w, questionnaire, "item"), 0);
}

static JsonRef form_item(const Form *f, Str id)
{
    return (JsonRef)((uintptr_t)map_get(&f->ids, id) - 1);
}

static void check_conditions(Form *f, const Place *at, JsonRef item)
{
    Walk *w = f->w;
    Str own = json_str(w->d, get(w, item, "linkId"));
    for (JsonIter it = json_iter(w->d, get(w, item, "enableWhen")); json_next(&it);) {
        Place place = {at, STR("enableWhen"), it.index};
        Str question = json_str_at(w->d, it.value, "question"), shown = walk_clip(question);
        if (question.n && !map_get(&f->ids, question)) {
            walk_strict(w, &place, "business-rule", "enableWhen 所指的问题“%.*s”不存在",
                        "enableWhen names the question \"%.*s\", which does not exist",
                        STR_ARG(shown));
        } else if (question.n && str_eq(question, own)) {
            walk_strict(w, &place, "business-rule", "enableWhen 不能指向自己",
                        "enableWhen cannot name its own question");
        }
    }
}

static void check_items_of_form(Form *f, const Place *at, JsonRef object, unsigned depth)
{
    for (JsonIter it = json_iter(f->w->d, get(f->w, object, "item"));
         json_next(&it) && depth < 64 && !walk_stopped(f->w);) {
        Place place = {at, STR("item"), it.index};
        check_conditions(f, &place, it.value);
        check_items_of_form(f, &place, it.value, depth + 1);
    }
}

static void check_questionnaire(Walk *w, const Place *at, JsonRef questionnaire)
{
    Form f;
    form_open(&f, w, questionnaire);
    check_items_of_form(&f, at, questionnaire, 0);
}

/* --- QuestionnaireResponse --- */

/* The members that an answer to a question of this type may have. */
static bool answer_fits(Str type, Str key)
{
    static const struct {
        const char *type, *keys;
    } FITS[] = {
        {"boolean", " valueBoolean "},
        {"decimal", " valueDecimal valueInteger "},
        {"integer", " valueInteger "},
        {"date", " valueDate "},
        {"dateTime", " valueDateTime valueDate "},
        {"time", " valueTime "},
        {"string", " valueString "},
        {"text", " valueString "},
        {"url", " valueUri "},
        {"choice", " valueCoding valueString valueInteger valueDate valueTime valueReference "},
        {"open-choice", " valueCoding valueString valueInteger valueDate valueTime "
                        "valueReference "},
        {"attachment", " valueAttachment "},
        {"reference", " valueReference "},
        {"quantity", " valueQuantity "},
    };
    for (size_t i = 0; i < sizeof FITS / sizeof *FITS; i++) {
        if (str_is(type, FITS[i].type)) {
            char padded[48];
            bool room = key.n + 2 < sizeof padded;
            memcpy(padded + 1, key.p, room ? key.n : 0);
            padded[0] = padded[room ? key.n + 1 : 0] = ' ';
            return !room || str_find(str_from_c(FITS[i].keys), (Str){padded, key.n + 2}) >= 0;
        }
    }
    return true;
}

static void check_answers(Form *f, const Place *at, JsonRef item, JsonRef question)
{
    Walk *w = f->w;
    Str type = json_str(w->d, get(w, question, "type"));
    JsonRef answers = get(w, item, "answer");
    if (json_count(w->d, answers) > 1 && !json_is_true(w->d, get(w, question, "repeats"))) {
        walk_strict(w, at, "structure", "此问题只能有一个回答",
                    "this question takes one answer only");
    }
    for (JsonIter it = json_iter(w->d, answers); json_next(&it);) {
        Place place = {at, STR("answer"), it.index};
        for (JsonIter m = json_iter(w->d, it.value); json_next(&m);) {
            if (str_starts(m.key, STR("value")) && !answer_fits(type, m.key)) {
                walk_strict(w, &place, "structure", "%.*s 型的问题不能以 %.*s 回答",
                            "a question of type %.*s cannot be answered by %.*s", STR_ARG(type),
                            STR_ARG(m.key));
            }
        }
    }
}

static void check_responses(Form *f, const Place *at, JsonRef object, unsigned depth)
{
    Walk *w = f->w;
    for (JsonIter it = json_iter(w->d, get(w, object, "item"));
         json_next(&it) && depth < 64 && !walk_stopped(w);) {
        Place place = {at, STR("item"), it.index};
        Str id = json_str(w->d, get(w, it.value, "linkId")), shown = walk_clip(id);
        if (id.n && !map_get(&f->ids, id)) {
            walk_strict(w, &place, "structure", "问卷中没有 linkId“%.*s”",
                        "the questionnaire has no linkId \"%.*s\"", STR_ARG(shown));
        } else if (id.n) {
            check_answers(f, &place, it.value, form_item(f, id));
        }
        check_responses(f, &place, it.value, depth + 1);
        for (JsonIter a = json_iter(w->d, get(w, it.value, "answer")); json_next(&a);) {
            Place answer = {&place, STR("answer"), a.index};
            check_responses(f, &answer, a.value, depth + 1);
        }
    }
}

/* Against the questionnaire it brings with it; others are not at hand. */
static void check_response(Walk *w, const Place *at, JsonRef response)
{
    Str canonical = json_str(w->d, get(w, response, "questionnaire"));
    JsonRef q = str_starts(canonical, STR("#")) ? walk_resolve(w, canonical) : JSON_NONE;
    Form f;
    if (str_is(json_str_at(w->d, q, "resourceType"), "Questionnaire")) {
        form_open(&f, w, q);
        check_responses(&f, at, response, 0);
    }
}

void walk_definition(Walk *w, const Place *at, const FhirType *t, JsonRef resource)
{
    switch (fhir_type_id(t)) {
    case FHIR_TYPE_StructureDefinition:
        check_profile(w, at, resource);
        break;
    case FHIR_TYPE_SearchParameter:
        check_search_parameter(w, at, resource);
        break;
    case FHIR_TYPE_Questionnaire:
        check_questionnaire(w, at, resource);
        break;
    case FHIR_TYPE_QuestionnaireResponse:
        check_response(w, at, resource);
        break;
    default:
        break;
    }
}
