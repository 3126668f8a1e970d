/*
 * Signing: a Provenance whose signature is a detached JWS (EdDSA, RFC 7515 appendix F) over the
 * canonical bytes of what is held: members in byte order, no white space, without id, meta, text.
 * The person's key is made at the first signature and kept among the store's secret settings.
 */
#include <sodium.h>
#include <stdlib.h>

#include "fhir_write.h"
#include "flow_inner.h"

/* ---- Canonical bytes ------------------------------------------------------------------------- */

typedef struct Member {
    Str key;
    JsonRef value;
} Member;

static int member_order(const void *x, const void *y)
{
    return str_cmp(((const Member *)x)->key, ((const Member *)y)->key);
}

static void canonical_put(Arena *a, Buf *out, const JsonDoc *d, JsonRef r, bool root);

static void canonical_object(Arena *a, Buf *out, const JsonDoc *d, JsonRef r, bool root)
{
    Member *list = arena_array(a, Member, json_count(d, r) + 1);
    size_t n = 0;
    for (JsonIter it = json_iter(d, r); json_next(&it);) {
        bool left =
            root && (str_is(it.key, "id") || str_is(it.key, "meta") || str_is(it.key, "text"));
        if (!left) {
            list[n++] = (Member){it.key, it.value};
        }
    }
    qsort(list, n, sizeof *list, member_order);
    buf_char(out, '{');
    for (size_t i = 0; i < n; i++) {
        buf_c(out, i ? "," : "");
        buf_json_str(out, list[i].key);
        buf_char(out, ':');
        canonical_put(a, out, d, list[i].value, false);
    }
    buf_char(out, '}');
}

static void canonical_put(Arena *a, Buf *out, const JsonDoc *d, JsonRef r, bool root)
{
    JsonType type = json_type(d, r);
    if (type == JSON_OBJECT) {
        canonical_object(a, out, d, r, root);
    } else if (type == JSON_ARRAY) {
        buf_char(out, '[');
        for (JsonIter it = json_iter(d, r); json_next(&it);) {
            buf_c(out, it.index ? "," : "");
            canonical_put(a, out, d, it.value, false);
        }
        buf_char(out, ']');
    } else if (type == JSON_STRING) {
        buf_json_str(out, json_str(d, r));
    } else {
        buf_add(out, json_raw(d, r));
    }
}

Str flow_canonical(Arena *a, const JsonDoc *d)
{
    Buf out;
    buf_init(&out, 0);
    canonical_put(a, &out, d, JSON_ROOT, true);
    return buf_take(&out, a);
}

/* ---- Keys ------------------------------------------------------------------------------------ */

_Static_assert(sizeof((FlowSignKey){0}.secret) == crypto_sign_SECRETKEYBYTES &&
                   sizeof((FlowSignKey){0}.open) == crypto_sign_PUBLICKEYBYTES,
               "an Ed25519 key");

static Str key_name(Arena *a, Str person)
{
    return arena_cat(a, STR("sign-key:"), person);
}

bool flow_sign_key(StoreReader *r, Arena *a, Str person, FlowSignKey *ret)
{
    uint8_t seed[crypto_sign_SEEDBYTES];
    Str kept;
    if (sodium_init() < 0 || store_setting_get(r, a, key_name(a, person), &kept, NULL) != OK ||
        !hex_decode(kept, seed, sizeof seed)) {
        return false;
    }
    crypto_sign_seed_keypair(ret->open, ret->secret, seed);
    sodium_memzero(seed, sizeof seed);
    return true;
}

static Status key_make(FlowTx *tx, Str person, FlowSignKey *ret, Err *err)
{
    uint8_t seed[crypto_sign_SEEDBYTES];
    if (flow_sign_key(tx->reader, tx->arena, person, ret)) {
        return OK;
    }
    TRY(store_reader_trouble(tx->reader, err)); /* there may be one that cannot be read now */
    if (sodium_init() < 0) {
        return err_status(err, ERR_INTERNAL);
    }
    random_bytes(store_random(tx->store), seed, sizeof seed);
    TRY(store_setting_put(tx->store, key_name(tx->arena, person),
                          hex_encode(tx->arena, seed, sizeof seed), err));
    crypto_sign_seed_keypair(ret->open, ret->secret, seed);
    sodium_memzero(seed, sizeof seed);
    return OK;
}

/* A person has one key, also when the first two signatures are made at once. */
static Status key_load(FlowTx *tx, Str person, FlowSignKey *ret, Err *err)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&lock);
    Status s = key_make(tx, person, ret, err);
    pthread_mutex_unlock(&lock);
    return s;
}

/* ---- Whether and how ------------------------------------------------------------------------- */

bool flow_signs(const FlowAction *a)
{
    for (size_t i = 0; i < a->effect_n; i++) {
        if (a->effect[i].verb == FLOW_VERB_SIGN) {
            return true;
        }
    }
    return false;
}

bool flow_sign_password(const FlowScope *s)
{
    FhirValues v = {0};
    return flow_param_value(s, STR(FLOW_PARAM_SIGN_PASSWORD), &v) && v.n == 1 &&
           v.at[0].kind == FHIR_VALUE_BOOLEAN && v.at[0].boolean;
}

