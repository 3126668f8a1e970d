/* What one ElementDefinition says of its node: numbers, types, values, binding, rules, slicing. */
#include "fhir_profile_make.h"

static JsonRef get(const Make *m, JsonRef e, const char *key)
{
    return json_get_c(m->d, e, key);
}

/* --- cardinality --- */

static bool count_parse(Str s, uint32_t *ret)
{
    int64_t v;
    bool ok = str_to_i64(s, &v) && v >= 0 && v < PROFILE_MANY;
    if (ok) {
        *ret = (uint32_t)v;
    }
    return ok;
}

/* Only what is narrower than the base (and than R4) is kept. */
static void fill_counts(Make *m, ProfileNode *n, JsonRef e)
{
    uint32_t min, max, length;
    int64_t chars;
    Str most = json_str(m->d, get(m, e, "max"));
    if (n->elem && count_parse(json_number(m->d, get(m, e, "min")), &min) && min > n->min &&
        (n->is_slice || min > n->elem->min)) {
        n->min = min;
    }
    if (n->elem && count_parse(most, &max) && max < n->max) {
        n->max = max;
    }
    if (n->min > n->max) {
        MAKE_FAULT(m, "invalid", "元素 %.*s 的 min 大于 max", "%.*s: min is greater than max",
                   STR_ARG(m->path));
    }
    length = json_to_i64(m->d, get(m, e, "maxLength"), &chars) && chars > 0 && chars < UINT32_MAX
                 ? (uint32_t)chars
                 : 0;
    n->max_length = length ? length : n->max_length;
    n->is_modifier = n->is_modifier || json_is_true(m->d, get(m, e, "isModifier"));
}

/* --- types --- */

static const Str *strings_make(Make *m, JsonRef list, unsigned *ret_n)
{
    Str *at = arena_array(m->a, Str, json_count(m->d, list) + 1);
    unsigned n = 0;
    for (JsonIter it = json_iter(m->d, list); json_next(&it);) {
        at[n++] = json_str(m->d, it.value);
    }
    *ret_n = n;
    return at;
}

/* BackboneElement is no narrower than the backbone that stands there. */
static bool type_is_general(const ProfileNode *n, const FhirType *t)
{
    unsigned id = fhir_type_id(t);
    return n->elem && n->elem->option_count == 1 && t != fhir_elem_type(n->elem, 0) &&
           (id == FHIR_TYPE_BackboneElement || id == FHIR_TYPE_Element);
}

static bool type_allowed(const ProfileNode *n, const FhirType *t)
{
    bool allowed = !n->elem;
    for (unsigned i = 0; !allowed && i < n->elem->option_count; i++) {
        allowed = fhir_type_is(t, fhir_elem_type(n->elem, i));
    }
    return allowed;
}

static void fill_types(Make *m, ProfileNode *n, JsonRef e)
{
    JsonRef list = get(m, e, "type");
    ProfileType *at = arena_array(m->a, ProfileType, json_count(m->d, list) + 1);
    unsigned k = 0;
    for (JsonIter it = json_iter(m->d, list); json_next(&it);) {
        Str code = json_str_at(m->d, it.value, "code");
        const FhirType *t = fhir_type_find(code);
        if (!t || type_is_general(n, t)) {
            return; /* a system type, or nothing narrower */
        }
        if (!type_allowed(n, t)) {
            MAKE_FAULT(m, "invalid", "元素 %.*s 不能取类型 %.*s", "%.*s cannot have the type %.*s",
                       STR_ARG(m->path), STR_ARG(code));
            return;
        }
        at[k].type = t;
        at[k].profile = strings_make(m, get(m, it.value, "profile"), &at[k].profile_n);
        at[k].target = strings_make(m, get(m, it.value, "targetProfile"), &at[k].target_n);
        k++;
    }
    if (k && n->elem) {
        n->type = at;
        n->type_n = k;
    }
}

/* --- values --- */

