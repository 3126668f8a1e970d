/*
 * Turns: requests that depend on the same condition come one after another, each from its search to
 * its commit, so that of two who find nothing at the same time one creates and the other finds it.
 * The same is the same type and parameters, in whatever order they stand. Other requests do not
 * wait.
 *
 * Turns are of this process; among several on one database the writer's proof of tokens holds
 * (api_condition.c). A request takes all of its turns at once, lowest first, so none waits for
 * another in a ring.
 */
#include "api_inner.h"

#define TURNS     64
#define WAIT_S    10 /* behind the others; then 503 */
#define HASH_SEED ((HashKey){0x7475726e, 0x6b657973})

static pthread_mutex_t turn[TURNS] = {[0 ... TURNS - 1] = PTHREAD_MUTEX_INITIALIZER};

/* The order of the parameters does not count. */
static uint64_t condition_hash(const ApiCall *c, const ApiWrite *w, Str query)
{
    Str name, value, text;
    uint64_t sum = hash_sip(HASH_SEED, w->type.p, w->type.n);
    while (http_next_pair(&query, &name, &value)) {
        text = http_decode(c->arena, value, true, &text) ? text : value;
        Str pair = arena_cat(c->arena, name, STR("="), text);
        sum += hash_sip(HASH_SEED, pair.p, pair.n);
    }
    return sum;
}

uint64_t api_turns_of(const ApiCall *c, const ApiWrite *w, size_t n)
{
    uint64_t mask = 0;
    for (size_t i = 0; i < n; i++) {
        bool creates = w[i].method == FHIR_METHOD_POST || w[i].method == FHIR_METHOD_PUT;
        Str query = w[i].if_none_exist.n ? w[i].if_none_exist : w[i].condition;
        if (creates && query.n) {
            query = api_condition_bare(c->arena, query);
            mask |= (uint64_t)1 << condition_hash(c, &w[i], query) % TURNS;
        }
    }
    return mask;
}

Status api_turns_take(uint64_t mask, Err *err)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_S;
    for (unsigned i = 0; i < TURNS; i++) {
        if (mask >> i & 1 && pthread_mutex_timedlock(&turn[i], &until) != 0) {
            api_turns_give(mask & (((uint64_t)1 << i) - 1));
            return err_add(err, ERR_UNAVAILABLE, NULL, STR_NONE, "相同条件的请求过多，请稍后重试",
                           "Too many requests with the same condition; try again");
        }
    }
    return OK;
}

void api_turns_give(uint64_t mask)
{
    for (unsigned i = TURNS; i-- > 0;) {
        if (mask >> i & 1) {
            pthread_mutex_unlock(&turn[i]);
        }
    }
}
