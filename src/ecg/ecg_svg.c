#include "ecg_svg.h"

#include <math.h>

#include "ecg_inner.h"

#define MARGIN_MM 8.0
#define LINE_MM   5.0  /* of text */
#define UNITS     50.0 /* path units a millimetre: 0.02 mm, finer than any printer */

typedef struct Page {
    Buf *b;
    const EcgRecording *rec;
    EcgSvgOptions o; /* with the defaults filled in */
    EcgPaper paper;
    EcgLayout layout;
} Page;

static double or_default(double v, double otherwise)
{
    return v > 0 ? v : otherwise;
}

static Status options_check(const EcgSvgOptions *o, Err *err)
{
    bool bad =
        !(o->width_mm >= 30 && o->width_mm <= 2000 && o->height_mm >= 20 && o->height_mm <= 2000 &&
          o->speed_mm_s >= 5 && o->speed_mm_s <= 100 && o->gain_mm_mv >= 1 && o->gain_mm_mv <= 50 &&
          o->step_mm >= 0.02 && o->step_mm <= 10 && o->from_ms >= 0 && o->n_head <= 8);
    if (bad) {
        EcgPlace p = ecg_place("drawing", "心电图绘制", "ECG drawing");
        return ecg_refuse(err, ERR_UNPROCESSABLE, &p, "纸张、走纸速度、增益或起点超出范围",
                          "paper, speed, gain or start is out of range");
    }
    return OK;
}

static Page page_make(Buf *b, const EcgRecording *rec, EcgLayout layout, const EcgSvgOptions *o)
{
    Page p = {.b = b, .rec = rec, .o = *o, .layout = layout};
    p.o.width_mm = or_default(o->width_mm, 297);
    p.o.height_mm = or_default(o->height_mm, 210);
    p.o.speed_mm_s = or_default(o->speed_mm_s, 25);
    p.o.gain_mm_mv = or_default(o->gain_mm_mv, 10);
    p.o.step_mm = or_default(o->step_mm, 0.1);
    double head = o->bare ? 0 : LINE_MM * ((double)o->n_head + 1), foot = o->bare ? 0 : 2 * LINE_MM;
    double margin = o->bare ? 0 : MARGIN_MM;
    p.paper = (EcgPaper){.x_mm = margin,
                         .y_mm = margin + head,
                         .width_mm = p.o.width_mm - 2 * margin,
                         .height_mm = p.o.height_mm - 2 * margin - head - foot,
                         .speed_mm_s = p.o.speed_mm_s,
                         .gain_mm_mv = p.o.gain_mm_mv,
                         .from_ms = o->from_ms};
    /* Whole squares, so that the paper ends on a line. */
    p.paper.width_mm = floor(p.paper.width_mm / 5) * 5;
    p.paper.height_mm = floor(p.paper.height_mm / 5) * 5;
    return p;
}

static void text_put(const Page *p, double x, double y, const char *style, Str text)
{
    buf_printf(p->b, "<text x=\"%.2f\" y=\"%.2f\" %s>", x, y, style);
    buf_html(p->b, text);
    buf_c(p->b, "</text>");
}

/* Its own style, so that a page's style sheet cannot stretch it away from true scale. */
static void open_put(const Page *p)
{
    buf_printf(p->b,
               "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%gmm\" height=\"%gmm\" "
               "style=\"width:%gmm;height:%gmm;max-width:none\" "
               "viewBox=\"0 0 %g %g\" font-family=\"'Noto Sans CJK SC','Noto Sans SC',sans-serif\" "
               "font-size=\"3\">",
               p->o.width_mm, p->o.height_mm, p->o.width_mm, p->o.height_mm, p->o.width_mm,
               p->o.height_mm);
}

static void lines_put(const Page *p, double step, const char *stroke)
{
    const EcgPaper *a = &p->paper;
    buf_c(p->b, "<path d=\"");
    for (double x = 0; x <= a->width_mm + 1e-6; x += step) {
        buf_printf(p->b, "M%g %gv%g", a->x_mm + x, a->y_mm, a->height_mm);
    }
    for (double y = 0; y <= a->height_mm + 1e-6; y += step) {
        buf_printf(p->b, "M%g %gh%g", a->x_mm, a->y_mm + y, a->width_mm);
    }
    buf_printf(p->b, "\" fill=\"none\" %s/>", stroke);
}

