/* The order of matches, and the cursor that remembers a place in it. */
#include "store_query.h"

#include "mk_banned.h"

/* ---- Walks --------------------------------------------------------------------------------- */

/* A Task's lists stand by priority and due: the order of a work list. */
static bool sorts_as_work(const StoreQuery *q)
{
    return (q->sort_n == 1 ||
            (q->sort_n == 2 && q->sort[1].kind == SORT_CLINICAL && !q->sort[1].descending)) &&
           q->sort[0].kind == SORT_PRIORITY && !q->sort[0].descending;
}

bool query_is_walked(const StoreQuery *q)
{
    if (q->sort_n == 0) {
        return !q->by_text;
    }
    return index_type_is_work(q->type) ? sorts_as_work(q)
                                       : q->sort_n == 1 && q->sort[0].kind == SORT_CLINICAL;
}

bool query_ascends(const StoreQuery *q)
{
    return q->sort_n == 1 && q->sort[0].kind == SORT_CLINICAL && !q->sort[0].descending &&
           !index_type_is_work(q->type);
}

int candidate_newest_first(const void *x, const void *y)
{
    const Candidate *p = x, *q = y;
    return p->nd != q->nd ? (p->nd < q->nd ? -1 : 1) : p->rid < q->rid ? -1 : p->rid > q->rid;
}

int candidate_oldest_first(const void *x, const void *y)
{
    const Candidate *p = x, *q = y;
    if ((p->nd == ND_NONE) != (q->nd == ND_NONE)) {
        return p->nd == ND_NONE ? 1 : -1;
    }
    return p->nd != q->nd ? (p->nd > q->nd ? -1 : 1) : p->rid > q->rid ? -1 : p->rid < q->rid;
}

/* ---- Keys --------------------------------------------------------------------------------- */

static int64_t rank_key(int rank)
{
    return rank == INDEX_RANK_NONE ? KEY_MISSING : rank;
}

static Status priority_key(Run *r, Found *f, int64_t *ret, Err *err)
{
    JsonDoc d;
    TRY(found_body(r, f, err));
    *ret = json_parse(r->arena, f->body, &JSON_LIMITS_FHIR, &d, NULL) == OK
               ? rank_key(index_priority_rank(json_str_at(&d, JSON_ROOT, "priority")))
               : KEY_MISSING;
    return OK;
}

static bool key_in_index(const StoreQuery *q, const Sort *s)
{
    return s->kind == SORT_CLINICAL || s->kind == SORT_UPDATED ||
           (s->kind == SORT_PRIORITY && index_type_is_work(q->type));
}

bool query_keys_in_index(const StoreQuery *q)
{
    bool all = q->sort_n > 0;
    for (size_t i = 0; i < q->sort_n; i++) {
        all = all && key_in_index(q, &q->sort[i]);
    }
    return all;
}

int64_t candidate_key(const StoreQuery *q, const Sort *s, Candidate c, uint64_t seq)
{
    if (s->kind == SORT_UPDATED) {
        return (int64_t)seq;
    }
    if (s->kind == SORT_PRIORITY) {
        return rank_key(index_work_rank(c.nd));
    }
    int64_t date = index_nd_date(q->type, c.nd);
    return date == TIME_NONE ? KEY_MISSING : date;
}

/* Doubles in an order that integers keep. */
static int64_t double_key(double v)
{
    int64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits < 0 ? INT64_MIN - bits : bits;
}

static bool value_key(const FhirIndexRow *v, bool descending, int64_t *ret_key, Str *ret_text)
{
    switch (v->kind) {
    case FHIR_PARAM_DATE:
        *ret_key = descending && v->date.hi_ms < KEY_MISSING ? v->date.hi_ms : v->date.lo_ms;
        return true;
    case FHIR_PARAM_NUMBER:
        *ret_key = double_key(v->number.lo);
        return true;
    case FHIR_PARAM_QUANTITY:
        *ret_key = double_key(v->number.canonical ? v->number.canonical_lo : v->number.lo);
        return true;
    case FHIR_PARAM_STRING:
        *ret_text = v->string.folded;
        return true;
    case FHIR_PARAM_URI:
        *ret_text = v->uri;
        return true;
    case FHIR_PARAM_TOKEN:
        *ret_text = v->token.code;
        return v->token.code.n > 0;
    case FHIR_PARAM_REFERENCE:
        *ret_text = v->reference.id.n ? v->reference.id : v->reference.url;
        return ret_text->n > 0;
    case FHIR_PARAM_COMPOSITE:
    case FHIR_PARAM_SPECIAL:
        break;
    }
    return false;
}

