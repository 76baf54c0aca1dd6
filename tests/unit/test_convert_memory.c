/* Conversions in which every allocation fails once: each says so, and leaves neither memory nor
 * files behind. */
#define _GNU_SOURCE

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "books.h"
#include "scratch.h"
#include "sources.h"

typedef struct attempt {
    const char *name; /* of the test */
    const char *source;
    bool inside; /* the source is in the scratch folder */
    bool allow_unknown;
    uint64_t max_shard_size;
} attempt;

static attempt attempts[] = {
    {"torch zip", "fuzz/corpus/convert/torch-zip-views", false, false, 0},
    {"torch zip, wrapped", "fuzz/corpus/convert/torch-zip-wrapped", false, false, 0},
    {"torch zip, flags", "fuzz/corpus/convert/torch-zip-flags", false, false, 0},
    {"torch legacy", "fuzz/corpus/convert/torch-legacy-views", false, false, 0},
    {"torch tar", "fuzz/corpus/convert/torch-tar", false, false, 0},
    {"compressed arrays", "fuzz/corpus/convert/npz-deflated", false, false, 0},
    {"compressed whole", "fuzz/corpus/convert/gzip", false, false, 0},
    {"text for bytes", "fuzz/corpus/convert/pickle-2", false, false, 0},
    {"joblib", "fuzz/corpus/convert/joblib", false, false, 0},
    {"unknown", "fuzz/corpus/convert/unknown", false, true, 0},
    {"split", "fuzz/corpus/convert/torch-zip-views", false, false, 50},
    {"sharded", "model", true, false, 0},
};

static sft_status convert(const attempt *what, books *kept, sft_error *error) {
    const sft_allocator allocator = books_allocator(kept);
    sft_convert_options options = SFT_CONVERT_OPTIONS;
    options.allocator = &allocator;
    options.allow_unknown = what->allow_unknown;
    options.max_shard_size = what->max_shard_size;
    sft_conversion *done;
    const char *source = what->inside ? scratch(what->source) : what->source;
    sft_status status = sft_convert(source, scratch("out"), &options, &done, error);
    sft_conversion_free(done);
    return status;
}

static void remove_result(bool sharded) {
    if (!sharded) {
        assert_int_equal(unlink(scratch("out")), 0);
        return;
    }
    DIR *folder = opendir(scratch("out"));
    assert_non_null(folder);
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        (void)unlinkat(dirfd(folder), entry->d_name, 0);
    }
    closedir(folder);
    assert_int_equal(rmdir(scratch("out")), 0);
}

static void every_allocation_fails_once(void **state) {
    const attempt *what = *state;
    int before = scratch_count(".");
    for (uint64_t fail_at = 1;; fail_at++) {
        books kept = {.fail_at = fail_at};
        sft_error error = {.status = SFT_OK};
        sft_status status = convert(what, &kept, &error);
        if (kept.bytes != 0 || kept.wrong) {
            fail_msg("allocation %llu: %llu bytes are left%s", (unsigned long long)fail_at,
                     (unsigned long long)kept.bytes,
                     kept.wrong ? ", some were given back wrongly" : "");
        }
        if (status == SFT_OK) {
            remove_result(what->inside || what->max_shard_size > 0);
        } else {
            expect_status(status, SFT_NO_MEMORY, &error);
            assert_int_equal(error.status, SFT_NO_MEMORY);
        }
        assert_int_equal(scratch_count("."), before);
        if (kept.calls < fail_at) {
            assert_int_equal(status, SFT_OK);
            assert_true(fail_at > 20);
            break;
        }
    }
}

static int setup(void **state) {
    if (scratch_setup(state) != 0) {
        return -1;
    }
    store_sharded("model");
    return 0;
}

int main(void) {
    enum { ATTEMPTS = sizeof attempts / sizeof attempts[0] };
    struct CMUnitTest tests[ATTEMPTS];
    for (unsigned i = 0; i < ATTEMPTS; i++) {
        tests[i] = (struct CMUnitTest){.name = attempts[i].name,
                                       .test_func = every_allocation_fails_once,
                                       .initial_state = &attempts[i]};
    }
    return cmocka_run_group_tests(tests, setup, scratch_teardown);
}
