/* Edits of metadata: which are done in place and which by a new file. */
#include "faults.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "edit_file.h"

/* ---- in place or not ---- */

static void room_lets_the_next_edit_be_in_place(void **state) {
    (void)state;
    store_text("{" TENSOR "}");
    set("k", "v", SFT_EDIT_NEW_FILE);
    char value[600];
    memset(value, 'x', sizeof value);
    for (size_t length = 0; length < 350; length += 7) {
        value[length] = '\0';
        set("k", value, SFT_EDIT_IN_PLACE);
        value[length] = 'x';
    }
    set("k", "short again", SFT_EDIT_IN_PLACE);
    value[599] = '\0';
    set("other", value, SFT_EDIT_NEW_FILE);
}

/* Bytes 8 to 511 of the file are the first sector's part of the header. */
static void only_one_sector_changes_in_place(void **state) {
    (void)state;
    char text[2000];
    for (size_t gap = 400; gap <= 480; gap++) {
        int length =
            snprintf(text, sizeof text, "{%*s\"__metadata__\":{\"k\":\"%0600d\"}," TENSOR "}",
                     (int)gap, "", 0);
        char value[601];
        memset(value, '0', 600);
        value[600] = '\0';
        /* The value's place in the file; a change of one byte of it is always in place. */
        size_t begin = 8 + (size_t)(strstr(text, "0000") - text);
        assert_true(begin < 512);
        store(text, (size_t)length, "12345678", 8);
        value[511 - begin] = '1';
        set("k", value, SFT_EDIT_IN_PLACE);
        value[511 - begin] = '0';
        value[512 - begin] = '1';
        store(text, (size_t)length, "12345678", 8);
        set("k", value, SFT_EDIT_IN_PLACE);
        /* Two neighbours are, only if no sector ends between them. */
        store(text, (size_t)length, "12345678", 8);
        value[511 - begin] = '1';
        set("k", value, SFT_EDIT_NEW_FILE);
        store(text, (size_t)length, "12345678", 8);
        value[511 - begin] = '0';
        value[513 - begin] = '1';
        set("k", value, SFT_EDIT_IN_PLACE);
    }
}

static void padding_at_the_end_is_room_too(void **state) {
    (void)state;
    char text[257];
    snprintf(text, sizeof text, "{" TENSOR "}%200s", "");
    store_text(text);
    set("k", "v", SFT_EDIT_IN_PLACE);
    expect_text("{\"__metadata__\":{\"k\":\"v\"}", "," TENSOR "}");
    set("k", "value", SFT_EDIT_IN_PLACE);
}

static uint64_t data_start(void) {
    sft_file *file;
    sft_error error;
    expect_status(sft_open(scratch(FILE_NAME), NULL, &file, &error), SFT_OK, &error);
    uint64_t start = sft_header_data_start(sft_file_header(file));
    sft_close(file);
    return start;
}

static void blocks_can_be_shared_and_alignment_is_kept(void **state) {
    (void)state;
    sft_error error;
    for (uint64_t padding = 0; padding < 9000; padding += 61) {
        char *text = malloc(10000);
        int length = snprintf(text, 10000, "{" TENSOR "%*s}", (int)padding, "");
        char value[600];
        memset(value, 'v', sizeof value);
        value[599] = '\0';
        for (uint64_t alignment = 0; alignment <= 65536; alignment = alignment * 8 + 8) {
            sft_write_options options = SFT_WRITE_OPTIONS;
            options.alignment = alignment & ~(alignment >> 1);
            if ((options.alignment & (options.alignment - 1)) != 0) {
                continue;
            }
            store(text, (size_t)length, "12345678", 8);
            uint64_t old = data_start();
            expect_status(change("k", value, &options, NULL, &error), SFT_OK, &error);
            uint64_t start = data_start();
            uint64_t wanted = options.alignment == 0 ? 8 : options.alignment;
            assert_int_equal(start % wanted, 0);
            if (old % (wanted < 4096 ? wanted : 4096) == 0) {
                assert_int_equal(start % 4096, old % 4096);
            }
            assert_true(start < old + 600 + 1024 + (wanted > 4096 ? wanted : 4096));
        }
        free(text);
    }
}

static void an_alignment_that_is_not_there_is_made(void **state) {
    (void)state;
    store_text("{\"__metadata__\":{\"k\":\"v\"}," TENSOR "}");
    sft_write_options options = SFT_WRITE_OPTIONS;
    sft_edit_result result;
    sft_error error;
    options.alignment = 4096;
    expect_status(change("k", "w", &options, &result, &error), SFT_OK, &error);
    assert_int_equal(result, SFT_EDIT_NEW_FILE);
    assert_int_equal(data_start(), 4096);
    expect_status(change("k", "x", &options, &result, &error), SFT_OK, &error);
    assert_int_equal(result, SFT_EDIT_IN_PLACE);
}

