/* One write from the request to the batch, and its answer; api_commit.c brings it to the log. */
#include "api_glass.h"

#include "care_patient.h"

#include "fhir_params.h"
#include "fhir_r5.h"
#include "store_label.h"
#include "store_params.h"
#include "store_term.h"

/* ---- what does not depend on the store ------------------------------------------------------- */

static Status body_type_check(const ApiWrite *w, Err *err)
{
    Str said = fhir_resource_type(w->doc);
    if (str_eq(said, w->type) || str_empty(said) || !fhir_resource_find(said)) {
        return OK; /* the validator says what is wrong with the latter two */
    }
    return err_add(err, ERR_INVALID, "invalid", STR("resourceType"), "内容是 %.*s，而地址要求 %.*s",
                   "The body is a %.*s, the address says %.*s", STR_ARG(said), STR_ARG(w->type));
}

static Status body_id_check(const ApiWrite *w, Err *err)
{
    if (w->method != FHIR_METHOD_PUT && w->method != FHIR_METHOD_PATCH) {
        return OK;
    }
    Str id = fhir_resource_id(w->doc);
    if (w->condition.n && w->method == FHIR_METHOD_PUT) {
        return OK; /* compared with what the condition finds */
    }
    if (str_empty(w->id)) {
        return err_add(err, ERR_INVALID, "required", STR_NONE,
                       "地址须含 id，或用查询参数说明条件，例如 identifier=系统|值",
                       "The address needs an id, or search parameters that say which, for example "
                       "identifier=SYSTEM|VALUE");
    }
    if (str_empty(id)) {
        return err_add(err, ERR_INVALID, "required", arena_cat(err->arena, w->type, STR(".id")),
                       "内容须含 id“%.*s”", "The body must have the id '%.*s'", STR_ARG(w->id));
    }
    if (!str_eq(id, w->id)) {
        return err_add(err, ERR_INVALID, "value", arena_cat(err->arena, w->type, STR(".id")),
                       "内容的 id“%.*s”与地址的“%.*s”不同",
                       "The body's id '%.*s' is not the address's '%.*s'", STR_ARG(id),
                       STR_ARG(w->id));
    }
    return OK;
}

/* Only the server says where a Binary's bytes are. */
static Status blob_tag_check(const ApiWrite *w, Err *err)
{
    for (JsonIter it = json_iter(w->doc, json_at(w->doc, JSON_ROOT, "meta.tag")); json_next(&it);) {
        if (str_is(json_str_at(w->doc, it.value, "system"), "urn:menkou:blob")) {
            return err_add(err, ERR_UNPROCESSABLE, "value", STR("Binary.meta.tag"),
                           "urn:menkou:blob 标签只能由服务器写入",
                           "Only the server writes a tag of urn:menkou:blob");
        }
    }
    return OK;
}

/* The resource itself; of a PATCH what it became. */
static Status doc_check(ApiCall *c, const ApiWrite *w, Err *err)
{
    StoreTerm term;
    TRY(body_type_check(w, err));
    TRY(body_id_check(w, err));
    store_term_init(&term, c->reader, &c->caller->view);
    FhirCheck check = api_check_of(c, w->type, &term.source);
    TRY(fhir_validate_with(w->doc, JSON_ROOT, &check, err));
    TRY(access_may_label(c->caller, store_labels_of(w->doc), err));
    if (str_is(w->type, "Communication") && api_glass_is_record(w->doc)) {
        return api_glass_refuse(err);
    }
    if (str_is(w->type, "Patient")) {
        CareDesk desk = {!c->caller->integrator, c->caller->view.now_ms, c->api->options.zone_min};
        return care_patient_check(c->arena, w->doc, &desk, err);
    }
    if (str_is(w->type, "SearchParameter")) {
        return store_param_check(c->api->store, c->arena, w->doc, err);
    }
    return str_is(w->type, "Binary") && !w->ours ? blob_tag_check(w, err) : OK;
}

Status api_write_check(ApiCall *c, const ApiWrite *w, Err *err)
{
    static const AccessDo kinds[] = {[FHIR_METHOD_POST] = ACCESS_CREATE,
                                     [FHIR_METHOD_PUT] = ACCESS_UPDATE,
                                     [FHIR_METHOD_PATCH] = ACCESS_UPDATE,
                                     [FHIR_METHOD_DELETE] = ACCESS_DELETE};
    TRY(api_type_known(c, w->type, err));
    TRY(access_may(c->caller, kinds[w->method], w->type, err));
    c->defines = c->defines || str_is(w->type, "StructureDefinition");
    if (w->id.n && !fhir_id_ok(w->id)) {
        return err_add(err, ERR_INVALID, "value", arena_cat(c->arena, w->type, STR(".id")),
                       "id“%.*s”不合规则：1 至 64 个字母、数字、“-”、“.”",
                       "The id '%.*s' is malformed: 1 to 64 letters, digits, '-', '.'",
                       STR_ARG(w->id));
    }
    return w->doc ? doc_check(c, w, err) : OK;
}

