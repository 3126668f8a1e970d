/*
 * Operations of terminology: CodeSystem/$lookup, $validate-code, $subsumes; ValueSet/$expand,
 * $validate-code, $batch-validate-code; ConceptMap/$translate. On the type or on one resource, by
 * GET (parameters in the address) or POST (Parameters). The engine is fhir_term.h; here are only
 * who asks, what is handed in and what goes out.
 */
#include "api_inner.h"

#include "fhir_term.h"
#include "fhir_term_pack.h"
#include "fhir_write.h"
#include "mk_version.h"
#include "store_term.h"

/* ---- parameters --------------------------------------------------------------------------------
 */

static void query_parameter(JsonWriter *w, Str name, Str value)
{
    json_open(w, '{');
    json_member_str(w, "name", name);
    json_member_str(w, "valueString", value);
    json_close(w, '}');
}

/* Parameters that stand in the address or in a form, as a Parameters resource. */
static Status parameters_of_pairs(ApiCall *c, Str pairs, JsonDoc *ret)
{
    Str key, value, name, text;
    Buf out;
    JsonWriter w = json_begin(&out, '{');
    json_member_c(&w, "resourceType", "Parameters");
    json_key_open(&w, "parameter", '[');
    while (http_next_pair(&pairs, &key, &value)) {
        if (http_decode(c->arena, key, true, &name) && http_decode(c->arena, value, true, &text) &&
            name.n && name.p[0] != '_') {
            query_parameter(&w, name, text);
        }
    }
    json_close(&w, ']');
    Str body = json_end(&w, '}', c->arena);
    return json_parse(c->arena, body, &JSON_LIMITS_FHIR, ret, &c->err);
}

/* A body that is a ValueSet, CodeSystem or ConceptMap is the parameter of that name. */
static Status parameters_of_resource(ApiCall *c, const JsonDoc *d, Str type, JsonDoc *ret)
{
    static const struct {
        const char *type, *name;
    } NAMES[] = {
        {"ValueSet", "valueSet"}, {"CodeSystem", "codeSystem"}, {"ConceptMap", "conceptMap"}};
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        if (str_is(type, NAMES[i].type)) {
            Str body = arena_cat(
                c->arena, STR("{\"resourceType\":\"Parameters\",\"parameter\":[{\"name\":\""),
                str_from_c(NAMES[i].name), STR("\",\"resource\":"), json_raw(d, JSON_ROOT),
                STR("}]}"));
            return json_parse(c->arena, body, &JSON_LIMITS_FHIR, ret, &c->err);
        }
    }
    return err_add(&c->err, ERR_INVALID, "invalid", STR("resourceType"), "请求内容应为 Parameters",
                   "The body must be Parameters");
}

static Status parameters_read(ApiCall *c, JsonDoc *ret)
{
    const HttpRequest *r = &c->http->request;
    JsonDoc body;
    if (!(r->method & HTTP_POST)) {
        return parameters_of_pairs(c, r->query, ret);
    }
    Str media = http_media(c->arena, http_header(r, "Content-Type"));
    if (str_is(media, "application/x-www-form-urlencoded") || r->body.n == 0) {
        return parameters_of_pairs(c, r->body.n ? r->body : r->query, ret);
    }
    TRY(api_body(c, &body));
    Str type = fhir_resource_type(&body);
    if (!str_is(type, "Parameters")) {
        return parameters_of_resource(c, &body, type, ret);
    }
    *ret = body;
    return OK;
}

/* ---- the operation
 * ------------------------------------------------------------------------------- */

static bool wants_r5(ApiCall *c)
{
    Str accept = http_header(&c->http->request, "Accept");
    return str_find(accept, STR("fhirVersion=5.0")) >= 0;
}

/* What is asked, wherever it came from. */
typedef struct Asked {
    TermOperation operation;
    Str type, id;
    JsonDoc parameters;
    Str accept_language;
    bool r5;
} Asked;

