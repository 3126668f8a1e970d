/* What a purge takes: the targets read, and the log looked through for their versions. */
#include <stdlib.h>

#include "fhir_resource.h"
#include "store_binary.h"
#include "store_purge_inner.h"

#include "mk_banned.h"

/* ---- Collecting ------------------------------------------------------------------------------ */

static Str name_of(Arena *a, const FhirType *type, Str id)
{
    return arena_cat(a, fhir_type_name(type), STR("/"), id);
}

static PurgeResource *resource_take(PurgeFound *f, const FhirType *type, Str id)
{
    Str name = name_of(f->arena, type, id);
    PurgeResource *x = map_get(&f->resource, name);
    if (x) {
        return x;
    }
    if (f->n == f->room) {
        f->room = f->room ? f->room * 2 : 64;
        PurgeResource **wider = arena_array(f->arena, PurgeResource *, f->room);
        if (f->n) {
            memcpy(wider, f->list, f->n * sizeof *wider);
        }
        f->list = wider;
    }
    x = arena_new(f->arena, PurgeResource);
    *x = (PurgeResource){.type = type, .id = arena_str(f->arena, id)};
    map_put(&f->resource, name, x);
    f->list[f->n++] = x;
    return x;
}

static void seq_add(PurgeFound *f, int64_t seq)
{
    if (f->seq_n == f->seq_room) {
        f->seq_room = f->seq_room ? f->seq_room * 2 : 256;
        int64_t *wider = arena_array(f->arena, int64_t, f->seq_room);
        if (f->seq_n) {
            memcpy(wider, f->seq, f->seq_n * sizeof *wider);
        }
        f->seq = wider;
    }
    f->seq[f->seq_n++] = seq;
}

/* A row of `version` with its head, in the order of ROW_COLUMNS. */
#define ROW_COLUMNS "v.seq, h.type, h.id, h.seq, h.op, v.op, v.body IS NULL, v.patient "

static void row_take(PurgeFound *f, DbStmt *st)
{
    const FhirType *type = fhir_resource_at((unsigned)db_col_i64(st, 1));
    PurgeResource *x = resource_take(f, type, db_col_id(st, 2));
    x->living |= db_col_i64(st, 0) == db_col_i64(st, 3) && db_col_i64(st, 4) != STORE_DELETE;
    if (db_col_i64(st, 5) != STORE_DELETE && !db_col_i64(st, 6)) {
        seq_add(f, db_col_i64(st, 0));
    }
}

typedef enum Whose { WHOSE_NOT, WHOSE_THEIRS, WHOSE_SHARED } Whose;

static Whose whose(const PurgeFound *f, Str patients)
{
    size_t theirs = 0, n = 0;
    bool unknown;
    store_labels_cut(&patients, &unknown);
    for (Str rest = patients, id; !str_empty(rest); n++) {
        str_cut(rest, ' ', &id, &rest);
        theirs += map_get(&f->patients, id) != NULL;
    }
    return theirs == 0 ? WHOSE_NOT : theirs == n ? WHOSE_THEIRS : WHOSE_SHARED;
}

static void patient_row(PurgeFound *f, DbStmt *st)
{
    Whose w = whose(f, db_col_id(st, 7));
    if (w == WHOSE_THEIRS) {
        row_take(f, st);
    } else if (w == WHOSE_SHARED && !db_col_i64(st, 6)) {
        Str name = name_of(f->arena, fhir_resource_at((unsigned)db_col_i64(st, 1)),
                           arena_str(f->arena, db_col_id(st, 2)));
        f->kept_n += map_get(&f->kept, name) == NULL;
        map_put(&f->kept, name, f);
    }
}

/* ---- Reading the targets ---------------------------------------------------------------------
 */

static Status unknown_target(Err *err, Str target)
{
    return err_rule(err, ERR_UNPROCESSABLE, STR("unknown-reference"), STR("target"),
                    "没有找到要清除的 %.*s", "There is no %.*s to be purged", STR_ARG(target));
}

static Status rows_take(StoreReader *r, PurgeFound *f, DbStmt *st, Err *err)
{
    DbStep step;
    while ((step = db_step(st)) == DB_ROW) {
        row_take(f, st);
    }
    return step == DB_NONE ? OK : db_failed(r->log, err);
}

static Status whole_take(StoreReader *r, PurgeFound *f, const FhirType *type, Str id, Err *err)
{
    DbStmt *st = db_take(r->log, "SELECT " ROW_COLUMNS "FROM head h CROSS JOIN version v"
                                 " WHERE h.type = ? AND h.id = ? AND v.rid = h.rid");
    if (!st) {
        return db_failed(r->log, err);
    }
    db_bind_i64(st, 0, type_number(type));
    db_bind_id(st, 1, id);
    Status s = rows_take(r, f, st, err);
    db_give(st);
    return s;
}

