/* Calls of what is allowed: with which arguments they build values and do nothing else. */
#include "fixture.h"

#include "judged.h"

/* ---- Python ---- */

static void test_calls_that_build_values(void **state) {
    (void)state;
    static const judge_case cases[] = {
        CLEAN("ccollections\nOrderedDict\n)RS'a'\nK\x01s."),
        CLEAN("ccollections\nOrderedDict\n((lp0\ntR."),
        CLEAN("ccollections\nOrderedDict\n)\x81."),
        CLEAN("ccollections\ndefaultdict\ncbuiltins\nlist\n\x85R."),
        CLEAN("ccollections\ndefaultdict\nN\x85R."),
        CASE("ccollections\ndefaultdict\nctorch\nfloat32\n\x85R.", "ARGUMENT", "factory", NULL),
        CASE("ccollections\ndefaultdict\ncos\nsystem\n\x85R.", "DANGEROUS_GLOBAL ARGUMENT",
             "factory", NULL),
        CLEAN("c_codecs\nencode\nX\x01\x00\x00\x00"
              "aX\x06\x00\x00\x00latin1\x86R."),
        CASE("c_codecs\nencode\nX\x01\x00\x00\x00"
             "aX\x03\x00\x00\x00hex\x86R.",
             "ARGUMENT", "only latin1", NULL),
        CASE("c_codecs\nencode\nX\x01\x00\x00\x00"
             "a\x85R.",
             "ARGUMENT", NULL, NULL),
        CASE("c_codecs\nencode\ncbuiltins\nlist\n)RX\x06\x00\x00\x00latin1\x86R.", "ARGUMENT",
             "computed", NULL),
        CLEAN("cbuiltins\nbytearray\nC\x02"
              "ab\x85R."),
        CLEAN("cbuiltins\nbytearray\nK\x04\x85R."),
        CASE("cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R.", "ARGUMENT", "more memory",
             "bytearray(2147483647)"),
        CASE("cbuiltins\nbytes\n\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01\x85R.", "ARGUMENT",
             "more memory", NULL),
        CLEAN("c__builtin__\nset\n](K\x01K\x02"
              "e\x85R."),
        CLEAN("cbuiltins\nslice\nNNN\x87R."),
        CLEAN("cbuiltins\ncomplex\nG?\xf0\x00\x00\x00\x00\x00\x00G?"
              "\xf0\x00\x00\x00\x00\x00\x00\x86R."),
        CLEAN("cbuiltins\nrange\nJ\xff\xff\xff\x7f\x85R."),
        CASE("cbuiltins\nlist\ncbuiltins\nrange\nJ\xff\xff\xff\x7f\x85R\x85R.", "ARGUMENT",
             "computed", NULL),
        CASE("ccollections\ndeque\ncbuiltins\nrange\nJ\xff\xff\xff\x7f\x85R\x85R.", "ARGUMENT",
             "computed", NULL),
        CASE("ccollections\ndeque\ncbuiltins\nbytes\nC\x01"
             "a\x85R\x85R.",
             "ARGUMENT", "computed", NULL),
        /* An attribute in the place of the method that fills the new one. */
        CLEAN("ccollections\nOrderedDict\nccollections\nOrderedDict\n)R\x85R."),
        CASE("ccollections\nOrderedDict\nccollections\nOrderedDict\n)R}S'keys'\n"
             "cbuiltins\nlist\nsb\x85R.",
             "ARGUMENT", "computed", NULL),
        CASE("cbuiltins\nstr\nC\x01"
             "aX\x03\x00\x00\x00hex\x86R.",
             "ARGUMENT", NULL, NULL),
        CLEAN("cdatetime\ndate\nC\x04\x07\xe9\x01\x01\x85R."),
        CLEAN("cpathlib\nPosixPath\nS'/'\nS'x'\n\x86R."),
        CASE("cpathlib\nPosixPath\nctorch\nload\n\x85R.", "DANGEROUS_GLOBAL ARGUMENT", "might call",
             NULL),
        /* Arguments that are no tuple, and keywords. */
        CASE("cbuiltins\nset\ncbuiltins\nlist\n)RR.", "ARGUMENT", "computed", NULL),
        CASE("ccollections\nCounter\n)}S'a'\nK\x01s\x92.", "ARGUMENT", NULL, NULL),
        CLEAN("ccollections\nCounter\n)}\x92."),
    };
    EXPECT(cases);
}

