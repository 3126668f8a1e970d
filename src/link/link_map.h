/*
 * Which column of a table means what (docs/formats/csv.md). A map is data: for each element the
 * headers that name it, values as they stand in the table and what they mean, and what holds
 * where a cell is empty. The program's own maps are maps/KIND.json; a county may give another.
 */
#ifndef LINK_MAP_H
#define LINK_MAP_H

#include "json.h"
#include "link_csv.h"

typedef enum LinkKind { LINK_RESIDENTS, LINK_STAFF, LINK_INSTITUTIONS, LINK_KINDS } LinkKind;

typedef enum LinkElement {
    LINK_NAME,
    LINK_CARD,
    LINK_GENDER,
    LINK_BIRTH,
    LINK_PHONE,
    LINK_ADDRESS,
    LINK_ORGANIZATION,
    LINK_RECORD,
    LINK_ROLE,
    LINK_NUMBER,
    LINK_USERNAME,
    LINK_CODE,
    LINK_PARENT,
    LINK_ELEMENTS
} LinkElement;

typedef struct LinkMap {
    LinkKind kind;
    JsonDoc doc; /* {"columns": {element: [header…]}, "values": {element: {cell: value}},
                    "defaults": {…}} */
    int column[LINK_ELEMENTS]; /* of the table, after link_map_bind; -1: none */
} LinkMap;

/* An element of a kind, and the column that was found for it. */
typedef struct LinkColumn {
    const char *code, *zh, *en;
    bool needed;
    int column; /* -1: none */
} LinkColumn;

/* False if there is no such kind. */
bool link_kind_find(Str word, LinkKind *ret);
const char *link_kind_word(LinkKind kind);
/* ERR_INVALID names what the map says that is not known. `json` must outlive it. */
Status link_map_read(Arena *a, LinkKind kind, Str json, LinkMap *ret, Err *err) MUST_USE;
/*
 * Finds the columns. ERR_UNPROCESSABLE: one that is needed is missing, or two say the same.
 * Headers that mean nothing go into *ret_unused: they are told, not silently passed over.
 */
Status link_map_bind(LinkMap *m, Arena *a, const LinkRecord *header, Str *ret_unused,
                     size_t *ret_unused_n, Err *err) MUST_USE;
/* The elements of the map's kind in the order of link_elements.def; how many. */
size_t link_map_columns(const LinkMap *m, LinkColumn ret[LINK_ELEMENTS]);
/* A cell's meaning: trimmed, through the map's values, its default where empty. ERR_UNPROCESSABLE:
 * a value the map does not know. */
Status link_map_cell(const LinkMap *m, const LinkRecord *r, LinkElement e, Str *ret,
                     Err *err) MUST_USE;

#endif
