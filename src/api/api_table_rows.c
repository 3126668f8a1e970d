/*
 * Rows into the store: what a row says is compared with what is there, and only differences are
 * written, a group of rows in one transaction.
 */
#include "api_table_inner.h"

#include "fhir_card.h"

#include "mk_banned.h"

/* ---- A row beside what is there ----------------------------------------------------------------
 */

/* Whether somebody or a post is still in force is not the table's business once it is there. */
static bool is_theirs(Str key, const JsonDoc *there)
{
    return str_is(key, "active") && json_get(there, JSON_ROOT, key) != JSON_NONE;
}

/* Every member that the table has is as it is there; other members are not its business either. */
static bool same(const JsonDoc *there, const JsonDoc *row)
{
    for (JsonIter it = json_iter(row, JSON_ROOT); json_next(&it);) {
        if (!is_theirs(it.key, there) &&
            !json_equal(row, it.value, there, json_get(there, JSON_ROOT, it.key))) {
            return false;
        }
    }
    return true;
}

/* What the table does not say (a photograph, a language) stays as it is. */
static Str merged(Arena *a, const JsonDoc *there, const JsonDoc *row)
{
    Buf out;
    JsonWriter w = json_begin(&out, '{');
    for (JsonIter it = json_iter(row, JSON_ROOT); json_next(&it);) {
        JsonRef kept = is_theirs(it.key, there) ? json_get(there, JSON_ROOT, it.key) : JSON_NONE;
        json_key_str(&w, it.key);
        json_put_raw(&w, kept == JSON_NONE ? json_raw(row, it.value) : json_raw(there, kept));
    }
    for (JsonIter it = json_iter(there, JSON_ROOT); json_next(&it);) {
        if (json_get(row, JSON_ROOT, it.key) == JSON_NONE && !str_is(it.key, "meta")) {
            json_key_str(&w, it.key);
            json_put_raw(&w, json_raw(there, it.value));
        }
    }
    return json_end(&w, '}', a);
}

static Fate fate_of(Table *t, Arena *a, LinkResource *x)
{
    JsonDoc there, row;
    Str answer, path = arena_cat(a, STR("/fhir/"), str_from_c(x->type), STR("/"), x->id);
    int status = api_local_call(t->local, a, "GET", path, STR_NONE, STR_NONE, &answer);
    if (status != 200 || json_parse(a, answer, &JSON_LIMITS_FHIR, &there, NULL) != OK ||
        json_parse(a, x->body, &JSON_LIMITS_FHIR, &row, NULL) != OK) {
        return MADE;
    }
    if (same(&there, &row)) {
        return UNCHANGED;
    }
    x->body = merged(a, &there, &row);
    return CHANGED;
}

/* The server's own words, in both languages as far as it gave them. */
static Status refused_by(Arena *a, int status, Str answer, Err *err)
{
    JsonDoc d;
    if (json_parse(a, answer, &JSON_LIMITS_FHIR, &d, NULL) == OK) {
        for (JsonIter it = json_iter(&d, json_get_c(&d, JSON_ROOT, "issue")); json_next(&it);) {
            Str text = json_str_at(&d, it.value, "details.text");
            (void)err_text(err, ERR_UNPROCESSABLE, NULL, STR_NONE, text, text);
        }
    }
    return err->count ? ERR_UNPROCESSABLE
                      : err_add(err, ERR_UNPROCESSABLE, NULL, STR_NONE, "服务器回答 %d",
                                "The server answered %d", status);
}

static Status resource_put(Table *t, Arena *a, const LinkResource *x, Err *err)
{
    Str answer, type = str_from_c(x->type);
    Str path = t->o->dry ? arena_cat(a, STR("/fhir/"), type, STR("/$validate"))
                         : arena_cat(a, STR("/fhir/"), type, STR("/"), x->id);
    int status =
        api_local_call(t->local, a, t->o->dry ? "POST" : "PUT", path, STR_NONE, x->body, &answer);
    return status == 200 || status == 201 ? OK : refused_by(a, status, answer, err);
}

