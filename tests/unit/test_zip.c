/* Zip archives as others write them: nothing about them is odd, and all of them can be read. */
#include "fixture.h"

#include "archive.h"
#include "books.h"

static void expect_text(const sft_zip *zip, const sft_zip_entry *entry, const char *wanted) {
    char got[256];
    sft_sources sources;
    sft_sources_init(&sources, NULL);
    sft_region region;
    sft_error error;
    assert_ok(sft_zip_region(zip, entry, &sources, &region, &error));
    assert_int_equal(region.size, strlen(wanted));
    assert_ok(sft_region_read(&region, 0, got, region.size, &error));
    assert_memory_equal(got, wanted, strlen(wanted));
    const sft_zip_check_options options = {0};
    sft_zip_content content;
    assert_ok(sft_zip_check(zip, entry, &options, &content, &error));
    assert_true(content.whole);
    assert_false(content.limited);
    assert_int_equal(content.size, entry->size);
    assert_int_equal(content.crc, entry->crc);
    sft_sources_free(&sources);
}

static void expect_sound(const archive *of, sft_zip *zip, held *all) {
    oddities odd;
    sft_error error;
    hold(all, of->file.at, of->file.size);
    sft_status status = open_archive(zip, &all->region, &odd, &error);
    if (status != SFT_OK || odd.count > 0) {
        fail_msg("%s, %s", status != SFT_OK ? error.message : "opened", odd.codes);
    }
    assert_int_equal(zip->count, of->count);
    assert_true(sft_zip_has_end(&all->region));
}

static void test_stored_and_deflated_files_are_read(void **state) {
    (void)state;
    archive made = {0};
    bytes packed = deflated("packed text, packed text, packed text", 37, -15);
    const archive_file second = {
        .name = "root/folder/b",
        .data = packed.at,
        .data_size = packed.size,
        .method = 8,
        .flags = 0x0806,
        .size = 37,
        .crc = (uint32_t)crc32(0, (const uint8_t *)"packed text, packed text, packed text", 37)};
    archive_add_text(&made, "root/a", "stored text");
    archive_add(&made, &second);
    archive_add_text(&made, "root/empty/", "");
    archive_end(&made);
    sft_zip zip;
    held all;
    expect_sound(&made, &zip, &all);
    expect_text(&zip, &zip.entries[0], "stored text");
    expect_text(&zip, &zip.entries[1], "packed text, packed text, packed text");
    assert_true(zip.entries[0].readable && zip.entries[1].readable);
    assert_false(zip.entries[0].folder || zip.entries[1].folder);
    assert_true(zip.entries[2].folder);
    assert_int_equal(zip.entries[0].data, 36);
    assert_int_equal(zip.entries[1].record, 47);
    sft_zip_free(&zip);
    sft_sources_free(&all.sources);
    archive_free(&made);
    free(packed.at);
}

/* As torch writes: descriptors, a padding in the extra field, end records of both kinds, and
 * checksums that may be left out. */
static void test_archives_of_torch_are_sound(void **state) {
    (void)state;
    archive made = {0};
    static const char padding[] = "FB\5\0ZZZZZ";
    for (int i = 0; i < 3; i++) {
        static const char *const names[] = {"model/data.pkl", "model/byteorder", "model/data/0"};
        const archive_file of = {.name = names[i],
                                 .data = "0123456789",
                                 .data_size = 10,
                                 .flags = 0x0808,
                                 .no_crc = i == 2,
                                 .local_extra = padding,
                                 .local_extra_size = 9};
        archive_add(&made, &of);
    }
    archive_end64(&made);
    sft_zip zip;
    held all;
    expect_sound(&made, &zip, &all);
    expect_text(&zip, &zip.entries[0], "0123456789");
    const char *root;
    size_t length;
    sft_zip_root(&zip, &root, &length);
    assert_int_equal(length, 5);
    assert_memory_equal(root, "model", 5);
    assert_ptr_equal(sft_zip_find(&zip, "data.pkl", 8), &zip.entries[0]);
    assert_ptr_equal(sft_zip_find(&zip, "DATA/0", 6), &zip.entries[2]);
    assert_null(sft_zip_find(&zip, "data/1", 6));
    assert_null(sft_zip_find(&zip, "", 0));
    const sft_zip_check_options options = {0};
    sft_zip_content content;
    assert_ok(sft_zip_check(&zip, &zip.entries[2], &options, &content, NULL));
    assert_true(content.whole);
    assert_int_equal(zip.entries[2].crc, 0);
    assert_int_not_equal(content.crc, 0);
    sft_zip_free(&zip);
    sft_sources_free(&all.sources);
    archive_free(&made);
}

