/* The values of a clause: escapes, alternatives, prefixes, partial dates, precision of numbers. */
#include <math.h>
#include <stdlib.h>

#include "fhir_extract.h"
#include "fhir_unit.h"
#include "store_query.h"

#include "mk_banned.h"

#define UCUM         "http://unitsofmeasure.org"
#define FRACTION_MAX 9 /* digits of a second: what is finer is a mistake */

static Status bad(Err *err, Str name, const char *zh, const char *en)
{
    Arena *a = err ? err->arena : NULL;
    if (!a) {
        return ERR_INVALID;
    }
    return err_text(err, ERR_INVALID, NULL, name,
                    arena_cat(a, STR("检索参数 "), name, STR(" "), str_from_c(zh)),
                    arena_cat(a, STR("Search parameter "), name, STR(": "), str_from_c(en)));
}

/* Finds `c` outside of escapes. */
static size_t find_bare(Str s, char c)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\\') {
            i++;
        } else if (s.p[i] == c) {
            return i;
        }
    }
    return s.n;
}

static bool cut_bare(Str s, char c, Str *head, Str *tail)
{
    size_t at = find_bare(s, c);
    *head = str_take(s, at);
    *tail = at < s.n ? (Str){s.p + at + 1, s.n - at - 1} : STR_NONE;
    return at < s.n;
}

/* \, \| \$ \\ stand for the character itself; a backslash before anything else is malformed. */
static bool unescape(Arena *a, Str s, Str *ret)
{
    char *out = arena_alloc(a, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\\') {
            if (i + 1 == s.n || !strchr(",|$\\", s.p[i + 1])) {
                return false;
            }
            i++;
        }
        out[n++] = s.p[i];
    }
    *ret = (Str){out, n};
    return true;
}

static Str prefix_take(Str s, Prefix *ret)
{
    static const char codes[][3] = {"eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"};
    for (unsigned i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (str_starts(s, str_from_c(codes[i]))) {
            *ret = (Prefix)i;
            return str_skip(s, 2);
        }
    }
    *ret = PREFIX_EQ;
    return s;
}

/* ---- Kinds -------------------------------------------------------------------------------- */

static bool folded_parse(Arena *a, Str s, QueryValue *v)
{
    if (!unescape(a, s, &v->code)) {
        return false;
    }
    v->text = fhir_fold(a, v->code);
    return !str_empty(v->text);
}

/* "liu guizhi", "xi'an": a name's syllables as people part them; the keys have them together. */
static bool pinyin_parse(Arena *a, Str s, QueryValue *v)
{
    if (!folded_parse(a, s, v)) {
        return false;
    }
    char *text = arena_cstr(a, v->text);
    size_t n = 0;
    for (size_t i = 0; i < v->text.n; i++) {
        if (text[i] != ' ' && text[i] != '\'') {
            text[n++] = text[i];
        }
    }
    v->text = (Str){text, n};
    return n > 0;
}

/* system|code|value of an identifier of that type. */
static bool typed_parse(Arena *a, Str s, QueryValue *v)
{
    Str system, code, value;
    return cut_bare(s, '|', &system, &value) && cut_bare(value, '|', &code, &value) &&
           unescape(a, system, &v->system) && unescape(a, code, &v->type_code) &&
           unescape(a, value, &v->code) && !str_empty(v->type_code) && !str_empty(v->code);
}

static bool token_parse(Arena *a, Modifier modifier, Str s, QueryValue *v)
{
    Str head, tail;
    if (modifier == MODIFIER_TEXT) {
        return folded_parse(a, s, v);
    }
    if (modifier == MODIFIER_OF_TYPE) {
        return typed_parse(a, s, v);
    }
    if (modifier == MODIFIER_IN || modifier == MODIFIER_NOT_IN) {
        return unescape(a, s, &v->text) && !str_empty(v->text);
    }
    v->has_system = cut_bare(s, '|', &head, &tail);
    if (!v->has_system) {
        return unescape(a, s, &v->code) && !str_empty(v->code);
    }
    return unescape(a, head, &v->system) && unescape(a, tail, &v->code) &&
           !(str_empty(v->system) && str_empty(v->code));
}

