/*
 * One version of a resource against a query: whether the query would find it if that version were
 * what is there. Conditions on the resource itself look at the version; those on others (chains,
 * _has, _list) at what they are now. For exports of a moment and for the events of subscriptions.
 *
 * Whether the version may be seen is the caller's to ask; inner searches go through the view.
 */
#ifndef STORE_MEETS_H
#define STORE_MEETS_H

#include "store.h"

/* v: with its body. */
Status store_query_meets(StoreReader *r, Arena *a, const StoreQuery *q, const StoreView *view,
                         const StoreVersion *v, bool *ret, Err *err) MUST_USE;

#endif
