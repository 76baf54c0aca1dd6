#include "arrays.h"
#include "dtypes.h"
#include "errors.h"
#include "memory.h"

int numpy_prepare(framework *self) {
    self->module = PyImport_ImportModule("numpy");
    self->make = self->module == NULL ? NULL : PyObject_GetAttrString(self->module, "ndarray");
    return self->make == NULL ? -1 : 0;
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

static PyObject *shape_of(const tensor_layout *layout) {
    PyObject *shape = PyTuple_New(layout->rank);
    for (uint32_t i = 0; shape != NULL && i < layout->rank; i++) {
        PyObject *extent = PyLong_FromUnsignedLongLong(layout->shape[i]);
        if (extent == NULL) {
            Py_CLEAR(shape);
        } else {
            PyTuple_SET_ITEM(shape, i, extent);
        }
    }
    return shape;
}

/* The region as a buffer object; borrowed. */
static PyObject *buffer_of(framework *self, byte_region *region) {
    if (region->buffer == NULL) {
        region->buffer = memory_new(state_of((PyObject *)self), region->keep, region->start,
                                    (Py_ssize_t)region->size, region->writable);
    }
    return region->buffer;
}

static PyObject *over_buffer(framework *self, byte_region *region, const tensor_layout *layout,
                             PyObject *shape, PyObject *dtype) {
    PyObject *buffer = buffer_of(self, region);
    PyObject *offset =
        buffer == NULL ? NULL : PyLong_FromSsize_t((char *)layout->data - (char *)region->start);
    if (offset == NULL) {
        return NULL;
    }
    PyObject *arguments[] = {shape, dtype, buffer, offset};
    PyObject *array = PyObject_Vectorcall(self->make, arguments, 4, NULL);
    Py_DECREF(offset);
    return array;
}

/* ndarray(shape, dtype, buffer, offset); without elements there is nothing to lie over. */
PyObject *numpy_array(framework *self, byte_region *region, const tensor_layout *layout) {
    const element_type *element = framework_element(self, layout);
    PyObject *shape = element == NULL ? NULL : shape_of(layout);
    if (shape == NULL) {
        return NULL;
    }
    PyObject *array;
    if (layout->bytes == 0) {
        PyObject *arguments[] = {shape, element->dtype};
        array = PyObject_Vectorcall(self->make, arguments, 2, NULL);
    } else {
        array = over_buffer(self, region, layout, shape, element->dtype);
    }
    Py_DECREF(shape);
    return array;
}
