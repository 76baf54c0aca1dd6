#include "collect.h"

#include "arguments.h"
#include "errors.h"
#include "shapes.h"
#include "spec.h"

/* ---- snapshots ---- */

static void snapshot_free(snapshot *taken) {
    for (Py_ssize_t i = 0; i < 2 * taken->count; i++) {
        Py_DECREF(taken->items[i]);
    }
    PyMem_Free(taken->items);
    *taken = (snapshot){NULL, 0};
}

/* No code but the interpreter's own runs in here, so the dict stays as it is. */
static int snapshot_locked(PyObject *dict, snapshot *taken) {
    taken->items = PyMem_New(PyObject *, 2 * (size_t)PyDict_GET_SIZE(dict));
    if (taken->items == NULL) {
        return -1;
    }
    Py_ssize_t position = 0;
    PyObject *key;
    PyObject *value;
    while (PyDict_Next(dict, &position, &key, &value)) {
        taken->items[2 * taken->count] = Py_NewRef(key);
        taken->items[2 * taken->count + 1] = Py_NewRef(value);
        taken->count++;
    }
    return 0;
}

static int snapshot_take(PyObject *dict, snapshot *taken) {
    int done;
    *taken = (snapshot){NULL, 0};
    Py_BEGIN_CRITICAL_SECTION(dict);
    done = snapshot_locked(dict, taken);
    Py_END_CRITICAL_SECTION();
    if (done < 0) {
        PyErr_NoMemory();
    }
    return done;
}

/* ---- tensors given as dicts ---- */

/* The values of such a dict: new references, all taken before any of them is looked into. */
typedef struct parts {
    PyObject *data;
    PyObject *dtype;
    PyObject *shape;
} parts;

/*
 * A new reference to a dict's value, or NULL: with an exception only if something else went wrong
 * than that the key is not there.
 */
static PyObject *item_of(PyObject *dict, const char *key) {
    PyObject *value = PyMapping_GetItemString(dict, key);
    if (value == NULL && PyErr_ExceptionMatches(PyExc_KeyError)) {
        PyErr_Clear();
    }
    return value;
}

static PyObject *needed_item_of(module_state *state, PyObject *dict, const char *key,
                                PyObject *name) {
    PyObject *value = item_of(dict, key);
    if (value == NULL && !PyErr_Occurred()) {
        raise_safetensor_error(state, "Missing `%s` in the dict of tensor `%U`", key, name);
    }
    return value;
}

static void drop_parts(parts *taken) {
    Py_XDECREF(taken->data);
    Py_XDECREF(taken->dtype);
    Py_XDECREF(taken->shape);
}

static int take_parts(module_state *state, PyObject *dict, PyObject *name, parts *taken) {
    *taken = (parts){.data = item_of(dict, "data")};
    if (taken->data == NULL) {
        return PyErr_Occurred() ? -1 : argument_refuse("tensor_dict", dict, "TensorSpec");
    }
    taken->dtype = needed_item_of(state, dict, "dtype", name);
    if (taken->dtype != NULL) {
        taken->shape = needed_item_of(state, dict, "shape", name);
    }
    if (taken->shape == NULL) {
        drop_parts(taken);
        return -1;
    }
    return 0;
}

static int take_shape(PyObject *given, held_tensor *held, uint32_t *rank) {
    PyObject *tuple = shape_tuple(given, "tensor_dict");
    if (tuple == NULL) {
        return -1;
    }
    *rank = (uint32_t)PyTuple_GET_SIZE(tuple);
    held->shape = PyMem_New(uint64_t, (size_t)*rank);
    if (held->shape == NULL) {
        PyErr_NoMemory();
    }
    int done = held->shape == NULL ? -1 : shape_fill(tuple, "tensor_dict", held->shape);
    Py_DECREF(tuple);
    return done;
}

static int take_bytes(PyObject *data, PyObject *name, Py_buffer *buffer) {
    if (!PyObject_CheckBuffer(data)) {
        PyErr_Format(PyExc_TypeError,
                     "argument 'tensor_dict': the data of tensor `%U` is a %s, which has no bytes "
                     "to show: give bytes, a bytearray, a memoryview or a C-contiguous array",
                     name, Py_TYPE(data)->tp_name);
        return -1;
    }
    return PyObject_GetBuffer(data, buffer, PyBUF_SIMPLE);
}

/* What was taken before a failure stays in `held`, for collected_tensors_free(). */
static int read_parts(module_state *state, const parts *taken, PyObject *name, held_tensor *held,
                      sft_tensor_data *tensor) {
    named_dtype named;
    if (take_shape(taken->shape, held, &tensor->rank) < 0 ||
        argument_dtype(state, taken->dtype, "tensor_dict", ALL_NAMES, &named) < 0 ||
        shape_unpack(state, named, held->shape, tensor->rank) < 0 ||
        take_bytes(taken->data, name, &held->buffer) < 0) {
        return -1;
    }
    tensor->dtype = named.dtype;
    tensor->shape = held->shape;
    tensor->data = held->buffer.buf;
    tensor->size = (uint64_t)held->buffer.len;
    return 0;
}

