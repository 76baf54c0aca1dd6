/* What a file is, by its first bytes. */
#include "fixture.h"

#include "archive.h"
#include "checkpoint/detect.h"

static sft_format format_of(const void *from, size_t size) {
    held all;
    hold(&all, from, size);
    sft_format format;
    assert_ok(sft_detect(&all.region, &format, NULL));
    sft_sources_free(&all.sources);
    return format;
}

#define expect_format(text, wanted)                                                                \
    assert_string_equal(sft_format_name(format_of(text, sizeof(text) - 1)), wanted)

static void test_signatures(void **state) {
    (void)state;
    expect_format("PK\3\4\24\0", "zip");
    expect_format("PK\5\6\0\0", "zip");
    expect_format("\x93NUMPY\1\0v\0", "npy");
    expect_format("\x1f\x8b\x08\0", "gzip");
    expect_format("\x78\x9c\x03\0", "zlib");
    expect_format("\x78\x01\x03\0", "zlib");
    expect_format("7z\xbc\xaf\x27\x1c\0\4", "7z");
    expect_format("\xfd\x37zXZ\0\0\4", "xz");
    expect_format("BZh91AY&SY\1\2", "bzip2");
    expect_format("BZh9\x17\x72\x45\x38\x50\x90\0\0\0\0", "bzip2");
    expect_format("\x28\xb5\x2f\xfd\4\0", "zstd");
    expect_format("\x04\x22\x4d\x18\x64", "lz4");
    expect_format("\x5d\0\0\x80\0", "lzma");
    expect_format("Rar!\x1a\x07\1\0", "rar");
    expect_format("\x89HDF\r\n\x1a\n", "hdf5");
    expect_format("GGUF\3\0\0\0", "gguf");
    expect_format("\2\0\0\0\0\0\0\0{}", "safetensors");
    expect_format("\3\0\0\0\0\0\0\0{}", "unrecognized");
    expect_format("\377\377\377\377\377\377\377\377{}", "unrecognized");
    expect_format("", "unrecognized");
    expect_format("\x89PNG\r\n\x1a\n", "unrecognized");
    expect_format("PK", "unrecognized");
    expect_format("\x78\x9d", "unrecognized");
}

static void test_pickles_with_a_protocol(void **state) {
    (void)state;
    expect_format("\x80\2}.", "pickle");
    expect_format("\x80\5", "pickle");
    expect_format("\x80\0", "pickle");
    expect_format("\x80\6.", "unrecognized");
    expect_format("\x80", "unrecognized");
}

static void test_pickles_without(void **state) {
    (void)state;
    expect_format("N.", "pickle");
    expect_format("I1\n.", "pickle");
    expect_format("I0x1f\n.", "pickle");
    expect_format("F 1e3\n.", "pickle");
    expect_format("S'a'\np0\n.", "pickle");
    expect_format("Vtext\np0\n.", "pickle");
    expect_format("(dp0\nS'a'\nI1\ns.", "pickle");
    expect_format("]q\0.", "pickle");
    expect_format("X\1\0\0\0a.", "pickle");
    expect_format("\x8c\1a.", "pickle");
    expect_format("\x95\2\0\0\0\0\0\0\0N.", "pickle");
    expect_format("Pid\n.", "pickle");
}

/* A name that would be imported is enough: whatever follows comes too late. */
static void test_pickles_that_break_after_an_import(void **state) {
    (void)state;
    expect_format("cos\nsystem\n", "pickle");
    expect_format("cos\nsystem\n\377\377", "pickle");
    expect_format("cos\na b\n\377", "pickle");
    expect_format("(S'id'\nios\nsystem\n\377", "pickle");
    expect_format("(\x8c\2os\x8c\6system\x93\377", "pickle");
    expect_format("(\x82\1\377", "pickle");
}

static void test_what_cannot_begin_a_pickle(void **state) {
    (void)state;
    expect_format("cos\nsystem", "unrecognized");
    expect_format("cos\n\377\n.", "unrecognized");
    expect_format("can you read this\nas a pickle?\n", "unrecognized");
    expect_format("In the beginning\n", "unrecognized");
    expect_format("So it goes\n", "unrecognized");
    expect_format("The quick brown fox", "unrecognized");
    expect_format("B", "unrecognized");
    expect_format("(", "unrecognized");
    expect_format("((((", "unrecognized");
    expect_format(".", "unrecognized");
    expect_format("R", "unrecognized");
    expect_format("{\"a\": 1}", "unrecognized");
    expect_format("X\377\377\377\377a.", "unrecognized");
    expect_format("\x8e\377\377\377\377\377\377\377\377a.", "unrecognized");
}

/* What goes on beyond the first bytes is left to the machine. */
static void test_long_first_operands(void **state) {
    (void)state;
    bytes file = {0};
    put(&file, "T\0\0\1\0", 5);
    for (int i = 0; i < 65536; i++) {
        put(&file, "x", 1);
    }
    put(&file, ".", 1);
    assert_int_equal(format_of(file.at, file.size), SFT_FORMAT_PICKLE);
    assert_int_equal(format_of(file.at, file.size - 3), SFT_FORMAT_UNRECOGNIZED);
    memcpy(file.at, "V####", 5);
    assert_int_equal(format_of(file.at, file.size), SFT_FORMAT_PICKLE);
    assert_int_equal(format_of(file.at, 4096), SFT_FORMAT_UNRECOGNIZED);
    memset(file.at, 'N', file.size);
    assert_int_equal(format_of(file.at, file.size), SFT_FORMAT_PICKLE);
    free(file.at);
}

static void test_every_format_has_a_name(void **state) {
    (void)state;
    for (int i = 0; i <= SFT_FORMAT_GGUF; i++) {
        assert_non_null(sft_format_name((sft_format)i));
        for (int k = 0; k < i; k++) {
            assert_string_not_equal(sft_format_name((sft_format)i), sft_format_name((sft_format)k));
        }
    }
    assert_null(sft_format_name((sft_format)(SFT_FORMAT_GGUF + 1)));
    assert_true(sft_format_supported(SFT_FORMAT_ZLIB));
    assert_false(sft_format_supported(SFT_FORMAT_7Z));
    assert_false(sft_format_supported(SFT_FORMAT_UNRECOGNIZED));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signatures),
        cmocka_unit_test(test_pickles_with_a_protocol),
        cmocka_unit_test(test_pickles_without),
        cmocka_unit_test(test_pickles_that_break_after_an_import),
        cmocka_unit_test(test_what_cannot_begin_a_pickle),
        cmocka_unit_test(test_long_first_operands),
        cmocka_unit_test(test_every_format_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
