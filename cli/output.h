/*
 * Standard output, buffered. A write that fails ends the program: with a message
 * and EXIT_TROUBLE, or silently where the reader of a pipe has gone.
 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include "text.h"

/* output_begin() - before anything else: makes sure that 0, 1 and 2 are open descriptors. */
void output_begin(void);

bool output_is_terminal(void);

/* output_wants_colour() - whether terminals are to see colours at all. */
bool output_wants_colour(void);

void output_bytes(const void *bytes, size_t size);
void output_string(const char *string);
void output_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
void output_text(const struct text *text);

/* output_padded() - the text, then spaces up to a width in columns. */
void output_padded(const struct text *text, size_t width);

/* output_capture() - what is written from now on is added to a text instead, until NULL is given.
 */
void output_capture(struct text *text);

void output_flush(void);

/* output_end() - flushes and closes; returns `code`, or ends the program if that fails. */
int output_end(int code);

#endif /* CLI_OUTPUT_H */
