/* Regions: parts of files, what they unpack to, what texts stand for. */
#include "fixture.h"

#include "archive.h"
#include "base/checked.h"
#include "books.h"

enum { PLAIN = 3000000 };

/* Bytes that compress, but are nowhere alike over longer stretches. */
static uint8_t *make_plain(size_t size) {
    uint8_t *plain = malloc(size);
    assert_non_null(plain);
    uint32_t state = 1;
    for (size_t i = 0; i < size; i++) {
        state = state * 1664525 + 1013904223;
        plain[i] = (uint8_t)((state >> 24 & 0x1f) + (i >> 16));
    }
    return plain;
}

static void expect_bytes(const sft_region *region, uint64_t offset, const uint8_t *wanted,
                         size_t size) {
    uint8_t *got = malloc(size);
    assert_non_null(got);
    sft_error error;
    assert_ok(sft_region_read(region, offset, got, size, &error));
    assert_memory_equal(got, wanted, size);
    free(got);
}

static void test_parts_stay_inside(void **state) {
    (void)state;
    held all;
    hold(&all, "0123456789", 10);
    sft_region part;
    assert_true(sft_region_part(&all.region, 3, 5, &part));
    expect_bytes(&part, 1, (const uint8_t *)"4567", 4);
    assert_true(sft_region_part(&part, 5, 0, &part));
    assert_false(sft_region_part(&all.region, 3, 8, &part));
    assert_false(sft_region_part(&all.region, 11, 0, &part));
    assert_false(sft_region_part(&all.region, UINT64_MAX, 2, &part));
    assert_false(sft_region_part(&all.region, 2, UINT64_MAX, &part));
    char byte;
    sft_error error;
    assert_true(sft_region_part(&all.region, 3, 5, &part));
    assert_status(sft_region_read(&part, 5, &byte, 1, &error), SFT_MALFORMED_SOURCE);
    assert_int_equal(error.byte, 5);
    sft_sources_free(&all.sources);
}

static void test_regions_are_inputs_and_sources(void **state) {
    (void)state;
    held all;
    hold(&all, "0123456789", 10);
    sft_region part;
    assert_true(sft_region_part(&all.region, 2, 6, &part));
    char got[8] = "";
    sft_pickle_input input = sft_region_input(&part);
    assert_int_equal(input.size, 6);
    assert_ok(input.read(input.context, 1, got, 3, NULL));
    assert_string_equal(got, "345");
    sft_source source = sft_region_source(&part);
    uint64_t size;
    assert_int_equal(source.size(source.context, &size), 0);
    assert_int_equal(size, 6);
    assert_int_equal(source.read_at(source.context, 4, got, 8), 2);
    assert_memory_equal(got, "67", 2);
    assert_int_equal(source.read_at(source.context, 6, got, 8), 0);
    sft_sources_free(&all.sources);
}

static int64_t cut_read_at(void *context, uint64_t offset, void *to, size_t size) {
    (void)context;
    (void)to;
    (void)size;
    return offset < 5 ? -5 : 0;
}

static void test_failing_files_are_told(void **state) {
    (void)state;
    const sft_source cut = {NULL, NULL, cut_read_at, NULL, NULL};
    const sft_region region = {&cut, 0, 100, -1, NULL};
    char byte;
    sft_error error;
    assert_status(sft_region_read(&region, 0, &byte, 1, &error), SFT_READ_FAILED);
    assert_status(sft_region_read(&region, 9, &byte, 1, &error), SFT_FILE_SHRANK);
    sft_sources sources;
    sft_sources_init(&sources, NULL);
    sft_region unpacked;
    assert_ok(sft_sources_inflate(&sources, &region, SFT_PACKED_ZLIB, 10, &unpacked, &error));
    assert_status(sft_region_read(&unpacked, 0, &byte, 1, &error), SFT_READ_FAILED);
    assert_int_equal(error.system_error, 5);
    sft_source source = sft_region_source(&unpacked);
    assert_int_equal(source.read_at(source.context, 0, &byte, 1), -5);
    sft_sources_free(&sources);
}

