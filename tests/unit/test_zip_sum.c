/* Checksums taken by several threads are those that one would take. */
#define _GNU_SOURCE

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <zlib.h>

#include "books.h"
#include "checkpoint/zip_sum.h"
#include "io/os.h"
#include "scratch.h"

enum { SIZE = 5 * 1024 * 1024 + 77 };

static unsigned char *bytes;
static int fd;

static int setup(void **state) {
    uint32_t number = 1;
    bytes = malloc(SIZE);
    if (bytes == NULL || scratch_setup(state) != 0) {
        return -1;
    }
    for (int i = 0; i < SIZE; i++) {
        number = number * 1664525 + 1013904223;
        bytes[i] = (unsigned char)(number >> 24);
    }
    scratch_store("file", bytes, SIZE);
    fd = open(scratch("file"), O_RDONLY);
    return fd < 0;
}

static int teardown(void **state) {
    free(bytes);
    close(fd);
    return scratch_teardown(state);
}

/* One processor needs no threads, and so does without all of this. */
static bool expect_sum(const sft_region *region, uint32_t *sum, bool wanted) {
    books kept = {.calls = 0};
    const sft_allocator allocator = books_allocator(&kept);
    bool done = sft_zip_sum(region, &allocator, sum);
    assert_int_equal(done, wanted && sft_os_processors() > 1);
    assert_int_equal(kept.bytes, 0);
    return done;
}

static void equal_sums(void **state) {
    (void)state;
    static const uint64_t places[][2] = {{0, SIZE}, {1, 524288},  {0, 524288}, {3, 524289},
                                         {77, 1},   {5, 1048576}, {0, 4000000}};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        sft_region region = {NULL, places[i][0], places[i][1], fd, NULL};
        /* A sum goes on from what came before it. */
        uint32_t sum = (uint32_t)crc32(0, (const unsigned char *)"before", 6);
        uint32_t wanted = (uint32_t)crc32(sum, bytes + region.offset, (unsigned)region.size);
        if (expect_sum(&region, &sum, true)) {
            assert_int_equal(sum, wanted);
        }
    }
}

static void what_one_thread_must_do(void **state) {
    (void)state;
    uint32_t sum = 5;
    expect_sum(&(sft_region){NULL, 0, SIZE, -1, NULL}, &sum, false);
    expect_sum(&(sft_region){NULL, 0, 0, fd, NULL}, &sum, false);
    expect_sum(&(sft_region){NULL, 0, SIZE + 1, fd, NULL}, &sum, false); /* ends too early */
    expect_sum(&(sft_region){NULL, 0, SFT_ZIP_SUM_BYTES + 1, fd, NULL}, &sum, false);
    assert_int_equal(sum, 5);
}

static void no_memory(void **state) {
    (void)state;
    sft_region region = {NULL, 0, SIZE, fd, NULL};
    for (uint64_t i = 1; i <= 2; i++) {
        books kept = {.fail_at = i};
        const sft_allocator allocator = books_allocator(&kept);
        uint32_t sum = 0;
        assert_false(sft_zip_sum(&region, &allocator, &sum));
        assert_int_equal(kept.bytes, 0);
        assert_false(kept.wrong);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_sums),
        cmocka_unit_test(what_one_thread_must_do),
        cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
