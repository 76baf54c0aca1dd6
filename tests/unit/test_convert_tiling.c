/* Views in tiles: whatever the strides, each element comes from its place and gets to its place. */
#define _GNU_SOURCE

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "checkpoint/tiling.h"

/* ---- a storage in memory that counts how it is read ---- */

typedef struct memory {
    const uint8_t *bytes;
    uint64_t size;
    uint64_t reads;
    uint64_t moved;
} memory;

static int64_t read_at(void *context, uint64_t offset, void *to, size_t size) {
    memory *from = context;
    assert_true(offset <= from->size && size <= from->size - offset);
    memcpy(to, from->bytes + offset, size);
    from->reads++;
    from->moved += size;
    return (int64_t)size;
}

static uint64_t random_state = 88172645463325252;

static uint64_t random_below(uint64_t bound) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % bound;
}

/* ---- what must come out ---- */

static uint64_t elements_of(const sft_found_tensor *tensor) {
    uint64_t elements = 1;
    for (uint32_t i = 0; i < tensor->rank; i++) {
        elements *= tensor->shape[i];
    }
    return elements;
}

/* Element by element, each found by division: nothing in common with the tiles. */
static uint8_t *expected(const sft_found_tensor *tensor, const uint8_t *storage) {
    uint64_t item = sft_tiling_item(tensor->dtype);
    uint64_t elements = elements_of(tensor);
    uint8_t *all = malloc((size_t)(elements * item));
    assert_non_null(all);
    for (uint64_t e = 0; e < elements; e++) {
        uint64_t rest = e;
        uint64_t place = tensor->offset;
        for (uint32_t i = tensor->rank; i-- > 0;) {
            place += rest % tensor->shape[i] * tensor->strides[i];
            rest /= tensor->shape[i];
        }
        memcpy(all + e * item, storage + place * item, (size_t)item);
    }
    return all;
}

static uint8_t window[SFT_TILE_WINDOW];
static uint8_t tile_bytes[SFT_TILE_BYTES];

static memory check(const sft_found_tensor *tensor, const uint8_t *storage, uint64_t size) {
    memory from = {storage, size, 0, 0};
    sft_source source = {&from, NULL, read_at, NULL, NULL};
    sft_region region = {&source, 0, size, -1, NULL};
    uint64_t bytes = elements_of(tensor) * sft_tiling_item(tensor->dtype);
    uint8_t *wanted = expected(tensor, storage);
    uint8_t *got = malloc((size_t)bytes);
    bool *come = calloc((size_t)bytes, sizeof *come);
    sft_tiling tiling;
    sft_tiling_cut(tensor, &tiling);
    for (uint64_t i = 0; i < tiling.count; i++) {
        sft_tile tile;
        sft_tiling_tile(&tiling, i, &tile);
        assert_true(tile.bytes <= SFT_TILE_BYTES);
        assert_int_equal(tile.bytes, tile.run * tile.run_count);
        assert_int_equal(sft_tiling_read(&tiling, &tile, &region, window, tile_bytes, NULL),
                         SFT_OK);
        for (uint64_t run = 0; run < tile.run_count; run++) {
            uint64_t place = sft_tiling_run(&tiling, &tile, run);
            assert_true(place + tile.run <= bytes);
            memcpy(got + place, tile_bytes + run * tile.run, (size_t)tile.run);
            for (uint64_t b = 0; b < tile.run; b++) {
                assert_false(come[place + b]);
                come[place + b] = true;
            }
        }
    }
    assert_null(memchr(come, false, (size_t)bytes));
    assert_memory_equal(got, wanted, (size_t)bytes);
    free(come);
    free(got);
    free(wanted);
    return from;
}

static uint8_t *random_bytes(uint64_t size) {
    uint8_t *bytes = malloc((size_t)size);
    assert_non_null(bytes);
    for (uint64_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)random_below(256);
    }
    return bytes;
}

/* ---- tests ---- */

static void random_views(void **state) {
    (void)state;
    static const sft_dtype dtypes[] = {SFT_U8, SFT_F16, SFT_F32, SFT_F64, SFT_C64};
    for (int round = 0; round < 3000; round++) {
        uint64_t shape[7];
        uint64_t strides[7];
        sft_found_tensor tensor = {.dtype = dtypes[random_below(5)],
                                   .rank = (uint32_t)random_below(7),
                                   .shape = shape,
                                   .strides = strides,
                                   .offset = random_below(20)};
        uint64_t last = tensor.offset;
        for (uint32_t i = 0; i < tensor.rank; i++) {
            shape[i] = 1 + random_below(5);
            strides[i] = random_below(round % 2 == 0 ? 4 : UINT64_C(40) << random_below(6));
            last += (shape[i] - 1) * strides[i];
        }
        uint64_t size = (last + 1) * sft_tiling_item(tensor.dtype);
        uint8_t *storage = random_bytes(size);
        check(&tensor, storage, size);
        free(storage);
    }
}

