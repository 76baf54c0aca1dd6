/* What sft_convert() tells of what it did, while it is put together. */
#ifndef SFT_SRC_CHECKPOINT_CONVERSION_H
#define SFT_SRC_CHECKPOINT_CONVERSION_H

#include <sft/convert.h>

#include "base/arena.h"
#include "checkpoint/plan.h"
#include "checkpoint/target.h"

typedef struct sft_converted_source {
    const char *path;
    sft_scan_result *scan; /* owned; NULL until it is done */
} sft_converted_source;

struct sft_conversion {
    sft_allocator allocator;
    sft_arena arena;
    sft_converted_source *sources;
    uint64_t source_count;
    sft_converted *tensors;
    uint64_t count;
    sft_tie *ties;
    uint64_t tie_count;
    sft_dropped *dropped;
    uint64_t dropped_count;
    uint64_t dropped_total;
    sft_metadata_entry *metadata;
    uint64_t metadata_count;
    const char **files;
    uint64_t file_count;
    const char *index_path;
    const char *wrapper;
    uint64_t bytes;
};

/* SFT_NO_MEMORY. */
sft_status sft_conversion_new(const sft_allocator *allocator, sft_conversion **conversion,
                              sft_error *error);
sft_status sft_conversion_name_sources(sft_conversion *conversion, const char *const *paths,
                                       uint64_t count, sft_error *error);

/* Copies what is planned. SFT_NO_MEMORY. */
sft_status sft_conversion_fill(sft_conversion *conversion, const sft_plan *plan,
                               const sft_target *target, sft_error *error);

#endif
