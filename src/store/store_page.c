/* Pages: candidates gathered or walked, in order, from a place, up to the count. */
#include <stdlib.h>

#include "store_query.h"

#include "mk_banned.h"

#define WALK_TRY     100 /* candidates walked before the caller's own patients are tried instead … */
#define WALK_SHARE   2    /* … and one more for so many of these */
#define WALK_COST    3.0  /* of a candidate walked, beside a patient looked into */
#define OWN_ROWS_MAX 5000 /* of the caller's own patients, where the rows stand in no order */
#define SCAN_LIMIT   100  /* pages up to here are tried by looking at the first resources */
#define SCAN_BODIES  200
#define SCAN_ROWS    400
#define SCAN_TEXTS   50 /* where the rows can be walked in order instead */

void page_keep(Page *p, const Found *f)
{
    if (p->n == p->room) {
        size_t room = p->room ? p->room * 2 : 32;
        Found *more = arena_array(p->run->arena, Found, room);
        if (p->n) {
            memcpy(more, p->found, p->n * sizeof *more);
        }
        p->found = more;
        p->room = room;
    }
    p->found[p->n++] = *f;
}

bool page_is_past(const Page *p, const Found *f)
{
    return !p->cursor || found_order(p->run->query, f, &p->cursor->last) > 0;
}

bool page_is_full(const Page *p)
{
    return p->more && !p->count_all;
}

void page_restart(Page *p)
{
    p->n = 0;
    p->total = p->counted ? p->total : 0;
    p->more = false;
    p->has_walked = false;
}

bool page_has(const Page *p, int64_t rid)
{
    bool found = false;
    for (size_t i = 0; i < p->n && !found; i++) {
        found = p->found[i].at.rid == rid;
    }
    return found;
}

/*
 * Its keys, and whether it stands here: a resource does at the least of its texts that match, not
 * at its other rows. Who walks the texts from the first meets that one first; later pages ask the
 * body.
 */
static Status found_place(Page *p, Found *f, const Found *stub, bool keyed, bool *ret, Err *err)
{
    bool by_text = keyed && p->run->query->by_text;
    if (by_text && p->texts_from_first) {
        f->text[0] = arena_str(p->run->arena, stub->text[0]);
        *ret = !page_has(p, f->at.rid);
        return OK;
    }
    TRY(found_keys(p->run, f, err));
    *ret = !by_text || str_eq(f->text[0], stub->text[0]);
    return OK;
}

Status page_offer(Page *p, const Found *stub, bool keyed, Err *err)
{
    Found f;
    bool match;
    if (page_is_full(p)) {
        return OK;
    }
    if (p->among && !own_has_rid(p->among, stub->at.rid)) {
        return run_charge(p->run, 1, err);
    }
    bool placed = keyed || query_is_walked(p->run->query);
    if (placed && !p->count_all && !page_is_past(p, stub)) {
        return run_charge(p->run, 1, err);
    }
    TRY(run_consider(p->run, stub->at, &f, &match, err));
    if (!match) {
        return OK;
    }
    TRY(found_place(p, &f, stub, keyed, &match, err));
    if (!match) {
        return OK;
    }
    p->total += !p->counted;
    if (!page_is_past(p, &f)) {
        return OK;
    }
    if (p->n < p->limit) {
        page_keep(p, &f);
    } else {
        p->more = true;
    }
    return OK;
}

static Status candidate_offer(Page *p, Candidate c, Err *err)
{
    Found stub = {.at = c};
    return page_offer(p, &stub, false, err);
}

/* ---- In the order of the lists ------------------------------------------------------------- */

void page_comes(Page *p, const Candidates *c, size_t i)
{
    if (i % RUN_COMING == 0) {
        run_coming(p->run, c->at + i, c->n - i < RUN_COMING ? c->n - i : RUN_COMING);
    }
}

Status page_candidates(Page *p, Candidates *c, Err *err)
{
    if (c->n) {
        qsort(c->at, c->n, sizeof *c->at,
              query_ascends(p->run->query) ? candidate_oldest_first : candidate_newest_first);
    }
    Status s = OK;
    p->run->page_n = p->limit + 1;
    for (size_t i = 0; i < c->n && s == OK && !page_is_full(p); i++) {
        page_comes(p, c, i);
        s = candidate_offer(p, c->at[i], err);
    }
    run_coming(p->run, NULL, 0);
    return s;
}

static Status page_gathered(Page *p, const Source *src, const OwnPatients *within, Err *err)
{
    Candidates c;
    TRY(source_gather(p->run, src, within, &c, err));
    return page_candidates(p, &c, err);
}

