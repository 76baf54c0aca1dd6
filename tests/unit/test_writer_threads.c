/* The streaming writer, used by several threads at once. */
/* Before any header: nftw(), mkdtemp() and their like. */
#define _GNU_SOURCE

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "scratch.h"

enum { TENSORS = 5, THREADS = 4, PIECE = 37, ROUNDS = 20, MOST = 20000 };

static const uint64_t sizes[TENSORS] = {MOST, 1, 0, 777, 4096};
static const char *const names[TENSORS] = {"a", "b", "c", "d", "e"};
static unsigned char contents[TENSORS][MOST];

typedef struct share {
    sft_writer *writer;
    unsigned number;
    sft_status status;
} share;

/* Every fourth piece of every tensor. */
static void *write_share(void *context) {
    share *mine = context;
    unsigned turn = 0;
    for (uint64_t i = 0; i < TENSORS && mine->status == SFT_OK; i++) {
        for (uint64_t at = 0; at < sizes[i] && mine->status == SFT_OK; at += PIECE) {
            if (turn++ % THREADS == mine->number) {
                uint64_t left = sizes[i] - at;
                mine->status = sft_writer_put(mine->writer, i, at, contents[i] + at,
                                              left < PIECE ? left : PIECE, NULL);
            }
        }
    }
    return NULL;
}

/* What the threads ended with, other than success. */
static sft_status write_with_threads(sft_writer *writer) {
    pthread_t threads[THREADS];
    share shares[THREADS];
    sft_status worst = SFT_OK;
    for (unsigned i = 0; i < THREADS; i++) {
        shares[i] = (share){writer, i, SFT_OK};
        assert_int_equal(pthread_create(&threads[i], NULL, write_share, &shares[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        if (shares[i].status != SFT_OK && worst != SFT_CANCELLED) {
            worst = shares[i].status;
        }
    }
    return worst;
}

typedef struct watch {
    bool inside; /* of a call: they must come one at a time */
    uint64_t calls;
    uint64_t last;
    uint64_t total;
    uint64_t stop_at; /* the call that wants to stop */
    bool fine;
} watch;

static bool progress(void *context, uint64_t done, uint64_t total) {
    watch *seen = context;
    seen->fine = seen->fine && !seen->inside && done > seen->last && done <= total;
    seen->inside = true;
    seen->calls++;
    seen->last = done;
    seen->total = total;
    seen->inside = false;
    return seen->calls != seen->stop_at;
}

static sft_writer *begin(watch *seen) {
    sft_write_options options = SFT_WRITE_OPTIONS;
    options.progress = progress;
    options.progress_context = seen;
    sft_writer *writer;
    sft_error error;
    expect_status(sft_writer_new(scratch("model"), &options, &writer, &error), SFT_OK, &error);
    for (unsigned i = 0; i < TENSORS; i++) {
        expect_status(sft_writer_declare(writer, names[i], 1, SFT_U8, &sizes[i], 1, NULL, &error),
                      SFT_OK, &error);
    }
    expect_status(sft_writer_begin(writer, &error), SFT_OK, &error);
    return writer;
}

static void pieces_from_many_threads_make_one_file(void **state) {
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        watch seen = {.fine = true};
        sft_writer *writer = begin(&seen);
        sft_error error;
        assert_int_equal(write_with_threads(writer), SFT_OK);
        expect_status(sft_writer_commit(writer, &error), SFT_OK, &error);
        sft_writer_free(writer);
        assert_true(seen.fine);
        assert_int_equal(seen.last, seen.total);
        sft_file *file;
        expect_status(sft_open(scratch("model"), NULL, &file, &error), SFT_OK, &error);
        for (unsigned i = 0; i < TENSORS; i++) {
            const sft_tensor *tensor = sft_find(file, names[i], 1);
            unsigned char read_back[MOST];
            assert_int_equal(tensor->end - tensor->begin, sizes[i]);
            expect_status(sft_read(file, tensor, read_back, sizes[i], &error), SFT_OK, &error);
            assert_memory_equal(read_back, contents[i], (size_t)sizes[i]);
        }
        sft_close(file);
    }
}

static void one_thread_that_stops_stops_all(void **state) {
    (void)state;
    watch seen = {.fine = true, .stop_at = 1};
    scratch_store("model", "old", 3);
    sft_writer *writer = begin(&seen);
    assert_int_equal(write_with_threads(writer), SFT_CANCELLED);
    assert_int_equal(sft_writer_commit(writer, NULL), SFT_WRONG_STATE);
    sft_writer_free(writer);
    assert_true(scratch_holds("model", "old", 3));
    assert_int_equal(scratch_count("."), 1);
}

static int setup(void **state) {
    for (unsigned i = 0; i < TENSORS; i++) {
        for (unsigned b = 0; b < MOST; b++) {
            contents[i][b] = (unsigned char)((b * 31 + i * 7) >> 2);
        }
    }
    return scratch_setup(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_from_many_threads_make_one_file),
        cmocka_unit_test(one_thread_that_stops_stops_all),
    };
    return cmocka_run_group_tests(tests, setup, scratch_teardown);
}
