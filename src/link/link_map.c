#include "link_map.h"

#include "mk_banned.h"

static const char *const CODES[LINK_ELEMENTS] = {
    [LINK_NAME] = "name",         [LINK_CARD] = "card",
    [LINK_GENDER] = "gender",     [LINK_BIRTH] = "birthDate",
    [LINK_PHONE] = "phone",       [LINK_ADDRESS] = "address",
    [LINK_RECORD] = "record",     [LINK_ORGANIZATION] = "organization",
    [LINK_ROLE] = "role",         [LINK_NUMBER] = "number",
    [LINK_USERNAME] = "username", [LINK_CODE] = "code",
    [LINK_PARENT] = "parent",
};

typedef struct Element {
    LinkKind kind;
    const char *code;
    bool needed;
    const char *zh, *en;
} Element;

static const Element ELEMENTS[] = {
#define ELEMENT(kind, code, needed, zh, en) {LINK_##kind, code, needed, zh, en},
#include "link_elements.def"
#undef ELEMENT
};
#define ELEMENTS_N (sizeof ELEMENTS / sizeof *ELEMENTS)

static const char *const KINDS[LINK_KINDS] = {"residents", "staff", "institutions"};

bool link_kind_find(Str word, LinkKind *ret)
{
    for (int i = 0; i < LINK_KINDS; i++) {
        if (str_is(word, KINDS[i])) {
            *ret = (LinkKind)i;
            return true;
        }
    }
    return false;
}

const char *link_kind_word(LinkKind kind)
{
    return KINDS[kind];
}

static const Element *element_find(LinkKind kind, Str code)
{
    for (size_t i = 0; i < ELEMENTS_N; i++) {
        if (ELEMENTS[i].kind == kind && str_is(code, ELEMENTS[i].code)) {
            return &ELEMENTS[i];
        }
    }
    return NULL;
}

/* ---- Reading a map -----------------------------------------------------------------------------
 */

/* Each member of "columns", "values", "defaults" is an element of the kind. */
static Status part_check(const LinkMap *m, const char *part, JsonType type, Err *err)
{
    JsonRef object = json_get_c(&m->doc, JSON_ROOT, part);
    for (JsonIter it = json_iter(&m->doc, object); json_next(&it);) {
        if (!element_find(m->kind, it.key) || json_type(&m->doc, it.value) != type) {
            return err_rule(err, ERR_INVALID, STR("map-element"), str_from_c(part),
                            "对照表 %s 中的“%.*s”不认识或类型不对（%s）",
                            "In the map's %s, '%.*s' is not known or of another type (%s)", part,
                            STR_ARG(it.key), KINDS[m->kind]);
        }
    }
    return OK;
}

Status link_map_read(Arena *a, LinkKind kind, Str json, LinkMap *ret, Err *err)
{
    static const char *const PARTS[] = {"columns", "values", "defaults"};
    static const JsonType TYPES[] = {JSON_ARRAY, JSON_OBJECT, JSON_STRING};
    LinkMap m = {.kind = kind};
    TRY(json_parse(a, json, &JSON_LIMITS_FHIR, &m.doc, err));
    for (JsonIter it = json_iter(&m.doc, JSON_ROOT); json_next(&it);) {
        if (!str_is(it.key, "columns") && !str_is(it.key, "values") &&
            !str_is(it.key, "defaults")) {
            return err_rule(err, ERR_INVALID, STR("map-member"), STR_NONE,
                            "对照表只有 columns、values、defaults，没有“%.*s”",
                            "A map has columns, values and defaults, no '%.*s'", STR_ARG(it.key));
        }
    }
    for (size_t i = 0; i < 3; i++) {
        TRY(part_check(&m, PARTS[i], TYPES[i], err));
    }
    for (int e = 0; e < LINK_ELEMENTS; e++) {
        m.column[e] = -1;
    }
    *ret = m;
    return OK;
}

/* ---- Finding the columns -----------------------------------------------------------------------
 */

/* Without blanks, the star that marks what must be filled, and what stands in brackets; lower case.
 */
static Str header_plain(Arena *a, Str header)
{
    static const char *const WIDE[] = {"　", "：", "＊"};
    char *out = arena_alloc_raw(a, header.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < header.n; i++) {
        Str rest = str_skip(header, i);
        unsigned char c = (unsigned char)header.p[i];
        if (c == '(' || str_starts(rest, STR("（"))) {
            break;
        }
        if (str_starts(rest, str_from_c(WIDE[0])) || str_starts(rest, str_from_c(WIDE[1])) ||
            str_starts(rest, str_from_c(WIDE[2]))) {
            i += strlen(WIDE[0]) - 1;
        } else if (c > ' ' && c != '*' && c != ':') {
            out[n++] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
        }
    }
    return (Str){out, n};
}

