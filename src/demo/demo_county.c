/* The county hospital, townships and clinics with their posts, and who of them acts for whom. */
#include "demo_inner.h"

#include "fhir_write.h"

static const char *const TOWNS[] = {
#define SURNAME(text, weight)
#define GIVEN(text, sex)
#define TOWN(text) text,
#define VILLAGE(text)
#include "demo_names.def"
#undef TOWN
#undef VILLAGE
};

static const char *const VILLAGES[] = {
#define TOWN(text)
#define VILLAGE(text) text,
#include "demo_names.def"
#undef SURNAME
#undef GIVEN
#undef TOWN
#undef VILLAGE
};

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static const struct {
    const char *id, *name;
} DEPARTMENTS[DEMO_DEPARTMENTS] = {
    {"cardiology", "心内科"},    {"neurology", "神经内科"}, {"emergency", "急诊科"},
    {"respiratory", "呼吸内科"}, {"orthopaedics", "骨科"},  {"obstetrics", "妇产科"},
    {"paediatrics", "儿科"},     {"surgery", "普外科"},
};

/* ---- Writing small resources -------------------------------------------------------------- */

static void put_active_kind(JsonWriter *w, Str system, const char *code)
{
    json_member_bool(w, "active", true);
    fhir_concepts_put(w, "type", system, str_from_c(code), STR_NONE);
}

static Status organization_put(Demo *d, Buf *b, Str id, Str name, const char *kind, Str part_of,
                               Err *err)
{
    JsonWriter w = demo_resource_open(b, "Organization", id);
    put_active_kind(&w, STR("urn:menkou:institution"), kind);
    json_member_str(&w, "name", name);
    fhir_reference_put(&w, "partOf", part_of, STR_NONE);
    json_close(&w, '}');
    return demo_put(d, STR("Organization"), id, b, err);
}

/* ---- Staff ------------------------------------------------------------------------------------
 */

static Status practitioner_put(Demo *d, Buf *b, Str id, Str name, Err *err)
{
    JsonWriter w = demo_resource_open(b, "Practitioner", id);
    json_member_bool(&w, "active", true);
    fhir_texts_put(&w, "name", name);
    json_close(&w, '}');
    return demo_put(d, STR("Practitioner"), id, b, err);
}

static Status post_put(Demo *d, Buf *b, Str id, const DemoPost *p, Str function, Err *err)
{
    JsonWriter w = demo_resource_open(b, "PractitionerRole", id);
    json_member_bool(&w, "active", true);
    fhir_reference_put(&w, "practitioner", p->practitioner, STR_NONE);
    fhir_reference_put(&w, "organization", p->organization, STR_NONE);
    json_key_open(&w, "code", '[');
    fhir_concept_put(&w, NULL, STR("urn:menkou:role"), p->role, STR_NONE);
    if (!str_empty(function)) {
        fhir_concept_put(&w, NULL, STR("urn:menkou:function"), function, STR_NONE);
    }
    json_close(&w, ']');
    json_close(&w, '}');
    return demo_put(d, STR("PractitionerRole"), id, b, err);
}

/* One more member of staff; returns its index in *ret. */
static Status staff_add(Demo *d, Buf *b, const char *role, Str organization_id, int township,
                        Str function, int *ret, Err *err)
{
    Arena *a = d->arena;
    mk_check(d->posts_n < d->posts_room);
    Str key = arena_printf(a, "%.*s-%s-%d", STR_ARG(organization_id), role, d->posts_n);
    DemoPost *p = &d->post[d->posts_n];
    p->practitioner = arena_cat(a, STR("Practitioner/"), key);
    p->post = arena_cat(a, STR("PractitionerRole/"), key);
    p->role = str_from_c(role);
    p->organization = arena_cat(a, STR("Organization/"), organization_id);
    p->name = demo_name(a, &d->random, random_below(&d->random, 2) == 0);
    p->township = township;
    TRY(practitioner_put(d, b, key, p->name, err));
    TRY(post_put(d, b, key, p, function, err));
    if (ret) {
        *ret = d->posts_n;
    }
    d->posts_n++;
    return OK;
}

/* Role and function of the posts that each kind of institution has. */
typedef struct Staffing {
    const char *role, *function;
} Staffing;

static const Staffing TOWN_STAFF[] = {
    {"technician", ""},          {"township-doctor", "duty-doctor"},
    {"township-doctor", "head"}, {"township-doctor", "duty-office"},
    {"family-doctor", ""},
};
static const Staffing COUNTY_STAFF[] = {
    {"reader", ""},          {"reader", "head"},
    {"county-doctor", ""},   {"county-doctor", "duty-doctor"},
    {"referral-office", ""}, {"referral-office", "duty-office"},
};

static Status staff_all(Demo *d, Buf *b, const Staffing *staff, int n, Str organization_id,
                        int township, Err *err)
{
    for (int i = 0; i < n; i++) {
        TRY(staff_add(d, b, staff[i].role, organization_id, township, str_from_c(staff[i].function),
                      NULL, err));
    }
    return OK;
}

