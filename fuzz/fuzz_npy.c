/*
 * NumPy: the input is read as a .npy file, as a header without one around it, and as the
 * description of a type; then as a checkpoint of whatever kind it is.
 */
#include "found.h"

#include "base/memory.h"
#include "checkpoint/npy.h"

static void check_dtype(const sft_numpy_dtype *dtype) {
    fuzz_require(memchr(dtype->text, '\0', sizeof dtype->text) != NULL, "a type's text has no end");
    if (dtype->supported) {
        fuzz_require(!dtype->object && dtype->item_size == sft_dtype_bits(dtype->dtype) / 8,
                     "a type has another size than ours");
    }
}

static void check_npy(const sft_region *region, const sft_npy *npy) {
    check_dtype(&npy->dtype);
    fuzz_require(npy->rank <= 64 && npy->data <= region->size, "an array without a place");
    uint64_t elements = 1;
    bool empty = false;
    for (uint32_t i = 0; i < npy->rank; i++) {
        empty = empty || npy->shape[i] == 0;
    }
    for (uint32_t i = 0; i < npy->rank && !empty; i++) {
        fuzz_require(elements <= UINT64_MAX / npy->shape[i], "a shape beyond 64 bits");
        elements *= npy->shape[i];
    }
    fuzz_require(npy->elements == (empty ? 0 : elements), "a shape has other elements");
    if (npy->dtype.supported) {
        uint64_t size = region->size - npy->data;
        fuzz_require(npy->elements == size / npy->dtype.item_size &&
                         size % npy->dtype.item_size == 0,
                     "an array does not fill its file");
    }
}

static void read_npy(const sft_region *region) {
    sft_allocator allocator = sft_allocator_of(NULL);
    sft_error error = {.status = SFT_OK};
    sft_npy npy;
    sft_status status = sft_npy_read(region, &allocator, &npy, &error);
    if (status == SFT_OK) {
        check_npy(region, &npy);
    } else {
        fuzz_require(status == SFT_MALFORMED_SOURCE || status == SFT_SOURCE_LIMIT ||
                         status == SFT_NO_MEMORY,
                     "a status that reading a header does not give");
        fuzz_require(error.message[0] != '\0', "refused without a word");
    }
}

/* The input as the text of a header. */
static void read_header(const uint8_t *data, size_t size) {
    if (size > 65535) {
        return;
    }
    uint8_t *file = malloc(size + 10);
    if (file == NULL) {
        return;
    }
    memcpy(file, "\x93NUMPY\1\0", 8);
    file[8] = (uint8_t)size;
    file[9] = (uint8_t)(size >> 8);
    memcpy(file + 10, data, size);
    sft_sources sources;
    sft_sources_init(&sources, NULL);
    sft_region region;
    if (sft_sources_memory(&sources, file, size + 10, &region, NULL) == SFT_OK) {
        read_npy(&region);
    }
    sft_sources_free(&sources);
    free(file);
}

static void read_dtype(const uint8_t *data, size_t size) {
    sft_numpy_dtype dtype;
    if (sft_numpy_dtype_parse((const char *)data, size, &dtype, NULL) == SFT_OK) {
        check_dtype(&dtype);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    sft_sources sources;
    sft_sources_init(&sources, NULL);
    sft_region input;
    if (sft_sources_memory(&sources, data, size, &input, NULL) == SFT_OK) {
        read_dtype(data, size);
        if (size > 0) {
            read_header(data, size);
        }
        read_npy(&input);
        fuzz_find(&input);
    }
    sft_sources_free(&sources);
    return 0;
}
