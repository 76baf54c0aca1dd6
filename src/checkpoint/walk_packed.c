/* What is unpacked in the course of a walk, and what that may cost. */
#include <errno.h>
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "checkpoint/walk.h"
#include "io/source.h"

/* A step back in an unpacked region makes about as much again; see checkpoint/sources.c. */
#define STEP_BACK (UINT64_C(1) << 20)

/* ---- counting ---- */

typedef struct meter {
    sft_source source;
    sft_walk *walk;
    sft_region of;
    uint64_t position; /* behind what was made */
} meter;

static int meter_size(void *context, uint64_t *size) {
    const meter *counting = context;
    *size = counting->of.size;
    return 0;
}

static bool pay(meter *counting, uint64_t offset, uint64_t size) {
    uint64_t end = offset + size;
    uint64_t cost = offset + STEP_BACK < counting->position ? STEP_BACK
                    : end > counting->position              ? end - counting->position
                                                            : 0;
    counting->position = end > counting->position ? end : counting->position;
    sft_walk *walk = counting->walk;
    walk->unpack_over = walk->unpack_over || cost > walk->unpack;
    walk->unpack -= sft_min(cost, walk->unpack);
    return !walk->unpack_over;
}

static int64_t meter_read_at(void *context, uint64_t offset, void *to, size_t size) {
    meter *counting = context;
    if (offset >= counting->of.size) {
        return 0;
    }
    size_t piece = (size_t)sft_min(size, counting->of.size - offset);
    if (!pay(counting, offset, piece)) {
        return -EFBIG;
    }
    sft_status status = sft_region_read(&counting->of, offset, to, piece, NULL);
    return status == SFT_OK ? (int64_t)piece : -EBADMSG;
}

sft_status sft_walk_unpack(sft_walk *walk, sft_sources *sources, const sft_region *packed,
                           sft_packing packing, uint64_t size, bool exact, sft_region *unpacked,
                           sft_error *error) {
    meter *counting = sft_arena_take(&sources->arena, sizeof *counting);
    if (counting == NULL) {
        return sft_fail_memory(error);
    }
    *counting = (meter){.walk = walk};
    sft_status status =
        exact ? sft_sources_inflate(sources, packed, packing, size, &counting->of, error)
              : sft_sources_inflate_part(sources, packed, packing, size, &counting->of, error);
    counting->source = (sft_source){counting, meter_size, meter_read_at, NULL, NULL};
    *unpacked = (sft_region){&counting->source, 0, size, -1, packed->label};
    return status;
}

/* ---- keeping ---- */

typedef struct kept_bytes {
    sft_source source;
    sft_bytes bytes;
} kept_bytes;

sft_status sft_walk_settle(sft_walk *walk, sft_arena *arena, uint64_t most, sft_item *item,
                           sft_error *error) {
    if (!item->made || item->region.size > most) {
        return SFT_OK;
    }
    kept_bytes *kept = sft_arena_take(arena, sizeof *kept);
    char *bytes = kept == NULL ? NULL : sft_arena_take(arena, item->region.size);
    if (bytes == NULL) {
        return sft_fail_memory(error);
    }
    sft_status status = sft_region_read(&item->region, 0, bytes, item->region.size, error);
    if (status != SFT_OK) {
        bool limit;
        return sft_walk_explain(walk, status, &limit, error);
    }
    kept->bytes = (sft_bytes){bytes, item->region.size};
    kept->source = sft_source_of_bytes(&kept->bytes);
    item->region = (sft_region){&kept->source, 0, kept->bytes.size, -1, item->region.label};
    item->made = false;
    return SFT_OK;
}

/* ---- compressed files ---- */

static sft_packing packing_of(sft_view view) {
    return view == SFT_VIEW_GZIP   ? SFT_PACKED_GZIP
           : view == SFT_VIEW_ZLIB ? SFT_PACKED_ZLIB
                                   : SFT_PACKED_DEFLATE;
}

/* What stands in a damaged stream before the damage is looked at: a loader comes to it first. */
sft_status sft_walk_packed(sft_walk *walk, const sft_item *item, sft_error *error) {
    sft_list *list = sft_list_push(walk, item);
    if (list == NULL) {
        return sft_fail_memory(error);
    }
    sft_packing packing = packing_of(item->view);
    uint64_t limit = sft_min(walk->limits.inflated, walk->unpack / 2);
    uint64_t size = 0;
    uint64_t used = 0;
    sft_error failure = {.status = SFT_OK};
    sft_status found =
        sft_inflated_size(&item->region, packing, limit, &walk->allocator, &size, &used, &failure);
    size = sft_min(size, limit);
    walk->unpack -= sft_min(size, walk->unpack);
    sft_status status = SFT_OK;
    if (found != SFT_OK) {
        failure.byte = SFT_NO_BYTE;
        walk->is_cut = walk->is_cut || item->expect == SFT_EXPECT_FILE;
        status = sft_walk_say_broken(walk, item, found, &failure, error);
    }
    if (status == SFT_OK && size > 0) {
        sft_part part = {.size = size,
                         .view = SFT_VIEW_FILE,
                         .expect = item->expect,
                         .is_packed = true,
                         .is_damaged = found != SFT_OK,
                         .is_deeper = true,
                         .packing = packing};
        status = sft_list_add(walk, list, &part, error);
    } else if (status == SFT_OK && found == SFT_OK) {
        sft_walk_format(walk, item, SFT_FORMAT_UNRECOGNIZED);
    }
    bool trails = found == SFT_OK && used < item->region.size && item->expect != SFT_EXPECT_DATA;
    return status == SFT_OK && trails
               ? sft_walk_say(walk, item, SFT_SEVERITY_UNKNOWN, "TRAILING_BYTES", used,
                              "bytes follow the end of the compressed data", error)
               : status;
}
