/* Pure functions of text: percent encoding, Accept, entity tags, dates, cookies. */
#include "http.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool http_decode(Arena *a, Str s, bool form, Str *ret)
{
    char *out = arena_alloc(a, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '%') {
            int hi = i + 2 < s.n ? hex_digit(s.p[i + 1]) : -1;
            int lo = hi >= 0 ? hex_digit(s.p[i + 2]) : -1;
            if (lo < 0) {
                return false;
            }
            c = (char)(hi << 4 | lo);
            i += 2;
        } else if (c == '+' && form) {
            c = ' ';
        }
        out[n++] = c;
    }
    *ret = (Str){out, n};
    return true;
}

bool http_next_pair(Str *rest, Str *ret_name, Str *ret_value)
{
    while (rest->n > 0) {
        Str pair, tail;
        str_cut(*rest, '&', &pair, &tail);
        *rest = tail;
        if (pair.n > 0) {
            str_cut(pair, '=', ret_name, ret_value);
            return true;
        }
    }
    return false;
}

/* "0.8" → 800; anything odd counts as 1. */
static int quality_parse(Str s)
{
    if (s.n == 0 || s.p[0] != '0') {
        return 1000;
    }
    int q = 0, unit = 100;
    for (size_t i = 2; i < s.n && unit > 0; i++, unit /= 10) {
        if (s.p[i] < '0' || s.p[i] > '9') {
            return 1000;
        }
        q += (s.p[i] - '0') * unit;
    }
    return q;
}

/* 3: the very type, 2: type/..., 1: anything, 0: another. */
static int range_fits(Str range, Str media)
{
    if (str_eq_nocase(range, media)) {
        return 3;
    }
    if (str_is(range, "*/*") || str_is(range, "*")) {
        return 1;
    }
    ptrdiff_t slash = str_find_char(media, '/');
    return slash > 0 && range.n == (size_t)slash + 2 && range.p[range.n - 1] == '*' &&
                   str_eq_nocase(str_take(range, (size_t)slash + 1),
                                 str_take(media, (size_t)slash + 1))
               ? 2
               : 0;
}

static int range_quality(Str parameters)
{
    while (parameters.n > 0) {
        Str one, tail;
        str_cut(parameters, ';', &one, &tail);
        parameters = tail;
        one = str_trim(one);
        if (one.n > 2 && (one.p[0] | 0x20) == 'q' && one.p[1] == '=') {
            return quality_parse(str_skip(one, 2));
        }
    }
    return 1000;
}

/* *ret_fit: how closely the range that decided names it. */
static int accept_quality(Str accept, Str media, int *ret_fit)
{
    int best_fit = 0, quality = 0;
    while (accept.n > 0) {
        Str one, tail, range, parameters;
        str_cut(accept, ',', &one, &tail);
        accept = tail;
        str_cut(one, ';', &range, &parameters);
        int fit = range_fits(str_trim(range), media);
        if (fit > best_fit) {
            best_fit = fit;
            quality = range_quality(parameters);
        }
    }
    *ret_fit = best_fit;
    return quality;
}

int http_accept_quality(Str accept, Str media)
{
    int fit;
    return str_empty(str_trim(accept)) ? 1000 : accept_quality(accept, media, &fit);
}

int http_accept_best(Str accept, const char *const *media, size_t n)
{
    Str first = str_from_c(media[0]);
    int best = -1, best_score = 0;
    bool begins = str_starts(accept, first) && (accept.n == first.n || accept.p[first.n] == ',');
    if (begins || str_is(accept, "*/*") || str_empty(str_trim(accept))) {
        return 0; /* nothing is wanted more */
    }
    for (size_t i = 0; i < n; i++) {
        int fit, quality = accept_quality(accept, str_from_c(media[i]), &fit);
        int score = quality > 0 ? quality * 4 + fit : 0;
        if (score > best_score) {
            best_score = score;
            best = (int)i;
        }
    }
    return best;
}

Str http_etag_value(Str etag)
{
    etag = str_trim(etag);
    if (str_starts(etag, STR("W/"))) {
        etag = str_skip(etag, 2);
    }
    if (etag.n < 2 || etag.p[0] != '"' || etag.p[etag.n - 1] != '"') {
        return STR_NONE;
    }
    return (Str){etag.p + 1, etag.n - 2};
}

