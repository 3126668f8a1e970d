/* Searches: the page of the store as a Bundle, with its links. */
#include "api_audit.h"
#include "fhir_params.h"
#include "fhir_write.h"

#define PAGE_BYTES 2048 /* of a page, beside its hits */
#define HIT_BYTES  256  /* of a hit, beside its body */

/* A reference parameter, asked by what may be an address. */
static bool is_addressed(Str type, Str name, Str value)
{
    Str bare, modifier;
    if (str_find_char(value, ':') < 0 && str_find_char(value, '%') < 0) {
        return false;
    }
    str_cut(name, ':', &bare, &modifier);
    const FhirParam *p = str_empty(type) ? NULL : fhir_param_find(fhir_resource_find(type), bare);
    return p && p->kind == FHIR_PARAM_REFERENCE;
}

/*
 * What is asked for by the address that our answers give it (fullUrl) is stored as Type/id: that is
 * asked for, too. A page's link has both already.
 */
static void references_add(ApiCall *c, Buf *out, Str value)
{
    Str one, rest = value, text, own = STR_NONE;
    Str base = arena_cat(c->arena, api_base_url(c), STR("/fhir/"));
    for (bool more = true; more;) {
        Str before = own;
        more = str_cut(rest, ',', &one, &rest);
        own = one;
        if (http_decode(c->arena, one, true, &text) && str_starts(text, base) &&
            !str_eq(str_skip(text, base.n), before)) {
            buf_add(out, str_skip(text, base.n));
            buf_char(out, ',');
        }
        buf_add(out, one);
        if (more) {
            buf_char(out, ',');
        }
    }
}

/* The query without the cursor, which is ours; its value decoded. Type empty: across types. */
static Str query_split(ApiCall *c, Str type, Str query, Str *ret_cursor)
{
    Buf rest;
    buf_init(&rest, 0);
    Str name, value;
    *ret_cursor = STR_NONE;
    while (http_next_pair(&query, &name, &value)) {
        if (str_is(name, "_cursor")) {
            (void)http_decode(c->arena, value, true, ret_cursor);
            continue;
        }
        if (rest.n) {
            buf_char(&rest, '&');
        }
        buf_add(&rest, name);
        buf_char(&rest, '=');
        if (is_addressed(type, name, value)) {
            references_add(c, &rest, value);
        } else {
            buf_add(&rest, value);
        }
    }
    return buf_take(&rest, c->arena);
}

bool api_is_lenient(const ApiCall *c)
{
    return str_find(http_header(&c->http->request, "Prefer"), STR("handling=lenient")) >= 0;
}

void api_ignore(ApiCall *c, Str name)
{
    Str *more = arena_array(c->arena, Str, c->ignored_n + 1);
    for (size_t i = 0; i < c->ignored_n; i++) {
        more[i] = c->ignored[i];
        if (str_eq(more[i], name)) {
            return;
        }
    }
    more[c->ignored_n++] = name;
    c->ignored = more;
}

/* Names as they may stand in a header. */
void api_ignored_tell(ApiCall *c)
{
    Buf names;
    if (c->ignored_n == 0) {
        return;
    }
    buf_init(&names, 0);
    for (size_t i = 0; i < c->ignored_n && i < ERR_ISSUES_MAX; i++) {
        buf_c(&names, i ? ", " : "");
        buf_url(&names, c->ignored[i]);
    }
    http_set_header(c->http, "Preference-Applied", STR("handling=lenient"));
    http_set_header(c->http, "X-Menkou-Ignored", buf_take(&names, c->arena));
}

static void link_write(JsonWriter *w, Buf *url, const char *relation)
{
    json_open(w, '{');
    json_member_c(w, "relation", relation);
    json_member_str(w, "url", buf_str(url));
    json_close(w, '}');
}

static void links_write(ApiCall *c, JsonWriter *w, Str path, const StorePage *page, Str cursor)
{
    Buf url;
    buf_init(&url, 0);
    buf_add(&url,
            arena_cat(c->arena, api_base_url(c), STR("/fhir"), path.n ? STR("/") : STR_NONE, path));
    if (page->self.n) {
        buf_char(&url, '?');
        buf_add(&url, page->self);
    }
    size_t bare = url.n;
    const char *join = page->self.n ? "&_cursor=" : "?_cursor=";
    json_key_open(w, "link", '[');
    if (cursor.n) {
        buf_c(&url, join);
        buf_url(&url, cursor);
    }
    link_write(w, &url, "self");
    url.n = bare;
    if (page->next.n) {
        buf_c(&url, join);
        buf_url(&url, page->next);
        link_write(w, &url, "next");
    }
    json_close(w, ']');
    buf_done(&url);
}

