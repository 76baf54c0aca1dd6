/* Memory of our own for tensors. */
#ifndef SFT_PYTHON_BLOCK_H
#define SFT_PYTHON_BLOCK_H

#include <sft.h>
#include <stdbool.h>

#include "owner.h"

typedef struct block {
    owner owner; /* freed with its last hold */
    void *memory;
    uint64_t size;
} block;

/*
 * Room for that many bytes, aligned to 64, on large pages where that pays, and not touched yet; the
 * caller has the first hold. NULL if there is no memory; sets no exception. Needs no interpreter.
 */
block *block_new(uint64_t size);

/*
 * Many blocks at once, as block_new() makes them, but one behind the other: then large pages reach
 * across those that are too small for any of their own. Each is given back by itself.
 *
 * @blocks: receives them; all NULL before the call
 *
 * Returns false if there is no memory: the caller drops those that are there.
 */
bool blocks_new(const uint64_t *sizes, uint64_t count, block **blocks);

#endif
