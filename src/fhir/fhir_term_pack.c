#include "fhir_term_pack.h"
#include "fhir_term_inner.h"

#include <zstd.h>

__asm__(".section .rodata\n"
        ".balign 16\n"
        "term_pack:\n"
        ".incbin \"fhir_term_pack.bin\"\n"
        "term_pack_end:\n"
        ".byte 0\n"
        ".previous\n");
extern const unsigned char term_pack[], term_pack_end[];

#define HEAD_BYTES  16u
#define BLOCK_BYTES 12u
#define ITEM_BYTES  20u

static uint32_t u32_at(size_t at)
{
    const unsigned char *p = term_pack + at;
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static size_t blocks_count(void)
{
    return u32_at(8);
}

size_t term_pack_count(void)
{
    return u32_at(12);
}

static size_t item_at(size_t i)
{
    return HEAD_BYTES + blocks_count() * BLOCK_BYTES + i * ITEM_BYTES;
}

Str term_pack_url(size_t i, TermKind *ret_kind)
{
    size_t at = item_at(i);
    *ret_kind = (TermKind)term_pack[at + 6];
    return (Str){(const char *)term_pack + u32_at(at),
                 term_pack[at + 4] | (size_t)term_pack[at + 5] << 8};
}

/* Index of an item, or the number of items. */
static size_t item_find(TermKind kind, Str url)
{
    size_t lo = 0, hi = term_pack_count();
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        TermKind k;
        Str u = term_pack_url(mid, &k);
        int order = k != kind ? (k < kind ? -1 : 1) : str_cmp(u, url);
        if (order == 0) {
            return mid;
        }
        if (order < 0) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return term_pack_count();
}

static Status item_unpack(Arena *a, size_t i, Str *ret, Err *err)
{
    size_t at = item_at(i), block = HEAD_BYTES + u32_at(at + 8) * BLOCK_BYTES;
    size_t n = u32_at(block + 8);
    char *raw = arena_try_raw(a, n);
    if (!raw) {
        return err_status(err, ERR_TOO_LARGE);
    }
    size_t got = ZSTD_decompress(raw, n, term_pack + u32_at(block), u32_at(block + 4));
    if (ZSTD_isError(got) || got != n) {
        return err_add(err, ERR_INTERNAL, NULL, STR_NONE, "程序内的术语表无法解开",
                       "The program's own terminology cannot be unpacked");
    }
    *ret = (Str){raw + u32_at(at + 12), u32_at(at + 16)};
    return OK;
}

static Status item_load(TermCache *cache, Arena *a, size_t i, const TermItem **ret, Err *err)
{
    Str body, key = arena_printf(a, "R4/%zu", i);
    *ret = fhir_term_cache_get(cache, a, key);
    if (*ret) {
        return OK;
    }
    Arena scratch;
    arena_init(&scratch, 0);
    Status st = item_unpack(&scratch, i, &body, err);
    if (st == OK) {
        st = fhir_term_cache_put(cache, a, key, body, ret, err);
    }
    arena_done(&scratch);
    return st;
}

Status term_pack_find(TermCache *cache, Arena *a, TermKind kind, Str url, TermItems *list, Err *err)
{
    size_t i = item_find(kind, url);
    const TermItem *item;
    if (i == term_pack_count()) {
        return OK;
    }
    TRY(item_load(cache, a, i, &item, err));
    fhir_term_items_add(a, list, item);
    return OK;
}

Status term_pack_maps(TermCache *cache, Arena *a, Str system, bool reverse, TermItems *list,
                      Err *err)
{
    for (size_t i = term_pack_count(); i-- > 0;) {
        TermKind kind;
        const TermItem *item;
        term_pack_url(i, &kind);
        if (kind != TERM_CONCEPTMAP) {
            break;
        }
        TRY(item_load(cache, a, i, &item, err));
        if (term_map_mentions(item, system, reverse)) {
            fhir_term_items_add(a, list, item);
        }
    }
    return OK;
}
