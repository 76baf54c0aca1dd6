/*
 * The metadata of an existing file, changed without moving its data through memory.
 */
#ifndef SFT_EDIT_H
#define SFT_EDIT_H

#include <sft/base.h>
#include <sft/header.h>
#include <sft/writer.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One change: sets a key, or removes it where value is NULL. */
typedef struct sft_metadata_change {
    const char *key; /* UTF-8; may hold NUL */
    size_t key_length;
    const char *value;
    size_t value_length;
} sft_metadata_change;

/* How an edit was carried out. */
typedef enum sft_edit_result {
    SFT_EDIT_NOTHING = 0,  /* the file said so already; it was not touched */
    SFT_EDIT_IN_PLACE = 1, /* within one sector of the header */
    SFT_EDIT_NEW_FILE = 2  /* a new file took the old one's place */
} sft_edit_result;

/*
 * sft_edit_metadata() - changes the metadata of a file.
 *
 * The file is checked first, as sft_open() does. Where all bytes that change lie
 * in one sector (512 bytes), which a disk writes whole or not at all, they are
 * overwritten in place. Otherwise a new file is made as sft/writer.h describes:
 * the system copies the data (sharing its blocks where the file system can), and
 * some room is left behind the metadata so that the next edit is in place. Names,
 * order and everything else of the header stay to the letter.
 *
 * @path: the file
 * @changes, @count: applied in order; removing a key that is absent is SFT_NOT_FOUND
 * @options: NULL for defaults; durable, alignment, allocator and progress are used
 * @result: NULL, or receives how it was done
 * @error: NULL, or receives what is wrong
 *
 * Returns SFT_OK, whatever sft_open() returns, SFT_NOT_FOUND, SFT_INVALID_NAME,
 * SFT_HEADER_TOO_LARGE, SFT_WRITE_FAILED or SFT_CANCELLED. After any but the
 * first the file is as it was; one exception: with `durable`, an SFT_WRITE_FAILED
 * whose message says so means that the edit is in place but may not be on the disk. Any thread; two
 * edits of one file at once do not mix, the last one counts.
 */
SFT_API SFT_MUST_USE sft_status sft_edit_metadata(const char *path,
                                                  const sft_metadata_change *changes,
                                                  uint64_t count, const sft_write_options *options,
                                                  sft_edit_result *result, sft_error *error);

#ifdef __cplusplus
}
#endif

#endif /* SFT_EDIT_H */
