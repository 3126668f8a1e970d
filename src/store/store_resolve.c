/* A search made ready to run: its conditions as hashes, its inner searches as references and ids.
 */
#include <stdlib.h>

#include "fhir_card.h"
#include "fhir_resource.h"
#include "store_query.h"
#include "store_range.h"

#include "mk_banned.h"

#define BRIEF_ROWS       512
#define BRIEF_COUNT      50
#define BUDGET_ROWS      1000000
#define BUDGET_BODIES    20000
#define BUDGET_US        5000000
#define BUDGET_SERVER_US 20000000 /* of which most is waiting for its answers */
#define LIST_ENTRIES_MAX 50000
#define CODE_TOKENS_MAX  1000 /* systems in which a code without one is looked for */

/* ---- Tests ------------------------------------------------------------------------------------
 */

/* A number given without a system may be an ID card's, which stands in its normal form. */
static void token_hash_add(const Run *r, Test *t, const QueryValue *v)
{
    Store *s = r->store;
    FhirCard card;
    t->no_rows = t->no_rows ||
                 (v->has_system && str_empty(v->code) && !index_param_by_system(t->clause->param));
    bool typed = t->clause->modifier == MODIFIER_OF_TYPE; /* the system is that of the type */
    if (v->has_system && !typed) {
        t->hash[t->hash_n++] = str_empty(v->code) ? index_hash_system(s, v->system)
                                                  : index_hash_token(s, v->system, v->code);
        return;
    }
    t->code[t->code_n++] = index_hash_code(s, v->code);
    if (fhir_card_read(v->code, &card) && !str_is(v->code, card.number)) {
        t->code[t->code_n++] = index_hash_code(s, str_from_c(card.number));
    }
}

/* ---- Codes without their systems: what they stand for ------------------------------------------
 */

void test_hash_push(Run *r, Test *t, int64_t hash)
{
    if (t->hash_n >= t->hash_room) {
        t->hash_room = t->hash_n * 2 + 8;
        int64_t *more = arena_array(r->arena, int64_t, t->hash_room);
        if (t->hash_n) {
            memcpy(more, t->hash, t->hash_n * sizeof *more);
        }
        t->hash = more;
    }
    t->hash[t->hash_n++] = hash;
}

static void hash_add(Run *r, Test *t, int64_t hash)
{
    for (size_t i = 0; i < t->hash_n; i++) {
        if (t->hash[i] == hash) {
            return;
        }
    }
    test_hash_push(r, t, hash);
}

static Status code_resolve(Run *r, Test *t, uint32_t param, int64_t code, Err *err)
{
    DeltaRows list = delta_rows(&r->reader->delta, INDEX_CODE, param, code);
    for (const DeltaRow *d; (d = delta_next(&list)) != NULL;) {
        hash_add(r, t, d->row->b);
    }
    Db *db = r->reader->index;
    DbStmt *st = db_take(db, "SELECT token FROM code WHERE param = ? AND code = ?");
    if (!st) {
        return db_failed(db, err);
    }
    db_bind_i64(st, 0, param);
    db_bind_i64(st, 1, code);
    DbStep step;
    while ((step = db_step(st)) == DB_ROW && t->hash_n < CODE_TOKENS_MAX) {
        hash_add(r, t, db_col_i64(st, 0));
    }
    Status s = step == DB_FAIL || step == DB_RETRY ? db_failed(db, err) : OK;
    db_give(st);
    TRY(s);
    return run_charge(r, (int64_t)t->hash_n, err);
}

Status codes_resolve(Run *r, Test *t, Err *err)
{
    for (size_t i = 0; i < t->code_n; i++) {
        for (size_t k = 0; k < t->part_n; k++) {
            TRY(code_resolve(r, t, t->part[k], t->code[i], err));
        }
    }
    return t->hash_n < CODE_TOKENS_MAX
               ? OK
               : err_add(err, ERR_TOO_MANY, "too-costly", fhir_param_name(t->clause->param),
                         "该代码见于过多的编码系统，请写明系统（system|code）",
                         "The code stands in too many systems; name one (system|code)");
}

