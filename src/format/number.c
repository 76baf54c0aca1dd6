#include "format/number.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/*
 * RFC 8259 leaves the range of numbers to the reader. The Rust implementation reads those of
 * ignored fields as doubles and refuses a file whose number becomes infinite; so do we, in order to
 * accept the same files. The value itself is not needed, only its size: the decimal exponent of its
 * first digit, and at the edge its leading digits.
 */
typedef struct magnitude {
    char digits[24]; /* the first significant ones */
    unsigned kept;
    int64_t exponent; /* of the first significant digit */
    bool zero;
} magnitude;

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static void add_digit(magnitude *size, char digit) {
    if (!size->zero || digit != '0') {
        size->zero = false;
        if (size->kept < sizeof size->digits) {
            size->digits[size->kept++] = digit;
        }
    }
}

static const char *scan_whole(const char *at, magnitude *size) {
    if (*at == '0') {
        return at + 1;
    }
    const char *first = at;
    while (is_digit(*at)) {
        add_digit(size, *at++);
    }
    size->exponent = at - first - 1;
    return at;
}

static const char *scan_fraction(const char *at, magnitude *size) {
    for (int64_t place = -1; is_digit(*at); place--, at++) {
        bool was_zero = size->zero;
        add_digit(size, *at);
        if (was_zero && !size->zero) {
            size->exponent = place;
        }
    }
    return at;
}

static const char *scan_exponent(const char *at, magnitude *size) {
    bool negative = *at == '-';
    int64_t exponent = 0;
    at += *at == '-' || *at == '+' ? 1 : 0;
    for (; is_digit(*at); at++) {
        /* Far beyond any header's length: it decides alone, and cannot overflow. */
        if (exponent < INT64_C(1000000000000)) {
            exponent = exponent * 10 + (*at - '0');
        }
    }
    size->exponent += negative ? -exponent : exponent;
    return at;
}

/* Halfway between the largest double and what would follow it, 1.797…e308: from here on a number
 * rounds to infinity. */
static bool beyond_double(const magnitude *size) {
    static const char edge[] = "179769313486231580793728";
    if (size->zero || size->exponent != 308) {
        return !size->zero && size->exponent > 308;
    }
    char digits[sizeof size->digits];
    memset(digits, '0', sizeof digits);
    memcpy(digits, size->digits, size->kept);
    return memcmp(digits, edge, sizeof digits) >= 0;
}

sft_number_result sft_number_scan(const char *at, const char **end) {
    magnitude size = {.zero = true};
    at += *at == '-' ? 1 : 0;
    *end = at;
    if (!is_digit(*at)) {
        return SFT_NUMBER_MALFORMED;
    }
    at = scan_whole(at, &size);
    if (*at == '.') {
        *end = at + 1;
        if (!is_digit(at[1])) {
            return SFT_NUMBER_MALFORMED;
        }
        at = scan_fraction(at + 1, &size);
    }
    if (*at == 'e' || *at == 'E') {
        const char *digits = at + 1;
        digits += *digits == '-' || *digits == '+' ? 1 : 0;
        *end = digits;
        if (!is_digit(*digits)) {
            return SFT_NUMBER_MALFORMED;
        }
        at = scan_exponent(at + 1, &size);
    }
    *end = at;
    return beyond_double(&size) ? SFT_NUMBER_OUT_OF_RANGE : SFT_NUMBER_GOOD;
}
