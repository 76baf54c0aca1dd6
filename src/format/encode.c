#include "format/encode.h"

#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/names.h"
#include "base/sort.h"
#include "base/utf8.h"
#include "format/dtype.h"
#include "format/header.h"

/* ---- what may be written ---- */

sft_status sft_encode_check_text(const char *text, size_t length, const char *what,
                                 sft_error *error) {
    if (text == NULL && length > 0) {
        return sft_fail(error, SFT_INVALID_ARGUMENT, SFT_NO_BYTE,
                        "%s is a null pointer, but its length is not 0", what);
    }
    size_t good = length == 0 ? 0 : sft_utf8_check((const unsigned char *)text, length);
    if (good < length) {
        return sft_fail(error, SFT_INVALID_NAME, SFT_NO_BYTE,
                        "%s \"%s\" is not UTF-8: byte %zu of it is part of no character", what,
                        sft_show(text, length).text, good);
    }
    return SFT_OK;
}

static sft_status check_shape(sft_encode_tensor *tensor, sft_error *error) {
    if (tensor->shape == NULL && tensor->rank > 0) {
        return sft_fail(error, SFT_INVALID_ARGUMENT, SFT_NO_BYTE,
                        "shape is a null pointer, but rank is not 0");
    }
    if (tensor->rank > SFT_DEFAULT_RANK) {
        return sft_fail(error, SFT_RANK_TOO_LARGE, SFT_NO_BYTE,
                        "the tensor has %" PRIu32 " dimensions; readers accept no more than %u",
                        tensor->rank, SFT_DEFAULT_RANK);
    }
    sft_status status = sft_dtype_size(tensor->dtype, tensor->shape, tensor->rank, &tensor->size);
    switch (status) {
    case SFT_OK:
        return SFT_OK;
    case SFT_SIZE_OVERFLOW:
        return sft_fail(error, status, SFT_NO_BYTE,
                        "the shape times the size of %s does not fit in 64 bits",
                        sft_dtype_name(tensor->dtype));
    case SFT_PARTIAL_BYTE:
        return sft_fail(error, status, SFT_NO_BYTE,
                        "elements of %s (%" PRIu32 " bits) in this shape do not fill whole bytes",
                        sft_dtype_name(tensor->dtype), sft_dtype_bits(tensor->dtype));
    default:
        return sft_fail(error, status, SFT_NO_BYTE, "%d is no dtype", (int)tensor->dtype);
    }
}

sft_status sft_encode_check_tensor(sft_encode_tensor *tensor, sft_error *error) {
    static const char reserved[] = "__metadata__";
    sft_status status =
        sft_encode_check_text(tensor->name, tensor->name_length, "the tensor's name", error);
    if (status != SFT_OK) {
        return status;
    }
    if (tensor->name_length == sizeof reserved - 1 &&
        memcmp(tensor->name, reserved, sizeof reserved - 1) == 0) {
        status = sft_fail(error, SFT_RESERVED_NAME, SFT_NO_BYTE,
                          "no tensor can be called __metadata__: that key holds the metadata");
    } else {
        status = check_shape(tensor, error);
    }
    if (status != SFT_OK) {
        sft_error_tensor(error, tensor->name, tensor->name_length);
    }
    return status;
}

static bool key_after(const void *things, uint32_t a, uint32_t b) {
    const sft_metadata_entry *entries = things;
    return sft_sort_bytes(entries[a].key, entries[a].key_length, entries[b].key,
                          entries[b].key_length) > 0;
}

/* The entries sorted by key; the caller releases count pointers. */
static sft_status sort_metadata(const sft_metadata_entry *entries, uint64_t count,
                                const sft_allocator *allocator, const sft_metadata_entry ***sorted,
                                sft_error *error) {
    uint32_t *order = sft_sort(entries, (uint32_t)count, key_after, allocator);
    *sorted = sft_allocate_zeroed(allocator, count, sizeof **sorted);
    if (order == NULL || *sorted == NULL) {
        sft_release(allocator, order, count * sizeof *order);
        sft_release(allocator, *sorted, count * sizeof **sorted);
        return sft_fail_memory(error);
    }
    for (uint64_t i = 0; i < count; i++) {
        (*sorted)[i] = &entries[order[i]];
    }
    sft_release(allocator, order, count * sizeof *order);
    return SFT_OK;
}

sft_status sft_encode_too_large(sft_error *error) {
    return sft_fail(error, SFT_HEADER_TOO_LARGE, SFT_NO_BYTE,
                    "the header would take more than the %" PRIu64
                    " bytes that readers accept: put the tensors into several files",
                    SFT_DEFAULT_HEADER_BYTES);
}

