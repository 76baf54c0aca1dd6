#include "checkpoint/literal.h"

#include <string.h>

#include "base/error.h"
#include "base/utf8.h"

sft_status sft_literal_fail(const sft_literal *literal, const char *message) {
    sft_fail(literal->error, SFT_MALFORMED_SOURCE,
             literal->base + (uint64_t)(literal->at - literal->start), "%s", message);
    return SFT_MALFORMED_SOURCE;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_word(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (unsigned char)c >= 0x80;
}

void sft_literal_space(sft_literal *literal) {
    while (literal->at < literal->end && memchr(" \t\n\r\f", *literal->at, 5) != NULL) {
        literal->at++;
    }
}

bool sft_literal_take(sft_literal *literal, char punctuation) {
    sft_literal_space(literal);
    bool next = literal->at < literal->end && *literal->at == punctuation;
    literal->at += next ? 1 : 0;
    return next;
}

/* ---- texts ---- */

/* Python 2 wrote u'' too. Bytes and raw texts stand in no header. */
static const char *quote_of(const sft_literal *literal) {
    const char *at = literal->at;
    if (at < literal->end && *at == 'u') {
        at++;
    }
    return at < literal->end && (*at == '\'' || *at == '"') ? at : NULL;
}

bool sft_literal_at_string(sft_literal *literal) {
    sft_literal_space(literal);
    return quote_of(literal) != NULL;
}

typedef struct writer {
    char *to;
    size_t room;
    size_t length;
} writer;

static void put(writer *out, const char *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) {
        if (out->length < out->room) {
            out->to[out->length] = bytes[i];
        }
        out->length++;
    }
}

static int digit_of(char c, int base) {
    int value = is_digit(c)            ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : base;
    return value < base ? value : -1;
}

/* A character by its number: `digits` of them, or fewer if octal. */
static sft_status put_number(sft_literal *literal, writer *out, int base, size_t digits) {
    uint32_t number = 0;
    size_t seen = 0;
    while (seen < digits && literal->at < literal->end && digit_of(*literal->at, base) >= 0) {
        number = number * (uint32_t)base + (uint32_t)digit_of(*literal->at++, base);
        seen++;
    }
    if ((base == 16 && seen < digits) || number > 0x10ffff ||
        (number >= 0xd800 && number <= 0xdfff)) {
        return sft_literal_fail(literal, "an escape in a text stands for no character");
    }
    char bytes[4];
    put(out, bytes, sft_utf8_encode(number, bytes));
    return SFT_OK;
}

/* Behind a backslash; the rules are those of "String and Bytes literals" in Python's reference. */
static sft_status put_escape(sft_literal *literal, writer *out) {
    static const char letters[] = "\\'\"abfnrtv";
    static const char meanings[] = "\\'\"\a\b\f\n\r\t\v";
    if (literal->at == literal->end) {
        return sft_literal_fail(literal, "a text does not end");
    }
    char c = *literal->at;
    const char *letter = c != '\0' ? strchr(letters, c) : NULL;
    if (letter != NULL) {
        literal->at++;
        put(out, &meanings[letter - letters], 1);
        return SFT_OK;
    }
    if (c >= '0' && c <= '7') {
        return put_number(literal, out, 8, 3);
    }
    if (c == 'x' || c == 'u' || c == 'U') {
        literal->at++;
        return put_number(literal, out, 16, c == 'x' ? 2 : c == 'u' ? 4 : 8);
    }
    if (c == 'N' || c == '\n' || c == '\r') {
        return sft_literal_fail(literal, "an escape of a kind that no header needs");
    }
    /* An unknown escape is no escape. */
    put(out, "\\", 1);
    return SFT_OK;
}

sft_status sft_literal_string(sft_literal *literal, char *to, size_t room, size_t *length) {
    sft_literal_space(literal);
    const char *open = quote_of(literal);
    if (open == NULL) {
        return sft_literal_fail(literal, "a text in quotes is missing");
    }
    char quote = *open;
    literal->at = open + 1;
    if (literal->end - literal->at >= 2 && literal->at[0] == quote && literal->at[1] == quote) {
        return sft_literal_fail(literal, "a text in three quotes");
    }
    writer out = {to, room, 0};
    while (literal->at < literal->end && *literal->at != quote) {
        char c = *literal->at;
        if (c == '\n' || c == '\r' || c == '\0') {
            return sft_literal_fail(literal, "a text goes on behind the end of its line");
        }
        literal->at++;
        if (c != '\\') {
            put(&out, &c, 1);
            continue;
        }
        sft_status status = put_escape(literal, &out);
        if (status != SFT_OK) {
            return status;
        }
    }
    if (literal->at == literal->end) {
        return sft_literal_fail(literal, "a text does not end");
    }
    literal->at++;
    *length = out.length;
    return SFT_OK;
}

/* ---- numbers and words ---- */

bool sft_literal_at_number(sft_literal *literal) {
    sft_literal_space(literal);
    return literal->at < literal->end && is_digit(*literal->at);
}

sft_status sft_literal_unsigned(sft_literal *literal, uint64_t *value) {
    if (!sft_literal_at_number(literal)) {
        return sft_literal_fail(literal, "a number that is not negative is missing");
    }
    const char *first = literal->at;
    *value = 0;
    for (; literal->at < literal->end && is_digit(*literal->at); literal->at++) {
        uint64_t digit = (uint64_t)(*literal->at - '0');
        if (*value > (UINT64_MAX - digit) / 10) {
            return sft_literal_fail(literal, "a number is 2^64 or more");
        }
        *value = *value * 10 + digit;
    }
    if (*first == '0' && *value != 0) {
        return sft_literal_fail(literal, "a number begins with zero");
    }
    if (literal->at < literal->end && *literal->at == 'L') {
        literal->at++;
    }
    return literal->at < literal->end && (is_word(*literal->at) || *literal->at == '.')
               ? sft_literal_fail(literal, "a number is not a whole one")
               : SFT_OK;
}

bool sft_literal_word(sft_literal *literal, const char *word) {
    sft_literal_space(literal);
    size_t length = strlen(word);
    size_t left = (size_t)(literal->end - literal->at);
    if (left < length || memcmp(literal->at, word, length) != 0 ||
        (left > length && is_word(literal->at[length]))) {
        return false;
    }
    literal->at += length;
    return true;
}
