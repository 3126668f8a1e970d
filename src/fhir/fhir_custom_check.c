/* What must be so of a custom search parameter before anybody may search by it. */
#include "fhir_custom_check.h"

#include <stdarg.h>

#include "fhir_path.h"

#define RESULTS_MAX 96

/* ---- Telling ---- */

static void tell(CustomRead *x, Str where, const char *zh, const char *en, va_list args)
{
    va_list again;
    char text[2][512];
    va_copy(again, args);
    (void)vsnprintf(text[0], sizeof text[0], zh, args);
    (void)vsnprintf(text[1], sizeof text[1], en, again);
    va_end(again);
    x->wrong = true;
    Str said_zh = utf8_take(str_from_c(text[0]), sizeof text[0]);
    (void)err_text(x->err, ERR_UNPROCESSABLE, "business-rule", where, said_zh, str_from_c(text[1]));
}

void custom_wrong_at(CustomRead *x, Str where, const char *zh, const char *en, ...)
{
    va_list args;
    va_start(args, en);
    tell(x, where, zh, en, args);
    va_end(args);
}

void custom_wrong(CustomRead *x, const char *element, const char *zh, const char *en, ...)
{
    va_list args;
    va_start(args, en);
    tell(x, arena_cat(x->arena, STR("SearchParameter."), str_from_c(element)), zh, en, args);
    va_end(args);
}

/* ---- Its name ---- */

static bool code_is_good(Str code)
{
    bool good = code.n > 0 && code.n <= FHIR_CUSTOM_CODE_MAX;
    for (size_t i = 0; good && i < code.n; i++) {
        char c = code.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        good = letter || (i > 0 && ((c >= '0' && c <= '9') || c == '-' || c == '_'));
    }
    return good;
}

static void clash(CustomRead *x, const FhirParam *with)
{
    Str type = fhir_type_name(fhir_type(with->type)), url = fhir_param_url(with);
    custom_wrong(x, "code", "%.*s 已有名为 %.*s 的检索参数（%.*s）；请换一个 code",
                 "%.*s has a search parameter %.*s already (%.*s); choose another code",
                 STR_ARG(type), STR_ARG(x->one.name), STR_ARG(url));
}

static bool overlap(const CustomRead *x, unsigned type)
{
    const FhirType *t = fhir_type(type);
    for (size_t i = 0; i < x->base_n; i++) {
        if (fhir_type_is(t, x->base[i]) || fhir_type_is(x->base[i], t)) {
            return true;
        }
    }
    return false;
}

static void check_code(CustomRead *x)
{
    Str code = x->one.name;
    if (!code_is_good(code)) {
        custom_wrong(x, "code", "“%.*s”应以字母开头，只含字母、数字、-、_，至多 %d 个字符",
                     "'%.*s' must begin with a letter and have only letters, digits, - and _, at "
                     "most %d",
                     STR_ARG(code), FHIR_CUSTOM_CODE_MAX);
        return;
    }
    for (unsigned i = 0; i < fhir_param_count; i++) {
        if (str_eq(fhir_param_name(&fhir_params[i]), code) && overlap(x, fhir_params[i].type)) {
            clash(x, &fhir_params[i]);
            return;
        }
    }
    const FhirCustomParam *other = NULL;
    for (size_t i = 0; i < x->base_n && !other; i++) {
        other = custom_clash(x->others, &x->one, fhir_type_id(x->base[i]));
    }
    if (other) {
        clash(x, &other->row);
    }
}

/* ---- What its expression gives ---- */

#define PRIM(p) (1u << FHIR_PRIM_##p)
#define URIS    (PRIM(URI) | PRIM(URL) | PRIM(CANONICAL) | PRIM(OID) | PRIM(UUID))
#define WORDS   (PRIM(STRING) | PRIM(MARKDOWN) | PRIM(CODE) | PRIM(ID) | URIS)
#define WHOLE   (PRIM(INTEGER) | PRIM(POSITIVEINT) | PRIM(UNSIGNEDINT))

/* What each kind can be made of: primitives, and other types by name. */
static const struct {
    unsigned prims;
    const char *types[8];
} takes[] = {
    [FHIR_PARAM_NUMBER] = {WHOLE | PRIM(DECIMAL), {"Range", NULL}},
    [FHIR_PARAM_DATE] = {PRIM(DATE) | PRIM(DATETIME) | PRIM(INSTANT), {"Period", "Timing", NULL}},
    [FHIR_PARAM_STRING] = {WORDS, {"HumanName", "Address", "CodeableConcept", NULL}},
    [FHIR_PARAM_TOKEN] = {WORDS | WHOLE | PRIM(BOOLEAN),
                          {"CodeableConcept", "Coding", "Identifier", "ContactPoint", NULL}},
    [FHIR_PARAM_REFERENCE] = {URIS, {"Reference", "Resource", NULL}},
    [FHIR_PARAM_QUANTITY] = {0, {"Quantity", "Money", "Range", NULL}},
    [FHIR_PARAM_URI] = {URIS, {NULL}},
};

