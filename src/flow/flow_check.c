/* The rules of a form: what is asked, what may be answered, what must agree. */
#include "ecg.h"
#include "flow_inner.h"

typedef struct Check {
    FlowFill *f;
    const FlowFillEnv *env;
    Err *err;
    Arena *arena;
    int faults, taken; /* taken: slots that somebody else has by now */
} Check;

static void fault(Check *c, const FlowItem *item, const char *zh, const char *en, Str detail)
{
    c->faults++;
    flow_fill_fault(c->err, item->link, zh, en, detail);
}

static JsonDoc *parsed(Check *c, Str json)
{
    JsonDoc *d = arena_new(c->arena, JsonDoc);
    return json_parse(c->arena, json, &JSON_LIMITS_FHIR, d, NULL) == OK ? d : NULL;
}

/* ---- enableWhen ------------------------------------------------------------------------------ */

static int compare_json(const JsonDoc *x, JsonRef rx, const JsonDoc *y, JsonRef ry, bool *ret_known)
{
    double a, b;
    int64_t ta, tb;
    Str sx = json_str(x, rx), sy = json_str(y, ry);
    *ret_known = true;
    if (json_to_double(x, rx, &a) && json_to_double(y, ry, &b)) {
        return a < b ? -1 : a > b;
    }
    if (time_parse(sx, ZONE_CHINA_MIN, &ta) && time_parse(sy, ZONE_CHINA_MIN, &tb)) {
        return ta < tb ? -1 : ta > tb;
    }
    *ret_known = sx.n && sy.n;
    return str_cmp(sx, sy);
}

/* A Coding equals one of the same code, and of the same system where both say one. */
static bool same_json(const JsonDoc *x, JsonRef rx, const JsonDoc *y, JsonRef ry)
{
    if (json_type(x, rx) == JSON_OBJECT && json_type(y, ry) == JSON_OBJECT) {
        Str code = json_str_at(x, rx, "code"), ref = json_str_at(x, rx, "reference");
        Str sx = json_str_at(x, rx, "system"), sy = json_str_at(y, ry, "system");
        if (code.n) {
            return str_eq(code, json_str_at(y, ry, "code")) && (!sx.n || !sy.n || str_eq(sx, sy));
        }
        if (ref.n) {
            return str_eq(ref, json_str_at(y, ry, "reference"));
        }
    }
    bool known;
    return json_equal(x, rx, y, ry) ||
           (json_type(x, rx) == JSON_NUMBER && compare_json(x, rx, y, ry, &known) == 0);
}

static bool value_meets(const JsonDoc *form, const FlowEnable *e, const JsonDoc *d)
{
    if (e->op == FLOW_ENABLE_EQ || e->op == FLOW_ENABLE_NE) {
        return same_json(d, JSON_ROOT, form, e->answer) == (e->op == FLOW_ENABLE_EQ);
    }
    bool known;
    int order = compare_json(d, JSON_ROOT, form, e->answer, &known);
    switch (e->op) {
    case FLOW_ENABLE_GT:
        return known && order > 0;
    case FLOW_ENABLE_LT:
        return known && order < 0;
    case FLOW_ENABLE_GE:
        return known && order >= 0;
    default:
        return known && order <= 0;
    }
}

static bool condition_holds(const FlowFill *f, const FillScope *scope, const FlowEnable *e)
{
    const FlowItem *question = flow_form_item(f->form, e->question);
    const FillSlot *slot = question ? flow_fill_slot(scope, question) : NULL;
    bool answered = slot && slot->value_n > 0;
    if (e->op == FLOW_ENABLE_EXISTS) {
        return answered == json_is_true(f->form->doc, e->answer);
    }
    for (size_t i = 0; answered && i < slot->value_n; i++) {
        JsonDoc d;
        if (json_parse(f->arena, slot->value[i].json, &JSON_LIMITS_FHIR, &d, NULL) == OK &&
            value_meets(f->form->doc, e, &d)) {
            return true;
        }
    }
    return false;
}

bool flow_fill_enabled(const FlowFill *f, const FillScope *scope, const FlowItem *item)
{
    size_t met = 0;
    for (size_t i = 0; i < item->enable_n; i++) {
        met += condition_holds(f, scope, &item->enable[i]) ? 1 : 0;
    }
    bool here = item->enable_n == 0 || (item->enable_all ? met == item->enable_n : met > 0);
    return here && (!item->parent || flow_fill_enabled(f, scope, item->parent));
}

