#include "stream.h"

#include "output.h"
#include "progress.h"

#include <stdlib.h>

enum { BUFFER = 2 * 1024 * 1024 };

/* A dimension of the slice: position i of the result is start + i * step of the tensor. */
struct dimension {
    uint64_t start;
    uint64_t step;
    uint64_t count;
    uint64_t size;       /* of the tensor's dimension */
    uint64_t inner_bits; /* of the tensor below one position */
    uint64_t slice_bits; /* of the slice below one position */
};

struct plan {
    const sft_file *file;
    const sft_tensor *tensor;
    uint32_t rank;
    struct dimension *dimensions;
    sft_range *ranges;
    unsigned char *buffer;
};

static sft_status stream_bytes(const struct plan *plan, uint64_t offset, uint64_t size,
                               sft_error *error) {
    while (size > 0) {
        uint64_t piece = size < BUFFER ? size : BUFFER;
        sft_status status =
            sft_read_part(plan->file, plan->tensor, offset, plan->buffer, piece, error);
        if (status != SFT_OK) {
            return status;
        }
        output_bytes(plan->buffer, (size_t)piece);
        progress_add(piece);
        offset += piece;
        size -= piece;
    }
    return SFT_OK;
}

sft_status stream_tensor(const sft_file *file, const sft_tensor *tensor, sft_error *error) {
    struct plan plan = {file, tensor, 0, NULL, NULL, memory_take(BUFFER, 1)};
    sft_status status = stream_bytes(&plan, 0, tensor->end - tensor->begin, error);
    free(plan.buffer);
    return status;
}

static uint64_t clamp(int64_t position, uint64_t size) {
    if (position < 0) {
        uint64_t back = UINT64_C(0) - (uint64_t)position;
        return back > size ? 0 : size - back;
    }
    return (uint64_t)position > size ? size : (uint64_t)position;
}

/* NumPy's rules; the ranges have passed sft_slice_shape(). */
static struct dimension resolve(const sft_range *range, uint64_t size) {
    struct dimension dimension = {0, 1, size, size, 0, 0};
    if (range != NULL) {
        dimension.start = clamp(range->start, size);
        if (range->kind == SFT_INDEX) {
            dimension.count = 1;
        } else {
            uint64_t stop = clamp(range->stop, size);
            dimension.step = (uint64_t)range->step;
            dimension.count =
                stop > dimension.start ? (stop - dimension.start - 1) / dimension.step + 1 : 0;
        }
    }
    return dimension;
}

static void resolve_all(struct plan *plan, const sft_range *ranges, uint32_t count) {
    uint64_t inner_bits = sft_dtype_bits(plan->tensor->dtype);
    uint64_t slice_bits = inner_bits;
    for (uint32_t i = plan->rank; i-- > 0;) {
        struct dimension *dimension = &plan->dimensions[i];
        *dimension = resolve(i < count ? &ranges[i] : NULL, plan->tensor->shape[i]);
        dimension->inner_bits = inner_bits;
        dimension->slice_bits = slice_bits;
        inner_bits *= dimension->size;
        slice_bits *= dimension->count;
    }
}

/*
 * The outermost dimension from which on the slice takes one unbroken run of the
 * file. Only whole runs are asked for: parts of them may cut a byte of a 4 or 6
 * bit type where the run as a whole does not.
 */
static uint32_t run_dimension(const struct plan *plan) {
    uint32_t run = plan->rank;
    while (run > 0) {
        const struct dimension *outer = &plan->dimensions[run - 1];
        bool below_whole =
            run == plan->rank || (plan->dimensions[run].start == 0 &&
                                  plan->dimensions[run].count == plan->dimensions[run].size);
        if (!below_whole || (outer->step != 1 && outer->count != 1)) {
            break;
        }
        run--;
    }
    return run;
}

/* Ranges that take `count` positions from number `first` on of one dimension. */
static void set_range(struct plan *plan, uint32_t which, uint64_t first, uint64_t count) {
    const struct dimension *dimension = &plan->dimensions[which];
    uint64_t start = dimension->start + first * dimension->step;
    plan->ranges[which] =
        (sft_range){SFT_RANGE, (int64_t)start, (int64_t)(start + (count - 1) * dimension->step + 1),
                    (int64_t)dimension->step};
}

