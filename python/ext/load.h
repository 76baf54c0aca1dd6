/* Whole tensors of an open file, made for a framework. */
#ifndef SFT_PYTHON_LOAD_H
#define SFT_PYTHON_LOAD_H

#include "ahead.h"
#include "framework.h"
#include "handle.h"

/*
 * One tensor.
 *
 * @around, @guard: what was read ahead, and the object to which it belongs
 * @name: for messages
 *
 * Returns a new reference, or NULL with an exception.
 */
PyObject *load_tensor(module_state *state, handle *file, framework *maker, placed_tensor place,
                      ahead *around, PyObject *guard, PyObject *name);

/* All of them: a new dict by name, in file order; NULL with an exception. */
PyObject *load_tensors(module_state *state, handle *file, framework *maker);

#endif
