#include "checkpoint/found.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "checkpoint/finder.h"

#define DEFAULT_MEMORY (UINT64_C(192) << 20)
#define DEFAULT_NESTING 4U
/* What one compressed pickle may unpack to. */
#define MOST_UNPACKED (UINT64_C(64) << 30)

static sft_status unsupported(const sft_finder *finder, sft_format format) {
    if (format == SFT_FORMAT_UNRECOGNIZED) {
        sft_fail(finder->error, SFT_UNSUPPORTED_SOURCE, SFT_NO_BYTE,
                 "it is neither a pickle nor any other kind of checkpoint that is known here");
    } else {
        sft_fail(finder->error, SFT_UNSUPPORTED_SOURCE, SFT_NO_BYTE,
                 "files of kind %s cannot be converted", sft_format_name(format));
    }
    return SFT_UNSUPPORTED_SOURCE;
}

/* A .npy is named after its file, without the extension. */
static sft_status find_lone_npy(sft_finder *finder, const sft_region *region) {
    const char *name = finder->options->file_name != NULL ? finder->options->file_name : "array";
    size_t length = strlen(name);
    if (length > 4 && memcmp(name + length - 4, ".npy", 4) == 0) {
        length -= 4;
    }
    finder->found->format = SFT_FORMAT_NPY;
    return sft_find_npy(finder, region, name, length);
}

static sft_status find_plain(sft_finder *finder, const sft_region *region, sft_format format) {
    finder->found->format = format;
    switch (format) {
    case SFT_FORMAT_ZIP:
        return sft_find_zip(finder, region);
    case SFT_FORMAT_NPY:
        return find_lone_npy(finder, region);
    case SFT_FORMAT_TAR:
        return sft_find_tar(finder, region);
    case SFT_FORMAT_PICKLE:
        return sft_find_pickle(finder, region);
    default:
        return unsupported(finder, format);
    }
}

/* A pickle or array that is packed as a whole, as joblib and many scripts do it. */
static sft_status find_packed(sft_finder *finder, const sft_region *region, sft_packing packing) {
    uint64_t size;
    uint64_t used;
    sft_region unpacked;
    sft_format format = SFT_FORMAT_UNRECOGNIZED;
    sft_status status = sft_inflated_size(region, packing, MOST_UNPACKED, &finder->allocator, &size,
                                          &used, finder->error);
    if (status == SFT_OK) {
        status = sft_sources_inflate(&finder->found->sources, region, packing, size, &unpacked,
                                     finder->error);
    }
    if (status == SFT_OK) {
        status = sft_detect(&unpacked, &format, finder->error);
    }
    return status == SFT_OK ? find_plain(finder, &unpacked, format) : status;
}

static sft_status find_any(sft_finder *finder, const sft_region *region) {
    sft_format format;
    sft_status status = sft_detect(region, &format, finder->error);
    if (status != SFT_OK) {
        return status;
    }
    if (format == SFT_FORMAT_GZIP || format == SFT_FORMAT_ZLIB) {
        return find_packed(finder, region,
                           format == SFT_FORMAT_GZIP ? SFT_PACKED_GZIP : SFT_PACKED_ZLIB);
    }
    return find_plain(finder, region, format);
}

sft_status sft_find_tensors(sft_found *found, const sft_region *region,
                            const sft_find_options *options, sft_error *error) {
    sft_allocator allocator = sft_allocator_of(options->allocator);
    *found = (sft_found){.format = SFT_FORMAT_UNRECOGNIZED, .file_size = region->size};
    sft_arena_init(&found->arena, &allocator);
    sft_sources_init(&found->sources, &allocator);
    sft_finder finder = {.found = found,
                         .allocator = allocator,
                         .options = options,
                         .memory = options->memory > 0 ? options->memory : DEFAULT_MEMORY,
                         .file_size = region->size,
                         .nesting = options->nesting > 0 ? options->nesting : DEFAULT_NESTING,
                         .error = error};
    return find_any(&finder, region);
}

void sft_found_free(sft_found *found) {
    const sft_allocator allocator = found->arena.allocator;
    if (found->has_zip) {
        sft_zip_free(&found->zip);
    }
    sft_release(&allocator, found->tensors, found->tensor_capacity * sizeof *found->tensors);
    sft_release(&allocator, found->storages, found->storage_capacity * sizeof *found->storages);
    sft_release(&allocator, found->leaves, found->leaf_capacity * sizeof *found->leaves);
    sft_sources_free(&found->sources);
    sft_arena_free(&found->arena);
}
