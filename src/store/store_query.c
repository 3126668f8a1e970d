/* From "a=b&c=d" to a StoreQuery. Everything that is not understood is named and refused. */
#include "store_parse.h"

#include "mk_banned.h"

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static Status url_decode(Parser *p, Str s, Str name, Str *ret)
{
    char *out = arena_alloc(p->arena, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '%') {
            out[n++] = s.p[i] == '+' ? ' ' : s.p[i];
            continue;
        }
        bool whole = i + 2 < s.n;
        int high = whole ? hex_digit(s.p[i + 1]) : -1, low = whole ? hex_digit(s.p[i + 2]) : -1;
        if (high < 0 || low < 0) {
            return query_refuse(p, name, "的百分号编码有误", "bad percent-encoding");
        }
        out[n++] = (char)(high << 4 | low);
        i += 2;
    }
    *ret = (Str){out, n};
    return utf8_valid(*ret) && !memchr(out, 0, n)
               ? OK
               : query_refuse(p, name, "不是有效的 UTF-8", "not valid UTF-8");
}

/* ---- What governs the answer ---------------------------------------------------------------- */

static Str first_alternative(Str expression)
{
    Str head, rest;
    str_cut(expression, '|', &head, &rest);
    return str_trim(head);
}

bool param_is_clinical(const FhirType *type, const FhirParam *param)
{
    Str date = first_alternative(fhir_clinical_date(type));
    return param->kind == FHIR_PARAM_DATE && !str_empty(date) &&
           str_eq(date, fhir_param_expression(param));
}

/* The one type that the reference may lead to and that has the parameter; NULL: several, or none.
 */
static const FhirType *chain_target(Parser *p, const FhirParam *via, Str name)
{
    const FhirType *only = NULL;
    for (unsigned i = 0; i < via->target_count; i++) {
        const FhirType *target = fhir_param_target(via, i);
        if (param_look(p, target, name)) {
            if (only) {
                return NULL;
            }
            only = target;
        }
    }
    return only;
}

/* subject:Patient.name, or patient.birthdate where it can be of one type only. */
static Status sort_chain(Parser *p, Str name, Sort *ret)
{
    Str head, rest, code, type;
    ClauseKind kind;
    str_cut(name, '.', &head, &rest);
    str_cut(head, ':', &code, &type);
    ret->kind = SORT_CHAIN;
    ret->via = param_look(p, p->type, code);
    bool via = ret->via && ret->via->kind == FHIR_PARAM_REFERENCE;
    ret->target = !str_empty(type) ? fhir_resource_find(type)
                  : via            ? chain_target(p, ret->via, rest)
                                   : NULL;
    ret->param = ret->target ? param_look(p, ret->target, rest) : NULL;
    bool known = via && ret->param && fhir_param_allows(ret->via, ret->target) &&
                 clause_kind(ret->param, &kind) && ret->param->expression_n;
    return known
               ? OK
               : query_refuse(p, STR("_sort"),
                              "含有无法识别的链式排序键（应如 subject:Patient.name）",
                              "contains a chained key that is not known (as subject:Patient.name)");
}

static Status sort_one(Parser *p, Str key, Sort *ret)
{
    *ret = (Sort){.descending = str_starts(key, STR("-"))};
    Str name = ret->descending ? str_skip(key, 1) : key;
    if (p->many && !str_is(name, "_lastUpdated") && !str_is(name, "_id")) {
        return query_refuse(p, STR("_sort"), "跨类型检索只能按 _lastUpdated 或 _id 排序",
                            "across types only _lastUpdated and _id can be sorted by");
    }
    if (str_find_char(name, '.') >= 0) {
        return sort_chain(p, name, ret);
    }
    ret->param = param_look(p, p->type, name);
    ClauseKind kind;
    if (!ret->param || (!clause_kind(ret->param, &kind) && !str_empty(name))) {
        Str zh = arena_cat(p->arena, STR("含有无法识别的排序键“"), name,
                           STR("”：可用 _lastUpdated、_id 和该类型的检索参数"));
        Str en = arena_cat(p->arena, STR("contains the key '"), name,
                           STR("', which is not known; there are _lastUpdated, _id and the type's "
                               "search parameters"));
        return query_refuse(p, STR("_sort"), arena_cstr(p->arena, zh), arena_cstr(p->arena, en));
    }
    bool custom = fhir_param_custom(ret->param) != NULL;
    ret->kind = str_is(name, "_lastUpdated")             ? SORT_UPDATED
                : str_is(name, "_id")                    ? SORT_ID
                : str_is(name, "priority") && !custom    ? SORT_PRIORITY
                : param_is_clinical(p->type, ret->param) ? SORT_CLINICAL
                                                         : SORT_PARAM;
    return OK;
}