/* ---- One value ------------------------------------------------------------------------------- */

static FhirPrim prim_of(FlowItemType t)
{
    switch (t) {
    case FLOW_ITEM_BOOLEAN:
        return FHIR_PRIM_BOOLEAN;
    case FLOW_ITEM_DECIMAL:
        return FHIR_PRIM_DECIMAL;
    case FLOW_ITEM_INTEGER:
        return FHIR_PRIM_INTEGER;
    case FLOW_ITEM_DATE:
        return FHIR_PRIM_DATE;
    case FLOW_ITEM_DATETIME:
        return FHIR_PRIM_DATETIME;
    case FLOW_ITEM_TIME:
        return FHIR_PRIM_TIME;
    case FLOW_ITEM_STRING:
    case FLOW_ITEM_TEXT:
        return FHIR_PRIM_STRING;
    case FLOW_ITEM_URL:
        return FHIR_PRIM_URI;
    default:
        return FHIR_PRIM_NONE;
    }
}

static bool shape_ok(const FlowItem *item, const JsonDoc *d, Str key)
{
    JsonType json = json_type(d, JSON_ROOT);
    FhirPrim prim = str_is(key, "valueString") ? FHIR_PRIM_STRING : prim_of(item->type);
    if (prim == FHIR_PRIM_NONE) {
        return json == JSON_OBJECT;
    }
    if (prim == FHIR_PRIM_BOOLEAN) {
        return json == JSON_TRUE || json == JSON_FALSE;
    }
    bool number = prim == FHIR_PRIM_DECIMAL || prim == FHIR_PRIM_INTEGER;
    Str text = number ? json_number(d, JSON_ROOT) : json_str(d, JSON_ROOT);
    return json == (number ? JSON_NUMBER : JSON_STRING) && fhir_primitive_ok(prim, text);
}

static void text_check(Check *c, const FlowItem *item, const JsonDoc *d)
{
    Str s = json_str(d, JSON_ROOT);
    int64_t n = (int64_t)utf8_count(s);
    if (item->length_max >= 0 && n > item->length_max) {
        fault(c, item, "文字过长，最多字数", "too long; characters at most",
              arena_printf(c->arena, "%lld", (long long)item->length_max));
    }
    if (item->length_min >= 0 && n < item->length_min) {
        fault(c, item, "文字过短，最少字数", "too short; characters at least",
              arena_printf(c->arena, "%lld", (long long)item->length_min));
    }
    if (item->pattern) {
        FlowScope *scope = c->env->scope;
        FlowLocal value = {scope->locals, STR("value"),
                           fhir_values_one(c->arena, fhir_value_string(s))};
        FlowScope with = *scope;
        bool ok = false;
        with.locals = &value;
        if (flow_test(&with, item->pattern, &ok, NULL) != OK || !ok) {
            fault(c, item, "格式不符", "does not have the form that is asked for", STR_NONE);
        }
    }
}

static void range_check(Check *c, const FlowItem *item, const JsonDoc *d)
{
    const JsonDoc *form = c->f->form->doc;
    bool known;
    if (item->min != JSON_NONE && compare_json(d, JSON_ROOT, form, item->min, &known) < 0 &&
        known) {
        fault(c, item, "低于最小值", "below the minimum", json_raw(form, item->min));
    }
    if (item->max != JSON_NONE && compare_json(d, JSON_ROOT, form, item->max, &known) > 0 &&
        known) {
        fault(c, item, "超过最大值", "above the maximum", json_raw(form, item->max));
    }
    ptrdiff_t dot = str_find_char(json_number(d, JSON_ROOT), '.');
    if (item->decimals_max >= 0 && dot >= 0 &&
        (int64_t)json_number(d, JSON_ROOT).n - dot - 1 > item->decimals_max) {
        fault(c, item, "小数位数过多，最多", "too many decimal places; at most",
              arena_printf(c->arena, "%lld", (long long)item->decimals_max));
    }
}

static void option_check(Check *c, const FlowItem *item, const JsonDoc *d)
{
    Str code = json_str_at(d, JSON_ROOT, "code"), text = json_str(d, JSON_ROOT);
    JsonRef option = flow_option_find(c->f->form, item, json_str_at(d, JSON_ROOT, "system"),
                                      code.n ? code : text);
    if (option == JSON_NONE && !(item->type == FLOW_ITEM_OPEN_CHOICE && text.n)) {
        fault(c, item, "不是可选项", "not one of the options", code.n ? code : text);
    }
}

