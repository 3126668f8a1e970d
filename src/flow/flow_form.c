/* Compiling a Questionnaire: items, rules, expressions; nothing of a running case. */
#include "flow_inner.h"

#define SDC "http://hl7.org/fhir/uv/sdc/StructureDefinition/"
#define HL7 "http://hl7.org/fhir/StructureDefinition/"

static const struct {
    const char *code, *value_key;
} ITEM_TYPES[FLOW_ITEM_TYPES] = {
    [FLOW_ITEM_GROUP] = {"group", NULL},
    [FLOW_ITEM_DISPLAY] = {"display", NULL},
    [FLOW_ITEM_BOOLEAN] = {"boolean", "valueBoolean"},
    [FLOW_ITEM_DECIMAL] = {"decimal", "valueDecimal"},
    [FLOW_ITEM_INTEGER] = {"integer", "valueInteger"},
    [FLOW_ITEM_DATE] = {"date", "valueDate"},
    [FLOW_ITEM_DATETIME] = {"dateTime", "valueDateTime"},
    [FLOW_ITEM_TIME] = {"time", "valueTime"},
    [FLOW_ITEM_STRING] = {"string", "valueString"},
    [FLOW_ITEM_TEXT] = {"text", "valueString"},
    [FLOW_ITEM_URL] = {"url", "valueUri"},
    [FLOW_ITEM_CHOICE] = {"choice", "valueCoding"},
    [FLOW_ITEM_OPEN_CHOICE] = {"open-choice", "valueCoding"},
    [FLOW_ITEM_ATTACHMENT] = {"attachment", "valueAttachment"},
    [FLOW_ITEM_REFERENCE] = {"reference", "valueReference"},
    [FLOW_ITEM_QUANTITY] = {"quantity", "valueQuantity"},
};

const char *flow_item_value_key(FlowItemType t)
{
    return ITEM_TYPES[t].value_key;
}

FlowItem *flow_form_item(const FlowForm *f, Str link)
{
    for (size_t i = 0; i < f->all_n; i++) {
        if (str_eq(f->all[i]->link, link)) {
            return f->all[i];
        }
    }
    return NULL;
}

typedef struct FormBuild {
    FlowCompile *c;
    FlowForm *form;
    size_t all_room;
    FlowItem *repeating; /* the repeating group around, or NULL */
} FormBuild;

static const JsonDoc *doc_of(const FormBuild *b)
{
    return b->form->doc;
}

/* The value[x] of the item's n-th extension with that url, or JSON_NONE. */
static JsonRef extension_nth(const JsonDoc *d, JsonRef item, const char *url, size_t n)
{
    for (JsonIter it = json_iter(d, json_get_c(d, item, "extension")); json_next(&it);) {
        if (str_is(json_str_at(d, it.value, "url"), url) && n-- == 0) {
            for (JsonIter m = json_iter(d, it.value); json_next(&m);) {
                if (str_starts(m.key, STR("value"))) {
                    return m.value;
                }
            }
            return it.value;
        }
    }
    return JSON_NONE;
}

static JsonRef extension(const JsonDoc *d, JsonRef item, const char *url)
{
    return extension_nth(d, item, url, 0);
}

static int64_t extension_i64(const JsonDoc *d, JsonRef item, const char *url, int64_t none)
{
    int64_t v;
    return json_to_i64(d, extension(d, item, url), &v) ? v : none;
}

static FlowExpr *extension_expr(FormBuild *b, JsonRef item, const char *url)
{
    JsonRef value = extension(doc_of(b), item, url);
    JsonRef text = json_get_c(doc_of(b), value, "expression");
    return text == JSON_NONE ? NULL : flow_expr_compile(b->c, json_str(doc_of(b), text), text);
}

/* ---- The other language ---------------------------------------------------------------------- */

/* The text of `member` in zh (in place) and en (translation extension). */
static FlowText form_text(FormBuild *b, JsonRef object, const char *member)
{
    const JsonDoc *d = doc_of(b);
    char key[64];
    snprintf(key, sizeof key, "_%s", member);
    FlowText t = {json_str(d, json_get_c(d, object, member)), STR_NONE};
    JsonRef shadow = json_get_c(d, object, key);
    for (JsonIter it = json_iter(d, json_get_c(d, shadow, "extension")); json_next(&it);) {
        Str lang = STR_NONE, content = STR_NONE;
        for (JsonIter p = json_iter(d, json_get_c(d, it.value, "extension")); json_next(&p);) {
            Str url = json_str_at(d, p.value, "url");
            if (str_is(url, "lang")) {
                lang = json_str_at(d, p.value, "valueCode");
            } else if (str_is(url, "content")) {
                content = json_str_at(d, p.value, "valueString");
            }
        }
        if (str_starts(lang, STR("en"))) {
            t.en = content;
        }
    }
    return t;
}

