/*
 * Sensitive content (mental health, HIV, …): classes of the codings in a resource's meta.security.
 * A version keeps its classes beside its patients, so that every look at a row knows them without
 * the body; who sees which class is in the view (StoreView.labels), decided by access.
 */
#ifndef STORE_LABEL_H
#define STORE_LABEL_H

#include "json.h"

typedef enum StoreLabel {
#define LABEL(name, system, codes) STORE_LABEL_##name,
#include "store_labels.def"
#undef LABEL
    STORE_LABELS
} StoreLabel;

static inline unsigned store_label_bit(StoreLabel label)
{
    return 1u << label;
}

/* The classes of a resource, one bit each; 0: nothing sensitive. */
unsigned store_labels_of(const JsonDoc *resource);
/* "!HIV !MENTAL " before the patients of a version; empty without classes. */
Str store_labels_text(Arena *a, unsigned labels);
/*
 * Takes the classes off the front of a version's text, which then begins with its patients; a class
 * that this program does not know sets *ret_unknown.
 */
unsigned store_labels_cut(Str *text, bool *ret_unknown);
/* Of the table of classes: another one when a class or a code has come or gone. */
Str store_labels_digest(Arena *a);

#endif
