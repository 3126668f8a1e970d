#include "fhir_resource.h"
#include "fhir_write.h"

Str fhir_resource_type(const JsonDoc *d)
{
    return json_str(d, json_get(d, JSON_ROOT, STR("resourceType")));
}

Str fhir_resource_id(const JsonDoc *d)
{
    return json_str(d, json_get(d, JSON_ROOT, STR("id")));
}

/* --- stamp --- */

static Str json_text(Arena *a, Str s)
{
    Buf b;
    buf_init(&b, 0);
    buf_json_str(&b, s);
    return buf_take(&b, a);
}

/* version and last_updated: as JSON. */
static Str meta_text(Arena *a, Str version, Str last_updated)
{
    Str v = version.n ? arena_cat(a, STR("\"versionId\":"), version) : STR_NONE;
    Str u = last_updated.n ? arena_cat(a, STR("\"lastUpdated\":"), last_updated) : STR_NONE;
    return arena_cat(a, STR("{"), v, v.n && u.n ? STR(",") : STR_NONE, u, STR("}"));
}

static Str stamp(Arena *a, const JsonDoc *d, Str id, Str version, Str last_updated)
{
    JsonSplice splice[3];
    size_t n = 0;
    JsonRef meta = json_get_c(d, JSON_ROOT, "meta");
    bool has_id = json_get_c(d, JSON_ROOT, "id") != JSON_NONE;
    if (id.n) {
        splice[n++] = json_splice_member(a, d, JSON_ROOT, "id", json_text(a, id), "resourceType");
    }
    if (json_count(d, meta) == 0) {
        if (version.n || last_updated.n) {
            splice[n++] =
                json_splice_member(a, d, JSON_ROOT, "meta", meta_text(a, version, last_updated),
                                   has_id ? "id" : "resourceType");
        }
        return json_splice(a, d->bytes, splice, n);
    }
    if (version.n) {
        splice[n++] = json_splice_member(a, d, meta, "versionId", version, NULL);
    }
    if (last_updated.n) {
        splice[n++] = json_splice_member(a, d, meta, "lastUpdated", last_updated, "versionId");
    }
    return json_splice(a, d->bytes, splice, n);
}

Str fhir_resource_stamp(Arena *a, const JsonDoc *d, Str id, Str version, Str last_updated)
{
    return stamp(a, d, id, version.n ? json_text(a, version) : STR_NONE,
                 last_updated.n ? json_text(a, last_updated) : STR_NONE);
}

Str fhir_resource_stamp_marked(Arena *a, const JsonDoc *d, Str id)
{
    static const char version[] = {'"', FHIR_MARK_VERSION, '"'};
    static const char updated[] = {'"', FHIR_MARK_UPDATED, '"'};
    return stamp(a, d, id, (Str){version, sizeof version}, (Str){updated, sizeof updated});
}

/* --- compare --- */

static bool is_stamp(Str key)
{
    return str_is(key, "versionId") || str_is(key, "lastUpdated");
}

static bool is_id_or_meta(Str key)
{
    return str_is(key, "id") || str_is(key, "meta");
}

/* Objects with the same members, apart from those that `skips` says. */
static bool members_same(const JsonDoc *a, JsonRef ra, const JsonDoc *b, JsonRef rb,
                         bool (*skips)(Str key))
{
    unsigned left = 0;
    for (JsonIter it = json_iter(b, rb); json_next(&it);) {
        left += !skips(it.key);
    }
    for (JsonIter it = json_iter(a, ra); json_next(&it);) {
        if (skips(it.key)) {
            continue;
        }
        JsonRef other = json_get(b, rb, it.key);
        if (other == JSON_NONE || !json_equal(a, it.value, b, other)) {
            return false;
        }
        left--;
    }
    return left == 0;
}

bool fhir_resource_same(const JsonDoc *a, JsonRef ra, const JsonDoc *b, JsonRef rb)
{
    return members_same(a, json_get_c(a, ra, "meta"), b, json_get_c(b, rb, "meta"), is_stamp) &&
           members_same(a, ra, b, rb, is_id_or_meta);
}

/* --- outcome --- */

static void outcome_details(JsonWriter *w, const Issue *issue, Lang lang)
{
    json_key_open(w, "details", '{');
    if (issue->rule.n) {
        fhir_coding_put(w, STR("urn:menkou:rule"), issue->rule, STR_NONE);
    }
    json_member_str(w, "text", lang == LANG_ZH ? issue->zh : issue->en);
    json_close(w, '}');
}

static void outcome_issue(JsonWriter *w, const Issue *issue, Lang lang)
{
    json_open(w, '{');
    json_member_c(w, "severity", severity_code(issue->severity));
    json_member_c(w, "code", issue->code);
    outcome_details(w, issue, lang);
    if (lang == LANG_ZH) {
        json_member_str(w, "diagnostics", issue->en); /* for the programmer at the other end */
    }
    if (issue->where.n) {
        json_key_open(w, "expression", '[');
        json_put_str(w, issue->where);
        json_close(w, ']');
    }
    json_close(w, '}');
}

static void beside_put(JsonWriter *w, const JsonDoc *d)
{
    json_key_open(w, "contained", '[');
    json_open(w, '{');
    json_member_str(w, "resourceType", fhir_resource_type(d));
    json_member_c(w, "id", "beside");
    for (JsonIter it = json_iter(d, JSON_ROOT); json_next(&it);) {
        if (!str_is(it.key, "resourceType") && !str_is(it.key, "id")) {
            json_key_str(w, it.key);
            json_put_raw(w, json_raw(d, it.value));
        }
    }
    json_close(w, '}');
    json_close(w, ']');
    json_key_open(w, "extension", '[');
    json_open(w, '{');
    json_member_c(w, "url", "urn:menkou:beside");
    json_key_open(w, "valueReference", '{');
    json_member_c(w, "reference", "#beside");
    json_close(w, '}');
    json_close(w, '}');
    json_close(w, ']');
}

void fhir_outcome_write(Buf *out, const Err *err, Lang lang)
{
    fhir_outcome_beside(out, err, lang, NULL);
}

void fhir_outcome_beside(Buf *out, const Err *err, Lang lang, const JsonDoc *beside)
{
    static const char ALL_OK_ZH[] = "没有发现问题", ALL_OK_EN[] = "No issues found";
    static const Issue ALL_OK = {.severity = SEVERITY_INFORMATION,
                                 .code = "informational",
                                 .zh = {ALL_OK_ZH, sizeof ALL_OK_ZH - 1},
                                 .en = {ALL_OK_EN, sizeof ALL_OK_EN - 1}};
    JsonWriter w = json_writer(out);
    json_open(&w, '{');
    json_member_c(&w, "resourceType", "OperationOutcome");
    if (beside) {
        beside_put(&w, beside);
    }
    json_key_open(&w, "issue", '[');
    for (const Issue *issue = err && err->first ? err->first : &ALL_OK; issue;
         issue = issue->next) {
        outcome_issue(&w, issue, lang);
    }
    json_close(&w, ']');
    json_close(&w, '}');
}