/* Sizes and places in the extra field, each where it is all ones before. */
static void test_zip64_fields_are_read(void **state) {
    (void)state;
    archive made = {0};
    bytes wide = {0};
    put(&wide, "\1\0\30\0", 4);
    put_number(&wide, 5, 8);
    put_number(&wide, 5, 8);
    put_number(&wide, 0, 8);
    const archive_file of = {.name = "a",
                             .data = "12345",
                             .data_size = 5,
                             .extra = wide.at,
                             .extra_size = 28,
                             .local_extra = wide.at,
                             .local_extra_size = 20};
    wide.at[2] = 16;
    archive_add(&made, &of);
    set_number(&made.file, 18, UINT64_MAX, 8);
    set_number(&made.directory, 20, UINT64_MAX, 8);
    set_number(&made.directory, 42, UINT64_MAX, 4);
    set_number(&made.directory, 46 + 1 + 2, 24, 2);
    archive_add_text(&made, "b", "other");
    archive_end64(&made);
    sft_zip zip;
    held all;
    expect_sound(&made, &zip, &all);
    expect_text(&zip, &zip.entries[0], "12345");
    expect_text(&zip, &zip.entries[1], "other");
    sft_zip_free(&zip);
    sft_sources_free(&all.sources);
    archive_free(&made);
    free(wide.at);
}

static void test_an_empty_archive_is_sound(void **state) {
    (void)state;
    archive made = {0};
    archive_end(&made);
    sft_zip zip;
    held all;
    expect_sound(&made, &zip, &all);
    assert_null(sft_zip_find(&zip, "a", 1));
    const char *root;
    size_t length;
    sft_zip_root(&zip, &root, &length);
    assert_int_equal(length, 0);
    sft_zip_free(&zip);
    sft_sources_free(&all.sources);
    archive_free(&made);
}

/* The directory may list the files in another order than that in which they lie. */
static void test_any_order_of_the_directory_is_fine(void **state) {
    (void)state;
    archive made = {0};
    archive_add_text(&made, "x/1", "one");
    archive_add_text(&made, "x/2", "two");
    archive_add_text(&made, "x/3", "three");
    size_t record = made.directory.size / 3;
    uint8_t *swapped = malloc(record);
    assert_non_null(swapped);
    memcpy(swapped, made.directory.at, record);
    memcpy(made.directory.at, made.directory.at + 2 * record, record);
    memcpy(made.directory.at + 2 * record, swapped, record);
    archive_end(&made);
    sft_zip zip;
    held all;
    expect_sound(&made, &zip, &all);
    expect_text(&zip, &zip.entries[0], "three");
    expect_text(&zip, &zip.entries[2], "one");
    sft_zip_free(&zip);
    sft_sources_free(&all.sources);
    archive_free(&made);
    free(swapped);
}

