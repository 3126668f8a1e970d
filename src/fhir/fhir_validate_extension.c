/*
 * Extensions against their definitions: whether the definition is known, allows the place (its
 * contexts) and the value, and whether what changes a meaning stands in modifierExtension. An
 * unknown extension is allowed and told; an unknown modifier may not be passed over and is an
 * error.
 */
#include "fhir_path_inner.h"
#include "fhir_validate_profile.h"

/* --- where it stands --- */

static Str segment_plain(Str s)
{
    return str_ends(s, STR("[x]")) ? str_take(s, s.n - 3) : s;
}

/* Whether the steps from `top` (not itself) down to `p` are those of `rest` (a.b[x].c). */
static bool steps_are(const Place *top, const Place *p, Str rest)
{
    const Place *step[64];
    unsigned n = 0;
    for (; p != top && n < 64; p = p->up) {
        step[n++] = p;
    }
    bool same = p == top, more = rest.n > 0;
    while (same && (n > 0 || more)) {
        Str segment = STR_NONE;
        bool here = more;
        if (more) {
            more = str_cut(rest, '.', &segment, &rest);
        }
        same = here && n > 0 && str_eq(segment_plain(segment), step[--n]->name);
    }
    return same;
}

/* HumanName.family: some place above (or the holder itself) is a HumanName, family below it. */
static bool element_is(const Walk *w, const Place *holder, Str expression)
{
    Str head, rest;
    str_cut(expression, '.', &head, &rest);
    for (const Place *p = holder; p; p = p->up) {
        for (const FhirType *t = p->type; t; t = fhir_type_base(t)) {
            Str name = fhir_type_name(t);
            if ((str_eq(name, expression) && p == holder) ||
                (str_eq(name, head) && rest.n && steps_are(p, holder, rest))) {
                return true;
            }
            bool backbone = t->kind == FHIR_KIND_BACKBONE && str_starts(expression, name) &&
                            expression.n > name.n && expression.p[name.n] == '.';
            if (backbone && steps_are(p, holder, str_skip(expression, name.n + 1))) {
                return true;
            }
        }
        if (p == w->resource_at) {
            break;
        }
    }
    return false;
}

static bool path_is_holder(Walk *w, Str expression, JsonRef holder)
{
    FhirNode resource, root;
    FhirPathEnv env = walk_path_env(w, &resource, &root);
    FhirPath *program;
    FhirValues found;
    if (fhir_path_compile(env.arena, expression, &program, NULL) != OK ||
        fhir_path_eval(program, &env, &resource, 1, &found, NULL) != OK) {
        return true; /* not ours to say */
    }
    bool same = false;
    for (size_t i = 0; i < found.n && !same; i++) {
        const FhirNode *n = &found.at[i].node;
        same = found.at[i].kind == FHIR_VALUE_NODE && (n->ref == holder || n->shadow == holder);
    }
    return same;
}

static bool is_extension(const Place *p)
{
    return p && p->type && fhir_type_id(p->type) == FHIR_TYPE_Extension;
}

static bool context_fits(Walk *w, const Place *at, const ProfileContext *c)
{
    const Place *holder = at->up;
    if (str_is(c->type, "extension")) { /* in it, or beside its value */
        const Place *x = is_extension(holder) ? holder : holder ? holder->up : NULL;
        Str url = is_extension(x) ? json_str_at(w->d, x->value, "url") : STR_NONE;
        return str_eq(url, c->expression);
    }
    if (str_is(c->type, "fhirpath")) {
        return holder && path_is_holder(w, c->expression, holder->value);
    }
    return holder && (str_is(c->expression, "Element") || element_is(w, holder, c->expression));
}

static void issue_context(Walk *w, const Place *at, const FhirProfile *p)
{
    Buf list;
    buf_init(&list, 300);
    for (unsigned i = 0; i < p->context_n; i++) {
        buf_printf(&list, "%s%.*s", i ? ", " : "", STR_ARG(p->context[i].expression));
    }
    Str url = fhir_profile_url(p), where = buf_str(&list);
    walk_issue(w, at->up, "structure", "扩展 %.*s 不能用在此处；可用于：%.*s",
               "the extension %.*s is not allowed here; allowed at: %.*s", STR_ARG(url),
               STR_ARG(where));
    buf_done(&list);
}

static void check_context(Walk *w, const Place *at, const FhirProfile *p)
{
    bool fits = p->context_n == 0;
    for (unsigned i = 0; !fits && i < p->context_n; i++) {
        fits = context_fits(w, at, &p->context[i]);
    }
    if (!fits) {
        issue_context(w, at, p);
    }
}

