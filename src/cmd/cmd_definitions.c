#include "cmd_definitions.h"

#include <stdlib.h>

#include "cmd_resource.h"
#include "fhir_package.h"

#include "mk_banned.h"

#define FILE_BYTES_MAX ((size_t)1 << 30)
#define KEPT_BYTES_MAX ((size_t)1 << 30) /* of all definitions together */
#define TERM_BYTES_MAX ((size_t)64 << 20)

typedef struct Definition {
    struct Definition *next; /* the same type and url, another version */
    Str version, body, key;
} Definition;

struct CmdDefinitions {
    Arena arena;
    Map known; /* "Type url" → Definition */
    unsigned n;
    FhirProfileSource source;
    FhirProfiles *profiles;
    TermSource terms;
    FhirLibrary library;
};

static Definition *known_find(CmdDefinitions *d, Arena *a, Str type, Str url)
{
    return map_get(&d->known, arena_cat(a, type, STR(" "), url));
}

static bool resource_find(void *ctx, Arena *a, Str type, Str url, Str version, Str *ret_json)
{
    CmdDefinitions *d = ctx;
    const Definition *best = NULL;
    for (const Definition *x = known_find(d, a, type, url); x; x = x->next) {
        if (version.n ? str_eq(version, x->version)
                      : !best || str_cmp(x->version, best->version) > 0) {
            best = x;
        }
    }
    if (best) {
        *ret_json = best->body;
    }
    return best != NULL;
}

static bool profile_find(void *ctx, Arena *a, Str url, Str version, Str *ret_json)
{
    return resource_find(ctx, a, STR("StructureDefinition"), url, version, ret_json);
}

static Status term_find(void *ctx, Arena *a, TermKind kind, Str url, TermItems *list, Err *err)
{
    static const char *const TYPES[] = {"CodeSystem", "ValueSet", "ConceptMap"};
    CmdDefinitions *d = ctx;
    for (const Definition *x = known_find(d, a, str_from_c(TYPES[kind]), url); x; x = x->next) {
        const TermItem *item = fhir_term_cache_get(d->terms.cache, a, x->key);
        if (!item) {
            TRY(fhir_term_cache_put(d->terms.cache, a, x->key, x->body, &item, err));
        }
        fhir_term_items_add(a, list, item);
    }
    return OK;
}

CmdDefinitions *cmd_definitions_new(void)
{
    CmdDefinitions *d = calloc(1, sizeof *d);
    mk_check(d != NULL);
    arena_init(&d->arena, 0);
    map_init(&d->known, &d->arena);
    d->source = (FhirProfileSource){d, profile_find};
    d->profiles = fhir_profiles_new(&d->source);
    d->library = (FhirLibrary){d, resource_find};
    d->terms =
        (TermSource){.ctx = d, .cache = fhir_term_cache_new(TERM_BYTES_MAX), .find = term_find};
    return d;
}

void cmd_definitions_free(CmdDefinitions *d)
{
    fhir_profiles_free(d->profiles);
    fhir_term_cache_free(d->terms.cache);
    arena_done(&d->arena);
    free(d);
}

FhirProfiles *cmd_definitions_profiles(CmdDefinitions *d)
{
    return d->profiles;
}

const FhirLibrary *cmd_definitions_library(const CmdDefinitions *d)
{
    return &d->library;
}

const TermSource *cmd_definitions_terms(const CmdDefinitions *d)
{
    return &d->terms;
}

static bool is_definition(Str type)
{
    return str_is(type, "StructureDefinition") || str_is(type, "CodeSystem") ||
           str_is(type, "ValueSet") || str_is(type, "Questionnaire");
}

static Status definition_keep(CmdDefinitions *d, const JsonDoc *doc, JsonRef r, Err *err)
{
    Str type = json_str_at(doc, r, "resourceType"), url = json_str_at(doc, r, "url");
    if (!is_definition(type) || !url.n) {
        return OK;
    }
    if (d->arena.used_bytes > KEPT_BYTES_MAX) {
        return err_add(err, ERR_TOO_LARGE, "too-costly", url, "定义总量超过 1 GiB",
                       "the definitions are more than 1 GiB together");
    }
    Str key = arena_cat(&d->arena, type, STR(" "), url);
    Definition *x = arena_new(&d->arena, Definition);
    x->version = arena_str(&d->arena, json_str_at(doc, r, "version"));
    x->body = arena_str(&d->arena, json_raw(doc, r));
    x->key = arena_printf(&d->arena, "%u", ++d->n);
    x->next = map_get(&d->known, key);
    map_put(&d->known, key, x);
    return OK;
}

/* What cannot be read in a package is none of ours; one definition named by hand must be. */
static Status text_keep(CmdDefinitions *d, Str bytes, bool strict, Err *err)
{
    Arena a;
    JsonDoc doc;
    arena_init(&a, 0);
    Status s = cmd_resource_parse(&a, bytes, &JSON_LIMITS_FHIR, &doc, strict ? err : NULL);
    if (s == OK && str_is(json_str_at(&doc, JSON_ROOT, "resourceType"), "Bundle")) {
        for (JsonIter it = json_iter(&doc, json_get_c(&doc, JSON_ROOT, "entry"));
             s == OK && json_next(&it);) {
            s = definition_keep(d, &doc, json_get_c(&doc, it.value, "resource"), err);
        }
    } else if (s == OK) {
        s = definition_keep(d, &doc, JSON_ROOT, err);
    }
    arena_done(&a);
    return s == OK || strict ? s : s == ERR_TOO_LARGE ? s : OK;
}

static Status package_keep(void *ctx, Str name, Str bytes, Err *err)
{
    return str_is(name, "package.json") ? OK : text_keep(ctx, bytes, false, err);
}

bool cmd_is_package(const char *file)
{
    Str name = str_from_c(file);
    return str_ends(name, STR(".tgz")) || str_ends(name, STR(".tar.gz"));
}

Status cmd_definitions_add(CmdDefinitions *d, const char *file, Err *err)
{
    Arena a;
    Str bytes;
    arena_init(&a, 0);
    Status s = file_read(&a, file, FILE_BYTES_MAX, &bytes, err);
    if (s == OK) {
        s = cmd_is_package(file) ? fhir_package_read(bytes, package_keep, d, err)
                                 : text_keep(d, bytes, true, err);
    }
    fhir_profiles_forget(d->profiles);
    arena_done(&a);
    return s;
}
