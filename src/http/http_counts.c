/* What was answered, by route and status, and how long it took. */
#include "http_inner.h"

#include <stdlib.h>

const int HTTP_COUNTED_STATUS[HTTP_STATUSES_COUNTED] = {200, 201, 204, 304, 400, 401, 403, 404,
                                                        405, 406, 409, 410, 412, 413, 415, 422,
                                                        428, 429, 500, 503, 507, 0};
const int HTTP_BUCKET_US[HTTP_BUCKETS] = {1000,   2500,   5000,   10000,   25000,   50000,
                                          100000, 250000, 500000, 1000000, 2500000, 10000000};

void http_tally_open(HttpServer *s)
{
    s->tally = memory_take_zeroed((s->options.routes_n + 1) * sizeof *s->tally);
}

void http_tally_close(HttpServer *s)
{
    free(s->tally);
}

void http_tally_answer(HttpExchange *x)
{
    HttpServer *s = x->server;
    const HttpRoute *route = x->call.request.route;
    size_t at = route ? (size_t)(route - s->options.routes) : s->options.routes_n;
    HttpTally *t = &s->tally[at];
    int64_t us = time_mono_us() - x->started_us;
    size_t slot = 0, bucket = 0;
    while (HTTP_COUNTED_STATUS[slot] && HTTP_COUNTED_STATUS[slot] != x->call.response.status) {
        slot++;
    }
    while (bucket < HTTP_BUCKETS && us > HTTP_BUCKET_US[bucket]) {
        bucket++;
    }
    atomic_fetch_add(&t->status[slot], 1);
    atomic_fetch_add(&t->bucket[bucket], 1);
    atomic_fetch_add(&t->sum_us, (uint64_t)us);
}

void http_server_route_counts(const HttpServer *s, size_t route, HttpRouteCounts *ret)
{
    HttpTally *t = &s->tally[route];
    for (size_t i = 0; i < HTTP_STATUSES_COUNTED; i++) {
        ret->status[i] = atomic_load(&t->status[i]);
    }
    for (size_t i = 0; i <= HTTP_BUCKETS; i++) {
        ret->bucket[i] = atomic_load(&t->bucket[i]);
    }
    ret->sum_us = atomic_load(&t->sum_us);
}
