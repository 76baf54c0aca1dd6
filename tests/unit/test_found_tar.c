/* The tar archives that torch.save wrote before 0.1.10. */
#include "fixture.h"

#include "archive.h"
#include "found.h"

/* A member of a tar archive: a header of 512 bytes, and the bytes filled up to as many. */
static void put_member(bytes *to, const char *name, const bytes *data) {
    uint8_t header[512] = {0};
    unsigned sum = 0;
    snprintf((char *)header, 100, "%s", name);
    snprintf((char *)header + 100, 8, "0000644");
    snprintf((char *)header + 124, 12, "%011o", (unsigned)data->size);
    memcpy(header + 257, "ustar\00000", 8);
    header[156] = '0';
    memset(header + 148, ' ', 8);
    for (size_t i = 0; i < sizeof header; i++) {
        sum += header[i];
    }
    snprintf((char *)header + 148, 8, "%06o", sum);
    put(to, header, sizeof header);
    put(to, data->at, data->size);
    while (to->size % 512 != 0) {
        put_number(to, 0, 1);
    }
}

/* "storages": one storage, 11, of six floats, and what parts of it there are. */
static bytes storages_of(const char *class, uint64_t elements, const char *parts) {
    bytes file = {NULL, 0, 0};
    char description[64];
    snprintf(description, sizeof description, "I1\n.(I11\nS'cpu'\nctorch\n%s\nt.", class);
    put(&file, description, strlen(description));
    put_number(&file, elements, 8);
    for (unsigned i = 0; i < 24; i++) {
        put_number(&file, i, 1);
    }
    put(&file, parts, strlen(parts));
    return file;
}

typedef struct shape {
    uint64_t rank;
    uint64_t sizes[2];
    uint64_t strides[2];
    uint64_t offset;
} shape;

/* "tensors": one tensor, 21, of a storage. */
static bytes tensors_of(const char *storage, const shape *as) {
    bytes file = {NULL, 0, 0};
    char description[64];
    snprintf(description, sizeof description, "I1\n.(I21\nI%s\nctorch\nFloatTensor\nt.", storage);
    put(&file, description, strlen(description));
    put_number(&file, as->rank, 4);
    put_number(&file, 0, 4);
    for (uint64_t i = 0; i < as->rank && i < 2; i++) {
        put_number(&file, as->sizes[i], 8);
    }
    for (uint64_t i = 0; i < as->rank && i < 2; i++) {
        put_number(&file, as->strides[i], 8);
    }
    put_number(&file, as->offset, 8);
    return file;
}

typedef struct contents {
    const char *class; /* NULL: FloatStorage */
    uint64_t elements; /* 0: 6 */
    const char *parts; /* NULL: none */
    const char *storage;
    shape tensor;
    const char *pickle; /* NULL: {'w': tensor 21} */
} contents;

static bytes archive_of(const contents *of) {
    bytes storages =
        storages_of(of->class != NULL ? of->class : "FloatStorage",
                    of->elements > 0 ? of->elements : 6, of->parts != NULL ? of->parts : "(l.");
    bytes tensors = tensors_of(of->storage, &of->tensor);
    bytes pickle = {NULL, 0, 0};
    const char *text = of->pickle != NULL ? of->pickle : "(dS'w'\nP21\ns.";
    put(&pickle, text, strlen(text));
    bytes file = {NULL, 0, 0};
    put_member(&file, "storages", &storages);
    put_member(&file, "tensors", &tensors);
    put_member(&file, "pickle", &pickle);
    for (unsigned i = 0; i < 1024; i++) {
        put_number(&file, 0, 1);
    }
    free(storages.at);
    free(tensors.at);
    free(pickle.at);
    return file;
}

static const shape two_by_two = {2, {2, 2}, {2, 1}, 0};

