/* An export's parts: NDJSON of bounded size, each with the list of whose data it has. */
#include "api_export_run.h"

#include <errno.h>
#include <unistd.h>

#include "access_param.h"

#include "mk_banned.h"

static Status write_failed(Err *err)
{
    return err_add(err, ERR_STORAGE_FULL, NULL, STR_NONE, "导出文件无法写入：%s",
                   "the export's file cannot be written: %s", strerror(errno));
}

static Status part_open(ExportRun *run, bool deleted, Err *err)
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

void export_names_reset(ExportRun *run)
{
    arena_reset(&run->named);
    map_init(&run->named_map, &run->named);
    buf_clear(&run->named_list);
}

/* Whom the next line is about. */
static void part_names(ExportRun *run, const Str *patients, size_t n)
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

static Status names_write(ExportRun *run, Err *err)
{
    Str part = run->job->file[run->job->file_n - 1].name;
    Str name = arena_cat(run->arena, part, STR(EXPORT_PATIENTS));
    Status s = file_write_durable(export_path(run->api, run->arena, run->job->id, name),
                                  buf_str(&run->named_list), 0600, err);
    export_names_reset(run);
    return s;
}

Status export_part_close(ExportRun *run, Err *err)
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

Status export_room_check(const ExportRun *run, Err *err)
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

Status export_line_write(ExportRun *run, const ExportLine *line, Err *err)
{
    Str body = line->body;
    if (run->to && run->bytes + body.n + 1 > EXPORT_PART_BYTES && run->bytes) {
        TRY(export_part_close(run, err));
        TRY(export_room_check(run, err));
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
Str export_body_line(Arena *a, Str body)
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

bool export_is_member(const ExportRun *run, const Str *patients, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (map_get(&run->members, patients[i])) {
            return true;
        }
    }
    return !run->job->members;
}