static void unpack_in_all_orders(const sft_region *unpacked, const uint8_t *plain) {
    expect_bytes(unpacked, 0, plain, PLAIN);
    expect_bytes(unpacked, 0, plain, 7);
    expect_bytes(unpacked, PLAIN - 5, plain + PLAIN - 5, 5);
    expect_bytes(unpacked, PLAIN / 2, plain + PLAIN / 2, 100000);
    uint32_t place = 1;
    for (int i = 0; i < 60; i++) {
        place = place * 1664525 + 1013904223;
        size_t offset = (size_t)(place % PLAIN);
        size_t size = (size_t)sft_min(PLAIN - offset, place >> 16);
        expect_bytes(unpacked, offset, plain + offset, size);
    }
}

static void test_unpacks_in_any_order(void **state) {
    (void)state;
    static const struct {
        sft_packing packing;
        int window_bits;
    } ways[] = {{SFT_PACKED_DEFLATE, -15}, {SFT_PACKED_ZLIB, 15}, {SFT_PACKED_GZIP, 31}};
    uint8_t *plain = make_plain(PLAIN);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        bytes packed = deflated(plain, PLAIN, ways[i].window_bits);
        held all;
        hold(&all, packed.at, packed.size);
        uint64_t size;
        uint64_t used;
        sft_error error;
        assert_ok(
            sft_inflated_size(&all.region, ways[i].packing, PLAIN, NULL, &size, &used, &error));
        assert_int_equal(size, PLAIN);
        assert_int_equal(used, packed.size);
        sft_region unpacked;
        assert_ok(sft_sources_inflate(&all.sources, &all.region, ways[i].packing, PLAIN, &unpacked,
                                      &error));
        unpack_in_all_orders(&unpacked, plain);
        sft_sources_free(&all.sources);
        free(packed.at);
    }
    free(plain);
}

static void test_exactly_the_declared_size(void **state) {
    (void)state;
    uint8_t *plain = make_plain(100000);
    bytes packed = deflated(plain, 100000, 15);
    held all;
    hold(&all, packed.at, packed.size);
    sft_region unpacked;
    sft_error error;
    char byte;
    /* More: what comes before the last byte can be read. */
    assert_ok(
        sft_sources_inflate(&all.sources, &all.region, SFT_PACKED_ZLIB, 99999, &unpacked, &error));
    expect_bytes(&unpacked, 0, plain, 99998);
    assert_status(sft_region_read(&unpacked, 99998, &byte, 1, &error), SFT_MALFORMED_SOURCE);
    expect_bytes(&unpacked, 9, plain + 9, 90000);
    /* Not if only the front is asked for. */
    assert_ok(sft_sources_inflate_part(&all.sources, &all.region, SFT_PACKED_ZLIB, 99999, &unpacked,
                                       &error));
    expect_bytes(&unpacked, 0, plain, 99999);
    /* Fewer. */
    assert_ok(
        sft_sources_inflate(&all.sources, &all.region, SFT_PACKED_ZLIB, 100001, &unpacked, &error));
    expect_bytes(&unpacked, 0, plain, 100000);
    assert_status(sft_region_read(&unpacked, 100000, &byte, 1, &error), SFT_MALFORMED_SOURCE);
    assert_non_null(strstr(error.message, "fewer"));
    uint64_t size;
    uint64_t used;
    assert_status(
        sft_inflated_size(&all.region, SFT_PACKED_ZLIB, 99999, NULL, &size, &used, &error),
        SFT_SOURCE_LIMIT);
    assert_int_equal(size, 99999);
    sft_sources_free(&all.sources);
    free(packed.at);
    free(plain);
}