static bool kind_takes(unsigned kind, const FhirType *t)
{
    bool fits = t->abstract || (t->prim && takes[kind].prims >> t->prim & 1);
    for (size_t i = 0; !fits && takes[kind].types[i]; i++) {
        fits = fhir_type_is(t, fhir_type_find(str_from_c(takes[kind].types[i])));
    }
    return fits;
}

static Str types_list(Arena *a, const FhirType *const *type, size_t n)
{
    Buf out;
    buf_init(&out, 0);
    for (size_t i = 0; i < n && i < 8; i++) {
        buf_c(&out, i ? ", " : "");
        buf_add(&out, fhir_type_name(type[i]));
    }
    return buf_take(&out, a);
}

/* focus_n 0: of a composite whose items are not known. */
static void check_result(CustomRead *x, Str where, const FhirCustomParam *p,
                         const FhirType *const *focus, size_t focus_n)
{
    const FhirType *result[RESULTS_MAX];
    size_t n;
    bool fits = p->row.kind == FHIR_PARAM_COMPOSITE;
    if (!p->path || focus_n == 0 ||
        !fhir_path_types(p->path, focus, focus_n, result, RESULTS_MAX, &n)) {
        return;
    }
    if (n == 0) {
        Str of = types_list(x->arena, focus, focus_n);
        custom_wrong_at(x, where, "表达式指向 %.*s 没有的元素",
                        "the expression names what %.*s lacks", STR_ARG(of));
        return;
    }
    for (size_t i = 0; i < n; i++) {
        fits = fits || kind_takes(p->row.kind, result[i]);
    }
    Str gives = types_list(x->arena, result, n);
    if (!fits) {
        const char *kind = fhir_param_kind_code((FhirParamKind)p->row.kind);
        custom_wrong_at(x, where, "表达式给出 %.*s，不能作 %s 型检索；请改表达式或 type",
                        "the expression gives %.*s, of which no %s can be made; change it, or the "
                        "type",
                        STR_ARG(gives), kind);
    }
}

/* Each base for itself: a branch for one need give nothing for another, but each must have one. */
static void check_results(CustomRead *x)
{
    const FhirType *item[RESULTS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < x->base_n; i++) {
        check_result(x, STR("SearchParameter.expression"), &x->one, &x->base[i], 1);
    }
    bool known = x->one.path && x->base_n &&
                 fhir_path_types(x->one.path, x->base, x->base_n, item, RESULTS_MAX, &n);
    for (unsigned i = 0; i < x->one.row.component_count; i++) {
        Str where = arena_printf(x->arena, "SearchParameter.component[%u].expression", i);
        check_result(x, where, &x->one.parts[i], item, known ? n : 0);
    }
}

/* ---- Modifiers and comparators ---- */

static bool modifier_fits(const CustomRead *x, Str modifier)
{
    static const struct {
        const char *name;
        unsigned kinds;
    } known[] = {
        {"missing", ~0u},
        {"exact", 1u << FHIR_PARAM_STRING},
        {"contains", 1u << FHIR_PARAM_STRING},
        {"text", 1u << FHIR_PARAM_STRING | 1u << FHIR_PARAM_TOKEN},
        {"not", 1u << FHIR_PARAM_TOKEN | 1u << FHIR_PARAM_REFERENCE},
        {"in", 1u << FHIR_PARAM_TOKEN},
        {"not-in", 1u << FHIR_PARAM_TOKEN},
        {"above", 1u << FHIR_PARAM_TOKEN | 1u << FHIR_PARAM_URI},
        {"below", 1u << FHIR_PARAM_TOKEN | 1u << FHIR_PARAM_URI},
        {"type", 1u << FHIR_PARAM_REFERENCE},
        {"identifier", 1u << FHIR_PARAM_REFERENCE},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (str_is(modifier, known[i].name)) {
            return known[i].kinds >> x->one.row.kind & 1;
        }
    }
    return false;
}

static void check_ways(CustomRead *x)
{
    const char *kind = fhir_param_kind_code((FhirParamKind)x->one.row.kind);
    bool ordered = x->one.row.kind == FHIR_PARAM_NUMBER || x->one.row.kind == FHIR_PARAM_DATE ||
                   x->one.row.kind == FHIR_PARAM_QUANTITY;
    for (size_t i = 0; i < x->one.modifiers_n; i++) {
        if (!modifier_fits(x, x->one.modifiers[i])) {
            custom_wrong(x, "modifier", "%s 型检索不支持修饰符 %.*s，请删去",
                         "the modifier of a %s cannot be %.*s here; remove it", kind,
                         STR_ARG(x->one.modifiers[i]));
        }
    }
    if (x->one.comparators_n && !ordered) {
        custom_wrong(x, "comparator", "%s 型检索没有比较前缀，请删去",
                     "a %s has no comparators; remove them", kind);
    }
}

void custom_check(CustomRead *x)
{
    check_code(x);
    if (x->wrong) {
        return; /* what follows would only repeat it */
    }
    check_results(x);
    check_ways(x);
}