static size_t targets_of(const FhirParam *p)
{
    return p->target_count ? p->target_count : fhir_resource_count;
}

static void ref_hash_add(const Run *r, Test *t, const QueryValue *v)
{
    const FhirParam *p = t->clause->param;
    if (v->type && !fhir_param_allows(p, v->type)) {
        return; /* its rows may stand among another parameter's, which may refer to more */
    }
    t->hash[t->hash_n++] = v->type ? index_hash_ref(r->store, fhir_type_name(v->type), v->code)
                                   : index_hash_text(r->store, v->text);
    for (size_t i = 0; !v->type && !str_empty(v->code) && i < targets_of(p); i++) {
        const FhirType *target =
            p->target_count ? fhir_param_target(p, (unsigned)i) : fhir_resource_at((unsigned)i);
        t->hash[t->hash_n++] = index_hash_ref(r->store, fhir_type_name(target), v->code);
    }
}

/* What the index's rows tell is not the whole answer. */
static bool clause_is_wide(const Clause *c)
{
    bool wide = c->kind == CLAUSE_COMPOSITE || c->kind == CLAUSE_NEAR ||
                c->kind == CLAUSE_CONTENT || c->modifier == MODIFIER_EXACT ||
                c->modifier == MODIFIER_TEXT || c->modifier == MODIFIER_CONTAINS ||
                c->modifier == MODIFIER_OF_TYPE;
    for (size_t i = 0; c->kind == CLAUSE_QUANTITY && i < c->values_n && !wide; i++) {
        wide = !str_empty(c->values[i].system) && str_empty(c->values[i].code);
    }
    return wide;
}

/*
 * A value has a row, and who has a row has a value: not of parameters that share the rows of
 * others, and a reference by its text alone has none.
 */
static bool clause_is_of_any(const FhirType *type, const Clause *c)
{
    bool rows = c->kind == CLAUSE_TOKEN || c->kind == CLAUSE_DATE || c->kind == CLAUSE_STRING ||
                c->kind == CLAUSE_NUMBER || c->kind == CLAUSE_QUANTITY || c->kind == CLAUSE_URI ||
                (c->kind == CLAUSE_REF && c->missing);
    return c->modifier == MODIFIER_MISSING && rows && !c->also_n &&
           !index_param_is_alias(type, c->param);
}

void test_init(Run *r, Test *t, const Clause *c)
{
    *t = (Test){.clause = c};
    if (c->param) {
        t->part_n = index_parts(r->query->type, c->param, t->part);
    }
    for (size_t i = 0; i < c->also_n && t->part_n + INDEX_PARTS_MAX <= TEST_PARTS_MAX; i++) {
        t->part_n += index_parts(r->query->type, c->also[i], t->part + t->part_n);
    }
    bool ref = c->kind == CLAUSE_REF && c->modifier != MODIFIER_IDENTIFIER;
    bool token = c->kind == CLAUSE_TOKEN || c->modifier == MODIFIER_IDENTIFIER;
    t->wide = clause_is_wide(c);
    t->of_any = clause_is_of_any(r->query->type, c);
    bool later = c->modifier == MODIFIER_TEXT || clause_is_of_terms(c);
    if ((!ref && !token) || c->modifier == MODIFIER_MISSING || later) {
        return;
    }
    t->hash_room = c->values_n * (ref ? targets_of(c->param) + 1 : 1) + 1;
    t->hash = arena_array(r->arena, int64_t, t->hash_room);
    t->code = arena_array(r->arena, int64_t, token ? 2 * c->values_n + 1 : 1);
    for (size_t i = 0; i < c->values_n; i++) {
        if (ref) {
            ref_hash_add(r, t, &c->values[i]);
        } else {
            token_hash_add(r, t, &c->values[i]);
        }
    }
}

static bool clause_is_brief(const Clause *c)
{
    return c->modifier == MODIFIER_NONE && !c->list && !c->also_n &&
           (c->kind == CLAUSE_TOKEN || c->kind == CLAUSE_REF || c->kind == CLAUSE_ID);
}

