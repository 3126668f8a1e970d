/*
 * Whether an item of a questionnaire is enabled by the answers of a response: enableWhen, and the
 * FHIRPath of SDC's enableWhenExpression. Answers are looked for in the innermost group around
 * that has the question, so that each repetition of a group counts for itself.
 */
#include "fhir_validate_form.h"

#include "fhir_path_inner.h"

#define SDC               "http://hl7.org/fhir/uv/sdc/StructureDefinition/"
#define ENABLE_EXPRESSION SDC "sdc-questionnaire-enableWhenExpression"
#define FORM_STEPS_MAX    2000000u /* items of the response looked at, for all conditions */
#define CONDITION_ANSWERS 256u

typedef struct Answers {
    FormValue at[CONDITION_ANSWERS];
    unsigned n;
    bool asked; /* some item has the linkId */
} Answers;

static void answers_collect(Form *f, JsonRef object, Str id, unsigned depth, Answers *ret)
{
    const JsonDoc *d = f->w->d;
    for (JsonIter it = json_iter(d, json_get_c(d, object, "item"));
         json_next(&it) && depth < FORM_DEPTH_MAX && ++f->steps < FORM_STEPS_MAX;) {
        bool here = str_eq(json_str_at(d, it.value, "linkId"), id);
        ret->asked = ret->asked || here;
        for (JsonIter a = json_iter(d, json_get_c(d, it.value, "answer")); json_next(&a);) {
            FormValue v = form_value(d, a.value, "value");
            if (here && v.type && ret->n < CONDITION_ANSWERS) {
                ret->at[ret->n++] = v;
            }
            answers_collect(f, a.value, id, depth + 1, ret);
        }
        answers_collect(f, it.value, id, depth + 1, ret);
    }
}

static bool is_in_order(Walk *w, const FormValue *answer, const FormValue *want, Str operator)
{
    FhirValue x = form_scalar(answer), y = form_scalar(want);
    Order order = path_order(walk_scratch(w), &x, &y);
    return str_is(operator, ">")    ? order == ORDER_GREATER
           : str_is(operator, "<")  ? order == ORDER_LESS
           : str_is(operator, ">=") ? order == ORDER_GREATER || order == ORDER_EQUAL
           : str_is(operator, "<=") ? order == ORDER_LESS || order == ORDER_EQUAL
                                    : true;
}

/* exists; != of no answer at all holds, as R4 words it; the others of any answer. */
static bool condition_of(Form *f, JsonRef condition, const Answers *answers)
{
    Str operator= form_text(f, condition, "operator");
    FormValue want = form_value(f->d, condition, "answer");
    bool equal = false, ordered = false;
    if (str_is(operator, "exists")) {
        return (answers->n > 0) == json_is_true(f->d, want.ref);
    }
    for (unsigned i = 0; i < answers->n; i++) {
        equal = equal || form_same(f->w, &answers->at[i], &want);
        ordered = ordered || is_in_order(f->w, &answers->at[i], &want, operator);
    }
    return str_is(operator, "=") ? equal : str_is(operator, "!=") ? !equal : ordered;
}

static bool condition_holds(Form *f, JsonRef condition, const Answered *around)
{
    Answers answers = {.n = 0};
    Str id = form_text(f, condition, "question");
    for (const Answered *p = around; p && !answers.asked; p = p->up) {
        answers_collect(f, p->object, id, 0, &answers);
    }
    return f->steps >= FORM_STEPS_MAX || condition_of(f, condition, &answers);
}

/* An expression that cannot be told enables: it is not ours to refuse an answer for it. */
static bool expression_holds(Walk *w, Str text)
{
    FhirNode resource, root, focus = fhir_node_resource(w->d, w->resource);
    FhirPathEnv env = walk_path_env(w, &resource, &root);
    FhirPath *program;
    FhirValues result;
    bool holds = true;
    if (fhir_path_compile(env.arena, text, &program, NULL) == OK &&
        fhir_path_eval(program, &env, &focus, 1, &result, NULL) == OK &&
        fhir_values_truth(&result, &holds)) {
        return holds;
    }
    return true;
}

bool form_enabled(Form *f, JsonRef question, const Answered *around)
{
    JsonRef list = json_get_c(f->d, question, "enableWhen");
    FormValue expression = form_limit(f, question, ENABLE_EXPRESSION);
    bool all = str_is(form_text(f, question, "enableBehavior"), "all");
    bool enabled = json_count(f->d, list) == 0 || all;
    for (JsonIter it = json_iter(f->d, list); json_next(&it);) {
        bool holds = condition_holds(f, it.value, around);
        enabled = all ? enabled && holds : enabled || holds;
    }
    Str text = expression.type ? json_str_at(expression.d, expression.ref, "expression") : STR_NONE;
    return enabled && (!text.n || expression_holds(f->w, text));
}
