/* An import at work: inputs are fetched and brought in, line by line. */
#include "api_bulk.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "api_allow.h"
#include "api_intake.h"

#include "mk_banned.h"

#define CONNECT_S 10L
#define SLOW_S    60L /* without 100 bytes a second for so long it is given up */
#define FETCH_S   7200L

/* ---- Fetching ------------------------------------------------------------------------------- */

typedef struct Fetch {
    Api *api;
    size_t input;
    FILE *to;
    uint64_t bytes;
} Fetch;

static size_t bytes_take(char *p, size_t size, size_t n, void *ctx)
{
    Fetch *f = ctx;
    f->bytes += size * n;
    return f->bytes <= BULK_INPUT_BYTES && bulk_going(f->api, f->input, 0)
               ? fwrite(p, size, n, f->to)
               : 0;
}

static Status fetched(CURLcode code, long status, const Fetch *f, Str url, Err *err)
{
    if (code == CURLE_OK && status == 200) {
        return OK;
    }
    if (f->bytes > BULK_INPUT_BYTES) {
        return err_add(err, ERR_TOO_LARGE, NULL, url, "文件超过 4 GiB", "The file is above 4 GiB");
    }
    return code == CURLE_OK ? err_add(err, ERR_UNPROCESSABLE, NULL, url, "来源答复 %ld",
                                      "The source answered %ld", status)
                            : err_add(err, ERR_UNPROCESSABLE, NULL, url, "无法取得：%s",
                                      "It cannot be fetched: %s", curl_easy_strerror(code));
}

static Status fetch(Api *api, StoreReader *r, Arena *a, const BulkJob *job, size_t i, Err *err)
{
    Str url = job->input[i].url;
    long status = 0;
    if (!url.n) {
        return OK;
    }
    if (!api_allowed(r, ALLOW_SOURCES, url)) {
        return err_add(err, ERR_UNPROCESSABLE, NULL, url, "该来源不在管理员允许的名单内",
                       "An administrator has not allowed this source");
    }
    CURL *curl = curl_easy_init();
    Fetch f = {api, i, fopen(bulk_path(api, a, job->id, bulk_file(a, "", i)), "we"), 0};
    if (!curl || !f.to) {
        return err_add(err, ERR_STORAGE_FULL, NULL, url, "无法保存：%s", "It cannot be kept: %s",
                       strerror(errno));
    }
    curl_easy_setopt(curl, CURLOPT_URL, arena_cstr(a, url));
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "");
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_S);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 100L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, SLOW_S);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, FETCH_S);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, bytes_take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &f);
    CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(curl);
    bool kept = fclose(f.to) == 0;
    TRY(fetched(code, status, &f, url, err));
    return kept ? OK : err_status(err, ERR_STORAGE_FULL);
}

/* ---- Lines ---------------------------------------------------------------------------------- */

typedef struct Lines {
    Api *api;
    size_t at;   /* of the input */
    Arena arena; /* of the group in hand */
    ApiIntake intake;
} Lines;

static void line_take(Lines *l, Str line, uint64_t number)
{
    JsonDoc d;
    Err err;
    ApiIntake *in = &l->intake;
    if (in->group_n == 0) {
        arena_reset(&l->arena);
    }
    ApiIntakeItem item = {.number = number, .body = arena_str(&l->arena, line)};
    err_init(&err, &l->arena);
    if (json_parse(&l->arena, item.body, &JSON_LIMITS_FHIR, &d, &err) != OK) {
        api_intake_refuse_err(in, number, &err, line);
    } else if (api_intake_read(in, &d, JSON_ROOT, &item)) {
        item.body = d.bytes; /* without a byte order mark */
        api_intake_add(in, &item);
    }
}

static void lines_take(Lines *l, FILE *from)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    uint64_t number = 0;
    while ((n = getline(&line, &room, from)) >= 0 && bulk_going(l->api, l->at, number)) {
        Str text = str_trim((Str){line, (size_t)n});
        number++;
        if (text.n) {
            line_take(l, text, number);
        }
    }
    api_intake_flush(&l->intake);
    free(line);
}

typedef struct Doors {
    ApiLocal *local;
    ApiCrew *crew;
} Doors;

static Status input_do(Api *api, Arena *a, const BulkJob *job, size_t i, const Doors *doors,
                       Err *err)
{
    BulkInput *input = &job->input[i];
    Lines l = {.api = api,
               .at = i,
               .intake = {.local = doors->local,
                          .crew = doors->crew,
                          .type = input->type,
                          .lang = LANG_EN,
                          .refused_path = bulk_path(api, a, job->id, bulk_file(a, "refused.", i))}};
    FILE *from = fopen(bulk_path(api, a, job->id, bulk_file(a, "", i)), "re");
    if (!from) {
        return err_add(err, ERR_INTERNAL, NULL, STR_NONE, "输入文件不见了：%s",
                       "The input is not there: %s", strerror(errno));
    }
    (void)unlink(l.intake.refused_path);
    arena_init(&l.arena, 0);
    lines_take(&l, from);
    arena_done(&l.arena);
    fclose(from);
    input->imported = l.intake.imported;
    input->refused = l.intake.refused;
    return api_intake_end(&l.intake) ? OK : err_status(err, ERR_STORAGE_FULL);
}

static Status inputs_do(Api *api, StoreReader *r, Arena *a, BulkJob *job, const Doors *doors,
                        Err *err)
{
    while (job->done_n < job->input_n) {
        size_t i = job->done_n;
        TRY(fetch(api, r, a, job, i, err));
        TRY(input_do(api, a, job, i, doors, err));
        if (!bulk_going(api, i, 0)) {
            return OK;
        }
        (void)unlink(bulk_path(api, a, job->id, bulk_file(a, "", i)));
        job->done_n++;
        TRY(bulk_save(api, job, err));
    }
    return OK;
}

Status bulk_run(Api *api, StoreReader *r, Arena *a, BulkJob *job, Err *err)
{
    Doors doors;
    AccessCaller as = {.username = job->username,
                       .name = job->name,
                       .practitioner = job->practitioner,
                       .address = STR("import")};
    as.post.role = job->role;
    as.post.organization = job->organization;
    TRY(api_local_open(api, &as, &doors.local, err));
    Status s = api_crew_open(api, &as, &doors.crew, err);
    if (s == OK) {
        s = inputs_do(api, r, a, job, &doors, err);
        api_crew_close(doors.crew);
    }
    api_local_close(doors.local);
    return s;
}
