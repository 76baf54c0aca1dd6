#include "memory.h"

typedef struct memory_object {
    PyObject_HEAD
    owner *keep;
    void *data;
    Py_ssize_t size;
    bool writable;
} memory_object;

PyObject *memory_new(module_state *state, owner *keep, void *data, Py_ssize_t size, bool writable) {
    memory_object *self = PyObject_New(memory_object, state->memory_type);
    if (self == NULL) {
        return NULL;
    }
    self->keep = owner_hold(keep);
    self->data = data;
    self->size = size;
    self->writable = writable;
    return (PyObject *)self;
}

static void memory_dealloc(PyObject *object) {
    memory_object *self = (memory_object *)object;
    PyTypeObject *type = Py_TYPE(object);
    owner_drop(self->keep);
    PyObject_Free(self);
    Py_DECREF(type);
}

static int memory_getbuffer(PyObject *object, Py_buffer *view, int flags) {
    memory_object *self = (memory_object *)object;
    return PyBuffer_FillInfo(view, object, self->data, self->size, !self->writable, flags);
}

int memory_add(PyObject *module, module_state *state) {
    static PyType_Slot slots[] = {
        {Py_tp_dealloc, memory_dealloc},
        {Py_bf_getbuffer, memory_getbuffer},
        {Py_tp_doc, PyDoc_STR("The bytes that tensors lie in; freed with the last of them.")},
        {0, NULL},
    };
    static PyType_Spec spec = {
        .name = "safetensors._sft.Memory",
        .basicsize = sizeof(memory_object),
        .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
        .slots = slots,
    };
    return state_add_type(module, &spec, NULL, &state->memory_type);
}
