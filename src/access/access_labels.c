/* The right to sensitive content: classes of labels by role and day. */
#include "access_inner.h"
#include "access_masks.h"
#include "store_label.h"

#include "mk_banned.h"

typedef struct SensitiveRow {
    StoreLabel label;
    const char *from;
    unsigned roles;
} SensitiveRow;

static const SensitiveRow ROWS[] = {
#define SENSITIVE(name, from, roles) {STORE_LABEL_##name, from, roles},
#include "access_sensitive.def"
#undef SENSITIVE
};

static unsigned roles_for(StoreLabel label, int64_t now_ms)
{
    unsigned roles = 0;
    int64_t best = TIME_NONE;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        int64_t from = 0;
        bool of = ROWS[i].label == label && time_parse(str_from_c(ROWS[i].from), 0, &from);
        if (of && (best == TIME_NONE || (from <= now_ms && from > best))) {
            best = from;
            roles = ROWS[i].roles;
        }
    }
    return roles;
}

unsigned access_labels(Str role, int64_t now_ms)
{
    static const char *const CODES[] = {
#define ROLE(name, code, zh, en, kind) code,
#include "access_roles.def"
#undef ROLE
    };
    unsigned own = 0, labels = 0;
    for (size_t i = 0; i < sizeof CODES / sizeof *CODES; i++) {
        own |= str_is(role, CODES[i]) ? 1u << i : 0;
    }
    for (int i = 0; i < STORE_LABELS; i++) {
        labels |= roles_for((StoreLabel)i, now_ms) & own ? store_label_bit((StoreLabel)i) : 0;
    }
    return labels;
}

Status access_may_label(const AccessCaller *caller, unsigned labels, Err *err)
{
    if (caller->view.everything || (labels & ~caller->view.labels) == 0) {
        return OK;
    }
    return err_rule(err, ERR_FORBIDDEN, STR("sensitive-label"), STR("meta.security"),
                    "您的岗位无权查看带此敏感标签的内容，因此不能写入：请由有权的岗位处理",
                    "Your role does not see content with this sensitivity label and so may not "
                    "write it: leave it to a role that does");
}
