/* Looking things up in a parsed header, and freeing it. */
#include "base/memory.h"
#include "format/header.h"

void sft_header_free(sft_header *header) {
    if (header == NULL) {
        return;
    }
    sft_names_free(&header->tensor_names);
    sft_names_free(&header->metadata_names);
    sft_arena_free(&header->arena);
    sft_release(&header->allocator, header->tensors, header->capacity * sizeof *header->tensors);
    sft_release(&header->allocator, header->metadata,
                header->metadata_capacity * sizeof *header->metadata);
    sft_release(&header->allocator, header->text, header->text_size + 1);
    sft_allocator outer = header->outer;
    sft_release(&outer, header, sizeof *header);
}

uint64_t sft_header_count(const sft_header *header) {
    return header->count;
}

const sft_tensor *sft_header_at(const sft_header *header, uint64_t index) {
    return index < header->count ? &header->tensors[index] : NULL;
}

const sft_tensor *sft_header_find(const sft_header *header, const char *name, size_t length) {
    return sft_header_at(header, sft_names_find(&header->tensor_names, header->tensors,
                                                sizeof *header->tensors, name, length));
}

uint64_t sft_header_index(const sft_header *header, const sft_tensor *tensor) {
    return (uint64_t)(tensor - header->tensors);
}

bool sft_header_has_metadata(const sft_header *header) {
    return header->has_metadata;
}

uint64_t sft_header_metadata_count(const sft_header *header) {
    return header->metadata_count;
}

const sft_metadata_entry *sft_header_metadata_at(const sft_header *header, uint64_t index) {
    return index < header->metadata_count ? &header->metadata[index] : NULL;
}

const sft_metadata_entry *sft_header_metadata_find(const sft_header *header, const char *key,
                                                   size_t length) {
    return sft_header_metadata_at(header, sft_names_find(&header->metadata_names, header->metadata,
                                                         sizeof *header->metadata, key, length));
}

bool sft_header_metadata_span(const sft_header *header, uint64_t *begin, uint64_t *end) {
    *begin = header->metadata_begin;
    *end = header->metadata_end;
    return header->metadata_end != 0;
}

const char *sft_header_text(const sft_header *header, size_t *length) {
    *length = (size_t)header->text_size;
    return header->text;
}

uint64_t sft_header_data_start(const sft_header *header) {
    return header->data_start;
}

uint64_t sft_header_data_size(const sft_header *header) {
    return header->data_size;
}
