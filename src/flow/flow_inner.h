/*
 * Inside the room: compiled packages, the case as the engine holds it, the scope of an
 * expression, and the transaction of one step.
 *
 * A FlowPackage never changes after it is compiled, so threads share it freely; everything
 * else here lives in a request's arena and belongs to one thread.
 */
#ifndef FLOW_INNER_H
#define FLOW_INNER_H

#include <pthread.h>

#include "fhir_resource.h"
#include "fhir_validate.h"
#include "flow_indicators.h"
#include "store_term.h"

#define FLOW_SYSTEM_PATHWAY  "urn:menkou:pathway"
#define FLOW_SYSTEM_STATE    "urn:menkou:state:"
#define FLOW_SYSTEM_ACTION   "urn:menkou:action"
#define FLOW_SYSTEM_HELD     "urn:menkou:held"
#define FLOW_SYSTEM_FORM     "urn:menkou:form"
#define FLOW_SYSTEM_EPISODE  "urn:menkou:episode"
#define FLOW_SYSTEM_FUNCTION "urn:menkou:function"
#define FLOW_SYSTEM_ROLE     "urn:menkou:role"
#define FLOW_EXT_CLAIMANT    "urn:menkou:claimant"
#define FLOW_EXT_DEADLINE    "urn:menkou:deadline"
#define FLOW_EXT_TAIL        "urn:menkou:tail"
#define FLOW_EXT_STEP        "urn:menkou:step"
#define FLOW_EXT_SIGNED_BY   "urn:menkou:signed-by"
/* The engine itself reads this parameter: signing asks for the password again. */
#define FLOW_PARAM_SIGN_PASSWORD "sign-password"
#define FLOW_CATEGORY_ALERT      "urn:menkou:alert"
#define FLOW_CATEGORY_NOTICE     "urn:menkou:notice"

enum {
    FLOW_STATES_MAX = 60,
    FLOW_CASES_MAX = 16,  /* cases that one transaction may touch */
    FLOW_LIST_MAX = 64,   /* deadlines, held things, forms of one case */
    FLOW_FIND_MAX = 200,  /* results of a `find` at most */
    FLOW_RETRIES_MAX = 3, /* a stale batch is prepared again so often */
};

/* ---- Rules ----------------------------------------------------------------------------------- */

typedef enum FlowRule {
#define X(name, code, status, zh, en) FLOW_RULE_##name,
#include "flow_rules.def"
#undef X
    FLOW_RULE_COUNT
} FlowRule;

/* Refuses with the rule's own status, code and text. `detail` (zh and en alike) may be empty. */
Status flow_refuse(Err *err, FlowRule rule, Str where, Str detail);
/* Any rule with texts already made. */
Status flow_say(Err *err, Status status, Str rule, Str where, Str zh, Str en);
Str flow_rule_code(FlowRule rule);
/* 403, 409, 412, 422 … → Status; other numbers are ERR_UNPROCESSABLE. */
Status flow_status_from_http(int64_t http);

/* ---- Texts and expressions ------------------------------------------------------------------- */

/* A compiled expression; its variables as `answers.reason`, `params.tail`, `task` … */
typedef struct FlowExpr {
    FhirPath *path;
    Str text, where; /* as written, and in which file and place */
    const Str *vars;
    size_t vars_n;
    bool counted; /* of an indicator: sees only %priority and %params */
} FlowExpr;

/* JSON with expressions in it; `at[i]` belongs to the token root + i. */
typedef struct FlowTemplate {
    const JsonDoc *doc;
    JsonRef root;
    FlowExpr **at;
    uint32_t at_n;
    Str where;
} FlowTemplate;

/* A FHIR search with `{=expr}` and `{linkId}` holes. */
typedef struct FlowHole {
    Str before;     /* literal text in front of the hole */
    FlowExpr *expr; /* NULL: the last piece, only text */
    Str link;       /* of a `{linkId}` hole */
} FlowHole;

typedef struct FlowQuery {
    Str type, text;
    const FlowHole *hole;
    size_t holes_n;
} FlowQuery;

/* ---- Forms ----------------------------------------------------------------------------------- */

