/*
 * Access: who is calling, what they may do, what they may see, and the record that they did.
 *
 * A person (Practitioner) acts in a post (PractitionerRole: role × organisation). Sight is
 * own organisation and all beneath it (Organization.partOf), and of patients only those with
 * an open grant (catchment, encounter, case) to one of these organisations.
 */
#ifndef ACCESS_H
#define ACCESS_H

#include "store.h"

typedef struct AccessPost {
    Str post;         /* "PractitionerRole/ID", empty for accounts without posts */
    Str role;         /* code of urn:menkou:role */
    Str organization; /* "Organization/ID" */
    Str organization_name;
} AccessPost;

/* What is known of a second factor (docs/formats/accounts.md). */
typedef struct AccessFactorState {
    bool on;       /* confirmed, and asked for at log-in */
    bool must;     /* nothing but enrolling may be done before there is one */
    int64_t by_ms; /* from then on it must be there; 0: never */
} AccessFactorState;

typedef struct AccessCaller {
    Str username, name;
    Str practitioner; /* "Practitioner/ID", or "Device/…" for an integrator */
    AccessPost post;  /* the one acted in */
    const AccessPost *posts;
    size_t posts_n;
    StoreView view;
    Str token_sha;
    bool integrator, administrator; /* one of the three */
    bool must_change_password;
    AccessFactorState factor;
    bool by_cookie;   /* then a write needs X-Menkou: 1 */
    Str app;          /* the program that acts for this caller (access_app.h); empty: none */
    unsigned app_may; /* what it was lent: a bit by AccessDo */
    Lang lang;
    Str address; /* the client's, for audit */
    Str request_id;
} AccessCaller;

typedef struct Access Access;

Status access_open(Store *s, const char *dir, Access **ret, Err *err) MUST_USE;
void access_close(Access *x);

typedef struct AccessLogin {
    Str token; /* opaque, 43 base64url characters */
    int expires_in_s;
    AccessCaller caller;
} AccessLogin;

/*
 * ERR_UNAUTHORIZED in the same time and words for a wrong name or password; ERR_TOO_MANY with
 * retry_after_s. Where the account has a second factor and the password was right: ERR_UNAUTHORIZED
 * with the rule factor-needed (no otp) or factor-wrong. otp: six digits, or a recovery code.
 */
Status access_login(Access *x, StoreReader *r, Arena *a, Str username, Str password, Str otp,
                    Str address, AccessLogin *ret, Err *err) MUST_USE;
/* The same without a session: whoever knows these is this caller, in the first post. */
Status access_identify(Access *x, StoreReader *r, Arena *a, Str username, Str password, Str otp,
                       Str address, AccessCaller *ret, Err *err) MUST_USE;
/* The caller behind a token; ERR_UNAUTHORIZED if none, idle too long or ended. Cheap: cached. */
Status access_caller(Access *x, StoreReader *r, Arena *a, Str token, AccessCaller *ret,
                     Err *err) MUST_USE;
/*
 * The same for one who was let in before, by AccessCaller.token_sha, as the post and its sight are
 * now. Does not count as activity: what only waits does not keep a session alive.
 */
Status access_caller_again(Access *x, StoreReader *r, Arena *a, Str token_sha, AccessCaller *ret,
                           Err *err) MUST_USE;
/*
 * Who an account is in one of its posts (empty: the first), without a session: for work that goes
 * on after its request. ERR_UNAUTHORIZED: there is no such account, or it may not log in any more.
 */
Status access_caller_named(Access *x, StoreReader *r, Arena *a, Str username, Str post,
                           AccessCaller *ret, Err *err) MUST_USE;
/* The same by what the log says of a writer: author, role and organisation. */
Status access_caller_by_author(Access *x, StoreReader *r, Arena *a, const StoreAuthor *author,
                               AccessCaller *ret, Err *err) MUST_USE;
Status access_logout(Access *x, const AccessCaller *caller, Err *err) MUST_USE;
Status access_choose_post(Access *x, StoreReader *r, Arena *a, const AccessCaller *caller, Str post,
                          AccessCaller *ret, Err *err) MUST_USE;
Status access_password(Access *x, StoreReader *r, const AccessCaller *caller, Str old_password,
                       Str new_password, Err *err) MUST_USE;
/* Checks the caller's own password again (signing). */
Status access_password_check(Access *x, StoreReader *r, const AccessCaller *caller, Str password,
                             Err *err) MUST_USE;

/* ---- Second factor (RFC 6238) ------------------------------------------------------------------
 */

/* Absent: compulsory as the parameters say. "optional": nobody must have one (demo data). */
#define ACCESS_SETTING_FACTOR "second-factor"

