/*
 * Printed pages: HTML with {{holes}}. Compiled once into a tree of text, values, loops and
 * conditions; every value is escaped for HTML. A recording is drawn as SVG. The page's own words
 * and the choices of its package's forms are told in the reader's language; what people wrote
 * stays as they wrote it.
 */
#include "ecg_svg.h"
#include "flow_inner.h"

typedef enum PagePartKind {
    PAGE_TEXT,
    PAGE_SAY,
    PAGE_VALUE,
    PAGE_DATE,
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

/* ---- Compiling ------------------------------------------------------------------------------- */

typedef struct PageRead {
    FlowCompile *c;
    Str left;
    JsonRef at;
    int depth;
} PageRead;

static void page_fault(PageRead *r, const char *zh, const char *en, Str what)
{
    flow_fault_name(r->c, JSON_NONE, zh, en, str_take(what, 80));
}

/* The next {{…}}: text before it in *before; false at the end. */
static bool hole_next(PageRead *r, Str *before, Str *hole)
{
    ptrdiff_t open = str_find(r->left, STR("{{"));
    if (open < 0) {
        *before = r->left;
        r->left = STR_NONE;
        return false;
    }
    *before = str_take(r->left, (size_t)open);
    Str rest = str_skip(r->left, (size_t)open + 2);
    ptrdiff_t close = str_find(rest, STR("}}"));
    if (close < 0) {
        page_fault(r, "{{ 没有闭合", "{{ is not closed", rest);
        r->left = STR_NONE;
        return false;
    }
    *hole = str_trim(str_take(rest, (size_t)close));
    r->left = str_skip(rest, (size_t)close + 2);
    return true;
}

static PagePart *part_add(PageRead *r, PagePart ***tail, PagePartKind kind, Str text)
{
    PagePart *p = arena_new(r->c->arena, PagePart);
    p->kind = kind;
    p->text = text;
    **tail = p;
    *tail = &p->next;
    return p;
}

static PagePart *parts_read(PageRead *r, Str end);

static void loop_read(PageRead *r, PagePart ***tail, Str head)
{
    Str name, expr;
    if (!str_cut(head, ':', &name, &expr)) {
        page_fault(r, "应为 #for 名: 表达式", "should be #for name: expression", head);
    }
    PagePart *p = part_add(r, tail, PAGE_FOR, str_trim(name));
    p->expr = flow_expr_compile(r->c, expr, r->at);
    p->child = parts_read(r, STR("/for"));
}

static void ecg_part(PageRead *r, PagePart ***tail, Str body)
{
    Str expr = body, layout = STR_NONE;
    ptrdiff_t bar = -1;
    for (size_t i = 0; i < body.n; i++) {
        bar = body.p[i] == '|' ? (ptrdiff_t)i : bar;
    }
    if (bar >= 0) {
        expr = str_take(body, (size_t)bar);
        layout = str_trim(str_skip(body, (size_t)bar + 1));
    }
    part_add(r, tail, PAGE_ECG, layout)->expr = flow_expr_compile(r->c, expr, r->at);
}

/* Words of the page in both languages: {{say: 姓名 | Name}}. */
static void say_part(PageRead *r, PagePart ***tail, Str body)
{
    FlowText say = {0};
    str_cut(body, '|', &say.zh, &say.en);
    say = (FlowText){str_trim(say.zh), str_trim(say.en)};
    if (!say.zh.n || !say.en.n || str_find(say.en, STR("|")) >= 0) {
        page_fault(r, "应为 say: 中文 | English，两种文字都要写",
                   "should be say: 中文 | English, with both languages", body);
    }
    part_add(r, tail, PAGE_SAY, STR_NONE)->say = say;
}

static void hole_read(PageRead *r, PagePart ***tail, Str hole)
{
    if (str_starts(hole, STR("#for "))) {
        loop_read(r, tail, str_skip(hole, 5));
    } else if (str_starts(hole, STR("#if "))) {
        PagePart *p = part_add(r, tail, PAGE_IF, STR_NONE);
        p->expr = flow_expr_compile(r->c, str_skip(hole, 4), r->at);
        p->child = parts_read(r, STR("/if"));
    } else if (str_starts(hole, STR("say:"))) {
        say_part(r, tail, str_skip(hole, 4));
    } else if (str_starts(hole, STR("date:"))) {
        part_add(r, tail, PAGE_DATE, STR_NONE)->expr =
            flow_expr_compile(r->c, str_skip(hole, 5), r->at);
    } else if (str_starts(hole, STR("ecg:"))) {
        ecg_part(r, tail, str_skip(hole, 4));
    } else if (hole.n && (hole.p[0] == '#' || hole.p[0] == '/')) {
        page_fault(r, "未知或多余的指令", "unknown or stray instruction", hole);
    } else {
        part_add(r, tail, PAGE_VALUE, STR_NONE)->expr = flow_expr_compile(r->c, hole, r->at);
    }
}

static PagePart *parts_read(PageRead *r, Str end)
{
    PagePart *first = NULL, **tail = &first;
    Str before, hole;
    if (++r->depth > 20) {
        page_fault(r, "嵌套过深", "nested too deeply", r->left);
        r->left = STR_NONE;
    }
    for (bool more = true; more;) {
        more = hole_next(r, &before, &hole);
        if (before.n) {
            part_add(r, &tail, PAGE_TEXT, before);
        }
        if (more && end.n && str_eq(hole, end)) {
            r->depth--;
            return first;
        }
        if (more) {
            hole_read(r, &tail, hole);
        }
    }
    if (end.n) {
        page_fault(r, "缺少结束指令", "the end is missing", end);
    }
    r->depth--;
    return first;
}

FlowPage *flow_page_compile(FlowCompile *c, Str name, JsonRef at)
{
    Str path = arena_cat(c->arena, STR("print/"), name, STR(".html"));
    const FlowFile *file = flow_package_file(c->pkg, path), *outer = c->file;
    if (!file) {
        flow_fault_name(c, at, "缺少打印页文件", "the page's file is missing", path);
        return NULL;
    }
    FlowPage *page = arena_new(c->arena, FlowPage);
    PageRead r = {.c = c, .left = file->bytes, .at = JSON_NONE};
    c->file = file;
    page->file = path;
    page->first = parts_read(&r, STR_NONE);
    c->file = outer;
    return page;
}

/* ---- Rendering ------------------------------------------------------------------------------- */

typedef struct PageWrite {
    FlowScope scope;
    const FlowPackage *pkg;
    const FlowFillEnv *env; /* for blobs */
    Lang lang;
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
                   .out = out};
    return parts_write(&w, page->page->first, err);
}

/* ---- For lint -------------------------------------------------------------------------------- */

static void exprs_walk(const PagePart *p, void (*fn)(void *, const FlowExpr *), void *ctx)
{
    for (; p; p = p->next) {
        if (p->expr) {
            fn(ctx, p->expr);
        }
        exprs_walk(p->child, fn, ctx);
    }
}

void flow_page_exprs(const FlowPage *page, void (*fn)(void *ctx, const FlowExpr *e), void *ctx)
{
    exprs_walk(page ? page->first : NULL, fn, ctx);
}