static void test_tensors(void **state) {
    (void)state;
    const contents rows[] = {
        {.storage = "11", .tensor = two_by_two},
        {.storage = "11", .tensor = {2, {2, 3}, {1, 2}, 0}},
        {.storage = "12", .tensor = two_by_two, .parts = "(l(I12\nI11\nI2\nI4\nta."},
        {.storage = "12", .tensor = {1, {2}, {1}, 3}, .parts = "(l(I12\nI11\nI2\nI4\nta."},
        {.storage = "11", .tensor = {1, {7}, {1}, 0}},
        {.storage = "11", .tensor = {1, {UINT64_MAX}, {1}, 0}},
        {.storage = "11", .tensor = two_by_two, .pickle = "(dS'w'\nP11\nsS'v'\nI21\nQs."},
        {.storage = "11", .tensor = two_by_two, .pickle = "(dS'm'\n(ctorch.nn\nLinear\nNNtQs."},
    };
    static const char *const found[] = {
        "w F32 [2,2] dense @0 #0\n",
        "w F32 [2,3] strides [1,2] @0 #0\n",
        "w F32 [2,2] dense @2 #0\n",
        "w TENSOR_BOUNDS: it reaches beyond its storage of 16 bytes\n",
        "w TENSOR_BOUNDS: it reaches beyond its storage of 24 bytes\n",
        "w TENSOR_BOUNDS: a size or a stride of it is negative\n",
        "v F32 [2,2] dense @0 #0\nw: torch.storage\n",
        "m: torch.storage\n",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bytes file = archive_of(&rows[i]);
        assert_finds(file.at, file.size, SFT_FORMAT_TORCH_TAR, found[i]);
        free(file.at);
    }
}

static void test_bytes(void **state) {
    (void)state;
    const contents of = {
        .storage = "12", .tensor = two_by_two, .parts = "(l(I12\nI11\nI2\nI4\nta."};
    bytes file = archive_of(&of);
    finding result;
    find(&result, file.at, file.size);
    assert_found_bytes(&result, "w", "\10\11\12\13", 4);
    finding_free(&result);
    free(file.at);
}

static void test_broken(void **state) {
    (void)state;
    const contents rows[] = {
        {.elements = 7, .storage = "11", .tensor = two_by_two},
        {.elements = UINT64_MAX, .storage = "11", .tensor = two_by_two},
        {.storage = "12", .tensor = two_by_two},
        {.storage = "12", .tensor = two_by_two, .parts = "(l(I12\nI11\nI5\nI2\nta."},
        {.storage = "12", .tensor = two_by_two, .parts = "(l(I12\nI13\nI0\nI2\nta."},
        {.storage = "12", .tensor = two_by_two, .parts = "(l(I11\nI11\nI0\nI2\nta."},
        {.storage = "11", .tensor = two_by_two, .parts = "I3\n."},
        {.storage = "11", .tensor = two_by_two, .pickle = "(dS'w'\n"},
        {.class = "NoStorage", .storage = "11", .tensor = two_by_two},
    };
    static const char *const words[] = {"",
                                        "end after the file",
                                        "a key and that of a storage",
                                        "reaches beyond it",
                                        "two keys",
                                        "one key",
                                        "list of their parts",
                                        "",
                                        "and a class"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bytes file = archive_of(&rows[i]);
        assert_find_fails(file.at, file.size, SFT_MALFORMED_SOURCE, words[i]);
        free(file.at);
    }
    const contents deep = {.storage = "11", .tensor = {65, {1, 1}, {1, 1}, 0}};
    bytes file = archive_of(&deep);
    assert_find_fails(file.at, file.size, SFT_SOURCE_LIMIT, "64 dimensions");
    free(file.at);
}

static void test_other_archives(void **state) {
    (void)state;
    bytes file = {NULL, 0, 0};
    bytes text = {NULL, 0, 0};
    PUT(&text, "(d.");
    put_member(&file, "pickle", &text);
    for (unsigned i = 0; i < 1024; i++) {
        put_number(&file, 0, 1);
    }
    assert_find_fails(file.at, file.size, SFT_UNSUPPORTED_SOURCE, "torch.save did not make");
    free(file.at);
    free(text.at);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tensors),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_broken),
        cmocka_unit_test(test_other_archives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
