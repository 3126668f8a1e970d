/*
 * What _typeFilter finds. The searches find what is there now: what was written since the moment of
 * the export is left out of their pages, and its version of that moment is held against the filters
 * one by one.
 */
#include "api_export_run.h"

#include "store_heads.h"
#include "store_meets.h"

#include "mk_banned.h"

#define SEARCHED_BYTES ((size_t)256 << 20) /* ids that were found */

static Status is_changed(ExportRun *run, Arena *a, const StoreHit *h, bool *ret, Err *err)
{
    uint64_t seq = 0;
    if (store_seq(run->api->store) > run->job->seq) {
        TRY(store_head_seq(run->reader, a, h->type, h->id, &seq, err));
    }
    *ret = seq > run->job->seq;
    return OK;
}

static Status filtered_write(ExportRun *run, Map *seen, Str id, const ExportLine *line, Err *err)
{
    static char known;
    map_put(seen, arena_str(seen->arena, id), &known);
    run->count++;
    TRY(export_line_write(run, line, err));
    return arena_exhausted(seen->arena) ? err_status(err, ERR_TOO_LARGE) : OK;
}

static Status page_write(ExportRun *run, Arena *a, const StorePage *page, Map *seen, Err *err)
{
    for (size_t i = 0; i < page->hits_n; i++) {
        const StoreHit *h = &page->hits[i];
        bool changed;
        if (h->mode != STORE_MATCH || map_get(seen, h->id) ||
            !export_is_member(run, h->patients, h->patients_n)) {
            continue;
        }
        TRY(is_changed(run, a, h, &changed, err));
        ExportLine line = {h->body, h->patients, h->patients_n, false};
        if (!changed) {
            TRY(filtered_write(run, seen, h->id, &line, err));
        }
    }
    return OK;
}

static Status filter_page(ExportRun *run, Str query, Str *cursor, Map *seen, Err *err)
{
    Arena a;
    AccessCaller caller;
    StoreQuery *q;
    StorePage page;
    uint64_t before = run->count;
    arena_init(&a, EXPORT_PAGE_BYTES);
    Status s = export_caller_now(run, &a, &caller, err);
    s = s == OK ? store_query_parse(run->api->store, &a, run->type, query, false,
                                    run->api->options.zone_min, &q, err)
                : s;
    s = s == OK ? store_search(run->reader, &a, q, &caller.view, *cursor, &page, err) : s;
    s = s == OK ? page_write(run, &a, &page, seen, err) : s;
    s = s == OK ? store_reader_trouble(run->reader, err) : s;
    *cursor = s == OK ? arena_str(run->arena, page.next) : STR_NONE;
    arena_done(&a);
    run->stopped = !export_going(run->api, run->type, run->count - before);
    return s;
}

typedef struct Changed {
    ExportRun *run;
    Arena *arena;
    StoreVersion v[EXPORT_STRETCH];
    size_t n;
} Changed;

/* Kept until the walk is done: a search cannot run inside of it. */
static Status changed_keep(void *ctx, const StoreVersion *v, Err *err)
{
    Changed *x = ctx;
    (void)err;
    if (!export_is_member(x->run, v->patients, v->patients_n)) {
        return OK;
    }
    StoreVersion *copy = &x->v[x->n++];
    Str *patients = arena_array(x->arena, Str, v->patients_n + 1);
    for (size_t i = 0; i < v->patients_n; i++) {
        patients[i] = arena_str(x->arena, v->patients[i]);
    }
    *copy = *v;
    copy->type = x->run->type;
    copy->id = arena_str(x->arena, v->id);
    copy->vid = arena_str(x->arena, v->vid);
    copy->body = arena_str(x->arena, v->body);
    copy->patients = patients;
    return OK;
}

