/* Slices: as text, as shapes, and read in every way, against taking element by element. */
#include "fixture.h"

#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

static sft_status parse(const char *text, uint32_t rank, sft_range *ranges, uint32_t *count,
                        sft_error *error) {
    return sft_slice_parse(text, strlen(text), rank, ranges, count, error);
}

static void expect_ranges(const char *text, uint32_t rank, const char *expected) {
    sft_range ranges[8];
    uint32_t count;
    char found[256] = "";
    size_t used = 0;
    assert_ok(parse(text, rank, ranges, &count, NULL));
    for (uint32_t i = 0; i < count; i++) {
        char one[96];
        if (ranges[i].kind == SFT_INDEX) {
            snprintf(one, sizeof one, " %" PRId64, ranges[i].start);
        } else if (ranges[i].stop == SFT_END) {
            snprintf(one, sizeof one, " %" PRId64 "::%" PRId64, ranges[i].start, ranges[i].step);
        } else {
            snprintf(one, sizeof one, " %" PRId64 ":%" PRId64 ":%" PRId64, ranges[i].start,
                     ranges[i].stop, ranges[i].step);
        }
        used += (size_t)snprintf(found + used, sizeof found - used, "%s", one);
    }
    assert_string_equal(found, expected);
}

static void test_text(void **state) {
    (void)state;
    expect_ranges("[0:2,-1]", 2, " 0:2:1 -1");
    expect_ranges("0:2,-1", 2, " 0:2:1 -1");
    expect_ranges("[ 1 : 9 : 3 , ]", 2, " 1:9:3");
    expect_ranges("[::2]", 1, " 0::2");
    expect_ranges("[:]", 1, " 0::1");
    expect_ranges("[...]", 3, "");
    expect_ranges("[...,3]", 3, " 0::1 0::1 3");
    expect_ranges("[1,...,3]", 3, " 1 0::1 3");
    expect_ranges("[1,...,3]", 2, " 1 3");
    expect_ranges("[1,2,...]", 4, " 1 2");
    expect_ranges("", 0, "");
    expect_ranges("[+3]", 1, " 3");
    expect_ranges("[:99999999999999999999]", 1, " 0::1");
    expect_ranges("[-99999999999999999999:]", 1, " -9223372036854775807::1");
}

