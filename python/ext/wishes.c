#include "wishes.h"

#include "device.h"
#include "errors.h"

static int check_text(const char *argument, PyObject *text) {
    if (PyUnicode_Check(text)) {
        return 0;
    }
    PyErr_Format(PyExc_TypeError, "argument '%s': expected str, not %s", argument,
                 Py_TYPE(text)->tp_name);
    return -1;
}

/* PyTorch's tensors are mapped where that is safe; other frameworks' get memory of their own. */
static int read_backend(module_state *state, PyObject *backend, open_wishes *wishes) {
    if (backend == NULL || backend == Py_None) {
        wishes->access = wishes->kind == FRAMEWORK_TORCH ? SFT_ACCESS_AUTO : SFT_ACCESS_READ;
        return 0;
    }
    if (check_text("backend", backend) < 0) {
        return -1;
    }
    if (PyUnicode_CompareWithASCIIString(backend, "mmap") == 0) {
        wishes->access = SFT_ACCESS_MAP;
        return 0;
    }
    if (PyUnicode_CompareWithASCIIString(backend, "pread") == 0) {
        wishes->access = SFT_ACCESS_READ;
        return 0;
    }
    raise_safetensor_error(
        state, "backend \"%U\" is invalid (expected one of: \"mmap\", \"pread\")", backend);
    return -1;
}

int wishes_read(module_state *state, PyObject *framework_name, PyObject *device, PyObject *backend,
                open_wishes *wishes) {
    if (check_text("framework", framework_name) < 0 ||
        framework_read_kind(state, framework_name, &wishes->kind) < 0) {
        return -1;
    }
    wishes->device = device_read(state, device);
    if (wishes->device == NULL) {
        return -1;
    }
    if (read_backend(state, backend, wishes) < 0) {
        Py_CLEAR(wishes->device);
        return -1;
    }
    return 0;
}
