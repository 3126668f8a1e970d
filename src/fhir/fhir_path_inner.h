/*
 * What the files of the FHIRPath engine share: the program's nodes, the evaluation's state,
 * and arithmetic on exact decimals, units and partial times. Nobody outside src/fhir includes it.
 */
#ifndef FHIR_PATH_INNER_H
#define FHIR_PATH_INNER_H

#include "fhir_path.h"
#include "fhir_path_regex.h"
#include "fhir_unit.h"

/* The upper or lower case of a character, where it has one. */
uint32_t path_cased(uint32_t c, bool up);

/* --- programs --- */

typedef enum PathOp {
    PATH_LITERAL,
    PATH_THIS,
    PATH_INDEX,
    PATH_TOTAL,
    PATH_VARIABLE, /* %name */
    PATH_MEMBER,   /* left.name, or name of the focus */
    PATH_CALL,     /* left.name(args) */
    PATH_INDEXER,  /* left[arg] */
    PATH_NEGATE,
    PATH_PLUS_SIGN,
    PATH_MULTIPLY,
    PATH_DIVIDE,
    PATH_DIV,
    PATH_MOD,
    PATH_ADD,
    PATH_SUBTRACT,
    PATH_CONCATENATE,
    PATH_IS,
    PATH_AS,
    PATH_UNION,
    PATH_LESS,
    PATH_LESS_EQUAL,
    PATH_GREATER,
    PATH_GREATER_EQUAL,
    PATH_EQUAL,
    PATH_NOT_EQUAL,
    PATH_EQUIVALENT,
    PATH_NOT_EQUIVALENT,
    PATH_IN,
    PATH_CONTAINS,
    PATH_AND,
    PATH_OR,
    PATH_XOR,
    PATH_IMPLIES
} PathOp;

/* What stands after `is`, `as` and in ofType(). Both may be set: Quantity. */
typedef struct PathType {
    const FhirType *fhir;
    bool system;
    FhirValueKind kind; /* when system */
} PathType;

typedef struct Eval Eval;
typedef struct Scope Scope;
typedef struct PathNode PathNode;

typedef Status (*PathFn)(Eval *e, const PathNode *call, const FhirValues *in, const Scope *s,
                         FhirValues *ret);

typedef struct PathFunction {
    const char *name;
    uint8_t args_min, args_max;
    bool type_arg; /* the argument is a type's name */
    PathFn fn;
} PathFunction;

const PathFunction *path_function_find(Str name);

struct PathNode {
    PathOp op;
    uint32_t at; /* byte offset in the text */
    uint32_t argc, height;
    PathNode *left; /* NULL: works on the focus */
    PathNode **args;
    const PathFunction *function;
    Str name;
    FhirValues literal;
    PathType type;
    FhirRegex *regex;          /* of a literal pattern, compiled once */
    const FhirType *root_type; /* a member at the beginning that is a type's name */
    _Atomic uint64_t
        cache; /* (type id + 1) << 32 | element index + 1: the last look-up of a member */
};

struct FhirPath {
    Str text;
    const PathNode *root;
    Str *variables;
    size_t variables_n;
};

/* Position (1-based, in characters) of a byte offset. */
unsigned path_position(Str text, uint32_t at);

/* --- lexer --- */

typedef enum PathToken {
    TOKEN_END,
    TOKEN_NAME,
    TOKEN_QUOTED_NAME, /* `name` */
    TOKEN_STRING,
    TOKEN_NUMBER,
    TOKEN_LONG,
    TOKEN_DATE,
    TOKEN_DATETIME,
    TOKEN_TIME,
    TOKEN_THIS,
    TOKEN_INDEX,
    TOKEN_TOTAL,
    TOKEN_PUNCT, /* text holds it */
    TOKEN_BAD    /* text says what is wrong, in English; zh in `zh` */
} PathToken;

