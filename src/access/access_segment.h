/*
 * Segments of the audit on disk (docs/formats/audit.md):
 *   YYYY-MM-DD.log      lines; the newest one is being written
 *   YYYY-MM-DD.log.zst  a closed one: zstd frames, each of whole lines and at most
 *                       SEGMENT_BLOCK_BYTES (a longer line has a frame of its own)
 *   YYYY-MM-DD.idx      beside a closed one: where its frames are and which patients and persons
 *                       occur in which; made from it, and made anew whenever it does not fit
 * Only for the files of this room.
 */
#ifndef ACCESS_SEGMENT_H
#define ACCESS_SEGMENT_H

#include "access_chain.h"

#define SEGMENT_BLOCK_BYTES ((size_t)256 << 10)
#define SEGMENT_LINE_MAX    ((size_t)128 << 10)
#define SEGMENT_DAY_BYTES   (sizeof "2026-11-22" - 1)

typedef struct Segment {
    char day[SEGMENT_DAY_BYTES + 1];
    bool packed;
} Segment;

typedef struct SegmentList {
    Segment *at; /* oldest first */
    size_t n, room;
} SegmentList;

/* Where both forms of a day are there (a crash between making and removing), the plain one counts.
 */
Status segment_list(Arena *a, const char *folder, SegmentList *ret, Err *err) MUST_USE;
/* "FOLDER/2026-11-22.log" and the like. */
const char *segment_path(Arena *a, const char *folder, const Segment *s);
const char *segment_index_path(Arena *a, const char *folder, const Segment *s);
Status segment_failed(Err *err, const char *path);

/* ---- Closed segments --------------------------------------------------------------------------
 */

/* Reads frame after frame; *ret_lines lives until the next call. */
typedef struct SegmentFrames {
    int fd;
    const char *path;
    uint64_t at; /* of the next frame */
    Buf packed, plain;
} SegmentFrames;
Status segment_frames_open(const char *path, SegmentFrames *ret, Err *err) MUST_USE;
void segment_frames_close(SegmentFrames *f);
/* *ret_more false: that was all. ERR_CONFLICT: damaged. */
Status segment_frames_next(SegmentFrames *f, Str *ret_lines, bool *ret_more, Err *err) MUST_USE;
Status segment_frame_read(SegmentFrames *f, uint64_t at, uint32_t bytes, Str *ret_lines,
                          Err *err) MUST_USE;

/* Makes the .log.zst of a .log, proves it by reading it back, and its index. */
Status segment_pack(Arena *a, const char *folder, const Segment *s, HashKey key, Err *err) MUST_USE;

/* ---- The index of a closed segment ------------------------------------------------------------
 */

typedef struct SegmentBlock {
    uint64_t at;    /* of the frame in the .zst */
    uint32_t bytes; /* of the frame */
    uint32_t lines;
    uint64_t first_n;
    int64_t min_ms, max_ms;
} SegmentBlock;

typedef struct SegmentIndex {
    Str bytes; /* the file, mapped or in an arena */
    const SegmentBlock *block;
    size_t block_n;
    const uint64_t *term; /* sorted: 48 bits of the term's hash, 16 bits of block */
    size_t term_n;
    uint64_t packed_bytes; /* of the .zst it was made from */
    void *mapped;          /* NULL: made */
} SegmentIndex;

typedef enum SegmentTerm { TERM_PATIENT = 'p', TERM_PERSON = 'w' } SegmentTerm;

/* The key of the terms' hashes, made from the chain's. */
HashKey segment_term_key(Str chain_key);
uint64_t segment_term(HashKey key, SegmentTerm kind, Str text);
/* From the file, or made from the segment (then in `a`) when there is none that fits. */
Status segment_index_open(Arena *a, const char *folder, const Segment *s, HashKey key,
                          SegmentIndex *ret, Err *err) MUST_USE;
void segment_index_close(SegmentIndex *index);
/* Made from the segment, whatever file there is. ret_sum: of all its plain bytes; may be NULL. */
Status segment_index_make(Arena *a, const char *path, HashKey key, SegmentIndex *ret,
                          Sha256 *ret_sum, Err *err) MUST_USE;
/* The file is missing, or is not what the segment gives. */
bool segment_index_lies(Arena *a, const char *folder, const Segment *s, const SegmentIndex *made);
Status segment_index_write(Arena *a, const char *folder, const Segment *s,
                           const SegmentIndex *index, Err *err) MUST_USE;
/* The blocks that may hold a term (48 bits can be wrong, never the other way): the low 16 bits. */
size_t segment_index_find(const SegmentIndex *index, uint64_t term, const uint64_t **ret);

/* ---- Lines ------------------------------------------------------------------------------------
 */

/* The raw text of a member of a record's line: `"at":` → 2026-…; without quotes; empty if absent.
 */
Str segment_line_member(Str line, const char *name);
uint64_t segment_line_n(Str line);

#endif
