#include "format/json.h"

#include <string.h>

#include "base/error.h"
#include "base/utf8.h"
#include "format/number.h"

static uint64_t offset_of(const sft_json *json, const char *at) {
    return json->base + (uint64_t)(at - json->start);
}

sft_status sft_json_begin(sft_json *json, const char *text, uint64_t size, uint64_t base,
                          sft_arena *arena, sft_error *error) {
    *json = (sft_json){text, text + size, text, base, arena, error};
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        return sft_json_fail(json, SFT_BYTE_ORDER_MARK, text,
                             "it begins with a byte order mark, which JSON does not allow");
    }
    size_t bad = sft_utf8_check((const unsigned char *)text, (size_t)size);
    if (bad < size) {
        return sft_fail(error, SFT_INVALID_UTF8, base + bad,
                        "invalid UTF-8: byte 0x%02x begins no well-formed character",
                        (unsigned char)text[bad]);
    }
    return SFT_OK;
}

sft_status sft_json_fail(const sft_json *json, sft_status status, const char *at,
                         const char *message) {
    return sft_fail(json->error, status, offset_of(json, at), "%s", message);
}

sft_status sft_json_expected(const sft_json *json, const char *at, const char *what) {
    if (at == json->end) {
        return sft_fail(json->error, SFT_INVALID_JSON, offset_of(json, at),
                        "invalid JSON: it ends where %s should stand", what);
    }
    size_t length = sft_utf8_length((const unsigned char *)at, (size_t)(json->end - at));
    return sft_fail(json->error, SFT_INVALID_JSON, offset_of(json, at),
                    "invalid JSON: '%s' where %s should stand",
                    sft_show(at, length > 0 ? length : 1).text, what);
}

/* ---- strings ---- */

#define EVERY_BYTE UINT64_C(0x0101010101010101)

/* Non-zero if one of eight bytes is a quote, a backslash or below 0x20; never wrongly zero. */
static uint64_t special_bytes(uint64_t word) {
    uint64_t quote = word ^ EVERY_BYTE * '"';
    uint64_t backslash = word ^ EVERY_BYTE * '\\';
    return (((word - EVERY_BYTE * 0x20) & ~word) | ((quote - EVERY_BYTE) & ~quote) |
            ((backslash - EVERY_BYTE) & ~backslash)) &
           EVERY_BYTE * 0x80;
}

/* The first quote, backslash or control character; the NUL behind the text is one. */
static const char *next_special(const sft_json *json, const char *at) {
    while (json->end - at >= 8) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        uint64_t special = special_bytes(word);
        if (special == 0) {
            at += 8;
            continue;
        }
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        /* The lowest mark is exact: a borrow can only have spoilt the bytes above it. */
        return at + (__builtin_ctzll(special) >> 3);
#else
        break;
#endif
    }
    while ((unsigned char)*at >= 0x20 && *at != '"' && *at != '\\') {
        at++;
    }
    return at;
}

/* Four hexadecimal digits, or -1. */
static int32_t hex4(const char *at) {
    int32_t value = 0;
    for (int i = 0; i < 4; i++) {
        char c = at[i];
        int32_t digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
        if (digit < 0) {
            return -1;
        }
        value = value * 16 + digit;
    }
    return value;
}

/* Reads \uXXXX, or a pair of them that stands for one character; `at` is behind the backslash. */
static sft_status unicode_escape(const sft_json *json, const char **at, uint32_t *code_point) {
    const char *escape = *at - 1;
    int32_t first = hex4(*at + 1);
    if (first < 0) {
        return sft_json_fail(json, SFT_INVALID_JSON, escape,
                             "invalid JSON: \\u needs four hexadecimal digits");
    }
    *at += 5;
    *code_point = (uint32_t)first;
    if (first < 0xd800 || first > 0xdfff) {
        return SFT_OK;
    }
    int32_t second = first < 0xdc00 && (*at)[0] == '\\' && (*at)[1] == 'u' ? hex4(*at + 2) : -1;
    if (second < 0xdc00 || second > 0xdfff) {
        return sft_json_fail(json, SFT_INVALID_JSON, escape,
                             "invalid JSON: half of a surrogate pair");
    }
    *at += 6;
    *code_point = 0x10000 + ((uint32_t)(first - 0xd800) << 10) + (uint32_t)(second - 0xdc00);
    return SFT_OK;
}

