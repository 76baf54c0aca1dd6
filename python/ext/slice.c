#include "slice.h"

#include <string.h>

#include "arrays.h"
#include "block.h"
#include "dtypes.h"
#include "errors.h"
#include "index.h"
#include "shapes.h"
#include "slice_read.h"

typedef struct slice_object {
    PyObject_HEAD
    handle *file;
    placed_tensor place;
    framework *framework;
    PyObject *name;
} slice_object;

/* ---- what the tensor is ---- */

PyDoc_STRVAR(get_shape_doc,
             "get_shape($self, /)\n--\n\n"
             "The shape of the whole tensor as the header states it, outermost dimension first.\n\n"
             "Nothing is read. For F4 the last dimension counts elements, where torch's own\n"
             "tensors of that type count bytes, half as many.\n\n"
             "Returns:\n"
             "    list[int]");

static PyObject *get_shape(slice_object *self, PyObject *Py_UNUSED(none)) {
    return shape_list(self->place.tensor->shape, self->place.tensor->rank);
}

PyDoc_STRVAR(
    get_dtype_doc,
    "get_dtype($self, /)\n--\n\n"
    "The name of the tensor's element type as the header states it: \"F32\", \"BF16\"...\n\n"
    "Nothing is read.\n\n"
    "Returns:\n"
    "    str");

static PyObject *get_dtype(slice_object *self, PyObject *Py_UNUSED(none)) {
    return PyUnicode_FromString(sft_dtype_name(self->place.tensor->dtype));
}

/* ---- a part of it ---- */

/* The tensor of the part's bytes alone, in memory of its own. */
static PyObject *read_part(slice_object *self, const selection *part) {
    block *memory = block_new(part->bytes > 0 ? part->bytes : 1);
    if (memory == NULL) {
        return PyErr_NoMemory();
    }
    PyObject *tensor = NULL;
    if (slice_read(state_of((PyObject *)self), self->file, self->place, part, memory->memory) ==
        0) {
        tensor =
            framework_tensor(self->framework, &memory->owner, memory->memory,
                             self->place.tensor->dtype, part->shape, part->rank, true, self->name);
    }
    owner_drop(&memory->owner);
    return tensor;
}

/* All of the tensor where it is mapped. Touches none of its bytes. */
static PyObject *map_all(slice_object *self, void *data) {
    const sft_tensor *tensor = self->place.tensor;
    return framework_tensor(self->framework, &self->file->owner, data, tensor->dtype, tensor->shape,
                            tensor->rank, true, self->name);
}

/* Takes the tensor over; its item of the index. */
static PyObject *item_of(PyObject *tensor, PyObject *index) {
    PyObject *item = tensor == NULL ? NULL : PyObject_GetItem(tensor, index);
    Py_XDECREF(tensor);
    return item;
}

/* ---- torch ---- */

