/* How the tensors lie in the data: docs/format.md, sections 6 and 8. */
#include <inttypes.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/sort.h"
#include "format/header.h"

/* ---- file order ---- */

static bool starts_before(const sft_tensor *a, const sft_tensor *b) {
    return a->begin != b->begin ? a->begin < b->begin : a->end < b->end;
}

static bool comes_after(const void *tensors, uint32_t a, uint32_t b) {
    return starts_before((const sft_tensor *)tensors + b, (const sft_tensor *)tensors + a);
}

static bool in_order(const sft_header *header) {
    for (uint64_t i = 1; i < header->count; i++) {
        if (starts_before(&header->tensors[i], &header->tensors[i - 1])) {
            return false;
        }
    }
    return true;
}

/* Brings the tensors themselves into the order, and tells the index of names. */
static bool reorder(sft_header *header, const uint32_t *order) {
    uint64_t places_size = header->count * sizeof(uint32_t);
    uint64_t sorted_size = header->capacity * sizeof *header->tensors;
    uint32_t *places = sft_allocate(&header->allocator, places_size);
    sft_tensor *sorted = places != NULL ? sft_allocate(&header->allocator, sorted_size) : NULL;
    if (sorted == NULL) {
        sft_release(&header->allocator, places, places_size);
        return false;
    }
    for (uint64_t i = 0; i < header->count; i++) {
        sorted[i] = header->tensors[order[i]];
        places[order[i]] = (uint32_t)i;
    }
    sft_names_move(&header->tensor_names, places);
    sft_release(&header->allocator, places, places_size);
    sft_release(&header->allocator, header->tensors, sorted_size);
    header->tensors = sorted;
    return true;
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
                        "data_offsets span %" PRIu64 " byte%s, but the shape needs %" PRIu64
                        " of %s",
                        tensor->end - tensor->begin, sft_plural(tensor->end - tensor->begin), bytes,
                        sft_dtype_name(tensor->dtype));
    }
    return SFT_OK;
}

/* Where a byte of the data lies in the file; no place where the header claims one beyond 2^64. */
static uint64_t place_of(const sft_header *header, uint64_t offset) {
    uint64_t place;
    return sft_add(header->data_start, offset, &place) ? place : SFT_NO_BYTE;
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
        return sft_fail(error, SFT_HOLE, place_of(header, expected),
                        "invalid offset: %" PRIu64
                        " byte%s before the tensor that no other tensor has",
                        tensor->begin - expected, sft_plural(tensor->begin - expected));
    }
    if (tensor->begin < expected) {
        return sft_fail(error, SFT_OVERLAP, place_of(header, tensor->begin),
                        "invalid offset: the tensor begins %" PRIu64
                        " byte%s before the end of the one in front of it",
                        expected - tensor->begin, sft_plural(expected - tensor->begin));
    }
    return check_size(tensor, key_byte, error);
}

static sft_status check_end(const sft_header *header, uint64_t end, sft_error *error) {
    uint64_t available = header->file_size - header->data_start;
    if (available < end) {
        return sft_fail(error, SFT_TRUNCATED_DATA, header->file_size,
                        "the file ends %" PRIu64
                        " byte%s before its last tensor does: it was cut short",
                        end - available, sft_plural(end - available));
    }
    if (available > end) {
        return sft_fail(error, SFT_TRAILING_DATA, header->data_start + end,
                        "%" PRIu64 " byte%s behind the last tensor, where the file should end",
                        available - end, sft_plural(available - end));
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
    uint32_t *order =
        sft_sort(header->tensors, (uint32_t)header->count, comes_after, &header->allocator);
    if (order == NULL) {
        return sft_fail_memory(error);
    }
    sft_status status = check_tiling(header, order, key_at, error);
    if (status == SFT_OK && !reorder(header, order)) {
        status = sft_fail_memory(error);
    }
    sft_release(&header->allocator, order, header->count * sizeof *order);
    return status;
}
