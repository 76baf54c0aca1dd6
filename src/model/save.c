#include "model/save.h"

#include <inttypes.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"

#define SMALLEST_ALIGNMENT UINT64_C(8)
#define LARGEST_ALIGNMENT (UINT64_C(1) << 20)

/* Few enough calls to cost nothing, enough of them for a smooth display. */
#define REPORT_STEP (UINT64_C(4) * 1024 * 1024)

sft_status sft_save_init(sft_save *save, const sft_write_options *given, sft_error *error) {
    sft_write_options options = SFT_WRITE_OPTIONS;
    sft_status status = sft_options_check(given, "SFT_WRITE_OPTIONS", error);
    if (status != SFT_OK) {
        return status;
    }
    sft_options_copy(&options, sizeof options, given);
    if (!sft_allocator_usable(options.allocator)) {
        return sft_fail(error, SFT_INVALID_ARGUMENT, SFT_NO_BYTE, "the allocator lacks a function");
    }
    if (options.metadata == NULL && options.metadata_count > 0) {
        return sft_fail(error, SFT_INVALID_ARGUMENT, SFT_NO_BYTE,
                        "metadata is a null pointer, but metadata_count is not 0");
    }
    bool aligned = options.alignment != 0;
    if (!aligned) {
        options.alignment = SMALLEST_ALIGNMENT;
    }
    if (options.alignment < SMALLEST_ALIGNMENT || options.alignment > LARGEST_ALIGNMENT ||
        (options.alignment & (options.alignment - 1)) != 0) {
        return sft_fail(error, SFT_INVALID_ARGUMENT, SFT_NO_BYTE,
                        "an alignment of %" PRIu64 " is no power of two from %" PRIu64
                        " to %" PRIu64,
                        options.alignment, SMALLEST_ALIGNMENT, LARGEST_ALIGNMENT);
    }
    *save = (sft_save){
        .options = options, .allocator = sft_allocator_of(options.allocator), .aligned = aligned};
    return SFT_OK;
}

sft_status sft_save_report(sft_save *save, uint64_t done, sft_error *error) {
    bool news = done - save->reported >= REPORT_STEP || done == save->total;
    if (save->options.progress == NULL || done <= save->reported || !news) {
        return SFT_OK;
    }
    save->reported = done;
    if (!save->options.progress(save->options.progress_context, done, save->total)) {
        return sft_fail(error, SFT_CANCELLED, SFT_NO_BYTE, "cancelled");
    }
    return SFT_OK;
}
