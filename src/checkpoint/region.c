#include "checkpoint/region.h"

#include <errno.h>
#include <inttypes.h>

#include "base/checked.h"
#include "base/error.h"
#include "checkpoint/sources.h"
#include "io/source.h"

sft_status sft_region_read(const sft_region *region, uint64_t offset, void *to, uint64_t size,
                           sft_error *error) {
    sft_region part;
    if (!sft_region_part(region, offset, size, &part)) {
        return sft_fail(error, SFT_MALFORMED_SOURCE, offset,
                        "%" PRIu64 " byte%s are needed here, and there are not so many", size,
                        sft_plural(size));
    }
    sft_status status = sft_source_read(part.source, part.offset, to, size, error);
    return status == SFT_OK ? SFT_OK : sft_stream_explain(part.source, status, error);
}

bool sft_region_part(const sft_region *region, uint64_t offset, uint64_t size, sft_region *part) {
    uint64_t end;
    uint64_t start;
    if (!sft_add(offset, size, &end) || end > region->size ||
        !sft_add(region->offset, offset, &start)) {
        return false;
    }
    *part = *region;
    part->offset = start;
    part->size = size;
    return true;
}

static sft_status read_input(void *context, uint64_t offset, void *to, uint64_t size,
                             sft_error *error) {
    return sft_region_read(context, offset, to, size, error);
}

/* The interfaces of inputs and sources have contexts that can be written to; regions are not. */
sft_pickle_input sft_region_input(const sft_region *region) {
    return (sft_pickle_input){(void *)(uintptr_t)region, read_input, region->size};
}

static int region_size(void *context, uint64_t *size) {
    const sft_region *region = context;
    *size = region->size;
    return 0;
}

static int errno_of(sft_status status) {
    return status == SFT_MALFORMED_SOURCE ? EBADMSG : status == SFT_NO_MEMORY ? ENOMEM : EIO;
}

static int64_t region_read_at(void *context, uint64_t offset, void *to, size_t size) {
    const sft_region *region = context;
    if (offset >= region->size) {
        return 0;
    }
    uint64_t piece = sft_min(size, region->size - offset);
    sft_error error;
    sft_status status = sft_region_read(region, offset, to, piece, &error);
    if (status == SFT_FILE_SHRANK) {
        return 0;
    }
    if (status != SFT_OK) {
        return error.system_error != 0 ? -error.system_error : -errno_of(status);
    }
    return (int64_t)piece;
}

sft_source sft_region_source(const sft_region *region) {
    return (sft_source){(void *)(uintptr_t)region, region_size, region_read_at, NULL, NULL};
}
