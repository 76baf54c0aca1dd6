/* Copies of single elements. */
#ifndef SFT_SRC_BASE_COPY_H
#define SFT_SRC_BASE_COPY_H

#include <stdint.h>
#include <string.h>

/* Small fixed sizes let the compiler use a plain load and store. */
static inline void sft_copy_item(uint8_t *to, const uint8_t *from, uint64_t size) {
    switch (size) {
    case 1:
        *to = *from;
        break;
    case 2:
        memcpy(to, from, 2);
        break;
    case 4:
        memcpy(to, from, 4);
        break;
    case 8:
        memcpy(to, from, 8);
        break;
    default:
        memcpy(to, from, (size_t)size);
    }
}

#endif
