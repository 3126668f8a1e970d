/* Accounts of staff: asked for by rows, made once the rows are in. */
#include "api_table_inner.h"

#include "mk_banned.h"

/* Outlives the row's group: if the account cannot be made, the row is told as it was. */
static LinkRecord row_keep(Arena *a, const LinkRecord *row)
{
    Str *field = arena_array(a, Str, row->n);
    for (size_t i = 0; i < row->n; i++) {
        field[i] = arena_str(a, row->field[i]);
    }
    return (LinkRecord){.field = field, .n = row->n, .line = row->line};
}

void table_account_want(Table *t, const LinkMade *m, const LinkRecord *row)
{
    if (!m->username.n) {
        return;
    }
    TableAccount *want = arena_new(t->arena, TableAccount);
    want->username = arena_str(t->arena, m->username);
    want->name = arena_str(t->arena, m->name);
    want->person = arena_str(t->arena, m->person);
    want->row = row_keep(t->arena, row);
    if (t->account_last) {
        t->account_last->next = want;
    } else {
        t->account_first = want;
    }
    t->account_last = want;
}

/* New ones only; their passwords stand in a sheet for the eyes of who imports. */
static Status account_make(Table *t, Arena *a, StoreReader *r, const TableAccount *want, Err *err)
{
    StoreAccount there;
    Str password;
    if (store_account_get(r, a, want->username, &there, NULL) == OK) {
        return OK;
    }
    AccessNewAccount fresh = {.username = want->username,
                              .name = want->name,
                              .practitioner = want->person,
                              .must_change = true};
    TRY(access_account_make(t->api->store, a, &fresh, &password, err));
    t->done.accounts++;
    table_password_note(t, want, password);
    return OK;
}

Status table_accounts_make(Table *t, Err *err)
{
    Arena a;
    Err refused;
    StoreReader *r;
    if (!t->account_first) {
        return OK;
    }
    TRY(store_reader_open(t->api->store, &r, err));
    arena_init(&a, 0);
    for (const TableAccount *want = t->account_first; want; want = want->next) {
        err_init(&refused, &a);
        if (account_make(t, &a, r, want, &refused) != OK) {
            table_refuse(t, &a, &want->row, &refused);
        }
        arena_reset(&a);
    }
    arena_done(&a);
    store_reader_close(r);
    return OK;
}
