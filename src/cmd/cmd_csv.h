/* Tables of residents, staff and institutions into a data directory: menkou import --csv KIND. */
#ifndef CMD_CSV_H
#define CMD_CSV_H

#include "cmd_args.h"

typedef struct CmdCsv {
    const char *dir, *kind;
    const char *map; /* file; NULL: the program's own */
    bool dry;        /* says what would happen, writes nothing but the sheet of refusals */
} CmdCsv;

/* The program's own map of a kind on stdout. */
int cmd_csv_map_print(const char *kind);
/* The exit status. */
int cmd_csv_import(const CmdCsv *o, const char **file, size_t n);

#endif
