#include "listing.h"

static PyObject *text_of(const char *text, size_t length) {
    return PyUnicode_FromStringAndSize(text, (Py_ssize_t)length);
}

PyObject *listing_names(const handle *file) {
    uint64_t count = handle_count(file);
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (uint64_t i = 0; list != NULL && i < count; i++) {
        const sft_tensor *tensor = handle_at(file, i).tensor;
        PyObject *name = text_of(tensor->name, tensor->name_length);
        if (name == NULL) {
            Py_CLEAR(list);
        } else {
            PyList_SET_ITEM(list, (Py_ssize_t)i, name);
        }
    }
    return list;
}

/* Adds what one file says; an earlier file's word counts. Returns 0, or -1 with an exception. */
static int add_metadata(const sft_header *header, PyObject *dict) {
    uint64_t count = sft_header_metadata_count(header);
    for (uint64_t i = 0; i < count; i++) {
        const sft_metadata_entry *entry = sft_header_metadata_at(header, i);
        PyObject *key = text_of(entry->key, entry->key_length);
        PyObject *value = text_of(entry->value, entry->value_length);
        PyObject *there = key == NULL || value == NULL ? NULL : PyDict_SetDefault(dict, key, value);
        Py_XDECREF(key);
        Py_XDECREF(value);
        if (there == NULL) {
            return -1;
        }
    }
    return 0;
}

PyObject *listing_metadata(const handle *file) {
    PyObject *dict = NULL;
    for (uint64_t i = 0; i < handle_files(file); i++) {
        const sft_header *header = sft_file_header(handle_file(file, i));
        if (!sft_header_has_metadata(header)) {
            continue;
        }
        if (dict == NULL && (dict = PyDict_New()) == NULL) {
            return NULL;
        }
        if (add_metadata(header, dict) < 0) {
            Py_DECREF(dict);
            return NULL;
        }
    }
    return dict != NULL ? dict : Py_NewRef(Py_None);
}