/* R4's system of booleans, which no resource writes and no row has. */
#define TRUTH_SYSTEM "http://terminology.hl7.org/CodeSystem/special-values"

/* Of a parameter whose values are true and false: any other code could find nothing. */
static bool truth_check(const Clause *c, QueryValue *v)
{
    if (c->modifier != MODIFIER_NONE && c->modifier != MODIFIER_NOT) {
        return true;
    }
    if (v->has_system && str_is(v->system, TRUTH_SYSTEM)) {
        v->has_system = false;
        v->system = STR_NONE;
    }
    return str_empty(v->system) && (str_is(v->code, "true") || str_is(v->code, "false"));
}

/* A search literal may stop after minutes, which a FHIR dateTime may not. */
static bool date_read(Arena *a, Str s, DateTime *d)
{
    if (datetime_parse(s, d)) {
        return true;
    }
    ptrdiff_t t = str_find_char(s, 'T');
    if (t < 0) {
        return false;
    }
    Str time = str_skip(s, (size_t)t + 1);
    size_t n = time.n > 5 ? 5 : time.n;
    Str zone = str_skip(time, n);
    if (n == 5 && (str_empty(zone) || strchr("Z+-", zone.p[0]))) {
        Str whole =
            arena_cat(a, str_take(s, (size_t)t + 6), STR(":00"), str_empty(zone) ? STR("Z") : zone);
        if (!datetime_parse(whole, d)) {
            return false;
        }
        d->precision = DATE_MINUTE;
        d->has_zone = !str_empty(zone);
        return true;
    }
    /* seconds without a zone */
    if (str_find_char(time, '+') < 0 && str_find_char(time, '-') < 0 && !str_ends(time, STR("Z")) &&
        datetime_parse(arena_cat(a, s, STR("Z")), d)) {
        d->has_zone = false;
        return true;
    }
    return false;
}

static bool date_parse(Arena *a, Str s, int zone_min, QueryValue *v)
{
    DateTime d;
    Str rest = prefix_take(s, &v->prefix);
    ptrdiff_t point = str_find_char(rest, '.');
    if (point >= 0 && strspn(arena_cstr(a, rest) + point + 1, "0123456789") > FRACTION_MAX) {
        return false;
    }
    /* '+' of a zone that was not percent-encoded arrives as a blank */
    char *text = arena_cstr(a, rest);
    for (size_t i = 0; i < rest.n; i++) {
        text[i] = text[i] == ' ' ? '+' : text[i];
    }
    if (!date_read(a, (Str){text, rest.n}, &d)) {
        return false;
    }
    datetime_range(&d, zone_min, &v->lo, &v->hi);
    return true;
}

/* A number and half a unit of its last digit more or less, rounded once: 0.8 and 0.05 are the
 * double that 0.85 in a resource is. `digits` is the number without sign, point and exponent. */
static double number_edge(Str digits, bool negative, bool up, long power)
{
    char text[96];
    long long n = 0;
    for (size_t i = 0; i < digits.n; i++) {
        n = n * 10 + (digits.p[i] - '0');
    }
    n = (negative ? -n : n) * 10 + (up ? 5 : -5);
    snprintf(text, sizeof text, "%llde%ld", n, power - 1);
    return strtod(text, NULL);
}

/*
 * What is implied by the digits that are given (R4): 100 means 99.5 … 100.5, 1.00 means 0.995 …
 * 1.005, 1e2 means 50 … 150. Without the upper end.
 */
