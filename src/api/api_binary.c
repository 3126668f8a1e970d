/* Binary by its own bytes, and $ecg, which reads a stored file as a recording. */
#include "access_diagnosis.h"
#include "api_inner.h"

#include <stdlib.h>

#include "ecg_parameters.h"
#include "store_binary.h"
#include "store_blob_part.h"

/* ---- bytes of a Binary ------------------------------------------------------------------------
 */

static Status bytes_of(ApiCall *c, const JsonDoc *d, Str *ret)
{
    Str blob = store_binary_sha(d);
    if (blob.n) {
        return store_blob_get(c->api->store, c->arena, blob, ret, &c->err);
    }
    Str data = json_str_at(d, JSON_ROOT, "data");
    *ret = STR_NONE;
    if (data.n && !base64_decode(c->arena, data, false, ret)) {
        return err_add(&c->err, ERR_INTERNAL, NULL, STR("Binary.data"),
                       "Binary 的 data 不是 base64", "The data of the Binary is not base64");
    }
    return OK;
}

static Status binary_load(ApiCall *c, Str id, StoreVersion *ret_version, JsonDoc *ret)
{
    TRY(api_read_version(c, STR("Binary"), id, STR_NONE, ret_version, &c->err));
    api_touch_version(c, ret_version);
    return json_parse(c->arena, ret_version->body, &JSON_LIMITS_FHIR, ret, &c->err);
}

/* ---- reading
 * ---------------------------------------------------------------------------------------- */

/* By _format, or an Accept that names JSON or FHIR's XML: other types are the bytes' own. */
static bool wants_resource(ApiCall *c)
{
    Str accept = http_header(&c->http->request, "Accept");
    bool named = str_find(accept, STR("json")) >= 0 || str_find(accept, STR("fhir+xml")) >= 0;
    return (api_query(c, "_format").n || named) && api_form_choose(c);
}

/* The resource with its data, wherever they stand. */
static Status resource_answer(ApiCall *c, const StoreVersion *v, const JsonDoc *d)
{
    api_result_version(c, 200, v, &c->result);
    if (str_empty(store_binary_sha(d))) {
        return OK;
    }
    Str bytes;
    TRY(bytes_of(c, d, &bytes));
    Str data = arena_cat(c->arena, STR("\""), base64_encode(c->arena, bytes, false), STR("\""));
    JsonSplice splice = json_splice_member(c->arena, d, JSON_ROOT, "data", data, "contentType");
    c->result.body = json_splice(c->arena, d->bytes, &splice, 1);
    return OK;
}

static Status raw_answer(ApiCall *c, const StoreVersion *v, const JsonDoc *d)
{
    Str type = json_str_at(d, JSON_ROOT, "contentType");
    c->result =
        (ApiResult){.status = 200, .etag = api_etag(c->arena, v->vid), .modified_ms = v->at_ms};
    c->result.media = type.n ? arena_cstr(c->arena, type) : "application/octet-stream";
    /* What a person uploaded must not run as a page of ours. */
    http_set_header(c->http, "Content-Security-Policy", STR("default-src 'none'; sandbox"));
    return bytes_of(c, d, &c->result.body);
}

Status api_binary_read(ApiCall *c)
{
    StoreVersion v;
    JsonDoc d;
    Str id = c->http->request.part[0];
    c->what = arena_cat(c->arena, STR("Binary/"), id);
    TRY(binary_load(c, id, &v, &d));
    TRY(wants_resource(c) ? resource_answer(c, &v, &d) : raw_answer(c, &v, &d));
    if (http_etag_listed(http_header(&c->http->request, "If-None-Match"), c->result.etag)) {
        c->result.status = 304;
        c->result.body = STR_NONE;
    }
    return OK;
}

/* ---- writing
 * ------------------------------------------------------------------------------------------- */

/* type/subtype of printable characters; nothing that could end a header. */
static bool media_ok(Str media)
{
    ptrdiff_t slash = str_find_char(media, '/');
    for (size_t i = 0; i < media.n; i++) {
        if (media.p[i] <= ' ' || media.p[i] > '~') {
            return false;
        }
    }
    return slash > 0 && (size_t)slash + 1 < media.n && media.n <= 200;
}

static Status context_check(ApiCall *c, Str context)
{
    FhirRef ref = fhir_ref_parse(context);
    if (context.n &&
        (ref.kind != FHIR_REF_RELATIVE || !fhir_resource_find(ref.type) || !fhir_id_ok(ref.id))) {
        return err_add(&c->err, ERR_INVALID, "value", STR("X-Security-Context"),
                       "X-Security-Context 应形如 Patient/ID",
                       "X-Security-Context must look like Patient/ID");
    }
    return OK;
}