static ino_t inode(void) {
    struct stat status;
    assert_int_equal(stat(scratch(FILE_NAME), &status), 0);
    return status.st_ino;
}

/* ---- many edits, and a list that says what they come to ---- */

enum { KEYS = 12 };

static void expect_metadata(char values[KEYS][700], const bool *present) {
    sft_file *file;
    sft_error error;
    expect_status(sft_open(scratch(FILE_NAME), NULL, &file, &error), SFT_OK, &error);
    const sft_header *header = sft_file_header(file);
    uint64_t count = 0;
    for (unsigned i = 0; i < KEYS; i++) {
        char key[8];
        snprintf(key, sizeof key, "key %c", 'a' + (int)i);
        const sft_metadata_entry *entry = sft_header_metadata_find(header, key, 5);
        assert_int_equal(entry != NULL, present[i]);
        if (entry != NULL) {
            assert_int_equal(entry->value_length, strlen(values[i]));
            assert_memory_equal(entry->value, values[i], entry->value_length);
            count++;
        }
    }
    assert_int_equal(sft_header_metadata_count(header), count);
    sft_close(file);
}

/* What changed in place lies in one sector; what did not is a new file with the same data. */
static void expect_rule(const scratch_bytes *before, ino_t old_inode, sft_edit_result result) {
    scratch_bytes after = scratch_load(FILE_NAME);
    assert_int_equal(inode() == old_inode, result != SFT_EDIT_NEW_FILE);
    if (result != SFT_EDIT_NEW_FILE) {
        assert_int_equal(after.size, before->size);
        size_t first = 0;
        size_t end = after.size;
        while (first < end && after.bytes[first] == before->bytes[first]) {
            first++;
        }
        while (end > first && after.bytes[end - 1] == before->bytes[end - 1]) {
            end--;
        }
        assert_true(end == first || first / 512 == (end - 1) / 512);
        assert_int_equal(end == first, result == SFT_EDIT_NOTHING);
    }
    assert_memory_equal(after.bytes + after.size - 5000, before->bytes + before->size - 5000, 5000);
    free(after.bytes);
}

static void many_random_edits(void **state) {
    (void)state;
    unsigned char data[5000];
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (unsigned char)random_below(256);
    }
    const char text[] = "{\"t\":{\"dtype\":\"U8\",\"shape\":[5000],\"data_offsets\":[0,5000]}}";
    store(text, sizeof text - 1, data, sizeof data);
    static char values[KEYS][700];
    bool present[KEYS] = {false};
    unsigned results[3] = {0};
    for (int round = 0; round < 1500; round++) {
        unsigned which = (unsigned)random_below(KEYS);
        char key[8];
        snprintf(key, sizeof key, "key %c", 'a' + (int)which);
        bool remove_it = present[which] && random_below(4) == 0;
        size_t length = (size_t)random_below(random_below(10) == 0 ? 600 : 20);
        if (!remove_it) {
            for (size_t i = 0; i < length; i++) {
                values[which][i] = "az\n\"\\\x01~ "[random_below(8)];
            }
            values[which][length] = '\0';
        }
        scratch_bytes before = scratch_load(FILE_NAME);
        ino_t old_inode = inode();
        int held = open(scratch(FILE_NAME), O_RDONLY); /* so that its inode is not used again */
        sft_edit_result result;
        sft_error error;
        expect_status(change(key, remove_it ? NULL : values[which], NULL, &result, &error), SFT_OK,
                      &error);
        present[which] = !remove_it;
        results[result]++;
        expect_metadata(values, present);
        expect_rule(&before, old_inode, result);
        close(held);
        free(before.bytes);
    }
    assert_int_equal(scratch_count("."), 1);
    assert_true(results[SFT_EDIT_IN_PLACE] > 100);
    assert_true(results[SFT_EDIT_NEW_FILE] > 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        EDIT_TEST(room_lets_the_next_edit_be_in_place),
        EDIT_TEST(only_one_sector_changes_in_place),
        EDIT_TEST(padding_at_the_end_is_room_too),
        EDIT_TEST(blocks_can_be_shared_and_alignment_is_kept),
        EDIT_TEST(an_alignment_that_is_not_there_is_made),
        EDIT_TEST(many_random_edits),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
