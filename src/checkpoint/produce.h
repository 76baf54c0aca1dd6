/* The files of a result: all are written and compared before the first gets its name. */
#ifndef SFT_SRC_CHECKPOINT_PRODUCE_H
#define SFT_SRC_CHECKPOINT_PRODUCE_H

#include <sft/convert.h>

#include "checkpoint/plan.h"
#include "checkpoint/split.h"
#include "checkpoint/target.h"

typedef struct sft_product {
    sft_allocator allocator;
    const sft_convert_options *options;
    const sft_plan *plan;
    const sft_split *split;
    const sft_target *files;
    const char *const *paths; /* of the sources */
} sft_product;

/* After any failure nothing is left of it. Returns as sft_convert() does. */
sft_status sft_produce(const sft_product *product, sft_error *error);

#endif
