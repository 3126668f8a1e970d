/* $pathways: packages, their states, and the work lists of the caller's role. */
#include "flow_parameters.h"

/* The caller's organisations and the services these provide, comma-joined. */
static Str organizations_of(const FlowRequest *q)
{
    Buf out;
    buf_init(&out, 0);
    const StoreView *view = &q->caller->view;
    for (size_t i = 0; i < view->orgs_n; i++) {
        buf_c(&out, i ? "," : "");
        buf_add(&out, view->orgs[i]);
    }
    Str query = arena_cat(q->arena, STR("organization="), arena_str(q->arena, buf_str(&out)));
    const StoreHit *hits;
    size_t n = 0;
    if (view->orgs_n && store_find(q->reader, q->arena, &STORE_VIEW_ALL, STR("HealthcareService"),
                                   query, 1000, &hits, &n, NULL) == OK) {
        for (size_t i = 0; i < n; i++) {
            buf_c(&out, ",HealthcareService/");
            buf_add(&out, hits[i].id);
        }
    }
    return buf_take(&out, q->arena);
}

typedef struct Places {
    const char *name;
    Str value;
} Places;

static Str query_filled(const FlowRequest *q, const FlowPackage *p, Str query, const Places *place,
                        size_t n)
{
    Buf out;
    buf_init(&out, 0);
    buf_c(&out, "code=" FLOW_SYSTEM_PATHWAY "|");
    buf_add(&out, p->name);
    buf_char(&out, '&');
    while (query.n) {
        bool found = false;
        for (size_t i = 0; i < n && !found; i++) {
            if (str_starts(query, str_from_c(place[i].name))) {
                buf_add(&out, place[i].value);
                query = str_skip(query, strlen(place[i].name));
                found = true;
            }
        }
        if (!found) {
            buf_char(&out, query.p[0]);
            query = str_skip(query, 1);
        }
    }
    return buf_take(&out, q->arena);
}

static bool has_role(const Str *role, size_t n, Str want)
{
    for (size_t i = 0; i < n; i++) {
        if (str_eq(role[i], want)) {
            return true;
        }
    }
    return false;
}

static void states_put(JsonWriter *w, const FlowPackage *p, Lang lang)
{
    for (size_t i = 0; i < p->state_n; i++) {
        const FlowState *s = &p->state[i];
        flow_group_begin(w, "state");
        flow_part_text(w, "code", "valueCode", s->code);
        flow_part_text(w, "title", "valueString", flow_text(s->title, lang));
        flow_part_text(w, "color", "valueString", s->color);
        flow_part_text(w, "task", "valueCode", s->task);
        flow_part_flag(w, "open", !s->end);
        flow_part_text(w, "next", "valueString", flow_text(s->next, lang));
        flow_group_end(w);
    }
}

static void steps_put(JsonWriter *w, const FlowPackage *p, Lang lang)
{
    if (p->start) {
        flow_group_begin(w, "step");
        flow_part_text(w, "code", "valueCode", p->start->code);
        flow_part_text(w, "title", "valueString", flow_text(p->start->title, lang));
        flow_group_end(w);
    }
    for (size_t i = 0; i < p->action_n; i++) {
        bool first = true;
        for (size_t k = 0; k < i; k++) {
            first &= !str_eq(p->action[k].code, p->action[i].code);
        }
        if (first) {
            flow_group_begin(w, "step");
            flow_part_text(w, "code", "valueCode", p->action[i].code);
            flow_part_text(w, "title", "valueString", flow_text(p->action[i].title, lang));
            flow_group_end(w);
        }
    }
}

static void lists_put(JsonWriter *w, const FlowRequest *q, const FlowPackage *p,
                      const Places *place, size_t n)
{
    for (size_t i = 0; i < p->list_n; i++) {
        const FlowList *l = &p->list[i];
        if (has_role(l->role, l->role_n, q->caller->post.role)) {
            flow_group_begin(w, "list");
            flow_part_text(w, "code", "valueCode", l->code);
            flow_part_text(w, "title", "valueString", flow_text(l->title, q->caller->lang));
            flow_part_text(w, "query", "valueString", query_filled(q, p, l->query, place, n));
            flow_part_flag(w, "live", l->live);
            if (l->alert) {
                flow_part_flag(w, "alert", true);
            }
            flow_group_end(w);
        }
    }
}

static void prints_put(JsonWriter *w, const FlowPackage *p, Lang lang)
{
    for (size_t i = 0; i < p->print_n; i++) {
        const FlowPrint *print = &p->print[i];
        flow_group_begin(w, "print");
        flow_part_text(w, "code", "valueCode", print->code);
        flow_part_text(w, "title", "valueString", flow_text(print->title, lang));
        for (size_t k = 0; k < p->state_n; k++) {
            if (print->when >> k & 1) {
                flow_part_text(w, "when", "valueCode", p->state[k].code);
                flow_part_text(w, "state", "valueCode", p->state[k].code);
            }
        }
        flow_group_end(w);
    }
}

/* By role alone: the case itself is looked at when it is started. */
static bool may_start(const FlowRequest *q, const FlowPackage *p)
{
    for (size_t i = 0; p->start && i < p->start->who_n; i++) {
        const FlowWho *w = &p->start->who[i];
        if (!w->role_n || has_role(w->role, w->role_n, q->caller->post.role)) {
            return !q->caller->integrator && !q->caller->administrator;
        }
    }
    return false;
}

Status flow_pathways(Flow *f, const FlowRequest *q, Buf *out, Err *err)
{
    (void)err;
    int zone_min = store_zone_min(f->store);
    Places place[] = {{"{organizations}", organizations_of(q)},
                      {"{organization}", q->caller->post.organization},
                      {"{practitioner}", q->caller->practitioner},
                      {"{post}", q->caller->post.post},
                      {"{now}", time_iso(q->arena, q->now_ms, zone_min)},
                      {"{today}", time_iso_day(q->arena, q->now_ms, zone_min)},
                      {"{week-ago}", time_iso_day(q->arena, q->now_ms - 7 * MS_DAY, zone_min)}};
    Buf list;
    JsonWriter w = json_begin(&list, '[');
    for (size_t i = 0; i < f->pkg_n; i++) {
        const FlowPackage *p = f->pkg[i];
        if (flow_package_named(f, p->name) != p) {
            continue;
        }
        flow_group_begin(&w, "pathway");
        flow_part_text(&w, "code", "valueCode", p->name);
        flow_part_text(&w, "title", "valueString", flow_text(p->title, q->caller->lang));
        flow_part_text(&w, "version", "valueString", p->version);
        flow_part_text(&w, "color", "valueString", p->color);
        flow_part_flag(&w, "start", may_start(q, p));
        states_put(&w, p, q->caller->lang);
        steps_put(&w, p, q->caller->lang);
        lists_put(&w, q, p, place, sizeof place / sizeof place[0]);
        prints_put(&w, p, q->caller->lang);
        flow_group_end(&w);
    }
    json_close(&w, ']');
    flow_parameters_end(out, &list);
    return OK;
}
