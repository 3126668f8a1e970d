#include "fhir_capability.h"

#include "fhir_write.h"

typedef struct Word {
    unsigned bit;
    const char *code;
} Word;

static void put_codes(JsonWriter *w, const char *key, const Word *word, size_t n, unsigned bits)
{
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        if (bits & word[i].bit) {
            if (!any) {
                json_key_open(w, key, '[');
            }
            any = true;
            json_open(w, '{');
            json_member_c(w, "code", word[i].code);
            json_close(w, '}');
        }
    }
    if (any) {
        json_close(w, ']');
    }
}

static void put_flag(JsonWriter *w, const char *key, bool value)
{
    json_key(w, key);
    json_put_bool(w, value);
}

static void put_strings(JsonWriter *w, const char *key, const char *const *s, unsigned n)
{
    if (n == 0) {
        return;
    }
    json_key_open(w, key, '[');
    for (unsigned i = 0; i < n; i++) {
        json_put_c(w, s[i]);
    }
    json_close(w, ']');
}

/* --- parameters --- */

static bool is_served(const FhirServed *s, const FhirType *t, const FhirParam *p)
{
    return s->serves_param ? s->serves_param(t, p)
                           : p->expression_n > 0 && (s->kinds >> p->kind & 1);
}

static void put_param(JsonWriter *w, const FhirParam *p)
{
    json_open(w, '{');
    json_member_str(w, "name", fhir_param_name(p));
    json_member_str(w, "definition", fhir_param_url(p));
    json_member_c(w, "type", fhir_param_kind_code((FhirParamKind)p->kind));
    json_close(w, '}');
}

/* Each parameter of t that is served: its own, then its base types'. */
static void params_put(JsonWriter *w, const FhirServed *s, const FhirType *t)
{
    unsigned written = 0;
    for (const FhirType *owner = t; owner; owner = fhir_type_base(owner)) {
        unsigned n;
        const FhirParam *p = fhir_params_of(owner, &n);
        for (unsigned i = 0; i < n; i++) {
            if (!is_served(s, t, &p[i])) {
                continue;
            }
            if (written++ == 0) {
                json_key_open(w, "searchParam", '[');
            }
            put_param(w, &p[i]);
        }
        size_t custom_n;
        const FhirCustomParam *const *custom = fhir_customs_of(s->customs, owner, &custom_n);
        for (size_t i = 0; i < custom_n; i++) {
            if (written++ == 0) {
                json_key_open(w, "searchParam", '[');
            }
            put_param(w, &custom[i]->row);
        }
    }
    if (written) {
        json_close(w, ']');
    }
}

static void put_include(JsonWriter *w, const FhirType *t, const FhirParam *p, unsigned *written)
{
    Str type = fhir_type_name(t), name = fhir_param_name(p);
    char text[192];
    if ((*written)++ == 0) {
        json_key_open(w, "searchInclude", '[');
    }
    memcpy(text, type.p, type.n);
    text[type.n] = ':';
    memcpy(text + type.n + 1, name.p, name.n);
    json_put_str(w, (Str){text, type.n + 1 + name.n});
}

/* "Type:param" of each served reference parameter of t. */
static void put_includes(JsonWriter *w, const FhirServed *s, const FhirType *t)
{
    unsigned n, written = 0;
    const FhirParam *p = fhir_params_of(t, &n);
    for (unsigned i = 0; i < n; i++) {
        if (p[i].kind != FHIR_PARAM_REFERENCE || !is_served(s, t, &p[i])) {
            continue;
        }
        put_include(w, t, &p[i], &written);
    }
    size_t custom_n;
    const FhirCustomParam *const *custom = fhir_customs_of(s->customs, t, &custom_n);
    for (size_t i = 0; i < custom_n; i++) {
        if (custom[i]->row.kind == FHIR_PARAM_REFERENCE) {
            put_include(w, t, &custom[i]->row, &written);
        }
    }
    if (written) {
        json_close(w, ']');
    }
}

