/*
 * Whether what the library accepted holds together, found out without the library's own
 * checks. Used by the tests of mutated files and by the fuzz targets.
 */
#ifndef SFT_TESTS_CHECK_MODEL_H
#define SFT_TESTS_CHECK_MODEL_H

#include <sft.h>

#include <stdlib.h>
#include <string.h>

/* A tensor's size in bytes by plain division; false where there is none in 64 bits. */
static inline bool check_size(const sft_tensor *tensor, uint64_t *bytes) {
    uint64_t bits = 1;
    for (uint32_t i = 0; i < tensor->rank; i++) {
        if (tensor->shape[i] != 0 && bits > UINT64_MAX / tensor->shape[i]) {
            return false;
        }
        bits *= tensor->shape[i];
    }
    uint32_t each = sft_dtype_bits(tensor->dtype);
    if (each == 0 || bits > UINT64_MAX / each || bits * each % 8 != 0) {
        return false;
    }
    *bytes = bits * each / 8;
    return true;
}

static inline const char *check_tensor(const sft_header *header, uint64_t index, uint64_t *end) {
    const sft_tensor *tensor = sft_header_at(header, index);
    uint64_t bytes;
    if (tensor == NULL) {
        return "a tensor below the count is not there";
    }
    if (tensor->begin != *end || tensor->end < tensor->begin) {
        return "the tensors do not tile the data";
    }
    if (tensor->rank > SFT_DEFAULT_RANK || !check_size(tensor, &bytes)) {
        return "a shape that has no size was accepted";
    }
    if (bytes != tensor->end - tensor->begin) {
        return "a tensor's offsets and shape disagree";
    }
    if (sft_header_find(header, tensor->name, tensor->name_length) != tensor) {
        return "a tensor is not found by its name";
    }
    if (sft_header_index(header, tensor) != index) {
        return "a tensor does not know its place";
    }
    *end = tensor->end;
    return NULL;
}

/* NULL if an accepted header is consistent, else what is wrong with it. */
static inline const char *check_header(const sft_header *header, uint64_t file_size) {
    uint64_t count = sft_header_count(header);
    uint64_t end = 0;
    for (uint64_t i = 0; i < count; i++) {
        const char *wrong = check_tensor(header, i, &end);
        if (wrong != NULL) {
            return wrong;
        }
    }
    if (sft_header_at(header, count) != NULL) {
        return "there are more tensors than the count";
    }
    uint64_t start = sft_header_data_start(header);
    if (end != sft_header_data_size(header) || start > file_size || end != file_size - start) {
        return "the tensors do not end where the file does";
    }
    uint64_t entries = sft_header_metadata_count(header);
    if (entries > 0 && !sft_header_has_metadata(header)) {
        return "there is metadata, and there is none";
    }
    for (uint64_t i = 0; i < entries; i++) {
        const sft_metadata_entry *entry = sft_header_metadata_at(header, i);
        if (sft_header_metadata_find(header, entry->key, entry->key_length) != entry) {
            return "a metadata entry is not found by its key";
        }
    }
    return NULL;
}

static inline bool check_same_bytes(const char *a, size_t a_length, const char *b,
                                    size_t b_length) {
    return a_length == b_length && (a_length == 0 || memcmp(a, b, a_length) == 0);
}

static inline const char *check_same_tensors(const sft_file *a, const sft_file *b) {
    if (sft_count(a) != sft_count(b)) {
        return "the number of tensors differs";
    }
    for (uint64_t i = 0; i < sft_count(a); i++) {
        const sft_tensor *x = sft_at(a, i);
        const sft_tensor *y = sft_find(b, x->name, x->name_length);
        if (y == NULL) {
            return "a tensor is gone";
        }
        uint64_t size = x->end - x->begin;
        if (x->dtype != y->dtype || x->rank != y->rank || y->end - y->begin != size) {
            return "a tensor's dtype, rank or size differs";
        }
        if (x->rank > 0 && memcmp(x->shape, y->shape, x->rank * sizeof *x->shape) != 0) {
            return "a tensor's shape differs";
        }
        if (size > 0 && memcmp(sft_data(a, x), sft_data(b, y), (size_t)size) != 0) {
            return "a tensor's bytes differ";
        }
    }
    return NULL;
}

