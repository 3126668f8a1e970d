#include "fhir_resource.h"
#include "fhir_validate.h"

/* Cuts "Type/id[/_history/version]" off the end of s; true with what stands before it in *base. */
static bool tail_parse(Str s, FhirRef *r)
{
    Str part[4], rest = s;
    int n = 0;
    while (n < 4 && rest.n) {
        size_t at = rest.n;
        while (at > 0 && rest.p[at - 1] != '/') {
            at--;
        }
        part[n++] = (Str){rest.p + at, rest.n - at};
        rest.n = at > 0 ? at - 1 : 0;
    }
    bool versioned = n == 4 && str_is(part[1], "_history");
    int id = versioned ? 2 : 0;
    if (n < id + 2 || !fhir_id_ok(part[id]) || !fhir_resource_find(part[id + 1])) {
        return false;
    }
    r->type = part[id + 1];
    r->id = part[id];
    r->version = versioned ? part[0] : STR_NONE;
    r->base = str_take(s, (size_t)(part[id + 1].p - s.p));
    return true;
}

static FhirRef absolute_parse(Str text)
{
    FhirRef r = {.kind = FHIR_REF_ABSOLUTE, .text = text};
    tail_parse(text, &r);
    return r;
}

static FhirRef relative_parse(Str text)
{
    FhirRef r = {.kind = FHIR_REF_OTHER, .text = text};
    Str head, query;
    if (str_cut(text, '?', &head, &query)) {
        if (fhir_resource_find(head)) {
            r.kind = FHIR_REF_SEARCH;
            r.type = head;
            r.query = query;
        }
    } else if (tail_parse(text, &r) && str_empty(r.base)) {
        r.kind = FHIR_REF_RELATIVE;
    }
    return r;
}

FhirRef fhir_ref_parse(Str text)
{
    if (str_starts(text, STR("#"))) {
        return (FhirRef){.kind = FHIR_REF_CONTAINED, .text = text, .id = str_skip(text, 1)};
    }
    if (str_starts(text, STR("urn:"))) {
        return (FhirRef){.kind = FHIR_REF_URN, .text = text};
    }
    return str_find(text, STR("://")) > 0 ? absolute_parse(text) : relative_parse(text);
}
