/*
 * Two members of torch's tar: a number, and so many pickles, each of which is followed by what is
 * no pickle. From the reader in torch/serialization.py, _legacy_load().
 */
#include "base/checked.h"
#include "base/error.h"
#include "checkpoint/walk_pickle.h"

sft_status sft_walk_tar_part(sft_walk *walk, const sft_item *item, sft_error *error) {
    return sft_walk_pickles(walk, item, error);
}
