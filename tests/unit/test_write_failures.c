/*
 * Every system call of a save or an edit fails once, in every way: afterwards the
 * target is the old file or the new one, whole, and nothing else is left.
 */
#include "faults.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "scratch.h"

#define TARGET "model.safetensors"

enum { ELEMENTS = 300000 };

static unsigned char old_data[ELEMENTS];
static unsigned char new_data[ELEMENTS];
static const uint64_t shape[] = {ELEMENTS};
static const uint64_t some[] = {7};

/* The model before, of one tensor, and after, of one large tensor and a small one. */
static sft_tensor_data old_tensors[] = {{"t", 1, SFT_U8, 1, shape, old_data, ELEMENTS}};
static sft_tensor_data new_tensors[] = {{"t", 1, SFT_U8, 1, shape, new_data, ELEMENTS},
                                        {"s", 1, SFT_I8, 1, some, new_data, 7}};

static unsigned char *old_file;
static uint64_t old_size;
static unsigned char *new_file;
static uint64_t new_size;

static const sft_metadata_entry entry = {"k", 1, "old", 3};

static void encode(const sft_tensor_data *tensors, uint64_t count, const sft_write_options *options,
                   unsigned char **file, uint64_t *size) {
    sft_error error;
    expect_status(sft_encode_size(tensors, count, options, size, &error), SFT_OK, &error);
    *file = malloc((size_t)*size);
    expect_status(sft_encode(tensors, count, options, *file, *size, &error), SFT_OK, &error);
}

static int setup(void **state) {
    for (int i = 0; i < ELEMENTS; i++) {
        old_data[i] = (unsigned char)(i * 7 >> 3);
        new_data[i] = (unsigned char)(i * 5 >> 2);
    }
    sft_write_options options = SFT_WRITE_OPTIONS;
    options.metadata = &entry;
    options.metadata_count = 1;
    encode(old_tensors, 1, &options, &old_file, &old_size);
    encode(new_tensors, 2, NULL, &new_file, &new_size);
    return scratch_setup(state);
}

static int teardown(void **state) {
    free(old_file);
    free(new_file);
    return scratch_teardown(state);
}

static int open_files(void) {
    int count = 0;
    for (int fd = 0; fd < 256; fd++) {
        count += fcntl(fd, F_GETFD) >= 0;
    }
    return count;
}

/* ---- what is done, and what must be there afterwards ---- */

typedef struct deed {
    const char *name;
    bool target_exists; /* before */
    sft_status (*run)(const sft_write_options *options, sft_error *error);
    bool (*is_new)(void);
    bool keep_existing;
} deed;

static sft_status run_write(const sft_write_options *options, sft_error *error) {
    return sft_write(scratch(TARGET), new_tensors, 2, options, error);
}

static sft_status run_writer(const sft_write_options *options, sft_error *error) {
    sft_writer *writer;
    sft_status status = sft_writer_new(scratch(TARGET), options, &writer, error);
    if (status != SFT_OK) {
        return status;
    }
    for (int i = 0; i < 2 && status == SFT_OK; i++) {
        const sft_tensor_data *tensor = &new_tensors[i];
        status = sft_writer_declare(writer, tensor->name, tensor->name_length, tensor->dtype,
                                    tensor->shape, tensor->rank, NULL, error);
    }
    if (status == SFT_OK) {
        status = sft_writer_begin(writer, error);
    }
    for (int i = 1; i >= 0 && status == SFT_OK; i--) {
        status =
            sft_writer_put(writer, (uint64_t)i, 0, new_tensors[i].data, new_tensors[i].size, error);
    }
    if (status == SFT_OK) {
        status = sft_writer_commit(writer, error);
    }
    sft_writer_free(writer);
    return status;
}

static bool is_new_file(void) {
    return scratch_holds(TARGET, new_file, (size_t)new_size);
}

static sft_status edit(const char *value, const sft_write_options *options, sft_error *error) {
    const sft_metadata_change change = {"k", 1, value, strlen(value)};
    return sft_edit_metadata(scratch(TARGET), &change, 1, options, NULL, error);
}

static sft_status run_edit_in_place(const sft_write_options *options, sft_error *error) {
    return edit("new", options, error);
}

#define LONG_VALUE "as long as it must be so that the room of an old file does not do for it"

static sft_status run_edit_by_new_file(const sft_write_options *options, sft_error *error) {
    return edit(LONG_VALUE, options, error);
}

/* Without sft_open(), which calls the system too. */
static bool is_edited(const char *value) {
    scratch_bytes all = scratch_load(TARGET);
    char quoted[128];
    snprintf(quoted, sizeof quoted, "{\"__metadata__\":{\"k\":\"%s\"}", value);
    bool edited = all.size > ELEMENTS + 8 && memcmp(all.bytes + 8, quoted, strlen(quoted)) == 0 &&
                  memcmp(all.bytes + all.size - ELEMENTS, old_data, ELEMENTS) == 0;
    if (edited) {
        sft_file *file;
        sft_error error;
        expect_status(sft_open_memory(all.bytes, all.size, NULL, &file, &error), SFT_OK, &error);
        sft_close(file);
    }
    free(all.bytes);
    return edited;
}

