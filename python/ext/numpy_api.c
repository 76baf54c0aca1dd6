#include "numpy_api.h"

/* Places in the table. */
enum { ABI_VERSION = 0, ARRAY_TYPE = 2, NEW_FROM_DESCR = 94, SET_BASE_OBJECT = 282 };

/* What the function at ABI_VERSION returns in releases 1 and 2. */
enum { ABI_1 = 0x01000009, ABI_2 = 0x02000000 };

enum { C_CONTIGUOUS = 0x0001, ALIGNED = 0x0100, WRITEABLE = 0x0400 };

/* The module that holds the table: release 2 has put it behind an underscore. */
static PyObject *import_inner(PyObject *numpy) {
    return PyImport_ImportModule(PyObject_HasAttrString(numpy, "_core")
                                     ? "numpy._core._multiarray_umath"
                                     : "numpy.core._multiarray_umath");
}

/* A table that holds functions of several types as pointers to data. */
typedef union entry {
    void *data;
    unsigned int (*version)(void);
    PyObject *(*new_from_descr)(PyTypeObject *, PyObject *, int, const Py_ssize_t *,
                                const Py_ssize_t *, void *, int, PyObject *);
    int (*set_base)(PyObject *, PyObject *);
} entry;

int numpy_api_find(PyObject *numpy, numpy_api *api) {
    *api = (numpy_api){NULL, NULL, NULL};
    PyObject *inner = import_inner(numpy);
    PyObject *capsule = inner == NULL ? NULL : PyObject_GetAttrString(inner, "_ARRAY_API");
    Py_XDECREF(inner);
    if (capsule == NULL) {
        return -1;
    }
    void **table = PyCapsule_GetPointer(capsule, NULL);
    Py_DECREF(capsule);
    if (table == NULL) {
        return -1;
    }
    unsigned int version = ((entry){.data = table[ABI_VERSION]}).version();
    if (version == ABI_1 || version == ABI_2) {
        api->array_type = table[ARRAY_TYPE];
        api->new_from_descr = ((entry){.data = table[NEW_FROM_DESCR]}).new_from_descr;
        api->set_base = ((entry){.data = table[SET_BASE_OBJECT]}).set_base;
    }
    return 0;
}

PyObject *numpy_api_array(const numpy_api *api, PyObject *dtype, int rank, const Py_ssize_t *shape,
                          void *data, bool writable, PyObject *base) {
    int flags = C_CONTIGUOUS | ALIGNED | (writable ? WRITEABLE : 0);
    PyObject *array = api->new_from_descr(api->array_type, Py_NewRef(dtype), rank, shape, NULL,
                                          data, flags, NULL);
    if (array != NULL && api->set_base(array, Py_NewRef(base)) < 0) {
        Py_CLEAR(array);
    }
    return array;
}
