/* Maps that may be written to: what changes, and what never does; and memory to read into. */
#include "fixture.h"

#include <unistd.h>

static const char header[] = "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
                             "\"b\":{\"dtype\":\"U8\",\"shape\":[6],\"data_offsets\":[4,10]}}";

static sft_file *open_with(const char *path, sft_access access, bool writable) {
    sft_open_options options = SFT_OPEN_OPTIONS;
    options.access = access;
    options.writable = writable;
    sft_file *file;
    assert_ok(sft_open(path, &options, &file, NULL));
    return file;
}

static void check_file(const char *path, const fixture_file *expected) {
    uint8_t found[512];
    assert_true(expected->size <= sizeof found);
    FILE *stream = fopen(path, "rb");
    assert_non_null(stream);
    assert_int_equal(fread(found, 1, sizeof found, stream), expected->size);
    fclose(stream);
    assert_memory_equal(found, expected->bytes, expected->size);
}

static void test_changes_stay_in_the_handle(void **state) {
    (void)state;
    fixture_file bytes = fixture_make(header, 10);
    char path[64];
    fixture_save(&bytes, path);
    sft_file *file = open_with(path, SFT_ACCESS_AUTO, true);
    sft_file *other = open_with(path, SFT_ACCESS_MAP, true);
    const sft_tensor *b = sft_find(file, "b", 1);
    uint8_t *data = sft_data_writable(file, b);
    assert_ptr_equal(data, sft_data(file, b));
    assert_memory_equal(data, "\4\5\6\7\10\11", 6);
    memset(data, 0xee, 6);
    assert_memory_equal(sft_data(file, b), "\xee\xee\xee\xee\xee\xee", 6);
    assert_memory_equal(sft_data(other, sft_find(other, "b", 1)), "\4\5\6\7\10\11", 6);
    uint8_t read[6];
    assert_ok(sft_read(file, b, read, 6, NULL));
    assert_memory_equal(read, "\4\5\6\7\10\11", 6);
    sft_close(other);
    sft_close(file);
    check_file(path, &bytes);
    unlink(path);
    free(bytes.bytes);
}

static void test_only_where_asked_for(void **state) {
    (void)state;
    fixture_file bytes = fixture_make(header, 10);
    char path[64];
    fixture_save(&bytes, path);
    sft_file *file = open_with(path, SFT_ACCESS_MAP, false);
    assert_non_null(sft_data(file, sft_at(file, 0)));
    assert_null(sft_data_writable(file, sft_at(file, 0)));
    sft_close(file);
    file = open_with(path, SFT_ACCESS_READ, true);
    assert_null(sft_data_writable(file, sft_at(file, 0)));
    sft_close(file);
    file = open_with(path, SFT_ACCESS_MAP, true);
    assert_null(sft_data_writable(file, NULL));
    sft_close(file);
    sft_open_options options = SFT_OPEN_OPTIONS;
    options.writable = true;
    assert_ok(sft_open_memory(bytes.bytes, bytes.size, &options, &file, NULL));
    assert_null(sft_data_writable(file, sft_at(file, 0)));
    sft_close(file);
    unlink(path);
    free(bytes.bytes);
}

static void test_models(void **state) {
    (void)state;
    fixture_file bytes = fixture_make(header, 10);
    char path[64];
    fixture_save(&bytes, path);
    for (int writable = 0; writable <= 1; writable++) {
        sft_model_options options = SFT_MODEL_OPTIONS;
        options.writable = writable == 1;
        sft_model *model;
        const char *paths[] = {path};
        assert_ok(sft_model_open_files(paths, 1, &options, &model, NULL));
        sft_model_tensor a;
        assert_true(sft_model_find(model, "a", 1, &a));
        assert_int_equal(sft_data_writable(a.file, a.tensor) != NULL, writable);
        sft_model_close(model);
    }
    unlink(path);
    free(bytes.bytes);
}

/* The number that the next descriptor will get: it grows with every one that is open. */
static int next_descriptor(void) {
    int next = dup(0);
    assert_true(next >= 0);
    close(next);
    return next;
}

static void check_reads(const sft_file *file, const sft_tensor *tensor) {
    uint8_t read[6];
    assert_ok(sft_read(file, tensor, read, 6, NULL));
    assert_memory_equal(read, "\4\xee\6\7\10\11", 6);
    memset(read, 0, sizeof read);
    const sft_range every_other[] = {{SFT_RANGE, 0, 6, 2}};
    assert_ok(sft_read_slice(file, tensor, every_other, 1, read, 3, NULL));
    assert_memory_equal(read, "\4\6\10\0\0\0", 6);
    const sft_read_request all = {.file = file, .tensor = tensor, .to = read, .size = 6};
    assert_ok(sft_read_many(&all, 1, NULL, NULL));
    assert_memory_equal(read, "\4\xee\6\7\10\11", 6);
}

static void test_no_descriptor_is_kept(void **state) {
    (void)state;
    fixture_file bytes = fixture_make(header, 10);
    char path[64];
    fixture_save(&bytes, path);
    int before = next_descriptor();
    sft_open_options options = SFT_OPEN_OPTIONS;
    options.writable = options.no_descriptor = true;
    sft_file *file;
    assert_ok(sft_open(path, &options, &file, NULL));
    sft_model_options of_model = SFT_MODEL_OPTIONS;
    of_model.no_descriptor = true;
    const char *paths[] = {path};
    sft_model *model;
    assert_ok(sft_model_open_files(paths, 1, &of_model, &model, NULL));
    assert_int_equal(next_descriptor(), before);
    sft_model_close(model);
    const sft_tensor *b = sft_find(file, "b", 1);
    ((uint8_t *)sft_data_writable(file, b))[1] = 0xee;
    check_reads(file, b);
    sft_close(file);
    options.access = SFT_ACCESS_READ;
    assert_ok(sft_open(path, &options, &file, NULL));
    assert_int_equal(next_descriptor(), before + 1);
    sft_close(file);
    check_file(path, &bytes);
    unlink(path);
    free(bytes.bytes);
}

static void test_memory(void **state) {
    (void)state;
    static const uint64_t sizes[] = {0, 1, 63, 4097, 2097151, 2097152, 5000001};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t *memory = sft_memory_new(sizes[i]);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % 64, 0);
        memset(memory, 0xa5, (size_t)sizes[i]);
        sft_memory_free(memory);
    }
    assert_null(sft_memory_new(UINT64_MAX));
    assert_null(sft_memory_new(INT64_MAX));
    sft_memory_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changes_stay_in_the_handle),
        cmocka_unit_test(test_only_where_asked_for),
        cmocka_unit_test(test_models),
        cmocka_unit_test(test_no_descriptor_is_kept),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
