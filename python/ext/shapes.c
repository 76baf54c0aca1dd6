#include "shapes.h"

#include "dtypes.h"
#include "errors.h"

/* More than any file may have; a lie about a length, or a range, is not made into a tuple first. */
enum { MOST_DIMENSIONS = 1 << 20 };

PyObject *shape_tuple(PyObject *given, const char *argument) {
    if (PyUnicode_Check(given) || !PySequence_Check(given)) {
        argument_refuse(argument, given, "Sequence");
        return NULL;
    }
    PyObject *tuple = NULL;
    Py_ssize_t count = PyObject_LengthHint(given, 0);
    if (count >= 0 && count <= MOST_DIMENSIONS) {
        tuple = PyTuple_Check(given) ? Py_NewRef(given) : PySequence_Tuple(given);
        count = tuple == NULL ? -1 : PyTuple_GET_SIZE(tuple);
    }
    if (count > MOST_DIMENSIONS) {
        PyErr_Format(PyExc_OverflowError, "argument '%s': %zd dimensions", argument, count);
        Py_CLEAR(tuple);
    }
    return tuple;
}

int shape_fill(PyObject *tuple, const char *argument, uint64_t *shape) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(tuple); i++) {
        if (argument_unsigned(PyTuple_GET_ITEM(tuple, i), argument, &shape[i]) < 0) {
            return -1;
        }
    }
    return 0;
}

int shape_unpack(module_state *state, named_dtype named, uint64_t *shape, uint32_t rank) {
    if (!named.packed || rank == 0) {
        return 0;
    }
    uint64_t *last = &shape[rank - 1];
    if (*last > UINT64_MAX / 2) {
        raise_safetensor_error(state,
                               "%s counts pairs of elements: twice the last dimension, %llu, does "
                               "not fit in 64 bits",
                               dtype_names_of(named.dtype)->python, (unsigned long long)*last);
        return -1;
    }
    *last *= 2;
    return 0;
}

PyObject *shape_list(const uint64_t *shape, uint32_t rank) {
    PyObject *list = PyList_New(rank);
    for (uint32_t i = 0; i < rank && list != NULL; i++) {
        PyObject *dimension = PyLong_FromUnsignedLongLong(shape[i]);
        if (dimension == NULL) {
            Py_CLEAR(list);
        } else {
            PyList_SET_ITEM(list, (Py_ssize_t)i, dimension);
        }
    }
    return list;
}