/* A few bytes ask for the same memory again and again: more than the file can justify. */
static void test_memory_is_granted_a_few_times(void **state) {
    (void)state;
    enum { CALLS = 300, ASKED = 1000, BEGINNING = 30, CALL = 6 };
    char bytes[BEGINNING + CALL * CALLS + 3] = "cbuiltins\nbytearray\nq\x01"
                                               "0M\xe8\x03\x85q\x02"
                                               "0";
    size_t size = BEGINNING;
    for (unsigned i = 0; i < CALLS; i++, size += CALL) {
        memcpy(bytes + size, "h\x01h\x02R0", CALL);
    }
    memcpy(bytes + size, "N.", 2);
    size += 2;
    judged *j = judged_new(bytes, size, NULL, 0);
    assert_int_equal(j->pickle.end, SFT_PICKLE_STOPPED);
    assert_int_equal(j->count, CALLS - 4 * size / ASKED);
    judged_free(j);
}

/* ---- NumPy ---- */

#define DTYPE(text, state) "cnumpy\ndtype\n(S'" text "'\nI0\nI1\ntR(" state "tb"
#define FLOATS DTYPE("f4", "I3\nS'<'\nNNNI-1\nI-1\nI0\n")
#define OBJECTS(flags) DTYPE("O8", "I3\nS'|'\nNNNI-1\nI-1\nI" flags "\n")
#define ARRAY(shape, dtype, content)                                                               \
    "cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(" shape "t" dtype \
    "I00\n" content "tb."

static void test_arrays(void **state) {
    (void)state;
    static const judge_case cases[] = {
        CLEAN(ARRAY("I1\n", FLOATS,
                    "C\x04"
                    "aaaa")),
        CLEAN(ARRAY("I0\n", FLOATS, "cbuiltins\nbytes\n)R")),
        CLEAN(ARRAY("I2\n", OBJECTS("63"), "(lNaNa")),
        CLEAN(ARRAY("I1\n", DTYPE("S3", "I3\nS'|'\nNNNI3\nI1\nI0\n"),
                    "C\x03"
                    "aaa")),
        CLEAN(ARRAY("I1\n", DTYPE("U3", "I3\nS'<'\nNNNI12\nI4\nI8\n"),
                    "C\x0c"
                    "aaaaaaaaaaaa")),
        CLEAN(ARRAY("I1\n",
                    DTYPE("V12", "I3\nS'|'\nN(S'a'\nt(dS'a'\n(" FLOATS "I0\ntsI12\nI1\nI16\n"),
                    "C\x0c"
                    "aaaaaaaaaaaa")),
        /* Bytes would be taken for pointers to objects. */
        CASE(ARRAY("I1\n", OBJECTS("0"),
                   "C\x08"
                   "aaaaaaaa"),
             "STATE_SET", "pointers", NULL),
        CASE(DTYPE("f8", "I3\nS'<'\nNNNI-1\nI-1\nI63\n") ".", "STATE_SET", "pointers", NULL),
        /* NumPy would read behind the end of the list. */
        CASE(ARRAY("I9\n", OBJECTS("63"), "(lNaNa"), "STATE_SET", "as its shape says", NULL),
        CASE(ARRAY("I99999999999\nI99999999999\n", OBJECTS("63"), "(l"), "STATE_SET", NULL, NULL),
        /* A field behind the end of its item, one of objects, and an item size that is another. */
        CASE(DTYPE("V12", "I3\nS'|'\nN(S'a'\nt(dS'a'\n(" FLOATS "I9\ntsI12\nI1\nI16\n") ".",
             "STATE_SET", "outside of its item", NULL),
        CASE(DTYPE("V12", "I3\nS'|'\nN(S'a'\nt(dS'a'\n(" OBJECTS("63") "I0\ntsI12\nI1\nI27\n") ".",
             "STATE_SET", NULL, NULL),
        CASE(DTYPE("S3", "I3\nS'|'\nNNNI300\nI1\nI0\n") ".", "STATE_SET", NULL, NULL),
        CASE(ARRAY("I1\n", "N",
                   "C\x04"
                   "aaaa"),
             "STATE_SET", NULL, NULL),
        CASE(ARRAY("I1\n", FLOATS, "cbuiltins\nstr\n)R"), "STATE_SET", "computed", NULL),
        CASE("cnumpy.core.multiarray\n_reconstruct\n(cfoo\nBar\n(I0\ntS'b'\ntR.",
             "UNKNOWN_GLOBAL ARGUMENT", "not numpy.ndarray", NULL),
        CASE("cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I99999999\ntS'b'\ntR.",
             "ARGUMENT", "more memory", NULL),
        CASE("cnumpy\ndtype\n(S'(9999,9999)f4'\nI0\nI1\ntR.", "ARGUMENT", NULL, NULL),
        CASE("cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'5'\ntR.", "ARGUMENT",
             NULL, NULL),
        CASE("cnumpy\ndtype\n(S'9999f4'\nI0\nI1\ntR.", "ARGUMENT", NULL, NULL),
        CASE("cnumpy\ndtype\n(S'f4,f4'\nI0\nI1\ntR.", "ARGUMENT", NULL, NULL),
        CLEAN("cnumpy\ndtype\n(cml_dtypes\nbfloat16\nI0\nI1\ntR(I3\nS'<'\nNNNI2\nI2\nI64\ntb."),
        CLEAN("cnumpy.core.multiarray\nscalar\n(" FLOATS "C\x04"
              "aaaatR."),
        CASE("cnumpy.core.multiarray\nscalar\n(" OBJECTS("63") "NtR.", "ARGUMENT", NULL, NULL),
        CLEAN("cnumpy._core.numeric\n_frombuffer\n(C\x04"
              "aaaa" FLOATS "(I1\ntS'C'\ntR."),
    };
    EXPECT(cases);
}

