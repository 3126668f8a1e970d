/*
 * A package as it is compiled: expressions and templates, forms, states, actions, effects, lists,
 * papers, parameters. It never changes after that, so threads share it freely.
 */
#ifndef FLOW_COMPILED_H
#define FLOW_COMPILED_H

#include "fhir_resource.h"
#include "flow_indicators.h"

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

#endif