/* A slot that could have been chosen a moment ago: a conflict, not a fault of the form. */
static bool slot_taken(Check *c, const FlowItem *item, const FhirRef *ref, Str plain)
{
    return item->lookup && str_is(ref->type, "Slot") && str_eq(item->lookup->type, ref->type) &&
           c->env->taken(c->env->ctx, plain);
}

static void reference_check(Check *c, const FlowItem *item, const JsonDoc *d)
{
    FhirRef ref = fhir_ref_parse(json_str_at(d, JSON_ROOT, "reference"));
    Str plain = arena_cat(c->arena, ref.type, STR("/"), ref.id), query = STR_NONE;
    if (ref.kind != FHIR_REF_RELATIVE || !ref.id.n) {
        fault(c, item, "引用格式应为 类型/编号", "a reference is Type/id", ref.text);
        return;
    }
    if (item->lookup && flow_query_fill(c->env->scope, item->lookup, &query, c->err) != OK) {
        c->faults++;
        return;
    }
    /* Whether it is taken is asked last: who took it meanwhile must not make this a fault of the
     * form. */
    bool found = (!item->lookup || (query.n && str_eq(ref.type, item->lookup->type))) &&
                 c->env->found(c->env->ctx, ref.type, query, plain);
    if (slot_taken(c, item, &ref, plain)) {
        c->faults++;
        c->taken++;
        (void)flow_refuse(c->err, FLOW_RULE_SLOT_TAKEN, item->link, STR_NONE);
    } else if (!found) {
        fault(c, item, "不在可选范围内，请重新选择", "not among what may be chosen; choose again",
              plain);
    }
}

/* ---- Attachments ----------------------------------------------------------------------------- */

static bool mime_allowed(const FlowItem *item, Str type)
{
    for (size_t i = 0; i < item->mime_n; i++) {
        Str want = item->mime[i];
        bool family = str_ends(want, STR("/*"));
        if (family ? str_starts(type, str_take(want, want.n - 1)) : str_eq_nocase(type, want)) {
            return true;
        }
    }
    return item->mime_n == 0;
}

/* The bytes of an attachment; false and a fault when they are not to be had. */
static bool attachment_bytes(Check *c, const FlowItem *item, const JsonDoc *d, Str *ret)
{
    Str url = json_str_at(d, JSON_ROOT, "url"), type = json_str_at(d, JSON_ROOT, "contentType"),
        kept = STR_NONE;
    Str data = json_str_at(d, JSON_ROOT, "data");
    bool there = url.n ? c->env->blob(c->env->ctx, url, ret, &kept)
                       : data.n > 0 && base64_decode(c->arena, data, false, ret);
    if (!there) {
        fault(c, item, "附件不存在或不属于该患者",
              "the attachment is not there or not this patient's", url);
        return false;
    }
    if (!mime_allowed(item, type.n ? type : kept)) {
        fault(c, item, "不接受此类附件", "this kind of attachment is not accepted",
              type.n ? type : kept);
    }
    if (item->size_max >= 0 && (int64_t)ret->n > item->size_max) {
        fault(c, item, "附件过大", "the attachment is too large", STR_NONE);
    }
    return true;
}

/* All files of the item are one recording; what cannot be read is refused in the reader's words. */
static void recording_check(Check *c, const FlowItem *item, const EcgFile *files, size_t n)
{
    static const EcgPart proof = {.buckets = 1};
    Err said;
    EcgRecording recording;
    err_init(&said, c->arena);
    if (ecg_read_part(c->arena, files, n, &proof, &recording, &said) == OK) {
        return;
    }
    for (const Issue *i = said.first; i; i = i->next) {
        Str zh = arena_cat(c->arena, i->where, str_from_c(i->where.n ? " " : ""), i->zh);
        Str en = arena_cat(c->arena, i->where, str_from_c(i->where.n ? " " : ""), i->en);
        c->faults++;
        (void)flow_say(c->err, ERR_UNPROCESSABLE, STR("recording-unreadable"), item->link, zh, en);
    }
}

static void attachments_check(Check *c, const FlowItem *item, const FillSlot *slot)
{
    EcgFile *files = arena_array(c->arena, EcgFile, slot->value_n);
    size_t n = 0;
    for (size_t i = 0; i < slot->value_n; i++) {
        JsonDoc *d = parsed(c, slot->value[i].json);
        if (d && attachment_bytes(c, item, d, &files[n].bytes)) {
            files[n++].title = json_str_at(d, JSON_ROOT, "title");
        }
    }
    if (str_is(item->media, "ecg") && n == slot->value_n && n > 0) {
        recording_check(c, item, files, n);
    }
}

