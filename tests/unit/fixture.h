/* What several unit tests need: cmocka itself, small files in memory and on disk. */
#ifndef SFT_TESTS_FIXTURE_H
#define SFT_TESTS_FIXTURE_H

/* Include before anything else: mkstemp, fdopen and the like are asked for here. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sft.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct fixture_file {
    uint8_t *bytes;
    size_t size;
} fixture_file;

/* A file of a header's text and some bytes of data, counted up from 0. */
static inline fixture_file fixture_make(const char *text, size_t data_size) {
    size_t length = strlen(text);
    fixture_file file = {malloc(8 + length + data_size), 8 + length + data_size};
    assert_non_null(file.bytes);
    for (unsigned i = 0; i < 8; i++) {
        file.bytes[i] = (uint8_t)((uint64_t)length >> (8 * i));
    }
    memcpy(file.bytes + 8, text, length);
    for (size_t i = 0; i < data_size; i++) {
        file.bytes[8 + length + i] = (uint8_t)i;
    }
    return file;
}

/* Writes bytes to a file of its own under /tmp, whose path is stored. */
static inline void fixture_save(const fixture_file *file, char path[64]) {
    snprintf(path, 64, "/tmp/sft-test-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *stream = fdopen(fd, "wb");
    assert_non_null(stream);
    assert_int_equal(fwrite(file->bytes, 1, file->size, stream), file->size);
    assert_int_equal(fclose(stream), 0);
}

#define assert_ok(call) assert_string_equal(sft_status_name(call), "OK")
#define assert_status(call, expected)                                                              \
    assert_string_equal(sft_status_name(call), sft_status_name(expected))

#endif
