/* A form at work: answers laid in, calculated, checked and rendered as a QuestionnaireResponse
 * (flow_fill.c, flow_value.c, flow_check.c). */
#ifndef FLOW_FILL_H
#define FLOW_FILL_H

#include "flow_scope.h"

/* One answer as FHIR JSON under its key ("valueString"). */
typedef struct FillValue {
    Str key, json;
} FillValue;

typedef struct FillScope FillScope;

/* What was answered to one item: values, or the instances of a repeating group. */
typedef struct FillSlot {
    FillValue *value;
    size_t value_n, value_room;
    FillScope **instance;
    size_t instance_n, instance_room;
} FillSlot;

/* The answers of a form, or of one instance of a repeating group; slots by FlowItem.index. */
struct FillScope {
    FillScope *up;
    FillSlot *slot;
};

/* A response being filled. */
typedef struct FlowFill {
    Arena *arena;
    const FlowForm *form;
    FillScope root;
    FlowAnswers answers; /* as last rendered */
    Str *color;          /* by FlowItem.index; NULL until flow_fill_colors */
    bool rendered;
} FlowFill;

typedef struct FlowFillEnv {
    FlowScope *scope;                           /* its `answers` follow the fill */
    Str subject, author, author_name, authored; /* of the response */
    void *ctx;
    /* Is this reference among the results of the search? Query empty: may the caller see it at all?
     */
    bool (*found)(void *ctx, Str type, Str query, Str reference);
    /* Is this Slot there and no longer free? By its present version, which is ahead of any index.
     */
    bool (*taken)(void *ctx, Str slot);
    /* A blob named by an answer: its bytes and type; false when it may not be used here. */
    bool (*blob)(void *ctx, Str reference, Str *ret_bytes, Str *ret_type);
} FlowFillEnv;

/* From a client's QuestionnaireResponse (JSON_NONE: empty); faults of shape are issues in err. */
Status flow_fill_new(Arena *a, const FlowForm *form, const JsonDoc *doc, JsonRef response,
                     FlowFill **ret, Err *err) MUST_USE;
/* Lays flat answers (linkId → JSON value; null takes away) over it. */
Status flow_fill_flat(FlowFill *f, const JsonDoc *doc, JsonRef answers, Err *err) MUST_USE;
/* Puts initial answers where there is none. */
Status flow_fill_initial(FlowFill *f, const FlowFillEnv *env, bool hidden_only, Err *err) MUST_USE;
Status flow_fill_calculate(FlowFill *f, const FlowFillEnv *env, Err *err) MUST_USE;
/* How each answered item is coloured (urn:menkou:color); shown by the next rendering. */
void flow_fill_colors(FlowFill *f, const FlowFillEnv *env);
/* All rules of the form; ERR_UNPROCESSABLE with an issue for each fault. */
Status flow_fill_check(FlowFill *f, const FlowFillEnv *env, Err *err) MUST_USE;
/* The response as JSON ("in-progress", "completed"); also binds env->scope's answers to it. */
Str flow_fill_render(FlowFill *f, const FlowFillEnv *env, const char *status);
bool flow_fill_enabled(const FlowFill *f, const FillScope *scope, const FlowItem *item);
FillSlot *flow_fill_slot(const FillScope *scope, const FlowItem *item);
Status flow_fill_fault(Err *err, Str link, const char *zh, const char *en, Str detail);
/* Turns a result or a flat value into an answer of the item; false when it cannot be one. */
bool flow_value_answer(Arena *a, const FlowForm *form, const FlowItem *item, const FhirValue *v,
                       FillValue *ret);
bool flow_json_answer(Arena *a, const FlowForm *form, const FlowItem *item, const JsonDoc *d,
                      JsonRef r, FillValue *ret);
/* The option that an answer (a Coding, or a code) means, or JSON_NONE. */
JsonRef flow_option_find(const FlowForm *form, const FlowItem *item, Str system, Str code);
/* Flat answers of a stored response. */
void flow_answers_read(Arena *a, JsonDoc *doc, FlowAnswers *ret);
/* Calls fn for each attachment's reference ("Binary/ID"). */
void flow_fill_blobs(const FlowFill *f, void (*fn)(void *ctx, Str reference), void *ctx);

#endif
