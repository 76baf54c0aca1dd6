#include "pickle/literals.h"

#include <string.h>

#define BEYOND_DIGIT 36

static bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static unsigned digit_of(char c) {
    if (c >= '0' && c <= '9') {
        return (unsigned)(c - '0');
    }
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'z' ? (unsigned)(lower - 'a') + 10 : BEYOND_DIGIT;
}

static void add_digit(sft_number *number, unsigned base, unsigned digit) {
    if (number->beyond) {
        return;
    }
    uint64_t carry = digit;
    for (unsigned i = 0; i < 4; i++) {
        carry += (uint64_t)number->digits[i] * base;
        number->digits[i] = (uint32_t)carry;
        carry >>= 32;
    }
    number->beyond = carry != 0;
}

static bool is_zero(const sft_number *number) {
    return !number->beyond &&
           (number->digits[0] | number->digits[1] | number->digits[2] | number->digits[3]) == 0;
}

/* Length of the C string. */
static uint64_t cut_at_nul(const char *text, uint64_t length) {
    const char *end = memchr(text, '\0', (size_t)length);
    return end != NULL ? (uint64_t)(end - text) : length;
}

static const char *skip_space(const char *at, const char *end) {
    while (at < end && is_space(*at)) {
        at++;
    }
    return at;
}

static const char *read_sign(const char *at, const char *end, sft_number *number) {
    memset(number, 0, sizeof *number);
    if (at < end && (*at == '-' || *at == '+')) {
        number->negative = *at == '-';
        return at + 1;
    }
    return at;
}

static bool has_prefix(const char *at, const char *end, char letter) {
    return end - at >= 2 && at[0] == '0' && (at[1] | 0x20) == letter;
}

/* The base that a prefix names; a leading zero without one allows for nothing but zero. */
static unsigned base_of(const char *at, const char *end, bool *only_zero) {
    *only_zero = false;
    if (has_prefix(at, end, 'x')) {
        return 16;
    }
    if (has_prefix(at, end, 'o')) {
        return 8;
    }
    if (has_prefix(at, end, 'b')) {
        return 2;
    }
    *only_zero = at < end && *at == '0';
    return 10;
}

/* Digits with single underscores between them; NULL if there are none. */
static const char *read_digits(const char *at, const char *end, unsigned base, sft_number *number) {
    bool after_digit = false;
    for (; at < end; at++) {
        unsigned digit = digit_of(*at);
        if (digit < base) {
            add_digit(number, base, digit);
        } else if (*at != '_' || !after_digit) {
            break;
        }
        after_digit = digit < base;
    }
    return after_digit ? at : NULL;
}

bool sft_read_int(const char *text, uint64_t length, unsigned base, sft_number *number) {
    const char *end = text + cut_at_nul(text, length);
    const char *at = read_sign(skip_space(text, end), end, number);
    bool only_zero = false;
    if (base == 0) {
        base = base_of(at, end, &only_zero);
        if (base != 10) {
            at += 2;
            /* One underscore may follow the prefix. */
            at += at < end && *at == '_';
        }
    }
    at = read_digits(at, end, base, number);
    return at != NULL && (!only_zero || is_zero(number)) && skip_space(at, end) == end;
}

/* True if strtol() takes all of the string and its result fits. */
static bool read_as_strtol(const char *text, const char *end, sft_number *number) {
    const char *at = read_sign(skip_space(text, end), end, number);
    unsigned base = 10;
    if (at < end && *at == '0') {
        bool is_hex = has_prefix(at, end, 'x') && end - at >= 3 && digit_of(at[2]) < 16;
        base = is_hex ? 16 : 8;
        at += is_hex ? 2 : 0;
    }
    const char *first = at;
    for (; at < end && digit_of(*at) < base; at++) {
        add_digit(number, base, digit_of(*at));
    }
    int64_t value;
    /* Where it finds no number it stops at the first character, which may be the end. */
    return (at > first || text == end) && at == end && sft_number_int(number, &value);
}

bool sft_read_c_int(const char *text, uint64_t length, sft_number *number, bool *is_bool) {
    *is_bool = false;
    if (length == 0) {
        return false;
    }
    if (!read_as_strtol(text, text + cut_at_nul(text, length), number)) {
        return sft_read_int(text, length, 0, number);
    }
    /* "01" and "00" were meant to be bools; anything of two characters that is 1 or 0 counts. */
    int64_t value;
    *is_bool = length == 2 && sft_number_int(number, &value) && (value == 0 || value == 1);
    return true;
}

bool sft_number_int(const sft_number *number, int64_t *value) {
    if (number->beyond || number->digits[2] != 0 || number->digits[3] != 0) {
        return false;
    }
    uint64_t size = (uint64_t)number->digits[1] << 32 | number->digits[0];
    if (size > (uint64_t)INT64_MAX + number->negative) {
        return false;
    }
    if (!number->negative) {
        *value = (int64_t)size;
    } else {
        *value = size > INT64_MAX ? INT64_MIN : -(int64_t)size;
    }
    return true;
}

size_t sft_number_bytes(const sft_number *number, char bytes[17]) {
    unsigned char all[17] = {0};
    unsigned carry = number->negative;
    for (unsigned i = 0; i < sizeof all; i++) {
        unsigned byte = i < 16 ? number->digits[i / 4] >> (8 * (i % 4)) & 0xff : 0;
        byte = number->negative ? (byte ^ 0xff) + carry : byte;
        carry = byte >> 8;
        all[i] = (unsigned char)byte;
    }
    size_t used = sizeof all;
    /* A byte that only repeats the sign of the one below it says nothing. */
    while (used > 1 && all[used - 1] == ((all[used - 2] & 0x80) != 0 ? 0xff : 0)) {
        used--;
    }
    memcpy(bytes, all, used);
    return used;
}
