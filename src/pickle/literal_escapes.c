#include <string.h>

#include "base/utf8.h"
#include "pickle/literals.h"

static int hex_of(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* The number that `count` hexadecimal digits are, or -1. */
static int64_t read_hex(const char *at, const char *end, unsigned count) {
    if (end - at < (ptrdiff_t)count) {
        return -1;
    }
    int64_t number = 0;
    for (unsigned i = 0; i < count; i++) {
        int digit = hex_of(at[i]);
        if (digit < 0) {
            return -1;
        }
        number = number * 16 + digit;
    }
    return number;
}

/* Up to three octal digits; what does not fit in a byte is lost, as in CPython. */
static const char *read_octal(const char *at, const char *end, char *to) {
    unsigned number = 0;
    for (unsigned i = 0; i < 3 && at < end && *at >= '0' && *at <= '7'; i++, at++) {
        number = number * 8 + (unsigned)(*at - '0');
    }
    *to = (char)(number & 0xff);
    return at;
}

bool sft_unescape_bytes(const char *text, uint64_t length, char *to, uint64_t *used) {
    static const char letters[] = "\\'\"abfnrtv";
    static const char meanings[] = "\\'\"\a\b\f\n\r\t\v";
    const char *end = text + length;
    char *first = to;
    for (const char *at = text; at < end;) {
        char c = *at++;
        if (c != '\\') {
            *to++ = c;
            continue;
        }
        if (at == end) {
            return false;
        }
        const char *letter = *at != '\0' ? strchr(letters, *at) : NULL;
        if (letter != NULL) {
            *to++ = meanings[letter - letters];
            at++;
        } else if (*at >= '0' && *at <= '7') {
            at = read_octal(at, end, to++);
        } else if (*at == 'x') {
            int64_t byte = read_hex(at + 1, end, 2);
            if (byte < 0) {
                return false;
            }
            *to++ = (char)byte;
            at += 3;
        } else {
            /* No escape: the backslash stays. */
            *to++ = c;
        }
    }
    *used = (uint64_t)(to - first);
    return true;
}

static size_t encode(uint32_t code, char *to) {
    if (code < 0xd800 || code > 0xdfff) {
        return sft_utf8_encode(code, to);
    }
    to[0] = (char)(0xe0 | (code >> 12));
    to[1] = (char)(0x80 | (code >> 6 & 0x3f));
    to[2] = (char)(0x80 | (code & 0x3f));
    return 3;
}

bool sft_unescape_unicode(const char *text, uint64_t length, char *to, uint64_t *used) {
    const char *end = text + length;
    char *first = to;
    for (const char *at = text; at < end;) {
        unsigned char c = (unsigned char)*at++;
        if (c != '\\' || at == end) {
            to += encode(c, to);
            continue;
        }
        /* Two backslashes stay two: the second one begins no escape. */
        char letter = *at++;
        if (letter != 'u' && letter != 'U') {
            *to++ = '\\';
            to += encode((unsigned char)letter, to);
            continue;
        }
        unsigned count = letter == 'u' ? 4 : 8;
        int64_t code = read_hex(at, end, count);
        if (code < 0 || code > 0x10ffff) {
            return false;
        }
        to += encode((uint32_t)code, to);
        at += count;
    }
    *used = (uint64_t)(to - first);
    return true;
}
