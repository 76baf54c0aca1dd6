/*
 * Checkpoints made of text, and what is found in them as text. Include after fixture.h and
 * archive.h.
 *
 * Pickles are written with the opcodes of protocol 0, which can be read: (dp0\n and the like.
 */
#ifndef SFT_TESTS_FOUND_H
#define SFT_TESTS_FOUND_H

#include "check_found.h"

/* A storage by its persistent id, in a zip archive and in the legacy container. */
#define ZIP_ID(class, key, elements)                                                               \
    "(S'storage'\nctorch\n" class "\nS'" key "'\nS'cpu'\nI" elements "\ntQ"
#define LEGACY_ID(class, key, elements, view)                                                      \
    "(S'storage'\nctorch\n" class "\nS'" key "'\nS'cpu'\nI" elements "\n" view "tQ"

/* _rebuild_tensor_v2(storage, offset, sizes, strides, False, {}); sizes as "I2\nI3\n". */
#define REBUILD(storage, offset, sizes, strides)                                                   \
    "ctorch._utils\n_rebuild_tensor_v2\n(" storage "I" offset "\n(" sizes "t(" strides "tI00\n("   \
    "dtR"

/* A dict of one or more of these, ended by "s" each: ITEM("w", value) in a DICT. */
#define DICT(items) "(d" items "."
#define ITEM(key, value) "S'" key "'\n" value "s"

/* Adds a text of the source, which may hold NUL. */
#define PUT(to, text) put(to, text, sizeof(text) - 1)

typedef struct finding {
    held file;
    sft_found found;
    sft_status status;
    sft_error error;
    char text[4096]; /* of all tensors and leaves, a line each */
} finding;

static inline void describe_numbers(char *line, size_t size, const uint64_t *numbers,
                                    uint32_t count) {
    size_t used = strlen(line);
    snprintf(line + used, size - used, "[");
    for (uint32_t i = 0; i < count; i++) {
        used = strlen(line);
        snprintf(line + used, size - used, "%s%llu", i > 0 ? "," : "",
                 (unsigned long long)numbers[i]);
    }
    used = strlen(line);
    snprintf(line + used, size - used, "]");
}

/* "name F32 [2,3] dense @0 #0" or "name F32 [3,2] strides [1,3] @0 #0", or why it is refused. */
static inline void describe_tensor(const sft_found_tensor *tensor, const sft_found *found,
                                   char *line, size_t size) {
    snprintf(line, size, "%.*s ", (int)tensor->name_length, tensor->name);
    size_t used = strlen(line);
    if (tensor->refused != SFT_OK) {
        snprintf(line + used, size - used, "%s: %s\n", sft_status_name(tensor->refused),
                 tensor->why);
        return;
    }
    snprintf(line + used, size - used, "%s ", sft_dtype_name(tensor->dtype));
    describe_numbers(line, size, tensor->shape, tensor->rank);
    used = strlen(line);
    snprintf(line + used, size - used, tensor->dense ? " dense" : " strides ");
    if (!tensor->dense) {
        describe_numbers(line, size, tensor->strides, tensor->rank);
    }
    used = strlen(line);
    snprintf(line + used, size - used, " @%llu #%llu%s%s%s\n", (unsigned long long)tensor->offset,
             (unsigned long long)tensor->storage, tensor->conjugate ? " conj" : "",
             tensor->negative ? " neg" : "",
             found->storages[tensor->storage].big_endian ? " big" : "");
}

static inline void describe(finding *of) {
    const sft_found *found = &of->found;
    of->text[0] = '\0';
    for (uint64_t i = 0; i < found->tensor_count; i++) {
        size_t used = strlen(of->text);
        describe_tensor(&found->tensors[i], found, of->text + used, sizeof of->text - used);
    }
    for (uint64_t i = 0; i < found->leaf_count; i++) {
        size_t used = strlen(of->text);
        snprintf(of->text + used, sizeof of->text - used, "%.*s: %s\n",
                 (int)found->leaves[i].name_length, found->leaves[i].name, found->leaves[i].kind);
    }
}

