/* Memory of our own for tensors. */
#ifndef SFT_PYTHON_BLOCK_H
#define SFT_PYTHON_BLOCK_H

#include <sft.h>

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

#endif
