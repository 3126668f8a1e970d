/* Inside the room: the county while it is being made. Everything lives in one process-long arena.
 */
#ifndef DEMO_INNER_H
#define DEMO_INNER_H

#include <pthread.h>

#include "demo.h"
#include "ecg_synth.h"

#define DEMO_CONSORTIUM "门县紧密型县域医共体"

enum {
    DEMO_DAYS_BACK = 30,    /* of slots, and of cases unless a scenario says more */
    DEMO_DAYS_AHEAD = 14,   /* of slots */
    DEMO_BATCH_ROWS = 4000, /* resources in one transaction */
    DEMO_DEPARTMENTS = 8,
    DEMO_HEARTS = 8,        /* synthetic recordings of each kind */
    DEMO_SERIALS = 1000,    /* on a card, for each day of birth */
    DEMO_DAYS_BORN = 47000, /* back from today: 128 years */
};

/* Somebody who works here, in one post. */
typedef struct DemoPost {
    Str practitioner, post, role, organization, name; /* references, role code, text */
    int township;                                     /* -1: county */
} DemoPost;

typedef struct DemoClinic {
    Str id, name; /* Organization id */
    int township;
    int doctor; /* index of its village doctor's post */
} DemoClinic;

typedef struct DemoTownship {
    Str id, name;
    int clinic, clinics_n;
} DemoTownship;

typedef struct DemoPerson {
    Str id, name; /* Patient id */
    int clinic;
    int born_day; /* days since 1970 */
} DemoPerson;

/* A batch of plain resources on its way into the store. */
typedef struct DemoLane {
    Arena arena;
    StoreBatch *batch; /* NULL: empty */
    int rows;
    bool running; /* committer is at work on it */
    pthread_t committer;
    Status status;
    Err err;
} DemoLane;

typedef struct Demo {
    const DemoOptions *options;
    Arena *arena; /* as long as the making */
    Random random;
    Store *store;
    StoreReader *reader;
    DemoLane lane[2]; /* one is filled while the other is committed */
    int filling;      /* which one */
    int64_t epoch_ms; /* when the county begins: now − DEMO_DAYS_LIVED */

    DemoTownship *township;
    int townships_n;
    DemoClinic *clinic;
    int clinics_n;
    DemoPost *post;
    int posts_n, posts_room;
    DemoPerson *person;
    int persons_n;
    uint8_t *cards; /* a bit for each day of birth and serial that somebody has */
    EcgRecording *heart[ECG_SYNTH_KINDS][DEMO_HEARTS];
    DemoResult result;
} Demo;

/* ---- demo_people.c: pure ---- */

typedef struct DemoBirth {
    Str name, family, given; /* 单桂枝 = 单 + 桂枝 */
    bool female;
    int year, month, day;
    int serial; /* of the card among those born on the day: odd for men; -1 without a card */
    Str card;   /* 18 characters, or empty: newborn without a card */
    Str phone;
} DemoBirth;

/* One resident born so that the county's ages come out right on the day of now_ms. */
DemoBirth demo_birth(Arena *a, Random *r, int64_t now_ms);
/* The card of a person with this birthday and serial. */
Str demo_card(Arena *a, const DemoBirth *b);
/* Name only, for staff. */
Str demo_name(Arena *a, Random *r, bool female);

/* ---- demo_batch.c: plain resources, written in large batches ---- */

/* The batch being filled, and its arena: as long as the batch, so until the next demo_put. */
StoreBatch *demo_batch(Demo *d);
Arena *demo_arena(Demo *d);
/* Begins a resource in a cleared b; the caller closes the object and puts it. */
JsonWriter demo_resource_open(Buf *b, const char *type, Str id);
/* Adds a resource; a full batch is committed by a thread of its own while the next one is filled.
 */
Status demo_put(Demo *d, Str type, Str id, const Buf *body, Err *err) MUST_USE;
/* All that was put is committed when it returns OK. */
Status demo_flush(Demo *d, Err *err) MUST_USE;
/* Ends what is still under way after a failure. */
void demo_drop(Demo *d);

/* ---- demo_county.c ---- */

Status demo_county(Demo *d, Err *err) MUST_USE;
/* The nth post with this role in a township (-1: county; -2: anywhere); NULL if there is none. */
const DemoPost *demo_post(const Demo *d, const char *role, int township, int nth);
/* The post who acts for a resident: village doctor of the clinic, township and county posts of it.
 */
const DemoPost *demo_post_for(const Demo *d, Str role, const DemoPerson *person);
AccessCaller demo_caller(const Demo *d, Arena *a, const DemoPost *post);

/* ---- demo_residents.c ---- */

Status demo_residents(Demo *d, Err *err) MUST_USE;

/* ---- demo_chart.c: the years before the county began ---- */

Status demo_charts(Demo *d, Err *err) MUST_USE;

/* ---- demo_accounts.c ---- */

Status demo_accounts(Demo *d, Err *err) MUST_USE;

/* ---- demo_scenario.c: scenarios.json read ---- */

typedef struct DemoStep {
    Str role, start, act, on, as, held, of; /* codes and names; empty where absent */
    int wait_min, wait_max;                 /* minutes after the step before */
    JsonRef answers;
} DemoStep;

typedef struct DemoScenario {
    int weight; /* share of the county's cases; 0: `count` times */
    int count;
    int ago_min, ago_max; /* minutes before now at which it begins */
    int age_min, age_max; /* whole years, of whom it befalls, when it begins */
    const DemoStep *step;
    int steps_n;
} DemoScenario;

typedef struct DemoScript {
    JsonDoc doc;
    const DemoScenario *scenario;
    int n, weight_all;
} DemoScript;

/* "key": [low, high], or [both]; what is not said stays as it is. */
void demo_range_read(const JsonDoc *d, JsonRef object, const char *key, int *lo, int *hi);
Status demo_script_read(Arena *a, Str text, DemoScript *ret, Err *err) MUST_USE;

/* ---- demo_fill.c ---- */

/* What an answer may speak of. */
typedef struct DemoFill {
    Demo *demo;
    Arena *arena;
    const DemoPerson *person;
    const AccessCaller *caller;
    int64_t now_ms;
} DemoFill;

/*
 * A QuestionnaireResponse for `action` out of a $actions answer (Parameters): what the form was
 * prefilled with, over it the script's answers. ret empty: the action has no form.
 */
Status demo_fill(const DemoFill *fill, const JsonDoc *actions, Str action, const JsonDoc *script,
                 JsonRef answers, Str *ret, Err *err) MUST_USE;

/* ---- demo_cases.c ---- */

Status demo_cases(Demo *d, Err *err) MUST_USE;

#endif
