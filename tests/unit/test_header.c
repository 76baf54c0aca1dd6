/* Parsing a header alone: what it hands out, where the limits are, what it costs. */
#include "fixture.h"

static const char two[] =
    "{\"__metadata__\":{\"b\":\"2\",\"a\":\"\\u0000\"},"
    "\"late\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[4,6]},"
    "\"ear\\u006cy\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}  ";

static void test_hands_out_in_file_order(void **state) {
    (void)state;
    fixture_file file = fixture_make(two, 6);
    sft_header *header;
    assert_ok(sft_header_parse(file.bytes, file.size, file.size, NULL, &header, NULL));
    memset(file.bytes, 0, file.size); /* the header keeps a copy */
    assert_int_equal(sft_header_count(header), 2);
    const sft_tensor *early = sft_header_at(header, 0);
    const sft_tensor *late = sft_header_at(header, 1);
    assert_int_equal(early->name_length, 5);
    assert_memory_equal(early->name, "early", 5);
    assert_int_equal(early->rank, 0);
    assert_int_equal(late->shape[0], 2);
    assert_null(sft_header_at(header, 2));
    assert_ptr_equal(sft_header_find(header, "early", 5), early);
    assert_ptr_equal(sft_header_find(header, "late", 4), late);
    assert_null(sft_header_find(header, "lat", 3));
    assert_int_equal(sft_header_index(header, late), 1);
    assert_int_equal(sft_header_data_start(header), 8 + sizeof two - 1);
    assert_int_equal(sft_header_data_size(header), 6);
    size_t length;
    assert_memory_equal(sft_header_text(header, &length), two, sizeof two - 1);
    assert_int_equal(length, sizeof two - 1);
    sft_header_free(header);
    free(file.bytes);
}

static void test_metadata(void **state) {
    (void)state;
    fixture_file file = fixture_make(two, 6);
    sft_header *header;
    assert_ok(sft_header_parse(file.bytes, file.size, file.size, NULL, &header, NULL));
    assert_true(sft_header_has_metadata(header));
    assert_int_equal(sft_header_metadata_count(header), 2);
    assert_memory_equal(sft_header_metadata_at(header, 0)->key, "b", 1);
    const sft_metadata_entry *entry = sft_header_metadata_find(header, "a", 1);
    assert_int_equal(entry->value_length, 1);
    assert_int_equal(entry->value[0], 0);
    assert_null(sft_header_metadata_at(header, 2));
    sft_header_free(header);
    free(file.bytes);

    static const char *const without[] = {"{}", "{\"__metadata__\":null}"};
    for (size_t i = 0; i < 2; i++) {
        file = fixture_make(without[i], 0);
        assert_ok(sft_header_parse(file.bytes, file.size, file.size, NULL, &header, NULL));
        assert_false(sft_header_has_metadata(header));
        sft_header_free(header);
        free(file.bytes);
    }
}

/* A header alone, of a file whose data was never fetched. */
static void test_only_the_beginning_is_needed(void **state) {
    (void)state;
    fixture_file file = fixture_make(two, 6);
    uint64_t extent;
    sft_header *header;
    sft_error error;
    assert_ok(sft_header_extent(file.bytes, 8, file.size, NULL, &extent, NULL));
    assert_int_equal(extent, file.size - 6);
    assert_ok(sft_header_parse(file.bytes, (size_t)extent, file.size, NULL, &header, NULL));
    sft_header_free(header);
    assert_status(
        sft_header_parse(file.bytes, (size_t)extent - 1, file.size, NULL, &header, &error),
        SFT_BUFFER_SIZE);
    assert_null(header);
    assert_status(sft_header_extent(file.bytes, 7, file.size, NULL, &extent, &error),
                  SFT_INVALID_ARGUMENT);
    assert_status(sft_header_extent(NULL, 8, file.size, NULL, &extent, &error),
                  SFT_INVALID_ARGUMENT);
    assert_status(sft_header_parse(file.bytes, file.size, file.size, NULL, NULL, &error),
                  SFT_INVALID_ARGUMENT);
    free(file.bytes);
}

