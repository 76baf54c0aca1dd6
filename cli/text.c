#include "text.h"

#include "exits.h"

#include <sft.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Written as it stands: a message that is put together would need memory. */
static _Noreturn void out_of_memory(void) {
    static const char line[] = "sft: NO_MEMORY: an allocation failed\n";
    ssize_t written = write(STDERR_FILENO, line, sizeof line - 1);
    (void)written;
    exit(EXIT_TROUBLE);
}

void *memory_grow(void *memory, size_t count, size_t size) {
    if (size != 0 && count > SIZE_MAX / size) {
        out_of_memory();
    }
    size_t bytes = count * size;
    void *grown = realloc(memory, bytes == 0 ? 1 : bytes);
    if (grown == NULL) {
        out_of_memory();
    }
    return grown;
}

void *memory_take(size_t count, size_t size) {
    return memory_grow(NULL, count, size);
}

static void text_reserve(struct text *text, size_t more) {
    if (more >= SIZE_MAX / 2 - text->length) {
        out_of_memory();
    }
    size_t needed = text->length + more + 1;
    if (needed <= text->room) {
        return;
    }
    size_t room = text->room < 64 ? 64 : text->room;
    while (room < needed) {
        room *= 2;
    }
    text->bytes = memory_grow(text->bytes, room, 1);
    text->room = room;
}

void text_add(struct text *text, const void *bytes, size_t length) {
    text_reserve(text, length);
    if (length > 0) {
        memcpy(text->bytes + text->length, bytes, length);
    }
    text->length += length;
    text->bytes[text->length] = '\0';
}

void text_add_string(struct text *text, const char *string) {
    text_add(text, string, strlen(string));
}

void text_add_format(struct text *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length <= 0) {
        return;
    }
    text_reserve(text, (size_t)length);
    va_start(arguments, format);
    vsnprintf(text->bytes + text->length, (size_t)length + 1, format, arguments);
    va_end(arguments);
    text->length += (size_t)length;
}

void text_clear(struct text *text) {
    text->length = 0;
}

void text_free(struct text *text) {
    free(text->bytes);
    *text = (struct text)TEXT_EMPTY;
}

size_t text_decode(const char *bytes, size_t length, uint32_t *point) {
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char first = (unsigned char)bytes[0];
    *point = first;
    if (first < 0x80) {
        return 1;
    }
    size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    *point = TEXT_MALFORMED;
    if (first < 0xC2 || first > 0xF4 || length < size) {
        return 1;
    }
    uint32_t value = first & (0x7FU >> size);
    for (size_t i = 1; i < size; i++) {
        unsigned char next = (unsigned char)bytes[i];
        if ((next & 0xC0) != 0x80) {
            return 1;
        }
        value = value << 6 | (next & 0x3FU);
    }
    if (value < least[size] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) {
        return 1;
    }
    *point = value;
    return size;
}

bool text_is_utf8(const char *bytes, size_t length) {
    for (size_t at = 0; at < length;) {
        uint32_t point;
        at += text_decode(bytes + at, length - at, &point);
        if (point == TEXT_MALFORMED) {
            return false;
        }
    }
    return true;
}

size_t text_width(const char *bytes, size_t length) {
    size_t width = 0;
    for (size_t i = 0; i < length; i++) {
        width += ((unsigned char)bytes[i] & 0xC0) != 0x80;
    }
    return width;
}

/* What sft_escape() escapes: in JSON it must be written as \\u, so that it stays readable by
 * programs. */
static bool unsafe(uint32_t point) {
    return point < 0x20 || (point >= 0x7F && point <= 0x9F) || point == 0x61C ||
           (point >= 0x200E && point <= 0x200F) || (point >= 0x2028 && point <= 0x202E) ||
           (point >= 0x2066 && point <= 0x2069) || point == 0xFEFF;
}

void text_escape(struct text *to, const char *bytes, size_t length, const char *keep) {
    size_t escaped = sft_escape(bytes, length, keep, NULL, 0);
    text_reserve(to, escaped);
    sft_escape(bytes, length, keep, to->bytes + to->length, escaped + 1);
    to->length += escaped;
}

