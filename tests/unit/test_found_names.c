/* The walk through what a pickle returns: names, keys that are alike, what is dropped, limits. */
#include "fixture.h"

#include "archive.h"
#include "found.h"

#define T REBUILD(ZIP_ID("FloatStorage", "0", "6"), "0", "I6\n", "I1\n")

/* A zip whose pickle may hold NUL. */
static void assert_raw_finds(const char *pickle, size_t size, const char *expected) {
    archive made = {{0}, {0}, 0, 0, 0};
    uint8_t data[24] = {0};
    const archive_file object = {.name = "a/data.pkl", .data = pickle, .data_size = size};
    const archive_file storage = {.name = "a/data/0", .data = data, .data_size = sizeof data};
    archive_add(&made, &object);
    archive_add(&made, &storage);
    archive_end(&made);
    assert_finds(made.file.at, made.file.size, SFT_FORMAT_TORCH_ZIP, expected);
    archive_free(&made);
}

static void test_nesting(void **state) {
    (void)state;
    static const struct {
        const char *pickle;
        const char *found;
    } rows[] = {
        {DICT(ITEM("a", "(d" ITEM("b", "(d" ITEM("c", T)))), "a.b.c F32 [6] dense @0 #0\n"},
        {DICT(ITEM("a", "(l" T "a(" T "I5\ntasS'b'\n(d")), "a.0 F32 [6] dense @0 #0\n"
                                                           "a.1.0 F32 [6] dense @0 #0\n"
                                                           "a.1.1: int\n"},
        {DICT("I7\n" T "sI-7\n" T "s"), "7 F32 [6] dense @0 #0\n-7 F32 [6] dense @0 #0\n"},
        {T ".", " F32 [6] dense @0 #0\n"},
        {"I5\n.", ": int\n"},
        {"(d.", ""},
        {DICT(ITEM("", "(d" ITEM("", T))), ". F32 [6] dense @0 #0\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_zip_finds(rows[i].pickle, rows[i].found);
    }
}

/* All ways in which pickles write mappings. */
static void test_mappings(void **state) {
    (void)state;
    static const struct {
        const char *pickle;
        const char *found;
    } rows[] = {
        {"ccollections\nOrderedDict\n(tRS'a'\n" T "sS'b'\nI1\ns.",
         "a F32 [6] dense @0 #0\nb: int\n"},
        {"ccollections\nOrderedDict\n((l(lS'a'\na" T "aa(S'b'\nI1\ntatRS'c'\nI2\ns.",
         "a F32 [6] dense @0 #0\nb: int\nc: int\n"},
        {"ccollections\ndefaultdict\n(c__builtin__\nlist\ntRS'a'\n" T "s.",
         "a F32 [6] dense @0 #0\n"},
        {"ccollections\ndefaultdict\n(N(dS'a'\n" T "stR.", "a F32 [6] dense @0 #0\n"},
        {"ccollections\nCounter\n((dS'a'\nI3\nstR.", "a: int\n"},
        {"c__builtin__\ndict\n((dS'a'\n" T "stR.", "a F32 [6] dense @0 #0\n"},
        {"c__builtin__\nlist\n((l" T "atRI3\na.", "0 F32 [6] dense @0 #0\n1: int\n"},
        /* The attributes of a state dict, _metadata that is, are none of its items. */
        {"ccollections\nOrderedDict\n(tRS'a'\n" T "s(dS'_metadata'\n(dS'v'\nI1\nssb.",
         "a F32 [6] dense @0 #0\n"},
        /* NEWOBJ makes an empty one whatever it is given. */
        {"ccollections\nOrderedDict\n((lt\x81S'a'\nI1\ns.", "a: int\n"},
        /* What nobody writes is dropped as a whole, and told. */
        {"ccollections\nOrderedDict\n((lI1\natR.", ": collections.OrderedDict\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_zip_finds(rows[i].pickle, rows[i].found);
    }
}

/* A later value wins; a key is what it was when it came first. True is 1 is 1.0. */
static void test_same_keys(void **state) {
    (void)state;
    assert_zip_finds(DICT(ITEM("a", "I1\n") ITEM("a", T)), "a F32 [6] dense @0 #0\n");
    assert_zip_finds(DICT(ITEM("a", T) ITEM("a", "I1\n")), "a: int\n");
    assert_zip_finds(DICT("I1\n" T "sI01\nS'x'\nsF1.0\nN"
                          "s"),
                     "1: NoneType\n");
    assert_zip_finds(DICT("S'a'\nI1\nsVa\nS'x'\ns"), "a: str\n");
    static const char bytes_and_text[] = "\x80\3}C\1aK\1sX\1\0\0\0aNs.";
    assert_raw_finds(bytes_and_text, sizeof bytes_and_text - 1, "a: int\na: NoneType\n");
    /* With many keys they are found by their hash. */
    bytes pickle = {NULL, 0, 0};
    PUT(&pickle, "(d");
    for (int i = 0; i < 60; i++) {
        char item[64];
        snprintf(item, sizeof item, "S'k%d'\nI%d\nsI%d\nNs", i % 20, i, i % 20);
        put(&pickle, item, strlen(item));
    }
    PUT(&pickle, ".\0");
    bytes file = torch_zip((const char *)pickle.at, NULL, 0);
    finding of;
    find(&of, file.at, file.size);
    assert_int_equal(of.found.leaf_total, 40);
    finding_free(&of);
    free(file.at);
    free(pickle.at);
}

static void test_keys_without_names(void **state) {
    (void)state;
    static const struct {
        const char *pickle;
        const char *found;
    } rows[] = {
        {DICT("F1.5\n" T "s"),
         "1.5 INVALID_NAME: a key that leads to it is neither a text nor a whole number\n"},
        {DICT("I01\n" T "s"),
         "1 INVALID_NAME: a key that leads to it is neither a text nor a whole number\n"},
        {DICT("N(dS'a'\n" T "ss"),
         "None.a INVALID_NAME: a key that leads to it is neither a text nor a whole number\n"},
        {DICT("F1.5\nI1\ns"), "1.5: int\n"},
        {DICT("V\\ud800\n" T "s"), "\xed\xa0\x80 INVALID_NAME: its name is no valid Unicode\n"},
        /* Text of Python 2 that is no UTF-8 is taken for latin1. */
        {DICT("S'\\xe9'\n" T "s"), "\xc3\xa9 F32 [6] dense @0 #0\n"},
        {DICT("S'\\xc3\\xa9'\n" T "s"), "\xc3\xa9 F32 [6] dense @0 #0\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_zip_finds(rows[i].pickle, rows[i].found);
    }
}

static void test_first_key(void **state) {
    (void)state;
    bytes file = torch_zip(DICT(ITEM("a.b", "(d" ITEM("c", T)) ITEM("d.e", T)), NULL, 0);
    finding of;
    find(&of, file.at, file.size);
    assert_int_equal(of.found.tensor_count, 2);
    assert_int_equal(of.found.tensors[0].first_key, 3);
    assert_int_equal(of.found.tensors[1].first_key, 3);
    assert_false(of.found.root_is_tensor);
    assert_true(of.found.torch);
    finding_free(&of);
    free(file.at);
    file = torch_zip(T ".", NULL, 0);
    find(&of, file.at, file.size);
    assert_true(of.found.root_is_tensor);
    finding_free(&of);
    free(file.at);
}

static void test_leaves(void **state) {
    (void)state;
    assert_zip_finds(
        DICT(ITEM("none", "N") ITEM("bool", "I01\n") ITEM("int", "I1\n") ITEM("float", "F1.0\n")
                 ITEM("str", "S'x'\n") ITEM("long", "L99999999999999999999L\n")
                     ITEM("dtype", "ctorch\nfloat16\n") ITEM("size", "ctorch\nSize\n((I1\nttR")
                         ITEM("class", "ctorch\nFloatStorage\n")
                             ITEM("complex", "c__builtin__\ncomplex\n(F1.0\nF2.0\ntR")
                                 ITEM("bytes", "c_codecs\nencode\n(Vx\nVlatin1\ntR")
                                     ITEM("path", "cpathlib\nPosixPath\n(S'a'\ntR")
                                         ITEM("\\x1b[31m", "cno\\\\such\nthing\x1b\n(tR")),
        "none: NoneType\n"
        "bool: bool\n"
        "int: int\n"
        "float: float\n"
        "str: str\n"
        "long: int\n"
        "dtype: torch.dtype\n"
        "size: torch.Size\n"
        "class: torch.FloatStorage\n"
        "complex: complex\n"
        "bytes: bytes\n"
        "path: pathlib.PosixPath\n"
        "\x1b[31m: no\\\\such.thing\\x1b\n");
}

/* A record is dropped with the tensors in it, but these are told. So are those in sets. */
static void test_dropped(void **state) {
    (void)state;
    assert_zip_finds(DICT(ITEM("args", "cargparse\nNamespace\n(tR(dS'lr'\nF0.1\nsS'w'\n" T
                                       "sS'all'\n(l" T "asb")),
                     "args: argparse.Namespace\nargs.w: torch.Tensor\nargs.all.0: torch.Tensor\n");
    assert_zip_finds(DICT(ITEM("set", "c__builtin__\nset\n((l" T "aI1\natR")),
                     "set: set\nset.0.0: torch.Tensor\n");
    assert_zip_finds(DICT(ITEM("odd", "cwho\nknows\n(" T "tR")), "odd: who.knows\n"
                                                                 "odd.0: torch.Tensor\n");
}

static void test_cycles(void **state) {
    (void)state;
    assert_zip_finds("(dp0\nS'self'\ng0\nsS'w'\n" T "s.", "w F32 [6] dense @0 #0\nself: dict\n");
    assert_zip_finds("(lp0\ng0\na" T "a.", "1 F32 [6] dense @0 #0\n0: list\n");
}

/* Shared values are walked wherever they stand, but not without end. */
static void test_sharing(void **state) {
    (void)state;
    bytes pickle = {NULL, 0, 0};
    PUT(&pickle, "(lp0\n");
    for (int i = 1; i < 64; i++) {
        char level[64];
        snprintf(level, sizeof level, "(lp%d\ng%d\nag%d\na", i, i - 1, i - 1);
        put(&pickle, level, strlen(level));
    }
    PUT(&pickle, ".\0");
    assert_zip_fails((const char *)pickle.at, SFT_SOURCE_LIMIT, "so many places");
    free(pickle.at);

    /* One dict of many pairs that are all one key: each walk through it costs what it holds. */
    bytes pairs = {NULL, 0, 0};
    PUT(&pairs, "(lp0\n(dp1\n");
    for (int i = 0; i < 3000; i++) {
        PUT(&pairs, "I1\nNs");
    }
    PUT(&pairs, "a");
    for (int i = 0; i < 3000; i++) {
        PUT(&pairs, "g1\na");
    }
    PUT(&pairs, ".\0");
    assert_zip_fails((const char *)pairs.at, SFT_SOURCE_LIMIT, "so many places");
    free(pairs.at);
}

static void test_depth(void **state) {
    (void)state;
    bytes pickle = {NULL, 0, 0};
    for (int i = 0; i < 100000; i++) {
        PUT(&pickle, "(l");
    }
    PUT(&pickle, "I1\n");
    for (int i = 0; i < 100000; i++) {
        PUT(&pickle, "a");
    }
    PUT(&pickle, ".\0");
    bytes file = torch_zip((const char *)pickle.at, NULL, 0);
    finding of;
    find(&of, file.at, file.size);
    assert_ok(of.status);
    assert_int_equal(of.found.leaf_total, 1);
    assert_int_equal(of.found.leaves[0].name_length, 199999);
    finding_free(&of);
    free(file.at);
    free(pickle.at);
}

/* Long names of many tensors are bounded by the memory that the caller grants. */
static void test_memory(void **state) {
    (void)state;
    bytes pickle = {NULL, 0, 0};
    PUT(&pickle, "(d");
    for (int i = 0; i < 100; i++) {
        PUT(&pickle, "S'");
        for (int k = 0; k < 2000; k++) {
            PUT(&pickle, "name");
        }
        char item[256];
        snprintf(item, sizeof item, "%d'\n" T "s", i);
        put(&pickle, item, strlen(item));
    }
    PUT(&pickle, ".\0");
    bytes file = torch_zip((const char *)pickle.at, NULL, 0);
    held as;
    hold(&as, file.at, file.size);
    static const uint64_t limits[] = {64 << 20, 900 << 10};
    for (size_t i = 0; i < 2; i++) {
        const sft_find_options options = {.memory = limits[i]};
        sft_found found;
        sft_status status = sft_find_tensors(&found, &as.region, &options, NULL);
        assert_status(status, i == 0 ? SFT_OK : SFT_SOURCE_LIMIT);
        assert_true(i > 0 || found.tensor_count == 100);
        sft_found_free(&found);
    }
    sft_sources_free(&as.sources);
    free(file.at);
    free(pickle.at);
}

static void test_many_leaves(void **state) {
    (void)state;
    bytes pickle = {NULL, 0, 0};
    PUT(&pickle, "(l");
    for (int i = 0; i < 1500; i++) {
        PUT(&pickle, "Na");
    }
    PUT(&pickle, ".\0");
    finding of;
    find(&of, pickle.at, pickle.size - 1);
    assert_ok(of.status);
    assert_int_equal(of.found.leaf_total, 1500);
    assert_int_equal(of.found.leaf_count, 1000);
    assert_memory_equal(of.found.leaves[999].name, "999", 3);
    finding_free(&of);
    free(pickle.at);
}

/* A copy does not get what its original gets afterwards; before, it does. */
static void test_copies(void **state) {
    (void)state;
    static const char *const copies[] = {
        "(dp1\n0ccollections\nOrderedDict\n(g1\ntRg1\nI1\nI2\ns0.",
        "(dp1\n0ccollections\ndefaultdict\n(c__builtin__\nlist\ng1\ntRg1\nI1\nI2\ns0.",
        "(lp1\n0c__builtin__\nlist\n(g1\ntRg1\nI1\na0.",
    };
    for (size_t i = 0; i < sizeof copies / sizeof *copies; i++) {
        assert_find_fails(copies[i], strlen(copies[i]), SFT_UNSUPPORTED_SOURCE,
                          "copied here, and changed afterwards");
    }
    static const char whole[] = "(dp1\nI1\nI2\ns0ccollections\nOrderedDict\n(g1\ntR.";
    assert_finds(whole, sizeof whole - 1, SFT_FORMAT_PICKLE, "1: int\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nesting),   cmocka_unit_test(test_mappings),
        cmocka_unit_test(test_same_keys), cmocka_unit_test(test_keys_without_names),
        cmocka_unit_test(test_first_key), cmocka_unit_test(test_leaves),
        cmocka_unit_test(test_dropped),   cmocka_unit_test(test_cycles),
        cmocka_unit_test(test_sharing),   cmocka_unit_test(test_depth),
        cmocka_unit_test(test_memory),    cmocka_unit_test(test_many_leaves),
        cmocka_unit_test(test_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
