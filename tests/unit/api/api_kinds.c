/* One request of each kind that the plain FHIR API serves. */
#include "api_stage.h"

#define PATIENT(id, family)                                                                        \
    "{\"resourceType\":\"Patient\",\"id\":\"" id "\",\"name\":[{\"family\":\"" family "\","        \
    "\"given\":[\"#\"]}],\"gender\":\"female\",\"birthDate\":\"1962-03-05\"}"
#define OBSERVATION                                                                                \
    "{\"resourceType\":\"Observation\",\"status\":\"final\",\"code\":{\"text\":\"#\",\"coding\":[" \
    "{\"system\":\"http://loinc.org\",\"code\":\"8480-6\"}]},\"subject\":{\"reference\":"          \
    "\"Patient/p\"},\"effectiveDateTime\":\"2026-11-22T08:00:00+08:00\",\"valueQuantity\":{"       \
    "\"value\":128.50,\"unit\":\"mmHg\",\"system\":\"http://unitsofmeasure.org\",\"code\":"        \
    "\"mm[Hg]\"}}"
#define ENTRY(method, url, resource)                                                               \
    "{\"resource\":" resource ",\"request\":{\"method\":\"" method "\",\"url\":\"" url "\"}}"
#define BUNDLE(type, entries)                                                                      \
    "{\"resourceType\":\"Bundle\",\"type\":\"" type "\",\"entry\":[" entries "]}"

const StageKind STAGE_KINDS[] = {
    {"create", "POST", "/fhir/Observation", OBSERVATION, NULL, 201, true},
    {"update", "PUT", "/fhir/Patient/q", PATIENT("q", "王"), NULL, 200, true},
    {"make", "POST", "/fhir", BUNDLE("batch", ENTRY("PUT", "Patient/gone", PATIENT("gone", "去"))),
     NULL, 200, true},
    {"delete", "DELETE", "/fhir/Patient/gone", "", NULL, 204, true},
    {"transaction", "POST", "/fhir",
     BUNDLE("transaction", ENTRY("PUT", "Patient/t1", PATIENT("t1", "一")) "," ENTRY(
                               "PUT", "Patient/t2",
                               PATIENT("t2", "二")) "," ENTRY("POST", "Observation", OBSERVATION)),
     NULL, 200, true},
    {"batch", "POST", "/fhir",
     BUNDLE("batch", ENTRY("PUT", "Patient/b1", PATIENT("b1", "甲")) "," ENTRY(
                         "PUT", "Patient/b2", PATIENT("b2", "乙"))),
     NULL, 200, true},
    {"upload", "PUT", "/fhir/Binary/raw", "bytes of round #", "application/octet-stream", 200,
     true},
    {"download", "GET", "/fhir/Binary/kept", "", NULL, 200, false},
    {"read", "GET", "/fhir/Patient/p", "", NULL, 200, false},
    {"vread", "GET", "/fhir/Patient/p/_history/1", "", NULL, 200, false},
    {"history", "GET", "/fhir/Patient/p/_history", "", NULL, 200, false},
    {"search", "GET", "/fhir/Observation?patient=Patient/p&code=8480-6&date=ge2026&_total=accurate",
     "", NULL, 200, false},
    {"search by string", "GET", "/fhir/Patient?family=%E6%9D%8E&_sort=birthdate", "", NULL, 200,
     false},
    {"search with its patients", "GET", "/fhir/Observation?_count=5&_include=Observation:subject",
     "", NULL, 200, false},
    {"chain", "GET", "/fhir/Observation?subject:Patient.family=%E6%9D%8E", "", NULL, 200, false},
    {"validate", "POST", "/fhir/Observation/$validate", OBSERVATION, NULL, 200, false},
    {"match", "POST", "/fhir/Patient/$match",
     "{\"resourceType\":\"Parameters\",\"parameter\":[{\"name\":\"resource\",\"resource\":" PATIENT(
         "m", "李") "}]}",
     NULL, 200, false},
    {"metadata", "GET", "/fhir/metadata", "", NULL, 200, false},
};
const size_t STAGE_KINDS_N = sizeof STAGE_KINDS / sizeof *STAGE_KINDS;

static Str numbered(Arena *a, const char *text, int round)
{
    Str out = STR_NONE, before, rest = str_from_c(text), number = arena_printf(a, "%d", round);
    while (str_find_char(rest, '#') >= 0) {
        str_cut(rest, '#', &before, &rest);
        out = arena_cat(a, out, before, number);
    }
    return arena_cat(a, out, rest);
}

StageAnswer stage_kind_call(Stage *s, StoreReader *reader, Arena *a, const StageKind *kind,
                            int round)
{
    StageCall call = {.method = kind->method,
                      .path = numbered(a, kind->path, round),
                      .body = numbered(a, kind->body, round),
                      .type = kind->type};
    return stage_call(s, reader, a, &call);
}

static void must(Stage *s, StoreReader *reader, const StageKind *kind, int status)
{
    Arena a;
    arena_init(&a, 0);
    StageAnswer answer = stage_kind_call(s, reader, &a, kind, 0);
    if (answer.status != status) {
        print_error("%s: %d %.*s\n", kind->name, answer.status, STR_ARG(answer.body));
        fail();
    }
    arena_done(&a);
}

void stage_fill(Stage *s, StoreReader *reader)
{
    const StageKind first[] = {
        {"p", "PUT", "/fhir/Patient/p", PATIENT("p", "李"), NULL, 201, true},
        {"q", "PUT", "/fhir/Patient/q", PATIENT("q", "王"), NULL, 201, true},
        {"raw", "PUT", "/fhir/Binary/raw", "first", "application/octet-stream", 201, true},
        {"kept", "PUT", "/fhir/Binary/kept", "bytes that are read", "application/octet-stream", 201,
         true},
    };
    for (size_t i = 0; i < sizeof first / sizeof *first; i++) {
        must(s, reader, &first[i], first[i].status);
    }
    for (int i = 0; i < 8; i++) {
        must(s, reader, &STAGE_KINDS[0], 201);
    }
}
