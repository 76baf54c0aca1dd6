/* Parsing a header on its own. */
#include "format/header.h"

#include "base/error.h"
#include "base/options.h"
#include "io/os.h"
#include "io/pages.h"

sft_status sft_header_parse(const void *bytes, size_t size, uint64_t file_size,
                            const sft_header_options *options, sft_header **header,
                            sft_error *error) {
    if (header != NULL) {
        *header = NULL;
    }
    sft_status status = sft_options_check(options, "SFT_HEADER_OPTIONS", error);
    if (status != SFT_OK) {
        return status;
    }
    sft_header_options wanted = sft_header_options_of(options);
    if (header == NULL || !sft_allocator_usable(wanted.allocator)) {
        return sft_fail(error, SFT_INVALID_ARGUMENT, SFT_NO_BYTE,
                        header == NULL ? "no place for the header"
                                       : "the allocator lacks a function");
    }
    sft_allocator allocator = sft_pages_allocator(wanted.allocator);
    wanted.allocator = &allocator;
    uint64_t seed[2];
    sft_os_random(seed);
    return sft_header_build(bytes, size, file_size, &wanted, seed, header, error);
}