/* ---- The county hospital and its departments ---------------------------------------------------
 */

static Status service_put(Demo *d, Buf *b, Str id, const char *name, const char *kind, Err *err)
{
    JsonWriter w = demo_resource_open(b, "HealthcareService", id);
    put_active_kind(&w, STR("urn:menkou:service"), kind);
    fhir_reference_put(&w, "providedBy", STR("Organization/county-hospital"), STR_NONE);
    json_member_c(&w, "name", name);
    json_close(&w, '}');
    return demo_put(d, STR("HealthcareService"), id, b, err);
}

static Status slot_put(Demo *d, Buf *b, Str schedule_id, int64_t start_ms, Err *err)
{
    Str id = uuid7(demo_arena(d), &d->random, d->epoch_ms);
    JsonWriter w = demo_resource_open(b, "Slot", id);
    fhir_reference_put(&w, "schedule", arena_cat(demo_arena(d), STR("Schedule/"), schedule_id),
                       STR_NONE);
    json_member_c(&w, "status", "free");
    int zone = store_zone_min(d->store);
    json_member_str(&w, "start", time_iso(demo_arena(d), start_ms, zone));
    json_member_str(&w, "end", time_iso(demo_arena(d), start_ms + 30 * MS_MINUTE, zone));
    json_close(&w, '}');
    return demo_put(d, STR("Slot"), id, b, err);
}

/* Half-hours 8:00–11:30 and 14:00–16:30, every day: a referral does not wait for Monday. */
static Status slots_put(Demo *d, Buf *b, Str schedule_id, Err *err)
{
    int zone = store_zone_min(d->store);
    int64_t first_ms = d->options->now_ms - DEMO_DAYS_BACK * MS_DAY;
    int64_t midnight = (first_ms + zone * MS_MINUTE) / MS_DAY * MS_DAY - zone * MS_MINUTE;
    for (int day = 0; day <= DEMO_DAYS_BACK + DEMO_DAYS_AHEAD; day++) {
        for (int half = 16; half < 34; half++) {
            if (half >= 24 && half < 28) {
                continue;
            }
            TRY(slot_put(d, b, schedule_id, midnight + day * MS_DAY + half * 30 * MS_MINUTE, err));
        }
    }
    return OK;
}

static Status department_put(Demo *d, Buf *b, int i, Err *err)
{
    Str id = str_from_c(DEPARTMENTS[i].id);
    TRY(service_put(d, b, id, DEPARTMENTS[i].name, "department", err));
    Str schedule = arena_cat(d->arena, STR("schedule-"), id);
    JsonWriter w = demo_resource_open(b, "Schedule", schedule);
    json_member_bool(&w, "active", true);
    json_key_open(&w, "actor", '[');
    fhir_reference_put(&w, NULL, arena_cat(d->arena, STR("HealthcareService/"), id), STR_NONE);
    json_close(&w, ']');
    json_close(&w, '}');
    TRY(demo_put(d, STR("Schedule"), schedule, b, err));
    return slots_put(d, b, schedule, err);
}

static Status hospital_put(Demo *d, Buf *b, Err *err)
{
    static const Staffing OFFICE[] = {{"consortium-office", ""}};
    TRY(organization_put(d, b, STR("consortium"), STR(DEMO_CONSORTIUM), "consortium", STR_NONE,
                         err));
    TRY(staff_all(d, b, OFFICE, COUNT(OFFICE), STR("consortium"), -1, err));
    TRY(organization_put(d, b, STR("county-hospital"), STR("门县人民医院"), "county-hospital",
                         STR("Organization/consortium"), err));
    TRY(staff_all(d, b, COUNTY_STAFF, COUNT(COUNTY_STAFF), STR("county-hospital"), -1, err));
    TRY(service_put(d, b, STR("ecg-centre"), "门县心电诊断中心", "ecg-reading", err));
    for (int i = 0; i < DEMO_DEPARTMENTS; i++) {
        TRY(department_put(d, b, i, err));
    }
    return OK;
}

/* ---- Townships and villages --------------------------------------------------------------------
 */

static Status clinic_put(Demo *d, Buf *b, int township, int nth, Err *err)
{
    DemoClinic *c = &d->clinic[d->clinics_n];
    const DemoTownship *t = &d->township[township];
    c->township = township;
    c->id = arena_printf(d->arena, "clinic-%d-%d", township + 1, nth + 1);
    c->name = arena_printf(d->arena, "%s%s村卫生室", TOWNS[township % COUNT(TOWNS)],
                           VILLAGES[(nth + township * 5) % COUNT(VILLAGES)]);
    TRY(organization_put(d, b, c->id, c->name, "village-clinic",
                         arena_cat(d->arena, STR("Organization/"), t->id), err));
    TRY(staff_add(d, b, "village-doctor", c->id, township, STR_NONE, &c->doctor, err));
    d->clinics_n++;
    return OK;
}

