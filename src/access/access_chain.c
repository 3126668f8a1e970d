#include "access_chain.h"

#include "mk_banned.h"

static const char TAIL[] = ",\"mac\":\"";

static void buf_hex(Buf *out, const Sha256 *sum)
{
    static const char HEX[] = "0123456789abcdef";
    for (size_t i = 0; i < sizeof sum->b; i++) {
        buf_char(out, HEX[sum->b[i] >> 4]);
        buf_char(out, HEX[sum->b[i] & 15]);
    }
}

static Sha256 mac_of(const Chain *c, Str covered)
{
    enum { LINE_BYTES_USUAL = 1024 };
    char joined[LINE_BYTES_USUAL + 32];
    size_t n = sizeof c->mac.b + covered.n;
    Buf wide;
    if (n <= sizeof joined) {
        memcpy(joined, c->mac.b, sizeof c->mac.b);
        memcpy(joined + sizeof c->mac.b, covered.p, covered.n);
        return hmac_sha256(c->key, (Str){joined, n});
    }
    buf_init(&wide, 0);
    buf_bytes(&wide, c->mac.b, sizeof c->mac.b);
    buf_add(&wide, covered);
    Sha256 mac = hmac_sha256(c->key, buf_str(&wide));
    buf_done(&wide);
    return mac;
}

void chain_write(Chain *c, Str members, Buf *out)
{
    size_t from = out->n;
    buf_c(out, "{\"n\":");
    buf_i64(out, (int64_t)(c->n + 1));
    buf_add(out, members);
    c->mac = mac_of(c, (Str){out->p + from, out->n - from});
    c->n++;
    buf_c(out, TAIL);
    buf_hex(out, &c->mac);
    buf_c(out, "\"}\n");
}

bool chain_stated(Str line, uint64_t *ret_n, Sha256 *ret_mac)
{
    Str head = STR("{\"n\":"), number, rest;
    int64_t n;
    if (line.n < head.n + CHAIN_TAIL_BYTES || !str_starts(line, head) ||
        !str_ends(line, STR("\"}\n")) || !str_cut(str_skip(line, head.n), ',', &number, &rest) ||
        !str_to_i64(number, &n) || n < 1) {
        return false;
    }
    Str tail = str_skip(line, line.n - CHAIN_TAIL_BYTES);
    Str hex = str_take(str_skip(tail, sizeof TAIL - 1), 64);
    if (!str_starts(tail, str_from_c(TAIL)) || !hex_decode(hex, ret_mac->b, sizeof ret_mac->b)) {
        return false;
    }
    *ret_n = (uint64_t)n;
    return true;
}

ChainLine chain_follow(Chain *c, Str line)
{
    uint64_t n;
    Sha256 mac;
    if (!chain_stated(line, &n, &mac)) {
        return CHAIN_MALFORMED;
    }
    Sha256 due = mac_of(c, str_take(line, line.n - CHAIN_TAIL_BYTES));
    bool follows = n == c->n + 1, same = bytes_equal_const(due.b, mac.b, sizeof due.b);
    c->n = n;
    c->mac = mac;
    return !follows ? CHAIN_NUMBER : same ? CHAIN_GOOD : CHAIN_MAC;
}

Str chain_head(Arena *a, const Chain *c)
{
    Str hex = hex_encode(a, c->mac.b, sizeof c->mac.b);
    return arena_printf(a, "%llu:%.*s", (unsigned long long)c->n, STR_ARG(hex));
}

bool chain_head_parse(Str text, uint64_t *ret_n, Sha256 *ret_mac)
{
    Str number, hex;
    int64_t n;
    if (!str_cut(text, ':', &number, &hex) || !str_to_i64(number, &n) || n < 0 ||
        !hex_decode(hex, ret_mac->b, sizeof ret_mac->b)) {
        return false;
    }
    *ret_n = (uint64_t)n;
    return true;
}
