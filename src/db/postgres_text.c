/* A statement as the store writes it, in PostgreSQL's words. */
#include "db_postgres.h"

#include "mk_banned.h"

typedef struct Word {
    const char *ours, *theirs;
} Word;

/* The first that fits. The bounds of a search in `value` are no text: compared as bytes. */
static const Word types[] = {
    {" WITHOUT ROWID", ""}, {" value TEXT", " value bytea"}, {" INTEGER", " bigint"},
    {" BLOB", " bytea"},    {" REAL", " double precision"},  {" TEXT", " text COLLATE \"C\""},
};

static const struct {
    const char *ours;
    PgKind kind;
} ends[] = {
    {"BEGIN IMMEDIATE", PG_BEGIN},     {"BEGIN", PG_BEGIN_READ},   {"COMMIT", PG_COMMIT},
    {"ROLLBACK", PG_ROLLBACK},         {"SAVEPOINT one", PG_SAVE}, {"RELEASE one", PG_SAVE_END},
    {"ROLLBACK TO one", PG_SAVE_BACK},
};

static bool begins(const char *sql, const char *with)
{
    return strncmp(sql, with, strlen(with)) == 0;
}

static bool has(const char *sql, const char *word)
{
    return strstr(sql, word) != NULL;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "?" is the next, "?3" the third; numbers without a place of their own are left out there. */
static bool param_put(PgText *t, Buf *out, const char **at, int *last)
{
    int ours = *last;
    if (is_digit((*at)[1])) {
        ours = 0;
        while (is_digit((*at)[1]) && ours < PG_PARAMS_MAX) {
            ours = ours * 10 + (*++*at - '0');
        }
        ours--;
    }
    if (ours < 0 || ours >= PG_PARAMS_MAX) {
        return false;
    }
    *last = ours + 1;
    if (t->place[ours] < 0) {
        t->place[ours] = t->param_n++;
    }
    buf_printf(out, "$%d", t->place[ours] + 1);
    return true;
}

/* A join in our order needs no word for it there, and may not have one before ON. */
static bool join_put(Buf *out, const char **at)
{
    static const char ours[] = " CROSS JOIN ";
    if (!begins(*at, ours)) {
        return false;
    }
    Str rest = str_from_c(*at + sizeof ours - 1), word;
    str_cut(rest, ' ', &word, &rest);
    str_cut(rest, ' ', &word, &rest);
    buf_c(out, str_starts(rest, STR("ON ")) ? " JOIN " : ours);
    *at += sizeof ours - 2;
    return true;
}

static bool word_put(Buf *out, const char **at)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (begins(*at, types[i].ours)) {
            buf_c(out, types[i].theirs);
            *at += strlen(types[i].ours) - 1;
            return true;
        }
    }
    return false;
}

static bool body_put(PgText *t, Buf *out, const char *sql)
{
    bool quoted = false, table = begins(sql, "CREATE TABLE") || begins(sql, "ALTER TABLE");
    int last = 0;
    for (const char *at = sql; *at; at++) {
        quoted ^= *at == '\'';
        if (!quoted && *at == '?') {
            if (!param_put(t, out, &at, &last)) {
                return false;
            }
        } else if (quoted || (table ? !word_put(out, &at) : !join_put(out, &at))) {
            buf_char(out, *at);
        }
    }
    return true;
}

/* "INSERT INTO t(…) VALUES($1, …)", and at most DO NOTHING behind it, of arrays. */
static const char *many_form(Arena *a, const PgText *t, const char *sql)
{
    const char *values = strstr(sql, " VALUES("), *end = values ? strchr(values, ')') : NULL;
    if (!begins(sql, "INSERT INTO ") || !end || t->param_n == 0 ||
        (end[1] && !str_is(str_from_c(end + 1), " ON CONFLICT DO NOTHING"))) {
        return NULL;
    }
    int n = 0;
    for (const char *at = values + 8; at < end; at++) {
        if (!strchr("$, ", *at) && !is_digit(*at)) {
            return NULL;
        }
        n += *at == '$';
    }
    return n == t->param_n
               ? arena_printf(a, "%.*s SELECT * FROM unnest(%.*s)%s", (int)(values - sql), sql,
                              (int)(end - values - 8), values + 8, end + 1)
                     .p
               : NULL;
}

static PgKind kind_of(const char *sql)
{
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        if (str_is(str_from_c(sql), ends[i].ours)) {
            return ends[i].kind;
        }
    }
    bool write = begins(sql, "INSERT ") || begins(sql, "UPDATE ") || begins(sql, "DELETE ") ||
                 begins(sql, "NOTIFY ");
    return write && !has(sql, " RETURNING ") ? PG_WRITE : PG_ASK;
}

/* "t(a, b) VALUES…": the row of the same primary key gets the new values. */
static void replace_put(Buf *out, const char *into)
{
    size_t n = strcspn(into, "( ");
    Str names = {into + n + 1, strcspn(into + n, ")") - 1}, name;
    buf_printf(out, " ON CONFLICT ON CONSTRAINT %.*s_pkey DO UPDATE SET ", (int)n, into);
    for (bool first = true; !str_empty(names); first = false) {
        str_cut(names, ',', &name, &names);
        name = str_trim(name);
        buf_printf(out, "%s%.*s = excluded.%.*s", first ? "" : ", ", STR_ARG(name), STR_ARG(name));
    }
}

bool pg_text_read(Arena *a, const char *sql, PgText *ret)
{
    static const char ignore[] = "INSERT OR IGNORE INTO ", replace[] = "INSERT OR REPLACE INTO ";
    PgText t = {.kind = kind_of(sql), .changes = has(sql, " RETURNING ")};
    Buf out;
    buf_init(&out, 0);
    memset(t.place, -1, sizeof t.place);
    bool ignores = begins(sql, ignore), replaces = begins(sql, replace);
    const char *rest = ignores    ? sql + sizeof ignore - 1
                       : replaces ? sql + sizeof replace - 1
                                  : sql;
    if (rest != sql) {
        buf_c(&out, "INSERT INTO ");
    }
    bool ok = body_put(&t, &out, rest);
    if (ignores) {
        buf_c(&out, " ON CONFLICT DO NOTHING");
    } else if (replaces) {
        replace_put(&out, rest);
    }
    t.walk = begins(sql, "SELECT ") && has(sql, " ORDER BY ") && !has(sql, " LIMIT ");
    t.sql = buf_take(&out, a).p;
    t.many = many_form(a, &t, t.sql);
    *ret = t;
    return ok;
}
