/* The streaming writer: any order, any pieces, and calls out of order. */
/* Before any header: nftw(), mkdtemp() and their like. */
#define _GNU_SOURCE

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/coverage.h"
#include "scratch.h"

#include "base/memory.h"

/* ---- which bytes have come ---- */

static uint64_t random_state = 88172645463325252;

static uint64_t random_below(uint64_t bound) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % bound;
}

static void expect_runs(const sft_coverage *coverage, const bool *come, uint64_t size) {
    const sft_run *runs = coverage->runs != NULL ? coverage->runs : &coverage->first;
    uint64_t run = 0;
    for (uint64_t at = 0; at < size;) {
        if (!come[at]) {
            at++;
            continue;
        }
        uint64_t begin = at;
        while (at < size && come[at]) {
            at++;
        }
        assert_true(run < coverage->count);
        assert_int_equal(runs[run].begin, begin);
        assert_int_equal(runs[run].end, at);
        run++;
    }
    assert_int_equal(run, coverage->count);
}

static void coverage_agrees_with_a_list_of_bytes(void **state) {
    (void)state;
    const sft_allocator allocator = sft_allocator_of(NULL);
    enum { SIZE = 120 };
    for (int round = 0; round < 3000; round++) {
        bool come[SIZE] = {false};
        sft_coverage coverage = {.count = 0};
        uint64_t known = 0;
        uint64_t pieces = random_below(40) + 1;
        for (uint64_t i = 0; i < pieces; i++) {
            uint64_t begin = random_below(SIZE);
            uint64_t end = begin + 1 + random_below(round % 3 == 0 ? SIZE - begin : 4);
            end = end > SIZE ? SIZE : end;
            uint64_t gained = 0;
            assert_true(sft_coverage_add(&coverage, &allocator, begin, end, &gained));
            uint64_t wanted = 0;
            for (uint64_t b = begin; b < end; b++) {
                wanted += !come[b];
                come[b] = true;
            }
            assert_int_equal(gained, wanted);
            known += gained;
            expect_runs(&coverage, come, SIZE);
            uint64_t missing = 0;
            while (missing < SIZE && come[missing]) {
                missing++;
            }
            assert_int_equal(sft_coverage_missing(&coverage), missing);
        }
        assert_true(known <= SIZE);
        sft_coverage_free(&coverage, &allocator);
    }
}

static void pieces_in_order_take_no_memory(void **state) {
    (void)state;
    sft_coverage coverage = {.count = 0};
    const sft_allocator allocator = sft_allocator_of(NULL);
    uint64_t gained;
    for (uint64_t at = 0; at < 100000; at++) {
        assert_true(sft_coverage_add(&coverage, &allocator, at, at + 1, &gained));
    }
    assert_null(coverage.runs);
    /* Nor do they backwards. */
    sft_coverage_free(&coverage, &allocator);
    for (uint64_t at = 100000; at > 0; at--) {
        assert_true(sft_coverage_add(&coverage, &allocator, at - 1, at, &gained));
    }
    assert_null(coverage.runs);
    assert_int_equal(sft_coverage_missing(&coverage), 100000);
}

/* ---- a model to write ---- */

enum { TENSORS = 6 };

static const uint64_t shapes[TENSORS][2] = {{100, 10}, {7, 1}, {0, 3}, {3000, 1}, {1, 1}, {64, 64}};
static const sft_dtype dtypes[TENSORS] = {SFT_F32, SFT_U8, SFT_F64, SFT_I16, SFT_U64, SFT_BF16};
static const char *const names[TENSORS] = {"w", "b", "empty", "table", "step", "k"};
static unsigned char *contents[TENSORS];
static sft_tensor_data model[TENSORS];

static int make_model(void **state) {
    for (int i = 0; i < TENSORS; i++) {
        uint64_t size;
        if (sft_dtype_size(dtypes[i], shapes[i], 2, &size) != SFT_OK) {
            return -1;
        }
        contents[i] = malloc((size_t)size + 1);
        for (uint64_t b = 0; b < size; b++) {
            contents[i][b] = (unsigned char)random_below(256);
        }
        model[i] = (sft_tensor_data){names[i],  strlen(names[i]), dtypes[i], 2,
                                     shapes[i], contents[i],      size};
    }
    return scratch_setup(state);
}

