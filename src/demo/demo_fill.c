/* A form's answers out of the script, over what the engine prefilled. */
#include "demo_inner.h"

#include "ecg_write.h"
#include "fhir_write.h"
#include "store_binary.h"

/* ---- Placeholders in the script's strings ------------------------------------------------------
 */

static Str organization_of(const DemoFill *f)
{
    return arena_cat(f->arena, STR("Organization/"), f->demo->clinic[f->person->clinic].id);
}

static Str day_ahead(const DemoFill *f, Str days)
{
    int64_t n = 0;
    mk_check(str_to_i64(days, &n));
    return time_iso_day(f->arena, f->now_ms + n * MS_DAY, store_zone_min(f->demo->store));
}

/* {home} (the clinic), {patient}, {now}, {today+N}, or an earlier answer of the script by its
 * linkId. */
static Str hole_fill(const DemoFill *f, Str name, const JsonDoc *script, JsonRef answers)
{
    if (str_is(name, "home")) {
        return organization_of(f);
    }
    if (str_is(name, "patient")) {
        return arena_cat(f->arena, STR("Patient/"), f->person->id);
    }
    if (str_is(name, "now")) {
        return time_iso(f->arena, f->now_ms, store_zone_min(f->demo->store));
    }
    if (str_starts(name, STR("today+"))) {
        return day_ahead(f, str_skip(name, 6));
    }
    return json_str(script, json_get(script, answers, name));
}

static Str holes_fill(const DemoFill *f, Str text, const JsonDoc *script, JsonRef answers)
{
    Buf b;
    buf_init(&b, 1 << 16);
    Str head, tail;
    while (str_cut(text, '{', &head, &tail)) {
        buf_add(&b, head);
        Str name;
        str_cut(tail, '}', &name, &text);
        Str value = hole_fill(f, name, script, answers);
        /* The zone's plus sign would be a space in a query. */
        for (size_t i = 0; i < value.n; i++) {
            value.p[i] == '+' ? buf_c(&b, "%2B") : buf_char(&b, value.p[i]);
        }
    }
    buf_add(&b, text);
    return buf_take(&b, f->arena);
}

/* ---- Values that come from elsewhere
 * ---------------------------------------------------------------- */

/* {"find": "Slot?status=free&…", "among": 5}: one of the first few, or empty. */
static Status found_pick(const DemoFill *f, const JsonDoc *script, JsonRef value, JsonRef answers,
                         Str *ret, Err *err)
{
    Str type, query;
    str_cut(json_str_at(script, value, "find"), '?', &type, &query);
    int64_t among = 1;
    json_to_i64(script, json_get_c(script, value, "among"), &among);
    query = arena_printf(f->arena, "%.*s&_count=%lld",
                         STR_ARG(holes_fill(f, query, script, answers)), (long long)among);
    StoreQuery *q;
    TRY(store_query_parse(NULL, f->arena, type, query, false, store_zone_min(f->demo->store), &q,
                          err));
    StorePage page;
    TRY(store_search(f->demo->reader, f->arena, q, &STORE_VIEW_ALL, STR_NONE, &page, err));
    if (page.hits_n == 0) {
        return OK;
    }
    const StoreHit *hit = &page.hits[random_below(&f->demo->random, page.hits_n)];
    *ret = arena_cat(f->arena, hit->type, STR("/"), hit->id);
    return OK;
}

static EcgSynthKind synth_kind(Str name)
{
    for (int kind = 0; kind < ECG_SYNTH_KINDS; kind++) {
        if (str_is(name, ecg_synth_name((EcgSynthKind)kind))) {
            return (EcgSynthKind)kind;
        }
    }
    mk_check(!"a kind of recording that ecg_synth makes");
    return ECG_SYNTH_NORMAL;
}

/* A county's tracings are many, its hearts few: each kind beats in a handful of ways. */
static const EcgRecording *hearts_pick(Demo *d, EcgSynthKind kind)
{
    EcgRecording **at = &d->heart[kind][random_below(&d->random, DEMO_HEARTS)];
    if (!*at) {
        *at = arena_new(d->arena, EcgRecording);
        ecg_synth(d->arena, random_u64(&d->random), kind, *at);
    }
    return *at;
}

