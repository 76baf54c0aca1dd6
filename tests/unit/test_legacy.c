/* torch's legacy container: its layout, and the tensors in it, in files and in pickles. */
#include "fixture.h"

#include "archive.h"
#include "found.h"

#include "checkpoint/legacy.h"

#define MAGIC_TEXT "L119547037146038801333356L\n."
#define MAGIC "\x80\2\x8a\n\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
#define PROTOCOL "\x80\2M\xe9\3."
#define SYSTEM "(dS'little_endian'\nI01\ns."
#define KEY_LIST "(lS'0'\na."
#define SIX LEGACY_ID("FloatStorage", "0", "6", "N")
#define OBJECT DICT(ITEM("w", REBUILD(SIX, "0", "I2\nI3\n", "I3\nI1\n")))

/* How many elements there are, and as many bytes as they take, counted up from 0. */
static void put_storage(bytes *to, uint64_t elements, size_t size) {
    put_number(to, elements, 8);
    for (size_t i = 0; i < size; i++) {
        put_number(to, i, 1);
    }
}

static bytes file_of(const char *object, const char *keys, uint64_t elements, size_t size) {
    bytes storages = {NULL, 0, 0};
    put_storage(&storages, elements, size);
    bytes file = torch_legacy(object, keys, storages.at, storages.size);
    free(storages.at);
    return file;
}

typedef struct layout {
    held file;
    sft_legacy legacy;
    sft_status status;
    sft_error error;
} layout;

static void read_layout(layout *of, const void *data, size_t size) {
    const sft_pickle_options options = {.memory = 0};
    hold(&of->file, data, size);
    memset(&of->error, 0, sizeof of->error);
    of->status = sft_legacy_read(&of->legacy, &of->file.region, &options, &of->error);
}

static void layout_free(layout *of) {
    sft_legacy_free(&of->legacy);
    sft_sources_free(&of->file.sources);
}

static void test_layout(void **state) {
    (void)state;
    bytes file = {NULL, 0, 0};
    PUT(&file, MAGIC PROTOCOL SYSTEM OBJECT KEY_LIST);
    size_t end = file.size;
    put_storage(&file, 6, 24);
    PUT(&file, "more");
    layout of;
    read_layout(&of, file.at, file.size);
    assert_ok(of.status);
    assert_true(of.legacy.recognized);
    static const size_t sizes[] = {sizeof MAGIC - 1, sizeof PROTOCOL - 1, sizeof SYSTEM - 1,
                                   sizeof OBJECT - 1, sizeof KEY_LIST - 1};
    assert_int_equal(of.legacy.pickle_count, 5);
    uint64_t at = 0;
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(of.legacy.pickles[i], at);
        at += sizes[i];
    }
    assert_int_equal(of.legacy.storage_count, 1);
    const sft_legacy_storage *storage = &of.legacy.storages[0];
    assert_int_equal(storage->key_length, 1);
    assert_memory_equal(storage->key, "0", 1);
    assert_int_equal(storage->elements, 6);
    assert_int_equal(storage->item_size, 4);
    assert_int_equal(storage->data, end + 8);
    assert_int_equal(storage->size, 24);
    assert_int_equal(of.legacy.end, end + 32);
    layout_free(&of);
    /* A file that is cut anywhere is not recognised, or told to be broken. */
    for (size_t size = 0; size < end + 32; size++) {
        read_layout(&of, file.at, size);
        assert_int_equal(of.legacy.recognized, size >= sizeof MAGIC - 1);
        assert_status(of.status, of.legacy.recognized ? SFT_MALFORMED_SOURCE : SFT_OK);
        layout_free(&of);
    }
    free(file.at);
}

/* Only the number itself is the magic: what a call makes of it would run the call first. */
static void test_magic(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        bool recognized;
    } rows[] = {
        {MAGIC, sizeof MAGIC - 1, true},
        {MAGIC_TEXT, sizeof MAGIC_TEXT - 1, true},
        {"I119547037146038801333356\n.", 27, true},
        {"L119547037146038801333357L\n.", 28, false},
        {"c__builtin__\nint\n(L119547037146038801333356L\ntR.", 48, false},
        {"L119547037146038801333356L\n0N.", 30, false},
        {"(L119547037146038801333356L\nt.", 30, false},
        {"S'119547037146038801333356'\n.", 29, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        layout of;
        read_layout(&of, rows[i].bytes, rows[i].size);
        if (of.legacy.recognized != rows[i].recognized) {
            fail_msg("%s", rows[i].bytes);
        }
        layout_free(&of);
    }
}

