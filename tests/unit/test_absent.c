/*
 * A library without readers of checkpoints: its functions stand in this program, before those of
 * the library that it is linked with.
 */
#include "fixture.h"

#include "checkpoint/absent/absent.c"

static bool closed;

static void close_source(void *context) {
    (void)context;
    closed = true;
}

static bool never(void *context, const char *path, const sft_scan_result *result,
                  const sft_error *error) {
    (void)context;
    (void)path;
    (void)result;
    (void)error;
    fail();
    return false;
}

static void test_scans_say_that_they_are_absent(void **state) {
    (void)state;
    sft_error error;
    sft_scan_result *result = (sft_scan_result *)(uintptr_t)8;
    sft_scan_options options = SFT_SCAN_OPTIONS;
    assert_status(sft_scan("CMakeLists.txt", &options, &result, &error), SFT_UNSUPPORTED);
    assert_null(result);
    assert_non_null(strstr(error.message, "SFT_CHECKPOINTS=ON"));
    result = (sft_scan_result *)(uintptr_t)8;
    assert_status(sft_scan_memory("N.", 2, NULL, &result, &error), SFT_UNSUPPORTED);
    assert_null(result);
    result = (sft_scan_result *)(uintptr_t)8;
    sft_source source = {.close = close_source};
    assert_status(sft_scan_source(&source, NULL, &result, NULL), SFT_UNSUPPORTED);
    assert_null(result);
    assert_true(closed);
    assert_status(sft_scan_tree("tests", NULL, never, NULL, &error), SFT_UNSUPPORTED);
}

static void test_conversions_say_that_they_are_absent(void **state) {
    (void)state;
    sft_error error;
    sft_conversion *conversion = (sft_conversion *)(uintptr_t)8;
    sft_convert_options options = SFT_CONVERT_OPTIONS;
    assert_status(sft_convert("a.pt", NULL, &options, &conversion, &error), SFT_UNSUPPORTED);
    assert_null(conversion);
    assert_status(sft_convert("a.pt", "b", NULL, NULL, NULL), SFT_UNSUPPORTED);
}

static void test_what_looks_at_results_has_nothing_to_say(void **state) {
    (void)state;
    sft_scan_free(NULL);
    assert_int_equal(sft_scan_verdict(NULL), SFT_VERDICT_UNKNOWN);
    assert_null(sft_scan_format(NULL));
    assert_false(sft_scan_recognized(NULL));
    assert_int_equal(sft_scan_count(NULL) + sft_scan_found(NULL), 0);
    assert_null(sft_scan_at(NULL, 0));
    sft_conversion_free(NULL);
    assert_int_equal(sft_conversion_count(NULL) + sft_conversion_ties(NULL), 0);
    assert_int_equal(sft_conversion_files(NULL) + sft_conversion_sources(NULL), 0);
    assert_int_equal(sft_conversion_dropped_count(NULL) + sft_conversion_bytes(NULL), 0);
    assert_null(sft_conversion_at(NULL, 0));
    assert_null(sft_conversion_file(NULL, 0));
    assert_null(sft_conversion_scan(NULL, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scans_say_that_they_are_absent),
        cmocka_unit_test(test_conversions_say_that_they_are_absent),
        cmocka_unit_test(test_what_looks_at_results_has_nothing_to_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
