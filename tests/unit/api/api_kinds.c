/* One request of each kind: the plain FHIR API, cases, drafts, figures, records opened in an
 * emergency. */
#include "api_stage.h"

/* Of the township. */
#define PATIENT(id, family)                                                                        \
    "{\"resourceType\":\"Patient\",\"id\":\"" id "\",\"name\":[{\"family\":\"" family "\","        \
    "\"given\":[\"#\"]}],\"gender\":\"female\",\"birthDate\":\"1962-03-05\","                      \
    "\"managingOrganization\":{\"reference\":\"Organization/t1\"}}"
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

#define ANSWER(link, value) "{\"linkId\":\"" link "\",\"answer\":[{" value "}]}"
#define REFERENCE(to)       "\"valueReference\":{\"reference\":\"" to "\"}"
#define RESPONSE(status, items)                                                                    \
    "{\"resourceType\":\"QuestionnaireResponse\",\"status\":\"" status "\",\"item\":[" items "]}"
#define WORD(name, type, value) "{\"name\":\"" name "\",\"" type "\":" value "}"
#define PARAMETERS(words, form)                                                                    \
    "{\"resourceType\":\"Parameters\",\"parameter\":[" words                                       \
    ",{\"name\":\"form\",\"resource\":" form "}]}"
#define ASKING                                                                                     \
    ANSWER("ward", REFERENCE("HealthcareService/w1"))                                              \
    "," ANSWER("urgency", "\"valueCoding\":{\"system\":\"http://hl7.org/fhir/request-priority\","  \
                          "\"code\":\"routine\"}") "," ANSWER("reason", "\"valueString\":\"#\"")
#define START                                                                                      \
    PARAMETERS(WORD("pathway", "valueCode", "\"bed-request\"") "," WORD(                           \
                   "patient", "valueReference", "{\"reference\":\"Patient/p\"}"),                  \
               RESPONSE("completed", ASKING))
#define ACT(action, items)                                                                         \
    PARAMETERS(WORD("action", "valueCode", "\"" action "\""), RESPONSE("completed", items))
#define GLASS                                                                                         \
    "{\"resourceType\":\"Parameters\",\"parameter\":[" WORD(                                          \
        "patient", "valueReference",                                                                  \
        "{\"reference\":\"Patient/g\"}") "," WORD("reason", "valueCode",                              \
                                                  "\"emergency\"") "," WORD("text", "valueString",    \
                                                                            "\"昏迷送来，第 # " \
                                                                            "次\"") "," WORD("ext"    \
                                                                                             "en"     \
                                                                                             "d",     \
                                                                                             "val"    \
                                                                                             "ueB"    \
                                                                                             "ool"    \
                                                                                             "ea"     \
                                                                                             "n",     \
                                                                                             "tru"    \
                                                                                             "e") "]}"

#define ORGANIZATION(id)                                                                           \
    "{\"resourceType\":\"Organization\",\"id\":\"" id "\",\"active\":true,\"name\":\"" id "\"}"

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
    {"start a case", "POST", "/fhir/$start", START, NULL, 201, true, .who = "doctor"},
    {"act on a case", "POST", "/fhir/Task/@/$act",
     ACT("hold", ANSWER("slot", REFERENCE("Slot/b1"))), NULL, 200, true, .who = "office",
     .on_case = true},
    {"what may be done", "GET", "/fhir/Task/@/$actions", "", NULL, 200, false, .who = "office",
     .on_case = true},
    {"keep a draft", "PUT", "/drafts/start:bed-request:Patient%2Fp",
     "{\"seen\":\"1\",\"response\":" RESPONSE("in-progress",
                                              ANSWER("reason", "\"valueString\":\"#\"")) "}",
     "application/json", 200, true, .who = "doctor"},
    {"drafts", "GET", "/drafts", "", NULL, 200, false, .who = "doctor"},
    {"drop a draft", "DELETE", "/drafts/start:bed-request:Patient%2Fp", "", NULL, 204, true,
     .who = "doctor"},
    {"figures", "GET",
     "/fhir/MeasureReport/$figures?period-start=2026-01&period-end=2026-12&interval=month", "",
     NULL, 200, false, .follows = true},
    {"everything", "GET", "/fhir/Patient/p/$everything?_count=5", "", NULL, 200, false},
    {"break glass", "POST", "/fhir/$break-glass", GLASS, NULL, 201, true, .who = "office"},
};
const size_t STAGE_KINDS_N = sizeof STAGE_KINDS / sizeof *STAGE_KINDS;