static int drop_model(void **state) {
    for (int i = 0; i < TENSORS; i++) {
        free(contents[i]);
    }
    return scratch_teardown(state);
}

static sft_writer *begin(const char *name, const sft_write_options *options) {
    sft_writer *writer;
    sft_error error;
    expect_status(sft_writer_new(scratch(name), options, &writer, &error), SFT_OK, &error);
    for (uint64_t i = 0; i < TENSORS; i++) {
        uint64_t index;
        expect_status(sft_writer_declare(writer, names[i], strlen(names[i]), dtypes[i], shapes[i],
                                         2, &index, &error),
                      SFT_OK, &error);
        assert_int_equal(index, i);
    }
    expect_status(sft_writer_begin(writer, &error), SFT_OK, &error);
    return writer;
}

static void put(sft_writer *writer, uint64_t index, uint64_t offset, uint64_t size) {
    sft_error error;
    expect_status(sft_writer_put(writer, index, offset, contents[index] + offset, size, &error),
                  SFT_OK, &error);
}

static void commit(sft_writer *writer) {
    sft_error error;
    expect_status(sft_writer_commit(writer, &error), SFT_OK, &error);
    sft_writer_free(writer);
}

/* The same bytes as sft_encode() gives. */
static void expect_model(const char *name, const sft_write_options *options) {
    uint64_t size;
    sft_error error;
    expect_status(sft_encode_size(model, TENSORS, options, &size, &error), SFT_OK, &error);
    void *bytes = malloc((size_t)size);
    expect_status(sft_encode(model, TENSORS, options, bytes, size, &error), SFT_OK, &error);
    assert_true(scratch_holds(name, bytes, (size_t)size));
    free(bytes);
}

static void writes_whole_tensors(void **state) {
    (void)state;
    sft_metadata_entry entry = {"format", 6, "pt", 2};
    sft_write_options options = SFT_WRITE_OPTIONS;
    options.metadata = &entry;
    options.metadata_count = 1;
    options.alignment = 64;
    options.durable = true;
    sft_writer *writer = begin("whole", &options);
    for (uint64_t i = TENSORS; i-- > 0;) {
        put(writer, i, 0, model[i].size);
    }
    commit(writer);
    expect_model("whole", &options);
}

static void copies_its_options(void **state) {
    (void)state;
    char key[] = "key";
    char value[] = "value";
    char path[1024];
    snprintf(path, sizeof path, "%s", scratch("copied"));
    sft_metadata_entry entry = {key, 3, value, 5};
    sft_write_options options = SFT_WRITE_OPTIONS;
    options.metadata = &entry;
    options.metadata_count = 1;
    sft_writer *writer;
    sft_error error;
    expect_status(sft_writer_new(path, &options, &writer, &error), SFT_OK, &error);
    char name[] = "t";
    uint64_t shape[] = {2};
    expect_status(sft_writer_declare(writer, name, 1, SFT_U8, shape, 1, NULL, &error), SFT_OK,
                  &error);
    memset(key, 'x', 3);
    memset(value, 'x', 5);
    memset(path, 'x', 9);
    memset(&entry, 0, sizeof entry);
    memset(&options, 0, sizeof options);
    name[0] = 'x';
    shape[0] = 99;
    expect_status(sft_writer_begin(writer, &error), SFT_OK, &error);
    expect_status(sft_writer_put(writer, 0, 0, "ab", 2, &error), SFT_OK, &error);
    commit(writer);
    sft_file *file;
    expect_status(sft_open(scratch("copied"), NULL, &file, &error), SFT_OK, &error);
    assert_non_null(sft_find(file, "t", 1));
    const sft_metadata_entry *found = sft_header_metadata_find(sft_file_header(file), "key", 3);
    assert_non_null(found);
    assert_memory_equal(found->value, "value", 5);
    sft_close(file);
}