sft_status sft_encode_check_metadata(const sft_metadata_entry *entries, uint64_t count,
                                     const sft_allocator *allocator, sft_error *error) {
    /* Each takes more than a byte of the header. Larger counts need not be sorted to be refused. */
    if (count > SFT_DEFAULT_HEADER_BYTES) {
        return sft_encode_too_large(error);
    }
    for (uint64_t i = 0; i < count; i++) {
        const sft_metadata_entry *entry = &entries[i];
        sft_status status =
            sft_encode_check_text(entry->key, entry->key_length, "the metadata key", error);
        if (status == SFT_OK) {
            status = sft_encode_check_text(entry->value, entry->value_length, "the metadata value",
                                           error);
        }
        if (status != SFT_OK) {
            return status;
        }
    }
    const sft_metadata_entry **sorted;
    sft_status status = sort_metadata(entries, count, allocator, &sorted, error);
    if (status != SFT_OK) {
        return status;
    }
    for (uint64_t i = 1; i < count; i++) {
        const sft_metadata_entry *a = sorted[i - 1];
        const sft_metadata_entry *b = sorted[i];
        if (sft_sort_bytes(a->key, a->key_length, b->key, b->key_length) == 0) {
            status = sft_fail(error, SFT_DUPLICATE_NAME, SFT_NO_BYTE,
                              "the metadata key \"%s\" is given twice",
                              sft_show(a->key, a->key_length).text);
            break;
        }
    }
    sft_release(allocator, sorted, count * sizeof *sorted);
    return status;
}

/* ---- JSON ---- */

/* Where text goes; one that is NULL only counts. The same code measures and writes. */
typedef struct sink {
    char *to;
    uint64_t length;
} sink;

static void put(sink *out, const char *bytes, size_t size) {
    if (out->to != NULL && size > 0) {
        memcpy(out->to + out->length, bytes, size);
    }
    out->length += size;
}

static void put_text(sink *out, const char *text) {
    put(out, text, strlen(text));
}

static void put_number(sink *out, uint64_t number) {
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    put(out, digits + at, sizeof digits - at);
}

