#include "store_everything.h"

#include <stdlib.h>

#include "fhir_resource.h"
#include "store_inner.h"
#include "store_persons.h"

#include "mk_banned.h"

#define ROWS_OF_TYPE_MAX 200000
#define BESIDE_MAX       1000 /* resources beside a page */
#define CURSOR_MAC_BYTES 16
#define CURSOR_LIFE_MS   MS_HOUR

/* Where the next page begins: after this row. */
typedef struct Place {
    int64_t until_ms;     /* the cursor's end */
    int64_t seq, rid_max; /* the log as the first page found it */
    int64_t order, nd, rid;
} Place;

typedef struct Row {
    int64_t nd, rid;
} Row;

typedef struct Walk {
    StoreReader *reader;
    Store *store;
    Arena *arena;
    const StoreEverything *q;
    const StoreView *view;
    Str *patient; /* ids of the person's records */
    size_t patient_n;
    Sight sight;
    Map seen; /* "Type/id" of what the page has */
    Place place;
    bool later; /* not the first page */
    StoreHit *hit;
    size_t n, room;
    bool more;
} Walk;

static char mark;

/* ---- Cursor ---------------------------------------------------------------------------------- */

static Sha256 place_mac(const Walk *w, const Place *p)
{
    Str parts[] = {{(const char *)p, sizeof *p}, w->view->person, STR("$everything"), w->q->self};
    Sha256 digest = sha256_parts(parts, sizeof parts / sizeof *parts);
    Str key = {(const char *)w->store->cursor_key, sizeof w->store->cursor_key};
    return hmac_sha256(key, (Str){(const char *)digest.b, sizeof digest.b});
}

static Str place_write(const Walk *w)
{
    Place p = w->place;
    p.until_ms = clock_now(w->store->options.clock) + CURSOR_LIFE_MS;
    Sha256 mac = place_mac(w, &p);
    char bytes[sizeof p + CURSOR_MAC_BYTES];
    memcpy(bytes, &p, sizeof p);
    memcpy(bytes + sizeof p, mac.b, CURSOR_MAC_BYTES);
    return base64_encode(w->arena, (Str){bytes, sizeof bytes}, true);
}

static Status place_read(Walk *w, Str text, Err *err)
{
    Str bytes;
    Place p;
    bool ok = base64_decode(w->arena, text, true, &bytes) && bytes.n == sizeof p + CURSOR_MAC_BYTES;
    if (ok) {
        memcpy(&p, bytes.p, sizeof p);
        Sha256 mac = place_mac(w, &p);
        ok = bytes_equal_const(mac.b, bytes.p + sizeof p, CURSOR_MAC_BYTES);
    }
    if (!ok) {
        return err_add(err, ERR_INVALID, NULL, STR("_cursor"), "翻页标记无效，请重新请求",
                       "The cursor is not valid for this request; ask again");
    }
    if (clock_now(w->store->options.clock) > p.until_ms) {
        return err_add(err, ERR_GONE, "expired", STR("_cursor"), "翻页已过期，请重新请求",
                       "The cursor is older than an hour; ask again");
    }
    w->place = p;
    w->later = true;
    return OK;
}

/* ---- Rows of the compartment ------------------------------------------------------------------
 */

static int row_order(const void *x, const void *y)
{
    const Row *p = x, *q = y;
    return p->nd != q->nd ? (p->nd < q->nd ? -1 : 1) : p->rid < q->rid ? -1 : p->rid > q->rid;
}

/* A resource has a row for each of its codes. */
static size_t rows_unique(Row *row, size_t n)
{
    size_t kept = 0;
    if (n) {
        qsort(row, n, sizeof *row, row_order);
    }
    for (size_t i = 0; i < n; i++) {
        if (kept == 0 || row[kept - 1].rid != row[i].rid) {
            row[kept++] = row[i];
        }
    }
    return kept;
}

static bool date_fits(const StoreEverything *q, int64_t nd)
{
    bool all = q->from_ms == TIME_NONE && q->to_ms == TIME_FOREVER;
    return all || nd == ND_NONE ||
           ((q->from_ms == TIME_NONE || -nd >= q->from_ms) && -nd < q->to_ms);
}

/* Past the place where the page before ended. */
static bool row_is_next(const Walk *w, int64_t order, const Row *row)
{
    Row last = {w->place.nd, w->place.rid};
    return !w->later || order > w->place.order ||
           (order == w->place.order && row_order(row, &last) > 0);
}

typedef struct Rows {
    Row *at;
    size_t n, room;
} Rows;

static void row_offer(Walk *w, Rows *rows, int64_t order, Row x)
{
    if (rows->n == ROWS_OF_TYPE_MAX || !date_fits(w->q, x.nd) || x.rid > w->place.rid_max ||
        !row_is_next(w, order, &x)) {
        return;
    }
    if (rows->n == rows->room) {
        rows->room = rows->room ? rows->room * 2 : 64;
        Row *wider = arena_array(w->arena, Row, rows->room);
        if (rows->n) {
            memcpy(wider, rows->at, rows->n * sizeof *wider);
        }
        rows->at = wider;
    }
    rows->at[rows->n++] = x;
}

