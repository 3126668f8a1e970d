/*
 * JSON documents: a tape of tokens over the raw bytes. Parsing copies nothing: the bytes
 * stay where they are and every value is an offset and a length, so that decimals (1.00),
 * member order and unknown extensions survive, and `meta` is spliced instead of rewritten.
 *
 * A JsonRef is an index into the tape; JSON_NONE means "no such value" and every accessor
 * takes it and answers emptily, so that chains need no checks.
 *
 * Accepted: RFC 8259, UTF-8 only, any nesting up to limits.depth. Duplicate keys, lone
 * surrogates and U+0000 inside strings parse, and are flagged: a FHIR body with a flag is
 * refused by the caller (contracts 1.6). A byte order mark before the document (RFC 8259, 8.1:
 * Windows tools write one) is passed over and is not among JsonDoc.bytes.
 *
 * Owner: tape and decoded strings live in the arena given; bytes must outlive the document.
 */
#ifndef JSON_H
#define JSON_H

#include "mk.h"

typedef uint32_t JsonRef;
#define JSON_NONE UINT32_MAX
#define JSON_ROOT 0u

typedef enum JsonType {
    JSON_ABSENT,
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
} JsonType;

enum {
    JSON_FLAG_DUPLICATE_KEY = 1,
    JSON_FLAG_LONE_SURROGATE = 2,
    JSON_FLAG_NUL = 4,
};

/* Objects: key token, value token(s), key token … `next` skips a value with all it holds. */
typedef struct JsonTok {
    uint32_t at;    /* offset of the value's first byte ('"' of a string) */
    uint32_t end;   /* offset after its last byte */
    uint32_t next;  /* index of the token after this value */
    uint32_t count; /* members of an object, items of an array; strings: 1 if it has escapes */
    uint8_t type;   /* JsonType */
} JsonTok;

typedef struct JsonDoc {
    Str bytes;
    const JsonTok *tok;
    uint32_t count;
    unsigned flags;
    Arena *arena; /* for decoded strings */
} JsonDoc;

typedef struct JsonLimits {
    uint32_t depth; /* refused when nested deeper; contracts: 100 */
    size_t bytes;
} JsonLimits;

extern const JsonLimits JSON_LIMITS_FHIR; /* depth 100, 32 MiB */

/* ERR_INVALID with line, column and reason; ERR_TOO_LARGE. */
Status json_parse(Arena *a, Str bytes, const JsonLimits *limits, JsonDoc *ret, Err *err) MUST_USE;

JsonType json_type(const JsonDoc *d, JsonRef r);
/* Raw bytes of a value, as received. */
Str json_raw(const JsonDoc *d, JsonRef r);
/* Text of a string (decoded); STR_NONE if not a string. */
Str json_str(const JsonDoc *d, JsonRef r);
/* The digits of a number as received; STR_NONE if not a number. */
Str json_number(const JsonDoc *d, JsonRef r);
bool json_to_i64(const JsonDoc *d, JsonRef r, int64_t *ret); /* only whole numbers in range */
bool json_to_double(const JsonDoc *d, JsonRef r, double *ret);
bool json_is_true(const JsonDoc *d, JsonRef r);
uint32_t json_count(const JsonDoc *d, JsonRef r); /* members or items, 0 otherwise */

/* Member of an object by (decoded) key; the last one when duplicated. */
JsonRef json_get(const JsonDoc *d, JsonRef object, Str key);
JsonRef json_get_c(const JsonDoc *d, JsonRef object, const char *key);
/* Several steps: names, and numbers for array items: "name.0.family". */
JsonRef json_at(const JsonDoc *d, JsonRef from, const char *path);
/* Shorthand: the string at a path, or STR_NONE. */
Str json_str_at(const JsonDoc *d, JsonRef from, const char *path);
JsonRef json_item(const JsonDoc *d, JsonRef array, uint32_t i);

/* Iteration: for (JsonIter it = json_iter(d, r); json_next(&it);) { it.key, it.value } */
typedef struct JsonIter {
    const JsonDoc *doc;
    JsonRef value;  /* present value */
    Str key;        /* decoded; empty in arrays */
    uint32_t index; /* 0, 1, 2 … */
    uint32_t next_, left_;
    bool object_;
} JsonIter;
JsonIter json_iter(const JsonDoc *d, JsonRef r);
bool json_next(JsonIter *it);

/* Same value, whatever the white space and member order; numbers compared as text. */
bool json_equal(const JsonDoc *a, JsonRef ra, const JsonDoc *b, JsonRef rb);

/*
 * Writer: values into a Buf with commas and quotes in their places.
 *   json_open(&w, '{'); json_key(&w, "id"); json_put_str(&w, id); json_close(&w, '}');
 */
typedef struct JsonWriter {
    Buf *out;
    bool comma, after_key;
} JsonWriter;
JsonWriter json_writer(Buf *out);
/* A whole text: begin makes `out` and opens the brace, end closes it; `out` is done. */
JsonWriter json_begin(Buf *out, char brace);
Str json_end(JsonWriter *w, char brace, Arena *a);
void json_open(JsonWriter *w, char brace);  /* '{' or '[' */
void json_close(JsonWriter *w, char brace); /* '}' or ']' */
void json_key(JsonWriter *w, const char *key);
void json_key_str(JsonWriter *w, Str key);
void json_key_open(JsonWriter *w, const char *key, char brace);
void json_put_str(JsonWriter *w, Str s);
void json_put_c(JsonWriter *w, const char *s);
void json_put_i64(JsonWriter *w, int64_t v);
void json_put_bool(JsonWriter *w, bool v);
void json_put_null(JsonWriter *w);
void json_put_raw(JsonWriter *w, Str json); /* already JSON */
/* key and value in one: only when the value is not empty. */
void json_member_str(JsonWriter *w, const char *key, Str s);
void json_member_c(JsonWriter *w, const char *key, const char *s);
void json_member_bool(JsonWriter *w, const char *key, bool v);
void json_member_i64(JsonWriter *w, const char *key, int64_t v);

/*
 * Splices: a list of replacements by byte range, applied in one pass. For meta, id,
 * references. Ranges must not overlap.
 */
typedef struct JsonSplice {
    uint32_t at, end; /* replaced range; at == end inserts */
    Str with;
} JsonSplice;
Str json_splice(Arena *a, Str bytes, const JsonSplice *s, size_t n);
/*
 * A value as a document of its own, without parsing it again. The splices count from its first byte
 * and are put in order; each replaces a string as a whole, or bytes inside of one that are no part
 * of an escape, by such that need no escapes. The bytes are those of `d` where there is no splice.
 * ERR_TOO_LARGE.
 */
Status json_part(Arena *a, const JsonDoc *d, JsonRef r, JsonSplice *s, size_t n, JsonDoc *ret,
                 Err *err) MUST_USE;
/* The splice that sets a member of an object, replacing or inserting after the named member or
 * first. */
JsonSplice json_splice_member(Arena *a, const JsonDoc *d, JsonRef object, const char *key,
                              Str json_value, const char *after_key);

/* Pretty print for people: two spaces. */
void json_pretty(Buf *out, const JsonDoc *d, JsonRef r);

#endif
