/*
 * Inside the terminology engine: compiled code systems, one request's state, issues, and what the
 * operations share.
 *
 * Two ways of saying no: an *issue* is part of an answer (validate-code collects many); a *fault*
 * ends the operation and becomes an OperationOutcome. The first fault is kept; whoever loops looks
 * at term_stopped. A read that failed is `trouble`, which ends everything.
 */
#ifndef FHIR_TERM_INNER_H
#define FHIR_TERM_INNER_H

#include "fhir_term.h"

#define TERM_NONE UINT32_MAX

/* ---- code systems (fhir_term_system.c, fhir_term_grammar.c) -------------------------------------
 */

typedef struct TermConcept {
    Str code, display;
    JsonRef ref;     /* JSON_NONE in a grammar */
    uint32_t parent; /* in the tree; TERM_NONE at its top */
    uint32_t end;    /* index after the last one nested in this one */
    uint32_t next;   /* same hash */
    bool inactive, abstract;
} TermConcept;

/* A parent named by a property, beside the tree. */
typedef struct TermEdge {
    uint32_t child, parent;
} TermEdge;

typedef enum TermContent {
    TERM_CONTENT_NONE,
    TERM_CONTENT_EXAMPLE,
    TERM_CONTENT_FRAGMENT,
    TERM_CONTENT_COMPLETE,
    TERM_CONTENT_SUPPLEMENT
} TermContent;

struct TermSystem {
    const TermItem *item; /* NULL: a grammar */
    Str url, version, name, language;
    TermContent content;
    bool case_sensitive;
    TermConcept *concept; /* in the order of the resource: parents before children */
    uint32_t n;
    uint32_t *bucket; /* mask + 1 heads of `next` */
    uint32_t mask;
    TermEdge *edge; /* by child */
    uint32_t edge_n;
    Str prop_status, prop_inactive, prop_abstract, prop_parent, prop_child; /* codes */
    bool (*grammar)(Arena *a, Str code, Str *ret_display);
};

/* system->item->doc must be parsed. */
Status term_system_compile(Arena *a, const TermItem *item, TermSystem **ret, Err *err) MUST_USE;
/* One of those that are rules instead of lists (UCUM, languages, media types), or NULL. */
const TermSystem *term_grammar(Str url);

const TermConcept *term_locate(Arena *a, const TermSystem *s, Str code);
static inline uint32_t term_index(const TermSystem *s, const TermConcept *c)
{
    return (uint32_t)(c - s->concept);
}
bool term_is_a(const TermSystem *s, const TermConcept *c, const TermConcept *ancestor);
bool term_is_child(const TermSystem *s, const TermConcept *c, const TermConcept *parent);
/* Each value of a property: for (TermProps it = …; term_prop_next(&it);) it.value, it.key */
typedef struct TermProps {
    JsonIter list;
    const JsonDoc *doc;
    Str wanted; /* empty: all */
    Str code;
    const char *key; /* "valueCode" … */
    JsonRef value;
} TermProps;
TermProps term_props(const TermSystem *s, const TermConcept *c, Str code);
bool term_prop_next(TermProps *it);
/* As text, whatever the type; of a Coding its code. */
Str term_prop_text(const TermProps *it);
Str term_status(const TermSystem *s, const TermConcept *c); /* "retired", "inactive" …, or empty */
Str term_definition(const TermSystem *s, const TermConcept *c);
/* The uri that the system declares for a property; empty if none. */
Str term_prop_uri(const TermSystem *s, Str code);

TermKind term_kind_of(Str resource_type); /* TERM_KINDS: another */
bool term_map_mentions(const TermItem *map, Str system, bool reverse);

/* value of an extension of an object; JSON_NONE */
#define TERM_R5_EXTENSION "http://hl7.org/fhir/5.0/StructureDefinition/extension-"
#define TERM_R5_OPERATOR  TERM_R5_EXTENSION "ValueSet.compose.include.filter.op"
JsonRef term_extension(const JsonDoc *d, JsonRef object, const char *url);
#define TERM_EXT(name) "http://hl7.org/fhir/StructureDefinition/" name

/* ---- versions (fhir_term_version.c) -------------------------------------------------------------
 */

bool term_version_fits(Str pattern, Str version);
int term_version_order(Str a, Str b);

/* The use of a concept's own display where it stands among designations. */
#define TERM_PREFERRED_USE                                                                         \
    "{\"system\":\"http://terminology.hl7.org/CodeSystem/hl7TermMaintInfra\","                     \
    "\"code\":\"preferredForLanguage\",\"display\":\"Preferred For Language\"}"

/* ---- languages and displays (fhir_term_words.c)
 * --------------------------------------------------- */