typedef enum FlowItemType {
    FLOW_ITEM_GROUP,
    FLOW_ITEM_DISPLAY,
    FLOW_ITEM_BOOLEAN,
    FLOW_ITEM_DECIMAL,
    FLOW_ITEM_INTEGER,
    FLOW_ITEM_DATE,
    FLOW_ITEM_DATETIME,
    FLOW_ITEM_TIME,
    FLOW_ITEM_STRING,
    FLOW_ITEM_TEXT,
    FLOW_ITEM_URL,
    FLOW_ITEM_CHOICE,
    FLOW_ITEM_OPEN_CHOICE,
    FLOW_ITEM_ATTACHMENT,
    FLOW_ITEM_REFERENCE,
    FLOW_ITEM_QUANTITY,
    FLOW_ITEM_TYPES
} FlowItemType;

typedef struct FlowConstraint {
    Str key;
    FlowText human;
    FlowExpr *expr;
} FlowConstraint;

typedef enum FlowEnableOp {
    FLOW_ENABLE_EXISTS,
    FLOW_ENABLE_EQ,
    FLOW_ENABLE_NE,
    FLOW_ENABLE_GT,
    FLOW_ENABLE_LT,
    FLOW_ENABLE_GE,
    FLOW_ENABLE_LE
} FlowEnableOp;

typedef struct FlowEnable {
    Str question;
    FlowEnableOp op;
    JsonRef answer; /* in the form's document */
} FlowEnable;

typedef struct FlowItem {
    struct FlowItem *parent;   /* NULL at the top */
    struct FlowItem *children; /* first of a contiguous array */
    size_t children_n;
    JsonRef at;
    size_t index;               /* in FlowForm.all */
    struct FlowItem *repeating; /* the nearest repeating group around it, or NULL */
    Str link, text;
    FlowItemType type;
    bool required, repeats, read_only, hidden, recorded;
    bool enable_all;
    const FlowEnable *enable;
    size_t enable_n;
    int64_t length_max, length_min, size_max, decimals_max, occurs_min, occurs_max; /* -1: none */
    JsonRef min, max; /* the value of minValue, maxValue */
    JsonRef options;  /* answerOption */
    Str media;
    FlowExpr *pattern; /* of %value */
    const Str *mime;
    size_t mime_n;
    FlowExpr *initial, *calculated, *shown;
    FlowQuery *lookup;
    const FlowConstraint *constraint;
    size_t constraint_n;
} FlowItem;

typedef struct FlowForm {
    Str code, url, file;
    const JsonDoc *doc;
    FlowItem *items;
    size_t items_n;
    FlowItem **all; /* every item, in document order */
    size_t all_n;
    const FlowConstraint *constraint;
    size_t constraint_n;
    FlowExpr **show; /* urn:menkou:show of the form and its items */
    size_t show_n;
    Str localised[2]; /* the Questionnaire in zh and en */
} FlowForm;

FlowItem *flow_form_item(const FlowForm *f, Str link);
const char *flow_item_value_key(FlowItemType t); /* "valueString" …; NULL for group and display */

/* ---- Packages -------------------------------------------------------------------------------- */

typedef struct FlowState {
    Str code, task, color;
    FlowText title, next;
    bool end; /* no way out */
} FlowState;

typedef enum FlowAt { FLOW_AT_ANY, FLOW_AT_REQUESTER, FLOW_AT_OWNER, FLOW_AT_CLAIMANT } FlowAt;

typedef struct FlowWho {
    const Str *role;
    size_t role_n; /* 0: any role */
    FlowAt at;
    FlowExpr *where;
} FlowWho;

typedef struct FlowGuard {
    Str rule, where;
    FlowExpr *expr;
    Status status;
    FlowText text;
} FlowGuard;

typedef struct FlowFind {
    Str name;
    FlowQuery *query;
    size_t limit;
    bool directory;
} FlowFind;

typedef enum FlowVerb {
#define V(verb, name, kind) FLOW_VERB_##verb,
#include "flow_effects.def"
    FLOW_VERB_COUNT
} FlowVerb;

typedef enum FlowArgKind {
    FLOW_ARG_NAME,
    FLOW_ARG_EXPR,
    FLOW_ARG_FLAG,
    FLOW_ARG_TEMPLATE,
    FLOW_ARG_DURATION,
    FLOW_ARG_TEXT,
    FLOW_ARG_CODE
} FlowArgKind;

