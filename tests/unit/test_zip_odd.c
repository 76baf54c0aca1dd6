/* What is odd about a file in a zip archive is told, in the words for programs. */
#include "fixture.h"

#include "archive.h"

/* The file in question is the second of three, or what a test makes of it. */
static oddities odd_of(archive *made, sft_zip_entry *second) {
    archive_add_text(made, "x/last", "the last one");
    archive_end(made);
    sft_zip zip;
    held all;
    oddities odd;
    sft_error error;
    hold(&all, made->file.at, made->file.size);
    expect_ok(open_archive(&zip, &all.region, &odd, &error), &error);
    if (second != NULL) {
        *second = zip.entries[1];
    }
    sft_zip_free(&zip);
    sft_sources_free(&all.sources);
    archive_free(made);
    return odd;
}

static oddities odd_for(const archive_file *of, sft_zip_entry *second) {
    archive made = {0};
    archive_add_text(&made, "x/first", "the first one");
    archive_add(&made, of);
    return odd_of(&made, second);
}

static void expect_odd(const archive_file *of, const char *codes) {
    oddities odd = odd_for(of, NULL);
    assert_string_equal(odd.codes, codes);
    assert_int_equal(odd.worst, codes[0] != '\0' ? SFT_SEVERITY_UNKNOWN : SFT_SEVERITY_WARNING);
}

#define TEXT .data = "some text", .data_size = 9

static void test_names_that_differ(void **state) {
    (void)state;
    expect_odd(&(archive_file){.name = "x/data.pkl", TEXT, .local_name = "x/data.txt"},
               "ZIP_NAME_MISMATCH");
    expect_odd(&(archive_file){.name = "x/data.pkl", TEXT, .local_name = "x/data.pkl.txt"},
               "ZIP_NAME_MISMATCH");
    expect_odd(&(archive_file){.name = "x/data.pkl", TEXT, .local_name = ""}, "ZIP_NAME_MISMATCH");
    archive made = {0};
    archive_add_text(&made, "x/first", "the first one");
    archive_add(&made, &(archive_file){.name = "a", TEXT, .local_name = "bc"});
    archive_end(&made);
    sft_zip zip;
    held all;
    oddities odd;
    hold(&all, made.file.at, made.file.size);
    assert_ok(open_archive(&zip, &all.region, &odd, NULL));
    assert_null(zip.entries[0].local);
    assert_int_equal(zip.entries[1].local_length, 2);
    assert_memory_equal(zip.entries[1].local, "bc", 2);
    assert_true(zip.entries[1].readable);
    sft_zip_free(&zip);
    sft_sources_free(&all.sources);
    archive_free(&made);
}

static void test_another_name_in_the_extra_field(void **state) {
    (void)state;
    static const char same[] = "\x75\x70\6\0\1\0\0\0\0a";
    static const char other[] = "\x75\x70\6\0\1\0\0\0\0b";
    expect_odd(&(archive_file){.name = "a", TEXT, .extra = same, .extra_size = 10}, "");
    expect_odd(&(archive_file){.name = "a", TEXT, .extra = other, .extra_size = 10},
               "ZIP_NAME_MISMATCH");
    /* A name in an old character set is what that field is for. */
    expect_odd(&(archive_file){.name = "\x82", TEXT, .extra = other, .extra_size = 10}, "");
    expect_odd(
        &(archive_file){
            .name = "\xc3\xa9", TEXT, .flags = 0x0800, .extra = other, .extra_size = 10},
        "ZIP_NAME_MISMATCH");
}

static void test_names_that_are_unsafe(void **state) {
    (void)state;
    static const char *const unsafe[] = {"/etc/passwd", "C:x",  "c:\\x", "..",   "../a",
                                         "a/../../b",   "a/..", "a\\b",  "..\\", ""};
    for (size_t i = 0; i < sizeof unsafe / sizeof unsafe[0]; i++) {
        expect_odd(&(archive_file){.name = unsafe[i], TEXT}, "ZIP_UNSAFE_NAME");
    }
    static const char *const safe[] = {"a..b", "...", "a/..b", "..a/b", ".data/x", "\x82", "a b"};
    for (size_t i = 0; i < sizeof safe / sizeof safe[0]; i++) {
        expect_odd(&(archive_file){.name = safe[i], TEXT}, "");
    }
    expect_odd(&(archive_file){.name = "\x82", TEXT, .flags = 0x0800}, "ZIP_UNSAFE_NAME");
    archive made = {0};
    archive_add_text(&made, "x/first", "the first one");
    archive_add_text(&made, "a#b", "some text");
    made.file.at[made.last_local + 31] = '\0';
    made.directory.at[made.last_central + 47] = '\0';
    assert_string_equal(odd_of(&made, NULL).codes, "ZIP_UNSAFE_NAME");
}

