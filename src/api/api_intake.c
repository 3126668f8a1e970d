/* Resources that keep their id, by groups of one transaction each. */
#include "api_intake.h"

#include "fhir_validate.h"

#include "mk_banned.h"

#define GROUP_BYTES_MAX ((size_t)8 << 20)

/* ---- Refusals ------------------------------------------------------------------------------- */

void api_intake_refuse(ApiIntake *x, uint64_t number, int status, Str reason, Str body)
{
    Buf out;
    x->refused++;
    x->refused_file = x->refused_file ? x->refused_file : fopen(x->refused_path, "we");
    if (!x->refused_file) {
        x->unkept = true;
        return;
    }
    JsonWriter w = json_begin(&out, '{');
    json_member_i64(&w, "number", (int64_t)number);
    json_member_i64(&w, "status", status);
    json_key(&w, "reason");
    json_put_raw(&w, reason.n ? reason : STR("null"));
    json_key(&w, "bytes");
    json_put_str(&w, str_take(body, JSON_LIMITS_FHIR.bytes));
    json_close(&w, '}');
    buf_char(&out, '\n');
    x->unkept |= fwrite(out.p, 1, out.n, x->refused_file) != out.n;
    buf_done(&out);
}

void api_intake_refuse_err(ApiIntake *x, uint64_t number, const Err *err, Str body)
{
    Buf out;
    buf_init(&out, 0);
    fhir_outcome_write(&out, err, x->lang);
    api_intake_refuse(x, number, status_http(err->status), buf_str(&out), body);
    buf_done(&out);
}

bool api_intake_end(ApiIntake *x)
{
    bool kept = (!x->refused_file || fclose(x->refused_file) == 0) && !x->unkept;
    x->refused_file = NULL;
    return kept;
}

/* ---- One and many --------------------------------------------------------------------------- */

bool api_intake_read(ApiIntake *x, const JsonDoc *d, JsonRef r, ApiIntakeItem *item)
{
    Arena a;
    Err err;
    item->type = json_str_at(d, r, "resourceType");
    item->id = json_str_at(d, r, "id");
    if (fhir_resource_find(item->type) && fhir_id_ok(item->id) &&
        (!x->type.n || str_eq(item->type, x->type))) {
        item->waits = !api_resource_is_free(d, r);
        return true;
    }
    arena_init(&a, 0);
    err_init(&err, &a);
    Str wanted = x->type.n ? x->type : STR("R4");
    (void)err_add(&err, ERR_INVALID, "required", STR("id"), "导入的资源须有 id，并且是 %.*s 资源",
                  "An imported resource needs an id and is a resource of %.*s", STR_ARG(wanted));
    api_intake_refuse_err(x, item->number, &err, item->body);
    arena_done(&a);
    return false;
}

Str api_intake_key(const ApiIntake *x, Arena *a, size_t at, size_t n)
{
    if (!x->source.n) {
        return STR_NONE;
    }
    Str place = arena_printf(a, " %zu+%zu", at, n);
    Sha256 sum = sha256_parts((const Str[]){STR("import "), x->source, place}, 3);
    return hex_encode(a, sum.b, 20);
}

static void put_alone(ApiIntake *x, Arena *a, const ApiIntakeItem *item)
{
    Str answer, path = arena_cat(a, STR("/fhir/"), item->type, STR("/"), item->id);
    Str key = api_intake_key(x, a, item->at, item->body.n);
    int status = api_local_call(x->local, a, "PUT", path, key, item->body, &answer);
    if (status == 200 || status == 201) {
        x->imported++;
    } else {
        api_intake_refuse(x, item->number, status, answer, item->body);
    }
}

void api_intake_alone(ApiIntake *x, const ApiIntakeItem *item)
{
    Arena a;
    arena_init(&a, 0);
    put_alone(x, &a, item);
    arena_done(&a);
}

/* ---- Groups under way ------------------------------------------------------------------------ */

typedef struct Group {
    size_t n;
    Map ids; /* Type/id */
    ApiIntakeItem item[API_INTAKE_GROUP];
} Group;

static Str item_name(Arena *a, const ApiIntakeItem *item)
{
    return arena_cat(a, item->type, STR("/"), item->id);
}

