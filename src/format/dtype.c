#include "format/dtype.h"

#include <string.h>

#include "base/checked.h"

typedef struct row {
    const char *name;
    uint8_t length;
    uint8_t bits;
    uint8_t rank;
} row;

#define ROW(name, bits, rank)                                                                      \
    { #name, sizeof #name - 1, bits, rank }

/* In the order of sft_dtype. Ranks are their own column: a dtype that is added stands last here,
 * but not in the writer's order. */
static const row rows[SFT_DTYPES] = {
    ROW(BOOL, 8, 0),    ROW(F4, 4, 1),          ROW(F6_E2M3, 6, 2),      ROW(F6_E3M2, 6, 3),
    ROW(U8, 8, 4),      ROW(I8, 8, 5),          ROW(F8_E5M2, 8, 6),      ROW(F8_E4M3, 8, 7),
    ROW(F8_E8M0, 8, 8), ROW(F8_E4M3FNUZ, 8, 9), ROW(F8_E5M2FNUZ, 8, 10), ROW(I16, 16, 11),
    ROW(U16, 16, 12),   ROW(F16, 16, 13),       ROW(BF16, 16, 14),       ROW(I32, 32, 15),
    ROW(U32, 32, 16),   ROW(F32, 32, 17),       ROW(C64, 64, 18),        ROW(F64, 64, 19),
    ROW(I64, 64, 20),   ROW(U64, 64, 21),
};

static const row *row_of(sft_dtype dtype) {
    return (unsigned)dtype < SFT_DTYPES ? &rows[dtype] : NULL;
}

const char *sft_dtype_name(sft_dtype dtype) {
    const row *found = row_of(dtype);
    return found != NULL ? found->name : NULL;
}

uint32_t sft_dtype_bits(sft_dtype dtype) {
    const row *found = row_of(dtype);
    return found != NULL ? found->bits : 0;
}

uint32_t sft_dtype_rank(sft_dtype dtype) {
    const row *found = row_of(dtype);
    return found != NULL ? found->rank : 0;
}

sft_status sft_dtype_parse(const char *name, size_t length, sft_dtype *dtype) {
    for (unsigned i = 0; i < SFT_DTYPES; i++) {
        /* The first letter spares most calls: this is asked once a tensor. */
        if (rows[i].length == length && rows[i].name[0] == name[0] &&
            memcmp(rows[i].name, name, length) == 0) {
            *dtype = (sft_dtype)i;
            return SFT_OK;
        }
    }
    return SFT_UNKNOWN_DTYPE;
}

sft_status sft_dtype_size(sft_dtype dtype, const uint64_t *shape, uint32_t rank, uint64_t *bytes) {
    const row *found = row_of(dtype);
    if (found == NULL) {
        return SFT_INVALID_ARGUMENT;
    }
    uint64_t bits = 1;
    for (uint32_t i = 0; i < rank; i++) {
        if (!sft_multiply(bits, shape[i], &bits)) {
            return SFT_SIZE_OVERFLOW;
        }
    }
    if (!sft_multiply(bits, found->bits, &bits)) {
        return SFT_SIZE_OVERFLOW;
    }
    if (bits % 8 != 0) {
        return SFT_PARTIAL_BYTE;
    }
    *bytes = bits / 8;
    return SFT_OK;
}
