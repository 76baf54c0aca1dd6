/* The checksum of a long stretch of a file, by several threads. */
#ifndef SFT_SRC_CHECKPOINT_ZIP_SUM_H
#define SFT_SRC_CHECKPOINT_ZIP_SUM_H

#include <sft/base.h>

#include "checkpoint/region.h"

/* The most bytes that one call should be given: between two calls progress can be told. */
#define SFT_ZIP_SUM_BYTES (UINT64_C(64) << 20)

/* Below this, starting threads costs more than it saves. */
#define SFT_ZIP_SUM_LEAST (UINT64_C(4) << 20)

/*
 * Goes on with a CRC-32 over a region that lies in a file. False where that cannot be done, for
 * lack of memory, or because the file cannot be read: then *crc is as it was, and reading it anew
 * by one thread shows what is wrong.
 */
bool sft_zip_sum(const sft_region *region, const sft_allocator *allocator, uint32_t *crc);

#endif