static FlowText form_text_both(FormBuild *b, JsonRef object, const char *member)
{
    FlowText t = form_text(b, object, member);
    if (t.zh.n && !t.en.n) {
        flow_fault_name(b->c, object, "缺少英文", "the English text is missing",
                        str_from_c(member));
    }
    return t;
}

/* ---- Constraints, conditions ----------------------------------------------------------------- */

static void constraint_part(FormBuild *b, FlowConstraint *k, JsonRef part, JsonRef *ret_expr)
{
    const JsonDoc *d = doc_of(b);
    Str url = json_str_at(d, part, "url");
    if (str_is(url, "key")) {
        k->key = json_str_at(d, part, "valueId");
    } else if (str_is(url, "human")) {
        k->human = form_text_both(b, part, "valueString");
    } else if (str_is(url, "expression")) {
        *ret_expr = json_get_c(d, part, "valueString");
    }
}

static const FlowConstraint *constraints_compile(FormBuild *b, JsonRef item, size_t *ret_n)
{
    const JsonDoc *d = doc_of(b);
    JsonRef list = json_get_c(d, item, "extension");
    FlowConstraint *out = arena_array(b->c->arena, FlowConstraint, json_count(d, list) + 1);
    size_t n = 0;
    for (JsonIter it = json_iter(d, list); json_next(&it);) {
        if (!str_is(json_str_at(d, it.value, "url"), HL7 "questionnaire-constraint")) {
            continue;
        }
        FlowConstraint *k = &out[n];
        JsonRef expr = JSON_NONE;
        for (JsonIter p = json_iter(d, json_get_c(d, it.value, "extension")); json_next(&p);) {
            constraint_part(b, k, p.value, &expr);
        }
        k->expr = expr == JSON_NONE ? NULL : flow_expr_compile(b->c, json_str(d, expr), expr);
        if (!k->key.n || !k->human.zh.n || expr == JSON_NONE) {
            flow_fault(b->c, it.value, "约束缺少 key、human 或 expression",
                       "a constraint needs key, human and expression");
        }
        n += k->expr ? 1 : 0;
    }
    *ret_n = n;
    return out;
}

static void enable_compile(FormBuild *b, FlowItem *item)
{
    static const char *const OPS[] = {"exists", "=", "!=", ">", "<", ">=", "<="};
    const JsonDoc *d = doc_of(b);
    JsonRef list = json_get_c(d, item->at, "enableWhen");
    FlowEnable *out = arena_array(b->c->arena, FlowEnable, json_count(d, list) + 1);
    for (JsonIter it = json_iter(d, list); json_next(&it);) {
        FlowEnable *e = &out[item->enable_n++];
        e->question = json_str_at(d, it.value, "question");
        e->answer = JSON_NONE;
        for (JsonIter m = json_iter(d, it.value); json_next(&m);) {
            e->answer = str_starts(m.key, STR("answer")) ? m.value : e->answer;
        }
        Str op = json_str_at(d, it.value, "operator");
        size_t k = 0;
        while (k < 7 && !str_is(op, OPS[k])) {
            k++;
        }
        if (k == 7 || e->answer == JSON_NONE) {
            flow_fault(b->c, it.value, "enableWhen 的运算符或答案有误",
                       "enableWhen: bad operator or answer");
        }
        e->op = (FlowEnableOp)(k % 7);
    }
    item->enable = out;
    item->enable_all =
        item->enable_n == 1 || str_is(json_str_at(d, item->at, "enableBehavior"), "all");
}

/* ---- Items ----------------------------------------------------------------------------------- */

/* %value.matches('…'): one regular expression engine is enough. */
static FlowExpr *pattern_compile(FormBuild *b, JsonRef at)
{
    Str text = json_str(doc_of(b), at);
    if (!text.n) {
        return NULL;
    }
    Buf out;
    buf_init(&out, 0);
    buf_c(&out, "%value.matches('");
    for (size_t i = 0; i < text.n; i++) {
        buf_c(&out, text.p[i] == '\'' || text.p[i] == '\\' ? "\\" : "");
        buf_char(&out, text.p[i]);
    }
    buf_c(&out, "')");
    FlowExpr *e = flow_expr_compile(b->c, buf_str(&out), at);
    buf_done(&out);
    return e;
}