static Status rows_of_index(Walk *w, int64_t patient, const FhirType *type, int64_t order,
                            Rows *rows, Err *err)
{
    DbStmt *st =
        db_take(w->reader->index, "SELECT nd, rid FROM compartment WHERE patient = ? AND type = ?");
    if (!st) {
        return db_failed(w->reader->index, err);
    }
    db_bind_i64(st, 0, patient);
    db_bind_i64(st, 1, type_number(type));
    DbStep step = DB_NONE;
    while (rows->n < ROWS_OF_TYPE_MAX && (step = db_step(st)) == DB_ROW) {
        if (!delta_moved(&w->reader->delta, db_col_i64(st, 1))) {
            row_offer(w, rows, order, (Row){db_col_i64(st, 0), db_col_i64(st, 1)});
        }
    }
    Status s = step == DB_FAIL || step == DB_RETRY ? db_failed(w->reader->index, err) : OK;
    db_give(st);
    return s;
}

static void rows_of_delta(Walk *w, int64_t patient, const FhirType *type, int64_t order, Rows *rows)
{
    DeltaRows list = delta_rows(&w->reader->delta, INDEX_COMPARTMENT, 0, patient);
    for (const DeltaRow *r; (r = delta_next(&list)) != NULL;) {
        if (r->row->param == (uint32_t)type_number(type)) {
            row_offer(w, rows, order, (Row){r->doc->doc->nd, r->doc->rid});
        }
    }
}

static Status rows_read(Walk *w, const FhirType *type, int64_t order, Row **ret, size_t *ret_n,
                        Err *err)
{
    Rows rows = {0};
    for (size_t i = 0; i < w->patient_n; i++) {
        int64_t patient = index_hash_ref(w->store, STR("Patient"), w->patient[i]);
        TRY(rows_of_index(w, patient, type, order, &rows, err));
        rows_of_delta(w, patient, type, order, &rows);
    }
    *ret_n = rows_unique(rows.at, rows.n);
    *ret = rows.at;
    return rows.n < ROWS_OF_TYPE_MAX
               ? OK
               : err_add(err, ERR_TOO_MANY, "too-costly", STR_NONE,
                         "此居民的记录过多，请用 _type、start、end 缩小范围",
                         "This patient has too many resources; narrow it by _type, start, end");
}

/* ---- What becomes a hit -----------------------------------------------------------------------
 */

static void hit_add(Walk *w, StoreMode mode, const StoreVersion *v)
{
    if (w->n == w->room) {
        size_t room = w->room ? w->room * 2 : 64;
        StoreHit *wider = arena_array(w->arena, StoreHit, room);
        if (w->n) {
            memcpy(wider, w->hit, w->n * sizeof *wider);
        }
        w->hit = wider;
        w->room = room;
    }
    w->hit[w->n++] = (StoreHit){mode, v->type, v->id, v->vid, v->body, v->patients, v->patients_n};
    map_put(&w->seen, arena_cat(w->arena, v->type, STR("/"), v->id), &mark);
}

static bool is_of_person(const Walk *w, const StoreVersion *v)
{
    for (size_t i = 0; i < v->patients_n * w->patient_n; i++) {
        if (str_eq(v->patients[i / w->patient_n], w->patient[i % w->patient_n])) {
            return true;
        }
    }
    return false;
}

/* The head as it is now: living, still the patient's, seen, unchanged since the first page. */
static Status row_consider(Walk *w, const FhirType *type, const Row *row, Err *err)
{
    DbStmt *st = db_take(w->reader->log,
                         "SELECT " VERSION_COLUMNS "FROM head h JOIN version v ON v.seq = h.seq"
                         " JOIN tx t ON t.tx = v.tx WHERE h.rid = ?");
    if (!st) {
        return db_failed(w->reader->log, err);
    }
    db_bind_i64(st, 0, row->rid);
    StoreVersion v;
    Status s = OK;
    bool fits = db_step(st) == DB_ROW && db_col_i64(st, 5) != STORE_DELETE &&
                db_col_i64(st, 0) <= w->place.seq && db_col_i64(st, 6) >= w->q->since_ms &&
                sight_resource(&w->sight, type, db_col_id(st, 11), (uint64_t)db_col_i64(st, 14));
    if (fits) {
        s = version_read(w->reader, st, w->arena, true, &v, err);
    }
    db_give(st);
    if (s == OK && fits && is_of_person(w, &v)) {
        hit_add(w, STORE_MATCH, &v);
    }
    return s;
}

/* Patient before all others, then in the order of the log's numbers. */
static int64_t type_order(const FhirType *type)
{
    return str_is(fhir_type_name(type), "Patient") ? -1 : type_number(type);
}

