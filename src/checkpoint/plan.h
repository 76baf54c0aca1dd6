/* What becomes of the tensors that were found: which of them are written, and under which names. */
#ifndef SFT_SRC_CHECKPOINT_PLAN_H
#define SFT_SRC_CHECKPOINT_PLAN_H

#include <sft/convert.h>

#include "base/arena.h"
#include "checkpoint/found.h"

typedef struct sft_plan_tensor {
    const char *name; /* in the result; begins as sft_named does */
    size_t name_length;
    const char *source_name; /* joined keys, with wrapper and prefix */
    size_t source_name_length;
    const sft_found_tensor *tensor;
    const sft_found *found;
    uint64_t source; /* number of the source that it lies in */
    uint64_t size;   /* bytes */
    uint64_t file;   /* number of the file of the result: sft_split_*() */
} sft_plan_tensor;

typedef struct sft_plan_options {
    sft_allocator allocator;
    const char *key;         /* as in sft_convert_options */
    const char *drop_prefix; /* likewise */
    const char *lone_name;   /* of a tensor that is a checkpoint by itself */
    uint64_t seed[2];
} sft_plan_options;

/* Texts belong to the plan, or to the founds it was made from. */
typedef struct sft_plan {
    sft_allocator allocator;
    sft_arena arena;
    sft_plan_tensor *tensors; /* in the order in which they were found; no ties among them */
    uint64_t count;
    uint64_t capacity;
    uint64_t bytes;
    sft_tie *ties; /* in the order of the names that are dropped */
    uint64_t tie_count;
    sft_dropped *dropped; /* the first SFT_PLAN_NAMED */
    uint64_t dropped_count;
    uint64_t dropped_total;
    const char *wrapper; /* ended by NUL, or NULL */
    sft_metadata_entry *metadata;
    uint64_t metadata_count;
    uint64_t blamed; /* after a failure: the number of the source at fault */
} sft_plan;

/* So many of the things that are dropped keep their names. */
#define SFT_PLAN_NAMED 1000U

/*
 * Plans the conversion of one checkpoint, whose parts lie in `count` sources. Returns SFT_OK, the
 * status of a tensor that cannot be converted, SFT_DUPLICATE_NAME, SFT_RESERVED_NAME,
 * SFT_INVALID_NAME, SFT_NOT_FOUND (the key), SFT_SIZE_OVERFLOW or SFT_NO_MEMORY. sft_plan_free() in
 * any case.
 */
sft_status sft_plan_make(sft_plan *plan, const sft_found *const *founds, uint64_t count,
                         const sft_plan_options *options, sft_error *error);
void sft_plan_free(sft_plan *plan);

#endif
