/*
 * The beginning of a new file: from tensors and metadata to header bytes, and to
 * the order in which the data follows. Equal input gives equal bytes, those of
 * the Rust implementation, and nothing that the reader would refuse.
 */
#ifndef SFT_SRC_FORMAT_ENCODE_H
#define SFT_SRC_FORMAT_ENCODE_H

#include <sft/header.h>

/* A tensor to be written. Begins as sft_named does. */
typedef struct sft_encode_tensor {
    const char *name;
    size_t name_length;
    const uint64_t *shape;
    uint32_t rank;
    sft_dtype dtype;
    uint64_t size;  /* bytes; filled in by sft_encode_check_tensor() */
    uint64_t begin; /* from the start of the data; filled in by sft_encode_header() */
} sft_encode_tensor;

typedef struct sft_encode_input {
    sft_encode_tensor *tensors; /* each one checked */
    uint64_t count;
    const sft_metadata_entry *metadata; /* checked */
    uint64_t metadata_count;
    bool empty_metadata; /* write an empty __metadata__ where there are no entries */
    uint64_t alignment;  /* of the data: a power of two from 8 on */
    uint64_t seed[2];
    const sft_allocator *allocator;
} sft_encode_input;

typedef struct sft_encoded {
    sft_allocator allocator;
    char *bytes;         /* length, JSON and padding: the file up to its data */
    uint64_t data_start; /* how many bytes that is */
    uint64_t data_size;
    uint32_t *order; /* order[i] is the number of the tensor whose data comes i-th */
    uint64_t count;
} sft_encoded;

/* Whether a text from the caller, called `what` in messages, can be written. */
sft_status sft_encode_check_text(const char *text, size_t length, const char *what,
                                 sft_error *error);

/* Fails with SFT_HEADER_TOO_LARGE. */
sft_status sft_encode_too_large(sft_error *error);

/* Name, dtype and shape of one tensor; fills in its size. */
sft_status sft_encode_check_tensor(sft_encode_tensor *tensor, sft_error *error);

/* UTF-8 in all keys and values, and no key twice. */
sft_status sft_encode_check_metadata(const sft_metadata_entry *entries, uint64_t count,
                                     const sft_allocator *allocator, sft_error *error);

/* Names used twice, a sum of sizes or a header beyond all bounds are found here. */
sft_status sft_encode_header(const sft_encode_input *input, sft_encoded *encoded, sft_error *error);

void sft_encoded_free(sft_encoded *encoded);

/*
 * The object {"key":"value",…} with its entries in the order given. Returns its length; writes
 * it if `to` is not NULL.
 */
uint64_t sft_encode_metadata(const sft_metadata_entry *const *entries, uint64_t count, char *to);

/* The 8 bytes in front of the JSON. */
void sft_encode_length(uint64_t length, char to[8]);

#endif
