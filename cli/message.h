/*
 * What goes to standard error: one line an error, safe to print anywhere.
 */
#ifndef CLI_MESSAGE_H
#define CLI_MESSAGE_H

#include "text.h"

#include <sft.h>

/* message_error() - `sft: FILE: CODE: sentence (tensor "NAME", byte N)`. */
void message_error(const sft_error *error);

/* message_error_text() - the same without the leading `sft: `, added to a text. */
void message_error_text(struct text *to, const sft_error *error);

/* message_line() - the same for what only the command knows; `file` is escaped, the rest is ours.
 */
void message_line(const char *file, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* message_text() - `sft: ` and a line that is escaped already. */
void message_text(const struct text *text);

/* message_usage() - `sft: USAGE: …`; returns EXIT_USAGE. The text is escaped. */
int message_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif /* CLI_MESSAGE_H */
