/* Which file of the result each tensor goes to. */
#ifndef SFT_SRC_CHECKPOINT_SPLIT_H
#define SFT_SRC_CHECKPOINT_SPLIT_H

#include "checkpoint/plan.h"

typedef struct sft_split {
    sft_allocator allocator;
    uint64_t files;
    uint32_t *order; /* the tensors' numbers, as an index lists them: file by file */
    uint64_t count;
} sft_split;

/* All tensors of a source into one file: as many files as there are sources. SFT_NO_MEMORY. */
sft_status sft_split_by_source(sft_plan *plan, uint64_t sources, sft_split *split,
                               sft_error *error);

/*
 * By size, as huggingface_hub does it (serialization/_base.py,
 * split_state_dict_into_shards_factory, with the functions of _torch.py): in the order of the state
 * dict, a new file where the next tensor would go beyond `most` bytes; a larger one alone in its
 * file; tensors that share a storage in the same file, and counted once, by the storage's bytes. At
 * least one file. SFT_NO_MEMORY.
 */
sft_status sft_split_by_size(sft_plan *plan, uint64_t most, sft_split *split, sft_error *error);

void sft_split_free(sft_split *split);

#endif
