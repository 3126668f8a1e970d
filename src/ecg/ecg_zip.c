/*
 * ZIP, as far as a recording needs it: stored and deflated members, read by the central directory.
 * Nothing is written to disk, so a member's path is only a label of which the last part is kept.
 * Bounds: ECG_FILES_MAX members, ECG_BYTES_MAX unpacked in all, RATIO_MAX growth of one member.
 */
#include <zlib.h>

#include "ecg_inner.h"

#define END_BYTES   22u /* end of central directory, without its comment */
#define COMMENT_MAX 65535u
#define LOCAL_BYTES 30u
#define RATIO_MAX   200u /* ECG data deflate by 2 to 20 */

typedef struct Zip {
    Arena *arena;
    Err *err;
    Str bytes;
    size_t total; /* unpacked so far */
} Zip;

typedef struct Member {
    Str name;
    uint16_t flags, method;
    uint32_t crc, packed, size, local_at;
} Member;

static Status zip_refuse(const Zip *z, Status status, Str member, const char *zh, const char *en)
{
    EcgPlace p = ecg_place("ZIP", "ZIP 压缩包", "ZIP");
    Str name = ecg_text(z->arena, str_take(member, 80));
    if (str_empty(name)) {
        return ecg_refuse(z->err, status, &p, "%s%.0s", "%.0s%s", zh, en);
    }
    return ecg_refuse(z->err, status, &p, "“%.*s”%s%.0s", "\"%.*s\" %.0s%s", STR_ARG(name), zh, en);
}

bool ecg_zip_is(Str bytes)
{
    return str_starts(bytes, STR("PK\x03\x04"));
}

static bool end_find(Str bytes, Reader *ret)
{
    if (bytes.n < END_BYTES) {
        return false;
    }
    size_t lowest = bytes.n > END_BYTES + COMMENT_MAX ? bytes.n - END_BYTES - COMMENT_MAX : 0;
    for (size_t at = bytes.n - END_BYTES + 1; at-- > lowest;) {
        if (memcmp(bytes.p + at, "PK\x05\x06", 4) == 0) {
            *ret = reader_from(bytes);
            reader_seek(ret, at + 4);
            return true;
        }
    }
    return false;
}

static Member central_read(Reader *r)
{
    Member m = {0};
    uint32_t mark = reader_u32le(r);
    reader_bytes(r, 4);
    m.flags = reader_u16le(r);
    m.method = reader_u16le(r);
    reader_bytes(r, 4);
    m.crc = reader_u32le(r);
    m.packed = reader_u32le(r);
    m.size = reader_u32le(r);
    uint16_t name = reader_u16le(r), extra = reader_u16le(r), comment = reader_u16le(r);
    reader_bytes(r, 8);
    m.local_at = reader_u32le(r);
    m.name = reader_bytes(r, name);
    reader_bytes(r, (size_t)extra + comment);
    r->failed = r->failed || mark != 0x02014b50;
    return m;
}

static Str name_last(Str path)
{
    for (size_t i = path.n; i > 0; i--) {
        if (path.p[i - 1] == '/' || path.p[i - 1] == '\\') {
            return str_skip(path, i);
        }
    }
    return path;
}

static Status member_check(Zip *z, const Member *m)
{
    if (m->flags & 1) {
        return zip_refuse(z, ERR_UNPROCESSABLE, m->name, "已加密；请不加密地重新打包",
                          "is encrypted; pack it again without a password");
    }
    if (m->method != 0 && m->method != 8) {
        return zip_refuse(z, ERR_UNPROCESSABLE, m->name,
                          "的压缩方法不支持；请用普通 ZIP（deflate）",
                          "uses a method that is not read; use plain ZIP (deflate)");
    }
    bool grows = m->method == 8 && m->size / RATIO_MAX > m->packed;
    if (m->size > ECG_BYTES_MAX - z->total || grows || (m->method == 0 && m->size != m->packed)) {
        return zip_refuse(
            z, ERR_TOO_LARGE, m->name, "解压后过大（上限共 64 MiB，单个 200 倍）",
            "grows too large when unpacked (at most 64 MiB in all, 200 times for one)");
    }
    return OK;
}