static void writes_pieces_in_any_order(void **state) {
    (void)state;
    for (int round = 0; round < 50; round++) {
        sft_writer *writer = begin("pieces", NULL);
        sft_error error;
        /* Pieces that may overlap and come twice, until nothing is missing. */
        sft_status status = SFT_INCOMPLETE;
        for (int tries = 0; tries < 200; tries++) {
            uint64_t i = random_below(TENSORS);
            uint64_t offset = random_below(model[i].size + 1);
            put(writer, i, offset, random_below(model[i].size - offset + 1));
        }
        while ((status = sft_writer_commit(writer, &error)) == SFT_INCOMPLETE) {
            assert_true(error.has_tensor);
            uint64_t i = 0;
            while (strcmp(names[i], error.tensor) != 0) {
                i++;
            }
            unsigned long long missing;
            assert_int_equal(sscanf(error.message, "byte %llu", &missing), 1);
            assert_true(missing < model[i].size);
            put(writer, i, missing, 1 + random_below(model[i].size - missing));
        }
        expect_status(status, SFT_OK, &error);
        sft_writer_free(writer);
        expect_model("pieces", NULL);
    }
}

static void the_later_of_two_pieces_counts(void **state) {
    (void)state;
    sft_writer *writer = begin("twice", NULL);
    sft_error error;
    unsigned char *wrong = calloc(1, (size_t)model[0].size);
    expect_status(sft_writer_put(writer, 0, 0, wrong, model[0].size, &error), SFT_OK, &error);
    free(wrong);
    for (uint64_t i = 0; i < TENSORS; i++) {
        put(writer, i, 0, model[i].size);
    }
    commit(writer);
    expect_model("twice", NULL);
}

/* ---- progress and cancelling ---- */

typedef struct watch {
    uint64_t calls;
    uint64_t last;
    uint64_t total;
    uint64_t stop_at; /* the call that wants to stop */
} watch;

static bool progress(void *context, uint64_t done, uint64_t total) {
    watch *seen = context;
    seen->calls++;
    assert_true(done > seen->last);
    assert_true(done <= total);
    seen->last = done;
    seen->total = total;
    return seen->calls != seen->stop_at;
}

static void reports_and_can_be_stopped(void **state) {
    (void)state;
    const uint64_t shape[] = {UINT64_C(40) << 20};
    unsigned char *data = calloc(1, (size_t)shape[0]);
    sft_tensor_data large = {"t", 1, SFT_U8, 1, shape, data, shape[0]};
    watch seen = {0};
    sft_write_options options = SFT_WRITE_OPTIONS;
    options.progress = progress;
    options.progress_context = &seen;
    sft_error error;
    expect_status(sft_write(scratch("large"), &large, 1, &options, &error), SFT_OK, &error);
    assert_true(seen.calls >= 4);
    assert_int_equal(seen.last, seen.total);
    scratch_store("large", "old", 3);
    int before = scratch_count(".");
    uint64_t calls = seen.calls;
    for (uint64_t stop = 1; stop <= calls; stop++) {
        seen = (watch){.stop_at = stop};
        expect_status(sft_write(scratch("large"), &large, 1, &options, &error), SFT_CANCELLED,
                      &error);
        assert_string_equal(error.file, scratch("large"));
        assert_true(scratch_holds("large", "old", 3));
        assert_int_equal(scratch_count("."), before);
    }
    for (uint64_t stop = 1; stop <= calls; stop++) {
        seen = (watch){.stop_at = stop};
        sft_writer *writer;
        expect_status(sft_writer_new(scratch("large"), &options, &writer, &error), SFT_OK, &error);
        expect_status(sft_writer_declare(writer, "t", 1, SFT_U8, shape, 1, NULL, &error), SFT_OK,
                      &error);
        sft_status status = sft_writer_begin(writer, &error);
        if (status == SFT_OK) {
            status = sft_writer_put(writer, 0, 0, data, shape[0], &error);
        }
        expect_status(status, SFT_CANCELLED, &error);
        expect_status(sft_writer_put(writer, 0, 0, data, 1, &error), SFT_WRONG_STATE, &error);
        expect_status(sft_writer_commit(writer, &error), SFT_WRONG_STATE, &error);
        sft_writer_free(writer);
        assert_true(scratch_holds("large", "old", 3));
        assert_int_equal(scratch_count("."), before);
    }
    free(data);
}