static void put_operations(JsonWriter *w, const FhirServed *s, const char *type)
{
    bool any = false;
    for (unsigned i = 0; i < s->operation_count; i++) {
        const FhirOperation *o = &s->operation[i];
        bool here = type ? o->type && (strcmp(o->type, type) == 0 ||
                                       strcmp(o->type, FHIR_OPERATION_ANY) == 0)
                         : !o->type;
        if (!here) {
            continue;
        }
        if (!any) {
            json_key_open(w, "operation", '[');
        }
        any = true;
        json_open(w, '{');
        json_member_c(w, "name", o->name);
        json_member_c(w, "definition", o->definition);
        json_close(w, '}');
    }
    if (any) {
        json_close(w, ']');
    }
}

/* --- resources --- */

static void put_conditionals(JsonWriter *w, unsigned served)
{
    put_flag(w, "readHistory", (served & FHIR_SERVES_VREAD) != 0);
    put_flag(w, "updateCreate", (served & FHIR_SERVES_UPDATE_CREATE) != 0);
    put_flag(w, "conditionalCreate", (served & FHIR_SERVES_CONDITIONAL_CREATE) != 0);
    json_member_c(w, "conditionalRead",
                  served & FHIR_SERVES_CONDITIONAL_READ ? "full-support" : "not-supported");
    put_flag(w, "conditionalUpdate", (served & FHIR_SERVES_CONDITIONAL_UPDATE) != 0);
    json_member_c(w, "conditionalDelete",
                  served & FHIR_SERVES_CONDITIONAL_DELETE ? "multiple" : "not-supported");
}

static void put_resource(JsonWriter *w, const FhirServed *s, const FhirType *t)
{
    static const Word INTERACTION[] = {{FHIR_SERVES_READ, "read"},
                                       {FHIR_SERVES_VREAD, "vread"},
                                       {FHIR_SERVES_UPDATE, "update"},
                                       {FHIR_SERVES_PATCH, "patch"},
                                       {FHIR_SERVES_DELETE, "delete"},
                                       {FHIR_SERVES_HISTORY_INSTANCE, "history-instance"},
                                       {FHIR_SERVES_HISTORY_TYPE, "history-type"},
                                       {FHIR_SERVES_CREATE, "create"},
                                       {FHIR_SERVES_SEARCH, "search-type"}};
    Str name = fhir_type_name(t);
    char type[64];
    memcpy(type, name.p, name.n);
    type[name.n] = 0;
    json_open(w, '{');
    json_member_str(w, "type", name);
    put_codes(w, "interaction", INTERACTION, sizeof INTERACTION / sizeof *INTERACTION,
              s->interactions);
    json_member_c(w, "versioning", "versioned");
    put_conditionals(w, s->interactions);
    if (s->interactions & FHIR_SERVES_SEARCH) {
        if (s->includes) {
            put_includes(w, s, t);
        }
        params_put(w, s, t);
    }
    put_operations(w, s, type);
    json_close(w, '}');
}

static void put_uri(JsonWriter *w, const char *url, Str value)
{
    fhir_extension_open(w, url);
    json_member_str(w, "valueUri", value);
    json_close(w, '}');
}

/* How SMART App Launch wants it said: by the service's code and by the addresses. */
static void put_security(JsonWriter *w, const FhirServed *s)
{
    if (str_empty(s->token)) {
        return;
    }
    json_key_open(w, "security", '{');
    json_key_open(w, "extension", '[');
    fhir_extension_open(w, "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris");
    json_key_open(w, "extension", '[');
    put_uri(w, "authorize", s->authorize);
    put_uri(w, "token", s->token);
    json_close(w, ']');
    json_close(w, '}');
    json_close(w, ']');
    fhir_concepts_put(w, "service",
                      STR("http://terminology.hl7.org/CodeSystem/restful-security-service"),
                      STR("SMART-on-FHIR"), STR_NONE);
    json_close(w, '}');
}

