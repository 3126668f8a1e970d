/* A response being filled: collecting answers, initial and calculated ones, rendering. */
#include "flow_inner.h"

Status flow_fill_fault(Err *err, Str link, const char *zh, const char *en, Str detail)
{
    char text_zh[600], text_en[600];
    snprintf(text_zh, sizeof text_zh, "%s%s%.*s", zh, detail.n ? "：" : "", STR_ARG(detail));
    snprintf(text_en, sizeof text_en, "%s%s%.*s", en, detail.n ? ": " : "", STR_ARG(detail));
    return flow_say(err, ERR_UNPROCESSABLE, flow_rule_code(FLOW_RULE_FORM_INVALID), link,
                    str_from_c(text_zh), str_from_c(text_en));
}

/* ---- Slots ----------------------------------------------------------------------------------- */

static FillSlot *slots_new(Arena *a, const FlowForm *form)
{
    return arena_array(a, FillSlot, form->all_n + 1);
}

/* The slot of an item in this scope or, for items outside it, in the scopes around. */
FillSlot *flow_fill_slot(const FillScope *scope, const FlowItem *item)
{
    while (scope->up && !scope->slot[item->index].value_n) {
        scope = scope->up;
    }
    return &scope->slot[item->index];
}

static void flow_slot_add(Arena *a, FillSlot *slot, Str key, Str json)
{
    if (slot->value_n == slot->value_room) {
        size_t room = slot->value_room ? slot->value_room * 2 : 2;
        FillValue *more = arena_array(a, FillValue, room);
        if (slot->value_n) {
            memcpy(more, slot->value, slot->value_n * sizeof *more);
        }
        slot->value = more;
        slot->value_room = room;
    }
    slot->value[slot->value_n++] = (FillValue){key, json};
}

static FillScope *instance_add(FlowFill *f, FillScope *up, FillSlot *slot)
{
    if (slot->instance_n == slot->instance_room) {
        size_t room = slot->instance_room ? slot->instance_room * 2 : 2;
        FillScope **more = arena_array(f->arena, FillScope *, room);
        if (slot->instance_n) {
            memcpy(more, slot->instance, slot->instance_n * sizeof *more);
        }
        slot->instance = more;
        slot->instance_room = room;
    }
    FillScope *s = arena_new(f->arena, FillScope);
    s->up = up;
    s->slot = slots_new(f->arena, f->form);
    slot->instance[slot->instance_n++] = s;
    return s;
}

/* ---- Collecting a client's response ---------------------------------------------------------- */

static bool key_fits(const FlowItem *item, Str key)
{
    const char *want = flow_item_value_key(item->type);
    return (want && str_is(key, want)) ||
           (item->type == FLOW_ITEM_OPEN_CHOICE && str_is(key, "valueString")) ||
           (item->type == FLOW_ITEM_DECIMAL && str_is(key, "valueInteger"));
}

static bool collect_items(FlowFill *f, FillScope *scope, const FlowItem *group, const JsonDoc *d,
                          JsonRef list, int depth, Err *err);

static bool collect_answer(FlowFill *f, FillScope *scope, const FlowItem *item,
                           const FlowItem *group, const JsonDoc *d, JsonRef answer, int depth,
                           Err *err)
{
    bool ok = true;
    for (JsonIter it = json_iter(d, answer); json_next(&it);) {
        if (str_is(it.key, "item")) {
            ok &= collect_items(f, scope, group, d, it.value, depth + 1, err);
        } else if (str_starts(it.key, STR("value"))) {
            if (!key_fits(item, it.key)) {
                flow_fill_fault(err, item->link, "答案类型不符", "the answer has the wrong type",
                                it.key);
                return false;
            }
            Str key = str_is(it.key, "valueInteger") ? str_from_c(flow_item_value_key(item->type))
                                                     : it.key;
            flow_slot_add(f->arena, &scope->slot[item->index], key, json_raw(d, it.value));
        }
    }
    return ok;
}

