/*
 * Patient/$match: candidates from the whole county, compared by care_match. Of a patient out of
 * the caller's sight only a masked name, sex, birth year, the card's last four digits and the
 * organisation in charge are told: enough to ask the resident, not enough to learn of one.
 */
#include <stdlib.h>

#include "api_inner.h"

#include "care_id.h"
#include "care_match.h"
#include "fhir_pinyin.h"
#include "fhir_write.h"

#define INSTITUTION_SYSTEM   "urn:menkou:institution"
#define INSTITUTION_TOWNSHIP "township-hospital"
#define LEVELS_MAX           8 /* of organisations, upwards */

#define COUNT_DEFAULT   10
#define COUNT_MAX       50
#define PAGE_CANDIDATES "200"
#define CANDIDATES_MAX  1000
#define PINYIN_MAX      4
#define MASKED_SYSTEM   "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"

typedef struct Candidate {
    const StoreHit *hit;
    JsonDoc doc;
    CareMatch match;
} Candidate;

typedef struct Match {
    ApiCall *c;
    JsonDoc doc; /* Parameters */
    JsonRef patient;
    int64_t count;
    bool certain_only;
    Map seen; /* ids */
    Candidate *found;
    size_t n;
} Match;

/* ---- what is asked --------------------------------------------------------------------------- */

static Status ask_part(Match *m, Str name, JsonRef part)
{
    const JsonDoc *d = &m->doc;
    if (str_is(name, "resource")) {
        m->patient = json_get_c(d, part, "resource");
    } else if (str_is(name, "count")) {
        if (!json_to_i64(d, json_get_c(d, part, "valueInteger"), &m->count) || m->count < 1) {
            return err_add(&m->c->err, ERR_INVALID, "value", name, "count 应为正整数",
                           "count must be a positive integer");
        }
    } else if (str_is(name, "onlyCertainMatches")) {
        m->certain_only = json_is_true(d, json_get_c(d, part, "valueBoolean"));
    } else {
        return err_add(&m->c->err, ERR_INVALID, "not-supported", name, "$match 没有参数 %.*s",
                       "$match has no parameter %.*s", STR_ARG(name));
    }
    return OK;
}

static Status ask_read(ApiCall *c, Match *m)
{
    *m = (Match){.c = c, .patient = JSON_NONE, .count = COUNT_DEFAULT};
    TRY(api_query_only(c, API_FORM_PARAMETERS));
    TRY(api_body(c, &m->doc));
    if (!str_is(fhir_resource_type(&m->doc), "Parameters")) {
        return err_add(&c->err, ERR_INVALID, "invalid", STR("resourceType"),
                       "请求内容应为 Parameters", "The body must be Parameters");
    }
    TRY(fhir_validate(&m->doc, JSON_ROOT, STR("Parameters"), &c->err));
    JsonRef list = json_get_c(&m->doc, JSON_ROOT, "parameter");
    for (JsonIter it = json_iter(&m->doc, list); json_next(&it);) {
        TRY(ask_part(m, json_str_at(&m->doc, it.value, "name"), it.value));
    }
    if (!str_is(json_str_at(&m->doc, m->patient, "resourceType"), "Patient")) {
        return err_add(&c->err, ERR_INVALID, "required", STR("resource"),
                       "参数 resource 应为 Patient", "The parameter resource must be a Patient");
    }
    m->count = m->count > COUNT_MAX ? COUNT_MAX : m->count;
    map_init(&m->seen, c->arena);
    m->found = arena_array(c->arena, Candidate, CANDIDATES_MAX);
    return OK;
}

/* ---- candidates ---------------------------------------------------------------------------------
 */

static Status candidates_add(Match *m, const StorePage *page)
{
    static char present;
    for (size_t i = 0; i < page->hits_n && m->n < CANDIDATES_MAX; i++) {
        const StoreHit *h = &page->hits[i];
        if (h->mode != STORE_MATCH || map_get(&m->seen, h->id)) {
            continue;
        }
        map_put(&m->seen, h->id, &present);
        Candidate *x = &m->found[m->n++];
        x->hit = h;
        TRY(json_parse(m->c->arena, h->body, &JSON_LIMITS_FHIR, &x->doc, &m->c->err));
    }
    return OK;
}

/* query: name=value pairs already encoded. */
static Status candidates_find(Match *m, Buf *query)
{
    ApiCall *c = m->c;
    StoreQuery *q;
    StorePage page;
    buf_c(query, "&_count=" PAGE_CANDIDATES);
    Str text = buf_take(query, c->arena);
    TRY(store_query_parse(NULL, c->arena, STR("Patient"), text, false, c->api->options.zone_min, &q,
                          &c->err));
    TRY(store_search(c->reader, c->arena, q, &STORE_VIEW_ALL, STR_NONE, &page, &c->err));
    return candidates_add(m, &page);
}

