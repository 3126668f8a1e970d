/* One batch inside the writer's transaction: versions, heads, and the side rows. */
#include "store_ahead.h"
#include "store_grants.h"

#include "mk_banned.h"

/* ---- Versions -----------------------------------------------------------------------------------
 */

static Status head_test(const Change *c, const Head *head, bool found, Err *err)
{
    bool living = found && head->op != STORE_DELETE;
    if (c->only_new && found) {
        return err_rule(err, ERR_CONFLICT, STR("id-taken"), STR_NONE, "%.*s/%.*s 已存在",
                        "%.*s/%.*s exists already", STR_ARG(fhir_type_name(c->type)),
                        STR_ARG(c->id));
    }
    if (!str_empty(c->if_vid) && (!living || !str_eq(head->vid, c->if_vid))) {
        return err_add(err, ERR_PRECONDITION, NULL, STR_NONE,
                       "%.*s/%.*s 的当前版本不是 %.*s，请刷新后重试",
                       "The current version of %.*s/%.*s is not %.*s; reload and try again",
                       STR_ARG(fhir_type_name(c->type)), STR_ARG(c->id), STR_ARG(c->if_vid));
    }
    if (c->op == STORE_DELETE && !found) {
        return err_add(err, ERR_NOT_FOUND, NULL, STR_NONE, "没有找到 %.*s/%.*s",
                       "%.*s/%.*s was not found", STR_ARG(fhir_type_name(c->type)), STR_ARG(c->id));
    }
    return OK;
}

static Status head_write(Store *s, const Change *c, const Head *head, bool found, Err *err)
{
    DbStmt *st = found ? db_take(s->log, "UPDATE head SET seq = ?, op = ? WHERE rid = ?")
                       : db_take(s->log, "INSERT INTO head(seq, op, rid, type, id, born)"
                                         " VALUES(?, ?, ?, ?, ?, ?)");
    if (st) {
        db_bind_i64(st, 0, (int64_t)c->done.seq);
        db_bind_i64(st, 1, c->done.op);
        db_bind_i64(st, 2, head->rid);
        if (!found) {
            db_bind_i64(st, 3, type_number(c->type));
            db_bind_id(st, 4, c->id);
            db_bind_i64(st, 5, (int64_t)c->done.seq);
        }
    }
    return db_run(s->log, st, err);
}

/* Labels and patients of a deletion are those of what was deleted, so that its history stays
 * theirs. */
static Status version_patients(Store *s, const Change *c, const Head *head, bool found, Str *ret,
                               Err *err)
{
    if (c->op != STORE_DELETE) {
        *ret = index_whose_join(&s->group.arena, c->doc.labels, c->doc.patients, c->doc.patients_n);
        return OK;
    }
    *ret = STR("");
    DbStmt *st = db_take(s->log, "SELECT patient FROM version WHERE seq = ?");
    if (!st) {
        return db_failed(s->log, err);
    }
    db_bind_i64(st, 0, found ? (int64_t)head->seq : 0);
    if (db_step(st) == DB_ROW) {
        *ret = arena_str(&s->group.arena, db_col_id(st, 0));
    }
    db_give(st);
    return OK;
}

static Status version_write(Store *s, const StoreBatch *b, const Change *c, const Head *head,
                            bool found, Sha256 sha, Err *err)
{
    BodyRow row = {.id = c->id};
    TRY(version_patients(s, c, head, found, &row.patients, err));
    if (c->op != STORE_DELETE) {
        body_pack(s, &s->codec, &s->group.arena, c->done.body, &row);
    }
    DbStmt *st = db_take(s->log, "INSERT INTO version(seq, tx, rid, vid, base, op, patient, dict,"
                                 " body_sha, body) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    if (st) {
        db_bind_i64(st, 0, (int64_t)c->done.seq);
        db_bind_i64(st, 1, (int64_t)b->tx);
        db_bind_i64(st, 2, head->rid);
        db_bind_str(st, 3, c->done.vid);
        if (found) {
            db_bind_str(st, 4, head->vid);
        } else {
            db_bind_null(st, 4);
        }
        db_bind_i64(st, 5, c->done.op);
        db_bind_id(st, 6, row.patients);
        db_bind_i64(st, 7, row.dict);
        db_bind_blob(st, 8, sha.b, BODY_SHA_BYTES);
        if (c->op == STORE_DELETE) {
            db_bind_null(st, 9);
        } else {
            db_bind_blob(st, 9, row.packed.p, row.packed.n);
        }
    }
    return db_run(s->log, st, err);
}