/* _elements are those of the type searched; what is included comes whole. */
static Str hit_body(ApiCall *c, const StorePage *page, const StoreHit *h)
{
    bool match = h->mode == STORE_MATCH;
    ApiSubset subset = {page->summary, page->elements, match ? page->elements_n : 0};
    return api_subset_body(c, &subset, h->type, h->body);
}

static void hit_write(ApiCall *c, JsonWriter *w, Str base, const StorePage *page, const StoreHit *h)
{
    json_put_raw(w, STR("{\"fullUrl\":\"")); /* nothing in it needs an escape */
    buf_add(w->out, base);
    buf_add(w->out, h->type);
    buf_char(w->out, '/');
    buf_add(w->out, h->id);
    buf_add(w->out, STR("\",\"resource\":"));
    buf_add(w->out, hit_body(c, page, h));
    buf_add(w->out, STR(",\"search\":{\"mode\":"));
    buf_add(w->out, h->mode == STORE_MATCH ? STR("\"match\"}}") : STR("\"include\"}}"));
}

/* The parameters that were not understood, named (Prefer: handling=lenient). */
static void ignored_write(ApiCall *c, JsonWriter *w)
{
    Err note;
    err_init(&note, c->arena);
    for (size_t i = 0; i < c->ignored_n && i < ERR_ISSUES_MAX; i++) {
        Str name = c->ignored[i];
        err_warn(&note, "not-supported", name,
                 arena_cat(c->arena, STR("已忽略不认识的参数 "), name),
                 arena_cat(c->arena, STR("Not known, so ignored: "), name));
    }
    Buf out;
    buf_init(&out, 0);
    fhir_outcome_write(&out, &note, c->lang);
    json_open(w, '{');
    json_key(w, "resource");
    json_put_raw(w, buf_str(&out));
    json_key_open(w, "search", '{');
    json_member_c(w, "mode", "outcome");
    json_close(w, '}');
    json_close(w, '}');
    buf_done(&out);
}

static void entries_write(ApiCall *c, JsonWriter *w, const StorePage *page)
{
    if (page->hits_n == 0 && c->ignored_n == 0) {
        return;
    }
    Str base = arena_cat(c->arena, api_base_url(c), STR("/fhir/"));
    json_key_open(w, "entry", '[');
    for (size_t i = 0; i < page->hits_n; i++) {
        hit_write(c, w, base, page, &page->hits[i]);
    }
    if (c->ignored_n) {
        ignored_write(c, w);
    }
    json_close(w, ']');
}

/* Room for the whole page at once; what does not fit makes it grow. */
static size_t page_bytes(const StorePage *page)
{
    size_t n = PAGE_BYTES;
    for (size_t i = 0; i < page->hits_n; i++) {
        n += page->hits[i].body.n + HIT_BYTES;
    }
    return n;
}

Str api_page_write(ApiCall *c, Str path, const StorePage *page, Str cursor)
{
    Buf out;
    JsonWriter w = fhir_begin(&out, "Bundle", STR_NONE);
    buf_reserve(&out, page_bytes(page));
    json_member_c(&w, "type", "searchset");
    if (page->total >= 0) {
        json_member_i64(&w, "total", page->total);
    }
    links_write(c, &w, path, page, cursor);
    entries_write(c, &w, page);
    return json_end(&w, '}', c->arena);
}

void api_page_touch(ApiCall *c, const StorePage *page)
{
    for (size_t i = 0; i < page->hits_n; i++) {
        const StoreHit *h = &page->hits[i];
        for (size_t k = 0; k < h->patients_n; k++) {
            api_touch(c, h->patients[k]);
        }
    }
}

/* ---- _explain ----------------------------------------------------------------------------------
 */

/* Counters tell of everybody's records. */
static Status explain_may(const ApiCall *c, Err *err)
{
    bool may = c->caller->integrator || str_is(c->caller->post.role, "system-administrator");
    return may ? OK
               : err_add(err, ERR_FORBIDDEN, NULL, STR("_explain"),
                         "只有系统管理员可以查看检索计划",
                         "Only the system administrator may see the plan of a search");
}