static inline const char *check_same_metadata(const sft_header *a, const sft_header *b) {
    if (sft_header_has_metadata(a) != sft_header_has_metadata(b) ||
        sft_header_metadata_count(a) != sft_header_metadata_count(b)) {
        return "the number of metadata entries differs";
    }
    for (uint64_t i = 0; i < sft_header_metadata_count(a); i++) {
        const sft_metadata_entry *x = sft_header_metadata_at(a, i);
        const sft_metadata_entry *y = sft_header_metadata_find(b, x->key, x->key_length);
        if (y == NULL || !check_same_bytes(x->value, x->value_length, y->value, y->value_length)) {
            return "a metadata entry differs";
        }
    }
    return NULL;
}

/* Encodes what a file in memory holds; NULL if that fails. */
static inline void *check_encode(const sft_file *file, uint64_t *size) {
    const sft_header *header = sft_file_header(file);
    size_t count = (size_t)sft_count(file);
    size_t entries = (size_t)sft_header_metadata_count(header);
    sft_tensor_data *tensors = calloc(count + 1, sizeof *tensors);
    sft_metadata_entry *metadata = calloc(entries + 1, sizeof *metadata);
    void *bytes = NULL;
    if (tensors != NULL && metadata != NULL) {
        for (size_t i = 0; i < count; i++) {
            const sft_tensor *tensor = sft_at(file, i);
            tensors[i] = (sft_tensor_data){tensor->name,
                                           tensor->name_length,
                                           tensor->dtype,
                                           tensor->rank,
                                           tensor->shape,
                                           sft_data(file, tensor),
                                           tensor->end - tensor->begin};
        }
        for (size_t i = 0; i < entries; i++) {
            metadata[i] = *sft_header_metadata_at(header, i);
        }
        sft_write_options options = SFT_WRITE_OPTIONS;
        options.metadata = metadata;
        options.metadata_count = entries;
        options.empty_metadata = sft_header_has_metadata(header);
        if (sft_encode_size(tensors, count, &options, size, NULL) == SFT_OK) {
            bytes = malloc((size_t)*size);
        }
        if (bytes != NULL && sft_encode(tensors, count, &options, bytes, *size, NULL) != SFT_OK) {
            free(bytes);
            bytes = NULL;
        }
    }
    free(tensors);
    free(metadata);
    return bytes;
}

static inline const char *check_reopened(const sft_file *file, const void *bytes, uint64_t size) {
    sft_file *again = NULL;
    if (sft_open_memory(bytes, size, NULL, &again, NULL) != SFT_OK) {
        return "what was written does not open";
    }
    const char *wrong = check_same_tensors(file, again);
    if (wrong == NULL) {
        wrong = check_same_metadata(sft_file_header(file), sft_file_header(again));
    }
    if (wrong == NULL) {
        uint64_t second_size;
        void *second = check_encode(again, &second_size);
        if (second == NULL || second_size != size || memcmp(bytes, second, (size_t)size) != 0) {
            wrong = "what was written is written differently the second time";
        }
        free(second);
    }
    sft_close(again);
    return wrong;
}

/* NULL if a file in memory, written anew, opens as an equal model; else what differs. */
static inline const char *check_round_trip(const sft_file *file) {
    uint64_t size;
    void *bytes = check_encode(file, &size);
    if (bytes == NULL) {
        return "what was accepted cannot be written";
    }
    const char *wrong = check_reopened(file, bytes, size);
    free(bytes);
    return wrong;
}

/* NULL if an error says what an error must; else what it lacks. */
static inline const char *check_error(const sft_error *error, sft_status status) {
    if (error->status != status) {
        return "the error's status is not the one returned";
    }
    size_t length = strlen(error->message);
    if (length == 0 || length >= sizeof error->message - 1) {
        return "the message is empty or cut";
    }
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)error->message[i] < 0x20 || error->message[i] == 0x7f) {
            return "the message holds a control character";
        }
    }
    char line[4096];
    length = sft_error_format(error, line, sizeof line);
    if (length == 0 || length >= sizeof line || memchr(line, '\n', length) != NULL) {
        return "the error does not fit on a line";
    }
    return strstr(line, sft_status_name(status)) == NULL ? "the line lacks the status" : NULL;
}

#endif
