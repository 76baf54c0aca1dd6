/* Arrays that joblib.dump writes as raw bytes between opcodes. */
#include "fixture.h"

#include "archive.h"
#include "found.h"

#include "checkpoint/joblib.h"

#define DTYPE(name, order, flags)                                                                  \
    "cnumpy\ndtype\n(S'" name "'\nI00\nI01\ntR(I3\nS'" order "'\nNNNI-1\nI-1\nI" flags "\ntb"
#define WRAPPER "cjoblib.numpy_pickle\nNumpyArrayWrapper\n"
#define STATE(shape, order, dtype, more)                                                           \
    "(dS'subclass'\ncnumpy\nndarray\nsS'shape'\n(" shape "tsS'order'\nS'" order                    \
    "'\nsS'dtype'\n" dtype "sS'allow_mmap'\nI01\ns" more

/* {'a': array, 'b': 1} whose array's bytes follow its wrapper. */
static bytes dump_of(const char *wrapper, const void *raw, size_t size) {
    bytes file = {NULL, 0, 0};
    PUT(&file, "\x80\2(dS'a'\n");
    put(&file, wrapper, strlen(wrapper));
    put(&file, raw, size);
    PUT(&file, "sS'b'\nI1\ns.");
    return file;
}

static void test_arrays(void **state) {
    (void)state;
    static const struct {
        const char *wrapper;
        const char *raw;
        size_t size;
        const char *found;
    } rows[] = {
        {WRAPPER ")\x81" STATE("I2\nI2\n", "C", DTYPE("u1", "|", "0"), "") "b", "abcd", 4,
         "a U8 [2,2] dense @0 #0\nb: int\n"},
        {WRAPPER ")\x81" STATE("I2\nI2\n", "F", DTYPE("u1", "|", "0"), "") "b", "abcd", 4,
         "a U8 [2,2] strides [1,2] @0 #0\nb: int\n"},
        {WRAPPER ")\x81" STATE("I1\n", "C", DTYPE("f4", ">", "0"), "") "b", "abcd", 4,
         "a F32 [1] dense @0 #0 big\nb: int\n"},
        /* With alignment, a byte tells how much padding there is. */
        {WRAPPER ")\x81" STATE("I4\n", "C", DTYPE("u1", "|", "0"),
                               "S'numpy_array_alignment_bytes'\nI16\ns") "b",
         "\3...abcd", 8, "a U8 [4] dense @0 #0\nb: int\n"},
        {WRAPPER ")\x81" STATE("I0\nI5\n", "C", DTYPE("f8", "<", "0"), "") "b", "", 0,
         "a F64 [0,5] dense @0 #0\nb: int\n"},
        {WRAPPER ")\x81" STATE("I1\n", "C", DTYPE("U1", "<", "8"), "") "b", "abcd", 4,
         "a UNSUPPORTED_TENSOR: its elements are of NumPy's type U1, which cannot be converted\n"
         "b: int\n"},
        {"ccopy_reg\n_reconstructor\n(" WRAPPER
         "c__builtin__\nobject\nNtR" STATE("I4\n", "C", DTYPE("u1", "|", "0"), "") "b",
         "abcd", 4, "a U8 [4] dense @0 #0\nb: int\n"},
        /* Objects are a pickle of their own, whose end must be found. */
        {WRAPPER ")\x81" STATE("I1\n", "C", DTYPE("O8", "|", "63"), "") "b", "\x80\2]I1\na.", 8,
         "a: numpy.ndarray\nb: int\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bytes file = dump_of(rows[i].wrapper, rows[i].raw, rows[i].size);
        assert_finds(file.at, file.size, SFT_FORMAT_JOBLIB, rows[i].found);
        free(file.at);
    }
}

static void test_bytes(void **state) {
    (void)state;
    bytes file = dump_of(WRAPPER ")\x81" STATE("I4\n", "C", DTYPE("u1", "|", "0"),
                                               "S'numpy_array_alignment_bytes'\nI16\ns") "b",
                         "\0.abc", 5);
    finding of;
    find(&of, file.at, file.size);
    assert_found_bytes(&of, "a", ".abc", 4);
    finding_free(&of);
    free(file.at);
}

/*
 * A wrapper whose array cannot be told from what follows is never read past: what comes then may
 * be opcodes to one loader and bytes to the other.
 */
static void test_misread(void **state) {
    (void)state;
    static const char *const wrappers[] = {
        WRAPPER ")\x81(db",
        WRAPPER ")\x81" STATE("I9223372036854775807\n", "C", DTYPE("u1", "|", "0"), "") "b",
        WRAPPER ")\x81" STATE("I200\n", "C", DTYPE("u1", "|", "0"), "") "b",
        WRAPPER ")\x81" STATE("I1\n", "X", DTYPE("u1", "|", "0"), "") "b",
        WRAPPER ")\x81" STATE("I1\n", "C", "N", "") "b",
        WRAPPER ")\x81" STATE("I1\n", "C", DTYPE("l", "|", "0"), "") "b",
        /* Its attributes by a call, or by two states: which of them counts is joblib's secret. */
        WRAPPER "(cnumpy\nndarray\n(I4\ntS'C'\n" DTYPE("u1", "|", "0") "tR(db",
        WRAPPER ")\x81(db" STATE("I4\n", "C", DTYPE("u1", "|", "0"), "") "b",
        WRAPPER "(N(I4\ntS'C'\n" DTYPE("u1", "|", "0") "t\x81" STATE("I4\n", "C",
                                                                     DTYPE("u1", "|", "0"), "") "b",
    };
    for (size_t i = 0; i < sizeof wrappers / sizeof *wrappers; i++) {
        bytes file = dump_of(wrappers[i], "", 0);
        assert_find_fails(file.at, file.size, SFT_MALFORMED_SOURCE, "cannot be told");
        free(file.at);
    }
}

/* Without one who finds its end, the pickle of an array of objects is read as it stands. */
static void test_hook_without_nested(void **state) {
    (void)state;
    bytes file = dump_of(WRAPPER ")\x81" STATE("I1\n", "C", DTYPE("O8", "|", "63"), "") "b",
                         "\x80\2]I1\na.", 8);
    held as;
    hold(&as, file.at, file.size);
    sft_joblib joblib = {.region = &as.region};
    const sft_pickle_options options = {.after_build = sft_joblib_after_build,
                                        .after_build_context = &joblib};
    const sft_pickle_input input = sft_region_input(&as.region);
    sft_pickle pickle;
    assert_ok(sft_pickle_read(&pickle, &input, 0, &options, NULL));
    assert_true(joblib.seen && !joblib.misread);
    assert_int_equal(pickle.end, SFT_PICKLE_STOPPED);
    assert_int_equal(sft_graph_kind(&pickle.graph, pickle.result), SFT_VALUE_LIST);
    sft_pickle_free(&pickle);
    sft_sources_free(&as.sources);
    free(file.at);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arrays),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_misread),
        cmocka_unit_test(test_hook_without_nested),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