/* ---- Signature ------------------------------------------------------------------------------- */

/* header..signature; `kid` carries the public key so that anyone can verify. */
static Str jws_detached(Arena *a, const FlowSignKey *key, Str payload)
{
    Str open = base64_encode(a, (Str){(const char *)key->open, sizeof key->open}, true);
    Str header = arena_cat(
        a, STR("{\"alg\":\"EdDSA\",\"jwk\":{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\""), open,
        STR("\"}}"));
    Str head = base64_encode(a, header, true);
    Str input = arena_cat(a, head, STR("."), base64_encode(a, payload, true));
    uint8_t signature[crypto_sign_BYTES];
    crypto_sign_detached(signature, NULL, (const uint8_t *)input.p, input.n, key->secret);
    return arena_cat(a, head, STR(".."),
                     base64_encode(a, (Str){(const char *)signature, sizeof signature}, true));
}

/* By what the person showed once more who signs. */
static Str signed_by(const FlowTx *tx)
{
    return tx->factor_checked     ? STR("second-factor")
           : tx->password_checked ? STR("password")
                                  : STR("session");
}

static void signature_put(JsonWriter *w, const FlowStep *st, Str now, Str jws)
{
    Arena *a = st->tx->arena;
    const AccessCaller *caller = st->tx->caller;
    json_key_open(w, "signature", '[');
    json_open(w, '{');
    json_key(w, "extension");
    json_put_raw(w, arena_cat(a, STR("[{\"url\":\"" FLOW_EXT_SIGNED_BY "\",\"valueCode\":\""),
                              signed_by(st->tx), STR("\"}]")));
    json_key(w, "type");
    json_put_raw(
        w, STR("[{\"system\":\"urn:iso-astm:E1762-95:2013\",\"code\":\"1.2.840.10065.1.12.1.1\","
               "\"display\":\"Author's Signature\"}]"));
    json_member_str(w, "when", now);
    fhir_reference_put(w, "who", caller->practitioner, caller->name);
    json_member_c(w, "sigFormat", "application/jose");
    json_member_str(w, "data", base64_encode(a, jws, false));
    json_close(w, '}');
    json_close(w, ']');
}

static Str signature_body(const FlowStep *st, Str target, Str jws)
{
    Arena *a = st->tx->arena;
    const AccessCaller *caller = st->tx->caller;
    Str now = time_iso(a, st->tx->now_ms, st->tx->zone_min);
    Buf out;
    JsonWriter w = fhir_begin(&out, "Provenance", STR_NONE);
    json_key_open(&w, "target", '[');
    json_put_raw(&w, arena_cat(a, STR("{\"reference\":\""), target, STR("\"}")));
    if (st->c->patient.n) {
        json_put_raw(&w, arena_cat(a, STR("{\"reference\":\""), st->c->patient, STR("\"}")));
    }
    json_close(&w, ']');
    json_member_str(&w, "occurredDateTime", now);
    json_member_str(&w, "recorded", now);
    json_key(&w, "activity");
    json_put_raw(&w,
                 STR("{\"coding\":[{\"system\":\"http://terminology.hl7.org/CodeSystem/"
                     "v3-DocumentCompletion\","
                     "\"code\":\"LA\",\"display\":\"legally authenticated\"}],\"text\":\"签名\"}"));
    json_key_open(&w, "agent", '[');
    json_open(&w, '{');
    fhir_reference_put(&w, "who", caller->practitioner, caller->name);
    fhir_reference_put(&w, "onBehalfOf", caller->post.organization, caller->post.organization_name);
    json_close(&w, '}');
    json_close(&w, ']');
    signature_put(&w, st, now, jws);
    return json_end(&w, '}', a);
}

Status flow_do_sign(FlowStep *st, const FlowEffect *e, Err *err)
{
    FlowTx *tx = st->tx;
    Str reference = flow_case_held(st->c, e->name);
    const JsonDoc *d = reference.n ? flow_tx_read(tx, reference, NULL) : NULL;
    if (!d || !tx->caller->practitioner.n) {
        return flow_refuse(err, FLOW_RULE_EFFECT_FAILED, STR_NONE,
                           arena_cat(tx->arena, STR("sign "), e->name));
    }
    bool proven = tx->password_checked || tx->factor_checked;
    if (flow_sign_password(&st->scope) && !proven && !tx->dry) {
        return flow_refuse(err, FLOW_RULE_PASSWORD_NEEDED, STR("password"), STR_NONE);
    }
    FlowSignKey key;
    TRY(key_load(tx, tx->caller->practitioner, &key, err));
    Str jws = jws_detached(tx->arena, &key, flow_canonical(tx->arena, d));
    sodium_memzero(&key, sizeof key);
    Str target =
        arena_cat(tx->arena, reference, STR("/_history/"), flow_tx_vid_after(tx, reference));
    return flow_tx_create(tx, STR("Provenance"), flow_tx_new_id(tx),
                          signature_body(st, target, jws), err);
}
