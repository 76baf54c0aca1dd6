#include "npy.h"

#include <inttypes.h>

const char *npy_descr(sft_dtype dtype) {
    switch (dtype) {
    case SFT_BOOL:
        return "|b1";
    case SFT_U8:
        return "|u1";
    case SFT_I8:
        return "|i1";
    case SFT_F8_E5M2:
    case SFT_F8_E4M3:
    case SFT_F8_E8M0:
    case SFT_F8_E4M3FNUZ:
    case SFT_F8_E5M2FNUZ:
        return "|V1";
    case SFT_I16:
        return "<i2";
    case SFT_U16:
        return "<u2";
    case SFT_F16:
        return "<f2";
    case SFT_BF16:
        return "|V2";
    case SFT_I32:
        return "<i4";
    case SFT_U32:
        return "<u4";
    case SFT_F32:
        return "<f4";
    case SFT_C64:
        return "<c8";
    case SFT_F64:
        return "<f8";
    case SFT_I64:
        return "<i8";
    case SFT_U64:
        return "<u8";
    default:
        return NULL;
    }
}

bool npy_is_opaque(sft_dtype dtype) {
    const char *descr = npy_descr(dtype);
    return descr != NULL && descr[1] == 'V';
}

void npy_header(struct text *to, sft_dtype dtype, const uint64_t *shape, uint32_t rank) {
    enum { FIXED = 10, MULTIPLE = 64 };
    struct text dictionary = TEXT_EMPTY;
    text_add_format(&dictionary, "{'descr': '%s', 'fortran_order': False, 'shape': (",
                    npy_descr(dtype));
    for (uint32_t i = 0; i < rank; i++) {
        text_add_format(&dictionary, "%s%" PRIu64, i > 0 ? ", " : "", shape[i]);
    }
    text_add_string(&dictionary, rank == 1 ? ",), }" : "), }");
    while ((FIXED + dictionary.length + 1) % MULTIPLE != 0) {
        text_add(&dictionary, " ", 1);
    }
    text_add(&dictionary, "\n", 1);
    /* A rank of 64, the highest that opens, makes some 1,400 bytes: two of length are enough. */
    const unsigned char length[2] = {(unsigned char)(dictionary.length & 0xFF),
                                     (unsigned char)(dictionary.length >> 8)};
    text_add(to, "\x93NUMPY\x01\x00", 8);
    text_add(to, length, sizeof length);
    text_add(to, dictionary.bytes, dictionary.length);
    text_free(&dictionary);
}
