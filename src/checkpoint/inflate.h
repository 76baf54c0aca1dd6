/* Unpacking, by zlib, in pieces of bounded size. */
#ifndef SFT_SRC_CHECKPOINT_INFLATE_H
#define SFT_SRC_CHECKPOINT_INFLATE_H

#include <sft/base.h>

#include "checkpoint/region.h"

typedef struct sft_inflater sft_inflater;

/* Stands before the first byte. NULL where there is no memory. `from` is copied. */
sft_inflater *sft_inflater_begin(const sft_region *from, sft_packing packing,
                                 const sft_allocator *allocator);

/* Up to `size` bytes more, at most 1 GiB. *made is less only at the end, or with an error. */
sft_status sft_inflater_make(sft_inflater *of, void *to, size_t size, size_t *made,
                             sft_error *error);

/* How many bytes of the region it took so far; at the end, all that belong to it. */
uint64_t sft_inflater_used(const sft_inflater *of);

void sft_inflater_end(sft_inflater *of);

#endif