static void check_invariants(Walk *w, const Place *at, const FhirProfile *p)
{
    FhirNode resource, root;
    for (unsigned i = 0; i < p->invariant_n && at->up && at->up->type; i++) {
        FhirPathEnv env = walk_path_env(w, &resource, &root);
        FhirNode holder = fhir_node_typed(w->d, at->up->value, at->up->type);
        FhirValues result;
        holder.resource = w->resource;
        if (fhir_path_eval(p->invariant[i], &env, &holder, 1, &result, NULL) == OK &&
            !walk_rule_holds(p->invariant[i], &result)) {
            Str url = fhir_profile_url(p), rule = fhir_path_text(p->invariant[i]);
            walk_issue(w, at, "invariant", "扩展 %.*s 用在此处须满足 %.*s",
                       "the extension %.*s may stand only where %.*s", STR_ARG(url), STR_ARG(rule));
        }
    }
}

/* --- what it is --- */

/* The host names that RFC 2606 keeps for examples: nobody defines anything there. */
static bool is_example(Str url)
{
    return str_starts(url, STR("http://example.")) || str_starts(url, STR("https://example."));
}

static void issue_unknown(Walk *w, const Place *at, Str url, bool modifier)
{
    Str shown = walk_clip(url);
    if (modifier && !is_example(url)) {
        walk_strict(w, at, "extension",
                    "修饰扩展“%.*s”的定义未知：它改变含义，不能略过；请先导入它的定义",
                    "the modifier extension \"%.*s\" is not known: it changes the meaning and "
                    "cannot be passed over; import its definition first",
                    STR_ARG(shown));
    } else {
        walk_doubt(w, at, "extension", "扩展“%.*s”的定义未知，未核对",
                   "the extension \"%.*s\" is not known here: it was not checked", STR_ARG(shown));
    }
}

static void check_modifier(Walk *w, const Place *at, const FhirProfile *p, bool modifier)
{
    Str url = fhir_profile_url(p);
    if (modifier && !p->root->is_modifier) {
        walk_issue(w, at, "structure", "扩展 %.*s 不是修饰扩展：请放入 extension",
                   "the extension %.*s is not a modifier: put it into extension", STR_ARG(url));
    } else if (!modifier && p->root->is_modifier) {
        walk_issue(w, at, "structure", "扩展 %.*s 是修饰扩展：请放入 modifierExtension",
                   "the extension %.*s is a modifier: put it into modifierExtension", STR_ARG(url));
    }
}

/* R4's own definitions have later editions under the same urls, which allow more: a write that
 * follows those is not refused. */
static void check_definition(Walk *w, const Place *at, const FhirProfile *p, JsonRef extension,
                             bool modifier)
{
    if (w->check->thorough || !p->published) {
        check_modifier(w, at, p, modifier);
        check_context(w, at, p);
        check_invariants(w, at, p);
        walk_profile(w, at, p, extension, p->type);
    }
}

/* --- parts --- */

static const ProfileNode *part_find(const ProfileNode *whole, Str url)
{
    const ProfileNode *list = profile_child(whole, STR("extension"));
    for (const ProfileNode *s = list ? list->slice : NULL; s; s = s->next) {
        if (slice_is_extension(s, url)) {
            return s;
        }
    }
    return NULL;
}

/* What defines the extension that stands at a place: its own definition, or its part in that of
 * the extension around it; NULL: unknown. */
static const ProfileNode *node_of(Walk *w, const Place *at)
{
    Str url = json_str_at(w->d, at->value, "url");
    if (str_find_char(url, ':') >= 0) {
        const FhirProfile *p = fhir_profile_find(walk_profiles_hold(w), url);
        return p && !fhir_profile_fault(p) ? p->root : NULL;
    }
    const ProfileNode *whole = is_extension(at->up) ? node_of(w, at->up) : NULL;
    return whole ? part_find(whole, url) : NULL;
}

/* A definition that names its parts has no others. */
static void check_part(Walk *w, const Place *at, Str url)
{
    bool asked = w->check->thorough && is_extension(at->up);
    const ProfileNode *whole = asked ? node_of(w, at->up) : NULL;
    const ProfileNode *list = whole ? profile_child(whole, STR("extension")) : NULL;
    if (list && list->slice && !part_find(whole, url)) {
        Str shown = walk_clip(url);
        walk_doubt(w, at, "structure", "此扩展的定义中没有“%.*s”这一部分",
                   "the definition of this extension has no part \"%.*s\"", STR_ARG(shown));
    }
}

void walk_extension(Walk *w, const Place *at, JsonRef extension)
{
    Str url = json_str_at(w->d, extension, "url");
    bool modifier = str_is(at->name, "modifierExtension");
    if (str_find_char(url, ':') < 0) {
        check_part(w, at, url);
        return;
    }
    const FhirProfile *p = fhir_profile_find(walk_profiles_hold(w), url);
    if (!p || fhir_profile_fault(p)) {
        issue_unknown(w, at, url, modifier);
    } else if (fhir_type_id(p->type) != FHIR_TYPE_Extension) {
        walk_issue(w, at, "structure", "“%.*s”不是扩展的定义", "\"%.*s\" defines no extension",
                   STR_ARG(url));
    } else {
        check_definition(w, at, p, extension, modifier);
    }
}
