/* Writing an export: type by type into parts of bounded size, through the sight of who asked. */
#include "api_export_job.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "access_param.h"
#include "store_heads.h"
#include "store_meets.h"
#include "store_persons.h"

#include "mk_banned.h"

#define STRETCH         500
#define CALLER_BYTES    ((size_t)8 << 20)
#define PAGE_BYTES      ((size_t)256 << 20)
#define SEARCHED_BYTES  ((size_t)256 << 20) /* ids that filters have found */
#define OUT_BYTES       (256u << 10)
#define DELETED_ENTRIES 1000u

typedef struct Run {
    Api *api;
    StoreReader *reader;
    Arena *arena; /* of the job */
    ExportJob *job;
    Map members; /* ids; unused when not job->members */
    Str type;
    FILE *to;
    Arena named; /* whose data the part has, for the audit of who fetches it */
    Map named_map;
    Buf named_list;
    unsigned part;
    uint64_t count, bytes, total_bytes;
    Buf deleted; /* the Bundle that is being filled */
    size_t deleted_n;
    bool stopped;
} Run;

/* ---- Parts -------------------------------------------------------------------------------- */

static Status write_failed(Err *err)
{
    return err_add(err, ERR_STORAGE_FULL, NULL, STR_NONE, "导出文件无法写入：%s",
                   "the export's file cannot be written: %s", strerror(errno));
}

static Status part_open(Run *run, bool deleted, Err *err)
{
    ExportJob *job = run->job;
    if (job->file_n == job->file_room) {
        size_t room = job->file_room ? job->file_room * 2 : 8;
        ExportFile *more = arena_array(run->arena, ExportFile, room);
        for (size_t i = 0; i < job->file_n; i++) {
            more[i] = job->file[i];
        }
        job->file = more;
        job->file_room = room;
    }
    Str stem = deleted ? arena_cat(run->arena, STR("deleted-"), run->type) : run->type;
    Str name = arena_printf(run->arena, "%.*s.%u.ndjson", STR_ARG(stem), ++run->part);
    job->file[job->file_n++] = (ExportFile){deleted ? STR("Bundle") : run->type, name, 0, deleted};
    run->to = fopen(export_path(run->api, run->arena, job->id, name), "we");
    run->bytes = 0;
    return run->to ? OK : write_failed(err);
}

static void names_reset(Run *run)
{
    arena_reset(&run->named);
    map_init(&run->named_map, &run->named);
    buf_clear(&run->named_list);
}

/* Whom the next line is about. */
static void part_names(Run *run, const Str *patients, size_t n)
{
    static char known;
    for (size_t i = 0; i < n; i++) {
        if (!map_get(&run->named_map, patients[i])) {
            map_put(&run->named_map, arena_str(&run->named, patients[i]), &known);
            buf_add(&run->named_list, patients[i]);
            buf_char(&run->named_list, '\n');
        }
    }
}

static Status names_write(Run *run, Err *err)
{
    Str part = run->job->file[run->job->file_n - 1].name;
    Str name = arena_cat(run->arena, part, STR(EXPORT_PATIENTS));
    Status s = file_write_durable(export_path(run->api, run->arena, run->job->id, name),
                                  buf_str(&run->named_list), 0600, err);
    names_reset(run);
    return s;
}

static Status part_close(Run *run, Err *err)
{
    FILE *to = run->to;
    run->to = NULL;
    if (!to) {
        return OK;
    }
    bool ok = fflush(to) == 0 && fsync(fileno(to)) == 0;
    ok = fclose(to) == 0 && ok;
    return ok ? names_write(run, err) : write_failed(err);
}