static void expect_limited(const sft_limits *limits, sft_status status) {
    fixture_file file = fixture_make(two, 6);
    sft_header_options options = SFT_HEADER_OPTIONS;
    options.limits = *limits;
    sft_header *header;
    sft_error error;
    assert_status(sft_header_parse(file.bytes, file.size, file.size, &options, &header, &error),
                  status);
    if (status == SFT_OK) {
        sft_header_free(header);
    } else {
        assert_string_not_equal(error.message, "");
    }
    free(file.bytes);
}

static void test_limits(void **state) {
    (void)state;
    uint64_t length = sizeof two - 1;
    expect_limited(&(sft_limits){.header_bytes = length}, SFT_OK);
    expect_limited(&(sft_limits){.header_bytes = length - 1}, SFT_HEADER_TOO_LARGE);
    expect_limited(&(sft_limits){.tensors = 2}, SFT_OK);
    expect_limited(&(sft_limits){.tensors = 1}, SFT_TOO_MANY_TENSORS);
    expect_limited(&(sft_limits){.rank = 1}, SFT_OK);
    expect_limited(&(sft_limits){.memory = 100000}, SFT_OK);
    for (uint64_t memory = 1; memory < 600; memory++) {
        expect_limited(&(sft_limits){.memory = memory}, SFT_MEMORY_LIMIT);
    }
}

static void test_rank_limit(void **state) {
    (void)state;
    fixture_file file =
        fixture_make("{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1],\"data_offsets\":[0,1]}}", 1);
    sft_header_options options = SFT_HEADER_OPTIONS;
    sft_header *header;
    options.limits.rank = 2;
    assert_status(sft_header_parse(file.bytes, file.size, file.size, &options, &header, NULL),
                  SFT_RANK_TOO_LARGE);
    options.limits.rank = 3;
    assert_ok(sft_header_parse(file.bytes, file.size, file.size, &options, &header, NULL));
    sft_header_free(header);
    free(file.bytes);
}

static void *counting_allocate(void *context, size_t size) {
    *(uint64_t *)context += size;
    return malloc(size);
}

static void *counting_reallocate(void *context, void *memory, size_t old_size, size_t new_size) {
    *(uint64_t *)context += new_size - old_size;
    return realloc(memory, new_size);
}

static void counting_release(void *context, void *memory, size_t size) {
    (void)context;
    (void)size;
    free(memory);
}

/* The limit counts the text too, and holds before it is read. */
static void test_memory_limit_comes_first(void **state) {
    (void)state;
    static char text[100001];
    memset(text, ' ', sizeof text - 1);
    memcpy(text, "{}", 2);
    fixture_file file = fixture_make(text, 0);
    uint64_t taken = 0;
    sft_allocator allocator = {&taken, counting_allocate, counting_reallocate, counting_release};
    sft_header_options options = SFT_HEADER_OPTIONS;
    options.allocator = &allocator;
    options.limits.memory = 50000;
    sft_header *header;
    assert_status(sft_header_parse(file.bytes, file.size, file.size, &options, &header, NULL),
                  SFT_MEMORY_LIMIT);
    assert_true(taken < 50000);
    sft_open_options open = SFT_OPEN_OPTIONS;
    open.allocator = &allocator;
    open.limits.memory = 50000;
    sft_file *opened;
    assert_status(sft_open_memory(file.bytes, file.size, &open, &opened, NULL), SFT_MEMORY_LIMIT);
    assert_true(taken < 50000);
    free(file.bytes);
}