static sft_status stream_block(struct plan *plan, uint64_t bytes, sft_error *error) {
    sft_status status = sft_read_slice(plan->file, plan->tensor, plan->ranges, plan->rank,
                                       plan->buffer, bytes, error);
    if (status == SFT_OK) {
        output_bytes(plan->buffer, (size_t)bytes);
        progress_add(bytes);
    }
    return status;
}

/* Below the positions fixed so far: the run from dimension `run` on, in pieces. */
static sft_status stream_run(struct plan *plan, uint32_t run, const uint64_t *positions,
                             sft_error *error) {
    uint64_t bits = 0;
    for (uint32_t i = 0; i < run; i++) {
        const struct dimension *dimension = &plan->dimensions[i];
        bits += (dimension->start + positions[i] * dimension->step) * dimension->inner_bits;
    }
    uint64_t size = plan->dimensions[run - 1].slice_bits;
    if (run < plan->rank) {
        bits += plan->dimensions[run].start * plan->dimensions[run].inner_bits;
    }
    return stream_bytes(plan, bits / 8, size / 8, error);
}

/*
 * The dimensions outside `split` are walked one position at a time, `split` in
 * steps that fill the buffer. Where even one run does not fit, split is the
 * dimension outside the run, and each run is streamed by itself.
 */
static sft_status stream_blocks(struct plan *plan, uint32_t split, uint32_t run, bool fits,
                                sft_error *error) {
    uint64_t *positions = memory_take(plan->rank, sizeof *positions);
    for (uint32_t i = 0; i < plan->rank; i++) {
        positions[i] = 0;
        set_range(plan, i, 0, plan->dimensions[i].count);
    }
    const struct dimension *walked = &plan->dimensions[split];
    uint64_t most = fits ? (uint64_t)BUFFER * 8 / walked->slice_bits : 1;
    sft_status status = SFT_OK;
    bool more = true;
    while (status == SFT_OK && more) {
        uint64_t left = walked->count - positions[split];
        uint64_t step = left < most ? left : most;
        for (uint32_t i = 0; i <= split; i++) {
            set_range(plan, i, positions[i], i == split ? step : 1);
        }
        status = fits ? stream_block(plan, step * walked->slice_bits / 8, error)
                      : stream_run(plan, run, positions, error);
        positions[split] += step;
        uint32_t at = split;
        while (at > 0 && positions[at] == plan->dimensions[at].count) {
            positions[at] = 0;
            positions[--at]++;
        }
        more = positions[at] < plan->dimensions[at].count;
    }
    free(positions);
    return status;
}

static sft_status stream_planned(struct plan *plan, uint64_t bytes, sft_error *error) {
    uint32_t run = run_dimension(plan);
    if (run == 0) {
        uint64_t begin =
            plan->rank > 0 ? plan->dimensions[0].start * plan->dimensions[0].inner_bits / 8 : 0;
        return stream_bytes(plan, begin, bytes, error);
    }
    uint32_t split = 0;
    while (split + 1 < run && plan->dimensions[split].slice_bits / 8 > BUFFER) {
        split++;
    }
    bool fits = plan->dimensions[split].slice_bits / 8 <= BUFFER;
    return stream_blocks(plan, split, run, fits, error);
}

sft_status stream_slice(const sft_file *file, const sft_tensor *tensor, const sft_range *ranges,
                        uint32_t count, sft_error *error) {
    uint64_t *shape = memory_take(tensor->rank, sizeof *shape);
    uint32_t rank;
    uint64_t bytes;
    sft_status status = sft_slice_shape(tensor, ranges, count, shape, &rank, &bytes, error);
    free(shape);
    if (status != SFT_OK || bytes == 0) {
        return status;
    }
    struct plan plan = {file,
                        tensor,
                        tensor->rank,
                        memory_take(tensor->rank, sizeof(struct dimension)),
                        memory_take(tensor->rank, sizeof(sft_range)),
                        memory_take(BUFFER, 1)};
    resolve_all(&plan, ranges, count);
    status = stream_planned(&plan, bytes, error);
    free(plan.dimensions);
    free(plan.ranges);
    free(plan.buffer);
    return status;
}
