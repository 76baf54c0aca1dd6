/*
 * The state of the module, one for each interpreter that imports it. There is no other: no global
 * variable, so that interpreters and threads without a common lock can use the module at once.
 */
#ifndef SFT_PYTHON_STATE_H
#define SFT_PYTHON_STATE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

typedef struct module_state {
    PyObject *error;          /* SafetensorError */
    PyTypeObject *spec_type;  /* TensorSpec */
    PyTypeObject *open_type;  /* safe_open, also what _safe_open_handle() and open_bytes() return */
    PyTypeObject *slice_type; /* PySafeSlice */
    PyTypeObject *framework_type; /* how one handle makes tensors; internal */
    PyTypeObject *memory_type;    /* an owner's bytes as a buffer, for NumPy; internal */
    PyTypeObject *writer_type;    /* StreamWriter */
} module_state;

/* The state that belongs to an object of one of our types; none of them can be subclassed. */
static inline module_state *state_of(PyObject *self) {
    return PyType_GetModuleState(Py_TYPE(self));
}

/*
 * Each subject adds its functions and types to the module and the state. Returns 0, or -1 with an
 * exception set.
 */
int errors_add(PyObject *module, module_state *state);
int spec_add(PyObject *module, module_state *state);
int serialize_add(PyObject *module, module_state *state);
int deserialize_add(PyObject *module, module_state *state);
int stream_add(PyObject *module, module_state *state);
int memory_add(PyObject *module, module_state *state);
int framework_add(PyObject *module, module_state *state);
int open_add(PyObject *module, module_state *state);
int slice_add(PyObject *module, module_state *state);
int scan_add(PyObject *module, module_state *state);
int convert_add(PyObject *module, module_state *state);

/*
 * Makes a heap type from its spec and keeps it in the state at `slot`; with `name` the module gets
 * it as an attribute too. Returns 0, or -1 with an exception set.
 */
int state_add_type(PyObject *module, PyType_Spec *spec, const char *name, PyTypeObject **slot);

/*
 * Python 3.13 and later without a global lock: one thread at a time in an object. Elsewhere the
 * interpreter's lock sees to it.
 */
#if PY_VERSION_HEX < 0x030D0000
#define Py_BEGIN_CRITICAL_SECTION(object) {
#define Py_END_CRITICAL_SECTION() }
#endif

#endif
