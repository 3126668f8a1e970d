#include "access.h"

#include <sodium.h>
#include <stdlib.h>

#include "access_inner.h"

#include "mk_banned.h"

Status access_open(Store *s, const char *dir, Access **ret, Err *err)
{
    if (sodium_init() < 0) {
        return err_add(err, ERR_INTERNAL, NULL, STR_NONE, "密码库无法启动",
                       "The cryptographic library does not start");
    }
    Access *x = calloc(1, sizeof *x);
    mk_check(x != NULL);
    x->store = s;
    random_init_system(&x->random);
    lockout_init(&x->lockout, &x->random);
    sessions_init(&x->sessions, store_seq(s));
    Status status = lockout_load(&x->lockout, s, clock_now(store_clock(s)), err);
    status = status == OK && dir ? audit_open(s, dir, &x->audit, err) : status;
    if (status != OK) {
        access_close(x);
        return status;
    }
    *ret = x;
    return OK;
}

void access_close(Access *x)
{
    if (!x) {
        return;
    }
    audit_close(x->audit);
    sessions_done(&x->sessions);
    lockout_done(&x->lockout);
    free(x);
}

AccessCaller access_system(const Store *s)
{
    AccessCaller caller = {.username = STR("system"), .name = STR("system")};
    caller.post.role = STR("system");
    caller.view = STORE_VIEW_ALL;
    caller.view.now_ms = clock_now(store_clock(s));
    return caller;
}

StoreAuthor access_author(const AccessCaller *caller)
{
    bool nobody = str_empty(caller->practitioner);
    return (StoreAuthor){.author = nobody ? caller->username : caller->practitioner,
                         .role = caller->post.role,
                         .org = caller->post.organization};
}

Status access_audit(Access *x, const AccessAudit *record, bool is_write, Err *err)
{
    return x->audit ? audit_append(x->audit, record, is_write, err) : OK;
}

Status access_audit_ready(Access *x, Err *err)
{
    return x->audit ? audit_ready(x->audit, err) : OK;
}
