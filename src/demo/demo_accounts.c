/* Accounts for the posts that a visitor tries. */
#include "demo_inner.h"

/* Township -1: county; 0: the story's; 1: the second township, which must see nothing of it. */
typedef struct DemoAccount {
    const char *username, *role;
    int township, nth;
} DemoAccount;

static const DemoAccount ACCOUNTS[] = {
    {"village1", "village-doctor", 0, 0},
    {"village2", "village-doctor", 1, 0},
    {"town1", "township-doctor", 0, 0},
    {"town2", "township-doctor", 1, 0},
    {"tech1", "technician", 0, 0},
    {"tech2", "technician", 1, 0},
    {"reader1", "reader", -1, 0},
    {"reader2", "reader", 1, 0},
    {"reader3", "reader", -1, 1},
    {"doctor1", "county-doctor", -1, 0},
    {"office1", "referral-office", -1, 0},
    {"family1", "family-doctor", 0, 0},
    {"family2", "family-doctor", 1, 0},
    {"consortium1", "consortium-office", -1, 0},
    {"system1", "system-administrator", -3, 0},
    {"security1", "security-administrator", -3, 0},
    {"audit1", "audit-administrator", -3, 0},
    {"integrator1", "integrator", -3, 0},
};

/* Three of four classes, no look-alikes: mk- and ten letters and digits. */
static Str password_make(Arena *a, Random *r)
{
    static const char letters[] = "abcdefghjkmnpqrstuvwxyz";
    char text[16] = "Mk";
    for (int i = 2; i < 8; i++) {
        text[i] = letters[random_below(r, sizeof letters - 1)];
    }
    for (int i = 8; i < 12; i++) {
        text[i] = (char)('2' + random_below(r, 8));
    }
    return arena_str(a, (Str){text, 12});
}

static Str organization_name(const Demo *d, Str reference)
{
    for (int i = 0; i < d->clinics_n; i++) {
        if (str_ends(reference, d->clinic[i].id) && reference.n == d->clinic[i].id.n + 13) {
            return d->clinic[i].name;
        }
    }
    for (int i = 0; i < d->townships_n; i++) {
        if (str_ends(reference, d->township[i].id) && reference.n == d->township[i].id.n + 13) {
            return d->township[i].name;
        }
    }
    return str_is(reference, "Organization/consortium") ? STR(DEMO_CONSORTIUM)
                                                        : STR("门县人民医院");
}

static Str organization_parent(const Demo *d, const DemoPost *p)
{
    bool clinic = str_starts(p->organization, STR("Organization/clinic-"));
    bool top = str_is(p->organization, "Organization/consortium");
    return clinic ? arena_cat(d->arena, STR("Organization/"), d->township[p->township].id)
           : top  ? STR_NONE
                  : STR("Organization/consortium");
}

static Status account_write(Demo *d, JsonWriter *w, const DemoAccount *account, Err *err)
{
    const DemoPost *post = demo_post(d, account->role, account->township, account->nth);
    mk_check(post || account->township == -3);
    Str organization = post ? post->organization : STR("Organization/consortium");
    AccessNewAccount n = {.username = str_from_c(account->username),
                          .name = post ? post->name : str_from_c(account->username),
                          .role = str_from_c(account->role),
                          .practitioner = post ? post->practitioner : STR_NONE,
                          .organization = organization,
                          .password = password_make(d->arena, &d->random)};
    Str password = n.password;
    TRY(access_account_make(d->store, d->arena, &n, &password, err));
    json_open(w, '{');
    json_member_str(w, "username", n.username);
    json_member_str(w, "password", password);
    json_member_str(w, "name", n.name);
    json_member_str(w, "role", n.role);
    json_member_str(w, "practitioner", n.practitioner);
    json_member_str(w, "organization", organization);
    json_member_str(w, "organizationName", organization_name(d, organization));
    json_member_str(w, "parent", post ? organization_parent(d, post) : STR_NONE);
    json_close(w, '}');
    return OK;
}

Status demo_accounts(Demo *d, Err *err)
{
    Buf raw, pretty;
    buf_init(&raw, 1 << 20);
    buf_init(&pretty, 1 << 20);
    JsonWriter w = json_writer(&raw);
    json_open(&w, '[');
    Status s = OK;
    for (size_t i = 0; i < sizeof ACCOUNTS / sizeof *ACCOUNTS && s == OK; i++) {
        s = account_write(d, &w, &ACCOUNTS[i], err);
    }
    json_close(&w, ']');
    JsonDoc doc;
    s = s == OK ? json_parse(d->arena, buf_str(&raw), &JSON_LIMITS_FHIR, &doc, err) : s;
    if (s == OK) {
        json_pretty(&pretty, &doc, JSON_ROOT);
        buf_char(&pretty, '\n');
        Str path = path_join(d->arena, str_from_c(d->options->dir), STR("accounts.json"));
        s = file_write_durable(path.p, buf_str(&pretty), 0600, err);
    }
    buf_done(&raw);
    buf_done(&pretty);
    /* Whoever tries the demo has no telephone enrolled. */
    return s == OK ? store_setting_put(d->store, STR(ACCESS_SETTING_FACTOR), STR("optional"), err)
                   : s;
}