static Status room_check(const Run *run, Err *err)
{
    ApiDisk disk;
    int64_t now_ms = clock_now(run->api->options.clock);
    if (run->total_bytes > (uint64_t)access_param(ACCESS_EXPORT_BYTES_MAX, now_ms)) {
        return err_add(err, ERR_TOO_LARGE, "too-costly", STR_NONE,
                       "导出超过了允许的大小，请用 _type、_since 或 patient 缩小范围",
                       "The export is larger than allowed; ask for less with _type, _since or "
                       "patient");
    }
    return api_disk(run->api, &disk) && disk.low ? err_status(err, ERR_STORAGE_FULL) : OK;
}

typedef struct Line {
    Str body;
    const Str *patients; /* whose it is */
    size_t patients_n;
    bool deleted;
} Line;

static Status line_write(Run *run, const Line *line, Err *err)
{
    Str body = line->body;
    if (run->to && run->bytes + body.n + 1 > EXPORT_PART_BYTES && run->bytes) {
        TRY(part_close(run, err));
        TRY(room_check(run, err));
    }
    if (!run->to) {
        TRY(part_open(run, line->deleted, err));
    }
    if (fwrite(body.p, 1, body.n, run->to) != body.n || fputc('\n', run->to) == EOF) {
        return write_failed(err);
    }
    run->bytes += body.n + 1;
    run->total_bytes += body.n + 1;
    run->job->file[run->job->file_n - 1].count++;
    part_names(run, line->patients, line->patients_n);
    return OK;
}

/* NDJSON has a resource on one line: what was received on several is laid anew. */
static Str body_line(Arena *a, Str body)
{
    if (str_find_char(body, '\n') < 0 && str_find_char(body, '\r') < 0) {
        return body;
    }
    char *line = arena_cstr(a, body);
    for (size_t i = 0; i < body.n; i++) { /* inside strings JSON has none */
        line[i] = line[i] == '\n' || line[i] == '\r' ? ' ' : line[i];
    }
    return (Str){line, body.n};
}

static bool is_member(const Run *run, const Str *patients, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (map_get(&run->members, patients[i])) {
            return true;
        }
    }
    return !run->job->members;
}

/* ---- All of a type ------------------------------------------------------------------------ */

static Status deleted_flush(Run *run, Err *err)
{
    if (run->deleted_n == 0) {
        return OK;
    }
    buf_c(&run->deleted, "]}");
    Status s = line_write(run, &(Line){.body = buf_str(&run->deleted), .deleted = true}, err);
    buf_clear(&run->deleted);
    run->deleted_n = 0;
    return s;
}

static Status deleted_tell(void *ctx, const StoreVersion *v, Err *err)
{
    Run *run = ctx;
    if (v->op != STORE_DELETE || !is_member(run, v->patients, v->patients_n)) {
        return OK;
    }
    buf_c(&run->deleted, run->deleted_n ? ","
                                        : "{\"resourceType\":\"Bundle\",\"type\":\"transaction\","
                                          "\"entry\":[");
    buf_printf(&run->deleted, "{\"request\":{\"method\":\"DELETE\",\"url\":\"%.*s/%.*s\"}}",
               STR_ARG(v->type), STR_ARG(v->id));
    return ++run->deleted_n == DELETED_ENTRIES ? deleted_flush(run, err) : OK;
}

static Status resource_tell(void *ctx, const StoreVersion *v, Err *err)
{
    Run *run = ctx;
    Arena a;
    if (v->op == STORE_DELETE || !is_member(run, v->patients, v->patients_n)) {
        return OK;
    }
    arena_init(&a, 0);
    Status s =
        line_write(run, &(Line){body_line(&a, v->body), v->patients, v->patients_n, false}, err);
    arena_done(&a);
    run->count++;
    return s;
}

/* The caller as it is now: who has lost a post or a patient meanwhile gets no more. */
static Status caller_now(Run *run, Arena *a, AccessCaller *ret, Err *err)
{
    store_reader_calm(run->reader);
    TRY(access_caller_named(run->api->access, run->reader, a, run->job->username, run->job->post,
                            ret, err));
    return access_may(ret, ACCESS_READ, run->type, err);
}

