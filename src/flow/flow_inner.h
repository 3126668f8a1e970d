/*
 * Inside the room: the transaction, the step of one case in it, and the engine. They live in a
 * request's arena and belong to one thread; the engine itself and its packages are shared.
 */
#ifndef FLOW_INNER_H
#define FLOW_INNER_H

#include <pthread.h>

#include "fhir_validate.h"
#include "flow_compile.h"
#include "flow_fill.h"
#include "store_term.h"

/* ---- One transaction ------------------------------------------------------------------------- */

typedef struct FlowTx {
    Flow *flow;
    Store *store;
    StoreReader *reader;
    Arena *arena;
    const AccessCaller *caller;
    bool clock;                                 /* nobody acts but the clock */
    bool dry, password_checked, factor_checked; /* of the request */
    int64_t now_ms;
    int zone_min;
    StoreBatch *batch;
    Map docs; /* "Type/id" → as this transaction would leave it */
    FlowCase *cases[FLOW_CASES_MAX];
    size_t cases_n;
    int depth; /* of effects that act on other cases */
} FlowTx;

/* One action on one case. */
typedef struct FlowStep {
    FlowTx *tx;
    FlowCase *c;
    const FlowAction *action;
    FlowScope scope;
    FlowFill *fill; /* NULL: no form was given */
    FlowFillEnv fill_env;
    Str response; /* "QuestionnaireResponse/ID", or empty */
    bool owner_given,
        priority_given; /* by the case that begins this one: its package does not ask again */
    Map said;           /* form code → FlowAnswers* */
    StoreTerm terms;    /* of the county, for memberOf … */
    FhirTerm *term;     /* … once it is asked for */
} FlowStep;

void flow_tx_init(FlowTx *tx, Flow *f, StoreReader *r, Arena *a, const AccessCaller *caller,
                  int64_t now_ms);
void flow_tx_begin(FlowTx *tx, Str cause);
/* As this transaction would leave it; NULL when it is not there. */
const JsonDoc *flow_tx_read(FlowTx *tx, Str reference, Str *ret_vid);
/* The version that is current once this transaction is written. */
Str flow_tx_vid_after(FlowTx *tx, Str reference);
/* Who wrote the newest version. */
Str flow_tx_author(FlowTx *tx, Str reference);
/* Validates and puts; an update demands that what was read is still current. */
Status flow_tx_create(FlowTx *tx, Str type, Str id, Str body, Err *err) MUST_USE;
/* Top-level members replaced, `null` removed. */
Status flow_tx_change(FlowTx *tx, Str reference, const JsonDoc *set, JsonRef members,
                      Err *err) MUST_USE;
Str flow_tx_new_id(FlowTx *tx);
Status flow_tx_case(FlowTx *tx, Str reference, FlowCase **ret, Err *err) MUST_USE;
FlowCase *flow_tx_case_new(FlowTx *tx, const FlowPackage *pkg, Err *err);
/* The organisation behind an owner: of a HealthcareService its providedBy. Empty if unknown. */
Str flow_tx_organization(FlowTx *tx, Str owner);
Str flow_tx_display(FlowTx *tx, Str reference);
void flow_tx_grant(FlowTx *tx, const FlowCase *c, Str organization);
/* Writes all touched cases with their timers, and what their ends end. */
Status flow_tx_cases_put(FlowTx *tx, Err *err) MUST_USE;
Str flow_next_vid(Arena *a, Str vid);

/* The scope: who, when, what; c->doc must be set (for a start the Task as it begins). */
void flow_step_init(FlowStep *st, FlowTx *tx, FlowCase *c, const FlowAction *action);
/* The first action of that code which the state, `when` and (of a person) `who` allow; else
 * refused. */
