/*
 * Writes printed pages. Every value is escaped for HTML; a recording is drawn as SVG. The page's
 * own words and the choices of its package's forms are told in the reader's language; what people
 * wrote stays as they wrote it.
 */
#include "access_diagnosis.h"
#include "ecg_svg.h"
#include "flow_page.h"

typedef struct PageWrite {
    FlowScope scope;
    const FlowPackage *pkg;
    const FlowFillEnv *env; /* for blobs */
    Lang lang;
    bool for_diagnosis; /* what is drawn */
    Buf *out;
} PageWrite;

static Status parts_write(PageWrite *w, const PagePart *p, Err *err);

/* A choice in the reader's language, as the package's forms have it and not as it was sent. */
static Str choice_said(const PageWrite *w, const FhirValue *v)
{
    bool object = v->kind == FHIR_VALUE_NODE && json_type(v->node.doc, v->node.ref) == JSON_OBJECT;
    Str system = object ? json_str_at(v->node.doc, v->node.ref, "system") : STR_NONE;
    Str code = object ? json_str_at(v->node.doc, v->node.ref, "code") : STR_NONE;
    for (size_t i = 0; system.n && code.n && i < w->pkg->form_n; i++) {
        const FlowForm *form = w->pkg->form[i];
        for (size_t k = 0; k < form->all_n; k++) {
            JsonRef option = flow_option_find(form, form->all[k], system, code);
            JsonRef coding = json_get_c(form->doc, option, "valueCoding");
            Str said = flow_text_in(form->doc, coding, "display", w->lang);
            if (said.n) {
                return said;
            }
        }
    }
    return STR_NONE;
}

static Status values_write(PageWrite *w, const PagePart *p, Err *err)
{
    FhirValues values = {0};
    TRY(flow_eval(&w->scope, p->expr, &values, err));
    for (size_t i = 0; i < values.n; i++) {
        Str said = choice_said(w, &values.at[i]);
        buf_c(w->out, i ? (w->lang == LANG_ZH ? "、" : ", ") : "");
        buf_html(w->out, said.n ? said : flow_value_display(w->scope.arena, &values.at[i]));
    }
    return OK;
}

/* 2026-11-22 14:05 in the county's zone; a date stays a date. */
static Status date_write(PageWrite *w, const PagePart *p, Err *err)
{
    FhirValues values = {0};
    int64_t lo, hi;
    TRY(flow_eval(&w->scope, p->expr, &values, err));
    if (values.n && fhir_value_time_range(&values.at[0], w->scope.zone_min, &lo, &hi)) {
        Str iso = time_iso(w->scope.arena, lo, w->scope.zone_min);
        buf_add(w->out, str_take(iso, 10));
        if (hi - lo < MS_DAY) {
            buf_char(w->out, ' ');
            buf_add(w->out, str_take(str_skip(iso, 11), 5));
        }
    }
    return OK;
}

/* Whole months between two days of the county's calendar. */
static int months_between(int64_t from_ms, int64_t to_ms, int zone_min)
{
    int y[2], m[2], d[2];
    int64_t zone_ms = (int64_t)zone_min * MS_MINUTE, at[2] = {from_ms + zone_ms, to_ms + zone_ms};
    for (int i = 0; i < 2; i++) {
        civil_from_days(at[i] / MS_DAY - (at[i] % MS_DAY < 0), &y[i], &m[i], &d[i]);
    }
    return (y[1] - y[0]) * 12 + m[1] - m[0] - (d[1] < d[0]);
}

/* The age on the day the case began, as the banner says it: years from two, months from one. */
static Status age_write(PageWrite *w, const PagePart *p, Err *err)
{
    FhirValues values = {0};
    int64_t born, born_end, began;
    TRY(flow_eval(&w->scope, p->expr, &values, err));
    if (!values.n || !time_parse(w->scope.c->authored, w->scope.zone_min, &began) ||
        !fhir_value_time_range(&values.at[0], w->scope.zone_min, &born, &born_end) ||
        born > began) {
        return OK;
    }
    int months = months_between(born, began, w->scope.zone_min);
    int count = months >= 24 ? months / 12 : months ? months : (int)((began - born) / MS_DAY);
    FlowText unit = months >= 24 ? (FlowText){STR("岁"), STR(" years")}
                    : months     ? (FlowText){STR("个月"), STR(" months")}
                                 : (FlowText){STR("天"), STR(" days")};
    buf_printf(w->out, "%d%.*s", count, STR_ARG(flow_text(unit, w->lang)));
    return OK;
}

static Status loop_write(PageWrite *w, const PagePart *p, Err *err)
{
    FhirValues values = {0};
    TRY(flow_eval(&w->scope, p->expr, &values, err));
    const FlowLocal *up = w->scope.locals;
    for (size_t i = 0; i < values.n; i++) {
        FlowLocal local = {up, p->text, fhir_values_one(w->scope.arena, values.at[i])};
        w->scope.locals = &local;
        Status s = parts_write(w, p->child, err);
        w->scope.locals = up;
        TRY(s);
    }
    return OK;
}

