/* A whole file: whatever opens holds together, reads alike both ways, and is written as an equal
 * one. */
#include <sft.h>

#include "check_model.h"
#include "target.h"

/* What positioned reads give must be what the view shows. */
static void read_all(const sft_file *file, const uint8_t *data, size_t size) {
    sft_open_options options = SFT_OPEN_OPTIONS;
    options.access = SFT_ACCESS_READ;
    sft_file *reader = NULL;
    fuzz_require(sft_open_memory(data, size, &options, &reader, NULL) == SFT_OK,
                 "opens for a view, but not for reading");
    for (uint64_t i = 0; i < sft_count(file); i++) {
        const sft_tensor *seen = sft_at(file, i);
        const sft_tensor *read = sft_at(reader, i);
        uint64_t bytes = seen->end - seen->begin;
        void *to = malloc((size_t)bytes + 1);
        if (to != NULL) {
            fuzz_require(sft_read(reader, read, to, bytes, NULL) == SFT_OK, "cannot be read");
            fuzz_require(bytes == 0 || memcmp(to, sft_data(file, seen), (size_t)bytes) == 0,
                         "read and view differ");
        }
        free(to);
    }
    sft_close(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    sft_error error = {0};
    sft_file *file = NULL;
    sft_status status = sft_open_memory(data, size, NULL, &file, &error);
    if (status == SFT_OK) {
        fuzz_expect(check_header(sft_file_header(file), size));
        fuzz_expect(check_round_trip(file));
        read_all(file, data, size);
    } else {
        fuzz_expect(check_error(&error, status));
        fuzz_require(sft_status_is_defect(status), "refused, but not as a defect");
    }
    sft_close(file);
    return 0;
}
