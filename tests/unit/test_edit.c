/* Edits of metadata: in place or by a new file, and the rest of the file to the letter. */
#include "faults.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>
#include <pthread.h>
#include <sys/wait.h>

#include "scratch.h"

#define FILE_NAME "model.safetensors"

static int empty(void **state) {
    (void)state;
    faults = (struct faults){.calls = 0};
    umask(022);
    scratch_teardown(NULL);
    return mkdir(scratch_folder, 0755);
}

/* A file of a header, as it stands here, and some data. */
static void store(const char *text, size_t length, const void *data, size_t size) {
    unsigned char *bytes = calloc(1, 8 + length + size + 1);
    for (unsigned i = 0; i < 8; i++) {
        bytes[i] = (unsigned char)((uint64_t)length >> (8 * i));
    }
    memcpy(bytes + 8, text, length);
    memcpy(bytes + 8 + length, data, size);
    scratch_store(FILE_NAME, bytes, 8 + length + size);
    free(bytes);
}

static void store_text(const char *text) {
    store(text, strlen(text), "12345678", strstr(text, "\"t\"") != NULL ? 8 : 0);
}

#define TENSOR "\"t\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0,8]}"

static sft_status change(const char *key, const char *value, const sft_write_options *options,
                         sft_edit_result *result, sft_error *error) {
    const sft_metadata_change one = {key, strlen(key), value, value == NULL ? 0 : strlen(value)};
    return sft_edit_metadata(scratch(FILE_NAME), &one, 1, options, result, error);
}

static void set(const char *key, const char *value, sft_edit_result wanted) {
    sft_edit_result result = (sft_edit_result)77;
    sft_error error;
    expect_status(change(key, value, NULL, &result, &error), SFT_OK, &error);
    assert_int_equal(result, wanted);
    assert_int_equal(scratch_count("."), 1);
}

static char *header_text(void) {
    sft_file *file;
    sft_error error;
    expect_status(sft_open(scratch(FILE_NAME), NULL, &file, &error), SFT_OK, &error);
    size_t length;
    const char *text = sft_header_text(sft_file_header(file), &length);
    char *copy = calloc(1, length + 1);
    memcpy(copy, text, length);
    sft_close(file);
    return copy;
}

/* The header without the room behind the metadata. */
static void expect_text(const char *before_room, const char *behind_room) {
    char *text = header_text();
    size_t first = strlen(before_room);
    assert_true(strlen(text) >= first);
    assert_memory_equal(text, before_room, first);
    assert_string_equal(text + first + strspn(text + first, " "), behind_room);
    free(text);
}

static ino_t inode(void) {
    struct stat status;
    assert_int_equal(stat(scratch(FILE_NAME), &status), 0);
    return status.st_ino;
}

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

/* ---- many edits, and a list that says what they come to ---- */

enum { KEYS = 12 };

static uint64_t random_state = 5577006791947779410;

static uint64_t random_below(uint64_t bound) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % bound;
}

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

/* ---- the data ---- */

enum { DATA = 3 * 1024 * 1024 + 4321 };

static unsigned char *store_large(void) {
    unsigned char *data = malloc(DATA);
    for (size_t i = 0; i < DATA; i++) {
        data[i] = (unsigned char)random_below(256);
    }
    char text[128];
    int length =
        snprintf(text, sizeof text,
                 "{\"t\":{\"dtype\":\"U8\",\"shape\":[%d],\"data_offsets\":[0,%d]}}", DATA, DATA);
    store(text, (size_t)length, data, DATA);
    return data;
}

static void expect_data(const unsigned char *data) {
    scratch_bytes all = scratch_load(FILE_NAME);
    assert_true(all.size > DATA);
    assert_memory_equal(all.bytes + all.size - DATA, data, DATA);
    free(all.bytes);
}

static void every_way_of_copying_moves_the_data(void **state) {
    (void)state;
    for (unsigned way = 0; way < 16; way++) {
        unsigned char *data = store_large();
        faults = (struct faults){.no_copy = (way & 1) != 0,
                                 .no_send = (way & 2) != 0,
                                 .short_transfers = (way & 4) != 0,
                                 .interrupts = (way & 8) != 0};
        set("k", "v", SFT_EDIT_NEW_FILE);
        faults = (struct faults){.calls = 0};
        expect_data(data);
        free(data);
    }
}

