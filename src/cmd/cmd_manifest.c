#include "cmd_manifest.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "mk_banned.h"

#define MANIFEST_BYTES_MAX ((size_t)8 << 20)

void manifest_add(ManifestList *l, const ManifestFile *file)
{
    if (l->n == l->room) {
        size_t room = l->room ? l->room * 2 : 64;
        ManifestFile *wider = arena_array(l->arena, ManifestFile, room);
        if (l->n) {
            memcpy(wider, l->at, l->n * sizeof *wider);
        }
        l->at = wider;
        l->room = room;
    }
    l->at[l->n++] = *file;
}

const ManifestFile *manifest_find(const Manifest *m, Str as)
{
    for (size_t i = 0; i < m->file_n; i++) {
        if (str_eq(m->file[i].as, as)) {
            return &m->file[i];
        }
    }
    return NULL;
}

/* ---- backup.json ------------------------------------------------------------------------------
 */

static void member_i64(JsonWriter *w, const char *name, int64_t v)
{
    json_key(w, name);
    json_put_i64(w, v);
}

static void file_write(JsonWriter *w, Arena *a, const ManifestFile *f)
{
    json_open(w, '{');
    json_member_str(w, "name", f->name);
    json_member_str(w, "as", f->as);
    member_i64(w, "bytes", (int64_t)f->sum.bytes);
    json_member_str(w, "sha256", hex_encode(a, f->sum.sha.b, sizeof f->sum.sha.b));
    json_close(w, '}');
}

Status manifest_write(Arena *a, const char *folder, const Manifest *m, Err *err)
{
    Buf out;
    JsonWriter w = json_begin(&out, '{');
    json_member_c(&w, "format", MANIFEST_FORMAT);
    json_member_str(&w, "at", time_iso(a, m->at_ms, ZONE_CHINA_MIN));
    json_member_str(&w, "database", m->moment.database);
    member_i64(&w, "site", m->moment.site);
    member_i64(&w, "epoch", m->moment.epoch);
    member_i64(&w, "seq", (int64_t)m->moment.seq);
    member_i64(&w, "tx", (int64_t)m->moment.tx);
    json_member_str(&w, "digest", m->moment.digest);
    member_i64(&w, "blobs", (int64_t)m->blobs);
    json_key_open(&w, "files", '[');
    for (size_t i = 0; i < m->file_n; i++) {
        file_write(&w, a, &m->file[i]);
    }
    json_close(&w, ']');
    json_close(&w, '}');
    buf_char(&out, '\n');
    const char *path = path_join(a, str_from_c(folder), STR(MANIFEST_NAME)).p;
    Status s = file_write_durable(path, buf_str(&out), 0600, err);
    buf_done(&out);
    return s;
}

static bool i64_at(const JsonDoc *d, JsonRef at, const char *name, uint64_t *ret)
{
    int64_t v;
    if (!json_to_i64(d, json_get_c(d, at, name), &v) || v < 0) {
        return false;
    }
    *ret = (uint64_t)v;
    return true;
}

/* A name from a file may not lead out of the folder. */
static bool is_below(Str path)
{
    return path.n > 0 && path.n < 200 && path.p[0] != '/' && str_find(path, STR("..")) < 0;
}

static bool file_parse(const JsonDoc *d, JsonRef at, Arena *a, ManifestFile *ret)
{
    Str sha = json_str_at(d, at, "sha256");
    ret->name = arena_str(a, json_str_at(d, at, "name"));
    ret->as = arena_str(a, json_str_at(d, at, "as"));
    return is_below(ret->name) && is_below(ret->as) && i64_at(d, at, "bytes", &ret->sum.bytes) &&
           hex_decode(sha, ret->sum.sha.b, sizeof ret->sum.sha.b);
}

