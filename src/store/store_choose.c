/*
 * Choosing a source: the shortest list of rows that every match must stand in, counted no further
 * than needed to know.
 */
#include "store_query.h"

#include "mk_banned.h"

#define HASHES_WALK_MAX 64   /* lists that are walked beside each other … */
#define HASHES_READ_MAX 4096 /* … and that are read in pieces, on files */
#define LOOK_COST       2.0  /* of a resource looked at, beside a list begun */

static bool param_is_compartment(const FhirType *type, const FhirParam *param)
{
    unsigned n;
    bool self;
    const FhirPatientLink *link = fhir_patient_links(type, &n, &self);
    Str name = fhir_param_name(param);
    if (fhir_param_custom(param)) {
        return false;
    }
    bool known = n > 0 && (str_is(name, "patient") || str_is(name, "subject"));
    for (unsigned i = 0; i < n && !known; i++) {
        known = link[i].param == param->id;
    }
    return known;
}

static bool test_is_of_patients(const Run *r, const Test *t)
{
    const Clause *c = t->clause;
    if ((c->kind != CLAUSE_REF && c->kind != CLAUSE_CHAIN) || c->modifier != MODIFIER_NONE ||
        t->is_set || c->also_n || !param_is_compartment(r->query->type, c->param)) {
        return false;
    }
    const FhirType *patient = fhir_resource_find(STR("Patient"));
    for (size_t i = 0; i < c->values_n; i++) {
        bool only_patient =
            c->param->target_count == 1 && fhir_param_target(c->param, 0) == patient;
        if (c->values[i].type != patient && !(c->values[i].type == NULL && only_patient)) {
            return false;
        }
    }
    return c->kind == CLAUSE_REF || (c->inner_n == 1 && c->inner[0]->type == patient);
}

/* The codes by which the compartment table is divided: those of a search by `code`. */
static void source_codes(Run *r, Source *src)
{
    for (size_t i = 0; i < r->test_n && src->code_n == 0; i++) {
        Test *t = &r->test[i];
        const Clause *c = t->clause;
        if (c->kind != CLAUSE_TOKEN || c->modifier != MODIFIER_NONE || t->no_rows || t->is_set ||
            t->hash_n == 0 || fhir_param_custom(c->param) ||
            !str_is(fhir_param_name(c->param), "code")) {
            continue;
        }
        src->code = arena_array(r->arena, int64_t, 2 * t->hash_n + 1);
        for (size_t k = 0; k < t->hash_n; k++) {
            src->code[src->code_n++] = index_compartment_code(t->hash[k]);
        }
        src->within[1] = t;
        src->answers[1] = true;
    }
}

/* Where the patient asked for may also be a performer, these rows hold more than is asked for. */
static void source_links(Run *r, Source *src)
{
    uint32_t part[INDEX_PARTS_MAX];
    const FhirParam *param = src->within[0]->clause->param;
    src->answers[0] = index_parts(r->query->type, param, part) == 1 &&
                      part[0] == index_param_patient(r->query->type);
    for (size_t i = src->code_n; !src->answers[0] && i > 0; i--) {
        src->code[src->code_n++] = src->code[i - 1] | INDEX_OTHER_LINK;
    }
}

static bool source_compartment(Run *r, Source *ret)
{
    for (size_t i = 0; i < r->test_n; i++) {
        Test *t = &r->test[i];
        if (test_is_of_patients(r, t) && t->hash_n > 0) {
            *ret = (Source){.kind = SOURCE_COMPARTMENT,
                            .from = INT64_MIN,
                            .to = INT64_MAX,
                            .patient = t->hash,
                            .patient_n = t->hash_n,
                            .within = {t}};
            source_codes(r, ret);
            source_links(r, ret);
            ret->ordered = ret->patient_n * ret->code_n <= HASHES_WALK_MAX;
            return ret->code_n > 0; /* without codes the parameter's own list is as good */
        }
    }
    return false;
}

Str source_name(const Source *src)
{
    static const char *const names[] = {[SOURCE_ALL] = "all of the type",
                                        [SOURCE_TEST] = "rows of",
                                        [SOURCE_COMPARTMENT] = "patient and code of",
                                        [SOURCE_PATIENTS] = "the caller's patients"};
    return str_from_c(names[src->kind]);
}

Str source_param(const Source *src)
{
    return src->test ? test_name(src->test) : src->within[0] ? test_name(src->within[0]) : STR_NONE;
}

Source source_of_all(void)
{
    return (Source){.kind = SOURCE_ALL, .ordered = true, .from = INT64_MIN, .to = INT64_MAX};
}

