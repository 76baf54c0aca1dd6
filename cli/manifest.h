/*
 * The lines of a manifest: what sha256sum writes for a file, and a comment for
 * each tensor:
 *
 *   HEX  FILE
 *   # HEX F32 [2,3] "NAME"
 */
#ifndef CLI_MANIFEST_H
#define CLI_MANIFEST_H

#include "digest.h"

#include <sft.h>
#include <stdio.h>

/* manifest_add_file() - a file's line; a backslash or a line break in its name is escaped as
 * sha256sum does, with a backslash in front of the line. */
void manifest_add_file(struct text *to, const unsigned char digest[DIGEST_SIZE], const char *path);

/* manifest_add_tensor() - a tensor's line; the name is a JSON string. */
void manifest_add_tensor(struct text *to, const unsigned char digest[DIGEST_SIZE],
                         const sft_tensor *tensor);

enum manifest_kind {
    MANIFEST_FILE,   /* digest and name (a path) are set */
    MANIFEST_TENSOR, /* digest, kind ("F32 [2,3]") and name are set */
    MANIFEST_COMMENT,
    MANIFEST_WRONG /* nothing that a manifest may hold */
};

struct manifest_line {
    enum manifest_kind kind;
    unsigned char digest[DIGEST_SIZE];
    struct text form; /* dtype and shape as they stand: "F32 [2,3]" */
    struct text name;
};

/* manifest_parse() - what a line says, its line break taken off. The texts of `line` are reused. */
void manifest_parse(struct manifest_line *line, const char *text, size_t length);

/* manifest_add_form() - adds "F32 [2,3]". */
void manifest_add_form(struct text *to, const sft_tensor *tensor);

#endif /* CLI_MANIFEST_H */
