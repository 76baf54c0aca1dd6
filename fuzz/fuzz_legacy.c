/*
 * torch's legacy container, and pickles of all kinds: the layout is read, then all tensors are
 * found. The corpus holds torch's other containers too.
 */
#include "found.h"

#include "checkpoint/legacy.h"

static void check_layout(const sft_legacy *legacy, const sft_region *region, bool whole) {
    fuzz_require(legacy->pickle_count <= 5 && legacy->pickles[0] == 0, "the pickles begin nowhere");
    for (uint64_t i = 1; i < legacy->pickle_count; i++) {
        fuzz_require(legacy->pickles[i] > legacy->pickles[i - 1], "pickles out of order");
    }
    uint64_t end = legacy->pickle_count > 0 ? legacy->pickles[legacy->pickle_count - 1] : 0;
    for (uint64_t i = 0; i < legacy->storage_count; i++) {
        const sft_legacy_storage *storage = &legacy->storages[i];
        fuzz_require(storage->data >= end + 8, "storages overlap");
        fuzz_require(storage->item_size > 0 &&
                         storage->size / storage->item_size == storage->elements,
                     "a storage has other bytes than its elements");
        end = storage->data + storage->size;
        fuzz_require(end >= storage->data && end <= region->size, "a storage behind the file");
    }
    fuzz_require(!whole || legacy->end >= end, "the file ends before its storages");
    fuzz_require(legacy->end <= region->size, "the end lies behind the file");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    sft_sources sources;
    sft_sources_init(&sources, NULL);
    sft_region input;
    if (sft_sources_memory(&sources, data, size, &input, NULL) == SFT_OK) {
        const sft_pickle_options options = {.memory = 8 << 20};
        sft_legacy legacy;
        sft_error error = {.status = SFT_OK};
        sft_status status = sft_legacy_read(&legacy, &input, &options, &error);
        fuzz_expect(check_find_status(status));
        if (legacy.recognized) {
            check_layout(&legacy, &input, status == SFT_OK);
        }
        fuzz_require(status == SFT_OK || error.message[0] != '\0', "refused without a word");
        sft_legacy_free(&legacy);
        fuzz_find(&input);
    }
    sft_sources_free(&sources);
    return 0;
}
