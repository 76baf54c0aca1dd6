#include "base/utf8.h"

#include <stdbool.h>
#include <string.h>

static bool follows(unsigned char byte) {
    return (byte & 0xc0) == 0x80;
}

/* The table of well-formed sequences, RFC 3629 section 4. */
size_t sft_utf8_length(const unsigned char *bytes, size_t size) {
    unsigned char first = bytes[0];
    if (first < 0x80) {
        return 1;
    }
    if (first >= 0xc2 && first <= 0xdf) {
        return size >= 2 && follows(bytes[1]) ? 2 : 0;
    }
    if (first >= 0xe0 && first <= 0xef) {
        unsigned char low = first == 0xe0 ? 0xa0 : 0x80;
        unsigned char high = first == 0xed ? 0x9f : 0xbf;
        return size >= 3 && bytes[1] >= low && bytes[1] <= high && follows(bytes[2]) ? 3 : 0;
    }
    if (first >= 0xf0 && first <= 0xf4) {
        unsigned char low = first == 0xf0 ? 0x90 : 0x80;
        unsigned char high = first == 0xf4 ? 0x8f : 0xbf;
        return size >= 4 && bytes[1] >= low && bytes[1] <= high && follows(bytes[2]) &&
                       follows(bytes[3])
                   ? 4
                   : 0;
    }
    return 0;
}

size_t sft_utf8_check(const unsigned char *bytes, size_t size) {
    size_t at = 0;
    while (at < size) {
        /* Headers are almost wholly ASCII: 32 bytes at a time while they are. */
        while (size - at >= 32) {
            uint64_t words[4];
            memcpy(words, bytes + at, sizeof words);
            if (((words[0] | words[1] | words[2] | words[3]) & UINT64_C(0x8080808080808080)) != 0) {
                break;
            }
            at += 32;
        }
        if (at == size) {
            break;
        }
        size_t step = sft_utf8_length(bytes + at, size - at);
        if (step == 0) {
            return at;
        }
        at += step;
    }
    return size;
}

size_t sft_utf8_encode(uint32_t code_point, char *to) {
    if (code_point < 0x80) {
        to[0] = (char)code_point;
        return 1;
    }
    if (code_point < 0x800) {
        to[0] = (char)(0xc0 | (code_point >> 6));
        to[1] = (char)(0x80 | (code_point & 0x3f));
        return 2;
    }
    if (code_point < 0x10000) {
        to[0] = (char)(0xe0 | (code_point >> 12));
        to[1] = (char)(0x80 | ((code_point >> 6) & 0x3f));
        to[2] = (char)(0x80 | (code_point & 0x3f));
        return 3;
    }
    to[0] = (char)(0xf0 | (code_point >> 18));
    to[1] = (char)(0x80 | ((code_point >> 12) & 0x3f));
    to[2] = (char)(0x80 | ((code_point >> 6) & 0x3f));
    to[3] = (char)(0x80 | (code_point & 0x3f));
    return 4;
}
