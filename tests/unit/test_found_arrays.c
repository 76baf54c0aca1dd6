/* NumPy's arrays: in pickles, in .npy and .npz files, and packed as a whole. */
#include "fixture.h"

#include "archive.h"
#include "found.h"

/* dtype(name, False, True), with the state (3, order, None, None, None, -1, -1, flags). */
#define DTYPE(name, order, flags)                                                                  \
    "cnumpy\ndtype\n(S'" name "'\nI00\nI01\ntR(I3\nS'" order "'\nNNNI-1\nI-1\nI" flags "\ntb"

#define RECONSTRUCT(class) "cnumpy.core.multiarray\n_reconstruct\n(" class "(I0\ntS'b'\ntR"

/* An array by its state (1, shape, dtype, fortran, bytes). */
#define ARRAY(shape, dtype, fortran, bytes)                                                        \
    RECONSTRUCT("cnumpy\nndarray\n") "(I1\n(" shape "t" dtype fortran bytes "tb"

#define LATIN1(text) "c_codecs\nencode\n(V" text "\nVlatin1\ntR"

static void assert_pickle_finds(const char *pickle, const char *found) {
    assert_finds(pickle, strlen(pickle), SFT_FORMAT_PICKLE, found);
}

static void test_arrays(void **state) {
    (void)state;
    static const struct {
        const char *pickle;
        const char *found;
    } rows[] = {
        {DICT(ITEM("a", ARRAY("I2\nI2\n", DTYPE("u1", "|", "0"), "I00\n", LATIN1("abcd")))),
         "a U8 [2,2] dense @0 #0\n"},
        {DICT(ITEM("a", ARRAY("I2\nI2\n", DTYPE("u1", "|", "0"), "I01\n", LATIN1("abcd")))),
         "a U8 [2,2] strides [1,2] @0 #0\n"},
        {DICT(ITEM("a", ARRAY("I1\nI2\n", DTYPE("i2", ">", "0"), "I00\n", "S'abcd'\n"))),
         "a I16 [1,2] dense @0 #0 big\n"},
        {DICT(ITEM("a", ARRAY("", DTYPE("f4", "<", "0"), "I00\n", "Vabcd\n"))),
         "a F32 [] dense @0 #0\n"},
        {DICT(ITEM("a", ARRAY("I2\n", "cnumpy\ndtype\n(S'<f2'\nI00\nI01\ntR", "I00\n",
                              LATIN1("\\u00e9\\u00ffab")))),
         "a F16 [2] dense @0 #0\n"},
        /* Empty bytes are written as bytes() by some protocols. */
        {DICT(ITEM("a",
                   ARRAY("I0\nI3\n", DTYPE("f4", "<", "0"), "I00\n", "c__builtin__\nbytes\n(tR"))),
         "a F32 [0,3] dense @0 #0\n"},
        {DICT(ITEM("a", ARRAY("I1\n", "cnumpy\ndtype\n(cml_dtypes\nbfloat16\nI00\nI01\ntR", "I00\n",
                              LATIN1("ab")))),
         "a BF16 [1] dense @0 #0\n"},
        {DICT(ITEM("a",
                   "cnumpy.core.multiarray\nscalar\n(" DTYPE("f4", "<", "0") LATIN1("abcd") "tR")),
         "a: numpy.generic\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_pickle_finds(rows[i].pickle, rows[i].found);
    }
}

static void test_refused(void **state) {
    (void)state;
    static const struct {
        const char *pickle;
        const char *found;
    } rows[] = {
        {DICT(ITEM("a", ARRAY("I2\n", DTYPE("f4", "<", "0"), "I00\n", LATIN1("abcd")))),
         "a STORAGE_SIZE: 4 bytes stand for its elements, which is not what its shape needs\n"},
        {DICT(ITEM("a", ARRAY("I9223372036854775807\nI9\n", DTYPE("f4", "<", "0"), "I00\n",
                              LATIN1("abcd")))),
         "a STORAGE_SIZE: 4 bytes stand for its elements, which is not what its shape needs\n"},
        {DICT(ITEM("a", ARRAY("I1\n", DTYPE("c16", "<", "0"), "I00\n", LATIN1("abcd")))),
         "a UNSUPPORTED_TENSOR: its elements are of NumPy's type c16, which cannot be converted\n"},
        {DICT(ITEM("a", ARRAY("I1\n", DTYPE("U1", "<", "8"), "I00\n", LATIN1("abcd")))),
         "a UNSUPPORTED_TENSOR: its elements are of NumPy's type U1, which cannot be converted\n"},
        {DICT(ITEM("a", ARRAY("I1\n", "N", "I00\n", LATIN1("abcd")))),
         "a UNSUPPORTED_TENSOR: the type of its elements is described in a way that is not "
         "known\n"},
        {DICT(ITEM("a", ARRAY("I-1\n", DTYPE("f4", "<", "0"), "I00\n", LATIN1("abcd")))),
         "a UNSUPPORTED_TENSOR: its shape is not a tuple of sizes\n"},
        {DICT(ITEM("a", ARRAY("I1\n", DTYPE("f4", "<", "0"), "I00\n", "N"))),
         "a MISSING_STORAGE: what stands for its bytes is no text of bytes\n"},
        {DICT(ITEM("a", RECONSTRUCT("cnumpy\nndarray\n"))),
         "a UNSUPPORTED_TENSOR: it has no state, and so no bytes\n"},
        /* Classes derived from arrays, and arrays of objects, are records. */
        {DICT(ITEM("a", RECONSTRUCT("cnumpy\nmatrix\n"))), "a: numpy.ndarray\n"},
        {DICT(
             ITEM("a", ARRAY("I1\n", DTYPE("O8", "|", "63"), "I00\n",
                             "(l" ARRAY("I1\n", DTYPE("u1", "|", "0"), "I00\n", LATIN1("a")) "a"))),
         "a: numpy.ndarray\na.4.0: numpy.ndarray\n"},
        /* A flag of NumPy's makes any type one of objects. */
        {DICT(ITEM("a", ARRAY("I1\n", DTYPE("f4", "<", "1"), "I00\n", LATIN1("abcd")))),
         "a: numpy.ndarray\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_pickle_finds(rows[i].pickle, rows[i].found);
    }
}

/* Arrays over one text share a storage, unless their bytes are in another order. */
static void test_sharing(void **state) {
    (void)state;
    static const char pickle[] =
        DICT(ITEM("a", ARRAY("I2\n", DTYPE("i2", "<", "0"), "I00\n", "S'abcd'\np7\n"))
                 ITEM("b", ARRAY("I4\n", DTYPE("u1", "|", "0"), "I00\n", "g7\n"))
                     ITEM("c", ARRAY("I2\n", DTYPE("i2", ">", "0"), "I00\n", "g7\n"))
                         ITEM("d", ARRAY("I1\n", DTYPE("i4", ">", "0"), "I00\n", "g7\n")));
    assert_pickle_finds(pickle, "a I16 [2] dense @0 #0\nb U8 [4] dense @0 #0\n"
                                "c I16 [2] dense @0 #1 big\nd I32 [1] dense @0 #1 big\n");
    finding of;
    find(&of, pickle, sizeof pickle - 1);
    assert_found_bytes(&of, "c", "abcd", 4);
    finding_free(&of);
}

static void test_latin1_bytes(void **state) {
    (void)state;
    static const char pickle[] = DICT(
        ITEM("a", ARRAY("I4\n", DTYPE("u1", "|", "0"), "I00\n", LATIN1("\\u00e9\\u00ffa\\u0000"))));
    finding of;
    find(&of, pickle, sizeof pickle - 1);
    assert_found_bytes(&of, "a",
                       "\xe9\xff"
                       "a\0",
                       4);
    finding_free(&of);
}

/* Protocol 5: _frombuffer(bytearray, dtype, shape, order). */
static void test_from_buffer(void **state) {
    (void)state;
    static const char front[] =
        "\x80\5}X\1\0\0\0a\x8c\x13numpy._core.numeric\x8c\x0b_frombuffer\x93("
        "\x96\4\0\0\0\0\0\0\0abcd";
    static const struct {
        const char *back;
        const char *found;
    } rows[] = {
        {DTYPE("u1", "|", "0") "K\2K\2\x86\x8c\1CtRs.", "a U8 [2,2] dense @0 #0\n"},
        {DTYPE("u1", "|", "0") "K\2K\2\x86\x8c\1FtRs.", "a U8 [2,2] strides [1,2] @0 #0\n"},
        {DTYPE("f4", ">", "0") "K\1\x85\x8c\1CtRs.", "a F32 [1] dense @0 #0 big\n"},
        {DTYPE("u1", "|", "0") "K\2K\2\x86\x8c\1KK\0K\1\x86tRs.",
         "a UNSUPPORTED_TENSOR: its axes are in an order that cannot be read here\n"},
        {DTYPE("u1", "|", "0") "K\2K\2\x86\x8c\1XtRs.",
         "a UNSUPPORTED_TENSOR: its order is neither C nor F\n"},
        {DTYPE("f8", "|", "0") "K\1\x85\x8c\1CtRs.",
         "a STORAGE_SIZE: 4 bytes stand for its elements, which is not what its shape needs\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bytes file = {NULL, 0, 0};
        PUT(&file, front);
        put(&file, rows[i].back, strlen(rows[i].back));
        /* NUL ends the text early where K\0 is in it. */
        if (strstr(rows[i].back, "\x8c\1KK") != NULL) {
            PUT(&file, "\0K\1\x86tRs.");
        }
        assert_finds(file.at, file.size, SFT_FORMAT_PICKLE, rows[i].found);
        free(file.at);
    }
    static const char outside[] = "\x80\5}X\1\0\0\0a\x8c\x13numpy._core.numeric\x8c\x0b_frombuffer"
                                  "\x93(\x97" DTYPE("u1", "|", "0") "K\4\x85\x8c\1CtRs.";
    assert_finds(outside, sizeof outside - 1, SFT_FORMAT_PICKLE,
                 "a MISSING_STORAGE: what stands for its bytes is no text of bytes\n");
}

/* ---- files ---- */

static bytes npy_of(const char *descr, const char *fortran, const char *shape, size_t size) {
    char header[128];
    bytes file = {NULL, 0, 0};
    int length =
        snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': %s, 'shape': %s, }",
                 descr, fortran, shape);
    PUT(&file, "\x93NUMPY\1\0");
    put_number(&file, (uint64_t)length, 2);
    put(&file, header, (size_t)length);
    for (size_t i = 0; i < size; i++) {
        put_number(&file, i, 1);
    }
    return file;
}

static void test_npy(void **state) {
    (void)state;
    static const struct {
        const char *descr, *fortran, *shape;
        size_t size;
        const char *found;
    } rows[] = {
        {"<f4", "False", "(2, 3)", 24, "file F32 [2,3] dense @0 #0\n"},
        {">i2", "True", "(2, 3)", 12, "file I16 [2,3] strides [1,2] @0 #0 big\n"},
        {"|O", "False", "(2,)", 5,
         "file UNSUPPORTED_TENSOR: its elements are Python objects, not numbers\n"},
        {"<U1", "False", "(2,)", 8,
         "file UNSUPPORTED_TENSOR: its elements are of NumPy's type <U1, which cannot be "
         "converted\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bytes file = npy_of(rows[i].descr, rows[i].fortran, rows[i].shape, rows[i].size);
        assert_finds(file.at, file.size, SFT_FORMAT_NPY, rows[i].found);
        free(file.at);
    }
    bytes file = npy_of("<f4", "False", "(2, 3)", 23);
    assert_find_fails(file.at, file.size, SFT_MALFORMED_SOURCE, "23 bytes follow");
    finding of;
    find(&of, file.at, 10);
    assert_false(of.found.torch);
    finding_free(&of);
    free(file.at);
}

static void test_npz(void **state) {
    (void)state;
    bytes first = npy_of("|u1", "False", "(3,)", 3);
    bytes second = npy_of("<f8", "False", "()", 8);
    bytes packed = deflated(second.at, second.size, -15);
    archive made = {{0}, {0}, 0, 0, 0};
    const archive_file plain = {.name = "a.b.npy", .data = first.at, .data_size = first.size};
    const archive_file tight = {.name = "folder/c.npy.npy",
                                .data = packed.at,
                                .data_size = packed.size,
                                .method = 8,
                                .size = second.size,
                                .crc = (uint32_t)crc32(0, second.at, (unsigned)second.size)};
    archive_add(&made, &plain);
    archive_add(&made, &tight);
    archive_end(&made);
    assert_finds(made.file.at, made.file.size, SFT_FORMAT_NPZ,
                 "a.b U8 [3] dense @0 #0\nfolder/c.npy F64 [] dense @0 #1\n");
    finding of;
    find(&of, made.file.at, made.file.size);
    assert_found_bytes(&of, "folder/c.npy", "\0\1\2\3\4\5\6\7", 8);
    assert_false(of.found.torch);
    finding_free(&of);
    archive_free(&made);
    /* A member of another kind makes it an archive of another kind. */
    archive_add(&made, &plain);
    archive_add_text(&made, "readme", "a text");
    archive_end(&made);
    assert_find_fails(made.file.at, made.file.size, SFT_UNSUPPORTED_SOURCE, "numpy.savez");
    archive_free(&made);
    /* What a member holds is no array. */
    archive_add_text(&made, "a.npy", "a text that is no array");
    archive_end(&made);
    assert_find_fails(made.file.at, made.file.size, SFT_MALFORMED_SOURCE, "does not begin");
    archive_free(&made);
    free(first.at);
    free(second.at);
    free(packed.at);
}

static void test_packed(void **state) {
    (void)state;
    static const char pickle[] =
        DICT(ITEM("a", ARRAY("I4\n", DTYPE("u1", "|", "0"), "I00\n", LATIN1("abcd"))));
    static const int windows[] = {15, 31};
    for (size_t i = 0; i < 2; i++) {
        bytes packed = deflated(pickle, sizeof pickle - 1, windows[i]);
        assert_finds(packed.at, packed.size, SFT_FORMAT_PICKLE, "a U8 [4] dense @0 #0\n");
        bytes twice = deflated(packed.at, packed.size, 31);
        assert_find_fails(twice.at, twice.size, SFT_UNSUPPORTED_SOURCE, "cannot be converted");
        free(twice.at);
        finding of;
        find(&of, packed.at, packed.size - 5);
        assert_status(of.status, SFT_MALFORMED_SOURCE);
        finding_free(&of);
        free(packed.at);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arrays),      cmocka_unit_test(test_refused),
        cmocka_unit_test(test_sharing),     cmocka_unit_test(test_latin1_bytes),
        cmocka_unit_test(test_from_buffer), cmocka_unit_test(test_npy),
        cmocka_unit_test(test_npz),         cmocka_unit_test(test_packed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