static void number_range(Arena *a, Str text, QueryValue *v)
{
    char *digits = arena_cstr(a, text);
    size_t n = 0;
    long power = 0, places = 0;
    bool point = false;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == 'e' || c == 'E') {
            power = strtol(digits + i + 1, NULL, 10);
            power = power < -9999 ? -9999 : power > 9999 ? 9999 : power;
            break;
        }
        point = point || c == '.';
        if (c >= '0' && c <= '9') {
            digits[n++] = c;
            places += point;
        }
    }
    bool exact = n <= 17;
    double half = 0.5 * pow(10, (double)(power - places));
    v->from = exact ? number_edge((Str){digits, n}, text.p[0] == '-', false, power - places)
                    : v->number - half;
    v->to = exact ? number_edge((Str){digits, n}, text.p[0] == '-', true, power - places)
                  : v->number + half;
}

static bool number_parse(Arena *a, Str s, QueryValue *v)
{
    Str rest = prefix_take(s, &v->prefix);
    char *text = arena_cstr(a, rest), *end;
    if (rest.n == 0 || rest.n > 60 || strspn(text, "0123456789+-.eE") != rest.n) {
        return false;
    }
    v->number = strtod(text, &end);
    if (*end || !isfinite(v->number)) {
        return false;
    }
    number_range(a, rest, v);
    if (v->prefix == PREFIX_AP) {
        double tenth = fabs(v->number) * 0.1;
        v->from = fmin(v->from, v->number - tenth);
        v->to = fmax(v->to, v->number + tenth);
    }
    return true;
}

static bool quantity_parse(Arena *a, Str s, QueryValue *v)
{
    Str number, rest, system = STR_NONE, code = STR_NONE;
    v->has_system = cut_bare(s, '|', &number, &rest);
    if (v->has_system) {
        cut_bare(rest, '|', &system, &code);
    }
    if (!number_parse(a, number, v) || !unescape(a, system, &v->system) ||
        !unescape(a, code, &v->code)) {
        return false;
    }
    FhirUnit unit;
    v->convertible = !str_empty(v->code) && (str_empty(v->system) || str_is(v->system, UCUM)) &&
                     fhir_unit_parse(v->code, &unit) && fhir_unit_is_linear(&unit);
    if (v->convertible) {
        v->factor = unit.factor;
        v->offset = unit.offset;
        v->base = fhir_unit_base_text(a, &unit);
    }
    return true;
}

static bool reference_parse(Arena *a, Str s, QueryValue *v)
{
    Str text, type, id;
    if (!unescape(a, s, &text) || str_empty(text)) {
        return false;
    }
    v->text = text;
    if (str_cut(text, '/', &type, &id) && fhir_resource_find(type)) {
        Str version;
        str_cut(id, '/', &v->code, &version);
        v->type = fhir_resource_find(type);
        return !str_empty(v->code) && (str_empty(version) || str_starts(version, STR("_history/")));
    }
    if (str_find_char(text, '/') < 0 && str_find_char(text, ':') < 0) {
        v->code = text;
    }
    return true;
}

static bool degrees_parse(Arena *a, Str s, double limit, double *ret)
{
    char *text = arena_cstr(a, s), *end;
    *ret = strtod(text, &end);
    return s.n > 0 && s.n < 40 && strspn(text, "0123456789+-.eE") == s.n && !*end &&
           fabs(*ret) <= limit;
}

/* latitude|longitude[|distance[|unit]]: within 50 km where no distance is given. */
static bool near_parse(Arena *a, Str s, QueryValue *v)
{
    static const struct {
        const char *unit;
        double metres;
    } units[] = {
        {"", 1000}, {"km", 1000}, {"m", 1}, {"[mi_us]", 1609.347219}, {"[mi_i]", 1609.344}};
    Str lat, lon, far, unit;
    double distance = 50;
    str_cut(s, '|', &lat, &lon);
    str_cut(lon, '|', &lon, &far);
    str_cut(far, '|', &far, &unit);
    if (!degrees_parse(a, lat, 90, &v->latitude) || !degrees_parse(a, lon, 180, &v->longitude) ||
        (far.n && !degrees_parse(a, far, 1e8, &distance)) || distance < 0) {
        return false;
    }
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (str_is(unit, units[i].unit)) {
            v->metres = distance * units[i].metres;
            return true;
        }
    }
    return false;
}

