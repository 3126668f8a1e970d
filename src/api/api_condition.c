/*
 * Conditions: what a query finds is what is created (or not), updated, patched or deleted.
 *
 * A condition looks at what is committed and through the caller's sight. Of several who ask the
 * same at once one creates: they come one after another (api_turn.c), and where the condition names
 * one token (identifier=SYSTEM|VALUE), the writer proves at the commit that still nothing has it.
 */
#include "api_inner.h"

#include "fhir_params.h"

#define DELETE_MAX 500 /* resources that one conditional delete takes away */

Status api_if_match(Str header, ApiWrite *w, Err *err)
{
    Str text = str_trim(header), vid = http_etag_value(text);
    if (!header.p) {
        return OK;
    }
    if (str_is(text, "*")) {
        w->must_exist = true;
        return OK;
    }
    vid = vid.p ? vid : text; /* many write the version bare */
    if (!fhir_id_ok(vid)) {
        return err_add(err, ERR_INVALID, NULL, STR("If-Match"), "If-Match 应形如 W/\"3\"",
                       "If-Match must look like W/\"3\"");
    }
    w->if_match = vid;
    return OK;
}

/* Parameters that shape an answer and choose nothing. */
static bool name_shapes(Str name)
{
    static const char *const SHAPE[] = {"_count",      "_format", "_pretty",   "_summary",
                                        "_total",      "_sort",   "_elements", "_include",
                                        "_revinclude", "_cursor"};
    Str bare, modifier;
    str_cut(name, ':', &bare, &modifier);
    for (size_t i = 0; i < sizeof SHAPE / sizeof *SHAPE; i++) {
        if (str_is(bare, SHAPE[i])) {
            return true;
        }
    }
    return false;
}

Str api_condition_bare(Arena *a, Str query)
{
    Str name, value, first, out = STR_NONE;
    str_cut(query, '=', &first, &value);
    ptrdiff_t mark = str_find_char(first, '?');
    query = mark >= 0 ? str_skip(query, (size_t)mark + 1) : query;
    while (http_next_pair(&query, &name, &value)) {
        if (!name_shapes(name)) {
            out = arena_cat(a, out, out.n ? STR("&") : STR_NONE, name, STR("="), value);
        }
    }
    return out;
}

/* A condition that names nothing, or says nothing of it, would mean everything. */
static Status condition_check(Str query, Err *err)
{
    Str name, value, rest = query;
    bool chooses = false;
    while (http_next_pair(&rest, &name, &value)) {
        chooses = chooses || value.n;
    }
    return chooses ? OK
                   : err_add(err, ERR_INVALID, "required", STR_NONE,
                             "须用查询参数说明条件，例如 identifier=系统|值",
                             "Say which by search parameters, for example identifier=SYSTEM|VALUE");
}

static Status several(const char *where, Str query, Err *err)
{
    return err_add(err, ERR_PRECONDITION, "multiple-matches", str_from_c(where),
                   "有多个资源符合条件“%.*s”", "Several resources match '%.*s'", STR_ARG(query));
}

/* At the commit nothing may have the one token that the condition names. */
static void absence_require(ApiCall *c, StoreBatch *b, Str type, Str query)
{
    Str name, value, rest = query, system, code, decoded;
    if (!http_next_pair(&rest, &name, &value) || rest.n ||
        !http_decode(c->arena, value, true, &decoded)) {
        return;
    }
    const FhirParam *p = fhir_param_find(fhir_resource_find(type), name);
    if (p && p->kind == FHIR_PARAM_TOKEN && str_cut(decoded, '|', &system, &code) && code.n) {
        store_batch_require_no_token(b, type, name, system, code);
    }
}

/* ---- create ---------------------------------------------------------------------------------- */

Status api_if_none_exist(Str given, ApiWrite *w, Err *err)
{
    w->if_none_exist = given;
    return given.p && str_empty(str_trim(given)) ? condition_check(STR_NONE, err) : OK;
}

Status api_condition_place(ApiCall *c, ApiWrite *w, bool *ret_there, Err *err)
{
    const StoreHit *hit;
    size_t n;
    Str query = api_condition_bare(c->arena, w->if_none_exist);
    TRY(condition_check(query, err));
    TRY(api_search_ids(c, w->type, query, 2, &hit, &n, err));
    if (n > 1) {
        return several("If-None-Exist", query, err);
    }
    w->id = n ? hit[0].id : w->id;
    *ret_there = n == 1;
    return OK;
}

