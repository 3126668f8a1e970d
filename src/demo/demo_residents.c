/* The people of the county: each a Patient with a card of their own, of one clinic's catchment. */
#include "demo_inner.h"

#include "fhir_card.h"
#include "fhir_write.h"

static void put_identifier(JsonWriter *w, Str card)
{
    if (str_empty(card)) {
        return;
    }
    json_key_open(w, "identifier", '[');
    json_open(w, '{');
    json_member_c(w, "use", "official");
    json_member_c(w, "system", FHIR_CARD_SYSTEM);
    json_member_str(w, "value", card);
    json_close(w, '}');
    json_close(w, ']');
}

static void put_name(JsonWriter *w, const DemoBirth *p)
{
    json_key_open(w, "name", '[');
    json_open(w, '{');
    json_member_c(w, "use", "official");
    json_member_str(w, "text", p->name);
    json_member_str(w, "family", p->family);
    json_key_open(w, "given", '[');
    json_put_str(w, p->given);
    json_close(w, ']');
    json_close(w, '}');
    json_close(w, ']');
}

static void put_contact(JsonWriter *w, Str phone, Str address)
{
    json_key_open(w, "telecom", '[');
    json_open(w, '{');
    json_member_c(w, "system", "phone");
    json_member_str(w, "value", phone);
    json_member_c(w, "use", "mobile");
    json_close(w, '}');
    json_close(w, ']');
    json_key_open(w, "address", '[');
    json_open(w, '{');
    json_member_str(w, "text", address);
    json_close(w, '}');
    json_close(w, ']');
}

static bool card_claim(Demo *d, const DemoBirth *p)
{
    int64_t born = days_from_civil(p->year, p->month, p->day);
    size_t bit = (size_t)(d->options->now_ms / MS_DAY - born) * DEMO_SERIALS + (size_t)p->serial;
    bool is_free = !(d->cards[bit / 8] >> bit % 8 & 1);
    d->cards[bit / 8] |= (uint8_t)(1u << bit % 8);
    return is_free;
}

/* Two people never have one card: who comes later gets the next serial of the day and sex. */
static void card_settle(Demo *d, DemoBirth *p)
{
    if (str_empty(p->card)) {
        return;
    }
    while (!card_claim(d, p)) {
        p->serial = (p->serial + 2) % DEMO_SERIALS;
        p->card = demo_card(demo_arena(d), p);
    }
}

static Status resident_put(Demo *d, Buf *b, int i, Err *err)
{
    Arena *a = demo_arena(d);
    DemoBirth p = demo_birth(a, &d->random, d->options->now_ms);
    card_settle(d, &p);
    const DemoClinic *clinic = &d->clinic[random_below(&d->random, (uint64_t)d->clinics_n)];
    DemoPerson *person = &d->person[i];
    person->id = uuid7(d->arena, &d->random, d->epoch_ms);
    person->name = arena_str(d->arena, p.name);
    person->clinic = (int)(clinic - d->clinic);
    person->born_day = (int)days_from_civil(p.year, p.month, p.day);
    JsonWriter w = demo_resource_open(b, "Patient", person->id);
    put_identifier(&w, p.card);
    json_member_bool(&w, "active", true);
    put_name(&w, &p);
    Str village = str_take(clinic->name, clinic->name.n - strlen("卫生室"));
    put_contact(&w, p.phone, arena_cat(a, STR("门县"), village));
    json_member_c(&w, "gender", p.female ? "female" : "male");
    json_member_str(&w, "birthDate", arena_printf(a, "%04d-%02d-%02d", p.year, p.month, p.day));
    Str organization = arena_cat(a, STR("Organization/"), clinic->id);
    fhir_reference_put(&w, "managingOrganization", organization, STR_NONE);
    json_close(&w, '}');
    store_batch_grant(demo_batch(d), organization, person->id, STR("catchment"),
                      arena_cat(a, STR("Patient/"), person->id), d->epoch_ms, TIME_FOREVER);
    return demo_put(d, STR("Patient"), person->id, b, err);
}

Status demo_residents(Demo *d, Err *err)
{
    const DemoOptions *o = d->options;
    d->persons_n = o->people;
    d->person = arena_array(d->arena, DemoPerson, d->persons_n);
    d->cards = arena_array(d->arena, uint8_t, (size_t)DEMO_DAYS_BORN * DEMO_SERIALS / 8);
    Buf b;
    buf_init(&b, 1 << 20);
    Status s = OK;
    for (int i = 0; i < o->people && s == OK; i++) {
        s = resident_put(d, &b, i, err);
        if (o->progress && (i + 1) % DEMO_BATCH_ROWS == 0) {
            o->progress(o->progress_ctx, "residents", (uint64_t)i + 1, (uint64_t)o->people);
        }
    }
    s = s == OK ? demo_flush(d, err) : s;
    buf_done(&b);
    d->result.residents = (uint64_t)o->people;
    return s;
}
