#include <stdlib.h>

#include "arrays.h"
#include "block.h"
#include "dlpack.h"
#include "dtypes.h"
#include "errors.h"
#include "shapes.h"

/*
 * torch.utils.dlpack.from_dlpack() looks at what it is given before it comes to this function,
 * which takes capsules alone; a release without it has the longer way.
 */
int torch_prepare(framework *self) {
    self->module = PyImport_ImportModule("torch");
    PyObject *inner = self->module == NULL ? NULL : PyObject_GetAttrString(self->module, "_C");
    if (inner == NULL) {
        return -1;
    }
    self->make = PyObject_GetAttrString(inner, "_from_dlpack");
    Py_DECREF(inner);
    if (self->make == NULL && PyErr_ExceptionMatches(PyExc_AttributeError)) {
        PyErr_Clear();
        PyObject *dlpack = PyImport_ImportModule("torch.utils.dlpack");
        self->make = dlpack == NULL ? NULL : PyObject_GetAttrString(dlpack, "from_dlpack");
        Py_XDECREF(dlpack);
    }
    return self->make == NULL ? -1 : 0;
}

/* ---- element types ---- */

/* torch's own type; NULL without an exception if this torch has none, with one on failure. */
static PyObject *own_dtype(framework *self, sft_dtype dtype) {
    const char *name = dtype_names_of(dtype)->torch;
    PyObject *found = name == NULL ? NULL : PyObject_GetAttrString(self->module, name);
    if (found == NULL && PyErr_Occurred() && PyErr_ExceptionMatches(PyExc_AttributeError)) {
        PyErr_Clear();
    }
    return found;
}

/* What others have entered into safetensors.torch._TYPES; as own_dtype(). */
static PyObject *entered_dtype(sft_dtype dtype) {
    PyObject *package = PyImport_ImportModule("safetensors.torch");
    PyObject *types = package == NULL ? NULL : PyObject_GetAttrString(package, "_TYPES");
    PyObject *key = types == NULL ? NULL : PyUnicode_FromString(sft_dtype_name(dtype));
    PyObject *found = key == NULL ? NULL : PyObject_GetItem(types, key);
    if (found == NULL && PyErr_ExceptionMatches(PyExc_KeyError)) {
        PyErr_Clear();
    }
    Py_XDECREF(key);
    Py_XDECREF(types);
    Py_XDECREF(package);
    return found;
}

/* A tensor without elements of a type; what else is needed to know of the type comes from it. */
static PyObject *empty_tensor(framework *self, PyObject *dtype) {
    PyObject *empty = PyObject_GetAttrString(self->module, "empty");
    PyObject *arguments = empty == NULL ? NULL : Py_BuildValue("(i)", 0);
    PyObject *keywords =
        arguments == NULL ? NULL : Py_BuildValue("{sOss}", "dtype", dtype, "device", "cpu");
    PyObject *tensor = keywords == NULL ? NULL : PyObject_Call(empty, arguments, keywords);
    Py_XDECREF(keywords);
    Py_XDECREF(arguments);
    Py_XDECREF(empty);
    return tensor;
}

static int find_width(framework *self, element_type *element) {
    PyObject *tensor = empty_tensor(self, element->dtype);
    PyObject *size = tensor == NULL ? NULL : PyObject_CallMethod(tensor, "element_size", NULL);
    Py_XDECREF(tensor);
    if (size == NULL) {
        return -1;
    }
    element->bits = (uint32_t)PyLong_AsUnsignedLong(size) * 8;
    Py_DECREF(size);
    return PyErr_Occurred() ? -1 : 0;
}

/* Whether this release of torch takes the type by DLPack and means the same by it: it is tried. */
static int try_exchange(framework *self, sft_dtype dtype, element_type *element) {
    static const uint64_t shape[] = {0};
    if (!dlpack_knows(dtype)) {
        return 0;
    }
    block *nothing = block_new(0);
    if (nothing == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    PyObject *capsule = dlpack_capsule(&nothing->owner, nothing->memory, dtype, shape, 1);
    owner_drop(&nothing->owner);
    PyObject *tensor = capsule == NULL ? NULL : PyObject_CallOneArg(self->make, capsule);
    PyObject *made = tensor == NULL ? NULL : PyObject_GetAttrString(tensor, "dtype");
    element->by_exchange = made == element->dtype;
    Py_XDECREF(made);
    Py_XDECREF(tensor);
    Py_XDECREF(capsule);
    if (made == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_Exception)) {
            return -1;
        }
        PyErr_Clear();
    }
    return 0;
}