static void put_rest(JsonWriter *w, const FhirServed *s)
{
    static const Word SYSTEM[] = {{FHIR_SYSTEM_TRANSACTION, "transaction"},
                                  {FHIR_SYSTEM_BATCH, "batch"},
                                  {FHIR_SYSTEM_HISTORY, "history-system"},
                                  {FHIR_SYSTEM_SEARCH, "search-system"}};
    json_key_open(w, "rest", '[');
    json_open(w, '{');
    json_member_c(w, "mode", "server");
    put_security(w, s);
    json_key_open(w, "resource", '[');
    for (unsigned i = 0; i < fhir_resource_count; i++) {
        put_resource(w, s, fhir_resource_at(i));
    }
    json_close(w, ']');
    put_codes(w, "interaction", SYSTEM, sizeof SYSTEM / sizeof *SYSTEM, s->system);
    put_operations(w, s, NULL);
    json_close(w, '}');
    json_close(w, ']');
}

/* Features of the terminology ecosystem: which edition of its tests, code systems in requests. */
static void put_features(JsonWriter *w)
{
    static const char FEATURE[] =
        "http://hl7.org/fhir/uv/application-feature/StructureDefinition/feature";
    static const struct {
        const char *definition, *key, *value;
    } FEATURES[] = {
        {"http://hl7.org/fhir/uv/tx-tests/FeatureDefinition/test-version", "valueCode",
         "\"1.9.1\""},
        {"http://hl7.org/fhir/uv/tx-ecosystem/FeatureDefinition/CodeSystemAsParameter",
         "valueBoolean", "true"},
    };
    json_key_open(w, "extension", '[');
    for (size_t i = 0; i < sizeof FEATURES / sizeof *FEATURES; i++) {
        fhir_extension_open(w, FEATURE);
        json_key_open(w, "extension", '[');
        fhir_extension_open(w, "definition");
        json_member_c(w, "valueCanonical", FEATURES[i].definition);
        json_close(w, '}');
        fhir_extension_open(w, "value");
        json_key(w, FEATURES[i].key);
        json_put_raw(w, str_from_c(FEATURES[i].value));
        json_close(w, '}');
        json_close(w, ']');
        json_close(w, '}');
    }
    json_close(w, ']');
}

static void put_head(JsonWriter *w, const FhirServed *s, Str url)
{
    json_member_c(w, "resourceType", "CapabilityStatement");
    put_features(w);
    json_member_str(w, "url", url);
    json_member_str(w, "version", s->version);
    json_member_c(w, "name", "Menkou");
    json_member_c(w, "title", "Menkou 门口");
    json_member_c(w, "status", "active");
    json_member_str(w, "date", s->date);
    json_member_c(w, "kind", "instance");
    json_key_open(w, "instantiates", '[');
    json_put_c(w, "http://hl7.org/fhir/CapabilityStatement/terminology-server");
    json_close(w, ']');
    json_key_open(w, "software", '{');
    json_member_c(w, "name", "Menkou");
    json_member_str(w, "version", s->version);
    json_member_str(w, "releaseDate", s->date);
    json_close(w, '}');
    json_key_open(w, "implementation", '{');
    json_member_c(w, "description", "Menkou FHIR R4");
    json_member_str(w, "url", s->base_url);
    json_close(w, '}');
    json_member_c(w, "fhirVersion", "4.0.1");
    put_strings(w, "format", s->format, s->format_count);
    put_strings(w, "patchFormat", s->patch_format, s->patch_format_count);
}

void fhir_capability_write(Buf *out, const FhirServed *s)
{
    JsonWriter w = json_writer(out);
    Arena a;
    arena_init(&a, 0);
    json_open(&w, '{');
    put_head(&w, s, arena_cat(&a, s->base_url, STR("/metadata")));
    arena_done(&a);
    put_rest(&w, s);
    json_close(&w, '}');
}
