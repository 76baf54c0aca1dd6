/* Whether a tensor lies within its storage, and how. */
#include "base/checked.h"
#include "base/error.h"
#include "checkpoint/finder.h"

/* Views may need more bytes than their storage has, by this many times the file and a bit. */
#define EXPANSION UINT64_C(16)
#define EXPANSION_FREE (UINT64_C(64) << 20)

/* Strides as they are if the tensor is dense; false where they do not fit. */
static bool dense_strides(const sft_view *view, uint64_t strides[SFT_RANK_MAX]) {
    uint64_t step = 1;
    for (uint32_t i = view->rank; i-- > 0;) {
        strides[i] = step;
        if (view->shape[i] > 1 && !sft_multiply(step, view->shape[i], &step)) {
            return false;
        }
    }
    return true;
}

/*
 * Dimensions of size 1 get the stride that they would have in a dense tensor of this order: they
 * are never stepped along. True if the whole is dense.
 */
static bool make_plain(sft_view *view, uint64_t elements) {
    uint64_t dense[SFT_RANK_MAX];
    if (!dense_strides(view, dense)) {
        return false;
    }
    bool is_dense = true;
    for (uint32_t i = 0; i < view->rank; i++) {
        if (view->shape[i] == 1 || elements == 0) {
            view->strides[i] = dense[i];
        }
        is_dense = is_dense && view->strides[i] == dense[i];
    }
    return is_dense;
}

/* How many elements there are from the storage's first to the tensor's last; false on overflow. */
static bool reach_of(const sft_view *view, uint64_t *reach) {
    if (!sft_add(view->offset, 1, reach)) {
        return false;
    }
    for (uint32_t i = 0; i < view->rank; i++) {
        uint64_t step;
        if (view->shape[i] > 1 && (!sft_multiply(view->shape[i] - 1, view->strides[i], &step) ||
                                   !sft_add(*reach, step, reach))) {
            return false;
        }
    }
    return true;
}

/* What expanded views take on the disk is bounded, all of them together. */
static bool fits_expansion(sft_finder *finder, uint64_t bytes, uint64_t available) {
    uint64_t most;
    if (!sft_multiply(finder->file_size, EXPANSION, &most) ||
        !sft_add(most, EXPANSION_FREE, &most)) {
        most = UINT64_MAX;
    }
    uint64_t excess = bytes > available ? bytes - available : 0;
    return sft_add(finder->expanded, excess, &finder->expanded) && finder->expanded <= most;
}

static sft_status keep(sft_finder *finder, const sft_view *view, bool dense,
                       sft_found_tensor *tensor) {
    uint64_t *numbers =
        sft_arena_take(&finder->found->arena, 2 * (uint64_t)view->rank * sizeof *numbers);
    if (numbers == NULL) {
        return sft_fail_memory(finder->error);
    }
    for (uint32_t i = 0; i < view->rank; i++) {
        numbers[i] = view->shape[i];
        numbers[view->rank + i] = view->strides[i];
    }
    *tensor = (sft_found_tensor){.dtype = view->dtype,
                                 .dense = dense,
                                 .rank = view->rank,
                                 .shape = numbers,
                                 .strides = numbers + view->rank,
                                 .offset = view->offset,
                                 .storage = view->storage};
    return SFT_OK;
}

sft_status sft_view_check(sft_finder *finder, sft_view *view, sft_found_tensor *tensor) {
    uint64_t item = sft_dtype_bits(view->dtype) / 8;
    uint64_t elements;
    uint64_t bytes;
    if (!sft_shape_elements(view->shape, view->rank, &elements) ||
        !sft_multiply(elements, item, &bytes)) {
        return sft_refuse(finder, tensor, SFT_TENSOR_BOUNDS,
                          "its shape has more elements than fit in 64 bits");
    }
    bool dense = make_plain(view, elements);
    if (elements == 0) {
        view->offset = 0;
        return keep(finder, view, true, tensor);
    }
    uint64_t reach;
    if (!reach_of(view, &reach) || reach > view->size / item) {
        return sft_refuse(finder, tensor, SFT_TENSOR_BOUNDS,
                          "it reaches beyond its storage of %llu byte%s",
                          (unsigned long long)view->size, sft_plural(view->size));
    }
    if (view->skipped % item != 0) {
        return sft_refuse(finder, tensor, SFT_TENSOR_BOUNDS,
                          "it does not begin at an element of its storage");
    }
    if (!fits_expansion(finder, bytes, view->size)) {
        return sft_refuse(finder, tensor, SFT_SOURCE_LIMIT,
                          "it repeats its elements so often that it would take %llu bytes",
                          (unsigned long long)bytes);
    }
    view->offset += view->skipped / item;
    return keep(finder, view, dense, tensor);
}
