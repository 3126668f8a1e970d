/*
 * Packages in the log: a Library for each version (the whole folder as JSON, base64) and a
 * Questionnaire for each of its forms, so that a case keeps the package it began with and a
 * response refers to something that is there.
 */
#include <stdlib.h>

#include "fhir_write.h"
#include "flow_inner.h"

#define LIBRARY_KIND  "urn:menkou:library"
#define LIBRARIES_MAX 1000

/* ---- Shape ----------------------------------------------------------------------------------- */

static void shape_action(Buf *out, const FlowAction *a)
{
    buf_printf(out, "%d %.*s %llx %d %d\n", (int)a->kind, STR_ARG(a->code),
               (unsigned long long)a->from, a->to, a->clock ? 1 : 0);
    if (a->form) {
        buf_printf(out, "form %.*s\n", STR_ARG(a->form->code));
    }
}

/* Everything whose change needs a new version: states, actions, linkIds. */
static Sha256 flow_package_shape(const FlowPackage *p)
{
    Buf out;
    buf_init(&out, 0);
    for (size_t i = 0; i < p->state_n; i++) {
        buf_printf(&out, "state %.*s %.*s\n", STR_ARG(p->state[i].code), STR_ARG(p->state[i].task));
    }
    for (size_t i = 0; i < p->entry_n; i++) {
        shape_action(&out, &p->entry[i]);
    }
    if (p->start) {
        shape_action(&out, p->start);
    }
    for (size_t i = 0; i < p->action_n; i++) {
        shape_action(&out, &p->action[i]);
    }
    for (size_t i = 0; i < p->form_n; i++) {
        for (size_t k = 0; k < p->form[i]->all_n; k++) {
            const FlowItem *item = p->form[i]->all[k];
            buf_printf(&out, "item %.*s %.*s %d\n", STR_ARG(p->form[i]->code), STR_ARG(item->link),
                       (int)item->type);
        }
    }
    Sha256 sum = sha256(buf_str(&out));
    buf_done(&out);
    return sum;
}

/* ---- Folder ↔ JSON --------------------------------------------------------------------------- */

static Str folder_json(Arena *a, const FlowPackage *p)
{
    Buf out;
    JsonWriter w = json_begin(&out, '{');
    for (size_t i = 0; i < p->file_n; i++) {
        json_key_str(&w, p->file[i].path);
        json_put_str(&w, p->file[i].bytes);
    }
    return json_end(&w, '}', a);
}

/* The package in a Library; NULL when it cannot be read. */
static FlowPackage *library_package(Arena *a, const JsonDoc *library)
{
    Str data = json_str_at(library, JSON_ROOT, "content.0.data"), text = STR_NONE;
    JsonDoc d;
    if (!base64_decode(a, data, false, &text) ||
        json_parse(a, text, &JSON_LIMITS_FHIR, &d, NULL) != OK) {
        return NULL;
    }
    size_t n = json_count(&d, JSON_ROOT), i = 0;
    Str *paths = arena_array(a, Str, n + 1), *contents = arena_array(a, Str, n + 1);
    for (JsonIter it = json_iter(&d, JSON_ROOT); json_next(&it); i++) {
        paths[i] = it.key;
        contents[i] = json_str(&d, it.value);
    }
    FlowPackageSource source = {json_str_at(library, JSON_ROOT, "name"), paths, contents, n};
    FlowPackage *p = NULL;
    return flow_package_new(&source, &p, NULL) == OK ? p : NULL;
}

/* ---- Putting --------------------------------------------------------------------------------- */

static Str library_id(Arena *a, const FlowPackage *p)
{
    return arena_cat(a, STR("pathway-"), p->name, STR("-"), p->version);
}

static Str library_body(Arena *a, const FlowPackage *p, Str data)
{
    Buf out;
    JsonWriter w = fhir_begin(&out, "Library", library_id(a, p));
    json_member_str(&w, "url", arena_cat(a, STR(FLOW_SYSTEM_PATHWAY ":"), p->name));
    json_member_str(&w, "version", p->version);
    json_member_str(&w, "name", p->name);
    json_member_str(&w, "title", p->title.zh);
    json_member_c(&w, "status", "active");
    json_key(&w, "type");
    json_put_raw(&w, STR("{\"coding\":[{\"system\":\"" LIBRARY_KIND "\",\"code\":\"pathway\"}]}"));
    json_key_open(&w, "content", '[');
    json_open(&w, '{');
    json_member_c(&w, "contentType", "application/json");
    json_member_str(&w, "data", data);
    json_close(&w, '}');
    json_close(&w, ']');
    return json_end(&w, '}', a);
}

/* The form under an id of its own version; what its file says of id and version does not count. */
static Str form_body(Arena *a, const FlowPackage *p, const FlowForm *form, Str id)
{
    const JsonDoc *d = form->doc;
    Buf out;
    JsonWriter w = fhir_begin(&out, "Questionnaire", id);
    for (JsonIter it = json_iter(d, JSON_ROOT); json_next(&it);) {
        bool ours = str_is(it.key, "resourceType") || str_is(it.key, "id") ||
                    str_is(it.key, "version") || str_is(it.key, "meta");
        if (!ours) {
            json_key_str(&w, it.key);
            json_put_raw(&w, json_raw(d, it.value));
        }
    }
    json_member_str(&w, "version", p->version);
    return json_end(&w, '}', a);
}

static Status body_put(StoreBatch *b, Arena *a, const char *type, Str id, Str body, Err *err)
{
    JsonDoc d;
    TRY(json_parse(a, body, &JSON_LIMITS_FHIR, &d, err));
    TRY(fhir_validate(&d, JSON_ROOT, str_from_c(type), err));
    return store_batch_update(b, str_from_c(type), id, body, STR_NONE, err);
}