typedef struct large {
    const char *what;
    sft_dtype dtype;
    uint32_t rank;
    uint64_t shape[4];
    uint64_t strides[4];
    uint64_t offset;
    uint64_t most_reads;  /* at most so many calls */
    uint64_t most_factor; /* and so many times the bytes of the result */
} large;

/* What must be cut into several tiles; none may cost a read for each element. */
static const large larges[] = {
    {"a transposed matrix", SFT_F32, 2, {1300, 1500}, {1, 1300}, 0, 5000, 3},
    {"few long rows", SFT_F32, 2, {3, 900000}, {1, 3}, 0, 100, 4},
    {"many short rows", SFT_F32, 2, {900000, 3}, {1, 900000}, 0, 2000, 3},
    {"every third element", SFT_U8, 2, {2000, 2500}, {7500, 3}, 1, 100, 4},
    {"a part of each row", SFT_F64, 2, {900, 1000}, {1400, 1}, 300, 2000, 2},
    {"rows far apart", SFT_F64, 2, {900, 1000}, {2100, 1}, 300, 2000, 2},
    {"expanded within", SFT_F16, 3, {300, 40, 300}, {300, 0, 1}, 0, 100, 1},
    {"expanded outside", SFT_F32, 3, {40, 1500, 30}, {0, 30, 1}, 0, 100, 1},
    {"windows that overlap", SFT_F32, 2, {3000, 500}, {1, 1}, 7, 3000, 1},
    {"four dimensions turned around",
     SFT_F32,
     4,
     {11, 60, 70, 30},
     {1, 11, 660, 46200},
     0,
     8000,
     6},
    {"single elements far apart", SFT_F32, 2, {50, 20}, {30000, 1500}, 0, 1000, 4096},
};

static void large_views_are_read_in_large_pieces(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof larges / sizeof larges[0]; i++) {
        const large *l = &larges[i];
        sft_found_tensor tensor = {.dtype = l->dtype,
                                   .rank = l->rank,
                                   .shape = l->shape,
                                   .strides = l->strides,
                                   .offset = l->offset};
        uint64_t last = l->offset;
        for (uint32_t d = 0; d < l->rank; d++) {
            last += (l->shape[d] - 1) * l->strides[d];
        }
        uint64_t size = (last + 1) * sft_tiling_item(l->dtype);
        uint8_t *storage = random_bytes(size);
        memory read = check(&tensor, storage, size);
        free(storage);
        uint64_t bytes = elements_of(&tensor) * sft_tiling_item(l->dtype);
        if (read.reads > l->most_reads || read.moved > l->most_factor * bytes) {
            fail_msg("%s: %llu reads of %llu bytes for %llu", l->what,
                     (unsigned long long)read.reads, (unsigned long long)read.moved,
                     (unsigned long long)bytes);
        }
    }
}

static void settle(sft_found_tensor tensor, bool big_endian, const void *from, const void *wanted,
                   size_t size) {
    uint8_t bytes[64];
    memcpy(bytes, from, size);
    sft_tiling_settle(&tensor, big_endian, bytes, size);
    assert_memory_equal(bytes, wanted, size);
}

static void elements_are_settled(void **state) {
    (void)state;
    settle((sft_found_tensor){.dtype = SFT_U8}, true, "ab", "ab", 2);
    settle((sft_found_tensor){.dtype = SFT_F16}, true, "abcd", "badc", 4);
    settle((sft_found_tensor){.dtype = SFT_F16}, false, "abcd", "abcd", 4);
    settle((sft_found_tensor){.dtype = SFT_I64}, true, "abcdefgh", "hgfedcba", 8);
    /* Each part of a complex number by itself. */
    settle((sft_found_tensor){.dtype = SFT_C64}, true, "abcdefgh", "dcbahgfe", 8);
    settle((sft_found_tensor){.dtype = SFT_C64, .conjugate = true}, false, "abcdefgh",
           "abcdefg\xe8", 8);
    settle((sft_found_tensor){.dtype = SFT_C64, .negative = true}, false, "abcdefgh",
           "abc\xe4"
           "efg\xe8",
           8);
    settle((sft_found_tensor){.dtype = SFT_C64, .conjugate = true, .negative = true}, true,
           "abcdefgh",
           "dcb\xe1"
           "hgfe",
           8);
    settle((sft_found_tensor){.dtype = SFT_BF16, .negative = true}, false, "\0\x3f\x80\xbf",
           "\0\xbf\x80\x3f", 4);
    settle((sft_found_tensor){.dtype = SFT_F8_E4M3, .negative = true}, false, "\x01\x81",
           "\x81\x01", 2);
    settle((sft_found_tensor){.dtype = SFT_I16, .negative = true}, false, "\x01\0\0\0\0\x80",
           "\xff\xff\0\0\0\x80", 6);
    /* No conjugate of what is not complex. */
    settle((sft_found_tensor){.dtype = SFT_F32, .conjugate = true}, false, "abcd", "abcd", 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_views),
        cmocka_unit_test(large_views_are_read_in_large_pieces),
        cmocka_unit_test(elements_are_settled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
