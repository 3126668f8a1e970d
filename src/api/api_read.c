/* Reading one resource: the present version or a given one. */
#include "api_audit.h"

/*
 * A Binary that is nobody's (no security context yet) is its uploader's alone until a resource
 * that has a patient names it.
 */
static bool binary_hidden(const ApiCall *c, Str type, const StoreVersion *v)
{
    return str_is(type, "Binary") && v->patients_n == 0 && !c->caller->view.everything &&
           !str_eq(v->author, api_person(c));
}

static Status deleted(Err *err, Str type, Str id)
{
    return err_add(err, ERR_GONE, NULL, STR_NONE, "%.*s/%.*s 已删除", "%.*s/%.*s is deleted",
                   STR_ARG(type), STR_ARG(id));
}

static Status not_found(Err *err, Str type, Str id, Str vid)
{
    if (vid.n) {
        return err_add(err, ERR_NOT_FOUND, NULL, STR_NONE, "没有找到 %.*s/%.*s 的版本 %.*s",
                       "%.*s/%.*s has no version %.*s that is known", STR_ARG(type), STR_ARG(id),
                       STR_ARG(vid));
    }
    return err_add(err, ERR_NOT_FOUND, NULL, STR_NONE, "没有找到 %.*s/%.*s",
                   "%.*s/%.*s is not known", STR_ARG(type), STR_ARG(id));
}

Status api_read_version(ApiCall *c, Str type, Str id, Str vid, StoreVersion *ret, Err *err)
{
    TRY(api_type_known(c, type, err));
    TRY(access_may(c->caller, ACCESS_READ, type, err));
    if (api_audit_is_asked(c, type)) {
        return str_empty(vid) || str_is(vid, "1") ? api_audit_read(c, id, ret, err)
                                                  : not_found(err, type, id, vid);
    }
    const StoreView *view = &c->caller->view;
    Err inner;
    err_init(&inner, c->arena);
    Status status = vid.n ? store_vread(c->reader, c->arena, view, type, id, vid, ret, &inner)
                          : store_read(c->reader, c->arena, view, type, id, ret, &inner);
    if (status == ERR_NOT_FOUND || (status == OK && binary_hidden(c, type, ret))) {
        return not_found(err, type, id, vid);
    }
    if (status == ERR_GONE && inner.first && str_is(inner.first->rule, "purged")) {
        return err_move(err, &inner, STR_NONE);
    }
    if (status == ERR_GONE || (status == OK && ret->op == STORE_DELETE)) {
        return deleted(err, type, id);
    }
    return status == OK ? OK : err_move(err, &inner, STR_NONE);
}

Status api_read_one(ApiCall *c, Str type, Str id, Str vid, ApiResult *ret, Err *err)
{
    StoreVersion v;
    TRY(api_read_version(c, type, id, vid, &v, err));
    api_result_version(c, 200, &v, ret);
    return OK;
}

static Status read_answer(ApiCall *c, Str type, Str id, Str vid)
{
    ApiSubset subset;
    TRY(api_type_known(c, type, &c->err));
    TRY(api_query_only(c, "_summary, _elements, " API_FORM_PARAMETERS));
    TRY(api_subset_read(c, type, &subset));
    TRY(api_read_one(c, type, id, vid, &c->result, &c->err));
    c->result.body = api_subset_body(c, &subset, type, c->result.body);
    return OK;
}

/* 304 when the caller has this version already; If-None-Match goes before If-Modified-Since. */
static void not_modified(ApiCall *c)
{
    Str list = http_header(&c->http->request, "If-None-Match");
    Str since = http_header(&c->http->request, "If-Modified-Since");
    int64_t since_ms;
    bool same = list.n ? http_etag_listed(list, c->result.etag)
                       : since.n && c->result.modified_ms && http_date_parse(since, &since_ms) &&
                             c->result.modified_ms / MS_SECOND <= since_ms / MS_SECOND;
    if (same) {
        c->result.status = 304;
        c->result.body = STR_NONE;
    }
}

Status api_read(ApiCall *c)
{
    const Str *part = c->http->request.part;
    c->what = arena_cat(c->arena, part[0], STR("/"), part[1]);
    TRY(read_answer(c, part[0], part[1], STR_NONE));
    not_modified(c);
    return OK;
}

Status api_vread(ApiCall *c)
{
    const Str *part = c->http->request.part;
    c->what = arena_cat(c->arena, part[0], STR("/"), part[1], STR("/_history/"), part[2]);
    TRY(read_answer(c, part[0], part[1], part[2]));
    not_modified(c);
    return OK;
}
