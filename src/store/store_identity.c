/* Who a store is: its keys and numbers made at birth, node.json, and the epoch after a copy. */
#include "store_inner.h"

#include "mk_banned.h"

#define NODE_BYTES_MAX 4096u

Status log_setting_write(Db *db, const char *name, Str value, Err *err)
{
    DbStmt *st = db_take(db, "INSERT INTO setting(name, value) VALUES(?, ?)"
                             " ON CONFLICT(name) DO UPDATE SET value = excluded.value");
    if (st) {
        db_bind_str(st, 0, str_from_c(name));
        db_bind_blob(st, 1, value.p, value.n);
    }
    return db_run(db, st, err);
}

Status log_setting_read(Store *s, const char *name, Str *ret, Err *err)
{
    DbStmt *st = db_take(s->log, "SELECT value FROM setting WHERE name = ?");
    if (!st) {
        return db_failed(s->log, err);
    }
    db_bind_str(st, 0, str_from_c(name));
    DbStep step = db_step(st);
    Status status = OK;
    if (step == DB_ROW) {
        *ret = arena_str(&s->arena, db_col_str(st, 0));
    } else if (step == DB_NONE) {
        *ret = STR_NONE;
    } else {
        status = db_failed(s->log, err);
    }
    db_give(st);
    return status;
}

static Status birth(Store *s, Err *err)
{
    uint8_t hash[16], cursor[32];
    random_bytes(s->options.random, hash, sizeof hash);
    random_bytes(s->options.random, cursor, sizeof cursor);
    Str database = uuid7(&s->arena, s->options.random, clock_now(s->options.clock));
    TRY(db_begin(s->log, err));
    TRY(log_setting_write(s->log, "hash-key", (Str){(char *)hash, sizeof hash}, err));
    TRY(log_setting_write(s->log, "cursor-key", (Str){(char *)cursor, sizeof cursor}, err));
    TRY(log_setting_write(s->log, "database", database, err));
    TRY(log_setting_write(s->log, "site", STR("0"), err));
    TRY(log_setting_write(s->log, "epoch", STR("1"), err));
    TRY(log_setting_write(s->log, SETTING_BODIES_ONCE, STR("1"), err));
    return db_commit(s->log, err);
}

static Status identity_damaged(const Store *s, Err *err)
{
    return err_rule(err, ERR_CONFLICT, STR("unknown-state"), s->dir,
                    "数据库缺少身份或密钥，无法打开", "The database lacks its identity or keys");
}

Status identity_load(Store *s, Err *err)
{
    Str hash, cursor, site, epoch;
    TRY(log_setting_read(s, "hash-key", &hash, err));
    if (str_empty(hash)) {
        if (s->options.read_only) {
            return identity_damaged(s, err);
        }
        Status st = birth(s, err);
        if (st != OK) {
            db_abort(s->log);
            return st;
        }
        TRY(log_setting_read(s, "hash-key", &hash, err));
    }
    TRY(log_setting_read(s, "cursor-key", &cursor, err));
    TRY(log_setting_read(s, "database", &s->database, err));
    TRY(log_setting_read(s, "site", &site, err));
    TRY(log_setting_read(s, "epoch", &epoch, err));
    if (hash.n != sizeof s->hash_key || cursor.n != sizeof s->cursor_key ||
        !str_to_i64(site, &s->site) || !str_to_i64(epoch, &s->epoch)) {
        return identity_damaged(s, err);
    }
    memcpy(&s->hash_key, hash.p, hash.n);
    memcpy(s->cursor_key, cursor.p, cursor.n);
    return OK;
}

Status node_write(Store *s, Err *err)
{
    Str node = str_empty(s->node) ? STR("")
                                  : arena_printf(&s->arena, ",\"node\":\"%.*s\"", STR_ARG(s->node));
    Str text =
        arena_printf(&s->arena, "{\"database\":\"%.*s\",\"site\":%lld,\"epoch\":%lld%.*s}\n",
                     STR_ARG(s->database), (long long)s->site, (long long)s->epoch, STR_ARG(node));
    return file_write_durable(store_path(&s->arena, s, "node.json"), text, 0600, err);
}

static bool node_read(Store *s, Str *ret_database, int64_t *ret_site, int64_t *ret_epoch)
{
    Str text;
    JsonDoc d;
    if (file_read(&s->arena, store_path(&s->arena, s, "node.json"), NODE_BYTES_MAX, &text, NULL) !=
            OK ||
        json_parse(&s->arena, text, &JSON_LIMITS_FHIR, &d, NULL) != OK) {
        return false;
    }
    *ret_database = json_str_at(&d, JSON_ROOT, "database");
    s->node = json_str_at(&d, JSON_ROOT, "node");
    return json_to_i64(&d, json_get_c(&d, JSON_ROOT, "site"), ret_site) &&
           json_to_i64(&d, json_get_c(&d, JSON_ROOT, "epoch"), ret_epoch);
}

void node_name_read(Store *s)
{
    Str database;
    int64_t site, epoch;
    if (!node_read(s, &database, &site, &epoch)) {
        s->node = STR_NONE;
    }
}

Str store_folder_setting(const Store *s, Arena *a, Str name)
{
    return str_empty(s->node) ? name : arena_cat(a, name, STR("@"), s->node);
}

/*
 * A restored or copied database must not go on under the numbers of the one it came from: when
 * the folder and the database do not agree on who they are, a new epoch begins.
 */
Status epoch_check(Store *s, Err *err)
{
    Str database = STR_NONE;
    int64_t site = 0, epoch = 0;
    bool known = node_read(s, &database, &site, &epoch);
    bool named = !s->server || !str_empty(s->node);
    if (!named) {
        s->node = s->holder;
    }
    if (named && known && str_eq(database, s->database) && site == s->site && epoch == s->epoch) {
        return OK;
    }
    /* Another folder of the same database; or one that was away when a new epoch began. */
    bool joins =
        s->server &&
        (!known || (str_eq(database, s->database) && site == s->site && epoch <= s->epoch));
    if (!joins && (known || s->tx > 0)) {
        s->epoch = (epoch > s->epoch ? epoch : s->epoch) + 1;
        TRY(log_setting_write(s->log, "epoch", arena_printf(&s->arena, "%lld", (long long)s->epoch),
                              err));
        log_warn("store", "node.json and log.db differ: epoch %lld begins", (long long)s->epoch);
    }
    return node_write(s, err);
}