static void grid_put(const Page *p)
{
    lines_put(p, 1, "stroke=\"#f3b8b8\" stroke-width=\"0.1\"");
    lines_put(p, 5, "stroke=\"#e07f7f\" stroke-width=\"0.2\"");
}

/* 1 mV high, 5 mm wide, with a foot of 1 mm on both sides. */
static void pulse_put(const Page *p, const EcgCell *c)
{
    buf_printf(p->b,
               "<path d=\"M%.2f %.2fh1v%.2fh5v%.2fh1\" fill=\"none\" stroke=\"#111\" "
               "stroke-width=\"0.25\"/>",
               p->paper.x_mm + 1, c->middle_mm, -p->o.gain_mm_mv, p->o.gain_mm_mv);
}

/* The pen: relative moves in path units, so that the text stays short. */
typedef struct Pen {
    Buf *b;
    bool down, has_last;
    long x, y;
} Pen;

static void pen_to(Pen *pen, double x_mm, double y_mm)
{
    long x = lround(x_mm * UNITS), y = lround(y_mm * UNITS);
    if (!pen->down) {
        buf_printf(pen->b, "M%ld %ld", x, y);
    } else if (x != pen->x || y != pen->y) {
        buf_printf(pen->b, "l%ld %ld", x - pen->x, y - pen->y);
    }
    pen->down = true;
    pen->x = x;
    pen->y = y;
}

/* Limits a wild value to the page; the trace leaves the paper, as ink would. */
static double on_page(const Page *p, double y_mm)
{
    return y_mm < 0 ? 0 : y_mm > p->o.height_mm ? p->o.height_mm : y_mm;
}

static void extent_draw(const Page *p, const EcgCell *c, const EcgLead *l, Pen *pen, double x_mm,
                        EcgExtent e)
{
    double low = on_page(p, c->middle_mm - ecg_sample_mm(l, e.low, p->o.gain_mm_mv));
    double high = on_page(p, c->middle_mm - ecg_sample_mm(l, e.high, p->o.gain_mm_mv));
    pen_to(pen, x_mm, e.high_first ? high : low);
    pen_to(pen, x_mm, e.high_first ? low : high);
}

/* Every sample where they are wider apart than a step, else lowest and highest of each step. */
static void trace_put(const Page *p, const EcgCell *c)
{
    const EcgLead *l = &p->rec->leads[c->lead];
    double rate = ecg_rational_value(l->rate), mm_sample = p->o.speed_mm_s / rate;
    double step = mm_sample > p->o.step_mm ? mm_sample : p->o.step_mm;
    size_t steps = (size_t)(c->width_mm / step);
    Pen pen = {.b = p->b};
    buf_printf(p->b,
               "<path transform=\"scale(%g)\" fill=\"none\" stroke=\"#111\" stroke-width=\"%g\" "
               "stroke-linejoin=\"round\" d=\"",
               1 / UNITS, 0.25 * UNITS);
    for (size_t k = 0; k < steps && !p->b->failed; k++) {
        double from = (c->from_s + (double)k * step / p->o.speed_mm_s) * rate;
        size_t first = (size_t)(from + 0.5);
        size_t next = (size_t)(from + step / mm_sample + 0.5);
        EcgExtent e = ecg_extent(l, first, next > first ? next : first + 1);
        if (e.any) {
            extent_draw(p, c, l, &pen, c->x_mm + (double)k * step, e);
        }
        pen.down = e.any;
    }
    buf_c(p->b, "\"/>");
}

static bool is_zh(const Page *p)
{
    return p->o.lang == LANG_ZH;
}