static void number_write(JsonWriter *w, const char *name, int64_t value)
{
    json_open(w, '{');
    json_member_c(w, "name", name);
    json_member_i64(w, "valueInteger", value);
    json_close(w, '}');
}

/* How it was run, what was expected and what was looked at; without what it found. */
static Str explain_write(ApiCall *c, const StorePage *page)
{
    Buf out;
    JsonWriter w = fhir_begin(&out, "Parameters", STR_NONE);
    json_key_open(&w, "parameter", '[');
    fhir_part_put(&w, "query", "valueString", page->self);
    for (Str line, rest = page->plan; !str_empty(rest);) {
        str_cut(rest, '\n', &line, &rest);
        fhir_part_put(&w, "plan", "valueString", line);
    }
    number_write(&w, "rows", page->rows);
    number_write(&w, "bodies", page->bodies);
    number_write(&w, "microseconds", page->us);
    number_write(&w, "hits", (int64_t)page->hits_n);
    json_close(&w, ']');
    return json_end(&w, '}', c->arena);
}

/* ---- Answers ------------------------------------------------------------------------------------
 */

static Status query_answer(ApiCall *c, Str path, StoreQuery *q, Str cursor, ApiResult *ret,
                           Err *err)
{
    StorePage page;
    bool explain = store_query_explains(q);
    if (explain) {
        TRY(explain_may(c, err));
    }
    if (c->http->brief && (explain || !store_query_brief(q))) {
        c->http->later = true;
        return OK;
    }
    Status status = store_search(c->reader, c->arena, q, &c->caller->view, cursor, &page, err);
    c->http->later = c->http->brief && status == ERR_TOO_MANY;
    TRY(status);
    api_page_touch(c, &page);
    for (size_t i = 0; i < page.ignored_n; i++) {
        api_ignore(c, page.ignored[i]);
    }
    *ret = (ApiResult){.status = 200,
                       .body = explain ? explain_write(c, &page)
                                       : api_page_write(c, path, &page, cursor)};
    return OK;
}

Status api_search_page(ApiCall *c, Str type, Str query, ApiResult *ret, Err *err)
{
    TRY(api_type_known(c, type, err));
    TRY(access_may(c->caller, ACCESS_READ, type, err));
    if (api_audit_is_asked(c, type)) {
        return api_audit_page(c, query, ret, err);
    }
    Str cursor;
    Str asked = query_split(c, type, query, &cursor);
    StoreQuery *q;
    TRY(store_query_parse(c->api->store, c->arena, type, asked, api_is_lenient(c),
                          c->api->options.zone_min, &q, err));
    return query_answer(c, type, q, cursor, ret, err);
}

/* ---- Across types, and within a compartment -----------------------------------------------------
 */

/* Those that _type names, or all that may be read. */
static Status types_asked(ApiCall *c, Str query, const Str **ret, size_t *ret_n, Err *err)
{
    Str name, value, list = STR_NONE, one;
    while (http_next_pair(&query, &name, &value)) {
        if (str_is(name, "_type")) {
            (void)http_decode(c->arena, value, true, &list);
        }
    }
    Str *types = arena_array(c->arena, Str, fhir_resource_count + 1);
    *ret = types;
    *ret_n = 0;
    while (!str_empty(list) && *ret_n <= fhir_resource_count) {
        str_cut(list, ',', &one, &list);
        TRY(api_type_known(c, one, err));
        TRY(access_may(c->caller, ACCESS_READ, one, err));
        types[(*ret_n)++] = one;
    }
    return OK;
}

static void types_readable(ApiCall *c, const Str *from, size_t from_n, const Str **ret,
                           size_t *ret_n)
{
    Str *types = arena_array(c->arena, Str, fhir_resource_count);
    size_t n = 0, all = from ? from_n : fhir_resource_count;
    for (size_t i = 0; i < all; i++) {
        Str type = from ? from[i] : fhir_type_name(fhir_resource_at((unsigned)i));
        if (access_may(c->caller, ACCESS_READ, type, NULL) == OK && !api_audit_is_asked(c, type)) {
            types[n++] = type;
        }
    }
    *ret = types;
    *ret_n = n;
}

