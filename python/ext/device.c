#include "device.h"

#include <stdint.h>
#include <string.h>

#include "errors.h"

static PyObject *invalid(module_state *state, PyObject *device) {
    return raise_safetensor_error(
        state, PyUnicode_Check(device) ? "device %S is invalid" : "device %R is invalid", device);
}

/* The number of a device, of digits alone. Returns 0, or -1 with a ValueError. */
static int read_number(const char *digits, uint64_t *number) {
    *number = 0;
    digits += *digits == '+' ? 1 : 0;
    if (*digits == '\0') {
        PyErr_SetString(PyExc_ValueError, "cannot parse integer from empty string");
        return -1;
    }
    for (; *digits != '\0'; digits++) {
        if (*digits < '0' || *digits > '9') {
            PyErr_SetString(PyExc_ValueError, "invalid digit found in string");
            return -1;
        }
        uint64_t digit = (uint64_t)(*digits - '0');
        if (*number > (UINT64_MAX - digit) / 10) {
            PyErr_SetString(PyExc_ValueError, "number too large to fit in target type");
            return -1;
        }
        *number = *number * 10 + digit;
    }
    return 0;
}

/* Apple's has no number in its name, for there is only one. */
static PyObject *read_mps(module_state *state, const char *name) {
    const char *colon = strchr(name, ':');
    uint64_t number = 0;
    if (colon != NULL && read_number(colon + 1, &number) < 0) {
        return NULL;
    }
    if (number != 0) {
        return raise_safetensor_error(state,
                                      "device mps:%llu is invalid: only mps or mps:0 is supported",
                                      (unsigned long long)number);
    }
    return PyUnicode_FromString("mps");
}

static PyObject *read_name(module_state *state, PyObject *device) {
    static const char *const kinds[] = {"cuda", "musa", "npu", "xpu", "xla", "mlu", "hpu", "mps"};
    Py_ssize_t size;
    const char *name = PyUnicode_AsUTF8AndSize(device, &size);
    if (name == NULL) {
        return NULL;
    }
    if (strcmp(name, "cpu") == 0 && size == 3) {
        return Py_NewRef(Py_None);
    }
    size_t length = strcspn(name, ":");
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const char *kind = kinds[i];
        if (strlen(kind) != length || strncmp(kind, name, length) != 0 ||
            strlen(name) != (size_t)size || strchr(name + length, ':') != strrchr(name, ':')) {
            continue;
        }
        if (strcmp(kind, "mps") == 0) {
            return read_mps(state, name);
        }
        uint64_t number = 0;
        if (name[length] == ':' && read_number(name + length + 1, &number) < 0) {
            return NULL;
        }
        return PyUnicode_FromFormat("%s:%llu", kind, (unsigned long long)number);
    }
    return invalid(state, device);
}

static PyObject *read_index(module_state *state, PyObject *device) {
    unsigned long long number = PyLong_AsUnsignedLongLong(device);
    if (number == (unsigned long long)-1 && PyErr_Occurred()) {
        PyErr_Clear();
        return invalid(state, device);
    }
    return PyLong_FromUnsignedLongLong(number); /* and not a bool */
}

/* A torch.device by its text, but for "cpu:0", which is "cpu". */
static PyObject *read_object(module_state *state, PyObject *device) {
    if (strcmp(Py_TYPE(device)->tp_name, "torch.device") != 0) {
        return invalid(state, device);
    }
    PyObject *text = PyObject_Str(device);
    if (text == NULL) {
        return NULL;
    }
    PyObject *read = PyUnicode_CompareWithASCIIString(text, "cpu:0") == 0 ? Py_NewRef(Py_None)
                                                                          : read_name(state, text);
    Py_DECREF(text);
    return read;
}

PyObject *device_read(module_state *state, PyObject *device) {
    if (device == NULL || device == Py_None) {
        return Py_NewRef(Py_None);
    }
    if (PyUnicode_Check(device)) {
        return read_name(state, device);
    }
    return PyLong_Check(device) ? read_index(state, device) : read_object(state, device);
}
