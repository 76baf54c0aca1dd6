/* What every fuzz target is: a function that an engine, or replay.c, calls with an input. */
#ifndef SFT_FUZZ_TARGET_H
#define SFT_FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the program if something is wrong: engines take that for a finding. */
static inline void fuzz_expect(const char *wrong) {
    if (wrong != NULL) {
        fprintf(stderr, "finding: %s\n", wrong);
        abort();
    }
}

static inline void fuzz_require(int holds, const char *otherwise) {
    fuzz_expect(holds ? NULL : otherwise);
}

/*
 * An input as a file without its data: eight bytes tell how many bytes of data there would be,
 * and the rest is the header. The file's first eight bytes, the header's length, are put in
 * front. Returns a block of exactly *file_bytes that the caller frees, or NULL where there is none.
 */
static inline unsigned char *fuzz_header_file(const uint8_t *data, size_t size, size_t *file_bytes,
                                              uint64_t *file_size) {
    if (size < 8) {
        return NULL;
    }
    uint64_t data_size = 0;
    for (unsigned i = 0; i < 8; i++) {
        data_size |= (uint64_t)data[i] << (8 * i);
    }
    *file_bytes = size;
    *file_size = data_size > UINT64_MAX - size ? UINT64_MAX : size + data_size;
    unsigned char *file = malloc(size);
    if (file != NULL) {
        uint64_t length = size - 8;
        for (unsigned i = 0; i < 8; i++) {
            file[i] = (unsigned char)(length >> (8 * i));
        }
        memcpy(file + 8, data + 8, size - 8);
    }
    return file;
}

#endif