static bool collect_item(FlowFill *f, FillScope *scope, const FlowItem *group, const JsonDoc *d,
                         JsonRef at, int depth, Err *err)
{
    Str link = json_str_at(d, at, "linkId");
    const FlowItem *item = flow_form_item(f->form, link);
    if (!item || item->repeating != group) {
        flow_fill_fault(err, link, item ? "表单项位置不对" : "表单中没有此项",
                        item ? "the item stands in the wrong place" : "the form has no such item",
                        STR_NONE);
        return false;
    }
    JsonRef children = json_get_c(d, at, "item");
    if (item->type == FLOW_ITEM_GROUP && item->repeats) {
        FillScope *instance = instance_add(f, scope, &scope->slot[item->index]);
        return collect_items(f, instance, item, d, children, depth + 1, err);
    }
    bool ok = true;
    for (JsonIter it = json_iter(d, json_get_c(d, at, "answer")); json_next(&it);) {
        ok &= collect_answer(f, scope, item, group, d, it.value, depth, err);
    }
    return collect_items(f, scope, group, d, children, depth + 1, err) && ok;
}

static bool collect_items(FlowFill *f, FillScope *scope, const FlowItem *group, const JsonDoc *d,
                          JsonRef list, int depth, Err *err)
{
    bool ok = true;
    if (depth > 20) {
        flow_fill_fault(err, STR_NONE, "表单嵌套过深", "the response is nested too deeply",
                        STR_NONE);
        return false;
    }
    for (JsonIter it = json_iter(d, list); json_next(&it);) {
        ok &= collect_item(f, scope, group, d, it.value, depth, err);
    }
    return ok;
}

/* A response may name another version of the questionnaire, never another questionnaire. */
static bool response_check(const FlowForm *form, const JsonDoc *d, JsonRef r, Err *err)
{
    Str canonical = json_str_at(d, r, "questionnaire"), url, version;
    if (!str_is(json_str_at(d, r, "resourceType"), "QuestionnaireResponse")) {
        flow_fill_fault(err, STR_NONE, "form 应为 QuestionnaireResponse",
                        "form should be a QuestionnaireResponse", STR_NONE);
        return false;
    }
    str_cut(canonical, '|', &url, &version);
    if (url.n && !str_eq(url, form->url)) {
        flow_fill_fault(err, STR_NONE, "不是此操作的表单", "not the form of this action",
                        canonical);
        return false;
    }
    return true;
}

Status flow_fill_new(Arena *a, const FlowForm *form, const JsonDoc *doc, JsonRef response,
                     FlowFill **ret, Err *err)
{
    FlowFill *f = arena_new(a, FlowFill);
    f->arena = a;
    f->form = form;
    f->root.slot = slots_new(a, form);
    if (response != JSON_NONE) {
        bool ok = response_check(form, doc, response, err) &&
                  collect_items(f, &f->root, NULL, doc, json_get_c(doc, response, "item"), 0, err);
        if (!ok) {
            return ERR_UNPROCESSABLE;
        }
    }
    *ret = f;
    return OK;
}

/* ---- Flat answers ---------------------------------------------------------------------------- */

static bool flat_value(FlowFill *f, FillSlot *slot, const FlowItem *item, const JsonDoc *d,
                       JsonRef r, Err *err)
{
    FillValue value;
    if (!flow_json_answer(f->arena, f->form, item, d, r, &value)) {
        flow_fill_fault(err, item->link, "答案类型不符", "the answer has the wrong type",
                        json_raw(d, r));
        return false;
    }
    flow_slot_add(f->arena, slot, value.key, value.json);
    return true;
}

static bool flat_items(FlowFill *f, FillScope *scope, const FlowItem *group, const JsonDoc *d,
                       JsonRef object, Err *err);

static bool flat_item(FlowFill *f, FillScope *scope, const FlowItem *item, const JsonDoc *d,
                      JsonRef r, Err *err)
{
    FillSlot *slot = &scope->slot[item->index];
    bool ok = true, many = json_type(d, r) == JSON_ARRAY;
    slot->value_n = slot->instance_n = 0;
    f->rendered = false;
    if (json_type(d, r) == JSON_NULL) {
        return true;
    }
    for (uint32_t i = 0; i < (many ? json_count(d, r) : 1); i++) {
        JsonRef at = many ? json_item(d, r, i) : r;
        if (item->type == FLOW_ITEM_GROUP && item->repeats) {
            ok &= flat_items(f, instance_add(f, scope, slot), item, d, at, err);
        } else {
            ok &= flat_value(f, slot, item, d, at, err);
        }
    }
    return ok;
}