/* ---- PyTorch ---- */

#define STORAGE "(S'storage'\nctorch\nFloatStorage\nS'0'\nS'cpu'\nK\x01tQ"
#define VIEW STORAGE "K\x00K\x01\x85K\x01\x85"
#define HOOKS "ccollections\nOrderedDict\n)R"
#define TENSOR "ctorch._utils\n_rebuild_tensor_v2\n(" VIEW "\x89" HOOKS "tR"

static void test_tensors(void **state) {
    (void)state;
    static const judge_case cases[] = {
        CLEAN(TENSOR "."),
        CLEAN("ctorch._utils\n_rebuild_tensor\n(" VIEW "tR."),
        CLEAN("ctorch._utils\n_rebuild_tensor_v2\n(" VIEW "\x89" HOOKS "}S'conj'\n\x88stR."),
        CLEAN("ctorch._utils\n_rebuild_tensor_v3\n(" VIEW "\x89" HOOKS "ctorch\nuint16\ntR."),
        CLEAN("ctorch._utils\n_rebuild_parameter\n(" TENSOR "\x88" HOOKS "tR."),
        CLEAN("ctorch._utils\n_rebuild_parameter_with_state\n(" TENSOR "\x88" HOOKS
              "}S'x'\nK\x01stR."),
        CLEAN("ctorch._utils\n_rebuild_meta_tensor_no_storage\n(ctorch\nfloat32\nK\x01\x85K\x01\x85"
              "\x89tR."),
        CLEAN("ctorch\nFloatTensor\n)\x81(" VIEW "tb."),
        CLEAN("ctorch\nSize\nK\x01\x85\x85R."),
        CLEAN("ctorch\ndevice\nS'cuda'\nK\x00\x86R."),
        CLEAN("ctorch.serialization\n_get_layout\nS'torch.strided'\n\x85R."),
        CASE("ctorch._utils\n_rebuild_tensor_v2\n(" VIEW "\x89}K\x01"
             "ctorch\nload\nstR.",
             "DANGEROUS_GLOBAL ARGUMENT", "functions along", NULL),
        CASE("ctorch._utils\n_rebuild_tensor_v2\n(NK\x00K\x01\x85K\x01\x85\x89" HOOKS "tR.",
             "ARGUMENT", "should be a storage", NULL),
        CASE("ctorch._utils\n_rebuild_tensor_v3\n(" VIEW "\x89" HOOKS "NtR.", "ARGUMENT",
             "should be a dtype", NULL),
        CASE("ctorch._utils\n_rebuild_parameter\n(N\x88" HOOKS "tR.", "ARGUMENT",
             "should be a tensor", NULL),
        CASE("ctorch._utils\n_rebuild_parameter_with_state\n(" TENSOR "\x88" HOOKS
             "}S'__class__'\nNstR.",
             "ARGUMENT", "name of a method", NULL),
        CASE("ctorch\nFloatStorage\nJ\xff\xff\xff\x7f\x85R.", "ARGUMENT", "more memory", NULL),
        CASE("ctorch\nTensor\nM\xff\xffM\xff\xff\x86R.", "ARGUMENT", "more memory", NULL),
        CASE("ctorch\nFloatTensor\n)\x81(\x89N}K\x01Nstb.", "STATE_SET", "functions along", NULL),
        CLEAN("ctorch\nFloatTensor\n)\x81(\x89N}tb."),
        CLEAN("ctorch\nFloatTensor\n](K\x01K\x02"
              "e\x85R."),
        CASE("ctorch\nFloatTensor\n](]q\x00h\x00"
             "e\x85R.",
             "ARGUMENT", NULL, NULL),
        CLEAN("ctorch._utils\n_rebuild_device_tensor_from_cpu_tensor\n(" TENSOR
              "ctorch\nfloat32\nS'xla:0'\n\x89tR."),
        /* A view of one element, copied as a million times a million. */
        CASE("ctorch._utils\n_rebuild_device_tensor_from_cpu_tensor\n("
             "ctorch._utils\n_rebuild_tensor_v2\n(" STORAGE
             "K\x00J\x40\x42\x0f\x00J\x40\x42\x0f\x00"
             "\x86K\x00K\x00\x86\x89" HOOKS "tRctorch\nfloat32\nS'xla:0'\n\x89tR.",
             "ARGUMENT", "more memory", NULL),
        /* Storages that would grow. The last element counts, and where there is none, nothing. */
        CASE("ctorch._utils\n_rebuild_tensor\n(" STORAGE "K\x00J\x40\x42\x0f\x00\x85K\x01\x85tR.",
             "LIMIT", "storage grow", NULL),
        CASE("ctorch._utils\n_rebuild_tensor\n(" STORAGE "J\x40\x42\x0f\x00K\x01\x85K\x01\x85tR.",
             "LIMIT", "storage grow", NULL),
        CASE("ctorch._utils\n_rebuild_tensor\n(" STORAGE "K\x00K\x02\x85J\x40\x42\x0f\x00\x85tR.",
             "LIMIT", "storage grow", NULL),
        CLEAN("ctorch._utils\n_rebuild_tensor\n(" STORAGE "K\x00K\x01\x85J\x40\x42\x0f\x00\x85tR."),
        CLEAN("ctorch._utils\n_rebuild_tensor\n(" STORAGE
              "K\x00K\x00K\x05\x86J\x40\x42\x0f\x00K\x01\x86tR."),
        CLEAN("ctorch._utils\n_rebuild_tensor\n(" STORAGE "K\x00J\x40\x42\x0f\x00\x85K\x00\x85tR."),
        /* Lists and torch.Size are sizes, too. */
        CASE("ctorch._utils\n_rebuild_tensor\n(" STORAGE "K\x00]J\x40\x42\x0f\x00"
             "actorch\nSize\nK\x01\x85\x85RtR.",
             "LIMIT", "storage grow", NULL),
        CASE("ctorch._utils\n_rebuild_tensor\n(" STORAGE "K\x00"
             "cbuiltins\nlist\n)RK\x01\x85tR.",
             "ARGUMENT", "computed", NULL),
        CASE("ctorch\nFloatTensor\n)\x81(" STORAGE "K\x00J\x40\x42\x0f\x00\x85K\x01\x85tb.",
             "STATE_SET", "storage grow", NULL),
        CLEAN("ctorch\nFloatTensor\n)\x81(" STORAGE "K\x00K\x01\x85K\x01\x85tb."),
        CASE("ctorch\nFloatStorage\n](]q\x00h\x00"
             "e\x85R.",
             "ARGUMENT", NULL, NULL),
        CLEAN("ctorch\nFloatStorage\n](K\x01K\x02"
              "e\x85R."),
        CLEAN("ctorch._utils\n_rebuild_sparse_tensor\nctorch.serialization\n_get_layout\n"
              "S'torch.sparse_coo'\n\x85R(" TENSOR TENSOR "K\x01\x85t\x86R."),
        CASE("ctorch._utils\n_rebuild_nested_tensor\nN\x85R.", "UNKNOWN_GLOBAL UNKNOWN_CALL", NULL,
             NULL),
    };
    EXPECT(cases);
}