static Str group_bundle(const ApiIntake *x, Arena *a, Group *g)
{
    Buf out;
    size_t at[API_INTAKE_GROUP];
    buf_init(&out, 0);
    buf_c(&out, "{\"resourceType\":\"Bundle\",\"type\":\"transaction\",\"entry\":[");
    for (size_t i = 0; i < x->group_n; i++) {
        const ApiIntakeItem *item = &x->group[i];
        buf_c(&out, i ? ",{\"resource\":" : "{\"resource\":");
        at[i] = out.n;
        buf_add(&out, item->body);
        buf_c(&out, ",\"request\":{\"method\":\"PUT\",\"url\":");
        buf_json_str(&out, item_name(a, item));
        buf_c(&out, "}}");
    }
    buf_c(&out, "]}");
    Str text = buf_take(&out, a);
    for (size_t i = 0; i < g->n; i++) {
        g->item[i].body.p = text.p + at[i];
    }
    return text;
}

/* A copy of the group with all that it points to. */
static Group *group_copy(const ApiIntake *x, Arena *a, Str *ret_bundle)
{
    Group *g = arena_new(a, Group);
    g->n = x->group_n;
    map_init(&g->ids, a);
    for (size_t i = 0; i < g->n; i++) {
        g->item[i] = x->group[i];
        g->item[i].type = arena_str(a, x->group[i].type);
        g->item[i].id = arena_str(a, x->group[i].id);
        map_put(&g->ids, item_name(a, &g->item[i]), g);
    }
    *ret_bundle = group_bundle(x, a, g);
    return g;
}

/* The oldest group is taken back; false: none is under way. */
static bool group_back(ApiIntake *x)
{
    ApiErrand *e = api_crew_take(x->crew);
    if (!e) {
        return false;
    }
    const Group *g = e->ctx;
    x->imported += e->status == 200 ? g->n : 0;
    for (size_t i = 0; e->status != 200 && i < g->n; i++) {
        put_alone(x, &e->arena, &g->item[i]);
    }
    api_crew_errand_free(e);
    return true;
}

static void groups_settle(ApiIntake *x)
{
    while (group_back(x)) {
    }
}

/* A group under way has one of these ids. */
static bool group_meets(const ApiIntake *x, const Group *g)
{
    Arena a;
    bool meets = false;
    arena_init(&a, 0);
    for (const ApiErrand *e = api_crew_first(x->crew); e && !meets; e = e->next) {
        const Group *other = e->ctx;
        for (size_t i = 0; i < g->n && !meets; i++) {
            meets = map_get(&other->ids, item_name(&a, &g->item[i])) != NULL;
        }
    }
    arena_done(&a);
    return meets;
}

static bool group_waits(const ApiIntake *x)
{
    for (size_t i = 0; i < x->group_n; i++) {
        if (x->group[i].waits) {
            return true;
        }
    }
    return false;
}

static void group_send(ApiIntake *x)
{
    ApiErrand *e = api_crew_errand();
    const ApiIntakeItem *first = x->group, *last = &x->group[x->group_n - 1];
    Group *g = group_copy(x, &e->arena, &e->body);
    bool waits = group_waits(x);
    e->ctx = g;
    e->key = api_intake_key(x, &e->arena, first->at, last->at + last->body.n);
    if (waits || group_meets(x, g)) {
        groups_settle(x);
    }
    while (!api_crew_has_room(x->crew, e->body.n)) {
        (void)group_back(x);
    }
    api_crew_send(x->crew, e);
    if (waits) {
        groups_settle(x);
    }
}

static void group_go(ApiIntake *x)
{
    if (x->group_n == 1) {
        groups_settle(x);
        api_intake_alone(x, x->group);
    } else if (x->group_n) {
        group_send(x);
    }
    x->group_n = x->group_bytes = 0;
}

void api_intake_flush(ApiIntake *x)
{
    group_go(x);
    groups_settle(x);
}

void api_intake_add(ApiIntake *x, const ApiIntakeItem *item)
{
    x->group[x->group_n++] = *item;
    x->group_bytes += item->body.n;
    if (x->group_n == API_INTAKE_GROUP || x->group_bytes > GROUP_BYTES_MAX) {
        group_go(x);
    }
}
