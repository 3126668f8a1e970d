/* Map: Str → pointer, open addressing, grows in an arena; keys are views the caller keeps alive. */
#ifndef MK_MAP_H
#define MK_MAP_H

#include "mk_arena.h"

typedef struct MapSlot {
    Str key;
    void *value;
    uint64_t hash;
} MapSlot;

typedef struct Map {
    Arena *arena;
    MapSlot *slot;
    size_t room, n;
} Map;

void map_init(Map *m, Arena *arena);
/* NULL if absent. */
void *map_get(const Map *m, Str key);
/* Sets or replaces; value must not be NULL. */
void map_put(Map *m, Str key, void *value);

#endif