static void test_damage_is_told_and_what_is_before_it_read(void **state) {
    (void)state;
    uint8_t *plain = make_plain(200000);
    bytes packed = deflated(plain, 200000, 15);
    packed.at[packed.size - 1] ^= 1; /* of the checksum */
    held all;
    hold(&all, packed.at, packed.size);
    uint64_t size;
    uint64_t used;
    sft_error error;
    assert_status(
        sft_inflated_size(&all.region, SFT_PACKED_ZLIB, 1 << 20, NULL, &size, &used, &error),
        SFT_MALFORMED_SOURCE);
    assert_int_equal(size, 200000);
    sft_region unpacked;
    assert_ok(
        sft_sources_inflate(&all.sources, &all.region, SFT_PACKED_ZLIB, size, &unpacked, &error));
    expect_bytes(&unpacked, 0, plain, 199999);
    char byte;
    assert_status(sft_region_read(&unpacked, 199999, &byte, 1, &error), SFT_MALFORMED_SOURCE);
    assert_non_null(strstr(error.message, "damaged"));
    assert_ok(sft_sources_inflate_part(&all.sources, &all.region, SFT_PACKED_ZLIB, size, &unpacked,
                                       &error));
    expect_bytes(&unpacked, 0, plain, 200000);
    /* Cut short. */
    sft_region cut;
    assert_true(sft_region_part(&all.region, 0, packed.size / 2, &cut));
    assert_status(sft_inflated_size(&cut, SFT_PACKED_ZLIB, 1 << 20, NULL, &size, &used, &error),
                  SFT_MALFORMED_SOURCE);
    assert_true(size > 50000 && size < 150000);
    assert_ok(
        sft_sources_inflate_part(&all.sources, &cut, SFT_PACKED_ZLIB, size, &unpacked, &error));
    expect_bytes(&unpacked, 0, plain, (size_t)size);
    sft_sources_free(&all.sources);
    free(packed.at);
    free(plain);
}

static void test_gzip_members_follow_each_other(void **state) {
    (void)state;
    bytes file = {0};
    bytes one = deflated("hello ", 6, 31);
    bytes two = deflated("world", 5, 31);
    put(&file, one.at, one.size);
    put(&file, "\0\0\0", 3);
    put(&file, two.at, two.size);
    put(&file, "\0\0", 2);
    size_t sound = file.size;
    put(&file, "rest", 4);
    held all;
    hold(&all, file.at, file.size);
    uint64_t size;
    uint64_t used;
    sft_error error;
    assert_ok(sft_inflated_size(&all.region, SFT_PACKED_GZIP, 100, NULL, &size, &used, &error));
    assert_int_equal(size, 11);
    assert_int_equal(used, sound);
    sft_region unpacked;
    assert_ok(
        sft_sources_inflate(&all.sources, &all.region, SFT_PACKED_GZIP, 11, &unpacked, &error));
    expect_bytes(&unpacked, 0, (const uint8_t *)"hello world", 11);
    expect_bytes(&unpacked, 2, (const uint8_t *)"llo", 3);
    sft_sources_free(&all.sources);
    free(file.at);
    free(one.at);
    free(two.at);
}

/* Far more streams than have memory at a time, each inside of another. */
static void test_many_streams_take_little_memory(void **state) {
    (void)state;
    uint8_t *plain = make_plain(150000);
    bytes inner = deflated(plain, 150000, 15);
    bytes outer = deflated(inner.at, inner.size, 31);
    books kept = {0};
    sft_allocator allocator = books_allocator(&kept);
    sft_sources sources;
    sft_sources_init(&sources, &allocator);
    sft_region packed;
    assert_ok(sft_sources_memory(&sources, outer.at, outer.size, &packed, NULL));
    enum { STREAMS = 300 };
    sft_region *streams = calloc(STREAMS, sizeof *streams);
    assert_non_null(streams);
    for (int i = 0; i < STREAMS; i++) {
        sft_region middle;
        assert_ok(
            sft_sources_inflate(&sources, &packed, SFT_PACKED_GZIP, inner.size, &middle, NULL));
        assert_ok(
            sft_sources_inflate(&sources, &middle, SFT_PACKED_ZLIB, 150000, &streams[i], NULL));
    }
    for (uint32_t step = 0; step < 1000; step++) {
        uint32_t place = step * 7919 % 149000;
        expect_bytes(&streams[step * 31 % STREAMS], place, plain + place, 1000);
    }
    assert_true(kept.most < 8 << 20);
    sft_sources_free(&sources);
    assert_int_equal(kept.bytes, 0);
    assert_false(kept.wrong);
    free(streams);
    free(inner.at);
    free(outer.at);
    free(plain);
}

