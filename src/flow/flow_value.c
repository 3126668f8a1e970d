/* Values between three worlds: results of expressions, flat JSON, answers of a response. */
#include "fhir_write.h"
#include "flow_inner.h"

static Str json_text(Arena *a, void (*put)(JsonWriter *w, void *ctx), void *ctx)
{
    Buf out;
    buf_init(&out, 0);
    JsonWriter w = json_writer(&out);
    put(&w, ctx);
    return buf_take(&out, a);
}

static void put_string(JsonWriter *w, void *ctx)
{
    json_put_str(w, *(Str *)ctx);
}

static void put_reference(JsonWriter *w, void *ctx)
{
    fhir_reference_put(w, NULL, *(Str *)ctx, STR_NONE);
}

/* ---- Options --------------------------------------------------------------------------------- */

static bool option_is(const JsonDoc *d, JsonRef option, Str system, Str code)
{
    JsonRef coding = json_get_c(d, option, "valueCoding");
    if (coding == JSON_NONE) {
        return str_eq(json_str_at(d, option, "valueString"), code);
    }
    Str has = json_str_at(d, coding, "system");
    return str_eq(json_str_at(d, coding, "code"), code) && (!system.n || str_eq(has, system));
}

JsonRef flow_option_find(const FlowForm *form, const FlowItem *item, Str system, Str code)
{
    for (JsonIter it = json_iter(form->doc, item->options); code.n && json_next(&it);) {
        if (option_is(form->doc, it.value, system, code)) {
            return it.value;
        }
    }
    return JSON_NONE;
}

/* system, code and display of an option, without the extensions of the form. */
typedef struct CodingText {
    const JsonDoc *doc;
    JsonRef coding;
} CodingText;

static void put_coding(JsonWriter *w, void *ctx)
{
    const CodingText *c = ctx;
    json_open(w, '{');
    json_member_str(w, "system", json_str_at(c->doc, c->coding, "system"));
    json_member_str(w, "version", json_str_at(c->doc, c->coding, "version"));
    json_member_str(w, "code", json_str_at(c->doc, c->coding, "code"));
    json_member_str(w, "display", json_str_at(c->doc, c->coding, "display"));
    json_close(w, '}');
}

static bool choice_by_code(Arena *a, const FlowForm *form, const FlowItem *item, Str system,
                           Str code, FillValue *ret)
{
    JsonRef option = flow_option_find(form, item, system, code);
    JsonRef coding = json_get_c(form->doc, option, "valueCoding");
    if (coding != JSON_NONE) {
        CodingText text = {form->doc, coding};
        *ret = (FillValue){STR("valueCoding"), json_text(a, put_coding, &text)};
        return true;
    }
    if (item->type == FLOW_ITEM_OPEN_CHOICE || option != JSON_NONE) {
        *ret = (FillValue){STR("valueString"), json_text(a, put_string, &code)};
        return true;
    }
    return false;
}

/* ---- Results of expressions ------------------------------------------------------------------ */

static bool choice_of_value(Arena *a, const FlowForm *form, const FlowItem *item,
                            const FhirValue *v, FillValue *ret)
{
    bool coding = v->kind == FHIR_VALUE_NODE && json_type(v->node.doc, v->node.ref) == JSON_OBJECT;
    Str system = coding ? json_str_at(v->node.doc, v->node.ref, "system") : STR_NONE;
    Str code = flow_value_word(a, v);
    return code.n && choice_by_code(a, form, item, system, code, ret);
}

static bool reference_of_value(Arena *a, const FhirValue *v, FillValue *ret)
{
    bool object = v->kind == FHIR_VALUE_NODE && json_type(v->node.doc, v->node.ref) == JSON_OBJECT;
    if (object && json_get_c(v->node.doc, v->node.ref, "reference") != JSON_NONE) {
        *ret = (FillValue){STR("valueReference"), json_raw(v->node.doc, v->node.ref)};
        return true;
    }
    Str word = flow_value_word(a, v);
    *ret =
        (FillValue){STR("valueReference"), word.n ? json_text(a, put_reference, &word) : STR_NONE};
    return word.n > 0;
}

static Str value_json(Arena *a, const FhirValue *v)
{
    Buf out;
    buf_init(&out, 0);
    fhir_value_json(&out, v);
    return buf_take(&out, a);
}

/* A date out of a dateTime keeps its first ten characters. */
static bool date_of_value(Arena *a, const FhirValue *v, FillValue *ret)
{
    Str text;
    if (!fhir_value_text(a, v, &text)) {
        return false;
    }
    text = str_take(text, 10);
    *ret = (FillValue){STR("valueDate"), json_text(a, put_string, &text)};
    return true;
}

bool flow_value_answer(Arena *a, const FlowForm *form, const FlowItem *item, const FhirValue *v,
                       FillValue *ret)
{
    Str text;
    switch (item->type) {
    case FLOW_ITEM_GROUP:
    case FLOW_ITEM_DISPLAY:
        return false;
    case FLOW_ITEM_CHOICE:
    case FLOW_ITEM_OPEN_CHOICE:
        return choice_of_value(a, form, item, v, ret);
    case FLOW_ITEM_REFERENCE:
        return reference_of_value(a, v, ret);
    case FLOW_ITEM_DATE:
        return date_of_value(a, v, ret);
    case FLOW_ITEM_STRING:
    case FLOW_ITEM_TEXT:
    case FLOW_ITEM_URL:
        if (!fhir_value_text(a, v, &text)) {
            return false;
        }
        *ret = (FillValue){str_from_c(flow_item_value_key(item->type)),
                           json_text(a, put_string, &text)};
        return true;
    default:
        *ret = (FillValue){str_from_c(flow_item_value_key(item->type)), value_json(a, v)};
        return ret->json.n > 0;
    }
}

