/* Index rows: their keys, order and hashes. */
#include "fhir_card.h"
#include "store_inner.h"

#include "mk_banned.h"

static int order_u(uint64_t x, uint64_t y)
{
    return x < y ? -1 : x > y;
}

static int order_i(int64_t x, int64_t y)
{
    return x < y ? -1 : x > y;
}

static int order_d(double x, double y)
{
    return x < y ? -1 : x > y;
}

int index_row_order(const IndexRow *x, const IndexRow *y)
{
    int c = order_u(x->table, y->table);
    c = c ? c : x->table == INDEX_COMPARTMENT ? order_i(x->a, y->a) : order_u(x->param, y->param);
    c = c ? c : order_u(x->param, y->param);
    c = c ? c : order_i(x->a, y->a);
    c = c ? c : order_i(x->b, y->b);
    c = c ? c : order_i(x->c, y->c);
    c = c ? c : order_d(x->lo, y->lo);
    c = c ? c : order_d(x->hi, y->hi);
    return c ? c : str_cmp(x->text, y->text);
}

static int64_t hash_of(const Store *s, const char *kind, Str x, Str y)
{
    Str parts[] = {str_from_c(kind), x, y};
    return (int64_t)hash_sip_parts(s->hash_key, parts, 3);
}

int64_t index_hash_token(const Store *s, Str system, Str code)
{
    FhirCard card;
    return hash_of(s, "|", system, fhir_card_key(system, code, &card));
}

int64_t index_hash_code(const Store *s, Str code)
{
    return hash_of(s, "c", STR_NONE, code);
}

int64_t index_hash_system(const Store *s, Str system)
{
    return hash_of(s, "s", system, STR_NONE);
}

int64_t index_hash_ref(const Store *s, Str type, Str id)
{
    return hash_of(s, "r", type, id);
}

int64_t index_hash_text(const Store *s, Str text)
{
    return hash_of(s, "t", STR_NONE, text);
}

int64_t index_hash_unit(const Store *s, Str system, Str code)
{
    return str_empty(code) ? 0 : hash_of(s, "u", system, code);
}

/* ---- The order of work --------------------------------------------------------------------- */

#define WORK_DUE_BITS 50
#define WORK_DUE_NONE (((int64_t)1 << WORK_DUE_BITS) - 1)
#define WORK_DUE_ZERO                                                                              \
    ((int64_t)1 << (WORK_DUE_BITS - 1)) /* 1970; the years 1 to 9999 fit around                    \
                                         */

bool index_type_is_work(const FhirType *type)
{
    return str_is(fhir_type_name(type), "Task");
}

int index_priority_rank(Str code)
{
    static const char *const ranks[] = {"stat", "asap", "urgent", "routine"};
    int n = sizeof ranks / sizeof *ranks;
    for (int i = 0; i < n; i++) {
        if (str_is(code, ranks[i])) {
            return i;
        }
    }
    return str_empty(code) ? INDEX_RANK_NONE : n;
}

int64_t index_work_nd(int rank, int64_t due_ms)
{
    int64_t due = due_ms == TIME_NONE ? WORK_DUE_NONE : due_ms + WORK_DUE_ZERO;
    return (int64_t)rank << WORK_DUE_BITS | due;
}

int index_work_rank(int64_t nd)
{
    return (int)(nd >> WORK_DUE_BITS);
}

int64_t index_nd_date(const FhirType *type, int64_t nd)
{
    if (index_type_is_work(type)) {
        int64_t due = nd & WORK_DUE_NONE;
        return due == WORK_DUE_NONE ? TIME_NONE : due - WORK_DUE_ZERO;
    }
    return nd == ND_NONE ? TIME_NONE : -nd;
}
