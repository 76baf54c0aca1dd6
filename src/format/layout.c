/* How the tensors lie in the data: docs/format.md, "Reading", rules 7 and 8. */
#include <inttypes.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/memory.h"
#include "format/header.h"

/* ---- file order ---- */

static bool starts_before(const sft_tensor *a, const sft_tensor *b) {
    return a->begin != b->begin ? a->begin < b->begin : a->end < b->end;
}

static bool in_order(const sft_header *header) {
    for (uint64_t i = 1; i < header->count; i++) {
        if (starts_before(&header->tensors[i], &header->tensors[i - 1])) {
            return false;
        }
    }
    return true;
}

static void merge(const sft_tensor *tensors, const uint32_t *from, uint32_t *to, uint64_t begin,
                  uint64_t middle, uint64_t end) {
    uint64_t left = begin;
    uint64_t right = middle;
    for (uint64_t i = begin; i < end; i++) {
        bool take_right = left == middle || (right < end && starts_before(&tensors[from[right]],
                                                                          &tensors[from[left]]));
        to[i] = take_right ? from[right++] : from[left++];
    }
}

/* Merge sort: stable, never quadratic, and unlike qsort() it takes no memory we do not know of.
 * Returns whichever of the two arrays holds the result. */
static uint32_t *sort_order(const sft_tensor *tensors, uint64_t count, uint32_t *order,
                            uint32_t *spare) {
    for (uint64_t width = 1; width < count; width *= 2) {
        for (uint64_t begin = 0; begin < count; begin += 2 * width) {
            merge(tensors, order, spare, begin, sft_min(begin + width, count),
                  sft_min(begin + 2 * width, count));
        }
        uint32_t *sorted = spare;
        spare = order;
        order = sorted;
    }
    return order;
}

typedef struct ordering {
    uint32_t *first;
    uint32_t *second;
    uint32_t *order; /* one of the two: the old place of what comes i-th */
} ordering;

static sft_status find_order(const sft_header *header, ordering *found) {
    found->first = sft_allocate(&header->allocator, header->count * sizeof(uint32_t));
    found->second = sft_allocate(&header->allocator, header->count * sizeof(uint32_t));
    if (found->first == NULL || found->second == NULL) {
        return SFT_NO_MEMORY;
    }
    for (uint64_t i = 0; i < header->count; i++) {
        found->first[i] = (uint32_t)i;
    }
    found->order = sort_order(header->tensors, header->count, found->first, found->second);
    return SFT_OK;
}

static void free_order(const sft_header *header, ordering *found) {
    sft_release(&header->allocator, found->first, header->count * sizeof(uint32_t));
    sft_release(&header->allocator, found->second, header->count * sizeof(uint32_t));
}

/* Brings the tensors themselves into the order, and tells the index of names. */
static sft_status reorder(sft_header *header, ordering *found) {
    sft_tensor *sorted =
        sft_allocate(&header->allocator, header->capacity * sizeof *header->tensors);
    if (sorted == NULL) {
        return SFT_NO_MEMORY;
    }
    uint32_t *places = found->order == found->first ? found->second : found->first;
    for (uint64_t i = 0; i < header->count; i++) {
        sorted[i] = header->tensors[found->order[i]];
        places[found->order[i]] = (uint32_t)i;
    }
    sft_names_move(&header->tensor_names, places);
    sft_release(&header->allocator, header->tensors, header->capacity * sizeof *header->tensors);
    header->tensors = sorted;
    return SFT_OK;
}

/* ---- the tiling ---- */

