#include "link_rows.h"

#include "access.h"
#include "care_id.h"
#include "fhir_write.h"

#include "mk_banned.h"

#define ID_PREFIX       "t-" /* from a table */
#define ID_HEX          24
#define SYSTEM_RECORD   "urn:menkou:record-number"
#define SYSTEM_NUMBER   "urn:menkou:staff-number"
#define SYSTEM_CODE     "urn:menkou:institution-code"
#define SYSTEM_ROLE     "urn:menkou:role"
#define PHONE_CHARS_MAX 32
#define TEXT_CHARS_MAX  300

typedef struct Row {
    const LinkContext *c;
    Arena *a;
    const LinkRecord *record;
    Err *err;
    Status status; /* of the first fault */
    Str cell[LINK_ELEMENTS];
    CareIdCard card;
    bool has_card;
} Row;

static void fault(Row *w, Status status)
{
    w->status = w->status == OK ? status : w->status;
}

static void cells_read(Row *w)
{
    for (int e = 0; e < LINK_ELEMENTS; e++) {
        Status status = link_map_cell(w->c->map, w->record, (LinkElement)e, &w->cell[e], w->err);
        if (status != OK) {
            fault(w, status);
            w->cell[e] = STR_NONE;
        } else if (utf8_count(w->cell[e]) > TEXT_CHARS_MAX) {
            fault(w, err_rule(w->err, ERR_UNPROCESSABLE, STR("cell-long"), STR_NONE,
                              "内容超过 %d 个字", "A cell has more than %d characters",
                              TEXT_CHARS_MAX));
        }
    }
    if (!w->cell[LINK_NAME].n) {
        fault(w, err_rule(w->err, ERR_UNPROCESSABLE, STR("name-missing"), STR("name"),
                          "没有姓名或名称", "There is no name"));
    }
}

/* ---- Days, cards, telephones ------------------------------------------------------------------
 */

static bool number_take(Str *text, size_t digits_max, int *ret)
{
    size_t n = 0;
    int v = 0;
    while (n < text->n && n < digits_max && text->p[n] >= '0' && text->p[n] <= '9') {
        v = v * 10 + (text->p[n++] - '0');
    }
    *text = str_skip(*text, n);
    *ret = v;
    return n > 0;
}

static void mark_skip(Str *text)
{
    static const char *const MARKS[] = {"-", "/", ".", "年", "月", "日"};
    for (size_t i = 0; i < sizeof MARKS / sizeof *MARKS; i++) {
        if (str_starts(*text, str_from_c(MARKS[i]))) {
            *text = str_skip(*text, strlen(MARKS[i]));
            return;
        }
    }
}

bool link_date(Arena *a, Str text, Str *ret)
{
    int y, m, d;
    DateTime at;
    if (!number_take(&text, 4, &y)) {
        return false;
    }
    mark_skip(&text);
    bool ok = number_take(&text, 2, &m);
    mark_skip(&text);
    ok = ok && number_take(&text, 2, &d);
    mark_skip(&text);
    Str time = str_trim(text); /* a spreadsheet's midnight */
    ok = ok && (time.n == 0 || str_starts(time, STR("0:00")) || str_starts(time, STR("00:00")));
    Str day = ok ? arena_printf(a, "%04d-%02d-%02d", y, m, d) : STR_NONE;
    if (!ok || !datetime_parse(day, &at)) {
        return false;
    }
    *ret = day;
    return true;
}

static void card_read(Row *w)
{
    Str text = w->cell[LINK_CARD];
    if (!text.n) {
        return;
    }
    Status status = care_id_card_check(text, w->c->now_ms, w->c->zone_min, &w->card, w->err);
    w->has_card = status == OK;
    fault(w, status);
}

/* What the card says is taken where the table is silent, and must agree where it speaks. */
static void card_agree(Row *w, LinkElement e, Str said, const char *zh, const char *en)
{
    bool open = !w->cell[e].n || str_is(w->cell[e], "unknown");
    if (!w->has_card || str_eq(w->cell[e], said)) {
        return;
    }
    if (open) {
        w->cell[e] = said;
        return;
    }
    fault(w, err_rule(w->err, ERR_UNPROCESSABLE, STR("card-disagrees"), str_from_c(en),
                      "身份证号与%s%.0s不符", "%.0sThe ID card and the %s do not agree", zh, en));
}

