/*
 * Files inside the program (tools/embed.mjs): the workstation, the county's packages, what the
 * synthetic county does.
 */
#ifndef EMBED_H
#define EMBED_H

#include "api.h"

extern const ApiFiles embed_web;      /* empty when built without -Dweb */
extern const ApiFiles embed_pathways; /* "PATHWAY/pathway.json" … */
extern const ApiFiles embed_maps;     /* "residents.json" …: which column of a table means what */
extern const ApiFiles embed_demo;     /* "scenarios.json", "chart.json" */

#endif
