/*
 * Bodies: stamped once in pieces, told apart into tokens and layout, compressed with a numbered
 * dictionary of the program.
 */
#include <stdlib.h>
#include <zstd_errors.h>

#include "fhir_resource.h"
#include "json_layout.h"
#include "store_inner.h"

#include "mk_banned.h"

#define PACK_LEVEL 3

/*
 * Made by tools/train-dict.c: 1 from published examples, 2 from these and the demo county, 3 from
 * both and published samples of Synthea, without blanks, 4 from the same, without what their rows
 * say. A number once given is never changed:
 * every row names the one it was packed with.
 */
__asm__(".section .rodata\n"
        ".balign 16\n"
        "store_dict_1:\n"
        ".incbin \"zstd-1.dict\"\n"
        "store_dict_1_end:\n"
        ".byte 0\n"
        ".balign 16\n"
        "store_dict_2:\n"
        ".incbin \"zstd-2.dict\"\n"
        "store_dict_2_end:\n"
        ".byte 0\n"
        ".balign 16\n"
        "store_dict_3:\n"
        ".incbin \"zstd-3.dict\"\n"
        "store_dict_3_end:\n"
        ".byte 0\n"
        ".balign 16\n"
        "store_dict_4:\n"
        ".incbin \"zstd-4.dict\"\n"
        "store_dict_4_end:\n"
        ".byte 0\n"
        ".previous\n");
extern const char store_dict_1[], store_dict_1_end[], store_dict_2[], store_dict_2_end[],
    store_dict_3[], store_dict_3_end[], store_dict_4[], store_dict_4_end[];

static const struct {
    const char *from, *to;
} dicts[STORE_DICT_NOW + 1] = {
    [1] = {store_dict_1, store_dict_1_end},
    [2] = {store_dict_2, store_dict_2_end},
    [3] = {store_dict_3, store_dict_3_end},
    [4] = {store_dict_4, store_dict_4_end},
};

void body_dicts_load(Store *s)
{
    for (int i = 1; i <= STORE_DICT_NOW; i++) {
        size_t n = (size_t)(dicts[i].to - dicts[i].from);
        s->unpack_dict[i] = ZSTD_createDDict(dicts[i].from, n);
        mk_check(s->unpack_dict[i] != NULL);
        if (i == STORE_DICT_NOW) {
            s->pack_dict = ZSTD_createCDict(dicts[i].from, n, PACK_LEVEL);
            mk_check(s->pack_dict != NULL);
        }
    }
}

void body_dicts_free(Store *s)
{
    ZSTD_freeCDict(s->pack_dict);
    for (int i = 1; i <= STORE_DICT_NOW; i++) {
        ZSTD_freeDDict(s->unpack_dict[i]);
    }
}

void body_codec_init(BodyCodec *c)
{
    c->pack = NULL;
    c->unpack = NULL;
}

void body_codec_done(BodyCodec *c)
{
    ZSTD_freeCCtx(c->pack);
    ZSTD_freeDCtx(c->unpack);
}

/* The library was refused memory, and there is some again. */
static bool try_again(size_t result)
{
    return ZSTD_getErrorCode(result) == ZSTD_error_memory_allocation && memory_relieve();
}

/* Frames do not name the dictionary: rows do. */
static ZSTD_CCtx *pack_context(const Store *s)
{
    ZSTD_CCtx *c;
    while (!(c = ZSTD_createCCtx())) {
        mk_check(memory_relieve());
    }
    mk_check(!ZSTD_isError(ZSTD_CCtx_setParameter(c, ZSTD_c_dictIDFlag, 0)) &&
             !ZSTD_isError(ZSTD_CCtx_refCDict(c, s->pack_dict)));
    return c;
}

/* Its layout and its tokens, if these make it again. */
static bool body_split(Arena *a, Str body, Str *ret_layout, Str *ret_tokens)
{
    Str again;
    return json_layout_split(a, body, ret_layout, ret_tokens) && ret_layout->n <= UINT8_MAX &&
           json_layout_join(a, *ret_layout, *ret_tokens, &again) && str_eq(again, body);
}

/* What is to be compressed. */
static Str body_content(Arena *a, Str body, BodyRow *row)
{
    Str layout, tokens;
    bool laid_out = body_split(a, body, &layout, &tokens);
    Str content = laid_out ? tokens : body;
    bool shortened = body_shorten(a, row, content, &content);
    row->dict = STORE_DICT_NOW | (laid_out ? BODY_LAID_OUT : 0) | (shortened ? BODY_SHORTENED : 0);
    char n = laid_out ? (char)layout.n : 0;
    return laid_out ? arena_cat(a, ((Str){&n, 1}), layout, content) : content;
}