static void test_wrong_text(void **state) {
    (void)state;
    static const struct {
        const char *text;
        sft_status status;
        uint64_t byte;
    } cases[] = {
        {"[]", SFT_SLICE_SYNTAX, 1},        {"[", SFT_SLICE_SYNTAX, 1},
        {"[1", SFT_SLICE_SYNTAX, 2},        {"[1]]", SFT_SLICE_SYNTAX, 3},
        {"[1 2]", SFT_SLICE_SYNTAX, 3},     {"[a]", SFT_SLICE_SYNTAX, 1},
        {"[,]", SFT_SLICE_SYNTAX, 1},       {"[-]", SFT_SLICE_SYNTAX, 1},
        {"[1.5]", SFT_SLICE_SYNTAX, 2},     {"[...,...]", SFT_SLICE_SYNTAX, 5},
        {"[1:2:3:4]", SFT_SLICE_SYNTAX, 6}, {"[::0]", SFT_SLICE_STEP, 3},
        {"[::-1]", SFT_SLICE_STEP, 3},      {"[1,2,3]", SFT_SLICE_RANK, 5},
        {"[..]", SFT_SLICE_SYNTAX, 1},      {"[None]", SFT_SLICE_SYNTAX, 1},
        {"1]", SFT_SLICE_SYNTAX, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        sft_range ranges[2];
        uint32_t count;
        sft_error error;
        assert_status(parse(cases[i].text, 2, ranges, &count, &error), cases[i].status);
        assert_int_equal(error.byte, cases[i].byte);
    }
    sft_range ranges[1];
    assert_status(sft_slice_parse(NULL, 1, 1, ranges, NULL, NULL), SFT_INVALID_ARGUMENT);
}

/* ---- reading ---- */

#define DATA 4096U

/* A file of one tensor, opened from memory, by pread, and mapped. */
typedef struct opened {
    fixture_file bytes;
    char path[64];
    sft_file *files[3];
} opened;

static opened open_all(const char *dtype, const char *shape, size_t size) {
    opened o;
    char text[256];
    snprintf(text, sizeof text,
             "{\"w\":{\"dtype\":\"%s\",\"shape\":[%s],\"data_offsets\":[0,%zu]}}", dtype, shape,
             size);
    o.bytes = fixture_make(text, size);
    for (size_t i = 0; i < size; i++) {
        o.bytes.bytes[o.bytes.size - size + i] = (uint8_t)(i ^ (i >> 8) * 29);
    }
    fixture_save(&o.bytes, o.path);
    sft_open_options options = SFT_OPEN_OPTIONS;
    assert_ok(sft_open_memory(o.bytes.bytes, o.bytes.size, NULL, &o.files[0], NULL));
    options.access = SFT_ACCESS_READ;
    assert_ok(sft_open(o.path, &options, &o.files[1], NULL));
    options.access = SFT_ACCESS_MAP;
    assert_ok(sft_open(o.path, &options, &o.files[2], NULL));
    return o;
}

static void close_all(opened *o) {
    for (int i = 0; i < 3; i++) {
        sft_close(o->files[i]);
    }
    unlink(o->path);
    free(o->bytes.bytes);
}

/* What NumPy's rules give for one position of a range, computed the slow way. */
static uint64_t positions(const sft_range *range, uint64_t size, uint64_t *out) {
    uint64_t count = 0;
    int64_t n = (int64_t)size;
    if (range->kind == SFT_INDEX) {
        out[0] = (uint64_t)(range->start < 0 ? range->start + n : range->start);
        return 1;
    }
    int64_t start = range->start < 0 ? range->start + n : range->start;
    int64_t stop = range->stop == SFT_END ? n : range->stop < 0 ? range->stop + n : range->stop;
    start = start < 0 ? 0 : start;
    stop = stop > n ? n : stop;
    for (int64_t i = start; i < stop; i += range->step) {
        out[count++] = (uint64_t)i;
    }
    return count;
}

/* Takes element by element; returns bytes taken. Three dimensions, an element of whole bytes. */
static uint64_t take_slowly(const uint8_t *data, const uint64_t shape[3], uint64_t element,
                            const sft_range ranges[3], uint8_t *to) {
    uint64_t at[3][64];
    uint64_t counts[3];
    for (int d = 0; d < 3; d++) {
        counts[d] = positions(&ranges[d], shape[d], at[d]);
    }
    uint64_t bytes = 0;
    for (uint64_t i = 0; i < counts[0]; i++) {
        for (uint64_t j = 0; j < counts[1]; j++) {
            for (uint64_t k = 0; k < counts[2]; k++) {
                uint64_t place = (at[0][i] * shape[1] + at[1][j]) * shape[2] + at[2][k];
                memcpy(to + bytes, data + place * element, (size_t)element);
                bytes += element;
            }
        }
    }
    return bytes;
}

static uint32_t next_random(uint32_t *seed) {
    *seed = *seed * 1664525U + 1013904223U;
    return *seed >> 8;
}

static sft_range random_range(uint32_t *seed, uint64_t size) {
    int64_t n = (int64_t)size;
    int64_t start = (int64_t)(next_random(seed) % (uint32_t)(2 * n + 3)) - n - 1;
    int64_t stop = (int64_t)(next_random(seed) % (uint32_t)(2 * n + 3)) - n - 1;
    switch (next_random(seed) % 4) {
    case 0:
        return (sft_range){SFT_INDEX, (int64_t)(next_random(seed) % (uint32_t)(2 * n)) - n, 0, 0};
    case 1:
        return (sft_range)SFT_ALL;
    case 2:
        return (sft_range){SFT_RANGE, start, SFT_END, 1 + next_random(seed) % 4};
    default:
        return (sft_range){SFT_RANGE, start, stop, 1 + next_random(seed) % 4};
    }
}

static void compare_one(const opened *o, const uint64_t shape[3], uint64_t element,
                        const sft_range ranges[3]) {
    static uint8_t expected[DATA * 16];
    static uint8_t found[DATA * 16];
    const uint8_t *data = o->bytes.bytes + o->bytes.size - shape[0] * shape[1] * shape[2] * element;
    uint64_t bytes = take_slowly(data, shape, element, ranges, expected);
    for (int i = 0; i < 3; i++) {
        const sft_tensor *tensor = sft_at(o->files[i], 0);
        uint64_t result_shape[3];
        uint32_t rank;
        uint64_t size;
        assert_ok(sft_slice_shape(tensor, ranges, 3, result_shape, &rank, &size, NULL));
        assert_int_equal(size, bytes);
        uint64_t product = element;
        for (uint32_t d = 0; d < rank; d++) {
            product *= result_shape[d];
        }
        assert_int_equal(product, bytes);
        memset(found, 0xee, (size_t)bytes + 1);
        assert_ok(sft_read_slice(o->files[i], tensor, ranges, 3, found, size, NULL));
        assert_memory_equal(found, expected, (size_t)bytes);
        assert_int_equal(found[bytes], 0xee);
    }
}

static void test_against_element_by_element(void **state) {
    (void)state;
    static const struct {
        const char *dtype;
        const char *text;
        uint64_t shape[3];
        uint64_t element;
    } cases[] = {{"U8", "5,7,11", {5, 7, 11}, 1},
                 {"I16", "4,1,9", {4, 1, 9}, 2},
                 {"F32", "3,40,30", {3, 40, 30}, 4},
                 {"F64", "60,2,50", {60, 2, 50}, 8},
                 {"C64", "1,50,8", {1, 50, 8}, 8}};
    uint32_t seed = 12345;
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        const uint64_t *shape = cases[c].shape;
        opened o = open_all(cases[c].dtype, cases[c].text,
                            (size_t)(shape[0] * shape[1] * shape[2] * cases[c].element));
        for (int round = 0; round < 400; round++) {
            sft_range ranges[3];
            for (int d = 0; d < 3; d++) {
                ranges[d] = random_range(&seed, shape[d]);
            }
            compare_one(&o, shape, cases[c].element, ranges);
        }
        close_all(&o);
    }
}

