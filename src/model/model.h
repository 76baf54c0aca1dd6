/* A model of several files, from inside. */
#ifndef SFT_SRC_MODEL_MODEL_H
#define SFT_SRC_MODEL_MODEL_H

#include <sft/shards.h>

#include "base/arena.h"
#include "base/names.h"

typedef struct sft_model_shard_entry {
    sft_file *file;
    const char *path;
    uint64_t first; /* tensors in the shards before it */
} sft_model_shard_entry;

/* Begins as sft_named does. */
typedef struct sft_model_name {
    const char *name;
    size_t length;
    const sft_tensor *tensor;
    uint32_t shard;
} sft_model_name;

struct sft_model {
    sft_allocator allocator;
    sft_arena arena; /* paths */
    const char *index_path;
    sft_model_shard_entry *shards;
    uint64_t shard_count;
    uint64_t shard_capacity;
    uint64_t count;          /* tensors in all */
    sft_model_name *entries; /* of all shards; NULL where there is but one */
    uint64_t name_count;
    uint64_t entry_capacity;
    sft_names names;
};

#endif
