/*
 * A search: the first line is the type ("Patient", "Patient,Observation", or
 * "Patient/1/Observation" for a compartment; empty: two types), the rest the query string. It is
 * understood or refused with an issue that names the parameter; leniently it is refused only for
 * what makes no sense at all. What is understood is run over a handful of resources: it ends, with
 * a page or with an issue.
 */
#include "store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define NOW_MS 1763769600000LL

static Store *store;
static StoreReader *reader;
static Clock the_clock;
static Random the_random;

static const char *const BODIES[] = {
    "{\"resourceType\":\"Patient\",\"id\":\"a\",\"gender\":\"male\",\"birthDate\":\"1980-02\","
    "\"name\":"
    "[{\"family\":\"Li\",\"given\":[\"Wei\"]}],\"managingOrganization\":{\"reference\":"
    "\"Organization/o\"}}",
    "{\"resourceType\":\"Organization\",\"id\":\"o\",\"name\":\"Hospital\"}",
    "{\"resourceType\":\"Observation\",\"id\":\"x\",\"status\":\"final\",\"code\":{\"coding\":[{"
    "\"system\":\"s\",\"code\":\"c\",\"display\":\"Pulse\"}]},\"subject\":{\"reference\":"
    "\"Patient/a\"},\"effectiveDateTime\":\"2025-01-01\",\"valueQuantity\":{\"value\":70,\"code\":"
    "\"/min\",\"system\":\"http://unitsofmeasure.org\"}}",
    "{\"resourceType\":\"Location\",\"id\":\"l\",\"position\":{\"longitude\":1,\"latitude\":2}}",
};

static void store_make(void)
{
    static const StoreAuthor author = {{"system", 6}, {"integrator", 10}, {NULL, 0}};
    Arena a;
    StoreReceipt receipt;
    clock_init_fixed(&the_clock, NOW_MS);
    random_init_seed(&the_random, 1);
    StoreOptions o = {.clock = &the_clock, .random = &the_random, .zone_min = ZONE_CHINA_MIN};
    mk_check(store_open(&o, &store, NULL) == OK);
    arena_init(&a, 0);
    StoreBatch *b = store_batch_new(store, &a, &author, STR("fuzz"));
    for (size_t i = 0; i < sizeof BODIES / sizeof *BODIES; i++) {
        JsonDoc d;
        Str body = str_from_c(BODIES[i]);
        mk_check(json_parse(&a, body, &JSON_LIMITS_FHIR, &d, NULL) == OK);
        mk_check(store_batch_update(b, json_str_at(&d, JSON_ROOT, "resourceType"),
                                    json_str_at(&d, JSON_ROOT, "id"), body, STR_NONE, NULL) == OK);
    }
    mk_check(store_commit(b, &receipt, NULL) == OK);
    mk_check(store_reader_open(store, &reader, NULL) == OK);
    arena_done(&a);
}

static Status parse(Arena *a, Str place, Str query, bool lenient, StoreQuery **ret, Err *err)
{
    Str types[16], type, id, all = place;
    size_t n = 0;
    if (str_cut(place, '/', &type, &id)) {
        str_cut(id, '/', &id, &all);
        types[n++] = all;
        TRY(store_query_parse_types(NULL, a, types, n, query, lenient, ZONE_CHINA_MIN, ret, err));
        return store_query_within(NULL, a, *ret, type, id, err);
    }
    for (Str one, rest = str_empty(place) ? STR("Patient,Observation") : place;
         n < 16 && !str_empty(rest);) {
        str_cut(rest, ',', &one, &rest);
        types[n++] = one;
    }
    return store_query_parse_types(NULL, a, types, n, query, lenient, ZONE_CHINA_MIN, ret, err);
}

static void run(Str place, Str query, bool lenient)
{
    Arena a;
    Err err;
    StoreQuery *q = NULL;
    StorePage page;
    arena_init(&a, 64u << 20);
    err_init(&err, &a);
    Status s = parse(&a, place, query, lenient, &q, &err);
    mk_check(s == OK ? q != NULL && err.count == 0 : err.count > 0 && err.status == s);
    if (s == OK) {
        s = store_search(reader, &a, q, &STORE_VIEW_ALL, STR_NONE, &page, &err);
        mk_check(s == OK || err.count > 0);
        mk_check(s != ERR_INTERNAL);
    }
    arena_done(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    Str place, query;
    if (!store) {
        store_make();
    }
    str_cut((Str){(const char *)data, n}, '\n', &place, &query);
    run(place, query, false);
    run(place, query, true);
    return 0;
}
