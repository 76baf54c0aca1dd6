/* Tar archives (POSIX ustar, with GNU's long names and pax paths): their members, one after
 * another. */
#ifndef SFT_SRC_CHECKPOINT_TAR_H
#define SFT_SRC_CHECKPOINT_TAR_H

#include <sft/base.h>

#include "checkpoint/region.h"

typedef struct sft_tar_member {
    char name[1024]; /* raw bytes, cut if too long, ended by NUL */
    bool regular;
    sft_region region; /* its bytes; the label is set */
} sft_tar_member;

/* Whether the first bytes of a file, 512 at least, are the record of a member. */
bool sft_tar_begins(const unsigned char *bytes, size_t size);

/*
 * The member whose record begins at *position; *position moves behind it. At the end *found is
 * false, and *position stays at the record of zeros, or at the end of the region. Where tarfile of
 * Python, which torch used, reads otherwise than POSIX has it, this follows tarfile.
 *
 * SFT_MALFORMED_SOURCE for a wrong checksum or a member that ends after the file,
 * SFT_UNSUPPORTED_SOURCE for sparse files, SFT_SOURCE_LIMIT for names beyond 64 KiB, SFT_NO_MEMORY,
 * SFT_READ_FAILED, SFT_FILE_SHRANK.
 */
sft_status sft_tar_next(const sft_region *region, uint64_t *position, sft_sources *sources,
                        sft_tar_member *member, bool *found, sft_error *error);

/* The first regular member of a path, with or without a leading "./". SFT_NOT_FOUND, or as above.
 */
sft_status sft_tar_find(const sft_region *region, const char *name, sft_sources *sources,
                        sft_region *member, sft_error *error);

#endif
