/*
 * A printed page as it is compiled: a tree of text, values, loops and conditions. Never changes
 * afterwards; it lives in its package's arena. flow_page.c reads it, flow_print.c writes with it.
 */
#ifndef FLOW_PAGE_H
#define FLOW_PAGE_H

#include "flow_inner.h"

typedef enum PagePartKind {
    PAGE_TEXT,
    PAGE_SAY,
    PAGE_VALUE,
    PAGE_DATE,
    PAGE_AGE,
    PAGE_FOR,
    PAGE_IF,
    PAGE_ECG
} PagePartKind;

typedef struct PagePart {
    PagePartKind kind;
    Str text; /* text, loop variable, layout */
    FlowText say;
    FlowExpr *expr;
    struct PagePart *child, *next;
} PagePart;

typedef struct FlowPage {
    Str file;
    PagePart *first;
} FlowPage;

#endif
