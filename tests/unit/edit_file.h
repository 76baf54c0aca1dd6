/* A file whose metadata is edited. Include after faults.h and cmocka.h. */
#ifndef SFT_TESTS_EDIT_FILE_H
#define SFT_TESTS_EDIT_FILE_H

#include "scratch.h"

#define FILE_NAME "model.safetensors"

static inline int empty(void **state) {
    (void)state;
    faults = (struct faults){.calls = 0};
    umask(022);
    scratch_teardown(NULL);
    return mkdir(scratch_folder, 0755);
}

/* A file of a header, as it stands here, and some data. */
static inline void store(const char *text, size_t length, const void *data, size_t size) {
    unsigned char *bytes = calloc(1, 8 + length + size + 1);
    for (unsigned i = 0; i < 8; i++) {
        bytes[i] = (unsigned char)((uint64_t)length >> (8 * i));
    }
    memcpy(bytes + 8, text, length);
    memcpy(bytes + 8 + length, data, size);
    scratch_store(FILE_NAME, bytes, 8 + length + size);
    free(bytes);
}

static inline void store_text(const char *text) {
    store(text, strlen(text), "12345678", strstr(text, "\"t\"") != NULL ? 8 : 0);
}

#define TENSOR "\"t\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0,8]}"

static inline sft_status change(const char *key, const char *value,
                                const sft_write_options *options, sft_edit_result *result,
                                sft_error *error) {
    const sft_metadata_change one = {key, strlen(key), value, value == NULL ? 0 : strlen(value)};
    return sft_edit_metadata(scratch(FILE_NAME), &one, 1, options, result, error);
}

static inline void set(const char *key, const char *value, sft_edit_result wanted) {
    sft_edit_result result = (sft_edit_result)77;
    sft_error error;
    expect_status(change(key, value, NULL, &result, &error), SFT_OK, &error);
    assert_int_equal(result, wanted);
    assert_int_equal(scratch_count("."), 1);
}

static inline char *header_text(void) {
    sft_file *file;
    sft_error error;
    expect_status(sft_open(scratch(FILE_NAME), NULL, &file, &error), SFT_OK, &error);
    size_t length;
    const char *text = sft_header_text(sft_file_header(file), &length);
    char *copy = calloc(1, length + 1);
    memcpy(copy, text, length);
    sft_close(file);
    return copy;
}

/* The header without the room behind the metadata. */
static inline void expect_text(const char *before_room, const char *behind_room) {
    char *text = header_text();
    size_t first = strlen(before_room);
    assert_true(strlen(text) >= first);
    assert_memory_equal(text, before_room, first);
    assert_string_equal(text + first + strspn(text + first, " "), behind_room);
    free(text);
}

static uint64_t random_state = 5577006791947779410;

static inline uint64_t random_below(uint64_t bound) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % bound;
}

#define EDIT_TEST(test) cmocka_unit_test_setup(test, empty)

#endif