void text_escape_cut(struct text *to, const char *bytes, size_t length, size_t most) {
    size_t end = length < most ? length : most;
    while (end < length && end > 0 && ((unsigned char)bytes[end] & 0xC0) == 0x80) {
        end--;
    }
    text_escape(to, bytes, end, "");
    if (end < length) {
        text_add_format(to, "... (%zu bytes)", length);
    }
}

static void quote_point(struct text *to, uint32_t point) {
    static const char plain[] = "\"\\\n\r\t";
    static const char letters[] = "\"\\nrt";
    const char *letter = point != 0 && point < 0x80 ? strchr(plain, (int)point) : NULL;
    if (letter != NULL) {
        text_add_format(to, "\\%c", letters[letter - plain]);
    } else {
        text_add_format(to, "\\u%04x", (unsigned)point);
    }
}

void text_quote(struct text *to, const char *bytes, size_t length) {
    text_add(to, "\"", 1);
    size_t safe_from = 0;
    size_t at = 0;
    while (at < length) {
        uint32_t point;
        size_t size = text_decode(bytes + at, length - at, &point);
        if (point == '"' || point == '\\' || unsafe(point) || point == TEXT_MALFORMED) {
            text_add(to, bytes + safe_from, at - safe_from);
            if (point == TEXT_MALFORMED) {
                text_add_string(to, "\xEF\xBF\xBD");
            } else {
                quote_point(to, point);
            }
            safe_from = at + size;
        }
        at += size;
    }
    text_add(to, bytes + safe_from, length - safe_from);
    text_add(to, "\"", 1);
}

static void add_point(struct text *to, uint32_t point) {
    unsigned char bytes[4];
    size_t size = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (size_t i = size; i-- > 1; point >>= 6) {
        bytes[i] = (unsigned char)(0x80U | (point & 0x3FU));
    }
    static const unsigned char lead[5] = {0, 0, 0xC0, 0xE0, 0xF0};
    bytes[0] = (unsigned char)(lead[size] | point);
    text_add(to, bytes, size);
}

/* The four digits of \uXXXX; false if they are not. */
static bool read_hex4(const char *bytes, size_t length, uint32_t *value) {
    static const char digits[] = "0123456789abcdef";
    *value = 0;
    for (size_t i = 0; i < 4; i++) {
        const char *digit =
            i < length && bytes[i] != '\0'
                ? strchr(digits,
                         bytes[i] >= 'A' && bytes[i] <= 'F' ? bytes[i] - 'A' + 'a' : bytes[i])
                : NULL;
        if (digit == NULL) {
            return false;
        }
        *value = *value << 4 | (uint32_t)(digit - digits);
    }
    return true;
}

/* One escape, from its backslash on; returns the bytes it takes, 0 if it is none. */
static size_t unescape(struct text *to, const char *bytes, size_t length) {
    static const char letters[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    if (length < 2) {
        return 0;
    }
    const char *letter = bytes[1] != '\0' ? strchr(letters, bytes[1]) : NULL;
    if (letter != NULL) {
        text_add(to, meanings + (letter - letters), 1);
        return 2;
    }
    uint32_t point;
    if (bytes[1] != 'u' || !read_hex4(bytes + 2, length - 2, &point)) {
        return 0;
    }
    if (point < 0xD800 || point > 0xDFFF) {
        add_point(to, point);
        return 6;
    }
    uint32_t low;
    if (point > 0xDBFF || length < 12 || bytes[6] != '\\' || bytes[7] != 'u' ||
        !read_hex4(bytes + 8, length - 8, &low) || low < 0xDC00 || low > 0xDFFF) {
        return 0;
    }
    add_point(to, 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00));
    return 12;
}

size_t text_unquote(struct text *to, const char *bytes, size_t length) {
    if (length == 0 || bytes[0] != '"') {
        return 0;
    }
    size_t at = 1;
    while (at < length && bytes[at] != '"') {
        size_t size = 1;
        if (bytes[at] == '\\') {
            size = unescape(to, bytes + at, length - at);
        } else {
            text_add(to, bytes + at, 1);
        }
        if (size == 0) {
            return 0;
        }
        at += size;
    }
    return at < length ? at + 1 : 0;
}