Status page_walked(Page *p, const Source *src, size_t limit, bool *ret_done, Err *err)
{
    Walk *w;
    const Candidate *after = p->has_walked                ? &p->walked
                             : p->cursor && !p->count_all ? &p->cursor->last.at
                                                          : NULL;
    size_t stretch = run_stretch(p->run);
    p->run->page_n = p->limit + 1;
    TRY(walk_open(p->run, src, query_ascends(p->run->query), after, &w, err));
    Status s = OK;
    bool more = true;
    for (size_t n = 0; s == OK && more && !page_is_full(p) && n < limit;) {
        Candidate c[RUN_COMING];
        size_t k = 0, room = limit - n < stretch ? limit - n : stretch;
        while (s == OK && more && k < room) {
            s = walk_next(w, &c[k], &more, err);
            k += s == OK && more;
        }
        run_coming(p->run, c, k);
        for (size_t i = 0; i < k && s == OK && !page_is_full(p); i++, n++) {
            s = candidate_offer(p, c[i], err);
            p->walked = c[i];
            p->has_walked = true;
        }
        run_coming(p->run, NULL, 0);
    }
    walk_close(w);
    *ret_done = !more || page_is_full(p);
    return s;
}

static void source_answers(const Source *src, bool driven)
{
    for (size_t i = 0; i < sizeof src->within / sizeof *src->within; i++) {
        if (src->within[i] && src->answers[i]) {
            src->within[i]->driven = driven;
        }
    }
}

void source_drive(const Source *src)
{
    source_answers(src, true);
    if (src->test) {
        src->test->driven = !src->test->wide;
    }
}

void source_yield(const Source *src)
{
    source_answers(src, false);
    if (src->test) {
        src->test->driven = false;
    }
}

/*
 * Among a type's resources those of `own` patients come by at a rate of own/all: a page that
 * would need a longer walk than looking into each of the patients begins with these.
 */
Status own_is_shorter(Page *p, const OwnPatients *own, bool *ret, Err *err)
{
    int64_t all = 0;
    *ret = false;
    if (own->many) {
        return OK;
    }
    const FhirType *patient = fhir_resource_find(STR("Patient"));
    TRY(type_counter(p->run, patient, &all, err));
    double page = p->count_all ? 1e9 : (double)(p->limit < 1000 ? p->limit + 1 : 1000);
    double walk = page * (double)all / (double)(own->n + 1);
    *ret = WALK_COST * walk > (double)own->n;
    return OK;
}

/*
 * What stands in order is walked; for a narrow view only as far as is cheap beside looking into
 * each of the caller's own, which then are taken: nobody knows before how many of the matches
 * are theirs.
 */
static Status page_long(Page *p, Source *src, Err *err)
{
    Source own;
    bool usable, done = false;
    TRY(source_bound(p->run, src, err));
    TRY(source_patients(p->run, &own, &usable, err));
    if (!usable || !p->count_all) {
        size_t limit = usable ? WALK_TRY + own.own->n / WALK_SHARE : SIZE_MAX;
        if (usable) {
            TRY(run_pass_others(p->run, own.own, err));
        }
        bool meets = !usable && run_may_meet(p->run, src);
        TRY(meets ? page_met(p, src, &done, err) : page_walked(p, src, limit, &done, err));
    }
    if (done || !usable) {
        return OK;
    }
    p->run->few = NULL;
    page_restart(p);
    source_yield(src);
    source_drive(&own);
    return page_gathered(p, &own, NULL, err);
}

/* ---- Where the conditions' rows stand in no order ------------------------------------------ */

/* The caller's patients one after another, or all of the type, each looked into. */
static Status page_tried(Page *p, size_t rows, bool *ret_done, Err *err)
{
    Run *r = p->run;
    int64_t least = r->budget->bodies - SCAN_BODIES;
    if (!p->among) {
        Source all = source_of_all();
        TRY(source_bound(r, &all, err));
        return page_walked(p, &all, rows, ret_done, err);
    }
    int64_t rid = 0;
    size_t n = 0, k = 0, stretch = run_stretch(r);
    Status s = OK;
    while (s == OK && k == n && !p->more && r->budget->bodies > least) {
        Candidate c[RUN_COMING];
        for (n = 0; n < stretch && (rid = own_next_rid(p->among, rid)) > 0; n++) {
            c[n] = (Candidate){ND_NONE, rid};
        }
        run_coming(r, c, n);
        for (k = 0; s == OK && k < n && !p->more && r->budget->bodies > least; k++) {
            s = candidate_offer(p, c[k], err);
        }
        run_coming(r, NULL, 0);
        if (rid == 0) {
            break;
        }
    }
    *ret_done = p->more || (rid == 0 && k == n);
    return s;
}

