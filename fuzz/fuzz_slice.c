/*
 * A slice of a small tensor, compared with a gather of one element after the other.
 *
 * Input: a byte for the dtype, one for the rank, one for each dimension; the rest is the slice.
 */
#include <sft.h>

#include "target.h"

#define MAX_RANK 4U
#define MAX_DIMENSION 7U

/* The positions that a range takes of a dimension. */
typedef struct picks {
    uint64_t first;
    uint64_t count;
    uint64_t step;
} picks;

/* The elements that a slice takes, as runs of neighbours. */
typedef struct gather {
    uint32_t bits;
    const unsigned char *from;
    unsigned char *to;
    uint64_t bytes;
    uint64_t run_start;
    uint64_t run_length;
    bool partial;
} gather;

static uint64_t clamp(int64_t place, uint64_t size) {
    if (place < 0) {
        return (uint64_t) - (place + 1) >= size ? 0 : size - 1 - (uint64_t) - (place + 1);
    }
    return (uint64_t)place < size ? (uint64_t)place : size;
}

static bool pick(const sft_range *range, uint64_t size, picks *to) {
    if (range->kind == SFT_INDEX) {
        uint64_t back = range->start < 0 ? (uint64_t) - (range->start + 1) + 1 : 0;
        if (range->start < 0 ? back > size : (uint64_t)range->start >= size) {
            return false;
        }
        *to = (picks){range->start < 0 ? size - back : (uint64_t)range->start, 1, 1};
        return true;
    }
    uint64_t start = clamp(range->start, size);
    uint64_t stop = clamp(range->stop, size);
    uint64_t step = (uint64_t)range->step;
    *to = (picks){start, stop > start ? (stop - start - 1) / step + 1 : 0, step};
    return true;
}

static void end_run(gather *g) {
    uint64_t at = g->run_start * g->bits;
    uint64_t length = g->run_length * g->bits;
    if (at % 8 != 0 || length % 8 != 0) {
        g->partial = true;
    } else if (length > 0) {
        memcpy(g->to + g->bytes, g->from + at / 8, (size_t)(length / 8));
        g->bytes += length / 8;
    }
    g->run_length = 0;
}

static void take(gather *g, uint64_t element) {
    if (g->run_length > 0 && g->run_start + g->run_length != element) {
        end_run(g);
    }
    if (g->run_length == 0) {
        g->run_start = element;
    }
    g->run_length++;
}

/* Every combination of picks, the innermost dimension fastest. */
static void gather_all(gather *g, const sft_tensor *tensor, const picks *chosen) {
    uint64_t at[MAX_RANK] = {0};
    for (uint32_t i = 0; i < tensor->rank; i++) {
        if (chosen[i].count == 0) {
            return;
        }
    }
    for (;;) {
        uint64_t element = 0;
        for (uint32_t i = 0; i < tensor->rank; i++) {
            element = element * tensor->shape[i] + chosen[i].first + at[i] * chosen[i].step;
        }
        take(g, element);
        uint32_t i = tensor->rank;
        while (i > 0 && ++at[i - 1] == chosen[i - 1].count) {
            at[--i] = 0;
        }
        if (i == 0) {
            break;
        }
    }
    end_run(g);
}

static void check_shape(const sft_range *ranges, uint32_t count, const sft_tensor *tensor,
                        const picks *chosen, const uint64_t *shape, uint32_t rank) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < tensor->rank; i++) {
        if (i >= count || ranges[i].kind == SFT_RANGE) {
            fuzz_require(kept < rank && shape[kept] == chosen[i].count, "another shape");
            kept++;
        }
    }
    fuzz_require(kept == rank, "another rank");
}

static void read_and_compare(const sft_file *file, const sft_range *ranges, uint32_t count,
                             const gather *expected) {
    unsigned char *to = malloc((size_t)expected->bytes + 1);
    if (to != NULL) {
        fuzz_require(sft_read_slice(file, sft_at(file, 0), ranges, count, to, expected->bytes,
                                    NULL) == SFT_OK,
                     "has a shape, but cannot be read");
        fuzz_require(memcmp(to, expected->to, (size_t)expected->bytes) == 0, "other bytes");
    }
    free(to);
}

static void check_slice(const sft_file *viewed, const sft_file *read, const sft_range *ranges,
                        uint32_t count, const unsigned char *tensor_bytes) {
    const sft_tensor *tensor = sft_at(viewed, 0);
    sft_range whole = SFT_ALL;
    picks chosen[MAX_RANK];
    bool inside = true;
    for (uint32_t i = 0; i < tensor->rank; i++) {
        inside &= pick(i < count ? &ranges[i] : &whole, tensor->shape[i], &chosen[i]);
    }
    uint64_t shape[MAX_RANK];
    uint32_t rank;
    uint64_t bytes;
    sft_status status = sft_slice_shape(tensor, ranges, count, shape, &rank, &bytes, NULL);
    if (!inside) {
        fuzz_require(status == SFT_INDEX_OUT_OF_RANGE, "an index outside was not refused");
        return;
    }
    gather expected = {sft_dtype_bits(tensor->dtype), tensor_bytes, NULL, 0, 0, 0, false};
    expected.to = malloc((size_t)(tensor->end - tensor->begin) + 1);
    if (expected.to == NULL) {
        return;
    }
    gather_all(&expected, tensor, chosen);
    if (expected.partial) {
        fuzz_require(status == SFT_SLICE_PARTIAL_BYTE, "a cut byte was not refused");
    } else {
        fuzz_require(status == SFT_OK && bytes == expected.bytes, "another size");
        check_shape(ranges, count, tensor, chosen, shape, rank);
        read_and_compare(viewed, ranges, count, &expected);
        read_and_compare(read, ranges, count, &expected);
    }
    free(expected.to);
}

