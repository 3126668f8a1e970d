/*
 * The delta: what is committed in the log and not yet merged into index.db, as rows in memory.
 *
 * It consists of parts, oldest first. The writer adds to the newest, the merger seals the oldest,
 * writes it into index.db in one sorted batch and takes it off. A part is one piece of the log's
 * numbering, so index.db stands always between two parts and a version's rows are in exactly one
 * of both.
 *
 * Who looks pins the parts first and begins the snapshot of index.db after it: a version is then
 * in the snapshot (its seq is at or below the index's), in a pinned part, or was published after
 * the pin, which nobody expects to see. Rows of index.db of a resource that a pinned part names
 * are stale and do not count (delta_moved); its rows in the part do (delta_rows).
 *
 * The writer alone adds, so its entries are linked without a lock and read without one: an entry
 * counts where its seq is at or below the view's and what took its place is not. A part is freed
 * when it is off the list and nobody pins it. docs/decisions/050 has the whole argument.
 */
#ifndef STORE_DELTA_H
#define STORE_DELTA_H

#include <stdatomic.h>

#include "store_index.h"

typedef struct Delta Delta;
typedef struct DeltaPart DeltaPart;

/* One version. */
typedef struct DeltaDoc {
    int64_t rid;
    uint64_t seq;
    const FhirType *type;
    const IndexDoc *doc;        /* NULL: a deletion */
    const IndexDoc *before;     /* what stood in the index before this part (of `first` only) */
    struct DeltaDoc *first;     /* of the same resource in this part */
    struct DeltaDoc *chain;     /* of the bucket */
    int living;                 /* by how much it changed the number of living resources */
    bool last;                  /* of its resource in this part */
    _Atomic uint64_t until_seq; /* of what took its place, in any part; 0: nothing */
} DeltaDoc;

typedef struct DeltaRow {
    struct DeltaRow *chain;
    uint64_t key;
    const IndexRow *row;
    const DeltaDoc *doc;
} DeltaRow;

/* What one reader sees of it: the parts that its index lacks, up to a seq. */
#define DELTA_PARTS_MAX 6
typedef struct DeltaView {
    DeltaPart *part[DELTA_PARTS_MAX]; /* newest first */
    size_t n;
    uint64_t to_seq;
} DeltaView;

void delta_open(Store *s);
void delta_close(Store *s);

/* ---- Looking -------------------------------------------------------------------------------- */

/* Before the snapshot of index.db is begun; to_seq is then the last that was published. */
void delta_pin(Store *s, DeltaView *ret);
void delta_unpin(Store *s, DeltaView *v);
/* Lets go of the parts that an index up to `seq` holds already. */
void delta_trim(Store *s, DeltaView *v, uint64_t index_seq);

/* In a process that does not write the log: the rows of what the index lacks, made from the log,
 * as a part of this reader's own. */
Status delta_of_log(StoreReader *r, Err *err) MUST_USE;

/* The last word on a resource, also a deletion; NULL: it stands in the index as it is. */
const DeltaDoc *delta_find(const DeltaView *v, int64_t rid);
static inline bool delta_moved(const DeltaView *v, int64_t rid)
{
    return v->n > 0 && delta_find(v, rid) != NULL;
}

/*
 * The rows of a list, in no order: of tokens, references and codes those with the hash `a`, of a
 * compartment (any param) those of the patient `a`, of the other tables all of the parameter.
 */
typedef struct DeltaRows {
    const DeltaView *view;
    IndexTable table;
    uint32_t param;
    int64_t a;
    uint64_t key;
    size_t part; /* the next */
    const DeltaRow *next;
} DeltaRows;

DeltaRows delta_rows(const DeltaView *v, IndexTable table, uint32_t param, int64_t a);
/* NULL: no more. row->doc->doc is never NULL. */
const DeltaRow *delta_next(DeltaRows *rows);
/* By how many more resources have a token, whose code has a hash of its own, than the index says.
 */
int64_t delta_growth(const DeltaView *v, uint32_t param, int64_t code, int64_t token);
/* The resource has such a row; for tokens and references. */
bool delta_doc_has(const DeltaDoc *d, IndexTable table, uint32_t param, int64_t a);
bool delta_doc_has_any(const DeltaDoc *d, IndexTable table, uint32_t param);

/* Versions in the order of the log: the next of a type after, or the last before a seq. */
const DeltaDoc *delta_change_after(const DeltaView *v, const FhirType *type, uint64_t seq);
const DeltaDoc *delta_change_before(const DeltaView *v, const FhirType *type, uint64_t seq);
/* It is what the resource is now, as the view sees it. */
bool delta_is_head(const DeltaView *v, const DeltaDoc *d);
/* By how much the number of living resources of a type differs from the index's. */
int64_t delta_living(const DeltaView *v, const FhirType *type);

/* ---- The writer ----------------------------------------------------------------------------- */

/* Room for a group, before it begins; waits for the merger. Not OK: the index cannot be written
 * and no more can be held back. */
Status delta_room(Store *s) MUST_USE;
/* One version after its commit. before: its rows before it, or NULL. */
void delta_add(Store *s, const DeltaView *pinned, const DeltaDoc *version);
/* Everything up to seq may be seen. */
void delta_publish(Store *s, uint64_t seq);

/* ---- The merger (store_merge.c) -------------------------------------------------------------- */

void merger_start(Store *s);
/* Soon merges what there is, though it is not old yet. */
void merger_hurry(Store *s);
/* Waits until index.db has what was written up to seq; others go on writing. Not OK: it cannot be.
 */
Status merger_reach(Store *s, uint64_t seq) MUST_USE;
/* Merges what there is, unless the store is a temporary one. */
void merger_stop(Store *s);
/* Between the two nothing is merged, for whoever exchanges index.db; the writer must wait, too. */
void merger_pause(Store *s);
void merger_resume(Store *s);
/* Between the two nothing is merged either, for who writes the index beside the merger: for
 * milliseconds, and waiting for whoever paused it. */
void merger_enter(Store *s);
void merger_leave(Store *s);
/* Between those two, and while the writer adds nothing: merges all there is. */
Status merger_empty(Store *s) MUST_USE;
/* The index holds everything: all parts are dropped. While paused. */
void delta_clear(Store *s);

#endif