/* Limits in options whose size was forgotten would not count: better no file than no limits. */
static void test_options_without_a_size_are_refused(void **state) {
    (void)state;
    fixture_file file = fixture_make(two, 6);
    sft_header_options options = {.limits = {.tensors = 1}};
    uint64_t extent;
    sft_header *header;
    assert_status(sft_header_extent(file.bytes, file.size, file.size, &options, &extent, NULL),
                  SFT_INVALID_ARGUMENT);
    assert_status(sft_header_extent(file.bytes, file.size, file.size, NULL, NULL, NULL),
                  SFT_INVALID_ARGUMENT);
    assert_status(sft_header_parse(file.bytes, file.size, file.size, &options, &header, NULL),
                  SFT_INVALID_ARGUMENT);
    assert_null(header);
    sft_open_options open = {.limits = {.tensors = 1}};
    sft_file *opened;
    assert_status(sft_open_memory(file.bytes, file.size, &open, &opened, NULL),
                  SFT_INVALID_ARGUMENT);
    sft_model_options model_options = {.limits = {.tensors = 1}};
    sft_model *model;
    assert_status(sft_model_open("nowhere", &model_options, &model, NULL), SFT_INVALID_ARGUMENT);
    assert_null(model);
    sft_read_options read = {.threads = 1};
    assert_status(sft_read_many(NULL, 0, &read, NULL), SFT_INVALID_ARGUMENT);
    free(file.bytes);
}

/* A caller built against an older header passes a shorter struct: the rest is default. */
static void test_shorter_options_are_understood(void **state) {
    (void)state;
    fixture_file file = fixture_make(two, 6);
    sft_header_options options = SFT_HEADER_OPTIONS;
    options.limits.tensors = 1;
    options.struct_size = offsetof(sft_header_options, limits);
    sft_header *header;
    assert_ok(sft_header_parse(file.bytes, file.size, file.size, &options, &header, NULL));
    sft_header_free(header);
    free(file.bytes);
}

static void test_hints_name_what_it_is(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        const char *hint;
    } cases[] = {
        {"version https://git-lfs.github.com/spec/v1\noid sha256:00", "git lfs pull"},
        {"<!DOCTYPE html><html>", "web page"},
        {"PK\x03\x04\x14\x08\x08\x08\x08\x08", "zip"},
        {"GGUF\x03\x01\x01\x01\x01\x01", "GGUF"},
        {"\x1f\x8b\x08\x08\x01\x01\x01\x01\x01", "gzip"},
        {"\x80\x02}q\x01X\x01\x01\x01\x01", "pickle"},
        {"{\"a\":{\"dtype\":\"U8\"}}", "8 bytes"},
        {"garbage garbage garbage", "not a safetensors file"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        sft_file *file;
        sft_error error;
        assert_status(sft_open_memory(cases[i].bytes, strlen(cases[i].bytes), NULL, &file, &error),
                      SFT_HEADER_TOO_LARGE);
        assert_non_null(strstr(error.message, cases[i].hint));
    }
}

/* Lengths that are within the limit, and still another format's first bytes. */
static void test_hints_for_plausible_lengths(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        const char *hint;
    } cases[] = {
        {"\x1f\x8b\x08\0\0\0\0\0", "gzip"},
        {"PK\x03\x04\0\0\0\0", "zip"},
        {"\x80\x02\0\0\0\0\0\0", "cut short"}, /* 640: a length like any other */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        sft_file *file;
        sft_error error;
        assert_status(sft_open_memory(cases[i].bytes, 8, NULL, &file, &error),
                      SFT_INVALID_HEADER_LENGTH);
        assert_non_null(strstr(error.message, cases[i].hint));
    }

    enum { GZIP_LENGTH = 0x088b1f };
    fixture_file compressed = {malloc(8 + GZIP_LENGTH), 8 + GZIP_LENGTH};
    assert_non_null(compressed.bytes);
    memset(compressed.bytes, 0xff, compressed.size);
    memcpy(compressed.bytes, cases[0].bytes, 8);
    sft_file *file;
    sft_error error;
    assert_status(sft_open_memory(compressed.bytes, compressed.size, NULL, &file, &error),
                  SFT_INVALID_UTF8);
    assert_int_equal(error.byte, 8);
    assert_non_null(strstr(error.message, "gzip"));
    assert_status(sft_open_memory(compressed.bytes, compressed.size, NULL, &file, NULL),
                  SFT_INVALID_UTF8);
    free(compressed.bytes);
}