/* A resource says itself whose it is. */
static Status context_same(ApiCall *c, Str context, const JsonDoc *d)
{
    return !context.n || str_eq(context, json_str_at(d, JSON_ROOT, "securityContext.reference"))
               ? OK
               : err_add(&c->err, ERR_INVALID, "value", STR("X-Security-Context"),
                         "以资源形式提交时请写在 Binary.securityContext 中",
                         "In a Binary that is sent as a resource its securityContext says it");
}

/* The small resource that stands in the log for raw bytes. */
static Status raw_resource(ApiCall *c, Str id, Str media, Str context, JsonDoc *ret)
{
    Str sha, bytes = c->http->request.body;
    TRY(store_blob_put(c->api->store, c->arena, bytes, &sha, &c->err));
    Str body = store_binary_body(c->arena, id, media, sha, bytes.n, context);
    return json_parse(c->arena, body, &JSON_LIMITS_FHIR, ret, &c->err);
}

static Status binary_write(ApiCall *c, FhirMethod method, Str id)
{
    const HttpRequest *r = &c->http->request;
    Str media = http_media(c->arena, http_header(r, "Content-Type"));
    Str context = http_header(r, "X-Security-Context");
    JsonDoc d;
    ApiWrite w = {.method = method, .type = STR("Binary"), .id = id, .doc = &d};
    TRY(access_may(c->caller, method == FHIR_METHOD_POST ? ACCESS_CREATE : ACCESS_UPDATE, w.type,
                   &c->err));
    TRY(api_write_address(c, id));
    if (str_is(media, "application/fhir+json") || str_is(media, "application/fhir+xml")) {
        TRY(api_body(c, &d));
        TRY(context_same(c, context, &d));
        return api_write_single(c, &w);
    }
    if (!media_ok(media)) {
        return err_add(&c->err, ERR_MEDIA, NULL, STR("Content-Type"),
                       "缺少 Content-Type，或其格式有误", "Content-Type is missing or malformed");
    }
    TRY(context_check(c, context));
    w.ours = true;
    TRY(raw_resource(c, id, media, context, &d));
    return api_write_single(c, &w);
}

Status api_binary_create(ApiCall *c)
{
    return binary_write(c, FHIR_METHOD_POST, STR_NONE);
}

Status api_binary_update(ApiCall *c)
{
    return binary_write(c, FHIR_METHOD_PUT, c->http->request.part[0]);
}

/* ---- $ecg
 * -------------------------------------------------------------------------------------------------
 */

#define BLOB_WHOLE_BYTES (8u << 20) /* above it a blob is read where it is needed */

/* A small blob is read and proved whole. */
static Status blob_file(ApiCall *c, Str sha, EcgFile *ret)
{
    StoreBlob *blob;
    TRY(store_blob_open(c->api->store, c->arena, sha, &blob, &c->err));
    if (blob->size <= BLOB_WHOLE_BYTES) {
        return store_blob_get(c->api->store, c->arena, sha, &ret->bytes, &c->err);
    }
    ret->size = blob->size;
    ret->read = store_blob_part;
    ret->from = blob;
    return OK;
}

static Status file_load(ApiCall *c, Str id, Str title, EcgFile *ret)
{
    StoreVersion v;
    JsonDoc d;
    TRY(binary_load(c, id, &v, &d));
    *ret = (EcgFile){.title = title};
    Str sha = store_binary_sha(&d);
    return sha.n ? blob_file(c, sha, ret) : bytes_of(c, &d, &ret->bytes);
}

/* ?file=NAME=Binary/ID, once per file of a record that has several. */
static Status files_named(ApiCall *c, EcgFile *file, size_t *ret_n)
{
    Str rest = c->http->request.query, key, value, text, title, reference;
    size_t n = 0;
    while (http_next_pair(&rest, &key, &value)) {
        if (!str_is(key, "file")) {
            continue;
        }
        if (!http_decode(c->arena, value, true, &text) || !str_cut(text, '=', &title, &reference) ||
            !str_starts(reference, STR("Binary/")) || n == ECG_FILES_MAX) {
            return err_add(&c->err, ERR_INVALID, "value", STR("file"),
                           "file 应形如 文件名=Binary/ID，至多 %u 个",
                           "file must look like NAME=Binary/ID, at most %u of them", ECG_FILES_MAX);
        }
        TRY(file_load(c, str_skip(reference, strlen("Binary/")), title, &file[n]));
        n++;
    }
    *ret_n = n;
    return OK;
}

/* The files of the document that names this Binary, each with its title there; none if no document
 * does. */