#define NUMBERS(count)                                                                             \
    "ctorch._utils\n_rebuild_tensor_v2\n(" STORAGE "K\x00K" count "\x85K\x01\x85\x89" HOOKS "tR"
#define QUANTIZED(parameters)                                                                      \
    "ctorch._utils\n_rebuild_qtensor\n(" STORAGE "K\x00K\x03K\x02\x86K\x02K\x01\x86(" parameters   \
    "t\x89" HOOKS "tR."

static void test_quantized_tensors(void **state) {
    (void)state;
    static const judge_case cases[] = {
        CLEAN(QUANTIZED("ctorch\nper_tensor_affine\nK\x01K\x00")),
        CLEAN(QUANTIZED("ctorch\nper_channel_affine\n" NUMBERS("\x03") NUMBERS("\x03") "K\x00")),
        CLEAN(QUANTIZED("ctorch\nper_channel_affine\n" NUMBERS("\x02") NUMBERS("\x02") "K\x01")),
        CASE(QUANTIZED("ctorch\nper_channel_affine\n" NUMBERS("\x03") NUMBERS("\x02") "K\x00"),
             "ARGUMENT", "scales", NULL),
        CASE(QUANTIZED("ctorch\nper_channel_affine\n" NUMBERS("\x03") NUMBERS("\x03") "K\x07"),
             "ARGUMENT", "scales", NULL),
        CASE(QUANTIZED("ctorch\nper_channel_affine\n]]K\x00"), "ARGUMENT", "scales", NULL),
        CASE(QUANTIZED("NNN"), "ARGUMENT", "scales", NULL),
    };
    EXPECT(cases);
}

