/* Parsing a header on its own. */
#include "format/header.h"

#include "base/error.h"
#include "io/os.h"

sft_status sft_header_parse(const void *bytes, size_t size, uint64_t file_size,
                            const sft_header_options *options, sft_header **header,
                            sft_error *error) {
    if (header != NULL) {
        *header = NULL;
    }
    if (header == NULL || (options != NULL && !sft_allocator_usable(options->allocator))) {
        return sft_fail(error, SFT_INVALID_ARGUMENT, SFT_NO_BYTE,
                        header == NULL ? "no place for the header"
                                       : "the allocator lacks a function");
    }
    uint64_t seed[2];
    sft_os_random(seed);
    return sft_header_build(bytes, size, file_size, options, seed, header, error);
}