static bool is_edited_in_place(void) {
    return is_edited("new");
}

static bool is_edited_by_new_file(void) {
    return is_edited(LONG_VALUE);
}

static const deed deeds[] = {
    {"write a new file", false, run_write, is_new_file, false},
    {"write a new file and keep others", false, run_write, is_new_file, true},
    {"write over a file", true, run_write, is_new_file, false},
    {"stream a new file", false, run_writer, is_new_file, false},
    {"stream over a file", true, run_writer, is_new_file, false},
    {"edit in place", true, run_edit_in_place, is_edited_in_place, false},
    {"edit by a new file", true, run_edit_by_new_file, is_edited_by_new_file, false},
};

static void prepare(const deed *what) {
    (void)unlink(scratch(TARGET));
    if (what->target_exists) {
        scratch_store(TARGET, old_file, (size_t)old_size);
    }
}

static bool is_old(const deed *what) {
    if (access(scratch(TARGET), F_OK) != 0) {
        return !what->target_exists;
    }
    return what->target_exists && scratch_holds(TARGET, old_file, (size_t)old_size);
}

static void check(const deed *what, sft_status status, const sft_error *error, uint64_t call) {
    struct faults kept = faults;
    faults = (struct faults){.calls = 0};
    bool there = access(scratch(TARGET), F_OK) == 0;
    bool is_new = there && what->is_new();
    /* Only a failure to flush can come when the new file is there already. */
    bool late = status == SFT_WRITE_FAILED && strstr(error->message, "is in place") != NULL;
    bool good = status == SFT_OK ? is_new : late ? is_new : is_old(what);
    if (!good || scratch_count(".") != there) {
        fail_msg("%s, call %llu (%s%s): status %s, %s, %d files", what->name,
                 (unsigned long long)call, strerror(kept.error), kept.full ? ", disk full" : "",
                 sft_status_name(status),
                 is_new         ? "new"
                 : is_old(what) ? "old"
                                : "damaged",
                 scratch_count("."));
    }
    if (status != SFT_OK) {
        assert_true(status == SFT_OPEN_FAILED || status == SFT_WRITE_FAILED ||
                    status == SFT_READ_FAILED);
        assert_int_equal(error->system_error, kept.error);
        assert_string_equal(error->file, scratch(TARGET));
    }
}

/* Runs a deed again and again, each time with the next call failing, until none is left to fail. */
static void fail_every_call(const deed *what, const struct faults *how, bool durable) {
    sft_write_options options = SFT_WRITE_OPTIONS;
    options.durable = durable;
    options.keep_existing = what->keep_existing;
    int open_before = open_files();
    uint64_t call = 1;
    for (;; call++) {
        prepare(what);
        faults = *how;
        faults.fail_at = call;
        sft_error error = {.message = ""};
        sft_status status = what->run(&options, &error);
        bool failed = faults.calls >= call;
        check(what, status, &error, call);
        assert_int_equal(open_files(), open_before);
        if (!failed) {
            assert_int_equal(status, SFT_OK);
            break;
        }
    }
    assert_true(call > 8);
}

static void fail_deeds(bool no_unnamed, bool no_copy) {
    const int errors[] = {EIO, ENOSPC, EACCES};
    for (size_t i = 0; i < sizeof deeds / sizeof deeds[0]; i++) {
        for (size_t e = 0; e < sizeof errors / sizeof errors[0]; e++) {
            /* Flushing takes most of the time, and fails alike whatever the reason. */
            for (int round = 0; round < (errors[e] == EIO ? 4 : 2); round++) {
                struct faults how = {.error = errors[e],
                                     .full = errors[e] != EACCES && (round & 1) != 0,
                                     .no_unnamed = no_unnamed,
                                     .no_copy = no_copy,
                                     .no_send = no_copy};
                fail_every_call(&deeds[i], &how, (round & 2) != 0);
            }
        }
    }
}

static void every_call_fails_once(void **state) {
    (void)state;
    fail_deeds(false, false);
}

static void every_call_fails_once_with_temporary_names(void **state) {
    (void)state;
    fail_deeds(true, false);
}

static void every_call_fails_once_where_the_system_cannot_copy(void **state) {
    (void)state;
    fail_deeds(false, true);
}

static void signals_and_small_steps_do_no_harm(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof deeds / sizeof deeds[0]; i++) {
        for (int round = 0; round < 16; round++) {
            sft_write_options options = SFT_WRITE_OPTIONS;
            options.durable = true;
            options.keep_existing = deeds[i].keep_existing;
            prepare(&deeds[i]);
            faults = (struct faults){.interrupts = (round & 1) != 0,
                                     .short_transfers = (round & 2) != 0,
                                     .no_unnamed = (round & 4) != 0,
                                     .no_copy = (round & 8) != 0,
                                     .no_send = (round & 8) != 0};
            sft_error error;
            expect_status(deeds[i].run(&options, &error), SFT_OK, &error);
            check(&deeds[i], SFT_OK, NULL, 0);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_fails_once),
        cmocka_unit_test(every_call_fails_once_with_temporary_names),
        cmocka_unit_test(every_call_fails_once_where_the_system_cannot_copy),
        cmocka_unit_test(signals_and_small_steps_do_no_harm),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