/* Of several values the least counts upwards and the greatest downwards. */
static void values_key(const FhirIndexRows *values, const Sort *s, int64_t *ret_key, Str *ret_text)
{
    bool any = false;
    *ret_key = KEY_MISSING;
    for (size_t i = 0; i < values->n; i++) {
        int64_t key = 0;
        Str text = STR_NONE;
        if (!value_key(&values->at[i], s->descending, &key, &text)) {
            continue;
        }
        text = str_take(text, KEY_BYTES_MAX);
        int c = !any             ? -1
                : text.p         ? str_cmp(text, *ret_text)
                : key < *ret_key ? -1
                                 : key > *ret_key;
        if (!any || (s->descending ? c > 0 : c < 0)) {
            *ret_key = key;
            *ret_text = text;
        }
        any = true;
    }
}

/* The least of the texts that match: where the resource stands among what was asked for. */
static Status text_key(Run *r, Found *f, Err *err)
{
    const Clause *c = r->query->by_text;
    FhirIndexRows values;
    TRY(found_values(r, f, c->param, &values, err));
    f->text[0] = STR_NONE;
    for (size_t i = 0; i < values.n; i++) {
        Str text = values.at[i].string.folded;
        if (str_starts(text, c->values[0].text) &&
            (!f->text[0].p || str_cmp(text, f->text[0]) < 0)) {
            f->text[0] = text;
        }
    }
    f->text[0] = str_take(f->text[0], KEY_BYTES_MAX);
    return OK;
}

/* By the first reference to the target's type that leads to what may be seen. */
static Status chain_key(Run *r, Found *f, const Sort *s, int64_t *ret_key, Str *ret_text, Err *err)
{
    FhirExtractEnv env = {.arena = r->arena, .zone_min = r->store->options.zone_min};
    FhirIndexRows via, values;
    StoreVersion v;
    JsonDoc d;
    *ret_key = KEY_MISSING;
    TRY(found_values(r, f, s->via, &via, err));
    for (size_t i = 0; i < via.n; i++) {
        const FhirReferenceValue *ref = &via.at[i].reference;
        if (ref->type != s->target || !str_empty(ref->url)) {
            continue;
        }
        r->budget->bodies--;
        TRY(run_charge(r, 3, err));
        if (store_read(r->reader, r->arena, r->view, fhir_type_name(ref->type), ref->id, &v,
                       NULL) == OK) {
            TRY(json_parse(r->arena, v.body, &JSON_LIMITS_FHIR, &d, err));
            TRY(fhir_extract_param(&d, s->target, s->param, &env, &values, err));
            values_key(&values, s, ret_key, ret_text);
            return OK;
        }
    }
    return OK;
}

static Status sort_key(Run *r, Found *f, size_t i, Err *err)
{
    const Sort *s = &r->query->sort[i];
    FhirIndexRows values;
    if (key_in_index(r->query, s)) {
        f->key[i] = candidate_key(r->query, s, f->at, f->seq);
    } else if (s->kind == SORT_ID) {
        f->text[i] = f->id;
    } else if (s->kind == SORT_PRIORITY) {
        TRY(priority_key(r, f, &f->key[i], err));
    } else if (s->kind == SORT_CHAIN) {
        TRY(chain_key(r, f, s, &f->key[i], &f->text[i], err));
    } else {
        TRY(found_values(r, f, s->param, &values, err));
        values_key(&values, s, &f->key[i], &f->text[i]);
    }
    return OK;
}

Status found_keys(Run *r, Found *f, Err *err)
{
    if (r->query->by_text) {
        return text_key(r, f, err);
    }
    for (size_t i = 0; i < r->query->sort_n; i++) {
        TRY(sort_key(r, f, i, err));
    }
    return OK;
}

/* ---- Order ------------------------------------------------------------------------------------
 */

static int order_i(int64_t x, int64_t y)
{
    return x < y ? -1 : x > y;
}

static int key_order(const Sort *s, const Found *x, const Found *y, size_t i)
{
    bool x_missing = x->key[i] == KEY_MISSING, y_missing = y->key[i] == KEY_MISSING;
    if (x_missing || y_missing) {
        return (int)x_missing - (int)y_missing; /* without a value last, whatever the direction */
    }
    int c = order_i(x->key[i], y->key[i]);
    c = c ? c : str_cmp(x->text[i], y->text[i]);
    return s->descending ? -c : c;
}

