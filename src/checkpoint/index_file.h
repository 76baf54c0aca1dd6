/* The index of a new sharded model, as huggingface_hub writes it. */
#ifndef SFT_SRC_CHECKPOINT_INDEX_FILE_H
#define SFT_SRC_CHECKPOINT_INDEX_FILE_H

#include "checkpoint/plan.h"
#include "checkpoint/split.h"

typedef struct sft_index_file {
    const sft_plan *plan;
    const sft_split *split;
    const char *const *files; /* paths of the shards */
    const char *path;         /* of the index */
    bool durable;
    bool keep_existing;
} sft_index_file;

/*
 * Writes the index beside its shards, in one step. The bytes are those of Python's json.dump() with
 * an indent of 2. Returns as sft_write() does.
 */
sft_status sft_index_file_write(const sft_index_file *file, sft_error *error);

#endif