/* ---- One item -------------------------------------------------------------------------------- */

static void value_check(Check *c, const FlowItem *item, const FillValue *v)
{
    JsonDoc *d = parsed(c, v->json);
    if (!d || !shape_ok(item, d, v->key)) {
        fault(c, item, "答案格式有误", "the answer is malformed", v->json);
        return;
    }
    switch (item->type) {
    case FLOW_ITEM_STRING:
    case FLOW_ITEM_TEXT:
    case FLOW_ITEM_URL:
        text_check(c, item, d);
        break;
    case FLOW_ITEM_CHOICE:
    case FLOW_ITEM_OPEN_CHOICE:
        option_check(c, item, d);
        break;
    case FLOW_ITEM_REFERENCE:
        reference_check(c, item, d);
        break;
    default:
        range_check(c, item, d);
        break;
    }
}

static void count_check(Check *c, const FlowItem *item, size_t n)
{
    bool asked = item->required && item->type != FLOW_ITEM_DISPLAY &&
                 (item->type != FLOW_ITEM_GROUP || item->repeats);
    if (asked && n == 0) {
        fault(c, item, "必填项未填", "this must be filled in", item->text);
    } else if (!item->repeats && n > 1) {
        fault(c, item, "只能有一个答案", "only one answer is allowed", STR_NONE);
    } else if (n && item->occurs_min >= 0 && (int64_t)n < item->occurs_min) {
        fault(c, item, "答案过少", "too few answers", STR_NONE);
    } else if (item->occurs_max >= 0 && (int64_t)n > item->occurs_max) {
        fault(c, item, "答案过多", "too many answers", STR_NONE);
    }
}

/* Only a plain false refuses: what cannot be said yet is not wrong. */
static void constraints_check(Check *c, Str link, const FlowConstraint *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        FhirValues values = {0};
        bool holds = true;
        if (flow_eval(c->env->scope, list[i].expr, &values, c->err) != OK) {
            c->faults++;
        } else if (values.n && fhir_values_truth(&values, &holds) && !holds) {
            c->faults++;
            (void)flow_say(c->err, ERR_UNPROCESSABLE, list[i].key, link, list[i].human.zh,
                           list[i].human.en);
        }
    }
}

static void items_check(Check *c, const FillScope *scope, const FlowItem *items, size_t n);

static void item_check(Check *c, const FillScope *scope, const FlowItem *item)
{
    const FillSlot *slot = &scope->slot[item->index];
    size_t n = slot->value_n + slot->instance_n;
    if (!flow_fill_enabled(c->f, scope, item)) {
        if (n) {
            fault(c, item, "此项当前不适用，不能填写",
                  "this is not asked now and may not be filled", item->text);
        }
        return;
    }
    count_check(c, item, n);
    for (size_t i = 0; i < slot->value_n && item->type != FLOW_ITEM_ATTACHMENT; i++) {
        value_check(c, item, &slot->value[i]);
    }
    if (item->type == FLOW_ITEM_ATTACHMENT) {
        attachments_check(c, item, slot);
    }
    if (n) {
        constraints_check(c, item->link, item->constraint, item->constraint_n);
    }
    for (size_t i = 0; i < slot->instance_n; i++) {
        items_check(c, slot->instance[i], item->children, item->children_n);
    }
    if (!slot->instance_n && !(item->type == FLOW_ITEM_GROUP && item->repeats)) {
        items_check(c, scope, item->children, item->children_n);
    }
}

static void items_check(Check *c, const FillScope *scope, const FlowItem *items, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        item_check(c, scope, &items[i]);
    }
}

Status flow_fill_check(FlowFill *f, const FlowFillEnv *env, Err *err)
{
    Check c = {.f = f, .env = env, .err = err, .arena = f->arena};
    flow_fill_render(f, env, "in-progress");
    items_check(&c, &f->root, f->form->items, f->form->items_n);
    if (!c.faults) {
        constraints_check(&c, STR_NONE, f->form->constraint, f->form->constraint_n);
    }
    return !c.faults ? OK : c.taken == c.faults ? ERR_CONFLICT : ERR_UNPROCESSABLE;
}