static const FhirType *type_of_suffix(Str suffix)
{
    char name[64];
    const FhirType *t = fhir_type_find(suffix);
    if (!t && suffix.n > 0 && suffix.n < sizeof name) {
        memcpy(name, suffix.p, suffix.n);
        name[0] = (char)(name[0] | 32);
        t = fhir_type_find((Str){name, suffix.n});
    }
    return t;
}

static void fill_values(Make *m, ProfileNode *n, JsonRef e)
{
    const struct {
        Str key;
        ProfileValue *to;
    } kinds[] = {{STR("fixed"), &n->fixed},
                 {STR("pattern"), &n->pattern},
                 {STR("minValue"), &n->low},
                 {STR("maxValue"), &n->high}};
    for (JsonIter it = json_iter(m->d, e); json_next(&it);) {
        for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
            const FhirType *t = str_starts(it.key, kinds[i].key)
                                    ? type_of_suffix(str_skip(it.key, kinds[i].key.n))
                                    : NULL;
            if (t) {
                *kinds[i].to = (ProfileValue){m->d, it.value, t};
            }
        }
    }
}

static void fill_binding(Make *m, ProfileNode *n, JsonRef e)
{
    JsonRef b = get(m, e, "binding");
    Str strength = json_str_at(m->d, b, "strength"), set = json_str_at(m->d, b, "valueSet"), url;
    ProfileStrength s = str_is(strength, "required")     ? BINDING_REQUIRED
                        : str_is(strength, "extensible") ? BINDING_EXTENSIBLE
                                                         : BINDING_NONE;
    str_cut(set, '|', &url, &(Str){0});
    bool as_base = n->elem && n->elem->valueset != FHIR_NONE &&
                   str_eq(fhir_valueset_url(&fhir_valuesets[n->elem->valueset]), url);
    if (set.n && s >= n->strength && !as_base) {
        n->valueset = set;
        n->strength = s;
    }
}

/* --- rules --- */

bool make_program(Make *m, Str text, FhirPath **ret)
{
    Err err;
    err_init(&err, m->a);
    Status s = fhir_path_compile(m->a, text, ret, &err);
    if (s != OK) {
        const char *zh = err.first ? arena_cstr(m->a, err.first->zh) : "";
        const char *en = err.first ? arena_cstr(m->a, err.first->en) : "";
        MAKE_FAULT(m, "invalid", "%.*s 的表达式有误：%s%.0s", "%.*s has a wrong expression: %.0s%s",
                   STR_ARG(m->path), zh, en);
    }
    return s == OK;
}

/* A rule that R4's own types state is checked there. */
static bool rule_is_base(const Make *m, JsonRef c)
{
    Str source = json_str_at(m->d, c, "source");
    return source.n && (profile_core_type(source) || fhir_type_find(source));
}

static void rule_make(Make *m, JsonRef c, ProfileRule *r)
{
    FhirPath *program;
    r->key = json_str_at(m->d, c, "key");
    r->human = json_str_at(m->d, c, "human");
    r->text = json_str_at(m->d, c, "expression");
    r->warning = str_is(json_str_at(m->d, c, "severity"), "warning");
    r->program = make_program(m, r->text, &program) ? program : NULL;
}

static void fill_rules(Make *m, ProfileNode *n, JsonRef e)
{
    JsonRef list = get(m, e, "constraint");
    size_t had = n->rule_n;
    if (json_count(m->d, list) == 0) {
        return;
    }
    ProfileRule *at = arena_array(m->a, ProfileRule, had + json_count(m->d, list));
    if (had) {
        memcpy(at, n->rule, had * sizeof *at);
    }
    for (JsonIter it = json_iter(m->d, list); json_next(&it);) {
        if (json_str_at(m->d, it.value, "expression").n && !rule_is_base(m, it.value)) {
            rule_make(m, it.value, &at[had]);
            had += at[had].program != NULL;
        }
    }
    n->rule = at;
    n->rule_n = (unsigned)had;
}