/* ---- calls that are wrong ---- */

static void refuses_incomplete_files(void **state) {
    (void)state;
    int before = scratch_count(".");
    sft_writer *writer = begin("incomplete", NULL);
    sft_error error;
    for (uint64_t i = 0; i < TENSORS; i++) {
        if (i != 3) {
            put(writer, i, 0, model[i].size);
        }
    }
    put(writer, 3, 0, 10);
    put(writer, 3, 11, model[3].size - 11);
    expect_status(sft_writer_commit(writer, &error), SFT_INCOMPLETE, &error);
    assert_string_equal(error.tensor, "table");
    assert_non_null(strstr(error.message, "byte 10 "));
    assert_int_equal(scratch_count("."), before);
    put(writer, 3, 10, 1);
    commit(writer);
    expect_model("incomplete", NULL);
}

static void refuses_pieces_outside_their_tensor(void **state) {
    (void)state;
    int before = scratch_count(".");
    sft_writer *writer = begin("outside", NULL);
    sft_error error;
    const uint64_t places[][2] = {{model[1].size, 1},
                                  {0, model[1].size + 1},
                                  {UINT64_MAX, 1},
                                  {1, UINT64_MAX},
                                  {model[1].size + 1, 0}};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        expect_status(sft_writer_put(writer, 1, places[i][0], contents[1], places[i][1], &error),
                      SFT_OUT_OF_BOUNDS, &error);
        assert_string_equal(error.tensor, "b");
    }
    expect_status(sft_writer_put(writer, TENSORS, 0, contents[1], 0, &error), SFT_INVALID_ARGUMENT,
                  &error);
    expect_status(sft_writer_put(writer, UINT64_MAX, 0, contents[1], 1, &error),
                  SFT_INVALID_ARGUMENT, &error);
    expect_status(sft_writer_put(writer, 1, 0, NULL, 1, &error), SFT_INVALID_ARGUMENT, &error);
    /* None of these did harm. */
    put(writer, 1, model[1].size, 0);
    expect_status(sft_writer_put(writer, 2, 0, NULL, 0, &error), SFT_OK, &error);
    sft_writer_free(writer);
    assert_int_equal(scratch_count("."), before);
}

static void refuses_calls_out_of_order(void **state) {
    (void)state;
    sft_writer *writer;
    sft_error error;
    expect_status(sft_writer_new(scratch("order"), NULL, &writer, &error), SFT_OK, &error);
    expect_status(sft_writer_put(writer, 0, 0, "", 0, &error), SFT_WRONG_STATE, &error);
    expect_status(sft_writer_commit(writer, &error), SFT_WRONG_STATE, &error);
    assert_int_equal(access(scratch("order"), F_OK), -1);
    expect_status(sft_writer_begin(writer, &error), SFT_OK, &error);
    expect_status(sft_writer_begin(writer, &error), SFT_WRONG_STATE, &error);
    expect_status(sft_writer_declare(writer, "t", 1, SFT_U8, NULL, 0, NULL, &error),
                  SFT_WRONG_STATE, &error);
    assert_int_equal(access(scratch("order"), F_OK), -1);
    expect_status(sft_writer_commit(writer, &error), SFT_OK, &error);
    expect_status(sft_writer_commit(writer, &error), SFT_WRONG_STATE, &error);
    expect_status(sft_writer_put(writer, 0, 0, "", 0, &error), SFT_WRONG_STATE, &error);
    sft_writer_free(writer);
    assert_true(scratch_holds("order", "\x08\0\0\0\0\0\0\0{}      ", 16));

    sft_writer_free(NULL);
    expect_status(sft_writer_new(NULL, NULL, &writer, &error), SFT_INVALID_ARGUMENT, &error);
    expect_status(sft_writer_new("x", NULL, NULL, &error), SFT_INVALID_ARGUMENT, &error);
    expect_status(sft_writer_begin(NULL, &error), SFT_INVALID_ARGUMENT, &error);
    expect_status(sft_writer_commit(NULL, &error), SFT_INVALID_ARGUMENT, &error);
    expect_status(sft_writer_put(NULL, 0, 0, "", 0, &error), SFT_INVALID_ARGUMENT, &error);
    expect_status(sft_writer_declare(NULL, "", 0, SFT_U8, NULL, 0, NULL, &error),
                  SFT_INVALID_ARGUMENT, &error);
}

