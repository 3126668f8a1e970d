/* A resource out of a file, for the commands that read them: JSON or XML, told by how it begins. */
#ifndef CMD_RESOURCE_H
#define CMD_RESOURCE_H

#include "json.h"

/*
 * The document lives in `a`, over `bytes` or over the JSON made of the XML. ERR_INVALID: neither
 * well-formed JSON nor XML; ERR_UNPROCESSABLE: XML with elements that R4 does not have.
 */
Status cmd_resource_parse(Arena *a, Str bytes, const JsonLimits *limits, JsonDoc *ret,
                          Err *err) MUST_USE;

#endif
