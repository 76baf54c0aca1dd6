/* Edits of metadata: the text of the header, and the rest of it to the letter. */
#include "faults.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "edit_file.h"

/* ---- the text ---- */

static void metadata_is_inserted_in_front(void **state) {
    (void)state;
    store_text("{" TENSOR "}");
    set("k", "v", SFT_EDIT_NEW_FILE);
    expect_text("{\"__metadata__\":{\"k\":\"v\"}", "," TENSOR "}");
    store_text("  {  \n " TENSOR "\n}   ");
    set("k", "v", SFT_EDIT_NEW_FILE);
    expect_text("  {\"__metadata__\":{\"k\":\"v\"}", ",\n " TENSOR "\n}");
    store_text("{}");
    set("", "", SFT_EDIT_NEW_FILE);
    expect_text("{\"__metadata__\":{\"\":\"\"}", "}");
}

static void the_value_is_replaced_where_it_stands(void **state) {
    (void)state;
    store_text(
        "{ \"x\" : {\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0],\"extra\":[1,2.50]},"
        "\"__metadata__\" : {\"a\":\"1\"} , " TENSOR " } ");
    set("b", "\n\"\x7f", SFT_EDIT_NEW_FILE);
    expect_text(
        "{ \"x\" : {\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0],\"extra\":[1,2.50]},"
        "\"__metadata__\" : {\"a\":\"1\",\"b\":\"\\n\\\"\x7f\"}",
        ", " TENSOR " }");
    store_text("{\"__metadata__\":null," TENSOR "}");
    set("k", "v", SFT_EDIT_NEW_FILE);
    expect_text("{\"__metadata__\":{\"k\":\"v\"}", "," TENSOR "}");
    store_text("{\"\\u005f_metadata__\":{\"\\u0061\":\"\\u0062\"}," TENSOR "}");
    set("a", "c", SFT_EDIT_IN_PLACE);
    expect_text("{\"\\u005f_metadata__\":{\"a\":\"c\"}", "," TENSOR "}");
}

static void the_last_key_leaves_an_empty_object(void **state) {
    (void)state;
    store_text("{\"__metadata__\":{\"k\":\"v\"}," TENSOR "}");
    set("k", NULL, SFT_EDIT_IN_PLACE);
    expect_text("{\"__metadata__\":{}", "," TENSOR "}");
    set("k", "v", SFT_EDIT_IN_PLACE);
    expect_text("{\"__metadata__\":{\"k\":\"v\"}", "," TENSOR "}");
}

static void sorted_keys_stay_sorted_and_others_as_they_are(void **state) {
    (void)state;
    store_text("{\"__metadata__\":{\"a\":\"1\",\"c\":\"3\"}," TENSOR "}");
    set("b", "2", SFT_EDIT_NEW_FILE);
    expect_text("{\"__metadata__\":{\"a\":\"1\",\"b\":\"2\",\"c\":\"3\"}", "," TENSOR "}");
    store_text("{\"__metadata__\":{\"c\":\"1\",\"a\":\"3\"}," TENSOR "}");
    set("b", "2", SFT_EDIT_NEW_FILE);
    expect_text("{\"__metadata__\":{\"c\":\"1\",\"a\":\"3\",\"b\":\"2\"}", "," TENSOR "}");
    set("c", "9", SFT_EDIT_IN_PLACE);
    expect_text("{\"__metadata__\":{\"c\":\"9\",\"a\":\"3\",\"b\":\"2\"}", "," TENSOR "}");
}

static void many_changes_are_one_edit(void **state) {
    (void)state;
    store_text("{\"__metadata__\":{\"a\":\"1\",\"b\":\"2\"}," TENSOR "}");
    const sft_metadata_change changes[] = {{"c", 1, "3", 1},    {"a", 1, NULL, 0}, {"b", 1, "x", 1},
                                           {"b", 1, "y", 1},    {"c", 1, NULL, 0}, {"c", 1, "4", 1},
                                           {"d\0d", 3, "\0", 1}};
    sft_error error;
    expect_status(sft_edit_metadata(scratch(FILE_NAME), changes, 7, NULL, NULL, &error), SFT_OK,
                  &error);
    expect_text("{\"__metadata__\":{\"b\":\"y\",\"c\":\"4\",\"d\\u0000d\":\"\\u0000\"}",
                "," TENSOR "}");
}

/* ---- nothing to do, and nothing done ---- */

