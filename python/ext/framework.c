#include "framework.h"

#include <stdlib.h>
#include <string.h>

#include "arrays.h"
#include "block.h"
#include "errors.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
enum { SWAPPED = 1 };
#else
enum { SWAPPED = 0 };
#endif

/* By framework_kind: as messages name it, and its function in safetensors._convert. */
static const struct {
    const char *name;
    const char *convert;
} kinds[] = {
    [FRAMEWORK_TORCH] = {"torch", NULL},
    [FRAMEWORK_NUMPY] = {"numpy", NULL},
    [FRAMEWORK_TENSORFLOW] = {"tensorflow", "tensorflow"},
    [FRAMEWORK_JAX] = {"flax", "jax"},
    [FRAMEWORK_MLX] = {"mlx", "mlx"},
    [FRAMEWORK_PADDLE] = {"paddle", "paddle"},
};

int framework_read_kind(module_state *state, PyObject *name, framework_kind *kind) {
    static const struct {
        const char *name;
        framework_kind kind;
    } names[] = {
        {"pt", FRAMEWORK_TORCH},
        {"torch", FRAMEWORK_TORCH},
        {"pytorch", FRAMEWORK_TORCH},
        {"np", FRAMEWORK_NUMPY},
        {"numpy", FRAMEWORK_NUMPY},
        {"tf", FRAMEWORK_TENSORFLOW},
        {"tensorflow", FRAMEWORK_TENSORFLOW},
        {"jax", FRAMEWORK_JAX},
        {"flax", FRAMEWORK_JAX},
        {"mlx", FRAMEWORK_MLX},
        {"paddle", FRAMEWORK_PADDLE},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (PyUnicode_CompareWithASCIIString(name, names[i].name) == 0) {
            *kind = names[i].kind;
            return 0;
        }
    }
    raise_safetensor_error(state, "framework %U is invalid", name);
    return -1;
}

framework_kind framework_kind_of(const framework *self) {
    return self->kind;
}

/* ---- making one ---- */

static int prepare(framework *self) {
    if (self->kind == FRAMEWORK_TORCH) {
        return torch_prepare(self);
    }
    if (kinds[self->kind].convert != NULL) {
        PyObject *package = PyImport_ImportModule("safetensors._convert");
        self->convert =
            package == NULL ? NULL : PyObject_GetAttrString(package, kinds[self->kind].convert);
        Py_XDECREF(package);
        if (self->convert == NULL) {
            return -1;
        }
    }
    if (self->kind == FRAMEWORK_PADDLE) {
        PyObject *paddle = PyImport_ImportModule("paddle");
        Py_XDECREF(paddle);
        if (paddle == NULL) {
            return -1;
        }
    }
    return numpy_prepare(self);
}

