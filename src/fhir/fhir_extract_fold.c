/* Folding of texts for string searches. */
#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>

#include "fhir_extract.h"

/* Characters that folding leaves alone: Han, kana, Hangul syllables. */
static bool stays(uint32_t c)
{
    return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) ||
           (c >= 0x20000 && c <= 0x2FFFF) || (c >= 0xAC00 && c <= 0xD7A3);
}

static bool is_space(uint32_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r') || c == 0x3000 || c == 0xA0;
}

/* Lower case and single blanks, where every character is ASCII or stays. False at any other. */
static bool fold_plainly(Str s, char *out, size_t *ret_n)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n;) {
        size_t from = i;
        uint8_t b = (uint8_t)s.p[i];
        uint32_t c = b < 0x80 ? (i++, b) : utf8_next(s, &i);
        if (is_space(c)) {
            if (n && out[n - 1] != ' ') {
                out[n++] = ' ';
            }
        } else if (c < 0x80) {
            out[n++] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
        } else if (stays(c)) {
            memcpy(out + n, s.p + from, i - from);
            n += i - from;
        } else {
            return false;
        }
    }
    *ret_n = n && out[n - 1] == ' ' ? n - 1 : n;
    return true;
}

typedef struct Wide {
    UChar *p;
    int32_t n;
} Wide;

static bool normalize(Arena *a, const UNormalizer2 *how, Wide in, Wide *ret)
{
    UErrorCode code = U_ZERO_ERROR;
    int32_t room = in.n * 4 + 32;
    UChar *out = arena_try_raw(a, (size_t)room * sizeof *out);
    int32_t n = out ? unorm2_normalize(how, in.p, in.n, out, room, &code) : 0;
    if (code == U_BUFFER_OVERFLOW_ERROR && (out = arena_try_raw(a, (size_t)n * sizeof *out))) {
        code = U_ZERO_ERROR;
        n = unorm2_normalize(how, in.p, in.n, out, n, &code);
    }
    *ret = (Wide){out, n};
    return out && U_SUCCESS(code);
}

static void marks_remove(Wide *w)
{
    int32_t n = 0;
    for (int32_t i = 0; i < w->n;) {
        UChar32 c;
        int32_t from = i;
        U16_NEXT(w->p, i, w->n, c);
        if (u_charType(c) != U_NON_SPACING_MARK) {
            memmove(w->p + n, w->p + from, (size_t)(i - from) * sizeof *w->p);
            n += i - from;
        }
    }
    w->n = n;
}

/* Compatibility case folding, then without accents, composed again. */
static bool fold_fully(Arena *a, Str s, Wide *ret)
{
    UErrorCode code = U_ZERO_ERROR;
    const UNormalizer2 *fold = unorm2_getNFKCCasefoldInstance(&code);
    const UNormalizer2 *apart = unorm2_getNFDInstance(&code),
                       *together = unorm2_getNFCInstance(&code);
    Wide in = {arena_try_raw(a, (s.n + 1) * sizeof(UChar)), 0}, folded, split;
    if (U_FAILURE(code) || !in.p || s.n > INT32_MAX / 8) {
        return false;
    }
    u_strFromUTF8(in.p, (int32_t)s.n + 1, &in.n, s.p, (int32_t)s.n, &code);
    if (U_FAILURE(code) || !normalize(a, fold, in, &folded) ||
        !normalize(a, apart, folded, &split)) {
        return false;
    }
    marks_remove(&split);
    return normalize(a, together, split, ret);
}

Str fhir_fold(Arena *a, Str s)
{
    char *out = arena_try_raw(a, s.n + 1);
    size_t n;
    if (!out) {
        a->exhausted = true; /* the length is the sender's choice */
        return STR_NONE;
    }
    if (fold_plainly(s, out, &n)) {
        return (Str){out, n};
    }
    Arena scratch;
    Wide wide;
    Str folded = s;
    arena_init(&scratch, 0);
    if (fold_fully(&scratch, s, &wide)) {
        UErrorCode code = U_ZERO_ERROR;
        int32_t bytes;
        char *utf8 = arena_alloc_raw(&scratch, (size_t)wide.n * 3 + 1);
        u_strToUTF8(utf8, wide.n * 3 + 1, &bytes, wide.p, wide.n, &code);
        folded = U_SUCCESS(code) ? (Str){utf8, (size_t)bytes} : s;
    }
    /* White space that folding made or left. */
    char *clean = arena_try_raw(a, folded.n + 1);
    a->exhausted |= !clean;
    n = 0;
    for (size_t i = 0; clean && i < folded.n; i++) {
        bool space = is_space((uint8_t)folded.p[i]) && (uint8_t)folded.p[i] < 0x80;
        if (!space || (n && clean[n - 1] != ' ')) {
            clean[n++] = space ? ' ' : folded.p[i];
        }
    }
    n -= n && clean[n - 1] == ' ' ? 1 : 0;
    arena_done(&scratch);
    return (Str){clean, n};
}
