/*
 * One answer to a question of a questionnaire: its type, whether it is one of the options, and the
 * limits that R4's (and SDC's) extensions of the question name.
 */
#include "fhir_validate_form.h"

#include "fhir_path_inner.h"

#define R4X  "http://hl7.org/fhir/StructureDefinition/"
#define SDCX "http://hl7.org/fhir/uv/sdc/StructureDefinition/"

/* The types of value that a question of each type is answered by. */
static const struct {
    const char *type, *values;
} ANSWERS[] = {
    {"boolean", " boolean "},
    {"decimal", " decimal "},
    {"integer", " integer "},
    {"date", " date "},
    {"dateTime", " dateTime "},
    {"time", " time "},
    {"string", " string "},
    {"text", " string "},
    {"url", " uri "},
    {"choice", " Coding string integer date time Reference "},
    {"open-choice", " Coding string integer date time Reference "},
    {"attachment", " Attachment "},
    {"reference", " Reference "},
    {"quantity", " Quantity "},
};

bool form_type_answers(Str question, Str value)
{
    for (size_t i = 0; i < sizeof ANSWERS / sizeof *ANSWERS; i++) {
        if (str_is(question, ANSWERS[i].type)) {
            char padded[48];
            bool room = value.n + 2 < sizeof padded;
            memcpy(padded + 1, value.p, room ? value.n : 0);
            padded[0] = padded[room ? value.n + 1 : 0] = ' ';
            return room && str_find(str_from_c(ANSWERS[i].values), (Str){padded, value.n + 2}) >= 0;
        }
    }
    return true;
}

/* --- options --- */

static bool option_has(Form *f, JsonRef options, const FormValue *value)
{
    bool found = false;
    for (JsonIter it = json_iter(f->d, options); !found && json_next(&it);) {
        FormValue option = form_value(f->d, it.value, "value");
        found = form_same(f->w, &option, value);
    }
    return found;
}

static bool option_of_type(Form *f, JsonRef options, const FhirType *type)
{
    bool found = false;
    for (JsonIter it = json_iter(f->d, options); !found && json_next(&it);) {
        found = form_value(f->d, it.value, "value").type == type;
    }
    return found;
}

/* Free text beside the options of an open choice. */
static bool is_free(Form *f, JsonRef question, const FormValue *v)
{
    return str_is(form_text(f, question, "type"), "open-choice") &&
           fhir_type_id(v->type) == FHIR_TYPE_string;
}

static void check_options(Form *f, const Place *at, JsonRef options, const FormValue *v)
{
    if (!option_of_type(f, options, v->type)) {
        Str type = fhir_type_name(v->type);
        walk_strict(f->w, at->up, "invariant", "问题的选项中没有 %.*s 类型的值",
                    "the question has no options of type %.*s", STR_ARG(type));
    } else if (!option_has(f, options, v)) {
        bool coded = fhir_type_id(v->type) == FHIR_TYPE_Coding;
        walk_strict(f->w, coded ? at->up : at, "invariant", "回答不是问题的选项之一",
                    "the answer is none of the question's options");
    }
}

/* The contained value set that "#id" means in the questionnaire. */
static JsonRef contained_set(const Form *f, Str id)
{
    for (JsonIter it = json_iter(f->d, json_get_c(f->d, f->questionnaire, "contained"));
         json_next(&it);) {
        if (str_eq(form_text(f, it.value, "id"), id)) {
            return it.value;
        }
    }
    return JSON_NONE;
}

static TermAnswer set_has(Form *f, Str canonical, Str system, Str code)
{
    if (str_starts(canonical, STR("#"))) {
        JsonRef set = contained_set(f, str_skip(canonical, 1));
        return set == JSON_NONE ? TERM_UNKNOWN : walk_listed_in(f->d, set, system, code);
    }
    return walk_code_in(f->w, canonical, system, code);
}

/* A text given for a code is one when the value set has it, in whichever system. */
static void check_set(Form *f, const Place *at, Str canonical, const FormValue *v)
{
    Walk *w = f->w;
    bool coded = fhir_type_id(v->type) == FHIR_TYPE_Coding;
    Str system = coded ? json_str_at(v->d, v->ref, "system") : STR_NONE;
    Str code = coded ? json_str_at(v->d, v->ref, "code") : json_str(v->d, v->ref);
    if ((coded || fhir_type_id(v->type) == FHIR_TYPE_string) && code.n &&
        set_has(f, canonical, system, code) == TERM_NO) {
        walk_strict(w, coded ? at->up : at, "code-invalid", "回答不在问题的值集 %.*s 中",
                    "the answer is not in the question's value set %.*s", STR_ARG(canonical));
    }
}

