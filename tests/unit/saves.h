/* Saves by io/replace.h, for tests of it. Include after faults.h and cmocka.h. */
#ifndef SFT_TESTS_SAVES_H
#define SFT_TESTS_SAVES_H

#include "io/replace.h"
#include "scratch.h"

static inline sft_status save_with(const char *path, const char *content, bool keep_existing,
                                   sft_error *error) {
    sft_replace replace;
    sft_status status = sft_replace_begin(&replace, path, false, keep_existing, error);
    if (status != SFT_OK) {
        return status;
    }
    assert_int_equal(write(replace.fd, content, strlen(content)), strlen(content));
    return sft_replace_commit(&replace, error);
}

static inline void save(const char *path, const char *content) {
    sft_error error;
    expect_status(save_with(path, content, false, &error), SFT_OK, &error);
}

static inline void expect(const char *name, const char *content) {
    assert_true(scratch_holds(name, content, strlen(content)));
}

/* Each test begins with an empty folder. */
static inline int empty(void **state) {
    (void)state;
    faults = (struct faults){.no_unnamed = faults.no_unnamed, .no_proc = faults.no_proc};
    umask(022);
    scratch_teardown(NULL);
    return mkdir(scratch_folder, 0755);
}

#define SAVE_TEST(test) cmocka_unit_test_setup(test, empty)

/* Runs tests in each of the ways in which a new file can be made; returns how many failed. */
static inline int run_saves(const struct CMUnitTest *tests, size_t count) {
    static const struct {
        const char *name;
        struct faults faults;
    } ways[] = {{"new files without a name", {.no_unnamed = false}},
                {"new files with a temporary name", {.no_unnamed = true}},
                {"without /proc", {.no_proc = true}}};
    int failed = 0;
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        faults = ways[i].faults;
        /* What cmocka_run_group_tests_name() stands for, which takes arrays only. */
        failed +=
            _cmocka_run_group_tests(ways[i].name, tests, count, scratch_setup, scratch_teardown);
    }
    return failed;
}

#endif
