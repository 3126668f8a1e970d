/* The record of one opening in an emergency, as a resource. */
#include "api_glass.h"
#include "fhir_write.h"

/* ---- Reading -----------------------------------------------------------------------------------
 */

bool api_glass_is_record(const JsonDoc *d)
{
    for (JsonIter c = json_iter(d, json_get_c(d, JSON_ROOT, "category")); json_next(&c);) {
        for (JsonIter k = json_iter(d, json_get_c(d, c.value, "coding")); json_next(&k);) {
            if (str_is(json_str_at(d, k.value, "system"), "urn:menkou:alert") &&
                str_is(json_str_at(d, k.value, "code"), GLASS_CATEGORY)) {
                return true;
            }
        }
    }
    return false;
}

int64_t api_glass_until(const JsonDoc *d)
{
    int64_t at = TIME_NONE;
    for (JsonIter it = json_iter(d, json_get_c(d, JSON_ROOT, "extension")); json_next(&it);) {
        if (str_is(json_str_at(d, it.value, "url"), GLASS_UNTIL) &&
            !time_parse(json_str_at(d, it.value, "valueDateTime"), 0, &at)) {
            at = TIME_NONE;
        }
    }
    return at;
}

Status api_glass_refuse(Err *err)
{
    return err_rule(err, ERR_CONFLICT, STR("glass-record"), STR("Communication.category"),
                    "紧急查看的记录只能由 $break-glass 产生、由 $review 复核",
                    "A break-glass record is made by $break-glass and changed by $review alone");
}

Status api_glass_guard(ApiCall *c, const StoreVersion *before, Err *err)
{
    JsonDoc d;
    if (!before || !str_is(before->type, "Communication")) {
        return OK;
    }
    TRY(json_parse(c->arena, before->body, &JSON_LIMITS_FHIR, &d, err));
    return api_glass_is_record(&d) ? api_glass_refuse(err) : OK;
}

/* ---- Writing -----------------------------------------------------------------------------------
 */

static void put_extensions(ApiCall *c, JsonWriter *w, const ApiGlass *g)
{
    json_key_open(w, "extension", '[');
    fhir_extension_open(w, GLASS_UNTIL);
    json_member_str(w, "valueDateTime", time_iso(c->arena, g->until_ms, c->api->options.zone_min));
    json_close(w, '}');
    if (g->before.n) {
        fhir_extension_open(w, GLASS_EXTENDS);
        fhir_reference_put(w, "valueReference", g->before, STR_NONE);
        json_close(w, '}');
    }
    json_close(w, ']');
}

/* The organisation in charge, and who answers for access in the county. */
static void put_recipients(ApiCall *c, JsonWriter *w, const ApiGlass *g)
{
    if (!g->organization.n && !g->office_n) {
        return;
    }
    json_key_open(w, "recipient", '[');
    fhir_reference_put(w, NULL, g->organization, STR_NONE);
    for (size_t i = 0; i < g->office_n; i++) {
        fhir_reference_put(w, NULL, arena_cat(c->arena, STR("PractitionerRole/"), g->office[i].id),
                           STR_NONE);
    }
    json_close(w, ']');
}

static void put_payload(ApiCall *c, JsonWriter *w, const ApiGlass *g)
{
    const AccessCaller *who = c->caller;
    Str until = time_iso(c->arena, g->until_ms, c->api->options.zone_min);
    Str zh = arena_cat(c->arena, who->name, STR("（"), who->post.organization_name);
    zh = arena_cat(c->arena, zh, STR("）紧急查看了 "), g->name);
    zh = arena_cat(c->arena, zh, STR(" 的档案，至 "), until, STR("："), g->text);
    Str en = arena_cat(c->arena, who->name, STR(" ("), who->post.organization_name);
    en = arena_cat(c->arena, en, STR(") opened the record of "), g->name);
    en = arena_cat(c->arena, en, STR(" in an emergency, until "), until, STR(": "), g->text);
    json_key_open(w, "payload", '[');
    json_open(w, '{');
    fhir_translated_put(w, "contentString", zh, en);
    json_close(w, '}');
    json_close(w, ']');
}

/* The code is the parameter's, the text the caller's own words. */
static void put_reason(JsonWriter *w, const ApiGlass *g)
{
    json_key_open(w, "reasonCode", '[');
    json_open(w, '{');
    fhir_coding_put(w, STR(GLASS_REASON), g->reason, STR_NONE);
    json_member_str(w, "text", g->text);
    json_close(w, '}');
    json_close(w, ']');
}

Str api_glass_body(ApiCall *c, const ApiGlass *g)
{
    Buf out;
    JsonWriter w = fhir_begin(&out, "Communication", STR_NONE);
    put_extensions(c, &w, g);
    json_member_c(&w, "status", "in-progress"); /* until it is reviewed */
    fhir_concepts_put(&w, "category", STR("urn:menkou:alert"), STR(GLASS_CATEGORY), STR_NONE);
    json_member_c(&w, "priority", "urgent");
    fhir_reference_put(&w, "subject", g->patient, g->name);
    json_member_str(&w, "sent", time_iso(c->arena, g->now_ms, c->api->options.zone_min));
    put_recipients(c, &w, g);
    fhir_reference_put(&w, "sender", c->caller->practitioner, c->caller->name);
    put_reason(&w, g);
    put_payload(c, &w, g);
    return json_end(&w, '}', c->arena);
}

static Str review_extension(ApiCall *c, Str verdict, Str text)
{
    Buf out;
    JsonWriter w = json_begin(&out, '{');
    json_member_c(&w, "url", GLASS_REVIEW);
    json_key_open(&w, "extension", '[');
    fhir_extension_open(&w, "verdict");
    json_key_open(&w, "valueCoding", '{');
    json_member_c(&w, "system", GLASS_VERDICT);
    json_member_str(&w, "code", verdict);
    json_close(&w, '}');
    json_close(&w, '}');
    fhir_extension_open(&w, "text");
    json_member_str(&w, "valueString", text);
    json_close(&w, '}');
    fhir_extension_open(&w, "by");
    json_key_open(&w, "valueReference", '{');
    json_member_str(&w, "reference", c->caller->practitioner);
    json_member_str(&w, "display", c->caller->name);
    json_close(&w, '}');
    json_close(&w, '}');
    fhir_extension_open(&w, "at");
    json_member_str(&w, "valueDateTime",
                    time_iso(c->arena, c->caller->view.now_ms, c->api->options.zone_min));
    json_close(&w, '}');
    json_close(&w, ']');
    return json_end(&w, '}', c->arena);
}

Str api_glass_reviewed(ApiCall *c, const JsonDoc *d, Str verdict, Str text)
{
    JsonRef list = json_get_c(d, JSON_ROOT, "extension");
    JsonRef status = json_get_c(d, JSON_ROOT, "status");
    Str raw = json_raw(d, list);
    Str open = str_take(raw, raw.n - 1); /* without its "]" */
    JsonSplice splice[] = {
        {d->tok[list].at, d->tok[list].end,
         arena_cat(c->arena, open, STR(","), review_extension(c, verdict, text), STR("]"))},
        {d->tok[status].at, d->tok[status].end, STR("\"completed\"")},
    };
    return json_splice(c->arena, d->bytes, splice, 2);
}
