/* A clause against the rows of one resource in memory: for what the index cannot answer by itself.
 */
#include "store_query.h"

#include "mk_banned.h"

static bool hash_among(const int64_t *list, size_t n, int64_t hash)
{
    for (size_t i = 0; i < n; i++) {
        if (list[i] == hash) {
            return true;
        }
    }
    return false;
}

/* The body may name a system that the index does not know yet: then the code alone tells. */
static bool row_is_hashed(const Test *t, const IndexRow *row)
{
    return row->table == INDEX_CODE ? hash_among(t->code, t->code_n, row->a)
                                    : (row->table == INDEX_TOKEN || row->table == INDEX_REF) &&
                                          hash_among(t->hash, t->hash_n, row->a);
}

static bool text_matches(const Clause *c, const QueryValue *v, const IndexRow *row)
{
    switch (c->modifier) {
    case MODIFIER_EXACT:
        return str_eq(row->raw, v->code);
    case MODIFIER_CONTAINS:
        return str_find(row->text, v->text) >= 0;
    case MODIFIER_ABOVE:
        return str_starts(v->text, row->text);
    case MODIFIER_BELOW:
        return str_starts(row->text, v->text);
    default:
        return c->kind == CLAUSE_URI ? str_eq(row->text, v->text) : str_starts(row->text, v->text);
    }
}

bool query_quantity_matches(const Store *s, const QueryValue *v, const IndexRow *row)
{
    if (row->a == index_hash_unit(s, v->system, v->code)) {
        return query_number_matches(v, row->lo, row->hi);
    }
    if (!v->convertible || row->a != index_hash_unit(s, STR(INDEX_UNIT_BASE), v->base)) {
        return false;
    }
    QueryValue base = query_value_in_base(v);
    return query_number_matches(&base, row->lo, row->hi);
}

bool query_row_matches(const Run *r, const Clause *c, const QueryValue *v, const IndexRow *row)
{
    switch (row->table) {
    case INDEX_DATE:
        return query_date_matches(v, -row->a, -row->b, r->view->now_ms);
    case INDEX_STRING:
    case INDEX_URI:
        return text_matches(c, v, row);
    case INDEX_NUMBER:
        return query_number_matches(v, row->lo, row->hi);
    case INDEX_QUANTITY:
        return query_quantity_matches(r->store, v, row);
    case INDEX_TOKEN:
    case INDEX_REF:
    case INDEX_COMPARTMENT:
    case INDEX_CODE:
    case INDEX_TABLES:
        break;
    }
    return false;
}

/* A row that stands for another parameter's must also refer to what this one may refer to. */
static bool row_is_of(const Clause *c, const FhirType *type, const IndexRow *row)
{
    Str name, id;
    if (c->param->kind != FHIR_PARAM_REFERENCE || !index_param_is_alias(type, c->param)) {
        return true;
    }
    const FhirType *target = str_cut(row->raw, '/', &name, &id) ? fhir_resource_find(name) : NULL;
    return target && fhir_param_allows(c->param, target);
}

static bool rows_match(const Run *r, const Test *t, const IndexDoc *doc)
{
    const Clause *c = t->clause;
    bool present = false;
    for (size_t i = 0; i < doc->rows_n; i++) {
        const IndexRow *row = &doc->rows[i];
        if (!row_is_of(c, doc->type, row)) {
            continue;
        }
        present = true;
        if (row_is_hashed(t, row)) {
            return true;
        }
        for (size_t k = 0; k < c->values_n; k++) {
            if (query_row_matches(r, c, &c->values[k], row)) {
                return true;
            }
        }
    }
    return c->modifier == MODIFIER_MISSING && present != c->missing;
}

static bool id_matches(const Clause *c, Str id)
{
    for (size_t i = 0; i < c->values_n; i++) {
        if (str_eq(c->values[i].text, id)) {
            return true;
        }
    }
    return false;
}

static bool updated_matches(const Run *r, const Clause *c, int64_t at_ms)
{
    for (size_t i = 0; i < c->values_n; i++) {
        if (query_date_matches(&c->values[i], at_ms, at_ms + 1, r->view->now_ms)) {
            return true;
        }
    }
    return false;
}

bool clause_matches(const Run *r, const Test *t, const IndexDoc *doc, const Found *f)
{
    const Clause *c = t->clause;
    if (c->kind == CLAUSE_ID) {
        return id_matches(c, f->id);
    }
    if (c->kind == CLAUSE_UPDATED) {
        return updated_matches(r, c, f->at_ms);
    }
    return rows_match(r, t, doc) != (c->modifier == MODIFIER_NOT);
}