typedef struct counted {
    const sft_region *from;
    uint64_t read;
} counted;

static int64_t counted_read_at(void *context, uint64_t offset, void *to, size_t size) {
    counted *of = context;
    of->read += size;
    return sft_region_read(of->from, offset, to, size, NULL) == SFT_OK ? (int64_t)size : -5;
}

/* From the end of a long stream a step back costs a part of it, not the whole. */
static void test_going_back_is_bounded(void **state) {
    (void)state;
    enum { SIZE = 4 << 20, STEPS = 20 };
    uint8_t *plain = make_plain(SIZE);
    bytes packed = deflated(plain, SIZE, 15);
    held all;
    hold(&all, packed.at, packed.size);
    counted count = {&all.region, 0};
    const sft_source source = {&count, NULL, counted_read_at, NULL, NULL};
    const sft_region region = {&source, 0, packed.size, -1, NULL};
    sft_region unpacked;
    assert_ok(sft_sources_inflate(&all.sources, &region, SFT_PACKED_ZLIB, SIZE, &unpacked, NULL));
    expect_bytes(&unpacked, SIZE - 1, plain + SIZE - 1, 1);
    assert_int_equal(count.read, packed.size);
    for (int i = 0; i < STEPS; i++) {
        expect_bytes(&unpacked, SIZE - 300000, plain + SIZE - 300000, 1);
        expect_bytes(&unpacked, SIZE - 1, plain + SIZE - 1, 1);
    }
    assert_true(count.read < packed.size + STEPS * (packed.size / 3));
    sft_sources_free(&all.sources);
    free(packed.at);
    free(plain);
}

static void test_text_stands_for_bytes(void **state) {
    (void)state;
    enum { SIZE = 200000 };
    bytes text = {0};
    uint8_t *plain = malloc(SIZE);
    assert_non_null(plain);
    for (int i = 0; i < SIZE; i++) {
        plain[i] = (uint8_t)(i * 7 + i / 300);
        uint8_t pair[2] = {(uint8_t)(0xc0 | plain[i] >> 6), (uint8_t)(0x80 | (plain[i] & 0x3f))};
        put(&text, plain[i] < 0x80 ? &plain[i] : pair, plain[i] < 0x80 ? 1 : 2);
    }
    held all;
    hold(&all, text.at, text.size);
    uint64_t count;
    sft_error error;
    assert_ok(sft_text_characters(&all.region, &count, &error));
    assert_int_equal(count, SIZE);
    sft_region decoded;
    assert_ok(sft_sources_latin1(&all.sources, &all.region, SIZE, &decoded, &error));
    expect_bytes(&decoded, 0, plain, SIZE);
    expect_bytes(&decoded, 3, plain + 3, SIZE - 3);
    expect_bytes(&decoded, SIZE - 1, plain + SIZE - 1, 1);
    expect_bytes(&decoded, 100000, plain + 100000, 10);
    sft_sources_free(&all.sources);
    free(text.at);
    free(plain);
}