/* ---- preparing
 * ------------------------------------------------------------------------------------ */

static Status new_prepare(ApiCall *c, StoreBatch *b, ApiScope *scope, ApiWrite *w, Err *err)
{
    TRY(api_patients_visible(c, w, scope, err));
    TRY(flow_guard_raw_write(c->api->flow, c->reader, c->arena, w->type, STR_NONE, w->doc, err));
    TRY(api_id_card_free(c, b, w, NULL, err));
    TRY(store_batch_create_doc(b, w->type, w->id, w->doc, &w->id, err));
    return api_grants_add(c, b, w, NULL, err);
}

static Status create_prepare(ApiCall *c, StoreBatch *b, ApiScope *scope, ApiWrite *w, Err *err)
{
    if (w->if_none_exist.n) {
        TRY(api_condition_none(c, b, w, err));
    }
    return w->done ? OK : new_prepare(c, b, scope, w, err);
}

/*
 * What stands there now. Out of sight is not found; *ret_there false: unknown or deleted, with
 * *ret_deleted telling which.
 */
static Status before_read(ApiCall *c, const ApiWrite *w, StoreVersion *ret, bool *ret_there,
                          bool *ret_deleted, Err *err)
{
    Err quiet;
    err_init(&quiet, c->arena);
    Status status = store_read(c->reader, c->arena, &STORE_VIEW_ALL, w->type, w->id, ret, &quiet);
    *ret_there = status == OK;
    *ret_deleted = status == ERR_GONE;
    if (status == ERR_NOT_FOUND || status == ERR_GONE) {
        return OK;
    }
    if (status != OK) {
        return err_move(err, &quiet, STR_NONE);
    }
    StoreVersion seen;
    return api_read_version(c, w->type, w->id, STR_NONE, &seen, err);
}

static Status if_match_test(const ApiWrite *w, const StoreVersion *before, bool there, Err *err)
{
    if (w->must_exist && !there) {
        return err_add(err, ERR_PRECONDITION, NULL, STR("If-Match"), "资源不存在",
                       "The resource is not there");
    }
    if (w->must_be_new && there) {
        return err_add(err, ERR_PRECONDITION, NULL, STR("If-None-Match"), "资源已存在",
                       "The resource is there already");
    }
    if (w->if_match.n && (!there || !str_eq(before->vid, w->if_match))) {
        return err_add(
            err, ERR_PRECONDITION, NULL, STR("If-Match"), "当前版本不是“%.*s”，请刷新后重试",
            "The current version is not '%.*s'; reload and try again", STR_ARG(w->if_match));
    }
    return OK;
}

static Status unknown(const ApiWrite *w, bool deleted, Err *err)
{
    return deleted ? err_add(err, ERR_GONE, NULL, STR_NONE, "%.*s/%.*s 已删除",
                             "%.*s/%.*s is deleted", STR_ARG(w->type), STR_ARG(w->id))
                   : err_add(err, ERR_NOT_FOUND, NULL, STR_NONE, "没有找到 %.*s/%.*s",
                             "%.*s/%.*s is not known", STR_ARG(w->type), STR_ARG(w->id));
}

/* The patch is done on this version: another one at the commit means that it is done again. */
static Status patch_prepare(ApiCall *c, StoreBatch *b, ApiWrite *w, const StoreVersion *before,
                            Err *err)
{
    TRY(api_patch_apply(c, w->patch, before->body, &w->doc, err));
    store_batch_require_version(b, w->type, w->id, before->vid);
    return doc_check(c, w, err);
}

/* The same content as what stands there: no new version. */
static Status unchanged_take(ApiCall *c, StoreBatch *b, ApiWrite *w, const StoreVersion *before,
                             Err *err)
{
    JsonDoc d;
    TRY(json_parse(c->arena, before->body, &JSON_LIMITS_FHIR, &d, err));
    if (!fhir_resource_same(&d, JSON_ROOT, w->doc, JSON_ROOT)) {
        return OK;
    }
    store_batch_require_version(b, w->type, w->id, before->vid);
    w->version = *before;
    w->status = 200;
    w->done = true;
    return OK;
}

