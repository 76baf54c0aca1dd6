/* How a StreamWriter begins: what will come is declared, and the file is made. */
#include "arguments.h"
#include "collect.h"
#include "errors.h"
#include "shapes.h"
#include "stream.h"

static int declare(writer_object *self, PyObject *name, named_dtype named, PyObject *dimensions) {
    module_state *state = state_of((PyObject *)self);
    declared_tensor *tensor = &self->declared[self->count++];
    tensor->dtype = named.dtype;
    tensor->rank = (uint32_t)PyTuple_GET_SIZE(dimensions);
    tensor->shape = PyMem_New(uint64_t, (size_t)tensor->rank);
    if (tensor->shape == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    size_t length;
    const char *text = argument_text(name, "specs", &length);
    if (text == NULL || shape_fill(dimensions, "specs", tensor->shape) < 0 ||
        shape_unpack(state, named, tensor->shape, tensor->rank) < 0) {
        return -1;
    }
    sft_error error;
    sft_status status = sft_writer_declare(self->writer, text, length, tensor->dtype, tensor->shape,
                                           tensor->rank, NULL, &error);
    if (status != SFT_OK) {
        raise_error(state, SERIALIZING, &error, NULL);
        return -1;
    }
    /* The writer has taken it, so its size is sound. */
    status = sft_dtype_size(tensor->dtype, tensor->shape, tensor->rank, &tensor->size);
    (void)status;
    PyObject *index = PyLong_FromSsize_t(self->count - 1);
    int done = index == NULL ? -1 : PyDict_SetItem(self->indices, name, index);
    Py_XDECREF(index);
    return done;
}

static int declare_parts(writer_object *self, PyObject *name, PyObject *dtype, PyObject *shape) {
    named_dtype named;
    if (argument_dtype(state_of((PyObject *)self), dtype, "specs", ALL_NAMES, &named) < 0) {
        return -1;
    }
    PyObject *dimensions = shape_tuple(shape, "specs");
    int done = dimensions == NULL ? -1 : declare(self, name, named, dimensions);
    Py_XDECREF(dimensions);
    return done;
}

static int declare_one(writer_object *self, PyObject *given) {
    PyObject *parts = PyTuple_Check(given) || PyList_Check(given) ? PySequence_Tuple(given) : NULL;
    if (parts == NULL) {
        return PyErr_Occurred() ? -1 : argument_refuse("specs", given, "tuple");
    }
    int done = -1;
    if (PyTuple_GET_SIZE(parts) != 3) {
        PyErr_Format(PyExc_ValueError,
                     "argument 'specs': (name, dtype, shape) is needed, not a tuple of %zd",
                     PyTuple_GET_SIZE(parts));
    } else if (!PyUnicode_Check(PyTuple_GET_ITEM(parts, 0))) {
        argument_refuse("specs", PyTuple_GET_ITEM(parts, 0), "str");
    } else {
        done = declare_parts(self, PyTuple_GET_ITEM(parts, 0), PyTuple_GET_ITEM(parts, 1),
                             PyTuple_GET_ITEM(parts, 2));
    }
    Py_DECREF(parts);
    return done;
}

static int declare_all(writer_object *self, PyObject *specs) {
    PyObject *list = PySequence_Tuple(specs);
    if (list == NULL) {
        return -1;
    }
    Py_ssize_t count = PyTuple_GET_SIZE(list);
    self->indices = PyDict_New();
    self->declared = PyMem_Calloc((size_t)count, sizeof *self->declared);
    int done = self->indices == NULL || self->declared == NULL ? -1 : 0;
    if (self->declared == NULL) {
        PyErr_NoMemory();
    }
    for (Py_ssize_t i = 0; i < count && done == 0; i++) {
        done = declare_one(self, PyTuple_GET_ITEM(list, i));
    }
    Py_DECREF(list);
    return done;
}

static int begin(writer_object *self) {
    sft_error error;
    sft_status status;
    Py_BEGIN_ALLOW_THREADS
    status = sft_writer_begin(self->writer, &error);
    Py_END_ALLOW_THREADS
    if (status != SFT_OK) {
        raise_error(state_of((PyObject *)self), SERIALIZING, &error, NULL);
        return -1;
    }
    Py_BEGIN_CRITICAL_SECTION(self);
    self->phase = OPEN;
    Py_END_CRITICAL_SECTION();
    return 0;
}

static int open_writer(writer_object *self, PyObject *path, const sft_write_options *options) {
    sft_error error;
    if (sft_writer_new(PyBytes_AS_STRING(path), options, &self->writer, &error) != SFT_OK) {
        raise_error(state_of((PyObject *)self), SERIALIZING, &error, NULL);
        return -1;
    }
    return 0;
}

static bool goes_on(void *context, uint64_t done, uint64_t total) {
    (void)done;
    (void)total;
    return !atomic_load_explicit((atomic_bool *)context, memory_order_relaxed);
}

int writer_begin(writer_object *self, PyObject *path, PyObject *specs, PyObject *metadata,
                 sft_write_options *options) {
    options->progress = goes_on;
    options->progress_context = &self->cancelled;
    collected_metadata collected;
    if (collect_metadata(metadata, options, &collected) < 0) {
        return -1;
    }
    int done = open_writer(self, path, options);
    collected_metadata_free(&collected);
    return done < 0 || declare_all(self, specs) < 0 ? -1 : begin(self);
}
