/* What the library alone needs to know of a dtype. */
#ifndef SFT_SRC_FORMAT_DTYPE_H
#define SFT_SRC_FORMAT_DTYPE_H

#include <sft/dtype.h>

/* The dtype's place in the writer's order, in which the highest comes first (docs/format.md). */
uint32_t sft_dtype_rank(sft_dtype dtype);

#endif
