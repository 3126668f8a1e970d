/* What a terminology resource is worth: deprecated, a draft … */
#include "fhir_term_inner.h"

static Str standing_stated(const TermItem *item)
{
    const JsonDoc *d = &item->doc;
    return json_str(d,
                    term_extension(d, item->ref, TERM_EXT("structuredefinition-standards-status")));
}

static bool is_draft(const TermItem *item)
{
    return str_is(json_str_at(&item->doc, item->ref, "status"), "draft") ||
           str_is(standing_stated(item), "draft");
}

static bool is_experimental(const TermItem *item)
{
    return json_is_true(&item->doc, json_get_c(&item->doc, item->ref, "experimental"));
}

TermStanding term_standing(const TermItem *item, const TermItem *from)
{
    Str stated = standing_stated(item);
    if (str_is(stated, "deprecated")) {
        return TERM_DEPRECATED;
    }
    if (str_is(stated, "withdrawn")) {
        return TERM_WITHDRAWN;
    }
    if (str_is(json_str_at(&item->doc, item->ref, "status"), "retired")) {
        return TERM_RETIRED;
    }
    if (is_experimental(item)) {
        return is_experimental(from) ? TERM_GOOD : TERM_EXPERIMENTAL;
    }
    return is_draft(item) && !is_draft(from) ? TERM_DRAFT : TERM_GOOD;
}