/* The current one is what everybody goes on working with: it is corrected first, or all goes. */
static Status version_take(StoreReader *r, PurgeFound *f, const FhirRef *ref, const FhirType *type,
                           Str target, Err *err)
{
    DbStmt *st = db_take(r->log, "SELECT " ROW_COLUMNS "FROM head h CROSS JOIN version v"
                                 " WHERE h.type = ? AND h.id = ? AND v.rid = h.rid AND v.vid = ?");
    if (!st) {
        return db_failed(r->log, err);
    }
    db_bind_i64(st, 0, type_number(type));
    db_bind_id(st, 1, ref->id);
    db_bind_str(st, 2, ref->version);
    DbStep step = db_step(st);
    bool current = step == DB_ROW && db_col_i64(st, 0) == db_col_i64(st, 3) &&
                   db_col_i64(st, 4) != STORE_DELETE;
    if (step == DB_ROW && !current) {
        row_take(f, st);
    }
    db_give(st);
    if (current) {
        return err_rule(err, ERR_CONFLICT, STR("current-version"), STR("target"),
                        "%.*s 是当前版本：请先更正内容再清除旧版本，或清除整个资源",
                        "%.*s is the current version: correct it and purge the old one, or purge "
                        "the whole resource",
                        STR_ARG(target));
    }
    return step == DB_ROW    ? OK
           : step == DB_NONE ? unknown_target(err, target)
                             : db_failed(r->log, err);
}

static Status target_take(StoreReader *r, PurgeFound *f, Str target, Err *err)
{
    FhirRef ref = fhir_ref_parse(target);
    const FhirType *type = fhir_resource_find(ref.type);
    Head head;
    bool found;
    if (!type || str_empty(ref.id)) {
        return err_add(err, ERR_INVALID, "value", STR("target"),
                       "%.*s 不是可清除的对象，应为 Type/id 或 Type/id/_history/版本",
                       "%.*s cannot be purged; name Type/id or Type/id/_history/version",
                       STR_ARG(target));
    }
    TRY(head_find(r->log, f->arena, type, ref.id, &head, &found, err));
    if (!found) {
        return unknown_target(err, target);
    }
    if (!str_empty(ref.version)) {
        return version_take(r, f, &ref, type, target, err);
    }
    if (str_is(ref.type, "Patient")) {
        map_put(&f->patients, arena_str(f->arena, ref.id), f);
        return OK;
    }
    return whole_take(r, f, type, ref.id, err);
}

/* Everything of the patients named: any version of any resource that is theirs alone. */
static Status patients_take(StoreReader *r, PurgeFound *f, Err *err)
{
    if (f->patients.n == 0) {
        return OK;
    }
    DbStmt *st = db_take(r->log, "SELECT " ROW_COLUMNS "FROM version v JOIN head h ON h.rid = v.rid"
                                 " WHERE v.patient <> '' ORDER BY v.seq");
    if (!st) {
        return db_failed(r->log, err);
    }
    DbStep step;
    while ((step = db_step(st)) == DB_ROW) {
        patient_row(f, st);
    }
    db_give(st);
    return step == DB_NONE ? OK : db_failed(r->log, err);
}

static Status targets_take(StoreReader *r, PurgeFound *f, Str target, Err *err)
{
    size_t n = 0;
    for (Str rest = target, one; !str_empty(rest);) {
        str_cut(rest, ' ', &one, &rest);
        if (!str_empty(one)) {
            n++;
            TRY(target_take(r, f, one, err));
        }
    }
    if (n == 0 || n > STORE_PURGE_TARGETS_MAX) {
        return err_add(err, ERR_INVALID, "value", STR("target"), "请指明 1–%d 个要清除的对象",
                       "Name 1–%d things to be purged", STORE_PURGE_TARGETS_MAX);
    }
    return patients_take(r, f, err);
}

/* ---- What their bodies say -------------------------------------------------------------------
 */

/* A Binary of no patient, whether it is living or was deleted. */
static Status is_nobodys(StoreReader *r, Arena *a, const FhirType *binary, Str id, bool *ret,
                         Err *err)
{
    Head head;
    bool found;
    *ret = false;
    TRY(head_find(r->log, a, binary, id, &head, &found, err));
    if (!found) {
        return OK;
    }
    DbStmt *st = db_take(r->log, "SELECT patient = '' FROM version WHERE seq = ?");
    if (!st) {
        return db_failed(r->log, err);
    }
    db_bind_i64(st, 0, (int64_t)head.seq);
    DbStep step = db_step(st);
    *ret = step == DB_ROW && db_col_i64(st, 0) != 0;
    db_give(st);
    return step == DB_ROW ? OK : db_failed(r->log, err);
}

/* An upload that is nobody's yet belongs to whoever names it. */
static Status binary_look(PurgeFound *f, StoreReader *r, Arena *a, Str body, Err *err)
{
    const FhirType *binary = fhir_resource_find(STR("Binary"));
    for (Str rest = body, id; store_binary_named(&rest, &id);) {
        bool nobodys;
        if (map_get(&f->resource, name_of(a, binary, id))) {
            continue;
        }
        TRY(is_nobodys(r, a, binary, id, &nobodys, err));
        if (nobodys) {
            resource_take(f, binary, id)->binary_named = true;
        }
    }
    return OK;
}

