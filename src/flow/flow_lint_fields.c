/* Which fields of a form are read by anything but the form itself. */
#include "flow_inner.h"

typedef struct Reading {
    const FlowPackage *p;
    const FlowForm *form;
    Str link;
    bool read;
} Reading;

static void expr_reads(void *ctx, const FlowExpr *e)
{
    Reading *r = ctx;
    for (size_t i = 0; e && i < e->vars_n; i++) {
        Str root, rest, code, link;
        str_cut(e->vars[i], '.', &root, &rest);
        str_cut(rest, '.', &code, &link);
        r->read |= str_is(root, "answers") && str_eq(rest, r->link);
        r->read |= str_is(root, "said") && str_eq(code, r->form->code) && str_eq(link, r->link);
    }
}

static void template_reads(Reading *r, const FlowTemplate *t)
{
    for (uint32_t i = 0; t && i < t->at_n; i++) {
        expr_reads(r, t->at[i]);
    }
}

static void query_reads(Reading *r, const FlowQuery *q)
{
    for (size_t i = 0; q && i < q->holes_n; i++) {
        expr_reads(r, q->hole[i].expr);
    }
}

static void effect_reads(Reading *r, const FlowEffect *e)
{
    expr_reads(r, e->when);
    expr_reads(r, e->expr);
    for (size_t i = 0; i < FLOW_ARG_COUNT; i++) {
        if (e->arg[i]) {
            expr_reads(r, e->arg[i]->expr);
            template_reads(r, e->arg[i]->template);
        }
    }
}

static void action_reads(Reading *r, const FlowAction *a)
{
    template_reads(r, a->requester);
    template_reads(r, a->owner);
    template_reads(r, a->priority);
    expr_reads(r, a->when);
    for (size_t i = 0; i < a->guard_n; i++) {
        expr_reads(r, a->guard[i].expr);
    }
    for (size_t i = 0; i < a->find_n; i++) {
        query_reads(r, a->find[i].query);
    }
    for (size_t i = 0; i < a->effect_n; i++) {
        effect_reads(r, &a->effect[i]);
    }
}

static void form_reads(Reading *r, const FlowForm *f)
{
    for (size_t i = 0; i < f->all_n; i++) {
        const FlowItem *item = f->all[i];
        expr_reads(r, item->calculated);
        expr_reads(r, item->initial);
        query_reads(r, item->lookup);
    }
}

/* Its own form's actions read it as an answer; anything else as what was said. */
bool flow_field_read(const FlowPackage *p, const FlowForm *form, Str link)
{
    Reading own = {p, form, link, false};
    const FlowAction *start = p->start;
    if (start) {
        action_reads(&own, start);
    }
    for (size_t i = 0; i < p->entry_n; i++) {
        action_reads(&own, &p->entry[i]);
    }
    for (size_t i = 0; i < p->action_n; i++) {
        action_reads(&own, &p->action[i]);
    }
    for (size_t i = 0; i < p->form_n; i++) {
        form_reads(&own, p->form[i]);
    }
    for (size_t i = 0; i < p->print_n; i++) {
        flow_page_exprs(p->print[i].page, expr_reads, &own);
    }
    return own.read;
}

bool flow_form_used(const FlowPackage *p, const FlowForm *f)
{
    bool used = p->start && p->start->form == f;
    for (size_t i = 0; i < p->entry_n; i++) {
        used |= p->entry[i].form == f;
    }
    for (size_t i = 0; i < p->action_n; i++) {
        used |= p->action[i].form == f;
    }
    return used;
}
