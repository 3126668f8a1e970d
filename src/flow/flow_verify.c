/*
 * Verifying signatures: each Provenance.signature that the engine made, against the bytes of the
 * version it names and the person's own key. A signature of another system is none of ours to
 * judge; a target whose body was erased can no longer be.
 */
#include <sodium.h>

#include "flow_inner.h"

#define PAGE_VERSIONS 200

typedef struct Verify {
    StoreReader *reader;
    Arena *arena; /* of one page */
    Err *err;
    Str where;   /* the Provenance's version */
    bool engine; /* the engine's own act made it, so that the key must be the one kept */
    uint64_t signatures, faults;
} Verify;

static void broken(Verify *v, const char *zh, const char *en)
{
    v->faults++;
    (void)flow_say(v->err, ERR_UNPROCESSABLE, STR("signature-broken"), v->where, str_from_c(zh),
                   str_from_c(en));
}

/* A detached JWS in its parts; `open` is the public key in its header. */
typedef struct Jws {
    Str head;
    uint8_t open[crypto_sign_PUBLICKEYBYTES], signature[crypto_sign_BYTES];
} Jws;

static bool bytes_read(Arena *a, Str text, uint8_t *ret, size_t n)
{
    Str bytes;
    if (!base64_decode(a, text, true, &bytes) || bytes.n != n) {
        return false;
    }
    memcpy(ret, bytes.p, n);
    return true;
}

static bool jws_read(Arena *a, Str data, Jws *ret)
{
    Str text, rest, payload, signature, header;
    JsonDoc d;
    return base64_decode(a, data, false, &text) && str_cut(text, '.', &ret->head, &rest) &&
           str_cut(rest, '.', &payload, &signature) && payload.n == 0 &&
           base64_decode(a, ret->head, true, &header) &&
           json_parse(a, header, &JSON_LIMITS_FHIR, &d, NULL) == OK &&
           str_is(json_str_at(&d, JSON_ROOT, "alg"), "EdDSA") &&
           bytes_read(a, json_str_at(&d, JSON_ROOT, "jwk.x"), ret->open, sizeof ret->open) &&
           bytes_read(a, signature, ret->signature, sizeof ret->signature);
}

static bool jws_covers(Arena *a, const Jws *jws, Str payload)
{
    Str input = arena_cat(a, jws->head, STR("."), base64_encode(a, payload, true));
    return crypto_sign_verify_detached(jws->signature, (const uint8_t *)input.p, input.n,
                                       jws->open) == 0;
}

static bool key_is_of(const Verify *v, Str person, const Jws *jws)
{
    FlowSignKey key;
    bool same = flow_sign_key(v->reader, v->arena, person, &key) &&
                bytes_equal_const(key.open, jws->open, sizeof jws->open);
    sodium_memzero(&key, sizeof key);
    return same;
}

/* OK; ERR_GONE: erased; anything else: not there. */
static Status target_read(const Verify *v, Str reference, JsonDoc *ret)
{
    StoreVersion target;
    FhirRef ref = fhir_ref_parse(reference);
    if (!ref.type.n || !ref.version.n) {
        return ERR_NOT_FOUND;
    }
    TRY(store_vread(v->reader, v->arena, &STORE_VIEW_ALL, ref.type, ref.id, ref.version, &target,
                    NULL));
    return target.body.n ? json_parse(v->arena, target.body, &JSON_LIMITS_FHIR, ret, NULL)
                         : ERR_GONE;
}

static void signature_verify(Verify *v, const JsonDoc *d, JsonRef signature)
{
    Jws jws;
    JsonDoc target;
    Status there = target_read(v, json_str_at(d, JSON_ROOT, "target.0.reference"), &target);
    v->signatures++;
    if (!jws_read(v->arena, json_str_at(d, signature, "data"), &jws)) {
        broken(v, "签名无法读取", "the signature cannot be read");
    } else if (v->engine && !key_is_of(v, json_str_at(d, signature, "who.reference"), &jws)) {
        broken(v, "签名所用密钥不属于签名人", "the key is not that of the person who signed");
    } else if (there != OK && there != ERR_GONE) {
        broken(v, "签名所指的版本不存在", "the version that was signed is not there");
    } else if (there == OK && !jws_covers(v->arena, &jws, flow_canonical(v->arena, &target))) {
        broken(v, "签名与内容不符", "the signature does not fit what it signs");
    }
}

static bool signature_ours(const Verify *v, const JsonDoc *d, JsonRef signature)
{
    JsonRef extensions = json_get_c(d, signature, "extension");
    for (JsonIter it = json_iter(d, extensions); json_next(&it);) {
        if (str_is(json_str_at(d, it.value, "url"), FLOW_EXT_SIGNED_BY)) {
            return true;
        }
    }
    return v->engine;
}

static void provenance_verify(Verify *v, const StoreVersion *p)
{
    JsonDoc d;
    if (!p->body.n || json_parse(v->arena, p->body, &JSON_LIMITS_FHIR, &d, NULL) != OK) {
        return; /* a deletion; what cannot be read is the store's own fault to tell */
    }
    v->where = arena_cat(v->arena, STR("Provenance/"), p->id, STR("/_history/"), p->vid);
    v->engine = str_starts(p->cause, STR("act:"));
    for (JsonIter it = json_iter(&d, json_get_c(&d, JSON_ROOT, "signature")); json_next(&it);) {
        if (signature_ours(v, &d, it.value)) {
            signature_verify(v, &d, it.value);
        }
    }
}

static Status page_verify(Verify *v, uint64_t *before, bool *more)
{
    StoreVersion *versions;
    size_t n;
    TRY(store_history(v->reader, v->arena, &STORE_VIEW_ALL, STR("Provenance"), STR_NONE, TIME_NONE,
                      *before, PAGE_VERSIONS, &versions, &n, more, v->err));
    for (size_t i = 0; i < n; i++) {
        provenance_verify(v, &versions[i]);
        *before = versions[i].seq;
    }
    return OK;
}

Status flow_verify(StoreReader *r, uint64_t *ret_signatures, uint64_t *ret_faults, Err *err)
{
    Verify v = {.reader = r, .err = err};
    uint64_t before = 0;
    Status s = sodium_init() < 0 ? err_status(err, ERR_INTERNAL) : OK;
    for (bool more = s == OK; more && s == OK;) {
        Arena a;
        arena_init(&a, 0);
        v.arena = &a;
        s = page_verify(&v, &before, &more);
        arena_done(&a);
    }
    TRY(s);
    *ret_signatures = v.signatures;
    *ret_faults = v.faults;
    return OK;
}