static Status find_by(Match *m, const char *name, Str system, Str value, const char *and_name,
                      Str and_value)
{
    Buf query;
    if (str_empty(value)) {
        return OK;
    }
    buf_init(&query, 0);
    buf_printf(&query, "%s=", name);
    if (system.n) {
        buf_url(&query, system);
        buf_c(&query, "|");
    }
    buf_url(&query, value);
    if (and_value.n) {
        buf_printf(&query, "&%s=", and_name);
        buf_url(&query, and_value);
    }
    return candidates_find(m, &query);
}

static Str name_text(Arena *a, const JsonDoc *d, JsonRef name)
{
    Str text = json_str_at(d, name, "text");
    return text.n ? text
                  : arena_cat(a, json_str_at(d, name, "family"), json_str_at(d, name, "given.0"));
}

static Status find_by_name(Match *m, JsonRef name, Str birth)
{
    ApiCall *c = m->c;
    Str text = name_text(c->arena, &m->doc, name), *keys;
    size_t n;
    TRY(find_by(m, "name:exact", STR_NONE, text, "birthdate", birth));
    TRY(find_by(m, "name:exact", STR_NONE, text, NULL, STR_NONE));
    fhir_pinyin_keys(c->arena, text, &keys, &n);
    for (size_t i = 0; i < n && i < PINYIN_MAX; i++) {
        TRY(find_by(m, "pinyin", STR_NONE, keys[i], "birthdate", birth));
    }
    return find_by(m, "family", STR_NONE, json_str_at(&m->doc, name, "family"), "birthdate", birth);
}

static Status candidates_collect(Match *m)
{
    const JsonDoc *d = &m->doc;
    Str birth = json_str_at(d, m->patient, "birthDate");
    for (JsonIter it = json_iter(d, json_get_c(d, m->patient, "identifier")); json_next(&it);) {
        TRY(find_by(m, "identifier", json_str_at(d, it.value, "system"),
                    json_str_at(d, it.value, "value"), NULL, STR_NONE));
    }
    for (JsonIter it = json_iter(d, json_get_c(d, m->patient, "telecom")); json_next(&it);) {
        if (str_is(json_str_at(d, it.value, "system"), "phone")) {
            TRY(find_by(m, "phone", STR_NONE, json_str_at(d, it.value, "value"), NULL, STR_NONE));
        }
    }
    for (JsonIter it = json_iter(d, json_get_c(d, m->patient, "name")); json_next(&it);) {
        TRY(find_by_name(m, it.value, birth));
    }
    return OK;
}

static int better_first(const void *x, const void *y)
{
    const Candidate *a = x, *b = y;
    if (a->match.grade != b->match.grade) {
        return a->match.grade > b->match.grade ? -1 : 1;
    }
    if (a->match.score != b->match.score) {
        return a->match.score > b->match.score ? -1 : 1;
    }
    return str_cmp(a->hit->id, b->hit->id);
}

/* Leaves what may be the same person, best first. */
static void candidates_grade(Match *m)
{
    const CarePerson *wanted = care_person_new(m->c->arena, &m->doc, m->patient);
    size_t kept = 0;
    for (size_t i = 0; i < m->n; i++) {
        Candidate *x = &m->found[i];
        x->match = care_match(wanted, care_person_new(m->c->arena, &x->doc, JSON_ROOT));
        if (x->match.grade == CARE_GRADE_NOT ||
            (m->certain_only && x->match.grade != CARE_GRADE_CERTAIN)) {
            continue;
        }
        m->found[kept++] = *x;
    }
    qsort(m->found, kept, sizeof *m->found, better_first);
    m->n = kept < (size_t)m->count ? kept : (size_t)m->count;
}

/* ---- the answer
 * ------------------------------------------------------------------------------------- */

/* 刘桂芝 → 刘*芝, 刘芝 → 刘* */
static Str name_masked(Arena *a, Str name)
{
    return str_empty(name) ? STR("*") : care_name_mask(a, name);
}

static void card_masked(ApiCall *c, JsonWriter *w, const JsonDoc *d)
{
    for (JsonIter it = json_iter(d, json_get_c(d, JSON_ROOT, "identifier")); json_next(&it);) {
        Str value = json_str_at(d, it.value, "value");
        if (!str_is(json_str_at(d, it.value, "system"), FHIR_CARD_SYSTEM) || value.n < 8) {
            continue;
        }
        json_key_open(w, "identifier", '[');
        json_open(w, '{');
        json_member_c(w, "system", FHIR_CARD_SYSTEM);
        json_member_str(w, "value",
                        arena_cat(c->arena, STR("**************"), str_skip(value, value.n - 4)));
        json_close(w, '}');
        json_close(w, ']');
        return;
    }
}

