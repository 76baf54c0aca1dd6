/* Where the bytes of a file come from: a descriptor, memory, or the caller's functions. */
#ifndef SFT_SRC_IO_SOURCE_H
#define SFT_SRC_IO_SOURCE_H

#include <sft/reader.h>

/* A source over a descriptor, which it closes in the end. */
sft_source sft_source_of_fd(int fd);

/* Bytes in memory, as the context of a source. */
typedef struct sft_bytes {
    const void *at;
    uint64_t size;
} sft_bytes;

/* A source over them. Both stay where they are as long as it is in use; nothing needs closing. */
sft_source sft_source_of_bytes(const sft_bytes *bytes);

/*
 * Maps the whole file of such a source, for sft_os_unmap(); read-only, or writable and
 * copy-on-write. NULL where it cannot.
 */
const void *sft_source_map_fd(const sft_source *source, uint64_t size, bool writable);

/* Fills `to` from a place of the source. SFT_READ_FAILED, SFT_FILE_SHRANK. */
sft_status sft_source_read(const sft_source *source, uint64_t offset, void *to, uint64_t size,
                           sft_error *error);

/* Whether a place can be read at once; true where nobody knows. */
bool sft_source_ready(const sft_source *source, uint64_t offset);

/* Tells the system that these bytes will be read soon, where it can be told. */
void sft_source_expect(const sft_source *source, uint64_t offset, uint64_t size);

#endif
