/* MeasureReport/$figures: the figures of a period as far as the caller sees. */
#include "api_inner.h"

#define ROWS_DEFAULT  1000
#define ROWS_MAX      20000
#define PERIOD_MAX_MS (3660 * MS_DAY)
#define FIGURES_TYPE  "MeasureReport"

/* ---- What is asked --------------------------------------------------------------------------- */

static Status query_bad(ApiCall *c, const char *name, const char *zh, const char *en)
{
    return err_text(&c->err, ERR_INVALID, "invalid", str_from_c(name),
                    arena_cat(c->arena, str_from_c(name), STR("："), str_from_c(zh)),
                    arena_cat(c->arena, str_from_c(name), STR(": "), str_from_c(en)));
}

/* A day, or an instant; of an end given as a day, month or year its last moment counts too. */
static Status period_read(ApiCall *c, const char *name, bool end, int64_t *ret)
{
    DateTime date;
    int64_t lo, hi;
    if (!datetime_parse(api_query(c, name), &date)) {
        return query_bad(c, name, "应为日期，如 2026-11-01", "a date, such as 2026-11-01");
    }
    datetime_range(&date, c->api->options.zone_min, &lo, &hi);
    *ret = end ? hi : lo;
    return OK;
}

static Status periods_read(ApiCall *c, InsightQuery *q)
{
    TRY(period_read(c, "period-start", false, &q->from_ms));
    TRY(period_read(c, "period-end", true, &q->to_ms));
    if (q->to_ms <= q->from_ms) {
        return query_bad(c, "period-end", "早于 period-start", "is before period-start");
    }
    if (q->to_ms - q->from_ms > PERIOD_MAX_MS) {
        return query_bad(c, "period-end", "时段最长十年", "a period is at most ten years");
    }
    return OK;
}

static Status interval_read(ApiCall *c, InsightQuery *q)
{
    static const char *const NAMES[] = {"", "day", "week", "month"};
    Str name = api_query(c, "interval");
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        if (str_is(name, NAMES[i])) {
            q->interval = (InsightInterval)i;
            return OK;
        }
    }
    return query_bad(c, "interval", "应为 day、week 或 month", "is day, week or month");
}

static Status level_read(ApiCall *c, InsightQuery *q)
{
    Str level = api_query(c, "level");
    q->branches = str_is(level, "branch");
    return q->branches || !level.n || str_is(level, "institution")
               ? OK
               : query_bad(c, "level", "应为 institution 或 branch", "is institution or branch");
}

static Status rows_read(ApiCall *c, InsightQuery *q)
{
    Str text = api_query(c, "rows");
    int64_t rows = ROWS_DEFAULT;
    if (text.n && (!str_to_i64(text, &rows) || rows < 0 || rows > ROWS_MAX)) {
        return query_bad(c, "rows", "应为 0 至 20000 的整数", "is a whole number from 0 to 20000");
    }
    q->rows = (size_t)rows;
    return OK;
}

/* The id alone is taken for an Organization's, as in a search. */
static Str organization_read(ApiCall *c)
{
    Str text = api_query(c, "organization");
    return text.n && str_find_char(text, '/') < 0 ? arena_cat(c->arena, STR("Organization/"), text)
                                                  : text;
}

static Status figures_query(ApiCall *c, InsightQuery *q)
{
    *q = (InsightQuery){.caller = c->caller, .now_ms = clock_now(c->api->options.clock)};
    TRY(api_query_only(c, "period-start, period-end, organization, measure, interval, level, "
                          "rows, " API_FORM_PARAMETERS));
    TRY(periods_read(c, q));
    TRY(interval_read(c, q));
    TRY(level_read(c, q));
    TRY(rows_read(c, q));
    q->organization = organization_read(c);
    q->measure = api_query(c, "measure");
    return OK;
}

Status api_figures(ApiCall *c)
{
    InsightQuery q;
    Buf out;
    c->what = arena_cat(c->arena, STR(FIGURES_TYPE "/$figures?"), c->http->request.query);
    TRY(access_may(c->caller, ACCESS_READ, STR(FIGURES_TYPE), &c->err));
    TRY(figures_query(c, &q));
    buf_init(&out, 0);
    Status status = insight_figures(c->api->insight, c->api->flow, c->reader, &q, &out, &c->err);
    c->result = (ApiResult){.status = 200, .body = buf_take(&out, c->arena)};
    return status;
}