/* Has torch judge an index by a tensor of the same shape that is one byte in memory. */
static int ask_torch(slice_object *self, const uint64_t *shape, PyObject *index) {
    block *byte = block_new(1);
    if (byte == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    memset(byte->memory, 0, 1);
    PyObject *one = framework_tensor(self->framework, &byte->owner, byte->memory, SFT_U8, NULL, 0,
                                     true, self->name);
    owner_drop(&byte->owner);
    PyObject *sizes = shape_list(shape, self->place.tensor->rank);
    PyObject *wide =
        one != NULL && sizes != NULL ? PyObject_CallMethod(one, "expand", "(O)", sizes) : NULL;
    Py_XDECREF(one);
    Py_XDECREF(sizes);
    PyObject *item = item_of(wide, index);
    Py_XDECREF(item);
    return item == NULL ? -1 : 0;
}

static PyObject *torch_read(slice_object *self, PyObject *index) {
    const sft_tensor *tensor = self->place.tensor;
    uint64_t packing = dtype_packing(tensor->dtype);
    uint64_t shape[SFT_DEFAULT_RANK];
    for (uint32_t i = 0; i < tensor->rank; i++) {
        shape[i] = tensor->shape[i];
    }
    if (packing > 1 && tensor->rank > 0) {
        uint64_t *last = &shape[tensor->rank - 1];
        /* What torch cannot hold whole, it is not given in parts: framework_tensor() says why. */
        index = *last % packing == 0 ? index : Py_Ellipsis;
        *last /= packing;
    }
    selection part;
    if (index_narrow(state_of((PyObject *)self), index, tensor, shape, packing, &part) < 0) {
        return NULL;
    }
    PyObject *result = NULL;
    if (!part.doubtful || ask_torch(self, shape, index) == 0) {
        result = read_part(self, &part);
        if (part.rest != NULL) {
            result = item_of(result, part.rest);
        }
    }
    index_clear(&part);
    return result;
}

/* ---- all others ---- */

/* NumPy's index for the ranges of a selection; its Ellipsis makes an array of a single element. */
static PyObject *numpy_index(const selection *part) {
    PyObject *items = PyTuple_New((Py_ssize_t)part->count + 1);
    for (uint32_t i = 0; items != NULL && i < part->count; i++) {
        const sft_range *range = &part->ranges[i];
        PyObject *item =
            range->kind == SFT_INDEX ? PyLong_FromLongLong(range->start) : index_slice(range);
        if (item == NULL) {
            Py_CLEAR(items);
        } else {
            PyTuple_SET_ITEM(items, i, item);
        }
    }
    if (items != NULL) {
        PyTuple_SET_ITEM(items, part->count, Py_NewRef(Py_Ellipsis));
    }
    return items;
}

static PyObject *common_item(slice_object *self, PyObject *index, void *data) {
    selection part;
    if (index_select(state_of((PyObject *)self), index, self->place.tensor, &part) < 0) {
        return NULL;
    }
    if (data == NULL || framework_kind_of(self->framework) != FRAMEWORK_NUMPY) {
        return read_part(self, &part);
    }
    PyObject *items = numpy_index(&part);
    PyObject *view = items == NULL ? NULL : item_of(map_all(self, data), items);
    Py_XDECREF(items);
    return view;
}

static PyObject *subscript(slice_object *self, PyObject *index) {
    void *data = sft_data_writable(self->place.file, self->place.tensor);
    if (framework_kind_of(self->framework) != FRAMEWORK_TORCH) {
        return common_item(self, index, data);
    }
    /* On its way to another device the whole tensor would be copied, not the part. */
    bool in_place = data != NULL && self->framework->device == Py_None;
    return in_place ? item_of(map_all(self, data), index) : torch_read(self, index);
}

/* So that iter() works, as it does on the tensor. */
static PyObject *item_at(slice_object *self, Py_ssize_t place) {
    PyObject *index = PyLong_FromSsize_t(place);
    PyObject *item = index == NULL ? NULL : subscript(self, index);
    Py_XDECREF(index);
    return item;
}

/* ---- the object ---- */

PyObject *slice_new(module_state *state, handle *source, placed_tensor place, framework *maker,
                    PyObject *name) {
    if (place.tensor->rank > SFT_DEFAULT_RANK) {
        return raise_safetensor_error(state, "tensor %R has more than %u dimensions", name,
                                      SFT_DEFAULT_RANK);
    }
    slice_object *self = PyObject_GC_New(slice_object, state->slice_type);
    if (self == NULL) {
        return NULL;
    }
    owner_hold(&source->owner);
    self->file = source;
    self->place = place;
    self->framework = (framework *)Py_NewRef((PyObject *)maker);
    self->name = Py_NewRef(name);
    PyObject_GC_Track(self);
    return (PyObject *)self;
}

/* There is no tp_clear: like a tuple, a slice never changes, and others break its cycles. */
static int slice_traverse(slice_object *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT((PyObject *)self->framework);
    Py_VISIT(self->name);
    return handle_traverse(self->file, visit, arg);
}

static void slice_dealloc(slice_object *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    owner_drop(&self->file->owner);
    Py_DECREF((PyObject *)self->framework);
    Py_DECREF(self->name);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

PyDoc_STRVAR(
    slice_doc,
    "A tensor of an open file of which parts are read: what get_slice() returns.\n\n"
    "slice[index] is the part, read when it is asked for, and no more of the file than\n"
    "it needs. The slice keeps the file open, also past the end of a `with` block, and\n"
    "any number of threads may use it at once.\n\n"
    "For torch the index may be all that torch itself takes, with torch's own errors\n"
    "(IndexError and others). Where the file is mapped the part is a view of it, which\n"
    "may be written to without a change of the file; else it has memory of its own.\n\n"
    "For the other frameworks the index is one item for each dimension: an integer,\n"
    "negative ones counted from the end; a slice with bounds from 0 to the size and a\n"
    "step of 1 or more; an Ellipsis for the dimensions not named; or, alone, an empty\n"
    "list for no rows. NumPy arrays of a file opened with backend=\"mmap\" are views.\n\n"
    "Raises:\n"
    "    SafetensorError: an index that is not of these or leads out of the tensor; a\n"
    "        part that would end within a byte; a type that the framework has not; a file\n"
    "        that has become shorter\n"
    "    OverflowError: a slice with a negative bound, or one beyond 64 bits\n"
    "    TypeError: a slice with a bound that is no integer\n"
    "    OSError: the file cannot be read\n"
    "    MemoryError: there is no room for the part");

int slice_add(PyObject *module, module_state *state) {
    static PyMethodDef methods[] = {
        {"get_shape", (PyCFunction)get_shape, METH_NOARGS, get_shape_doc},
        {"get_dtype", (PyCFunction)get_dtype, METH_NOARGS, get_dtype_doc},
        {NULL, NULL, 0, NULL},
    };
    static PyType_Slot slots[] = {
        {Py_tp_doc, (void *)slice_doc},
        {Py_tp_methods, methods},
        {Py_mp_subscript, subscript},
        {Py_sq_item, item_at},
        {Py_tp_traverse, slice_traverse},
        {Py_tp_dealloc, slice_dealloc},
        {0, NULL},
    };
    static PyType_Spec spec = {
        .name = "safetensors._sft.PySafeSlice",
        .basicsize = sizeof(slice_object),
        .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
                 Py_TPFLAGS_DISALLOW_INSTANTIATION,
        .slots = slots,
    };
    return state_add_type(module, &spec, "PySafeSlice", &state->slice_type);
}