#define TERM_LANGS_MAX 16

typedef struct TermLangs {
    Str raw; /* as given; empty: none asked for */
    Str tag[TERM_LANGS_MAX];
    size_t n;
    bool only; /* "*;q=0": no other language will do */
} TermLangs;

/* False when it is not a list of languages. */
bool term_langs_parse(Str text, TermLangs *ret);

typedef struct TermWord {
    struct TermWord *next;
    Str lang, value;
    const JsonDoc *doc; /* of use and extensions; NULL for a base display */
    JsonRef ref;        /* the designation object */
    Str source;         /* url|version of the supplement it is from */
    bool base;          /* the concept's own display */
    bool display;       /* serves as a display (no use, or a display's use) */
    bool inactive;
} TermWord;

typedef struct TermWords {
    TermWord *first, *last;
    Str base_lang;
} TermWords;

typedef enum TermFit { TERM_FIT_NO, TERM_FIT_SPACES, TERM_FIT_YES } TermFit;

void term_words_add(Arena *a, TermWords *w, TermWord word);
const TermWord *term_words_best(const TermWords *w, const TermLangs *langs);
TermFit term_words_fit(const TermWords *w, const TermLangs *langs, Str display, bool active);
size_t term_words_count(const TermWords *w, const TermLangs *langs);
/* "'Display 1' (en) or 'Anzeige 1' (de)" */
Str term_words_list(Arena *a, const TermWords *w, const TermLangs *langs);

/* ---- messages and issues (fhir_term_issue.c)
 * -------------------------------------------------------
 */

typedef enum TermMessage {
#define X(name, id, en, zh) TERM_SAY_##name,
#include "fhir_term_messages.def"
#undef X
    TERM_SAY_COUNT
} TermMessage;

typedef struct TermIssue {
    struct TermIssue *next;
    Severity severity;
    const char *code; /* FHIR issue type */
    const char *kind; /* of tx-issue-type; NULL: none */
    TermMessage message;
    Str text, path;
    bool said; /* part of `message` */
} TermIssue;

typedef struct TermIssues {
    TermIssue *first, *last;
} TermIssues;

/* A version rule: "system-version", "check-system-version", "force-valueset-version" … */
typedef struct TermRule {
    struct TermRule *next;
    enum { RULE_DEFAULT, RULE_CHECK, RULE_FORCE } mode;
    Str name, url, version;
    bool used;
} TermRule;

typedef struct TermFound TermFound;

/* ---- one request (fhir_term_find.c, fhir_term_param.c)
 * ------------------------------------------------
 */

struct FhirTerm {
    Arena *arena;
    const TermSource *source;
    TermItems extra;  /* handed in with the request */
    TermFound *found; /* what was looked up already */
    Status trouble;
    Err *err; /* of trouble; may be NULL */
    TermIssue *fault;
    int fault_status;
    uint64_t steps;
    bool zh;
    bool as_listed; /* codes that a value set lists count without their code system */
    int64_t now_ms;

    TermRule *rules;
    TermLangs langs;  /* displayLanguage, or the header, or the value set's own */
    bool langs_given; /* by parameter or header */
    Str *supplements; /* that must be there */
    size_t supplements_n;
    bool *supplement_used;     /* beside supplements */
    Str path[FHIR_TERM_DEPTH]; /* value sets being worked on */
    size_t depth;
};

#define TERM_STR_LIST(...)                                                                         \
    (const Str[]){__VA_ARGS__}, sizeof((const Str[]){__VA_ARGS__}) / sizeof(Str)
Str term_text(const FhirTerm *t, TermMessage m, const Str *arg, size_t n);
#define TERM_SAY(t, m, ...) term_text((t), TERM_SAY_##m, TERM_STR_LIST(__VA_ARGS__))

/* A code system of which nothing is known, as this include lists codes of it; NULL if it does not
 * list them, or the question is about more than membership. */
const TermSystem *term_listed(FhirTerm *t, const JsonDoc *d, JsonRef include);

/* The same issue twice is one. NULL when it was there already. */
TermIssue *term_issue_add(FhirTerm *t, TermIssues *list, TermIssue issue);
void term_issues_write(JsonWriter *w, const TermIssues *list);
/* An OperationOutcome with one issue. */
Str term_outcome(const FhirTerm *t, const TermIssue *issue);
/* Ends the operation. */
void term_fault(FhirTerm *t, int status, const char *code, const char *kind, TermMessage m,
                Str text);
/* The same for a code system that is not known: says[0] when no version was asked for, says[1] when
 * other versions are known, else says[2]. */
