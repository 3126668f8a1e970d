#include <stdlib.h>

#include "fhir_resource.h"
#include "store_inner.h"

#include "mk_banned.h"

/* INTERIM */
typedef struct Rows {
    Arena *a;
    IndexRow *p;
    size_t n, room;
    const Store *s;
    const FhirType *type;
    int64_t nd;
} Rows;
static IndexRow *row_add(Rows *r, IndexTable t, uint32_t param)
{
    if (r->n == r->room) {
        size_t room = r->room ? r->room * 2 : 32;
        IndexRow *p = arena_array(r->a, IndexRow, room);
        if (r->n)
            memcpy(p, r->p, r->n * sizeof *p);
        r->p = p;
        r->room = room;
    }
    IndexRow *x = &r->p[r->n++];
    *x = (IndexRow){.table = t, .param = param};
    return x;
}
static void tok(Rows *r, uint32_t param, Str sys, Str code)
{
    row_add(r, INDEX_TOKEN, param)->a = index_hash_token(r->s, sys, code);
    row_add(r, INDEX_TOKEN, param)->a = index_hash_code(r->s, code);
    if (!str_empty(sys))
        row_add(r, INDEX_TOKEN, param)->a = index_hash_system(r->s, sys);
}
static void val(Rows *r, const JsonDoc *d, JsonRef v, const FhirParam *p)
{
    uint32_t param = index_param(r->type, p);
    if (json_type(d, v) == JSON_ARRAY) {
        for (JsonIter it = json_iter(d, v); json_next(&it);)
            val(r, d, it.value, p);
        return;
    }
    switch (p->kind) {
    case FHIR_PARAM_TOKEN: {
        if (json_type(d, v) == JSON_STRING) {
            tok(r, param, STR_NONE, json_str(d, v));
            return;
        }
        if (json_type(d, v) == JSON_TRUE || json_type(d, v) == JSON_FALSE) {
            tok(r, param, STR_NONE, json_raw(d, v));
            return;
        }
        JsonRef coding = json_get_c(d, v, "coding");
        if (coding != JSON_NONE) {
            val(r, d, coding, p);
            return;
        }
        Str c = json_str_at(d, v, "code");
        if (!c.p)
            c = json_str_at(d, v, "value");
        if (c.p)
            tok(r, param, json_str_at(d, v, "system"), c);
        return;
    }
    case FHIR_PARAM_REFERENCE: {
        Str t = json_type(d, v) == JSON_STRING ? json_str(d, v) : json_str_at(d, v, "reference"),
            ty, id;
        if (t.p && str_cut(t, '/', &ty, &id) && fhir_resource_find(ty)) {
            IndexRow *w = row_add(r, INDEX_REF, param);
            w->a = index_hash_ref(r->s, ty, id);
            w->raw = t;
        } else if (t.p)
            row_add(r, INDEX_REF, param)->a = index_hash_text(r->s, t);
        return;
    }
    case FHIR_PARAM_DATE: {
        DateTime dt;
        int64_t lo = INT64_MIN, hi = INT64_MAX, x, y;
        if (json_type(d, v) == JSON_STRING) {
            if (!datetime_parse(json_str(d, v), &dt))
                return;
            datetime_range(&dt, r->s->options.zone_min, &lo, &hi);
        } else {
            if (datetime_parse(json_str_at(d, v, "start"), &dt)) {
                datetime_range(&dt, r->s->options.zone_min, &x, &y);
                lo = x;
            }
            if (datetime_parse(json_str_at(d, v, "end"), &dt)) {
                datetime_range(&dt, r->s->options.zone_min, &x, &y);
                hi = y;
            }
        }
        IndexRow *w = row_add(r, INDEX_DATE, param);
        w->a = lo == INT64_MIN ? INT64_MAX : -lo;
        w->b = -hi;
        return;
    }
    case FHIR_PARAM_STRING: {
        if (json_type(d, v) == JSON_STRING) {
            IndexRow *w = row_add(r, INDEX_STRING, param);
            w->raw = json_str(d, v);
            char *t = arena_cstr(r->a, w->raw);
            for (char *c = t; *c; c++)
                if (*c >= 'A' && *c <= 'Z')
                    *c += 32;
            w->text = (Str){t, w->raw.n};
        } else if (json_type(d, v) == JSON_OBJECT) {
            for (JsonIter it = json_iter(d, v); json_next(&it);)
                val(r, d, it.value, p);
        }
        return;
    }
    case FHIR_PARAM_URI:
        row_add(r, INDEX_URI, param)->text = json_str(d, v);
        return;
    default:
        return;
    }
}
static void walk(const JsonDoc *d, JsonRef at, Str path, void (*fn)(void *, JsonRef), void *ctx)
{
    if (json_type(d, at) == JSON_ARRAY) {
        for (JsonIter it = json_iter(d, at); json_next(&it);)
            walk(d, it.value, path, fn, ctx);
        return;
    }
    if (at == JSON_NONE)
        return;
    if (str_empty(path)) {
        fn(ctx, at);
        return;
    }
    Str head, rest;
    str_cut(path, '.', &head, &rest);
    if (str_find_char(head, '(') >= 0) {
        walk(d, at, rest, fn, ctx);
        return;
    }
    JsonRef v = json_get(d, at, head);
    if (v != JSON_NONE) {
        walk(d, v, rest, fn, ctx);
        return;
    }
    for (JsonIter it = json_iter(d, at); json_next(&it);)
        if (it.key.n > head.n && str_starts(it.key, head) && it.key.p[head.n] >= 'A' &&
            it.key.p[head.n] <= 'Z')
            walk(d, it.value, rest, fn, ctx);
}
static void alternatives(const JsonDoc *d, Str e, void (*fn)(void *, JsonRef), void *ctx)
{
    while (!str_empty(e)) {
        Str one, rest, head, path;
        str_cut(e, '|', &one, &rest);
        e = rest;
        one = str_trim(one);
        while (str_starts(one, STR("(")))
            one = str_skip(one, 1);
        ptrdiff_t sp = str_find_char(one, ' ');
        if (sp > 0)
            one = str_take(one, (size_t)sp);
        while (str_ends(one, STR(")")) && str_find_char(one, '(') < 0)
            one = str_take(one, one.n - 1);
        ptrdiff_t w = str_find(one, STR(".where("));
        if (w > 0)
            one = str_take(one, (size_t)w);
        w = str_find(one, STR(".as("));
        if (w > 0)
            one = str_take(one, (size_t)w);
        str_cut(one, '.', &head, &path);
        walk(d, JSON_ROOT, path, fn, ctx);
    }
}
typedef struct Ctx {
    Rows *r;
    const JsonDoc *d;
    const FhirParam *p;
    Str *ids;
    size_t n;
} Ctx;
static void on_val(void *c, JsonRef v)
{
    Ctx *x = c;
    val(x->r, x->d, v, x->p);
}
static void on_nd(void *c, JsonRef v)
{
    Ctx *x = c;
    Str t = json_str(x->d, v);
    if (!t.p)
        t = json_str_at(x->d, v, "start");
    int64_t ms;
    if (x->r->nd == ND_NONE && t.p && time_parse(t, x->r->s->options.zone_min, &ms))
        x->r->nd = -ms;
}
static void on_link(void *c, JsonRef v)
{
    Ctx *x = c;
    Str t =
        json_type(x->d, v) == JSON_STRING ? json_str(x->d, v) : json_str_at(x->d, v, "reference");
    if (!str_starts(t, STR("Patient/")) || x->n > 20)
        return;
    Str id = str_skip(t, 8);
    for (size_t i = 0; i < x->n; i++)
        if (str_eq(x->ids[i], id))
            return;
    x->ids[x->n++] = id;
}
static int by_order(const void *x, const void *y)
{
    return index_row_order(x, y);
}
Status index_extract(const Store *s, Arena *a, const FhirType *type, Str body, IndexDoc *ret,
                     Err *err)
{
    JsonDoc *d = arena_new(a, JsonDoc);
    TRY(json_parse(a, body, &JSON_LIMITS_FHIR, d, err));
    Rows r = {.a = a, .s = s, .type = type, .nd = ND_NONE};
    Ctx c = {&r, d, NULL, arena_array(a, Str, 32), 0};
    alternatives(d, fhir_clinical_date(type), on_nd, &c);
    for (const FhirType *t = type; t; t = fhir_type_base(t)) {
        unsigned n;
        const FhirParam *p = fhir_params_of(t, &n);
        for (unsigned i = 0; i < n; i++) {
            if (str_is(fhir_param_name(&p[i]), "_lastUpdated") ||
                str_is(fhir_param_name(&p[i]), "_id"))
                continue;
            c.p = &p[i];
            alternatives(d, fhir_param_expression(&p[i]), on_val, &c);
        }
    }
    unsigned links;
    bool self;
    const FhirPatientLink *l = fhir_patient_links(type, &links, &self);
    if (self)
        c.ids[c.n++] = json_str_at(d, JSON_ROOT, "id");
    for (unsigned i = 0; i < links; i++)
        alternatives(d, fhir_patient_link_expression(&l[i]), on_link, &c);
    row_add(&r, INDEX_TOKEN, (uint32_t)(type->resource + 1) << 16 | 0xffff);
    for (size_t i = 0; i < c.n; i++) {
        IndexRow *w = row_add(&r, INDEX_COMPARTMENT, type->resource);
        w->a = index_hash_ref(s, STR("Patient"), c.ids[i]);
        size_t n = r.n;
        for (size_t k = 0; k < n; k++) {
            const FhirParam *p = fhir_param_find(type, STR("code"));
            if (p && r.p[k].table == INDEX_TOKEN && r.p[k].param == index_param(type, p)) {
                int64_t h = r.p[k].a;
                IndexRow *v = row_add(&r, INDEX_COMPARTMENT, type->resource);
                v->a = index_hash_ref(s, STR("Patient"), c.ids[i]);
                v->b = h;
            }
        }
    }
    qsort(r.p, r.n, sizeof *r.p, by_order);
    size_t k = 0;
    for (size_t i = 0; i < r.n; i++)
        if (!k || index_row_order(&r.p[k - 1], &r.p[i]))
            r.p[k++] = r.p[i];
    *ret = (IndexDoc){type, r.nd, r.p, k, c.ids, c.n};
    return OK;
}
