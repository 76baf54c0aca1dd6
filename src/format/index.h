/*
 * The index of a sharded model: a JSON file that tells which shard holds which tensor, as
 * huggingface_hub writes it:
 *
 *   {"metadata": {"total_size": 12345}, "weight_map": {"TENSOR": "FILE", …}}
 */
#ifndef SFT_SRC_FORMAT_INDEX_H
#define SFT_SRC_FORMAT_INDEX_H

#include <sft/base.h>

#include "base/arena.h"
#include "base/names.h"

typedef struct sft_index_entry {
    const char *name; /* of the tensor */
    size_t name_length;
    uint32_t shard;
} sft_index_entry;

typedef struct sft_index_shard {
    const char *name; /* a plain file name, ended by NUL */
    size_t name_length;
    uint32_t opened_as; /* for the use of whoever opens the shards */
} sft_index_shard;

#define SFT_INDEX_NOT_OPEN UINT32_MAX

typedef struct sft_index {
    sft_allocator allocator;
    sft_arena arena;
    sft_index_entry *entries; /* in the order of the file */
    uint64_t entry_count;
    uint64_t entry_capacity;
    sft_names entry_names;
    sft_index_shard *shards; /* in the order of their first use */
    uint64_t shard_count;
    uint64_t shard_capacity;
    sft_names shard_names;
    bool has_total_size;
    uint64_t total_size; /* bytes of all tensors */
} sft_index;

/*
 * Parses an index.
 *
 * @text, @size: the JSON, with a NUL behind it at text[size]; it must outlive the index
 * @allocator, @seed: for its tables
 * @index: filled; the caller frees it with sft_index_free(), also after a failure
 *
 * Returns SFT_OK, SFT_NO_MEMORY, SFT_INVALID_UTF8, SFT_BYTE_ORDER_MARK, SFT_INVALID_JSON,
 * SFT_TRAILING_TEXT, SFT_NESTED_TOO_DEEP, SFT_DUPLICATE_KEY, SFT_INVALID_INDEX or
 * SFT_UNSAFE_SHARD_NAME; sft_error.byte is the offset in the text.
 */
sft_status sft_index_parse(const char *text, uint64_t size, const sft_allocator *allocator,
                           const uint64_t seed[2], sft_index *index, sft_error *error);

void sft_index_free(sft_index *index);

#endif
