/* Between the two halves of the XML reader: the tree that the parser builds and JSON is made from.
 */
#ifndef FHIR_XML_INNER_H
#define FHIR_XML_INNER_H

#include "fhir_xml.h"

/* One element: a member of its parent's type, or a resource itself. */
typedef struct XmlNode {
    struct XmlNode *parent, *before, *first, *last, *next;
    FhirMember member;    /* of a resource's own element: elem is NULL */
    const FhirType *type; /* of what stands inside; abstract for one that holds a resource */
    Str key;              /* name of the member, or of the resource */
    Str id, url;          /* attributes */
    Str value;            /* attribute of a primitive, or a narrative's bytes; p NULL: absent */
    int line;
    bool inner; /* a resource that its parent holds */
} XmlNode;

/* fhir_xml_json.c: the resource below `root`. */
Status fhir_xml_json(Arena *a, const XmlNode *root, Str *ret, Err *err) MUST_USE;
/* "Patient.name.given" */
Str fhir_xml_path(Arena *a, const XmlNode *node);

#endif
