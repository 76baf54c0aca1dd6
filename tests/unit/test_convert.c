/* Whole conversions: what comes out, what is told of it, and what is left after a refusal. */
#define _GNU_SOURCE

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scratch.h"
#include "sources.h"

#define FILES "tests/files/pickles/"

static int empty(void **state) {
    scratch_teardown(state);
    return mkdir(scratch_folder, 0755);
}

#define TEST(test) cmocka_unit_test_setup(test, empty)

static void expect_left(int count) {
    assert_int_equal(scratch_count("."), count);
}

/* ---- one file ---- */

static void an_array_becomes_a_tensor(void **state) {
    (void)state;
    store_npy("weights.npy", ">i2", "True", "(2, 3)", "\0\1\0\4\0\2\0\5\0\3\0\6", 12);
    sft_conversion *done;
    sft_error error;
    expect_status(sft_convert(scratch("weights.npy"), NULL, NULL, &done, &error), SFT_OK, &error);
    expect_left(2);
    assert_true(
        result_holds(scratch("weights.safetensors"), "weights", "\1\0\2\0\3\0\4\0\5\0\6\0", 12));
    assert_int_equal(sft_conversion_count(done), 1);
    const sft_converted *tensor = sft_conversion_at(done, 0);
    assert_string_equal(tensor->name, "weights");
    assert_int_equal(tensor->dtype, SFT_I16);
    assert_int_equal(tensor->strides[0], 1);
    assert_int_equal(tensor->strides[1], 2);
    assert_int_equal(tensor->source_offset, 128);
    assert_false(tensor->packed);
    assert_null(tensor->member);
    assert_string_equal(tensor->source_file, scratch("weights.npy"));
    assert_null(sft_conversion_at(done, 1));
    assert_int_equal(sft_conversion_metadata_count(done), 0);
    assert_int_equal(sft_conversion_bytes(done), 12);
    assert_string_equal(sft_conversion_file(done, 0), scratch("weights.safetensors"));
    assert_null(sft_conversion_index_path(done));
    assert_string_equal(sft_conversion_format(done), "npy");
    assert_int_equal(sft_scan_verdict(sft_conversion_scan(done, 0)), SFT_VERDICT_CLEAN);
    sft_conversion_free(done);
}

static void what_is_no_tensor_is_told(void **state) {
    (void)state;
    sft_conversion *done;
    sft_error error;
    expect_status(sft_convert(FILES "benign/wrapper.ckpt", scratch("out"), NULL, &done, &error),
                  SFT_OK, &error);
    assert_string_equal(sft_conversion_wrapper(done), "state_dict");
    assert_true(sft_conversion_dropped_total(done) > 0);
    assert_int_equal(sft_conversion_dropped_count(done), sft_conversion_dropped_total(done));
    assert_non_null(sft_conversion_dropped(done, 0)->kind);
    assert_null(sft_conversion_dropped(done, sft_conversion_dropped_count(done)));
    assert_memory_equal(sft_conversion_metadata(done, 0)->value, "pt", 2);
    sft_conversion_free(done);
    expect_left(1);
}

static void no_tensors_make_an_empty_file(void **state) {
    (void)state;
    sft_error error;
    sft_file *file;
    expect_status(sft_convert(FILES "benign/no-tensors.pt", scratch("out"), NULL, NULL, &error),
                  SFT_OK, &error);
    expect_status(sft_open(scratch("out"), NULL, &file, &error), SFT_OK, &error);
    assert_int_equal(sft_count(file), 0);
    sft_close(file);
}

static void nothing_is_replaced_unasked(void **state) {
    (void)state;
    sft_convert_options options = SFT_CONVERT_OPTIONS;
    sft_error error;
    options.keep_existing = true;
    store_npy("a.npy", "|u1", "False", "(3,)", "abc", 3);
    scratch_store("a.safetensors", "old", 3);
    for (int dry = 0; dry < 2; dry++) {
        options.dry_run = dry == 1;
        expect_status(sft_convert(scratch("a.npy"), NULL, &options, NULL, &error),
                      SFT_ALREADY_EXISTS, &error);
        assert_string_equal(error.file, scratch("a.safetensors"));
        assert_true(scratch_holds("a.safetensors", "old", 3));
    }
    options.keep_existing = false;
    expect_status(sft_convert(scratch("a.npy"), NULL, &options, NULL, &error), SFT_OK, &error);
    assert_true(scratch_holds("a.safetensors", "old", 3));
    options.dry_run = false;
    expect_status(sft_convert(scratch("a.npy"), NULL, &options, NULL, &error), SFT_OK, &error);
    assert_true(result_holds(scratch("a.safetensors"), "a", "abc", 3));
    expect_left(2);
}