static void check_place(const char *text, size_t data, uint64_t line, uint64_t column) {
    fixture_file file = fixture_make(text, data);
    sft_header *header;
    sft_error error;
    assert_int_not_equal(sft_header_parse(file.bytes, file.size, file.size, NULL, &header, &error),
                         SFT_OK);
    assert_int_equal(error.line, line);
    assert_int_equal(error.column, column);
    if (line > 0) {
        assert_true(error.byte >= 8);
    }
    free(file.bytes);
}

/* Editors count lines and columns from 1. */
static void test_defects_in_json_have_a_line(void **state) {
    (void)state;
    check_place("x", 0, 1, 1);
    check_place("{\"a\":x}", 0, 1, 6);
    check_place("{\n  \"a\":\n x}", 0, 3, 2);
    check_place("{\n", 0, 2, 1);
    check_place("{}\n \n {}", 0, 3, 2);
    check_place("\xef\xbb\xbf{}", 0, 1, 1);
    check_place("{\n\"\xff\":1}", 0, 2, 2);
    check_place("", 0, 0, 0);
    /* Bytes behind the header lie on no line. */
    check_place("{}", 3, 0, 0);
}

static void test_dtype_helpers(void **state) {
    (void)state;
    for (int i = 0; i < SFT_DTYPES; i++) {
        sft_dtype dtype = (sft_dtype)i;
        sft_dtype again;
        const char *name = sft_dtype_name(dtype);
        assert_ok(sft_dtype_parse(name, strlen(name), &again));
        assert_int_equal(again, dtype);
        uint32_t bits = sft_dtype_bits(dtype);
        uint64_t shape[] = {3, 8};
        uint64_t bytes;
        assert_ok(sft_dtype_size(dtype, shape, 2, &bytes));
        assert_int_equal(bytes, 3 * bits);
    }
    sft_dtype dtype;
    uint64_t bytes;
    assert_status(sft_dtype_parse("f32", 3, &dtype), SFT_UNKNOWN_DTYPE);
    assert_status(sft_dtype_parse("F3", 2, &dtype), SFT_UNKNOWN_DTYPE);
    assert_status(sft_dtype_parse("", 0, &dtype), SFT_UNKNOWN_DTYPE);
    assert_null(sft_dtype_name((sft_dtype)SFT_DTYPES));
    assert_int_equal(sft_dtype_bits((sft_dtype)-1), 0);
    assert_status(sft_dtype_size((sft_dtype)SFT_DTYPES, NULL, 0, &bytes), SFT_INVALID_ARGUMENT);
    uint64_t odd[] = {3};
    assert_status(sft_dtype_size(SFT_F4, odd, 1, &bytes), SFT_PARTIAL_BYTE);
    uint64_t zero_first[] = {0, UINT64_C(1) << 63, 4};
    uint64_t zero_last[] = {UINT64_C(1) << 63, 4, 0};
    assert_ok(sft_dtype_size(SFT_U8, zero_first, 3, &bytes));
    assert_int_equal(bytes, 0);
    assert_status(sft_dtype_size(SFT_U8, zero_last, 3, &bytes), SFT_SIZE_OVERFLOW);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hands_out_in_file_order),
        cmocka_unit_test(test_metadata),
        cmocka_unit_test(test_only_the_beginning_is_needed),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_rank_limit),
        cmocka_unit_test(test_memory_limit_comes_first),
        cmocka_unit_test(test_options_without_a_size_are_refused),
        cmocka_unit_test(test_shorter_options_are_understood),
        cmocka_unit_test(test_hints_name_what_it_is),
        cmocka_unit_test(test_hints_for_plausible_lengths),
        cmocka_unit_test(test_defects_in_json_have_a_line),
        cmocka_unit_test(test_dtype_helpers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
