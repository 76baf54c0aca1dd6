/* Before any header: the strerror_r of POSIX rather than GNU's. */
#define _POSIX_C_SOURCE 200809L

#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

static void fill(sft_error *error, sft_status status, int system_error, uint64_t byte,
                 const char *format, va_list arguments) {
    error->status = status;
    error->system_error = system_error;
    error->byte = byte;
    error->has_tensor = false;
    error->tensor_length = 0;
    error->tensor[0] = '\0';
    error->file[0] = '\0';
    vsnprintf(error->message, sizeof error->message, format, arguments);
}

sft_status sft_fail(sft_error *error, sft_status status, uint64_t byte, const char *format, ...) {
    if (error != NULL) {
        va_list arguments;
        va_start(arguments, format);
        fill(error, status, 0, byte, format, arguments);
        va_end(arguments);
    }
    return status;
}

sft_status sft_fail_system(sft_error *error, sft_status status, int system_error,
                           const char *format, ...) {
    if (error != NULL) {
        va_list arguments;
        va_start(arguments, format);
        fill(error, status, system_error, SFT_NO_BYTE, format, arguments);
        va_end(arguments);
        char words[128];
        if (strerror_r(system_error, words, sizeof words) != 0) {
            snprintf(words, sizeof words, "system error %d", system_error);
        }
        size_t used = strlen(error->message);
        snprintf(error->message + used, sizeof error->message - used, ": %s", words);
    }
    return status;
}

sft_status sft_fail_memory(sft_error *error) {
    return sft_fail(error, SFT_NO_MEMORY, SFT_NO_BYTE, "not enough memory");
}

void sft_error_tensor(sft_error *error, const char *name, size_t length) {
    if (error == NULL) {
        return;
    }
    size_t kept = length < sizeof error->tensor ? length : sizeof error->tensor - 1;
    if (kept > 0) {
        memcpy(error->tensor, name, kept);
    }
    error->tensor[kept] = '\0';
    error->tensor_length = kept;
    error->has_tensor = true;
}

void sft_error_file(sft_error *error, const char *path) {
    if (error == NULL || path == NULL || error->file[0] != '\0') {
        return;
    }
    size_t length = strlen(path);
    size_t room = sizeof error->file - 1;
    /* The end of a path tells more than its beginning. */
    const char *kept = length > room ? path + (length - room) : path;
    snprintf(error->file, sizeof error->file, "%s", kept);
}

static void append(char *buffer, size_t size, size_t *used, const char *text, size_t length) {
    if (*used < size) {
        size_t room = size - *used - 1;
        size_t kept = length < room ? length : room;
        memcpy(buffer + *used, text, kept);
        buffer[*used + kept] = '\0';
    }
    *used += length;
}

static void append_text(char *buffer, size_t size, size_t *used, const char *text) {
    append(buffer, size, used, text, strlen(text));
}

/* U+0080 to U+009F are control characters too: terminals obey some of them. */
static bool is_control(const unsigned char *bytes, size_t length) {
    return (length == 1 && (bytes[0] < 0x20 || bytes[0] == 0x7f)) ||
           (length == 2 && bytes[0] == 0xc2 && bytes[1] < 0xa0);
}

void sft_escape_append(char *buffer, size_t size, size_t *used, const char *text, size_t length) {
    const unsigned char *bytes = (const unsigned char *)text;
    for (size_t at = 0; at < length;) {
        size_t step = sft_utf8_length(bytes + at, length - at);
        bool plain = step > 0 && !is_control(bytes + at, step);
        if (plain && bytes[at] != '\\' && bytes[at] != '"') {
            /* Whole characters only: a cut never leaves half of one. */
            if (*used + step < size) {
                append(buffer, size, used, text + at, step);
            } else {
                *used += step;
            }
            at += step;
            continue;
        }
        char escaped[5] = {'\\', (char)bytes[at], '\0', '\0', '\0'};
        if (bytes[at] == '\n' || bytes[at] == '\t' || bytes[at] == '\r') {
            escaped[1] = bytes[at] == '\n' ? 'n' : bytes[at] == '\t' ? 't' : 'r';
        } else if (!plain) {
            snprintf(escaped, sizeof escaped, "\\x%02x", bytes[at]);
        }
        append_text(buffer, size, used, escaped);
        at += 1;
    }
}

sft_shown sft_show(const char *text, size_t length) {
    sft_shown shown = {{0}};
    size_t used = 0;
    sft_escape_append(shown.text, sizeof shown.text - 4, &used, text, length);
    if (used >= sizeof shown.text - 4) {
        size_t kept = strlen(shown.text);
        memcpy(shown.text + kept, "...", 4);
    }
    return shown;
}

size_t sft_error_format(const sft_error *error, char *text, size_t size) {
    size_t used = 0;
    if (size > 0) {
        text[0] = '\0';
    }
    if (error->file[0] != '\0') {
        sft_escape_append(text, size, &used, error->file, strlen(error->file));
        append_text(text, size, &used, ": ");
    }
    append_text(text, size, &used, sft_status_name(error->status));
    append_text(text, size, &used, ": ");
    append_text(text, size, &used, error->message);
    if (error->has_tensor) {
        append_text(text, size, &used, " (tensor \"");
        sft_escape_append(text, size, &used, error->tensor, error->tensor_length);
        append_text(text, size, &used, "\"");
    }
    if (error->byte != SFT_NO_BYTE) {
        char number[32];
        snprintf(number, sizeof number, "%sbyte %llu", error->has_tensor ? ", " : " (",
                 (unsigned long long)error->byte);
        append_text(text, size, &used, number);
    }
    if (error->has_tensor || error->byte != SFT_NO_BYTE) {
        append_text(text, size, &used, ")");
    }
    return used;
}
