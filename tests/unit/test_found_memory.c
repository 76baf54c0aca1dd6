/* Every allocation of a search fails once: it ends with SFT_NO_MEMORY, and nothing is lost. */
#include "fixture.h"

#include "archive.h"
#include "found.h"

#include "base/memory.h"

typedef struct failing {
    uint64_t calls;
    uint64_t fail_at;
    uint64_t held; /* bytes */
} failing;

static void *allocate(void *context, size_t size) {
    failing *f = context;
    void *memory = ++f->calls == f->fail_at ? NULL : malloc(size);
    f->held += memory != NULL ? size : 0;
    return memory;
}

static void *reallocate(void *context, void *memory, size_t old_size, size_t new_size) {
    failing *f = context;
    void *moved = ++f->calls == f->fail_at ? NULL : realloc(memory, new_size);
    f->held += moved != NULL ? new_size - old_size : 0;
    return moved;
}

static void release(void *context, void *memory, size_t size) {
    failing *f = context;
    f->held -= size;
    free(memory);
}

/* Returns how many allocations a search makes that goes well. */
static uint64_t fail_each(const bytes *file, uint64_t tensors) {
    held as;
    hold(&as, file->at, file->size);
    failing f = {0, 0, 0};
    const sft_allocator allocator = {&f, allocate, reallocate, release};
    const sft_find_options options = {.allocator = &allocator, .file_name = "a.npy"};
    sft_status status = SFT_NO_MEMORY;
    while (status != SFT_OK) {
        sft_found found;
        sft_error error;
        f = (failing){0, f.fail_at + 1, 0};
        status = sft_find_tensors(&found, &as.region, &options, &error);
        if (status != SFT_OK) {
            assert_status(status, SFT_NO_MEMORY);
            assert_status(error.status, SFT_NO_MEMORY);
        } else {
            assert_int_equal(found.tensor_count, tensors);
            assert_null(check_found(&found));
        }
        sft_found_free(&found);
        assert_int_equal(f.held, 0);
    }
    sft_sources_free(&as.sources);
    return f.calls;
}

#define TENSOR(id, n) REBUILD(id, "0", "I" n "\n", "I1\n")
#define ARRAY(bytes)                                                                               \
    "cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(I4\ntcnumpy\n"    \
    "dtype\n(S'u1'\nI00\nI01\ntRI00\n" bytes "tb"

static void test_zip(void **state) {
    (void)state;
    bytes pickle = {NULL, 0, 0};
    PUT(&pickle, "(d");
    for (int i = 0; i < 20; i++) {
        char item[256];
        snprintf(item, sizeof item,
                 "I%d\n" TENSOR(ZIP_ID("FloatStorage", "0", "6"), "6") "sS'k%d'\nNs", i, i);
        put(&pickle, item, strlen(item));
    }
    PUT(&pickle, "S's'\nctorch._utils\n_rebuild_sparse_tensor\n(tRs.\0");
    bytes file = torch_zip((const char *)pickle.at, NULL, 0);
    assert_true(fail_each(&file, 21) > 20);
    free(file.at);
    free(pickle.at);
}

static void test_legacy(void **state) {
    (void)state;
    bytes file = torch_legacy(DICT(ITEM("w", TENSOR(LEGACY_ID("IntStorage", "0", "1", "N"), "1"))),
                              "(lS'0'\na.", "\1\0\0\0\0\0\0\0abcd", 12);
    assert_true(fail_each(&file, 1) > 20);
    bytes outer = {NULL, 0, 0};
    PUT(&outer, "\x80\3(lctorch.storage\n_load_from_bytes\nB");
    put_number(&outer, file.size, 4);
    put(&outer, file.at, file.size);
    PUT(&outer, "\x85Ra.");
    assert_true(fail_each(&outer, 1) > 20);
    free(outer.at);
    free(file.at);
}

static void test_arrays(void **state) {
    (void)state;
    bytes file = {NULL, 0, 0};
    PUT(&file, DICT(ITEM("a", ARRAY("c_codecs\nencode\n(Vabcd\nVlatin1\ntR"))
                        ITEM("b", ARRAY("S'abcd'\n"))));
    assert_true(fail_each(&file, 2) > 20);
    bytes packed = deflated(file.at, file.size, 31);
    assert_true(fail_each(&packed, 2) > 20);
    free(packed.at);
    free(file.at);
    bytes npy = {NULL, 0, 0};
    PUT(&npy, "\x93NUMPY\1\0\x37\0{'descr': '|u1', 'fortran_order': False, 'shape': (1,)}a");
    assert_true(fail_each(&npy, 1) > 3);
    free(npy.at);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zip),
        cmocka_unit_test(test_legacy),
        cmocka_unit_test(test_arrays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