/* Members of effects; several verbs share one. */
typedef enum FlowArgId {
    FLOW_TEMPLATE,
    FLOW_SET,
    FLOW_TAIL,
    FLOW_UNTIL,
    FLOW_SLOT,
    FLOW_APPOINTMENT,
    FLOW_AS,
    FLOW_FOR,
    FLOW_TO,
    FLOW_FUNCTION,
    FLOW_TEXT,
    FLOW_LEVEL,
    FLOW_AFTER,
    FLOW_AT,
    FLOW_FROM,
    FLOW_ACTION,
    FLOW_ENTRY,
    FLOW_NAME,
    FLOW_PATIENT,
    FLOW_OWNER,
    FLOW_REQUESTER,
    FLOW_PRIORITY,
    FLOW_FOCUS,
    FLOW_ANSWERS,
    FLOW_PART_OF,
    FLOW_GROUP,
    FLOW_ON,
    FLOW_VALUE,
    FLOW_ARG_COUNT
} FlowArgId;

typedef struct FlowArg {
    FlowArgKind kind;
    Str text;               /* NAME, CODE */
    FlowExpr *expr;         /* EXPR, DURATION */
    FlowTemplate *template; /* TEMPLATE, TEXT (an object of zh and en) */
    int64_t duration_ms;    /* DURATION without expr, months apart */
    int64_t months;
} FlowArg;

typedef struct FlowEffect {
    FlowVerb verb;
    FlowExpr *when;
    Str name;       /* the verb's value, when it is a name */
    FlowExpr *expr; /* … when it is an expression */
    FlowArg *arg[FLOW_ARG_COUNT];
    JsonRef at;
} FlowEffect;

typedef enum FlowActionKind { FLOW_KIND_ACTION, FLOW_KIND_START, FLOW_KIND_ENTRY } FlowActionKind;

/* A start, an entry or an action: all three are steps of a case. */
typedef struct FlowAction {
    FlowActionKind kind;
    Str code;
    FlowText title;
    uint64_t from; /* bits of states */
    int to;        /* -1: stays */
    const FlowWho *who;
    size_t who_n;
    FlowForm *form;
    bool form_optional, clock, receipt, primary, danger;
    const FlowFind *find;
    size_t find_n;
    const FlowGuard *guard;
    size_t guard_n;
    const FlowEffect *effect;
    size_t effect_n;
    FlowTemplate *requester, *owner, *priority;
    FlowExpr *when;
    int64_t joins_days; /* start: joins the episode of a case that began within so many days; 0:
                           never */
    JsonRef at;         /* in pathway.json */
} FlowAction;

typedef struct FlowList {
    Str code, query;
    FlowText title;
    const Str *role;
    size_t role_n;
    bool live, alert;
} FlowList;

typedef struct FlowPrint {
    Str code;
    FlowText title;
    struct FlowPage *page;
    uint64_t when; /* bits of states */
} FlowPrint;

typedef struct FlowParam {
    Str key, unit;
    Str region; /* the digits with which the county's code begins; empty: every county's */
    JsonRef value;
    int64_t from_day, to_day; /* days since 1970, [from, to); INT64_MIN and MAX: open */
} FlowParam;

typedef struct FlowFile {
    Str path, bytes;
    JsonDoc *doc; /* of .json files */
} FlowFile;

typedef struct FlowMigration {
    Str from;       /* version */
    JsonRef states; /* object old → new, or JSON_NONE */
} FlowMigration;

typedef struct FlowPackage {
    Arena *arena;
    Str name, version, canonical, color; /* canonical: urn:menkou:pathway:NAME|VERSION */
    FlowText title;
    FlowFile *file;
    size_t file_n;
    const JsonDoc *doc; /* pathway.json */
    const JsonDoc *params_doc;
    FlowState *state;
    size_t state_n;
    FlowAction *start; /* NULL: begins only as an effect */
    FlowAction *entry;
    size_t entry_n;
    FlowAction *action;
    size_t action_n;
    FlowForm **form;
    size_t form_n;
    FlowList *list;
    size_t list_n;
    FlowPrint *print;
    size_t print_n;
    FlowParam *param;
    size_t param_n;
    FlowMigration *migration;
    size_t migration_n;
    FlowIndicator *indicator;
    size_t indicator_n;
    FlowExpr **expr; /* all, for lint */
    size_t expr_n, expr_room;
    FlowTemplate **template; /* by file, compiled once */
    size_t template_n;
} FlowPackage;

