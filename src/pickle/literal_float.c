#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pickle/literals.h"

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* Whether the text is a word, in whichever case. */
static bool is_word(const char *text, size_t length, const char *word) {
    size_t i = 0;
    while (i < length && word[i] != '\0' && (text[i] | 0x20) == word[i]) {
        i++;
    }
    return i == length && word[i] == '\0';
}

static bool read_special(const char *at, const char *end, bool negative, double *value) {
    size_t length = (size_t)(end - at);
    if (is_word(at, length, "inf") || is_word(at, length, "infinity")) {
        *value = (double)(negative ? -INFINITY : INFINITY);
        return true;
    }
    *value = (double)NAN;
    return is_word(at, length, "nan");
}

/* Digits, of which `point` stand behind the point. */
static const char *copy_digits(const char *at, const char *end, char **to, int64_t *point) {
    bool fraction = false;
    for (; at < end && (is_digit(*at) || (*at == '.' && !fraction)); at++) {
        if (*at == '.') {
            fraction = true;
        } else {
            *(*to)++ = *at;
            *point += fraction;
        }
    }
    return at;
}

/* An exponent; far beyond what a double has, it stays where it is. */
static const char *read_exponent(const char *at, const char *end, int64_t *exponent) {
    bool negative = at < end && *at == '-';
    at += at < end && (*at == '-' || *at == '+');
    const char *first = at;
    for (; at < end && is_digit(*at); at++) {
        *exponent = *exponent < INT64_MAX / 16 ? *exponent * 10 + (*at - '0') : *exponent;
    }
    *exponent = negative ? -*exponent : *exponent;
    return at > first ? at : NULL;
}

/*
 * strtod() reads the point of the caller's locale, and hexadecimal digits. So the grammar is
 * checked here, and what it gets is a whole number with an exponent.
 */
bool sft_read_float(const char *text, uint64_t length, char *room, double *value) {
    const char *nul = memchr(text, '\0', (size_t)length);
    const char *end = nul != NULL ? nul : text + length;
    const char *at = text;
    bool negative = at < end && *at == '-';
    at += at < end && (*at == '-' || *at == '+');
    if (at < end && !is_digit(*at) && *at != '.') {
        return read_special(at, end, negative, value);
    }
    char *to = room;
    int64_t point = 0;
    int64_t exponent = 0;
    at = copy_digits(at, end, &to, &point);
    if (to == room) {
        return false;
    }
    if (at < end && (*at | 0x20) == 'e') {
        at = read_exponent(at + 1, end, &exponent);
    }
    if (at != end) {
        return false;
    }
    snprintf(to, 32, "e%" PRId64, exponent - point);
    errno = 0;
    double size = strtod(room, NULL);
    *value = negative ? -size : size;
    return errno != ERANGE || fabs(size) < 1.0;
}
