#include "checkpoint/tiling.h"

#include "base/checked.h"

/* Runs of the result that are written at once should not be shorter than a page. A little more, for
 * at distances of whole pages the lines of a cache would be in each other's way. */
#define GOOD_RUN (4096U + 128U)

uint64_t sft_tiling_item(sft_dtype dtype) {
    return sft_dtype_bits(dtype) / 8;
}

/* Leaves out dimensions of one element, and joins those that are one in memory and in the result.
 */
static void simplify(const sft_found_tensor *tensor, sft_tiling *tiling) {
    for (uint32_t i = 0; i < tensor->rank; i++) {
        uint64_t count = tensor->shape[i];
        uint64_t stride = tensor->strides[i] * tiling->item;
        if (count == 1) {
            continue;
        }
        if (tiling->rank > 0 && tiling->strides[tiling->rank - 1] == stride * count) {
            tiling->shape[tiling->rank - 1] *= count;
            tiling->strides[tiling->rank - 1] = stride;
            continue;
        }
        tiling->shape[tiling->rank] = count;
        tiling->strides[tiling->rank] = stride;
        tiling->rank++;
    }
}

/* The dimensions by rising stride: as they lie in the storage, those of stride 0 last, for they
 * are nowhere in it. */
static void sort_by_stride(const sft_tiling *tiling, uint32_t order[SFT_TILING_RANK]) {
    for (uint32_t i = 0; i < tiling->rank; i++) {
        /* From the innermost on, which stands first among equals. */
        uint32_t dimension = tiling->rank - 1 - i;
        uint64_t stride = tiling->strides[dimension] - 1;
        uint32_t at = i;
        for (; at > 0 && tiling->strides[order[at - 1]] - 1 > stride; at--) {
            order[at] = order[at - 1];
        }
        order[at] = dimension;
    }
}

/* Makes the tile longer in one dimension, by as much as its size allows. */
static void grow(sft_tiling *tiling, uint32_t dimension, uint64_t *elements, uint64_t most) {
    uint64_t factor = most / *elements;
    uint64_t now = tiling->tile[dimension];
    if (factor > 1 && now < tiling->shape[dimension]) {
        uint64_t wanted = sft_min(tiling->shape[dimension], now * factor);
        tiling->tile[dimension] = wanted;
        *elements = *elements / now * wanted;
    }
}

static uint64_t count_tiles(const sft_tiling *tiling) {
    uint64_t count = 1;
    for (uint32_t i = 0; i < tiling->rank; i++) {
        count *= (tiling->shape[i] - 1) / tiling->tile[i] + 1;
    }
    return count;
}

static bool fits_one_tile(const sft_tiling *tiling, uint64_t most) {
    uint64_t elements = 1;
    for (uint32_t i = 0; i < tiling->rank; i++) {
        if (tiling->shape[i] > most / elements) {
            return false;
        }
        elements *= tiling->shape[i];
    }
    return true;
}

void sft_tiling_cut(const sft_found_tensor *tensor, sft_tiling *tiling) {
    *tiling = (sft_tiling){.item = sft_tiling_item(tensor->dtype)};
    tiling->base = tensor->offset * tiling->item;
    simplify(tensor, tiling);
    uint64_t most = SFT_TILE_BYTES / tiling->item;
    bool one = fits_one_tile(tiling, most);
    for (uint32_t i = 0; i < tiling->rank; i++) {
        tiling->tile[i] = one ? tiling->shape[i] : 1;
    }
    if (!one) {
        uint64_t elements = 1;
        /* First what makes a good run in the result, then long runs in the storage, then the rest.
         */
        for (uint32_t i = tiling->rank; i > 0; i--) {
            grow(tiling, i - 1, &elements, GOOD_RUN / tiling->item);
        }
        uint32_t order[SFT_TILING_RANK];
        sort_by_stride(tiling, order);
        for (uint32_t i = 0; i < tiling->rank; i++) {
            grow(tiling, order[i], &elements, most);
        }
    }
    tiling->count = count_tiles(tiling);
}

void sft_tiling_tile(const sft_tiling *tiling, uint64_t index, sft_tile *tile) {
    tile->bytes = tile->run = tiling->item;
    bool whole = true; /* all dimensions further in are not cut */
    for (uint32_t i = tiling->rank; i > 0; i--) {
        uint32_t dimension = i - 1;
        uint64_t length = tiling->shape[dimension];
        uint64_t part = tiling->tile[dimension];
        uint64_t parts = (length - 1) / part + 1;
        tile->start[dimension] = index % parts * part;
        index /= parts;
        tile->size[dimension] = sft_min(part, length - tile->start[dimension]);
        tile->bytes *= tile->size[dimension];
        if (whole) {
            tile->run = tile->bytes;
        }
        whole = whole && tile->size[dimension] == length;
    }
    tile->run_count = tile->bytes / tile->run;
}

uint64_t sft_tiling_run(const sft_tiling *tiling, const sft_tile *tile, uint64_t run) {
    uint64_t place = 0;
    uint64_t step = tiling->item; /* bytes of the result from one index to the next */
    uint64_t inner = tile->run / tiling->item;
    for (uint32_t i = tiling->rank; i > 0; i--) {
        uint32_t dimension = i - 1;
        uint64_t index = tile->start[dimension];
        /* Dimensions within a run are passed over, the others count the runs. */
        uint64_t turns = tile->size[dimension];
        if (inner > 1) {
            inner = (inner - 1) / turns + 1;
        } else {
            index += run % turns;
            run /= turns;
        }
        place += index * step;
        step *= tiling->shape[dimension];
    }
    return place;
}
