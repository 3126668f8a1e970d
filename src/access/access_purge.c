/* Two administrators, a reason and a time: what stands before an erasure. */
#include "access_purge.h"

#include "access_inner.h"

#include "mk_banned.h"

#define REASON_CHARS_MIN 4
#define REASON_CHARS_MAX 500
#define PURGES_SHOWN_MAX 200

const char *purge_state_word(StorePurgeState state)
{
    static const char *const WORDS[] = {
        [PURGE_PROPOSED] = "proposed",   [PURGE_CONFIRMED] = "confirmed",
        [PURGE_ERASING] = "erasing",     [PURGE_TIDYING] = "tidying",
        [PURGE_DONE] = "erased",         [PURGE_DENIED] = "denied",
        [PURGE_WITHDRAWN] = "withdrawn", [PURGE_EXPIRED] = "expired"};
    return WORDS[state];
}

uint64_t purge_tidy_bytes(int64_t now_ms)
{
    return (uint64_t)access_param(ACCESS_PURGE_TIDY_BYTES, now_ms);
}

/* ---- What would go ---------------------------------------------------------------------------
 */

static Status extent_look(StoreReader *r, Arena *a, Str target, StorePurgeExtent *ret, Err *err)
{
    StorePurgeExtent extent;
    TRY(store_purge_look(r, a, target, &extent, err));
    if (extent.open_tasks) {
        return err_rule(err, ERR_CONFLICT, STR("open-case"), STR("target"),
                        "还有 %llu 个未结束的任务，请先办结或取消",
                        "%llu tasks of theirs are still at work; finish or cancel them first",
                        (unsigned long long)extent.open_tasks);
    }
    *ret = extent;
    return OK;
}

Status purges_look(StoreReader *r, Arena *a, const AccessCaller *caller, Str target,
                   StorePurgeExtent *ret, Err *err)
{
    TRY(access_purge_may(caller, PURGE_DO_PROPOSE, err));
    return extent_look(r, a, target, ret, err);
}

/* ---- Proposing -------------------------------------------------------------------------------
 */

static Status reason_good(Str reason, Err *err)
{
    size_t n = utf8_valid(reason) ? utf8_count(reason) : 0;
    if (n >= REASON_CHARS_MIN && n <= REASON_CHARS_MAX) {
        return OK;
    }
    return err_rule(err, ERR_UNPROCESSABLE, STR("reason-missing"), STR("reason"),
                    "请写明清除的依据（%d–%d 个字）", "Say why, in %d–%d characters",
                    REASON_CHARS_MIN, REASON_CHARS_MAX);
}

Status purges_propose(Access *x, StoreReader *r, Arena *a, const AccessCaller *caller, Str target,
                      Str reason, StorePurge *ret, Err *err)
{
    int64_t now_ms = clock_now(store_clock(x->store));
    StorePurge p = {.id = uuid7(a, &x->random, now_ms),
                    .state = PURGE_PROPOSED,
                    .target = target,
                    .reason = str_trim(reason),
                    .proposer = caller->username,
                    .proposed_ms = now_ms,
                    .expires_ms = now_ms + access_param(ACCESS_PURGE_CONFIRM_MS, now_ms)};
    TRY(access_purge_may(caller, PURGE_DO_PROPOSE, err));
    TRY(reason_good(p.reason, err));
    TRY(extent_look(r, a, target, &p.extent, err));
    if (p.extent.versions == 0) {
        return err_rule(err, ERR_CONFLICT, STR("nothing-to-purge"), STR("target"),
                        "没有可清除的内容：已清除过，或内容同时属于其他患者",
                        "There is nothing to be erased: it was before, or it is another patient's "
                        "as well");
    }
    TRY(store_purge_propose(x->store, &p, access_param(ACCESS_PURGES_MAX, now_ms), err));
    *ret = p;
    return OK;
}

/* ---- Deciding --------------------------------------------------------------------------------
 */

static bool same_person(StoreReader *r, Arena *a, const AccessCaller *caller, Str username)
{
    StoreAccount other;
    return str_eq(caller->username, username) ||
           (!str_empty(caller->practitioner) &&
            store_account_get(r, a, username, &other, NULL) == OK &&
            str_eq(other.practitioner, caller->practitioner));
}

/* Whoever proposed may take it back, and nothing else. */
static Status person_good(StoreReader *r, Arena *a, const AccessCaller *caller, const StorePurge *p,
                          PurgeDo what, Err *err)
{
    if (same_person(r, a, caller, p->proposer) == (what == PURGE_DO_WITHDRAW)) {
        return OK;
    }
    if (what == PURGE_DO_WITHDRAW) {
        return err_rule(err, ERR_FORBIDDEN, STR("not-oneself"), STR_NONE, "只有提出人可以撤回",
                        "Only the person who proposed it takes it back");
    }
    return err_rule(err, ERR_FORBIDDEN, STR("not-oneself"), STR_NONE, "清除须由另一位管理员确认",
                    "Another administrator has to decide on a purge");
}

Status purges_decide(Access *x, StoreReader *r, Arena *a, const AccessCaller *caller, Str id,
                     PurgeDo what, StorePurge *ret, Err *err)
{
    static const StorePurgeState TO[PURGE_DOINGS] = {[PURGE_DO_WITHDRAW] = PURGE_WITHDRAWN,
                                                     [PURGE_DO_CONFIRM] = PURGE_CONFIRMED,
                                                     [PURGE_DO_DENY] = PURGE_DENIED};
    int64_t now_ms = clock_now(store_clock(x->store));
    StorePurge p;
    StorePurgeExtent extent;
    mk_check(TO[what] != 0);
    TRY(access_purge_may(caller, what, err));
    TRY(store_purge_get(r, a, id, now_ms, &p, err));
    TRY(person_good(r, a, caller, &p, what, err));
    if (what == PURGE_DO_CONFIRM && p.state == PURGE_PROPOSED) {
        TRY(extent_look(r, a, p.target, &extent, err));
    }
    TRY(store_purge_decide(x->store, id, TO[what], caller->username, now_ms, err));
    return store_purge_get(r, a, id, now_ms, ret, err);
}

Status purges_list(Access *x, StoreReader *r, Arena *a, const AccessCaller *caller,
                   StorePurge **ret, size_t *ret_n, Err *err)
{
    TRY(access_purge_may(caller, PURGE_DO_LIST, err));
    int64_t now_ms = clock_now(store_clock(x->store));
    return store_purge_list(r, a, now_ms, PURGES_SHOWN_MAX, ret, ret_n, err);
}
