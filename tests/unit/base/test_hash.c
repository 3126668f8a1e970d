#include "test.h"

/* The reference vectors of SipHash-2-4: key 00 01 … 0f, input 00 01 … n-1. */
static void sip_reference_vectors(void **state)
{
    static const uint64_t WANT[] = {
        0x726fdb47dd0e0e31ull, 0x74f839c593dc67fdull, 0x0d6c8009d9a94f5aull,
        0x85676696d7fb7e2dull, 0xcf2794e0277187b7ull, 0x18765564cd99a68dull,
        0xcbc9466e58fee3ceull, 0xab0200f58b01d137ull, 0x93f5f5799a932462ull};
    (void)state;
    HashKey key = {0x0706050403020100ull, 0x0f0e0d0c0b0a0908ull};
    uint8_t in[64];
    for (int i = 0; i < 64; i++) {
        in[i] = (uint8_t)i;
    }
    for (size_t n = 0; n < sizeof WANT / sizeof *WANT; n++) {
        assert_true(hash_sip(key, in, n) == WANT[n]);
    }
    assert_true(hash_sip(key, in, 15) == 0xa129ca6149be45e5ull);
}

static void parts_hash_as_if_joined(void **state)
{
    (void)state;
    HashKey key = {1, 2};
    Str joined = STR("http://loinc.org\x1f"
                     "8867-4\x1f");
    Str parts[] = {STR("http://loinc.org"), STR("8867-4"), STR_NONE};
    assert_true(hash_sip_parts(key, parts, 3) == hash_sip(key, joined.p, joined.n));
    assert_true(hash_sip_parts(key, parts, 2) != hash_sip_parts(key, parts, 3));
}

static void sha_and_hmac_vectors(void **state)
{
    (void)state;
    Arena a;
    arena_init(&a, 0);
    Sha256 h = sha256(STR("abc"));
    assert_str(hex_encode(&a, h.b, 32),
               "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    h = sha256(STR_NONE);
    assert_str(hex_encode(&a, h.b, 32),
               "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    Sha256 parts = sha256_parts((const Str[]){STR("a"), STR_NONE, STR("bc")}, 3),
           whole = sha256(STR("abc"));
    assert_memory_equal(parts.b, whole.b, 32);
    h = hmac_sha256(STR("Jefe"), STR("what do ya want for nothing?"));
    assert_str(hex_encode(&a, h.b, 32),
               "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    char longer[131]; /* than a block: RFC 4231, case 6 */
    memset(longer, 0xaa, sizeof longer);
    h = hmac_sha256((Str){longer, sizeof longer},
                    STR("Test Using Larger Than Block-Size Key - Hash Key First"));
    assert_str(hex_encode(&a, h.b, 32),
               "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    h = hmac_sha256(STR_NONE, STR_NONE);
    assert_str(hex_encode(&a, h.b, 32),
               "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
    arena_done(&a);
}

static void hex_and_base64(void **state)
{
    (void)state;
    Arena a;
    arena_init(&a, 0);
    uint8_t b[2];
    Str out;
    assert_true(hex_decode(STR("0aFf"), b, 2));
    assert_true(b[0] == 0x0a && b[1] == 0xff);
    assert_false(hex_decode(STR("0a"), b, 2));
    assert_false(hex_decode(STR("0g00"), b, 2));
    static const char *const PAIRS[][2] = {
        {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}};
    for (size_t i = 0; i < 5; i++) {
        assert_str(base64_encode(&a, str_from_c(PAIRS[i][0]), false), PAIRS[i][1]);
        assert_true(base64_decode(&a, str_from_c(PAIRS[i][1]), false, &out));
        assert_str(out, PAIRS[i][0]);
    }
    assert_str(base64_encode(&a, STR("\xfb\xff\xfe"), true), "-__-");
    assert_str(base64_encode(&a, STR("fo"), true), "Zm8");
    assert_true(base64_decode(&a, STR("Zm8"), true, &out));
    static const char *const BAD[] = {
        "Zg", "Zg=", "Z===", "Zh==", "Zm9v=", "Zm 9", "-__-", "Zg==Zg=="};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        if (base64_decode(&a, str_from_c(BAD[i]), false, &out)) {
            fail_msg("\"%s\" was accepted", BAD[i]);
        }
    }
    assert_true(bytes_equal_const("abc", "abc", 3));
    assert_false(bytes_equal_const("abc", "abd", 3));
    arena_done(&a);
}

static void seeded_random_repeats(void **state)
{
    (void)state;
    Random a, b, c;
    random_init_seed(&a, 7);
    random_init_seed(&b, 7);
    random_init_seed(&c, 8);
    bool differs = false;
    for (int i = 0; i < 100; i++) {
        uint64_t x = random_u64(&a);
        assert_true(x == random_u64(&b));
        differs |= x != random_u64(&c);
        assert_true(random_below(&a, 10) == random_below(&b, 10));
    }
    assert_true(differs);
    uint64_t seen = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t v = random_below(&c, 6);
        assert_true(v < 6);
        seen |= 1ull << v;
    }
    assert_int_equal(seen, 63);
    random_init_system(&a);
    assert_true(random_u64(&a) != random_u64(&a));
}

static void uuid7_is_ordered_by_time(void **state)
{
    (void)state;
    Arena a;
    Random r;
    arena_init(&a, 0);
    random_init_seed(&r, 1);
    Str previous = STR_NONE;
    for (int64_t ms = 1763000000000; ms < 1763000000200; ms++) {
        Str id = uuid7(&a, &r, ms);
        assert_int_equal(id.n, 36);
        assert_true(id.p[14] == '7' && strchr("89ab", id.p[19]) && id.p[8] == '-' &&
                    id.p[23] == '-');
        assert_true(str_cmp(previous, id) < 0);
        previous = id;
    }
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sip_reference_vectors), cmocka_unit_test(parts_hash_as_if_joined),
        cmocka_unit_test(sha_and_hmac_vectors),  cmocka_unit_test(hex_and_base64),
        cmocka_unit_test(seeded_random_repeats), cmocka_unit_test(uuid7_is_ordered_by_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
