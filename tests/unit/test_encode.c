/* The bytes of new files: order, JSON, padding, and what is refused. */
/* Before any header: nftw(), mkdtemp() and their like. */
#define _GNU_SOURCE

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scratch.h"

typedef struct file {
    unsigned char *bytes;
    uint64_t size;
} file;

/* Encodes what must be encodable. The caller frees the bytes. */
static file encode(const sft_tensor_data *tensors, uint64_t count,
                   const sft_write_options *options) {
    sft_error error;
    file made;
    expect_status(sft_encode_size(tensors, count, options, &made.size, &error), SFT_OK, &error);
    made.bytes = malloc((size_t)made.size);
    assert_non_null(made.bytes);
    expect_status(sft_encode(tensors, count, options, made.bytes, made.size, &error), SFT_OK,
                  &error);
    return made;
}

static void expect_bytes(file made, const void *bytes, size_t size) {
    assert_int_equal(made.size, size);
    assert_memory_equal(made.bytes, bytes, size);
    free(made.bytes);
}

/* The header's text without its padding, as a string. */
static void expect_header(const sft_tensor_data *tensors, uint64_t count,
                          const sft_write_options *options, const char *text) {
    file made = encode(tensors, count, options);
    uint64_t length = 0;
    for (unsigned i = 0; i < 8; i++) {
        length |= (uint64_t)made.bytes[i] << (8 * i);
    }
    assert_int_equal(length % 8, 0);
    size_t end = (size_t)length;
    while (made.bytes[8 + end - 1] == ' ') {
        end--;
    }
    assert_true(length - end < 8);
    assert_int_equal(end, strlen(text));
    assert_memory_equal(made.bytes + 8, text, end);
    free(made.bytes);
}

static const unsigned char zeros[64];

/* A tensor of one dimension; `elements` must fit into the zeros. */
static sft_tensor_data tensor(const char *name, sft_dtype dtype, const uint64_t *elements) {
    uint64_t size = 0;
    assert_int_equal(sft_dtype_size(dtype, elements, 1, &size), SFT_OK);
    assert_true(size <= sizeof zeros);
    return (sft_tensor_data){name, strlen(name), dtype, 1, elements, zeros, size};
}

static const uint64_t four[] = {4};

static void writes_nothing_as_the_peer_does(void **state) {
    (void)state;
    expect_bytes(encode(NULL, 0, NULL), "\x08\0\0\0\0\0\0\0{}      ", 16);
}

static void writes_one_tensor_as_the_peer_does(void **state) {
    (void)state;
    const uint64_t shape[] = {1, 2};
    sft_tensor_data one = {"ab", 2, SFT_U16, 2, shape, "\x01\x02\x03\x04", 4};
    expect_bytes(encode(&one, 1, NULL),
                 "\x40\0\0\0\0\0\0\0{\"ab\":{\"dtype\":\"U16\",\"shape\":[1,2],"
                 "\"data_offsets\":[0,4]}}       \x01\x02\x03\x04",
                 8 + 64 + 4);
}

static void sorts_by_dtype_and_then_by_name(void **state) {
    (void)state;
    /* Every dtype once, lowest rank first, then some names of one dtype. */
    sft_tensor_data tensors[SFT_DTYPES + 5];
    for (unsigned i = 0; i < SFT_DTYPES; i++) {
        tensors[i] = tensor(sft_dtype_name((sft_dtype)i), (sft_dtype)i, four);
    }
    const char *const names[] = {"aa", "\xc3\xa9", "a", "Z", ""};
    for (unsigned i = 0; i < 5; i++) {
        tensors[SFT_DTYPES + i] = tensor(names[i], SFT_U64, four);
    }
    file made = encode(tensors, SFT_DTYPES + 5, NULL);
    sft_file *opened;
    sft_error error;
    expect_status(sft_open_memory(made.bytes, made.size, NULL, &opened, &error), SFT_OK, &error);
    const char *const first[] = {"", "U64", "Z", "a", "aa", "\xc3\xa9"};
    for (unsigned i = 0; i < 6; i++) {
        const sft_tensor *at = sft_at(opened, i);
        assert_int_equal(at->name_length, strlen(first[i]));
        assert_memory_equal(at->name, first[i], at->name_length);
    }
    for (unsigned i = 0; i < SFT_DTYPES; i++) {
        assert_int_equal(sft_at(opened, sft_count(opened) - 1 - i)->dtype, i);
    }
    sft_close(opened);
    free(made.bytes);
}