static void birth_read(Row *w)
{
    Str day = STR_NONE;
    if (w->cell[LINK_BIRTH].n && !link_date(w->a, w->cell[LINK_BIRTH], &day)) {
        fault(w, err_rule(w->err, ERR_UNPROCESSABLE, STR("date-wrong"), STR("birthDate"),
                          "“%.*s”不是日期，请写作 1956-03-08", "'%.*s' is no day; write 1956-03-08",
                          STR_ARG(w->cell[LINK_BIRTH])));
    }
    w->cell[LINK_BIRTH] = day;
}

static void phone_check(Row *w)
{
    Str phone = w->cell[LINK_PHONE];
    bool good = phone.n <= PHONE_CHARS_MAX;
    for (size_t i = 0; i < phone.n; i++) {
        good = good && strchr("0123456789+-() /", phone.p[i]) != NULL;
    }
    if (!good) {
        fault(w, err_rule(w->err, ERR_UNPROCESSABLE, STR("phone-wrong"), STR("phone"),
                          "电话“%.*s”含有数字以外的字符", "The telephone '%.*s' is no number",
                          STR_ARG(phone)));
    }
}

static Str organization_of(Row *w, LinkElement e)
{
    Str reference = STR_NONE;
    if (w->cell[e].n) {
        fault(w, w->c->organization(w->c->ctx, w->a, w->cell[e], &reference, w->err));
    }
    return reference;
}

/* ---- Identity ---------------------------------------------------------------------------------
 */

static Str id_of(Row *w, const char *what, Str identity)
{
    Str text = arena_cat(w->a, str_from_c(what), STR("|"), identity);
    Sha256 mac = hmac_sha256(w->c->key, text);
    return arena_cat(w->a, STR(ID_PREFIX), str_take(hex_encode(w->a, mac.b, sizeof mac.b), ID_HEX));
}

/* The card; else the number; else all that the row says of the person. */
static Str person_identity(Row *w, LinkElement number)
{
    if (w->has_card) {
        return arena_cat(w->a, STR("card|"), str_from_c(w->card.number));
    }
    if (w->cell[number].n) {
        return arena_cat(w->a, STR("number|"), w->cell[number]);
    }
    return arena_cat(w->a, STR("words|"), w->cell[LINK_NAME], STR("|"), w->cell[LINK_GENDER],
                     STR("|"), w->cell[LINK_BIRTH], STR("|"), w->cell[LINK_PHONE], STR("|"),
                     w->cell[LINK_ADDRESS]);
}

/* ---- Bodies -----------------------------------------------------------------------------------
 */

static void identifier_put(JsonWriter *w, const char *system, Str value)
{
    if (value.n) {
        json_open(w, '{');
        json_member_c(w, "system", system);
        json_member_str(w, "value", value);
        json_close(w, '}');
    }
}

static void identifiers_put(JsonWriter *w, Str card, const char *system, Str number)
{
    if (card.n || number.n) {
        json_key_open(w, "identifier", '[');
        identifier_put(w, FHIR_CARD_SYSTEM, card);
        identifier_put(w, system, number);
        json_close(w, ']');
    }
}

static void phone_put(JsonWriter *w, Str phone)
{
    if (phone.n) {
        json_key_open(w, "telecom", '[');
        json_open(w, '{');
        json_member_c(w, "system", "phone");
        json_member_str(w, "value", phone);
        json_close(w, '}');
        json_close(w, ']');
    }
}

static JsonWriter body_open(Buf *out, const char *type, Str id, bool active)
{
    JsonWriter w = fhir_begin(out, type, id);
    json_member_bool(&w, "active", active);
    return w;
}

static void resource_add(LinkMade *made, const char *type, Str id, Str body)
{
    made->resource[made->n++] = (LinkResource){type, id, body};
}

/* ---- Kinds ------------------------------------------------------------------------------------
 */

static void person_check(Row *w)
{
    card_read(w);
    birth_read(w);
    phone_check(w);
    if (w->has_card) {
        card_agree(w, LINK_BIRTH, care_id_card_birth(w->a, &w->card), "出生日期", "birth date");
        card_agree(w, LINK_GENDER, str_from_c(care_id_card_gender(&w->card)), "性别", "sex");
    }
}

static void resident_make(Row *r, LinkMade *made)
{
    Buf out;
    person_check(r);
    Str home = organization_of(r, LINK_ORGANIZATION);
    Str id = id_of(r, "Patient", person_identity(r, LINK_RECORD));
    made->card = r->has_card ? arena_str(r->a, str_from_c(r->card.number)) : STR_NONE;
    JsonWriter w = body_open(&out, "Patient", id, true);
    identifiers_put(&w, made->card, SYSTEM_RECORD, r->cell[LINK_RECORD]);
    fhir_texts_put(&w, "name", r->cell[LINK_NAME]);
    phone_put(&w, r->cell[LINK_PHONE]);
    json_member_str(&w, "gender", r->cell[LINK_GENDER].n ? r->cell[LINK_GENDER] : STR("unknown"));
    if (r->cell[LINK_BIRTH].n) {
        json_member_str(&w, "birthDate", r->cell[LINK_BIRTH]);
    }
    fhir_texts_put(&w, "address", r->cell[LINK_ADDRESS]);
    fhir_reference_put(&w, "managingOrganization", home, STR_NONE);
    resource_add(made, "Patient", id, json_end(&w, '}', r->a));
}

