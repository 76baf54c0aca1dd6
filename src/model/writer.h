/* The streaming writer, for floors above: small tensors in one go, and a look at the new file. But
 * for sft_writer_make_folder(), all of it belongs between sft_writer_begin() and
 * sft_writer_commit(). */
#ifndef SFT_SRC_MODEL_WRITER_H
#define SFT_SRC_MODEL_WRITER_H

#include <sft/writer.h>

/*
 * Before sft_writer_begin(): the target is `name` in a folder that is not there, and which the
 * commit makes. Both live as long as the writer. See sft_replace_begin_in().
 */
void sft_writer_make_folder(sft_writer *writer, const char *folder, const char *name);

/* Where a tensor's bytes begin in the new file; the bytes of the whole file. */
uint64_t sft_writer_place(const sft_writer *writer, uint64_t index);
uint64_t sft_writer_size(const sft_writer *writer);

/*
 * Delivers tensors whole, which lie one behind the other in the new file, with one write. As
 * sft_writer_put(), but without its progress. Many threads at once.
 */
sft_status sft_writer_put_run(sft_writer *writer, const uint32_t *indexes, uint64_t count,
                              const void *data, sft_error *error);

/* Reads what lies at a place of the new file. SFT_READ_FAILED, SFT_FILE_SHRANK. Many threads. */
sft_status sft_writer_read_back(const sft_writer *writer, uint64_t place, void *to, uint64_t size,
                                sft_error *error);

#endif
