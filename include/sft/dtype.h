/*
 * The element types that a safetensors header can name.
 */
#ifndef SFT_DTYPE_H
#define SFT_DTYPE_H

#include <sft/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Pinned values. Elements are little-endian in the file, and so in memory. */
typedef enum sft_dtype {
    SFT_BOOL = 0,    /* one byte, 0 or 1 */
    SFT_F4 = 1,      /* E2M1, two elements a byte */
    SFT_F6_E2M3 = 2, /* four elements in three bytes */
    SFT_F6_E3M2 = 3, /* four elements in three bytes */
    SFT_U8 = 4,
    SFT_I8 = 5,
    SFT_F8_E5M2 = 6,      /* as OCP OFP8, with infinities */
    SFT_F8_E4M3 = 7,      /* as OCP OFP8, without infinities ("fn") */
    SFT_F8_E8M0 = 8,      /* a power of two: a scale */
    SFT_F8_E4M3FNUZ = 9,  /* no infinities, no negative zero */
    SFT_F8_E5M2FNUZ = 10, /* no infinities, no negative zero */
    SFT_I16 = 11,
    SFT_U16 = 12,
    SFT_F16 = 13,  /* IEEE 754 binary16 */
    SFT_BF16 = 14, /* the upper half of binary32 */
    SFT_I32 = 15,
    SFT_U32 = 16,
    SFT_F32 = 17,
    SFT_C64 = 18, /* two binary32: real, imaginary */
    SFT_F64 = 19,
    SFT_I64 = 20,
    SFT_U64 = 21
} sft_dtype;

/* How many types there are: their values are 0 to SFT_DTYPES - 1. */
#define SFT_DTYPES 22

/*
 * sft_dtype_name() - the name in a header: "BF16". NULL for a value that is no
 * dtype. Static. Any thread.
 */
SFT_API const char *sft_dtype_name(sft_dtype dtype);

/*
 * sft_dtype_bits() - bits an element takes: 4, 6, 8, 16, 32 or 64; 0 for a value
 * that is no dtype. Any thread.
 */
SFT_API uint32_t sft_dtype_bits(sft_dtype dtype);

/*
 * sft_dtype_parse() - the dtype of a name as it stands in a header (case counts).
 *
 * @name, @length: the name, not NUL-terminated
 * @dtype: receives the dtype
 *
 * Returns SFT_OK or SFT_UNKNOWN_DTYPE. Any thread.
 */
SFT_API SFT_MUST_USE sft_status sft_dtype_parse(const char *name, size_t length, sft_dtype *dtype);

/*
 * sft_dtype_size() - bytes that a tensor takes.
 *
 * @dtype: element type
 * @shape, @rank: dimensions, outermost first; rank 0 is one element
 * @bytes: receives the product of the shape times the bits, over 8
 *
 * The product is taken from left to right, as the Rust implementation takes it:
 * [0, 2^63, 4] has no elements, [2^63, 4, 0] overflows.
 *
 * Returns SFT_OK, SFT_INVALID_ARGUMENT (no such dtype), SFT_SIZE_OVERFLOW, or
 * SFT_PARTIAL_BYTE. Any thread.
 */
SFT_API SFT_MUST_USE sft_status sft_dtype_size(sft_dtype dtype, const uint64_t *shape,
                                               uint32_t rank, uint64_t *bytes);

#ifdef __cplusplus
}
#endif

#endif /* SFT_DTYPE_H */