int flow_state_index(const FlowPackage *p, Str code); /* -1 */
const FlowFile *flow_package_file(const FlowPackage *p, Str path);

/*
 * Reads and compiles a folder. Every fault is an issue with file and JSON path; on success the
 * package lives in an arena of its own, which flow_package_free gives back.
 */
Status flow_package_new(const FlowPackageSource *source, FlowPackage **ret, Err *err) MUST_USE;
void flow_package_free(FlowPackage *p);
/* The rules of lint beyond what compiling finds. */
void flow_lint_package(const FlowPackage *p, Err *err);
/* Does anything read this field, does any action use this form? */
bool flow_field_read(const FlowPackage *p, const FlowForm *form, Str link);
bool flow_form_used(const FlowPackage *p, const FlowForm *f);
/* Everything whose change needs a new version: states, actions, linkIds. */
Sha256 flow_package_shape(const FlowPackage *p);

/* ---- Compiling (flow_expr.c, flow_template.c, flow_form.c, flow_parts.c) --------------------- */

typedef struct FlowCompile {
    Arena *arena;
    Err *err;
    FlowPackage *pkg;
    const FlowFile *file; /* where issues are found */
} FlowCompile;

/* "forms/start.json: $.item[2].linkId" of a value in the present file. */
Str flow_where(const FlowCompile *c, JsonRef at);
void flow_fault(const FlowCompile *c, JsonRef at, const char *zh, const char *en);
/* The same with a name in the text ("%s" once in each is not needed: it is appended). */
void flow_fault_name(const FlowCompile *c, JsonRef at, const char *zh, const char *en, Str name);
/* NULL and an issue when it does not compile. A leading `=` is dropped. */
FlowExpr *flow_expr_compile(FlowCompile *c, Str text, JsonRef at);
FlowTemplate *flow_template_compile(FlowCompile *c, const JsonDoc *doc, JsonRef root);
/* lookup: `{linkId}` means the answer's token; else only `{=expr}`. */
FlowQuery *flow_query_compile(FlowCompile *c, Str type, Str text, JsonRef at);
FlowForm *flow_form_compile(FlowCompile *c, Str code);
struct FlowPage *flow_page_compile(FlowCompile *c, Str name, JsonRef at);
void flow_page_exprs(const struct FlowPage *page, void (*fn)(void *ctx, const FlowExpr *e),
                     void *ctx);
FlowText flow_text_compile(FlowCompile *c, JsonRef object, const char *member, bool required);
FlowEffect *flow_effects_compile(FlowCompile *c, JsonRef array, size_t *ret_n);
void flow_action_compile(FlowCompile *c, FlowAction *action, JsonRef object, FlowActionKind kind);
/* indicators.json, or what every package counts; after states and actions. */
void flow_indicators_compile(FlowCompile *c);
/* Warns of members that the format does not know. `known` is a space-separated list. */
void flow_members_check(const FlowCompile *c, JsonRef object, const char *known);
Str flow_localise(Arena *a, const JsonDoc *doc, JsonRef root, Lang lang);
/* A member's text in that language: its `translation`, else as it stands. */
Str flow_text_in(const JsonDoc *d, JsonRef object, const char *member, Lang lang);

/* ---- The case -------------------------------------------------------------------------------- */

typedef struct FlowDeadline {
    Str name, action, level;
    int64_t due_ms;
    bool fired;
} FlowDeadline;

typedef struct FlowNamed {
    Str name, reference;
} FlowNamed;

typedef struct FlowCase {
    const FlowPackage *pkg;
    Str id, vid;   /* vid empty: not yet written */
    Str reference; /* "Task/ID" */
    JsonDoc *doc;  /* as read; NULL when new */
    int state;
    Str patient, patient_name, requester, requester_name, owner, owner_name, focus, priority;
    Str group, part_of;
    Str claimant, claimant_name; /* PractitionerRole */
    int64_t claimed_until_ms;
    FlowDeadline deadline[FLOW_LIST_MAX];
    size_t deadline_n;
    FlowNamed held[FLOW_LIST_MAX];
    size_t held_n;
    FlowNamed input[FLOW_LIST_MAX]; /* form code → QuestionnaireResponse */
    size_t input_n;
    FlowNamed tail[FLOW_LIST_MAX]; /* Organization → milliseconds after the end, as text */
    size_t tail_n;
    Str step[8]; /* actions of this version */
    size_t step_n;
    Str authored, started, ended; /* as written */
    Str extra;                    /* members the engine does not keep, as `"key":value,…` */
    int64_t end_tail_ms;
    bool touched;
} FlowCase;

