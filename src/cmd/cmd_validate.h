/*
 * menkou validate [--profile URL] [--package FILE…] [--lang zh|en] [--quiet] FILE…
 *
 * Checks FHIR R4 resources in JSON: a file holds one resource (a Bundle is checked with all its
 * entries) or, when its name ends in .ndjson, one on each line; of a folder every such file. For
 * each resource one line with an OperationOutcome on stdout; which file and how many faults on
 * stderr. Exit: 0 all are valid, 1 some are not, 2 wrong use or a file that cannot be read.
 */
#ifndef CMD_VALIDATE_H
#define CMD_VALIDATE_H

int cmd_validate(int argc, char **argv);

#endif