static held_tensor *hold(collected_tensors *collected) {
    if (collected->held == NULL) {
        collected->held = PyMem_New(held_tensor, (size_t)collected->snapshot.count);
        if (collected->held == NULL) {
            PyErr_NoMemory();
            return NULL;
        }
    }
    held_tensor *held = &collected->held[collected->held_count++];
    *held = (held_tensor){.shape = NULL};
    return held;
}

static int take_dict(module_state *state, collected_tensors *collected, PyObject *dict,
                     PyObject *name, sft_tensor_data *tensor) {
    parts taken;
    if (take_parts(state, dict, name, &taken) < 0) {
        return -1;
    }
    held_tensor *held = hold(collected);
    int done = held == NULL ? -1 : read_parts(state, &taken, name, held, tensor);
    drop_parts(&taken);
    return done;
}

/* ---- all tensors ---- */

static void take_spec(const spec_object *spec, sft_tensor_data *tensor) {
    tensor->dtype = spec->dtype;
    tensor->rank = spec->rank;
    tensor->shape = spec->shape;
    tensor->data = spec->data;
    tensor->size = spec->size;
}

static int take_tensor(module_state *state, collected_tensors *collected, PyObject *name,
                       PyObject *value, sft_tensor_data *tensor) {
    *tensor = (sft_tensor_data){0};
    tensor->name = argument_text(name, "tensor_dict", &tensor->name_length);
    if (tensor->name == NULL) {
        return -1;
    }
    if (Py_IS_TYPE(value, state->spec_type)) {
        take_spec((const spec_object *)value, tensor);
        return 0;
    }
    if (PyDict_Check(value)) {
        return take_dict(state, collected, value, name, tensor);
    }
    return argument_refuse("tensor_dict", value, "TensorSpec");
}

static int take_all(module_state *state, collected_tensors *collected) {
    const snapshot *taken = &collected->snapshot;
    collected->tensors = PyMem_New(sft_tensor_data, (size_t)taken->count);
    if (collected->tensors == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < taken->count; i++) {
        if (take_tensor(state, collected, taken->items[2 * i], taken->items[2 * i + 1],
                        &collected->tensors[i]) < 0) {
            return -1;
        }
    }
    return 0;
}

int collect_tensors(module_state *state, PyObject *dict, collected_tensors *collected) {
    *collected = (collected_tensors){.tensors = NULL};
    if (!PyDict_Check(dict)) {
        return argument_refuse("tensor_dict", dict, "dict");
    }
    if (snapshot_take(dict, &collected->snapshot) < 0) {
        return -1;
    }
    if (take_all(state, collected) < 0) {
        collected_tensors_free(collected);
        return -1;
    }
    return 0;
}

void collected_tensors_free(collected_tensors *collected) {
    for (Py_ssize_t i = 0; i < collected->held_count; i++) {
        PyBuffer_Release(&collected->held[i].buffer);
        PyMem_Free(collected->held[i].shape);
    }
    PyMem_Free(collected->held);
    PyMem_Free(collected->tensors);
    snapshot_free(&collected->snapshot);
    *collected = (collected_tensors){.tensors = NULL};
}

/* ---- metadata ---- */

static int take_entry(PyObject *key, PyObject *value, sft_metadata_entry *entry) {
    entry->key = argument_text(key, "metadata", &entry->key_length);
    if (entry->key == NULL) {
        return -1;
    }
    entry->value = argument_text(value, "metadata", &entry->value_length);
    return entry->value == NULL ? -1 : 0;
}

static int take_entries(collected_metadata *collected) {
    const snapshot *taken = &collected->snapshot;
    collected->entries = PyMem_New(sft_metadata_entry, (size_t)taken->count);
    if (collected->entries == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < taken->count; i++) {
        if (take_entry(taken->items[2 * i], taken->items[2 * i + 1], &collected->entries[i]) < 0) {
            return -1;
        }
    }
    return 0;
}

int collect_metadata(PyObject *metadata, sft_write_options *options,
                     collected_metadata *collected) {
    *collected = (collected_metadata){.entries = NULL};
    if (metadata == Py_None) {
        return 0;
    }
    if (!PyDict_Check(metadata)) {
        return argument_refuse("metadata", metadata, "dict");
    }
    if (snapshot_take(metadata, &collected->snapshot) < 0) {
        return -1;
    }
    if (take_entries(collected) < 0) {
        collected_metadata_free(collected);
        return -1;
    }
    options->metadata = collected->entries;
    options->metadata_count = (uint64_t)collected->snapshot.count;
    options->empty_metadata = true;
    return 0;
}

void collected_metadata_free(collected_metadata *collected) {
    PyMem_Free(collected->entries);
    snapshot_free(&collected->snapshot);
    *collected = (collected_metadata){.entries = NULL};
}