/* {"ecg": "afib"}: a synthetic recording stored as a Binary, as an upload would. */
static Status recording_store(const DemoFill *f, Str kind, Str *ret_reference, Err *err)
{
    EcgRecording recording = *hearts_pick(f->demo, synth_kind(kind));
    recording.patient.given = f->person->name;
    recording.patient.id = f->person->id;
    recording.has_start = datetime_parse(
        time_iso(f->arena, f->now_ms, store_zone_min(f->demo->store)), &recording.start);
    Buf b;
    buf_init(&b, 1 << 24);
    Status s = ecg_write_scp(&b, &recording, err);
    StoreAuthor author = access_author(f->caller);
    StoreBatch *batch = store_batch_new(f->demo->store, f->arena, &author, STR("POST Binary"));
    Str context = arena_cat(f->arena, STR("Patient/"), f->person->id), id;
    s = s == OK ? store_binary_put(batch, f->demo->store, f->arena, STR_NONE,
                                   STR("application/scp-ecg"), buf_str(&b), context, &id, err)
                : s;
    buf_done(&b);
    TRY(s);
    StoreReceipt receipt;
    TRY(store_commit(batch, &receipt, err));
    *ret_reference = arena_cat(f->arena, STR("Binary/"), id);
    return OK;
}

/* ---- Answers
 * --------------------------------------------------------------------------------------------- */

static void option_write(JsonWriter *w, const JsonDoc *form, JsonRef item, Str code)
{
    for (JsonIter it = json_iter(form, json_get_c(form, item, "answerOption")); json_next(&it);) {
        JsonRef coding = json_get_c(form, it.value, "valueCoding");
        if (str_eq(json_str_at(form, coding, "code"), code)) {
            json_key(w, "valueCoding");
            json_put_raw(w, json_raw(form, coding));
        }
    }
}

static void attachment_write(JsonWriter *w, Str reference)
{
    json_key_open(w, "valueAttachment", '{');
    json_member_c(w, "contentType", "application/scp-ecg");
    json_member_str(w, "url", reference);
    json_member_c(w, "title", "ecg.scp");
    json_close(w, '}');
}

static Status object_write(const DemoFill *f, JsonWriter *w, const JsonDoc *script, JsonRef value,
                           JsonRef answers, Err *err)
{
    Str kind = json_str_at(script, value, "ecg"), reference = STR_NONE;
    if (!str_empty(kind)) {
        TRY(recording_store(f, kind, &reference, err));
        attachment_write(w, reference);
        return OK;
    }
    TRY(found_pick(f, script, value, answers, &reference, err));
    if (str_empty(reference)) {
        return err_status(err, ERR_NOT_FOUND);
    }
    fhir_reference_put(w, "valueReference", reference, STR_NONE);
    return OK;
}

static void text_write(const DemoFill *f, JsonWriter *w, Str type, Str text, const JsonDoc *script,
                       JsonRef answers)
{
    Str value = holes_fill(f, text, script, answers);
    if (str_is(type, "reference")) {
        fhir_reference_put(w, "valueReference", value, STR_NONE);
    } else if (str_is(type, "date")) {
        json_member_str(w, "valueDate", value);
    } else if (str_is(type, "dateTime")) {
        json_member_str(w, "valueDateTime",
                        time_iso(f->arena, f->now_ms, store_zone_min(f->demo->store)));
    } else {
        json_member_str(w, "valueString", value);
    }
}

/* [low, high]: a whole number or tenth between them. */
static void range_write(const DemoFill *f, JsonWriter *w, Str type, const JsonDoc *script,
                        JsonRef value)
{
    int64_t lo = 0, hi = 0;
    json_to_i64(script, json_item(script, value, 0), &lo);
    json_to_i64(script, json_item(script, value, 1), &hi);
    int64_t v = lo + (int64_t)random_below(&f->demo->random, (uint64_t)(hi - lo + 1));
    if (str_is(type, "decimal")) {
        json_key(w, "valueDecimal");
        json_put_raw(w, arena_printf(f->arena, "%lld.%d", (long long)v, (int)(v % 10)));
    } else {
        json_member_i64(w, "valueInteger", v);
    }
}

