/* The county's month: each resident's story acted out by the engine in order of time. */
#include "demo_inner.h"

enum {
    DEMO_NAMED_MAX = 8,   /* cases that one scenario may name */
    DEMO_PICK_TRIES = 200 /* a county so small that nobody has the age shows somebody else */
};

/* One resident's story under way. */
typedef struct DemoRun {
    const DemoScenario *scenario;
    const DemoPerson *person;
    int step;
    int64_t due_ms; /* of the present step */
    struct {
        Str name, task; /* "Task/ID" */
    } named[DEMO_NAMED_MAX];
    int named_n;
} DemoRun;

/* A binary heap of runs by due time; ties by the order of making, so that it is the same each time.
 */
typedef struct DemoQueue {
    DemoRun **at;
    size_t n;
} DemoQueue;

static bool run_before(const DemoRun *a, const DemoRun *b)
{
    return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a < b;
}

static void queue_push(DemoQueue *q, DemoRun *run)
{
    size_t i = q->n++;
    for (; i > 0 && run_before(run, q->at[(i - 1) / 2]); i = (i - 1) / 2) {
        q->at[i] = q->at[(i - 1) / 2];
    }
    q->at[i] = run;
}

static DemoRun *queue_pop(DemoQueue *q)
{
    DemoRun *top = q->at[0], *last = q->at[--q->n];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child + 1 < q->n && run_before(q->at[child + 1], q->at[child])) {
            child++;
        }
        if (child >= q->n || !run_before(q->at[child], last)) {
            break;
        }
        q->at[i] = q->at[child];
        i = child;
    }
    q->at[i] = last;
    return top;
}

/* ---- One step
 * -------------------------------------------------------------------------------------- */

typedef struct DemoScene {
    Demo *demo;
    const DemoScript *script;
    DemoRun *run;
    const DemoStep *step;
    Arena *arena;
    AccessCaller caller;
    FlowRequest request;
} DemoScene;

static Str run_task(const DemoRun *run, Str name)
{
    for (int i = 0; i < run->named_n; i++) {
        if (str_eq(run->named[i].name, name)) {
            return run->named[i].task;
        }
    }
    return STR_NONE;
}

static void run_name(Demo *d, DemoRun *run, Str name, Str task)
{
    if (!str_empty(name) && !str_empty(task) && run->named_n < DEMO_NAMED_MAX) {
        run->named[run->named_n].name = name;
        run->named[run->named_n].task = arena_str(d->arena, task);
        run->named_n++;
    }
}

/* Parameters {action?, pathway?, patient?, form} as a client would send them. */
static Status form_params(DemoScene *s, Str action, Str task_id, JsonDoc *ret, JsonRef *ret_form,
                          Err *err)
{
    Buf b;
    buf_init(&b, 1 << 22);
    Str patient = arena_cat(s->arena, STR("Patient/"), s->run->person->id);
    FlowRequest ask = s->request;
    ask.only = action;
    Status st =
        flow_actions(s->demo->options->flow, &ask, task_id, s->step->start, patient, &b, err);
    Str bytes = buf_take(&b, s->arena);
    TRY(st);
    JsonDoc actions;
    TRY(json_parse(s->arena, bytes, &JSON_LIMITS_FHIR, &actions, err));
    DemoFill fill = {s->demo, s->arena, s->run->person, &s->caller, s->request.now_ms};
    Str form;
    TRY(demo_fill(&fill, &actions, action, &s->script->doc, s->step->answers, &form, err));
    *ret_form = JSON_NONE;
    if (!str_empty(form)) {
        TRY(json_parse(s->arena, form, &JSON_LIMITS_FHIR, ret, err));
        *ret_form = JSON_ROOT;
    }
    return OK;
}

static Status step_start(DemoScene *s, Err *err)
{
    JsonDoc params = {0};
    JsonRef form;
    TRY(form_params(s, STR("start"), STR_NONE, &params, &form, err));
    Str focus = run_task(s->run, s->step->on);
    FlowAnswer answer;
    TRY(flow_start(s->demo->options->flow, &s->request, s->step->start,
                   arena_cat(s->arena, STR("Patient/"), s->run->person->id), focus, STR_NONE,
                   &params, form, &answer, err));
    run_name(s->demo, s->run, s->step->as, arena_cat(s->arena, STR("Task/"), answer.task.id));
    s->demo->result.cases++;
    return OK;
}

static Status task_read(DemoScene *s, Str reference, StoreVersion *ret, Err *err)
{
    return store_read(s->demo->reader, s->arena, &STORE_VIEW_ALL, STR("Task"),
                      str_skip(reference, 5), ret, err);
}

static Status step_act(DemoScene *s, Err *err)
{
    Str task = run_task(s->run, s->step->on);
    StoreVersion now;
    TRY(task_read(s, task, &now, err));
    JsonDoc params = {0};
    JsonRef form;
    TRY(form_params(s, s->step->act, now.id, &params, &form, err));
    FlowAnswer answer;
    return flow_act(s->demo->options->flow, &s->request, now.id, now.vid, s->step->act, &params,
                    form, &answer, err);
}

/* Names what a case holds, so that later steps can act on it. */
static Status step_held(DemoScene *s, Err *err)
{
    StoreVersion task;
    TRY(task_read(s, run_task(s->run, s->step->of), &task, err));
    JsonDoc doc;
    TRY(json_parse(s->arena, task.body, &JSON_LIMITS_FHIR, &doc, err));
    for (JsonIter it = json_iter(&doc, json_get_c(&doc, JSON_ROOT, "output")); json_next(&it);) {
        if (str_eq(json_str_at(&doc, it.value, "type.coding.0.code"), s->step->held)) {
            run_name(s->demo, s->run, s->step->as,
                     json_str_at(&doc, it.value, "valueReference.reference"));
            s->demo->result.cases++;
        }
    }
    return OK;
}

