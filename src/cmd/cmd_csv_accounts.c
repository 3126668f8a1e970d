/* Accounts of staff: asked for by rows, made once the whole file is in. */
#include "cmd_csv_inner.h"

#include "mk_banned.h"

void cmd_csv_account_want(Csv *c, const LinkMade *m)
{
    if (!m->username.n) {
        return;
    }
    CsvAccount *want = arena_new(c->arena, CsvAccount);
    want->username = arena_str(c->arena, m->username);
    want->name = arena_str(c->arena, m->name);
    want->person = arena_str(c->arena, m->person);
    if (c->account_last) {
        c->account_last->next = want;
    } else {
        c->account_first = want;
    }
    c->account_last = want;
}

/* New ones only; their passwords stand in a sheet for the operator's eyes. */
static Status account_make(Csv *c, CmdStore *s, const CsvAccount *want, FILE **sheet)
{
    StoreAccount there;
    Str password;
    if (store_account_get(s->reader, &s->arena, want->username, &there, NULL) == OK) {
        return OK;
    }
    AccessNewAccount fresh = {.username = want->username,
                              .name = want->name,
                              .practitioner = want->person,
                              .must_change = true};
    TRY(access_account_make(s->store, &s->arena, &fresh, &password, &s->err));
    *sheet = *sheet ? *sheet : cmd_csv_sheet_open(c, ".passwords.csv");
    if (*sheet) {
        const Str row[] = {want->username, want->name, password};
        cmd_csv_sheet_line(*sheet, row, sizeof row / sizeof *row);
    }
    return OK;
}

int cmd_csv_accounts_make(Csv *c)
{
    CmdStore s;
    FILE *sheet = NULL;
    uint64_t before = c->refused;
    int rc = cmd_store_open(&s, "import", c->o->dir, CMD_BESIDE);
    for (const CsvAccount *want = c->account_first; want && rc < 0; want = want->next) {
        if (account_make(c, &s, want, &sheet) != OK) {
            c->refused++;
            (void)cmd_failed("import", &s.err);
            err_clear(&s.err);
        }
    }
    if (sheet) {
        printf("%s/import/%.*s.passwords.csv\n", c->o->dir, STR_ARG(c->name));
        fclose(sheet);
    }
    cmd_store_close(&s);
    return rc >= 0 ? rc : c->refused > before ? CMD_FAULTS : CMD_DONE;
}
