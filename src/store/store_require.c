/*
 * What a batch takes for granted, tested by the writer against what is committed and what the same
 * group has applied.
 */
#include "store_ahead.h"

#include "mk_banned.h"

static Status stale(StoreBatch *b, Err *err, const char *zh, const char *en)
{
    b->stale = true;
    return err_text(err, ERR_CONFLICT, NULL, STR_NONE, str_from_c(zh), str_from_c(en));
}

/* Among what is committed and not merged; the group's own word is newer. */
static bool delta_has(const Store *s, const IndexRow *row, int64_t except)
{
    DeltaRows rows = delta_rows(&s->asked, row->table, row->param, row->a);
    const DeltaRow *r;
    while ((r = delta_next(&rows)) != NULL) {
        if (r->doc->rid != except && group_find(&s->group, r->doc->rid) == NULL) {
            return true;
        }
    }
    return false;
}

/* Some living resource other than `except` has a row; `committed` walks the rids of the index. */
static Status row_exists(Store *s, DbStmt *committed, const IndexRow *row, int64_t except,
                         bool *ret, Err *err)
{
    if (group_has(&s->group, group_key(row), except) || delta_has(s, row, except)) {
        db_give(committed);
        *ret = true;
        return OK;
    }
    if (!committed) {
        return db_failed(s->index_asked, err);
    }
    DbStep step = DB_NONE;
    bool found = false;
    while (!found && (step = db_step(committed)) == DB_ROW) {
        int64_t rid = db_col_i64(committed, 0);
        found = rid != except && group_find(&s->group, rid) == NULL && !delta_moved(&s->asked, rid);
    }
    Status st = step == DB_FAIL || step == DB_RETRY ? db_failed(s->index_asked, err) : OK;
    db_give(committed);
    *ret = found;
    return st;
}

static Status token_exists(Store *s, const FhirType *type, const FhirParam *param, Str system,
                           Str code, int64_t except, bool *ret, Err *err)
{
    IndexRow row = {.table = INDEX_TOKEN,
                    .param = index_param(type, param),
                    .a = index_hash_token(s, system, code)};
    DbStmt *st = db_take(s->index_asked, "SELECT rid FROM token WHERE param = ? AND hash = ?");
    if (st) {
        db_bind_i64(st, 0, row.param);
        db_bind_i64(st, 1, row.a);
    }
    return row_exists(s, st, &row, except, ret, err);
}

static Status require_version(Store *s, StoreBatch *b, const Require *q, Err *err)
{
    Head head;
    bool found;
    TRY(group_head(s, q->type, q->a, &head, &found, err));
    bool same = found ? head.op != STORE_DELETE && str_eq(head.vid, q->b) : str_empty(q->b);
    return same ? OK
                : stale(b, err, "所依据的内容已被他人更新",
                        "What this was based on has changed meanwhile");
}

static Status require_no_token(Store *s, StoreBatch *b, const Require *q, Err *err)
{
    bool found;
    TRY(token_exists(s, q->type, q->param, q->a, q->b, 0, &found, err));
    return found ? stale(b, err, "已存在相同标识的记录",
                         "There is a resource with this token already")
                 : OK;
}

static Status require_unreferenced(Store *s, const Require *q, Err *err)
{
    const FhirType *patient = fhir_resource_find(STR("Patient"));
    Head head;
    bool found;
    TRY(group_head(s, patient, q->a, &head, &found, err));
    int64_t self = found ? head.rid : 0;
    IndexRow row = {.table = INDEX_COMPARTMENT, .a = index_hash_ref(s, STR("Patient"), q->a)};
    bool referred;
    DbStmt *st = db_take(s->index_asked, "SELECT rid FROM compartment WHERE patient = ?");
    if (st) {
        db_bind_i64(st, 0, row.a);
    }
    TRY(row_exists(s, st, &row, self, &referred, err));
    return referred
               ? err_rule(
                     err, ERR_CONFLICT, STR("patient-referenced"), STR_NONE,
                     "仍有记录属于居民 Patient/%.*s，不能删除",
                     "Other resources refer to Patient/%.*s as their patient; it cannot be deleted",
                     STR_ARG(q->a))
               : OK;
}

static Status require_timer(Store *s, StoreBatch *b, const Require *q, Err *err)
{
    DbStmt *st = db_take(s->log, "SELECT 1 FROM timer WHERE owner = ? AND name = ? AND due = ?");
    if (!st) {
        return db_failed(s->log, err);
    }
    db_bind_str(st, 0, q->a);
    db_bind_str(st, 1, q->b);
    db_bind_i64(st, 2, q->due_ms);
    DbStep step = db_step(st);
    Status status = step == DB_ROW    ? OK
                    : step == DB_NONE ? stale(b, err, "期限已触发或已取消",
                                              "The deadline has fired or was cleared")
                                      : db_failed(s->log, err);
    db_give(st);
    return status;
}

static Status require_unremembered(Store *s, StoreBatch *b, Err *err)
{
    DbStmt *st =
        db_take(s->log, "SELECT 1 FROM remembered WHERE person = ? AND key = ? AND at > ?");
    if (!st) {
        return db_failed(s->log, err);
    }
    db_bind_str(st, 0, b->person);
    db_bind_str(st, 1, b->key);
    db_bind_i64(st, 2, clock_now(s->options.clock) - STORE_MEMORY_MS);
    DbStep step = db_step(st);
    Status status = step == DB_NONE ? OK
                    : step == DB_ROW
                        ? stale(b, err, "同一请求已处理", "This request has been answered already")
                        : db_failed(s->log, err);
    db_give(st);
    return status;
}

Status requires_test(Store *s, StoreBatch *b, Err *err)
{
    if (b->remember) {
        TRY(require_unremembered(s, b, err));
    }
    for (const Require *q = b->require_first; q; q = q->next) {
        switch (q->kind) {
        case REQUIRE_VERSION:
            TRY(require_version(s, b, q, err));
            break;
        case REQUIRE_NO_TOKEN:
            TRY(require_no_token(s, b, q, err));
            break;
        case REQUIRE_UNREFERENCED:
            TRY(require_unreferenced(s, q, err));
            break;
        case REQUIRE_TIMER:
            TRY(require_timer(s, b, q, err));
            break;
        }
    }
    return OK;
}

Status unique_test(Store *s, const Change *c, int64_t rid, Err *err)
{
    const FhirParam *param = fhir_param_find(c->type, STR("identifier"));
    for (size_t i = 0; i < c->unique_n; i += 2) {
        bool taken;
        TRY(token_exists(s, c->type, param, c->unique[i], c->unique[i + 1], rid, &taken, err));
        if (taken) {
            return err_rule(err, ERR_CONFLICT, STR("identifier-taken"), STR("Patient.identifier"),
                            "该证件号码（%.*s）已登记给另一位居民",
                            "This identifier (%.*s) belongs to another patient",
                            STR_ARG(c->unique[i]));
        }
    }
    return OK;
}