static Status package_put(Store *s, Arena *a, const FlowPackage *p, Str data, Err *err)
{
    StoreAuthor author = {STR("system"), STR("system"), STR_NONE};
    StoreBatch *b = store_batch_new(s, a, &author,
                                    arena_cat(a, STR("pathway:"), p->name, STR("|"), p->version));
    TRY(body_put(b, a, "Library", library_id(a, p), library_body(a, p, data), err));
    for (size_t i = 0; i < p->form_n; i++) {
        const FlowForm *form = p->form[i];
        Str id = arena_cat(a, STR("form-"), p->name, STR("-"), form->code, STR("-"), p->version);
        id = fhir_id_ok(id) ? id : str_take(hex_encode(a, sha256(id).b, 32), 64);
        TRY(body_put(b, a, "Questionnaire", id, form_body(a, p, form, id), err));
    }
    StoreReceipt receipt;
    return store_commit(b, &receipt, err);
}

/* Same version, other states, actions or items: refused; only other texts: replaced. */
static Status package_log(Store *s, StoreReader *r, Arena *a, const FlowPackage *p, bool *ret_new,
                          Err *err)
{
    StoreVersion v;
    JsonDoc d;
    Str data = base64_encode(a, folder_json(a, p), false);
    *ret_new = true;
    if (store_read(r, a, &STORE_VIEW_ALL, STR("Library"), library_id(a, p), &v, NULL) == OK) {
        TRY(json_parse(a, v.body, &JSON_LIMITS_FHIR, &d, err));
        *ret_new = false;
        if (str_eq(json_str_at(&d, JSON_ROOT, "content.0.data"), data)) {
            return OK;
        }
        FlowPackage *old = library_package(a, &d);
        Sha256 was = old ? flow_package_shape(old) : (Sha256){{0}}, is = flow_package_shape(p);
        bool same = old && bytes_equal_const(was.b, is.b, sizeof was.b);
        flow_package_free(old);
        if (!same) {
            return flow_refuse(err, FLOW_RULE_NEEDS_NEW_VERSION, STR_NONE, p->canonical);
        }
    }
    return package_put(s, a, p, data, err);
}

/* ---- Loading --------------------------------------------------------------------------------- */

/* Newest first within a name. */
static void package_add(Flow *f, FlowPackage *p)
{
    FlowPackage **more = arena_array(&f->arena, FlowPackage *, f->pkg_n + 1);
    size_t at = 0;
    while (at < f->pkg_n && !(str_eq(f->pkg[at]->name, p->name) &&
                              flow_version_compare(p->version, f->pkg[at]->version) > 0)) {
        at++;
    }
    for (size_t i = 0; i < f->pkg_n; i++) {
        more[i < at ? i : i + 1] = f->pkg[i];
    }
    more[at] = p;
    f->pkg = more;
    f->pkg_n++;
}

static Status libraries_load(Flow *f, StoreReader *r, Arena *a, Err *err)
{
    const StoreHit *hits;
    size_t n;
    TRY(store_find(r, a, &STORE_VIEW_ALL, STR("Library"), STR("type=" LIBRARY_KIND "%7Cpathway"),
                   LIBRARIES_MAX, &hits, &n, err));
    for (size_t i = 0; i < n; i++) {
        JsonDoc d;
        TRY(json_parse(a, hits[i].body, &JSON_LIMITS_FHIR, &d, err));
        Str canonical =
            arena_cat(a, STR(FLOW_SYSTEM_PATHWAY ":"), json_str_at(&d, JSON_ROOT, "name"), STR("|"),
                      json_str_at(&d, JSON_ROOT, "version"));
        if (flow_package_canonical(f, canonical)) {
            continue;
        }
        FlowPackage *p = library_package(a, &d);
        if (p) {
            package_add(f, p);
        } else {
            log_error("flow", "the package %.*s in the log cannot be read", STR_ARG(canonical));
        }
    }
    return OK;
}

static bool overlaid(const FlowPackageSource *sources, size_t n, size_t i)
{
    for (size_t k = i + 1; k < n; k++) {
        if (str_eq(sources[k].name, sources[i].name)) {
            return true;
        }
    }
    return false;
}

static Status package_lint(const FlowPackage *p, Err *err)
{
    Err said;
    err_init(&said, p->arena);
    flow_lint_package(p, &said);
    return said.count ? err_move(err, &said, arena_cat(p->arena, p->name, STR("/"))) : OK;
}

static Status sources_load(Flow *f, StoreReader *r, Arena *a, const FlowPackageSource *sources,
                           size_t n, Err *err)
{
    for (size_t i = 0; i < n; i++) {
        FlowPackage *p = NULL;
        bool fresh = false;
        if (overlaid(sources, n, i)) {
            continue;
        }
        TRY(flow_package_new(&sources[i], &p, err));
        package_add(f, p);
        if (f->lint) {
            TRY(package_lint(p, err));
        }
        TRY(package_log(f->store, r, a, p, &fresh, err));
    }
    return OK;
}

Status flow_log_packages(Flow *f, const FlowPackageSource *sources, size_t n, Err *err)
{
    StoreReader *r;
    Arena a;
    TRY(store_reader_open(f->store, &r, err));
    arena_init(&a, 0);
    Status s = sources_load(f, r, &a, sources, n, err);
    if (s == OK) {
        s = libraries_load(f, r, &a, err);
    }
    if (s == OK) {
        s = flow_migrate(f, r, err);
    }
    arena_done(&a);
    store_reader_close(r);
    return s;
}
