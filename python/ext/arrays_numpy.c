#include "arrays.h"
#include "dtypes.h"
#include "errors.h"
#include "memory.h"
#include "shapes.h"

int numpy_prepare(framework *self) {
    self->module = PyImport_ImportModule("numpy");
    self->make = self->module == NULL ? NULL : PyObject_GetAttrString(self->module, "ndarray");
    return self->make == NULL ? -1 : numpy_api_find(self->module, &self->numpy);
}

/* A type of the package ml_dtypes, which teaches NumPy the short floats. */
static PyObject *extension_type(framework *self, const tensor_layout *layout, const char *name) {
    PyObject *package = PyImport_ImportModule("ml_dtypes");
    if (package == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_ImportError)) {
            return NULL;
        }
        PyErr_Clear();
        return raise_safetensor_error(state_of((PyObject *)self),
                                      "tensor `%S` has the type %s, which NumPy has from the "
                                      "package ml_dtypes alone: pip install ml_dtypes",
                                      layout->name, sft_dtype_name(layout->dtype));
    }
    PyObject *type = PyObject_GetAttrString(package, name);
    Py_DECREF(package);
    if (type == NULL && PyErr_ExceptionMatches(PyExc_AttributeError)) {
        PyErr_Clear();
        framework_lacks(self, layout->dtype, layout->name);
    }
    return type;
}

int numpy_element(framework *self, const tensor_layout *layout, element_type *element) {
    const dtype_names *names = dtype_names_of(layout->dtype);
    PyObject *type;
    if (names->numpy != NULL) {
        type = PyObject_GetAttrString(self->module, names->numpy);
    } else if (names->ml != NULL) {
        type = extension_type(self, layout, names->ml);
    } else {
        type = framework_lacks(self, layout->dtype, layout->name);
    }
    if (type == NULL) {
        return -1;
    }
    element->dtype = PyObject_CallMethod(self->module, "dtype", "O", type);
    element->bits = sft_dtype_bits(layout->dtype);
    Py_DECREF(type);
    return element->dtype == NULL ? -1 : 0;
}

/* The most dimensions that the format allows by default, and more than any NumPy has. */
#define MOST_DIMENSIONS 64

/*
 * The quick way. Returns NULL without an exception where the other way is to be taken: for a NumPy
 * whose interface is not known, and for a shape that is wrong, which NumPy then says in its words.
 */
static PyObject *array_by_api(framework *self, const byte_region *region,
                              const tensor_layout *layout, PyObject *dtype) {
    Py_ssize_t shape[MOST_DIMENSIONS];
    if (self->numpy.new_from_descr == NULL || layout->rank > MOST_DIMENSIONS) {
        return NULL;
    }
    for (uint32_t i = 0; i < layout->rank; i++) {
        if (layout->shape[i] > PY_SSIZE_T_MAX) {
            return NULL;
        }
        shape[i] = (Py_ssize_t)layout->shape[i];
    }
    return numpy_api_array(&self->numpy, dtype, (int)layout->rank, shape, layout->data,
                           region->writable, region->buffer);
}

/* ndarray(shape, dtype, buffer, offset); without elements there is nothing to lie over. */
static PyObject *array_by_call(framework *self, const byte_region *region,
                               const tensor_layout *layout, PyObject *dtype) {
    PyObject *shape = shape_list(layout->shape, layout->rank);
    PyObject *offset = PyLong_FromSsize_t((char *)layout->data - (char *)region->start);
    PyObject *array = NULL;
    if (shape != NULL && offset != NULL) {
        PyObject *arguments[] = {shape, dtype, region->buffer, offset};
        array = PyObject_Vectorcall(self->make, arguments, layout->bytes == 0 ? 2 : 4, NULL);
    }
    Py_XDECREF(offset);
    Py_XDECREF(shape);
    return array;
}

PyObject *numpy_array(framework *self, byte_region *region, const tensor_layout *layout) {
    const element_type *element = framework_element(self, layout);
    if (element == NULL) {
        return NULL;
    }
    if (region->buffer == NULL) {
        region->buffer = memory_new(state_of((PyObject *)self), region->keep, region->start,
                                    (Py_ssize_t)region->size, region->writable);
        if (region->buffer == NULL) {
            return NULL;
        }
    }
    PyObject *array = array_by_api(self, region, layout, element->dtype);
    if (array == NULL && !PyErr_Occurred()) {
        array = array_by_call(self, region, layout, element->dtype);
    }
    return array;
}