static bool value_parse(Arena *a, Clause *c, Str s, int zone_min, QueryValue *v);

/* One value for each component, between dollars; the components' clauses collect them. */
static bool composite_parse(Arena *a, Clause *c, Str s, int zone_min, QueryValue *v)
{
    Str piece, rest = s;
    bool more = true;
    unsigned i = 0;
    v->part = arena_array(a, QueryValue, c->param->component_count);
    for (Clause *part = c->hint; part; part = part->next, i++) {
        if (!more) {
            return false;
        }
        more = cut_bare(rest, '$', &piece, &rest);
        if (!value_parse(a, part, piece, zone_min, &v->part[i])) {
            return false;
        }
        part->values[part->values_n++] = v->part[i];
    }
    return !more;
}

static bool value_parse(Arena *a, Clause *c, Str s, int zone_min, QueryValue *v)
{
    switch (c->kind) {
    case CLAUSE_TOKEN:
        return token_parse(a, c->modifier, s, v) &&
               (!fhir_param_is_truth(c->param) || truth_check(c, v));
    case CLAUSE_REF:
        return c->modifier == MODIFIER_IDENTIFIER ? token_parse(a, MODIFIER_NONE, s, v)
                                                  : reference_parse(a, s, v);
    case CLAUSE_COMPOSITE:
        return composite_parse(a, c, s, zone_min, v);
    case CLAUSE_NEAR:
        return near_parse(a, s, v);
    case CLAUSE_DATE:
    case CLAUSE_UPDATED:
        return date_parse(a, s, zone_min, v);
    case CLAUSE_NUMBER:
        return number_parse(a, s, v);
    case CLAUSE_QUANTITY:
        return quantity_parse(a, s, v);
    case CLAUSE_STRING:
        return c->param->flags & FHIR_PARAM_PINYIN ? pinyin_parse(a, s, v) : folded_parse(a, s, v);
    case CLAUSE_CONTENT:
        return folded_parse(a, s, v);
    case CLAUSE_URI:
    case CLAUSE_ID:
        return unescape(a, s, &v->text) && !str_empty(v->text);
    case CLAUSE_TYPE:
    case CLAUSE_CHAIN:
    case CLAUSE_HAS:
        break;
    }
    return false;
}

/* How a value of this kind is written. */
static Status value_malformed(const Clause *c, Str name, Err *err)
{
    static const struct {
        ClauseKind kind;
        const char *zh, *en;
    } shapes[] = {
        {CLAUSE_DATE,
         "的值格式有误：应为日期或时间，前面可加 eq ne gt lt ge le sa eb ap，如 ge2026-11-22",
         "its value is malformed: a date or time, after eq ne gt lt ge le sa eb ap if need be, "
         "like ge2026-11-22"},
        {CLAUSE_UPDATED,
         "的值格式有误：应为日期或时间，前面可加 eq ne gt lt ge le sa eb ap，如 ge2026-11-22",
         "its value is malformed: a date or time, after eq ne gt lt ge le sa eb ap if need be, "
         "like ge2026-11-22"},
        {CLAUSE_NUMBER, "的值格式有误：应为数字，前面可加 eq ne gt lt ge le sa eb ap，如 gt5.4",
         "its value is malformed: a number, after eq ne gt lt ge le sa eb ap if need be, like "
         "gt5.4"},
        {CLAUSE_QUANTITY, "的值格式有误：应为 数字、数字|系统|代码 或 数字||单位，如 gt5.4||mmol/L",
         "its value is malformed: NUMBER, NUMBER|SYSTEM|CODE or NUMBER||UNIT, like gt5.4||mmol/L"},
        {CLAUSE_TOKEN, "的值格式有误：应为 代码、系统|代码、|代码 或 系统|",
         "its value is malformed: CODE, SYSTEM|CODE, |CODE or SYSTEM|"},
        {CLAUSE_REF, "的值格式有误：应为 类型/id、id 或网址",
         "its value is malformed: TYPE/ID, ID or a URL"},
        {CLAUSE_COMPOSITE, "的值格式有误：应为各部分的值，以 $ 相连",
         "its value is malformed: the values of its parts with $ between them"},
        {CLAUSE_NEAR, "的值格式有误：应为 纬度|经度|距离|单位，如 31.2|121.5|10|km",
         "its value is malformed: LATITUDE|LONGITUDE|DISTANCE|UNIT, like 31.2|121.5|10|km"},
    };
    if (c->kind == CLAUSE_TOKEN && fhir_param_is_truth(c->param)) {
        return bad(err, name, "的值应为 true 或 false", "its value is true or false");
    }
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        if (shapes[i].kind == c->kind) {
            return bad(err, name, shapes[i].zh, shapes[i].en);
        }
    }
    return bad(err, name, "的值格式有误", "its value is malformed");
}

