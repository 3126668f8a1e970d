/*
 * An id as it stands in a file: a UUID in lower case as its 16 bytes, anything else as it is.
 */
#ifndef DB_ID_H
#define DB_ID_H

#include "mk.h"

#define DB_ID_BYTES 16
#define DB_ID_TEXT  36

bool db_id_pack(Str text, uint8_t ret[DB_ID_BYTES]); /* false: no UUID */
Str db_id_text(const char *packed, char room[DB_ID_TEXT]);

#endif
