/*
 * Definitions out of packages and files, for the commands that check without a data directory:
 * profiles, code systems, value sets and questionnaires by url. R4's own are known without them.
 */
#ifndef CMD_DEFINITIONS_H
#define CMD_DEFINITIONS_H

#include "fhir_profile.h"
#include "fhir_term.h"
#include "fhir_validate.h"

typedef struct CmdDefinitions CmdDefinitions;

CmdDefinitions *cmd_definitions_new(void);
void cmd_definitions_free(CmdDefinitions *d);
/* A package (.tgz, .tar.gz), or a definition or a Bundle of them (JSON or XML). */
Status cmd_definitions_add(CmdDefinitions *d, const char *file, Err *err) MUST_USE;
FhirProfiles *cmd_definitions_profiles(CmdDefinitions *d);
const TermSource *cmd_definitions_terms(const CmdDefinitions *d);
const FhirLibrary *cmd_definitions_library(const CmdDefinitions *d);
/* Whether a file is named as a package is. */
bool cmd_is_package(const char *file);

#endif
