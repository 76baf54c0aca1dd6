#include "message.h"

#include "exits.h"
#include "output.h"
#include "progress.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The longest line: a path of 1024, a tensor's name of 256 and a sentence of 512 bytes, each byte
 * of the first two perhaps escaped as six. */
enum { LINE_ROOM = 16 * 1024 };

/* One write for the whole line, so that programs that share a terminal do not mix theirs into it.
 */
static void write_line(struct text *line) {
    output_flush();
    progress_clear();
    text_add(line, "\n", 1);
    const char *at = line->bytes;
    size_t left = line->length;
    while (left > 0) {
        ssize_t written = write(STDERR_FILENO, at, left);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return;
        }
        at += written;
        left -= (size_t)written;
    }
}

void message_error_text(struct text *to, const sft_error *error) {
    char line[LINE_ROOM];
    size_t length = sft_error_format(error, line, sizeof line);
    text_add(to, line, length < sizeof line ? length : sizeof line - 1);
}

void message_text(const struct text *text) {
    struct text line = TEXT_EMPTY;
    text_add_string(&line, "sft: ");
    text_add(&line, text->bytes, text->length);
    write_line(&line);
    text_free(&line);
}

void message_error(const sft_error *error) {
    struct text line = TEXT_EMPTY;
    message_error_text(&line, error);
    message_text(&line);
    text_free(&line);
}

/* Writes a line that was begun, with the sentence behind it. */
static void write_sentence(struct text *line, const char *format, va_list arguments) {
    char sentence[LINE_ROOM];
    vsnprintf(sentence, sizeof sentence, format, arguments);
    text_escape(line, sentence, strlen(sentence), "");
    write_line(line);
    text_free(line);
}

void message_line(const char *file, const char *code, const char *format, ...) {
    struct text line = TEXT_EMPTY;
    text_add_string(&line, "sft: ");
    text_escape(&line, file, strlen(file), "");
    text_add_format(&line, ": %s: ", code);
    va_list arguments;
    va_start(arguments, format);
    write_sentence(&line, format, arguments);
    va_end(arguments);
}

int message_usage(const char *format, ...) {
    struct text line = TEXT_EMPTY;
    text_add_string(&line, "sft: USAGE: ");
    va_list arguments;
    va_start(arguments, format);
    write_sentence(&line, format, arguments);
    va_end(arguments);
    return EXIT_USAGE;
}
