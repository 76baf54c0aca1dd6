/* Bytes moved into a file whole, however little of them the system takes at once. */
#ifndef SFT_SRC_IO_TRANSFER_H
#define SFT_SRC_IO_TRANSFER_H

#include <sft/base.h>

/* How much is written between two looks at progress and cancellation. */
#define SFT_TRANSFER_PIECE (UINT64_C(8) * 1024 * 1024)

/* Writes all of it; 0 or an errno value. */
int sft_write_whole(int fd, uint64_t offset, const void *from, uint64_t size);

typedef struct sft_copy {
    int from;
    uint64_t from_offset;
    int to;
    uint64_t to_offset;
    uint64_t size;
    const sft_allocator *allocator;
    /* Called now and then with the bytes copied; false ends the copy with SFT_CANCELLED. */
    bool (*progress)(void *context, uint64_t done);
    void *context;
} sft_copy;

/*
 * Copies bytes from file to file: by the system, which may share the blocks of the two files where
 * both offsets have the same remainder by SFT_COPY_BLOCK, or through memory where it cannot.
 * Returns SFT_OK, SFT_NO_MEMORY, SFT_READ_FAILED, SFT_FILE_SHRANK, SFT_WRITE_FAILED or
 * SFT_CANCELLED.
 */
sft_status sft_copy_bytes(const sft_copy *copy, sft_error *error);

/* What file systems that share blocks have as their size, or a multiple of it. */
#define SFT_COPY_BLOCK 4096U

#endif
