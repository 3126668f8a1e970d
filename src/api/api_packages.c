/* Pathway packages out of the program, and folders of --pathways laid over them. */
#include "api_inner.h"

#define PACKAGE_FILE_MAX ((size_t)4 << 20)

/* Files of one folder as they are found; grouped into packages at the end. */
typedef struct Found {
    Arena *arena;
    const char *dir;
    ApiFile *file;
    size_t n, room;
} Found;

static void found_add(Found *f, Str path, Str bytes)
{
    if (f->n == f->room) {
        size_t room = f->room ? f->room * 2 : 64;
        ApiFile *more = arena_array(f->arena, ApiFile, room);
        if (f->n) {
            memcpy(more, f->file, f->n * sizeof *more);
        }
        f->file = more;
        f->room = room;
    }
    f->file[f->n++] = (ApiFile){.path = path, .bytes = bytes};
}

static Status file_add(void *ctx, Str relative, Err *err)
{
    Found *f = ctx;
    Str bytes, path = path_join(f->arena, str_from_c(f->dir), relative);
    TRY(file_read(f->arena, path.p, PACKAGE_FILE_MAX, &bytes, err));
    found_add(f, arena_str(f->arena, relative), bytes);
    return OK;
}

/* "PATHWAY/forms/start.json" → PATHWAY, forms/start.json. False for a file beside the
 * folders. */
static bool path_split(Str path, Str *ret_package, Str *ret_rest)
{
    return str_cut(path, '/', ret_package, ret_rest);
}

static size_t packages_count(const ApiFile *file, size_t n)
{
    size_t count = 0;
    Str last = STR_NONE, package, rest;
    for (size_t i = 0; i < n; i++) {
        if (path_split(file[i].path, &package, &rest) && !str_eq(package, last)) {
            count++;
            last = package;
        }
    }
    return count;
}

FlowPackageSource api_pages_shared(Arena *a, ApiFiles files)
{
    Str *paths = arena_array(a, Str, files.n + 1), *contents = arena_array(a, Str, files.n + 1);
    FlowPackageSource shared = {.paths = paths, .contents = contents};
    for (size_t i = 0; i < files.n; i++) {
        Str package, rest;
        if (!path_split(files.file[i].path, &package, &rest) &&
            str_ends(files.file[i].path, STR(".html"))) {
            paths[shared.files_n] = files.file[i].path;
            contents[shared.files_n++] = files.file[i].bytes;
        }
    }
    return shared;
}

/* Files of one package stand next to each other, since they are in byte order of their paths. */
static size_t packages_fill(Arena *a, const ApiFile *file, size_t n, FlowPackageSource *out)
{
    size_t count = 0;
    Str last = STR_NONE, package, rest;
    Str *paths = arena_array(a, Str, n ? n : 1), *contents = arena_array(a, Str, n ? n : 1);
    for (size_t i = 0; i < n; i++) {
        if (!path_split(file[i].path, &package, &rest)) {
            continue;
        }
        if (!str_eq(package, last)) {
            out[count++] =
                (FlowPackageSource){.name = package, .paths = paths, .contents = contents};
            last = package;
        }
        *paths++ = rest;
        *contents++ = file[i].bytes;
        out[count - 1].files_n++;
    }
    return count;
}

Status api_packages(Arena *a, ApiFiles files, const char *const *overlay, size_t overlay_n,
                    FlowPackageSource **ret, size_t *ret_n, Err *err)
{
    Found *found = arena_array(a, Found, overlay_n ? overlay_n : 1);
    size_t total = packages_count(files.file, files.n);
    for (size_t i = 0; i < overlay_n; i++) {
        found[i] = (Found){.arena = a, .dir = overlay[i]};
        TRY(dir_walk(a, overlay[i], file_add, &found[i], err));
        total += packages_count(found[i].file, found[i].n);
    }
    FlowPackageSource *source = arena_array(a, FlowPackageSource, total ? total : 1);
    size_t n = packages_fill(a, files.file, files.n, source);
    for (size_t i = 0; i < overlay_n; i++) {
        n += packages_fill(a, found[i].file, found[i].n, source + n);
    }
    FlowPackageSource shared = api_pages_shared(a, files);
    for (size_t i = 0; i < n; i++) {
        flow_package_share(a, &source[i], &shared);
    }
    *ret = source;
    *ret_n = n;
    return OK;
}
