/*
 * Tensors and slices of any size to standard output, through a buffer of fixed size.
 */
#ifndef CLI_STREAM_H
#define CLI_STREAM_H

#include <sft.h>

/* stream_tensor() - all bytes of a tensor. Returns as sft_read_part(). */
sft_status stream_tensor(const sft_file *file, const sft_tensor *tensor, sft_error *error);

/* stream_slice() - what a slice takes of it. Returns as sft_read_slice(). */
sft_status stream_slice(const sft_file *file, const sft_tensor *tensor, const sft_range *ranges,
                        uint32_t count, sft_error *error);

#endif /* CLI_STREAM_H */
