#include "checkpoint/verify.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "format/header.h"

static bool same_shape(const sft_tensor *tensor, const sft_found_tensor *wanted) {
    if (tensor->rank != wanted->rank) {
        return false;
    }
    for (uint32_t i = 0; i < tensor->rank; i++) {
        if (tensor->shape[i] != wanted->shape[i]) {
            return false;
        }
    }
    return true;
}

static bool holds_tensors(const sft_header *header, const sft_mover *mover) {
    for (uint64_t i = 0; i < mover->count; i++) {
        const sft_plan_tensor *planned = mover->tensors[i];
        const sft_tensor *tensor = sft_header_find(header, planned->name, planned->name_length);
        if (tensor == NULL || tensor->dtype != planned->tensor->dtype ||
            !same_shape(tensor, planned->tensor) || tensor->end - tensor->begin != planned->size ||
            sft_header_data_start(header) + tensor->begin != sft_writer_place(mover->writer, i)) {
            return false;
        }
    }
    return sft_header_count(header) == mover->count;
}

static bool holds_metadata(const sft_header *header, const sft_plan *plan) {
    for (uint64_t i = 0; i < plan->metadata_count; i++) {
        const sft_metadata_entry *wanted = &plan->metadata[i];
        const sft_metadata_entry *entry =
            sft_header_metadata_find(header, wanted->key, wanted->key_length);
        if (entry == NULL || entry->value_length != wanted->value_length ||
            memcmp(entry->value, wanted->value, wanted->value_length) != 0) {
            return false;
        }
    }
    return sft_header_metadata_count(header) == plan->metadata_count;
}

static sft_status check(const sft_mover *mover, const sft_plan *plan, const char *bytes,
                        uint64_t size, sft_error *error) {
    sft_header_options options = SFT_HEADER_OPTIONS;
    options.allocator = &plan->allocator;
    sft_header *header;
    sft_status status = sft_header_parse(bytes, (size_t)size, sft_writer_size(mover->writer),
                                         &options, &header, error);
    if (status == SFT_NO_MEMORY) {
        return status;
    }
    bool good = status == SFT_OK && holds_tensors(header, mover) && holds_metadata(header, plan);
    if (status == SFT_OK) {
        sft_header_free(header);
    }
    return good ? SFT_OK
                : sft_fail(error, SFT_VERIFY_FAILED, SFT_NO_BYTE,
                           "the new file's header is not what was written: the disk or the memory "
                           "is failing");
}

sft_status sft_verify_header(const sft_mover *mover, const sft_plan *plan, const char *path,
                             sft_error *error) {
    char prefix[SFT_HEADER_PREFIX];
    uint64_t size = 0;
    sft_status status = sft_writer_read_back(mover->writer, 0, prefix, sizeof prefix, error);
    if (status == SFT_OK) {
        status = sft_header_extent(prefix, sizeof prefix, sft_writer_size(mover->writer), NULL,
                                   &size, error);
    }
    if (status != SFT_OK) {
        return status;
    }
    char *bytes = sft_allocate(&plan->allocator, size);
    if (bytes == NULL) {
        return sft_fail_memory(error);
    }
    status = sft_writer_read_back(mover->writer, 0, bytes, size, error);
    if (status == SFT_OK) {
        status = check(mover, plan, bytes, size, error);
        sft_error_file(status != SFT_OK ? error : NULL, path);
    }
    sft_release(&plan->allocator, bytes, size);
    return status;
}