static Status asked_run(ApiCall *c, Asked *asked, ApiResult *ret, Err *err)
{
    StoreTerm term;
    StoreVersion v;
    TermResult result;
    TermRequest request = {.operation = asked->operation,
                           .parameters = &asked->parameters,
                           .accept_language = asked->accept_language,
                           .now_ms = clock_now(c->api->options.clock),
                           .r5 = asked->r5};
    TRY(access_may(c->caller, ACCESS_READ, asked->type, err));
    store_term_init(&term, c->reader, &c->caller->view);
    if (asked->id.n) {
        TRY(api_read_version(c, asked->type, asked->id, STR_NONE, &v, err));
        TRY(store_term_item(&term, c->arena, &v, &request.instance, err));
    }
    request.uuid = uuid7(c->arena, c->api->options.random, request.now_ms);
    TRY(fhir_term_run(&term.source, c->arena, &request, &result, err));
    *ret = (ApiResult){.status = result.status, .body = result.body};
    return OK;
}

static Status term_run(ApiCall *c, TermOperation operation, const char *type)
{
    Asked asked = {.operation = operation,
                   .type = str_from_c(type),
                   .id = c->http->request.part[0], /* of a route with {id} */
                   .accept_language = http_header(&c->http->request, "Accept-Language"),
                   .r5 = wants_r5(c)};
    TRY(parameters_read(c, &asked.parameters));
    return asked_run(c, &asked, &c->result, &c->err);
}

/* ---- as an entry of a batch
 * ------------------------------------------------------------------------ */

static bool entry_operation(const FhirEntry *e, TermOperation *ret)
{
    static const struct {
        const char *type, *name;
        TermOperation operation;
    } KNOWN[] = {{"CodeSystem", "$lookup", TERM_LOOKUP},
                 {"CodeSystem", "$validate-code", TERM_VALIDATE_SYSTEM},
                 {"CodeSystem", "$subsumes", TERM_SUBSUMES},
                 {"ValueSet", "$expand", TERM_EXPAND},
                 {"ValueSet", "$validate-code", TERM_VALIDATE_VALUESET},
                 {"ConceptMap", "$translate", TERM_TRANSLATE}};
    for (size_t i = 0; i < sizeof KNOWN / sizeof *KNOWN; i++) {
        if (str_is(e->type, KNOWN[i].type) && str_is(e->operation, KNOWN[i].name)) {
            *ret = KNOWN[i].operation;
            return e->method == FHIR_METHOD_GET || e->method == FHIR_METHOD_POST;
        }
    }
    return false;
}

bool api_term_is_entry(const FhirEntry *e)
{
    TermOperation operation;
    return entry_operation(e, &operation);
}

Status api_term_entry(ApiCall *c, const JsonDoc *d, const FhirEntry *e, ApiResult *ret, Err *err)
{
    Asked asked = {.type = e->type,
                   .id = e->id,
                   .accept_language = http_header(&c->http->request, "Accept-Language"),
                   .r5 = wants_r5(c)};
    mk_check(entry_operation(e, &asked.operation));
    if (e->resource != JSON_NONE) {
        TRY(json_parse(c->arena, json_raw(d, e->resource), &JSON_LIMITS_FHIR, &asked.parameters,
                       err));
    } else {
        TRY(parameters_of_pairs(c, e->query, &asked.parameters));
    }
    return asked_run(c, &asked, ret, err);
}

/* ---- handlers ----------------------------------------------------------------------------------
 */

Status api_term_lookup(ApiCall *c)
{
    return term_run(c, TERM_LOOKUP, "CodeSystem");
}

Status api_term_validate_system(ApiCall *c)
{
    return term_run(c, TERM_VALIDATE_SYSTEM, "CodeSystem");
}

Status api_term_subsumes(ApiCall *c)
{
    return term_run(c, TERM_SUBSUMES, "CodeSystem");
}

Status api_term_expand(ApiCall *c)
{
    return term_run(c, TERM_EXPAND, "ValueSet");
}

