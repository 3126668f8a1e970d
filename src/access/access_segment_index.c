/* The index of a closed segment: what it is made of, its file, questions to it. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access_segment.h"

#include "mk_banned.h"

#define INDEX_MAGIC     "MKAUDIX1"
#define INDEX_BYTES_MAX ((size_t)256 << 20)
#define BLOCKS_MAX      65536u

typedef struct Header {
    char magic[8];
    uint64_t packed_bytes, block_n, term_n;
} Header;

HashKey segment_term_key(Str chain_key)
{
    HashKey key;
    Sha256 sum = hmac_sha256(chain_key, STR("menkou audit index"));
    memcpy(&key, sum.b, sizeof key);
    return key;
}

uint64_t segment_term(HashKey key, SegmentTerm kind, Str text)
{
    char name = (char)kind;
    Str parts[] = {{&name, 1}, text};
    return hash_sip_parts(key, parts, 2) & ~(uint64_t)0xffff;
}

/* ---- Lines ------------------------------------------------------------------------------------
 */

uint64_t segment_line_n(Str line)
{
    uint64_t n = 0;
    Sha256 mac;
    return chain_stated(line, &n, &mac) ? n : 0;
}

Str segment_line_member(Str line, const char *name)
{
    char key[32];
    Str value, rest;
    snprintf(key, sizeof key, ",\"%s\":\"", name);
    ptrdiff_t at = str_find(line, str_from_c(key));
    if (at < 0 || !str_cut(str_skip(line, (size_t)at + strlen(key)), '"', &value, &rest)) {
        return STR_NONE;
    }
    return value;
}

/* ---- Making -----------------------------------------------------------------------------------
 */

typedef struct Making {
    HashKey key;
    Buf blocks, terms; /* SegmentBlock, uint64_t */
    size_t block;
} Making;

static void term_add(Making *m, SegmentTerm kind, Str text)
{
    if (!str_empty(text)) {
        uint64_t term = segment_term(m->key, kind, text) | m->block;
        buf_bytes(&m->terms, &term, sizeof term);
    }
}

/* Patients' ids hold nothing that JSON escapes. */
static void patients_add(Making *m, Str line)
{
    static const char KEY[] = ",\"patients\":[";
    ptrdiff_t at = str_find(line, str_from_c(KEY));
    Str list, rest, id;
    if (at < 0 || !str_cut(str_skip(line, (size_t)at + strlen(KEY)), ']', &list, &rest)) {
        return;
    }
    while (str_cut(list, '"', &id, &list) && str_cut(list, '"', &id, &rest)) {
        term_add(m, TERM_PATIENT, id);
        list = rest;
    }
}

static void line_add(Making *m, SegmentBlock *b, Str line)
{
    static const char *const PERSONS[] = {"user", "who", "org"};
    int64_t at_ms;
    if (b->lines++ == 0) {
        b->first_n = segment_line_n(line);
    }
    if (time_parse(segment_line_member(line, "at"), 0, &at_ms)) {
        b->min_ms = at_ms < b->min_ms ? at_ms : b->min_ms;
        b->max_ms = at_ms > b->max_ms ? at_ms : b->max_ms;
    }
    for (size_t i = 0; i < sizeof PERSONS / sizeof *PERSONS; i++) {
        term_add(m, TERM_PERSON, segment_line_member(line, PERSONS[i]));
    }
    patients_add(m, line);
}

static int term_order(const void *x, const void *y)
{
    uint64_t p = *(const uint64_t *)x, q = *(const uint64_t *)y;
    return p < q ? -1 : p > q;
}

/* Sorts the terms of one block and keeps each once. */
static void block_terms_end(Making *m, size_t from)
{
    uint64_t *term = (uint64_t *)(void *)(m->terms.p + from);
    size_t n = (m->terms.n - from) / sizeof *term, kept = 0;
    if (n) {
        qsort(term, n, sizeof *term, term_order);
    }
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || term[i] != term[i - 1]) {
            term[kept++] = term[i];
        }
    }
    m->terms.n = from + kept * sizeof *term;
}

static void block_add(Making *m, uint64_t at, uint64_t end, Str lines)
{
    SegmentBlock b = {
        .at = at, .bytes = (uint32_t)(end - at), .min_ms = INT64_MAX, .max_ms = INT64_MIN};
    size_t terms = m->terms.n;
    for (ptrdiff_t n = str_find_char(lines, '\n'); n >= 0; n = str_find_char(lines, '\n')) {
        line_add(m, &b, str_take(lines, (size_t)n + 1));
        lines = str_skip(lines, (size_t)n + 1);
    }
    block_terms_end(m, terms);
    buf_bytes(&m->blocks, &b, sizeof b);
    m->block++;
}

/* The file's bytes in one piece. */
static void index_join(Arena *a, Making *m, uint64_t packed_bytes, SegmentIndex *ret)
{
    size_t term_n = m->terms.n / sizeof(uint64_t);
    if (term_n) {
        qsort(m->terms.p, term_n, sizeof(uint64_t), term_order);
    }
    size_t n = sizeof(Header) + m->blocks.n + m->terms.n;
    char *bytes = arena_alloc(a, n);
    Header h = {
        .magic = INDEX_MAGIC, .packed_bytes = packed_bytes, .block_n = m->block, .term_n = term_n};
    memcpy(bytes + sizeof h, m->blocks.p ? m->blocks.p : "", m->blocks.n);
    memcpy(bytes + sizeof h + m->blocks.n, m->terms.p ? m->terms.p : "", m->terms.n);
    memcpy(bytes, &h, sizeof h);
    *ret = (SegmentIndex){.bytes = {bytes, n},
                          .block = (const SegmentBlock *)(const void *)(bytes + sizeof h),
                          .block_n = m->block,
                          .term = (const uint64_t *)(const void *)(bytes + sizeof h + m->blocks.n),
                          .term_n = term_n,
                          .packed_bytes = packed_bytes};
}

