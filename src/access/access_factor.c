/*
 * Second factors: one-time passwords by the clock (RFC 6238: HMAC-SHA-1, 30 s, 6 digits), one
 * step of the clock's error to either side, each step once; and recovery codes, each once.
 */
#include "access_inner.h"

#include "mk_banned.h"

#define SECRET_BYTES   20
#define STEP_MS        30000
#define STEPS_ASIDE    1
#define OTP_DIGITS     6
#define RECOVERY_CODES 10
#define RECOVERY_BYTES 10 /* 80 bits: 16 characters, 4-4-4-4 */
#define RECOVERY_CHARS 16

/* ---- Codes ------------------------------------------------------------------------------------
 */

uint32_t access_otp(Str secret, int64_t step)
{
    uint8_t counter[8], mac[20];
    for (int i = 0; i < 8; i++) {
        counter[i] = (uint8_t)((uint64_t)step >> (56 - 8 * i));
    }
    hmac_sha1(secret, (Str){(const char *)counter, sizeof counter}, mac);
    const uint8_t *at = mac + (mac[19] & 15);
    uint32_t word = (uint32_t)(at[0] & 127) << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 |
                    (uint32_t)at[3];
    return word % 1000000;
}

static bool otp_read(Str text, uint32_t *ret)
{
    uint32_t v = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9') {
            return false;
        }
        v = v * 10 + (uint32_t)(text.p[i] - '0');
    }
    *ret = v;
    return text.n == OTP_DIGITS;
}

/* The step whose code this is, or -1; always all of them are computed. */
static int64_t step_of(Str secret, uint32_t otp, int64_t now_ms)
{
    int64_t now = now_ms / STEP_MS, found = -1;
    for (int64_t step = now - STEPS_ASIDE; step <= now + STEPS_ASIDE; step++) {
        uint32_t want = access_otp(secret, step);
        found = bytes_equal_const(&want, &otp, sizeof otp) ? step : found;
    }
    return found;
}

/* ---- Recovery ---------------------------------------------------------------------------------
 */

/* As written down: any case, with or without hyphens and blanks. Empty if it cannot be one. */
static Str recovery_plain(Arena *a, Str text)
{
    char *plain = arena_alloc_raw(a, RECOVERY_CHARS + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '-' || c == ' ') {
            continue;
        }
        if (n == RECOVERY_CHARS) {
            return STR_NONE;
        }
        plain[n++] = c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
    }
    return n == RECOVERY_CHARS ? (Str){plain, n} : STR_NONE;
}

/* 80 random bits need no slow hash; the name keeps equal codes of two people apart. */
static Str recovery_digest(Arena *a, Str username, Str plain)
{
    Str parts[] = {username, STR(":"), plain};
    Sha256 sum = sha256_parts(parts, sizeof parts / sizeof *parts);
    return hex_encode(a, sum.b, sizeof sum.b);
}

static Str recovery_make(Access *x, Arena *a)
{
    uint8_t bytes[RECOVERY_BYTES];
    random_bytes(&x->random, bytes, sizeof bytes);
    return base32_encode(a, bytes, sizeof bytes);
}

static Str recovery_shown(Arena *a, Str plain)
{
    return arena_printf(a, "%.4s-%.4s-%.4s-%.4s", plain.p, plain.p + 4, plain.p + 8, plain.p + 12);
}

/* ---- Asking -----------------------------------------------------------------------------------
 */

static Status code_wrong(Err *err, Status status)
{
    return err_rule(err, status, STR("factor-wrong"), STR("otp"),
                    "动态口令不正确或已使用过，请输入手机上当前显示的 6 位数字",
                    "The one-time code is wrong or was used; enter the six digits shown now");
}

Status access_factor_needed(Err *err)
{
    return err_rule(err, ERR_UNAUTHORIZED, STR("factor-needed"), STR("otp"),
                    "请再输入动态口令（第二因素）", "A one-time code is needed as well");
}

bool access_factor_on(StoreReader *r, Arena *a, Str username, StoreFactor *ret)
{
    return store_factor_get(r, a, username, ret, NULL) == OK && ret->since_ms > 0;
}

Status access_factor_spend(Access *x, Arena *a, const StoreFactor *factor, Str otp, int64_t now_ms,
                           Status wrong, Err *err)
{
    uint32_t code = 0;
    Status status;
    if (otp_read(otp, &code)) {
        int64_t step = step_of(factor->secret, code, now_ms);
        status =
            step < 0 ? ERR_NOT_FOUND : store_factor_step(x->store, factor->username, step, NULL);
    } else {
        Str plain = recovery_plain(a, otp);
        status = plain.n ? store_factor_recover(x->store, factor->username,
                                                recovery_digest(a, factor->username, plain), NULL)
                         : ERR_NOT_FOUND;
    }
    if (status == ERR_NOT_FOUND || status == ERR_CONFLICT) {
        return code_wrong(err, wrong);
    }
    return status == OK ? OK : err_status(err, status);
}

Status access_factor_check(Access *x, StoreReader *r, const AccessCaller *caller, Str otp, Err *err)
{
    int64_t now_ms = clock_now(store_clock(x->store));
    StoreFactor factor;
    Arena scratch;
    TRY(lockout_check(&x->lockout, caller->username, caller->address, now_ms, err));
    arena_init(&scratch, 0);
    Status status = access_factor_on(r, &scratch, caller->username, &factor)
                        ? access_factor_spend(x, &scratch, &factor, otp, now_ms, ERR_FORBIDDEN, err)
                        : code_wrong(err, ERR_FORBIDDEN);
    arena_done(&scratch);
    if (status == ERR_FORBIDDEN) {
        lockout_fail(&x->lockout, caller->username, caller->address, now_ms);
    } else if (status == OK) {
        lockout_clear(&x->lockout, caller->username, caller->address);
    }
    return status;
}

