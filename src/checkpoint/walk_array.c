/* Files of arrays: NumPy's, whose objects are pickled, and safetensors, checked by its rules. */
#include <sft/reader.h>

#include "base/error.h"
#include "checkpoint/npy.h"
#include "checkpoint/walk.h"

sft_status sft_walk_npy(sft_walk *walk, const sft_item *item, sft_error *error) {
    sft_npy npy;
    sft_error failure;
    sft_status found = sft_npy_read(&item->region, &walk->allocator, &npy, &failure);
    if (found != SFT_OK) {
        return sft_walk_say_broken(walk, item, found, &failure, error);
    }
    if (!npy.dtype.object) {
        return SFT_OK;
    }
    sft_list *list = sft_list_push(walk, item);
    if (list == NULL) {
        return sft_fail_memory(error);
    }
    sft_part part = {.offset = npy.data,
                     .size = item->region.size - npy.data,
                     .view = SFT_VIEW_PICKLES,
                     .expect =
                         item->expect == SFT_EXPECT_DATA ? SFT_EXPECT_DATA : SFT_EXPECT_PICKLE,
                     .is_deeper = true};
    return sft_list_add(walk, list, &part, error);
}

sft_status sft_walk_safetensors(sft_walk *walk, const sft_item *item, sft_error *error) {
    sft_source source = sft_region_source(&item->region);
    sft_open_options options = SFT_OPEN_OPTIONS;
    options.access = SFT_ACCESS_READ;
    options.allocator = &walk->allocator;
    sft_file *file = NULL;
    sft_error failure;
    sft_status found = sft_open_source(&source, &options, &file, &failure);
    if (found == SFT_OK) {
        sft_close(file);
        return SFT_OK;
    }
    if (!sft_status_is_defect(found)) {
        return sft_walk_say_broken(walk, item, found, &failure, error);
    }
    return item->expect == SFT_EXPECT_DATA
               ? SFT_OK
               : sft_walk_say(walk, item, SFT_SEVERITY_MALFORMED, sft_status_name(found),
                              failure.byte, failure.message, error);
}