/* --- limits --- */

static FormValue limit_of(const Form *f, JsonRef question, const char *plain, const char *quantity)
{
    FormValue v = form_limit(f, question, plain);
    return v.type ? v : form_limit(f, question, quantity);
}

static void check_end(Form *f, const Place *at, const FormValue *end, const FormValue *v, bool low)
{
    Walk *w = f->w;
    if (!end->type) {
        return;
    }
    FhirValue x = form_scalar(v), y = form_scalar(end);
    Order order = path_order(walk_scratch(w), &x, &y);
    Str limit = walk_clip(json_raw(end->d, end->ref));
    if (order == (low ? ORDER_LESS : ORDER_GREATER)) {
        walk_strict(w, at, "invariant", "回答%s%.0s %.*s", "the answer is %.0s%s %.*s",
                    low ? "小于下限" : "大于上限", low ? "less than" : "greater than",
                    STR_ARG(limit));
    } else if (order == ORDER_UNKNOWN && fhir_type_id(v->type) == FHIR_TYPE_Quantity) {
        walk_strict(w, at, "invariant", "回答的单位与限值 %.*s 无法比较",
                    "the answer's unit cannot be compared with the limit's %.*s", STR_ARG(limit));
    }
}

static void check_places(Form *f, const Place *at, JsonRef question, const FormValue *v)
{
    int64_t most;
    FormValue limit = form_limit(f, question, R4X "maxDecimalPlaces");
    Str text = json_raw(v->d, v->ref);
    ptrdiff_t dot = str_find_char(text, '.');
    if (limit.type && dot >= 0 && json_to_i64(limit.d, limit.ref, &most) &&
        (int64_t)text.n - dot - 1 > most) {
        walk_strict(f->w, at, "invariant", "小数位数至多 %lld 位", "at most %lld decimal places",
                    (long long)most);
    }
}

static size_t chars_of(Str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        n += ((unsigned char)s.p[i] & 0xC0) != 0x80;
    }
    return n;
}

static void check_length(Form *f, const Place *at, JsonRef question, Str text)
{
    Walk *w = f->w;
    int64_t least = 0, most = INT64_MAX;
    FormValue low = form_limit(f, question, R4X "minLength");
    if (low.type) {
        (void)!json_to_i64(low.d, low.ref, &least);
    }
    (void)!json_to_i64(f->d, json_get_c(f->d, question, "maxLength"), &most);
    if ((int64_t)chars_of(text) < least) {
        walk_strict(w, at, "invariant", "回答少于 %lld 个字符",
                    "the answer is shorter than %lld characters", (long long)least);
    }
    if ((int64_t)chars_of(text) > most) {
        walk_strict(w, at, "invariant", "回答多于 %lld 个字符",
                    "the answer is longer than %lld characters", (long long)most);
    }
}

static void check_format(Form *f, const Place *at, JsonRef question, Str text)
{
    Arena *a = walk_scratch(f->w);
    const char *zh, *en;
    FhirMatch match;
    uint64_t cost;
    FormValue pattern = form_limit(f, question, R4X "regex");
    FhirRegex *r =
        pattern.type ? fhir_regex_compile(a, json_str(pattern.d, pattern.ref), &zh, &en) : NULL;
    if (r && !fhir_regex_find(r, a, text, 0, true, 0, &match, &cost) && cost != UINT64_MAX) {
        Str shown = walk_clip(json_str(pattern.d, pattern.ref));
        walk_strict(f->w, at, "invariant", "回答不合所要求的格式 %.*s",
                    "the answer does not have the form asked for: %.*s", STR_ARG(shown));
    }
}

static bool allows_text(const Form *f, JsonRef question, const char *url, Str text)
{
    bool any = false, found = false;
    for (JsonIter it = json_iter(f->d, json_get_c(f->d, question, "extension")); json_next(&it);) {
        if (str_is(form_text(f, it.value, "url"), url)) {
            FormValue v = form_value(f->d, it.value, "value");
            any = true;
            found = found || (v.type && str_eq(json_str(v.d, v.ref), text));
        }
    }
    return !any || found;
}

