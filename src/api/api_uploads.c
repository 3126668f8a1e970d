/* Uploads that nothing has named within the time for it (contracts 1.5). */
#include "api_inner.h"

#include "access_param.h"

#define VERSIONS_AT_ONCE 500
#define REMOVED_AT_ONCE  20

static Status removal_audit(Api *api, const AccessCaller *system, Str what, Err *err)
{
    AccessAudit record = {.caller = system, .action = "D", .what = what, .http_status = 204};
    return access_audit(api->access, &record, true, err);
}

static Status upload_remove(Api *api, StoreUploads *uploads, Arena *a, const StoreUpload *x,
                            Err *err)
{
    AccessCaller system = access_system(api->store);
    StoreAuthor author = access_author(&system);
    Str what = arena_cat(a, STR("Binary/"), str_from_c(x->id));
    bool removed;
    TRY(access_audit_ready(api->access, err));
    TRY(store_uploads_remove(uploads, a, x, &author,
                             arena_cat(a, STR("clock:unnamed-upload "), what), &removed, err));
    if (!removed) {
        return OK;
    }
    log_info("api", "removed %.*s: nothing has named it since its upload", STR_ARG(what));
    return removal_audit(api, &system, what, err);
}

static Status keep(Api *api, StoreUploads *uploads, Arena *a, bool *ret_more, Err *err)
{
    int64_t now_ms = clock_now(api->options.clock);
    int64_t before_ms = now_ms - access_param(ACCESS_UPLOAD_UNNAMED_MS, now_ms);
    StoreUpload x;
    bool end;
    TRY(store_uploads_follow(uploads, VERSIONS_AT_ONCE, &end, err));
    if (end) {
        TRY(store_uploads_look_back(uploads, before_ms, VERSIONS_AT_ONCE, &end, err));
    }
    *ret_more = !end;
    for (int i = 0; end && i < REMOVED_AT_ONCE; i++) {
        if (!store_uploads_oldest(uploads, before_ms, &x)) {
            return OK;
        }
        TRY(upload_remove(api, uploads, a, &x, err));
    }
    *ret_more = true;
    return OK;
}

void api_uploads_keep(Api *api, StoreUploads *uploads, bool *ret_more)
{
    Arena a;
    Err err;
    arena_init(&a, 0);
    err_init(&err, &a);
    if (keep(api, uploads, &a, ret_more, &err) != OK) {
        log_warn("api", "uploads: %.*s", STR_ARG(err.first ? err.first->en : STR_NONE));
        *ret_more = false;
    }
    arena_done(&a);
}