/* What was not there must not have come meanwhile. */
static void newness_require(StoreBatch *b, const ApiWrite *w, bool there, bool deleted)
{
    if (w->must_be_new && !there && !deleted) {
        store_batch_require_version(b, w->type, w->id, STR_NONE);
    }
}

static Status update_prepare(ApiCall *c, StoreBatch *b, ApiScope *scope, ApiWrite *w, Err *err)
{
    StoreVersion before;
    bool there, deleted;
    if (w->condition.n && w->target_n == 0) {
        api_condition_absent(c, b, w);
        return new_prepare(c, b, scope, w, err);
    }
    TRY(before_read(c, w, &before, &there, &deleted, err));
    TRY(api_glass_guard(c, there ? &before : NULL, err));
    TRY(if_match_test(w, &before, there, err));
    if (w->patch) {
        TRY(there ? patch_prepare(c, b, w, &before, err) : unknown(w, deleted, err));
    }
    TRY(api_patients_visible(c, w, scope, err));
    TRY(flow_guard_raw_write(c->api->flow, c->reader, c->arena, w->type, w->id, w->doc, err));
    if (there) {
        TRY(unchanged_take(c, b, w, &before, err));
    }
    if (w->done) {
        return OK;
    }
    newness_require(b, w, there, deleted);
    TRY(api_id_card_free(c, b, w, there ? &before : NULL, err));
    TRY(store_batch_update_doc(b, w->type, w->id, w->doc, w->if_match, err));
    return api_grants_add(c, b, w, there ? &before : NULL, err);
}

static Status delete_one(ApiCall *c, StoreBatch *b, ApiWrite *w, Err *err)
{
    StoreVersion before;
    bool there, deleted;
    TRY(before_read(c, w, &before, &there, &deleted, err));
    TRY(api_glass_guard(c, there ? &before : NULL, err));
    TRY(if_match_test(w, &before, there, err));
    if (!there) {
        return deleted ? OK : unknown(w, false, err);
    }
    TRY(flow_guard_raw_write(c->api->flow, c->reader, c->arena, w->type, w->id, NULL, err));
    if (str_is(w->type, "Patient")) {
        store_batch_require_unreferenced(b, w->id);
    }
    api_touch_version(c, &before);
    w->changes++;
    return store_batch_delete(b, w->type, w->id, w->if_match, err);
}

static Status delete_prepare(ApiCall *c, StoreBatch *b, ApiWrite *w, Err *err)
{
    w->status = 204;
    w->changes = 0;
    if (str_empty(w->condition)) {
        TRY(delete_one(c, b, w, err));
    }
    for (size_t i = 0; w->condition.n && i < w->target_n; i++) {
        w->id = w->target[i].id;
        TRY(delete_one(c, b, w, err));
    }
    w->done = w->changes == 0;
    return OK;
}

Status api_write_prepare(ApiCall *c, StoreBatch *b, ApiScope *scope, ApiWrite *w, Err *err)
{
    w->done = false;
    w->changes = 1;
    if (w->entry < 0 && w->method != FHIR_METHOD_POST && (w->condition.n || str_empty(w->id))) {
        Str id = w->doc ? fhir_resource_id(w->doc) : STR_NONE;
        TRY(api_condition_target(c, w, id, err));
    }
    switch (w->method) {
    case FHIR_METHOD_POST:
        return create_prepare(c, b, scope, w, err);
    case FHIR_METHOD_PUT:
    case FHIR_METHOD_PATCH:
        return update_prepare(c, b, scope, w, err);
    default:
        return delete_prepare(c, b, w, err);
    }
}

/* ---- single requests
 * ---------------------------------------------------------------------------------- */

static Str location_of(ApiCall *c, const StoreVersion *v)
{
    return arena_cat(c->arena, STR("/fhir/"), v->type, STR("/"), v->id, STR("/_history/"), v->vid);
}

static Str outcome_fine(ApiCall *c, const ApiWrite *w)
{
    Err none;
    err_init(&none, c->arena);
    if (w->method == FHIR_METHOD_DELETE && w->condition.n) {
        err_warn(&none, "informational", STR_NONE,
                 arena_printf(c->arena, "已删除 %zu 个资源", w->changes),
                 arena_printf(c->arena, "Deleted: %zu", w->changes));
        none.last->severity = SEVERITY_INFORMATION;
    }
    Buf out;
    buf_init(&out, 0);
    fhir_outcome_write(&out, &none, c->lang);
    return buf_take(&out, c->arena);
}