bool http_etag_listed(Str list, Str etag)
{
    Str value = http_etag_value(etag);
    while (list.n > 0) {
        Str one, tail;
        str_cut(list, ',', &one, &tail);
        list = tail;
        one = str_trim(one);
        if (str_is(one, "*") || (value.p && str_eq(http_etag_value(one), value))) {
            return true;
        }
    }
    return false;
}

static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/* `n` digits at `at`; -1 where there is another character. */
static int digits(Str s, size_t at, size_t n)
{
    int value = 0;
    for (size_t i = at; i < at + n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') {
            return -1;
        }
        value = value * 10 + s.p[i] - '0';
    }
    return value;
}

bool http_date_parse(Str s, int64_t *ret_ms)
{
    static const char form[] = "xxx, 00 xxx 0000 00:00:00 GMT";
    s = str_trim(s);
    if (s.n != sizeof form - 1 || !str_ends(s, STR(" GMT")) || s.p[3] != ',' || s.p[19] != ':' ||
        s.p[22] != ':') {
        return false;
    }
    int month = 0;
    while (month < 12 && memcmp(s.p + 8, months[month], 3) != 0) {
        month++;
    }
    int day = digits(s, 5, 2), year = digits(s, 12, 4), hour = digits(s, 17, 2);
    int minute = digits(s, 20, 2), second = digits(s, 23, 2);
    if (month == 12 || day < 1 || day > 31 || year < 0 || hour < 0 || hour > 23 || minute < 0 ||
        minute > 59 || second < 0 || second > 60) {
        return false;
    }
    int64_t days = days_from_civil(year, month + 1, day);
    *ret_ms = ((days * 24 + hour) * 60 + minute) * 60000 + second * 1000;
    return true;
}

static void digits_put(char *at, int n, int value)
{
    for (; n > 0; n--, value /= 10) {
        at[n - 1] = (char)('0' + value % 10);
    }
}

Str http_date(Arena *a, int64_t ms)
{
    static const char days[7][4] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
    int64_t s = ms / 1000 - (ms % 1000 < 0);
    int64_t day = s / 86400 - (s % 86400 < 0);
    int second = (int)(s - day * 86400), y, m, d;
    civil_from_days(day, &y, &m, &d);
    Str out = arena_str(a, STR("xxx, 00 xxx 0000 00:00:00 GMT"));
    char *p = (char *)out.p;
    memcpy(p, days[((day % 7) + 7) % 7], 3);
    digits_put(p + 5, 2, d);
    memcpy(p + 8, months[m - 1], 3);
    digits_put(p + 12, 4, y);
    digits_put(p + 17, 2, second / 3600);
    digits_put(p + 20, 2, second / 60 % 60);
    digits_put(p + 23, 2, second % 60);
    return out;
}

Str http_media(Arena *a, Str content_type)
{
    Str media, parameters;
    str_cut(content_type, ';', &media, &parameters);
    media = arena_str(a, str_trim(media));
    char *p = (char *)media.p;
    for (size_t i = 0; i < media.n; i++) {
        p[i] = (char)(p[i] >= 'A' && p[i] <= 'Z' ? p[i] | 0x20 : p[i]);
    }
    return media;
}

Str http_header(const HttpRequest *r, const char *name)
{
    Str wanted = str_from_c(name);
    for (size_t i = 0; i < r->header_n; i++) {
        if (str_eq_nocase(r->header[i].name, wanted)) {
            return r->header[i].value;
        }
    }
    return STR_NONE;
}

Str http_cookie(const HttpRequest *r, const char *name)
{
    Str rest = http_header(r, "Cookie"), wanted = str_from_c(name);
    while (rest.n > 0) {
        Str one, tail, key, value;
        str_cut(rest, ';', &one, &tail);
        rest = tail;
        if (str_cut(str_trim(one), '=', &key, &value) && str_eq(key, wanted)) {
            return value;
        }
    }
    return STR_NONE;
}

void http_set_header(HttpCall *call, const char *name, Str value)
{
    HttpResponse *r = &call->response;
    Str key = str_from_c(name);
    for (unsigned i = 0; i < r->header_n; i++) {
        if (str_eq_nocase(r->header[i].name, key)) {
            r->header[i].value = value;
            return;
        }
    }
    mk_check(r->header_n < HTTP_HEADERS_MAX);
    r->header[r->header_n++] = (HttpPair){key, value};
}
