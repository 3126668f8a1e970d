/*
 * A search: the first line is the type ("Patient", or empty for all types), the rest the query
 * string. It is understood or refused with an issue that names the parameter; leniently it is
 * refused only for what makes no sense at all.
 */
#include "store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void parse(Str type, Str query, bool lenient)
{
    Arena a;
    Err err;
    StoreQuery *q = NULL;
    arena_init(&a, 16u << 20);
    err_init(&err, &a);
    Status s = store_query_parse(&a, type, query, lenient, ZONE_CHINA_MIN, &q, &err);
    mk_check(s == OK ? q != NULL && err.count == 0 : err.count > 0 && err.status == s);
    arena_done(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    Str type, query;
    str_cut((Str){(const char *)data, n}, '\n', &type, &query);
    parse(type, query, false);
    parse(type, query, true);
    return 0;
}
