/* The record of one opening in an emergency, as a resource. */
#include "api_glass.h"

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

static void put_reference(JsonWriter *w, Str reference, Str display)
{
    json_open(w, '{');
    json_member_str(w, "reference", reference);
    if (display.n) {
        json_member_str(w, "display", display);
    }
    json_close(w, '}');
}

/* [{"coding": [{system, code}], "text": …}] */
static void put_concept(JsonWriter *w, const char *key, const char *system, Str code, Str text)
{
    json_key(w, key);
    json_open(w, '[');
    json_open(w, '{');
    json_key(w, "coding");
    json_open(w, '[');
    json_open(w, '{');
    json_member_c(w, "system", system);
    json_member_str(w, "code", code);
    json_close(w, '}');
    json_close(w, ']');
    if (text.n) {
        json_member_str(w, "text", text);
    }
    json_close(w, '}');
    json_close(w, ']');
}

static void put_extensions(ApiCall *c, JsonWriter *w, const ApiGlass *g)
{
    json_key(w, "extension");
    json_open(w, '[');
    json_open(w, '{');
    json_member_c(w, "url", GLASS_UNTIL);
    json_member_str(w, "valueDateTime", time_iso(c->arena, g->until_ms, c->api->options.zone_min));
    json_close(w, '}');
    if (g->before.n) {
        json_open(w, '{');
        json_member_c(w, "url", GLASS_EXTENDS);
        json_key(w, "valueReference");
        put_reference(w, g->before, STR_NONE);
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
    json_key(w, "recipient");
    json_open(w, '[');
    if (g->organization.n) {
        put_reference(w, g->organization, STR_NONE);
    }
    for (size_t i = 0; i < g->office_n; i++) {
        put_reference(w, arena_cat(c->arena, STR("PractitionerRole/"), g->office[i].id), STR_NONE);
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
    json_key(w, "payload");
    json_open(w, '[');
    json_open(w, '{');
    json_member_str(w, "contentString", zh);
    json_key(w, "_contentString");
    json_put_raw(
        w, STR("{\"extension\":[{\"url\":\"http://hl7.org/fhir/StructureDefinition/translation\","
               "\"extension\":[{\"url\":\"lang\",\"valueCode\":\"en\"},{\"url\":\"content\","));
    buf_c(w->out, "\"valueString\":");
    buf_json_str(w->out, en);
    buf_c(w->out, "}]}]}");
    json_close(w, '}');
    json_close(w, ']');
}

Str api_glass_body(ApiCall *c, const ApiGlass *g)
{
    Buf out;
    buf_init(&out, 0);
    JsonWriter w = json_writer(&out);
    json_open(&w, '{');
    json_member_c(&w, "resourceType", "Communication");
    put_extensions(c, &w, g);
    json_member_c(&w, "status", "in-progress"); /* until it is reviewed */
    put_concept(&w, "category", "urn:menkou:alert", STR(GLASS_CATEGORY), STR_NONE);
    json_member_c(&w, "priority", "urgent");
    json_key(&w, "subject");
    put_reference(&w, g->patient, g->name);
    json_member_str(&w, "sent", time_iso(c->arena, g->now_ms, c->api->options.zone_min));
    put_recipients(c, &w, g);
    json_key(&w, "sender");
    put_reference(&w, c->caller->practitioner, c->caller->name);
    put_concept(&w, "reasonCode", GLASS_REASON, g->reason, g->text);
    put_payload(c, &w, g);
    json_close(&w, '}');
    return api_buf_take(c, &out);
}

static Str review_extension(ApiCall *c, Str verdict, Str text)
{
    Buf out;
    buf_init(&out, 0);
    JsonWriter w = json_writer(&out);
    json_open(&w, '{');
    json_member_c(&w, "url", GLASS_REVIEW);
    json_key(&w, "extension");
    json_open(&w, '[');
    json_put_raw(&w, STR("{\"url\":\"verdict\",\"valueCoding\":{\"system\":\"" GLASS_VERDICT
                         "\",\"code\":"));
    buf_json_str(&out, verdict);
    buf_c(&out, "}}");
    json_put_raw(&w, STR("{\"url\":\"text\",\"valueString\":"));
    buf_json_str(&out, text);
    buf_c(&out, "}");
    json_put_raw(&w, STR("{\"url\":\"by\",\"valueReference\":{"));
    if (c->caller->practitioner.n) {
        buf_c(&out, "\"reference\":");
        buf_json_str(&out, c->caller->practitioner);
        buf_char(&out, ',');
    }
    buf_c(&out, "\"display\":");
    buf_json_str(&out, c->caller->name);
    buf_c(&out, "}}");
    json_put_raw(&w, STR("{\"url\":\"at\",\"valueDateTime\":"));
    buf_json_str(&out, time_iso(c->arena, c->caller->view.now_ms, c->api->options.zone_min));
    buf_c(&out, "}");
    json_close(&w, ']');
    json_close(&w, '}');
    return api_buf_take(c, &out);
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