static bool flat_items(FlowFill *f, FillScope *scope, const FlowItem *group, const JsonDoc *d,
                       JsonRef object, Err *err)
{
    bool ok = true;
    for (JsonIter it = json_iter(d, object); json_next(&it);) {
        const FlowItem *item = flow_form_item(f->form, it.key);
        if (!item || item->repeating != group) {
            flow_fill_fault(err, it.key, "表单中没有此项", "the form has no such item", STR_NONE);
            ok = false;
        } else {
            ok &= flat_item(f, scope, item, d, it.value, err);
        }
    }
    return ok;
}

Status flow_fill_flat(FlowFill *f, const JsonDoc *doc, JsonRef answers, Err *err)
{
    return flat_items(f, &f->root, NULL, doc, answers, err) ? OK : ERR_UNPROCESSABLE;
}

static void rendered(FlowFill *f, const FlowFillEnv *env)
{
    if (!f->rendered) {
        flow_fill_render(f, env, "in-progress");
    }
}

/* ---- Initial and calculated answers ---------------------------------------------------------- */

static Status slot_compute(FlowFill *f, const FlowFillEnv *env, const FlowItem *item,
                           const FlowExpr *e, Err *err)
{
    FhirValues values = {0};
    rendered(f, env);
    TRY(flow_eval(env->scope, e, &values, err));
    FillSlot *slot = &f->root.slot[item->index];
    slot->value_n = 0;
    f->rendered = false;
    for (size_t i = 0; i < values.n && (i == 0 || item->repeats); i++) {
        FillValue v;
        if (flow_value_answer(f->arena, f->form, item, &values.at[i], &v)) {
            flow_slot_add(f->arena, slot, v.key, v.json);
        }
    }
    return OK;
}

/* initial[].value[x], else the options that are marked as selected. */
static void slot_initial(FlowFill *f, const FlowItem *item)
{
    const JsonDoc *d = f->form->doc;
    FillSlot *slot = &f->root.slot[item->index];
    for (JsonIter it = json_iter(d, json_get_c(d, item->at, "initial")); json_next(&it);) {
        for (JsonIter m = json_iter(d, it.value); json_next(&m);) {
            if (key_fits(item, m.key)) {
                flow_slot_add(f->arena, slot, m.key, json_raw(d, m.value));
            }
        }
    }
    for (JsonIter it = json_iter(d, item->options); !slot->value_n && json_next(&it);) {
        FillValue v;
        JsonRef coding = json_get_c(d, it.value, "valueCoding");
        if (json_is_true(d, json_get_c(d, it.value, "initialSelected")) &&
            flow_json_answer(f->arena, f->form, item, d, coding, &v)) {
            flow_slot_add(f->arena, slot, v.key, v.json);
        }
    }
    f->rendered = false;
}

Status flow_fill_initial(FlowFill *f, const FlowFillEnv *env, bool hidden_only, Err *err)
{
    for (size_t i = 0; i < f->form->all_n; i++) {
        const FlowItem *item = f->form->all[i];
        bool wanted =
            !item->repeating && !f->root.slot[i].value_n && (item->hidden || !hidden_only);
        if (wanted && flow_fill_enabled(f, &f->root, item)) {
            if (item->initial) {
                TRY(slot_compute(f, env, item, item->initial, err));
            } else {
                slot_initial(f, item);
            }
        }
    }
    return OK;
}

Status flow_fill_calculate(FlowFill *f, const FlowFillEnv *env, Err *err)
{
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < f->form->all_n; i++) {
            const FlowItem *item = f->form->all[i];
            if (!item->calculated ||
                !(item->read_only || item->hidden || !f->root.slot[i].value_n)) {
                continue;
            }
            if (flow_fill_enabled(f, &f->root, item)) {
                TRY(slot_compute(f, env, item, item->calculated, err));
            } else {
                f->root.slot[i].value_n = 0;
                f->rendered = false;
            }
        }
    }
    return OK;
}