/* The code of a CodeableConcept's coding whose system begins so, or empty. */
Str flow_coding_code(const JsonDoc *d, JsonRef concept, const char *system);
/* The value of a nested extension. */
JsonRef flow_extension_part(const JsonDoc *d, JsonRef extension, const char *url, const char *key);
/* False when the extension has no due time. */
bool flow_deadline_read(const JsonDoc *d, JsonRef e, FlowDeadline *ret);
/* The name of the pathway that a Task runs, or empty. */
Str flow_case_pathway(const JsonDoc *doc);
/* Fills a case from its Task. False when the Task is not one of the engine's. */
bool flow_case_read(Arena *a, const JsonDoc *doc, Str vid, const FlowPackage *pkg, FlowCase *ret);
Str flow_case_write(Arena *a, const FlowCase *c, int64_t now_ms, int zone_min);
Str flow_case_held(const FlowCase *c, Str name);
/* False when the case holds too much already. */
bool flow_case_hold(FlowCase *c, Str name, Str reference);
void flow_case_drop(FlowCase *c, Str name);
FlowDeadline *flow_case_deadline(FlowCase *c, Str name);
/* The earliest open one, or NULL. */
const FlowDeadline *flow_case_due(const FlowCase *c);

/* ---- The scope of an expression -------------------------------------------------------------- */

typedef struct FlowReply {
    Str link;
    FhirValues values;
} FlowReply;

/* A response as checked: its document and the flat answers in it. */
typedef struct FlowAnswers {
    const FlowForm *form;
    JsonDoc *doc;
    FlowReply *at;
    size_t n;
} FlowAnswers;

typedef struct FlowLocal {
    const struct FlowLocal *up;
    Str name;
    FhirValues values;
} FlowLocal;

typedef struct FlowScope {
    Arena *arena;
    const FlowPackage *pkg;
    const FlowCase *c;
    const FlowAnswers *answers;
    const FlowLocal *locals;
    Map fixed; /* task, patient, now, found.x, score.x … → FhirValues* */
    int64_t now_ms;
    int zone_min;
    Str region; /* the county's code, or empty */
    void *ctx;
    bool (*resolve)(void *ctx, Str reference, FhirNode *ret);
    bool (*member_of)(void *ctx, const FhirValue *v, Str valueset, bool *ret);
    /* The answers last given in a form of this case, or NULL. */
    const FlowAnswers *(*said)(void *ctx, Str form);
} FlowScope;

void flow_scope_set(FlowScope *s, Str name, FhirValues values);
/* The root of a document, or nothing. */
void flow_scope_node(FlowScope *s, Str name, const JsonDoc *d);
void flow_scope_reference(FlowScope *s, Str name, Str reference, Str display);
FhirValue flow_value_reference(Arena *a, Str reference, Str display);
Status flow_eval(const FlowScope *s, const FlowExpr *e, FhirValues *ret, Err *err) MUST_USE;
/* Over a node of a response or print loop. */
Status flow_eval_on(const FlowScope *s, const FlowExpr *e, const FhirNode *focus, size_t n,
                    FhirValues *ret, Err *err) MUST_USE;
