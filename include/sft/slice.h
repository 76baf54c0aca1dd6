/*
 * Parts of a tensor, as NumPy writes them: w[0:2,-1], w[::2], w[...,3].
 */
#ifndef SFT_SLICE_H
#define SFT_SLICE_H

#include <sft/base.h>
#include <sft/header.h>

#ifdef __cplusplus
extern "C" {
#endif

/* "To the end" as the stop of a range. */
#define SFT_END INT64_MAX

typedef enum sft_range_kind {
    SFT_RANGE = 0, /* start:stop:step; the dimension stays */
    SFT_INDEX = 1  /* the one position `start`; the dimension goes */
} sft_range_kind;

/*
 * What is taken of one dimension. For a range, start and stop count from the end
 * where they are negative, and are clamped to the dimension, as in NumPy; step is
 * 1 or more. For an index, stop and step are ignored.
 */
typedef struct sft_range {
    sft_range_kind kind;
    int64_t start;
    int64_t stop;
    int64_t step;
} sft_range;

/* A whole dimension. */
#define SFT_ALL                                                                                    \
    { SFT_RANGE, 0, SFT_END, 1 }

/*
 * sft_slice_parse() - reads a slice from text.
 *
 * Understood: integers, ranges with any part left out, one "..." that stands for
 * as many whole dimensions as are missing, spaces between tokens, a trailing
 * comma. The brackets are optional: "[0:2,-1]" and "0:2,-1" are the same; if they
 * are there, something stands in them.
 *
 * @text, @length: the slice, not NUL-terminated
 * @rank: dimensions of the tensor it is meant for
 * @ranges: receives one range a dimension named; room for rank of them
 * @count: receives how many there are, at most rank
 * @error: NULL, or receives what is wrong; `byte` is the offset in the text
 *
 * Returns SFT_OK, SFT_INVALID_ARGUMENT, SFT_SLICE_SYNTAX, SFT_SLICE_STEP or
 * SFT_SLICE_RANK. Any thread.
 */
SFT_API SFT_MUST_USE sft_status sft_slice_parse(const char *text, size_t length, uint32_t rank,
                                                sft_range *ranges, uint32_t *count,
                                                sft_error *error);

/*
 * sft_slice_shape() - the shape and size of what a slice takes, without reading.
 *
 * @tensor: the tensor
 * @ranges, @count: a range for each of the first `count` dimensions; the others are whole
 * @shape: receives the dimensions of the result; room for tensor->rank of them
 * @rank: receives how many there are: tensor->rank less the indices
 * @bytes: receives the size of the result in bytes
 * @error: NULL, or receives what is wrong
 *
 * Returns SFT_OK, SFT_INVALID_ARGUMENT, SFT_SLICE_STEP, SFT_SLICE_RANK,
 * SFT_INDEX_OUT_OF_RANGE or SFT_SLICE_PARTIAL_BYTE. Any thread.
 */
SFT_API SFT_MUST_USE sft_status sft_slice_shape(const sft_tensor *tensor, const sft_range *ranges,
                                                uint32_t count, uint64_t *shape, uint32_t *rank,
                                                uint64_t *bytes, sft_error *error);

#ifdef __cplusplus
}
#endif

#endif /* SFT_SLICE_H */