static void sorts_metadata_by_key(void **state) {
    (void)state;
    const sft_metadata_entry entries[] = {
        {"b", 1, "1", 1}, {"\xc3\xa9", 2, "2", 1}, {"", 0, NULL, 0}, {"ab", 2, "4", 1}};
    sft_write_options options = SFT_WRITE_OPTIONS;
    options.metadata = entries;
    options.metadata_count = 4;
    expect_header(NULL, 0, &options,
                  "{\"__metadata__\":{\"\":\"\",\"ab\":\"4\",\"b\":\"1\",\"\xc3\xa9\":\"2\"}}");
    sft_tensor_data one = tensor("t", SFT_U8, four);
    options.metadata_count = 1;
    expect_header(&one, 1, &options,
                  "{\"__metadata__\":{\"b\":\"1\"},"
                  "\"t\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}");
}

static void writes_empty_metadata_on_demand_only(void **state) {
    (void)state;
    sft_write_options options = SFT_WRITE_OPTIONS;
    options.empty_metadata = true;
    expect_header(NULL, 0, &options, "{\"__metadata__\":{}}");
    options.empty_metadata = false;
    expect_header(NULL, 0, &options, "{}");
}

static void escapes_what_must_be(void **state) {
    (void)state;
    char all[0x81];
    for (int i = 0; i < 0x80; i++) {
        all[i] = (char)i;
    }
    const char wanted[] =
        "\"\\u0000\\u0001\\u0002\\u0003\\u0004\\u0005\\u0006\\u0007\\b\\t\\n\\u000b\\f\\r\\u000e"
        "\\u000f\\u0010\\u0011\\u0012\\u0013\\u0014\\u0015\\u0016\\u0017\\u0018\\u0019\\u001a"
        "\\u001b\\u001c\\u001d\\u001e\\u001f !\\\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQR"
        "STUVWXYZ[\\\\]^_`abcdefghijklmnopqrstuvwxyz{|}~\x7f\"";
    char quoted[512];
    size_t length = sft_json_quote(all, 0x80, quoted, sizeof quoted);
    assert_int_equal(length, sizeof wanted - 1);
    assert_memory_equal(quoted, wanted, length);
    /* Beyond ASCII nothing is escaped, not even the line separator. */
    assert_int_equal(sft_json_quote("\xe2\x80\xa8", 3, quoted, sizeof quoted), 5);
    assert_memory_equal(quoted, "\"\xe2\x80\xa8\"", 5);
}

static void quotes_only_into_enough_room(void **state) {
    (void)state;
    char to[4] = "....";
    assert_int_equal(sft_json_quote("ab", 2, NULL, 0), 4);
    assert_int_equal(sft_json_quote("ab", 2, to, 3), 4);
    assert_memory_equal(to, "....", 4);
    assert_int_equal(sft_json_quote("ab", 2, to, 4), 4);
    assert_memory_equal(to, "\"ab\"", 4);
    assert_int_equal(sft_json_quote(NULL, 0, to, 4), 2);
    assert_memory_equal(to, "\"\"", 2);
}

static void aligns_the_data(void **state) {
    (void)state;
    sft_tensor_data one = tensor("t", SFT_U8, four);
    sft_write_options options = SFT_WRITE_OPTIONS;
    for (uint64_t alignment = 8; alignment <= UINT64_C(1) << 20; alignment *= 2) {
        options.alignment = alignment;
        file made = encode(&one, 1, &options);
        sft_file *opened;
        sft_error error;
        expect_status(sft_open_memory(made.bytes, made.size, NULL, &opened, &error), SFT_OK,
                      &error);
        uint64_t start = sft_header_data_start(sft_file_header(opened));
        assert_int_equal(start % alignment, 0);
        assert_true(start < alignment + 72);
        sft_close(opened);
        free(made.bytes);
    }
}

static void takes_options_of_older_programs(void **state) {
    (void)state;
    sft_tensor_data one = tensor("t", SFT_U8, four);
    sft_write_options options = SFT_WRITE_OPTIONS;
    uint64_t plain;
    uint64_t size;
    sft_error error;
    expect_status(sft_encode_size(&one, 1, NULL, &plain, &error), SFT_OK, &error);
    options.alignment = 4096;
    options.struct_size = offsetof(sft_write_options, alignment);
    expect_status(sft_encode_size(&one, 1, &options, &size, &error), SFT_OK, &error);
    assert_int_equal(size, plain);
    options.struct_size += sizeof options.alignment;
    expect_status(sft_encode_size(&one, 1, &options, &size, &error), SFT_OK, &error);
    assert_int_equal(size, 4096 + 4);
    options.struct_size = sizeof options + 64;
    expect_status(sft_encode_size(&one, 1, &options, &size, &error), SFT_OK, &error);
    options.struct_size = 0;
    expect_status(sft_encode_size(&one, 1, &options, &size, &error), SFT_INVALID_ARGUMENT, &error);
}