static sft_status check_size(const sft_tensor *tensor, uint64_t key_byte, sft_error *error) {
    uint64_t bytes;
    sft_status status = sft_dtype_size(tensor->dtype, tensor->shape, tensor->rank, &bytes);
    switch (status) {
    case SFT_OK:
        break;
    case SFT_SIZE_OVERFLOW:
        return sft_fail(error, status, key_byte,
                        "the shape's product, times the element's bits, does not fit in 64 bits");
    case SFT_PARTIAL_BYTE:
        return sft_fail(error, status, key_byte,
                        "the %s elements of this shape do not fill whole bytes",
                        sft_dtype_name(tensor->dtype));
    default:
        return sft_fail(error, status, key_byte, "%s", sft_status_text(status));
    }
    if (tensor->end - tensor->begin != bytes) {
        return sft_fail(error, SFT_SIZE_MISMATCH, key_byte,
                        "data_offsets span %" PRIu64 " bytes, but the shape needs %" PRIu64
                        " bytes of %s",
                        tensor->end - tensor->begin, bytes, sft_dtype_name(tensor->dtype));
    }
    return SFT_OK;
}

/* A tensor must begin where the one before it ended. */
static sft_status check_place(const sft_header *header, const sft_tensor *tensor, uint64_t expected,
                              uint64_t key_byte, sft_error *error) {
    if (tensor->end < tensor->begin) {
        return sft_fail(error, SFT_OFFSETS_REVERSED, key_byte,
                        "invalid offset: the tensor ends at %" PRIu64
                        ", before it begins at %" PRIu64,
                        tensor->end, tensor->begin);
    }
    if (tensor->begin > expected) {
        return sft_fail(error, SFT_HOLE, header->data_start + expected,
                        "invalid offset: %" PRIu64 " bytes before the tensor belong to none",
                        tensor->begin - expected);
    }
    if (tensor->begin < expected) {
        return sft_fail(error, SFT_OVERLAP, header->data_start + tensor->begin,
                        "invalid offset: the tensor begins %" PRIu64
                        " bytes before the end of the one in front of it",
                        expected - tensor->begin);
    }
    return check_size(tensor, key_byte, error);
}

static sft_status check_end(const sft_header *header, uint64_t end, sft_error *error) {
    uint64_t available = header->file_size - header->data_start;
    if (available < end) {
        return sft_fail(error, SFT_TRUNCATED_DATA, header->file_size,
                        "the file ends %" PRIu64
                        " bytes before its last tensor does: it was cut short",
                        end - available);
    }
    if (available > end) {
        return sft_fail(error, SFT_TRAILING_DATA, header->data_start + end,
                        "%" PRIu64 " bytes behind the last tensor belong to none", available - end);
    }
    return SFT_OK;
}

/* order is NULL where the tensors stand in file order already. */
static sft_status check_tiling(sft_header *header, const uint32_t *order, const uint32_t *key_at,
                               sft_error *error) {
    uint64_t expected = 0;
    for (uint64_t i = 0; i < header->count; i++) {
        uint64_t number = order != NULL ? order[i] : i;
        const sft_tensor *tensor = &header->tensors[number];
        sft_status status =
            check_place(header, tensor, expected, SFT_HEADER_PREFIX + key_at[number], error);
        if (status != SFT_OK) {
            sft_error_tensor(error, tensor->name, tensor->name_length);
            return status;
        }
        expected = tensor->end;
    }
    header->data_size = expected;
    sft_status status = check_end(header, expected, error);
    if (status == SFT_TRUNCATED_DATA && header->count > 0) {
        uint64_t last = order != NULL ? order[header->count - 1] : header->count - 1;
        sft_error_tensor(error, header->tensors[last].name, header->tensors[last].name_length);
    }
    return status;
}

sft_status sft_header_layout(sft_header *header, const uint32_t *key_at, sft_error *error) {
    if (in_order(header)) {
        return check_tiling(header, NULL, key_at, error);
    }
    ordering found = {NULL, NULL, NULL};
    sft_status status = find_order(header, &found);
    if (status == SFT_OK) {
        status = check_tiling(header, found.order, key_at, error);
        if (status == SFT_OK) {
            status = reorder(header, &found);
        }
    }
    free_order(header, &found);
    return status == SFT_NO_MEMORY ? sft_fail_memory(error) : status;
}
