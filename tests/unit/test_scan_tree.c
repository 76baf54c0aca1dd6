/* Folders: which files are scanned, in which order, and what is said of the others. */
#define _GNU_SOURCE
#include "fixture.h"

#include "scans.h"
#include "scratch.h"

#include <errno.h>

#include <sft/scan.h>

typedef struct seen {
    char text[4096]; /* "path verdict; path verdict; " */
    uint64_t calls;
    uint64_t stop_at; /* 0: never */
} seen;

static bool note(void *context, const char *path, const sft_scan_result *result,
                 const sft_error *error) {
    seen *all = context;
    assert_true((result == NULL) != (error == NULL));
    const char *what = error != NULL                  ? sft_status_name(error->status)
                       : !sft_scan_recognized(result) ? "skipped"
                                                      : sft_verdict_name(sft_scan_verdict(result));
    size_t folder = strlen(scratch_folder);
    assert_memory_equal(path, scratch_folder, folder);
    size_t used = strlen(all->text);
    snprintf(all->text + used, sizeof all->text - used, "%s %s; ", path + folder, what);
    return ++all->calls != all->stop_at;
}

static void folder(const char *name) {
    assert_int_equal(mkdir(scratch(name), 0700), 0);
}

static void expect_tree(const char *name, const char *wanted) {
    seen all = {.calls = 0};
    sft_error error;
    sft_status status = sft_scan_tree(scratch(name), NULL, note, &all, &error);
    assert_string_equal(sft_status_name(status), "OK");
    assert_string_equal(all.text, wanted);
}

static void files_come_in_the_order_of_their_names(void **state) {
    (void)state;
    folder("order");
    folder("order/b");
    folder("order/b/deep");
    folder("order/empty");
    scratch_store("order/c.pt", BYTES(HARMLESS));
    scratch_store("order/b.pt", BYTES(PAYLOAD));
    scratch_store("order/b/x", BYTES("no pickle"));
    scratch_store("order/b/deep/y", BYTES(HARMLESS));
    scratch_store("order/A", BYTES("ca\nb\n."));
    expect_tree("order", "/order/A unknown; /order/b/deep/y clean; /order/b/x skipped; "
                         "/order/b.pt dangerous; /order/c.pt clean; ");
    expect_tree("order/", "/order/A unknown; /order/b/deep/y clean; /order/b/x skipped; "
                          "/order/b.pt dangerous; /order/c.pt clean; ");
    expect_tree("order/b.pt", "/order/b.pt dangerous; ");
}

static void links_lead_to_files_but_not_to_folders(void **state) {
    (void)state;
    folder("links");
    folder("links/real");
    scratch_store("links/real/file", BYTES(HARMLESS));
    assert_int_equal(symlink("..", scratch("links/real/up")), 0);
    assert_int_equal(symlink("real", scratch("links/again")), 0);
    assert_int_equal(symlink("real/file", scratch("links/to-file")), 0);
    assert_int_equal(symlink("nowhere", scratch("links/to-nothing")), 0);
    assert_int_equal(mkfifo(scratch("links/pipe"), 0600), 0);
    expect_tree("links", "/links/real/file clean; /links/to-file clean; "
                         "/links/to-nothing OPEN_FAILED; ");
    /* The folder that was asked for may be a link. */
    expect_tree("links/again", "/links/again/file clean; ");
}

static void what_cannot_be_read_is_told(void **state) {
    (void)state;
    seen all = {.calls = 0};
    sft_error error;
    assert_status(sft_scan_tree(scratch("nothing"), NULL, note, &all, &error), SFT_OPEN_FAILED);
    assert_int_equal(error.system_error, ENOENT);
    assert_string_equal(error.file, scratch("nothing"));
    assert_status(sft_scan_tree(NULL, NULL, note, &all, NULL), SFT_INVALID_ARGUMENT);
    assert_status(sft_scan_tree(scratch("."), NULL, NULL, &all, NULL), SFT_INVALID_ARGUMENT);
    assert_int_equal(all.calls, 0);
    if (geteuid() == 0) {
        return; /* root may read everything */
    }
    folder("closed");
    folder("closed/in");
    assert_int_equal(chmod(scratch("closed/in"), 0), 0);
    expect_tree("closed", "/closed/in OPEN_FAILED; ");
    assert_status(sft_scan_tree(scratch("closed/in"), NULL, note, &all, &error), SFT_OPEN_FAILED);
    assert_int_equal(chmod(scratch("closed/in"), 0700), 0);
}

typedef struct teller {
    uint64_t done;
    uint64_t total;
    uint64_t calls;
    uint64_t stop_at;
} teller;

static bool tell(void *context, uint64_t done, uint64_t total) {
    teller *to = context;
    assert_true(done >= to->done && done <= total);
    assert_true(to->calls == 0 || to->total == total);
    to->done = done;
    to->total = total;
    return ++to->calls != to->stop_at;
}

static void progress_counts_the_bytes_of_the_whole_tree(void **state) {
    (void)state;
    folder("two");
    scratch_store("two/a", BYTES(HARMLESS));
    scratch_store("two/b", BYTES(PAYLOAD));
    teller told = {0};
    sft_scan_options options = SFT_SCAN_OPTIONS;
    options.progress = tell;
    options.progress_context = &told;
    seen all = {.calls = 0};
    assert_ok(sft_scan_tree(scratch("two"), &options, note, &all, NULL));
    assert_int_equal(told.total, sizeof HARMLESS - 1 + sizeof PAYLOAD - 1);
    assert_int_equal(told.done, told.total);
    assert_int_equal(all.calls, 2);
    teller stops = {.stop_at = 3};
    options.progress_context = &stops;
    all = (seen){.calls = 0};
    assert_status(sft_scan_tree(scratch("two"), &options, note, &all, NULL), SFT_CANCELLED);
    assert_int_equal(all.calls, 1);
}

static void the_caller_can_end_the_walk(void **state) {
    (void)state;
    folder("three");
    scratch_store("three/a", BYTES(HARMLESS));
    scratch_store("three/b", BYTES(HARMLESS));
    scratch_store("three/c", BYTES(HARMLESS));
    seen all = {.stop_at = 2};
    sft_error error;
    assert_status(sft_scan_tree(scratch("three"), NULL, note, &all, &error), SFT_CANCELLED);
    assert_string_equal(all.text, "/three/a clean; /three/b clean; ");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_come_in_the_order_of_their_names),
        cmocka_unit_test(links_lead_to_files_but_not_to_folders),
        cmocka_unit_test(what_cannot_be_read_is_told),
        cmocka_unit_test(progress_counts_the_bytes_of_the_whole_tree),
        cmocka_unit_test(the_caller_can_end_the_walk),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