Status segment_index_make(Arena *a, const char *path, HashKey key, SegmentIndex *ret,
                          Sha256 *ret_sum, Err *err)
{
    SegmentFrames f;
    Making m = {.key = key};
    Sha256Run sum;
    Str lines;
    bool more = true;
    TRY(segment_frames_open(path, &f, err));
    sha256_run_init(&sum);
    buf_init(&m.blocks, 0);
    buf_init(&m.terms, 0);
    Status s = OK;
    while (s == OK && more) {
        uint64_t at = f.at;
        s = segment_frames_next(&f, &lines, &more, err);
        if (s == OK && more && m.block == BLOCKS_MAX) {
            s = err_add(err, ERR_TOO_LARGE, NULL, str_from_c(path), "审计分段过大",
                        "The audit's segment is too large");
        } else if (s == OK && more) {
            sha256_run_add(&sum, lines);
            block_add(&m, at, f.at, lines);
        }
    }
    Sha256 found = sha256_run_done(&sum);
    if (s == OK) {
        index_join(a, &m, f.at, ret);
        if (ret_sum) {
            *ret_sum = found;
        }
    }
    segment_frames_close(&f);
    buf_done(&m.blocks);
    buf_done(&m.terms);
    return s;
}

/* ---- The file ---------------------------------------------------------------------------------
 */

static bool index_parse(Str bytes, SegmentIndex *ret)
{
    Header h;
    if (bytes.n < sizeof h) {
        return false;
    }
    memcpy(&h, bytes.p, sizeof h);
    Str rest = str_skip(bytes, sizeof h);
    const char *terms = rest.p + h.block_n * sizeof(SegmentBlock);
    *ret = (SegmentIndex){.bytes = bytes,
                          .block = (const SegmentBlock *)(const void *)rest.p,
                          .block_n = h.block_n,
                          .term = (const uint64_t *)(const void *)terms,
                          .term_n = h.term_n,
                          .packed_bytes = h.packed_bytes};
    return memcmp(h.magic, INDEX_MAGIC, sizeof h.magic) == 0 && h.block_n <= BLOCKS_MAX &&
           h.term_n <= INDEX_BYTES_MAX / sizeof(uint64_t) &&
           rest.n == h.block_n * sizeof(SegmentBlock) + h.term_n * sizeof(uint64_t);
}

static bool file_map(const char *path, Str *ret)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool fits = fd >= 0 && fstat(fd, &st) == 0 && st.st_size >= (off_t)sizeof(Header) &&
                st.st_size <= (off_t)INDEX_BYTES_MAX;
    void *p = fits ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    if (fd >= 0) {
        close(fd);
    }
    if (p == MAP_FAILED) {
        return false;
    }
    *ret = (Str){p, (size_t)st.st_size};
    return true;
}

/* A file that is there but of another segment, or older than its format, is as none. */
static bool index_load(Arena *a, const char *folder, const Segment *s, SegmentIndex *ret)
{
    Str bytes;
    struct stat st;
    if (!file_map(segment_index_path(a, folder, s), &bytes)) {
        return false;
    }
    bool fits = index_parse(bytes, ret) && stat(segment_path(a, folder, s), &st) == 0 &&
                (uint64_t)st.st_size == ret->packed_bytes;
    ret->mapped = (void *)(uintptr_t)bytes.p;
    if (!fits) {
        munmap(ret->mapped, bytes.n);
    }
    return fits;
}

Status segment_index_open(Arena *a, const char *folder, const Segment *s, HashKey key,
                          SegmentIndex *ret, Err *err)
{
    return index_load(a, folder, s, ret)
               ? OK
               : segment_index_make(a, segment_path(a, folder, s), key, ret, NULL, err);
}

void segment_index_close(SegmentIndex *index)
{
    if (index->mapped) {
        munmap(index->mapped, index->bytes.n);
    }
}

bool segment_index_lies(Arena *a, const char *folder, const Segment *s, const SegmentIndex *made)
{
    SegmentIndex there;
    if (!index_load(a, folder, s, &there)) {
        return true;
    }
    bool same = str_eq(there.bytes, made->bytes);
    segment_index_close(&there);
    return !same;
}

Status segment_index_write(Arena *a, const char *folder, const Segment *s,
                           const SegmentIndex *index, Err *err)
{
    return file_write_durable(segment_index_path(a, folder, s), index->bytes, 0600, err);
}

/* The first place that is not below. */
static size_t lower_bound(const SegmentIndex *index, uint64_t term)
{
    size_t from = 0, to = index->term_n;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (index->term[middle] < term) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from;
}

size_t segment_index_find(const SegmentIndex *index, uint64_t term, const uint64_t **ret)
{
    size_t from = lower_bound(index, term), to = from;
    while (to < index->term_n && (index->term[to] & ~(uint64_t)0xffff) == term) {
        to++;
    }
    *ret = index->term + from;
    return to - from;
}
