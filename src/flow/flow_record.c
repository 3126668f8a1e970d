/* The record of a step: its Provenance. */
#include "fhir_write.h"
#include "flow_inner.h"

/* Also for what the clock does: the system has a name, but is nobody of the county. */
static void who_put(JsonWriter *w, const FlowStep *st)
{
    const AccessCaller *caller = st->tx->caller;
    json_key_open(w, "who", '{');
    json_member_str(w, "reference", caller->practitioner);
    json_member_str(w, "display", caller->practitioner.n ? caller->name : STR("系统 System"));
    json_close(w, '}');
    fhir_reference_put(w, "onBehalfOf", caller->post.organization, caller->post.organization_name);
}

Str flow_provenance_body(const FlowStep *st, Str vid)
{
    Arena *a = st->tx->arena;
    Str now = time_iso(a, st->tx->now_ms, st->tx->zone_min);
    Str title = st->action->title.zh.n ? st->action->title.zh : st->action->code;
    Buf out;
    JsonWriter w = fhir_begin(&out, "Provenance", STR_NONE);
    json_key_open(&w, "target", '[');
    json_put_raw(&w, arena_cat(a, STR("{\"reference\":\""), st->c->reference, STR("/_history/"),
                               vid, STR("\"}")));
    if (st->c->patient.n) { /* so that whoever sees the patient sees what was done */
        json_put_raw(&w, arena_cat(a, STR("{\"reference\":\""), st->c->patient, STR("\"}")));
    }
    json_close(&w, ']');
    json_member_str(&w, "occurredDateTime", now);
    json_member_str(&w, "recorded", now);
    fhir_concept_put(&w, "activity", STR(FLOW_SYSTEM_ACTION), st->action->code, title);
    json_key_open(&w, "agent", '[');
    json_open(&w, '{');
    who_put(&w, st);
    json_close(&w, '}');
    json_close(&w, ']');
    if (st->response.n) {
        json_key_open(&w, "entity", '[');
        json_put_raw(&w, arena_cat(a, STR("{\"role\":\"source\",\"what\":{\"reference\":\""),
                                   st->response, STR("\"}}")));
        json_close(&w, ']');
    }
    return json_end(&w, '}', a);
}