/* --- slicing --- */

/* The text between the quotes of extension('url'), the name in ofType(name). */
static bool call_parse(Str step, const char *name, Str *ret)
{
    Str head = str_from_c(name);
    if (!str_starts(step, head) || !str_ends(step, STR(")"))) {
        return false;
    }
    Str in = str_trim(str_take(str_skip(step, head.n), step.n - head.n - 1));
    bool quoted = in.n >= 2 && (in.p[0] == '\'' || in.p[0] == '"');
    *ret = quoted ? str_take(str_skip(in, 1), in.n - 2) : in;
    return true;
}

static bool step_parse(Str step, ProfileStep *ret)
{
    Str name;
    if (str_is(step, "resolve()")) {
        *ret = (ProfileStep){STEP_RESOLVE, STR_NONE};
    } else if (call_parse(step, "extension(", &name)) {
        *ret = (ProfileStep){STEP_EXTENSION, name};
    } else if (call_parse(step, "ofType(", &name)) {
        *ret = (ProfileStep){STEP_TYPE, name};
    } else if (str_find_char(step, '(') < 0 && step.n) {
        Str plain = str_ends(step, STR("[x]")) ? str_take(step, step.n - 3) : step;
        *ret = (ProfileStep){STEP_MEMBER, plain};
    } else {
        return false;
    }
    return true;
}

/* The end of the first step: a point outside quotes and brackets. */
static size_t step_end(Str s)
{
    unsigned depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < s.n; i++) {
        quoted ^= s.p[i] == '\'';
        depth += !quoted && s.p[i] == '(';
        depth -= !quoted && s.p[i] == ')' && depth > 0;
        if (s.p[i] == '.' && !quoted && depth == 0) {
            return i;
        }
    }
    return s.n;
}

static bool profile_steps_parse(Arena *a, Str path, ProfileDiscriminator *ret)
{
    ProfileStep *at = arena_array(a, ProfileStep, 16);
    unsigned n = 0;
    bool ok = true;
    while (ok && path.n) {
        size_t end = step_end(path);
        Str step = str_take(path, end);
        path = str_skip(path, end + 1);
        if (!str_is(step, "$this")) {
            ok = n < 16 && step_parse(step, &at[n++]);
        }
    }
    ret->step = at;
    ret->step_n = n;
    return ok;
}

static void fill_slicing(Make *m, ProfileNode *n, JsonRef e)
{
    JsonRef s = get(m, e, "slicing"), list = get(m, s, "discriminator");
    Str rules = json_str_at(m->d, s, "rules");
    if (s == JSON_NONE) {
        return;
    }
    n->rules = str_is(rules, "closed")      ? SLICES_CLOSED
               : str_is(rules, "openAtEnd") ? SLICES_OPEN_AT_END
                                            : SLICES_OPEN;
    n->ordered = json_is_true(m->d, get(m, s, "ordered"));
    if (json_count(m->d, list) == 0) {
        return;
    }
    ProfileDiscriminator *at = arena_array(m->a, ProfileDiscriminator, json_count(m->d, list));
    n->by_n = 0;
    for (JsonIter it = json_iter(m->d, list); json_next(&it);) {
        ProfileDiscriminator *d = &at[n->by_n++];
        Str by = json_str_at(m->d, it.value, "type");
        d->by = str_is(by, "exists")    ? BY_EXISTS
                : str_is(by, "type")    ? BY_TYPE
                : str_is(by, "profile") ? BY_PROFILE
                                        : BY_VALUE;
        d->readable = profile_steps_parse(m->a, json_str_at(m->d, it.value, "path"), d);
    }
    n->by = at;
}

void make_fill(Make *m, ProfileNode *n, JsonRef e)
{
    fill_counts(m, n, e);
    fill_types(m, n, e);
    fill_values(m, n, e);
    fill_binding(m, n, e);
    fill_rules(m, n, e);
    fill_slicing(m, n, e);
}
