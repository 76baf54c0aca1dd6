/* Directories and end records: what is odd is told, what has no one meaning is refused. */
#include "fixture.h"

#include "archive.h"

static sft_status open_bytes(const bytes *file, oddities *odd, sft_error *error) {
    sft_zip zip;
    held all;
    hold(&all, file->at, file->size);
    sft_status status = open_archive(&zip, &all.region, odd, error);
    sft_zip_free(&zip);
    sft_sources_free(&all.sources);
    return status;
}

/* An archive of two files, with bytes before and behind it. */
static bytes around(const char *front, size_t front_size, const char *back, size_t back_size) {
    archive made = {0};
    put(&made.file, front, front_size);
    archive_add_text(&made, "x/a", "some text");
    archive_add_text(&made, "x/b", "other text");
    archive_end(&made);
    put(&made.file, back, back_size);
    free(made.directory.at);
    return made.file;
}

static void expect_around(const char *front, size_t front_size, const char *back, size_t back_size,
                          const char *codes) {
    bytes file = around(front, front_size, back, back_size);
    oddities odd;
    sft_error error;
    expect_ok(open_bytes(&file, &odd, &error), &error);
    assert_string_equal(odd.codes, codes);
    free(file.at);
}

static void test_bytes_before_and_behind(void **state) {
    (void)state;
    expect_around("", 0, "", 0, "");
    expect_around("MZ", 2, "", 0, "ZIP_PREFIX");
    expect_around("", 0, "\n", 1, "ZIP_TRAILING_BYTES");
    expect_around("", 0, "PK\5\6", 4, "ZIP_TRAILING_BYTES");
    /* Offsets that do not count what stands before. */
    bytes file = {0};
    bytes sound = around("", 0, "", 0);
    put(&file, "#!/bin/sh\n", 10);
    put(&file, sound.at, sound.size);
    oddities odd;
    sft_error error;
    expect_ok(open_bytes(&file, &odd, &error), &error);
    assert_string_equal(odd.codes, "ZIP_PREFIX");
    free(file.at);
    free(sound.at);
}

static void test_comments_of_the_archive(void **state) {
    (void)state;
    bytes file = around("", 0, "words", 5);
    oddities odd;
    sft_error error;
    set_number(&file, file.size - 7, 5, 2);
    expect_ok(open_bytes(&file, &odd, &error), &error);
    assert_string_equal(odd.codes, "ZIP_COMMENT");
    set_number(&file, file.size - 7, 6, 2);
    expect_ok(open_bytes(&file, &odd, &error), &error);
    assert_string_equal(odd.codes, "ZIP_COMMENT ZIP_RECORDS");
    set_number(&file, file.size - 7, 4, 2);
    expect_ok(open_bytes(&file, &odd, &error), &error);
    assert_string_equal(odd.codes, "ZIP_COMMENT ZIP_TRAILING_BYTES");
    free(file.at);
}

static void expect_refused(const bytes *file, const char *words) {
    oddities odd;
    sft_error error = {0};
    assert_status(open_bytes(file, &odd, &error), SFT_MALFORMED_SOURCE);
    if (strstr(error.message, words) == NULL) {
        fail_msg("\"%s\" is not in: %s", words, error.message);
    }
}

static void test_without_an_end_there_is_no_archive(void **state) {
    (void)state;
    bytes file = around("", 0, "", 0);
    for (size_t cut = 1; cut < file.size; cut++) {
        bytes shorter = {file.at, file.size - cut, 0};
        expect_refused(&shorter, "end record is missing");
    }
    expect_refused(&(bytes){file.at, 0, 0}, "end record is missing");
    free(file.at);
    /* Too far from the end of the file. */
    char *zeros = calloc(1, 65536);
    assert_non_null(zeros);
    file = around("", 0, zeros, 65536);
    expect_refused(&file, "end record is missing");
    file.size--;
    oddities odd;
    sft_error error;
    expect_ok(open_bytes(&file, &odd, &error), &error);
    assert_string_equal(odd.codes, "ZIP_TRAILING_BYTES");
    free(file.at);
    free(zeros);
}

