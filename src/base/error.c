/* Before any header: the strerror_r of POSIX rather than GNU's. */
#define _POSIX_C_SOURCE 200809L

#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"

static void fill(sft_error *error, sft_status status, int system_error, uint64_t byte,
                 const char *format, va_list arguments) {
    error->status = status;
    error->system_error = system_error;
    error->byte = byte;
    error->line = 0;
    error->column = 0;
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

void sft_error_place(sft_error *error, const char *text, uint64_t size, uint64_t base) {
    if (error == NULL || error->byte == SFT_NO_BYTE || error->byte < base ||
        error->byte - base > size) {
        return;
    }
    const char *at = text + (error->byte - base);
    const char *line = text;
    error->line = 1;
    for (const char *end = memchr(line, '\n', (size_t)(at - line)); end != NULL;
         end = memchr(line, '\n', (size_t)(at - line))) {
        error->line++;
        line = end + 1;
    }
    error->column = (uint64_t)(at - line) + 1;
}

sft_shown sft_show(const char *text, size_t length) {
    sft_shown shown = {{0}};
    /* Room is left for the dots that tell of a cut. */
    sft_line line = sft_line_begin(shown.text, sizeof shown.text - 3);
    /* Escaping never shortens, so that what lies behind this is cut in any case: a text may have
     * millions of bytes to escape. */
    sft_line_escape(&line, text, length < sizeof shown.text ? length : sizeof shown.text, NULL,
                    true);
    if (line.used >= sizeof shown.text - 3) {
        size_t kept = strlen(shown.text);
        memcpy(shown.text + kept, "...", 4);
    }
    return shown;
}

size_t sft_error_format(const sft_error *error, char *text, size_t size) {
    sft_line line = sft_line_begin(text, size);
    if (error->file[0] != '\0') {
        sft_line_escape(&line, error->file, strlen(error->file), NULL, false);
        sft_line_add(&line, ": ");
    }
    sft_line_add(&line, sft_status_name(error->status));
    sft_line_add(&line, ": ");
    sft_line_add(&line, error->message);
    if (error->has_tensor) {
        sft_line_add(&line, " (tensor \"");
        sft_line_escape(&line, error->tensor, error->tensor_length, NULL, true);
        sft_line_add(&line, "\"");
    }
    if (error->byte != SFT_NO_BYTE) {
        char number[32];
        snprintf(number, sizeof number, "%sbyte %llu", error->has_tensor ? ", " : " (",
                 (unsigned long long)error->byte);
        sft_line_add(&line, number);
    }
    if (error->has_tensor || error->byte != SFT_NO_BYTE) {
        sft_line_add(&line, ")");
    }
    return line.used;
}
