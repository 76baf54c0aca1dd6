/*
 * Whether the tensors that were found in a checkpoint hold together, by plain counting. Used by
 * unit tests and by the fuzz targets.
 */
#ifndef SFT_TESTS_CHECK_FOUND_H
#define SFT_TESTS_CHECK_FOUND_H

#include <string.h>

#include "base/utf8.h"
#include "checkpoint/found.h"

/* The place of a tensor's last element, by its offset and strides; false beyond 64 bits. */
static inline bool check_last(const sft_found_tensor *tensor, uint64_t *last, bool *empty) {
    *last = tensor->offset;
    *empty = false;
    for (uint32_t i = 0; i < tensor->rank; i++) {
        *empty = *empty || tensor->shape[i] == 0;
    }
    for (uint32_t i = 0; i < tensor->rank && !*empty; i++) {
        uint64_t steps = tensor->shape[i] - 1;
        if (tensor->strides[i] > 0 && steps > (UINT64_MAX - *last) / tensor->strides[i]) {
            return false;
        }
        *last += steps * tensor->strides[i];
    }
    return true;
}

/* Row-major without gaps; the stride of a dimension of size 1 is what it would be then. */
static inline bool check_dense(const sft_found_tensor *tensor, bool empty) {
    uint64_t step = 1;
    bool dense = true;
    for (uint32_t i = tensor->rank; i-- > 0;) {
        dense = dense && tensor->strides[i] == step;
        step *= tensor->shape[i] > 1 ? tensor->shape[i] : 1;
    }
    return empty || dense;
}

static inline const char *check_found_tensor(const sft_found *found,
                                             const sft_found_tensor *tensor) {
    if (tensor->first_key > tensor->name_length) {
        return "the first key is longer than the name";
    }
    if (tensor->refused != SFT_OK) {
        return tensor->why != NULL && tensor->why[0] != '\0' ? NULL : "refused without a word";
    }
    if (tensor->name_length > 0 && sft_utf8_check((const unsigned char *)tensor->name,
                                                  tensor->name_length) != tensor->name_length) {
        return "a name is not UTF-8";
    }
    if (tensor->rank > 64 || tensor->storage >= found->storage_count) {
        return "a tensor without a storage, or of too many dimensions";
    }
    uint64_t last;
    bool empty;
    uint64_t item = sft_dtype_bits(tensor->dtype) / 8;
    uint64_t size = found->storages[tensor->storage].region.size;
    if (item == 0 || !check_last(tensor, &last, &empty) || (!empty && last >= size / item)) {
        return "a tensor reaches beyond its storage";
    }
    if (tensor->conjugate && tensor->dtype != SFT_C64) {
        return "a tensor that is not complex is conjugated";
    }
    return tensor->dense == check_dense(tensor, empty) ? NULL : "dense, and yet not";
}

/* NULL if all is well, else what is wrong. */
static inline const char *check_found(const sft_found *found) {
    for (uint64_t i = 0; i < found->tensor_count; i++) {
        const char *wrong = check_found_tensor(found, &found->tensors[i]);
        if (wrong != NULL) {
            return wrong;
        }
    }
    if (found->leaf_count > found->leaf_total || found->leaf_count > 1000) {
        return "more leaves have names than there are, or than may have";
    }
    for (uint64_t i = 0; i < found->leaf_count; i++) {
        if (found->leaves[i].kind[0] == '\0') {
            return "a leaf is of no kind";
        }
    }
    return NULL;
}

/* Whether finding may end so. */
static inline const char *check_find_status(sft_status status) {
    switch (status) {
    case SFT_OK:
    case SFT_MALFORMED_SOURCE:
    case SFT_UNSUPPORTED_SOURCE:
    case SFT_SOURCE_LIMIT:
    case SFT_NO_MEMORY:
    case SFT_READ_FAILED:
    case SFT_FILE_SHRANK:
        return NULL;
    default:
        return "a status that finding tensors does not give";
    }
}

#endif
