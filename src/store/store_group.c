/* What the group being committed has done so far, for preconditions that ask the index. */
#include <stdlib.h>

#include "store_ahead.h"

#include "mk_banned.h"

#define NO_ROW UINT32_MAX

void group_init(Group *g)
{
    *g = (Group){.chain_n = 4096};
    arena_init(&g->arena, 0);
    g->chain = memory_take(g->chain_n * sizeof *g->chain);
    memset(g->chain, 0xff, g->chain_n * sizeof *g->chain);
}

void group_done(Group *g)
{
    arena_done(&g->arena);
    free(g->applied);
    free(g->row);
    free(g->chain);
}

void group_clear(Group *g)
{
    group_cut(g, 0, 0);
    g->ahead = (Map){0};
    arena_reset(&g->arena);
}

uint64_t group_key(const IndexRow *row)
{
    uint32_t param = row->table == INDEX_COMPARTMENT ? 0 : row->param;
    uint64_t x =
        (uint64_t)row->a ^ ((uint64_t)row->table << 60) ^ (uint64_t)param * 0x9e3779b97f4a7c15u;
    return x ^ x >> 29;
}

static void *grow(void *p, size_t n, size_t *room, size_t size)
{
    if (n < *room) {
        return p;
    }
    *room = *room ? *room * 2 : 256;
    p = memory_grow(p, *room * size);
    return p;
}

/* Only what a precondition can ask for: tokens, and that a patient is referred to. */
static bool row_is_asked(const IndexRow *row)
{
    return row->table == INDEX_TOKEN || row->table == INDEX_COMPARTMENT;
}

void group_add(Group *g, Applied x, const IndexDoc *doc)
{
    g->applied = grow(g->applied, g->applied_n, &g->applied_room, sizeof *g->applied);
    uint32_t at = (uint32_t)g->applied_n;
    x.ahead = group_ahead_find(g, x.change->type, x.change->id);
    if (x.ahead) {
        x.before_last = x.ahead->last;
        x.ahead->last = at + 1;
    }
    g->applied[g->applied_n++] = x;
    for (size_t i = 0; doc && i < doc->rows_n; i++) {
        if (!row_is_asked(&doc->rows[i])) {
            continue;
        }
        uint64_t key = group_key(&doc->rows[i]);
        uint32_t *head = &g->chain[key % g->chain_n];
        g->row = grow(g->row, g->row_n, &g->row_room, sizeof *g->row);
        g->row[g->row_n] = (GroupRow){key, *head, at};
        *head = (uint32_t)g->row_n++;
    }
}

void group_cut(Group *g, size_t applied_n, size_t row_n)
{
    while (g->row_n > row_n) {
        const GroupRow *row = &g->row[--g->row_n];
        g->chain[row->key % g->chain_n] = row->next;
    }
    while (g->applied_n > applied_n) {
        const Applied *x = &g->applied[--g->applied_n];
        if (x->ahead) {
            x->ahead->last = x->before_last;
        }
    }
}

const Applied *group_find(const Group *g, int64_t rid)
{
    for (size_t i = g->applied_n; i > 0; i--) {
        if (g->applied[i - 1].rid == rid) {
            return &g->applied[i - 1];
        }
    }
    return NULL;
}

bool group_has(const Group *g, uint64_t key, int64_t except)
{
    for (uint32_t i = g->chain[key % g->chain_n]; i != NO_ROW; i = g->row[i].next) {
        const Applied *x = &g->applied[g->row[i].applied];
        if (g->row[i].key == key && x->rid != except && x->op != STORE_DELETE &&
            group_find(g, x->rid) == x) {
            return true;
        }
    }
    return false;
}