static void test_names_that_stand_twice(void **state) {
    (void)state;
    expect_odd(&(archive_file){.name = "x/first", TEXT}, "ZIP_DUPLICATE");
    /* Where torch finds its files by name, upper and lower case are one. */
    expect_odd(&(archive_file){.name = "X/FIRST", TEXT}, "");
    archive made = {0};
    archive_add_text(&made, "x/data.pkl", "");
    archive_add_text(&made, "x/DATA.PKL", "");
    assert_string_equal(odd_of(&made, NULL).codes, "ZIP_DUPLICATE");
    archive_add_text(&made, "x/a", "");
    archive_add_text(&made, "x/A", "");
    archive_add_text(&made, "x/a", "");
    archive_add_text(&made, "x/A", "");
    assert_int_equal(odd_of(&made, NULL).count, 2);
    archive_add_text(&made, "x/version", "");
    archive_add_text(&made, "x/Version", "");
    archive_add_text(&made, "X/Data.PKL", "");
    assert_string_equal(odd_of(&made, NULL).codes, "ZIP_DUPLICATE");
}

static void test_flags(void **state) {
    (void)state;
    static const uint16_t fine[] = {0, 0x0800, 0x0008, 0x0808};
    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++) {
        expect_odd(&(archive_file){.name = "a", TEXT, .flags = fine[i]}, "");
    }
    static const uint16_t odd[] = {0x0010, 0x0020, 0x0080, 0x0100, 0x0400, 0x1000, 0x4000, 0x8000};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        expect_odd(&(archive_file){.name = "a", TEXT, .flags = odd[i]}, "ZIP_FLAGS");
    }
    static const uint16_t encrypted[] = {0x0001, 0x0040, 0x2000, 0x0041};
    for (size_t i = 0; i < sizeof encrypted / sizeof encrypted[0]; i++) {
        sft_zip_entry entry;
        oddities all = odd_for(&(archive_file){.name = "a", TEXT, .flags = encrypted[i]}, &entry);
        assert_string_equal(all.codes, "ZIP_ENCRYPTED");
        assert_true(entry.encrypted);
        assert_true(entry.known);
        assert_false(entry.readable);
        assert_int_equal(entry.packed, 9);
    }
}

static void test_flags_of_one_record_only(void **state) {
    (void)state;
    for (int local = 0; local < 2; local++) {
        archive made = {0};
        archive_add_text(&made, "x/first", "the first one");
        archive_add_text(&made, "a", "some text");
        if (local != 0) {
            set_number(&made.file, made.last_local + 6, 1, 2);
        } else {
            set_number(&made.directory, made.last_central + 8, 1, 2);
        }
        sft_zip_entry entry;
        assert_string_equal(odd_of(&made, &entry).codes, "ZIP_ENCRYPTED ZIP_FLAGS");
        assert_true(entry.encrypted);
    }
}

static void test_numbers_that_differ(void **state) {
    (void)state;
    /* Method, checksum, both sizes, of the local record. */
    static const size_t places[] = {8, 14, 18, 22};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        archive made = {0};
        archive_add_text(&made, "x/first", "the first one");
        archive_add_text(&made, "a", "some text");
        made.file.at[made.last_local + places[i]] ^= 8;
        assert_string_equal(odd_of(&made, NULL).codes, "ZIP_RECORDS");
        /* With a descriptor behind the bytes, it may be zero here, but nothing else. */
        archive_add_text(&made, "x/first", "the first one");
        archive_add(&made, &(archive_file){.name = "a", TEXT, .flags = 8});
        made.file.at[made.last_local + places[i]] ^= 8;
        assert_string_equal(odd_of(&made, NULL).codes, "ZIP_RECORDS");
    }
}

static void test_descriptors(void **state) {
    (void)state;
    /* Its signature, checksum, sizes. */
    for (size_t i = 1; i <= 16; i++) {
        archive made = {0};
        archive_add_text(&made, "x/first", "the first one");
        archive_add(&made, &(archive_file){.name = "a", TEXT, .flags = 8});
        made.file.at[made.file.size - i] ^= 1;
        assert_string_equal(odd_of(&made, NULL).codes, "ZIP_RECORDS");
    }
    /* Without a signature. */
    archive made = {0};
    archive_add_text(&made, "x/first", "the first one");
    archive_add(&made, &(archive_file){.name = "a", TEXT, .flags = 8});
    memmove(made.file.at + made.file.size - 16, made.file.at + made.file.size - 12, 12);
    made.file.size -= 4;
    assert_string_equal(odd_of(&made, NULL).codes, "");
    /* With sizes of 64 bits. */
    archive_add_text(&made, "x/first", "the first one");
    archive_add(&made, &(archive_file){.name = "a", TEXT, .flags = 8});
    made.file.size -= 8;
    put_number(&made.file, 9, 8);
    put_number(&made.file, 9, 8);
    assert_string_equal(odd_of(&made, NULL).codes, "");
    /* Missing. */
    archive_add_text(&made, "x/first", "the first one");
    archive_add(&made, &(archive_file){.name = "a", TEXT, .flags = 8});
    made.file.size -= 16;
    assert_string_equal(odd_of(&made, NULL).codes, "ZIP_RECORDS");
}

