/*
 * Text from strangers: decoding UTF-8, and escaping what a terminal must not see.
 */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A string that grows. Begin with TEXT_EMPTY, end with text_free(). Running out of memory ends
 * the program with a message. */
struct text {
    char *bytes; /* ended by NUL once something was added */
    size_t length;
    size_t room;
};

#define TEXT_EMPTY                                                                                 \
    { NULL, 0, 0 }

void text_add(struct text *text, const void *bytes, size_t length);
void text_add_string(struct text *text, const char *string);
void text_add_format(struct text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void text_clear(struct text *text);
void text_free(struct text *text);

/* memory_take(), memory_grow() - malloc and realloc for count elements, or the end of the program.
 */
void *memory_take(size_t count, size_t size);
void *memory_grow(void *memory, size_t count, size_t size);

/* The code point that stands for a byte that is not UTF-8. */
#define TEXT_MALFORMED UINT32_MAX

/* text_decode() - the first code point of bytes (length > 0); returns how many bytes it takes. */
size_t text_decode(const char *bytes, size_t length, uint32_t *point);

/* text_is_utf8() - whether all of it is. */
bool text_is_utf8(const char *bytes, size_t length);

/* text_width() - how many code points there are: columns, near enough for a table. */
size_t text_width(const char *bytes, size_t length);

/*
 * text_escape() - adds text with all escaped that could move a cursor, start an escape sequence
 * or turn the reading direction, and what is not UTF-8. Characters in `keep` stay.
 */
void text_escape(struct text *to, const char *bytes, size_t length, const char *keep);

/*
 * text_escape_cut() - the same for a long value on a screen: at most `most` bytes
 * of it, whole characters, and how long it really is.
 */
void text_escape_cut(struct text *to, const char *bytes, size_t length, size_t most);

/*
 * text_quote() - adds text as a JSON string. Beyond what JSON asks for, the characters that
 * text_escape() escapes are written as \uXXXX, so that JSON is safe to look at; bytes that are
 * not UTF-8 (a path may hold some) become U+FFFD.
 */
void text_quote(struct text *to, const char *bytes, size_t length);

/*
 * text_unquote() - adds what a JSON string stands for. @bytes begins with the quotation mark.
 * Returns the bytes the string takes, or 0 if it is none.
 */
size_t text_unquote(struct text *to, const char *bytes, size_t length);

#endif /* CLI_TEXT_H */