static void who_has_the_old_file_keeps_it(void **state) {
    (void)state;
    unsigned char *data = store_large();
    sft_open_options options = SFT_OPEN_OPTIONS;
    options.access = SFT_ACCESS_MAP;
    sft_file *file;
    sft_error error;
    expect_status(sft_open(scratch(FILE_NAME), &options, &file, &error), SFT_OK, &error);
    const unsigned char *view = sft_data(file, sft_at(file, 0));
    set("k", "v", SFT_EDIT_NEW_FILE);
    set("k", "w", SFT_EDIT_IN_PLACE);
    assert_memory_equal(view, data, DATA);
    sft_close(file);
    expect_data(data);
    free(data);
}

static void mode_and_links_are_kept(void **state) {
    (void)state;
    store_text("{" TENSOR "}");
    assert_int_equal(chmod(scratch(FILE_NAME), 0640), 0);
    assert_int_equal(symlink(FILE_NAME, scratch("link")), 0);
    const sft_metadata_change one[] = {{"k", 1, "v", 1}};
    sft_edit_result result;
    sft_error error;
    expect_status(sft_edit_metadata(scratch("link"), one, 1, NULL, &result, &error), SFT_OK,
                  &error);
    assert_int_equal(result, SFT_EDIT_NEW_FILE);
    struct stat status;
    assert_int_equal(lstat(scratch("link"), &status), 0);
    assert_true(S_ISLNK(status.st_mode));
    assert_int_equal(scratch_mode(FILE_NAME), 0640);
    expect_text("{\"__metadata__\":{\"k\":\"v\"}", "," TENSOR "}");
}

static void a_file_that_may_only_be_read_is_replaced(void **state) {
    (void)state;
    store_text("{\"__metadata__\":{\"k\":\"v\"}," TENSOR "}");
    assert_int_equal(chmod(scratch(FILE_NAME), 0444), 0);
    assert_int_equal(chmod(scratch_folder, 0777), 0);
    if (getuid() == 0) {
        assert_int_equal(chown(scratch(FILE_NAME), 65534, 65534), 0);
        assert_int_equal(setegid(65534), 0);
        assert_int_equal(seteuid(65534), 0);
    }
    sft_edit_result result;
    sft_error error;
    sft_status status = change("k", "w", NULL, &result, &error);
    if (getuid() == 0) {
        assert_int_equal(seteuid(0), 0);
        assert_int_equal(setegid(0), 0);
    }
    expect_status(status, SFT_OK, &error);
    assert_int_equal(result, SFT_EDIT_NEW_FILE);
    assert_int_equal(scratch_mode(FILE_NAME), 0444);
}

/* ---- others at the same time ---- */

typedef struct meddling {
    int calls;
    int stop_at;
    void (*meddle)(void);
} meddling;

static bool meddle(void *context, uint64_t done, uint64_t total) {
    meddling *what = context;
    assert_true(done <= total);
    what->calls++;
    if (what->calls == 1 && what->meddle != NULL) {
        what->meddle();
    }
    return what->calls != what->stop_at;
}

static sft_status change_with(meddling *what, sft_error *error) {
    sft_write_options options = SFT_WRITE_OPTIONS;
    options.progress = meddle;
    options.progress_context = what;
    return change("k", "v", &options, NULL, error);
}

static void an_edit_can_be_stopped(void **state) {
    (void)state;
    free(store_large());
    sft_error error;
    scratch_bytes before = scratch_load(FILE_NAME);
    meddling what = {.calls = 0};
    for (int stop = 1; stop <= 3; stop++) {
        what = (meddling){.stop_at = stop};
        sft_status status = change_with(&what, &error);
        if (what.calls < stop) {
            expect_status(status, SFT_OK, &error);
            break;
        }
        expect_status(status, SFT_CANCELLED, &error);
        assert_true(scratch_holds(FILE_NAME, before.bytes, before.size));
        assert_int_equal(scratch_count("."), 1);
    }
    assert_true(what.calls >= 1);
    free(before.bytes);
}

static void cut_short(void) {
    assert_int_equal(truncate(scratch(FILE_NAME), 100000), 0);
}

static void a_file_that_shrinks_is_told(void **state) {
    (void)state;
    for (int way = 0; way < 2; way++) {
        free(store_large());
        faults.no_copy = faults.no_send = way == 1;
        sft_error error;
        meddling what = {.meddle = cut_short};
        /* Told after the header; small steps, so that the data is not copied by then. */
        sft_write_options options = SFT_WRITE_OPTIONS;
        options.progress = meddle;
        options.progress_context = &what;
        options.alignment = 1 << 20;
        char *value = malloc(5 << 20);
        memset(value, 'x', (5 << 20) - 1);
        value[(5 << 20) - 1] = '\0';
        expect_status(change("k", value, &options, NULL, &error), SFT_FILE_SHRANK, &error);
        free(value);
        assert_int_equal(scratch_count("."), 1);
    }
}

