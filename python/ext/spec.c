#include "spec.h"

#include <stddef.h>

#include "arguments.h"
#include "shapes.h"

PyDoc_STRVAR(
    spec_doc,
    "TensorSpec(*, dtype, shape, data_ptr, data_len)\n"
    "--\n\n"
    "Where a tensor lies in memory, and what it is: one value of the dict that serialize() and\n"
    "serialize_file() take. It never changes.\n\n"
    "It holds an address, not the tensor. Whoever makes it keeps the memory alive and unchanged\n"
    "until every call that was given it has returned.\n\n"
    "Args:\n"
    "    dtype: the type of the elements, by the name that NumPy and PyTorch have for it:\n"
    "        \"float32\", \"bfloat16\", \"float8_e4m3fn\", \"float4_e2m1fn_x2\"...\n"
    "    shape: the dimensions, outermost first; any sequence of integers. \"float4_e2m1fn_x2\"\n"
    "        puts two elements into a byte, and its last dimension counts bytes.\n"
    "    data_ptr: the address of the first byte. The bytes are dense, in row-major order and\n"
    "        little-endian. 0 will do where there are none.\n"
    "    data_len: how many bytes there are.\n\n"
    "Raises:\n"
    "    SafetensorError: no type has that name, or a doubled dimension does not fit in 64 bits.\n"
    "    OverflowError: a number is negative, or 2**64 or more.\n"
    "    TypeError: an argument is missing or of the wrong type.");

static int fill(module_state *state, spec_object *self, named_dtype named, PyObject *shape,
                uint64_t address, uint64_t size) {
    self->dtype = named.dtype;
    self->rank = (uint32_t)PyTuple_GET_SIZE(shape);
    self->data = (const void *)(uintptr_t)address;
    self->size = size;
    if ((uintptr_t)address != address) {
        PyErr_SetString(PyExc_OverflowError, "argument 'data_ptr': no address of this machine");
        return -1;
    }
    return shape_unpack(state, named, self->shape, self->rank);
}

static PyObject *make(PyTypeObject *type, PyObject *dtype, PyObject *shape, PyObject *address,
                      PyObject *size) {
    module_state *state = PyType_GetModuleState(type);
    if (!PyUnicode_Check(dtype)) {
        argument_refuse("dtype", dtype, "str");
        return NULL;
    }
    PyObject *tuple = shape_tuple(shape, "shape");
    if (tuple == NULL) {
        return NULL;
    }
    spec_object *self = (spec_object *)type->tp_alloc(type, PyTuple_GET_SIZE(tuple));
    uint64_t address_number;
    uint64_t size_number;
    named_dtype named;
    if (self != NULL && (shape_fill(tuple, "shape", self->shape) < 0 ||
                         argument_unsigned(address, "data_ptr", &address_number) < 0 ||
                         argument_unsigned(size, "data_len", &size_number) < 0 ||
                         argument_dtype(state, dtype, "dtype", PYTHON_NAMES, &named) < 0 ||
                         fill(state, self, named, tuple, address_number, size_number) < 0)) {
        Py_CLEAR(self);
    }
    Py_DECREF(tuple);
    return (PyObject *)self;
}

static PyObject *make_spec(PyTypeObject *type, PyObject *arguments, PyObject *keywords) {
    static char *names[] = {"dtype", "shape", "data_ptr", "data_len", NULL};
    PyObject *dtype;
    PyObject *shape;
    PyObject *address;
    PyObject *size;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "$OOOO:TensorSpec", names, &dtype, &shape,
                                     &address, &size)) {
        return NULL;
    }
    return make(type, dtype, shape, address, size);
}

/* ---- the quick way: a model has thousands of them ---- */

#define PARAMETERS 4

/* Sorts the values of a call that is right; false for one that is not. */
static bool match(PyObject *const *values, PyObject *names, PyObject **given) {
    static const char *const parameters[PARAMETERS] = {"dtype", "shape", "data_ptr", "data_len"};
    if (names == NULL || PyTuple_GET_SIZE(names) != PARAMETERS) {
        return false;
    }
    for (Py_ssize_t i = 0; i < PARAMETERS; i++) {
        for (int place = 0; place < PARAMETERS; place++) {
            if (PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, i), parameters[place]) ==
                0) {
                given[place] = values[i];
                break;
            }
        }
    }
    return given[0] != NULL && given[1] != NULL && given[2] != NULL && given[3] != NULL;
}