static Status sort_parse(Parser *p, Str value)
{
    StoreQuery *q = p->query;
    bool more = true;
    for (Str key, rest = value; more;) {
        more = str_cut(rest, ',', &key, &rest);
        if (q->sort_n == QUERY_SORTS_MAX) {
            return query_refuse(p, STR("_sort"), "的排序键过多", "has too many keys");
        }
        TRY(sort_one(p, key, &q->sort[q->sort_n]));
        q->sort_n++;
    }
    return OK;
}

/* However many digits: what is above the most is the most. */
static Status count_parse(Parser *p, Str value)
{
    int64_t n = 0;
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] < '0' || value.p[i] > '9') {
            n = -1;
            break;
        }
        n = n * 10 + (value.p[i] - '0');
        n = n > QUERY_COUNT_MAX ? QUERY_COUNT_MAX : n;
    }
    if (value.n == 0 || n < 0) {
        return query_refuse(p, STR("_count"), "应为非负整数", "must be a whole number, 0 or more");
    }
    p->query->count = n;
    return OK;
}

static Status total_parse(Parser *p, Str value)
{
    if (str_is(value, "none")) {
        p->query->total = STORE_TOTAL_NONE;
    } else if (str_is(value, "accurate")) {
        p->query->total = STORE_TOTAL_ACCURATE;
    } else if (str_is(value, "estimate")) {
        p->query->total = STORE_TOTAL_ESTIMATE;
    } else {
        return query_refuse(p, STR("_total"), "应为 none、estimate 或 accurate",
                            "must be none, estimate or accurate");
    }
    return OK;
}

static Status summary_parse(Parser *p, Str value)
{
    static const char *const known[] = {"true", "text", "data", "count", "false"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (str_is(value, known[i])) {
            p->query->summary = value;
            p->query->count_only = str_is(value, "count");
            return OK;
        }
    }
    return query_refuse(p, STR("_summary"), "应为 true、text、data、count 或 false",
                        "must be true, text, data, count or false");
}

static Status elements_parse(Parser *p, Str value)
{
    StoreQuery *q = p->query;
    q->elements = arena_array(p->arena, Str, value.n / 2 + 2);
    q->elements_n = 0;
    bool more = true;
    for (Str one, rest = value; more;) {
        more = str_cut(rest, ',', &one, &rest);
        if (str_empty(one) || (!fhir_elem_named(p->type, one) && !p->many)) {
            return query_refuse(p, STR("_elements"), "含有该类型没有的元素",
                                "names an element that the type does not have");
        }
        q->elements[q->elements_n++] = one;
    }
    return OK;
}

/* Type:param[:Target], Type:* or * */
static Status include_parse(Parser *p, Str name, Str value, bool reverse, bool iterate)
{
    Str type, param, target = STR_NONE, rest;
    Include *x = arena_new(p->arena, Include);
    *x = (Include){.reverse = reverse, .iterate = iterate};
    if (str_is(value, "*")) {
        x->all = true;
    } else {
        if (!str_cut(value, ':', &type, &rest)) {
            return query_refuse(p, name, "应写作 类型:引用参数", "write Type:reference-parameter");
        }
        str_cut(rest, ':', &param, &target);
        x->type = fhir_resource_find(type);
        x->all = str_is(param, "*");
        x->param = x->type && !x->all ? param_look(p, x->type, param) : NULL;
        x->target = str_empty(target) ? NULL : fhir_resource_find(target);
        bool known = x->type && (x->all || (x->param && x->param->kind == FHIR_PARAM_REFERENCE)) &&
                     (str_empty(target) || x->target);
        if (!known) {
            return query_refuse(p, name, "的类型或引用参数无法识别",
                                "its type or reference parameter is not known");
        }
    }
    if (p->query->include_last) {
        p->query->include_last->next = x;
    } else {
        p->query->include_first = x;
    }
    p->query->include_last = x;
    return OK;
}

