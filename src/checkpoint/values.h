/* What plain values of a pickle say: shapes, and texts. */
#ifndef SFT_SRC_CHECKPOINT_VALUES_H
#define SFT_SRC_CHECKPOINT_VALUES_H

#include <sft/base.h>

#include "pickle/graph.h"
#include "pickle/policy.h"

/* As many dimensions as PyTorch and NumPy know. */
#define SFT_RANK_MAX 64

typedef enum sft_shape_result {
    SFT_SHAPE_READ,
    SFT_SHAPE_NONE,  /* it is no tuple or list of whole numbers that are not negative */
    SFT_SHAPE_LARGE, /* more than 64 dimensions */
    SFT_SHAPE_NEGATIVE
} sft_shape_result;

/* A tuple or list of sizes, or strides; also as torch.Size. */
sft_shape_result sft_value_shape(const sft_graph *graph, sft_ref ref, uint64_t shape[SFT_RANK_MAX],
                                 uint32_t *rank);

/* The product of a shape, 0 where a dimension is; false where it does not fit. */
bool sft_shape_elements(const uint64_t *shape, uint32_t rank, uint64_t *elements);

/* The role of what an OBJECT is the result of; NONE for all other values. */
sft_role sft_value_role(const sft_graph *graph, sft_ref ref, const sft_policy_entry **entry);

/* Argument number `index` of an OBJECT, SFT_NO_REF where there are not so many. */
sft_ref sft_value_argument(const sft_graph *graph, sft_ref ref, uint32_t index);

/* How many there are; 0 where what stands for them is not known. */
uint32_t sft_value_arguments(const sft_graph *graph, sft_ref ref);

/* The last state that BUILD gave an OBJECT, or SFT_NO_REF. */
sft_ref sft_value_state(const sft_graph *graph, sft_ref ref);

/* The value of a text key in a DICT, the last one that was set; SFT_NO_REF where there is none. */
sft_ref sft_value_lookup(const sft_graph *graph, sft_ref dict, const char *key);

/*
 * Whether a list or dict, if it is one, had all its items when a call was given these arguments.
 * Links are numbered as they come about: what was added afterwards has a greater number.
 */
bool sft_value_was_whole(const sft_graph *graph, sft_ref ref, sft_ref arguments);

#endif