void body_pack(const Store *s, BodyCodec *c, Arena *a, Str body, BodyRow *row)
{
    c->pack = c->pack ? c->pack : pack_context(s);
    Str content = body_content(a, body, row);
    size_t room = ZSTD_compressBound(content.n);
    char *p = arena_alloc_raw(a, room);
    size_t n;
    do {
        n = ZSTD_compress2(c->pack, p, room, content.p, content.n);
    } while (try_again(n));
    mk_check(!ZSTD_isError(n));
    arena_shrink(a, p, room, n);
    row->packed = (Str){p, n};
}

BodyRow body_row(DbStmt *st, int at)
{
    return (BodyRow){(int)db_col_i64(st, at), db_col_str(st, at + 1), db_col_id(st, at + 2),
                     db_col_id(st, at + 3)};
}

static Status damaged(Err *err)
{
    return err_add(err, ERR_INTERNAL, NULL, STR_NONE, "存储的内容已损坏，请用 menkou check 检查",
                   "A stored body is damaged; look at it with menkou check");
}

static Status content_unpack(const Store *s, BodyCodec *c, Arena *a, int dict, Str packed, Str *ret,
                             Err *err)
{
    while (!c->unpack && !(c->unpack = ZSTD_createDCtx())) {
        mk_check(memory_relieve());
    }
    unsigned long long n = ZSTD_getFrameContentSize(packed.p, packed.n);
    if (n > STORE_BODY_BYTES_MAX || dict < 0 || dict > STORE_DICT_NOW) {
        return damaged(err);
    }
    char *p = arena_alloc_raw(a, (size_t)n + 1);
    size_t got;
    do {
        got = dict == 0 ? ZSTD_decompressDCtx(c->unpack, p, (size_t)n, packed.p, packed.n)
                        : ZSTD_decompress_usingDDict(c->unpack, p, (size_t)n, packed.p, packed.n,
                                                     s->unpack_dict[dict]);
    } while (try_again(got));
    if (ZSTD_isError(got) || got != n) {
        return damaged(err);
    }
    p[n] = 0;
    *ret = (Str){p, (size_t)n};
    return OK;
}

/* Of a body that was laid out, its layout apart. */
static Status parts_unpack(const Store *s, BodyCodec *c, Arena *a, const BodyRow *row,
                           Str *ret_layout, Str *ret_tokens, Err *err)
{
    Str content;
    int dict = row->dict & ~(BODY_LAID_OUT | BODY_SHORTENED);
    TRY(content_unpack(s, c, a, dict, row->packed, &content, err));
    *ret_layout = STR_NONE;
    if (row->dict & BODY_LAID_OUT) {
        Reader r = reader_from(content);
        *ret_layout = reader_bytes(&r, reader_u8(&r));
        content = str_skip(content, r.at);
        if (r.failed) {
            return damaged(err);
        }
    }
    *ret_tokens = content;
    return !(row->dict & BODY_SHORTENED) || body_lengthen(a, row, content, ret_tokens)
               ? OK
               : damaged(err);
}

Status body_unpack(const Store *s, BodyCodec *c, Arena *a, const BodyRow *row, Str *ret, Err *err)
{
    Str layout, tokens;
    TRY(parts_unpack(s, c, a, row, &layout, &tokens, err));
    if (!(row->dict & BODY_LAID_OUT)) {
        *ret = tokens;
        return OK;
    }
    return json_layout_join(a, layout, tokens, ret) ? OK : damaged(err);
}

Status body_unpack_tokens(const Store *s, BodyCodec *c, Arena *a, const BodyRow *row, Str *ret,
                          Err *err)
{
    Str layout;
    return parts_unpack(s, c, a, row, &layout, ret, err);
}

void body_cut(Arena *a, const JsonDoc *d, Str id, BodyPieces *ret)
{
    Str text = fhir_resource_stamp_marked(a, d, id);
    const char *vid = memchr(text.p, FHIR_MARK_VERSION, text.n);
    const char *time = memchr(text.p, FHIR_MARK_UPDATED, text.n);
    mk_check(vid && time);
    const char *one = vid < time ? vid : time, *two = vid < time ? time : vid;
    ret->before = str_take(text, (size_t)(one - text.p));
    ret->between = (Str){one + 1, (size_t)(two - one - 1)};
    ret->after = str_skip(text, (size_t)(two + 1 - text.p));
    ret->time_first = time < vid;
}

Str body_join(Arena *a, const BodyPieces *p, Str vid, Str time)
{
    return p->time_first ? arena_cat(a, p->before, time, p->between, vid, p->after)
                         : arena_cat(a, p->before, vid, p->between, time, p->after);
}