Status query_values_parse(Arena *a, Clause *c, Str name, Str text, int zone_min, Err *err)
{
    if (str_empty(text)) {
        return bad(err, name, "没有值", "it has no value");
    }
    size_t room = 1;
    for (size_t i = 0; i < text.n; i++) {
        room += text.p[i] == ',';
    }
    c->values = arena_array(a, QueryValue, room);
    for (Clause *part = c->hint; part; part = part->next) {
        part->values = arena_array(a, QueryValue, room);
    }
    for (Str one, rest = text; c->values_n == 0 || !str_empty(rest);) {
        cut_bare(rest, ',', &one, &rest);
        if (c->values_n == QUERY_VALUES_MAX) {
            return bad(err, name, "的可选值过多", "has too many alternatives");
        }
        if (!value_parse(a, c, one, zone_min, &c->values[c->values_n++])) {
            return value_malformed(c, name, err);
        }
    }
    return OK;
}

/* ---- Comparing --------------------------------------------------------------------------------
 */

static bool date_within(const QueryValue *v, int64_t lo, int64_t hi)
{
    return v->lo <= lo && hi <= v->hi;
}

static bool date_about(const QueryValue *v, int64_t lo, int64_t hi, int64_t now_ms)
{
    int64_t gap = now_ms > v->lo ? now_ms - v->lo : v->lo - now_ms;
    int64_t slack = gap / 10;
    return lo < v->hi + slack && hi > v->lo - slack;
}

bool query_date_matches(const QueryValue *v, int64_t lo, int64_t hi, int64_t now_ms)
{
    switch (v->prefix) {
    case PREFIX_EQ:
        return date_within(v, lo, hi);
    case PREFIX_NE:
        return !date_within(v, lo, hi);
    case PREFIX_GT:
        return hi > v->hi;
    case PREFIX_LT:
        return lo < v->lo;
    case PREFIX_GE:
        return hi > v->hi || date_within(v, lo, hi);
    case PREFIX_LE:
        return lo < v->lo || date_within(v, lo, hi);
    case PREFIX_SA:
        return lo >= v->hi;
    case PREFIX_EB:
        return hi <= v->lo;
    case PREFIX_AP:
        return date_about(v, lo, hi, now_ms);
    }
    return false;
}

QueryValue query_value_in_base(const QueryValue *v)
{
    QueryValue b = *v;
    b.number = v->number * v->factor + v->offset;
    b.from = v->from * v->factor + v->offset;
    b.to = v->to * v->factor + v->offset;
    return b;
}

bool query_number_matches(const QueryValue *v, double lo, double hi)
{
    switch (v->prefix) {
    case PREFIX_EQ:
        return v->from <= lo && hi < v->to;
    case PREFIX_NE:
        return !(v->from <= lo && hi < v->to);
    case PREFIX_GT:
        return hi > v->number;
    case PREFIX_LT:
        return lo < v->number;
    case PREFIX_GE:
        return hi >= v->number;
    case PREFIX_LE:
        return lo <= v->number;
    case PREFIX_SA:
        return lo > v->number;
    case PREFIX_EB:
        return hi < v->number;
    case PREFIX_AP:
        return lo <= v->to && hi >= v->from;
    }
    return false;
}
