/* :in, :not-in, :above and :below of tokens: the codes that terminology says, looked up once a run.
 */
#include "store_query.h"
#include "store_term.h"

#include "mk_banned.h"

#define CODES_MAX 5000

bool clause_is_of_terms(const Clause *c)
{
    return c->kind == CLAUSE_TOKEN &&
           (c->modifier == MODIFIER_IN || c->modifier == MODIFIER_NOT_IN ||
            c->modifier == MODIFIER_ABOVE || c->modifier == MODIFIER_BELOW);
}

static Status unknown(const Clause *c, Status s, Err *err)
{
    Str name = fhir_param_name(c->param);
    if (s == ERR_NOT_FOUND || s == ERR_INVALID) {
        return err_add(
            err, ERR_INVALID, "not-found", name,
            "检索参数 %.*s：本服务器不知道这个值集、编码系统或代码",
            "Search parameter %.*s: the value set, code system or code is not known here",
            STR_ARG(name));
    }
    if (s == ERR_TOO_LARGE) {
        return err_add(err, ERR_TOO_MANY, "too-costly", name, "检索参数 %.*s：涉及的代码超过 %d 个",
                       "Search parameter %.*s: it stands for more than %d codes", STR_ARG(name),
                       CODES_MAX);
    }
    return err_status(err, s);
}

/* ValueSet/ID names the one stored here. */
static Str valueset_url(Run *r, Str text)
{
    Str type, id;
    StoreVersion v;
    JsonDoc d;
    if (!str_cut(text, '/', &type, &id) || !str_is(type, "ValueSet")) {
        return text;
    }
    bool there = store_read(r->reader, r->arena, r->view, type, id, &v, NULL) == OK &&
                 json_parse(r->arena, v.body, &JSON_LIMITS_FHIR, &d, NULL) == OK;
    return there ? json_str_at(&d, JSON_ROOT, "url") : text;
}

static Status codes_find(Run *r, FhirTerm *term, const Clause *c, const QueryValue *v,
                         TermCode **ret, size_t *ret_n, Err *err)
{
    bool in = c->modifier == MODIFIER_IN || c->modifier == MODIFIER_NOT_IN;
    Status s = in ? fhir_term_members(term, valueset_url(r, v->text), CODES_MAX, ret, ret_n, NULL)
                  : fhir_term_related(term, v->system, v->code, c->modifier == MODIFIER_BELOW,
                                      CODES_MAX, ret, ret_n, NULL);
    return s == OK ? run_charge(r, (int64_t)*ret_n, err) : unknown(c, s, err);
}

static void values_add(Arena *a, Clause *c, const TermCode *code, size_t n)
{
    QueryValue *more = arena_array(a, QueryValue, c->values_n + n + 1);
    if (c->values_n) {
        memcpy(more, c->values, c->values_n * sizeof *more);
    }
    for (size_t i = 0; i < n; i++) {
        more[c->values_n++] =
            (QueryValue){.system = code[i].system, .code = code[i].code, .has_system = true};
    }
    c->values = more;
}

Status term_resolve(Run *r, Test *t, Err *err)
{
    const Clause *asked = t->clause;
    Clause *c = arena_new(r->arena, Clause);
    StoreTerm source;
    *c = *asked;
    c->values = NULL;
    c->values_n = 0;
    c->modifier = asked->modifier == MODIFIER_NOT_IN ? MODIFIER_NOT : MODIFIER_NONE;
    store_term_init(&source, r->reader, r->view);
    FhirTerm *term = fhir_term_new(r->arena, &source.source);
    for (size_t i = 0; i < asked->values_n; i++) {
        TermCode *code;
        size_t n;
        TRY(codes_find(r, term, asked, &asked->values[i], &code, &n, err));
        values_add(r->arena, c, code, n);
    }
    test_init(r, t, c);
    return OK;
}
