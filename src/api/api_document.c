/*
 * Composition/$document: the composition and what it refers to, as the Bundle of a document.
 *
 * In it is what the caller may see, as it is now; a Bundle in which something is missing carries
 * the tag SUBSETTED, and only a whole one is kept (persist=true).
 */
#include "api_inner.h"
#include "fhir_write.h"

#define ENTRIES_MAX 1000

typedef struct Document {
    ApiCall *c;
    Map seen; /* "Type/id" */
    Str base;
    StoreVersion *entry;
    size_t n;
    bool persist, missing;
} Document;

static Status ask_take(void *ctx, const ApiAsked *asked)
{
    Document *d = ctx;
    if (!str_is(asked->name, "persist")) {
        return api_ask_unknown(d->c, asked->name, "persist");
    }
    d->persist = str_is(asked->value, "true");
    return d->persist || str_is(asked->value, "false")
               ? OK
               : api_ask_bad(d->c, asked->name, "应为 true 或 false", "must be true or false");
}

/* ---- what belongs to it ------------------------------------------------------------------------
 */

/* Only what cannot be read (a disk) is an error: what is not there or not in sight is missing. */
static Status reference_add(void *ctx, const FhirRefAt *at, Err *err)
{
    Document *d = ctx;
    ApiCall *c = d->c;
    const FhirRef *ref = &at->ref;
    Str name = arena_cat(c->arena, ref->type, STR("/"), ref->id);
    if (ref->kind == FHIR_REF_CONTAINED ||
        (ref->kind == FHIR_REF_RELATIVE && map_get(&d->seen, name))) {
        return OK;
    }
    if (ref->kind != FHIR_REF_RELATIVE) {
        d->missing = true;
        return OK;
    }
    if (d->n == ENTRIES_MAX) {
        return err_add(err, ERR_TOO_LARGE, "too-costly", STR("Composition"),
                       "文档引用的资源超过 %d 个", "The document refers to more than %d resources",
                       ENTRIES_MAX);
    }
    Err inner;
    err_init(&inner, c->arena);
    StoreVersion *v = &d->entry[d->n];
    Status status = api_read_version(c, ref->type, ref->id, ref->version, v, &inner);
    map_put(&d->seen, name, d);
    d->n += status == OK;
    d->missing = d->missing || status != OK;
    return status_http(status) >= 500 ? err_move(err, &inner, STR_NONE) : OK;
}

static Status document_collect(Document *d, Str id)
{
    ApiCall *c = d->c;
    JsonDoc composition;
    map_init(&d->seen, c->arena);
    d->entry = arena_array(c->arena, StoreVersion, ENTRIES_MAX);
    TRY(api_read_version(c, STR("Composition"), id, STR_NONE, &d->entry[0], &c->err));
    d->n = 1;
    map_put(&d->seen, arena_cat(c->arena, STR("Composition/"), id), d);
    TRY(json_parse(c->arena, d->entry[0].body, &JSON_LIMITS_FHIR, &composition, &c->err));
    return fhir_refs_walk(&composition, JSON_ROOT, false, reference_add, d, &c->err);
}

/* ---- the bundle --------------------------------------------------------------------------------
 */

static void entry_write(Document *d, JsonWriter *w, const StoreVersion *v)
{
    json_open(w, '{');
    json_member_str(w, "fullUrl", arena_cat(d->c->arena, d->base, v->type, STR("/"), v->id));
    json_key(w, "resource");
    json_put_raw(w, v->body);
    json_close(w, '}');
    api_touch_version(d->c, v);
}

static void tag_write(JsonWriter *w)
{
    json_key_open(w, "meta", '{');
    json_key_open(w, "tag", '[');
    json_open(w, '{');
    json_member_c(w, "system", "http://terminology.hl7.org/CodeSystem/v3-ObservationValue");
    json_member_c(w, "code", "SUBSETTED");
    json_close(w, '}');
    json_close(w, ']');
    json_close(w, '}');
}

static Str document_write(Document *d)
{
    ApiCall *c = d->c;
    int64_t now = clock_now(c->api->options.clock);
    Buf out;
    JsonWriter w = fhir_begin(&out, "Bundle", STR_NONE);
    if (d->missing) {
        tag_write(&w);
    }
    json_key_open(&w, "identifier", '{');
    json_member_c(&w, "system", "urn:ietf:rfc:3986");
    json_member_str(
        &w, "value",
        arena_cat(c->arena, STR("urn:uuid:"), uuid7(c->arena, c->api->options.random, now)));
    json_close(&w, '}');
    json_member_c(&w, "type", "document");
    json_member_str(&w, "timestamp", time_iso(c->arena, now, c->api->options.zone_min));
    json_key_open(&w, "entry", '[');
    for (size_t i = 0; i < d->n; i++) {
        entry_write(d, &w, &d->entry[i]);
    }
    json_close(&w, ']');
    return json_end(&w, '}', c->arena);
}

/* Kept as a Bundle of its own, with the rights and checks of any create. */
static Status document_keep(Document *d, Str body)
{
    ApiCall *c = d->c;
    JsonDoc doc;
    if (d->missing) {
        return err_add(&c->err, ERR_UNPROCESSABLE, "incomplete", STR("Composition"),
                       "引用的内容不全（不存在或您无权查看），不能保存为文档",
                       "Something it refers to is not here or not in your sight, so it cannot be "
                       "kept as a document");
    }
    TRY(json_parse(c->arena, body, &JSON_LIMITS_FHIR, &doc, &c->err));
    ApiWrite w = {.method = FHIR_METHOD_POST, .type = STR("Bundle"), .doc = &doc};
    return api_write_single(c, &w);
}

Status api_document(ApiCall *c)
{
    Document d = {.c = c, .base = arena_cat(c->arena, api_base_url(c), STR("/fhir/"))};
    Str id = c->http->request.part[0];
    Str what = arena_cat(c->arena, STR("Composition/"), id, STR("/$document"));
    c->what = what;
    TRY(api_ask_read(c, ask_take, &d));
    TRY(document_collect(&d, id));
    Str body = document_write(&d);
    if (!d.persist) {
        c->result = (ApiResult){.status = 200, .body = body};
        return OK;
    }
    TRY(c->http->request.method == HTTP_POST
            ? document_keep(&d, body)
            : err_add(&c->err, ERR_INVALID, "value", STR("persist"), "保存须用 POST",
                      "Keeping it takes a POST"));
    c->what = what;
    return OK;
}
