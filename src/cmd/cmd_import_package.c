/*
 * A FHIR package into a data directory: its definitions under their own id, like any other
 * resource, so that they are searched, read and purged like them; the server compiles them when a
 * resource asks. Examples and what is not a definition stay out.
 */
#include "cmd_import.h"

#include "fhir_package.h"

#include "mk_banned.h"

#define GUIDES_MAX "1000"

typedef struct Package {
    Import *im;
    Arena group; /* bodies until they are put */
    Arena head;
    Str name, version;
    JsonDoc manifest;
    JsonRef dependencies;
    uint64_t number;
    size_t at;
} Package;

static bool is_definition(Str type)
{
    static const char *const TYPES[] = {"ActivityDefinition",
                                        "CapabilityStatement",
                                        "CodeSystem",
                                        "CompartmentDefinition",
                                        "ConceptMap",
                                        "EventDefinition",
                                        "GraphDefinition",
                                        "ImplementationGuide",
                                        "Library",
                                        "Measure",
                                        "MessageDefinition",
                                        "NamingSystem",
                                        "OperationDefinition",
                                        "PlanDefinition",
                                        "Questionnaire",
                                        "SearchParameter",
                                        "StructureDefinition",
                                        "StructureMap",
                                        "ValueSet"};
    bool is = false;
    for (size_t i = 0; i < sizeof TYPES / sizeof *TYPES && !is; i++) {
        is = str_is(type, TYPES[i]);
    }
    return is;
}

static Status manifest_take(Package *p, Str bytes, Err *err)
{
    FhirPackageHead head;
    Str kept = arena_str(&p->head, bytes);
    TRY(json_parse(&p->head, kept, &JSON_LIMITS_FHIR, &p->manifest, err));
    TRY(fhir_package_head(&p->manifest, &head, err));
    if (!head.r4) {
        return err_add(err, ERR_INVALID, "not-supported", STR("package.json"),
                       "包 %.*s 不是为 FHIR R4（4.0）做的",
                       "the package %.*s is not made for FHIR R4 (4.0)", STR_ARG(head.name));
    }
    p->name = head.name;
    p->version = head.version;
    p->dependencies = head.dependencies;
    return OK;
}

static void definition_add(Package *p, Str body)
{
    ApiIntake *in = &p->im->in;
    if (in->group_n == 0) {
        arena_reset(&p->group);
    }
    JsonDoc d;
    ApiIntakeItem item = {.number = ++p->number, .at = p->at};
    item.body = arena_str(&p->group, body);
    if (json_parse(&p->group, item.body, &JSON_LIMITS_FHIR, &d, NULL) == OK &&
        is_definition(json_str_at(&d, JSON_ROOT, "resourceType")) &&
        api_intake_read(in, &d, JSON_ROOT, &item)) {
        item.body = d.bytes;
        api_intake_add(in, &item);
    }
}

static Status file_take(void *ctx, Str name, Str bytes, Err *err)
{
    Package *p = ctx;
    p->at += bytes.n;
    if (str_is(name, "package.json")) {
        return manifest_take(p, bytes, err);
    }
    definition_add(p, bytes);
    return OK;
}

/* ---- What it needs ------------------------------------------------------------------------- */

/* R4 itself, and the words and extensions that R4 brings. */
static bool is_built_in(Str name)
{
    return str_starts(name, STR("hl7.fhir.r4.")) || str_is(name, "hl7.terminology.r4");
}

static bool guide_is_here(Package *p, Str name)
{
    Arena a;
    JsonDoc d;
    Str answer;
    bool here = false;
    arena_init(&a, 0);
    int status = api_local_call(p->im->in.local, &a, "GET",
                                STR("/fhir/ImplementationGuide?_count=" GUIDES_MAX), STR_NONE,
                                STR_NONE, &answer);
    if (status == 200 && json_parse(&a, answer, &JSON_LIMITS_FHIR, &d, NULL) == OK) {
        for (JsonIter it = json_iter(&d, json_get_c(&d, JSON_ROOT, "entry"));
             !here && json_next(&it);) {
            here = str_eq(json_str_at(&d, it.value, "resource.packageId"), name);
        }
    }
    arena_done(&a);
    return here;
}

static void dependencies_tell(Package *p)
{
    for (JsonIter it = json_iter(&p->manifest, p->dependencies); json_next(&it);) {
        Str version = json_str(&p->manifest, it.value);
        if (!is_built_in(it.key) && !guide_is_here(p, it.key)) {
            fprintf(stderr, "%.*s needs %.*s#%.*s, which is not imported\n", STR_ARG(p->name),
                    STR_ARG(it.key), STR_ARG(version));
        }
    }
}

void import_package(Import *im)
{
    Package p = {.im = im};
    Arena a;
    Err err;
    arena_init(&a, 0);
    arena_init(&p.group, 0);
    arena_init(&p.head, 0);
    err_init(&err, &a);
    Sha256 sum = sha256(im->bytes);
    im->in.source = arena_cat(&p.head, im->name, STR(" "), hex_encode(&p.head, sum.b, 16));
    Status s = fhir_package_read(im->bytes, file_take, &p, &err);
    api_intake_flush(&im->in);
    if (s != OK) {
        api_intake_refuse_err(&im->in, 1, &err, STR_NONE);
    } else {
        dependencies_tell(&p);
    }
    im->in.source = im->name;
    arena_done(&p.head);
    arena_done(&p.group);
    arena_done(&a);
}