static bool organization_read(ApiCall *c, Str reference, JsonDoc *ret)
{
    StoreVersion v;
    Str type, id;
    return str_cut(reference, '/', &type, &id) &&
           store_read(c->reader, c->arena, &STORE_VIEW_ALL, type, id, &v, NULL) == OK &&
           json_parse(c->arena, v.body, &JSON_LIMITS_FHIR, ret, NULL) == OK;
}

static bool is_township(const JsonDoc *d)
{
    for (JsonIter t = json_iter(d, json_get_c(d, JSON_ROOT, "type")); json_next(&t);) {
        for (JsonIter k = json_iter(d, json_get_c(d, t.value, "coding")); json_next(&k);) {
            if (str_is(json_str_at(d, k.value, "system"), INSTITUTION_SYSTEM) &&
                str_is(json_str_at(d, k.value, "code"), INSTITUTION_TOWNSHIP)) {
                return true;
            }
        }
    }
    return false;
}

/* Of the township hospital that this is or stands under; where there is none, its own. */
static Str township_name(ApiCall *c, Str reference)
{
    Str own = STR_NONE;
    JsonDoc d;
    for (int i = 0; i < LEVELS_MAX && organization_read(c, reference, &d); i++) {
        Str name = json_str_at(&d, JSON_ROOT, "name");
        if (is_township(&d)) {
            return name;
        }
        own = i ? own : name;
        reference = json_str_at(&d, JSON_ROOT, "partOf.reference");
    }
    return own;
}

void api_patient_masked(ApiCall *c, JsonWriter *w, Str id, const JsonDoc *d)
{
    Str manager = json_str_at(d, JSON_ROOT, "managingOrganization.reference");
    Str township = township_name(c, manager);
    json_open(w, '{');
    json_member_c(w, "resourceType", "Patient");
    json_member_str(w, "id", id);
    json_key(w, "meta");
    json_put_raw(w, STR("{\"security\":[{\"system\":\"" MASKED_SYSTEM "\",\"code\":\"MASKED\"}]}"));
    card_masked(c, w, d);
    json_key_open(w, "name", '[');
    json_open(w, '{');
    json_member_str(w, "text",
                    name_masked(c->arena, name_text(c->arena, d, json_at(d, JSON_ROOT, "name.0"))));
    json_close(w, '}');
    json_close(w, ']');
    json_member_str(w, "gender", json_str_at(d, JSON_ROOT, "gender"));
    json_member_str(w, "birthDate", str_take(json_str_at(d, JSON_ROOT, "birthDate"), 4));
    if (township.n) {
        json_key_open(w, "managingOrganization", '{');
        json_member_str(w, "display", township);
        json_close(w, '}');
    }
    json_close(w, '}');
}

static void candidate_write(ApiCall *c, JsonWriter *w, Str base, const Candidate *x)
{
    StoreVersion v;
    bool seen = store_read(c->reader, c->arena, &c->caller->view, STR("Patient"), x->hit->id, &v,
                           NULL) == OK;
    json_open(w, '{');
    json_member_str(w, "fullUrl", arena_cat(c->arena, base, x->hit->id));
    json_key(w, "resource");
    if (seen) {
        json_put_raw(w, x->hit->body);
    } else {
        api_patient_masked(c, w, x->hit->id, &x->doc);
    }
    json_key_open(w, "search", '{');
    json_key_open(w, "extension", '[');
    json_open(w, '{');
    json_member_c(w, "url", "http://hl7.org/fhir/StructureDefinition/match-grade");
    json_member_c(w, "valueCode", care_grade_code(x->match.grade));
    json_close(w, '}');
    json_close(w, ']');
    json_member_c(w, "mode", "match");
    json_key(w, "score");
    json_put_raw(w, arena_printf(c->arena, "%.4f", x->match.score));
    json_close(w, '}');
    json_close(w, '}');
    api_touch(c, x->hit->id);
}

Status api_match(ApiCall *c)
{
    Match m;
    TRY(access_may(c->caller, ACCESS_READ, STR("Patient"), &c->err));
    TRY(ask_read(c, &m));
    c->what = STR("Patient/$match");
    TRY(candidates_collect(&m));
    candidates_grade(&m);
    Buf out;
    JsonWriter w = fhir_begin(&out, "Bundle", STR_NONE);
    json_member_c(&w, "type", "searchset");
    json_member_i64(&w, "total", (int64_t)m.n);
    if (m.n) {
        Str base = arena_cat(c->arena, api_base_url(c), STR("/fhir/Patient/"));
        json_key_open(&w, "entry", '[');
        for (size_t i = 0; i < m.n; i++) {
            candidate_write(c, &w, base, &m.found[i]);
        }
        json_close(&w, ']');
    }
    json_close(&w, '}');
    c->result = (ApiResult){.status = 200, .body = buf_take(&out, c->arena)};
    return OK;
}
