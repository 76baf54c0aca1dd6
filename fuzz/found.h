/* Tensors of an input: found, held against its size, and read. */
#ifndef SFT_FUZZ_FOUND_H
#define SFT_FUZZ_FOUND_H

#include "target.h"

#include "check_found.h"

/* Bytes of a storage that are read at most. */
#define FUZZ_FOUND_READ 65536

/* What lies in the input as it is must be read; what is unpacked, decoded, may turn out damaged. */
static inline void fuzz_read_storage(const sft_storage *storage) {
    static unsigned char bytes[FUZZ_FOUND_READ];
    uint64_t size = storage->region.size < sizeof bytes ? storage->region.size : sizeof bytes;
    sft_status status = sft_region_read(&storage->region, 0, bytes, size, NULL);
    fuzz_require(status == SFT_OK || status == SFT_MALFORMED_SOURCE || status == SFT_READ_FAILED ||
                     status == SFT_FILE_SHRANK || status == SFT_NO_MEMORY,
                 "a status that reading does not give");
}

static inline void fuzz_find(const sft_region *input) {
    const sft_find_options options = {
        .file_name = "input.npy", .memory = 8 << 20, .entries = 1000, .nesting = 3};
    sft_found found;
    sft_error error = {.status = SFT_OK};
    sft_status status = sft_find_tensors(&found, input, &options, &error);
    fuzz_expect(check_find_status(status));
    if (status == SFT_OK) {
        fuzz_expect(check_found(&found));
        for (uint64_t i = 0; i < found.storage_count && i < 100; i++) {
            fuzz_read_storage(&found.storages[i]);
        }
    } else {
        fuzz_require(error.status == status && error.message[0] != '\0', "refused without a word");
    }
    sft_found_free(&found);
}

#endif
