/*
 * The XML form of R4 resources, to and from the JSON that is kept. Both hold the same content:
 * decimals keep their digits, narrative keeps its bytes, extensions of primitives their places.
 * What JSON does not have is lost on the way in: comments, the order between different elements.
 *
 * Reading is strict and bounded: UTF-8 only, no document type (so no entities of its own), nothing
 * is fetched, at most FHIR_XML_DEPTH levels. An element or attribute that R4 does not have is
 * refused with its path and line; whether values and cardinalities are right, the validator says
 * of the JSON.
 */
#ifndef FHIR_XML_H
#define FHIR_XML_H

#include "fhir_types.h"
#include "json.h"

#define FHIR_XML_DEPTH 200u

/* ERR_INVALID: not well-formed, or no resource of R4; ERR_UNPROCESSABLE: an element or attribute
 * that the type does not have. */
Status fhir_xml_read(Arena *a, Str xml, Str *ret_json, Err *err) MUST_USE;

/* A valid resource as XML, with a declaration; pretty: an element a line, narrative as it is. The
 * arena is for scratch. */
void fhir_xml_write(Arena *a, Buf *out, const JsonDoc *d, JsonRef resource, bool pretty);

#endif
