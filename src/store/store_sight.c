/* Who sees what: the same decision for reads, histories, hits, includes and every hop. */
#include "store_sight.h"

#include "store_inner.h"

#include "mk_banned.h"

static char sight_yes, sight_no;

void sight_init(Sight *g, StoreReader *r, const StoreView *view, Arena *a)
{
    *g = (Sight){.reader = r, .view = view, .arena = a};
    map_init(&g->orgs, a);
    map_init(&g->patients, a);
    for (size_t i = 0; i < view->orgs_n; i++) {
        map_put(&g->orgs, view->orgs[i], &sight_yes);
    }
}

static bool grantee_matches(const Sight *g, Str grantee)
{
    return map_get(&g->orgs, grantee) != NULL ||
           (!str_empty(g->view->person) && str_eq(grantee, g->view->person));
}

/* The patient's id is compared as text: a hash never decides who sees whom. */
static bool granted(const Sight *g, Str id)
{
    DbStmt *st = db_take(g->reader->log, "SELECT grantee FROM access_grant"
                                         " WHERE patient = ? AND since <= ? AND until > ?");
    if (!st) {
        return false;
    }
    db_bind_id(st, 0, id);
    db_bind_i64(st, 1, g->view->now_ms);
    db_bind_i64(st, 2, g->view->now_ms);
    bool found = false;
    while (!found && db_step(st) == DB_ROW) {
        found = grantee_matches(g, db_col_str(st, 0));
    }
    db_give(st);
    return found;
}

static bool sight_patient(Sight *g, Str id)
{
    if (g->view->everything) {
        return true;
    }
    if (!g->view->clinical || str_empty(id)) {
        return false;
    }
    void *known = map_get(&g->patients, id);
    if (!known) {
        known = granted(g, id) ? &sight_yes : &sight_no;
        map_put(&g->patients, arena_str(g->arena, id), known);
    }
    return known == &sight_yes;
}

void sight_learn(Sight *g, Str patients, bool granted)
{
    bool unknown;
    Str id, rest;
    (void)store_labels_cut(&patients, &unknown);
    str_cut(patients, ' ', &id, &rest);
    if (granted && !str_empty(rest)) {
        return; /* nobody knows which of them */
    }
    for (; !str_empty(id); str_cut(rest, ' ', &id, &rest)) {
        if (!map_get(&g->patients, id)) {
            map_put(&g->patients, arena_str(g->arena, id), granted ? &sight_yes : &sight_no);
        }
    }
}

/* Whose own a resource of nobody's is: the organisation in whose name it was first written. */
static bool written_here(const Sight *g, uint64_t born)
{
    DbStmt *st = db_take(g->reader->log, "SELECT t.org, t.author FROM version v"
                                         " JOIN tx t ON t.tx = v.tx WHERE v.seq = ?");
    if (!st) {
        return false;
    }
    db_bind_i64(st, 0, (int64_t)born);
    bool here = db_step(st) == DB_ROW &&
                (map_get(&g->orgs, db_col_str(st, 0)) != NULL ||
                 (!str_empty(g->view->person) && str_eq(db_col_str(st, 1), g->view->person)));
    db_give(st);
    return here;
}

static bool type_among(const FhirType *type, const char *const *names, size_t n)
{
    bool found = false;
    for (size_t i = 0; i < n && !found; i++) {
        found = str_is(fhir_type_name(type), names[i]);
    }
    return found;
}

/*
 * Those of these types that name no patient are the county's: a department's Schedule from which
 * everybody books, a machine, what was verified of the directory.
 */
static bool type_is_patients(const FhirType *type)
{
    static const char *const SHARED[] = {"Device", "Schedule", "VerificationResult"};
    if (type_among(type, SHARED, sizeof SHARED / sizeof *SHARED)) {
        return false;
    }
    unsigned links;
    bool self;
    fhir_patient_links(type, &links, &self);
    return links > 0 || self;
}

/* Those that hold whole resources inside show all of them to whoever sees one. */
static bool type_embeds(const FhirType *type)
{
    static const char *const EMBEDS[] = {"Bundle", "Parameters"};
    return type_among(type, EMBEDS, sizeof EMBEDS / sizeof *EMBEDS);
}

/* One of several patients opens a resource; what embeds resources is opened by all of them. */
static bool sight_patients(Sight *g, const FhirType *type, Str patients)
{
    bool all = type_embeds(type), seen = false;
    for (Str rest = patients, id; !str_empty(rest);) {
        str_cut(rest, ' ', &id, &rest);
        seen = sight_patient(g, id);
        if (seen != all) {
            return seen;
        }
    }
    return seen;
}

bool sight_resource(Sight *g, const FhirType *type, Str patients, uint64_t born)
{
    bool unknown;
    if (g->view->everything) {
        return true;
    }
    if (store_labels_cut(&patients, &unknown) & ~g->view->labels || unknown) {
        return false;
    }
    if (!str_empty(patients)) {
        return sight_patients(g, type, patients);
    }
    return !type_is_patients(type) || (g->view->clinical && written_here(g, born));
}

bool store_patient_visible(StoreReader *r, const StoreView *view, Str patient_id)
{
    Arena a;
    Sight g;
    arena_init(&a, 0);
    sight_init(&g, r, view, &a);
    bool yes = sight_patient(&g, patient_id);
    arena_done(&a);
    return yes;
}

/* ---- For those who count ----------------------------------------------------------------- */

struct StoreSight {
    Sight sight;
};

StoreSight *store_sight_new(StoreReader *r, Arena *a, const StoreView *view)
{
    StoreSight *g = arena_new(a, StoreSight);
    sight_init(&g->sight, r, view, a);
    return g;
}

bool store_sight_patient(StoreSight *g, Str patient_id)
{
    return sight_patient(&g->sight, patient_id);
}

bool store_version_visible(StoreReader *r, const StoreView *view, uint64_t seq)
{
    DbStmt *st = db_take(r->log, "SELECT h.type, v.patient, h.born FROM version v"
                                 " JOIN head h ON h.rid = v.rid WHERE v.seq = ?");
    if (!st) {
        return false;
    }
    Arena a;
    Sight g;
    arena_init(&a, 0);
    sight_init(&g, r, view, &a);
    db_bind_i64(st, 0, (int64_t)seq);
    bool yes = db_step(st) == DB_ROW &&
               sight_resource(&g, fhir_resource_at((unsigned)db_col_i64(st, 0)),
                              arena_str(&a, db_col_id(st, 1)), (uint64_t)db_col_i64(st, 2));
    db_give(st);
    arena_done(&a);
    return yes;
}
