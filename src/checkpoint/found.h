/*
 * What a checkpoint holds, whichever container it came in: named tensors, each a view of a storage
 * that lies somewhere in a file, and the names of all that is no tensor.
 */
#ifndef SFT_SRC_CHECKPOINT_FOUND_H
#define SFT_SRC_CHECKPOINT_FOUND_H

#include <sft/base.h>
#include <sft/dtype.h>

#include "base/arena.h"
#include "checkpoint/detect.h"
#include "checkpoint/region.h"
#include "checkpoint/zip.h"

typedef struct sft_storage {
    sft_region region; /* exactly its bytes */
    bool big_endian;
} sft_storage;

typedef struct sft_found_tensor {
    const char *name; /* keys joined by '.'; UTF-8 unless `refused` says otherwise */
    size_t name_length;
    size_t first_key; /* bytes of the first key, where it lies deeper; else name_length */
    sft_status
        refused; /* SFT_OK, or why it cannot be converted: UNSUPPORTED_TENSOR, TENSOR_BOUNDS… */
    const char *why; /* the sentence for that, escaped */
    sft_dtype dtype;
    bool conjugate; /* complex: the imaginary part has the other sign */
    bool negative;  /* all values have the other sign */
    bool dense;     /* row-major without gaps: its bytes lie in one piece */
    uint32_t rank;
    const uint64_t *shape;
    const uint64_t *strides; /* in elements; of a dimension of size 1 what it would be if dense */
    uint64_t offset;         /* of the first element, in elements from the storage's start */
    uint64_t storage;        /* number of the storage */
} sft_found_tensor;

typedef struct sft_found_leaf {
    const char *name;
    size_t name_length;
    const char *kind; /* "int", "argparse.Namespace", escaped */
} sft_found_leaf;

typedef struct sft_found {
    sft_arena arena;
    sft_sources sources;
    sft_zip zip; /* of a zip archive, whose bytes the storages are */
    bool has_zip;
    sft_format format;         /* refined */
    uint64_t file_size;        /* of the source, as it is */
    bool torch;                /* the metadata gets format: pt: all but .npy and .npz */
    bool root_is_tensor;       /* the checkpoint is one tensor, without a key; its name is "" */
    sft_found_tensor *tensors; /* in the order in which they were found */
    uint64_t tensor_count, tensor_capacity;
    sft_storage *storages;
    uint64_t storage_count, storage_capacity;
    sft_found_leaf *leaves; /* that are no tensors: the first 1,000 */
    uint64_t leaf_count, leaf_capacity;
    uint64_t leaf_total;
} sft_found;

typedef struct sft_find_options {
    const sft_allocator *allocator;
    const char *file_name; /* the source's base name: what a .npy's tensor is called after */
    uint64_t memory;       /* as in sft_scan_limits */
    uint64_t entries;
    uint32_t nesting;
} sft_find_options;

/*
 * Finds the tensors of a file, whose scan gave no reason against it. Values that nobody can vouch
 * for are leaves of their own kind. Bounds of every view are checked: offset and strides against
 * the storage, record lengths against element counts.
 *
 * SFT_MALFORMED_SOURCE, SFT_UNSUPPORTED_SOURCE, SFT_SOURCE_LIMIT, SFT_NO_MEMORY, SFT_READ_FAILED,
 * SFT_FILE_SHRANK. sft_found_free() in any case.
 */
sft_status sft_find_tensors(sft_found *found, const sft_region *region,
                            const sft_find_options *options, sft_error *error);
void sft_found_free(sft_found *found);

#endif