/*
 * A condition with many rows is met by many resources: a short look at the first ones in order
 * often fills the page. Else the rows are gathered, of the caller's patients only where the
 * search is for patients.
 */
static Status page_unordered(Page *p, const Source *src, Err *err)
{
    bool done = false,
         walk = src->test->listed && !p->among && !p->count_all && !p->run->store->server;
    if (!p->count_all && p->limit <= SCAN_LIMIT) {
        source_yield(src);
        p->run->no_sets = true;
        TRY(page_tried(p, walk ? SCAN_TEXTS : SCAN_ROWS, &done, err));
        p->run->no_sets = false;
        source_drive(src);
    }
    if (done) {
        return OK;
    }
    page_restart(p);
    return walk ? page_walked(p, src, SIZE_MAX, &done, err) : page_gathered(p, src, p->among, err);
}

/* What so many patients have of the type, as all of them have on average. */
static Status own_rows(Run *r, const OwnPatients *own, int64_t *ret, Err *err)
{
    int64_t all, patients;
    TRY(type_counter(r, r->query->type, &all, err));
    TRY(type_counter(r, fhir_resource_find(STR("Patient")), &patients, err));
    *ret = all / (patients + 1) * (int64_t)own->n + (int64_t)own->n;
    return OK;
}

/*
 * A narrow view of many rows that stand in no order: what the caller's own patients have, where
 * this is little, and less than the rows.
 */
static Status page_own(Page *p, Source *src, bool *ret_done, Err *err)
{
    Source own;
    bool usable;
    int64_t rows;
    TRY(source_patients(p->run, &own, &usable, err));
    if (!usable) {
        return OK;
    }
    TRY(own_rows(p->run, own.own, &rows, err));
    if (rows > OWN_ROWS_MAX) {
        return OK;
    }
    TRY(source_count(p->run, src, SOURCE_COUNT_MAX + 2 * rows, err));
    if (src->whole) {
        return OK;
    }
    p->run->few = NULL;
    p->run->no_sets = true; /* of so few a set is more work than the bodies */
    source_yield(src);
    source_drive(&own);
    *ret_done = true;
    return page_gathered(p, &own, NULL, err);
}

static Status page_among(Page *p, Err *err)
{
    const Run *r = p->run;
    const OwnPatients *own;
    if (r->view->everything || r->query->type != fhir_resource_find(STR("Patient"))) {
        return OK;
    }
    TRY(own_patients(p->run, &own, err));
    p->among = own->many ? NULL : own;
    return OK;
}

/* How each condition is asked of what the source gives. */
static void tests_note(Run *r)
{
    for (size_t i = 0; r->plan && i < r->test_n; i++) {
        const Test *t = &r->test[i];
        const char *how = t->driven                    ? "answered by the list"
                          : t->is_set                  ? "a set that was gathered"
                          : t->lazy                    ? "an inner search, asked for each"
                          : t->hint                    ? "a hint"
                          : t->wide || !test_has_nd(t) ? "rows where they are few, and the body"
                                                       : "a look-up for each";
        run_note(r, "%.*s: %s", STR_ARG(test_name(t)), how);
    }
}

Status page_fill(Page *p, Err *err)
{
    Source src;
    bool done = false;
    run_part(p->run);
    TRY(page_among(p, err));
    if (p->cursor && p->cursor->way) {
        return page_value_next(p, err);
    }
    TRY(source_choose(p->run, &src, err));
    if (p->count_all && !src.whole) {
        bool known;
        TRY(page_count(p, &known, err));
        if (known && p->limit == 0) {
            return OK;
        }
    }
    source_drive(&src);
    run_note(p->run, "%.*s: begins with %.*s %.*s", STR_ARG(fhir_type_name(p->run->query->type)),
             STR_ARG(source_name(&src)), STR_ARG(source_param(&src)));
    tests_note(p->run);
    if (!query_is_walked(p->run->query)) {
        return page_sort(p, &src, err);
    }
    bool many = src.rows >= SOURCE_COUNT_MAX;
    bool alone = run_is_of_one(p->run) && src.rows >= SOURCE_SHORT;
    if (src.ordered && (alone || many)) {
        return page_long(p, &src, err);
    }
    bool unordered = many && src.kind == SOURCE_TEST && !src.test->is_set;
    if ((many || alone) && !p->cursor && !p->count_all && source_is_by_value(p->run, &src)) {
        TRY(page_by_value(p, &src, &done, err));
    }
    if (done) {
        return OK;
    }
    if (!src.whole && !p->among) {
        TRY(page_own(p, &src, &done, err));
    }
    if (done) {
        return OK;
    }
    return unordered ? page_unordered(p, &src, err) : page_gathered(p, &src, NULL, err);
}
