/* From the elements of a storage to those of a new file. */
#include "checkpoint/tiling.h"

static void swap(uint8_t *bytes, uint64_t size, uint64_t width) {
    for (uint64_t at = 0; at + width <= size; at += width) {
        for (uint64_t i = 0; i < width / 2; i++) {
            uint8_t byte = bytes[at + i];
            bytes[at + i] = bytes[at + width - 1 - i];
            bytes[at + width - 1 - i] = byte;
        }
    }
}

/* Changes the sign bit of every number of some width, from `from` on, each `step` bytes. */
static void flip_signs(uint8_t *bytes, uint64_t size, uint64_t from, uint64_t step,
                       uint64_t width) {
    for (uint64_t at = from; at + width <= size; at += step) {
        bytes[at + width - 1] ^= 0x80;
    }
}

/* Two's complement, little-endian. */
static void negate(uint8_t *bytes, uint64_t size, uint64_t width) {
    for (uint64_t at = 0; at + width <= size; at += width) {
        unsigned carry = 1;
        for (uint64_t i = 0; i < width; i++) {
            carry += (uint8_t)~bytes[at + i];
            bytes[at + i] = (uint8_t)carry;
            carry >>= 8;
        }
    }
}

static bool is_integer(sft_dtype dtype) {
    switch (dtype) {
    case SFT_U8:
    case SFT_I8:
    case SFT_U16:
    case SFT_I16:
    case SFT_U32:
    case SFT_I32:
    case SFT_U64:
    case SFT_I64:
        return true;
    default:
        return false;
    }
}

void sft_tiling_settle(const sft_found_tensor *tensor, bool big_endian, uint8_t *bytes,
                       uint64_t size) {
    uint64_t item = sft_tiling_item(tensor->dtype);
    bool complex = tensor->dtype == SFT_C64;
    uint64_t width = complex ? item / 2 : item;
    if (big_endian && width > 1) {
        swap(bytes, size, width);
    }
    if (tensor->conjugate && complex) {
        flip_signs(bytes, size, width, item, width);
    }
    if (tensor->negative && is_integer(tensor->dtype)) {
        negate(bytes, size, width);
    } else if (tensor->negative) {
        flip_signs(bytes, size, 0, width, width);
    }
}