static bool manifest_parse(const JsonDoc *d, Arena *a, Manifest *ret)
{
    uint64_t site, epoch;
    ManifestList files = {.arena = a};
    Str at = json_str_at(d, JSON_ROOT, "at");
    if (!str_is(json_str_at(d, JSON_ROOT, "format"), MANIFEST_FORMAT) ||
        !i64_at(d, JSON_ROOT, "site", &site) || !i64_at(d, JSON_ROOT, "epoch", &epoch) ||
        !i64_at(d, JSON_ROOT, "seq", &ret->moment.seq) ||
        !i64_at(d, JSON_ROOT, "tx", &ret->moment.tx) ||
        !i64_at(d, JSON_ROOT, "blobs", &ret->blobs) ||
        !time_parse(at, ZONE_CHINA_MIN, &ret->at_ms)) {
        return false;
    }
    ret->moment.site = (int64_t)site;
    ret->moment.epoch = (int64_t)epoch;
    ret->moment.database = arena_str(a, json_str_at(d, JSON_ROOT, "database"));
    ret->moment.digest = arena_str(a, json_str_at(d, JSON_ROOT, "digest"));
    for (JsonIter it = json_iter(d, json_get_c(d, JSON_ROOT, "files")); json_next(&it);) {
        ManifestFile file;
        if (!file_parse(d, it.value, a, &file)) {
            return false;
        }
        manifest_add(&files, &file);
    }
    ret->file = files.at;
    ret->file_n = files.n;
    return true;
}

Status manifest_read(Arena *a, const char *folder, Manifest *ret, Err *err)
{
    const char *path = path_join(a, str_from_c(folder), STR(MANIFEST_NAME)).p;
    Str text;
    JsonDoc d;
    Manifest m = {0};
    TRY(file_read(a, path, MANIFEST_BYTES_MAX, &text, err));
    if (json_parse(a, text, &JSON_LIMITS_FHIR, &d, NULL) != OK || !manifest_parse(&d, a, &m)) {
        return err_add(err, ERR_CONFLICT, NULL, str_from_c(path), "不是门口备份的清单，或已损坏",
                       "This is no list of a Menkou backup, or it is damaged");
    }
    *ret = m;
    return OK;
}

/* ---- Blobs ------------------------------------------------------------------------------------
 */

const char *manifest_blob_path(Arena *a, Str dir, Str sha)
{
    return arena_printf(a, "%.*s/blobs/%.2s/%.*s", STR_ARG(dir), sha.p, STR_ARG(sha)).p;
}

static Status blob_folder(Arena *a, Str dir, Str sha, Err *err)
{
    const char *folder = arena_printf(a, "%.*s/blobs/%.2s", STR_ARG(dir), sha.p).p;
    return file_exists(folder) ? OK : dir_make(folder, 0700, err);
}

Status manifest_blob_copy(Arena *a, Str from_dir, Str to_dir, Str sha, uint64_t *ret_bytes,
                          Err *err)
{
    const char *from = manifest_blob_path(a, from_dir, sha), *to = NULL;
    Sha256 due;
    FileSum sum;
    if (!hex_decode(sha, due.b, sizeof due.b)) {
        return err_add(err, ERR_CONFLICT, NULL, sha, "不是 SHA-256", "This is no SHA-256");
    }
    if (!str_empty(to_dir)) {
        TRY(blob_folder(a, to_dir, sha, err));
        to = manifest_blob_path(a, to_dir, sha);
        if (file_exists(to)) {
            *ret_bytes = 0;
            return OK;
        }
    }
    TRY(file_copy(from, to, UINT64_MAX, 0600, &sum, err));
    if (memcmp(sum.sha.b, due.b, sizeof due.b) == 0) {
        *ret_bytes = sum.bytes;
        return OK;
    }
    if (to) {
        remove(to);
    }
    return err_add(err, ERR_CONFLICT, "integrity", str_from_c(from),
                   "文件内容与其名称（SHA-256）不符",
                   "The bytes differ from their name, the SHA-256");
}

bool manifest_folder_empty(const char *path)
{
    DIR *d = opendir(path);
    size_t n = d || errno == ENOENT ? 0 : 1;
    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    }
    if (d) {
        closedir(d);
    }
    return n == 0;
}

Status manifest_dirs_sync(Arena *a, Str dir, Err *err)
{
    static const char *const FOLDERS[] = {"audit", "blobs"};
    for (size_t i = 0; i < sizeof FOLDERS / sizeof *FOLDERS; i++) {
        const char *path = path_join(a, dir, str_from_c(FOLDERS[i])).p;
        if (file_exists(path)) {
            TRY(dir_sync(path, err));
        }
    }
    for (unsigned i = 0; i < 256; i++) {
        const char *path = arena_printf(a, "%.*s/blobs/%02x", STR_ARG(dir), i).p;
        if (file_exists(path)) {
            TRY(dir_sync(path, err));
        }
    }
    return dir_sync(arena_cstr(a, dir), err);
}
