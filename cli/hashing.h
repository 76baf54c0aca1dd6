/*
 * Digests of files and of the tensors in them, in one pass over the bytes.
 */
#ifndef CLI_HASHING_H
#define CLI_HASHING_H

#include "digest.h"

#include <sft.h>

struct file_digests {
    unsigned char whole[DIGEST_SIZE];
    unsigned char (*tensors)[DIGEST_SIZE]; /* in file order; to be freed */
};

/*
 * hash_file() - of an open safetensors file, from the same handle: what is hashed
 * is what was checked. Returns as sft_read_part(); `tensors` is NULL unless SFT_OK.
 */
sft_status hash_file(const sft_file *file, struct file_digests *digests, sft_error *error);

/* hash_plain() - of any regular file. Returns SFT_OK, SFT_OPEN_FAILED, SFT_NOT_A_FILE or
 * SFT_READ_FAILED. */
sft_status hash_plain(const char *path, unsigned char whole[DIGEST_SIZE], sft_error *error);

#endif /* CLI_HASHING_H */