static bool header_names(const LinkMap *m, Arena *a, const char *code, Str header)
{
    JsonRef list = json_get_c(&m->doc, json_get_c(&m->doc, JSON_ROOT, "columns"), code);
    Str plain = header_plain(a, header);
    if (str_eq(plain, header_plain(a, str_from_c(code)))) {
        return true;
    }
    for (JsonIter it = json_iter(&m->doc, list); json_next(&it);) {
        if (plain.n && str_eq(header_plain(a, json_str(&m->doc, it.value)), plain)) {
            return true;
        }
    }
    return false;
}

static int element_of(const LinkMap *m, Arena *a, Str header)
{
    for (int e = 0; e < LINK_ELEMENTS; e++) {
        if (element_find(m->kind, str_from_c(CODES[e])) && header_names(m, a, CODES[e], header)) {
            return e;
        }
    }
    return -1;
}

static Str default_of(const LinkMap *m, const char *code)
{
    return json_str(&m->doc, json_get_c(&m->doc, json_get_c(&m->doc, JSON_ROOT, "defaults"), code));
}

static Status needed_check(const LinkMap *m, Err *err)
{
    for (int e = 0; e < LINK_ELEMENTS; e++) {
        const Element *known = element_find(m->kind, str_from_c(CODES[e]));
        if (known && known->needed && m->column[e] < 0 && !default_of(m, CODES[e]).n) {
            return err_rule(err, ERR_UNPROCESSABLE, STR("column-missing"), str_from_c(CODES[e]),
                            "表中没有“%s”%.0s列（%s），请在对照表 columns 中写上它的列名",
                            "%.0sThe table has no column for the %s (%s); name its header in the "
                            "map's columns",
                            known->zh, known->en, CODES[e]);
        }
    }
    return OK;
}

Status link_map_bind(LinkMap *m, Arena *a, const LinkRecord *header, Str *ret_unused,
                     size_t *ret_unused_n, Err *err)
{
    size_t unused = 0;
    for (size_t i = 0; i < header->n; i++) {
        int e = element_of(m, a, header->field[i]);
        if (e < 0) {
            ret_unused[unused++] = header->field[i];
            continue;
        }
        if (m->column[e] >= 0) {
            return err_rule(err, ERR_UNPROCESSABLE, STR("column-twice"), str_from_c(CODES[e]),
                            "两列都是 %s，第二列是“%.*s”",
                            "Two columns mean %s; the second is '%.*s'", CODES[e],
                            STR_ARG(header->field[i]));
        }
        m->column[e] = (int)i;
    }
    *ret_unused_n = unused;
    return needed_check(m, err);
}

size_t link_map_columns(const LinkMap *m, LinkColumn ret[LINK_ELEMENTS])
{
    size_t n = 0;
    for (size_t i = 0; i < ELEMENTS_N; i++) {
        const Element *x = &ELEMENTS[i];
        for (int e = 0; x->kind == m->kind && e < LINK_ELEMENTS; e++) {
            if (strcmp(CODES[e], x->code) == 0) {
                ret[n++] = (LinkColumn){x->code, x->zh, x->en, x->needed, m->column[e]};
            }
        }
    }
    return n;
}

/* ---- Cells -------------------------------------------------------------------------------------
 */

/* Also of the blank that is as wide as a character. */
static Str trimmed(Str s)
{
    for (Str before = STR_NONE; s.n != before.n;) {
        before = s = str_trim(s);
        s = str_starts(s, STR("　")) ? str_skip(s, 3) : s;
        s = str_ends(s, STR("　")) ? str_take(s, s.n - 3) : s;
    }
    return s;
}

Status link_map_cell(const LinkMap *m, const LinkRecord *r, LinkElement e, Str *ret, Err *err)
{
    int column = m->column[e];
    Str cell = column >= 0 && (size_t)column < r->n ? trimmed(r->field[column]) : STR_NONE;
    if (!cell.n) {
        *ret = default_of(m, CODES[e]);
        return OK;
    }
    JsonRef values = json_get_c(&m->doc, json_get_c(&m->doc, JSON_ROOT, "values"), CODES[e]);
    if (values == JSON_NONE) {
        *ret = cell;
        return OK;
    }
    JsonRef meaning = json_get(&m->doc, values, cell);
    if (meaning == JSON_NONE) {
        const Element *known = element_find(m->kind, str_from_c(CODES[e]));
        return err_rule(err, ERR_UNPROCESSABLE, STR("value-unknown"), str_from_c(CODES[e]),
                        "%s%.0s“%.*s”不在对照表 values 中",
                        "%.0s%s '%.*s' is not among the map's values", known->zh, known->en,
                        STR_ARG(cell));
    }
    *ret = json_str(&m->doc, meaning);
    return OK;
}