void api_write_result(ApiCall *c, const ApiWrite *w, ApiResult *ret)
{
    Str prefer = http_header(&c->http->request, "Prefer");
    bool outcome = str_find(prefer, STR("return=OperationOutcome")) >= 0;
    *ret = (ApiResult){.status = w->status};
    if (w->status == 204) {
        ret->etag = w->version.vid.n ? api_etag(c->arena, w->version.vid) : STR_NONE;
        ret->status = outcome ? 200 : 204;
        ret->body = outcome ? outcome_fine(c, w) : STR_NONE;
        return;
    }
    api_result_version(c, w->status, &w->version, ret);
    if (w->status == 201) {
        ret->location = location_of(c, &w->version);
    }
    if (str_find(prefer, STR("return=minimal")) >= 0) {
        ret->body = STR_NONE;
    } else if (outcome) {
        ret->body = outcome_fine(c, w);
    }
}

/* If-Match, If-None-Match: *, and the condition where the address names no id. */
static Status headers_take(ApiCall *c, ApiWrite *w)
{
    const HttpRequest *r = &c->http->request;
    if (w->method == FHIR_METHOD_POST) {
        return OK;
    }
    w->must_be_new = str_is(str_trim(http_header(r, "If-None-Match")), "*");
    w->condition = str_empty(w->id) ? r->query : STR_NONE;
    return api_if_match(http_header(r, "If-Match"), w, &c->err);
}

Status api_write_single(ApiCall *c, ApiWrite *w)
{
    Str key = STR_NONE;
    bool known = false;
    StoreMemory memory;
    w->entry = -1;
    TRY(headers_take(c, w));
    TRY(api_write_check(c, w, &c->err));
    if (w->method == FHIR_METHOD_POST) {
        TRY(api_idempotency_key(c, &key, &c->err));
        TRY(api_remembered(c, key, &known, &memory, &c->err));
    }
    Str cause = arena_cat(c->arena, str_from_c(fhir_method_name(w->method)), STR(" "), w->type,
                          w->id.n ? STR("/") : STR_NONE, w->id);
    ApiCommit commit = {.write = w,
                        .n = 1,
                        .cause = cause,
                        .key = key,
                        .remember_status = 201,
                        .ret_known = &known,
                        .ret_memory = &memory};
    if (!known) {
        TRY(api_write_commit(c, &commit, &c->err));
    }
    if (known) {
        w->version = memory.versions[0];
        w->status = memory.http_status;
    }
    api_write_result(c, w, &c->result);
    c->what = w->condition.n
                  ? arena_cat(c->arena, w->type, STR("?"), w->condition)
                  : arena_cat(c->arena, w->type, STR("/"), w->version.id.n ? w->version.id : w->id);
    return OK;
}

/* Of what is named by its id, or made, the query has nothing to choose. */
Status api_write_address(ApiCall *c, Str id)
{
    bool chosen = c->http->request.method != HTTP_POST && str_empty(id);
    return chosen ? OK : api_query_only(c, API_FORM_PARAMETERS);
}

/* The body of a write, as it is to be kept. */
static Status body_read(ApiCall *c, JsonDoc *ret)
{
    JsonDoc received;
    TRY(api_body(c, &received));
    return fhir_from_r5(c->arena, &received, ret, &c->err);
}

Status api_create(ApiCall *c)
{
    JsonDoc d;
    TRY(api_type_known(c, c->http->request.part[0], &c->err));
    TRY(api_write_address(c, c->http->request.part[1]));
    TRY(body_read(c, &d));
    ApiWrite w = {.method = FHIR_METHOD_POST, .type = c->http->request.part[0], .doc = &d};
    TRY(api_if_none_exist(http_header(&c->http->request, "If-None-Exist"), &w, &c->err));
    return api_write_single(c, &w);
}

Status api_update(ApiCall *c)
{
    JsonDoc d;
    TRY(api_type_known(c, c->http->request.part[0], &c->err));
    TRY(api_write_address(c, c->http->request.part[1]));
    TRY(body_read(c, &d));
    ApiWrite w = {.method = FHIR_METHOD_PUT,
                  .type = c->http->request.part[0],
                  .id = c->http->request.part[1],
                  .doc = &d};
    return api_write_single(c, &w);
}

Status api_delete(ApiCall *c)
{
    ApiWrite w = {.method = FHIR_METHOD_DELETE,
                  .type = c->http->request.part[0],
                  .id = c->http->request.part[1]};
    TRY(api_write_address(c, w.id));
    return api_write_single(c, &w);
}
