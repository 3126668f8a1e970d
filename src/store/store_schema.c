/* The two databases, as numbered migrations. docs/formats/store.md describes them. */
#include "store_inner.h"

#include "mk_banned.h"

#define LOG_APPLICATION   0x4d4b4c31 /* MKL1 */
#define INDEX_APPLICATION 0x4d4b4931 /* MKI1 */

static const char *const log_1[] = {
    "CREATE TABLE setting(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
    "CREATE TABLE tx(tx INTEGER PRIMARY KEY, at INTEGER NOT NULL, author TEXT NOT NULL,"
    " role TEXT NOT NULL, org TEXT NOT NULL, site INTEGER NOT NULL, epoch INTEGER NOT NULL,"
    " oseq INTEGER NOT NULL, cause TEXT NOT NULL, digest BLOB NOT NULL)",
    "CREATE UNIQUE INDEX tx_birth ON tx(site, epoch, oseq)",
    "CREATE TABLE version(seq INTEGER PRIMARY KEY, tx INTEGER NOT NULL, rid INTEGER NOT NULL,"
    " vid TEXT NOT NULL, base TEXT, base2 TEXT, op INTEGER NOT NULL, patient TEXT NOT NULL,"
    " dict INTEGER NOT NULL, body_sha BLOB NOT NULL, body BLOB)",
    "CREATE INDEX version_rid ON version(rid, seq)",
    "CREATE TABLE head(rid INTEGER PRIMARY KEY, type INTEGER NOT NULL, id TEXT NOT NULL,"
    " seq INTEGER NOT NULL, op INTEGER NOT NULL, born INTEGER NOT NULL)",
    "CREATE UNIQUE INDEX head_id ON head(type, id)",
    "CREATE TABLE access_grant(patient TEXT NOT NULL, grantee TEXT NOT NULL, basis TEXT NOT NULL,"
    " source TEXT NOT NULL, since INTEGER NOT NULL, until INTEGER NOT NULL,"
    " PRIMARY KEY(patient, grantee, source, basis, since)) WITHOUT ROWID",
    "CREATE INDEX grant_source ON access_grant(source, until)",
    "CREATE INDEX grant_grantee ON access_grant(grantee, until)",
    "CREATE TABLE timer(owner TEXT NOT NULL, name TEXT NOT NULL, due INTEGER NOT NULL,"
    " PRIMARY KEY(owner, name)) WITHOUT ROWID",
    "CREATE INDEX timer_due ON timer(due, owner, name)",
    "CREATE TABLE remembered(person TEXT NOT NULL, key TEXT NOT NULL, body BLOB NOT NULL,"
    " status INTEGER NOT NULL, at INTEGER NOT NULL, seq_first INTEGER NOT NULL,"
    " seq_last INTEGER NOT NULL, PRIMARY KEY(person, key)) WITHOUT ROWID",
    "CREATE INDEX remembered_at ON remembered(at)",
    "CREATE TABLE account(username TEXT PRIMARY KEY, password_hash TEXT NOT NULL,"
    " practitioner TEXT NOT NULL, name TEXT NOT NULL, role TEXT NOT NULL,"
    " organization TEXT NOT NULL, must_change INTEGER NOT NULL, disabled INTEGER NOT NULL,"
    " created INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE session(token_sha TEXT PRIMARY KEY, username TEXT NOT NULL, post TEXT NOT NULL,"
    " created INTEGER NOT NULL, seen INTEGER NOT NULL, expires INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE INDEX session_username ON session(username)",
    NULL,
};

/* Half-filled forms of their authors. */
static const char *const log_2[] = {
    "CREATE TABLE draft(person TEXT NOT NULL, post TEXT NOT NULL, key TEXT NOT NULL,"
    " seen TEXT NOT NULL, body BLOB NOT NULL, at INTEGER NOT NULL,"
    " PRIMARY KEY(person, post, key)) WITHOUT ROWID",
    "CREATE INDEX draft_at ON draft(at)",
    NULL,
};

/* Second factors of accounts. */
static const char *const log_3[] = {
    "CREATE TABLE factor(username TEXT PRIMARY KEY, secret BLOB NOT NULL, since INTEGER NOT NULL,"
    " step INTEGER NOT NULL, recovery TEXT NOT NULL) WITHOUT ROWID",
    NULL,
};

/*
 * Erasures (store_purge.h), which versions they took, which bytes are still to go; failed log-ins.
 */
static const char *const log_4[] = {
    "CREATE TABLE purge(id TEXT PRIMARY KEY, state INTEGER NOT NULL, target TEXT NOT NULL,"
    " reason TEXT NOT NULL, proposer TEXT NOT NULL, proposed INTEGER NOT NULL,"
    " expires INTEGER NOT NULL, decider TEXT NOT NULL, decided INTEGER NOT NULL,"
    " tx INTEGER NOT NULL, resources INTEGER NOT NULL, versions INTEGER NOT NULL,"
    " blobs INTEGER NOT NULL, kept INTEGER NOT NULL, done INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE purged(seq INTEGER PRIMARY KEY, purge TEXT NOT NULL)",
    "CREATE TABLE purge_blob(sha TEXT PRIMARY KEY, purge TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE lockout(username TEXT NOT NULL, address TEXT NOT NULL, failed BLOB NOT NULL,"
    " at INTEGER NOT NULL, PRIMARY KEY(username, address)) WITHOUT ROWID",
    "CREATE INDEX lockout_at ON lockout(at)",
    NULL,
};

/* Bodies may be laid out (BODY_LAID_OUT): what does not know that must not read them. */
static const char *const log_5[] = {NULL};

