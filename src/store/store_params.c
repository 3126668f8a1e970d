/* Which custom parameters are in use: read from the log, published as a table. */
#include "store_params_inner.h"

#include <stdlib.h>

#include "fhir_resource.h"
#include "store_query.h"

#include "mk_banned.h"

#define TYPE        "SearchParameter"
#define CUSTOMS_MAX (4 * (size_t)STORE_PARAMS_MAX) /* each definition once for each base */

const ParamTable *params_now(const Store *s)
{
    return atomic_load_explicit(&s->params, memory_order_acquire);
}

const ParamDef *params_def(const ParamTable *t, uint32_t number)
{
    size_t low = 0, high = t ? t->def_n : 0;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (t->def[middle]->number < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return t && low < t->def_n && t->def[low]->number == number ? t->def[low] : NULL;
}

bool param_is_ready(const Store *s, const FhirCustomParam *p)
{
    const ParamDef *def = params_def(params_now(s), p->number);
    return def && atomic_load(&def->done) == PARAM_READY;
}

int param_percent(const Store *s, const FhirCustomParam *p)
{
    const ParamDef *def = params_def(params_now(s), p->number);
    int64_t total = atomic_load(&s->params_total), done = def ? atomic_load(&def->done) : 0;
    return total > 0 && done < total ? (int)(done * 100 / total) : done ? 99 : 0;
}

/* ---- Reading the log ------------------------------------------------------------------------- */

/* A version of a SearchParameter that is the newest of its resource and no deletion. */
typedef struct Standing {
    uint32_t number;
    uint64_t seq, tx;
} Standing;

typedef struct Load {
    Store *store;
    Db *log;
    Arena scratch;
    const ParamStand *stand;
    const ParamTable *before;
    ParamTable *table;
    const FhirCustomParam **custom; /* room of the table's */
    size_t custom_n;
} Load;

static Status standing_read(Load *l, Standing **ret, size_t *ret_n, Err *err)
{
    size_t room = 64, n = 0;
    Standing *list = arena_array(&l->scratch, Standing, room);
    DbStmt *st = db_take(l->log, "SELECT v.seq, v.tx, h.seq, v.op FROM head h CROSS JOIN version v"
                                 " WHERE h.type = ? AND v.rid = h.rid ORDER BY v.seq");
    if (!st) {
        return db_failed(l->log, err);
    }
    db_bind_i64(st, 0, type_number(fhir_resource_find(STR(TYPE))));
    DbStep step;
    while ((step = db_step(st)) == DB_ROW) {
        l->table->seq = (uint64_t)db_col_i64(st, 0);
        l->table->last++;
        if (db_col_i64(st, 0) != db_col_i64(st, 2) || db_col_i64(st, 3) == STORE_DELETE) {
            continue;
        }
        if (n == room) {
            Standing *more = arena_array(&l->scratch, Standing, room * 2);
            memcpy(more, list, n * sizeof *list);
            list = more;
            room *= 2;
        }
        list[n++] = (Standing){l->table->last, l->table->seq, (uint64_t)db_col_i64(st, 1)};
    }
    Status s = step == DB_NONE ? OK : db_failed(l->log, err);
    db_give(st);
    *ret = list;
    *ret_n = n;
    return s;
}

/* The last version of the transaction: those after it have the rows. */
static Status from_seq_read(Load *l, const Standing *v, uint64_t *ret, Err *err)
{
    DbStmt *st = db_take(l->log, "SELECT max(seq) FROM version WHERE seq >= ? AND seq <= ?"
                                 " AND tx = ?");
    if (!st) {
        return db_failed(l->log, err);
    }
    db_bind_i64(st, 0, (int64_t)v->seq);
    db_bind_i64(st, 1, (int64_t)(v->seq + STORE_ENTRIES_MAX));
    db_bind_i64(st, 2, (int64_t)v->tx);
    Status s = db_step(st) == DB_ROW ? OK : db_failed(l->log, err);
    *ret = s == OK ? (uint64_t)db_col_i64(st, 0) : 0;
    db_give(st);
    return s;
}

/* ---- One definition -------------------------------------------------------------------------- */

static void fault_add(Load *l, const JsonDoc *d, const Err *why)
{
    Arena *a = &l->store->params_arena;
    ParamTable *t = l->table;
    const Issue *first = why->first;
    t->fault[t->fault_n++] = (ParamFault){
        .id = arena_str(a, fhir_resource_id(d)),
        .url = arena_str(a, json_str_at(d, JSON_ROOT, "url")),
        .code = arena_str(a, json_str_at(d, JSON_ROOT, "code")),
        .zh = arena_str(a, first ? first->zh : STR_NONE),
        .en = arena_str(a, first ? first->en : STR_NONE),
    };
}

static void def_use(Load *l, ParamDef *def)
{
    l->table->def[l->table->def_n++] = def;
    for (size_t i = 0; i < def->def.n; i++) {
        l->custom[l->custom_n++] = &def->def.params[i];
    }
    l->table->customs = (FhirCustoms){l->custom, l->custom_n};
}

/* Numbers that the index has passed without taking them stay without rows, also those that were
 * in use and fell out. */
static bool is_passed(const Load *l, uint32_t number)
{
    bool passed = l->stand && number <= l->stand->floor && params_stand_done(l->stand, number) < 0;
    for (const ParamDropped *x = l->store->params_dropped; x && !passed; x = x->next) {
        passed = x->number == number;
    }
    return passed;
}

static void def_drop(Load *l, uint32_t number)
{
    ParamDropped *x = arena_new(&l->store->params_arena, ParamDropped);
    *x = (ParamDropped){number, l->store->params_dropped};
    l->store->params_dropped = x;
}

static Status room_test(const Load *l, const FhirCustomDef *def, uint32_t number, Err *err)
{
    bool full = l->table->def_n >= STORE_PARAMS_MAX || number > PARAM_NUMBER_MAX ||
                l->custom_n + def->n > CUSTOMS_MAX;
    return full ? err_add(err, ERR_UNPROCESSABLE, "too-costly", STR_NONE,
                          "启用的检索参数已达上限 %u 个；请先停用不再需要的",
                          "There are %u search parameters in use, the most there may be: retire "
                          "those that are not needed",
                          STORE_PARAMS_MAX)
                : OK;
}

static Status passed_test(const Load *l, uint32_t number, Err *err)
{
    return is_passed(l, number)
               ? err_add(err, ERR_UNPROCESSABLE, NULL, STR_NONE,
                         "写入时不能启用；请再写一次（内容须有改动）",
                         "It could not be used when it was written: write it again, with some "
                         "change")
               : OK;
}

/* The same judgement twice: what is at fault leaves nothing in the store's memory. */
static Status def_judge(Load *l, const Standing *v, const JsonDoc *d, ParamDef **ret, Err *err)
{
    FhirCustomDef def;
    Arena *a = &l->store->params_arena;
    *ret = NULL;
    TRY(fhir_custom_read(&l->scratch, d, v->number, &l->table->customs, &def, err));
    if (def.state != FHIR_CUSTOM_USED) {
        return OK;
    }
    TRY(room_test(l, &def, v->number, err));
    TRY(passed_test(l, v->number, err));
    ParamDef *kept = arena_new(a, ParamDef);
    TRY(fhir_custom_read(a, d, v->number, &l->table->customs, &kept->def, err));
    kept->number = v->number;
    kept->seq = v->seq;
    int64_t done = l->stand ? params_stand_done(l->stand, v->number) : 0;
    atomic_store(&kept->done, done > 0 ? done : 0);
    *ret = kept;
    return OK;
}

static Status def_read(Load *l, const Standing *v, Err *err)
{
    Str body;
    JsonDoc d;
    Err why;
    ParamDef *def;
    BodyCodec codec;
    err_init(&why, &l->scratch);
    body_codec_init(&codec);
    Status s = version_body(l->store, l->log, &codec, &l->scratch, v->seq, &body, err);
    body_codec_done(&codec);
    TRY(s);
    if (str_empty(body)) {
        return OK;
    }
    TRY(json_parse(&l->scratch, body, &JSON_LIMITS_FHIR, &d, err));
    if (def_judge(l, v, &d, &def, &why) != OK) {
        fault_add(l, &d, &why);
    } else if (def) {
        TRY(from_seq_read(l, v, &def->from_seq, err));
        def_use(l, def);
    }
    return OK;
}

static Status standing_take(Load *l, const Standing *v, Err *err)
{
    ParamDef *known = (ParamDef *)params_def(l->before, v->number);
    if (!known) {
        return def_read(l, v, err);
    }
    if (fhir_custom_stands(&known->def, &l->table->customs)) {
        def_use(l, known);
        return OK;
    }
    def_drop(l, v->number);
    return def_read(l, v, err); /* to tell why */
}

static int custom_order(const void *x, const void *y)
{
    return fhir_custom_order(x, y);
}

static Status table_fill(Load *l, Err *err)
{
    Arena *a = &l->store->params_arena;
    Standing *list;
    size_t n;
    TRY(standing_read(l, &list, &n, err));
    l->table->def = arena_array(a, ParamDef *, (n < STORE_PARAMS_MAX ? n : STORE_PARAMS_MAX) + 1);
    l->table->fault = arena_array(&l->scratch, ParamFault, n + 1);
    l->custom = arena_array(&l->scratch, const FhirCustomParam *, CUSTOMS_MAX);
    for (size_t i = 0; i < n; i++) {
        TRY(standing_take(l, &list[i], err));
    }
    const FhirCustomParam **kept = arena_array(a, const FhirCustomParam *, l->custom_n + 1);
    memcpy(kept, l->custom, l->custom_n * sizeof *kept);
    qsort(kept, l->custom_n, sizeof *kept, custom_order);
    l->table->customs = (FhirCustoms){kept, l->custom_n};
    return OK;
}

static Status table_load(Store *s, Db *log, const ParamStand *stand, Err *err)
{
    Load l = {.store = s, .log = log, .stand = stand, .before = params_now(s)};
    Arena *a = &s->params_arena;
    arena_init(&l.scratch, 0);
    l.table = arena_new(a, ParamTable);
    Status st = table_fill(&l, err);
    if (st == OK) {
        ParamFault *fault = arena_array(a, ParamFault, l.table->fault_n + 1);
        memcpy(fault, l.table->fault, l.table->fault_n * sizeof *fault);
        l.table->fault = fault;
        atomic_store_explicit(&s->params, l.table, memory_order_release);
        atomic_fetch_add(&s->params_news, 1);
    }
    arena_done(&l.scratch);
    return st;
}

Status params_load(Store *s, Db *log, const ParamStand *stand, Err *err)
{
    pthread_mutex_lock(&s->params_lock);
    Status st = table_load(s, log, stand, err);
    pthread_mutex_unlock(&s->params_lock);
    params_build_wake(s);
    return st;
}

/* ---- Who asks -------------------------------------------------------------------------------- */

uint64_t store_params_news(const Store *s)
{
    return atomic_load(&s->params_news);
}

size_t query_params_of(Run *r, const FhirType *type, FhirParamKind kind, const FhirParam ***ret)
{
    const FhirCustoms *customs = r->query->customs;
    unsigned own;
    size_t n = 0, room = customs ? customs->n : 0;
    for (const FhirType *t = type; t; t = fhir_type_base(t)) {
        fhir_params_of(t, &own);
        room += own;
    }
    *ret = arena_array(r->arena, const FhirParam *, room + 1);
    for (const FhirType *t = type; t; t = fhir_type_base(t)) {
        const FhirParam *p = fhir_params_of(t, &own);
        for (unsigned i = 0; i < own; i++) {
            if (p[i].kind == kind) {
                (*ret)[n++] = &p[i];
            }
        }
    }
    for (size_t i = 0; customs && i < customs->n; i++) {
        const FhirCustomParam *p = customs->at[i];
        if (p->row.kind == kind && fhir_type_is(type, fhir_type(p->row.type)) &&
            param_is_ready(r->store, p)) {
            (*ret)[n++] = &p->row;
        }
    }
    return n;
}

const FhirCustoms *store_params_usable(const Store *s, Arena *a)
{
    const ParamTable *t = params_now(s);
    size_t all = t ? t->customs.n : 0, n = 0;
    const FhirCustomParam **list = arena_array(a, const FhirCustomParam *, all + 1);
    for (size_t i = 0; i < all; i++) {
        if (param_is_ready(s, t->customs.at[i])) {
            list[n++] = t->customs.at[i];
        }
    }
    FhirCustoms *usable = arena_new(a, FhirCustoms);
    *usable = (FhirCustoms){list, n};
    return usable;
}

static void def_tell(const Store *s, const ParamDef *def, StoreParam *ret)
{
    const FhirCustomParam *p = &def->def.params[0];
    int64_t done = atomic_load(&def->done), total = atomic_load(&s->params_total);
    *ret = (StoreParam){.id = p->id,
                        .url = p->url,
                        .code = p->name,
                        .kind = fhir_param_kind_code((FhirParamKind)p->row.kind),
                        .state = done == PARAM_READY ? STORE_PARAM_READY : STORE_PARAM_BUILDING,
                        .done = (uint64_t)(done < total ? done : total),
                        .total = (uint64_t)total};
}

void store_params_list(const Store *s, Arena *a, StoreParam **ret, size_t *ret_n)
{
    const ParamTable *t = params_now(s);
    size_t n = 0;
    *ret = arena_array(a, StoreParam, (t ? t->def_n + t->fault_n : 0) + 1);
    for (size_t i = 0; t && i < t->def_n; i++) {
        def_tell(s, t->def[i], &(*ret)[n++]);
    }
    for (size_t i = 0; t && i < t->fault_n; i++) {
        const ParamFault *f = &t->fault[i];
        (*ret)[n++] = (StoreParam){.id = f->id,
                                   .url = f->url,
                                   .code = f->code,
                                   .kind = "",
                                   .state = STORE_PARAM_FAULTY,
                                   .zh = f->zh,
                                   .en = f->en};
    }
    *ret_n = n;
}

Status store_param_check(const Store *s, Arena *a, const JsonDoc *d, Err *err)
{
    const ParamTable *t = params_now(s);
    FhirCustomDef def;
    TRY(fhir_custom_read(a, d, 0, t ? &t->customs : NULL, &def, err));
    bool more = def.state == FHIR_CUSTOM_USED && t && t->def_n >= STORE_PARAMS_MAX;
    return more ? err_add(err, ERR_UNPROCESSABLE, "too-costly", STR_NONE,
                          "启用的检索参数已达上限 %u 个；请先停用不再需要的",
                          "There are %u search parameters in use, the most there may be: retire "
                          "those that are not needed",
                          STORE_PARAMS_MAX)
                : OK;
}