bool store_query_brief(StoreQuery *q)
{
    bool brief = q->first && !q->more && !q->include_first && !q->count_only &&
                 q->count <= BRIEF_COUNT && q->total == STORE_TOTAL_NONE && query_is_walked(q);
    for (const Clause *c = q->first; c; c = c->next) {
        brief = brief && clause_is_brief(c);
    }
    q->brief = brief;
    return brief;
}

static Budget *budget_new(const Store *s, Arena *a, const StoreQuery *q)
{
    Budget *b = arena_new(a, Budget);
    *b = (Budget){.rows = q->brief ? BRIEF_ROWS : BUDGET_ROWS,
                  .bodies = q->brief ? 0 : BUDGET_BODIES,
                  .until_us = time_mono_us() + (s->server ? BUDGET_SERVER_US : BUDGET_US)};
    return b;
}

/* A composite's components are met by all that meet it, so their rows tell where to look. */
static const Clause *clause_hints(const Clause *c)
{
    return c->kind == CLAUSE_COMPOSITE && c->modifier == MODIFIER_NONE ? c->hint : NULL;
}

static void tests_make(Run *r, const StoreQuery *q)
{
    size_t n = MEASURES_JOINED_MAX;
    for (const Clause *c = q->first; c; c = c->next) {
        n++;
        for (const Clause *hint = clause_hints(c); hint; hint = hint->next) {
            n++;
        }
    }
    r->test = arena_array(r->arena, Test, n + 1);
    for (const Clause *c = q->first; c; c = c->next) {
        if (c->kind == CLAUSE_TYPE && !c->missing) {
            continue; /* met by all */
        }
        test_init(r, &r->test[r->test_n++], c);
        for (const Clause *hint = clause_hints(c); hint; hint = hint->next) {
            test_init(r, &r->test[r->test_n], hint);
            r->test[r->test_n++].hint = true;
        }
    }
    measures_join(r);
}

void run_init(Run *r, StoreReader *reader, Arena *a, const StoreQuery *q, const StoreView *view,
              const Run *outer)
{
    *r = (Run){.reader = reader,
               .store = reader->store,
               .arena = a,
               .view = view,
               .query = q,
               .budget = outer ? outer->budget : budget_new(reader->store, a, q),
               .own = outer ? outer->own : NULL};
    sight_init(&r->sight, reader, view, a);
    tests_make(r, q);
    r->index_current = reader->index_seq == reader->log_seq;
    r->snapshot_seq = (uint64_t)reader->log_seq;
    r->snapshot_rid = reader->rid_max;
}

/* ---- Counters ----------------------------------------------------------------------------------
 */

Status test_counted(Run *r, const Test *t, int64_t *ret, Err *err)
{
    const Clause *c = t->clause;
    *ret = -1;
    bool beside = r->store->options.read_only && r->reader->delta.n > 0; /* knows no `before` */
    if (beside || c->kind != CLAUSE_TOKEN || c->modifier != MODIFIER_NONE || t->hash_n != 1 ||
        c->values_n != 1 || t->code_n > 1 || str_empty(c->values[0].code)) {
        return OK;
    }
    uint32_t param = t->part_n == 1 ? t->part[0] : index_param(r->query->type, c->param);
    FhirCard card;
    const QueryValue *v = &c->values[0];
    int64_t code = t->code_n ? t->code[0]
                             : index_hash_code(r->store, fhir_card_key(v->system, v->code, &card));
    Db *db = r->reader->index;
    DbStmt *st = db_take(db, "SELECT n FROM code WHERE param = ? AND code = ? AND token = ?");
    if (!st) {
        return db_failed(db, err);
    }
    db_bind_i64(st, 0, param);
    db_bind_i64(st, 1, code);
    db_bind_i64(st, 2, t->hash[0]);
    DbStep step = db_step(st);
    Status s = step == DB_FAIL || step == DB_RETRY ? db_failed(db, err) : OK;
    *ret = (step == DB_ROW ? db_col_i64(st, 0) : 0) +
           delta_growth(&r->reader->delta, param, code, t->hash[0]);
    db_give(st);
    TRY(s);
    return run_charge(r, 1, err);
}

