/*
 * NumPy's C interface, as far as it is needed to make an array over memory: no more than two
 * functions, found at run time, so that NumPy's headers are not needed to build. Their places in
 * NumPy's table are part of its binary interface, and the same in releases 1 and 2.
 */
#ifndef SFT_PYTHON_NUMPY_API_H
#define SFT_PYTHON_NUMPY_API_H

#include <stdbool.h>

#include "state.h"

typedef struct numpy_api {
    PyTypeObject *array_type; /* numpy.ndarray, which outlives all else */
    PyObject *(*new_from_descr)(PyTypeObject *type, PyObject *descr, int rank,
                                const Py_ssize_t *shape, const Py_ssize_t *strides, void *data,
                                int flags, PyObject *parent);
    int (*set_base)(PyObject *array, PyObject *base);
} numpy_api;

/*
 * Fills the table, from the module numpy; all are NULL if this NumPy's interface is one that is
 * not known. Returns 0, or -1 with an exception.
 */
int numpy_api_find(PyObject *numpy, numpy_api *api);

/*
 * A C-contiguous array over memory.
 *
 * @api: not of NULLs
 * @base: what keeps the memory alive; a new reference is taken
 * @shape, @rank: at most PY_SSIZE_T_MAX each
 *
 * Returns a new reference, or NULL with an exception.
 */
PyObject *numpy_api_array(const numpy_api *api, PyObject *dtype, int rank, const Py_ssize_t *shape,
                          void *data, bool writable, PyObject *base);

#endif
