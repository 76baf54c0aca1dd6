/* What is found in checkpoints that torch.save wrote as zip archives: views, names, refusals. */
#include "fixture.h"

#include "archive.h"
#include "found.h"

#define SIX ZIP_ID("FloatStorage", "0", "6")
#define WHOLE REBUILD(SIX, "0", "I2\nI3\n", "I3\nI1\n")

static void test_views(void **state) {
    (void)state;
    assert_zip_finds(DICT(ITEM("w", WHOLE)), "w F32 [2,3] dense @0 #0\n");
    assert_zip_finds(DICT(ITEM("turned", REBUILD(SIX, "0", "I3\nI2\n", "I1\nI3\n"))
                              ITEM("part", REBUILD(SIX, "1", "I2\nI2\n", "I3\nI1\n"))
                                  ITEM("row", REBUILD(SIX, "3", "I3\n", "I1\n"))
                                      ITEM("number", REBUILD(SIX, "5", "", ""))
                                          ITEM("wide", REBUILD(SIX, "2", "I5\nI2\n", "I0\nI1\n"))),
                     "turned F32 [3,2] strides [1,3] @0 #0\n"
                     "part F32 [2,2] strides [3,1] @1 #0\n"
                     "row F32 [3] dense @3 #0\n"
                     "number F32 [] dense @5 #0\n"
                     "wide F32 [5,2] strides [0,1] @2 #0\n");
    /* Sizes may be a torch.Size. */
    assert_zip_finds(DICT(ITEM("w", "ctorch._utils\n_rebuild_tensor_v2\n(" SIX
                                    "I0\nctorch\nSize\n((I6\nttR(I1\ntI00\n(dtR")),
                     "w F32 [6] dense @0 #0\n");
}

/* A dimension of size 1 is never stepped along, one of size 0 not at all. */
static void test_strides_that_do_not_count(void **state) {
    (void)state;
    assert_zip_finds(
        DICT(ITEM("one", REBUILD(SIX, "0", "I2\nI1\nI3\n", "I3\nI9223372036854775807\nI1\n"))
                 ITEM("none", REBUILD(SIX, "9223372036854775807", "I0\nI3\n",
                                      "I9223372036854775807\nI77\n"))),
        "one F32 [2,1,3] dense @0 #0\n"
        "none F32 [0,3] dense @0 #0\n");
}