/* ---- Flat JSON ------------------------------------------------------------------------------- */

static bool json_fits(FlowItemType type, JsonType json)
{
    switch (type) {
    case FLOW_ITEM_BOOLEAN:
        return json == JSON_TRUE || json == JSON_FALSE;
    case FLOW_ITEM_DECIMAL:
    case FLOW_ITEM_INTEGER:
        return json == JSON_NUMBER;
    case FLOW_ITEM_ATTACHMENT:
    case FLOW_ITEM_QUANTITY:
        return json == JSON_OBJECT;
    case FLOW_ITEM_CHOICE:
    case FLOW_ITEM_OPEN_CHOICE:
    case FLOW_ITEM_REFERENCE:
        return json == JSON_OBJECT || json == JSON_STRING;
    case FLOW_ITEM_GROUP:
    case FLOW_ITEM_DISPLAY:
        return false;
    default:
        return json == JSON_STRING;
    }
}

/* A code that is no option is kept, so that the check can name it. */
static bool choice_kept(Arena *a, const JsonDoc *d, JsonRef r, FillValue *ret)
{
    Str code = json_str(d, r);
    if (json_type(d, r) == JSON_OBJECT) {
        *ret = (FillValue){STR("valueCoding"), json_raw(d, r)};
        return true;
    }
    Buf out;
    JsonWriter w = json_begin(&out, '{');
    json_member_str(&w, "code", code);
    json_close(&w, '}');
    *ret = (FillValue){STR("valueCoding"), arena_str(a, buf_str(&out))};
    buf_done(&out);
    return code.n > 0;
}

bool flow_json_answer(Arena *a, const FlowForm *form, const FlowItem *item, const JsonDoc *d,
                      JsonRef r, FillValue *ret)
{
    JsonType json = json_type(d, r);
    Str s = json_str(d, r);
    if (!json_fits(item->type, json)) {
        return false;
    }
    if (item->type == FLOW_ITEM_CHOICE || item->type == FLOW_ITEM_OPEN_CHOICE) {
        Str system = json_str_at(d, r, "system"),
            code = json == JSON_OBJECT ? json_str_at(d, r, "code") : s;
        return choice_by_code(a, form, item, system, code, ret) || choice_kept(a, d, r, ret);
    }
    if (item->type == FLOW_ITEM_REFERENCE && json == JSON_STRING) {
        *ret = (FillValue){STR("valueReference"), json_text(a, put_reference, &s)};
        return true;
    }
    *ret = (FillValue){str_from_c(flow_item_value_key(item->type)), json_raw(d, r)};
    return true;
}

/* ---- Flat answers of a response -------------------------------------------------------------- */

/* "valueDateTime" → the type dateTime. */
static const FhirType *type_of_key(Str key)
{
    char name[32];
    Str tail = str_skip(key, 5);
    if (tail.n == 0 || tail.n >= sizeof name) {
        return NULL;
    }
    const FhirType *type = fhir_type_find(tail);
    if (!type) {
        memcpy(name, tail.p, tail.n);
        name[0] = (char)(name[0] | 0x20);
        type = fhir_type_find((Str){name, tail.n});
    }
    return type;
}

static FlowReply *answer_of(Arena *a, FlowAnswers *list, Str link, size_t *room)
{
    for (size_t i = 0; i < list->n; i++) {
        if (str_eq(list->at[i].link, link)) {
            return &list->at[i];
        }
    }
    if (list->n == *room) {
        *room = *room ? *room * 2 : 16;
        FlowReply *more = arena_array(a, FlowReply, *room);
        if (list->n) {
            memcpy(more, list->at, list->n * sizeof *more);
        }
        list->at = more;
    }
    list->at[list->n] = (FlowReply){.link = link};
    return &list->at[list->n++];
}

static void answers_walk(Arena *a, FlowAnswers *list, JsonRef items, size_t *room)
{
    const JsonDoc *d = list->doc;
    for (JsonIter it = json_iter(d, items); json_next(&it);) {
        FlowReply *answer = answer_of(a, list, json_str_at(d, it.value, "linkId"), room);
        size_t index = (size_t)(answer - list->at);
        for (JsonIter an = json_iter(d, json_get_c(d, it.value, "answer")); json_next(&an);) {
            for (JsonIter m = json_iter(d, an.value); json_next(&m);) {
                const FhirType *type = str_starts(m.key, STR("value")) ? type_of_key(m.key) : NULL;
                if (type) {
                    FhirValue v = fhir_value_node(fhir_node_typed(d, m.value, type));
                    fhir_values_add(a, &list->at[index].values, v);
                } else if (str_is(m.key, "item")) {
                    answers_walk(a, list, m.value, room);
                }
            }
        }
        answers_walk(a, list, json_get_c(d, it.value, "item"), room);
    }
}

void flow_answers_read(Arena *a, JsonDoc *doc, FlowAnswers *ret)
{
    *ret = (FlowAnswers){.doc = doc};
    size_t room = 0;
    answers_walk(a, ret, json_get_c(doc, JSON_ROOT, "item"), &room);
}
