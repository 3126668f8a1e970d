#include "mk_map.h"

#include "mk_hash.h"

void map_init(Map *m, Arena *arena)
{
    *m = (Map){.arena = arena};
}

/* A fixed key keeps runs repeatable; how many keys a stranger may choose is bounded by the callers.
 */
static uint64_t key_hash(Str key)
{
    return hash_sip((HashKey){0x6d656e6b6f75ull, 0x6d6170ull}, key.p, key.n);
}

/* The slot of the key, or the empty one where it belongs. */
static MapSlot *slot_find(const Map *m, Str key, uint64_t hash)
{
    for (size_t i = hash & (m->room - 1);; i = (i + 1) & (m->room - 1)) {
        MapSlot *s = &m->slot[i];
        if (!s->value || (s->hash == hash && str_eq(s->key, key))) {
            return s;
        }
    }
}

void *map_get(const Map *m, Str key)
{
    return m->n ? slot_find(m, key, key_hash(key))->value : NULL;
}

static void grow(Map *m)
{
    Map bigger = {.arena = m->arena, .room = m->room ? m->room * 2 : 16, .n = m->n};
    bigger.slot = arena_array(m->arena, MapSlot, bigger.room);
    for (size_t i = 0; i < m->room; i++) {
        if (m->slot[i].value) {
            *slot_find(&bigger, m->slot[i].key, m->slot[i].hash) = m->slot[i];
        }
    }
    *m = bigger;
}

void map_put(Map *m, Str key, void *value)
{
    if (m->n * 4 >= m->room * 3) {
        grow(m);
    }
    uint64_t hash = key_hash(key);
    MapSlot *s = slot_find(m, key, hash);
    m->n += !s->value;
    *s = (MapSlot){key, value, hash};
}
