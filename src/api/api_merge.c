/*
 * Patient/$merge and Patient/$unmerge: two records of one person, reversibly (decision 071).
 *
 * Merging changes two resources in one transaction: the source is no longer active and says by whom
 * it is replaced, the target says whom it replaces. Nothing that refers to either is touched. Who
 * may see one record may from then on see the other (store_persons.h), until it is taken apart
 * again: then both bodies are what they were, byte for byte where nobody has changed them since,
 * else without the links.
 */
#include "api_inner.h"

#include "fhir_patch.h"
#include "fhir_write.h"
#include "store_persons.h"

#define HISTORY_LOOKED 200

typedef struct Side {
    StoreVersion now;
    JsonDoc doc;
    Str id, body; /* body: as it shall be */
} Side;

typedef struct Merge {
    ApiCall *c;
    Side source, target;
    bool preview;
    Str cause; /* of the merge */
} Merge;

/* ---- What is asked ------------------------------------------------------------------------ */

static Status value_take(void *ctx, const ApiAsked *asked)
{
    Merge *m = ctx;
    if (str_is(asked->name, "source-patient") || str_is(asked->name, "target-patient")) {
        Side *side = str_is(asked->name, "source-patient") ? &m->source : &m->target;
        side->id = api_id_of(asked->value, "Patient");
        return OK;
    }
    if (str_is(asked->name, "preview")) {
        m->preview = str_is(asked->value, "true");
        return OK;
    }
    return api_ask_unknown(m->c, asked->name, "source-patient, target-patient, preview");
}

static Status side_read(Merge *m, const char *name, Side *side)
{
    ApiCall *c = m->c;
    if (!side->id.n) {
        return err_add(&c->err, ERR_INVALID, "required", str_from_c(name), "缺少参数 %s",
                       "The parameter %s is missing", name);
    }
    TRY(api_read_version(c, STR("Patient"), side->id, STR_NONE, &side->now, &c->err));
    api_touch(c, side->id);
    return json_parse(c->arena, side->now.body, &JSON_LIMITS_FHIR, &side->doc, &c->err);
}

static Status merge_read(ApiCall *c, Merge *m)
{
    *m = (Merge){.c = c};
    c->what = str_skip(c->http->request.path, strlen("/fhir/"));
    TRY(access_may(c->caller, ACCESS_UPDATE, STR("$merge"), &c->err));
    TRY(api_ask_read(c, value_take, m));
    TRY(side_read(m, "source-patient", &m->source));
    TRY(side_read(m, "target-patient", &m->target));
    c->what = arena_cat(c->arena, c->what, STR(" Patient/"), m->source.id, STR(" Patient/"),
                        m->target.id);
    m->cause =
        arena_cat(c->arena, STR("merge Patient/"), m->source.id, STR(" Patient/"), m->target.id);
    return str_eq(m->source.id, m->target.id)
               ? err_add(&c->err, ERR_UNPROCESSABLE, "invalid", STR("target-patient"),
                         "不能与自己合并", "A record cannot be merged with itself")
               : OK;
}

/* ---- Bodies ------------------------------------------------------------------------------- */

static Str link_json(Arena *a, Str other, const char *type)
{
    Buf out;
    JsonWriter w = json_begin(&out, '{');
    fhir_reference_put(&w, "other", arena_cat(a, STR("Patient/"), other), STR_NONE);
    json_member_c(&w, "type", type);
    return json_end(&w, '}', a);
}

/* Where the link stands in the list; false: nowhere. */
static bool link_place(const Side *side, Str other, const char *type, uint32_t *ret)
{
    const JsonDoc *d = &side->doc;
    for (JsonIter it = json_iter(d, json_get_c(d, JSON_ROOT, "link")); json_next(&it);) {
        if (str_is(json_str_at(d, it.value, "type"), type) &&
            str_eq(api_id_of(json_str_at(d, it.value, "other.reference"), "Patient"), other)) {
            *ret = it.index;
            return true;
        }
    }
    return false;
}

