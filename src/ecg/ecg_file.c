/* The bytes of a recording's files, in memory or behind a reader. */
#include "ecg_inner.h"

uint64_t ecg_file_size(const EcgFile *f)
{
    return f->read ? f->size : f->bytes.n;
}

Status ecg_file_get(const EcgFile *f, uint64_t at, size_t n, char *room, Str *ret, Err *err)
{
    mk_check(at <= ecg_file_size(f) && n <= ecg_file_size(f) - at);
    if (f->read == NULL) {
        *ret = (Str){f->bytes.p + at, n};
        return OK;
    }
    TRY(f->read(f->from, at, n, room, err));
    *ret = (Str){room, n};
    return OK;
}

Status ecg_file_load(Arena *a, const EcgFile *f, Str *ret, Err *err)
{
    uint64_t size = ecg_file_size(f);
    char *room = f->read == NULL ? NULL : arena_try_raw(a, (size_t)size + 1);
    if (f->read != NULL && room == NULL) {
        EcgPlace p = ecg_place("recording", "心电记录", "ECG recording");
        return ecg_refuse(err, ERR_TOO_LARGE, &p, "超过内存上限", "passes the memory limit");
    }
    return ecg_file_get(f, 0, (size_t)size, room, ret, err);
}
