/* The streaming writer, for floors above: bytes that lie in a file, and a look at the new one. */
#ifndef SFT_SRC_MODEL_WRITER_H
#define SFT_SRC_MODEL_WRITER_H

#include <sft/writer.h>

/*
 * Delivers bytes of a tensor out of an open file, moved by the system where it can; otherwise as
 * sft_writer_put(), and SFT_READ_FAILED, SFT_FILE_SHRANK.
 */
sft_status sft_writer_copy(sft_writer *writer, uint64_t index, uint64_t offset, int fd,
                           uint64_t from, uint64_t size, sft_error *error);

/* Reads back what was delivered, before the commit. SFT_READ_FAILED, SFT_FILE_SHRANK. */
sft_status sft_writer_read_back(sft_writer *writer, uint64_t index, uint64_t offset, void *to,
                                uint64_t size, sft_error *error);

#endif
