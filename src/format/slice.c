#include "format/slice.h"

#include <inttypes.h>

#include "base/error.h"

/* What is taken of one dimension, with everything that counts from the end resolved. */
typedef struct taken {
    uint64_t start;
    uint64_t count;
    uint64_t step;
} taken;

/* A position counted from the end if negative, and clamped to the dimension. */
static uint64_t clamp(int64_t position, uint64_t size) {
    if (position >= 0) {
        return (uint64_t)position < size ? (uint64_t)position : size;
    }
    uint64_t from_end = (uint64_t) - (position + 1) + 1;
    return from_end < size ? size - from_end : 0;
}

static sft_status take_index(const sft_range *range, uint32_t dimension, uint64_t size, taken *take,
                             sft_error *error) {
    uint64_t from_end = range->start < 0 ? (uint64_t) - (range->start + 1) + 1 : 0;
    bool inside = range->start < 0 ? from_end <= size : (uint64_t)range->start < size;
    if (!inside) {
        return sft_fail(error, SFT_INDEX_OUT_OF_RANGE, SFT_NO_BYTE,
                        "index %" PRId64 " is out of range for dimension %" PRIu32
                        " of size %" PRIu64,
                        range->start, dimension, size);
    }
    *take = (taken){range->start < 0 ? size - from_end : (uint64_t)range->start, 1, 1};
    return SFT_OK;
}

static sft_status take_range(const sft_range *range, uint32_t dimension, uint64_t size, taken *take,
                             sft_error *error) {
    if (range->kind == SFT_INDEX) {
        return take_index(range, dimension, size, take, error);
    }
    if (range->kind != SFT_RANGE) {
        return sft_fail(error, SFT_INVALID_ARGUMENT, SFT_NO_BYTE, "no such kind of range");
    }
    if (range->step < 1) {
        return sft_fail(error, SFT_SLICE_STEP, SFT_NO_BYTE,
                        "the step of dimension %" PRIu32 " is %" PRId64 ": it must be 1 or more",
                        dimension, range->step);
    }
    uint64_t step = (uint64_t)range->step;
    uint64_t start = clamp(range->start, size);
    uint64_t stop = clamp(range->stop, size);
    *take = (taken){start, stop > start ? (stop - start - 1) / step + 1 : 0, step};
    /* A dimension beyond 2^63 has no data; SFT_END is its end all the same. */
    if (range->stop == SFT_END && size > INT64_MAX) {
        take->count = size > start ? (size - start - 1) / step + 1 : 0;
    }
    return SFT_OK;
}

static sft_status take_dimension(const sft_tensor *tensor, const sft_range *ranges, uint32_t count,
                                 uint32_t dimension, taken *take, sft_error *error) {
    static const sft_range whole = SFT_ALL;
    return take_range(dimension < count ? &ranges[dimension] : &whole, dimension,
                      tensor->shape[dimension], take, error);
}

/* In bits, as elements may have four or six of them. */
typedef struct runs {
    uint64_t start;
    uint64_t run;
    uint32_t loop_count;
    sft_slice_loop loops[SFT_SLICE_LOOPS];
} runs;

/* Adds the next dimension outwards; stride is the distance of two of its positions. */
static void add_dimension(runs *r, const taken *take, uint64_t stride) {
    r->start += take->start * stride;
    if (take->count == 1) {
        return;
    }
    uint64_t distance = stride * take->step;
    sft_slice_loop *last = r->loop_count > 0 ? &r->loops[r->loop_count - 1] : NULL;
    if (last == NULL && distance == r->run) {
        r->run *= take->count;
    } else if (last != NULL && distance == last->stride * last->count) {
        last->count *= take->count;
    } else {
        r->loops[r->loop_count++] = (sft_slice_loop){take->count, distance};
    }
}

static sft_status to_bytes(const runs *r, sft_slice_plan *plan, sft_error *error) {
    uint64_t bits = r->start | r->run;
    plan->bytes = r->run / 8;
    for (uint32_t i = 0; i < r->loop_count; i++) {
        bits |= r->loops[i].stride;
        plan->bytes *= r->loops[i].count;
        plan->loops[i] = (sft_slice_loop){r->loops[i].count, r->loops[i].stride / 8};
    }
    plan->start = r->start / 8;
    plan->run = r->run / 8;
    plan->loop_count = r->loop_count;
    if (bits % 8 != 0) {
        return sft_fail(error, SFT_SLICE_PARTIAL_BYTE, SFT_NO_BYTE,
                        "the slice does not begin and end on whole bytes");
    }
    return SFT_OK;
}

static sft_status resolve(const sft_tensor *tensor, const sft_range *ranges, uint32_t count,
                          uint64_t *shape, uint32_t *rank, sft_slice_plan *plan, sft_error *error) {
    uint32_t kept = 0;
    bool empty = false;
    taken take = {0, 0, 0};
    for (uint32_t d = 0; d < tensor->rank; d++) {
        sft_status status = take_dimension(tensor, ranges, count, d, &take, error);
        if (status != SFT_OK) {
            return status;
        }
        empty = empty || take.count == 0;
        if (shape != NULL && !(d < count && ranges[d].kind == SFT_INDEX)) {
            shape[kept++] = take.count;
        }
    }
    if (rank != NULL) {
        *rank = kept;
    }
    plan->bytes = 0;
    plan->loop_count = 0;
    if (empty) {
        return SFT_OK;
    }
    /* The tensor has elements, so that none of these products can overflow: checked at open. */
    uint64_t stride = sft_dtype_bits(tensor->dtype);
    runs r = {.run = stride};
    for (uint32_t d = tensor->rank; d-- > 0;) {
        sft_status status = take_dimension(tensor, ranges, count, d, &take, error);
        if (status != SFT_OK) {
            return status;
        }
        add_dimension(&r, &take, stride);
        stride *= tensor->shape[d];
    }
    return to_bytes(&r, plan, error);
}

sft_status sft_slice_resolve(const sft_tensor *tensor, const sft_range *ranges, uint32_t count,
                             uint64_t *shape, uint32_t *rank, sft_slice_plan *plan,
                             sft_error *error) {
    sft_status status;
    if (count > tensor->rank) {
        status = sft_fail(error, SFT_SLICE_RANK, SFT_NO_BYTE,
                          "%" PRIu32 " range%s for a tensor of %" PRIu32 " dimension%s", count,
                          sft_plural(count), tensor->rank, sft_plural(tensor->rank));
    } else {
        status = resolve(tensor, ranges, count, shape, rank, plan, error);
    }
    if (status != SFT_OK) {
        sft_error_tensor(error, tensor->name, tensor->name_length);
    }
    return status;
}

sft_status sft_slice_shape(const sft_tensor *tensor, const sft_range *ranges, uint32_t count,
                           uint64_t *shape, uint32_t *rank, uint64_t *bytes, sft_error *error) {
    if (tensor == NULL || (ranges == NULL && count > 0) || rank == NULL || bytes == NULL ||
        (shape == NULL && tensor->rank > 0)) {
        return sft_fail(error, SFT_INVALID_ARGUMENT, SFT_NO_BYTE,
                        "a tensor, its ranges, and places for shape, rank and size are needed");
    }
    sft_slice_plan plan = {.bytes = 0};
    sft_status status = sft_slice_resolve(tensor, ranges, count, shape, rank, &plan, error);
    if (status == SFT_OK) {
        *bytes = plan.bytes;
    }
    return status;
}