static Status files_beside(ApiCall *c, Str id, EcgFile *file, size_t *ret_n)
{
    const StoreHit *hit;
    size_t hits_n, n = 0;
    JsonDoc d;
    Str query = arena_cat(c->arena, STR("location=Binary/"), id, STR("&_sort=-_lastUpdated"));
    TRY(api_search_ids(c, STR("DocumentReference"), query, 1, &hit, &hits_n, &c->err));
    *ret_n = 0;
    if (hits_n == 0) {
        return OK;
    }
    TRY(json_parse(c->arena, hit->body, &JSON_LIMITS_FHIR, &d, &c->err));
    for (JsonIter it = json_iter(&d, json_get_c(&d, JSON_ROOT, "content")); json_next(&it);) {
        Str url = json_str_at(&d, it.value, "attachment.url");
        if (str_starts(url, STR("Binary/")) && n < ECG_FILES_MAX) {
            TRY(file_load(c, str_skip(url, strlen("Binary/")),
                          json_str_at(&d, it.value, "attachment.title"), &file[n]));
            n++;
        }
    }
    *ret_n = n;
    return OK;
}

/* Seconds with a fraction, as milliseconds; `*ret` stays where the parameter is not there. */
static Status seconds_param(ApiCall *c, const char *name, int64_t *ret)
{
    Str text = api_query(c, name);
    char *end;
    if (text.n == 0) {
        return OK;
    }
    double s = strtod(arena_cstr(c->arena, text), &end);
    if (*end != '\0' || !(s >= 0 && s <= INT32_MAX)) {
        return err_add(&c->err, ERR_INVALID, "value", str_from_c(name), "%s 应为不小于 0 的秒数",
                       "%s must be seconds, 0 or more", name);
    }
    *ret = (int64_t)(s * 1000 + 0.5);
    return OK;
}

static Status overview_param(ApiCall *c, size_t *ret)
{
    Str text = api_query(c, "overview");
    int64_t n;
    if (text.n == 0) {
        return OK;
    }
    if (!str_to_i64(text, &n) || n < 1 || n > ECG_BUCKETS_MAX) {
        return err_add(&c->err, ERR_INVALID, "value", STR("overview"),
                       "overview 应为 1 至 %u 的整数",
                       "overview must be a whole number from 1 to %u", ECG_BUCKETS_MAX);
    }
    *ret = (size_t)n;
    return OK;
}

static Status leads_param(ApiCall *c, EcgPart *part)
{
    Str rest = api_query(c, "leads");
    Str *lead = arena_array(c->arena, Str, ECG_LEADS_MAX);
    part->lead = lead;
    while (rest.n > 0) {
        if (part->n_leads == ECG_LEADS_MAX) {
            return err_add(&c->err, ERR_INVALID, "value", STR("leads"), "leads 至多 %u 个",
                           "leads takes at most %u names", ECG_LEADS_MAX);
        }
        str_cut(rest, ',', &lead[part->n_leads++], &rest);
    }
    return OK;
}

/* start, duration, leads, overview (docs/formats/ecg-parameters.md). With only an overview no
 * samples are asked for. */
static Status part_read(ApiCall *c, EcgPart *ret, bool *ret_window)
{
    EcgPart part = {.samples_max = ECG_PROVED_SAMPLES};
    int64_t length = -1, start = -1;
    TRY(seconds_param(c, "start", &start));
    TRY(seconds_param(c, "duration", &length));
    TRY(overview_param(c, &part.buckets));
    TRY(leads_param(c, &part));
    bool window = start >= 0 || length >= 0;
    part.from_ms = start > 0 ? start : 0;
    part.to_ms = length >= 0 ? part.from_ms + length : ECG_END;
    part.to_ms = !window && part.buckets > 0 ? part.from_ms : part.to_ms;
    *ret_window = window || part.buckets > 0;
    *ret = part;
    return OK;
}

/* A file that is no recording by itself may be one of several of a record that a case holds. */
static Status recording_read(ApiCall *c, Str id, const EcgPart *part, EcgFile *file,
                             EcgRecording *ret)
{
    Err alone;
    size_t n;
    err_init(&alone, c->arena);
    TRY(file_load(c, id, STR_NONE, &file[0]));
    if (ecg_read_part(c->arena, file, 1, part, ret, &alone) == OK) {
        return OK;
    }
    TRY(files_beside(c, id, file, &n));
    if (n < 2) {
        c->err = alone;
        return alone.status;
    }
    return ecg_read_part(c->arena, file, n, part, ret, &c->err);
}

Status api_ecg(ApiCall *c)
{
    EcgFile *file = arena_array(c->arena, EcgFile, ECG_FILES_MAX);
    EcgPart part;
    EcgRecording recording;
    bool window;
    size_t n;
    Str id = c->http->request.part[0];
    c->what = arena_cat(c->arena, STR("Binary/"), id, STR("/$ecg"));
    TRY(part_read(c, &part, &window));
    TRY(files_named(c, file, &n));
    TRY(n ? ecg_read_part(c->arena, file, n, &part, &recording, &c->err)
          : recording_read(c, id, &part, file, &recording));
    Buf out;
    buf_init(&out, 0);
    ecg_parameters_write(&out, &recording, window ? &part : NULL,
                         !access_diagnosis_on(c->reader, c->arena));
    c->result = (ApiResult){.status = 200, .body = buf_take(&out, c->arena)};
    return OK;
}
