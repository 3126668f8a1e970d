#include "mk_err.h"

#include "mk_banned.h"

typedef struct StatusRow {
    int http;
    const char *fhir_code, *zh, *en;
} StatusRow;

static const StatusRow STATUS_ROWS[STATUS_COUNT] = {
    [OK] = {200, "informational", "完成", "Done"},
#define X(name, http, fhir_code, zh, en) [name] = {http, fhir_code, zh, en},
#include "mk_errors.def"
#undef X
};

static const StatusRow *status_row(Status s)
{
    return &STATUS_ROWS[(unsigned)s < STATUS_COUNT ? s : ERR_INTERNAL];
}

int status_http(Status s)
{
    return status_row(s)->http;
}

const char *status_fhir_code(Status s)
{
    return status_row(s)->fhir_code;
}

const char *status_hint(Status s, Lang lang)
{
    return lang == LANG_ZH ? status_row(s)->zh : status_row(s)->en;
}

const char *severity_code(Severity s)
{
    static const char *const CODES[] = {"error", "warning", "information", "fatal"};
    return CODES[(unsigned)s < 4 ? s : 0];
}

void err_init(Err *err, Arena *arena)
{
    *err = (Err){.arena = arena};
}

void err_clear(Err *err)
{
    err_init(err, err->arena);
}

/* The next issue to fill, or NULL when nobody listens or enough are kept. */
static Issue *issue_new(Err *err, Status status)
{
    if (!err) {
        return NULL;
    }
    if (err->status == OK) {
        err->status = status;
    }
    if (err->count++ >= ERR_ISSUES_MAX) {
        return NULL;
    }
    Issue *issue = arena_new(err->arena, Issue);
    if (err->last) {
        err->last->next = issue;
    } else {
        err->first = issue;
    }
    err->last = issue;
    return issue;
}

static void issue_add(Err *err, Status status, const char *code, Str rule, Str where, Str zh,
                      Str en)
{
    Issue *issue = issue_new(err, status);
    if (issue) {
        *issue = (Issue){
            .severity = status == OK ? SEVERITY_WARNING : SEVERITY_ERROR,
            .code = code ? code : status_fhir_code(status),
            .rule = rule.n ? arena_str(err->arena, rule) : STR_NONE,
            .where = where.n ? arena_str(err->arena, where) : STR_NONE,
            .zh = arena_str(err->arena, zh),
            .en = arena_str(err->arena, en),
        };
    }
}

#define TEXT_BYTES_MAX 2048

__attribute__((format(printf, 3, 0))) static Str text_put(char *out, size_t room, const char *fmt,
                                                          va_list args)
{
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(out, room, fmt, again);
    va_end(again);
    return (Str){out, n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1};
}

Status err_add(Err *err, Status status, const char *code, Str where, const char *zh, const char *en,
               ...)
{
    char text_zh[TEXT_BYTES_MAX], text_en[TEXT_BYTES_MAX];
    va_list args;
    va_start(args, en);
    Str said_zh = text_put(text_zh, sizeof text_zh, zh, args);
    Str said_en = text_put(text_en, sizeof text_en, en, args);
    va_end(args);
    issue_add(err, status, code, STR_NONE, where, said_zh, said_en);
    return status;
}

Status err_rule(Err *err, Status status, Str rule, Str where, const char *zh, const char *en, ...)
{
    char text_zh[TEXT_BYTES_MAX], text_en[TEXT_BYTES_MAX];
    va_list args;
    va_start(args, en);
    Str said_zh = text_put(text_zh, sizeof text_zh, zh, args);
    Str said_en = text_put(text_en, sizeof text_en, en, args);
    va_end(args);
    issue_add(err, status, NULL, rule, where, said_zh, said_en);
    return status;
}

Status err_text(Err *err, Status status, const char *code, Str where, Str zh, Str en)
{
    issue_add(err, status, code, STR_NONE, where, zh, en);
    return status;
}

void err_warn(Err *err, const char *code, Str where, Str zh, Str en)
{
    issue_add(err, OK, code, STR_NONE, where, zh, en);
}

Status err_status(Err *err, Status status)
{
    return err_text(err, status, NULL, STR_NONE, str_from_c(status_hint(status, LANG_ZH)),
                    str_from_c(status_hint(status, LANG_EN)));
}

Status err_move(Err *dst, const Err *src, Str prefix)
{
    if (!dst) {
        return src->status;
    }
    for (const Issue *from = src->first; from; from = from->next) {
        Issue *to = issue_new(dst, src->status);
        if (to) {
            *to = (Issue){
                .severity = from->severity,
                .code = from->code,
                .rule = arena_str(dst->arena, from->rule),
                .where = arena_cat(dst->arena, prefix, from->where),
                .zh = arena_str(dst->arena, from->zh),
                .en = arena_str(dst->arena, from->en),
            };
        }
    }
    if (src->retry_after_s > dst->retry_after_s) {
        dst->retry_after_s = src->retry_after_s;
    }
    return src->status;
}

void mk_check_failed(const char *what, const char *file, int line)
{
    fprintf(stderr, "menkou: check failed: %s at %s:%d\n", what, file, line);
    abort();
}
