/*
 * SearchParameter/$status: the server's own search parameters, what may be searched by and how far
 * the others are. What a SearchParameter must say is judged when it is written (api_write.c).
 */
#include "api_inner.h"
#include "fhir_write.h"
#include "store_params.h"

static const char *const STATES[] = {"building", "ready", "faulty"};

static void part_number(JsonWriter *w, const char *name, uint64_t value)
{
    json_open(w, '{');
    json_member_c(w, "name", name);
    json_member_i64(w, "valueInteger", (int64_t)value);
    json_close(w, '}');
}

static void param_write(ApiCall *c, JsonWriter *w, const StoreParam *p)
{
    json_open(w, '{');
    json_member_c(w, "name", "searchParameter");
    json_key_open(w, "part", '[');
    fhir_part_put(w, "reference", "valueString",
                  arena_cat(c->arena, STR("SearchParameter/"), p->id));
    fhir_part_put(w, "url", "valueUri", p->url);
    fhir_part_put(w, "code", "valueCode", p->code);
    fhir_part_put(w, "type", "valueCode", str_from_c(p->kind));
    fhir_part_put(w, "status", "valueCode", str_from_c(STATES[p->state]));
    if (p->state == STORE_PARAM_BUILDING) {
        part_number(w, "done", p->done);
        part_number(w, "total", p->total);
    }
    fhir_part_put(w, "reason", "valueString", c->lang == LANG_ZH ? p->zh : p->en);
    json_close(w, ']');
    json_close(w, '}');
}

Status api_params_status(ApiCall *c)
{
    StoreParam *list;
    size_t n;
    Buf out;
    c->what = STR("SearchParameter/$status");
    TRY(api_query_only(c, API_FORM_PARAMETERS));
    TRY(access_may(c->caller, ACCESS_READ, STR("$reindex"), &c->err));
    store_params_list(c->api->store, c->arena, &list, &n);
    JsonWriter w = fhir_begin(&out, "Parameters", STR_NONE);
    if (n) {
        json_key_open(&w, "parameter", '[');
        for (size_t i = 0; i < n; i++) {
            param_write(c, &w, &list[i]);
        }
        json_close(&w, ']');
    }
    c->result = (ApiResult){.status = 200, .body = json_end(&w, '}', c->arena)};
    return OK;
}
