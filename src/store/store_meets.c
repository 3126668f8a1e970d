#include "store_meets.h"

#include <stdlib.h>

#include "store_query.h"

#include "mk_banned.h"

static bool is_of_set(const Test *t, int64_t rid)
{
    bool found = t->rid_n && bsearch(&rid, t->rid, t->rid_n, sizeof *t->rid, rid_order) != NULL;
    return found != clause_is_negated(t->clause);
}

static Status meets_inside(Run *r, Found *f, bool *ret, Err *err)
{
    bool met = true;
    TRY(run_resolve(r, err));
    for (size_t i = 0; i < r->test_n && met; i++) {
        Test *t = &r->test[i];
        if (t->hint || t->moot) {
            continue; /* of another test, which says all */
        }
        if (t->is_set) {
            met = is_of_set(t, f->at.rid);
        } else {
            TRY(test_in_body(r, t, f, &met, err));
        }
    }
    *ret = met;
    return OK;
}

Status store_query_meets(StoreReader *r, Arena *a, const StoreQuery *q, const StoreView *view,
                         const StoreVersion *v, bool *ret, Err *err)
{
    Run run;
    Head head;
    bool known;
    TRY(store_snapshot_begin(r, err));
    Status s = head_find(r->log, a, q->type, v->id, &head, &known, err);
    if (s == OK && known) {
        Found f = {.at = {ND_NONE, head.rid}, .seq = v->seq, .id = v->id, .vid = v->vid};
        f.body = v->body;
        run_init(&run, r, a, q, view, NULL);
        s = meets_inside(&run, &f, ret, err);
    } else {
        *ret = false;
    }
    store_snapshot_end(r);
    return s;
}
