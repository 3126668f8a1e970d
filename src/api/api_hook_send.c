/* One POST to a target: no redirects, no proxy, bounded time, the answer's body thrown away. */
#include <curl/curl.h>

#include "api_hook.h"

#define TIMEOUT_S         20
#define CONNECT_TIMEOUT_S 5
#define ANSWER_BYTES_MAX  (64 << 10)

static size_t answer_drop(char *p, size_t size, size_t n, void *ctx)
{
    size_t *seen = ctx;
    (void)p;
    *seen += size * n;
    return *seen > ANSWER_BYTES_MAX ? 0 : size * n;
}

static bool header_good(Str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] < ' ') {
            return false;
        }
    }
    return str_find_char(s, ':') > 0 && s.n < 4096;
}

/* NULL: no memory for all of them; without one of them the target might refuse it for good. */
static struct curl_slist *headers_of(Arena *a, const Hook *h)
{
    struct curl_slist *list = curl_slist_append(NULL, "Content-Type: application/fhir+json");
    for (size_t i = 0; list && i < h->header_n; i++) {
        if (header_good(h->header[i])) {
            struct curl_slist *longer = curl_slist_append(list, arena_cstr(a, h->header[i]));
            if (!longer) {
                curl_slist_free_all(list);
            }
            list = longer;
        }
    }
    return list;
}

static Status answer_judge(CURLcode code, long status, const char *why, Err *err)
{
    if (code != CURLE_OK) {
        return err_add(err, ERR_UNAVAILABLE, NULL, STR_NONE, "没有送达：%s", "Not delivered: %s",
                       *why ? why : curl_easy_strerror(code));
    }
    if (status >= 200 && status < 300) {
        return OK;
    }
    bool again = status >= 500 || status == 408 || status == 429;
    return err_add(err, again ? ERR_UNAVAILABLE : ERR_UNPROCESSABLE, NULL, STR_NONE, "对方答复 %ld",
                   "The target answered %ld", status);
}

Status hook_send(Arena *a, const Hook *h, Str body, Err *err)
{
    char why[CURL_ERROR_SIZE] = "";
    long status = 0;
    size_t seen = 0;
    CURL *curl = curl_easy_init();
    struct curl_slist *headers = curl ? headers_of(a, h) : NULL;
    /* These are copied; the others only noted. */
    if (!headers || curl_easy_setopt(curl, CURLOPT_URL, arena_cstr(a, h->endpoint)) != CURLE_OK ||
        curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") != CURLE_OK ||
        curl_easy_setopt(curl, CURLOPT_PROXY, "") != CURLE_OK) {
        curl_slist_free_all(headers);
        curl_easy_cleanup(curl);
        return err_add(err, ERR_UNAVAILABLE, NULL, STR_NONE, "内存不足", "Out of memory");
    }
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_TIMEOUT_S);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, h->timeout_s > 0 ? (long)h->timeout_s : TIMEOUT_S);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.p);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, answer_drop);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &seen);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
    CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return answer_judge(code, status, why, err);
}
