/* Writing an export: type by type into parts of bounded size, through the sight of who asked. */
#include "api_export_run.h"

#include "store_heads.h"
#include "store_persons.h"

#include "mk_banned.h"

#define DELETED_ENTRIES 1000u

/* ---- All of a type ------------------------------------------------------------------------ */

static Status deleted_flush(ExportRun *run, Err *err)
{
    if (run->deleted_n == 0) {
        return OK;
    }
    buf_c(&run->deleted, "]}");
    Status s =
        export_line_write(run, &(ExportLine){.body = buf_str(&run->deleted), .deleted = true}, err);
    buf_clear(&run->deleted);
    run->deleted_n = 0;
    return s;
}

static Status deleted_tell(void *ctx, const StoreVersion *v, Err *err)
{
    ExportRun *run = ctx;
    if (v->op != STORE_DELETE || !export_is_member(run, v->patients, v->patients_n)) {
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
    ExportRun *run = ctx;
    Arena a;
    if (v->op == STORE_DELETE || !export_is_member(run, v->patients, v->patients_n)) {
        return OK;
    }
    arena_init(&a, 0);
    Status s = export_line_write(
        run, &(ExportLine){export_body_line(&a, v->body), v->patients, v->patients_n, false}, err);
    arena_done(&a);
    run->count++;
    return s;
}

Status export_caller_now(ExportRun *run, Arena *a, AccessCaller *ret, Err *err)
{
    store_reader_calm(run->reader);
    TRY(access_caller_named(run->api->access, run->reader, a, run->job->username, run->job->post,
                            ret, err));
    return access_may(ret, ACCESS_READ, run->type, err);
}

static Status stretch(ExportRun *run, StoreHeads *q, StoreHeadTold *told, Err *err)
{
    Arena a;
    AccessCaller caller;
    Str after = STR_NONE;
    uint64_t before = run->count;
    arena_init(&a, EXPORT_PAGE_BYTES);
    Status s = export_caller_now(run, &a, &caller, err);
    s = s == OK ? store_heads(run->reader, &a, &caller.view, q, told, run, &after, err) : s;
    s = s == OK ? store_reader_trouble(run->reader, err) : s;
    q->after = arena_str(run->arena, after);
    arena_done(&a);
    run->stopped = !export_going(run->api, run->type, run->count - before);
    return s;
}

static Status type_walk(ExportRun *run, bool deleted, Err *err)
{
    StoreHeads q = {.type = run->type,
                    .as_of = run->job->seq,
                    .since_ms = run->job->since_ms,
                    .deletions = deleted,
                    .limit = EXPORT_STRETCH};
    do {
        TRY(stretch(run, &q, deleted ? deleted_tell : resource_tell, err));
    } while (q.after.n && !run->stopped);
    if (deleted) {
        TRY(deleted_flush(run, err));
    }
    return export_part_close(run, err);
}

/* ---- The whole ---------------------------------------------------------------------------- */

static bool is_filtered(const ExportRun *run)
{
    for (size_t i = 0; i < run->job->filter_n; i++) {
        if (str_eq(run->job->filter[i].type, run->type)) {
            return true;
        }
    }
    return false;
}

static Status type_write(ExportRun *run, Err *err)
{
    run->part = 0;
    export_names_reset(run);
    TRY(export_room_check(run, err));
    TRY(is_filtered(run) ? export_type_search(run, err) : type_walk(run, false, err));
    if (run->job->since_ms != TIME_NONE && !run->stopped) {
        run->part = 0;
        TRY(type_walk(run, true, err));
    }
    return OK;
}

static void members_fill(ExportRun *run)
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

static Status types_write(ExportRun *run, Err *err)
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
    ExportRun run = {.api = api, .reader = r, .arena = a, .job = job};
    buf_init(&run.deleted, 0);
    buf_init(&run.named_list, 0);
    arena_init(&run.named, 0);
    export_names_reset(&run);
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
