/* What an open file says of itself, as Python's objects. */
#ifndef SFT_PYTHON_LISTING_H
#define SFT_PYTHON_LISTING_H

#include "handle.h"

/* The names of its tensors in file order: a new list, or NULL with an exception. */
PyObject *listing_names(const handle *file);

/*
 * Its text metadata: a new dict, None where it has none, or NULL with an exception. Shards add up;
 * where two differ, the first counts.
 */
PyObject *listing_metadata(const handle *file);

#endif
