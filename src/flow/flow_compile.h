/* From the files of a package to what flow_compiled.h holds; every fault is an issue with its file
 * and place. */
#ifndef FLOW_COMPILE_H
#define FLOW_COMPILE_H

#include "flow_compiled.h"

typedef struct FlowCompile {
    Arena *arena;
    Err *err;
    FlowPackage *pkg;
    const FlowFile *file; /* where issues are found */
} FlowCompile;

/* "forms/start.json: $.item[2].linkId" of a value in the present file. */
Str flow_where(const FlowCompile *c, JsonRef at);
void flow_fault(const FlowCompile *c, JsonRef at, const char *zh, const char *en);
/* The same with a name in the text ("%s" once in each is not needed: it is appended). */
void flow_fault_name(const FlowCompile *c, JsonRef at, const char *zh, const char *en, Str name);
/* NULL and an issue when it does not compile. A leading `=` is dropped. */
FlowExpr *flow_expr_compile(FlowCompile *c, Str text, JsonRef at);
FlowTemplate *flow_template_compile(FlowCompile *c, const JsonDoc *doc, JsonRef root);
/* lookup: `{linkId}` means the answer's token; else only `{=expr}`. */
FlowQuery *flow_query_compile(FlowCompile *c, Str type, Str text, JsonRef at);
FlowForm *flow_form_compile(FlowCompile *c, Str code);
struct FlowPage *flow_page_compile(FlowCompile *c, Str name, JsonRef at);
void flow_page_exprs(const struct FlowPage *page, void (*fn)(void *ctx, const FlowExpr *e),
                     void *ctx);
FlowText flow_text_compile(FlowCompile *c, JsonRef object, const char *member, bool required);
void flow_action_compile(FlowCompile *c, FlowAction *action, JsonRef object, FlowActionKind kind);
/* indicators.json, or what every package counts; after states and actions. */
void flow_indicators_compile(FlowCompile *c);
/* Warns of members that the format does not know. `known` is a space-separated list. */
void flow_members_check(const FlowCompile *c, JsonRef object, const char *known);
Str flow_localise(Arena *a, const JsonDoc *doc, JsonRef root, Lang lang);
/* A member's text in that language: its `translation`, else as it stands. */
Str flow_text_in(const JsonDoc *d, JsonRef object, const char *member, Lang lang);

#endif
