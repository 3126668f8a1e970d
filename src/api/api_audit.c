#include "api_audit.h"

#define COUNT_DEFAULT    20
#define COUNT_MAX        1000
#define PATIENTS_ASKED   100
#define CURSOR_MAC_CHARS 32
#define CURSOR_LIVES_MS  MS_HOUR

bool api_audit_is_asked(const ApiCall *c, Str type)
{
    return str_is(type, "AuditEvent") && c->caller && !c->caller->view.everything;
}

/* ---- Asking -----------------------------------------------------------------------------------
 */

typedef struct Asked {
    TrailQuery trail;
    Buf self;    /* the parameters as understood */
    Str cursor;  /* as given */
    bool nobody; /* an identifier that no patient has */
} Asked;

typedef Status ParamTake(ApiCall *c, Asked *q, Str value, Err *err);

static Status malformed(Str name, Str value, Err *err)
{
    return err_add(err, ERR_INVALID, NULL, name, "参数 %.*s 的值无法识别：%.*s",
                   "The value of %.*s is not understood: %.*s", STR_ARG(name), STR_ARG(value));
}

/* The values of a list, each without "Type/". */
static Status list_take(ApiCall *c, Str value, const char *type, const Str **list, size_t *n,
                        Err *err)
{
    Str *all = arena_array(c->arena, Str, PATIENTS_ASKED);
    Str one;
    if (*n) {
        memcpy(all, *list, *n * sizeof *all);
    }
    bool more = true;
    while (more) {
        more = str_cut(value, ',', &one, &value);
        one = str_starts(one, str_from_c(type)) ? str_skip(one, strlen(type)) : one;
        if (str_empty(one) || *n == PATIENTS_ASKED) {
            return malformed(STR("patient"), one, err);
        }
        all[(*n)++] = one;
    }
    *list = all;
    return OK;
}

static Status patient_take(ApiCall *c, Asked *q, Str value, Err *err)
{
    return list_take(c, value, "Patient/", &q->trail.patients, &q->trail.patients_n, err);
}

/* The administrator sees no patient, but may ask by the number on the card: exactly. */
static Status identifier_take(ApiCall *c, Asked *q, Str value, Err *err)
{
    const StoreHit *hit;
    size_t n;
    Buf query;
    buf_init(&query, 0);
    buf_c(&query, "identifier=");
    buf_url(&query, value);
    Status s = store_find(c->reader, c->arena, &STORE_VIEW_ALL, STR("Patient"), buf_str(&query),
                          PATIENTS_ASKED, &hit, &n, err);
    buf_done(&query);
    TRY(s);
    q->nobody |= n == 0;
    for (size_t i = 0; i < n; i++) {
        TRY(patient_take(c, q, hit[i].id, err));
    }
    return OK;
}

static Status person_take(ApiCall *c, Asked *q, Str value, Err *err)
{
    return list_take(c, value, "", &q->trail.persons, &q->trail.persons_n, err);
}

static Status action_take(ApiCall *c, Asked *q, Str value, Err *err)
{
    (void)c;
    (void)err;
    q->trail.action = value;
    return OK;
}

static Status address_take(ApiCall *c, Asked *q, Str value, Err *err)
{
    (void)c;
    (void)err;
    q->trail.address = value;
    return OK;
}

static Status outcome_take(ApiCall *c, Asked *q, Str value, Err *err)
{
    (void)c;
    bool known = str_is(value, "0") || str_is(value, "4") || str_is(value, "8");
    q->trail.status_from = str_is(value, "0") ? 0 : str_is(value, "4") ? 400 : 500;
    q->trail.status_to = str_is(value, "0") ? 400 : str_is(value, "4") ? 500 : 600;
    return known ? OK : malformed(STR("outcome"), value, err);
}

static void from_set(Asked *q, int64_t ms)
{
    q->trail.from_ms = ms > q->trail.from_ms ? ms : q->trail.from_ms;
}

static void to_set(Asked *q, int64_t ms)
{
    q->trail.to_ms = q->trail.to_ms == 0 || ms < q->trail.to_ms ? ms : q->trail.to_ms;
}

static Status date_take(ApiCall *c, Asked *q, Str value, Err *err)
{
    static const char *const PREFIXES[] = {"eq", "ge", "sa", "gt", "le", "eb", "lt"};
    Str prefix = STR("eq"), text = value;
    DateTime d;
    int64_t lo, hi;
    for (size_t i = 0; i < sizeof PREFIXES / sizeof *PREFIXES; i++) {
        if (str_starts(value, str_from_c(PREFIXES[i]))) {
            prefix = str_from_c(PREFIXES[i]);
            text = str_skip(value, 2);
        }
    }
    if (!datetime_parse_loose(text, &d)) {
        return malformed(STR("date"), value, err);
    }
    datetime_range(&d, c->api->options.zone_min, &lo, &hi);
    bool equal = str_is(prefix, "eq"), after = str_is(prefix, "gt") || str_is(prefix, "sa");
    if (equal || after || str_is(prefix, "ge")) {
        from_set(q, after ? hi : lo);
    }
    if (equal || str_is(prefix, "le") || str_is(prefix, "lt") || str_is(prefix, "eb")) {
        to_set(q, equal || str_is(prefix, "le") ? hi : lo);
    }
    return OK;
}

