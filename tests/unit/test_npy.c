/* Headers of .npy files, and what NumPy's descriptions of types say. */
#include "fixture.h"

#include "archive.h"

#include "base/memory.h"
#include "checkpoint/npy.h"

/* A file of version 1.0 with this header and some bytes of data. */
static sft_status read_header(const char *header, size_t data, sft_npy *npy, sft_error *error) {
    bytes file = {NULL, 0, 0};
    sft_allocator allocator = sft_allocator_of(NULL);
    put(&file, "\x93NUMPY\1\0", 8);
    put_number(&file, strlen(header), 2);
    put(&file, header, strlen(header));
    for (size_t i = 0; i < data; i++) {
        put_number(&file, i, 1);
    }
    held as;
    hold(&as, file.at, file.size);
    memset(error, 0, sizeof *error);
    sft_status status = sft_npy_read(&as.region, &allocator, npy, error);
    sft_sources_free(&as.sources);
    free(file.at);
    return status;
}

static void test_headers(void **state) {
    (void)state;
    static const struct {
        const char *header;
        size_t data;
        sft_dtype dtype;
        uint32_t rank;
        uint64_t shape[3];
        bool fortran, big;
    } rows[] = {
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }   \n",
         24,
         SFT_F32,
         2,
         {2, 3},
         false,
         false},
        {"{'descr': '>i2', 'fortran_order': True, 'shape': (3,), }",
         6,
         SFT_I16,
         1,
         {3},
         true,
         true},
        {"{'shape': (), 'descr': '|b1', 'fortran_order': False}",
         1,
         SFT_BOOL,
         0,
         {0},
         false,
         false},
        {"{'shape': (2, 0, 9), 'descr': '<c8', 'fortran_order': False}",
         0,
         SFT_C64,
         3,
         {2, 0, 9},
         false,
         false},
        /* Python 2 wrote these. */
        {"{'descr': '<i8', 'fortran_order': False, 'shape': (1L, 2L), }",
         16,
         SFT_I64,
         2,
         {1, 2},
         false,
         false},
        {"{u'descr': u'<u4', u'fortran_order': False, u'shape': (1,)}",
         4,
         SFT_U32,
         1,
         {1},
         false,
         false},
        /* Literals have more than one spelling. */
        {"  {\"d\\x65scr\"\t: '\\074f\\u0034',\n'fortran_order':False,'shape':(1,),}\n",
         4,
         SFT_F32,
         1,
         {1},
         false,
         false},
        /* Of keys that stand twice the later one counts. */
        {"{'shape': (9,), 'descr': '|O', 'descr': '<f8', 'fortran_order': True, 'shape': (1,), "
         "'fortran_order': False}",
         8,
         SFT_F64,
         1,
         {1},
         false,
         false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sft_npy npy;
        sft_error error;
        if (read_header(rows[i].header, rows[i].data, &npy, &error) != SFT_OK) {
            fail_msg("%s: %s", rows[i].header, error.message);
        }
        assert_true(npy.dtype.supported && !npy.dtype.object);
        assert_int_equal(npy.dtype.dtype, rows[i].dtype);
        assert_int_equal(npy.dtype.big_endian, rows[i].big);
        assert_int_equal(npy.fortran, rows[i].fortran);
        assert_int_equal(npy.rank, rows[i].rank);
        assert_memory_equal(npy.shape, rows[i].shape, rows[i].rank * sizeof *npy.shape);
        assert_int_equal(npy.data, 10 + strlen(rows[i].header));
    }
}

static void test_bad_headers(void **state) {
    (void)state;
    static const struct {
        const char *header;
        const char *words;
    } rows[] = {
        {"{'descr': __import__('os'), 'fortran_order': False, 'shape': ()}",
         "type of the elements"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1)}", "not a tuple"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': [1]}", "not a tuple"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", "not negative"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1.0,)}", "not a whole one"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1e3,)}", "not a whole one"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (True,)}", "not negative"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (01,)}", "begins with zero"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (18446744073709551616,)}", "2^64"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}", "2^64"},
        {"{'descr': '<f4', 'fortran_order': 0, 'shape': ()}", "neither True nor False"},
        {"{'descr': '<f4', 'fortran_order': Falsey, 'shape': ()}", "neither True nor False"},
        {"{'descr': '<f4', 'fortran_order': False}", "missing"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (), 'x': 1}", "other than"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': ()} x", "behind"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': ()", "not closed"},
        {"('descr', '<f4')", "not a dict"},
        {"{'descr': '<f4\n', 'fortran_order': False, 'shape': ()}", "end of its line"},
        {"{'descr': '''<f4''', 'fortran_order': False, 'shape': ()}", "three quotes"},
        {"{'descr': '<f4' '2', 'fortran_order': False, 'shape': ()}", "not closed"},
        {"{'descr': b'<f4', 'fortran_order': False, 'shape': ()}", "type of the elements"},
        {"{'descr': '\\ud800', 'fortran_order': False, 'shape': ()}", "no character"},
        {"{'descr': '\\N{SPACE}', 'fortran_order': False, 'shape': ()}", "escape"},
        {"{'descr': '<x4', 'fortran_order': False, 'shape': ()}", "no type"},
        {"{'descr': 5, 'fortran_order': False, 'shape': ()}", "type of the elements"},
        {"{'descr': [('a', '<f4'], 'fortran_order': False, 'shape': ()}", "not closed"},
        {"{'descr': [('a', os)], 'fortran_order': False, 'shape': ()}", "type of the elements"},
        {"", "not a dict"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sft_npy npy;
        sft_error error;
        sft_status status = read_header(rows[i].header, 4, &npy, &error);
        if (status != SFT_MALFORMED_SOURCE || strstr(error.message, rows[i].words) == NULL) {
            fail_msg("%s: %s: %s", rows[i].header, sft_status_name(status), error.message);
        }
    }
}