static void test_bounds(void **state) {
    (void)state;
    static const struct {
        const char *pickle;
        const char *found;
    } rows[] = {
        {DICT(ITEM("w", REBUILD(SIX, "1", "I2\nI3\n", "I3\nI1\n"))),
         "w TENSOR_BOUNDS: it reaches beyond its storage of 24 bytes\n"},
        {DICT(ITEM("w", REBUILD(SIX, "6", "", ""))),
         "w TENSOR_BOUNDS: it reaches beyond its storage of 24 bytes\n"},
        {DICT(ITEM("w", REBUILD(SIX, "0", "I2\nI2\n", "I9223372036854775807\nI2\n"))),
         "w TENSOR_BOUNDS: it reaches beyond its storage of 24 bytes\n"},
        {DICT(ITEM("w", REBUILD(SIX, "9223372036854775807", "I3\n", "I9223372036854775807\n"))),
         "w TENSOR_BOUNDS: it reaches beyond its storage of 24 bytes\n"},
        {DICT(ITEM("w", REBUILD(SIX, "0", "I4294967296\nI4294967296\n", "I0\nI0\n"))),
         "w TENSOR_BOUNDS: its shape has more elements than fit in 64 bits\n"},
        {DICT(ITEM("w", REBUILD(SIX, "0", "I1073741824\nI1024\n", "I0\nI0\n"))),
         "w SOURCE_LIMIT: it repeats its elements so often that it would take 4398046511104 "
         "bytes\n"},
        {DICT(ITEM("w", REBUILD(SIX, "5", "I2\n", "I-1\n"))),
         "w TENSOR_BOUNDS: a stride of it is negative\n"},
        {DICT(ITEM("w", REBUILD(SIX, "0", "I-2\n", "I1\n"))),
         "w TENSOR_BOUNDS: a size of it is negative\n"},
        {DICT(ITEM("w", REBUILD(SIX, "-1", "I2\n", "I1\n"))),
         "w TENSOR_BOUNDS: its offset, sizes and strides are not those of a tensor\n"},
        {DICT(ITEM("w", REBUILD(SIX, "0", "I2\nI3\n", "I1\n"))),
         "w TENSOR_BOUNDS: its offset, sizes and strides are not those of a tensor\n"},
        {DICT(ITEM("w", "ctorch._utils\n_rebuild_tensor_v2\n(" SIX "I0\ntR")),
         "w UNSUPPORTED_TENSOR: it is rebuilt with too few arguments\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_zip_finds(rows[i].pickle, rows[i].found);
    }
}

/* What expanded tensors need is counted together: each of these alone would be small enough. */
static void test_expansion_in_all(void **state) {
    (void)state;
    bytes pickle = {NULL, 0, 0};
    PUT(&pickle, "(d");
    for (int i = 0; i < 3; i++) {
        char item[512];
        snprintf(item, sizeof item, "S'%d'\n" REBUILD(SIX, "0", "I8388608\n", "I0\n") "s", i);
        put(&pickle, item, strlen(item));
    }
    PUT(&pickle, ".\0");
    assert_zip_finds((const char *)pickle.at,
                     "0 F32 [8388608] strides [0] @0 #0\n"
                     "1 F32 [8388608] strides [0] @0 #0\n"
                     "2 SOURCE_LIMIT: it repeats its elements so often that it would take 33554432 "
                     "bytes\n");
    free(pickle.at);
}

static void test_rank(void **state) {
    (void)state;
    for (int rank = 64; rank <= 65; rank++) {
        bytes pickle = {NULL, 0, 0};
        static const char front[] = "(dS'w'\nctorch._utils\n_rebuild_tensor_v2\n(" SIX "I0\n(";
        PUT(&pickle, front);
        for (int i = 0; i < 2 * rank; i++) {
            put(&pickle, i == rank ? "t(I1\n" : "I1\n", i == rank ? 5 : 3);
        }
        PUT(&pickle, "tI00\n(dtRs.\0");
        bytes file = torch_zip((const char *)pickle.at, NULL, 0);
        finding of;
        find(&of, file.at, file.size);
        assert_ok(of.status);
        assert_int_equal(of.found.tensor_count, 1);
        assert_int_equal(of.found.tensors[0].rank, rank == 64 ? 64 : 0);
        assert_status(of.found.tensors[0].refused, rank == 64 ? SFT_OK : SFT_SOURCE_LIMIT);
        finding_free(&of);
        free(file.at);
        free(pickle.at);
    }
}

static void test_storages(void **state) {
    (void)state;
    static const char eight[8] = "12345678";
    const stored others[] = {{"data/small", eight, 8}, {"byteorder", "big", 3}};
    static const struct {
        const char *pickle;
        const char *found;
    } rows[] = {
        {DICT(ITEM("w", REBUILD(ZIP_ID("ShortStorage", "small", "4"), "0", "I4\n", "I1\n"))),
         "w I16 [4] dense @0 #0 big\n"},
        {DICT(ITEM("w", REBUILD(ZIP_ID("FloatStorage", "0", "5"), "0", "I2\n", "I1\n"))),
         "w STORAGE_SIZE: its storage has other than the bytes its elements need\n"},
        {DICT(ITEM("w", REBUILD(ZIP_ID("DoubleStorage", "0", "6"), "0", "I2\n", "I1\n"))),
         "w STORAGE_SIZE: its storage has other than the bytes its elements need\n"},
        {DICT(ITEM("w", REBUILD(ZIP_ID("DoubleStorage", "0", "2305843009213693955"), "0", "I2\n",
                                "I1\n"))),
         "w STORAGE_SIZE: its storage has other than the bytes its elements need\n"},
        {DICT(ITEM("w", REBUILD(ZIP_ID("FloatStorage", "1", "5"), "0", "I2\n", "I1\n"))),
         "w MISSING_STORAGE: its storage is not in the archive\n"},
        {DICT(ITEM("w", REBUILD("I5\n", "0", "I2\n", "I1\n"))),
         "w MISSING_STORAGE: what stands for its storage is none\n"},
        {DICT(ITEM("w", REBUILD("(S'storage'\nctorch\nFloatStorage\nI0\nS'cpu'\nI6\ntQ", "0",
                                "I2\n", "I1\n"))),
         "w MISSING_STORAGE: what stands for its storage is none\n"},
        /* What a loader makes of a key is what its first id says, whichever comes last. */
        {DICT(ITEM("w", REBUILD(SIX, "0", "I2\n", "I1\n"))
                  ITEM("v", REBUILD(ZIP_ID("IntStorage", "0", "6"), "0", "I2\n", "I1\n"))),
         "w STORAGE_SIZE: its storage is described in two ways that contradict each other\n"
         "v STORAGE_SIZE: its storage is described in two ways that contradict each other\n"},
        {DICT(ITEM("w", SIX)), "w: torch.storage\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bytes file = torch_zip(rows[i].pickle, others, 2);
        assert_finds(file.at, file.size, SFT_FORMAT_TORCH_ZIP, rows[i].found);
        free(file.at);
    }
    const stored order = {"byteorder", "middle", 6};
    bytes file = torch_zip(DICT(ITEM("w", WHOLE)), &order, 1);
    assert_find_fails(file.at, file.size, SFT_MALFORMED_SOURCE, "neither little nor big");
    free(file.at);
}

static void test_bytes(void **state) {
    (void)state;
    bytes file = torch_zip(DICT(ITEM("w", REBUILD(SIX, "2", "I2\n", "I1\n"))), NULL, 0);
    finding of;
    find(&of, file.at, file.size);
    assert_found_bytes(&of, "w", "\10\11\12\13\14\15\16\17", 8);
    finding_free(&of);
    free(file.at);
}

#define V3(class, elements, sizes, strides, dtype)                                                 \
    "ctorch._utils\n_rebuild_tensor_v3\n(" ZIP_ID(class, "0", elements) "I1\n(" sizes "t(" strides \
                                                                        "tI00\n(d" dtype "tR"

static void test_types(void **state) {
    (void)state;
    static const struct {
        const char *pickle;
        const char *found;
    } rows[] = {
        {DICT(ITEM("w", V3("UntypedStorage", "24", "I5\n", "I1\n", "ctorch\nuint32\n"))),
         "w U32 [5] dense @1 #0\n"},
        {DICT(ITEM("w", V3("UntypedStorage", "24", "I6\n", "I1\n", "ctorch\nuint32\n"))),
         "w TENSOR_BOUNDS: it reaches beyond its storage of 24 bytes\n"},
        {DICT(ITEM("w", V3("UntypedStorage", "24", "I5\n", "I1\n", "ctorch\nfloat8_e4m3fn\n"))),
         "w F8_E4M3 [5] dense @1 #0\n"},
        {DICT(ITEM("w", V3("UntypedStorage", "24", "I5\n", "I1\n", "ctorch\ncomplex128\n"))),
         "w UNSUPPORTED_TENSOR: its elements are of type complex128, which cannot be converted\n"},
        {DICT(ITEM("w", V3("UntypedStorage", "24", "I5\n", "I1\n", "N"))),
         "w UNSUPPORTED_TENSOR: the type of its elements is not one of torch's\n"},
        {DICT(ITEM("w", REBUILD(ZIP_ID("UntypedStorage", "0", "24"), "0", "I2\n", "I1\n"))),
         "w U8 [2] dense @0 #0\n"},
        {DICT(ITEM("w", REBUILD(ZIP_ID("QInt8Storage", "0", "24"), "0", "I2\n", "I1\n"))),
         "w UNSUPPORTED_TENSOR: its elements are of type a quantised kind, which cannot be "
         "converted\n"},
        {DICT(ITEM("w", "ctorch._utils\n_rebuild_meta_tensor_no_storage\n(N(t(tI00\ntR")),
         "w UNSUPPORTED_TENSOR: it was saved from the meta device, where tensors have no values\n"},
        {DICT(ITEM("w", "ctorch._utils\n_rebuild_sparse_tensor\n(N(ttR")),
         "w UNSUPPORTED_TENSOR: it is sparse (_rebuild_sparse_tensor), and cannot be converted\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_zip_finds(rows[i].pickle, rows[i].found);
    }
}

#define COMPLEX(flags)                                                                             \
    "ctorch._utils\n_rebuild_tensor_v2\n(" ZIP_ID("ComplexFloatStorage", "0",                      \
                                                  "3") "I0\n(I3\nt(I1\ntI00\n(d(d" flags "tR"

static void test_flags(void **state) {
    (void)state;
    assert_zip_finds(DICT(ITEM("w", COMPLEX("S'conj'\nI01\ns"))), "w C64 [3] dense @0 #0 conj\n");
    assert_zip_finds(DICT(ITEM("w", COMPLEX("S'neg'\nI01\ns"))), "w C64 [3] dense @0 #0 neg\n");
    /* PyTorch does not look at the values. */
    assert_zip_finds(DICT(ITEM("w", COMPLEX("S'conj'\nI00\ns"))), "w C64 [3] dense @0 #0 conj\n");
    assert_zip_finds(DICT(ITEM("w", COMPLEX(""))), "w C64 [3] dense @0 #0\n");
}

static void test_layers(void **state) {
    (void)state;
    static const struct {
        const char *value;
        const char *found;
    } rows[] = {
        {"ctorch._utils\n_rebuild_parameter\n(" WHOLE "I01\n(dtR", "w F32 [2,3] dense @0 #0\n"},
        {"ctorch._utils\n_rebuild_parameter_with_state\n(" WHOLE "I01\n(d(dtR",
         "w F32 [2,3] dense @0 #0\n"},
        {"ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._utils\n_rebuild_tensor_v2\nctorch."
         "nn.parameter\nParameter\n(" SIX "I0\n(I6\nt(I1\ntI00\n(dt(dtR",
         "w F32 [6] dense @0 #0\n"},
        /* Attributes stay what they are, but not those that are the tensor's values. */
        {"ctorch._utils\n_rebuild_parameter_with_state\n(" WHOLE "I01\n(d(S'foo'\nI1\ndtR",
         "w F32 [2,3] dense @0 #0\n"},
        {"ctorch._utils\n_rebuild_parameter_with_state\n(" WHOLE "I01\n(d(S'data'\nI1\ndtR",
         "w UNSUPPORTED_TENSOR: an attribute that is set on it would replace its values\n"},
        {"ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._utils\n_rebuild_tensor_v2\nctorch."
         "nn.parameter\nParameter\n(" SIX "I0\n(I6\nt(I1\ntI00\n(dt((S'real'\nI1\ndNttR",
         "w UNSUPPORTED_TENSOR: an attribute that is set on it would replace its values\n"},
        /* What a call got is what it had then: here the dictionary of flags was empty. */
        {"ctorch._utils\n_rebuild_tensor_v2\n(" SIX "I0\n(I6\nt(I1\ntI00\n(d(dp9\ntR"
         "g9\nS'neg'\nI01\ns0",
         "w UNSUPPORTED_TENSOR: an argument of the call that rebuilds it was changed after the "
         "call\n"},
        {"ctorch._tensor\n_rebuild_from_type_v2\n(cos\nsystem\nctorch\nTensor\n(S'id'\nt(dtR",
         "w UNSUPPORTED_TENSOR: what it is rebuilt from is no tensor\n"},
        {"ctorch._utils\n_rebuild_device_tensor_from_cpu_tensor\n(" WHOLE
         "ctorch\nfloat32\nS'xla:0'\nI00\ntR",
         "w F32 [2,3] dense @0 #0\n"},
        {"ctorch._utils\n_rebuild_device_tensor_from_cpu_tensor\n(" WHOLE
         "ctorch\nfloat16\nS'xla:0'\nI00\ntR",
         "w UNSUPPORTED_TENSOR: its elements were saved as another type than they had, and would "
         "have to be converted\n"},
        /* Half and back again would be other values. */
        {"ctorch._utils\n_rebuild_device_tensor_from_cpu_tensor\n(ctorch._utils\n_rebuild_device_"
         "tensor_from_cpu_tensor\n(" WHOLE "ctorch\nfloat16\nS'xla:0'\nI00\ntRctorch\nfloat32\n"
         "S'xla:0'\nI00\ntR",
         "w UNSUPPORTED_TENSOR: it is wrapped in more calls than torch wraps a tensor in\n"},
        {"ctorch._utils\n_rebuild_parameter\n(I1\nI01\n(dtR",
         "w UNSUPPORTED_TENSOR: what it is rebuilt from is no tensor\n"},
        /* What __setstate__ made before there were rebuilding calls. */
        {"ctorch\nFloatTensor\n(tR(" SIX "I0\n(I6\nt(I1\nttb", "w F32 [6] dense @0 #0\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char pickle[1024];
        snprintf(pickle, sizeof pickle, "(dS'w'\n%ss.", rows[i].value);
        assert_zip_finds(pickle, rows[i].found);
    }
}

/* Parameters in parameters end somewhere. */
static void test_many_layers(void **state) {
    (void)state;
    bytes pickle = {NULL, 0, 0};
    static const char front[] = "ctorch._utils\n_rebuild_parameter\n(";
    for (int i = 0; i < 1000; i++) {
        PUT(&pickle, front);
    }
    PUT(&pickle, WHOLE);
    for (int i = 0; i < 1000; i++) {
        PUT(&pickle, "I01\n(dtR");
    }
    PUT(&pickle, ".\0");
    assert_zip_finds((const char *)pickle.at,
                     " UNSUPPORTED_TENSOR: it is wrapped in more calls than torch wraps a tensor "
                     "in\n");
    free(pickle.at);
}

static void test_not_torch(void **state) {
    (void)state;
    archive made = {{0}, {0}, 0, 0, 0};
    archive_add_text(&made, "a.txt", "a text");
    archive_end(&made);
    assert_find_fails(made.file.at, made.file.size, SFT_UNSUPPORTED_SOURCE, "neither torch.save");
    archive_free(&made);
    assert_find_fails("\0\1\2\3", 4, SFT_UNSUPPORTED_SOURCE, "neither a pickle");
    assert_find_fails("7z\xbc\xaf\x27\x1c\0\4", 8, SFT_UNSUPPORTED_SOURCE, "7z");
    assert_zip_fails("(dS'w'\n", SFT_MALFORMED_SOURCE, "STOP");
    /* torch looks names up without regard to case. */
    archive_add_text(&made, "A/DATA.PKL", "(dS'w'\nI1\ns.");
    archive_end(&made);
    assert_finds(made.file.at, made.file.size, SFT_FORMAT_TORCH_ZIP, "w: int\n");
    archive_free(&made);
}

/* The states of a TorchScript archive's own classes are walked; it is told apart. */
static void test_torchscript(void **state) {
    (void)state;
    static const char pickle[] = "\x80\2c__torch__\nNet\n)\x81}(X\6\0\0\0weight" WHOLE
                                 "X\4\0\0\0modec__torch__.part\nPart\n)\x81}X\4\0\0\0"
                                 "bias" WHOLE "sbub.";
    archive made = {{0}, {0}, 0, 0, 0};
    uint8_t data[24] = {0};
    const archive_file object = {
        .name = "a/data.pkl", .data = pickle, .data_size = sizeof pickle - 1};
    const archive_file storage = {.name = "a/data/0", .data = data, .data_size = sizeof data};
    archive_add(&made, &object);
    archive_add(&made, &storage);
    archive_add_text(&made, "a/code/__torch__.py", "class Net(Module):\n");
    archive_end(&made);
    assert_finds(made.file.at, made.file.size, SFT_FORMAT_TORCHSCRIPT,
                 "weight F32 [2,3] dense @0 #0\n"
                 "mode.bias F32 [2,3] dense @0 #0\n");
    archive_free(&made);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_views),       cmocka_unit_test(test_strides_that_do_not_count),
        cmocka_unit_test(test_bounds),      cmocka_unit_test(test_expansion_in_all),
        cmocka_unit_test(test_rank),        cmocka_unit_test(test_storages),
        cmocka_unit_test(test_bytes),       cmocka_unit_test(test_types),
        cmocka_unit_test(test_flags),       cmocka_unit_test(test_layers),
        cmocka_unit_test(test_many_layers), cmocka_unit_test(test_not_torch),
        cmocka_unit_test(test_torchscript),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
