/* Bytes that an owner keeps alive, as a Python buffer: what NumPy's arrays lie over. */
#ifndef SFT_PYTHON_MEMORY_H
#define SFT_PYTHON_MEMORY_H

#include <stdbool.h>

#include "owner.h"
#include "state.h"

/*
 * A buffer object over @size bytes at @data, which takes a hold of its own on @keep. Without
 * @writable its consumers may not change the bytes.
 *
 * Returns a new reference, or NULL with an exception.
 */
PyObject *memory_new(module_state *state, owner *keep, void *data, Py_ssize_t size, bool writable);

#endif
