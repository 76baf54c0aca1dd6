/* Memory of our own for tensors. */
#ifndef SFT_PYTHON_BLOCK_H
#define SFT_PYTHON_BLOCK_H

#include <sft.h>
#include <stdbool.h>

#include "owner.h"

/* Where tensors begin: a cache line, and the widest vectors. */
#define BLOCK_ALIGNMENT UINT64_C(64)

/* The next place in a block where a tensor may begin. */
static inline uint64_t block_next(uint64_t offset) {
    return (offset + BLOCK_ALIGNMENT - 1) / BLOCK_ALIGNMENT * BLOCK_ALIGNMENT;
}

typedef struct block {
    owner owner; /* freed with its last hold */
    void *memory;
    uint64_t size;
} block;

/*
 * Room for that many bytes, aligned to BLOCK_ALIGNMENT, on large pages where that pays, and not
 * touched yet; the caller has the first hold. NULL if there is no memory; sets no exception. Needs
 * no interpreter.
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