static Status bodies_look(PurgeFound *f, StoreReader *r, Err *err)
{
    Arena scratch;
    arena_init(&scratch, 0);
    Status s = OK;
    for (size_t i = 0, n = f->seq_n; s == OK && i < n; i++) {
        Str body;
        s = version_body(r->store, r->log, &r->codec, &scratch, (uint64_t)f->seq[i], &body, err);
        s = s == OK ? binary_look(f, r, &scratch, body, err) : s;
        arena_reset(&scratch);
    }
    arena_done(&scratch);
    return s;
}

/* One that is living: whatever names such an upload and stays keeps it. */
static Status elsewhere_look(void *ctx, Str type, Str id, Str body, Err *err)
{
    (void)err;
    PurgeFound *f = ctx;
    Arena a;
    arena_init(&a, 0);
    const PurgeResource *goes = map_get(&f->resource, arena_cat(&a, type, STR("/"), id));
    for (Str rest = body, name; (!goes || !goes->living) && store_binary_named(&rest, &name);) {
        PurgeResource *x = map_get(&f->resource, arena_cat(&a, STR("Binary/"), name));
        if (x) {
            x->binary_named = false;
        }
    }
    arena_done(&a);
    return OK;
}

/* Those uploads that nothing else names go with what names them. */
static Status binaries_take(PurgeFound *f, StoreReader *r, Err *err)
{
    size_t before = f->n, kept = before;
    TRY(bodies_look(f, r, err));
    if (f->n == before) {
        return OK;
    }
    TRY(store_export(r, elsewhere_look, f, err));
    size_t end = f->n;
    for (size_t i = before; i < end; i++) {
        if (f->list[i]->binary_named) {
            f->list[kept++] = f->list[i];
        }
    }
    f->n = kept;
    for (size_t i = before; i < kept; i++) {
        TRY(whole_take(r, f, f->list[i]->type, f->list[i]->id, err));
    }
    return OK;
}

/* ---- The whole -------------------------------------------------------------------------------
 */

/* A Task that is still at work: whoever works on it would find it gone. */
static void tasks_look(PurgeFound *f, StoreReader *r)
{
    static const char *const over[] = {"completed", "cancelled", "failed", "rejected",
                                       "entered-in-error"};
    Arena a;
    arena_init(&a, 0);
    for (size_t i = 0; i < f->n; i++) {
        StoreVersion v;
        JsonDoc d;
        const PurgeResource *x = f->list[i];
        if (!x->living || !str_is(fhir_type_name(x->type), "Task") ||
            store_read(r, &a, &STORE_VIEW_ALL, STR("Task"), x->id, &v, NULL) != OK ||
            json_parse(&a, v.body, &JSON_LIMITS_FHIR, &d, NULL) != OK) {
            continue;
        }
        bool open = true;
        for (size_t k = 0; k < sizeof over / sizeof *over; k++) {
            open = open && !str_is(json_str_at(&d, JSON_ROOT, "status"), over[k]);
        }
        f->open_tasks += open;
        arena_reset(&a);
    }
    arena_done(&a);
}

static int seq_order(const void *x, const void *y)
{
    int64_t p = *(const int64_t *)x, q = *(const int64_t *)y;
    return p < q ? -1 : p > q;
}

/* One thing may have been named twice. */
static void seqs_settle(PurgeFound *f)
{
    size_t n = 0;
    if (f->seq_n) {
        qsort(f->seq, f->seq_n, sizeof *f->seq, seq_order);
    }
    for (size_t i = 0; i < f->seq_n; i++) {
        if (n == 0 || f->seq[n - 1] != f->seq[i]) {
            f->seq[n++] = f->seq[i];
        }
    }
    f->seq_n = n;
}

static Status find_within(StoreReader *r, Str target, bool whole, PurgeFound *f, Err *err)
{
    TRY(targets_take(r, f, target, err));
    tasks_look(f, r);
    if (whole) {
        TRY(binaries_take(f, r, err));
    }
    seqs_settle(f);
    return OK;
}

Status purge_find(StoreReader *r, Arena *a, Str target, bool whole, PurgeFound *ret, Err *err)
{
    *ret = (PurgeFound){.arena = a};
    map_init(&ret->patients, a);
    map_init(&ret->resource, a);
    map_init(&ret->kept, a);
    TRY(store_snapshot_begin(r, err));
    ret->log_seq = (uint64_t)r->log_seq;
    Status s = find_within(r, target, whole, ret, err);
    store_snapshot_end(r);
    return s;
}

Status store_purge_look(StoreReader *r, Arena *a, Str target, StorePurgeExtent *ret, Err *err)
{
    PurgeFound f;
    TRY(purge_find(r, a, target, false, &f, err));
    *ret = (StorePurgeExtent){
        .resources = f.n, .versions = f.seq_n, .kept = f.kept_n, .open_tasks = f.open_tasks};
    return OK;
}
