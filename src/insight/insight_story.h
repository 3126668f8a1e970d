/* What a person of a story sees of the figures (flow.h, FlowStoryFigures). */
#ifndef INSIGHT_STORY_H
#define INSIGHT_STORY_H

#include "insight.h"

Status insight_story_figures(const Flow *f, Store *s, StoreReader *r, const AccessCaller *caller,
                             const int64_t period_ms[2], Arena *a, Str *ret, Err *err) MUST_USE;

#endif