/* Without a folder there is no root, and names are looked up as they are. */
static void test_names_are_found(void **state) {
    (void)state;
    archive made = {0};
    char name[16];
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "Weight%d.npy", i);
        archive_add_text(&made, name, "x");
    }
    archive_end(&made);
    sft_zip zip;
    held all;
    expect_sound(&made, &zip, &all);
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "wEIGHT%d.NPY", i);
        assert_ptr_equal(sft_zip_find(&zip, name, strlen(name)), &zip.entries[i]);
    }
    assert_null(sft_zip_find(&zip, "weight1000.npy", 14));
    sft_zip_free(&zip);
    sft_sources_free(&all.sources);
    archive_free(&made);
}

static void test_labels_name_archive_and_file(void **state) {
    (void)state;
    archive made = {0};
    archive_add_text(&made, "x/\x1b", "one");
    archive_end(&made);
    sft_zip zip;
    held all;
    oddities odd;
    hold(&all, made.file.at, made.file.size);
    all.region.label = "outer.zip";
    assert_ok(open_archive(&zip, &all.region, &odd, NULL));
    sft_region region;
    assert_ok(sft_zip_region(&zip, &zip.entries[0], &all.sources, &region, NULL));
    assert_string_equal(region.label, "outer.zip!x/\\x1b");
    assert_true(sft_zip_raw(&zip, &zip.entries[0], &all.sources, &region));
    assert_string_equal(region.label, "outer.zip!x/\\x1b");
    assert_int_equal(region.size, 3);
    sft_zip_free(&zip);
    sft_sources_free(&all.sources);
    archive_free(&made);
}