static bool inflate_whole(Str packed, char *out, size_t size)
{
    z_stream s = {.next_in = (z_const Bytef *)packed.p, .avail_in = (uInt)packed.n};
    if (inflateInit2(&s, -MAX_WBITS) != Z_OK) {
        return false;
    }
    s.next_out = (Bytef *)out;
    s.avail_out = (uInt)size;
    int rc = inflate(&s, Z_FINISH);
    bool whole = rc == Z_STREAM_END && s.total_out == size;
    inflateEnd(&s);
    return whole;
}

static bool member_packed(const Zip *z, const Member *m, Str *ret)
{
    Reader r = reader_from(z->bytes);
    reader_seek(&r, m->local_at);
    uint32_t mark = reader_u32le(&r);
    reader_bytes(&r, LOCAL_BYTES - 8);
    uint16_t name = reader_u16le(&r), extra = reader_u16le(&r);
    reader_bytes(&r, (size_t)name + extra);
    *ret = reader_bytes(&r, m->packed);
    return !r.failed && mark == 0x04034b50;
}

static Status member_unpack(Zip *z, const Member *m, Str *ret)
{
    Str packed;
    TRY(member_check(z, m));
    char *out = arena_try(z->arena, (size_t)m->size + 1);
    if (out == NULL) {
        return zip_refuse(z, ERR_TOO_LARGE, m->name, "超过内存上限", "passes the memory limit");
    }
    bool good = member_packed(z, m, &packed);
    if (good && m->method == 0) {
        memcpy(out, packed.p, m->size);
    } else if (good) {
        good = inflate_whole(packed, out, m->size);
    }
    if (!good || crc32(0, (const Bytef *)out, m->size) != m->crc) {
        return zip_refuse(z, ERR_UNPROCESSABLE, m->name,
                          "已损坏（长度或 CRC 不符）；请重新打包上传",
                          "is damaged (length or CRC differ); pack and upload it again");
    }
    z->total += m->size;
    *ret = (Str){out, m->size};
    return OK;
}

static Status member_add(Zip *z, const Member *m, EcgFile *files, size_t *n)
{
    Str title = name_last(m->name);
    if (str_empty(title) || m->size == 0) { /* a folder, or nothing in it */
        return OK;
    }
    for (size_t i = 0; i < *n; i++) {
        if (str_eq(files[i].title, title)) {
            return zip_refuse(z, ERR_UNPROCESSABLE, m->name, "在压缩包中出现两次；请只打包一份记录",
                              "is in the archive twice; pack one recording only");
        }
    }
    if (*n == ECG_FILES_MAX) {
        return zip_refuse(z, ERR_TOO_LARGE, STR_NONE, "文件多于 64 个；请只打包一份记录",
                          "has more than 64 files; pack one recording only");
    }
    files[*n].title = arena_str(z->arena, title);
    TRY(member_unpack(z, m, &files[*n].bytes));
    ++*n;
    return OK;
}

Status ecg_zip_read(Arena *a, Str bytes, EcgFile *ret_files, size_t *ret_n, Err *err)
{
    Zip z = {.arena = a, .err = err, .bytes = bytes};
    Reader r;
    if (!end_find(bytes, &r)) {
        return zip_refuse(&z, ERR_UNPROCESSABLE, STR_NONE, "不完整（没有目录）；请重新打包上传",
                          "is cut (its directory is missing); pack and upload it again");
    }
    reader_bytes(&r, 6);
    uint16_t members = reader_u16le(&r);
    reader_bytes(&r, 4);
    uint32_t at = reader_u32le(&r);
    reader_seek(&r, at);
    *ret_n = 0;
    for (uint16_t i = 0; i < members; i++) {
        Member m = central_read(&r);
        if (r.failed) {
            return zip_refuse(&z, ERR_UNPROCESSABLE, STR_NONE, "目录已损坏；请重新打包上传",
                              "has a damaged directory; pack and upload it again");
        }
        TRY(member_add(&z, &m, ret_files, ret_n));
    }
    return OK;
}