Status flow_step_choose(FlowStep *st, Str code, bool person, Err *err) MUST_USE;
/* May this caller take it? */
Status flow_step_who(FlowStep *st, const FlowAction *action, bool *ret, Err *err) MUST_USE;
/* Collects the form: a response, or flat answers; binds %answers. */
Status flow_step_form(FlowStep *st, const JsonDoc *doc, JsonRef form, bool flat, Err *err) MUST_USE;
Status flow_step_find(FlowStep *st, Err *err) MUST_USE;
/* Makes fill_env usable without a form: for prints. */
void flow_step_blobs(FlowStep *st);
/* Finds, then the form's calculated answers and rules, then the guards. */
Status flow_step_check(FlowStep *st, Err *err) MUST_USE;
Status flow_step_guards(FlowStep *st, Err *err) MUST_USE;
/* Effects, owner, priority, state, response and Provenance. */
Status flow_step_apply(FlowStep *st, Err *err) MUST_USE;
/* Only the record of a case that a newer package took over. */
Status flow_step_migrated(FlowStep *st, Err *err) MUST_USE;
/* A new case: requester, owner and priority as far as given, episode, the Task that %task shows. */
typedef struct FlowOpening {
    Str patient, requester, owner, priority, focus, part_of,
        group; /* group: empty, a value, or "new" */
} FlowOpening;
Status flow_step_open(FlowStep *st, FlowTx *tx, const FlowPackage *pkg, const FlowAction *start,
                      const FlowOpening *with, Err *err) MUST_USE;
/* The reference or code that a template gives, or empty. */
Status flow_template_word(FlowStep *st, const FlowTemplate *t, Str *ret, Err *err) MUST_USE;
Str flow_provenance_body(const FlowStep *st, Str vid);
Status flow_owner_set(FlowStep *st, Str owner, Err *err) MUST_USE;
Status flow_effects_do(FlowStep *st, Err *err) MUST_USE;
/* flow_effects_slot.c, flow_effects_case.c, flow_notify.c, flow_sign.c */
typedef Status FlowEffectDo(FlowStep *st, const FlowEffect *e, Err *err);
FlowEffectDo flow_do_reserve, flow_do_book, flow_do_release;
FlowEffectDo flow_do_deadline, flow_do_clear, flow_do_claim, flow_do_unclaim;
FlowEffectDo flow_do_start, flow_do_act, flow_do_notify, flow_do_sign;
Status flow_hold(FlowStep *st, Str name, Str reference, Err *err) MUST_USE;
/* Does this step put the person's signature under something? */
bool flow_signs(const FlowAction *a);
/* Must the person give the password for it (parameter `sign-password` of that day)? */
bool flow_sign_password(const FlowScope *s);
typedef struct FlowSignKey {
    uint8_t secret[64], open[32]; /* Ed25519 */
} FlowSignKey;
/* The person's key as kept; false when nothing was ever signed here. */
bool flow_sign_key(StoreReader *r, Arena *a, Str person, FlowSignKey *ret);
/* Template → resource with a new id. */
Status flow_make(FlowStep *st, const FlowTemplate *t, Str *ret_reference, Err *err) MUST_USE;

/* ---- The engine ------------------------------------------------------------------------------ */

struct Flow {
    Store *store;
    Str region; /* FLOW_SETTING_REGION, or empty */
    bool lint;  /* packages are linted before they enter the log */
    Arena arena;
    FlowPackage **pkg; /* all versions; the newest of a name first */
    size_t pkg_n;
};

/* As flow_open; a story plays a package that lint may refuse. */
Status flow_open_with(Store *s, const FlowPackageSource *sources, size_t n, bool lint, Flow **ret,
                      Err *err) MUST_USE;
/* The version that new cases begin with; NULL. */
const FlowPackage *flow_package_named(const Flow *f, Str name);
const FlowPackage *flow_package_canonical(const Flow *f, Str canonical);
int flow_version_compare(Str a, Str b);
/* Takes running cases over to the newest package where it says how. */
Status flow_migrate(Flow *f, StoreReader *r, Err *err) MUST_USE;
/* Puts packages and their forms into the log and loads what running cases use. */
Status flow_log_packages(Flow *f, const FlowPackageSource *sources, size_t n, Err *err) MUST_USE;

#endif
