/* Checkpoints to be converted, made on the spot. Include after scratch.h. */
#ifndef SFT_TESTS_SOURCES_H
#define SFT_TESTS_SOURCES_H

#include <sft.h>

/* An array of bytes as NumPy saves it: shape is "(3,)" or the like, `order` "True" for Fortran's.
 */
static inline size_t make_npy(unsigned char *to, const char *dtype, const char *order,
                              const char *shape, const void *data, size_t size) {
    char header[119];
    int length =
        snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': %s, 'shape': %s, }",
                 dtype, order, shape);
    assert_true(length > 0 && (size_t)length < sizeof header);
    memset(header + length, ' ', sizeof header - (size_t)length);
    header[sizeof header - 1] = '\n';
    memcpy(to, "\x93NUMPY\x01\x00\x76\x00", 10);
    memcpy(to + 10, header, 118);
    to[127] = '\n';
    memcpy(to + 128, data, size);
    return 128 + size;
}

static inline void store_npy(const char *name, const char *dtype, const char *order,
                             const char *shape, const void *data, size_t size) {
    unsigned char *bytes = malloc(128 + size);
    assert_non_null(bytes);
    scratch_store(name, bytes, make_npy(bytes, dtype, order, shape, data, size));
    free(bytes);
}

/* A model of two shards, in a folder of the scratch folder. */
static inline void store_sharded(const char *folder) {
    char name[128];
    assert_int_equal(mkdir(scratch(folder), 0755), 0);
    snprintf(name, sizeof name, "%s/a.npy", folder);
    store_npy(name, "|u1", "False", "(5,)", "first", 5);
    snprintf(name, sizeof name, "%s/b.npy", folder);
    store_npy(name, "|u1", "True", "(2, 3)", "adbecf", 6);
    snprintf(name, sizeof name, "%s/pytorch_model.bin.index.json", folder);
    static const char index[] =
        "{\"metadata\":{},\"weight_map\":{\"b\":\"b.npy\",\"a\":\"a.npy\"}}";
    scratch_store(name, index, sizeof index - 1);
}

/* Whether a tensor of a file, or of a folder of shards, holds some bytes. */
static inline bool result_holds(const char *path, const char *tensor, const void *bytes,
                                size_t size) {
    unsigned char got[256];
    sft_model *model;
    sft_error error;
    sft_model_options options = SFT_MODEL_OPTIONS;
    options.access = SFT_ACCESS_READ;
    expect_status(sft_model_open(path, &options, &model, &error), SFT_OK, &error);
    sft_model_tensor found;
    bool holds =
        sft_model_find(model, tensor, strlen(tensor), &found) && size <= sizeof got &&
        found.tensor->end - found.tensor->begin == size &&
        sft_read(sft_model_shard(model, found.shard), found.tensor, got, size, NULL) == SFT_OK &&
        memcmp(got, bytes, size) == 0;
    sft_model_close(model);
    return holds;
}

#endif