/* How many bytes a slice makes the library read, seen from the caller's own functions. */
typedef struct counting {
    const fixture_file *file;
    uint64_t bytes;
    uint64_t calls;
} counting;

static int counting_size(void *context, uint64_t *size) {
    *size = ((const counting *)context)->file->size;
    return 0;
}

static int64_t counting_read(void *context, uint64_t offset, void *to, size_t size) {
    counting *c = context;
    memcpy(to, c->file->bytes + offset, size);
    c->bytes += size;
    c->calls++;
    return (int64_t)size;
}

static void test_reads_no_more_than_it_must(void **state) {
    (void)state;
    /* 256 rows of 64 KiB: a column block is far apart, a narrow step is not. */
    const size_t size = 256 * 65536;
    char text[128];
    snprintf(text, sizeof text,
             "{\"w\":{\"dtype\":\"U8\",\"shape\":[256,65536],\"data_offsets\":[0,%zu]}}", size);
    fixture_file bytes = fixture_make(text, size);
    counting c = {&bytes, 0, 0};
    sft_source source = {&c, counting_size, counting_read, NULL, NULL};
    sft_file *file;
    assert_ok(sft_open_source(&source, NULL, &file, NULL));
    const sft_tensor *tensor = sft_at(file, 0);
    uint8_t *to = malloc(size);
    assert_non_null(to);

    c.bytes = c.calls = 0;
    sft_range block[] = {SFT_ALL, {SFT_RANGE, 0, 8192, 1}};
    assert_ok(sft_read_slice(file, tensor, block, 2, to, 256 * 8192, NULL));
    assert_int_equal(c.bytes, 256 * 8192);
    assert_int_equal(c.calls, 256);

    c.bytes = c.calls = 0;
    sft_range rows[] = {{SFT_RANGE, 10, 20, 1}};
    assert_ok(sft_read_slice(file, tensor, rows, 1, to, 10 * 65536, NULL));
    assert_int_equal(c.bytes, 10 * 65536);
    assert_int_equal(c.calls, 1);

    c.bytes = c.calls = 0;
    sft_range one_row[] = {{SFT_INDEX, 7, 0, 0}, {SFT_RANGE, 0, SFT_END, 64}};
    assert_ok(sft_read_slice(file, tensor, one_row, 2, to, 1024, NULL));
    assert_true(c.bytes <= 65536);
    assert_int_equal(c.calls, 1);

    c.bytes = c.calls = 0;
    sft_range nothing[] = {{SFT_RANGE, 5, 5, 1}};
    assert_ok(sft_read_slice(file, tensor, nothing, 1, NULL, 0, NULL));
    assert_int_equal(c.calls, 0);
    free(to);
    sft_close(file);
    free(bytes.bytes);
}

