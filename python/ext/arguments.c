#include "arguments.h"

#include <string.h>

#include "dtypes.h"
#include "errors.h"

/* ---- wrong types ---- */

int argument_refuse(const char *argument, PyObject *given, const char *wanted) {
    if (given == Py_None) {
        PyErr_Format(PyExc_TypeError, "argument '%s': 'None' is not an instance of '%s'", argument,
                     wanted);
        return -1;
    }
    PyObject *type = PyObject_GetAttrString((PyObject *)Py_TYPE(given), "__qualname__");
    if (type != NULL) {
        PyErr_Format(PyExc_TypeError, "argument '%s': '%S' object is not an instance of '%s'",
                     argument, type, wanted);
        Py_DECREF(type);
    }
    return -1;
}

/* A TypeError that is being raised shall tell the argument too. */
static void name_argument(const char *argument) {
    if (!PyErr_ExceptionMatches(PyExc_TypeError)) {
        return;
    }
    PyObject *type;
    PyObject *value;
    PyObject *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    PyErr_Format(PyExc_TypeError, "argument '%s': %S", argument, value);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
}

/* ---- numbers, paths, text ---- */

int argument_unsigned(PyObject *given, const char *argument, uint64_t *value) {
    PyObject *number = PyNumber_Index(given);
    if (number == NULL) {
        name_argument(argument);
        return -1;
    }
    unsigned long long taken = PyLong_AsUnsignedLongLong(number);
    Py_DECREF(number);
    if (taken == (unsigned long long)-1 && PyErr_Occurred()) {
        return -1;
    }
    *value = taken;
    return 0;
}

PyObject *argument_path(PyObject *given, const char *argument) {
    PyObject *path = NULL;
    if (!PyUnicode_FSConverter(given, &path)) {
        name_argument(argument);
        return NULL;
    }
    return path;
}

const char *argument_text(PyObject *given, const char *argument, size_t *length) {
    if (!PyUnicode_Check(given)) {
        argument_refuse(argument, given, "str");
        return NULL;
    }
    Py_ssize_t bytes;
    const char *text = PyUnicode_AsUTF8AndSize(given, &bytes);
    *length = text == NULL ? 0 : (size_t)bytes;
    return text;
}

/* ---- element types ---- */

int argument_dtype(module_state *state, PyObject *given, const char *argument,
                   dtype_vocabulary vocabulary, named_dtype *named) {
    size_t length;
    const char *name = argument_text(given, argument, &length);
    if (name == NULL) {
        return -1;
    }
    named->packed = false;
    if (vocabulary == ALL_NAMES && sft_dtype_parse(name, length, &named->dtype) == SFT_OK) {
        return 0;
    }
    if (strlen(name) != length) {
        raise_safetensor_error(state, "Unknown dtype %R", given);
        return -1;
    }
    if (dtype_from_python(state, name, &named->dtype) < 0) {
        return -1;
    }
    named->packed = dtype_packing(named->dtype) == 2;
    return 0;
}