static Status body_patch(Merge *m, Side *side, Str operations)
{
    ApiCall *c = m->c;
    JsonDoc patch;
    Str text = arena_cat(c->arena, STR("["), operations, STR("]"));
    TRY(json_parse(c->arena, text, &JSON_LIMITS_FHIR, &patch, &c->err));
    TRY(fhir_patch_json(c->arena, &side->doc, &patch, &side->body, &c->err));
    side->body = fhir_patch_tidy(c->arena, side->body, &patch);
    return OK;
}

static Status link_add(Merge *m, Side *side, Str other, const char *type, bool inactive)
{
    Arena *a = m->c->arena;
    Str link = link_json(a, other, type);
    bool list = json_get_c(&side->doc, JSON_ROOT, "link") != JSON_NONE;
    Str add =
        list ? arena_cat(a, STR("{\"op\":\"add\",\"path\":\"/link/-\",\"value\":"), link, STR("}"))
             : arena_cat(a, STR("{\"op\":\"add\",\"path\":\"/link\",\"value\":["), link, STR("]}"));
    Str off = STR("{\"op\":\"add\",\"path\":\"/active\",\"value\":false},");
    return body_patch(m, side, arena_cat(a, inactive ? off : STR_NONE, add));
}

/* ---- Committing --------------------------------------------------------------------------- */

static Status commit(Merge *m, Str cause, bool together)
{
    ApiCall *c = m->c;
    StoreAuthor author = access_author(c->caller);
    StoreBatch *b = store_batch_new(c->api->store, c->arena, &author, cause);
    StoreReceipt receipt;
    Side *side[] = {&m->source, &m->target};
    store_batch_reader(b, c->reader);
    for (int i = 0; i < 2; i++) {
        TRY(store_batch_update(b, STR("Patient"), side[i]->id, side[i]->body, side[i]->now.vid,
                               &c->err));
    }
    TRY((together ? store_persons_join : store_persons_part)(
        c->reader, b, m->source.id, m->target.id, clock_now(c->api->options.clock), &c->err));
    TRY(access_audit_ready(c->api->access, &c->err));
    TRY(store_commit(b, &receipt, &c->err));
    c->changed = true;
    for (int i = 0; i < 2; i++) {
        side[i]->body = receipt.versions[i].body;
        store_persons_note(c->api->store, side[i]->id, side[i]->body);
    }
    return OK;
}

static void answer(Merge *m, const char *zh, const char *en)
{
    Buf out;
    Err note;
    ApiCall *c = m->c;
    err_init(&note, c->arena);
    err_warn(&note, "informational", STR_NONE, str_from_c(zh), str_from_c(en));
    note.first->severity = SEVERITY_INFORMATION;
    JsonWriter w = fhir_begin(&out, "Parameters", STR_NONE);
    json_key_open(&w, "parameter", '[');
    const char *const NAMES[] = {"outcome", "result", "source"};
    for (int i = 0; i < 3; i++) {
        json_open(&w, '{');
        json_member_c(&w, "name", NAMES[i]);
        json_key(&w, "resource");
        if (i == 0) {
            fhir_outcome_write(&out, &note, c->lang);
            w.comma = true;
            w.after_key = false;
        } else {
            json_put_raw(&w, i == 1 ? m->target.body : m->source.body);
        }
        json_close(&w, '}');
    }
    json_close(&w, ']');
    c->result = (ApiResult){.status = 200, .body = json_end(&w, '}', c->arena)};
}

/* ---- Merging ------------------------------------------------------------------------------ */

static Status may_merge(const Merge *m)
{
    ApiCall *c = m->c;
    Str of_source = store_person_survivor(c->api->store, c->arena, m->source.id);
    Str of_target = store_person_survivor(c->api->store, c->arena, m->target.id);
    if (!str_eq(of_source, m->source.id)) {
        return err_rule(&c->err, ERR_CONFLICT, STR("merged-already"), STR("source-patient"),
                        "该记录已合并到 Patient/%.*s", "This record was merged into Patient/%.*s",
                        STR_ARG(of_source));
    }
    return str_eq(of_target, m->target.id)
               ? OK
               : err_rule(&c->err, ERR_CONFLICT, STR("merged-already"), STR("target-patient"),
                          "目标记录已合并到 Patient/%.*s，请以它为目标",
                          "The target was merged into Patient/%.*s; name that one",
                          STR_ARG(of_target));
}