static void check_attachment(Form *f, const Place *at, JsonRef question, const FormValue *v)
{
    double most, size;
    Str media = json_str_at(v->d, v->ref, "contentType"), shown = walk_clip(media);
    FormValue limit = form_limit(f, question, R4X "maxSize"); /* in megabytes */
    if (media.n && !allows_text(f, question, R4X "mimeType", media)) {
        walk_strict(f->w, at->up, "invariant", "此问题不收 %.*s 类型的附件",
                    "the question takes no attachment of type %.*s", STR_ARG(shown));
    }
    if (limit.type && json_to_double(limit.d, limit.ref, &most) &&
        json_to_double(v->d, json_get_c(v->d, v->ref, "size"), &size) && size > most * 1048576.0) {
        walk_strict(f->w, at->up, "invariant", "附件大于 %g MB",
                    "the attachment is larger than %g MB", most);
    }
}

static void check_target(Form *f, const Place *at, JsonRef question, const FormValue *v)
{
    FhirRef ref = fhir_ref_parse(json_str_at(v->d, v->ref, "reference"));
    Str type = ref.type.n ? ref.type : json_str_at(v->d, v->ref, "type"), shown = walk_clip(type);
    if (type.n && !allows_text(f, question, R4X "questionnaire-referenceResource", type)) {
        walk_strict(f->w, at, "invariant", "此问题不能以对 %.*s 的引用回答",
                    "the question takes no reference to a %.*s", STR_ARG(shown));
    }
}

/* The unit is one of those offered (as a code), or of the value set of units. */
static void check_unit(Form *f, const Place *at, JsonRef question, const FormValue *v)
{
    Str system = json_str_at(v->d, v->ref, "system"), code = json_str_at(v->d, v->ref, "code");
    FormValue set = form_limit(f, question, R4X "questionnaire-unitValueSet");
    bool any = false, found = false;
    for (JsonIter it = json_iter(f->d, json_get_c(f->d, question, "extension")); json_next(&it);) {
        if (str_is(form_text(f, it.value, "url"), R4X "questionnaire-unitOption")) {
            any = true;
            found = found || (str_eq(json_str_at(f->d, it.value, "valueCoding.code"), code) &&
                              str_eq(json_str_at(f->d, it.value, "valueCoding.system"), system));
        }
    }
    Str url = set.type ? json_str(set.d, set.ref) : STR_NONE;
    bool outside = url.n && (!code.n || set_has(f, url, system, code) == TERM_NO);
    if ((any && !found) || outside) {
        walk_strict(f->w, at, "invariant", "单位不是此问题所允许的",
                    "the unit is none that the question allows");
    }
}

static void check_limits(Form *f, const Place *at, JsonRef question, const FormValue *v)
{
    FormValue low = limit_of(f, question, R4X "minValue", SDCX "sdc-questionnaire-minQuantity");
    FormValue high = limit_of(f, question, R4X "maxValue", SDCX "sdc-questionnaire-maxQuantity");
    check_end(f, at, &low, v, true);
    check_end(f, at, &high, v, false);
    switch (fhir_type_id(v->type)) {
    case FHIR_TYPE_decimal:
        check_places(f, at, question, v);
        break;
    case FHIR_TYPE_string:
    case FHIR_TYPE_uri:
        check_length(f, at, question, json_str(v->d, v->ref));
        check_format(f, at, question, json_str(v->d, v->ref));
        break;
    case FHIR_TYPE_Attachment:
        check_attachment(f, at, question, v);
        break;
    case FHIR_TYPE_Reference:
        check_target(f, at, question, v);
        break;
    case FHIR_TYPE_Quantity:
        check_unit(f, at, question, v);
        break;
    default:
        break;
    }
}

void form_answer(Form *f, const Place *at, JsonRef question, JsonRef answer)
{
    FormValue v = form_value(f->w->d, answer, "value");
    Str type = form_text(f, question, "type"), set = form_text(f, question, "answerValueSet");
    JsonRef options = json_get_c(f->d, question, "answerOption");
    if (!v.type) {
        return;
    }
    Place place = {at, STR("value"), PLACE_NO_INDEX, v.type, v.ref, true};
    Str got = fhir_type_name(v.type);
    if (!form_type_answers(type, got)) {
        walk_strict(f->w, &place, "invariant", "%.*s 型的问题不能以 %.*s 回答",
                    "a question of type %.*s cannot be answered by a %.*s", STR_ARG(type),
                    STR_ARG(got));
        return;
    }
    if (!is_free(f, question, &v) && json_count(f->d, options)) {
        check_options(f, &place, options, &v);
    } else if (!is_free(f, question, &v) && set.n) {
        check_set(f, &place, set, &v);
    }
    check_limits(f, &place, question, &v);
}
