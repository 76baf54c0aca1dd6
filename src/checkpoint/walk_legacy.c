/* What follows the pickles of torch's legacy container: the bytes of its storages. */
#include "checkpoint/legacy.h"

#include "base/error.h"
#include "checkpoint/walk_pickle.h"

static sft_status add_storages(sft_reading *r, const sft_legacy *legacy) {
    sft_status status = SFT_OK;
    for (uint64_t i = 0; i < legacy->storage_count && status == SFT_OK; i++) {
        const sft_legacy_storage *storage = &legacy->storages[i];
        sft_part part = {.offset = storage->data,
                         .size = storage->size,
                         .view = SFT_VIEW_FILE,
                         .expect = SFT_EXPECT_DATA,
                         .is_deeper = true};
        status = sft_list_add(r->walk, r->list, &part, r->error);
    }
    return status;
}

sft_status sft_read_legacy(sft_reading *r, sft_legacy_end *legacy) {
    sft_legacy layout;
    sft_error failure;
    sft_pickle_options options = sft_reading_options(r);
    sft_status found = sft_legacy_read(&layout, &r->item->region, &options, &failure);
    sft_status status = SFT_OK;
    legacy->recognized = layout.recognized;
    legacy->pickles = layout.pickle_count;
    legacy->end = layout.end;
    legacy->broken = found;
    if (found != SFT_OK) {
        bool limit;
        legacy->failure = failure;
        status = sft_walk_explain(r->walk, found, &limit, r->error);
    }
    if (status == SFT_OK && layout.recognized) {
        sft_walk_format(r->walk, r->item, SFT_FORMAT_TORCH_LEGACY);
        status = add_storages(r, &layout);
    }
    sft_legacy_free(&layout);
    return status;
}

sft_status sft_end_legacy(sft_reading *r, const sft_legacy_end *legacy) {
    uint64_t size = r->item->region.size;
    sft_status status = SFT_OK;
    if (legacy->broken != SFT_OK && !r->is_nested) {
        sft_error failure = legacy->failure;
        status = sft_walk_say_broken(r->walk, r->item, legacy->broken, &failure, r->error);
    }
    if (status == SFT_OK && legacy->end < size) {
        if (legacy->broken == SFT_OK && !r->is_nested) {
            status = sft_say_trailing(r, legacy->end);
        }
        sft_part part = {.offset = legacy->end,
                         .size = size - legacy->end,
                         .view = SFT_VIEW_PICKLES,
                         .expect = SFT_EXPECT_DATA,
                         .is_deeper = true};
        status = status == SFT_OK ? sft_list_add(r->walk, r->list, &part, r->error) : status;
    }
    return status;
}