typedef struct PathLexer {
    Str text;
    uint32_t pos;
    Arena *arena;
    PathToken token;
    uint32_t at;    /* of the token */
    Str value;      /* decoded */
    const char *zh; /* of TOKEN_BAD */
    DateTime time;  /* of DATE, DATETIME, TIME */
} PathLexer;

void path_lex(PathLexer *x);

/* --- evaluation --- */

typedef struct Defined {
    struct Defined *next;
    Str name;
    FhirValues values;
} Defined;

/* Where an expression stands: $this is the focus. */
struct Scope {
    const FhirValues *focus;
    int64_t index;
    const FhirValues *total;
};

struct Eval {
    const FhirPathEnv *env;
    Arena *arena;
    const FhirPath *path;
    const FhirValues *context;
    FhirNode resource, root;
    bool has_resource;
    Defined *defined;
    uint64_t steps_left;
    Err *err;
};

/* All of these append to *ret; path_eval and the functions expect it empty. */
Status path_eval(Eval *e, const PathNode *p, const Scope *s, FhirValues *ret) MUST_USE;
Status path_eval_logic(Eval *e, const PathNode *p, const Scope *s, FhirValues *ret) MUST_USE;
Status path_eval_negate(Eval *e, const PathNode *p, const Scope *s, FhirValues *ret) MUST_USE;
Status path_eval_binary(Eval *e, const PathNode *p, const Scope *s, FhirValues *ret) MUST_USE;
/* One argument over one item as $this. */
Status path_eval_item(Eval *e, const PathNode *arg, const FhirValue *item, int64_t index,
                      const FhirValues *total, FhirValues *ret) MUST_USE;
/* Counts n steps; ERR_TOO_LARGE when the budget or the arena is at its end. */
Status path_step(Eval *e, uint64_t n) MUST_USE;
Status path_fail(Eval *e, const PathNode *p, const char *zh, const char *en);

/* A list with at most one value. */
Status path_single(Eval *e, const PathNode *p, const FhirValues *list,
                   const FhirValue **ret) MUST_USE;
/* Evaluates argument i to at most one scalar of a kind; *ret_has false when it is empty. */
Status path_arg_string(Eval *e, const PathNode *p, unsigned i, const Scope *s, bool *ret_has,
                       Str *ret) MUST_USE;
Status path_arg_integer(Eval *e, const PathNode *p, unsigned i, const Scope *s, bool *ret_has,
                        int64_t *ret) MUST_USE;
Status path_arg(Eval *e, const PathNode *p, unsigned i, const Scope *s, FhirValues *ret) MUST_USE;
/* The input as at most one string: *ret_has false when empty; an error for other kinds. */
Status path_in_string(Eval *e, const PathNode *p, const FhirValues *in, bool *ret_has,
                      Str *ret) MUST_USE;

typedef enum Truth { TRUTH_FALSE, TRUTH_TRUE, TRUTH_EMPTY } Truth;
Status path_truth(Eval *e, const PathNode *p, const FhirValues *list, Truth *ret) MUST_USE;
void path_put(Eval *e, FhirValues *ret, FhirValue v);
void path_put_truth(Eval *e, FhirValues *ret, Truth t);

/* A date, dateTime or time out of its text. */
bool path_scalar_time(Arena *a, FhirValueKind kind, Str text, FhirValue *ret);
/* A simple value of plain JSON, which no table gives a type of FHIR: its type is of System. */
bool path_plain_kind(const FhirValue *v, FhirValueKind *ret);
/* What a string of this primitive type is: a date, dateTime, time, else a string. */
FhirValueKind path_kind_of(const FhirType *t);

/* --- navigation --- */

/* Appends the children called `name` (of any name when empty). */
Status path_children(Eval *e, const PathNode *at, const FhirValue *v, Str name,
                     FhirValues *ret) MUST_USE;
bool path_is(const FhirValue *v, const PathType *type);
/* For as() and ofType(): a primitive must have that very type (a code is not taken as a string). */
bool path_as(const FhirValue *v, const PathType *type);