/* Finds what bytes hold. finding_free() in any case. */
static inline void find(finding *of, const void *data, size_t size) {
    const sft_find_options options = {.file_name = "file.npy"};
    hold(&of->file, data, size);
    memset(&of->error, 0, sizeof of->error);
    of->status = sft_find_tensors(&of->found, &of->file.region, &options, &of->error);
    assert_null(check_find_status(of->status));
    assert_null(check_found(&of->found));
    describe(of);
}

static inline void finding_free(finding *of) {
    sft_found_free(&of->found);
    sft_sources_free(&of->file.sources);
}

/* A tensor's bytes, which lie in one piece. */
static inline void assert_found_bytes(const finding *of, const char *name, const void *expected,
                                      size_t size) {
    for (uint64_t i = 0; i < of->found.tensor_count; i++) {
        const sft_found_tensor *tensor = &of->found.tensors[i];
        if (tensor->name_length == strlen(name) &&
            memcmp(tensor->name, name, tensor->name_length) == 0) {
            uint8_t read[256];
            assert_true(tensor->refused == SFT_OK && tensor->dense && size <= sizeof read);
            uint64_t from = tensor->offset * sft_dtype_bits(tensor->dtype) / 8;
            assert_ok(sft_region_read(&of->found.storages[tensor->storage].region, from, read, size,
                                      NULL));
            assert_memory_equal(read, expected, size);
            return;
        }
    }
    fail_msg("no tensor %s in:\n%s", name, of->text);
}

/* Finds, and compares with what was expected, format included. */
static inline void assert_finds(const void *data, size_t size, sft_format format,
                                const char *expected) {
    finding of;
    find(&of, data, size);
    if (of.status != SFT_OK) {
        fail_msg("%s: %s", sft_status_name(of.status), of.error.message);
    }
    assert_string_equal(of.text, expected);
    assert_string_equal(sft_format_name(of.found.format), sft_format_name(format));
    finding_free(&of);
}

static inline void assert_find_fails(const void *data, size_t size, sft_status status,
                                     const char *words) {
    finding of;
    find(&of, data, size);
    assert_string_equal(sft_status_name(of.status), sft_status_name(status));
    if (strstr(of.error.message, words) == NULL) {
        fail_msg("\"%s\" where \"%s\" was expected", of.error.message, words);
    }
    finding_free(&of);
}

/* ---- containers ---- */

typedef struct stored {
    const char *name; /* "data/0" */
    const void *bytes;
    size_t size;
} stored;

/* A torch archive of a pickle, 24 bytes as storage 0 that count up from 0, and other members. */
static inline bytes torch_zip(const char *pickle, const stored *others, size_t count) {
    archive made = {{0}, {0}, 0, 0, 0};
    uint8_t data[24];
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)i;
    }
    archive_add_text(&made, "a/data.pkl", pickle);
    const archive_file storage = {.name = "a/data/0", .data = data, .data_size = sizeof data};
    archive_add(&made, &storage);
    for (size_t i = 0; i < count; i++) {
        char name[64];
        snprintf(name, sizeof name, "a/%s", others[i].name);
        const archive_file other = {
            .name = name, .data = others[i].bytes, .data_size = others[i].size};
        archive_add(&made, &other);
    }
    archive_end(&made);
    bytes file = made.file;
    made.file = (bytes){NULL, 0, 0};
    archive_free(&made);
    return file;
}

static inline void assert_zip_finds(const char *pickle, const char *expected) {
    bytes file = torch_zip(pickle, NULL, 0);
    assert_finds(file.at, file.size, SFT_FORMAT_TORCH_ZIP, expected);
    free(file.at);
}

static inline void assert_zip_fails(const char *pickle, sft_status status, const char *words) {
    bytes file = torch_zip(pickle, NULL, 0);
    assert_find_fails(file.at, file.size, status, words);
    free(file.at);
}

/* The legacy container of an object and a list of keys ("(lS'0'\na."), with bytes behind. */
static inline bytes torch_legacy(const char *object, const char *keys, const void *storages,
                                 size_t size) {
    bytes file = {NULL, 0, 0};
    static const char front[] = "L119547037146038801333356L\n.I1001\n.(d.";
    PUT(&file, front);
    put(&file, object, strlen(object));
    put(&file, keys, strlen(keys));
    put(&file, storages, size);
    return file;
}

#endif