static void refuses_bad_declarations_and_goes_on(void **state) {
    (void)state;
    sft_writer *writer;
    sft_error error;
    const uint64_t odd[] = {1};
    const uint64_t huge[] = {UINT64_MAX, 2};
    expect_status(sft_writer_new(scratch("declare"), NULL, &writer, &error), SFT_OK, &error);
    expect_status(sft_writer_declare(writer, "\xff", 1, SFT_U8, NULL, 0, NULL, &error),
                  SFT_INVALID_NAME, &error);
    expect_status(sft_writer_declare(writer, "__metadata__", 12, SFT_U8, NULL, 0, NULL, &error),
                  SFT_RESERVED_NAME, &error);
    expect_status(sft_writer_declare(writer, "t", 1, SFT_F4, odd, 1, NULL, &error),
                  SFT_PARTIAL_BYTE, &error);
    expect_status(sft_writer_declare(writer, "t", 1, SFT_F4, huge, 2, NULL, &error),
                  SFT_SIZE_OVERFLOW, &error);
    expect_status(sft_writer_declare(writer, "t", 1, SFT_F4, huge, 65, NULL, &error),
                  SFT_RANK_TOO_LARGE, &error);
    expect_status(sft_writer_declare(writer, "t", 1, SFT_F4, NULL, 1, NULL, &error),
                  SFT_INVALID_ARGUMENT, &error);
    uint64_t index;
    expect_status(sft_writer_declare(writer, "t", 1, SFT_U8, NULL, 0, &index, &error), SFT_OK,
                  &error);
    assert_int_equal(index, 0);
    expect_status(sft_writer_begin(writer, &error), SFT_OK, &error);
    sft_writer_free(writer);
    assert_int_equal(access(scratch("declare"), F_OK), -1);

    expect_status(sft_writer_new(scratch("declare"), NULL, &writer, &error), SFT_OK, &error);
    for (int i = 0; i < 2; i++) {
        expect_status(sft_writer_declare(writer, "t", 1, SFT_U8, NULL, 0, NULL, &error), SFT_OK,
                      &error);
    }
    expect_status(sft_writer_begin(writer, &error), SFT_DUPLICATE_NAME, &error);
    assert_string_equal(error.tensor, "t");
    expect_status(sft_writer_begin(writer, &error), SFT_WRONG_STATE, &error);
    sft_writer_free(writer);
    assert_int_equal(access(scratch("declare"), F_OK), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(coverage_agrees_with_a_list_of_bytes),
        cmocka_unit_test(pieces_in_order_take_no_memory),
        cmocka_unit_test(writes_whole_tensors),
        cmocka_unit_test(copies_its_options),
        cmocka_unit_test(writes_pieces_in_any_order),
        cmocka_unit_test(the_later_of_two_pieces_counts),
        cmocka_unit_test(reports_and_can_be_stopped),
        cmocka_unit_test(refuses_incomplete_files),
        cmocka_unit_test(refuses_pieces_outside_their_tensor),
        cmocka_unit_test(refuses_calls_out_of_order),
        cmocka_unit_test(refuses_bad_declarations_and_goes_on),
    };
    return cmocka_run_group_tests(tests, make_model, drop_model);
}