static void change_done(Store *s, const StoreBatch *b, Change *c, const Head *head, bool found)
{
    bool living = found && head->op != STORE_DELETE;
    c->created = c->op != STORE_DELETE && !living;
    c->done = (StoreVersion){
        .seq = ++s->seq,
        .tx = b->tx,
        .type = fhir_type_name(c->type),
        .id = c->id,
        .vid = version_id_next(s, b->arena, found ? head->vid : STR_NONE),
        .op = c->op == STORE_DELETE ? STORE_DELETE
              : c->created          ? STORE_CREATE
                                    : STORE_UPDATE,
        .at_ms = b->at_ms,
        .author = b->author.author,
        .role = b->author.role,
        .org = b->author.org,
        .cause = b->cause,
        .patients = c->op == STORE_DELETE ? c->old.patients : c->doc.patients,
        .patients_n = c->op == STORE_DELETE ? c->old.patients_n : c->doc.patients_n,
    };
    if (c->op != STORE_DELETE) {
        Str time = time_iso(b->arena, b->at_ms, s->options.zone_min);
        c->done.body = body_join(b->arena, &c->pieces, c->done.vid, time);
    }
}

/* What a version adds to the digest of its transaction. */
Str digest_line(Arena *a, uint64_t seq, Str type, Str id, Str vid, StoreOp op, const Sha256 *sha)
{
    Str head = arena_printf(a, "%llu|%.*s/%.*s|%.*s|%d|", (unsigned long long)seq, STR_ARG(type),
                            STR_ARG(id), STR_ARG(vid), (int)op);
    return arena_cat(a, head, ((Str){(const char *)sha->b, sizeof sha->b}));
}

static Status change_apply(Store *s, StoreBatch *b, Change *c, Str *ret_digest, Err *err)
{
    Head head = {0};
    bool found;
    *ret_digest = STR_NONE;
    TRY(group_head(s, c->type, c->id, &head, &found, err));
    TRY(head_test(c, &head, found, err));
    if (c->op == STORE_DELETE && head.op == STORE_DELETE) {
        /* deleting again changes nothing */
        c->done = (StoreVersion){.seq = head.seq,
                                 .type = fhir_type_name(c->type),
                                 .id = c->id,
                                 .vid = arena_str(b->arena, head.vid),
                                 .op = STORE_DELETE,
                                 .at_ms = b->at_ms};
        return OK;
    }
    if (c->op != STORE_DELETE && c->type == fhir_resource_find(STR("Binary"))) {
        TRY(blob_there(s, &s->group.arena, c->received.bytes, err));
    }
    head.rid = found ? head.rid : ++s->rid;
    TRY(unique_test(s, c, head.rid, err));
    change_done(s, b, c, &head, found);
    Sha256 sha = sha256(c->done.body);
    TRY(version_write(s, b, c, &head, found, sha, err));
    TRY(head_write(s, c, &head, found, err));
    Applied x = {.change = c,
                 .rid = head.rid,
                 .seq = c->done.seq,
                 .before_seq = found ? head.seq : 0,
                 .op = c->done.op};
    group_add(&s->group, x, c->op == STORE_DELETE ? NULL : &c->doc);
    *ret_digest = digest_line(&s->group.arena, c->done.seq, c->done.type, c->id, c->done.vid,
                              c->done.op, &sha);
    return OK;
}

/* ---- Side rows
 * ----------------------------------------------------------------------------------- */

