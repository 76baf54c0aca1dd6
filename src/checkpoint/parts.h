/* The files that a source consists of: itself, or those that an index names. */
#ifndef SFT_SRC_CHECKPOINT_PARTS_H
#define SFT_SRC_CHECKPOINT_PARTS_H

#include <sft/base.h>

#include "base/arena.h"
#include "checkpoint/plan.h"
#include "format/index.h"

typedef struct sft_parts {
    sft_allocator allocator;
    sft_arena arena;
    const char **paths; /* in the order of their names */
    uint64_t count;
    bool sharded;       /* there is an index */
    const char *folder; /* of the index, with its slash, or "" */
    const char *index_path;
    sft_index index;
    char *text; /* of the index */
    uint64_t text_size;
} sft_parts;

/*
 * Finds the files. SFT_INVALID_INDEX, SFT_UNSAFE_SHARD_NAME and what else is wrong with an index;
 * SFT_AMBIGUOUS_FOLDER; SFT_UNSUPPORTED_SOURCE for a folder without an index or a
 * pytorch_model.bin; SFT_OPEN_FAILED, SFT_READ_FAILED, SFT_NOT_A_FILE, SFT_NO_MEMORY.
 * sft_parts_free() in any case.
 */
sft_status sft_parts_find(sft_parts *parts, const char *path, const sft_allocator *allocator,
                          const uint64_t seed[2], sft_error *error);
void sft_parts_free(sft_parts *parts);

/* SFT_TENSOR_NOT_IN_SHARD where the index names a tensor that founds[i], of paths[i], lacks. */
sft_status sft_parts_agree(const sft_parts *parts, const sft_found *const *founds,
                           const char *wrapper, const uint64_t seed[2], sft_error *error);

#endif
