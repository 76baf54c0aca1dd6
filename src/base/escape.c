#include "base/escape.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

sft_line sft_line_begin(char *bytes, size_t size) {
    if (size > 0) {
        bytes[0] = '\0';
    }
    return (sft_line){bytes, size, 0};
}

/* Adds some bytes wholly or not at all, so that a cut never leaves half of a character. */
static void add(sft_line *line, const char *bytes, size_t length) {
    if (line->used < line->size && length < line->size - line->used) {
        memcpy(line->bytes + line->used, bytes, length);
        line->bytes[line->used + length] = '\0';
    } else {
        line->size = line->used < line->size ? line->used : line->size;
    }
    line->used += length;
}

void sft_line_add(sft_line *line, const char *text) {
    for (; *text != '\0'; text++) {
        add(line, text, 1);
    }
}

static uint32_t code_point(const unsigned char *bytes, size_t length) {
    static const unsigned char lead[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t point = bytes[0] & lead[length];
    for (size_t i = 1; i < length; i++) {
        point = point << 6 | (bytes[i] & 0x3fU);
    }
    return point;
}

/* Controls, and the marks that reorder or break a line: a name with them can pass for another. */
static bool is_unsafe(uint32_t point) {
    return point < 0x20 || (point >= 0x7f && point <= 0x9f) || point == 0x61c ||
           (point >= 0x200e && point <= 0x200f) || (point >= 0x2028 && point <= 0x202e) ||
           (point >= 0x2066 && point <= 0x2069) || point == 0xfeff;
}

static void add_escape(sft_line *line, uint32_t point, bool is_byte) {
    char escape[8];
    const char *letter = point == '\n' ? "\\n" : point == '\r' ? "\\r" : "\\t";
    if (!is_byte && (point == '\n' || point == '\r' || point == '\t')) {
        snprintf(escape, sizeof escape, "%s", letter);
    } else {
        snprintf(escape, sizeof escape, is_byte || point < 0x80 ? "\\x%02x" : "\\u%04x",
                 (unsigned)point);
    }
    add(line, escape, strlen(escape));
}

static bool is_kept(uint32_t point, const char *keep) {
    return keep != NULL && point != 0 && point < 0x80 && strchr(keep, (int)point) != NULL;
}

void sft_line_escape(sft_line *line, const char *text, size_t length, const char *keep,
                     bool quoted) {
    const unsigned char *bytes = (const unsigned char *)text;
    size_t step;
    for (size_t at = 0; at < length; at += step) {
        step = sft_utf8_length(bytes + at, length - at);
        bool malformed = step == 0;
        step = malformed ? 1 : step;
        uint32_t point = malformed ? bytes[at] : code_point(bytes + at, step);
        if (malformed || (is_unsafe(point) && !is_kept(point, keep))) {
            add_escape(line, point, malformed);
            continue;
        }
        if (quoted && (point == '"' || point == '\\')) {
            add(line, point == '"' ? "\\\"" : "\\\\", 2);
            continue;
        }
        add(line, text + at, step);
    }
}

size_t sft_escape(const char *text, size_t length, const char *keep, char *to, size_t size) {
    sft_line line = sft_line_begin(to, to != NULL ? size : 0);
    sft_line_escape(&line, text, length, keep, false);
    return line.used;
}
