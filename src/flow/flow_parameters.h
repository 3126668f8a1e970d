/* Writing Parameters: the shape of $actions and $pathways. */
#ifndef FLOW_PARAMETERS_H
#define FLOW_PARAMETERS_H

#include "flow_inner.h"

void flow_part_begin(JsonWriter *w, const char *name);
void flow_part_text(JsonWriter *w, const char *name, const char *key, Str value);
void flow_part_flag(JsonWriter *w, const char *name, bool value);
void flow_part_resource(JsonWriter *w, const char *name, Str json);
void flow_group_begin(JsonWriter *w, const char *name);
void flow_group_end(JsonWriter *w);
/* An empty list is left out: R4 allows no empty arrays. */
void flow_parameters_end(Buf *out, Buf *list);

#endif