static void test_sizes(void **state) {
    (void)state;
    static const char header[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}";
    sft_npy npy;
    sft_error error;
    assert_ok(read_header(header, 8, &npy, &error));
    assert_status(read_header(header, 7, &npy, &error), SFT_MALFORMED_SOURCE);
    assert_status(read_header(header, 9, &npy, &error), SFT_MALFORMED_SOURCE);
    assert_non_null(strstr(error.message, "9 bytes follow"));
    assert_int_equal(error.byte, 10 + strlen(header));
    /* Types that are none of ours have sizes too, where they are known. */
    static const char texts[] = "{'descr': '<U5', 'fortran_order': False, 'shape': (2,)}";
    assert_ok(read_header(texts, 40, &npy, &error));
    assert_false(npy.dtype.supported);
    assert_status(read_header(texts, 10, &npy, &error), SFT_MALFORMED_SOURCE);
}

static void test_rank(void **state) {
    (void)state;
    char header[512] = "{'descr': '|u1', 'fortran_order': False, 'shape': (";
    sft_npy npy;
    sft_error error;
    for (int i = 0; i < 64; i++) {
        strcat(header, "1,");
    }
    size_t end = strlen(header);
    strcpy(header + end, ")}");
    assert_ok(read_header(header, 1, &npy, &error));
    assert_int_equal(npy.rank, 64);
    strcpy(header + end, "1)}");
    assert_status(read_header(header, 1, &npy, &error), SFT_SOURCE_LIMIT);
}