/* ---- Inner searches
 * ------------------------------------------------------------------------------ */

int rid_order(const void *x, const void *y)
{
    int64_t p = *(const int64_t *)x, q = *(const int64_t *)y;
    return p < q ? -1 : p > q;
}

static Status id_add(Run *r, Test *t, Str id, Err *err)
{
    Head head;
    bool found;
    TRY(head_find(r->reader->log, r->arena, r->query->type, id, &head, &found, err));
    if (found) {
        t->rid[t->rid_n++] = head.rid;
    }
    return OK;
}

static void ids_done(Test *t)
{
    qsort(t->rid, t->rid_n, sizeof *t->rid, rid_order);
    t->is_set = true;
}

/* The entries of Lists that the caller may see; those that were taken from them do not count. */
static Status list_add(Run *r, Test *t, Str id, size_t room, Err *err)
{
    StoreVersion v;
    JsonDoc d;
    TRY(run_charge(r, 3, err));
    if (store_read(r->reader, r->arena, r->view, STR("List"), id, &v, NULL) != OK) {
        return OK;
    }
    TRY(json_parse(r->arena, v.body, &JSON_LIMITS_FHIR, &d, err));
    for (JsonIter it = json_iter(&d, json_get_c(&d, JSON_ROOT, "entry")); json_next(&it);) {
        FhirRef ref = fhir_ref_parse(json_str_at(&d, it.value, "item.reference"));
        bool counts = ref.kind == FHIR_REF_RELATIVE && t->rid_n < room &&
                      str_eq(ref.type, fhir_type_name(r->query->type)) &&
                      !json_is_true(&d, json_get_c(&d, it.value, "deleted"));
        if (counts) {
            TRY(run_charge(r, 1, err));
            TRY(id_add(r, t, ref.id, err));
        }
    }
    return OK;
}

static Status list_resolve(Run *r, Test *t, Err *err)
{
    const Clause *c = t->clause;
    t->rid = arena_array(r->arena, int64_t, LIST_ENTRIES_MAX);
    for (size_t i = 0; i < c->values_n; i++) {
        TRY(list_add(r, t, c->values[i].text, LIST_ENTRIES_MAX, err));
    }
    ids_done(t);
    return OK;
}

static Status id_resolve(Run *r, Test *t, Err *err)
{
    const Clause *c = t->clause;
    t->rid = arena_array(r->arena, int64_t, c->values_n + 1);
    for (size_t i = 0; i < c->values_n; i++) {
        TRY(id_add(r, t, c->values[i].text, err));
    }
    ids_done(t);
    return OK;
}

Status run_resolve(Run *r, Err *err)
{
    for (size_t i = 0; i < r->test_n; i++) {
        Test *t = &r->test[i];
        if (clause_is_of_terms(t->clause)) {
            TRY(term_resolve(r, t, err));
        }
        switch (t->clause->kind) {
        case CLAUSE_CHAIN:
            TRY(chain_resolve(r, t, err));
            break;
        case CLAUSE_HAS:
            TRY(has_resolve(r, t, err));
            break;
        case CLAUSE_ID:
            TRY(t->clause->list ? list_resolve(r, t, err) : id_resolve(r, t, err));
            break;
        case CLAUSE_TYPE:
            t->is_set = true; /* and empty */
            break;
        case CLAUSE_COMPOSITE:
            TRY(measure_resolve(r, t, err));
            break;
        case CLAUSE_DATE:
        case CLAUSE_NUMBER:
        case CLAUSE_QUANTITY:
            ranges_make(r, t);
            break;
        default:
            TRY(test_is_text(t) ? content_resolve(r, t, err) : codes_resolve(r, t, err));
            break;
        }
    }
    return OK;
}
