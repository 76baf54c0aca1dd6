/* UTF-8 as RFC 3629 has it: no overlong form, no surrogate, nothing above U+10FFFF. */
#ifndef SFT_SRC_BASE_UTF8_H
#define SFT_SRC_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of the character that begins here, 1 to 4, or 0 if none does. size is at least 1. */
size_t sft_utf8_length(const unsigned char *bytes, size_t size);

/* Offset of the first byte that is not part of a well-formed character; size if there is none. */
size_t sft_utf8_check(const unsigned char *bytes, size_t size);

/* Writes a code point (not a surrogate, at most U+10FFFF), and returns its 1 to 4 bytes. */
size_t sft_utf8_encode(uint32_t code_point, char *to);

#endif
