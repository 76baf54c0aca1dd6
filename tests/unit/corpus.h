/* The corpus, as tests/files/expected.tsv lists it. Include after cmocka.h. */
#ifndef SFT_TESTS_CORPUS_H
#define SFT_TESTS_CORPUS_H

#include <sft.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CORPUS_FOLDER "tests/files"

typedef struct corpus_row {
    char path[512]; /* with the folder in front */
    char status[32];
    uint64_t byte;    /* SFT_NO_BYTE where no byte is to blame; of models it is not told */
    uint64_t tensors; /* of a good file */
} corpus_row;

static inline uint64_t corpus_number(const char *text, uint64_t otherwise) {
    return strcmp(text, "-") == 0 ? otherwise : strtoull(text, NULL, 10);
}

/* Cuts the field that `rest` begins with, and moves on to the next. */
static inline const char *corpus_field(char **rest) {
    char *field = *rest;
    size_t length = strcspn(field, "\t\n");
    *rest = field[length] == '\0' ? field + length : field + length + 1;
    field[length] = '\0';
    return field;
}

/* Reads the next row; false at the end of the table. */
static inline bool corpus_next(FILE *table, const char *folder, corpus_row *row) {
    char line[512];
    if (fgets(line, sizeof line, table) == NULL) {
        return false;
    }
    char *rest = line;
    const char *path = corpus_field(&rest);
    const char *status = corpus_field(&rest);
    const char *byte = corpus_field(&rest);
    const char *tensors = corpus_field(&rest);
    assert_true(tensors[0] != '\0' && *rest == '\0');
    assert_true((size_t)snprintf(row->path, sizeof row->path, "%s/%s", folder, path) <
                sizeof row->path);
    assert_true((size_t)snprintf(row->status, sizeof row->status, "%s", status) <
                sizeof row->status);
    row->byte = corpus_number(byte, SFT_NO_BYTE);
    row->tensors = corpus_number(tensors, 0);
    return true;
}

/* Opens the table of a folder. */
static inline FILE *corpus_table(const char *folder) {
    char path[512];
    snprintf(path, sizeof path, "%s/expected.tsv", folder);
    FILE *table = fopen(path, "r");
    if (table == NULL) {
        fail_msg("cannot open %s: run this in the root of the repository", path);
    }
    return table;
}

static inline bool corpus_is_sharded(const corpus_row *row) {
    return strstr(row->path, "/sharded/") != NULL;
}

static inline bool corpus_is_good(const corpus_row *row) {
    return strcmp(row->status, "OK") == 0;
}

/* A whole file in a block of its own size, so that a read behind its end is seen. */
static inline unsigned char *corpus_read(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fail_msg("cannot open %s", path);
    }
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    long end = ftell(file);
    assert_true(end >= 0);
    *size = (size_t)end;
    rewind(file);
    unsigned char *bytes = malloc(*size > 0 ? *size : 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, *size, file), *size);
    assert_int_equal(fclose(file), 0);
    return bytes;
}

/* Compares an outcome with the table's row. */
static inline void corpus_expect(const corpus_row *row, const char *how, sft_status status,
                                 const sft_error *error, uint64_t tensors) {
    if (strcmp(sft_status_name(status), row->status) != 0) {
        fail_msg("%s by %s: expected %s, got %s", row->path, how, row->status,
                 sft_status_name(status));
    }
    if (status == SFT_OK) {
        if (tensors != row->tensors) {
            fail_msg("%s by %s: expected %" PRIu64 " tensors, got %" PRIu64, row->path, how,
                     row->tensors, tensors);
        }
        return;
    }
    if (error->byte != row->byte && !corpus_is_sharded(row)) {
        fail_msg("%s by %s: expected byte %" PRIu64 ", got %" PRIu64, row->path, how, row->byte,
                 error->byte);
    }
}

#endif