static Status format_parse(Parser *p, Str value)
{
    (void)p;
    (void)value;
    return OK; /* judged by whoever writes the answer */
}

static Status pretty_parse(Parser *p, Str value)
{
    return str_is(value, "true") || str_is(value, "false")
               ? OK
               : query_refuse(p, STR("_pretty"), "应为 true 或 false", "must be true or false");
}

static Status explain_parse(Parser *p, Str value)
{
    p->query->explain = str_is(value, "true");
    return p->query->explain || str_is(value, "false")
               ? OK
               : query_refuse(p, STR("_explain"), "应为 true 或 false", "must be true or false");
}

typedef Status ControlParse(Parser *p, Str value);
static const struct {
    const char *name;
    ControlParse *parse;
} controls[] = {
    {"_sort", sort_parse},       {"_count", count_parse},       {"_total", total_parse},
    {"_summary", summary_parse}, {"_elements", elements_parse}, {"_format", format_parse},
    {"_pretty", pretty_parse},   {"_explain", explain_parse},
};

static Status control_parse(Parser *p, Str name, Str value, bool *ret_known)
{
    *ret_known = true;
    for (size_t i = 0; i < sizeof controls / sizeof *controls; i++) {
        if (str_is(name, controls[i].name)) {
            return controls[i].parse(p, value);
        }
    }
    Str head, tail = STR_NONE;
    str_cut(name, ':', &head, &tail);
    bool iterate = str_is(tail, "iterate") || str_is(tail, "recurse");
    if ((str_is(head, "_include") || str_is(head, "_revinclude")) && (iterate || str_empty(tail))) {
        return include_parse(p, name, value, str_is(head, "_revinclude"), iterate);
    }
    *ret_known = false;
    return OK;
}

/* ---- Functional lists -------------------------------------------------------------------------
 */

/* What is current, without a List that somebody keeps: the conditions that it stands for. */
static const struct {
    const char *list, *type, *name, *value;
} current_lists[] = {
    {"$current-problems", "Condition", "clinical-status", "active,recurrence,relapse"},
    {"$current-problems", "Condition", "verification-status:not", "refuted,entered-in-error"},
    {"$current-allergies", "AllergyIntolerance", "clinical-status", "active"},
    {"$current-allergies", "AllergyIntolerance", "verification-status:not",
     "refuted,entered-in-error"},
    {"$current-drug-allergies", "AllergyIntolerance", "clinical-status", "active"},
    {"$current-drug-allergies", "AllergyIntolerance", "verification-status:not",
     "refuted,entered-in-error"},
    {"$current-drug-allergies", "AllergyIntolerance", "category", "medication"},
    {"$current-medications", "MedicationRequest", "status", "active"},
    {"$current-medications", "MedicationStatement", "status", "active,intended"},
};

static Status pair_parse(Parser *p, Str name, Str value);

static Status current_parse(Parser *p, Str name, Str list)
{
    bool known = false;
    for (size_t i = 0; i < sizeof current_lists / sizeof *current_lists; i++) {
        if (str_is(list, current_lists[i].list) &&
            str_is(fhir_type_name(p->type), current_lists[i].type)) {
            known = true;
            TRY(pair_parse(p, str_from_c(current_lists[i].name),
                           str_from_c(current_lists[i].value)));
        }
    }
    return known
               ? OK
               : query_refuse(p, name,
                              "没有这个功能性列表；可用：$current-problems（Condition）、"
                              "$current-allergies、$current-drug-allergies（AllergyIntolerance）、"
                              "$current-medications（MedicationRequest、MedicationStatement）",
                              "no such functional list; there are $current-problems (Condition), "
                              "$current-allergies, $current-drug-allergies (AllergyIntolerance), "
                              "$current-medications (MedicationRequest, MedicationStatement)");
}