static Status filters_meet(ExportRun *run, Arena *a, const StoreView *view, const StoreVersion *v,
                           bool *ret, Err *err)
{
    *ret = false;
    for (size_t i = 0; i < run->job->filter_n && !*ret; i++) {
        const ExportFilter *f = &run->job->filter[i];
        StoreQuery *q;
        if (str_eq(f->type, run->type)) {
            TRY(store_query_parse(run->api->store, a, f->type, f->query, false,
                                  run->api->options.zone_min, &q, err));
            TRY(store_query_meets(run->reader, a, q, view, v, ret, err));
        }
    }
    return OK;
}

static Status changed_write(ExportRun *run, Changed *x, const StoreView *view, Map *seen, Err *err)
{
    for (size_t i = 0; i < x->n; i++) {
        const StoreVersion *v = &x->v[i];
        bool met = false;
        if (!map_get(seen, v->id)) {
            TRY(filters_meet(run, x->arena, view, v, &met, err));
        }
        ExportLine line = {export_body_line(x->arena, v->body), v->patients, v->patients_n, false};
        if (met) {
            TRY(filtered_write(run, seen, v->id, &line, err));
        }
    }
    return OK;
}

static Status changed_stretch(ExportRun *run, StoreHeads *q, Map *seen, Err *err)
{
    Arena a;
    AccessCaller caller;
    Str after = STR_NONE;
    arena_init(&a, EXPORT_PAGE_BYTES);
    Changed *x = arena_new(&a, Changed);
    x->run = run;
    x->arena = &a;
    Status s = export_caller_now(run, &a, &caller, err);
    s = s == OK ? store_heads(run->reader, &a, &caller.view, q, changed_keep, x, &after, err) : s;
    s = s == OK ? changed_write(run, x, &caller.view, seen, err) : s;
    s = s == OK ? store_reader_trouble(run->reader, err) : s;
    q->after = arena_str(run->arena, after);
    arena_done(&a);
    run->stopped = !export_going(run->api, run->type, 0);
    return s;
}

static Status changed_walk(ExportRun *run, Map *seen, Err *err)
{
    StoreHeads q = {.type = run->type,
                    .as_of = run->job->seq,
                    .since_ms = run->job->since_ms,
                    .changed = true,
                    .limit = EXPORT_STRETCH};
    do {
        TRY(changed_stretch(run, &q, seen, err));
    } while (q.after.n && !run->stopped);
    return OK;
}

static Str filter_query(const ExportRun *run, Str query)
{
    Str since = run->job->since_ms == TIME_NONE
                    ? STR_NONE
                    : arena_cat(run->arena, STR("&_lastUpdated=ge"),
                                time_iso(run->arena, run->job->since_ms, 0));
    Buf url; /* the zone's plus sign */
    buf_init(&url, 0);
    for (size_t i = 0; i < since.n; i++) {
        buf_c(&url, since.p[i] == '+' ? "%2B" : (char[]){since.p[i], 0});
    }
    return arena_cat(run->arena, query, query.n ? STR("&_count=1000") : STR("_count=1000"),
                     buf_take(&url, run->arena));
}

static Status filter_search(ExportRun *run, Str query, Map *seen, Err *err)
{
    Str cursor = STR_NONE;
    do {
        TRY(filter_page(run, query, &cursor, seen, err));
    } while (cursor.n && !run->stopped);
    return OK;
}

Status export_type_search(ExportRun *run, Err *err)
{
    Arena a;
    Map seen;
    Status s = OK;
    arena_init(&a, SEARCHED_BYTES);
    map_init(&seen, &a);
    for (size_t i = 0; i < run->job->filter_n && s == OK && !run->stopped; i++) {
        const ExportFilter *f = &run->job->filter[i];
        if (str_eq(f->type, run->type)) {
            s = filter_search(run, filter_query(run, f->query), &seen, err);
        }
    }
    s = s == OK && !run->stopped ? changed_walk(run, &seen, err) : s;
    arena_done(&a);
    return s == OK ? export_part_close(run, err) : s;
}
