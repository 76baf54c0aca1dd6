/* Shapes: from Python and back. */
#ifndef SFT_PYTHON_SHAPES_H
#define SFT_PYTHON_SHAPES_H

#include <sft.h>

#include "arguments.h"

/*
 * The dimensions of a shape, any sequence of integers but a str, as a tuple of whatever objects
 * they are: a new reference, which later changes of the sequence do not reach. NULL with a
 * TypeError, or an OverflowError where there are too many for any file.
 */
PyObject *shape_tuple(PyObject *given, const char *argument);

/* The numbers of such a tuple, outermost first, into room for all of them. Returns as
 * argument_unsigned() does. */
int shape_fill(PyObject *tuple, const char *argument, uint64_t *shape);

/*
 * Turns the dimensions of a framework's packed type into the header's. Returns 0, or -1 with a
 * SafetensorError where that does not fit in 64 bits.
 */
int shape_unpack(module_state *state, named_dtype named, uint64_t *shape, uint32_t rank);

/* A new list of int, or NULL with an exception. */
PyObject *shape_list(const uint64_t *shape, uint32_t rank);

#endif