/* ---- what is refused ---- */

static sft_error refuse(const sft_tensor_data *tensors, uint64_t count,
                        const sft_write_options *options, sft_status wanted) {
    char to[1];
    sft_error error = {.status = SFT_OK};
    uint64_t size = 77;
    assert_int_equal(sft_encode_size(tensors, count, options, &size, &error), wanted);
    assert_int_equal(size, 77);
    assert_int_equal(error.status, wanted);
    assert_true(strlen(error.message) > 0);
    assert_int_equal(sft_encode(tensors, count, options, to, sizeof to, NULL), wanted);
    assert_int_equal(sft_write(scratch("refused"), tensors, count, options, NULL), wanted);
    assert_int_equal(scratch_count("."), 0);
    return error;
}

static void refuses_names_that_are_not_utf8(void **state) {
    (void)state;
    const char *const names[] = {
        "\x80",           "a\xff",           "\xc0\xaf",         "\xed\xa0\x80",
        "\xf5\x80\x80",   "\xe2\x82",        "\xf0\x80\x80\x80", "\xc3(",
        "ok\xc3\xa9\xfe", "\xf4\x90\x80\x80"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        sft_tensor_data one = tensor(names[i], SFT_U8, four);
        sft_error error = refuse(&one, 1, NULL, SFT_INVALID_NAME);
        assert_true(error.has_tensor || strstr(error.message, "name") != NULL);
        sft_metadata_entry entry = {names[i], strlen(names[i]), "v", 1};
        sft_write_options options = SFT_WRITE_OPTIONS;
        options.metadata = &entry;
        options.metadata_count = 1;
        refuse(NULL, 0, &options, SFT_INVALID_NAME);
        entry = (sft_metadata_entry){"k", 1, names[i], strlen(names[i])};
        refuse(NULL, 0, &options, SFT_INVALID_NAME);
    }
}

static void refuses_the_reserved_name_only(void **state) {
    (void)state;
    sft_tensor_data one = tensor("__metadata__", SFT_U8, four);
    refuse(&one, 1, NULL, SFT_RESERVED_NAME);
    one.name_length--;
    free(encode(&one, 1, NULL).bytes);
    one = tensor("__METADATA__", SFT_U8, four);
    free(encode(&one, 1, NULL).bytes);
    one.name = "__metadata__\0";
    one.name_length = 13;
    free(encode(&one, 1, NULL).bytes);
}

static void refuses_names_used_twice(void **state) {
    (void)state;
    sft_tensor_data two[] = {tensor("same", SFT_U8, four), tensor("other", SFT_U8, four),
                             tensor("same", SFT_F64, four)};
    sft_error error = refuse(two, 3, NULL, SFT_DUPLICATE_NAME);
    assert_true(error.has_tensor);
    assert_string_equal(error.tensor, "same");
    const sft_metadata_entry entries[] = {{"k", 1, "1", 1}, {"l", 1, "2", 1}, {"k", 1, "1", 1}};
    sft_write_options options = SFT_WRITE_OPTIONS;
    options.metadata = entries;
    options.metadata_count = 3;
    error = refuse(NULL, 0, &options, SFT_DUPLICATE_NAME);
    assert_non_null(strstr(error.message, "\"k\""));
    /* A tensor and a key may share a name, and so may names that differ behind a NUL. */
    options.metadata_count = 2;
    sft_tensor_data good[] = {tensor("k", SFT_U8, four), tensor("k", SFT_U8, four)};
    good[0].name = "k\0a";
    good[0].name_length = 3;
    free(encode(good, 2, &options).bytes);
}