static void put_another(void) {
    const char text[] = "{\"__metadata__\":{\"other\":\"file\"}," TENSOR "}";
    assert_int_equal(rename(scratch(FILE_NAME), scratch("old")), 0);
    store(text, sizeof text - 1, "abcdefgh", 8);
}

static void an_edit_follows_a_file_that_was_replaced(void **state) {
    (void)state;
    free(store_large());
    sft_error error;
    meddling what = {.meddle = put_another};
    expect_status(change_with(&what, &error), SFT_OK, &error);
    assert_int_equal(what.calls > 0, true);
    expect_text("{\"__metadata__\":{\"k\":\"v\",\"other\":\"file\"}", "," TENSOR "}");
    assert_int_equal(scratch_count("."), 2);
}

static void remove_it(void) {
    assert_int_equal(unlink(scratch(FILE_NAME)), 0);
}

static void an_edit_does_not_bring_a_removed_file_back(void **state) {
    (void)state;
    free(store_large());
    sft_error error;
    meddling what = {.meddle = remove_it};
    expect_status(change_with(&what, &error), SFT_OPEN_FAILED, &error);
    assert_int_equal(error.system_error, ENOENT);
    assert_int_equal(scratch_count("."), 0);
}

/* Processes set keys of their own; no edit may undo another's. */
static void edits_at_once_do_not_mix(void **state) {
    (void)state;
    enum { CHILDREN = 3, ROUNDS = 60 };
    store_text("{" TENSOR "}");
    for (int i = 0; i < CHILDREN; i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            for (int round = 0; round < ROUNDS; round++) {
                char key[16];
                char value[64];
                snprintf(key, sizeof key, "%d-%d", i, round);
                snprintf(value, sizeof value, "%*d", 1 + round % 40, round);
                sft_error error;
                if (change(key, value, NULL, NULL, &error) != SFT_OK) {
                    fprintf(stderr, "%s\n", error.message);
                    _exit(1);
                }
            }
            _exit(0);
        }
    }
    for (int i = 0; i < CHILDREN; i++) {
        int status;
        assert_true(wait(&status) > 0);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    sft_file *file;
    sft_error error;
    expect_status(sft_open(scratch(FILE_NAME), NULL, &file, &error), SFT_OK, &error);
    assert_int_equal(sft_header_metadata_count(sft_file_header(file)), CHILDREN * ROUNDS);
    sft_close(file);
    assert_int_equal(scratch_count("."), 1);
}

/* ---- the largest header ---- */

static void a_header_that_grows_too_large_is_refused(void **state) {
    (void)state;
    const size_t length = 100000000 - 40;
    char *text = malloc(length + 1);
    memset(text, 'x', length);
    memcpy(text, "{\"__metadata__\":{\"a\":\"1\",\"b\":\"", 30);
    memcpy(text + length - 3, "\"}}", 3);
    store(text, length, "", 0);
    free(text);
    set("a", "2", SFT_EDIT_IN_PLACE);
    /* Little is left: this fits, without any room behind it. */
    set("c", "0123456789", SFT_EDIT_NEW_FILE);
    sft_error error;
    expect_status(change("d", "01234567890123456", NULL, NULL, &error), SFT_HEADER_TOO_LARGE,
                  &error);
    assert_int_equal(scratch_count("."), 1);
}

#define TEST(test) cmocka_unit_test_setup(test, empty)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(metadata_is_inserted_in_front),
        TEST(the_value_is_replaced_where_it_stands),
        TEST(the_last_key_leaves_an_empty_object),
        TEST(sorted_keys_stay_sorted_and_others_as_they_are),
        TEST(many_changes_are_one_edit),
        TEST(what_is_said_already_is_not_written),
        TEST(wrong_changes_change_nothing),
        TEST(what_cannot_be_opened_is_refused_alike),
        TEST(room_lets_the_next_edit_be_in_place),
        TEST(only_one_sector_changes_in_place),
        TEST(padding_at_the_end_is_room_too),
        TEST(blocks_can_be_shared_and_alignment_is_kept),
        TEST(an_alignment_that_is_not_there_is_made),
        TEST(many_random_edits),
        TEST(every_way_of_copying_moves_the_data),
        TEST(who_has_the_old_file_keeps_it),
        TEST(mode_and_links_are_kept),
        TEST(a_file_that_may_only_be_read_is_replaced),
        TEST(an_edit_can_be_stopped),
        TEST(a_file_that_shrinks_is_told),
        TEST(an_edit_follows_a_file_that_was_replaced),
        TEST(an_edit_does_not_bring_a_removed_file_back),
        TEST(edits_at_once_do_not_mix),
        TEST(a_header_that_grows_too_large_is_refused),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