static void test_text_beyond_latin1_is_refused(void **state) {
    (void)state;
    static const char *const wrong[] = {"ab\xc4\x80", "ab\xe2\x82\xac", "ab\xc3", "ab\xc3\x28",
                                        "ab\x80",     "ab\xc1\xbf",     "ab\xff"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        held all;
        hold(&all, wrong[i], strlen(wrong[i]));
        sft_region decoded;
        char got[3];
        sft_error error;
        assert_ok(sft_sources_latin1(&all.sources, &all.region, 3, &decoded, &error));
        assert_ok(sft_region_read(&decoded, 0, got, 2, &error));
        assert_memory_equal(got, "ab", 2);
        assert_status(sft_region_read(&decoded, 2, got, 1, &error), SFT_MALFORMED_SOURCE);
        assert_non_null(strstr(error.message, "latin1"));
        sft_sources_free(&all.sources);
    }
}

static void test_labels_are_escaped_and_cut(void **state) {
    (void)state;
    sft_sources sources;
    sft_sources_init(&sources, NULL);
    assert_string_equal(sft_sources_label(&sources, NULL, "a/b", 3), "a/b");
    assert_string_equal(sft_sources_label(&sources, "x.zip", "a\n\0b", 4), "x.zip!a\\n\\x00b");
    char *name = malloc(65535);
    assert_non_null(name);
    memset(name, '\1', 65535);
    assert_true(strlen(sft_sources_label(&sources, "x", name, 65535)) < 1024);
    free(name);
    sft_sources_free(&sources);
}

/* Everything that takes memory, once. */
static sft_status use_all(const sft_allocator *allocator, const bytes *packed) {
    sft_sources sources;
    sft_sources_init(&sources, allocator);
    sft_region memory;
    sft_region unpacked;
    sft_region decoded;
    char byte;
    uint64_t size;
    uint64_t used;
    sft_status status = sft_sources_memory(&sources, packed->at, packed->size, &memory, NULL);
    if (status == SFT_OK) {
        status =
            sft_inflated_size(&memory, SFT_PACKED_ZLIB, 1 << 20, allocator, &size, &used, NULL);
    }
    if (status == SFT_OK) {
        status = sft_sources_inflate(&sources, &memory, SFT_PACKED_ZLIB, size, &unpacked, NULL);
    }
    if (status == SFT_OK) {
        status = sft_sources_latin1(&sources, &unpacked, size, &decoded, NULL);
    }
    if (status == SFT_OK) {
        status = sft_region_read(&decoded, size - 1, &byte, 1, NULL);
    }
    if (status == SFT_OK) {
        status = sft_region_read(&decoded, 0, &byte, 1, NULL);
    }
    sft_sources_free(&sources);
    return status;
}

static void test_every_allocation_may_fail(void **state) {
    (void)state;
    char *plain = calloc(1, 150000);
    assert_non_null(plain);
    bytes packed = deflated(plain, 150000, 15);
    books kept = {0};
    sft_allocator allocator = books_allocator(&kept);
    assert_ok(use_all(&allocator, &packed));
    uint64_t calls = kept.calls;
    assert_true(calls >= 8);
    for (uint64_t i = 1; i <= calls; i++) {
        kept = (books){.fail_at = i};
        assert_status(use_all(&allocator, &packed), SFT_NO_MEMORY);
        assert_int_equal(kept.bytes, 0);
        assert_false(kept.wrong);
    }
    free(packed.at);
    free(plain);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts_stay_inside),
        cmocka_unit_test(test_regions_are_inputs_and_sources),
        cmocka_unit_test(test_failing_files_are_told),
        cmocka_unit_test(test_unpacks_in_any_order),
        cmocka_unit_test(test_exactly_the_declared_size),
        cmocka_unit_test(test_damage_is_told_and_what_is_before_it_read),
        cmocka_unit_test(test_gzip_members_follow_each_other),
        cmocka_unit_test(test_many_streams_take_little_memory),
        cmocka_unit_test(test_going_back_is_bounded),
        cmocka_unit_test(test_text_stands_for_bytes),
        cmocka_unit_test(test_text_beyond_latin1_is_refused),
        cmocka_unit_test(test_labels_are_escaped_and_cut),
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