static void test_extra_fields_that_are_damaged(void **state) {
    (void)state;
    expect_odd(&(archive_file){.name = "a", TEXT, .extra = "FB\5\0ZZZZ", .extra_size = 8},
               "ZIP_RECORDS");
    expect_odd(
        &(archive_file){.name = "a", TEXT, .local_extra = "FB\5\0ZZZZ", .local_extra_size = 8},
        "ZIP_RECORDS");
    expect_odd(&(archive_file){.name = "a", TEXT, .local_extra = "abc", .local_extra_size = 3},
               "ZIP_RECORDS");
    expect_odd(&(archive_file){.name = "a", TEXT, .local_extra = "\0\0\0", .local_extra_size = 3},
               "");
    static const char twice[] = "\1\0\0\0\1\0\0\0";
    expect_odd(&(archive_file){.name = "a", TEXT, .extra = twice, .extra_size = 8}, "ZIP_RECORDS");
}

static void test_sizes_that_cannot_be(void **state) {
    (void)state;
    expect_odd(&(archive_file){.name = "a", TEXT, .size = 8}, "ZIP_RECORDS");
    expect_odd(&(archive_file){.name = "a", TEXT, .size = 10}, "ZIP_RECORDS");
    expect_odd(&(archive_file){.name = "a", TEXT, .method = 8, .size = 9 * 1032}, "");
    expect_odd(&(archive_file){.name = "a", TEXT, .method = 8, .size = 10 * 1032}, "ZIP_RECORDS");
}

static void test_methods_that_are_not_supported(void **state) {
    (void)state;
    static const uint16_t methods[] = {1, 9, 12, 14, 93, 99, 65535};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        sft_zip_entry entry;
        oddities odd = odd_for(&(archive_file){.name = "a", TEXT, .method = methods[i]}, &entry);
        assert_string_equal(odd.codes, "UNSUPPORTED");
        assert_int_equal(odd.worst, SFT_SEVERITY_MALFORMED);
        assert_false(entry.known || entry.readable);
        assert_int_equal(entry.packed, 9);
    }
}

/* torch would be given memory that nobody filled. */
static void test_folders_with_bytes(void **state) {
    (void)state;
    expect_odd(&(archive_file){.name = "x/folder/", TEXT}, "ZIP_RECORDS");
    for (int empty = 0; empty < 2; empty++) {
        archive made = {0};
        archive_add_text(&made, "x/data.pkl", empty != 0 ? "" : "some text");
        set_number(&made.directory, made.last_central + 38, 0x10, 4);
        assert_string_equal(odd_of(&made, NULL).codes, empty != 0 ? "" : "ZIP_RECORDS");
    }
}

static void test_comments(void **state) {
    (void)state;
    expect_odd(&(archive_file){.name = "a", TEXT, .comment = "words"}, "ZIP_COMMENT");
}

static void test_a_record_that_is_not_there(void **state) {
    (void)state;
    archive made = {0};
    archive_add_text(&made, "x/first", "the first one");
    archive_add_text(&made, "a", "some text");
    made.file.at[made.last_local] = 'Q';
    sft_zip_entry entry;
    oddities odd = odd_of(&made, &entry);
    assert_string_equal(odd.codes, "ZIP_RECORDS");
    assert_int_equal(odd.worst, SFT_SEVERITY_MALFORMED);
    assert_false(entry.known || entry.readable);
}

static void test_bytes_that_nobody_lists(void **state) {
    (void)state;
    archive made = {0};
    archive_add_text(&made, "x/first", "the first one");
    size_t directory = made.directory.size;
    archive_add_text(&made, "x/hidden", "bytes");
    made.directory.size = directory;
    made.count--;
    archive_add_text(&made, "a", "some text");
    assert_string_equal(odd_of(&made, NULL).codes, "ZIP_RECORDS");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_that_differ),
        cmocka_unit_test(test_another_name_in_the_extra_field),
        cmocka_unit_test(test_names_that_are_unsafe),
        cmocka_unit_test(test_names_that_stand_twice),
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_flags_of_one_record_only),
        cmocka_unit_test(test_numbers_that_differ),
        cmocka_unit_test(test_descriptors),
        cmocka_unit_test(test_extra_fields_that_are_damaged),
        cmocka_unit_test(test_sizes_that_cannot_be),
        cmocka_unit_test(test_methods_that_are_not_supported),
        cmocka_unit_test(test_folders_with_bytes),
        cmocka_unit_test(test_comments),
        cmocka_unit_test(test_a_record_that_is_not_there),
        cmocka_unit_test(test_bytes_that_nobody_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