static void a_source_keeps_its_place(void **state) {
    (void)state;
    sft_error error;
    store_npy("a.npy", "|u1", "False", "(3,)", "abc", 3);
    expect_status(sft_convert(scratch("a.npy"), scratch("a.npy"), NULL, NULL, &error),
                  SFT_INVALID_ARGUMENT, &error);
    /* It is as it was: what else could be converted? */
    expect_status(sft_convert(scratch("a.npy"), scratch("b"), NULL, NULL, &error), SFT_OK, &error);
    assert_true(result_holds(scratch("b"), "a", "abc", 3));
    expect_left(2);
}

/* ---- refusals ---- */

typedef struct refusal {
    const char *file;
    sft_status status;
    const char *says; /* a part of the message or the tensor's name */
} refusal;

static const refusal refusals[] = {
    {FILES "containers/CVE-2025-32434.tar", SFT_DANGEROUS_SOURCE, ""},
    {FILES "containers/torchscript-payload.pt", SFT_DANGEROUS_SOURCE, ""},
    {FILES "containers/archive.7z", SFT_UNSUPPORTED_SOURCE, "7z"},
    {FILES "other/text.txt", SFT_UNSUPPORTED_SOURCE, ""},
    {FILES "containers/npy-huge.npy", SFT_MALFORMED_SOURCE, ""},
    {FILES "limits/bomb-zip.pt", SFT_MALFORMED_SOURCE, ""},
    {FILES "tensors/names-joined.pt", SFT_DUPLICATE_NAME, "a.b"},
    {FILES "tensors/names-metadata.pt", SFT_RESERVED_NAME, "__metadata__"},
    {FILES "tensors/names-surrogate.pt", SFT_INVALID_NAME, "Unicode"},
    {FILES "tensors/bounds-beyond.pt", SFT_TENSOR_BOUNDS, "reaches beyond"},
    {FILES "tensors/sparse.pt", SFT_UNSUPPORTED_TENSOR, "sparse"},
    {FILES "tensors/storage-missing.pt", SFT_MALFORMED_SOURCE, "not in the archive"},
    {"tests/files/pickles", SFT_UNSUPPORTED_SOURCE, "pytorch_model.bin"},
    {"tests/files/pickles/none", SFT_OPEN_FAILED, ""},
    {"/dev/null", SFT_NOT_A_FILE, ""},
};

static void refused(const char *file, const char *target, const sft_convert_options *options,
                    sft_status wanted, const char *says) {
    sft_error error = {.message = ""};
    sft_conversion *done = NULL;
    sft_status status = sft_convert(file, target, options, &done, &error);
    if (status != wanted || strstr(error.message, says) == NULL) {
        char line[2048];
        sft_error_format(&error, line, sizeof line);
        fail_msg("%s: %s", file, status == SFT_OK ? "converted" : line);
    }
    bool scanned = status >= SFT_DANGEROUS_SOURCE && status <= SFT_SOURCE_LIMIT;
    assert_int_equal(done != NULL, scanned);
    if (status == SFT_DANGEROUS_SOURCE) {
        assert_int_equal(sft_scan_verdict(sft_conversion_scan(done, 0)), SFT_VERDICT_DANGEROUS);
    }
    sft_conversion_free(done);
}

static void a_refusal_leaves_nothing(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        const refusal *r = &refusals[i];
        sft_convert_options options = SFT_CONVERT_OPTIONS;
        refused(r->file, scratch("out"), &options, r->status, r->says);
        /* What is dangerous or broken stays so whatever is allowed. */
        options.allow_unknown = true;
        options.max_shard_size = 1;
        refused(r->file, scratch("out"), &options, r->status, r->says);
        expect_left(0);
    }
}