Source source_of_test(Test *t)
{
    Source src = {.kind = SOURCE_TEST,
                  .test = t,
                  .from = INT64_MIN,
                  .to = INT64_MAX,
                  .ordered = test_has_nd(t) && t->hash_n * t->part_n <= HASHES_WALK_MAX};
    for (size_t i = 0; t->join[0] && i < 2; i++) {
        src.within[i] = t->join[i];
        src.answers[i] = true;
    }
    return src;
}

/*
 * Many lists are walked in order too, unless that many of what they lead to are so great a part of
 * it that looking at the first resources there are fills the page sooner.
 */
static Status source_order(Run *r, Source *src, Err *err)
{
    const Test *t = src->test;
    size_t n = t ? t->hash_n * t->part_n : 0;
    if (n <= HASHES_WALK_MAX || n > HASHES_READ_MAX || !test_has_nd(t) || r->store->server) {
        return OK;
    }
    double all = 0, page = (double)r->query->count + 1;
    for (size_t i = 0; t->clause->kind == CLAUSE_CHAIN && i < t->clause->inner_n; i++) {
        int64_t living;
        TRY(type_counter(r, t->clause->inner[i]->type, &living, err));
        all += (double)living;
    }
    src->ordered = all == 0 || (double)n * (double)n <= LOOK_COST * page * all;
    return OK;
}

static Status source_compare(Run *r, Source *best, Source *other, int64_t limit, Err *err)
{
    TRY(source_count(r, other, limit, err));
    run_note(r, "%.*s: %.*s %.*s: %s%lld rows%s", STR_ARG(fhir_type_name(r->query->type)),
             STR_ARG(source_name(other)), STR_ARG(source_param(other)),
             other->whole ? "" : ">= ", (long long)other->rows, other->ordered ? ", in order" : "");
    bool joins = other->test && other->test->join[0];
    bool better = other->rows < best->rows ||
                  (other->rows == best->rows && ((other->ordered && !best->ordered) || joins));
    if (better) {
        *best = *other;
    }
    return OK;
}

/* Counts in two rounds, so that a short list ends the choice before long ones are looked into. */
static Status choose_within(Run *r, Source *best, int64_t limit, Err *err)
{
    Source x;
    *best = source_of_all();
    best->rows = INT64_MAX;
    if (source_compartment(r, &x)) {
        TRY(source_compare(r, best, &x, limit, err));
    }
    for (size_t i = 0; i < r->test_n && best->rows > limit / 4; i++) {
        Test *t = &r->test[i];
        if (test_has_rows(t) && t != best->within[0] && t != best->within[1]) {
            x = source_of_test(t);
            TRY(source_order(r, &x, err));
            TRY(source_compare(r, best, &x, limit, err));
        }
    }
    if (best->rows == INT64_MAX) {
        x = source_of_all();
        TRY(source_compare(r, best, &x, limit, err));
    }
    return OK;
}

/* Hints are parts of another condition. */
bool run_is_of_one(const Run *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->test_n; i++) {
        n += !r->test[i].hint;
    }
    return n <= 1;
}

bool source_is_by_value(const Run *r, const Source *src)
{
    const StoreQuery *q = r->query;
    return src->kind == SOURCE_TEST && src->test->range_n > 0 && !src->test->is_set &&
           q->sort_n == 0 && !q->by_text && !index_type_is_work(q->type);
}

bool source_is_by_text(const Run *r, const Source *src)
{
    return src->kind == SOURCE_TEST && r->query->by_text && src->test->clause == r->query->by_text;
}

/* A long list that stands in the order asked for is walked; another is only worth a count. */
Status source_choose(Run *r, Source *ret, Err *err)
{
    TRY(choose_within(r, ret, SOURCE_SHORT, err));
    bool in_order = source_is_by_value(r, ret) || source_is_by_text(r, ret) ||
                    (ret->ordered && query_is_walked(r->query));
    bool alone = run_is_of_one(r) && in_order;
    if (ret->rows >= SOURCE_SHORT && !alone) {
        TRY(choose_within(r, ret, SOURCE_COUNT_MAX, err));
    }
    return OK;
}

Status source_patients(Run *r, Source *ret, bool *ret_usable, Err *err)
{
    unsigned links;
    bool self;
    const OwnPatients *own;
    *ret_usable = false;
    fhir_patient_links(r->query->type, &links, &self);
    if (r->view->everything || !r->view->clinical || (links == 0 && !self)) {
        return OK;
    }
    TRY(own_patients(r, &own, err));
    if (own->many) {
        return OK;
    }
    *ret = (Source){
        .kind = SOURCE_PATIENTS, .patient = own->hash, .patient_n = own->n + 1, .own = own};
    source_codes(r, ret);
    *ret_usable = true;
    return OK;
}
