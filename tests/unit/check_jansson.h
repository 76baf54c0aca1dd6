/*
 * The library's reading of a header against that of jansson, a general JSON parser. Used by the
 * test against jansson and by the fuzz target.
 */
#ifndef SFT_TESTS_CHECK_JANSSON_H
#define SFT_TESTS_CHECK_JANSSON_H

#include <sft.h>

#include <jansson.h>
#include <string.h>

/*
 * What jansson refuses and the library takes, by design:
 *   - a key with NUL: jansson has no such keys
 *   - an integer beyond 64 bits with sign: jansson has none; the library reads sizes up to
 *     2^64 - 1 and skips larger ones in unknown fields
 *   - a key that stands twice inside an unknown field, which the library does not look into
 */
static inline bool jansson_is_excused(const json_error_t *error) {
    enum json_error_code code = json_error_code(error);
    return code == json_error_null_byte_in_key || code == json_error_numeric_overflow ||
           code == json_error_duplicate_key;
}

static inline bool jansson_same_text(const json_t *value, const char *text, size_t length) {
    return json_is_string(value) && json_string_length(value) == length &&
           memcmp(json_string_value(value), text, length) == 0;
}

static inline bool jansson_same_integer(const json_t *value, uint64_t number) {
    return json_is_integer(value) && json_integer_value(value) >= 0 &&
           (uint64_t)json_integer_value(value) == number;
}

static inline const char *jansson_check_tensor(const json_t *root, const sft_tensor *tensor) {
    const json_t *object = json_object_getn(root, tensor->name, tensor->name_length);
    const char *dtype = sft_dtype_name(tensor->dtype);
    if (!json_is_object(object)) {
        return "jansson knows no tensor of that name";
    }
    if (!jansson_same_text(json_object_get(object, "dtype"), dtype, strlen(dtype))) {
        return "jansson reads another dtype";
    }
    const json_t *shape = json_object_get(object, "shape");
    if (json_array_size(shape) != tensor->rank) {
        return "jansson reads another rank";
    }
    for (uint32_t i = 0; i < tensor->rank; i++) {
        if (!jansson_same_integer(json_array_get(shape, i), tensor->shape[i])) {
            return "jansson reads another shape";
        }
    }
    const json_t *offsets = json_object_get(object, "data_offsets");
    if (json_array_size(offsets) != 2 ||
        !jansson_same_integer(json_array_get(offsets, 0), tensor->begin) ||
        !jansson_same_integer(json_array_get(offsets, 1), tensor->end)) {
        return "jansson reads other offsets";
    }
    return NULL;
}

static inline const char *jansson_check_metadata(const json_t *metadata, const sft_header *header) {
    if (json_is_object(metadata) != sft_header_has_metadata(header) ||
        json_object_size(metadata) != sft_header_metadata_count(header)) {
        return "jansson reads another number of metadata entries";
    }
    for (uint64_t i = 0; i < sft_header_metadata_count(header); i++) {
        const sft_metadata_entry *entry = sft_header_metadata_at(header, i);
        const json_t *value = json_object_getn(metadata, entry->key, entry->key_length);
        if (!jansson_same_text(value, entry->value, entry->value_length)) {
            return "jansson reads another metadata entry";
        }
    }
    return NULL;
}

static inline const char *jansson_check_model(const json_t *root, const sft_header *header) {
    if (!json_is_object(root)) {
        return "jansson reads no object";
    }
    const json_t *metadata = json_object_get(root, "__metadata__");
    if (json_object_size(root) - (metadata != NULL ? 1 : 0) != sft_header_count(header)) {
        return "jansson reads another number of tensors";
    }
    for (uint64_t i = 0; i < sft_header_count(header); i++) {
        const char *wrong = jansson_check_tensor(root, sft_header_at(header, i));
        if (wrong != NULL) {
            return wrong;
        }
    }
    return jansson_check_metadata(metadata, header);
}

/*
 * What the library says of JSON as such, and not of what a header must hold. A text with a raw
 * NUL is left out: jansson loses a NUL that it reads and puts back, behind a number say.
 */
static inline bool jansson_must_refuse(sft_status status, const char *text, size_t size) {
    if (size > 0 && memchr(text, '\0', size) != NULL) {
        return false;
    }
    return status == SFT_INVALID_JSON || status == SFT_INVALID_UTF8 ||
           status == SFT_TRAILING_TEXT || status == SFT_BYTE_ORDER_MARK ||
           status == SFT_DUPLICATE_KEY || status == SFT_HEADER_EMPTY;
}

/*
 * Compares the two readings of `text`: `status` is the library's outcome, `header` what it
 * handed out. NULL if they agree, else how they differ.
 */
static inline const char *check_jansson(const char *text, size_t size, sft_status status,
                                        const sft_header *header) {
    json_error_t error;
    size_t flags = JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES | JSON_DECODE_ANY;
    json_t *root = json_loadb(text, size, flags, &error);
    const char *wrong = NULL;
    if (root == NULL) {
        if (status == SFT_OK && !jansson_is_excused(&error)) {
            wrong = "jansson refuses what the library accepts";
        }
    } else if (status == SFT_OK) {
        wrong = jansson_check_model(root, header);
    } else if (jansson_must_refuse(status, text, size)) {
        wrong = "jansson accepts what the library calls malformed";
    }
    json_decref(root);
    return wrong;
}

#endif