static void refuses_shapes_that_do_not_fit(void **state) {
    (void)state;
    uint64_t ones[65];
    for (unsigned i = 0; i < 65; i++) {
        ones[i] = 1;
    }
    sft_tensor_data one = {"t", 1, SFT_U8, 65, ones, zeros, 1};
    refuse(&one, 1, NULL, SFT_RANK_TOO_LARGE);
    one.rank = 64;
    free(encode(&one, 1, NULL).bytes);

    const uint64_t wide[] = {UINT64_C(1) << 32, UINT64_C(1) << 32, 0};
    one = (sft_tensor_data){"t", 1, SFT_U8, 3, wide, NULL, 0};
    refuse(&one, 1, NULL, SFT_SIZE_OVERFLOW);
    const uint64_t odd[] = {3};
    one = (sft_tensor_data){"t", 1, SFT_F4, 1, odd, zeros, 2};
    refuse(&one, 1, NULL, SFT_PARTIAL_BYTE);
    one = (sft_tensor_data){"t", 1, SFT_F6_E2M3, 1, odd, zeros, 3};
    refuse(&one, 1, NULL, SFT_PARTIAL_BYTE);

    /* Each fits, but not all together. */
    const uint64_t huge[] = {(UINT64_C(1) << 61) - 1};
    sft_tensor_data many[9];
    char names[9][2] = {"a", "b", "c", "d", "e", "f", "g", "h", "i"};
    for (unsigned i = 0; i < 9; i++) {
        many[i] = (sft_tensor_data){names[i], 1, SFT_U8, 1, huge, zeros, huge[0]};
    }
    uint64_t size;
    assert_int_equal(sft_encode_size(many, 9, NULL, &size, NULL), SFT_SIZE_OVERFLOW);
    /* The data alone would fit here, but not with the header before it. */
    many[8].shape = four;
    many[8].size = 4;
    assert_int_equal(sft_encode_size(many, 9, NULL, &size, NULL), SFT_SIZE_OVERFLOW);
}

static void refuses_wrong_arguments(void **state) {
    (void)state;
    sft_tensor_data good = tensor("t", SFT_U8, four);
    sft_tensor_data one = good;
    one.size = 5;
    refuse(&one, 1, NULL, SFT_BUFFER_SIZE);
    one = good;
    one.dtype = (sft_dtype)SFT_DTYPES;
    refuse(&one, 1, NULL, SFT_INVALID_ARGUMENT);
    one = good;
    one.name = NULL;
    refuse(&one, 1, NULL, SFT_INVALID_ARGUMENT);
    one = good;
    one.shape = NULL;
    refuse(&one, 1, NULL, SFT_INVALID_ARGUMENT);
    refuse(NULL, 1, NULL, SFT_INVALID_ARGUMENT);

    sft_error error;
    uint64_t size;
    char to[200];
    one = good;
    one.data = NULL;
    expect_status(sft_encode_size(&one, 1, NULL, &size, &error), SFT_OK, &error);
    expect_status(sft_encode(&one, 1, NULL, to, size, &error), SFT_INVALID_ARGUMENT, &error);
    expect_status(sft_encode(&good, 1, NULL, to, size - 1, &error), SFT_BUFFER_SIZE, &error);
    expect_status(sft_encode(&good, 1, NULL, to, size + 1, &error), SFT_BUFFER_SIZE, &error);
    expect_status(sft_encode(&good, 1, NULL, NULL, size, &error), SFT_INVALID_ARGUMENT, &error);
    expect_status(sft_encode_size(&good, 1, NULL, NULL, &error), SFT_INVALID_ARGUMENT, &error);
    expect_status(sft_write(NULL, &good, 1, NULL, &error), SFT_INVALID_ARGUMENT, &error);

    sft_write_options options = SFT_WRITE_OPTIONS;
    const uint64_t alignments[] = {1, 4, 7, 12, 4095, UINT64_C(1) << 21, UINT64_MAX};
    for (size_t i = 0; i < sizeof alignments / sizeof alignments[0]; i++) {
        options.alignment = alignments[i];
        refuse(&good, 1, &options, SFT_INVALID_ARGUMENT);
    }
    options = (sft_write_options)SFT_WRITE_OPTIONS;
    options.metadata_count = 1;
    refuse(&good, 1, &options, SFT_INVALID_ARGUMENT);
    const sft_allocator useless = {NULL, NULL, NULL, NULL};
    options = (sft_write_options)SFT_WRITE_OPTIONS;
    options.allocator = &useless;
    refuse(&good, 1, &options, SFT_INVALID_ARGUMENT);
}

/* The header may take 100,000,000 bytes and not one more. */
static void keeps_to_the_largest_header(void **state) {
    (void)state;
    size_t length = 100000000 - strlen("{\"__metadata__\":{\"k\":\"\"}}");
    char *value = malloc(length + 1);
    assert_non_null(value);
    memset(value, 'v', length + 1);
    sft_metadata_entry entry = {"k", 1, value, length};
    sft_write_options options = SFT_WRITE_OPTIONS;
    options.metadata = &entry;
    options.metadata_count = 1;
    uint64_t size;
    sft_error error;
    expect_status(sft_encode_size(NULL, 0, &options, &size, &error), SFT_OK, &error);
    assert_int_equal(size, 8 + 100000000);
    /* 100,000,008 is no multiple of 64. */
    options.alignment = 64;
    expect_status(sft_encode_size(NULL, 0, &options, &size, &error), SFT_HEADER_TOO_LARGE, &error);
    options.alignment = 0;
    entry.value_length++;
    expect_status(sft_encode_size(NULL, 0, &options, &size, &error), SFT_HEADER_TOO_LARGE, &error);
    free(value);
    /* So many cannot fit, whatever they are: told before they are looked at. */
    options.metadata_count = 100000001;
    expect_status(sft_encode_size(NULL, 0, &options, &size, &error), SFT_HEADER_TOO_LARGE, &error);
}

