/*
 * Status and Err: how every room says no.
 *
 * A function that can fail returns Status (must use) and takes `Err *err` last. On success
 * err is untouched. On failure it holds one or more issues, each with the FHIR issue type,
 * an optional rule code (OperationOutcome.issue.details.coding.code), the place (FHIRPath,
 * linkId or parameter) and the text in zh-CN and en: what is wrong and how to mend it.
 * An Err's text lives in its arena. Err may be NULL where the caller only wants the status.
 */
#ifndef MK_ERR_H
#define MK_ERR_H

#include <stdarg.h>

#include "mk_arena.h"

typedef enum Status {
    OK = 0,
#define X(name, http, fhir_code, zh, en) name,
#include "mk_errors.def"
#undef X
    STATUS_COUNT
} Status;

#define MUST_USE __attribute__((warn_unused_result))

typedef enum Lang { LANG_ZH, LANG_EN } Lang;

typedef enum Severity {
    SEVERITY_ERROR,
    SEVERITY_WARNING,
    SEVERITY_INFORMATION,
    SEVERITY_FATAL
} Severity;

typedef struct Issue {
    struct Issue *next;
    Severity severity;
    const char *code; /* FHIR issue-type: "structure", "required", "not-found" … */
    Str rule;         /* details.coding.code; may be empty */
    Str where;        /* FHIRPath, linkId, parameter or entry; may be empty */
    Str zh, en;
} Issue;

typedef struct Err {
    Arena *arena;
    Status status; /* of the first error */
    Issue *first, *last;
    int count;
    int retry_after_s; /* for 429 and 503; 0: 1 second */
} Err;

#define ERR_ISSUES_MAX 100 /* further ones are counted, not kept */

void err_init(Err *err, Arena *arena);
void err_clear(Err *err);

/*
 * Adds an issue and returns `status`. zh and en are printf formats that take the same
 * arguments in the same order. code NULL: the status's own FHIR code.
 */
Status err_add(Err *err, Status status, const char *code, Str where, const char *zh, const char *en,
               ...) __attribute__((format(printf, 5, 7), format(printf, 6, 7)));
/* As err_add, with the rule code of a package or of the API ("held-by-case"). */
Status err_rule(Err *err, Status status, Str rule, Str where, const char *zh, const char *en, ...)
    __attribute__((format(printf, 5, 7), format(printf, 6, 7)));
/* Texts already made; the copies live in err's arena. */
Status err_text(Err *err, Status status, const char *code, Str where, Str zh, Str en);
/* Adds a warning: the status stays what it is. */
void err_warn(Err *err, const char *code, Str where, Str zh, Str en);
/* The plainest form: the status's own hint. */
Status err_status(Err *err, Status status);
/* Copies src's issues to dst, with `prefix` before each place. Returns src->status. */
Status err_move(Err *dst, const Err *src, Str prefix);

int status_http(Status s);
const char *status_fhir_code(Status s);
const char *status_hint(Status s, Lang lang);
const char *severity_code(Severity s);

/* Returns from the enclosing function with the status of a failed call. */
#define TRY(call)                                                                                  \
    do {                                                                                           \
        Status try_status_ = (call);                                                               \
        if (try_status_ != OK) {                                                                   \
            return try_status_;                                                                    \
        }                                                                                          \
    } while (0)

/* Our bug: says where on stderr and aborts. Always on. */
#define mk_check(cond) ((cond) ? (void)0 : mk_check_failed(#cond, __FILE__, __LINE__))
__attribute__((noreturn, cold)) void mk_check_failed(const char *what, const char *file, int line);

#endif
