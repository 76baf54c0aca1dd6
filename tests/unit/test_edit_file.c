/* Edits of metadata: how the data moves, and others at the same time. */
#include "faults.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>
#include <sys/wait.h>

#include "edit_file.h"

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

/* Whoever can read the file can hold its lock for ever: an edit gives up. */
static void a_lock_that_stays_is_told(void **state) {
    (void)state;
    store_text("{" TENSOR "}");
    int fd = open(scratch(FILE_NAME), O_RDONLY);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    sft_error error;
    expect_status(change("k", "v", NULL, NULL, &error), SFT_OPEN_FAILED, &error);
    assert_int_equal(error.system_error, EBUSY);
    close(fd);
    set("k", "v", SFT_EDIT_NEW_FILE);
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

int main(void) {
    const struct CMUnitTest tests[] = {
        EDIT_TEST(every_way_of_copying_moves_the_data),
        EDIT_TEST(who_has_the_old_file_keeps_it),
        EDIT_TEST(mode_and_links_are_kept),
        EDIT_TEST(a_file_that_may_only_be_read_is_replaced),
        EDIT_TEST(an_edit_can_be_stopped),
        EDIT_TEST(a_file_that_shrinks_is_told),
        EDIT_TEST(an_edit_follows_a_file_that_was_replaced),
        EDIT_TEST(an_edit_does_not_bring_a_removed_file_back),
        EDIT_TEST(edits_at_once_do_not_mix),
        EDIT_TEST(a_lock_that_stays_is_told),
        EDIT_TEST(a_header_that_grows_too_large_is_refused),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