static void item_limits(FormBuild *b, FlowItem *item)
{
    const JsonDoc *d = doc_of(b);
    JsonRef at = item->at;
    double megabytes;
    if (!json_to_i64(d, json_get_c(d, at, "maxLength"), &item->length_max)) {
        item->length_max = -1;
    }
    item->length_min = extension_i64(d, at, HL7 "minLength", -1);
    item->decimals_max = extension_i64(d, at, HL7 "maxDecimalPlaces", -1);
    item->occurs_min = extension_i64(d, at, HL7 "questionnaire-minOccurs", -1);
    item->occurs_max = extension_i64(d, at, HL7 "questionnaire-maxOccurs", -1);
    item->size_max = json_to_double(d, extension(d, at, HL7 "maxSize"), &megabytes) && megabytes > 0
                         ? (int64_t)(megabytes * 1048576.0)
                         : -1;
    item->min = extension(d, at, HL7 "minValue");
    item->max = extension(d, at, HL7 "maxValue");
    item->pattern = pattern_compile(b, extension(d, at, HL7 "regex"));
    Str *mime = arena_array(b->c->arena, Str, 32);
    while (item->mime_n < 32) {
        Str type = json_str(d, extension_nth(d, at, HL7 "mimeType", item->mime_n));
        if (!type.n) {
            break;
        }
        mime[item->mime_n++] = type;
    }
    item->mime = mime;
}

static void item_expressions(FormBuild *b, FlowItem *item)
{
    const JsonDoc *d = doc_of(b);
    item->initial = extension_expr(b, item->at, SDC "sdc-questionnaire-initialExpression");
    item->calculated = extension_expr(b, item->at, SDC "sdc-questionnaire-calculatedExpression");
    JsonRef color = extension(d, item->at, "urn:menkou:color");
    if (json_type(d, color) == JSON_OBJECT) {
        item->shown = extension_expr(b, item->at, "urn:menkou:color");
    }
    JsonRef lookup = extension(d, item->at, "urn:menkou:lookup");
    if (lookup != JSON_NONE) {
        item->lookup = flow_query_compile(b->c, STR_NONE, json_str(d, lookup), lookup);
        if (item->type != FLOW_ITEM_REFERENCE) {
            flow_fault(b->c, lookup, "lookup 只能用于 reference 项",
                       "a lookup belongs to an item of type reference");
        }
    }
    item->constraint = constraints_compile(b, item->at, &item->constraint_n);
    if (b->repeating && (item->calculated || item->initial)) {
        flow_fault(b->c, item->at, "重复组内不能使用计算或初始表达式",
                   "calculated and initial expressions may not stand in a repeating group");
    }
}

static void show_add(FormBuild *b, JsonRef at)
{
    FlowExpr *e = extension_expr(b, at, "urn:menkou:show");
    if (!e) {
        return;
    }
    FlowExpr **more = arena_array(b->c->arena, FlowExpr *, b->form->show_n + 1);
    for (size_t i = 0; i < b->form->show_n; i++) {
        more[i] = b->form->show[i];
    }
    more[b->form->show_n++] = e;
    b->form->show = more;
}

static FlowItemType item_type(FormBuild *b, JsonRef at)
{
    Str code = json_str_at(doc_of(b), at, "type");
    for (size_t i = 0; i < FLOW_ITEM_TYPES; i++) {
        if (str_is(code, ITEM_TYPES[i].code)) {
            return (FlowItemType)i;
        }
    }
    flow_fault_name(b->c, at, "未知的表单项类型", "unknown item type", code);
    return FLOW_ITEM_DISPLAY;
}

static void form_all_add(FormBuild *b, FlowItem *item)
{
    FlowForm *f = b->form;
    if (flow_form_item(f, item->link) || !item->link.n) {
        flow_fault_name(b->c, item->at, "linkId 缺失或重复", "linkId missing or used twice",
                        item->link);
    }
    if (f->all_n == b->all_room) {
        size_t room = b->all_room ? b->all_room * 2 : 32;
        FlowItem **more = arena_array(b->c->arena, FlowItem *, room);
        if (f->all_n) {
            memcpy(more, f->all, f->all_n * sizeof *more);
        }
        f->all = more;
        b->all_room = room;
    }
    item->index = f->all_n;
    item->repeating = b->repeating;
    f->all[f->all_n++] = item;
}

static FlowItem *items_compile(FormBuild *b, JsonRef list, FlowItem *parent, size_t *ret_n);

static void options_check(FormBuild *b, const FlowItem *item)
{
    const JsonDoc *d = doc_of(b);
    bool chooses = item->type == FLOW_ITEM_CHOICE || item->type == FLOW_ITEM_OPEN_CHOICE;
    if (chooses && json_count(d, item->options) == 0) {
        flow_fault_name(b->c, item->at, "选择项没有选项", "a choice needs its options", item->link);
    }
    for (JsonIter it = json_iter(d, item->options); json_next(&it);) {
        JsonRef coding = json_get_c(d, it.value, "valueCoding");
        if (coding != JSON_NONE) {
            form_text_both(b, coding, "display");
        }
    }
}