#define FROM_TYPE "ctorch._tensor\n_rebuild_from_type_v2\n("
#define ARGUMENTS "(" VIEW "\x89" HOOKS "t"

static void test_tensors_of_a_type(void **state) {
    (void)state;
    static const judge_case cases[] = {
        CLEAN(FROM_TYPE "ctorch._utils\n_rebuild_tensor_v2\nctorch\nTensor\n" ARGUMENTS
                        "}S'x'\nK\x01stR."),
        CLEAN(FROM_TYPE
              "ctorch._utils\n_rebuild_tensor_v2\nctorch.nn.parameter\nParameter\n" ARGUMENTS
              "}tR."),
        /* Its first argument is called, with arguments that count as much. */
        CASE(FROM_TYPE "cos\nsystem\nctorch\nTensor\n(S'id'\nt}tR.", "DANGEROUS_GLOBAL ARGUMENT",
             "none that builds a tensor", NULL),
        CASE(FROM_TYPE "ctorch.storage\n_load_from_bytes\nctorch\nTensor\n(C\x01xt}tR.", "ARGUMENT",
             "none that builds a tensor", NULL),
        CASE(FROM_TYPE "ctorch._utils\n_rebuild_tensor_v2\nctorch\nTensor\n(Nt}tR.", "ARGUMENT",
             NULL, NULL),
        CASE(FROM_TYPE "ctorch._utils\n_rebuild_tensor_v2\ncfoo\nBar\n" ARGUMENTS "}tR.",
             "UNKNOWN_GLOBAL ARGUMENT", "not PyTorch's own", NULL),
        CASE(FROM_TYPE "ctorch._utils\n_rebuild_tensor_v2\nctorch\nTensor\n" ARGUMENTS
                       "}S'__class__'\nNstR.",
             "ARGUMENT", NULL, NULL),
    };
    EXPECT(cases);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls_that_build_values),
        cmocka_unit_test(test_memory_is_granted_a_few_times),
        cmocka_unit_test(test_arrays),
        cmocka_unit_test(test_tensors),
        cmocka_unit_test(test_quantized_tensors),
        cmocka_unit_test(test_tensors_of_a_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
