/* PATCH: JSON Patch or FHIRPath Patch on what stands there now, by id or by a condition. */
#include "api_inner.h"
#include "fhir_patch.h"
#include "fhir_xml.h"

static const char JSON_PATCH[] = "application/json-patch+json";
static const char PATCH_MEDIA[] =
    "application/json-patch+json, application/fhir+json, application/fhir+xml";

/* ---- the patch
 * ------------------------------------------------------------------------------------------- */

static Status patch_media_refuse(ApiCall *c, Str media, Err *err)
{
    http_set_header(c->http, "Accept-Patch", str_from_c(PATCH_MEDIA));
    return err_add(
        err, ERR_MEDIA, NULL, STR_NONE,
        "补丁的类型应为 application/json-patch+json，或 application/fhir+json、"
        "application/fhir+xml（Parameters）；收到的是“%.*s”",
        "A patch is application/json-patch+json, or application/fhir+json or application/fhir+xml "
        "(Parameters); this is '%.*s'",
        STR_ARG(media));
}

static Status patch_parse(ApiCall *c, Str bytes, bool json, ApiPatch *ret, Err *err)
{
    JsonDoc *d = arena_new(c->arena, JsonDoc);
    TRY(json_parse(c->arena, bytes, &JSON_LIMITS_FHIR, d, err));
    TRY(fhir_body_check(d, err));
    *ret = (ApiPatch){.doc = d, .json = json};
    return OK;
}

static Status patch_of_body(ApiCall *c, ApiPatch *ret, Err *err)
{
    const HttpRequest *r = &c->http->request;
    Str media = http_media(c->arena, http_header(r, "Content-Type"));
    Str body = r->body;
    bool json = str_is(media, JSON_PATCH);
    if (api_media_is_xml(media)) {
        TRY(fhir_xml_read(c->arena, r->body, &body, err));
    } else if (!json && !api_media_is_fhir(media)) {
        return patch_media_refuse(c, media, err);
    }
    return patch_parse(c, body, json, ret, err);
}

Status api_patch_of_resource(ApiCall *c, const JsonDoc *d, ApiPatch *ret, Err *err)
{
    Str bytes;
    if (!str_is(fhir_resource_type(d), "Binary")) {
        *ret = (ApiPatch){.doc = d};
        return OK;
    }
    Str media = http_media(c->arena, json_str_at(d, JSON_ROOT, "contentType"));
    if (!str_is(media, JSON_PATCH)) {
        return patch_media_refuse(c, media, err);
    }
    if (!base64_decode(c->arena, json_str_at(d, JSON_ROOT, "data"), false, &bytes)) {
        return err_add(err, ERR_INVALID, "value", STR("Binary.data"), "Binary.data 不是 base64",
                       "Binary.data is not base64");
    }
    return patch_parse(c, bytes, true, ret, err);
}

/* ---- the document
 * ------------------------------------------------------------------------------------------- */

Status api_patch_apply(ApiCall *c, const ApiPatch *patch, Str body, const JsonDoc **ret, Err *err)
{
    JsonDoc before, *after = arena_new(c->arena, JsonDoc);
    Str bytes;
    TRY(json_parse(c->arena, body, &JSON_LIMITS_FHIR, &before, err));
    if (patch->meta) {
        bytes = api_meta_edit(c, patch, &before);
    } else if (patch->json) {
        TRY(fhir_patch_json(c->arena, &before, patch->doc, &bytes, err));
        bytes = fhir_patch_tidy(c->arena, bytes, patch->doc);
    } else {
        TRY(fhir_patch_path(c->arena, &before, patch->doc, JSON_ROOT, &bytes, err));
    }
    TRY(json_parse(c->arena, bytes, &JSON_LIMITS_FHIR, after, err));
    TRY(fhir_body_check(after, err));
    *ret = after;
    return OK;
}

Status api_patch(ApiCall *c)
{
    const HttpRequest *r = &c->http->request;
    ApiPatch patch;
    ApiWrite w = {
        .method = FHIR_METHOD_PATCH, .type = r->part[0], .id = r->part[1], .patch = &patch};
    TRY(api_type_known(c, w.type, &c->err));
    TRY(api_write_address(c, w.id));
    TRY(patch_of_body(c, &patch, &c->err));
    return api_write_single(c, &w);
}