/* Escapes what must be, and as serde_json does: short forms where JSON has them. */
static void put_string(sink *out, const char *text, size_t length) {
    put(out, "\"", 1);
    size_t done = 0;
    for (size_t at = 0; at < length; at++) {
        unsigned char byte = (unsigned char)text[at];
        if (byte >= 0x20 && byte != '"' && byte != '\\') {
            continue;
        }
        put(out, text + done, at - done);
        done = at + 1;
        static const char letters[] = "\b\t\n\f\r\"\\";
        const char *letter = byte == 0 ? NULL : strchr(letters, byte);
        if (letter != NULL) {
            const char escape[2] = {'\\', "btnfr\"\\"[letter - letters]};
            put(out, escape, sizeof escape);
        } else {
            static const char hex[] = "0123456789abcdef";
            const char escape[6] = {'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15]};
            put(out, escape, sizeof escape);
        }
    }
    if (done < length) {
        put(out, text + done, length - done);
    }
    put(out, "\"", 1);
}

size_t sft_json_quote(const char *text, size_t length, char *to, size_t size) {
    sink out = {NULL, 0};
    put_string(&out, text, length);
    if (out.length > SIZE_MAX) {
        return SIZE_MAX;
    }
    size_t needed = (size_t)out.length;
    if (to != NULL && needed <= size) {
        out = (sink){to, 0};
        put_string(&out, text, length);
    }
    return needed;
}

static void put_metadata(sink *out, const sft_metadata_entry *const *entries, uint64_t count) {
    put(out, "{", 1);
    for (uint64_t i = 0; i < count; i++) {
        put_text(out, i > 0 ? "," : "");
        put_string(out, entries[i]->key, entries[i]->key_length);
        put(out, ":", 1);
        put_string(out, entries[i]->value, entries[i]->value_length);
    }
    put(out, "}", 1);
}

uint64_t sft_encode_metadata(const sft_metadata_entry *const *entries, uint64_t count, char *to) {
    sink out = {to, 0};
    put_metadata(&out, entries, count);
    return out.length;
}

static void put_tensor(sink *out, const sft_encode_tensor *tensor) {
    put_string(out, tensor->name, tensor->name_length);
    put_text(out, ":{\"dtype\":\"");
    put_text(out, sft_dtype_name(tensor->dtype));
    put_text(out, "\",\"shape\":[");
    for (uint32_t i = 0; i < tensor->rank; i++) {
        put_text(out, i > 0 ? "," : "");
        put_number(out, tensor->shape[i]);
    }
    put_text(out, "],\"data_offsets\":[");
    put_number(out, tensor->begin);
    put(out, ",", 1);
    put_number(out, tensor->begin + tensor->size);
    put_text(out, "]}");
}

/* ---- the header ---- */

void sft_encode_length(uint64_t length, char to[8]) {
    for (unsigned i = 0; i < 8; i++) {
        to[i] = (char)(unsigned char)(length >> (8 * i));
    }
}

static bool tensor_after(const void *things, uint32_t a, uint32_t b) {
    const sft_encode_tensor *tensors = things;
    if (tensors[a].dtype != tensors[b].dtype) {
        return sft_dtype_rank(tensors[a].dtype) < sft_dtype_rank(tensors[b].dtype);
    }
    return sft_sort_bytes(tensors[a].name, tensors[a].name_length, tensors[b].name,
                          tensors[b].name_length) > 0;
}

static sft_status check_duplicates(const sft_encode_input *input, sft_error *error) {
    sft_names names;
    sft_names_init(&names, input->allocator, input->seed);
    sft_status status = sft_names_reserve(&names, input->count) ? SFT_OK : sft_fail_memory(error);
    for (uint64_t i = 0; i < input->count && status == SFT_OK; i++) {
        const sft_encode_tensor *tensor = &input->tensors[i];
        switch (sft_names_add(&names, input->tensors, sizeof *tensor, i)) {
        case SFT_NAMES_ADDED:
            break;
        case SFT_NAMES_DUPLICATE:
            status =
                sft_fail(error, SFT_DUPLICATE_NAME, SFT_NO_BYTE, "two tensors have the same name");
            sft_error_tensor(error, tensor->name, tensor->name_length);
            break;
        default:
            status = sft_fail_memory(error);
        }
    }
    sft_names_free(&names);
    return status;
}

/* Sets each tensor's place, in the order of the file. */
static sft_status place_tensors(const sft_encode_input *input, sft_encoded *encoded,
                                sft_error *error) {
    encoded->order =
        sft_sort(input->tensors, (uint32_t)input->count, tensor_after, input->allocator);
    if (encoded->order == NULL) {
        return sft_fail_memory(error);
    }
    for (uint64_t i = 0; i < input->count; i++) {
        sft_encode_tensor *tensor = &input->tensors[encoded->order[i]];
        tensor->begin = encoded->data_size;
        if (!sft_add(encoded->data_size, tensor->size, &encoded->data_size)) {
            sft_status status = sft_fail(error, SFT_SIZE_OVERFLOW, SFT_NO_BYTE,
                                         "the sizes of all tensors together do not fit in 64 bits");
            sft_error_tensor(error, tensor->name, tensor->name_length);
            return status;
        }
    }
    return SFT_OK;
}

/* The JSON without padding; stops where it is too long to be written. */
static void put_header(sink *out, const sft_encode_input *input,
                       const sft_metadata_entry *const *metadata, const uint32_t *order) {
    const char *separator = "";
    put(out, "{", 1);
    if (input->metadata_count > 0 || input->empty_metadata) {
        put_text(out, "\"__metadata__\":");
        put_metadata(out, metadata, input->metadata_count);
        separator = ",";
    }
    for (uint64_t i = 0; i < input->count && out->length <= SFT_DEFAULT_HEADER_BYTES; i++) {
        put_text(out, separator);
        put_tensor(out, &input->tensors[order[i]]);
        separator = ",";
    }
    put(out, "}", 1);
}

static sft_status write_header(const sft_encode_input *input,
                               const sft_metadata_entry *const *metadata, sft_encoded *encoded,
                               sft_error *error) {
    sink out = {NULL, 0};
    put_header(&out, input, metadata, encoded->order);
    uint64_t size;
    if (out.length > SFT_DEFAULT_HEADER_BYTES ||
        !sft_round_up(SFT_HEADER_PREFIX + out.length, input->alignment, &size) ||
        size - SFT_HEADER_PREFIX > SFT_DEFAULT_HEADER_BYTES) {
        return sft_encode_too_large(error);
    }
    uint64_t file_size;
    if (!sft_add(size, encoded->data_size, &file_size)) {
        return sft_fail(error, SFT_SIZE_OVERFLOW, SFT_NO_BYTE,
                        "the size of the file does not fit in 64 bits");
    }
    encoded->bytes = sft_allocate(input->allocator, size);
    if (encoded->bytes == NULL) {
        return sft_fail_memory(error);
    }
    encoded->data_start = size;
    sft_encode_length(size - SFT_HEADER_PREFIX, encoded->bytes);
    uint64_t end = SFT_HEADER_PREFIX + out.length;
    out = (sink){encoded->bytes + SFT_HEADER_PREFIX, 0};
    put_header(&out, input, metadata, encoded->order);
    memset(encoded->bytes + end, ' ', (size_t)(size - end));
    return SFT_OK;
}

sft_status sft_encode_header(const sft_encode_input *input, sft_encoded *encoded,
                             sft_error *error) {
    *encoded = (sft_encoded){.allocator = *input->allocator, .count = input->count};
    if (input->count > SFT_DEFAULT_HEADER_BYTES) {
        return sft_encode_too_large(error);
    }
    const sft_metadata_entry **metadata = NULL;
    sft_status status = check_duplicates(input, error);
    if (status == SFT_OK) {
        status = place_tensors(input, encoded, error);
    }
    if (status == SFT_OK) {
        status = sort_metadata(input->metadata, input->metadata_count, input->allocator, &metadata,
                               error);
    }
    if (status == SFT_OK) {
        status = write_header(input, metadata, encoded, error);
        sft_release(input->allocator, metadata, input->metadata_count * sizeof *metadata);
    }
    if (status != SFT_OK) {
        sft_encoded_free(encoded);
    }
    return status;
}

void sft_encoded_free(sft_encoded *encoded) {
    sft_release(&encoded->allocator, encoded->bytes, encoded->data_start);
    sft_release(&encoded->allocator, encoded->order, encoded->count * sizeof *encoded->order);
    encoded->bytes = NULL;
    encoded->order = NULL;
}