typedef struct AccessFactorOffer {
    Str secret; /* base32 */
    Str uri;    /* otpauth://totp/… */
} AccessFactorOffer;
/* A new secret for the caller, not in force before it is confirmed; asks for the password again. */
Status access_factor_begin(Access *x, StoreReader *r, Arena *a, const AccessCaller *caller,
                           Str password, AccessFactorOffer *ret, Err *err) MUST_USE;
/* The first code: from now on it is asked for; ends the person's other sessions. The recovery codes
 * are shown once. */
Status access_factor_confirm(Access *x, StoreReader *r, Arena *a, const AccessCaller *caller,
                             Str otp, const Str **ret_codes, size_t *ret_n, Err *err) MUST_USE;
/* Asks the caller again (signing); ERR_FORBIDDEN, rule factor-wrong. */
Status access_factor_check(Access *x, StoreReader *r, const AccessCaller *caller, Str otp,
                           Err *err) MUST_USE;
/* The password again, and the one-time code where there is a second factor; ERR_FORBIDDEN, rules
 * password-wrong, factor-needed, factor-wrong. */
Status access_again(Access *x, StoreReader *r, const AccessCaller *caller, Str password, Str otp,
                    Err *err) MUST_USE;
/* The code of a step of 30 s. */
uint32_t access_otp(Str secret, int64_t step);

/* Makes or replaces an account; the password is made when empty and returned. */
typedef struct AccessNewAccount {
    Str username, name, role, practitioner, organization, password;
    bool must_change;
} AccessNewAccount;
Status access_account_make(Store *s, Arena *a, const AccessNewAccount *account, Str *ret_password,
                           Err *err) MUST_USE;

/*
 * The same without the store: checked, with its hash made, ready to be put (also beside a running
 * server, which holds the store). An integrator is never asked to change its password.
 */
Status access_account_prepare(Arena *a, Random *random, int64_t now_ms,
                              const AccessNewAccount *account, StoreAccount *ret, Str *ret_password,
                              Err *err) MUST_USE;

/* ERR_FORBIDDEN before a first password is changed or a compulsory second factor is there. */
Status access_settled(const AccessCaller *caller, Err *err) MUST_USE;

typedef enum AccessDo { ACCESS_READ, ACCESS_CREATE, ACCESS_UPDATE, ACCESS_DELETE } AccessDo;
/* May this role do this to this type through the plain FHIR API at all? ERR_FORBIDDEN with the
 * reason. */
Status access_may(const AccessCaller *caller, AccessDo what, Str type, Err *err) MUST_USE;
/* The engine's own identity: the clock, the loader, the demo. */
AccessCaller access_system(const Store *s);
StoreAuthor access_author(const AccessCaller *caller);
bool access_role_known(Str role);
/* One that sees patients: neither an administrator's nor another system's. */
bool access_role_clinical(Str role);
/* The classes of sensitive content (store_label.h) that a role sees on that day. */
unsigned access_labels(Str role, int64_t now_ms);
/* What a person writes must not be hidden from the writer: ERR_FORBIDDEN, rule sensitive-label. */
Status access_may_label(const AccessCaller *caller, unsigned labels, Err *err) MUST_USE;
/* Organisations beneath (and with) one, by Organization.partOf. */
Status access_subtree(StoreReader *r, Arena *a, Str organization, Str **ret, size_t *ret_n,
                      Err *err) MUST_USE;

/* ---- Audit ------------------------------------------------------------------------------------
 */

typedef struct AccessAudit {
    const AccessCaller *caller; /* NULL before log-in */
    const char *action;         /* C R U D E, as AuditEvent.action; or "login" … */
    Str what;                   /* "Patient/77", search text, "act:…" */
    const Str *patients;
    size_t patients_n;
    int http_status;
} AccessAudit;
/* A write's record is on disk when this returns; a read's within a second. ERR_UNAVAILABLE: cannot
 * be written. */
Status access_audit(Access *x, const AccessAudit *record, bool is_write, Err *err) MUST_USE;
/* Asked before a write is committed: ERR_UNAVAILABLE while the audit cannot be written. */
Status access_audit_ready(Access *x, Err *err) MUST_USE;

/* What a walk over all segments found. */
typedef struct AccessAuditFound {
    uint64_t records;
    uint64_t faults; /* changed, inserted, removed, recomputed, cut: each an issue in err */
    uint64_t
        torn_bytes; /* of an end that a crash (or a running server) left unfinished; no fault */
} AccessAuditFound;
/*
 * Walks DIR/audit from its first record with the key in DIR/audit.key and compares with the head
 * kept in log.db. OK also when there are faults; fails when key or files cannot be read.
 */
Status access_audit_verify(StoreReader *r, Arena *a, const char *dir, AccessAuditFound *ret,
                           Err *err) MUST_USE;

#endif
