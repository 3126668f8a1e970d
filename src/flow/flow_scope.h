/* What an expression sees, and what it is asked for: values, tests, words, templates, searches,
 * durations, parameters. */
#ifndef FLOW_SCOPE_H
#define FLOW_SCOPE_H

#include "flow_case.h"

typedef struct FlowReply {
    Str link;
    FhirValues values;
} FlowReply;

/* A response as checked: its document and the flat answers in it. */
typedef struct FlowAnswers {
    const FlowForm *form;
    JsonDoc *doc;
    FlowReply *at;
    size_t n;
} FlowAnswers;

typedef struct FlowLocal {
    const struct FlowLocal *up;
    Str name;
    FhirValues values;
} FlowLocal;

typedef struct FlowScope {
    Arena *arena;
    const FlowPackage *pkg;
    const FlowCase *c;
    const FlowAnswers *answers;
    const FlowLocal *locals;
    Map fixed; /* task, patient, now, found.x, score.x … → FhirValues* */
    int64_t now_ms;
    int zone_min;
    Str region; /* the county's code, or empty */
    void *ctx;
    bool (*resolve)(void *ctx, Str reference, FhirNode *ret);
    bool (*member_of)(void *ctx, const FhirValue *v, Str valueset, bool *ret);
    /* The answers last given in a form of this case, or NULL. */
    const FlowAnswers *(*said)(void *ctx, Str form);
} FlowScope;

void flow_scope_set(FlowScope *s, Str name, FhirValues values);
/* The root of a document, or nothing. */
void flow_scope_node(FlowScope *s, Str name, const JsonDoc *d);
void flow_scope_reference(FlowScope *s, Str name, Str reference, Str display);
FhirValue flow_value_reference(Arena *a, Str reference, Str display);
Status flow_eval(const FlowScope *s, const FlowExpr *e, FhirValues *ret, Err *err) MUST_USE;
/* Empty is false. */
Status flow_test(const FlowScope *s, const FlowExpr *e, bool *ret, Err *err) MUST_USE;
/* "Type/id" of a Reference or a string; the code of a Coding; the text of a scalar; else empty. */
Str flow_value_word(Arena *a, const FhirValue *v);
Str flow_value_display(Arena *a, const FhirValue *v);
Status flow_eval_word(const FlowScope *s, const FlowExpr *e, Str *ret, Err *err) MUST_USE;
/* JSON of the template; empty when nothing is left of it. */
Status flow_template_expand(const FlowScope *s, const FlowTemplate *t, Str *ret, Err *err) MUST_USE;
/* As an object of members to set: one of the template's own that comes to nothing is null. */
Status flow_template_set(const FlowScope *s, const FlowTemplate *t, Str *ret, Err *err) MUST_USE;
/* The search text with its `{=expr}` holes filled and `{linkId}` left for the screen. */
Status flow_query_show(const FlowScope *s, const FlowQuery *q, Str *ret, Err *err) MUST_USE;
/* The search text with its holes filled; empty when a hole has no value. */
Status flow_query_fill(const FlowScope *s, const FlowQuery *q, Str *ret, Err *err) MUST_USE;
/* Milliseconds after `from_ms`. */
Status flow_duration_after(const FlowScope *s, const FlowArg *d, int64_t from_ms, int64_t *ret,
                           Err *err) MUST_USE;
/* An object with value and unit; false when it is not a duration. */
bool flow_duration_read(const JsonDoc *d, JsonRef r, int64_t *ret_ms, int64_t *ret_months);
/* False when no row is valid on that day. */
bool flow_param_value(const FlowScope *s, Str key, FhirValues *ret);

#endif
