/* Conversions in which every system call fails once, and in which the disk lies. */
#include "faults.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "scratch.h"
#include "sources.h"

#define TARGET "out.safetensors"

/* ---- what is done, and what must be there afterwards ---- */

typedef struct deed {
    const char *name;
    const char *source; /* in the scratch folder */
    const char *target;
    bool existing;
    bool (*is_done)(void);
} deed;

static bool is_array(void) {
    return access(scratch(TARGET), F_OK) == 0 && scratch_count(".") == 4 &&
           result_holds(scratch(TARGET), "array", "adgbehcfi", 9);
}

/* The numbers 0 to 29 of eight bytes, and 40 zeros of four. */
static bool is_packed(void) {
    unsigned char numbers[240] = {0};
    unsigned char zeros[160] = {0};
    for (unsigned char i = 0; i < 30; i++) {
        numbers[i * 8] = i;
    }
    return access(scratch(TARGET), F_OK) == 0 && scratch_count(".") == 4 &&
           result_holds(scratch(TARGET), "a", numbers, sizeof numbers) &&
           result_holds(scratch(TARGET), "b", zeros, sizeof zeros);
}

static bool is_model(void) {
    return access(scratch("new"), F_OK) == 0 && scratch_count("new") == 3 &&
           result_holds(scratch("new"), "a", "first", 5) &&
           result_holds(scratch("new"), "b", "abcdef", 6);
}

static const deed deeds[] = {
    {"a new file", "array.npy", TARGET, false, is_array},
    {"over a file", "array.npy", TARGET, true, is_array},
    {"a compressed source", "packed.npz", TARGET, false, is_packed},
    {"shards in a new folder", "model", "new", false, is_model},
};

static void prepare(const deed *what) {
    (void)unlink(scratch(TARGET));
    if (access(scratch("new"), F_OK) == 0) {
        (void)unlink(scratch("new/model-00001-of-00002.safetensors"));
        (void)unlink(scratch("new/model-00002-of-00002.safetensors"));
        (void)unlink(scratch("new/model.safetensors.index.json"));
        assert_int_equal(rmdir(scratch("new")), 0);
    }
    if (what->existing) {
        scratch_store(TARGET, "old", 3);
    }
}

static bool is_as_before(const deed *what) {
    if (what->existing) {
        return scratch_count(".") == 4 && scratch_holds(TARGET, "old", 3);
    }
    return scratch_count(".") == 3;
}

static sft_status convert(const deed *what, sft_error *error) {
    return sft_convert(scratch(what->source), scratch(what->target), NULL, NULL, error);
}

static int open_files(void) {
    int count = 0;
    for (int fd = 0; fd < 256; fd++) {
        count += fcntl(fd, F_GETFD) >= 0;
    }
    return count;
}

/* ---- rounds ---- */

static void fail_every_call(const deed *what, const struct faults *how) {
    int open_before = open_files();
    for (uint64_t call = 1;; call++) {
        prepare(what);
        faults = *how;
        faults.fail_at = call;
        sft_error error = {.message = ""};
        sft_status status = convert(what, &error);
        bool failed = faults.calls >= call;
        faults = (struct faults){.calls = 0};
        if (status == SFT_OK ? !what->is_done() : !is_as_before(what)) {
            char line[2048] = "";
            sft_error_format(&error, line, sizeof line);
            fail_msg("%s, call %llu (%s%s): %s", what->name, (unsigned long long)call,
                     strerror(how->error), how->full ? ", disk full" : "",
                     status == SFT_OK ? "not what it should be" : line);
        }
        assert_int_equal(open_files(), open_before);
        if (!failed) {
            assert_int_equal(status, SFT_OK);
            assert_true(call > 12);
            return;
        }
    }
}

static void every_call_fails_once(void **state) {
    (void)state;
    const int errors[] = {EIO, ENOSPC, EACCES};
    for (size_t i = 0; i < sizeof deeds / sizeof deeds[0]; i++) {
        for (size_t e = 0; e < sizeof errors / sizeof errors[0]; e++) {
            for (int round = 0; round < 4; round++) {
                struct faults how = {.error = errors[e],
                                     .full = errors[e] != EACCES && (round & 1) != 0,
                                     .no_unnamed = (round & 2) != 0};
                fail_every_call(&deeds[i], &how);
            }
        }
    }
}

static void signals_and_small_steps_do_no_harm(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof deeds / sizeof deeds[0]; i++) {
        prepare(&deeds[i]);
        faults = (struct faults){.interrupts = true, .short_transfers = true};
        sft_error error;
        sft_status status = convert(&deeds[i], &error);
        faults = (struct faults){.calls = 0};
        expect_status(status, SFT_OK, &error);
        assert_true(deeds[i].is_done());
    }
}

/* A byte that is stored wrongly is found, be it of the header or of the data. */
static void a_disk_that_lies_is_found_out(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof deeds / sizeof deeds[0]; i++) {
        for (uint64_t wrong_at = 1;; wrong_at++) {
            prepare(&deeds[i]);
            faults = (struct faults){.wrong_at = wrong_at};
            sft_error error;
            sft_status status = convert(&deeds[i], &error);
            bool lied = faults.writes >= wrong_at;
            bool index = lied && status == SFT_OK && deeds[i].is_done == is_model;
            faults = (struct faults){.calls = 0};
            if (!lied) {
                expect_status(status, SFT_OK, &error);
                assert_true(wrong_at > 2);
                break;
            }
            /* The index is small, and written last: readers hold it against the shards. */
            if (!index) {
                expect_status(status, SFT_VERIFY_FAILED, &error);
                assert_true(is_as_before(&deeds[i]));
            }
        }
    }
}

/* An array of bytes and one of Fortran's order, deflated into an archive. */
static int setup(void **state) {
    if (scratch_setup(state) != 0) {
        return -1;
    }
    store_npy("array.npy", "|u1", "True", "(3, 3)", "abcdefghi", 9);
    FILE *from = fopen("fuzz/corpus/convert/npz-deflated", "rb");
    unsigned char bytes[2048];
    size_t size = from != NULL ? fread(bytes, 1, sizeof bytes, from) : 0;
    if (size == 0 || fclose(from) != 0) {
        return -1;
    }
    scratch_store("packed.npz", bytes, size);
    store_sharded("model");
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_fails_once),
        cmocka_unit_test(signals_and_small_steps_do_no_harm),
        cmocka_unit_test(a_disk_that_lies_is_found_out),
    };
    return cmocka_run_group_tests(tests, setup, scratch_teardown);
}