/* More runs than are asked for ahead, from a file that the system has to fetch from the disk. */
static void test_a_file_that_is_not_in_memory(void **state) {
    (void)state;
    enum { ROWS = 1000, COLUMNS = 16380, FIRST = 5000, WIDTH = 300 };
    const size_t size = (size_t)ROWS * COLUMNS;
    char text[128];
    snprintf(text, sizeof text,
             "{\"w\":{\"dtype\":\"U8\",\"shape\":[%d,%d],\"data_offsets\":[0,%zu]}}", ROWS, COLUMNS,
             size);
    fixture_file bytes = fixture_make(text, size);
    char path[64];
    fixture_save(&bytes, path);
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(fsync(fd), 0);
    assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
    close(fd);
    sft_file *file;
    assert_ok(sft_open(path, NULL, &file, NULL));
    uint8_t *to = malloc((size_t)ROWS * WIDTH);
    assert_non_null(to);
    sft_range columns[] = {SFT_ALL, {SFT_RANGE, FIRST, FIRST + WIDTH, 1}};
    assert_ok(sft_read_slice(file, sft_at(file, 0), columns, 2, to, (uint64_t)ROWS * WIDTH, NULL));
    const uint8_t *data = bytes.bytes + bytes.size - size;
    for (size_t row = 0; row < ROWS; row++) {
        assert_memory_equal(to + row * WIDTH, data + row * COLUMNS + FIRST, WIDTH);
    }
    free(to);
    sft_close(file);
    unlink(path);
    free(bytes.bytes);
}

static void test_out_of_range(void **state) {
    (void)state;
    opened o = open_all("U8", "3,4", 12);
    const sft_tensor *tensor = sft_at(o.files[0], 0);
    uint8_t to[12];
    sft_error error;
    static const struct {
        sft_range range;
        sft_status status;
    } cases[] = {{{SFT_INDEX, 3, 0, 0}, SFT_INDEX_OUT_OF_RANGE},
                 {{SFT_INDEX, -4, 0, 0}, SFT_INDEX_OUT_OF_RANGE},
                 {{SFT_INDEX, INT64_MIN, 0, 0}, SFT_INDEX_OUT_OF_RANGE},
                 {{SFT_INDEX, INT64_MAX, 0, 0}, SFT_INDEX_OUT_OF_RANGE},
                 {{SFT_RANGE, 0, 3, 0}, SFT_SLICE_STEP},
                 {{SFT_RANGE, 0, 3, INT64_MIN}, SFT_SLICE_STEP},
                 {{(sft_range_kind)7, 0, 3, 1}, SFT_INVALID_ARGUMENT}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_status(sft_read_slice(o.files[0], tensor, &cases[i].range, 1, to, 4, &error),
                      cases[i].status);
        assert_true(error.has_tensor);
        assert_memory_equal(error.tensor, "w", 1);
    }
    sft_range three[] = {SFT_ALL, SFT_ALL, SFT_ALL};
    assert_status(sft_read_slice(o.files[0], tensor, three, 3, to, 12, NULL), SFT_SLICE_RANK);
    assert_status(sft_read_slice(o.files[0], tensor, three, 2, to, 11, NULL), SFT_BUFFER_SIZE);
    assert_status(sft_read_slice(o.files[0], tensor, NULL, 2, to, 12, NULL), SFT_INVALID_ARGUMENT);
    assert_ok(sft_read_slice(o.files[0], tensor, NULL, 0, to, 12, NULL));
    sft_range far[] = {{SFT_RANGE, INT64_MIN, INT64_MAX, INT64_MAX}};
    assert_ok(sft_read_slice(o.files[0], tensor, far, 1, to, 4, NULL));
    close_all(&o);
}

