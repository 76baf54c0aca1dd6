/*
 * Reading JSON (RFC 8259) in one pass: no tree, no recursion, integers exact.
 *
 * The text is UTF-8 that was checked before, and a NUL stands behind its end. As
 * a NUL is no part of JSON, no scan runs past it, and none needs to ask for the
 * end at every byte.
 */
#ifndef SFT_SRC_FORMAT_JSON_H
#define SFT_SRC_FORMAT_JSON_H

#include <sft/base.h>

#include "base/arena.h"
#include "base/names.h"

/* Levels of arrays and objects that are accepted, as in the Rust implementation. */
#define SFT_JSON_DEPTH 127U

typedef struct sft_json {
    const char *start; /* of the text */
    const char *end;   /* where the NUL stands */
    const char *at;    /* what comes next */
    uint64_t base;     /* offset of `start` in the file, for errors */
    sft_arena *arena;  /* for strings that hold an escape */
    sft_error *error;
} sft_json;

/*
 * Begins to read a text. Checks its encoding: SFT_BYTE_ORDER_MARK, SFT_INVALID_UTF8.
 */
sft_status sft_json_begin(sft_json *json, const char *text, uint64_t size, uint64_t base,
                          sft_arena *arena, sft_error *error);

/* Fails with a message, at a place in the text. */
sft_status sft_json_fail(const sft_json *json, sft_status status, const char *at,
                         const char *message);

/* SFT_INVALID_JSON at `at`, telling what was expected and what stands there. */
sft_status sft_json_expected(const sft_json *json, const char *at, const char *what);

static inline void sft_json_space(sft_json *json) {
    const char *at = json->at;
    while (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r') {
        at++;
    }
    json->at = at;
}

/* Steps over `wanted` and the space before and after it; false, and no step, if it is not there. */
static inline bool sft_json_take(sft_json *json, char wanted) {
    sft_json_space(json);
    if (*json->at != wanted) {
        return false;
    }
    json->at++;
    sft_json_space(json);
    return true;
}

/*
 * Reads a string whose opening quote is next. The value is unescaped: it lies in the
 * text itself, or in the arena if it holds an escape. `string` may be NULL.
 */
sft_status sft_json_string(sft_json *json, sft_named *string);

/* Reads a key, the colon behind it and the space around both. */
sft_status sft_json_key(sft_json *json, sft_named *key);

typedef enum sft_json_unsigned_result {
    SFT_JSON_UNSIGNED,  /* read */
    SFT_JSON_OTHER,     /* something else, or a number with sign, fraction or exponent */
    SFT_JSON_TOO_LARGE, /* 2^64 or more */
} sft_json_unsigned_result;

/* Reads a non-negative integer; on any other result nothing was consumed. */
sft_json_unsigned_result sft_json_unsigned(sft_json *json, uint64_t *value);

/* Steps over the word, true, false or null, if it is next. */
bool sft_json_word(sft_json *json, const char *word);

/*
 * Steps over one value of any kind. `depth` counts the arrays and objects that are open
 * already. Time is linear in the value, memory constant.
 */
sft_status sft_json_skip(sft_json *json, uint32_t depth);

/*
 * Steps over an opening bracket, which is next, and tells whether an element follows; if not, over
 * the closing one too.
 */
bool sft_json_enter(sft_json *json, char closing);

/* After an element of an object or array: true if another follows, false at the end. */
sft_status sft_json_more(sft_json *json, char closing, bool *more);

#endif
