/*
 * Reads printed pages: HTML with {{holes}}, compiled once. A head that several pages share is a
 * file of its own, read in its place.
 */
#include "flow_page.h"

/* ---- Compiling ------------------------------------------------------------------------------- */

typedef struct PageRead {
    FlowCompile *c;
    Str left;
    JsonRef at;
    int depth;
    bool part; /* inside a {{part: …}}, which holds no other */
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

/* Another file's page in this one's place: {{part: identity}} is print/identity.html. */
static void part_read(PageRead *r, PagePart ***tail, Str name)
{
    Str path = arena_cat(r->c->arena, STR("print/"), name, STR(".html"));
    const FlowFile *file = flow_package_file(r->c->pkg, path), *outer = r->c->file;
    if (!file || r->part) {
        page_fault(r, r->part ? "part 里不能再有 part" : "没有这个 part 文件",
                   r->part ? "a part holds no other part" : "there is no such part", path);
        return;
    }
    PageRead inner = {.c = r->c, .left = file->bytes, .at = r->at, .part = true};
    r->c->file = file;
    **tail = parts_read(&inner, STR_NONE);
    r->c->file = outer;
    while (**tail) {
        *tail = &(**tail)->next;
    }
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
    } else if (str_starts(hole, STR("age:"))) {
        part_add(r, tail, PAGE_AGE, STR_NONE)->expr =
            flow_expr_compile(r->c, str_skip(hole, 4), r->at);
    } else if (str_starts(hole, STR("part:"))) {
        part_read(r, tail, str_trim(str_skip(hole, 5)));
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