static void expect_untouched(sft_status wanted, const sft_metadata_change *changes,
                             uint64_t count) {
    scratch_bytes before = scratch_load(FILE_NAME);
    struct stat first;
    struct stat second;
    assert_int_equal(stat(scratch(FILE_NAME), &first), 0);
    sft_edit_result result = (sft_edit_result)77;
    sft_error error;
    expect_status(sft_edit_metadata(scratch(FILE_NAME), changes, count, NULL, &result, &error),
                  wanted, &error);
    assert_int_equal(result, wanted == SFT_OK ? SFT_EDIT_NOTHING : 77);
    assert_int_equal(stat(scratch(FILE_NAME), &second), 0);
    assert_memory_equal(&first.st_mtim, &second.st_mtim, sizeof first.st_mtim);
    assert_int_equal(first.st_ino, second.st_ino);
    assert_true(scratch_holds(FILE_NAME, before.bytes, before.size));
    assert_int_equal(scratch_count("."), 1);
    free(before.bytes);
}

static void what_is_said_already_is_not_written(void **state) {
    (void)state;
    store_text("{\"__metadata__\":{\"k\":\"v\"}," TENSOR "}");
    const sft_metadata_change changes[] = {
        {"k", 1, "v", 1}, {"x", 1, "1", 1}, {"x", 1, NULL, 0}, {"k", 1, "v", 1}};
    expect_untouched(SFT_OK, NULL, 0);
    expect_untouched(SFT_OK, changes, 1);
    expect_untouched(SFT_OK, changes, 4);
    store_text("{" TENSOR "}");
    expect_untouched(SFT_OK, NULL, 0);
    expect_untouched(SFT_OK, changes + 1, 2);
}

static void wrong_changes_change_nothing(void **state) {
    (void)state;
    store_text("{\"__metadata__\":{\"k\":\"v\"}," TENSOR "}");
    const sft_metadata_change absent[] = {{"k", 1, "w", 1}, {"x", 1, NULL, 0}};
    expect_untouched(SFT_NOT_FOUND, absent, 2);
    const sft_metadata_change twice[] = {{"k", 1, NULL, 0}, {"k", 1, NULL, 0}};
    expect_untouched(SFT_NOT_FOUND, twice, 2);
    const sft_metadata_change key[] = {{"\xff", 1, "w", 1}};
    expect_untouched(SFT_INVALID_NAME, key, 1);
    const sft_metadata_change value[] = {{"k", 1, "a\x80", 2}};
    expect_untouched(SFT_INVALID_NAME, value, 1);
    const sft_metadata_change null[] = {{NULL, 1, "w", 1}};
    expect_untouched(SFT_INVALID_ARGUMENT, null, 1);
    expect_untouched(SFT_INVALID_ARGUMENT, NULL, 1);
    sft_error error;
    expect_status(sft_edit_metadata(NULL, absent, 1, NULL, NULL, &error), SFT_INVALID_ARGUMENT,
                  &error);
}

static void what_cannot_be_opened_is_refused_alike(void **state) {
    (void)state;
    const sft_metadata_change one[] = {{"k", 1, "v", 1}};
    sft_error error;
    store_text("{\"__metadata__\":{\"k\":1}," TENSOR "}");
    expect_untouched(SFT_INVALID_METADATA, one, 1);
    store_text("{" TENSOR);
    expect_untouched(SFT_INVALID_JSON, one, 1);
    scratch_store(FILE_NAME, "PK", 2);
    expect_untouched(SFT_HEADER_TOO_SMALL, one, 1);
    expect_status(sft_edit_metadata(scratch("absent"), one, 1, NULL, NULL, &error), SFT_OPEN_FAILED,
                  &error);
    assert_string_equal(error.file, scratch("absent"));
    expect_status(sft_edit_metadata(scratch_folder, one, 1, NULL, NULL, &error), SFT_NOT_A_FILE,
                  &error);
    expect_status(sft_edit_metadata("/dev/null", one, 1, NULL, NULL, &error), SFT_NOT_A_FILE,
                  &error);
    assert_int_equal(unlink(scratch(FILE_NAME)), 0);
    assert_int_equal(mkfifo(scratch(FILE_NAME), 0644), 0);
    expect_status(sft_edit_metadata(scratch(FILE_NAME), one, 1, NULL, NULL, &error), SFT_NOT_A_FILE,
                  &error);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        EDIT_TEST(metadata_is_inserted_in_front),
        EDIT_TEST(the_value_is_replaced_where_it_stands),
        EDIT_TEST(the_last_key_leaves_an_empty_object),
        EDIT_TEST(sorted_keys_stay_sorted_and_others_as_they_are),
        EDIT_TEST(many_changes_are_one_edit),
        EDIT_TEST(what_is_said_already_is_not_written),
        EDIT_TEST(wrong_changes_change_nothing),
        EDIT_TEST(what_cannot_be_opened_is_refused_alike),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