/* Empty is false. */
Status flow_test(const FlowScope *s, const FlowExpr *e, bool *ret, Err *err) MUST_USE;
/* "Type/id" of a Reference or a string; the code of a Coding; the text of a scalar; else empty. */
Str flow_value_word(Arena *a, const FhirValue *v);
Str flow_value_display(Arena *a, const FhirValue *v);
Status flow_eval_word(const FlowScope *s, const FlowExpr *e, Str *ret, Err *err) MUST_USE;
/* JSON of the template; empty when nothing is left of it. */
Status flow_template_expand(const FlowScope *s, const FlowTemplate *t, Str *ret, Err *err) MUST_USE;
/* The search text with its holes filled; empty when a hole has no value. */
/* The search text with its `{=expr}` holes filled and `{linkId}` left for the screen. */
Status flow_query_show(const FlowScope *s, const FlowQuery *q, Str *ret, Err *err) MUST_USE;
Status flow_query_fill(const FlowScope *s, const FlowQuery *q, Str *ret, Err *err) MUST_USE;
/* Milliseconds after `from_ms`. */
Status flow_duration_after(const FlowScope *s, const FlowArg *d, int64_t from_ms, int64_t *ret,
                           Err *err) MUST_USE;
/* An object with value and unit; false when it is not a duration. */
bool flow_duration_read(const JsonDoc *d, JsonRef r, int64_t *ret_ms, int64_t *ret_months);
bool flow_months_add(int64_t from_ms, int64_t months, int zone_min, int64_t *ret);
/* False when no row is valid on that day. */
bool flow_param_value(const FlowScope *s, Str key, FhirValues *ret);

/* ---- Forms at work (flow_fill.c, flow_value.c, flow_check.c) --------------------------------- */

/* One answer as FHIR JSON under its key ("valueString"). */
typedef struct FillValue {
    Str key, json;
} FillValue;

typedef struct FillScope FillScope;

/* What was answered to one item: values, or the instances of a repeating group. */
typedef struct FillSlot {
    FillValue *value;
    size_t value_n, value_room;
    FillScope **instance;
    size_t instance_n, instance_room;
} FillSlot;

/* The answers of a form, or of one instance of a repeating group; slots by FlowItem.index. */
struct FillScope {
    FillScope *up;
    FillSlot *slot;
};

/* A response being filled. */
typedef struct FlowFill {
    Arena *arena;
    const FlowForm *form;
    FillScope root;
    FlowAnswers answers; /* as last rendered */
    Str *color;          /* by FlowItem.index; NULL until flow_fill_colors */
    bool rendered;
} FlowFill;

typedef struct FlowFillEnv {
    FlowScope *scope;                           /* its `answers` follow the fill */
    Str subject, author, author_name, authored; /* of the response */
    void *ctx;
    /* Is this reference among the results of the search? Query empty: may the caller see it at all?
     */
    bool (*found)(void *ctx, Str type, Str query, Str reference);
    /* Is this Slot there and no longer free? By its present version, which is ahead of any index.
     */
    bool (*taken)(void *ctx, Str slot);
    /* A blob named by an answer: its bytes and type; false when it may not be used here. */
    bool (*blob)(void *ctx, Str reference, Str *ret_bytes, Str *ret_type);
} FlowFillEnv;

/* From a client's QuestionnaireResponse (JSON_NONE: empty); faults of shape are issues in err. */
Status flow_fill_new(Arena *a, const FlowForm *form, const JsonDoc *doc, JsonRef response,
                     FlowFill **ret, Err *err) MUST_USE;
/* Lays flat answers (linkId → JSON value; null takes away) over it. */
Status flow_fill_flat(FlowFill *f, const JsonDoc *doc, JsonRef answers, Err *err) MUST_USE;
/* Puts initial answers where there is none. */
Status flow_fill_initial(FlowFill *f, const FlowFillEnv *env, bool hidden_only, Err *err) MUST_USE;
Status flow_fill_calculate(FlowFill *f, const FlowFillEnv *env, Err *err) MUST_USE;
/* How each answered item is coloured (urn:menkou:color); shown by the next rendering. */
void flow_fill_colors(FlowFill *f, const FlowFillEnv *env);
/* All rules of the form; ERR_UNPROCESSABLE with an issue for each fault. */
Status flow_fill_check(FlowFill *f, const FlowFillEnv *env, Err *err) MUST_USE;
/* The response as JSON ("in-progress", "completed"); also binds env->scope's answers to it. */
Str flow_fill_render(FlowFill *f, const FlowFillEnv *env, const char *status);
bool flow_fill_enabled(const FlowFill *f, const FillScope *scope, const FlowItem *item);
FillSlot *flow_fill_slot(const FillScope *scope, const FlowItem *item);
void flow_slot_add(Arena *a, FillSlot *slot, Str key, Str json);
Status flow_fill_fault(Err *err, Str link, const char *zh, const char *en, Str detail);
/* Turns a result or a flat value into an answer of the item; false when it cannot be one. */
bool flow_value_answer(Arena *a, const FlowForm *form, const FlowItem *item, const FhirValue *v,
                       FillValue *ret);