static Status stretch(Run *run, StoreHeads *q, StoreHeadTold *told, Err *err)
{
    Arena a;
    AccessCaller caller;
    Str after = STR_NONE;
    uint64_t before = run->count;
    arena_init(&a, PAGE_BYTES);
    Status s = caller_now(run, &a, &caller, err);
    s = s == OK ? store_heads(run->reader, &a, &caller.view, q, told, run, &after, err) : s;
    s = s == OK ? store_reader_trouble(run->reader, err) : s;
    q->after = arena_str(run->arena, after);
    arena_done(&a);
    run->stopped = !export_going(run->api, run->type, run->count - before);
    return s;
}

static Status type_walk(Run *run, bool deleted, Err *err)
{
    StoreHeads q = {.type = run->type,
                    .as_of = run->job->seq,
                    .since_ms = run->job->since_ms,
                    .deletions = deleted,
                    .limit = STRETCH};
    do {
        TRY(stretch(run, &q, deleted ? deleted_tell : resource_tell, err));
    } while (q.after.n && !run->stopped);
    if (deleted) {
        TRY(deleted_flush(run, err));
    }
    return part_close(run, err);
}

/* ---- What filters find -------------------------------------------------------------------- */

/*
 * The searches find what is there now. What was written since the moment of the export is left out
 * of their pages, and its version of that moment is held against the filters one by one.
 */
static Status is_changed(Run *run, Arena *a, const StoreHit *h, bool *ret, Err *err)
{
    uint64_t seq = 0;
    if (store_seq(run->api->store) > run->job->seq) {
        TRY(store_head_seq(run->reader, a, h->type, h->id, &seq, err));
    }
    *ret = seq > run->job->seq;
    return OK;
}

static Status filtered_write(Run *run, Map *seen, Str id, const Line *line, Err *err)
{
    static char known;
    map_put(seen, arena_str(seen->arena, id), &known);
    run->count++;
    TRY(line_write(run, line, err));
    return arena_exhausted(seen->arena) ? err_status(err, ERR_TOO_LARGE) : OK;
}

static Status page_write(Run *run, Arena *a, const StorePage *page, Map *seen, Err *err)
{
    for (size_t i = 0; i < page->hits_n; i++) {
        const StoreHit *h = &page->hits[i];
        bool changed;
        if (h->mode != STORE_MATCH || map_get(seen, h->id) ||
            !is_member(run, h->patients, h->patients_n)) {
            continue;
        }
        TRY(is_changed(run, a, h, &changed, err));
        Line line = {h->body, h->patients, h->patients_n, false};
        if (!changed) {
            TRY(filtered_write(run, seen, h->id, &line, err));
        }
    }
    return OK;
}

static Status filter_page(Run *run, Str query, Str *cursor, Map *seen, Err *err)
{
    Arena a;
    AccessCaller caller;
    StoreQuery *q;
    StorePage page;
    uint64_t before = run->count;
    arena_init(&a, PAGE_BYTES);
    Status s = caller_now(run, &a, &caller, err);
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
    Run *run;
    Arena *arena;
    StoreVersion v[STRETCH];
    size_t n;
} Changed;