/* Has the interpreter say what is wrong with a call. */
static PyObject *call_slowly(PyTypeObject *type, PyObject *const *values, Py_ssize_t count,
                             PyObject *names) {
    PyObject *arguments = PyTuple_New(count);
    PyObject *keywords = PyDict_New();
    int done = arguments == NULL || keywords == NULL ? -1 : 0;
    for (Py_ssize_t i = 0; i < count && done == 0; i++) {
        PyTuple_SET_ITEM(arguments, i, Py_NewRef(values[i]));
    }
    for (Py_ssize_t i = 0; names != NULL && i < PyTuple_GET_SIZE(names) && done == 0; i++) {
        done = PyDict_SetItem(keywords, PyTuple_GET_ITEM(names, i), values[count + i]);
    }
    PyObject *self = done < 0 ? NULL : make_spec(type, arguments, keywords);
    Py_XDECREF(arguments);
    Py_XDECREF(keywords);
    return self;
}

static PyObject *vectorcall(PyObject *callable, PyObject *const *values, size_t flags,
                            PyObject *names) {
    PyTypeObject *type = (PyTypeObject *)callable;
    Py_ssize_t count = PyVectorcall_NARGS(flags);
    PyObject *given[PARAMETERS] = {NULL};
    if (count == 0 && match(values, names, given)) {
        return make(type, given[0], given[1], given[2], given[3]);
    }
    return call_slowly(type, values, count, names);
}

/* ---- life ---- */

static void dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}

/* ---- attributes ---- */

static PyObject *get_dtype(PyObject *object, void *unused) {
    (void)unused;
    return PyUnicode_FromString(sft_dtype_name(((spec_object *)object)->dtype));
}

static PyObject *get_shape(PyObject *object, void *unused) {
    (void)unused;
    const spec_object *self = (const spec_object *)object;
    return shape_list(self->shape, self->rank);
}

static PyObject *get_data_ptr(PyObject *object, void *unused) {
    (void)unused;
    return PyLong_FromUnsignedLongLong((uintptr_t)((spec_object *)object)->data);
}

static PyObject *get_data_len(PyObject *object, void *unused) {
    (void)unused;
    return PyLong_FromUnsignedLongLong(((spec_object *)object)->size);
}

static PyObject *repr(PyObject *object) {
    const spec_object *self = (const spec_object *)object;
    PyObject *shape = get_shape(object, NULL);
    if (shape == NULL) {
        return NULL;
    }
    PyObject *text = PyUnicode_FromFormat(
        "TensorSpec(dtype='%s', shape=%R, data_ptr=%llu, data_len=%llu)",
        sft_dtype_name(self->dtype), shape, (unsigned long long)(uintptr_t)self->data,
        (unsigned long long)self->size);
    Py_DECREF(shape);
    return text;
}

int spec_add(PyObject *module, module_state *state) {
    static PyGetSetDef attributes[] = {
        {"dtype", get_dtype, NULL,
         PyDoc_STR("The type of the elements, by its name in a header: \"F32\"."), NULL},
        {"shape", get_shape, NULL,
         PyDoc_STR("The dimensions as the header has them, outermost first: a new list."), NULL},
        {"data_ptr", get_data_ptr, NULL, PyDoc_STR("The address of the first byte."), NULL},
        {"data_len", get_data_len, NULL, PyDoc_STR("How many bytes there are."), NULL},
        {NULL, NULL, NULL, NULL, NULL},
    };
    static PyType_Slot slots[] = {
        {Py_tp_doc, (char *)(uintptr_t)spec_doc},
        {Py_tp_new, make_spec},
        {Py_tp_dealloc, dealloc},
        {Py_tp_repr, repr},
        {Py_tp_getset, attributes},
        {0, NULL},
    };
    static PyType_Spec spec = {
        .name = "safetensors.TensorSpec",
        .basicsize = (int)offsetof(spec_object, shape),
        .itemsize = sizeof(uint64_t),
        .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
        .slots = slots,
    };
    if (state_add_type(module, &spec, "TensorSpec", &state->spec_type) < 0) {
        return -1;
    }
    state->spec_type->tp_vectorcall = vectorcall; /* there is a slot for it from Python 3.14 on */
    return 0;
}