/* What lies in a structured type must be known: objects in it are pickled. */
static void test_structured(void **state) {
    (void)state;
    static const struct {
        const char *descr;
        bool object;
    } rows[] = {
        {"[('a', '<f4'), ('b', '<i2', (2, 3))]", false},
        {"[('O', '<f4')]", false},
        {"[(('O', 'object'), '<f4')]", false},
        {"[('a', '|O')]", true},
        {"[('a', [('b', '<f4'), ('c', '|O', (2,))])]", true},
        {"[(('title', 'a'), ('|O', (2,)))]", true},
        {"('|O', (2,))", true},
        {"('<f4', (2,))", false},
        {"[]", false},
        {"'O'", true},
        {"'object'", true},
        {"'f4,O'", true},
        {"'f4,i4'", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char header[256];
        snprintf(header, sizeof header, "{'descr': %s, 'fortran_order': False, 'shape': (2,)}",
                 rows[i].descr);
        sft_npy npy;
        sft_error error;
        if (read_header(header, 5, &npy, &error) != SFT_OK) {
            fail_msg("%s: %s", header, error.message);
        }
        assert_false(npy.dtype.supported);
        if (npy.dtype.object != rows[i].object) {
            fail_msg("%s: objects are not told", header);
        }
    }
    char deep[600] = "{'descr': ";
    memset(deep + strlen(deep), '[', 65);
    sft_npy npy;
    sft_error error;
    assert_status(read_header(deep, 0, &npy, &error), SFT_MALFORMED_SOURCE);
    assert_non_null(strstr(error.message, "too deep"));
}

static void test_files(void **state) {
    (void)state;
    static const char header[] = "{'descr': '|u1', 'fortran_order': False, 'shape': (1,)}";
    static const struct {
        const char *front;
        size_t size;
        sft_status status;
    } rows[] = {
        {"\x93NUMPY\1\0\x37\0", 10, SFT_OK},
        {"\x93NUMPY\2\0\x37\0\0\0", 12, SFT_OK},
        {"\x93NUMPY\3\0\x37\0\0\0", 12, SFT_OK},
        {"\x93NUMPY\4\0\x37\0\0\0", 12, SFT_MALFORMED_SOURCE},
        {"\x93NUMPY\1\1\x37\0", 10, SFT_MALFORMED_SOURCE},
        {"\x93NUMPX\1\0\x37\0", 10, SFT_MALFORMED_SOURCE},
        {"\x93NUMPY\1\0\xff\xff", 10, SFT_MALFORMED_SOURCE},
        {"\x93NUMPY\2\0\xff\xff\xff\xff", 12, SFT_MALFORMED_SOURCE},
    };
    sft_allocator allocator = sft_allocator_of(NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bytes file = {NULL, 0, 0};
        put(&file, rows[i].front, rows[i].size);
        put(&file, header, sizeof header - 1);
        put(&file, "\7", 1);
        held as;
        hold(&as, file.at, file.size);
        sft_npy npy;
        assert_status(sft_npy_read(&as.region, &allocator, &npy, NULL), rows[i].status);
        sft_sources_free(&as.sources);
        /* No file that is cut anywhere is read. */
        for (size_t size = 0; size < file.size; size++) {
            hold(&as, file.at, size);
            assert_status(sft_npy_read(&as.region, &allocator, &npy, NULL), SFT_MALFORMED_SOURCE);
            sft_sources_free(&as.sources);
        }
        free(file.at);
    }
}

static void test_long_header(void **state) {
    (void)state;
    static const char header[] = "{'descr': '|u1', 'fortran_order': False, 'shape': (0,)}";
    sft_allocator allocator = sft_allocator_of(NULL);
    for (uint64_t length = UINT64_C(1) << 20; length <= (UINT64_C(1) << 20) + 1; length++) {
        bytes file = {NULL, 0, 0};
        put(&file, "\x93NUMPY\2\0", 8);
        put_number(&file, length, 4);
        put(&file, header, sizeof header - 1);
        while (file.size < length + 12) {
            put(&file, " ", 1);
        }
        held as;
        hold(&as, file.at, file.size);
        sft_npy npy;
        assert_status(sft_npy_read(&as.region, &allocator, &npy, NULL),
                      length > 1 << 20 ? SFT_SOURCE_LIMIT : SFT_OK);
        sft_sources_free(&as.sources);
        free(file.at);
    }
}

static void test_types(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int dtype; /* -1: none of ours */
        uint64_t size;
        bool big;
    } rows[] = {
        {"<f4", SFT_F32, 4, false},    {">f4", SFT_F32, 4, true}, {"=f8", SFT_F64, 8, false},
        {"|u1", SFT_U8, 1, false},     {">u1", SFT_U8, 1, false}, {"f2", SFT_F16, 2, false},
        {"?", SFT_BOOL, 1, false},     {"d", SFT_F64, 8, false},  {"<i8", SFT_I64, 8, false},
        {"uint16", SFT_U16, 2, false}, {">c8", SFT_C64, 8, true}, {"<c16", -1, 16, false},
        {"<f16", -1, 16, false},       {"<g", -1, 0, false},      {"S5", -1, 5, false},
        {"<U5", -1, 20, false},        {"|V8", -1, 8, false},     {"<M8[ns]", -1, 8, false},
        {"<m8", -1, 8, false},         {"l", -1, 0, false},       {"(2,3)f4", -1, 0, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sft_numpy_dtype dtype;
        sft_error error;
        if (sft_numpy_dtype_parse(rows[i].text, strlen(rows[i].text), &dtype, &error) != SFT_OK) {
            fail_msg("%s: %s", rows[i].text, error.message);
        }
        assert_string_equal(dtype.text, rows[i].text);
        assert_int_equal(dtype.supported, rows[i].dtype >= 0);
        assert_true(rows[i].dtype < 0 || dtype.dtype == (sft_dtype)rows[i].dtype);
        assert_int_equal(dtype.item_size, rows[i].size);
        assert_int_equal(dtype.big_endian, rows[i].big);
        assert_false(dtype.object);
    }
    static const char *const bad[] = {
        "", "<", "f5", "x4", "f 4", "<<f4", "S-1", "f4\n", "S99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        sft_numpy_dtype dtype;
        assert_status(sft_numpy_dtype_parse(bad[i], strlen(bad[i]), &dtype, NULL),
                      SFT_MALFORMED_SOURCE);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers),     cmocka_unit_test(test_bad_headers),
        cmocka_unit_test(test_sizes),       cmocka_unit_test(test_rank),
        cmocka_unit_test(test_structured),  cmocka_unit_test(test_files),
        cmocka_unit_test(test_long_header), cmocka_unit_test(test_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
