/* Parts of a tensor: what get_slice() returns. */
#ifndef SFT_PYTHON_SLICE_H
#define SFT_PYTHON_SLICE_H

#include "framework.h"
#include "handle.h"

/*
 * A slice object of a tensor.
 *
 * @source: the open file; the slice takes a hold of its own, so that it outlives the `with` block
 * @place: one of its tensors
 * @maker: what makes the tensors; a new reference is taken
 *
 * Returns a new reference, or NULL with an exception.
 */
PyObject *slice_new(module_state *state, handle *source, placed_tensor place, framework *maker,
                    PyObject *name);

#endif