static void what_nobody_vouches_for(void **state) {
    (void)state;
    static const char pickle[] = "\x80\x02}(X\1\0\0\0aK\1X\1\0\0\0bcours\nThing\n)\x81u.";
    scratch_store("a.pkl", pickle, sizeof pickle - 1);
    sft_convert_options options = SFT_CONVERT_OPTIONS;
    refused(scratch("a.pkl"), NULL, &options, SFT_UNVOUCHED_SOURCE, "ours.Thing");
    expect_left(1);
    options.allow_unknown = true;
    sft_conversion *done;
    sft_error error;
    expect_status(sft_convert(scratch("a.pkl"), NULL, &options, &done, &error), SFT_OK, &error);
    assert_int_equal(sft_conversion_dropped_total(done), 2);
    sft_conversion_free(done);
    /* A name that the caller vouches for is clean. */
    const sft_allowed pair = {"ours", "Thing"};
    options.allow_unknown = false;
    options.scan.allowed = &pair;
    options.scan.allowed_count = 1;
    expect_status(sft_convert(scratch("a.pkl"), NULL, &options, NULL, &error), SFT_OK, &error);
}

static void calls_that_are_wrong(void **state) {
    (void)state;
    sft_convert_options options = SFT_CONVERT_OPTIONS;
    refused(NULL, NULL, NULL, SFT_INVALID_ARGUMENT, "source");
    refused("", NULL, NULL, SFT_INVALID_ARGUMENT, "source");
    options.struct_size = 0;
    refused("a", NULL, &options, SFT_INVALID_ARGUMENT, "struct_size");
    options.struct_size = sizeof options;
    options.scan.allowed_count = 1;
    refused("a", NULL, &options, SFT_INVALID_ARGUMENT, "allowed");
    const sft_allocator half = {NULL, NULL, NULL, NULL};
    options.scan.allowed_count = 0;
    options.allocator = &half;
    refused("a", NULL, &options, SFT_INVALID_ARGUMENT, "allocator");
}

/* ---- several files ---- */

static void a_sharded_source_gives_as_many_files(void **state) {
    (void)state;
    store_sharded("model");
    sft_conversion *done;
    sft_error error;
    expect_status(sft_convert(scratch("model"), scratch("new"), NULL, &done, &error), SFT_OK,
                  &error);
    assert_int_equal(scratch_count("new"), 3);
    assert_true(result_holds(scratch("new"), "a", "first", 5));
    assert_true(result_holds(scratch("new"), "b", "abcdef", 6));
    assert_int_equal(sft_conversion_files(done), 2);
    assert_string_equal(sft_conversion_file(done, 1),
                        scratch("new/model-00002-of-00002.safetensors"));
    assert_int_equal(sft_conversion_sources(done), 2);
    assert_int_equal(sft_conversion_at(done, 1)->file, 1);
    static const char index[] = "{\n"
                                "  \"metadata\": {\n"
                                "    \"total_size\": 11\n"
                                "  },\n"
                                "  \"weight_map\": {\n"
                                "    \"a\": \"model-00001-of-00002.safetensors\",\n"
                                "    \"b\": \"model-00002-of-00002.safetensors\"\n"
                                "  }\n"
                                "}";
    assert_true(scratch_holds("new/model.safetensors.index.json", index, sizeof index - 1));
    sft_conversion_free(done);
    /* Beside the source, whose own files stay. */
    expect_status(
        sft_convert(scratch("model/pytorch_model.bin.index.json"), NULL, NULL, NULL, &error),
        SFT_OK, &error);
    assert_int_equal(scratch_count("model"), 6);
    assert_true(scratch_holds("model/model.safetensors.index.json", index, sizeof index - 1));
}

static void a_size_splits_anew(void **state) {
    (void)state;
    sft_convert_options options = SFT_CONVERT_OPTIONS;
    sft_error error;
    store_sharded("model");
    options.max_shard_size = 1000;
    expect_status(sft_convert(scratch("model"), scratch("one"), &options, NULL, &error), SFT_OK,
                  &error);
    assert_int_equal(scratch_count("one"), 1);
    assert_true(result_holds(scratch("one/model.safetensors"), "b", "abcdef", 6));
    options.max_shard_size = 5;
    expect_status(sft_convert(scratch("model"), scratch("two"), &options, NULL, &error), SFT_OK,
                  &error);
    assert_int_equal(scratch_count("two"), 3);
    assert_true(result_holds(scratch("two/model-00001-of-00002.safetensors"), "b", "abcdef", 6));
    assert_true(result_holds(scratch("two"), "a", "first", 5));
}

