#include "access_inner.h"

#include "mk_banned.h"

typedef struct ParamRow {
    AccessParam which;
    const char *from;
    int64_t value;
} ParamRow;

static const ParamRow PARAMS[] = {
#define PARAM(name, from, value) {ACCESS_##name, from, value},
#include "access_params.def"
#undef PARAM
};

int64_t access_param(AccessParam which, int64_t now_ms)
{
    int64_t value = 0, best = TIME_NONE;
    for (size_t i = 0; i < sizeof PARAMS / sizeof *PARAMS; i++) {
        int64_t from = 0;
        if (PARAMS[i].which != which || !time_parse(str_from_c(PARAMS[i].from), 0, &from)) {
            continue;
        }
        /* Before the first day of all the first value holds. */
        if (best == TIME_NONE || (from <= now_ms && from > best)) {
            best = from;
            value = PARAMS[i].value;
        }
    }
    return value;
}
