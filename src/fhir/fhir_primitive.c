/* The formats of R4's primitives, by hand: a regular expression engine would cost more than the
 * walk. */
#include "fhir_validate.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool fhir_id_ok(Str id)
{
    bool ok = id.n >= 1 && id.n <= 64;
    for (size_t i = 0; i < id.n && ok; i++) {
        ok = is_alnum(id.p[i]) || id.p[i] == '-' || id.p[i] == '.';
    }
    return ok;
}

static bool no_space(Str s)
{
    bool ok = s.n > 0;
    for (size_t i = 0; i < s.n && ok; i++) {
        ok = !is_space(s.p[i]);
    }
    return ok;
}

/* No white space at the ends and only single blanks inside. */
static bool code_ok(Str s)
{
    bool ok = s.n > 0 && !is_space(s.p[0]) && !is_space(s.p[s.n - 1]);
    for (size_t i = 1; i < s.n && ok; i++) {
        ok = !is_space(s.p[i]) || !is_space(s.p[i - 1]);
    }
    return ok;
}

/* urn:oid:1.2.3; no part but a lone 0 begins with 0. */
static bool oid_ok(Str s)
{
    Str prefix = STR("urn:oid:"), part, rest;
    if (!str_starts(s, prefix)) {
        return false;
    }
    rest = str_skip(s, prefix.n);
    unsigned n = 0;
    bool more = true, ok = true;
    while (more && ok) {
        more = str_cut(rest, '.', &part, &rest);
        ok = part.n > 0 && (part.n == 1 || part.p[0] != '0');
        ok = ok && (n > 0 || (part.n == 1 && part.p[0] <= '2'));
        for (size_t i = 0; i < part.n && ok; i++) {
            ok = is_digit(part.p[i]);
        }
        n++;
    }
    return ok && n > 1;
}

static bool uuid_ok(Str s)
{
    Str prefix = STR("urn:uuid:");
    if (!str_starts(s, prefix) || s.n != prefix.n + 36) {
        return false;
    }
    const char *p = s.p + prefix.n;
    bool ok = true;
    for (int i = 0; i < 36 && ok; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        ok = dash ? p[i] == '-'
                  : is_digit(p[i]) || (p[i] >= 'a' && p[i] <= 'f') || (p[i] >= 'A' && p[i] <= 'F');
    }
    return ok;
}

/* Groups of four, padding only at the end; white space may stand anywhere. */
static bool base64_ok(Str s)
{
    size_t n = 0, pad = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (is_space(c)) {
            continue;
        }
        bool digit = is_alnum(c) || c == '+' || c == '/';
        if (c != '=' && (!digit || pad > 0)) {
            return false;
        }
        pad += c == '=';
        n++;
    }
    return n > 0 && n % 4 == 0 && pad <= 2;
}

static bool two_digits(Str s, size_t at, int max)
{
    return s.n >= at + 2 && is_digit(s.p[at]) && is_digit(s.p[at + 1]) &&
           (s.p[at] - '0') * 10 + s.p[at + 1] - '0' <= max;
}

static bool time_ok(Str s)
{
    bool ok = two_digits(s, 0, 23) && two_digits(s, 3, 59) && two_digits(s, 6, 60) &&
              s.p[2] == ':' && s.p[5] == ':' && (s.n == 8 || (s.n > 9 && s.p[8] == '.'));
    for (size_t i = 9; i < s.n && ok; i++) {
        ok = is_digit(s.p[i]);
    }
    return ok;
}

static bool date_ok(Str s, FhirPrim prim)
{
    DateTime t;
    if (!datetime_parse(s, &t)) {
        return false;
    }
    return prim == FHIR_PRIM_DATETIME || (prim == FHIR_PRIM_DATE) == (t.precision <= DATE_DAY);
}

/* A whole number without fraction, exponent or leading zeros, at least min. */
static bool integer_ok(Str s, int64_t min)
{
    int64_t v;
    bool plain = s.n > 0 && s.p[0] != '+' && !(s.n > 1 && s.p[0] == '0') &&
                 !(s.n > 2 && s.p[0] == '-' && s.p[1] == '0');
    return plain && str_to_i64(s, &v) && v >= min && v <= INT32_MAX;
}

static bool decimal_ok(Str s)
{
    size_t i = s.n > 0 && s.p[0] == '-', digits = i;
    while (i < s.n && is_digit(s.p[i])) {
        i++;
    }
    bool ok = i > digits && (i == digits + 1 || s.p[digits] != '0');
    if (ok && i < s.n && s.p[i] == '.') {
        for (digits = ++i; i < s.n && is_digit(s.p[i]);) {
            i++;
        }
        ok = i > digits;
    }
    if (ok && i < s.n && (s.p[i] | 32) == 'e') {
        i++;
        i += i < s.n && (s.p[i] == '+' || s.p[i] == '-');
        for (digits = i; i < s.n && is_digit(s.p[i]);) {
            i++;
        }
        ok = i > digits;
    }
    return ok && i == s.n;
}

bool fhir_primitive_ok(FhirPrim prim, Str text)
{
    switch (prim) {
    case FHIR_PRIM_BASE64BINARY:
        return base64_ok(text);
    case FHIR_PRIM_BOOLEAN:
        return str_is(text, "true") || str_is(text, "false");
    case FHIR_PRIM_CANONICAL:
    case FHIR_PRIM_URI:
    case FHIR_PRIM_URL:
        return no_space(text);
    case FHIR_PRIM_CODE:
        return code_ok(text);
    case FHIR_PRIM_DATE:
    case FHIR_PRIM_DATETIME:
    case FHIR_PRIM_INSTANT:
        return date_ok(text, prim);
    case FHIR_PRIM_DECIMAL:
        return decimal_ok(text);
    case FHIR_PRIM_ID:
        return fhir_id_ok(text);
    case FHIR_PRIM_INTEGER:
        return integer_ok(text, INT32_MIN);
    case FHIR_PRIM_POSITIVEINT:
        return integer_ok(text, 1);
    case FHIR_PRIM_UNSIGNEDINT:
        return integer_ok(text, 0);
    case FHIR_PRIM_OID:
        return oid_ok(text);
    case FHIR_PRIM_UUID:
        return uuid_ok(text);
    case FHIR_PRIM_TIME:
        return time_ok(text);
    case FHIR_PRIM_MARKDOWN:
    case FHIR_PRIM_STRING:
    case FHIR_PRIM_XHTML:
        return text.n > 0;
    case FHIR_PRIM_NONE:
        break;
    }
    return false;
}