/* References in other entries lead to where this one was found, or was to be made. */
static Status place_kept(const ApiWrite *w, Str before, Err *err)
{
    return w->entry < 0 || str_empty(before) || str_eq(w->id, before)
               ? OK
               : err_add(err, ERR_CONFLICT, NULL, STR_NONE,
                         "条件所指的资源刚被他人创建，请重新提交",
                         "What the condition finds was made meanwhile; send it again");
}

Status api_condition_none(ApiCall *c, StoreBatch *b, ApiWrite *w, Err *err)
{
    bool there;
    Str before = w->id;
    TRY(api_condition_place(c, w, &there, err));
    TRY(place_kept(w, before, err));
    if (!there) {
        absence_require(c, b, w->type, api_condition_bare(c->arena, w->if_none_exist));
        return OK;
    }
    w->status = 200;
    w->done = true;
    return store_read(c->reader, c->arena, &c->caller->view, w->type, w->id, &w->version, err);
}

void api_condition_absent(ApiCall *c, StoreBatch *b, const ApiWrite *w)
{
    absence_require(c, b, w->type, api_condition_bare(c->arena, w->condition));
}

/* ---- update, patch, delete ------------------------------------------------------------------- */

static Status patch_target(ApiWrite *w, Str query, Err *err)
{
    return w->target_n ? OK
                       : err_add(err, ERR_NOT_FOUND, NULL, STR_NONE, "没有资源符合条件“%.*s”",
                                 "No resource matches '%.*s'", STR_ARG(query));
}

/* R4: none found creates, under the body's id if it has one; a body's id must be the found one's.
 */
static Status update_target(ApiCall *c, ApiWrite *w, Str body_id, Err *err)
{
    if (w->target_n == 0) {
        bool made = w->id.n > 0; /* by an earlier try */
        if (body_id.n) {
            w->id = body_id;
        } else if (!made) {
            w->id = uuid7(c->arena, c->api->options.random, clock_now(c->api->options.clock));
        }
        return OK;
    }
    if (body_id.n && !str_eq(body_id, w->target[0].id)) {
        return err_add(err, ERR_INVALID, "value", arena_cat(c->arena, w->type, STR(".id")),
                       "内容的 id“%.*s”不是条件所指资源的 id“%.*s”",
                       "The body's id '%.*s' is not the id '%.*s' of what the condition finds",
                       STR_ARG(body_id), STR_ARG(w->target[0].id));
    }
    return OK;
}

/* _count of a conditional delete: at most so many; without it, all or none. */
static Status delete_count(ApiCall *c, Str query, size_t *ret, bool *ret_given, Err *err)
{
    Str name, value, text;
    int64_t n;
    *ret = DELETE_MAX;
    *ret_given = false;
    while (http_next_pair(&query, &name, &value)) {
        if (!str_is(name, "_count")) {
            continue;
        }
        if (!http_decode(c->arena, value, true, &text) || !str_to_i64(text, &n) || n < 1) {
            return err_add(err, ERR_INVALID, "value", STR("_count"), "_count 应为正整数",
                           "_count must be a positive integer");
        }
        *ret = n < DELETE_MAX ? (size_t)n : DELETE_MAX;
        *ret_given = true;
    }
    return OK;
}

static Status delete_targets(ApiCall *c, ApiWrite *w, Str query, Err *err)
{
    size_t max;
    bool given;
    TRY(delete_count(c, w->condition, &max, &given, err));
    TRY(api_search_ids(c, w->type, query, max + 1, &w->target, &w->target_n, err));
    if (w->target_n > max && !given) {
        return err_add(err, ERR_PRECONDITION, "too-costly", STR_NONE,
                       "符合条件的资源超过 %d 个：请缩小条件，或用 _count 分批删除",
                       "More than %d resources match: narrow the condition, or delete in steps "
                       "with _count",
                       DELETE_MAX);
    }
    w->target_n = w->target_n > max ? max : w->target_n;
    return OK;
}

Status api_condition_target(ApiCall *c, ApiWrite *w, Str body_id, Err *err)
{
    Str query = api_condition_bare(c->arena, w->condition);
    TRY(api_type_known(c, w->type, err));
    TRY(condition_check(query, err));
    if (w->method == FHIR_METHOD_DELETE) {
        return delete_targets(c, w, query, err);
    }
    TRY(api_search_ids(c, w->type, query, 2, &w->target, &w->target_n, err));
    if (w->target_n > 1) {
        return several(NULL, query, err);
    }
    TRY(w->method == FHIR_METHOD_PATCH ? patch_target(w, query, err)
                                       : update_target(c, w, body_id, err));
    if (w->target_n) {
        Str before = w->id;
        w->id = w->target[0].id;
        return place_kept(w, before, err);
    }
    return OK;
}