static void test_broken(void **state) {
    (void)state;
    static const struct {
        const char *behind_magic;
        const char *words;
    } rows[] = {
        {"I1002\n." SYSTEM OBJECT KEY_LIST, "1001"},
        {"I1001\n." SYSTEM OBJECT "I5\n.", "list"},
        {"I1001\n." SYSTEM OBJECT "(lI0\na.", "short text"},
        {"I1001\n." SYSTEM OBJECT "(lS'1'\na.", "does not name"},
        {"I1001\n." SYSTEM OBJECT KEY_LIST, "ends before the last storage"},
        {"I1001\n." SYSTEM OBJECT KEY_LIST "\6\1\1\1\1\1\1\1", "end after the file"},
        {"I1001\n." SYSTEM OBJECT KEY_LIST "\6\1\1\1\1\1\1\x7f", "end after the file"},
        {"I1001\n." SYSTEM "x", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bytes file = {NULL, 0, 0};
        PUT(&file, MAGIC_TEXT);
        put(&file, rows[i].behind_magic, strlen(rows[i].behind_magic));
        layout of;
        read_layout(&of, file.at, file.size);
        if (of.status != SFT_MALFORMED_SOURCE || strstr(of.error.message, rows[i].words) == NULL) {
            fail_msg("%s: %s: %s", rows[i].behind_magic, sft_status_name(of.status),
                     of.error.message);
        }
        assert_true(of.legacy.recognized);
        layout_free(&of);
        free(file.at);
    }
    bytes file = torch_legacy(OBJECT, "(lS'0'\naS'0'\na.", "\0\0\0\0\0\0\0\0", 8);
    layout of;
    read_layout(&of, file.at, file.size);
    assert_status(of.status, SFT_MALFORMED_SOURCE);
    assert_non_null(strstr(of.error.message, "twice"));
    layout_free(&of);
    free(file.at);
}

static void test_tensors(void **state) {
    (void)state;
    bytes file = file_of(OBJECT, KEY_LIST, 6, 24);
    assert_finds(file.at, file.size, SFT_FORMAT_TORCH_LEGACY, "w F32 [2,3] dense @0 #0\n");
    finding of;
    find(&of, file.at, file.size);
    assert_found_bytes(&of, "w", "\0\1\2\3\4\5\6\7\10\11\12\13", 12);
    finding_free(&of);
    free(file.at);
    /* Storages are little-endian, whatever sys_info says of the machine that wrote them. */
    bytes big = {NULL, 0, 0};
    static const char front[] = MAGIC_TEXT "I1001\n.(dS'little_endian'\nI00\ns." OBJECT KEY_LIST;
    PUT(&big, front);
    put_storage(&big, 6, 24);
    assert_finds(big.at, big.size, SFT_FORMAT_TORCH_LEGACY, "w F32 [2,3] dense @0 #0\n");
    free(big.at);
}

static void test_storages(void **state) {
    (void)state;
    static const struct {
        const char *object;
        const char *keys;
        uint64_t elements;
        const char *found;
    } rows[] = {
        {OBJECT, "(l.", 6, "w MISSING_STORAGE: its storage is not in the file\n"},
        {OBJECT, KEY_LIST, 5,
         "w STORAGE_SIZE: its storage has other than the bytes its elements need\n"},
        {DICT(ITEM("m", "(S'module'\nctorch.nn\nLinear\nNNtQ")), "(l.", 0, "m: torch.storage\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bytes file = file_of(rows[i].object, rows[i].keys, rows[i].elements, 24);
        assert_finds(file.at, file.size, SFT_FORMAT_TORCH_LEGACY, rows[i].found);
        free(file.at);
    }
}

#define PART(key, first, count)                                                                    \
    REBUILD(LEGACY_ID("FloatStorage", "0", "6", "(S'" key "'\nI" first "\nI" count "\nt"), "0",    \
            "I2\n", "I1\n")

/* Storages that are parts of others, as PyTorch before 0.4 had them. */
static void test_parts(void **state) {
    (void)state;
    static const struct {
        const char *object;
        const char *found;
    } rows[] = {
        {DICT(ITEM("a", PART("1", "0", "6")) ITEM("b", PART("2", "3", "3"))
                  ITEM("c", PART("2", "3", "3"))),
         "a F32 [2] dense @0 #0\nb F32 [2] dense @3 #0\nc F32 [2] dense @3 #0\n"},
        {DICT(ITEM("a", PART("1", "5", "1"))),
         "a TENSOR_BOUNDS: it reaches beyond its storage of 4 bytes\n"},
        {DICT(ITEM("a", PART("1", "5", "2"))),
         "a TENSOR_BOUNDS: a view of its storage reaches beyond it\n"},
        {DICT(ITEM("a", PART("1", "9223372036854775807", "9223372036854775807"))),
         "a TENSOR_BOUNDS: a view of its storage reaches beyond it\n"},
        {DICT(ITEM("a", PART("1", "0", "3")) ITEM("b", PART("1", "3", "3"))),
         "a STORAGE_SIZE: its storage is described in two ways that contradict each other\n"
         "b STORAGE_SIZE: its storage is described in two ways that contradict each other\n"},
        {DICT(ITEM("a", PART("0", "0", "3"))),
         "a STORAGE_SIZE: its storage is described in two ways that contradict each other\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bytes file = file_of(rows[i].object, KEY_LIST, 6, 24);
        assert_finds(file.at, file.size, SFT_FORMAT_TORCH_LEGACY, rows[i].found);
        free(file.at);
    }
}

/* A legacy file of one object as a bytes value: BINBYTES, its length, and the file. */
static void put_file(bytes *to, const char *object, size_t size) {
    bytes file = file_of(object, KEY_LIST, 6, size);
    put(to, "B", 1);
    put_number(to, file.size, 4);
    put(to, file.at, file.size);
    free(file.at);
}

/* Tensors that were pickled outside of torch.save: their storages are files in texts. */
static void test_plain_pickles(void **state) {
    (void)state;
    bytes pickle = {NULL, 0, 0};
    static const char front[] =
        "\x80\3}(X\1\0\0\0wctorch._utils\n_rebuild_tensor_v2\n(ctorch.storage\n_load_from_bytes\n";
    static const char back[] = "q\1\x85Rq\2I2\n(I2\nt(I1\ntI00\n(dtRX\1\0\0\0v"
                               "ctorch._utils\n_rebuild_tensor_v2\n(ctorch.storage\n"
                               "_load_from_bytes\nh\1\x85RI0\n(I6\nt(I1\ntI00\n(dtRu.";
    PUT(&pickle, front);
    put_file(&pickle, SIX ".", 24);
    PUT(&pickle, back);
    assert_finds(pickle.at, pickle.size, SFT_FORMAT_PICKLE,
                 "w F32 [2] dense @2 #0\nv F32 [6] dense @0 #0\n");
    finding of;
    find(&of, pickle.at, pickle.size);
    assert_found_bytes(&of, "w", "\10\11\12\13\14\15\16\17", 8);
    finding_free(&of);
    free(pickle.at);
}

static void test_files_in_pickles(void **state) {
    (void)state;
    static const char load[] = "\x80\3ctorch.storage\n_load_from_bytes\n";
    bytes pickle = {NULL, 0, 0};
    /* A whole checkpoint in a text: its tensors are found, under their own names. */
    PUT(&pickle, load);
    put_file(&pickle, OBJECT, 24);
    PUT(&pickle, "\x85R.");
    assert_finds(pickle.at, pickle.size, SFT_FORMAT_PICKLE, "w F32 [2,3] dense @0 #0\n");
    free(pickle.at);
    /* A tensor whose storage is a file that holds something else. */
    static const char rebuild[] = "\x80\3ctorch._utils\n_rebuild_tensor_v2\n(";
    bytes odd = {NULL, 0, 0};
    PUT(&odd, rebuild);
    PUT(&odd, load);
    put_file(&odd, OBJECT, 24);
    PUT(&odd, "\x85RI0\n(I2\nt(I1\ntI00\n(dtR.");
    assert_finds(odd.at, odd.size, SFT_FORMAT_PICKLE,
                 " MISSING_STORAGE: what stands for its storage is a file that holds something "
                 "else\n");
    free(odd.at);
    static const char text[] = "\x80\3ctorch.storage\n_load_from_bytes\nC\3abc\x85R.";
    assert_finds(text, sizeof text - 1, SFT_FORMAT_PICKLE,
                 " UNSUPPORTED_TENSOR: what stands for it is a file of another kind than torch's "
                 "legacy container\n");
}

/* Files in files in files are opened so deep as the caller allows. */
static void test_depth(void **state) {
    (void)state;
    bytes file = {NULL, 0, 0};
    PUT(&file, OBJECT);
    for (int level = 0; level < 6; level++) {
        bytes inner = level == 0 ? file_of(OBJECT, KEY_LIST, 6, 24) : (bytes){NULL, 0, 0};
        if (level > 0) {
            /* The object of the next file loads the one before. */
            static const char load[] = "\x80\3ctorch.storage\n_load_from_bytes\nB";
            PUT(&inner, MAGIC_TEXT "I1001\n.(d.");
            PUT(&inner, load);
            put_number(&inner, file.size, 4);
            put(&inner, file.at, file.size);
            PUT(&inner, "\x85R.(l.");
        }
        free(file.at);
        file = inner;
        if (level > 0) {
            assert_finds(file.at, file.size, SFT_FORMAT_TORCH_LEGACY,
                         level <= 4 ? "w F32 [2,3] dense @0 #0\n"
                                    : " SOURCE_LIMIT: files lie inside of each other deeper than "
                                      "the limit allows\n");
        }
    }
    free(file.at);
}

/* One text, opened again and again: what would become of a small file is bounded. */
static void test_many_openings(void **state) {
    (void)state;
    enum { FLOATS = 1 << 18, CALLS = 82 };
    char *storage = calloc(FLOATS, 4);
    bytes pickle = {NULL, 0, 0};
    bytes inner = {NULL, 0, 0};
    assert_non_null(storage);
    PUT(&inner, MAGIC_TEXT "I1001\n.(d.ctorch._utils\n_rebuild_tensor_v2\n((Vstorage\n"
                           "ctorch\nFloatStorage\nV0\nVcpu\nI262144\nNtQI0\n(I9\nt(I1\ntI00\n(dtR."
                           "(lV0\na.");
    put_number(&inner, FLOATS, 8);
    put(&inner, storage, (size_t)FLOATS * 4);
    PUT(&pickle, "\x80\3B");
    put_number(&pickle, inner.size, 4);
    put(&pickle, inner.at, inner.size);
    PUT(&pickle, "q\0000]("); /* once in the memo, and off the stack */
    for (int i = 0; i < CALLS; i++) {
        PUT(&pickle, "ctorch.storage\n_load_from_bytes\nh\0\x85R");
    }
    PUT(&pickle, "e.");
    finding of;
    find(&of, pickle.at, pickle.size);
    assert_int_equal(of.found.tensor_count, CALLS);
    for (uint64_t i = 0; i < CALLS; i++) {
        /* 16 times a file of 1 MiB and a little, and 64 MiB. */
        assert_int_equal(of.found.tensors[i].refused, i < 80 ? SFT_OK : SFT_SOURCE_LIMIT);
    }
    finding_free(&of);
    free(pickle.at);
    free(inner.at);
    free(storage);
}

/* Nothing that follows a pickle is left out without a word. */
static void test_second_pickle(void **state) {
    (void)state;
    assert_find_fails("\x80\2}.\x80\2}.", 8, SFT_UNSUPPORTED_SOURCE, "something follows");
    assert_finds("\x80\2}.", 4, SFT_FORMAT_PICKLE, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout),        cmocka_unit_test(test_magic),
        cmocka_unit_test(test_broken),        cmocka_unit_test(test_tensors),
        cmocka_unit_test(test_storages),      cmocka_unit_test(test_parts),
        cmocka_unit_test(test_plain_pickles), cmocka_unit_test(test_files_in_pickles),
        cmocka_unit_test(test_depth),         cmocka_unit_test(test_many_openings),
        cmocka_unit_test(test_second_pickle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