bool flow_json_answer(Arena *a, const FlowForm *form, const FlowItem *item, const JsonDoc *d,
                      JsonRef r, FillValue *ret);
/* The option that an answer (a Coding, or a code) means, or JSON_NONE. */
JsonRef flow_option_find(const FlowForm *form, const FlowItem *item, Str system, Str code);
/* Flat answers of a stored response. */
void flow_answers_read(Arena *a, JsonDoc *doc, FlowAnswers *ret);
/* Calls fn for each attachment's reference ("Binary/ID"). */
void flow_fill_blobs(const FlowFill *f, void (*fn)(void *ctx, Str reference), void *ctx);

/* ---- One transaction ------------------------------------------------------------------------- */

typedef struct FlowTx {
    Flow *flow;
    Store *store;
    StoreReader *reader;
    Arena *arena;
    const AccessCaller *caller;
    bool clock;                                 /* nobody acts but the clock */
    bool dry, password_checked, factor_checked; /* of the request */
    int64_t now_ms;
    int zone_min;
    StoreBatch *batch;
    Map docs; /* "Type/id" → as this transaction would leave it */
    FlowCase *cases[FLOW_CASES_MAX];
    size_t cases_n;
    int depth; /* of effects that act on other cases */
} FlowTx;

/* One action on one case. */
typedef struct FlowStep {
    FlowTx *tx;
    FlowCase *c;
    const FlowAction *action;
    FlowScope scope;
    FlowFill *fill; /* NULL: no form was given */
    FlowFillEnv fill_env;
    Str response; /* "QuestionnaireResponse/ID", or empty */
    bool owner_given,
        priority_given; /* by the case that begins this one: its package does not ask again */
    Map said;           /* form code → FlowAnswers* */
    StoreTerm terms;    /* of the county, for memberOf … */
    FhirTerm *term;     /* … once it is asked for */
} FlowStep;

void flow_tx_init(FlowTx *tx, Flow *f, StoreReader *r, Arena *a, const AccessCaller *caller,
                  int64_t now_ms);
void flow_tx_begin(FlowTx *tx, Str cause);
/* As this transaction would leave it; NULL when it is not there. */
const JsonDoc *flow_tx_read(FlowTx *tx, Str reference, Str *ret_vid);
/* The version that is current once this transaction is written. */
Str flow_tx_vid_after(FlowTx *tx, Str reference);
/* Who wrote the newest version. */
Str flow_tx_author(FlowTx *tx, Str reference);
/* Validates and puts; an update demands that what was read is still current. */
Status flow_tx_create(FlowTx *tx, Str type, Str id, Str body, Err *err) MUST_USE;
Status flow_tx_update(FlowTx *tx, Str reference, Str body, Err *err) MUST_USE;
/* Top-level members replaced, `null` removed. */
Status flow_tx_change(FlowTx *tx, Str reference, const JsonDoc *set, JsonRef members,
                      Err *err) MUST_USE;
Str flow_tx_new_id(FlowTx *tx);
Status flow_tx_case(FlowTx *tx, Str reference, FlowCase **ret, Err *err) MUST_USE;
FlowCase *flow_tx_case_new(FlowTx *tx, const FlowPackage *pkg, Err *err);
/* The organisation behind an owner: of a HealthcareService its providedBy. Empty if unknown. */
Str flow_tx_organization(FlowTx *tx, Str owner);
Str flow_tx_display(FlowTx *tx, Str reference);
void flow_tx_grant(FlowTx *tx, const FlowCase *c, Str organization);
/* Writes all touched cases with their timers, and what their ends end. */
Status flow_tx_cases_put(FlowTx *tx, Err *err) MUST_USE;
Str flow_next_vid(Arena *a, Str vid);

/* The scope: who, when, what; c->doc must be set (for a start the Task as it begins). */
void flow_step_init(FlowStep *st, FlowTx *tx, FlowCase *c, const FlowAction *action);
/* The first action of that code which the state, `when` and (of a person) `who` allow; else
 * refused. */
