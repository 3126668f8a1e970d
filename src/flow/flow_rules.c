#include "flow_inner.h"

typedef struct RuleRow {
    Str code;
    Status status;
    Str zh, en;
} RuleRow;

static const RuleRow RULES[FLOW_RULE_COUNT] = {
#define X(name, code, status, zh, en)                                                              \
    [FLOW_RULE_##                                                                                  \
        name] = {{code, sizeof(code) - 1}, status, {zh, sizeof(zh) - 1}, {en, sizeof(en) - 1}},
#include "flow_rules.def"
#undef X
};

Str flow_rule_code(FlowRule rule)
{
    return RULES[rule].code;
}

Status flow_say(Err *err, Status status, Str rule, Str where, Str zh, Str en)
{
    char text_zh[1600], text_en[1600];
    snprintf(text_zh, sizeof text_zh, "%.*s", STR_ARG(zh));
    snprintf(text_en, sizeof text_en, "%.*s", STR_ARG(en.n ? en : zh));
    return err_rule(err, status, rule, where, "%s%.0s", "%.0s%s", text_zh, text_en);
}

Status flow_refuse(Err *err, FlowRule rule, Str where, Str detail)
{
    const RuleRow *row = &RULES[rule];
    char zh[800], en[800];
    snprintf(zh, sizeof zh, "%.*s%s%.*s", STR_ARG(row->zh), detail.n ? "：" : "", STR_ARG(detail));
    snprintf(en, sizeof en, "%.*s%s%.*s", STR_ARG(row->en), detail.n ? ": " : "", STR_ARG(detail));
    return flow_say(err, row->status, row->code, where, str_from_c(zh), str_from_c(en));
}

Status flow_status_from_http(int64_t http)
{
    static const struct {
        int http;
        Status status;
    } ROWS[] = {{400, ERR_INVALID},  {403, ERR_FORBIDDEN},    {404, ERR_NOT_FOUND},
                {409, ERR_CONFLICT}, {412, ERR_PRECONDITION}, {422, ERR_UNPROCESSABLE}};
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        if (ROWS[i].http == http) {
            return ROWS[i].status;
        }
    }
    return ERR_UNPROCESSABLE;
}