/* Ranges written out are read back as they were. */
static void check_text(const sft_range *ranges, uint32_t count, uint32_t rank) {
    /* Brackets hold something: "..." where no dimension is named. */
    char text[MAX_RANK * 80] = "[...";
    size_t at = count == 0 ? 4 : 1;
    for (uint32_t i = 0; i < count; i++) {
        const sft_range *range = &ranges[i];
        const char *comma = i > 0 ? "," : "";
        int length;
        if (range->kind == SFT_INDEX) {
            length =
                snprintf(text + at, sizeof text - at, "%s%lld", comma, (long long)range->start);
        } else if (range->stop == SFT_END) {
            length = snprintf(text + at, sizeof text - at, "%s%lld::%lld", comma,
                              (long long)range->start, (long long)range->step);
        } else {
            length =
                snprintf(text + at, sizeof text - at, "%s%lld:%lld:%lld", comma,
                         (long long)range->start, (long long)range->stop, (long long)range->step);
        }
        at += (size_t)length;
    }
    text[at++] = ']';
    sft_range again[MAX_RANK];
    uint32_t count_again = 0;
    fuzz_require(sft_slice_parse(text, at, rank, again, &count_again, NULL) == SFT_OK &&
                     count_again == count,
                 "written out, the slice does not parse");
    for (uint32_t i = 0; i < count; i++) {
        bool same = again[i].kind == ranges[i].kind && again[i].start == ranges[i].start;
        if (ranges[i].kind == SFT_RANGE) {
            same = same && again[i].stop == ranges[i].stop && again[i].step == ranges[i].step;
        }
        fuzz_require(same, "written out, the slice is another");
    }
}

static void slice_text(const sft_file *viewed, const sft_file *read, const char *text,
                       size_t length, const unsigned char *tensor_bytes) {
    sft_range ranges[MAX_RANK];
    uint32_t count = 0;
    uint32_t rank = sft_at(viewed, 0)->rank;
    sft_error error = {0};
    sft_status status = sft_slice_parse(text, length, rank, ranges, &count, &error);
    if (status == SFT_OK) {
        fuzz_require(count <= rank, "more ranges than dimensions");
        check_text(ranges, count, rank);
        check_slice(viewed, read, ranges, count, tensor_bytes);
    } else {
        fuzz_require(status == SFT_SLICE_SYNTAX || status == SFT_SLICE_STEP ||
                         status == SFT_SLICE_RANK,
                     "refused with another status");
        fuzz_require(error.status == status && error.byte <= length, "a refusal without a place");
    }
}

/* A file in memory of one tensor whose bytes all differ from their neighbours. */
static unsigned char *make_file(const sft_tensor_data *tensor, uint64_t *size) {
    if (sft_encode_size(tensor, 1, NULL, size, NULL) != SFT_OK) {
        return NULL;
    }
    unsigned char *file = malloc((size_t)*size);
    if (file != NULL) {
        fuzz_require(sft_encode(tensor, 1, NULL, file, *size, NULL) == SFT_OK, "cannot be encoded");
    }
    return file;
}

static void with_file(const sft_tensor_data *tensor, const char *text, size_t length) {
    uint64_t size;
    unsigned char *file = make_file(tensor, &size);
    if (file == NULL) {
        return;
    }
    sft_open_options options = SFT_OPEN_OPTIONS;
    options.access = SFT_ACCESS_READ;
    sft_file *viewed = NULL;
    sft_file *read = NULL;
    fuzz_require(sft_open_memory(file, size, NULL, &viewed, NULL) == SFT_OK &&
                     sft_open_memory(file, size, &options, &read, NULL) == SFT_OK,
                 "what was encoded does not open");
    slice_text(viewed, read, text, length, tensor->data);
    sft_close(viewed);
    sft_close(read);
    free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static unsigned char bytes[MAX_DIMENSION * MAX_DIMENSION * MAX_DIMENSION * MAX_DIMENSION * 8];
    if (size < 2 || size < 2 + (size_t)(data[1] % (MAX_RANK + 1))) {
        return 0;
    }
    uint64_t shape[MAX_RANK];
    sft_tensor_data tensor = {.name = "t", .name_length = 1, .shape = shape, .data = bytes};
    tensor.dtype = (sft_dtype)(data[0] % SFT_DTYPES);
    tensor.rank = data[1] % (MAX_RANK + 1);
    for (uint32_t i = 0; i < tensor.rank; i++) {
        shape[i] = data[2 + i] % (MAX_DIMENSION + 1);
    }
    if (sft_dtype_size(tensor.dtype, shape, tensor.rank, &tensor.size) != SFT_OK) {
        return 0;
    }
    for (size_t i = 0; i < tensor.size; i++) {
        bytes[i] = (unsigned char)(i * 31 + (i >> 8) + 1);
    }
    size_t text = 2 + tensor.rank;
    with_file(&tensor, (const char *)data + text, size - text);
    return 0;
}