static Status step_do(DemoScene *s, Err *err)
{
    const DemoStep *step = s->step;
    if (!str_empty(step->held)) {
        return step_held(s, err);
    }
    const DemoPost *post = demo_post_for(s->demo, step->role, s->run->person);
    mk_check(post);
    s->caller = demo_caller(s->demo, s->arena, post);
    s->request = (FlowRequest){.caller = &s->caller,
                               .reader = s->demo->reader,
                               .arena = s->arena,
                               .now_ms = clock_now(s->demo->options->clock)};
    s->demo->result.steps++;
    return str_empty(step->start) ? step_act(s, err) : step_start(s, err);
}

/* ---- The county's month
 * ------------------------------------------------------------------------------- */

/* Deadlines fall due while the clock moves: each fires at its own minute. */
static Status clock_move(Demo *d, int64_t to_ms, Err *err)
{
    for (;;) {
        size_t fired;
        int64_t next;
        TRY(flow_fire(d->options->flow, d->reader, clock_now(d->options->clock), &fired, &next,
                      err));
        if (next > to_ms) {
            break;
        }
        clock_set(d->options->clock,
                  next > clock_now(d->options->clock) ? next : clock_now(d->options->clock));
    }
    clock_set(d->options->clock, to_ms);
    return OK;
}

static int64_t wait_ms(Demo *d, int lo_min, int hi_min)
{
    return (lo_min + (int64_t)random_below(&d->random, (uint64_t)(hi_min - lo_min + 1))) *
               MS_MINUTE +
           (int64_t)random_below(&d->random, 60) * MS_SECOND;
}

/* A step that the engine refuses ends the story there; the county goes on. */
static Status run_step(Demo *d, const DemoScript *script, DemoQueue *queue, DemoRun *run, Err *err)
{
    TRY(clock_move(d, run->due_ms, err));
    Arena arena;
    arena_init(&arena, 64u << 20);
    Err refusal;
    err_init(&refusal, &arena);
    DemoScene scene = {.demo = d,
                       .script = script,
                       .run = run,
                       .arena = &arena,
                       .step = &run->scenario->step[run->step]};
    Status s = step_do(&scene, &refusal);
    if (s != OK) {
        d->result.refused++;
        log_info("demo", "a step was refused (%d): %.*s", status_http(s),
                 STR_ARG(refusal.first ? refusal.first->en : STR_NONE));
    } else if (++run->step < run->scenario->steps_n) {
        const DemoStep *next = &run->scenario->step[run->step];
        run->due_ms += wait_ms(d, next->wait_min, next->wait_max);
        if (run->due_ms < d->options->now_ms) {
            queue_push(queue, run);
        }
    }
    arena_done(&arena);
    return OK;
}

static const DemoScenario *scenario_pick(Demo *d, const DemoScript *script)
{
    int at = (int)random_below(&d->random, (uint64_t)script->weight_all);
    for (int i = 0; i < script->n; i++) {
        at -= script->scenario[i].weight;
        if (at < 0) {
            return &script->scenario[i];
        }
    }
    return &script->scenario[0];
}

/* Somebody of the age that the story is about on the day it begins. */
static const DemoPerson *person_pick(Demo *d, const DemoScenario *s, int64_t begin_ms)
{
    const DemoPerson *person = NULL;
    for (int i = 0; i < DEMO_PICK_TRIES; i++) {
        person = &d->person[random_below(&d->random, (uint64_t)d->persons_n)];
        int64_t age = (begin_ms / MS_DAY - person->born_day) * 4 / 1461;
        if (age >= s->age_min && age <= s->age_max) {
            break;
        }
    }
    return person;
}

static void run_begin(Demo *d, DemoQueue *queue, DemoRun *run, const DemoScenario *scenario)
{
    run->scenario = scenario;
    run->due_ms = d->options->now_ms - wait_ms(d, scenario->ago_min, scenario->ago_max);
    run->person = person_pick(d, scenario, run->due_ms);
    queue_push(queue, run);
}

/* A small county is shown busy; a large one has what its rooms and readers can do in a month. */
static int cases_drawn(int people)
{
    const int busy = 20000;
    return people <= busy ? people / 8 : busy / 8 + (people - busy) / 50;
}

Status demo_cases(Demo *d, Err *err)
{
    DemoScript script;
    TRY(demo_script_read(d->arena, d->options->scenarios, &script, err));
    int drawn = script.weight_all ? cases_drawn(d->persons_n) : 0, fixed = 0;
    for (int i = 0; i < script.n; i++) {
        fixed += script.scenario[i].count;
    }
    int all = drawn + fixed, n = 0;
    DemoRun *runs = arena_array(d->arena, DemoRun, all + 1);
    DemoQueue queue = {arena_array(d->arena, DemoRun *, all + 1), 0};
    for (int i = 0; i < drawn; i++) {
        run_begin(d, &queue, &runs[n++], scenario_pick(d, &script));
    }
    for (int i = 0; i < script.n; i++) {
        for (int k = 0; k < script.scenario[i].count; k++) {
            run_begin(d, &queue, &runs[n++], &script.scenario[i]);
        }
    }
    for (uint64_t done = 0; queue.n > 0; done++) {
        TRY(run_step(d, &script, &queue, queue_pop(&queue), err));
        if (d->options->progress && done % 50 == 0) {
            d->options->progress(d->options->progress_ctx, "cases", d->result.cases, (uint64_t)all);
        }
    }
    return clock_move(d, d->options->now_ms, err);
}