/* ---- Enrolling --------------------------------------------------------------------------------
 */

static Status already(Err *err)
{
    return err_rule(err, ERR_CONFLICT, STR("factor-there"), STR_NONE,
                    "已启用第二因素；更换手机请由安全管理员先解除",
                    "There is a second factor already; to change the telephone have the security "
                    "administrator take it away first");
}

/* otpauth://totp/Menkou:NAME?secret=…&issuer=Menkou; a user name has no character to be escaped. */
static Str factor_uri(Arena *a, Str username, Str secret)
{
    return arena_cat(a, STR("otpauth://totp/Menkou:"), username, STR("?secret="), secret,
                     STR("&issuer=Menkou&algorithm=SHA1&digits=6&period=30"));
}

Status access_factor_begin(Access *x, StoreReader *r, Arena *a, const AccessCaller *caller,
                           Str password, AccessFactorOffer *ret, Err *err)
{
    StoreFactor factor;
    uint8_t secret[SECRET_BYTES];
    if (caller->integrator) {
        return err_rule(err, ERR_FORBIDDEN, STR("not-a-person"), STR_NONE, "接口账号没有第二因素",
                        "An integrator has no second factor");
    }
    TRY(access_password_check(x, r, caller, password, err));
    bool on = access_factor_on(r, a, caller->username, &factor);
    TRY(store_reader_trouble(r, err));
    if (on) {
        return already(err);
    }
    random_bytes(&x->random, secret, sizeof secret);
    factor = (StoreFactor){.username = caller->username,
                           .secret = arena_str(a, (Str){(const char *)secret, sizeof secret})};
    TRY(store_factor_put(x->store, &factor, err));
    ret->secret = base32_encode(a, secret, sizeof secret);
    ret->uri = factor_uri(a, caller->username, ret->secret);
    return OK;
}

static const Str *recovery_codes(Access *x, Arena *a, StoreFactor *factor)
{
    Str *codes = arena_array(a, Str, RECOVERY_CODES);
    factor->recovery = STR_NONE;
    for (int i = 0; i < RECOVERY_CODES; i++) {
        Str plain = recovery_make(x, a), digest = recovery_digest(a, factor->username, plain);
        factor->recovery = i ? arena_cat(a, factor->recovery, STR(" "), digest) : digest;
        codes[i] = recovery_shown(a, plain);
    }
    return codes;
}

Status access_factor_confirm(Access *x, StoreReader *r, Arena *a, const AccessCaller *caller,
                             Str otp, const Str **ret_codes, size_t *ret_n, Err *err)
{
    int64_t now_ms = clock_now(store_clock(x->store));
    StoreFactor factor;
    uint32_t code = 0;
    TRY(lockout_check(&x->lockout, caller->username, caller->address, now_ms, err));
    TRY(store_factor_get(r, a, caller->username, &factor, err));
    if (factor.since_ms > 0) {
        return already(err);
    }
    int64_t step = otp_read(otp, &code) ? step_of(factor.secret, code, now_ms) : -1;
    if (step < 0) {
        lockout_fail(&x->lockout, caller->username, caller->address, now_ms);
        return code_wrong(err, ERR_UNPROCESSABLE);
    }
    factor.since_ms = now_ms;
    factor.step = step;
    const Str *codes = recovery_codes(x, a, &factor);
    TRY(store_factor_put(x->store, &factor, err));
    *ret_codes = codes;
    *ret_n = RECOVERY_CODES;
    return access_sessions_others_end(x, r, a, caller, err);
}

/* ---- Who must have one ------------------------------------------------------------------------
 */

Status access_again(Access *x, StoreReader *r, const AccessCaller *caller, Str password, Str otp,
                    Err *err)
{
    TRY(access_password_check(x, r, caller, password, err));
    if (!caller->factor.on) {
        return OK;
    }
    return str_empty(otp) ? err_rule(err, ERR_FORBIDDEN, STR("factor-needed"), STR("otp"),
                                     "请再输入动态口令", "A one-time code is needed as well")
                          : access_factor_check(x, r, caller, otp, err);
}

Status access_factor_state(StoreReader *r, Arena *a, const StoreAccount *account,
                           bool administrator, int64_t now_ms, AccessFactorState *ret, Err *err)
{
    StoreFactor factor;
    Str setting = STR_NONE;
    *ret = (AccessFactorState){.on = access_factor_on(r, a, account->username, &factor)};
    if (!administrator || ret->on || !access_param(ACCESS_FACTOR_ADMINISTRATORS, now_ms)) {
        return OK;
    }
    Status status = store_setting_get(r, a, STR(ACCESS_SETTING_FACTOR), &setting, NULL);
    if (status != OK && status != ERR_NOT_FOUND) {
        return err_status(err, status);
    }
    if (!str_is(setting, "optional")) {
        ret->by_ms = account->created_ms + access_param(ACCESS_FACTOR_GRACE_MS, now_ms);
        ret->must = now_ms >= ret->by_ms;
    }
    return OK;
}
