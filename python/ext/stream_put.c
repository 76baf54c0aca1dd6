/* StreamWriter.put(): bytes of a tensor, from any thread. */
#include <string.h>

#include "arguments.h"
#include "errors.h"
#include "shapes.h"
#include "spec.h"
#include "stream.h"

typedef struct piece {
    const void *data;
    uint64_t size;
    uint64_t offset;
    Py_buffer buffer; /* obj is NULL if the piece is a TensorSpec's */
} piece;

static int refuse_shape(module_state *state, const declared_tensor *tensor, const spec_object *spec,
                        PyObject *name) {
    PyObject *ours = shape_list(tensor->shape, tensor->rank);
    PyObject *theirs = shape_list(spec->shape, spec->rank);
    if (ours != NULL && theirs != NULL) {
        raise_safetensor_error(state, "tensor `%U` was declared with the shape %R, not %R", name,
                               ours, theirs);
    }
    Py_XDECREF(ours);
    Py_XDECREF(theirs);
    return -1;
}

static bool same_shape(const declared_tensor *tensor, const spec_object *spec) {
    return tensor->rank == spec->rank &&
           memcmp(tensor->shape, spec->shape, tensor->rank * sizeof *tensor->shape) == 0;
}

/* A spec must be sound, and be what was declared; a part of a tensor may have any shape. */
static int check_spec(module_state *state, const declared_tensor *tensor, const spec_object *spec,
                      uint64_t offset, PyObject *name) {
    uint64_t needed;
    if (spec->dtype != tensor->dtype) {
        raise_safetensor_error(state, "tensor `%U` was declared as %s, not %s", name,
                               sft_dtype_name(tensor->dtype), sft_dtype_name(spec->dtype));
        return -1;
    }
    if (sft_dtype_size(spec->dtype, spec->shape, spec->rank, &needed) != SFT_OK ||
        needed != spec->size) {
        raise_safetensor_error(state,
                               "tensor `%U`: the shape of the TensorSpec needs other than the %llu "
                               "bytes of its data_len",
                               name, (unsigned long long)spec->size);
        return -1;
    }
    bool whole = offset == 0 && spec->size == tensor->size;
    return whole && !same_shape(tensor, spec) ? refuse_shape(state, tensor, spec, name) : 0;
}

static int take_piece(module_state *state, const declared_tensor *tensor, PyObject *data,
                      PyObject *name, piece *taken) {
    if (Py_IS_TYPE(data, state->spec_type)) {
        const spec_object *spec = (const spec_object *)data;
        taken->data = spec->data;
        taken->size = spec->size;
        return check_spec(state, tensor, spec, taken->offset, name);
    }
    if (!PyObject_CheckBuffer(data)) {
        return argument_refuse("data", data, "TensorSpec");
    }
    if (PyObject_GetBuffer(data, &taken->buffer, PyBUF_SIMPLE) < 0) {
        return -1;
    }
    taken->data = taken->buffer.buf;
    taken->size = (uint64_t)taken->buffer.len;
    return 0;
}

static int find(writer_object *self, PyObject *name, uint64_t *index) {
    if (!PyUnicode_Check(name)) {
        return argument_refuse("name", name, "str");
    }
    PyObject *number = self->indices == NULL ? NULL : PyDict_GetItemWithError(self->indices, name);
    if (number == NULL) {
        if (!PyErr_Occurred()) {
            raise_safetensor_error(state_of((PyObject *)self),
                                   "tensor `%U` was not declared when the file was begun", name);
        }
        return -1;
    }
    *index = PyLong_AsUnsignedLongLong(number);
    return 0;
}

/* Every put() that has entered must leave. */
static int enter(writer_object *self) {
    phase now;
    Py_BEGIN_CRITICAL_SECTION(self);
    now = self->phase;
    self->puts += now == OPEN ? 1 : 0;
    Py_END_CRITICAL_SECTION();
    if (now != OPEN) {
        writer_refuse(self, now);
        return -1;
    }
    return 0;
}

/* Returns the phase in which the writer now is. */
static phase leave(writer_object *self, bool failed) {
    phase now;
    sft_writer *ended = NULL;
    Py_BEGIN_CRITICAL_SECTION(self);
    self->puts--;
    if (failed && self->phase == OPEN) {
        self->phase = FAILED;
    }
    now = self->phase;
    if (now != OPEN) {
        ended = writer_take(self);
    }
    Py_END_CRITICAL_SECTION();
    writer_free(ended);
    return now;
}

static PyObject *put_piece(writer_object *self, uint64_t index, const piece *taken) {
    sft_error error;
    sft_status status;
    if (enter(self) < 0) {
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    status = sft_writer_put(self->writer, index, taken->offset, taken->data, taken->size, &error);
    Py_END_ALLOW_THREADS
    bool wrong = status == SFT_OUT_OF_BOUNDS || status == SFT_INVALID_ARGUMENT;
    phase now = leave(self, status != SFT_OK && !wrong);
    if (status == SFT_OK) {
        return Py_NewRef(Py_None);
    }
    if (status == SFT_CANCELLED || status == SFT_WRONG_STATE) {
        return writer_refuse(self, now);
    }
    return raise_error(state_of((PyObject *)self), SERIALIZING, &error, NULL);
}

PyObject *writer_put(PyObject *object, PyObject *arguments, PyObject *keywords) {
    static char *names[] = {"name", "data", "offset", NULL};
    writer_object *self = (writer_object *)object;
    PyObject *name;
    PyObject *data;
    PyObject *offset = NULL;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "OO|O:put", names, &name, &data,
                                     &offset) ||
        writer_check_process(self) < 0) {
        return NULL;
    }
    uint64_t index = 0;
    piece taken = {.offset = 0};
    if (find(self, name, &index) < 0 ||
        (offset != NULL && argument_unsigned(offset, "offset", &taken.offset) < 0) ||
        take_piece(state_of(object), &self->declared[index], data, name, &taken) < 0) {
        return NULL;
    }
    PyObject *result = put_piece(self, index, &taken);
    PyBuffer_Release(&taken.buffer);
    return result;
}