static void institution_make(Row *r, LinkMade *made)
{
    Buf out;
    phone_check(r);
    Str parent = organization_of(r, LINK_PARENT), code = r->cell[LINK_CODE];
    Str id = id_of(r, "Organization", code.n ? code : r->cell[LINK_NAME]);
    JsonWriter w = body_open(&out, "Organization", id, true);
    identifiers_put(&w, STR_NONE, SYSTEM_CODE, code);
    json_member_str(&w, "name", r->cell[LINK_NAME]);
    phone_put(&w, r->cell[LINK_PHONE]);
    fhir_texts_put(&w, "address", r->cell[LINK_ADDRESS]);
    fhir_reference_put(&w, "partOf", parent, STR_NONE);
    made->name = r->cell[LINK_NAME];
    made->code = code;
    resource_add(made, "Organization", id, json_end(&w, '}', r->a));
}

static Str post_body(Row *r, Str id, Str person, Str organization)
{
    Buf out;
    JsonWriter w = body_open(&out, "PractitionerRole", id, !r->c->proposed);
    fhir_reference_put(&w, "practitioner", person, STR_NONE);
    fhir_reference_put(&w, "organization", organization, STR_NONE);
    fhir_concepts_put(&w, "code", STR(SYSTEM_ROLE), r->cell[LINK_ROLE], STR_NONE);
    return json_end(&w, '}', r->a);
}

/* Administrators and other systems are let in one by one, never by a table. */
static void role_check(Row *r)
{
    if (r->cell[LINK_ROLE].n && !access_role_clinical(r->cell[LINK_ROLE])) {
        fault(r, err_rule(r->err, ERR_UNPROCESSABLE, STR("role-unknown"), STR("role"),
                          "“%.*s”不是可由表格导入的岗位", "'%.*s' is no role that a table may give",
                          STR_ARG(r->cell[LINK_ROLE])));
    }
}

static void staff_make(Row *r, LinkMade *made)
{
    Buf out;
    person_check(r);
    Str organization = organization_of(r, LINK_ORGANIZATION), role = r->cell[LINK_ROLE];
    if (r->status == OK && (!organization.n || !role.n)) {
        fault(r, err_rule(r->err, ERR_UNPROCESSABLE, STR("post-incomplete"), STR("role"),
                          "缺少岗位或机构", "Role or institution is missing"));
    }
    role_check(r);
    Str id = id_of(r, "Practitioner", person_identity(r, LINK_NUMBER));
    made->person = arena_cat(r->a, STR("Practitioner/"), id);
    made->card = r->has_card ? arena_str(r->a, str_from_c(r->card.number)) : STR_NONE;
    made->name = r->cell[LINK_NAME];
    made->username = r->cell[LINK_USERNAME];
    JsonWriter w = body_open(&out, "Practitioner", id, true);
    identifiers_put(&w, made->card, SYSTEM_NUMBER, r->cell[LINK_NUMBER]);
    fhir_texts_put(&w, "name", r->cell[LINK_NAME]);
    phone_put(&w, r->cell[LINK_PHONE]);
    if (r->cell[LINK_GENDER].n) {
        json_member_str(&w, "gender", r->cell[LINK_GENDER]);
    }
    resource_add(made, "Practitioner", id, json_end(&w, '}', r->a));
    Str post =
        id_of(r, "PractitionerRole", arena_cat(r->a, id, STR("|"), organization, STR("|"), role));
    resource_add(made, "PractitionerRole", post, post_body(r, post, made->person, organization));
}

Status link_row_make(const LinkContext *c, Arena *a, const LinkRecord *r, LinkMade *ret, Err *err)
{
    Row w = {.c = c, .a = a, .record = r, .err = err};
    LinkMade made = {0};
    cells_read(&w);
    switch (c->map->kind) {
    case LINK_RESIDENTS:
        resident_make(&w, &made);
        break;
    case LINK_STAFF:
        staff_make(&w, &made);
        break;
    default:
        institution_make(&w, &made);
    }
    if (w.status == OK) {
        *ret = made;
    }
    return w.status;
}
