/* The bytes of a part of a tensor, by several threads where that pays. */
#ifndef SFT_PYTHON_SLICE_READ_H
#define SFT_PYTHON_SLICE_READ_H

#include "handle.h"
#include "index.h"

/*
 * Reads a part of a tensor, densely packed, with the interpreter let go meanwhile.
 *
 * @file: the open file; where its bytes come from a Python object, the interpreter is held and the
 *     calling thread reads alone
 * @place: one of its tensors
 * @part: which part
 * @to: room for part->bytes
 *
 * Returns 0, or -1 with an exception.
 */
int slice_read(module_state *state, handle *file, placed_tensor place, const selection *part,
               void *to);

#endif
