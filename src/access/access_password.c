/* Passwords: hashes, of which two are worked on at a time, and what is strong enough. */
#include <errno.h>
#include <sodium.h>
#include <time.h>

#include "access_inner.h"

#include "mk_banned.h"

#define ARGON_OPS          2
#define ARGON_BYTES        ((size_t)19 * 1024 * 1024)
#define GATE_PLACES        2
#define PASSWORD_BYTES_MAX 1024

/* A well-formed hash that no password has: a name nobody bears costs as much as a wrong password.
 */
static const char HASH_OF_NOBODY[] = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$"
                                     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/* ---- Two at a time ----------------------------------------------------------------------------
 */

static pthread_mutex_t gate_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_free;
static pthread_once_t gate_once = PTHREAD_ONCE_INIT;
static int gate_inside;

static void gate_prepare(void)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&gate_free, &attr);
    pthread_condattr_destroy(&attr);
}

static struct timespec mono_after(int64_t ms)
{
    int64_t at = time_mono_ms() + ms;
    return (struct timespec){.tv_sec = at / 1000, .tv_nsec = at % 1000 * 1000000};
}

Status access_gate_enter(int64_t now_ms, Err *err)
{
    pthread_once(&gate_once, gate_prepare);
    struct timespec until = mono_after(access_param(ACCESS_LOGIN_WAIT_MS, now_ms));
    int late = 0;
    pthread_mutex_lock(&gate_lock);
    while (gate_inside >= GATE_PLACES && late != ETIMEDOUT) {
        late = pthread_cond_timedwait(&gate_free, &gate_lock, &until);
    }
    bool in = gate_inside < GATE_PLACES;
    gate_inside += in;
    pthread_mutex_unlock(&gate_lock);
    if (in) {
        return OK;
    }
    if (err) {
        err->retry_after_s = 2;
    }
    return err_add(err, ERR_TOO_MANY, NULL, STR_NONE, "同时登录的人较多，请稍后再试",
                   "Many people are logging in; try again in a moment");
}

void access_gate_leave(void)
{
    pthread_mutex_lock(&gate_lock);
    gate_inside--;
    pthread_cond_signal(&gate_free);
    pthread_mutex_unlock(&gate_lock);
}

/* ---- Hash -------------------------------------------------------------------------------------
 */

Status access_hash_make(Arena *a, Str password, Str *ret, Err *err)
{
    char hash[crypto_pwhash_STRBYTES];
    if (sodium_init() < 0 || crypto_pwhash_str(hash, password.p ? password.p : "", password.n,
                                               ARGON_OPS, ARGON_BYTES) != 0) {
        return err_add(err, ERR_UNAVAILABLE, NULL, STR_NONE, "内存不足，无法处理密码",
                       "Not enough memory to hash the password");
    }
    *ret = arena_str(a, str_from_c(hash));
    return OK;
}

bool access_hash_matches(Str hash, Str password)
{
    char text[crypto_pwhash_STRBYTES] = {0};
    bool real = !str_empty(hash) && hash.n < sizeof text;
    memcpy(text, real ? hash.p : HASH_OF_NOBODY, real ? hash.n : sizeof HASH_OF_NOBODY - 1);
    Str tried = str_take(password, PASSWORD_BYTES_MAX);
    bool same = crypto_pwhash_str_verify(text, tried.p ? tried.p : "", tried.n) == 0;
    return real && same && password.n <= PASSWORD_BYTES_MAX;
}

/* ---- Policy -----------------------------------------------------------------------------------
 */

static int classes_of(Str password)
{
    bool lower = false, upper = false, digit = false, other = false;
    for (size_t i = 0; i < password.n; i++) {
        char c = password.p[i];
        lower |= c >= 'a' && c <= 'z';
        upper |= c >= 'A' && c <= 'Z';
        digit |= c >= '0' && c <= '9';
        other |= !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'));
    }
    return lower + upper + digit + other;
}

Status access_password_strong(Str username, Str password, int64_t now_ms, Err *err)
{
    int length = (int)access_param(ACCESS_PASSWORD_LENGTH_MIN, now_ms);
    int classes = (int)access_param(ACCESS_PASSWORD_CLASSES_MIN, now_ms);
    bool named = username.n >= 3 && str_find(password, username) >= 0;
    if (utf8_valid(password) && password.n <= PASSWORD_BYTES_MAX &&
        utf8_count(password) >= (size_t)length && classes_of(password) >= classes && !named) {
        return OK;
    }
    return err_rule(
        err, ERR_UNPROCESSABLE, STR("password-weak"), STR("new_password"),
        "密码至少 %d 个字符，大写、小写、数字、符号中至少 %d 类，且不含用户名",
        "A password has at least %d characters of %d kinds (upper case, lower case, digits, "
        "others) and does not contain the user name",
        length, classes);
}

Str access_password_make(Arena *a, Random *random)
{
    static const char LOWER[] = "abcdefghijkmnpqrstuvwxyz", UPPER[] = "ABCDEFGHJKLMNPQRSTUVWXYZ";
    static const char DIGIT[] = "23456789";
    static const char *const SETS[] = {LOWER, UPPER, DIGIT};
    char text[14];
    for (size_t i = 0; i < sizeof text; i++) {
        /* The first three places stand for the classes, the others for any of them. */
        const char *set = SETS[i < 3 ? i : random_below(random, 3)];
        text[i] = set[random_below(random, strlen(set))];
    }
    for (size_t i = sizeof text - 1; i > 0; i--) {
        size_t j = random_below(random, i + 1);
        char c = text[i];
        text[i] = text[j];
        text[j] = c;
    }
    return arena_str(a, (Str){text, sizeof text});
}