static void store_index(const char *text) {
    scratch_store("model/pytorch_model.bin.index.json", text, strlen(text));
}

static void an_index_that_is_not_true(void **state) {
    (void)state;
    store_sharded("model");
    store_index("{\"weight_map\":{\"a\":\"a.npy\",\"b\":\"c.npy\"}}");
    refused(scratch("model"), scratch("new"), NULL, SFT_MISSING_SHARD, "");
    store_index("{\"weight_map\":{\"a\":\"a.npy\",\"b\":\"../model/b.npy\"}}");
    refused(scratch("model"), scratch("new"), NULL, SFT_UNSAFE_SHARD_NAME, "plain file name");
    store_index("{\"weight_map\":{\"a\":\"b.npy\",\"b\":\"a.npy\"}}");
    refused(scratch("model"), scratch("new"), NULL, SFT_TENSOR_NOT_IN_SHARD, "does not");
    store_index("{\"weight_map\":[]}");
    refused(scratch("model"), scratch("new"), NULL, SFT_INVALID_INDEX, "");
    scratch_store("model/other.bin.index.json", "{}", 2);
    assert_int_equal(remove(scratch("model/pytorch_model.bin.index.json")), 0);
    scratch_store("model/third.bin.index.json", "{}", 2);
    refused(scratch("model"), scratch("new"), NULL, SFT_AMBIGUOUS_FOLDER, "2 index files");
    expect_left(1);
    assert_int_equal(scratch_count("model"), 4);
}

static void a_folder_with_one_checkpoint(void **state) {
    (void)state;
    sft_error error;
    assert_int_equal(mkdir(scratch("model"), 0755), 0);
    store_npy("model/pytorch_model.bin", "|u1", "False", "(3,)", "abc", 3);
    expect_status(sft_convert(scratch("model"), NULL, NULL, NULL, &error), SFT_OK, &error);
    assert_true(result_holds(scratch("model/model.safetensors"), "pytorch_model.bin", "abc", 3));
}

/* ---- stopping ---- */

typedef struct stopper {
    uint64_t calls;
    uint64_t stop_at;
    uint64_t last;
    uint64_t total;
} stopper;

static bool count_call(void *context, uint64_t done, uint64_t total) {
    stopper *s = context;
    assert_true(done >= s->last && done <= total);
    s->last = done;
    s->total = total;
    return ++s->calls != s->stop_at;
}

static void stopping_leaves_nothing(void **state) {
    (void)state;
    store_sharded("model");
    stopper s = {0};
    sft_convert_options options = SFT_CONVERT_OPTIONS;
    options.progress = count_call;
    options.progress_context = &s;
    sft_error error;
    for (s.stop_at = 1;; s.stop_at++) {
        s.calls = s.last = 0;
        sft_status status = sft_convert(scratch("model"), scratch("new"), &options, NULL, &error);
        if (s.calls < s.stop_at) {
            expect_status(status, SFT_OK, &error);
            break;
        }
        expect_status(status, SFT_CANCELLED, &error);
        expect_left(1);
    }
    assert_true(s.stop_at > 4);
    assert_int_equal(s.last, 22); /* each byte is written, and compared */
    assert_int_equal(s.total, 22);
    expect_left(2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(an_array_becomes_a_tensor),
        TEST(what_is_no_tensor_is_told),
        TEST(no_tensors_make_an_empty_file),
        TEST(nothing_is_replaced_unasked),
        TEST(a_source_keeps_its_place),
        TEST(a_refusal_leaves_nothing),
        TEST(what_nobody_vouches_for),
        TEST(calls_that_are_wrong),
        TEST(a_sharded_source_gives_as_many_files),
        TEST(a_size_splits_anew),
        TEST(an_index_that_is_not_true),
        TEST(a_folder_with_one_checkpoint),
        TEST(stopping_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