/* --- comparing --- */

typedef enum Order { ORDER_LESS, ORDER_EQUAL, ORDER_GREATER, ORDER_UNKNOWN, ORDER_WRONG } Order;

/* TRUTH_EMPTY when it cannot be decided (precision, units). */
Truth path_equal(Arena *a, const FhirValue *x, const FhirValue *y);
Order path_order(Arena *a, const FhirValue *x, const FhirValue *y);
/* The same JSON, numbers by their value. */
bool path_json_same(const JsonDoc *a, JsonRef ra, const JsonDoc *b, JsonRef rb);
Status path_lists_equal(Eval *e, const FhirValues *x, const FhirValues *y, Truth *ret) MUST_USE;
Status path_lists_equivalent(Eval *e, const FhirValues *x, const FhirValues *y, bool *ret) MUST_USE;
/* Whether the list has a value equal to v. */
Status path_has(Eval *e, const FhirValues *list, const FhirValue *v, bool *ret) MUST_USE;

/* --- decimals --- */

#define DECIMAL_SCALE_MAX 50

bool decimal_parse(Str s, FhirDecimal *ret); /* JSON's grammar */
FhirDecimal decimal_from_i64(int64_t v);
bool decimal_from_double(double v, FhirDecimal *ret);
double decimal_to_double(const FhirDecimal *d);
bool decimal_to_i64(const FhirDecimal *d, int64_t *ret); /* truncates */
Str decimal_text(Arena *a, const FhirDecimal *d);
bool decimal_add(const FhirDecimal *x, const FhirDecimal *y, FhirDecimal *ret);
bool decimal_subtract(const FhirDecimal *x, const FhirDecimal *y, FhirDecimal *ret);
bool decimal_multiply(const FhirDecimal *x, const FhirDecimal *y, FhirDecimal *ret);
bool decimal_divide(const FhirDecimal *x, const FhirDecimal *y, FhirDecimal *ret);
int decimal_cmp(const FhirDecimal *x, const FhirDecimal *y);
/* Half away from zero. */
FhirDecimal decimal_round(const FhirDecimal *d, int scale);
bool decimal_scale_to(const FhirDecimal *d, int scale,
                      FhirDecimal *ret); /* truncates when smaller */
/* Any numeric scalar as a decimal. */
bool decimal_of(const FhirValue *v, FhirDecimal *ret);
FhirValue path_decimal(Arena *a, FhirDecimal d);
FhirValue path_quantity(Arena *a, FhirQuantity q);

/* --- times --- */

Order time_order(const DateTime *x, const DateTime *y);
Str time_text(Arena *a, const DateTime *t, FhirValueKind kind);
bool time_of_day_parse(Str s, DateTime *ret); /* hh, hh:mm, hh:mm:ss, hh:mm:ss.fff */
FhirValue path_time(Arena *a, FhirValueKind kind, DateTime t);
/* Adds sign × q to t; false when the unit is none of time, or the year leaves 1 … 9999. */
bool time_add(const DateTime *t, FhirValueKind kind, const FhirQuantity *q, int sign,
              DateTime *ret);

/* --- quantities --- */

bool quantity_parse(Arena *a, Str s, FhirQuantity *ret);
Str quantity_text(Arena *a, const FhirQuantity *q);
/* The value in another unit (UCUM, or a calendar word); false when it has none there. */
bool quantity_in_unit(const FhirQuantity *q, Str unit, FhirDecimal *ret);
/* The one with the smaller unit: sums are in it. */
const FhirQuantity *quantity_finer(const FhirQuantity *x, const FhirQuantity *y);
Order quantity_order(const FhirQuantity *x, const FhirQuantity *y);
bool quantity_equivalent(const FhirQuantity *x, const FhirQuantity *y);
/* Calendar word in singular ("weeks" → "week"); STR_NONE when it is none. */
Str calendar_word(Str s);

#endif
