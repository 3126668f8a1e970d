/*
 * Definitions out of packages and files, for the commands that check without a data directory:
 * profiles by url, code systems and value sets by url. R4's own are known without them.
 */
#ifndef CMD_DEFINITIONS_H
#define CMD_DEFINITIONS_H

#include "fhir_profile.h"
#include "fhir_term.h"

typedef struct CmdDefinitions CmdDefinitions;

CmdDefinitions *cmd_definitions_new(void);
void cmd_definitions_free(CmdDefinitions *d);
/* A package (.tgz, .tar.gz), or a definition or a Bundle of them in JSON. */
Status cmd_definitions_add(CmdDefinitions *d, const char *file, Err *err) MUST_USE;
FhirProfiles *cmd_definitions_profiles(CmdDefinitions *d);
const TermSource *cmd_definitions_terms(const CmdDefinitions *d);
/* Whether a file is named as a package is. */
bool cmd_is_package(const char *file);

#endif