static Status township_put(Demo *d, Buf *b, int i, int clinics, Err *err)
{
    DemoTownship *t = &d->township[i];
    t->id = arena_printf(d->arena, "township-%d", i + 1);
    const char *town = TOWNS[i % COUNT(TOWNS)];
    bool is_town = str_ends(str_from_c(town), STR("镇"));
    t->name = arena_printf(d->arena, "%s%s", town, is_town ? "中心卫生院" : "卫生院");
    t->clinic = d->clinics_n;
    t->clinics_n = clinics;
    TRY(organization_put(d, b, t->id, t->name, "township-hospital", STR("Organization/consortium"),
                         err));
    TRY(staff_all(d, b, TOWN_STAFF, COUNT(TOWN_STAFF), t->id, i, err));
    for (int c = 0; c < clinics; c++) {
        TRY(clinic_put(d, b, i, c, err));
    }
    return OK;
}

static int clamp(int v, int lo, int hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

Status demo_county(Demo *d, Err *err)
{
    int people = d->options->people;
    d->townships_n = clamp(3 + people / 25000, 3, COUNT(TOWNS));
    int clinics = clamp(people / d->townships_n / 400, 3, COUNT(VILLAGES));
    d->township = arena_array(d->arena, DemoTownship, d->townships_n);
    d->clinic = arena_array(d->arena, DemoClinic, d->townships_n * clinics);
    d->posts_room = COUNT(COUNTY_STAFF) + 2 + d->townships_n * (COUNT(TOWN_STAFF) + clinics);
    d->post = arena_array(d->arena, DemoPost, d->posts_room);
    Buf b;
    buf_init(&b, 1 << 20);
    Status s = hospital_put(d, &b, err);
    for (int i = 0; i < d->townships_n && s == OK; i++) {
        s = township_put(d, &b, i, clinics, err);
    }
    /* A township that reads its own tracings: the second reader, who must see nothing of the
     * first's. */
    s = s == OK ? staff_add(d, &b, "reader", d->township[1].id, 1, STR_NONE, NULL, err) : s;
    s = s == OK ? demo_flush(d, err) : s;
    buf_done(&b);
    return s;
}

/* ---- Who acts ---------------------------------------------------------------------------------
 */

const DemoPost *demo_post(const Demo *d, const char *role, int township, int nth)
{
    for (int i = 0; i < d->posts_n; i++) {
        const DemoPost *p = &d->post[i];
        if (str_is(p->role, role) && (township == -2 || p->township == township) && nth-- == 0) {
            return p;
        }
    }
    return NULL;
}

static bool post_serves(const DemoPost *p, Str role, int township)
{
    bool foreign_reader = str_is(role, "reader") && p->township != -1;
    return str_eq(p->role, role) && !foreign_reader &&
           (p->township == township || p->township == -1);
}

const DemoPost *demo_post_for(const Demo *d, Str role, const DemoPerson *person)
{
    const DemoClinic *clinic = &d->clinic[person->clinic];
    if (str_is(role, "village-doctor")) {
        return &d->post[clinic->doctor];
    }
    int here = 0;
    for (int i = 0; i < d->posts_n; i++) {
        here += post_serves(&d->post[i], role, clinic->township);
    }
    /* The same person stays with a resident's story: who claims also reports. */
    int nth = here ? (int)((size_t)(person - d->person) % (size_t)here) : 0;
    for (int i = 0; i < d->posts_n; i++) {
        if (post_serves(&d->post[i], role, clinic->township) && nth-- == 0) {
            return &d->post[i];
        }
    }
    return NULL;
}

static size_t sight_of(const Demo *d, Arena *a, const DemoPost *post, Str *orgs)
{
    size_t n = 0;
    orgs[n++] = post->organization;
    for (int i = 0; i < d->clinics_n; i++) {
        const DemoTownship *t = &d->township[d->clinic[i].township];
        Str township = arena_cat(a, STR("Organization/"), t->id);
        if (post->township == d->clinic[i].township && str_eq(post->organization, township)) {
            orgs[n++] = arena_cat(a, STR("Organization/"), d->clinic[i].id);
        }
    }
    return n;
}

AccessCaller demo_caller(const Demo *d, Arena *a, const DemoPost *post)
{
    AccessCaller c = {0};
    c.username = post->post;
    c.name = post->name;
    c.practitioner = post->practitioner;
    c.post = (AccessPost){post->post, post->role, post->organization, STR_NONE};
    AccessPost *posts = arena_new(a, AccessPost);
    *posts = c.post;
    c.posts = posts;
    c.posts_n = 1;
    Str *orgs = arena_array(a, Str, d->clinics_n + 1);
    c.view = (StoreView){.clinical = true,
                         .orgs = orgs,
                         .orgs_n = sight_of(d, a, post, orgs),
                         .person = post->practitioner,
                         .now_ms = clock_now(d->options->clock)};
    c.lang = LANG_ZH;
    return c;
}