static Status id_take(ApiCall *c, Asked *q, Str value, Err *err)
{
    (void)c;
    int64_t n;
    if (!str_starts(value, STR("log.")) || !str_to_i64(str_skip(value, 4), &n) || n < 1) {
        return malformed(STR("_id"), value, err);
    }
    q->trail.n = (uint64_t)n;
    return OK;
}

static Status count_take(ApiCall *c, Asked *q, Str value, Err *err)
{
    (void)c;
    int64_t n;
    if (!str_to_i64(value, &n) || n < 1) {
        return malformed(STR("_count"), value, err);
    }
    q->trail.limit = n < COUNT_MAX ? (size_t)n : COUNT_MAX;
    return OK;
}

/* Newest first is the one order there is. */
static Status sort_take(ApiCall *c, Asked *q, Str value, Err *err)
{
    (void)c;
    (void)q;
    return str_is(value, "-date") ? OK : malformed(STR("_sort"), value, err);
}

static Status format_take(ApiCall *c, Asked *q, Str value, Err *err)
{
    (void)c;
    (void)q;
    (void)value;
    (void)err;
    return OK; /* the gate has looked at it */
}

typedef struct Param {
    const char *name;
    ParamTake *take;
} Param;

static const Param PARAMS[] = {
    {"patient", patient_take}, {"patient.identifier", identifier_take},
    {"agent", person_take},    {"altid", person_take},
    {"action", action_take},   {"address", address_take},
    {"outcome", outcome_take}, {"date", date_take},
    {"_id", id_take},          {"_count", count_take},
    {"_sort", sort_take},      {"_format", format_take},
    {"_pretty", format_take},
};

static Status param_take(ApiCall *c, Asked *q, Str name, Str value, Err *err)
{
    for (size_t i = 0; i < sizeof PARAMS / sizeof *PARAMS; i++) {
        if (str_is(name, PARAMS[i].name)) {
            return PARAMS[i].take(c, q, value, err);
        }
    }
    return err_add(
        err, ERR_INVALID, "not-supported", name,
        "审计查询不支持参数 %.*s；可用：patient、patient.identifier、agent、altid、action、"
        "address、outcome、date、_id、_count",
        "The trail is not searched by %.*s; it is by patient, patient.identifier, agent, "
        "altid, action, address, outcome, date, _id, _count",
        STR_ARG(name));
}

static Status query_take(ApiCall *c, Str query, Asked *q, Err *err)
{
    Str name, raw, value;
    while (http_next_pair(&query, &name, &raw)) {
        if (!http_decode(c->arena, raw, true, &value)) {
            return malformed(name, raw, err);
        }
        if (str_is(name, "_cursor")) {
            q->cursor = value;
            continue;
        }
        TRY(param_take(c, q, name, value, err));
        buf_c(&q->self, q->self.n ? "&" : "");
        buf_add(&q->self, name);
        buf_char(&q->self, '=');
        buf_add(&q->self, raw);
    }
    return OK;
}

/* ---- The cursor: "N.EXPIRY.MAC", bound to person and query ------------------------------------
 */

static Str cursor_mac(ApiCall *c, const Asked *q, uint64_t before, int64_t until_ms)
{
    Str text =
        arena_printf(c->arena, "%.*s\n%.*s\n%llu\n%lld", STR_ARG(c->caller->username),
                     STR_ARG(buf_str(&q->self)), (unsigned long long)before, (long long)until_ms);
    Sha256 mac = access_trail_mac(c->api->access, text);
    return str_take(hex_encode(c->arena, mac.b, sizeof mac.b), CURSOR_MAC_CHARS);
}

static Str cursor_make(ApiCall *c, const Asked *q, uint64_t before)
{
    int64_t until_ms = clock_now(c->api->options.clock) + CURSOR_LIVES_MS;
    Str mac = cursor_mac(c, q, before, until_ms);
    return arena_printf(c->arena, "%llu.%lld.%.*s", (unsigned long long)before, (long long)until_ms,
                        STR_ARG(mac));
}

