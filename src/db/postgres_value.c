/* Values of a statement, in binary as the protocol wants them. */
#include "db_postgres.h"

#include "mk_banned.h"

void pg_put_bytes(Buf *b, uint64_t v, int n)
{
    while (n-- > 0) {
        buf_char(b, (char)(v >> (8 * n)));
    }
}

static void put_double(Buf *b, double d)
{
    uint64_t v;
    memcpy(&v, &d, sizeof v);
    pg_put_bytes(b, 8, 4);
    pg_put_bytes(b, v, 8);
}

static void put_text(Buf *b, Str s)
{
    pg_put_bytes(b, s.n, 4);
    buf_add(b, s);
}

static void put_number(Buf *b, int64_t v, Oid type)
{
    char digits[24];
    switch (type) {
    case PG_FLOAT8:
        put_double(b, (double)v);
        break;
    case PG_BOOL:
        pg_put_bytes(b, 1, 4);
        pg_put_bytes(b, v != 0, 1);
        break;
    case PG_INT8:
        pg_put_bytes(b, 8, 4);
        pg_put_bytes(b, (uint64_t)v, 8);
        break;
    case PG_INT4:
        pg_put_bytes(b, 4, 4);
        pg_put_bytes(b, (uint64_t)v, 4);
        break;
    case PG_INT2:
        pg_put_bytes(b, 2, 4);
        pg_put_bytes(b, (uint64_t)v, 2);
        break;
    default:
        put_text(b, (Str){digits, (size_t)snprintf(digits, sizeof digits, "%lld", (long long)v)});
        break;
    }
}

/* Length and bytes; a length of -1 is NULL. */
static void put_value(Buf *b, const PgValue *v, Oid type)
{
    switch (v->kind) {
    case PG_NULL:
        pg_put_bytes(b, UINT32_MAX, 4);
        break;
    case PG_I64:
        put_number(b, v->i, type);
        break;
    case PG_DOUBLE:
        if (type == PG_FLOAT8) {
            put_double(b, v->d);
        } else {
            put_number(b, (int64_t)v->d, type);
        }
        break;
    case PG_BYTES:
        put_text(b, v->s);
        break;
    }
}

void pg_put_row(Buf *b, const PgStmt *st)
{
    for (int i = 0; i < st->text.param_n; i++) {
        put_value(b, &st->value[i], st->type[i]);
    }
}

static int32_t length_at(const char *p)
{
    const unsigned char *u = (const unsigned char *)p;
    return (int32_t)((uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3]);
}

const char *pg_row_cut(const char *at, int n, const char **value, int *length)
{
    for (int i = 0; i < n; i++) {
        length[i] = length_at(at);
        at += 4;
        value[i] = length[i] < 0 ? NULL : at;
        at += length[i] < 0 ? 0 : length[i];
    }
    return at;
}

Oid pg_array_of(Oid type)
{
    switch (type) {
    case PG_INT8:
        return 1016;
    case PG_FLOAT8:
        return 1022;
    case PG_BYTEA:
        return 1001;
    case PG_INT4:
        return 1007;
    default:
        return 1009; /* of text */
    }
}

void pg_array_begin(Buf *b, Oid type, size_t n)
{
    pg_put_bytes(b, n > 0, 4);
    pg_put_bytes(b, 1, 4);
    pg_put_bytes(b, type, 4);
    if (n > 0) {
        pg_put_bytes(b, n, 4);
        pg_put_bytes(b, 1, 4);
    }
}

Str pg_list_i64(Arena *a, const int64_t *v, size_t n)
{
    Buf b;
    buf_init(&b, 0);
    pg_array_begin(&b, PG_INT8, n);
    for (size_t i = 0; i < n; i++) {
        put_number(&b, v[i], PG_INT8);
    }
    return buf_take(&b, a);
}

Str pg_list_str(Arena *a, const Str *v, size_t n)
{
    Buf b;
    buf_init(&b, 0);
    pg_array_begin(&b, PG_TEXT, n);
    for (size_t i = 0; i < n; i++) {
        put_text(&b, v[i]);
    }
    return buf_take(&b, a);
}