int found_order(const StoreQuery *q, const Found *x, const Found *y)
{
    if (query_is_walked(q)) {
        return query_ascends(q) ? candidate_oldest_first(&x->at, &y->at)
                                : candidate_newest_first(&x->at, &y->at);
    }
    if (q->by_text) {
        int c = str_cmp(x->text[0], y->text[0]);
        return c ? c : order_i(x->at.rid, y->at.rid);
    }
    for (size_t i = 0; i < q->sort_n; i++) {
        int c = key_order(&q->sort[i], x, y, i);
        if (c) {
            return c;
        }
    }
    return order_i(x->at.rid, y->at.rid);
}

/* ---- Cursor ------------------------------------------------------------------------------------
 */

#define CURSOR_MAC_BYTES 16
#define CURSOR_BYTES_MAX 4096

#define WAY_KEYS 4 /* of a place among values */

static size_t cursor_keys(const StoreQuery *q, const Cursor *c)
{
    return c->way ? WAY_KEYS : q->by_text ? 1 : q->sort_n;
}

static void put_i64(Buf *b, int64_t v)
{
    buf_bytes(b, &v, sizeof v);
}

static int64_t take_i64(Reader *r)
{
    int64_t v = 0;
    const uint8_t *p = reader_take(r, sizeof v);
    memcpy(&v, p, sizeof v);
    return v;
}

/* Bound to the person and the query: the same bytes under another name or question do not verify.
 */
static Sha256 cursor_mac(const Run *r, Str bytes)
{
    Str parts[] = {bytes, r->view->person, fhir_type_name(r->query->type), r->query->self,
                   r->query->within};
    Sha256 digest = sha256_parts(parts, sizeof parts / sizeof *parts);
    Str key = {(const char *)r->store->cursor_key, sizeof r->store->cursor_key};
    return hmac_sha256(key, (Str){(const char *)digest.b, sizeof digest.b});
}

Str cursor_write(const Run *r, const Cursor *c)
{
    Buf b;
    buf_init(&b, CURSOR_BYTES_MAX);
    put_i64(&b, clock_now(r->store->options.clock) + CURSOR_LIFE_MS);
    put_i64(&b, c->part);
    put_i64(&b, c->way);
    put_i64(&b, (int64_t)c->seq);
    put_i64(&b, c->rid_max);
    put_i64(&b, c->last.at.nd);
    put_i64(&b, c->last.at.rid);
    for (size_t i = 0; i < cursor_keys(r->query, c); i++) {
        put_i64(&b, c->last.key[i]);
        put_i64(&b, (int64_t)c->last.text[i].n);
        buf_add(&b, c->last.text[i]);
    }
    Sha256 mac = cursor_mac(r, buf_str(&b));
    buf_bytes(&b, mac.b, CURSOR_MAC_BYTES);
    Str text = b.failed ? STR_NONE : base64_encode(r->arena, buf_str(&b), true);
    buf_done(&b);
    return text;
}

static Status cursor_bad(Err *err)
{
    return err_add(err, ERR_INVALID, NULL, STR("_cursor"), "翻页标记无效，请重新检索",
                   "The cursor is not valid for this search; search again");
}

Status cursor_read(const Run *r, Str text, Cursor *ret, Err *err)
{
    Str bytes;
    if (!base64_decode(r->arena, text, true, &bytes) || bytes.n <= CURSOR_MAC_BYTES) {
        return cursor_bad(err);
    }
    Str content = str_take(bytes, bytes.n - CURSOR_MAC_BYTES);
    Sha256 mac = cursor_mac(r, content);
    if (!bytes_equal_const(mac.b, bytes.p + content.n, CURSOR_MAC_BYTES)) {
        return cursor_bad(err);
    }
    Reader in = reader_from(content);
    int64_t until = take_i64(&in);
    Cursor c = {.part = take_i64(&in)};
    c.way = take_i64(&in);
    c.seq = (uint64_t)take_i64(&in);
    c.rid_max = take_i64(&in);
    c.last.at.nd = take_i64(&in);
    c.last.at.rid = take_i64(&in);
    for (size_t i = 0; i < cursor_keys(r->query, &c); i++) {
        c.last.key[i] = take_i64(&in);
        c.last.text[i] = reader_bytes(&in, (size_t)take_i64(&in));
    }
    if (in.failed) {
        return cursor_bad(err);
    }
    if (clock_now(r->store->options.clock) > until) {
        return err_add(err, ERR_GONE, "expired", STR("_cursor"), "翻页已过期，请重新检索",
                       "The cursor is older than an hour; search again");
    }
    *ret = c;
    return OK;
}
