/* Tables as NDJSON, JSON and CSV (RFC 4180). */
#include "fhir_view_inner.h"

bool fhir_view_format_parse(Str name, FhirViewFormat *ret)
{
    static const struct {
        const char *name;
        FhirViewFormat format;
    } NAMES[] = {
        {"ndjson", FHIR_VIEW_NDJSON},
        {"application/x-ndjson", FHIR_VIEW_NDJSON},
        {"application/ndjson", FHIR_VIEW_NDJSON},
        {"application/fhir+ndjson", FHIR_VIEW_NDJSON},
        {"json", FHIR_VIEW_JSON},
        {"application/json", FHIR_VIEW_JSON},
        {"csv", FHIR_VIEW_CSV},
        {"text/csv", FHIR_VIEW_CSV},
    };
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        if (str_eq_nocase(name, str_from_c(NAMES[i].name))) {
            *ret = NAMES[i].format;
            return true;
        }
    }
    return false;
}

const char *fhir_view_media(FhirViewFormat f)
{
    return f == FHIR_VIEW_CSV    ? "text/csv; charset=utf-8"
           : f == FHIR_VIEW_JSON ? "application/json"
                                 : "application/x-ndjson";
}

/* --- JSON --- */

static void cell_json(Buf *out, const FhirViewColumn *c, const FhirValues *cell)
{
    if (!cell->at) {
        buf_c(out, "null");
        return;
    }
    buf_c(out, c->collection ? "[" : "");
    for (size_t i = 0; i < cell->n; i++) {
        buf_c(out, i ? "," : "");
        fhir_value_json(out, &cell->at[i]);
    }
    buf_c(out, c->collection ? "]" : "");
}

static void row_json(const FhirViewWriter *w, const FhirValues *cell)
{
    const FhirViewColumn *column;
    size_t n = fhir_view_columns(w->view, &column);
    for (size_t i = 0; i < n; i++) {
        buf_char(w->out, i ? ',' : '{');
        buf_json_str(w->out, column[i].name);
        buf_char(w->out, ':');
        cell_json(w->out, &column[i], &cell[i]);
    }
    buf_char(w->out, '}');
}

/* --- CSV --- */

static bool field_plain(Str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"' || s.p[i] == ',' || s.p[i] == '\n' || s.p[i] == '\r') {
            return false;
        }
    }
    return s.n == 0 || (s.p[0] != ' ' && s.p[s.n - 1] != ' ');
}

static void field_csv(Buf *out, Str s)
{
    if (field_plain(s)) {
        buf_add(out, s);
        return;
    }
    buf_char(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        buf_c(out, s.p[i] == '"' ? "\"" : "");
        buf_char(out, s.p[i]);
    }
    buf_char(out, '"');
}

/* A simple value as its text, others as their JSON. */
static void cell_csv(Buf *out, const FhirViewColumn *c, const FhirValues *cell)
{
    Arena a;
    Buf json;
    Str text;
    if (!cell->at) {
        return;
    }
    arena_init(&a, 0);
    buf_init(&json, 0);
    if (c->collection || !fhir_value_text(&a, &cell->at[0], &text)) {
        cell_json(&json, c, cell);
        text = buf_str(&json);
    }
    field_csv(out, text);
    buf_done(&json);
    arena_done(&a);
}

static void row_csv(const FhirViewWriter *w, const FhirValues *cell)
{
    const FhirViewColumn *column;
    size_t n = fhir_view_columns(w->view, &column);
    for (size_t i = 0; i < n; i++) {
        buf_c(w->out, i ? "," : "");
        if (cell) {
            cell_csv(w->out, &column[i], &cell[i]);
        } else {
            field_csv(w->out, column[i].name);
        }
    }
    buf_c(w->out, "\r\n");
}

/* --- the door --- */

void fhir_view_write_begin(FhirViewWriter *w)
{
    if (w->format == FHIR_VIEW_CSV && !w->headless) {
        row_csv(w, NULL);
    } else if (w->format == FHIR_VIEW_JSON) {
        buf_char(w->out, '[');
    }
}

void fhir_view_write_row(FhirViewWriter *w, const FhirValues *cell)
{
    if (w->format == FHIR_VIEW_CSV) {
        row_csv(w, cell);
    } else {
        buf_c(w->out, w->format == FHIR_VIEW_JSON && w->rows ? "," : "");
        row_json(w, cell);
        buf_c(w->out, w->format == FHIR_VIEW_NDJSON ? "\n" : "");
    }
    w->rows++;
}

/* A text as itself, other values as their JSON. */
static void kept_csv(FhirViewWriter *w, Str row)
{
    Arena a;
    JsonDoc d;
    arena_init(&a, 0);
    if (json_parse(&a, row, &JSON_LIMITS_FHIR, &d, NULL) == OK) {
        for (JsonIter it = json_iter(&d, JSON_ROOT); json_next(&it);) {
            JsonType type = json_type(&d, it.value);
            buf_c(w->out, it.index ? "," : "");
            if (type != JSON_NULL) {
                field_csv(w->out,
                          type == JSON_STRING ? json_str(&d, it.value) : json_raw(&d, it.value));
            }
        }
    }
    buf_c(w->out, "\r\n");
    arena_done(&a);
}

void fhir_view_write_kept(FhirViewWriter *w, Str row)
{
    if (w->format == FHIR_VIEW_CSV) {
        kept_csv(w, row);
    } else {
        buf_c(w->out, w->format == FHIR_VIEW_JSON && w->rows ? "," : "");
        buf_add(w->out, row);
        buf_c(w->out, w->format == FHIR_VIEW_NDJSON ? "\n" : "");
    }
    w->rows++;
}

void fhir_view_write_end(FhirViewWriter *w)
{
    buf_c(w->out, w->format == FHIR_VIEW_JSON ? "]\n" : "");
}