Status flow_step_choose(FlowStep *st, Str code, bool person, Err *err) MUST_USE;
/* May this caller take it? */
Status flow_step_who(FlowStep *st, const FlowAction *action, bool *ret, Err *err) MUST_USE;
/* Collects the form: a response, or flat answers; binds %answers. */
Status flow_step_form(FlowStep *st, const JsonDoc *doc, JsonRef form, bool flat, Err *err) MUST_USE;
Status flow_step_find(FlowStep *st, Err *err) MUST_USE;
/* Makes fill_env usable without a form: for prints. */
void flow_step_blobs(FlowStep *st);
/* Finds, then the form's calculated answers and rules, then the guards. */
Status flow_step_check(FlowStep *st, Err *err) MUST_USE;
Status flow_step_guards(FlowStep *st, Err *err) MUST_USE;
/* Effects, owner, priority, state, response and Provenance. */
Status flow_step_apply(FlowStep *st, Err *err) MUST_USE;
/* Only the record of a case that a newer package took over. */
Status flow_step_migrated(FlowStep *st, Err *err) MUST_USE;
/* A new case: requester, owner and priority as far as given, episode, the Task that %task shows. */
typedef struct FlowOpening {
    Str patient, requester, owner, priority, focus, part_of,
        group; /* group: empty, a value, or "new" */
} FlowOpening;
Status flow_step_open(FlowStep *st, FlowTx *tx, const FlowPackage *pkg, const FlowAction *start,
                      const FlowOpening *with, Err *err) MUST_USE;
/* The reference or code that a template gives, or empty. */
Status flow_template_word(FlowStep *st, const FlowTemplate *t, Str *ret, Err *err) MUST_USE;
Str flow_provenance_body(const FlowStep *st, Str vid);
Status flow_owner_set(FlowStep *st, Str owner, Err *err) MUST_USE;
Status flow_effects_do(FlowStep *st, Err *err) MUST_USE;
/* flow_effects_slot.c, flow_effects_case.c, flow_notify.c, flow_sign.c */
typedef Status FlowEffectDo(FlowStep *st, const FlowEffect *e, Err *err);
FlowEffectDo flow_do_reserve, flow_do_book, flow_do_release;
FlowEffectDo flow_do_deadline, flow_do_clear, flow_do_claim, flow_do_unclaim;
FlowEffectDo flow_do_start, flow_do_act, flow_do_notify, flow_do_sign;
Status flow_hold(FlowStep *st, Str name, Str reference, Err *err) MUST_USE;
/* Does this step put the person's signature under something? */
bool flow_signs(const FlowAction *a);
/* Must the person give the password for it (parameter `sign-password` of that day)? */
bool flow_sign_password(const FlowScope *s);
typedef struct FlowSignKey {
    uint8_t secret[64], open[32]; /* Ed25519 */
} FlowSignKey;
/* The person's key as kept; false when nothing was ever signed here. */
bool flow_sign_key(StoreReader *r, Arena *a, Str person, FlowSignKey *ret);
/* Template → resource with a new id. */
Status flow_make(FlowStep *st, const FlowTemplate *t, Str *ret_reference, Err *err) MUST_USE;

/* ---- The engine ------------------------------------------------------------------------------ */

struct Flow {
    Store *store;
    Str region; /* FLOW_SETTING_REGION, or empty */
    bool lint;  /* packages are linted before they enter the log */
    Arena arena;
    FlowPackage **pkg; /* all versions; the newest of a name first */
    size_t pkg_n;
};

/* As flow_open; a story plays a package that lint may refuse. */
Status flow_open_with(Store *s, const FlowPackageSource *sources, size_t n, bool lint, Flow **ret,
                      Err *err) MUST_USE;
/* The version that new cases begin with; NULL. */
const FlowPackage *flow_package_named(const Flow *f, Str name);
const FlowPackage *flow_package_canonical(const Flow *f, Str canonical);
int flow_version_compare(Str a, Str b);
/* Puts packages and their forms into the log and loads what running cases use. */
/* Takes running cases over to the newest package where it says how. */
Status flow_migrate(Flow *f, StoreReader *r, Err *err) MUST_USE;
Status flow_log_packages(Flow *f, const FlowPackageSource *sources, size_t n, Err *err) MUST_USE;

#endif