/* ---- whatever is written can be read ---- */

static uint64_t random_state = 20240611;

static uint64_t random_below(uint64_t bound) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % bound;
}

static void expect_equal(const sft_file *opened, const sft_tensor_data *given) {
    const sft_tensor *found = sft_find(opened, given->name, given->name_length);
    assert_non_null(found);
    assert_int_equal(found->dtype, given->dtype);
    assert_int_equal(found->rank, given->rank);
    for (uint32_t i = 0; i < given->rank; i++) {
        assert_int_equal(found->shape[i], given->shape[i]);
    }
    assert_int_equal(found->end - found->begin, given->size);
    assert_memory_equal(sft_data(opened, found), given->data, (size_t)given->size);
}

static void writes_what_reads_back(void **state) {
    (void)state;
    static unsigned char data[20][64];
    static uint64_t shapes[20][3];
    static char names[20][24];
    for (int round = 0; round < 2000; round++) {
        sft_tensor_data tensors[20];
        uint64_t count = random_below(20);
        for (uint64_t i = 0; i < count; i++) {
            sft_dtype dtype = (sft_dtype)random_below(SFT_DTYPES);
            uint32_t rank = (uint32_t)random_below(4);
            uint64_t size;
            for (uint32_t d = 0; d < rank; d++) {
                shapes[i][d] = d == 0 ? random_below(2) * 4 : random_below(2) + 1;
            }
            if (sft_dtype_size(dtype, shapes[i], rank, &size) != SFT_OK || size > 64) {
                dtype = SFT_U8;
                rank = 0;
                size = 1;
            }
            for (uint64_t b = 0; b < size; b++) {
                data[i][b] = (unsigned char)random_below(256);
            }
            size_t length =
                (size_t)snprintf(names[i], sizeof names[i], "%c%c\xe2\x82\xac%u",
                                 (int)random_below(128), (int)random_below(128), (unsigned)i);
            tensors[i] = (sft_tensor_data){names[i], length, dtype, rank, shapes[i], data[i], size};
        }
        file made = encode(tensors, count, NULL);
        sft_file *opened;
        sft_error error;
        expect_status(sft_open_memory(made.bytes, made.size, NULL, &opened, &error), SFT_OK,
                      &error);
        assert_int_equal(sft_count(opened), count);
        for (uint64_t i = 0; i < count; i++) {
            expect_equal(opened, &tensors[i]);
        }
        sft_close(opened);
        /* The order in which they are given makes no difference. */
        for (uint64_t i = 0; i + 1 < count; i++) {
            uint64_t other = i + random_below(count - i);
            sft_tensor_data kept = tensors[i];
            tensors[i] = tensors[other];
            tensors[other] = kept;
        }
        file again = encode(tensors, count, NULL);
        assert_int_equal(again.size, made.size);
        assert_memory_equal(again.bytes, made.bytes, (size_t)made.size);
        sft_error write_error;
        expect_status(sft_write(scratch("same"), tensors, count, NULL, &write_error), SFT_OK,
                      &write_error);
        assert_true(scratch_holds("same", made.bytes, (size_t)made.size));
        free(made.bytes);
        free(again.bytes);
    }
    assert_int_equal(scratch_count("."), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_nothing_as_the_peer_does),
        cmocka_unit_test(writes_one_tensor_as_the_peer_does),
        cmocka_unit_test(sorts_by_dtype_and_then_by_name),
        cmocka_unit_test(sorts_metadata_by_key),
        cmocka_unit_test(writes_empty_metadata_on_demand_only),
        cmocka_unit_test(escapes_what_must_be),
        cmocka_unit_test(quotes_only_into_enough_room),
        cmocka_unit_test(aligns_the_data),
        cmocka_unit_test(takes_options_of_older_programs),
        cmocka_unit_test(refuses_names_that_are_not_utf8),
        cmocka_unit_test(refuses_the_reserved_name_only),
        cmocka_unit_test(refuses_names_used_twice),
        cmocka_unit_test(refuses_shapes_that_do_not_fit),
        cmocka_unit_test(refuses_wrong_arguments),
        cmocka_unit_test(keeps_to_the_largest_header),
        cmocka_unit_test(writes_what_reads_back),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
