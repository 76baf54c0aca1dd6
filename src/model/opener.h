/* A model while it is being opened. */
#ifndef SFT_SRC_MODEL_OPENER_H
#define SFT_SRC_MODEL_OPENER_H

#include "format/index.h"
#include "model/model.h"

/* What opening needs beyond the model it fills. */
typedef struct sft_opener {
    sft_model *model;
    sft_model_options options;
    uint64_t seed[2];
    sft_index index; /* of a sharded model that has one */
    char *text;      /* the index's bytes */
    uint64_t text_size;
    sft_status status; /* the first defect */
    sft_error *error;
} sft_opener;

/*
 * Takes a defect in. True if opening may go on to look for more; the caller's error keeps the
 * first.
 */
bool sft_opener_go_on(sft_opener *o, sft_status status, sft_error *found);

/* Builds one table over the names of all shards; finds tensors that lie in two of them. */
sft_status sft_opener_join_names(sft_opener *o);

/*
 * Checks the index against the shards that could be opened, in the folder of the given path, which
 * ends with a slash or is empty: each names what the other holds, where it says, and total_size is
 * the sum.
 */
sft_status sft_opener_agree(sft_opener *o, const char *folder);

#endif
