/* What the files of the delta share: its parts, and the state of the merger. */
#ifndef STORE_DELTA_INNER_H
#define STORE_DELTA_INNER_H

#include "store_delta.h"
#include "store_inner.h"

#define PART_DOCS        4096u /* versions after which the next group begins another part */
#define PART_DOCS_BULK   20000u
#define PART_BYTES       (32u << 20)
#define PART_BYTES_BULK  (192u << 20)
#define PART_LONG        256u       /* bytes: a text from which on its characters are counted */
#define PART_LONG_BYTES  (4u << 20) /* of such texts: a row for each character is merged */
#define PART_LONG_BULK   (32u << 20)
#define PART_BUCKETS_DOC 8u
#define PARTS_LIVE       4u /* with so many and the last one full, the writer waits */

struct DeltaPart {
    DeltaPart *newer; /* this and refs: under the delta's lock */
    unsigned refs;
    Arena arena;
    size_t long_bytes; /* of long texts that come or go */
    DeltaDoc **doc;    /* in the order of seq; never empty once it is in the list and published */
    atomic_size_t doc_n;
    size_t doc_room;
    _Atomic(DeltaRow *) *by_key;
    size_t buckets;
    _Atomic(DeltaDoc *) *by_rid;
    size_t rid_buckets;
    int64_t born_us;
    int living[256]; /* by type: by how much it changed their number; the writer's until sealed */
};

struct Delta {
    pthread_mutex_t lock;
    pthread_cond_t work, done; /* for the merger; for those who wait for it */
    DeltaPart *oldest, *newest;
    size_t n;
    DeltaPart *open; /* the newest while the writer may add to it; NULL: it is sealed */
    uint64_t published;
    bool filling; /* a group is under way: only the writer seals */
    bool wanted;  /* the merger waits for the open part */
    bool hurried; /* the open part is merged before its time */
    bool merging, paused, closing, started;
    Status last; /* of the last try, and how many there were */
    uint64_t tries;
    pthread_t thread;
};

bool part_is_full(const Store *s, const DeltaPart *p);
size_t part_rid_bucket(const DeltaPart *p, int64_t rid);
/* The newest version of a resource in the part, at or below a seq; or NULL. */
DeltaDoc *part_find(const DeltaPart *p, int64_t rid, uint64_t to_seq);
uint64_t delta_row_key(IndexTable table, uint32_t param, int64_t a);
void delta_drop_oldest(Delta *d);

#endif