static Status cursor_take(ApiCall *c, Asked *q, Err *err)
{
    Str number, rest, until, mac;
    int64_t before, until_ms;
    if (str_empty(q->cursor)) {
        return OK;
    }
    bool ok = str_cut(q->cursor, '.', &number, &rest) && str_cut(rest, '.', &until, &mac) &&
              str_to_i64(number, &before) && before > 0 && str_to_i64(until, &until_ms);
    Str due = ok ? cursor_mac(c, q, (uint64_t)before, until_ms) : STR_NONE;
    if (!ok || mac.n != due.n || !bytes_equal_const(mac.p, due.p, due.n)) {
        return err_add(err, ERR_INVALID, NULL, STR("_cursor"), "翻页位置不属于此查询",
                       "The cursor is not of this search");
    }
    if (until_ms < clock_now(c->api->options.clock)) {
        return err_add(err, ERR_GONE, NULL, STR("_cursor"), "翻页位置已过期，请重新查询",
                       "The cursor has expired; search again");
    }
    q->trail.before = (uint64_t)before;
    return OK;
}

/* ---- Answering --------------------------------------------------------------------------------
 */

static void link_write(JsonWriter *w, const char *relation, Str url)
{
    json_open(w, '{');
    json_member_c(w, "relation", relation);
    json_member_str(w, "url", url);
    json_close(w, '}');
}

static void links_write(ApiCall *c, JsonWriter *w, const Asked *q, uint64_t next)
{
    Str base = arena_cat(c->arena, api_base_url(c), STR("/fhir/AuditEvent"));
    Str self = q->self.n ? arena_cat(c->arena, base, STR("?"), buf_str(&q->self)) : base;
    json_key_open(w, "link", '[');
    link_write(w, "self", self);
    if (next) {
        Str cursor = cursor_make(c, q, next);
        link_write(
            w, "next",
            arena_cat(c->arena, self, q->self.n ? STR("&") : STR("?"), STR("_cursor="), cursor));
    }
    json_close(w, ']');
}

static Str page_write(ApiCall *c, const Asked *q, const TrailPage *page)
{
    Buf out;
    buf_init(&out, 0);
    JsonWriter w = json_writer(&out);
    Str base = arena_cat(c->arena, api_base_url(c), STR("/fhir/AuditEvent/"));
    json_open(&w, '{');
    json_member_c(&w, "resourceType", "Bundle");
    json_member_c(&w, "type", "searchset");
    links_write(c, &w, q, page->next);
    if (page->n) {
        json_key_open(&w, "entry", '[');
    }
    for (size_t i = 0; i < page->n; i++) {
        json_open(&w, '{');
        json_member_str(&w, "fullUrl",
                        arena_cat(c->arena, base, api_audit_id(c->arena, page->record[i].n)));
        json_key(&w, "resource");
        json_put_raw(&w, api_audit_event(c, &page->record[i]));
        json_key_open(&w, "search", '{');
        json_member_c(&w, "mode", "match");
        json_close(&w, '}');
        json_close(&w, '}');
    }
    if (page->n) {
        json_close(&w, ']');
    }
    return json_end(&w, '}', c->arena);
}

static Status asked_answer(ApiCall *c, Str query, Asked *q, ApiResult *ret, Err *err)
{
    TrailPage page = {0};
    TRY(query_take(c, query, q, err));
    TRY(cursor_take(c, q, err));
    if (!q->nobody) {
        TRY(access_trail_page(c->api->access, c->arena, &q->trail, &page, err));
    }
    for (size_t i = 0; i < q->trail.patients_n; i++) {
        api_touch(c, q->trail.patients[i]); /* that somebody asked is itself on the trail */
    }
    *ret = (ApiResult){.status = 200, .body = page_write(c, q, &page)};
    return OK;
}

Status api_audit_page(ApiCall *c, Str query, ApiResult *ret, Err *err)
{
    Asked q = {.trail.limit = COUNT_DEFAULT};
    buf_init(&q.self, 0);
    Status s = asked_answer(c, query, &q, ret, err);
    buf_done(&q.self);
    return s;
}

Status api_audit_read(ApiCall *c, Str id, StoreVersion *ret, Err *err)
{
    Asked q = {.trail.limit = 1};
    TrailPage page = {0};
    if (id_take(c, &q, id, NULL) == OK) {
        TRY(access_trail_page(c->api->access, c->arena, &q.trail, &page, err));
    }
    if (page.n == 0) {
        return err_add(err, ERR_NOT_FOUND, NULL, STR_NONE, "没有找到 AuditEvent/%.*s",
                       "AuditEvent/%.*s is not known", STR_ARG(id));
    }
    const TrailRecord *r = &page.record[0];
    *ret = (StoreVersion){.type = STR("AuditEvent"),
                          .id = id,
                          .vid = STR("1"),
                          .op = STORE_CREATE,
                          .at_ms = r->at_ms,
                          .body = api_audit_event(c, r),
                          .author = r->who,
                          .role = r->role,
                          .org = r->org,
                          .patients = r->patients,
                          .patients_n = r->patients_n};
    return OK;
}