Status api_term_validate_valueset(ApiCall *c)
{
    return term_run(c, TERM_VALIDATE_VALUESET, "ValueSet");
}

Status api_term_batch(ApiCall *c)
{
    return term_run(c, TERM_BATCH_VALIDATE, "ValueSet");
}

Status api_term_translate(ApiCall *c)
{
    return term_run(c, TERM_TRANSLATE, "ConceptMap");
}

/* ---- what is served
 * ------------------------------------------------------------------------------- */

static void systems_write(JsonWriter *w)
{
    json_key_open(w, "codeSystem", '[');
    for (size_t i = 0; i < term_pack_count(); i++) {
        TermKind kind;
        Str url = term_pack_url(i, &kind);
        if (kind == TERM_CODESYSTEM) {
            json_open(w, '{');
            json_member_str(w, "uri", url);
            json_close(w, '}');
        }
    }
    json_close(w, ']');
}

static void expansion_write(JsonWriter *w)
{
    static const char *const PARAMETERS[] = {"activeOnly",
                                             "check-system-version",
                                             "count",
                                             "default-valueset-version",
                                             "designation",
                                             "displayLanguage",
                                             "excludeNested",
                                             "excludeNotForUI",
                                             "filter",
                                             "force-system-version",
                                             "includeDefinition",
                                             "includeDesignations",
                                             "offset",
                                             "property",
                                             "system-version",
                                             "tx-resource",
                                             "useSupplement",
                                             "versionsMatch"};
    json_key_open(w, "expansion", '{');
    json_member_bool(w, "hierarchical", true);
    json_member_bool(w, "paging", true);
    json_member_bool(w, "incomplete", false);
    json_key_open(w, "parameter", '[');
    for (size_t i = 0; i < sizeof PARAMETERS / sizeof *PARAMETERS; i++) {
        json_open(w, '{');
        json_member_c(w, "name", PARAMETERS[i]);
        json_close(w, '}');
    }
    json_close(w, ']');
    json_member_c(w, "textFilter", "each word stands in the code or in one of its names");
    json_close(w, '}');
}

Status api_term_capabilities(ApiCall *c)
{
    Buf out;
    JsonWriter w = fhir_begin(&out, "TerminologyCapabilities", STR_NONE);
    Str base = arena_cat(c->arena, api_base_url(c), STR("/fhir"));
    json_member_str(&w, "url", arena_cat(c->arena, base, STR("/metadata?mode=terminology")));
    json_member_c(&w, "version", MK_VERSION);
    json_member_c(&w, "name", "MenkouTerminology");
    json_member_c(&w, "title", "Menkou 门口");
    json_member_c(&w, "status", "active");
    json_member_str(&w, "date", time_iso(c->arena, c->api->opened_ms, c->api->options.zone_min));
    json_member_c(&w, "kind", "instance");
    json_key_open(&w, "software", '{');
    json_member_c(&w, "name", "Menkou");
    json_member_c(&w, "version", MK_VERSION);
    json_close(&w, '}');
    json_key_open(&w, "implementation", '{');
    json_member_c(&w, "description", "Menkou FHIR R4");
    json_member_str(&w, "url", base);
    json_close(&w, '}');
    systems_write(&w);
    expansion_write(&w);
    json_member_c(&w, "codeSearch", "all");
    json_key_open(&w, "validateCode", '{');
    json_member_bool(&w, "translations", true);
    json_close(&w, '}');
    json_key_open(&w, "translation", '{');
    json_member_bool(&w, "needsMap", true);
    json_close(&w, '}');
    c->result = (ApiResult){.status = 200, .body = json_end(&w, '}', c->arena)};
    return OK;
}

/* Which versions of FHIR are spoken here. */
Status api_versions(ApiCall *c)
{
    c->result = (ApiResult){
        .status = 200,
        .body = STR("{\"resourceType\":\"Parameters\",\"parameter\":[{\"name\":\"version\","
                    "\"valueCode\":\"4.0\"},{\"name\":\"default\",\"valueCode\":\"4.0\"}]}")};
    return OK;
}