/* What a file holds is told, whatever it declares. */
static void test_contents_are_checked(void **state) {
    (void)state;
    char zeros[1000] = {0};
    bytes packed = deflated(zeros, sizeof zeros, -15);
    static const struct {
        uint64_t declared, limit;
        size_t cut; /* bytes taken from the packed ones */
        uint64_t size;
        bool whole, limited;
    } cases[] = {
        {1000, 0, 0, 1000, true, false},    {10, 0, 0, 10, false, true},
        {10, 5000, 0, 1000, true, false},   {5000, 0, 0, 1000, true, false},
        {5000, 999, 0, 999, false, true},   {1000, 0, 3, 0, false, false},
        {1000, 1000, 0, 1000, true, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        archive made = {0};
        const archive_file of = {.name = "a",
                                 .data = packed.at,
                                 .data_size = packed.size - cases[i].cut,
                                 .method = 8,
                                 .size = cases[i].declared};
        archive_add(&made, &of);
        archive_end(&made);
        sft_zip zip;
        held all;
        expect_sound(&made, &zip, &all);
        const sft_zip_check_options options = {.limit = cases[i].limit};
        sft_zip_content content;
        assert_ok(sft_zip_check(&zip, &zip.entries[0], &options, &content, NULL));
        if (cases[i].cut == 0) {
            assert_int_equal(content.size, cases[i].size);
            assert_int_equal(content.crc, crc32(0, (const uint8_t *)zeros, (unsigned)content.size));
        }
        assert_int_equal(content.whole, cases[i].whole);
        assert_int_equal(content.limited, cases[i].limited);
        /* What was found to be there can be read. */
        sft_region region;
        char got[1000];
        assert_ok(
            sft_zip_region_part(&zip, &zip.entries[0], content.size, &all.sources, &region, NULL));
        assert_ok(sft_region_read(&region, 0, got, content.size, NULL));
        assert_memory_equal(got, zeros, (size_t)content.size);
        /* What is declared only where it is so. */
        bool true_size = cases[i].declared == 1000 && cases[i].cut == 0;
        char *all_of_it = malloc((size_t)cases[i].declared);
        assert_non_null(all_of_it);
        assert_ok(sft_zip_region(&zip, &zip.entries[0], &all.sources, &region, NULL));
        assert_status(sft_region_read(&region, 0, all_of_it, region.size, NULL),
                      true_size ? SFT_OK : SFT_MALFORMED_SOURCE);
        free(all_of_it);
        sft_zip_free(&zip);
        sft_sources_free(&all.sources);
        archive_free(&made);
    }
    free(packed.at);
}

static bool stop_at_once(void *context, uint64_t done) {
    *(uint64_t *)context += done;
    return false;
}

static void test_checks_can_be_cancelled(void **state) {
    (void)state;
    archive made = {0};
    archive_add_text(&made, "a", "some text");
    archive_end(&made);
    sft_zip zip;
    held all;
    expect_sound(&made, &zip, &all);
    uint64_t seen = 0;
    const sft_zip_check_options options = {.progress = stop_at_once, .context = &seen};
    sft_zip_content content;
    assert_status(sft_zip_check(&zip, &zip.entries[0], &options, &content, NULL), SFT_CANCELLED);
    assert_int_equal(seen, 9);
    sft_zip_free(&zip);
    sft_sources_free(&all.sources);
    archive_free(&made);
}

static sft_status use_all(const sft_allocator *allocator, const sft_region *region) {
    sft_zip zip;
    const sft_zip_options options = {.allocator = allocator};
    sft_status status = sft_zip_open(&zip, region, &options, NULL);
    sft_sources sources;
    sft_sources_init(&sources, allocator);
    const sft_zip_check_options whole = {0};
    for (uint64_t i = 0; i < zip.count && status == SFT_OK; i++) {
        sft_region file;
        sft_zip_content content;
        char byte;
        status = sft_zip_check(&zip, &zip.entries[i], &whole, &content, NULL);
        if (status == SFT_OK) {
            status = sft_zip_region(&zip, &zip.entries[i], &sources, &file, NULL);
        }
        if (status == SFT_OK) {
            status = sft_region_read(&file, 0, &byte, 1, NULL);
        }
    }
    sft_sources_free(&sources);
    sft_zip_free(&zip);
    return status;
}

static void test_every_allocation_may_fail(void **state) {
    (void)state;
    archive made = {0};
    bytes packed = deflated("packed", 6, -15);
    const archive_file second = {
        .name = "b", .data = packed.at, .data_size = packed.size, .method = 8, .size = 6};
    const archive_file third = {.name = "c", .data = "x", .data_size = 1, .local_name = "other"};
    archive_add_text(&made, "a", "stored");
    archive_add(&made, &second);
    archive_add(&made, &third);
    /* Not in the order of the file: sorting takes memory too. */
    size_t record = made.directory.size / 3;
    uint8_t swapped[64];
    memcpy(swapped, made.directory.at, record);
    memmove(made.directory.at, made.directory.at + record, record);
    memcpy(made.directory.at + record, swapped, record);
    archive_end(&made);
    held all;
    hold(&all, made.file.at, made.file.size);
    books kept = {0};
    sft_allocator allocator = books_allocator(&kept);
    assert_ok(use_all(&allocator, &all.region));
    uint64_t calls = kept.calls;
    assert_true(calls >= 10);
    uint64_t failed = 0;
    for (uint64_t i = 1; i <= calls; i++) {
        kept = (books){.fail_at = i};
        sft_status status = use_all(&allocator, &all.region);
        /* A label that cannot be made is done without. */
        assert_true(status == SFT_NO_MEMORY || status == SFT_OK);
        failed += status == SFT_NO_MEMORY;
        assert_int_equal(kept.bytes, 0);
        assert_false(kept.wrong);
    }
    assert_true(failed + 3 >= calls);
    sft_sources_free(&all.sources);
    archive_free(&made);
    free(packed.at);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stored_and_deflated_files_are_read),
        cmocka_unit_test(test_archives_of_torch_are_sound),
        cmocka_unit_test(test_zip64_fields_are_read),
        cmocka_unit_test(test_an_empty_archive_is_sound),
        cmocka_unit_test(test_any_order_of_the_directory_is_fine),
        cmocka_unit_test(test_names_are_found),
        cmocka_unit_test(test_labels_name_archive_and_file),
        cmocka_unit_test(test_contents_are_checked),
        cmocka_unit_test(test_checks_can_be_cancelled),
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
