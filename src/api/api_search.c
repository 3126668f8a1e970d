/* Searches: the page of the store as a Bundle, with its links. */
#include "api_audit.h"
#include "api_persons.h"
#include "fhir_write.h"

#define PAGE_BYTES 2048 /* of a page, beside its hits */
#define HIT_BYTES  256  /* of a hit, beside its body */

/* The query without the cursor, which is ours; its value decoded. */
static Str query_split(ApiCall *c, Str query, Str *ret_cursor)
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
        buf_add(&rest, value);
    }
    return buf_take(&rest, c->arena);
}

bool api_is_lenient(const ApiCall *c)
{
    return str_find(http_header(&c->http->request, "Prefer"), STR("handling=lenient")) >= 0;
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
    buf_add(&url, arena_cat(c->arena, api_base_url(c), STR("/fhir/"), path));
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
static void ignored_write(ApiCall *c, JsonWriter *w, const StorePage *page)
{
    Err note;
    err_init(&note, c->arena);
    for (size_t i = 0; i < page->ignored_n && i < ERR_ISSUES_MAX; i++) {
        Str name = page->ignored[i];
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
    if (page->hits_n == 0 && page->ignored_n == 0) {
        return;
    }
    Str base = arena_cat(c->arena, api_base_url(c), STR("/fhir/"));
    json_key_open(w, "entry", '[');
    for (size_t i = 0; i < page->hits_n; i++) {
        hit_write(c, w, base, page, &page->hits[i]);
    }
    if (page->ignored_n) {
        ignored_write(c, w, page);
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

Status api_search_page(ApiCall *c, Str type, Str query, ApiResult *ret, Err *err)
{
    TRY(api_type_known(c, type, err));
    TRY(access_may(c->caller, ACCESS_READ, type, err));
    if (api_audit_is_asked(c, type)) {
        return api_audit_page(c, query, ret, err);
    }
    Str cursor;
    Str asked = api_persons_expand(c, type, query_split(c, query, &cursor));
    StoreQuery *q;
    StorePage page;
    TRY(store_query_parse(c->arena, type, asked, api_is_lenient(c), c->api->options.zone_min, &q,
                          err));
    if (c->http->brief && !store_query_brief(q)) {
        c->http->later = true;
        return OK;
    }
    Status status = store_search(c->reader, c->arena, q, &c->caller->view, cursor, &page, err);
    c->http->later = c->http->brief && status == ERR_TOO_MANY;
    TRY(status);
    api_page_touch(c, &page);
    *ret = (ApiResult){.status = 200, .body = api_page_write(c, type, &page, cursor)};
    return OK;
}

Status api_search_ids(ApiCall *c, Str type, Str query, size_t limit, const StoreHit **ret,
                      size_t *ret_n, Err *err)
{
    StoreQuery *q;
    StorePage page;
    Str asked = arena_printf(c->arena, "%.*s&_count=%zu", STR_ARG(query), limit);
    TRY(store_query_parse(c->arena, type, asked, false, c->api->options.zone_min, &q, err));
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
    const HttpRequest *r = &c->http->request;
    Str media = http_media(c->arena, http_header(r, "Content-Type"));
    if (r->body.n && !str_is(media, "application/x-www-form-urlencoded")) {
        return err_add(&c->err, ERR_MEDIA, NULL, STR_NONE,
                       "_search 的内容类型应为 application/x-www-form-urlencoded",
                       "The body of _search must be application/x-www-form-urlencoded");
    }
    Str query = r->query.n && r->body.n ? arena_cat(c->arena, r->query, STR("&"), r->body)
                : r->body.n             ? r->body
                                        : r->query;
    c->what = arena_cat(c->arena, r->part[0], STR("?"), query);
    return api_search_page(c, r->part[0], query, &c->result, &c->err);
}