static Str numbered(Stage *s, Arena *a, const char *text, int round)
{
    Str out = STR_NONE, before, rest = str_from_c(text), number = arena_printf(a, "%d", round);
    while (str_find_char(rest, '#') >= 0) {
        str_cut(rest, '#', &before, &rest);
        out = arena_cat(a, out, before, number);
    }
    return str_cut(arena_cat(a, out, rest), '@', &before, &rest)
               ? arena_cat(a, before, str_from_c(s->task), rest)
               : before;
}

StageAnswer stage_kind_call(Stage *s, StoreReader *reader, Arena *a, const StageKind *kind,
                            int round)
{
    StageCall call = {.method = kind->method,
                      .path = numbered(s, a, kind->path, round),
                      .body = numbered(s, a, kind->body, round),
                      .type = kind->type,
                      .if_match = kind->on_case && kind->writes ? STR("W/\"1\"") : STR_NONE,
                      .who = kind->who};
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

/* The slot of an earlier case is free again first. */
void stage_kind_prepare(Stage *s, StoreReader *reader, const StageKind *kind)
{
    if (!kind->on_case) {
        return;
    }
    Arena a;
    JsonDoc d;
    arena_init(&a, 0);
    if (s->task[0]) {
        StageKind read = {"", "GET", "/fhir/Task/@", "", NULL, 200, false, .on_case = true};
        StageAnswer seen = stage_kind_call(s, reader, &a, &read, 0);
        StageCall refuse = {"POST", arena_printf(&a, "/fhir/Task/%s/$act", s->task),
                            STR(ACT("refuse", ANSWER("reason", "\"valueString\":\"-\""))),
                            .who = "office", .if_match = seen.etag};
        assert_int_equal(stage_call(s, reader, &a, &refuse).status, 200);
    }
    StageCall start = {"POST", STR("/fhir/$start"), STR(START), .who = "doctor"};
    StageAnswer made = stage_call(s, reader, &a, &start);
    assert_int_equal(made.status, 201);
    assert_int_equal(json_parse(&a, made.body, &JSON_LIMITS_FHIR, &d, NULL), OK);
    Str id = json_str_at(&d, JSON_ROOT, "id");
    assert_true(id.n < sizeof s->task);
    snprintf(s->task, sizeof s->task, "%.*s", STR_ARG(id));
    arena_done(&a);
}

void stage_fill(Stage *s, StoreReader *reader)
{
    const StageKind first[] = {
        {"c", "PUT", "/fhir/Organization/c", ORGANIZATION("c"), NULL, 201, true},
        {"t1", "PUT", "/fhir/Organization/t1", ORGANIZATION("t1"), NULL, 201, true},
        {"w1", "PUT", "/fhir/HealthcareService/w1",
         "{\"resourceType\":\"HealthcareService\",\"id\":\"w1\",\"active\":true,\"name\":"
         "\"一病区\","
         "\"providedBy\":{\"reference\":\"Organization/c\"}}",
         NULL, 201, true},
        {"s1", "PUT", "/fhir/Schedule/s1",
         "{\"resourceType\":\"Schedule\",\"id\":\"s1\",\"actor\":[{\"reference\":"
         "\"HealthcareService/w1\"}]}",
         NULL, 201, true},
        {"b1", "PUT", "/fhir/Slot/b1",
         "{\"resourceType\":\"Slot\",\"id\":\"b1\",\"schedule\":{\"reference\":\"Schedule/s1\"},"
         "\"status\":\"free\",\"start\":\"2090-03-02T14:00:00+08:00\",\"end\":"
         "\"2090-03-02T15:00:00+08:00\"}",
         NULL, 201, true},
        {"p", "PUT", "/fhir/Patient/p", PATIENT("p", "李"), NULL, 201, true},
        {"q", "PUT", "/fhir/Patient/q", PATIENT("q", "王"), NULL, 201, true},
        {"g", "PUT", "/fhir/Patient/g", PATIENT("g", "赵"), NULL, 201, true},
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