/* Each number of the end record, made wrong. */
static void test_end_records_that_lie(void **state) {
    (void)state;
    static const struct {
        size_t place;
        uint64_t value;
        const char *words;
    } cases[] = {
        {4, 1, "several files"},  {6, 1, "several files"},     {8, 1, "several files"},
        {10, 3, "several files"}, {12, 10000, "outside"},      {12, UINT32_MAX, "outside"},
        {16, 10000, "outside"},   {16, UINT32_MAX, "outside"}, {12, 97, "ends behind"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bytes file = around("", 0, "", 0);
        set_number(&file, file.size - 22 + cases[i].place, cases[i].value,
                   cases[i].place < 12 ? 2 : 4);
        expect_refused(&file, cases[i].words);
        free(file.at);
    }
    /* Both counts. */
    bytes file = around("", 0, "", 0);
    set_number(&file, file.size - 22 + 8, 1, 2);
    set_number(&file, file.size - 22 + 10, 1, 2);
    expect_refused(&file, "goes on behind");
    set_number(&file, file.size - 22 + 8, 3, 2);
    set_number(&file, file.size - 22 + 10, 3, 2);
    expect_refused(&file, "too small");
    free(file.at);
}

static void test_two_directories(void **state) {
    (void)state;
    bytes one = around("", 0, "", 0);
    bytes file = {0};
    put(&file, one.at, one.size);
    put(&file, one.at, one.size);
    expect_refused(&file, "two directories");
    free(file.at);
    free(one.at);
    /* One that is listed by an end record inside of the directory, in a name. */
    archive made = {0};
    archive_add_text(&made, "x/a", "some text");
    archive_add_text(&made, "PK##############################", "x");
    uint8_t *name = made.directory.at + made.last_central + 46;
    memset(name, 0, 32);
    memcpy(name, "PK\5\6", 4);
    archive_end(&made);
    expect_refused(&made.file, "two end records");
    archive_free(&made);
}

/* A directory where the end record says, but not right before it: Python would not find it. */
static void test_bytes_between_directory_and_end(void **state) {
    (void)state;
    bytes sound = around("", 0, "", 0);
    bytes file = {0};
    put(&file, sound.at, sound.size - 22);
    put(&file, "between", 7);
    put(&file, sound.at + sound.size - 22, 22);
    oddities odd;
    sft_error error;
    expect_ok(open_bytes(&file, &odd, &error), &error);
    assert_string_equal(odd.codes, "ZIP_RECORDS");
    free(file.at);
    free(sound.at);
}

static bytes wide_archive(void) {
    archive made = {0};
    archive_add_text(&made, "x/a", "some text");
    archive_end64(&made);
    free(made.directory.at);
    return made.file;
}

static void test_zip64_end_records_that_lie(void **state) {
    (void)state;
    /* Places from the end: the end record has 22 bytes, the locator 20, the zip64 record 56. */
    static const struct {
        size_t from_end, width;
        uint64_t value;
        const char *words;
    } cases[] = {
        {98, 1, 'Q', "no zip64 end record"}, {98 - 4, 8, 45, "no zip64 end record"},
        {98 - 16, 4, 1, "contradict"},       {98 - 24, 8, 2, "several files"},
        {98 - 40, 8, UINT64_MAX, "outside"}, {98 - 48, 8, UINT64_MAX, "outside"},
        {42 - 4, 4, 1, "several files"},     {42 - 8, 8, 0, "not where its locator says"},
        {42 - 16, 4, 2, "several files"},    {22 - 8, 2, 2, "contradict"},
        {22 - 12, 4, 1, "contradict"},       {22 - 16, 4, 1, "contradict"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bytes file = wide_archive();
        set_number(&file, file.size - cases[i].from_end, cases[i].value, (unsigned)cases[i].width);
        expect_refused(&file, cases[i].words);
        free(file.at);
    }
    /* A locator without room for a record before it. */
    bytes file = {0};
    put(&file, "PK\6\7\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0", 20);
    put(&file, "PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 22);
    expect_refused(&file, "no zip64 end record");
    free(file.at);
}

static void expect_directory_refused(size_t place, uint64_t value, unsigned width,
                                     const char *words) {
    archive made = {0};
    archive_add_text(&made, "x/a", "some text");
    archive_add_text(&made, "x/b", "other text");
    set_number(&made.directory, made.last_central + place, value, width);
    archive_end(&made);
    expect_refused(&made.file, words);
    archive_free(&made);
}

static void test_directories_that_lie(void **state) {
    (void)state;
    expect_directory_refused(0, 'Q', 1, "should begin here");
    expect_directory_refused(28, 4, 2, "ends behind the directory");
    expect_directory_refused(28, 2, 2, "goes on behind");
    expect_directory_refused(32, 65535, 2, "ends behind the directory");
    expect_directory_refused(34, 1, 2, "several files");
    expect_directory_refused(34, 65535, 2, "several files");
    expect_directory_refused(42, 10000, 4, "outside of the archive");
    expect_directory_refused(42, 0, 4, "reach into what follows");
    expect_directory_refused(42, 5, 4, "reach into what follows");
    expect_directory_refused(20, 11, 4, "reach into what follows");
    expect_directory_refused(20, UINT32_MAX, 4, "reach into what follows");
}

static void test_zip64_fields_that_are_too_short(void **state) {
    (void)state;
    archive made = {0};
    archive_add(&made, &(archive_file){.name = "a",
                                       .data = "some text",
                                       .data_size = 9,
                                       .extra = "\1\0\10\0\11\0\0\0\0\0\0\0",
                                       .extra_size = 12});
    set_number(&made.directory, 20, UINT64_MAX, 8);
    archive_end(&made);
    expect_refused(&made.file, "too short");
    archive_free(&made);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_before_and_behind),
        cmocka_unit_test(test_comments_of_the_archive),
        cmocka_unit_test(test_without_an_end_there_is_no_archive),
        cmocka_unit_test(test_end_records_that_lie),
        cmocka_unit_test(test_two_directories),
        cmocka_unit_test(test_bytes_between_directory_and_end),
        cmocka_unit_test(test_zip64_end_records_that_lie),
        cmocka_unit_test(test_directories_that_lie),
        cmocka_unit_test(test_zip64_fields_that_are_too_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