/* within: the types of a compartment, of which all are asked that may be read; NULL: any. */
static Status types_parse(ApiCall *c, Str asked, const Str *within, size_t within_n,
                          StoreQuery **ret, Err *err)
{
    const Str *types;
    size_t n;
    TRY(types_asked(c, asked, &types, &n, err));
    if (n == 0) {
        types_readable(c, within, within_n, &types, &n);
    }
    return store_query_parse_types(c->api->store, c->arena, types, n, asked, api_is_lenient(c),
                                   c->api->options.zone_min, ret, err);
}

static Str search_text(const ApiCall *c)
{
    const HttpRequest *r = &c->http->request;
    bool form = r->method == HTTP_POST && r->body.n;
    return !form        ? r->query
           : r->query.n ? arena_cat(c->arena, r->query, STR("&"), r->body)
                        : r->body;
}

static Status form_check(ApiCall *c)
{
    const HttpRequest *r = &c->http->request;
    Str media = http_media(c->arena, http_header(r, "Content-Type"));
    if (r->method == HTTP_POST && r->body.n &&
        !str_is(media, "application/x-www-form-urlencoded")) {
        return err_add(&c->err, ERR_MEDIA, NULL, STR_NONE,
                       "_search 的内容类型应为 application/x-www-form-urlencoded",
                       "The body of _search must be application/x-www-form-urlencoded");
    }
    if (r->method != HTTP_POST) {
        return OK;
    }
    TRY(api_charset_check(c));
    return api_form_choose(c) ? OK : api_form_refuse(c); /* by what the form asks */
}

Status api_search_types(ApiCall *c)
{
    Str cursor;
    StoreQuery *q;
    TRY(form_check(c));
    Str asked = query_split(c, STR_NONE, search_text(c), &cursor);
    c->what = arena_cat(c->arena, STR("?"), asked);
    TRY(types_parse(c, asked, NULL, 0, &q, &c->err));
    return query_answer(c, STR_NONE, q, cursor, &c->result, &c->err);
}

/* /fhir/Patient/1/Observation?…, and with a star all that belong to it. */
Status api_search_compartment(ApiCall *c)
{
    const HttpRequest *r = &c->http->request;
    Str cursor, of = r->part[0], id = r->part[1], type = r->part[2];
    StoreQuery *q;
    const Str *types;
    size_t n;
    TRY(form_check(c));
    TRY(api_type_known(c, of, &c->err));
    TRY(store_compartment_types(c->arena, of, &types, &n, &c->err));
    Str asked = query_split(c, type, search_text(c), &cursor);
    Str path = arena_cat(c->arena, of, STR("/"), id, STR("/"), type);
    c->what = arena_cat(c->arena, path, STR("?"), asked);
    if (str_is(type, "*")) {
        TRY(types_parse(c, asked, types, n, &q, &c->err));
    } else {
        TRY(api_type_known(c, type, &c->err));
        TRY(access_may(c->caller, ACCESS_READ, type, &c->err));
        TRY(store_query_parse(c->api->store, c->arena, type, asked, api_is_lenient(c),
                              c->api->options.zone_min, &q, &c->err));
    }
    TRY(store_query_within(c->api->store, c->arena, q, of, id, &c->err));
    return query_answer(c, path, q, cursor, &c->result, &c->err);
}

Status api_search_ids(ApiCall *c, Str type, Str query, size_t limit, const StoreHit **ret,
                      size_t *ret_n, Err *err)
{
    StoreQuery *q;
    StorePage page;
    Str asked = arena_printf(c->arena, "%.*s&_count=%zu", STR_ARG(query), limit);
    TRY(store_query_parse(c->api->store, c->arena, type, asked, false, c->api->options.zone_min, &q,
                          err));
    TRY(store_search(c->reader, c->arena, q, &c->caller->view, STR_NONE, &page, err));
    *ret = page.hits;
    *ret_n = page.hits_n;
    return OK;
}

Status api_search(ApiCall *c)
{
    const HttpRequest *r = &c->http->request;
    c->what = arena_cat(c->arena, r->part[0], STR("?"), r->query);
    return api_search_page(c, r->part[0], r->query, &c->result, &c->err);
}

Status api_search_post(ApiCall *c)
{
    Str type = c->http->request.part[0];
    TRY(form_check(c));
    c->what = arena_cat(c->arena, type, STR("?"), search_text(c));
    return api_search_page(c, type, search_text(c), &c->result, &c->err);
}