/* Kept until the walk is done: a search cannot run inside of it. */
static Status changed_keep(void *ctx, const StoreVersion *v, Err *err)
{
    Changed *x = ctx;
    (void)err;
    if (!is_member(x->run, v->patients, v->patients_n)) {
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

static Status filters_meet(Run *run, Arena *a, const StoreView *view, const StoreVersion *v,
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

static Status changed_write(Run *run, Changed *x, const StoreView *view, Map *seen, Err *err)
{
    for (size_t i = 0; i < x->n; i++) {
        const StoreVersion *v = &x->v[i];
        bool met = false;
        if (!map_get(seen, v->id)) {
            TRY(filters_meet(run, x->arena, view, v, &met, err));
        }
        Line line = {body_line(x->arena, v->body), v->patients, v->patients_n, false};
        if (met) {
            TRY(filtered_write(run, seen, v->id, &line, err));
        }
    }
    return OK;
}

static Status changed_stretch(Run *run, StoreHeads *q, Map *seen, Err *err)
{
    Arena a;
    AccessCaller caller;
    Str after = STR_NONE;
    arena_init(&a, PAGE_BYTES);
    Changed *x = arena_new(&a, Changed);
    x->run = run;
    x->arena = &a;
    Status s = caller_now(run, &a, &caller, err);
    s = s == OK ? store_heads(run->reader, &a, &caller.view, q, changed_keep, x, &after, err) : s;
    s = s == OK ? changed_write(run, x, &caller.view, seen, err) : s;
    s = s == OK ? store_reader_trouble(run->reader, err) : s;
    q->after = arena_str(run->arena, after);
    arena_done(&a);
    run->stopped = !export_going(run->api, run->type, 0);
    return s;
}

static Status changed_walk(Run *run, Map *seen, Err *err)
{
    StoreHeads q = {.type = run->type,
                    .as_of = run->job->seq,
                    .since_ms = run->job->since_ms,
                    .changed = true,
                    .limit = STRETCH};
    do {
        TRY(changed_stretch(run, &q, seen, err));
    } while (q.after.n && !run->stopped);
    return OK;
}

static Str filter_query(const Run *run, Str query)
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

static Status filter_search(Run *run, Str query, Map *seen, Err *err)
{
    Str cursor = STR_NONE;
    do {
        TRY(filter_page(run, query, &cursor, seen, err));
    } while (cursor.n && !run->stopped);
    return OK;
}

static Status type_search(Run *run, Err *err)
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
    return s == OK ? part_close(run, err) : s;
}

/* ---- The whole ---------------------------------------------------------------------------- */

static bool is_filtered(const Run *run)
{
    for (size_t i = 0; i < run->job->filter_n; i++) {
        if (str_eq(run->job->filter[i].type, run->type)) {
            return true;
        }
    }
    return false;
}

static Status type_write(Run *run, Err *err)
{
    run->part = 0;
    names_reset(run);
    TRY(room_check(run, err));
    TRY(is_filtered(run) ? type_search(run, err) : type_walk(run, false, err));
    if (run->job->since_ms != TIME_NONE && !run->stopped) {
        run->part = 0;
        TRY(type_walk(run, true, err));
    }
    return OK;
}

static void members_fill(Run *run)
{
    static char known;
    map_init(&run->members, run->arena);
    for (size_t i = 0; i < run->job->patient_n; i++) {
        Str id = run->job->patient[i];
        const Str *other;
        size_t n = store_person_others(run->api->store, run->arena, id, &other);
        map_put(&run->members, id, &known);
        for (size_t k = 0; k < n; k++) {
            map_put(&run->members, other[k], &known);
        }
    }
}

static Status types_write(Run *run, Err *err)
{
    ExportJob *job = run->job;
    while (job->done_n < job->type_n) {
        size_t files_n = job->file_n;
        run->type = job->type[job->done_n];
        Status s = type_write(run, err);
        if (s != OK || run->stopped) {
            job->file_n = files_n; /* of a type that is begun again nothing is kept */
            return s;
        }
        job->done_n++;
        TRY(export_save(run->api, job, err));
    }
    return OK;
}

Status export_run(Api *api, StoreReader *r, Arena *a, ExportJob *job, Err *err)
{
    Run run = {.api = api, .reader = r, .arena = a, .job = job};
    buf_init(&run.deleted, 0);
    buf_init(&run.named_list, 0);
    arena_init(&run.named, 0);
    names_reset(&run);
    members_fill(&run);
    Status s = types_write(&run, err);
    if (run.to) {
        (void)fclose(run.to);
    }
    arena_done(&run.named);
    buf_done(&run.named_list);
    buf_done(&run.deleted);
    return s;
}
