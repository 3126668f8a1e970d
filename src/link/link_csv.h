/*
 * Tables of text as county offices keep them: CSV (RFC 4180) with commas, semicolons or tabs,
 * quoted fields that may hold line ends, CRLF or LF; in UTF-8 (with or without a mark), UTF-16
 * with a mark, or GB18030.
 *
 * Bounded: LINK_CSV_* below. A record that breaks a bound or a rule of quoting is an issue with
 * its line, and reading goes on at the next line after the record's first. Fields live in the
 * arena given or are parts of the bytes read, which must outlive them.
 */
#ifndef LINK_CSV_H
#define LINK_CSV_H

#include "mk.h"

#define LINK_CSV_BYTES_MAX   ((size_t)256 << 20)
#define LINK_CSV_COLUMNS_MAX 128
#define LINK_CSV_RECORD_MAX  ((size_t)1 << 20)

/* The whole file as UTF-8 without a mark; *ret_charset says what it was. ERR_INVALID,
 * ERR_TOO_LARGE. */
Status link_csv_decode(Arena *a, Str bytes, Str *ret, const char **ret_charset, Err *err) MUST_USE;

typedef struct LinkCsv {
    Str bytes; /* UTF-8 */
    size_t at;
    uint64_t line; /* of `at`, from 1 */
    char separator;
} LinkCsv;

typedef struct LinkRecord {
    const Str *field;
    size_t n;
    uint64_t line; /* of its first character */
    Str raw;       /* as it stands in the file, without the line end */
} LinkRecord;

typedef enum LinkCsvStep { LINK_CSV_RECORD, LINK_CSV_END, LINK_CSV_BAD } LinkCsvStep;

/* The separator is the one that occurs most in the first line. */
void link_csv_init(LinkCsv *c, Str bytes);
/* Empty lines are passed over. After LINK_CSV_BAD `raw` and `line` of *ret are set, and it may be
 * gone on with. */
LinkCsvStep link_csv_next(LinkCsv *c, Arena *a, LinkRecord *ret, Err *err);
/* One field as it must be written: in quotes where it holds a separator, a quote or a line end. */
void link_csv_put(Buf *out, Str field);

#endif