static void label_put(const Page *p, const EcgCell *c)
{
    double x = c->x_mm + 0.8, y = c->middle_mm - p->o.gain_mm_mv * 0.6 - 1;
    if (c->lead < 0) {
        text_put(p, x, y, "font-weight=\"bold\" fill=\"#888\"", str_from_c(c->missing));
        text_put(p, x, c->middle_mm, "fill=\"#888\"",
                 is_zh(p) ? STR("未记录") : STR("not recorded"));
        return;
    }
    const EcgLead *l = &p->rec->leads[c->lead];
    text_put(p, x, y, "font-weight=\"bold\"", l->name);
    if (!ecg_lead_drawable(l)) {
        text_put(p, x, c->middle_mm, "fill=\"#888\"",
                 is_zh(p) ? STR("不是电压信号，未绘制") : STR("not a voltage, not drawn"));
    }
}

static void cells_put(const Page *p)
{
    EcgCell cell[ECG_CELLS_MAX];
    size_t rows, n = ecg_cells(p->rec, p->layout, &p->paper, cell, &rows);
    for (size_t i = 0; i < n; i++) {
        if (cell[i].first_in_row) {
            pulse_put(p, &cell[i]);
        }
        if (cell[i].lead >= 0 && ecg_lead_drawable(&p->rec->leads[cell[i].lead])) {
            trace_put(p, &cell[i]);
        }
        label_put(p, &cell[i]);
    }
}

Str ecg_not_for_diagnosis(Lang lang)
{
    return lang == LANG_ZH ? STR("仅供参考，不作诊断依据") : STR("Not for diagnosis");
}

static void head_put(const Page *p)
{
    double y = MARGIN_MM + 3;
    for (size_t i = 0; i < p->o.n_head; i++) {
        text_put(p, MARGIN_MM, y, i == 0 ? "font-size=\"4\" font-weight=\"bold\"" : "",
                 p->o.head[i]);
        y += LINE_MM;
    }
    if (p->o.not_for_diagnosis) {
        text_put(p, p->o.width_mm - MARGIN_MM, MARGIN_MM + 3,
                 "text-anchor=\"end\" font-size=\"4\" font-weight=\"bold\" fill=\"#c00\"",
                 ecg_not_for_diagnosis(p->o.lang));
    }
}

static Str missing_text(const Page *p, Arena *a)
{
    const char *name[ECG_STANDARD_LEADS];
    size_t n = ecg_missing(p->rec, name);
    Str text = STR_NONE;
    for (size_t i = 0; i < n; i++) {
        text = arena_cat(a, text, i ? STR(" ") : STR_NONE, str_from_c(name[i]));
    }
    if (n == 0) {
        return STR_NONE;
    }
    return arena_cat(a, is_zh(p) ? STR("　缺失导联：") : STR("   missing leads: "), text);
}

static void foot_put(const Page *p)
{
    Arena a;
    arena_init(&a, 0);
    double total = (double)ecg_duration_ms(p->rec) / 1000;
    Str rate = p->rec->n_leads ? ecg_rational_text(&a, p->rec->leads[0].rate) : STR("?");
    Str text =
        arena_printf(&a, "%g mm/s   %g mm/mV   %.*s Hz   %s   %s %g s / %g s", p->o.speed_mm_s,
                     p->o.gain_mm_mv, STR_ARG(rate), ecg_format_name(p->rec->format),
                     is_zh(p) ? "起点" : "from", (double)p->o.from_ms / 1000, total);
    text_put(p, MARGIN_MM, p->paper.y_mm + p->paper.height_mm + LINE_MM, "",
             arena_cat(&a, text, missing_text(p, &a)));
    arena_done(&a);
}

Status ecg_svg(Buf *b, const EcgRecording *rec, EcgLayout layout, const EcgSvgOptions *options,
               Err *err)
{
    Page p = page_make(b, rec, layout, options);
    TRY(options_check(&p.o, err));
    open_put(&p);
    buf_c(b, "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>");
    grid_put(&p);
    cells_put(&p);
    if (!p.o.bare) {
        head_put(&p);
        foot_put(&p);
    }
    buf_c(b, "</svg>");
    return OK;
}
