/*
 * Two members of torch's tar: a number, and so many pickles, each of which is followed by what is
 * no pickle. As torch/serialization.py reads them, in the legacy_load() of _legacy_load().
 */
#include "base/checked.h"
#include "base/error.h"
#include "checkpoint/torch_id.h"
#include "checkpoint/walk_pickle.h"

void sft_ending_of_part(const sft_pickle *pickle, sft_ending *ending) {
    const sft_graph *graph = &pickle->graph;
    ending->count = 0;
    ending->item_size = 0;
    if (pickle->end != SFT_PICKLE_STOPPED || pickle->result == SFT_NO_REF) {
        return;
    }
    sft_graph_size(graph, pickle->result, &ending->count);
    if (sft_graph_kind(graph, pickle->result) == SFT_VALUE_TUPLE) {
        uint8_t dtype;
        sft_ref class = sft_graph_at(graph, pickle->result, 2);
        if (class == SFT_NO_REF ||
            !sft_torch_storage_class(graph, class, &dtype, &ending->item_size)) {
            ending->item_size = 0;
        }
    }
}

static bool read_number(const sft_region *region, uint64_t at, unsigned size, uint64_t *number) {
    unsigned char bytes[8];
    if (sft_region_read(region, at, bytes, size, NULL) != SFT_OK) {
        return false;
    }
    *number = 0;
    for (unsigned i = size; i-- > 0;) {
        *number = *number << 8 | bytes[i];
    }
    return true;
}

/* The element count as an int64, and the elements. */
static sft_status skip_storage(sft_reading *r, sft_ending *ending) {
    const sft_region *region = &r->item->region;
    uint64_t elements;
    uint64_t end;
    sft_part part = {.view = SFT_VIEW_FILE, .expect = SFT_EXPECT_DATA, .is_deeper = true};
    if (ending->item_size == 0 || !read_number(region, ending->position, 8, &elements) ||
        !sft_multiply(elements, ending->item_size, &part.size) ||
        !sft_add(ending->position, 8, &part.offset) || !sft_add(part.offset, part.size, &end) ||
        end > region->size) {
        return SFT_OK;
    }
    ending->position = end;
    return sft_list_add(r->walk, r->list, &part, r->error);
}

/* The rank as an int32 with four bytes behind it; as many sizes, as many strides, an offset. */
static void skip_shape(const sft_reading *r, sft_ending *ending) {
    const sft_region *region = &r->item->region;
    uint64_t rank;
    uint64_t end;
    if (read_number(region, ending->position, 4, &rank) && rank <= INT32_MAX &&
        sft_add(ending->position, 8 + 16 * rank + 8, &end) && end <= region->size) {
        ending->position = end;
    }
}

sft_status sft_skip_in_part(sft_reading *r, uint64_t number, sft_ending *ending) {
    if (number == 0) {
        r->part_count = ending->count;
    } else if (number <= r->part_count && r->item->view == SFT_VIEW_TAR_STORAGES) {
        return skip_storage(r, ending);
    } else if (number <= r->part_count && r->item->view == SFT_VIEW_TAR_TENSORS) {
        skip_shape(r, ending);
    }
    return SFT_OK;
}
