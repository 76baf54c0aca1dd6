/* A header alone: what is accepted must tile its file, what is refused must say where and why. */
#include <sft.h>

#include "check_model.h"
#include "target.h"

static void with_small_limits(const void *file, size_t bytes, uint64_t file_size) {
    sft_header_options options = SFT_HEADER_OPTIONS;
    options.limits.tensors = 3;
    options.limits.rank = 2;
    options.limits.memory = 4096;
    sft_header *header = NULL;
    if (sft_header_parse(file, bytes, file_size, &options, &header, NULL) == SFT_OK) {
        fuzz_require(sft_header_count(header) <= 3, "more tensors than the limit");
        for (uint64_t i = 0; i < sft_header_count(header); i++) {
            fuzz_require(sft_header_at(header, i)->rank <= 2, "more dimensions than the limit");
        }
    }
    sft_header_free(header);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    size_t bytes;
    uint64_t file_size;
    unsigned char *file = fuzz_header_file(data, size, &bytes, &file_size);
    if (file == NULL) {
        return 0;
    }
    sft_error error = {0};
    sft_header *header = NULL;
    sft_status status = sft_header_parse(file, bytes, file_size, NULL, &header, &error);
    if (status == SFT_OK) {
        fuzz_expect(check_header(header, file_size));
        size_t length;
        const char *text = sft_header_text(header, &length);
        fuzz_require(length == bytes - 8 && memcmp(text, file + 8, length) == 0,
                     "the header's text is not the file's");
    } else {
        fuzz_expect(check_error(&error, status));
        fuzz_require(sft_status_is_defect(status), "refused, but not as a defect");
        /* A hole or an overlap is where a tensor says it is, behind the header in any case. */
        bool claimed = status == SFT_HOLE || status == SFT_OVERLAP;
        fuzz_require(claimed ? error.byte >= bytes : error.byte <= file_size,
                     "the byte to blame is not in the file");
        fuzz_require(header == NULL, "refused, and yet a header was handed out");
    }
    sft_header_free(header);
    with_small_limits(file, bytes, file_size);
    free(file);
    return 0;
}