Status api_merge(ApiCall *c)
{
    Merge m;
    TRY(merge_read(c, &m));
    TRY(may_merge(&m));
    TRY(link_add(&m, &m.source, m.target.id, "replaced-by", true));
    TRY(link_add(&m, &m.target, m.source.id, "replaces", false));
    if (!m.preview) {
        TRY(commit(&m, m.cause, true));
    }
    answer(&m, m.preview ? "预览：尚未合并" : "已合并，可以撤销",
           m.preview ? "A preview: nothing was merged" : "Merged; this can be undone");
    return OK;
}

/* ---- Taking apart ------------------------------------------------------------------------- */

/* The version that the merge made, and the one before it. */
static Status merge_find(Merge *m, const Side *side, StoreVersion *ret_made,
                         StoreVersion *ret_before)
{
    ApiCall *c = m->c;
    StoreVersion *rows;
    size_t n;
    bool more;
    TRY(store_history(c->reader, c->arena, &STORE_VIEW_ALL, STR("Patient"), side->id, 0, 0,
                      HISTORY_LOOKED, &rows, &n, &more, &c->err));
    for (size_t i = 0; i + 1 < n; i++) {
        if (str_eq(rows[i].cause, m->cause) && !rows[i + 1].purged) {
            *ret_made = rows[i];
            *ret_before = rows[i + 1];
            return OK;
        }
    }
    return err_rule(&c->err, ERR_CONFLICT, STR("not-merged"), STR("source-patient"),
                    "这两条记录没有合并过", "These two records were not merged");
}

/* What others have changed since stays; only the link goes, and `active` is as it was. */
static Status link_remove(Merge *m, Side *side, Str other, const char *type, Str before)
{
    Arena *a = m->c->arena;
    JsonDoc was;
    uint32_t at;
    Str active = STR_NONE, link = STR_NONE;
    TRY(json_parse(a, before, &JSON_LIMITS_FHIR, &was, &m->c->err));
    JsonRef had = json_get_c(&was, JSON_ROOT, "active");
    bool source = strcmp(type, "replaced-by") == 0;
    if (source && had != JSON_NONE) {
        active = arena_cat(a, STR("{\"op\":\"add\",\"path\":\"/active\",\"value\":"),
                           json_raw(&was, had), STR("}"));
    } else if (source && json_get_c(&side->doc, JSON_ROOT, "active") != JSON_NONE) {
        active = STR("{\"op\":\"remove\",\"path\":\"/active\"}");
    }
    if (link_place(side, other, type, &at)) {
        link = arena_printf(a, "{\"op\":\"remove\",\"path\":\"/link/%u\"}", at);
    }
    return body_patch(m, side,
                      arena_cat(a, active, active.n && link.n ? STR(",") : STR_NONE, link));
}

static Status side_restore(Merge *m, Side *side, Str other, const char *type)
{
    StoreVersion made, before;
    TRY(merge_find(m, side, &made, &before));
    if (str_eq(made.vid, side->now.vid)) {
        side->body = before.body;
        return OK;
    }
    return link_remove(m, side, other, type, before.body);
}

Status api_unmerge(ApiCall *c)
{
    Merge m;
    uint32_t at;
    TRY(merge_read(c, &m));
    if (!link_place(&m.source, m.target.id, "replaced-by", &at)) {
        return err_rule(&c->err, ERR_CONFLICT, STR("not-merged"), STR("source-patient"),
                        "这两条记录没有合并", "These two records are not merged");
    }
    TRY(side_restore(&m, &m.source, m.target.id, "replaced-by"));
    TRY(side_restore(&m, &m.target, m.source.id, "replaces"));
    if (!m.preview) {
        TRY(commit(&m, arena_cat(c->arena, STR("un"), m.cause), false));
    }
    answer(&m, m.preview ? "预览：尚未撤销" : "已撤销合并",
           m.preview ? "A preview: nothing was undone" : "Taken apart again");
    return OK;
}