void term_system_fault(FhirTerm *t, int status, const TermMessage says[3], Str url, Str version);
static inline bool term_stopped(const FhirTerm *t)
{
    return t->fault != NULL || t->trouble != OK;
}
/* Counts one concept looked at; false past the budget (a fault). */
bool term_step(FhirTerm *t);

Str term_canonical(Arena *a, Str url, Str version);
void term_split(Str canonical, Str *ret_url, Str *ret_version);
/* The newest that fits the version (empty: any); NULL. Of code systems only those with codes. */
const TermItem *term_find(FhirTerm *t, TermKind kind, Str url, Str version);
const TermSystem *term_find_system(FhirTerm *t, Str url, Str version);
/* "1.0.0 or 1.2.0" */
Str term_version_list(FhirTerm *t, Str url, size_t *ret_n);
/* Which version is meant, by the request's rules; *ret_rule: the one that decided, or NULL. */
Str term_version_ruled(FhirTerm *t, Str url, Str version, const TermRule **ret_rule);
/* The rule that forbids this version, or NULL. */
const TermRule *term_version_forbidden(FhirTerm *t, const TermSystem *s);
/* A value set by canonical, with "#id" looked up in `holder`'s contained ones. */
const TermItem *term_find_valueset(FhirTerm *t, Str canonical, const TermItem *holder);
TermItem *term_item_inline(FhirTerm *t, const JsonDoc *d, JsonRef resource);

/* Supplements of a system that the request or the value set asks for. */
size_t term_supplements(FhirTerm *t, const TermSystem *s, const TermItem **ret, size_t max);
void term_supplement_require(FhirTerm *t, Str canonical);
/* Faults when one that is required supplements nothing that was looked at. */
void term_supplements_check(FhirTerm *t);
/* display, designations, and those of supplements. */
TermWords term_words(FhirTerm *t, const TermSystem *s, const TermConcept *c);
/* display and designation of an include's concept. */
void term_words_of_include(FhirTerm *t, TermWords *w, const TermItem *vs, JsonRef concept);

/* What is to be said of a resource that another one, `from`, uses. */
typedef enum TermStanding {
    TERM_GOOD,
    TERM_DEPRECATED,
    TERM_WITHDRAWN,
    TERM_RETIRED,
    TERM_EXPERIMENTAL,
    TERM_DRAFT
} TermStanding;
TermStanding term_standing(const TermItem *item, const TermItem *from);

/* Reads language, expansion parameters and supplements that the value set itself states. */
void term_see_valueset(FhirTerm *t, const TermItem *vs);
/* Enters a value set: a fault when it is entered already. */
bool term_enter(FhirTerm *t, const TermItem *vs);
void term_leave(FhirTerm *t);

/* ---- filters (fhir_term_filter.c)
 * ------------------------------------------------------------------ */

typedef struct TermFilters TermFilters;
/* Compiles include.filter; NULL and a fault when one is not understood. */
const TermFilters *term_filters(FhirTerm *t, const TermSystem *s, const TermItem *vs,
                                JsonRef include, Str where);
bool term_filters_pass(FhirTerm *t, const TermFilters *f, const TermConcept *c);

/* ---- membership (fhir_term_check.c)
 * ----------------------------------------------------------------- */

/* What a check of one code found out. */
typedef struct TermCheck {
    FhirTerm *t;
    TermIssues *issues;
    Str *unknown; /* systems, or system|version */
    size_t unknown_n;
    Str path; /* "Coding", "CodeableConcept.coding[0]", or empty */
    bool abstract_ok, active_only, membership_only;
    bool infer;
    TermWords words;
    Str display; /* that came with the code: it helps to choose among versions */
    Str version, status, inferred, normal;
    const TermSystem *system;
    bool inactive; /* with status, of the first that is inactive … */
    Str inactive_path, inactive_code;
} TermCheck;

/* One include or exclude, asked for one code. */
typedef struct TermInclude {
    TermCheck *k;
    const TermItem *vs;
    JsonRef ref;
    Str where; /* "include[0]" */
    const TermSystem *system;
    bool no_inactive, in; /* in: an include, not an exclude */
} TermInclude;
TermAnswer term_include_has(TermInclude *i, Str system, Str version, Str code);
/* Notes the status, and the words, of the concept that was found. */
void term_check_see(TermCheck *k, const TermSystem *s, const TermConcept *c);
void term_check_words(TermCheck *k, const TermSystem *s, const TermConcept *c);

TermAnswer term_check_valueset(TermCheck *k, const TermItem *vs, Str system, Str version, Str code);
/* The code system alone. */
TermAnswer term_check_system(TermCheck *k, const TermSystem *s, Str code);
Str term_check_path(TermCheck *k, const char *member);
/* Says that a system (or its version) is not known. */
void term_check_missing(TermCheck *k, Str system, Str version);
void term_check_standing(TermCheck *k, const TermItem *item, const TermItem *seen_from);