static Status if_write(PageWrite *w, const PagePart *p, Err *err)
{
    bool holds = false;
    TRY(flow_test(&w->scope, p->expr, &holds, err));
    return holds ? parts_write(w, p->child, err) : OK;
}

static EcgLayout layout_of(Str name)
{
    EcgLayout layout = ECG_LAYOUT_3X4_RHYTHM;
    Str head, tail;
    str_cut(name, '+', &head, &tail);
    ecg_layout_from(head, &layout);
    return layout;
}

static void reason_write(PageWrite *w, const Err *said)
{
    const Issue *i = said->first;
    FlowText none = {STR("心电记录无法读取"), STR("The ECG recording cannot be read")};
    buf_c(w->out, "<p class=\"ecg-unreadable\">");
    buf_html(w->out, flow_text(i ? (FlowText){i->zh, i->en} : none, w->lang));
    buf_c(w->out, "</p>");
}

/* Whatever the package's page says itself. */
static void mark_write(PageWrite *w)
{
    if (!w->for_diagnosis) {
        buf_c(w->out, "<p class=\"ecg-not-for-diagnosis\" style=\"margin:2mm 0 0;text-align:right;"
                      "color:#b00;font-weight:bold\">");
        buf_html(w->out, ecg_not_for_diagnosis(w->lang));
        buf_c(w->out, "</p>");
    }
}

static Status ecg_write(PageWrite *w, const PagePart *p, Err *err)
{
    FhirValues values = {0};
    Arena *a = w->scope.arena;
    TRY(flow_eval(&w->scope, p->expr, &values, err));
    EcgFile *files = arena_array(a, EcgFile, values.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < values.n; i++) {
        Str type, url = values.at[i].kind == FHIR_VALUE_NODE
                            ? json_str_at(values.at[i].node.doc, values.at[i].node.ref, "url")
                            : STR_NONE;
        if (url.n && w->env->blob(w->env->ctx, url, &files[n].bytes, &type)) {
            files[n++].title = json_str_at(values.at[i].node.doc, values.at[i].node.ref, "title");
        }
    }
    if (!n) {
        return OK;
    }
    mark_write(w);
    static const EcgPart page = {.to_ms = 60000}; /* longer than any page */
    Err said;
    EcgRecording recording;
    EcgSvgOptions options = {.lang = w->lang, .width_mm = 180, .height_mm = 120, .bare = true};
    err_init(&said, a);
    if (ecg_read_part(a, files, n, &page, &recording, &said) != OK ||
        ecg_svg(w->out, &recording, layout_of(p->text), &options, &said) != OK) {
        reason_write(w, &said);
    }
    return OK;
}

static Status part_write(PageWrite *w, const PagePart *p, Err *err)
{
    switch (p->kind) {
    case PAGE_TEXT:
        buf_add(w->out, p->text);
        return OK;
    case PAGE_SAY:
        buf_add(w->out, flow_text(p->say, w->lang));
        return OK;
    case PAGE_VALUE:
        return values_write(w, p, err);
    case PAGE_DATE:
        return date_write(w, p, err);
    case PAGE_AGE:
        return age_write(w, p, err);
    case PAGE_FOR:
        return loop_write(w, p, err);
    case PAGE_IF:
        return if_write(w, p, err);
    default:
        return ecg_write(w, p, err);
    }
}

static Status parts_write(PageWrite *w, const PagePart *p, Err *err)
{
    for (; p; p = p->next) {
        TRY(part_write(w, p, err));
    }
    return OK;
}

static const FlowPrint *print_named(const FlowPackage *p, Str code)
{
    for (size_t i = 0; i < p->print_n; i++) {
        if (str_eq(p->print[i].code, code)) {
            return &p->print[i];
        }
    }
    return NULL;
}

Status flow_print(Flow *f, const FlowRequest *q, Str task_id, Str print, Buf *out, Err *err)
{
    FlowTx tx;
    FlowCase *c = NULL;
    StoreVersion v;
    FlowStep *st = arena_new(q->arena, FlowStep);
    if (store_read(q->reader, q->arena, &q->caller->view, STR("Task"), task_id, &v, NULL) != OK) {
        return flow_refuse(err, FLOW_RULE_CASE_UNKNOWN, STR_NONE, STR_NONE);
    }
    flow_tx_init(&tx, f, q->reader, q->arena, q->caller, q->now_ms);
    flow_tx_begin(&tx, STR("print"));
    TRY(flow_tx_case(&tx, arena_cat(q->arena, STR("Task/"), task_id), &c, err));
    const FlowPrint *page = print_named(c->pkg, print);
    if (!page || !(page->when >> c->state & 1)) {
        return flow_refuse(err, FLOW_RULE_UNKNOWN_PRINT, STR_NONE, print);
    }
    flow_step_init(st, &tx, c, NULL);
    flow_step_blobs(st);
    PageWrite w = {.scope = st->scope,
                   .pkg = c->pkg,
                   .env = &st->fill_env,
                   .lang = q->caller->lang,
                   .for_diagnosis = access_diagnosis_on(q->reader, q->arena),
                   .out = out};
    return parts_write(&w, page->page->first, err);
}
