/* Text from outside, made fit for people: see sft_escape() in sft/base.h. */
#ifndef SFT_SRC_BASE_ESCAPE_H
#define SFT_SRC_BASE_ESCAPE_H

#include <sft/base.h>

/* Text that grows at the end of a buffer, and is cut where the buffer ends. */
typedef struct sft_line {
    char *bytes; /* ended by NUL if size > 0 */
    size_t size;
    size_t used; /* what the whole text takes, cut or not */
} sft_line;

sft_line sft_line_begin(char *bytes, size_t size);

/* Adds text of our own. */
void sft_line_add(sft_line *line, const char *text);

/* Adds text from outside, escaped; `quoted` escapes quotes and backslashes too. */
void sft_line_escape(sft_line *line, const char *text, size_t length, const char *keep,
                     bool quoted);

#endif