/* ---- The whole ----------------------------------------------------------------------------------
 */

static Status pair_parse(Parser *p, Str name, Str value)
{
    bool known;
    TRY(control_parse(p, name, value, &known));
    if (known) {
        return OK;
    }
    if (str_is(name, "_list") && str_starts(value, STR("$"))) {
        return current_parse(p, name, value);
    }
    Clause *c;
    TRY(clause_parse(p, p->type, name, value, 0, &c));
    if (p->query->last) {
        p->query->last->next = c;
    } else {
        p->query->first = c;
    }
    p->query->last = c;
    return OK;
}

static Status pair_take(Parser *p, Str pair, Str *ret_name)
{
    Str raw, text, value;
    str_cut(pair, '=', &raw, &text);
    TRY(url_decode(p, raw, raw, ret_name));
    TRY(url_decode(p, text, *ret_name, &value));
    return pair_parse(p, *ret_name, value);
}

/* The query as understood: what was ignored is absent, a lowered _count shows. */
static void self_add(Parser *p, Buf *self, Str name, Str pair)
{
    if (self->n) {
        buf_char(self, '&');
    }
    if (str_is(name, "_count")) {
        buf_printf(self, "_count=%lld", (long long)p->query->count);
    } else {
        buf_add(self, pair);
    }
}

static Status pairs_parse(Parser *p, Str query, bool lenient, Buf *self)
{
    for (Str pair, rest = query; !str_empty(rest);) {
        Str name = STR_NONE;
        str_cut(rest, '&', &pair, &rest);
        if (str_empty(pair)) {
            continue;
        }
        Err *err = p->err;
        p->unready = NULL;
        p->err = lenient ? NULL : err;
        Status s = pair_take(p, pair, &name);
        p->err = err;
        if (s == OK) {
            self_add(p, self, name, pair);
        } else if (!lenient) {
            return s;
        } else {
            p->query->ignored[p->query->ignored_n++] = name;
        }
    }
    return OK;
}

/*
 * People and catalogues have no clinical date: what is looked for by the beginning of a text
 * stands in the order of that text, as a list that is typed into would.
 */
static const Clause *text_order(const StoreQuery *q)
{
    uint32_t part[INDEX_PARTS_MAX];
    for (const Clause *c = q->first; c && q->sort_n == 0; c = c->next) {
        if (c->kind == CLAUSE_STRING && c->modifier == MODIFIER_NONE && c->values_n == 1) {
            bool one = index_parts(q->type, c->param, part) == 1;
            return one && str_empty(fhir_clinical_date(q->type)) ? c : NULL;
        }
    }
    return NULL;
}

Status query_parse_one(const Store *s, Arena *a, Str type, Str query, bool lenient, bool many,
                       int zone_min, StoreQuery **ret, Err *err)
{
    StoreQuery *q = arena_new(a, StoreQuery);
    const ParamTable *params = s ? params_now(s) : NULL;
    *q = (StoreQuery){.count = QUERY_COUNT_DEFAULT,
                      .zone_min = zone_min,
                      .customs = params ? &params->customs : NULL};
    Parser p = {.store = s,
                .customs = q->customs,
                .arena = a,
                .zone_min = zone_min,
                .query = q,
                .err = err,
                .many = many};
    TRY(type_known(type, &q->type, err));
    p.type = q->type;
    q->ignored = arena_array(a, Str, query.n / 2 + 2);
    Buf self;
    buf_init(&self, 0);
    Status status = pairs_parse(&p, query, lenient, &self);
    q->self = buf_take(&self, a);
    TRY(status);
    q->by_text = text_order(q);
    *ret = q;
    return OK;
}

Status store_query_parse(const Store *s, Arena *a, Str type, Str query, bool lenient, int zone_min,
                         StoreQuery **ret, Err *err)
{
    return query_parse_one(s, a, type, query, lenient, false, zone_min, ret, err);
}

bool store_query_explains(const StoreQuery *q)
{
    return q->explain;
}