/* Neither another row of this file nor another resident of the county is the same one. */
static Status alone(Table *t, Arena *a, const LinkRecord *r, const LinkMade *m, Err *err)
{
    const LinkResource *last = &m->resource[m->n - 1];
    Str name = arena_cat(a, str_from_c(last->type), STR("/"), last->id), ids[SAME_NAME_MAX];
    uint64_t *line = map_get(&t->seen, name);
    if (line) {
        return err_rule(err, ERR_UNPROCESSABLE, STR("row-twice"), STR_NONE,
                        "与本文件第 %llu 行重复", "The same as line %llu of this file",
                        (unsigned long long)*line);
    }
    line = arena_new(t->arena, uint64_t);
    *line = r->line;
    map_put(&t->seen, arena_str(t->arena, name), line);
    if (t->map.kind != LINK_RESIDENTS || !m->card.n) {
        return OK;
    }
    Str token = arena_cat(a, STR(FHIR_CARD_SYSTEM "|"), m->card);
    size_t n = table_ids_find(t, a, "Patient", "identifier", token, ids, SAME_NAME_MAX);
    if (n == 0 || str_eq(ids[0], last->id)) {
        return OK;
    }
    return err_rule(err, ERR_UNPROCESSABLE, STR("card-known"), STR("card"),
                    "该身份证号已建档（Patient/%.*s）", "This ID card has a chart (Patient/%.*s)",
                    STR_ARG(ids[0]));
}

/* What has to be written of a row: what is there already as the row says is left alone. */
static void fates_read(Table *t, Arena *a, Pending *p)
{
    p->fate = UNCHANGED;
    for (size_t i = 0; i < p->made.n; i++) {
        Fate fate = fate_of(t, a, &p->made.resource[i]);
        p->put[i] = fate != UNCHANGED;
        p->fate = fate < p->fate ? fate : p->fate;
    }
}

/* Counted only once it is written. */
static void row_settle(Table *t, const Pending *p)
{
    t->done.made += p->fate == MADE;
    t->done.changed += p->fate == CHANGED;
    t->done.unchanged += p->fate == UNCHANGED;
    table_account_want(t, &p->made, &p->record);
}

static void row_put(Table *t, Arena *a, const Pending *p)
{
    Err err;
    Status status = OK;
    err_init(&err, a);
    for (size_t i = 0; i < p->made.n && status == OK; i++) {
        status = p->put[i] ? resource_put(t, a, &p->made.resource[i], &err) : OK;
    }
    if (status == OK) {
        row_settle(t, p);
    } else {
        table_refuse(t, a, &p->record, &err);
    }
}

static Str group_bundle(const Table *t, Arena *a)
{
    Buf out;
    size_t n = 0;
    buf_init(&out, 0);
    buf_c(&out, "{\"resourceType\":\"Bundle\",\"type\":\"transaction\",\"entry\":[");
    for (size_t i = 0; i < t->group_n; i++) {
        for (size_t k = 0; k < t->group[i].made.n; k++) {
            const LinkResource *x = &t->group[i].made.resource[k];
            if (t->group[i].put[k]) {
                buf_c(&out, n++ ? ",{\"resource\":" : "{\"resource\":");
                buf_add(&out, x->body);
                buf_c(&out, ",\"request\":{\"method\":\"PUT\",\"url\":");
                buf_json_str(&out, arena_cat(a, str_from_c(x->type), STR("/"), x->id));
                buf_c(&out, "}}");
            }
        }
    }
    buf_c(&out, "]}");
    Str bundle = n ? arena_str(a, buf_str(&out)) : STR_NONE;
    buf_done(&out);
    return bundle;
}

/* Many rows in one transaction; when it is refused, each alone, so that only the guilty stay out.
 */
void table_group_put(Table *t, Arena *a)
{
    Str answer, bundle = t->o->dry ? STR_NONE : group_bundle(t, a);
    bool done = bundle.n &&
                api_local_call(t->local, a, "POST", STR("/fhir"), STR_NONE, bundle, &answer) == 200;
    for (size_t i = 0; i < t->group_n; i++) {
        if (done) {
            row_settle(t, &t->group[i]);
        } else {
            row_put(t, a, &t->group[i]);
        }
    }
    t->group_n = 0;
    arena_reset(a);
}

void table_row_take(Table *t, Arena *a, const LinkRecord *r)
{
    Err err;
    Pending *p = &t->group[t->group_n];
    err_init(&err, a);
    *p = (Pending){.record = *r};
    if (link_row_make(&t->context, a, r, &p->made, &err) != OK ||
        alone(t, a, r, &p->made, &err) != OK) {
        table_refuse(t, a, r, &err);
        return;
    }
    fates_read(t, a, p);
    t->group_n++;
    if (t->map.kind == LINK_INSTITUTIONS) {
        Str place = arena_cat(a, STR("Organization/"), p->made.resource[0].id);
        table_place_keep(t, p->made.name, place);
        table_place_keep(t, p->made.code, place);
    }
}
