#include "flow_parameters.h"

void flow_part_begin(JsonWriter *w, const char *name)
{
    json_open(w, '{');
    json_member_c(w, "name", name);
}

void flow_part_text(JsonWriter *w, const char *name, const char *key, Str value)
{
    if (value.n) {
        flow_part_begin(w, name);
        json_member_str(w, key, value);
        json_close(w, '}');
    }
}

void flow_part_flag(JsonWriter *w, const char *name, bool value)
{
    flow_part_begin(w, name);
    json_member_bool(w, "valueBoolean", value);
    json_close(w, '}');
}

void flow_part_resource(JsonWriter *w, const char *name, Str json)
{
    flow_part_begin(w, name);
    json_key(w, "resource");
    json_put_raw(w, json);
    json_close(w, '}');
}

void flow_group_begin(JsonWriter *w, const char *name)
{
    flow_part_begin(w, name);
    json_key_open(w, "part", '[');
}

void flow_group_end(JsonWriter *w)
{
    json_close(w, ']');
    json_close(w, '}');
}

/* An empty list is left out: R4 allows no empty arrays. */
void flow_parameters_end(Buf *out, Buf *list)
{
    buf_c(out, "{\"resourceType\":\"Parameters\"");
    if (list->n > 2) {
        buf_c(out, ",\"parameter\":");
        buf_add(out, buf_str(list));
    }
    buf_char(out, '}');
    out->failed |= list->failed;
    buf_done(list);
}