/* Checks a display against the words of the concept that was found (fhir_term_display.c). */
void term_display_check(TermCheck *k, bool lenient, Str code, Str display);
/* The code systems that a value set draws on, through its imports. */
size_t term_systems_of(FhirTerm *t, const TermItem *vs, Str *ret, size_t max);
/* The includes in their order, but of neighbours of one system the newest version first. */
uint32_t *term_includes_order(Arena *a, const JsonDoc *d, JsonRef list, uint32_t n);
/* The one version of a system that a value set names, or empty. */
Str term_version_stated(const TermItem *vs, Str system);

/* ---- expansion (fhir_term_expand.c)
 * ------------------------------------------------------------------ */

typedef struct TermMember {
    struct TermMember *next, *parent;
    struct TermMember *child_first, *child_last, *sibling;
    const TermSystem *system;
    const TermConcept *concept;
    const TermItem *vs; /* whose include names it with words or extensions of its own … */
    JsonRef include;    /* … here, or JSON_NONE */
} TermMember;

typedef struct TermParam {
    struct TermParam *next;
    const char *name;
    const char *type; /* "valueUri" … */
    Str value;
} TermParam;

typedef struct TermExpand {
    FhirTerm *t;
    bool active_only, exclude_nested, not_for_ui;
    Str filter;
    int64_t count, offset; /* -1: not asked */
    size_t limit;
    TermMember *first, *last;
    size_t n;
    Map seen;      /* key → member */
    Map removed;   /* keys that an exclude names */
    bool versions; /* one system in several versions: they are shown … */
    bool merge;    /* … but do not tell codes apart */
    bool tree, no_total, full, excludes;
    TermParam *param_first, *param_last;
    Str unclosed; /* reason; empty: closed */
} TermExpand;

/* Fills the list; what is wrong is a fault. */
void term_expand(TermExpand *e, const TermItem *vs);
void term_expand_param(TermExpand *e, const char *name, const char *type, Str value);
/* Warns of what is a draft, experimental, retired … and is used by what is not. */
void term_expand_standing(TermExpand *e, const TermItem *item, const TermItem *from);

/* ---- operations
 * -------------------------------------------------------------------------------------- */

/* One request's parameters as read from Parameters. */
typedef struct TermAsk TermAsk;
struct TermAsk {
    FhirTerm *t;
    const TermRequest *request;
    const JsonDoc *doc;
    JsonRef list;         /* Parameters.parameter */
    const TermAsk *outer; /* of a batch: what each of its parts shares, or NULL */
};

/* The parameter itself (with name), or JSON_NONE; *it counts on for the next one. */
JsonRef term_ask(const TermAsk *ask, const char *name);
JsonRef term_ask_value(const TermAsk *ask, const char *name);
Str term_ask_str(const TermAsk *ask, const char *name);
bool term_ask_bool(const TermAsk *ask, const char *name, bool otherwise);
bool term_ask_i64(const TermAsk *ask, const char *name, int64_t *ret);
/* Value of one parameter or part, whatever its type. */
JsonRef term_param_value(const JsonDoc *d, JsonRef parameter);
/* The same of this part, else of what is around it. */
JsonRef term_ask_shared(const TermAsk *ask, const char *name, const JsonDoc **ret_doc);
Str term_ask_shared_str(const TermAsk *ask, const char *name);
bool term_ask_shared_bool(const TermAsk *ask, const char *name, bool otherwise);
/* The value set that is asked about: the instance, one in the request, or by url; else a fault. */
const TermItem *term_ask_valueset(const TermAsk *ask);
/* Rules, languages, supplements and resources of the request. */
void term_ask_read(TermAsk *ask);

Str term_op_expand(TermAsk *ask);
Str term_op_validate(TermAsk *ask, bool system);
Str term_op_batch(TermAsk *ask);
Str term_op_lookup(TermAsk *ask);
Str term_op_subsumes(TermAsk *ask);
Str term_op_translate(TermAsk *ask);

JsonWriter term_answer_begin(Buf *out);
Str term_answer_end(JsonWriter *w, Arena *a);
/* {"name": …, key: value} */
void term_put_str(JsonWriter *w, const char *name, const char *type, Str value);
void term_put_bool(JsonWriter *w, const char *name, bool value);

/* ---- fhir_term_translate.c --------------------------------------------------------------- */

/* R4's equivalence for R5's relationship; NULL: there is no such code. */
const char *term_relation_of_r5(Str r5);

#endif