static void test_elements_below_a_byte(void **state) {
    (void)state;
    opened o = open_all("F4", "4,6", 12);
    const sft_tensor *tensor = sft_at(o.files[0], 0);
    const uint8_t *data = sft_data(o.files[0], tensor);
    uint8_t to[12];
    sft_range column[] = {SFT_ALL, {SFT_RANGE, 2, 4, 1}};
    assert_ok(sft_read_slice(o.files[0], tensor, column, 2, to, 4, NULL));
    for (int row = 0; row < 4; row++) {
        assert_int_equal(to[row], data[row * 3 + 1]);
    }
    sft_range odd[] = {SFT_ALL, {SFT_RANGE, 1, 3, 1}};
    sft_range half[] = {SFT_ALL, {SFT_RANGE, 0, 3, 1}};
    sft_range stepped[] = {SFT_ALL, {SFT_RANGE, 0, 6, 2}};
    sft_range single[] = {{SFT_INDEX, 0, 0, 0}, {SFT_INDEX, 0, 0, 0}};
    sft_range *const cut[] = {odd, half, stepped, single};
    for (size_t i = 0; i < 4; i++) {
        uint64_t shape[2];
        uint32_t rank;
        uint64_t bytes;
        assert_status(sft_slice_shape(tensor, cut[i], 2, shape, &rank, &bytes, NULL),
                      SFT_SLICE_PARTIAL_BYTE);
    }
    close_all(&o);

    o = open_all("F6_E2M3", "2,8", 12);
    tensor = sft_at(o.files[1], 0);
    data = sft_data(o.files[0], sft_at(o.files[0], 0));
    sft_range quad[] = {SFT_ALL, {SFT_RANGE, 4, 8, 1}};
    assert_ok(sft_read_slice(o.files[1], tensor, quad, 2, to, 6, NULL));
    assert_memory_equal(to, data + 3, 3);
    assert_memory_equal(to + 3, data + 9, 3);
    close_all(&o);
}

/* Dimensions beyond 2^63 are possible where another one is 0. */
static void test_empty_tensors_of_any_shape(void **state) {
    (void)state;
    opened o = open_all("F32", "0,18446744073709551615,3", 0);
    const sft_tensor *tensor = sft_at(o.files[1], 0);
    uint64_t shape[3];
    uint32_t rank;
    uint64_t bytes;
    sft_range ranges[] = {SFT_ALL, {SFT_RANGE, -2, SFT_END, 1}};
    assert_ok(sft_slice_shape(tensor, ranges, 2, shape, &rank, &bytes, NULL));
    assert_int_equal(bytes, 0);
    assert_int_equal(shape[1], 2);
    sft_range index[] = {{SFT_INDEX, 0, 0, 0}};
    assert_status(sft_slice_shape(tensor, index, 1, shape, &rank, &bytes, NULL),
                  SFT_INDEX_OUT_OF_RANGE);
    assert_ok(sft_read_slice(o.files[1], tensor, ranges, 2, NULL, 0, NULL));
    close_all(&o);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_wrong_text),
        cmocka_unit_test(test_against_element_by_element),
        cmocka_unit_test(test_reads_no_more_than_it_must),
        cmocka_unit_test(test_a_file_that_is_not_in_memory),
        cmocka_unit_test(test_out_of_range),
        cmocka_unit_test(test_elements_below_a_byte),
        cmocka_unit_test(test_empty_tensors_of_any_shape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