static DbStmt *timer_stmt(Store *s, const Side *d)
{
    DbStmt *st;
    if (d->kind == SIDE_TIMER_SET) {
        st = db_take(s->log, "INSERT INTO timer(owner, name, due) VALUES(?, ?, ?)"
                             " ON CONFLICT(owner, name) DO UPDATE SET due = excluded.due");
    } else {
        st = db_take(s->log, "DELETE FROM timer WHERE owner = ?1 AND (name = ?2 OR ?2 = '')");
    }
    if (st) {
        db_bind_str(st, 0, d->a);
        db_bind_str(st, 1, d->b);
        if (d->kind == SIDE_TIMER_SET) {
            db_bind_i64(st, 2, d->x);
        }
    }
    return st;
}

static DbStmt *grant_stmt(Store *s, const Side *d)
{
    DbStmt *st;
    if (d->kind != SIDE_GRANT) {
        st = d->kind == SIDE_GRANT_END
                 ? db_take(s->log,
                           "UPDATE access_grant SET until = ?2 WHERE source = ?1 AND until > ?2")
                 : db_take(s->log,
                           "UPDATE access_grant SET until = ?2 WHERE patient = ?1 AND until > ?2"
                           " AND basis = '" GRANT_COPY_BASIS "'");
        if (st) {
            if (d->kind == SIDE_GRANT_END) {
                db_bind_str(st, 0, d->a);
            } else {
                db_bind_id(st, 0, d->a);
            }
            db_bind_i64(st, 1, d->x);
        }
        return st;
    }
    st = db_take(s->log, "INSERT INTO access_grant(grantee, patient, basis, source, since, until)"
                         " VALUES(?, ?, ?, ?, ?, ?)"
                         " ON CONFLICT(patient, grantee, source, basis, since)"
                         " DO UPDATE SET until = excluded.until");
    if (st) {
        db_bind_str(st, 0, d->a);
        db_bind_id(st, 1, d->b);
        db_bind_str(st, 2, d->c);
        db_bind_str(st, 3, d->d);
        db_bind_i64(st, 4, d->x);
        db_bind_i64(st, 5, d->y);
    }
    return st;
}

/* An end needs no telling: the lists may hold patients too many. */
static void grant_tell(Store *s, const Side *d)
{
    bool first = !s->grants_moved;
    s->grants_moved = true;
    if (s->server) {
        return; /* the lists go by the counter of grants there */
    }
    if (first) {
        own_group_begun(s);
    }
    own_granted(s, d->a, d->b);
}

static DbStmt *side_stmt(Store *s, const Side *d)
{
    switch (d->kind) {
    case SIDE_GRANT:
        grant_tell(s, d);
        return grant_stmt(s, d);
    case SIDE_GRANT_END:
    case SIDE_COPIES_END:
        return grant_stmt(s, d);
    case SIDE_DRAFT_END:
        return draft_end_stmt(s, d->a, d->b, d->c);
    default:
        return timer_stmt(s, d);
    }
}

static Status sides_write(Store *s, const StoreBatch *b, Err *err)
{
    for (const Side *d = b->side_first; d; d = d->next) {
        TRY(db_run(s->log, side_stmt(s, d), err));
    }
    return OK;
}

static Status memory_write(Store *s, const StoreBatch *b, uint64_t seq_first, Err *err)
{
    DbStmt *st = db_take(s->log, "DELETE FROM remembered WHERE at <= ?");
    if (st) {
        db_bind_i64(st, 0, b->at_ms - STORE_MEMORY_MS);
    }
    TRY(db_run(s->log, st, err));
    st = db_take(
        s->log,
        "INSERT OR REPLACE INTO remembered(person, key, body, status, at, seq_first, seq_last)"
        " VALUES(?, ?, ?, ?, ?, ?, ?)");
    if (st) {
        db_bind_str(st, 0, b->person);
        db_bind_str(st, 1, b->key);
        db_bind_blob(st, 2, b->key_body.b, sizeof b->key_body.b);
        db_bind_i64(st, 3, b->http_status);
        db_bind_i64(st, 4, b->at_ms);
        db_bind_i64(st, 5, (int64_t)seq_first);
        db_bind_i64(st, 6, (int64_t)s->seq);
    }
    return db_run(s->log, st, err);
}

