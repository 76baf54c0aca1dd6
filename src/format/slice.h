/* What a slice means in bytes: equal runs at regular distances. */
#ifndef SFT_SRC_FORMAT_SLICE_H
#define SFT_SRC_FORMAT_SLICE_H

#include <sft/slice.h>

/* Runs are repeated at most this often in itself: each loop at least doubles a size of 64 bits. */
#define SFT_SLICE_LOOPS 64U

typedef struct sft_slice_loop {
    uint64_t count;  /* at least 2 */
    uint64_t stride; /* bytes from one turn to the next */
} sft_slice_loop;

/* Offsets count from the start of the tensor. Runs come in rising order and never overlap. */
typedef struct sft_slice_plan {
    uint64_t start; /* of the first run */
    uint64_t run;   /* bytes a run has */
    uint64_t bytes; /* in all; 0 means that nothing else counts */
    uint32_t loop_count;
    sft_slice_loop loops[SFT_SLICE_LOOPS]; /* innermost first */
} sft_slice_plan;

/* As sft_slice_shape(); shape and rank may be NULL. */
sft_status sft_slice_resolve(const sft_tensor *tensor, const sft_range *ranges, uint32_t count,
                             uint64_t *shape, uint32_t *rank, sft_slice_plan *plan,
                             sft_error *error);

#endif
