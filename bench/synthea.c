#include "synthea.h"

#include "mk_banned.h"

#define UUID_BYTES      36u
#define FILE_BYTES_MAX  ((size_t)64 << 20)
#define URN             "urn:uuid:"
#define COPY_MULTIPLIER 0x9e3779b1u /* odd: copies of one UUID never meet */

static bool is_uuid(Str s)
{
    if (s.n < UUID_BYTES || s.p[8] != '-' || s.p[13] != '-' || s.p[18] != '-' || s.p[23] != '-') {
        return false;
    }
    for (size_t i = 0; i < 8; i++) {
        bool hex = (s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f');
        if (!hex) {
            return false;
        }
    }
    return true;
}

static void pieces_cut(Synthea *s, SyntheaResource *r, Str text)
{
    size_t room = 2 + text.n / UUID_BYTES, from = 0;
    r->piece = arena_array(s->arena, SyntheaPiece, room);
    for (size_t i = 0; i + UUID_BYTES <= text.n; i++) {
        Str uuid = str_take(str_skip(text, i), UUID_BYTES);
        const Str *type = is_uuid(uuid) ? map_get(&s->types, uuid) : NULL;
        if (!type) {
            continue;
        }
        Str before = str_take(str_skip(text, from), i - from), prefix = STR_NONE;
        if (str_ends(before, STR(URN))) {
            before = str_take(before, before.n - (sizeof URN - 1));
            prefix = arena_cat(s->arena, *type, STR("/"));
        }
        r->piece[r->piece_n++] = (SyntheaPiece){before, uuid, prefix};
        from = i + UUID_BYTES;
        i = from - 1;
    }
    r->piece[r->piece_n++] = (SyntheaPiece){.text = str_skip(text, from)};
}

static SyntheaResource *resource_add(Synthea *s)
{
    if (s->n == s->room) {
        size_t room = s->room ? s->room * 2 : 1024;
        SyntheaResource *more = arena_array(s->arena, SyntheaResource, room);
        if (s->n) {
            memcpy(more, s->at, s->n * sizeof *more);
        }
        s->at = more;
        s->room = room;
    }
    return &s->at[s->n++];
}

typedef struct Loading {
    Synthea *synthea;
    const char *dir;
} Loading;

/* The pieces are cut when every UUID of the bundle is known. */
static Status bundle_load(void *ctx, Str relative, Err *err)
{
    Loading *l = ctx;
    Synthea *s = l->synthea;
    Str text;
    JsonDoc d;
    if (!str_ends(relative, STR(".json"))) {
        return OK;
    }
    const char *path = path_join(s->arena, str_from_c(l->dir), relative).p;
    TRY(file_read(s->arena, path, FILE_BYTES_MAX, &text, err));
    TRY(json_parse(s->arena, text, &JSON_LIMITS_FHIR, &d, err));
    JsonRef entries = json_get_c(&d, JSON_ROOT, "entry");
    size_t first = s->n;
    for (JsonIter it = json_iter(&d, entries); json_next(&it);) {
        SyntheaResource *r = resource_add(s);
        r->type = json_str_at(&d, it.value, "resource.resourceType");
        r->uuid = json_str_at(&d, it.value, "resource.id");
        Str *type = arena_new(s->arena, Str);
        *type = r->type;
        map_put(&s->types, r->uuid, type);
    }
    size_t i = first;
    for (JsonIter it = json_iter(&d, entries); json_next(&it);) {
        pieces_cut(s, &s->at[i++], json_raw(&d, json_get_c(&d, it.value, "resource")));
    }
    return OK;
}

Status synthea_load(Arena *a, const char *dir, Synthea *ret, Err *err)
{
    *ret = (Synthea){.arena = a};
    map_init(&ret->types, a);
    Loading l = {ret, dir};
    TRY(dir_walk(a, dir, bundle_load, &l, err));
    return ret->n ? OK
                  : err_add(err, ERR_NOT_FOUND, NULL, str_from_c(dir), "此目录没有 Bundle",
                            "There are no bundles in this folder");
}

Str synthea_id(Arena *a, Str uuid, uint32_t copy)
{
    uint32_t head = 0;
    for (size_t i = 0; i < 8; i++) {
        char c = uuid.p[i];
        head = head << 4 | (uint32_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return arena_printf(a, "%08x%.*s", head ^ copy * COPY_MULTIPLIER, STR_ARG(str_skip(uuid, 8)));
}

Str synthea_body(Arena *a, const SyntheaResource *r, uint32_t copy)
{
    Buf b;
    buf_init(&b, 0);
    for (size_t i = 0; i < r->piece_n; i++) {
        const SyntheaPiece *p = &r->piece[i];
        buf_add(&b, p->text);
        buf_add(&b, p->prefix);
        if (p->uuid.p) {
            buf_add(&b, synthea_id(a, p->uuid, copy));
        }
    }
    Str body = arena_str(a, buf_str(&b));
    buf_done(&b);
    return body;
}