/* ---- The batch
 * ------------------------------------------------------------------------------------- */

/* The head of a transaction's digest: everything of its row, after the digest before it. */
Str digest_head(Arena *a, const Sha256 *before, const StoreVersion *v, int64_t site, int64_t epoch,
                uint64_t oseq)
{
    Str text = arena_printf(a, "%llu|%lld|%.*s|%.*s|%.*s|%lld|%lld|%llu|%.*s|",
                            (unsigned long long)v->tx, (long long)v->at_ms, STR_ARG(v->author),
                            STR_ARG(v->role), STR_ARG(v->org), (long long)site, (long long)epoch,
                            (unsigned long long)oseq, STR_ARG(v->cause));
    return arena_cat(a, (Str){(const char *)before->b, sizeof before->b}, text);
}

static Status tx_write(Store *s, StoreBatch *b, const Str *parts, size_t n, Err *err)
{
    s->digest = sha256_parts(parts, n);
    DbStmt *st = db_take(
        s->log, "INSERT INTO tx(tx, at, author, role, org, site, epoch, oseq, cause, digest)"
                " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    if (st) {
        db_bind_i64(st, 0, (int64_t)b->tx);
        db_bind_i64(st, 1, b->at_ms);
        db_bind_str(st, 2, b->author.author);
        db_bind_str(st, 3, b->author.role);
        db_bind_str(st, 4, b->author.org);
        db_bind_i64(st, 5, s->site);
        db_bind_i64(st, 6, s->epoch);
        db_bind_i64(st, 7, (int64_t)s->oseq);
        db_bind_str(st, 8, b->cause);
        db_bind_blob(st, 9, s->digest.b, sizeof s->digest.b);
    }
    return db_run(s->log, st, err);
}

/* Custom parameters changed since the batch was prepared: its rows are made again. */
static Status rows_renew(Store *s, StoreBatch *b, Err *err)
{
    for (Change *c = b->first; c && b->params != params_now(s); c = c->next) {
        c->base_seq = 0;
        if (c->op != STORE_DELETE) {
            TRY(index_extract_doc(s, b->arena, c->type, &c->received, c->id, &c->doc, err));
        }
    }
    b->params = params_now(s);
    return OK;
}

Status batch_apply(Store *s, Job *job, Err *err)
{
    StoreBatch *b = job->arg;
    TRY(requires_test(s, b, err));
    TRY(rows_renew(s, b, err));
    int64_t now = clock_now(s->options.clock);
    s->at_ms = now > s->at_ms ? now : s->at_ms;
    b->at_ms = s->at_ms;
    uint64_t before = s->seq;
    b->tx = s->tx + 1;
    Str *parts = arena_array(&s->group.arena, Str, b->changes_n + 1);
    size_t n = 1;
    for (Change *c = b->first; c; c = c->next) {
        TRY(change_apply(s, b, c, &parts[n++], err));
    }
    TRY(sides_write(s, b, err));
    if (b->remember) {
        TRY(memory_write(s, b, before + 1, err));
    }
    if (s->seq == before && !b->side_first && !b->remember && !b->purge) {
        b->tx = 0; /* nothing happened: no row tells of it */
        return OK;
    }
    s->tx = b->tx;
    s->oseq++;
    StoreVersion v = {.tx = b->tx,
                      .at_ms = b->at_ms,
                      .author = b->author.author,
                      .role = b->author.role,
                      .org = b->author.org,
                      .cause = b->cause};
    parts[0] = digest_head(&s->group.arena, &s->digest, &v, s->site, s->epoch, s->oseq);
    return tx_write(s, b, parts, n, err);
}
