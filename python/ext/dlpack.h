/*
 * DLPack: how one library hands a tensor in memory to another. The structs are those of the
 * standard's first, unversioned form (https://dmlc.github.io/dlpack), which every release of
 * PyTorch reads.
 */
#ifndef SFT_PYTHON_DLPACK_H
#define SFT_PYTHON_DLPACK_H

#include <sft.h>

#include "owner.h"
#include "state.h"

/* True where the standard has a name for an element type. */
bool dlpack_knows(sft_dtype dtype);

/*
 * A capsule of a tensor on the CPU, for its consumer to take over.
 *
 * @keep: what keeps the bytes alive; the capsule takes a hold, which the tensor made of it drops,
 *     in whatever thread
 * @data: the bytes
 * @dtype: one that the standard knows
 * @shape, @rank: in elements of the consumer's type: packed F4 counts bytes
 *
 * Returns a new reference, or NULL with an exception: an OverflowError for a dimension of more than
 * 2^63 - 1.
 */
PyObject *dlpack_capsule(owner *keep, void *data, sft_dtype dtype, const uint64_t *shape,
                         uint32_t rank);

#endif
