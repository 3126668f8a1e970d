/* An import at work: inputs are fetched and brought in, line by line. */
#include "api_bulk.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "api_allow.h"
#include "fhir_resource.h"

#include "mk_banned.h"

#define GROUP_MAX       200u
#define GROUP_BYTES_MAX ((size_t)8 << 20)
#define CONNECT_S       10L
#define SLOW_S          60L /* without 100 bytes a second for so long it is given up */
#define FETCH_S         7200L

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

typedef struct Item {
    uint64_t number;
    Str body, type, id;
} Item;

typedef struct Lines {
    Api *api;
    ApiLocal *local;
    BulkInput *input;
    size_t at;   /* of the input */
    Arena arena; /* of the group */
    Item group[GROUP_MAX];
    size_t n, bytes;
    FILE *refused;
    const char *refused_path;
} Lines;

static void refuse(Lines *l, uint64_t number, int status, Str reason, Str body)
{
    Buf out;
    l->input->refused++;
    l->refused = l->refused ? l->refused : fopen(l->refused_path, "we");
    if (!l->refused) {
        return;
    }
    JsonWriter w = json_begin(&out, '{');
    json_member_i64(&w, "number", (int64_t)number);
    json_member_i64(&w, "status", status);
    json_key(&w, "reason");
    json_put_raw(&w, reason.n ? reason : STR("null"));
    json_key(&w, "bytes");
    json_put_str(&w, str_take(body, JSON_LIMITS_FHIR.bytes));
    json_close(&w, '}');
    buf_char(&out, '\n');
    fwrite(out.p, 1, out.n, l->refused);
    buf_done(&out);
}

static void refuse_err(Lines *l, uint64_t number, const Err *err, Str body)
{
    Buf out;
    buf_init(&out, 0);
    fhir_outcome_write(&out, err, LANG_EN);
    refuse(l, number, status_http(err->status), buf_str(&out), body);
    buf_done(&out);
}

static void put_one(Lines *l, const Item *item)
{
    Str answer, path = arena_cat(&l->arena, STR("/fhir/"), item->type, STR("/"), item->id);
    int status = api_local_call(l->local, &l->arena, "PUT", path, STR_NONE, item->body, &answer);
    if (status == 200 || status == 201) {
        l->input->imported++;
    } else {
        refuse(l, item->number, status, answer, item->body);
    }
}

static Str group_bundle(Lines *l)
{
    Buf out;
    buf_init(&out, 0);
    buf_c(&out, "{\"resourceType\":\"Bundle\",\"type\":\"transaction\",\"entry\":[");
    for (size_t i = 0; i < l->n; i++) {
        buf_c(&out, i ? ",{\"resource\":" : "{\"resource\":");
        buf_add(&out, l->group[i].body);
        buf_c(&out, ",\"request\":{\"method\":\"PUT\",\"url\":");
        buf_json_str(&out, arena_cat(&l->arena, l->group[i].type, STR("/"), l->group[i].id));
        buf_c(&out, "}}");
    }
    buf_c(&out, "]}");
    return buf_take(&out, &l->arena);
}

static void group_put(Lines *l)
{
    Str answer;
    int status = 0;
    if (l->n > 1) {
        status = api_local_call(l->local, &l->arena, "POST", STR("/fhir"), STR_NONE,
                                group_bundle(l), &answer);
    }
    l->input->imported += status == 200 ? l->n : 0;
    for (size_t i = 0; status != 200 && i < l->n; i++) {
        put_one(l, &l->group[i]);
    }
    l->n = l->bytes = 0;
    arena_reset(&l->arena);
}

static void line_take(Lines *l, Str line, uint64_t number)
{
    JsonDoc d;
    Err err;
    Str body = arena_str(&l->arena, line), want = l->input->type;
    err_init(&err, &l->arena);
    if (json_parse(&l->arena, body, &JSON_LIMITS_FHIR, &d, &err) != OK) {
        refuse_err(l, number, &err, line);
        return;
    }
    Item item = {number, d.bytes, json_str_at(&d, JSON_ROOT, "resourceType"),
                 json_str_at(&d, JSON_ROOT, "id")};
    if (!fhir_resource_find(item.type) || !fhir_id_ok(item.id) ||
        (want.n && !str_eq(item.type, want))) {
        (void)err_add(&err, ERR_INVALID, "required", STR("id"), "导入的资源须有 id，并且是 %.*s",
                      "An imported resource needs an id, and is %.*s",
                      STR_ARG(want.n ? want : STR("R4")));
        refuse_err(l, number, &err, line);
        return;
    }
    l->group[l->n++] = item;
    l->bytes += line.n;
    if (l->n == GROUP_MAX || l->bytes > GROUP_BYTES_MAX) {
        group_put(l);
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
    group_put(l);
    free(line);
}

static Status input_do(Api *api, Arena *a, const BulkJob *job, size_t i, ApiLocal *local, Err *err)
{
    Lines l = {.api = api, .local = local, .input = &job->input[i], .at = i};
    FILE *from = fopen(bulk_path(api, a, job->id, bulk_file(a, "", i)), "re");
    if (!from) {
        return err_add(err, ERR_INTERNAL, NULL, STR_NONE, "输入文件不见了：%s",
                       "The input is not there: %s", strerror(errno));
    }
    l.refused_path = bulk_path(api, a, job->id, bulk_file(a, "refused.", i));
    l.input->imported = l.input->refused = 0;
    (void)unlink(l.refused_path);
    arena_init(&l.arena, 0);
    lines_take(&l, from);
    arena_done(&l.arena);
    fclose(from);
    bool kept = !l.refused || fclose(l.refused) == 0;
    return kept ? OK : err_status(err, ERR_STORAGE_FULL);
}

static Status inputs_do(Api *api, StoreReader *r, Arena *a, BulkJob *job, ApiLocal *local, Err *err)
{
    while (job->done_n < job->input_n) {
        size_t i = job->done_n;
        TRY(fetch(api, r, a, job, i, err));
        TRY(input_do(api, a, job, i, local, err));
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
    ApiLocal *local;
    AccessCaller as = {.username = job->username,
                       .name = job->name,
                       .practitioner = job->practitioner,
                       .address = STR("import")};
    as.post.role = job->role;
    as.post.organization = job->organization;
    TRY(api_local_open(api, &as, &local, err));
    Status s = inputs_do(api, r, a, job, local, err);
    api_local_close(local);
    return s;
}