static Status answer_write(const DemoFill *f, JsonWriter *w, const JsonDoc *form, JsonRef item,
                           const JsonDoc *script, JsonRef value, JsonRef answers, Err *err)
{
    Str type = json_str_at(form, item, "type");
    json_open(w, '{');
    switch (json_type(script, value)) {
    case JSON_OBJECT:
        TRY(object_write(f, w, script, value, answers, err));
        break;
    case JSON_ARRAY:
        range_write(f, w, type, script, value);
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        json_member_bool(w, "valueBoolean", json_is_true(script, value));
        break;
    case JSON_STRING:
        str_is(type, "choice") ? option_write(w, form, item, json_str(script, value))
                               : text_write(f, w, type, json_str(script, value), script, answers);
        break;
    default:
        mk_check(!"a value of a scenario's answer");
    }
    json_close(w, '}');
    return OK;
}

static JsonRef prefilled_item(const JsonDoc *d, JsonRef response, Str link)
{
    for (JsonIter it = json_iter(d, json_get_c(d, response, "item")); json_next(&it);) {
        if (str_eq(json_str_at(d, it.value, "linkId"), link)) {
            return it.value;
        }
    }
    return JSON_NONE;
}

static Status item_write(const DemoFill *f, JsonWriter *w, const JsonDoc *actions, JsonRef item,
                         JsonRef response, const JsonDoc *script, JsonRef answers, Err *err)
{
    Str link = json_str_at(actions, item, "linkId");
    JsonRef value = json_get(script, answers, link);
    JsonRef before = prefilled_item(actions, response, link);
    if (json_type(script, value) == JSON_ABSENT) {
        if (before != JSON_NONE) {
            json_put_raw(w, json_raw(actions, before));
        }
        return OK;
    }
    if (json_type(script, value) == JSON_NULL) {
        return OK;
    }
    json_open(w, '{');
    json_member_str(w, "linkId", link);
    json_key_open(w, "answer", '[');
    TRY(answer_write(f, w, actions, item, script, value, answers, err));
    json_close(w, ']');
    json_close(w, '}');
    return OK;
}

/* ---- The form of an action
 * ------------------------------------------------------------------------------- */

static JsonRef part_of(const JsonDoc *d, JsonRef parameter, const char *name, const char *value)
{
    for (JsonIter it = json_iter(d, json_get_c(d, parameter, "part")); json_next(&it);) {
        if (str_is(json_str_at(d, it.value, "name"), name)) {
            return json_get_c(d, it.value, value);
        }
    }
    return JSON_NONE;
}

static JsonRef action_find(const JsonDoc *d, Str action)
{
    for (JsonIter it = json_iter(d, json_get_c(d, JSON_ROOT, "parameter")); json_next(&it);) {
        if (str_eq(json_str(d, part_of(d, it.value, "code", "valueCode")), action)) {
            return it.value;
        }
    }
    return JSON_NONE;
}

static Status response_write(const DemoFill *f, JsonWriter *w, const JsonDoc *actions, JsonRef form,
                             JsonRef response, const JsonDoc *script, JsonRef answers, Err *err)
{
    json_open(w, '{');
    json_member_c(w, "resourceType", "QuestionnaireResponse");
    json_member_c(w, "status", "completed");
    json_key_open(w, "item", '[');
    for (JsonIter it = json_iter(actions, json_get_c(actions, form, "item")); json_next(&it);) {
        TRY(item_write(f, w, actions, it.value, response, script, answers, err));
    }
    json_close(w, ']');
    json_close(w, '}');
    return OK;
}

Status demo_fill(const DemoFill *f, const JsonDoc *actions, Str action, const JsonDoc *script,
                 JsonRef answers, Str *ret, Err *err)
{
    JsonRef parameter = action_find(actions, action);
    JsonRef form = part_of(actions, parameter, "questionnaire", "resource");
    JsonRef response = part_of(actions, parameter, "response", "resource");
    if (form == JSON_NONE || json_type(script, answers) == JSON_ABSENT) {
        *ret = STR_NONE;
        return OK;
    }
    Buf b;
    buf_init(&b, 1 << 22);
    JsonWriter w = json_writer(&b);
    Status s = response_write(f, &w, actions, form, response, script, answers, err);
    if (s == OK) {
        *ret = arena_str(f->arena, buf_str(&b));
    }
    buf_done(&b);
    return s;
}
