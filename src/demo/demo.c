#include "demo_inner.h"

static Status make(Demo *d, Err *err)
{
    TRY(demo_county(d, err));
    TRY(demo_residents(d, err));
    TRY(demo_charts(d, err));
    TRY(demo_cases(d, err));
    return demo_accounts(d, err);
}

Status demo_make(const DemoOptions *o, DemoResult *ret, Err *err)
{
    Arena arena;
    arena_init(&arena, 0);
    Demo d = {.options = o, .arena = &arena, .store = o->store};
    random_init_seed(&d.random, o->seed);
    d.epoch_ms = o->now_ms - DEMO_DAYS_LIVED * MS_DAY;
    clock_set(o->clock, d.epoch_ms);
    Status s = store_reader_open(o->store, &d.reader, err);
    if (s == OK) {
        s = make(&d, err);
        clock_set(o->clock, o->now_ms);
        demo_drop(&d);
        store_reader_close(d.reader);
    }
    if (s == OK) {
        *ret = d.result;
    }
    arena_done(&arena);
    return s;
}