static int type_compare(const void *x, const void *y)
{
    int64_t p = type_order(*(const FhirType *const *)x),
            q = type_order(*(const FhirType *const *)y);
    return p < q ? -1 : p > q;
}

static Status type_walk(Walk *w, const FhirType *type, Err *err)
{
    Row *row;
    size_t n;
    unsigned links;
    bool self;
    int64_t order = type_order(type);
    fhir_patient_links(type, &links, &self);
    if ((links == 0 && !self) || (w->later && order < w->place.order)) {
        return OK;
    }
    TRY(rows_read(w, type, order, &row, &n, err));
    for (size_t i = 0; i < n; i++) {
        if (w->n == w->q->count) {
            w->more = true;
            return OK;
        }
        TRY(row_consider(w, type, &row[i], err));
        w->place.order = order;
        w->place.nd = row[i].nd;
        w->place.rid = row[i].rid;
    }
    return OK;
}

/* ---- Beside the page --------------------------------------------------------------------------
 */

static bool type_is_asked(const StoreEverything *q, const FhirType *type)
{
    bool found = false;
    for (size_t i = 0; i < q->types_n && !found; i++) {
        found = q->types[i] == type;
    }
    return found;
}

/* Of the county: no patient's data, or nobody's (a machine). */
static bool is_directory(const StoreVersion *v)
{
    unsigned links;
    bool self;
    fhir_patient_links(fhir_resource_find(v->type), &links, &self);
    return v->patients_n == 0 && (links == 0 || str_is(v->type, "Device")) && !self;
}

static Status beside_take(void *ctx, const FhirRefAt *at, Err *err)
{
    Walk *w = ctx;
    StoreVersion v;
    const FhirType *type =
        at->ref.kind == FHIR_REF_RELATIVE ? fhir_resource_find(at->ref.type) : NULL;
    if (!type || !type_is_asked(w->q, type) ||
        map_get(&w->seen, arena_cat(w->arena, at->ref.type, STR("/"), at->ref.id)) ||
        store_read(w->reader, w->arena, w->view, at->ref.type, at->ref.id, &v, NULL) != OK ||
        !is_directory(&v)) {
        return OK;
    }
    if (w->n >= w->q->count + BESIDE_MAX) {
        return err_add(
            err, ERR_TOO_MANY, "too-costly", STR_NONE, "关联记录超过 %d 条，请减小 _count",
            "More than %d resources stand beside the page; ask for a smaller _count", BESIDE_MAX);
    }
    hit_add(w, STORE_INCLUDE, &v);
    return OK;
}

static Status beside_walk(Walk *w, Err *err)
{
    size_t matches = w->n;
    for (size_t i = 0; i < matches; i++) {
        JsonDoc d;
        TRY(json_parse(w->arena, w->hit[i].body, &JSON_LIMITS_FHIR, &d, err));
        TRY(fhir_refs_walk(&d, JSON_ROOT, false, beside_take, w, err));
    }
    return OK;
}

/* ---- The page ---------------------------------------------------------------------------------
 */

static void person_read(Walk *w)
{
    const Str *other;
    size_t n = store_person_others(w->store, w->arena, w->q->patient, &other);
    w->patient = arena_array(w->arena, Str, n + 1);
    w->patient_n = n + 1;
    w->patient[0] = w->q->patient;
    for (size_t i = 0; i < n; i++) {
        w->patient[i + 1] = other[i];
    }
}

static Status page_inside(Walk *w, Str cursor, StorePage *ret, Err *err)
{
    const StoreEverything *q = w->q;
    w->place = (Place){.seq = w->reader->log_seq, .rid_max = w->reader->rid_max};
    if (!str_empty(cursor)) {
        TRY(place_read(w, cursor, err));
    }
    const FhirType **types = arena_array(w->arena, const FhirType *, q->types_n + 1);
    memcpy(types, q->types, q->types_n * sizeof *types);
    qsort(types, q->types_n, sizeof *types, type_compare);
    for (size_t i = 0; i < q->types_n && !w->more; i++) {
        TRY(type_walk(w, types[i], err));
    }
    TRY(beside_walk(w, err));
    *ret = (StorePage){.hits = w->hit, .hits_n = w->n, .total = -1, .self = q->self};
    if (w->more) {
        ret->next = place_write(w);
    }
    return OK;
}

Status store_everything(StoreReader *r, Arena *a, const StoreEverything *q, const StoreView *view,
                        Str cursor, StorePage *ret, Err *err)
{
    Walk w = {.reader = r, .store = r->store, .arena = a, .q = q, .view = view};
    sight_init(&w.sight, r, view, a);
    map_init(&w.seen, a);
    person_read(&w);
    TRY(store_snapshot_begin(r, err));
    Status s = page_inside(&w, cursor, ret, err);
    store_snapshot_end(r);
    return s;
}