framework *framework_new(module_state *state, framework_kind kind, PyObject *device) {
    if (device != Py_None && kind != FRAMEWORK_TORCH && kind != FRAMEWORK_PADDLE) {
        raise_safetensor_error(state, "Device %S is not supported for framework %s", device,
                               kinds[kind].name);
        return NULL;
    }
    framework *self = (framework *)state->framework_type->tp_alloc(state->framework_type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->kind = kind;
    self->device = Py_NewRef(device);
    if (prepare(self) < 0) {
        Py_CLEAR(self);
    }
    return self;
}

/* ---- element types ---- */

PyObject *framework_lacks(framework *self, sft_dtype dtype, PyObject *name) {
    PyObject *package = PyImport_ImportModule("safetensors._errors");
    PyObject *exception =
        package == NULL ? NULL
                        : PyObject_CallMethod(package, "cannot_load", "ssO", sft_dtype_name(dtype),
                                              kinds[self->kind].name, name);
    if (exception != NULL) {
        PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
    }
    Py_XDECREF(exception);
    Py_XDECREF(package);
    return NULL;
}

static void element_free(element_type *element) {
    Py_XDECREF(element->dtype);
    free(element);
}

const element_type *framework_element(framework *self, const tensor_layout *layout) {
    element_type *_Atomic *slot = &self->elements[layout->dtype];
    element_type *found = atomic_load_explicit(slot, memory_order_acquire);
    if (found != NULL) {
        return found;
    }
    element_type *made = calloc(1, sizeof *made);
    if (made == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    int done = self->kind == FRAMEWORK_TORCH ? torch_element(self, layout, made)
                                             : numpy_element(self, layout, made);
    if (done < 0) {
        element_free(made);
        return NULL;
    }
    /* Another thread may have been as quick. */
    if (!atomic_compare_exchange_strong(slot, &found, made)) {
        element_free(made);
        return found;
    }
    return made;
}

/* ---- tensors ---- */

/* Bytes in a swapped copy change places within units of this size. */
static size_t unit_of(sft_dtype dtype) {
    uint32_t bits = dtype == SFT_C64 ? 32 : sft_dtype_bits(dtype);
    return bits < 8 ? 1 : bits / 8;
}

static void copy_swapped(char *to, const char *from, uint64_t size, size_t unit) {
    for (uint64_t at = 0; at < size; at += unit) {
        for (size_t i = 0; i < unit; i++) {
            to[at + i] = from[at + unit - 1 - i];
        }
    }
}

/* From here on other threads run while bytes are copied; for fewer it costs more than the copy. */
#define LONG_COPY (UINT64_C(256) << 10)

static void copy_bytes(const tensor_layout *from, void *to) {
    PyThreadState *thread = from->bytes < LONG_COPY ? NULL : PyEval_SaveThread();
    if (SWAPPED) {
        copy_swapped(to, from->data, from->bytes, unit_of(from->dtype));
    } else if (from->bytes > 0) {
        memcpy(to, from->data, (size_t)from->bytes);
    }
    if (thread != NULL) {
        PyEval_RestoreThread(thread);
    }
}

/* A tensor over a copy of its bytes, in the byte order of this machine. */
static PyObject *place_copy(framework *self, const tensor_layout *given,
                            PyObject *(*make)(framework *, byte_region *, const tensor_layout *)) {
    block *memory = block_new(given->bytes);
    if (memory == NULL) {
        return PyErr_NoMemory();
    }
    copy_bytes(given, memory->memory);
    byte_region copy = {&memory->owner, memory->memory, given->bytes, true, NULL};
    tensor_layout copied = *given;
    copied.data = memory->memory;
    PyObject *tensor = make(self, &copy, &copied);
    Py_XDECREF(copy.buffer);
    owner_drop(&memory->owner);
    /* It keeps the owner and the memory, never these structs: cppcheck thinks it might. */
    /* cppcheck-suppress returnDanglingLifetime */
    return tensor;
}

PyObject *framework_place(framework *self, byte_region *region, const tensor_layout *layout) {
    PyObject *(*make)(framework *, struct byte_region *, const tensor_layout *) =
        self->kind == FRAMEWORK_TORCH ? torch_tensor : numpy_array;
    bool copied = (!region->writable && self->kind != FRAMEWORK_NUMPY) ||
                  (SWAPPED && unit_of(layout->dtype) > 1);
    PyObject *tensor = copied ? place_copy(self, layout, make) : make(self, region, layout);
    if (tensor != NULL && self->convert != NULL) {
        PyObject *arguments[] = {tensor, self->device};
        Py_SETREF(tensor, PyObject_Vectorcall(self->convert, arguments, 2, NULL));
    }
    return tensor;
}

PyObject *framework_tensor(framework *self, owner *keep, void *data, sft_dtype dtype,
                           const uint64_t *shape, uint32_t rank, bool writable, PyObject *name) {
    uint64_t bytes;
    if (sft_dtype_size(dtype, shape, rank, &bytes) != SFT_OK) {
        return PyErr_Format(PyExc_OverflowError, "tensor `%S` is too large", name);
    }
    byte_region region = {keep, data, bytes, writable, NULL};
    const tensor_layout layout = {data, bytes, dtype, rank, shape, name};
    PyObject *tensor = framework_place(self, &region, &layout);
    Py_XDECREF(region.buffer);
    return tensor;
}

/* ---- the type ---- */

static int framework_traverse(PyObject *object, visitproc visit, void *arg) {
    framework *self = (framework *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->device);
    Py_VISIT(self->module);
    Py_VISIT(self->make);
    Py_VISIT(self->convert);
    for (size_t i = 0; i < SFT_DTYPES; i++) {
        element_type *element = atomic_load_explicit(&self->elements[i], memory_order_relaxed);
        if (element != NULL) {
            Py_VISIT(element->dtype);
        }
    }
    return 0;
}

/* No tp_clear: what is held here never leads back to a framework but through its handle. */
static void framework_dealloc(PyObject *object) {
    framework *self = (framework *)object;
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    Py_CLEAR(self->device);
    Py_CLEAR(self->module);
    Py_CLEAR(self->make);
    Py_CLEAR(self->convert);
    for (size_t i = 0; i < SFT_DTYPES; i++) {
        element_type *element = atomic_load_explicit(&self->elements[i], memory_order_relaxed);
        if (element != NULL) {
            element_free(element);
        }
    }
    type->tp_free(object);
    Py_DECREF(type);
}

int framework_add(PyObject *module, module_state *state) {
    static PyType_Slot slots[] = {
        {Py_tp_dealloc, framework_dealloc},
        {Py_tp_traverse, framework_traverse},
        {Py_tp_doc, PyDoc_STR("How the tensors of an open file are made.")},
        {0, NULL},
    };
    static PyType_Spec spec = {
        .name = "safetensors._sft.Framework",
        .basicsize = sizeof(framework),
        .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
        .slots = slots,
    };
    return state_add_type(module, &spec, NULL, &state->framework_type);
}