static void item_compile(FormBuild *b, FlowItem *item)
{
    const JsonDoc *d = doc_of(b);
    JsonRef at = item->at;
    item->link = json_str_at(d, at, "linkId");
    item->text = form_text_both(b, at, "text").zh;
    item->type = item_type(b, at);
    item->required = json_is_true(d, json_get_c(d, at, "required"));
    item->repeats = json_is_true(d, json_get_c(d, at, "repeats"));
    item->read_only = json_is_true(d, json_get_c(d, at, "readOnly"));
    item->hidden = json_is_true(d, extension(d, at, HL7 "questionnaire-hidden"));
    item->recorded = json_is_true(d, extension(d, at, "urn:menkou:record"));
    item->media = json_str(d, extension(d, at, "urn:menkou:media"));
    item->options = json_get_c(d, at, "answerOption");
    form_all_add(b, item);
    if (!item->text.n && item->type != FLOW_ITEM_GROUP) {
        flow_fault_name(b->c, at, "表单项没有文字", "an item needs its text", item->link);
    }
    item_limits(b, item);
    item_expressions(b, item);
    enable_compile(b, item);
    options_check(b, item);
    show_add(b, at);
    FlowItem *around = b->repeating;
    if (item->type == FLOW_ITEM_GROUP && item->repeats) {
        b->repeating = item;
    }
    item->children = items_compile(b, json_get_c(d, at, "item"), item, &item->children_n);
    b->repeating = around;
}

static FlowItem *items_compile(FormBuild *b, JsonRef list, FlowItem *parent, size_t *ret_n)
{
    const JsonDoc *d = doc_of(b);
    FlowItem *items = arena_array(b->c->arena, FlowItem, json_count(d, list) + 1);
    size_t n = 0;
    for (JsonIter it = json_iter(d, list); json_next(&it);) {
        items[n].parent = parent;
        items[n].at = it.value;
        item_compile(b, &items[n++]);
    }
    *ret_n = n;
    return items;
}

static void enable_check(FormBuild *b)
{
    for (size_t i = 0; i < b->form->all_n; i++) {
        const FlowItem *item = b->form->all[i];
        for (size_t k = 0; k < item->enable_n; k++) {
            if (!flow_form_item(b->form, item->enable[k].question)) {
                flow_fault_name(b->c, item->at, "enableWhen 指向未知的 linkId",
                                "enableWhen names an unknown linkId", item->enable[k].question);
            }
        }
    }
}

static void form_url_check(FormBuild *b, Str code)
{
    FlowForm *f = b->form;
    f->url = json_str_at(f->doc, JSON_ROOT, "url");
    Str want = arena_cat(b->c->arena, STR("urn:menkou:form:"), b->c->pkg->name, STR(":"), code);
    if (!str_eq(f->url, want)) {
        flow_fault_name(b->c, JSON_ROOT, "表单的 url 应为", "the form's url should be", want);
    }
    Str version = json_str_at(f->doc, JSON_ROOT, "version");
    if (version.n && !str_eq(version, b->c->pkg->version)) {
        flow_fault_name(b->c, JSON_ROOT, "表单版本应与路径版本相同",
                        "the form's version should be the package's", b->c->pkg->version);
    }
}

FlowForm *flow_form_compile(FlowCompile *c, Str code)
{
    const FlowFile *outer = c->file;
    FlowForm *f = arena_new(c->arena, FlowForm);
    f->code = code;
    f->doc = c->file->doc;
    f->file = c->file->path;
    FormBuild b = {.c = c, .form = f};
    Err fault;
    err_init(&fault, c->arena);
    if (fhir_validate(f->doc, JSON_ROOT, STR("Questionnaire"), &fault) != OK) {
        err_move(c->err, &fault, arena_cat(c->arena, f->file, STR(": ")));
    }
    form_url_check(&b, code);
    form_text_both(&b, JSON_ROOT, "title");
    show_add(&b, JSON_ROOT);
    f->constraint = constraints_compile(&b, JSON_ROOT, &f->constraint_n);
    f->items = items_compile(&b, json_get_c(f->doc, JSON_ROOT, "item"), NULL, &f->items_n);
    enable_check(&b);
    f->localised[LANG_ZH] = flow_localise(c->arena, f->doc, JSON_ROOT, LANG_ZH);
    f->localised[LANG_EN] = flow_localise(c->arena, f->doc, JSON_ROOT, LANG_EN);
    c->file = outer;
    return f;
}