/* Sessions of apps: what they may, or what their code is for. */
static const char *const log_6[] = {
    "ALTER TABLE session ADD COLUMN app TEXT NOT NULL DEFAULT ''",
    NULL,
};

/* Ids in their short form (db_bind_id); patients of older versions stay as text. From now on bodies
 * may be without what their rows say (BODY_SHORTENED): what does not know that must not read them.
 */
static const char *const log_7[] = {
    DB_OF_FILES "UPDATE head SET id = packed_id(id)",
    DB_OF_FILES "UPDATE access_grant SET patient = packed_id(patient)",
    NULL,
};

static const char *const index_1[] = {
    "CREATE TABLE meta(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
    "CREATE TABLE doc(rid INTEGER PRIMARY KEY, type INTEGER NOT NULL, seq INTEGER NOT NULL,"
    " nd INTEGER NOT NULL, whose INTEGER NOT NULL)",
    "CREATE TABLE change(type INTEGER NOT NULL, seq INTEGER NOT NULL, rid INTEGER NOT NULL,"
    " PRIMARY KEY(type, seq)) WITHOUT ROWID",
    "CREATE TABLE counter(type INTEGER PRIMARY KEY, n INTEGER NOT NULL)",
    "CREATE TABLE token(param INTEGER NOT NULL, hash INTEGER NOT NULL, nd INTEGER NOT NULL,"
    " rid INTEGER NOT NULL, PRIMARY KEY(param, hash, nd, rid)) WITHOUT ROWID",
    "CREATE TABLE ref(param INTEGER NOT NULL, hash INTEGER NOT NULL, nd INTEGER NOT NULL,"
    " rid INTEGER NOT NULL, PRIMARY KEY(param, hash, nd, rid)) WITHOUT ROWID",
    "CREATE TABLE date(param INTEGER NOT NULL, nlo INTEGER NOT NULL, rid INTEGER NOT NULL,"
    " span INTEGER NOT NULL, PRIMARY KEY(param, nlo, rid, span)) WITHOUT ROWID",
    /* Long intervals once more by their end, so that a search for what is still going on is short.
     */
    "CREATE TABLE date_long(param INTEGER NOT NULL, nhi INTEGER NOT NULL, rid INTEGER NOT NULL,"
    " nlo INTEGER NOT NULL, PRIMARY KEY(param, nhi, rid, nlo)) WITHOUT ROWID",
    "CREATE TABLE string(param INTEGER NOT NULL, value TEXT NOT NULL, rid INTEGER NOT NULL,"
    " PRIMARY KEY(param, value, rid)) WITHOUT ROWID",
    "CREATE TABLE number(param INTEGER NOT NULL, lo REAL NOT NULL, hi REAL NOT NULL,"
    " rid INTEGER NOT NULL, PRIMARY KEY(param, lo, hi, rid)) WITHOUT ROWID",
    "CREATE TABLE quantity(param INTEGER NOT NULL, unit INTEGER NOT NULL, lo REAL NOT NULL,"
    " hi REAL NOT NULL, rid INTEGER NOT NULL, PRIMARY KEY(param, unit, lo, hi, rid)) WITHOUT ROWID",
    "CREATE TABLE uri(param INTEGER NOT NULL, value TEXT NOT NULL, rid INTEGER NOT NULL,"
    " PRIMARY KEY(param, value, rid)) WITHOUT ROWID",
    "CREATE TABLE compartment(patient INTEGER NOT NULL, type INTEGER NOT NULL,"
    " code INTEGER NOT NULL, nd INTEGER NOT NULL, rid INTEGER NOT NULL,"
    " PRIMARY KEY(patient, type, code, nd, rid)) WITHOUT ROWID /* PARTITION BY HASH(patient) */",
    /* n: how many resources stand in the token's list. */
    "CREATE TABLE code(param INTEGER NOT NULL, code INTEGER NOT NULL, token INTEGER NOT NULL,"
    " n INTEGER NOT NULL, PRIMARY KEY(param, code, token)) WITHOUT ROWID",
    /* Texts: each once, under a number; of which resources, of which tokens; what is in them. */
    "CREATE TABLE phrase(id INTEGER PRIMARY KEY, hash INTEGER NOT NULL)",
    "CREATE UNIQUE INDEX phrase_hash ON phrase(hash)",
    "CREATE TABLE phrase_doc(phrase INTEGER NOT NULL, type INTEGER NOT NULL, rid INTEGER NOT NULL,"
    " PRIMARY KEY(phrase, type, rid)) WITHOUT ROWID",
    "CREATE TABLE phrase_token(phrase INTEGER NOT NULL, param INTEGER NOT NULL,"
    " token INTEGER NOT NULL, PRIMARY KEY(phrase, param, token)) WITHOUT ROWID",
    "CREATE TABLE gram(gram INTEGER NOT NULL, phrase INTEGER NOT NULL,"
    " PRIMARY KEY(gram, phrase)) WITHOUT ROWID",
    NULL,
};

static const DbMigration log_steps[] = {{log_1}, {log_2}, {log_3}, {log_4},
                                        {log_5}, {log_6}, {log_7}};
static const DbMigration index_steps[] = {{index_1}};

Status log_migrate(Db *db, Err *err)
{
    return db_migrate(db, LOG_APPLICATION, log_steps, sizeof log_steps / sizeof *log_steps, err);
}

Status log_migrated(Db *db, Err *err)
{
    return db_migrated(db, sizeof log_steps / sizeof *log_steps, err);
}

Status index_migrate(Db *db, Err *err)
{
    return db_migrate(db, INDEX_APPLICATION, index_steps, sizeof index_steps / sizeof *index_steps,
                      err);
}