int torch_element(framework *self, const tensor_layout *layout, element_type *element) {
    element->dtype = own_dtype(self, layout->dtype);
    if (element->dtype == NULL && !PyErr_Occurred()) {
        element->dtype = entered_dtype(layout->dtype);
    }
    if (element->dtype == NULL) {
        if (!PyErr_Occurred()) {
            framework_lacks(self, layout->dtype, layout->name);
        }
        return -1;
    }
    if (find_width(self, element) < 0 || try_exchange(self, layout->dtype, element) < 0) {
        Py_CLEAR(element->dtype);
        return -1;
    }
    return 0;
}

/* ---- tensors ---- */

static PyObject *refuse_width(framework *self, const element_type *element,
                              const tensor_layout *layout) {
    PyObject *shape = shape_list(layout->shape, layout->rank);
    if (shape == NULL) {
        return NULL;
    }
    if (layout->dtype == SFT_F4) {
        raise_safetensor_error(state_of((PyObject *)self),
                               "f4_x2 dtype requires that the last dim be divisible by 2 in torch: "
                               "got %R",
                               shape);
    } else {
        raise_safetensor_error(state_of((PyObject *)self),
                               "tensor `%S` of type %s and shape %R does not fill whole elements "
                               "of %R",
                               layout->name, sft_dtype_name(layout->dtype), shape, element->dtype);
    }
    Py_DECREF(shape);
    return NULL;
}

/*
 * The shape in torch's elements, where they are wider than the header's: the last dimension counts
 * fewer. Returns memory to free, or NULL with an exception.
 */
static uint64_t *packed_shape(framework *self, const element_type *element,
                              const tensor_layout *layout) {
    uint64_t bits = sft_dtype_bits(layout->dtype);
    uint64_t last = layout->rank == 0 ? 1 : layout->shape[layout->rank - 1];
    if (layout->rank == 0 || last > UINT64_MAX / bits || last * bits % element->bits != 0) {
        refuse_width(self, element, layout);
        return NULL;
    }
    uint64_t *shape = malloc(layout->rank * sizeof *shape);
    if (shape == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    for (uint32_t i = 0; i + 1 < layout->rank; i++) {
        shape[i] = layout->shape[i];
    }
    shape[layout->rank - 1] = last * bits / element->bits;
    return shape;
}

static PyObject *exchange(framework *self, byte_region *region, void *data, sft_dtype dtype,
                          const uint64_t *shape, uint32_t rank) {
    PyObject *capsule = dlpack_capsule(region->keep, data, dtype, shape, rank);
    if (capsule == NULL) {
        return NULL;
    }
    PyObject *tensor = PyObject_CallOneArg(self->make, capsule);
    Py_DECREF(capsule);
    return tensor;
}

/*
 * A type that DLPack has no name for: its bytes come as uint8, and their storage is then given to a
 * tensor of the type. Unlike a view, that is a tensor of its own.
 */
static PyObject *as_bytes(framework *self, byte_region *region, const tensor_layout *layout,
                          const element_type *element, const uint64_t *shape) {
    PyObject *bytes = exchange(self, region, layout->data, SFT_U8, &layout->bytes, 1);
    PyObject *storage = bytes == NULL ? NULL : PyObject_CallMethod(bytes, "untyped_storage", NULL);
    PyObject *tensor = storage == NULL ? NULL : empty_tensor(self, element->dtype);
    PyObject *list = tensor == NULL ? NULL : shape_list(shape, layout->rank);
    PyObject *done =
        list == NULL ? NULL : PyObject_CallMethod(tensor, "set_", "OiO", storage, 0, list);
    if (done == NULL) {
        Py_CLEAR(tensor);
    }
    Py_XDECREF(done);
    Py_XDECREF(list);
    Py_XDECREF(storage);
    Py_XDECREF(bytes);
    return tensor;
}

static PyObject *to_device(framework *self, PyObject *tensor) {
    PyObject *keywords = Py_BuildValue("(s)", "device");
    PyObject *to = keywords == NULL ? NULL : PyUnicode_InternFromString("to");
    PyObject *arguments[] = {tensor, self->device};
    PyObject *moved = to == NULL ? NULL : PyObject_VectorcallMethod(to, arguments, 1, keywords);
    Py_XDECREF(to);
    Py_XDECREF(keywords);
    return moved;
}

PyObject *torch_tensor(framework *self, byte_region *region, const tensor_layout *layout) {
    const element_type *element = framework_element(self, layout);
    if (element == NULL) {
        return NULL;
    }
    uint64_t *packed = NULL;
    const uint64_t *shape = layout->shape;
    if (element->bits != sft_dtype_bits(layout->dtype)) {
        shape = packed = packed_shape(self, element, layout);
        if (packed == NULL) {
            return NULL;
        }
    }
    PyObject *tensor = element->by_exchange ? exchange(self, region, layout->data, layout->dtype,
                                                       shape, layout->rank)
                                            : as_bytes(self, region, layout, element, shape);
    free(packed);
    if (tensor != NULL && self->device != Py_None) {
        Py_SETREF(tensor, to_device(self, tensor));
    }
    return tensor;
}