/* Reads one escape whose backslash is at *at; appends its character at `to` where that is not NULL.
 */
static sft_status read_escape(const sft_json *json, const char **at, char *to, size_t *length) {
    static const char letters[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    const char *letter = (*at)[1] != '\0' ? strchr(letters, (*at)[1]) : NULL;
    *at += 1;
    if (letter != NULL) {
        if (to != NULL) {
            to[*length] = meanings[letter - letters];
        }
        *length += 1;
        *at += 1;
        return SFT_OK;
    }
    if (**at != 'u') {
        return sft_json_fail(json, SFT_INVALID_JSON, *at - 1, "invalid JSON: no such escape");
    }
    uint32_t code_point = 0;
    sft_status status = unicode_escape(json, at, &code_point);
    if (status != SFT_OK) {
        return status;
    }
    char encoded[4];
    size_t bytes = sft_utf8_encode(code_point, encoded);
    if (to != NULL) {
        memcpy(to + *length, encoded, bytes);
    }
    *length += bytes;
    return SFT_OK;
}

/*
 * Walks the inside of a string from json->at, which is moved behind the closing quote. Copies the
 * unescaped bytes to `to` unless it is NULL.
 */
static sft_status walk_string(sft_json *json, char *to, size_t *length) {
    const char *at = json->at;
    *length = 0;
    for (;;) {
        const char *special = next_special(json, at);
        if (to != NULL) {
            memcpy(to + *length, at, (size_t)(special - at));
        }
        *length += (size_t)(special - at);
        at = special;
        if (*at == '"') {
            json->at = at + 1;
            return SFT_OK;
        }
        if (*at != '\\') {
            return at == json->end ? sft_json_expected(json, at, "the end of a string")
                                   : sft_json_fail(json, SFT_INVALID_JSON, at,
                                                   "invalid JSON: a control character in a string");
        }
        sft_status status = read_escape(json, &at, to, length);
        if (status != SFT_OK) {
            return status;
        }
    }
}

sft_status sft_json_string(sft_json *json, sft_named *string) {
    if (*json->at != '"') {
        return sft_json_expected(json, json->at, "a string");
    }
    const char *inside = ++json->at;
    const char *special = next_special(json, inside);
    if (*special == '"') {
        json->at = special + 1;
        if (string != NULL) {
            *string = (sft_named){inside, (size_t)(special - inside)};
        }
        return SFT_OK;
    }
    /* Once to check it and learn its length, once to unescape it. */
    size_t length;
    sft_status status = walk_string(json, NULL, &length);
    if (status != SFT_OK || string == NULL) {
        return status;
    }
    char *copy = sft_arena_take(json->arena, length);
    if (copy == NULL) {
        return sft_fail_memory(json->error);
    }
    json->at = inside;
    *string = (sft_named){copy, length};
    return walk_string(json, copy, &length);
}

sft_status sft_json_key(sft_json *json, sft_named *key) {
    if (*json->at != '"') {
        return sft_json_expected(json, json->at, "a key in double quotes");
    }
    sft_status status = sft_json_string(json, key);
    if (status == SFT_OK && !sft_json_take(json, ':')) {
        status = sft_json_expected(json, json->at, "a colon");
    }
    return status;
}

/* ---- numbers and words ---- */

/* Above 9 where the character is no digit. */
static inline uint64_t digit_of(char c) {
    return (uint64_t)(unsigned char)c - '0';
}

sft_json_unsigned_result sft_json_unsigned(sft_json *json, uint64_t *value) {
    const char *at = json->at;
    uint64_t sum = digit_of(*at);
    uint64_t digit;
    if (sum > 9) {
        return SFT_JSON_OTHER;
    }
    at++;
    if (sum != 0) {
        /* Nineteen digits always fit. */
        const char *safe = json->end - at < 18 ? json->end : at + 18;
        for (; at < safe && (digit = digit_of(*at)) <= 9; at++) {
            sum = sum * 10 + digit;
        }
        for (; (digit = digit_of(*at)) <= 9; at++) {
            if (sum > (UINT64_MAX - digit) / 10) {
                return SFT_JSON_TOO_LARGE;
            }
            sum = sum * 10 + digit;
        }
    }
    if (*at == '.' || *at == 'e' || *at == 'E') {
        return SFT_JSON_OTHER;
    }
    *value = sum;
    json->at = at;
    return SFT_JSON_UNSIGNED;
}

bool sft_json_word(sft_json *json, const char *word) {
    size_t length = strlen(word);
    if (strncmp(json->at, word, length) != 0) {
        return false;
    }
    json->at += length;
    return true;
}

static sft_status skip_scalar(sft_json *json) {
    char next = *json->at;
    if (next == '"') {
        return sft_json_string(json, NULL);
    }
    if (next == '-' || (next >= '0' && next <= '9')) {
        const char *end;
        switch (sft_number_scan(json->at, &end)) {
        case SFT_NUMBER_MALFORMED:
            return sft_json_expected(json, end, "a digit");
        case SFT_NUMBER_OUT_OF_RANGE:
            return sft_json_fail(json, SFT_INVALID_JSON, json->at,
                                 "invalid JSON: a number beyond the range of a double");
        case SFT_NUMBER_GOOD:
            break;
        }
        json->at = end;
        return SFT_OK;
    }
    if (sft_json_word(json, "true") || sft_json_word(json, "false") ||
        sft_json_word(json, "null")) {
        return SFT_OK;
    }
    return sft_json_expected(json, json->at, "a value");
}

/* ---- values that are skipped ---- */

/* Which of the open levels are objects: a bit each, so that nesting needs no recursion. */
typedef struct levels {
    uint64_t objects[2];
    uint32_t depth;
} levels;

static bool inside_object(const levels *open) {
    return (open->objects[(open->depth - 1) / 64] >> ((open->depth - 1) % 64) & 1) != 0;
}

static void open_level(levels *open, bool object) {
    uint64_t bit = UINT64_C(1) << (open->depth % 64);
    uint64_t *word = &open->objects[open->depth / 64];
    *word = object ? *word | bit : *word & ~bit;
    open->depth++;
}

/* Steps over an opening bracket or a scalar. *complete tells whether a whole value was read. */
static sft_status enter_value(sft_json *json, levels *open, uint32_t outside, bool *complete) {
    char next = *json->at;
    *complete = true;
    if (next != '{' && next != '[') {
        return skip_scalar(json);
    }
    if (open->depth + outside >= SFT_JSON_DEPTH) {
        return sft_json_fail(json, SFT_NESTED_TOO_DEEP, json->at,
                             "more than 127 levels of arrays and objects");
    }
    if (!sft_json_enter(json, next == '{' ? '}' : ']')) {
        return SFT_OK;
    }
    open_level(open, next == '{');
    *complete = false;
    return next == '{' ? sft_json_key(json, NULL) : SFT_OK;
}

sft_status sft_json_skip(sft_json *json, uint32_t depth) {
    levels open = {{0, 0}, 0};
    for (;;) {
        bool complete;
        sft_status status = enter_value(json, &open, depth, &complete);
        if (status != SFT_OK) {
            return status;
        }
        while (complete) {
            if (open.depth == 0) {
                return SFT_OK;
            }
            bool object = inside_object(&open);
            bool more;
            status = sft_json_more(json, object ? '}' : ']', &more);
            if (status == SFT_OK && more && object) {
                status = sft_json_key(json, NULL);
            }
            if (status != SFT_OK) {
                return status;
            }
            complete = !more;
            open.depth -= more ? 0 : 1;
        }
    }
}

bool sft_json_enter(sft_json *json, char closing) {
    json->at++;
    sft_json_space(json);
    if (*json->at == closing) {
        json->at++;
        return false;
    }
    return true;
}

sft_status sft_json_more(sft_json *json, char closing, bool *more) {
    sft_json_space(json);
    *more = *json->at == ',';
    if (*more) {
        json->at++;
        sft_json_space(json);
        return SFT_OK;
    }
    if (*json->at == closing) {
        json->at++;
        return SFT_OK;
    }
    return sft_json_expected(json, json->at, closing == '}' ? "',' or '}'" : "',' or ']'");
}
