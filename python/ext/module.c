/* The module safetensors._sft. */
#include <sft.h>

#include "state.h"

/* The release of the Rust implementation whose behaviour this package has. */
#define PEER_VERSION "0.8.0"

int state_add_type(PyObject *module, PyType_Spec *spec, const char *name, PyTypeObject **slot) {
    PyObject *type = PyType_FromModuleAndSpec(module, spec, NULL);
    if (type == NULL) {
        return -1;
    }
    *slot = (PyTypeObject *)type;
    return name == NULL ? 0 : PyModule_AddObjectRef(module, name, type);
}

static int execute(PyObject *module) {
    static int (*const parts[])(PyObject *, module_state *) = {
        errors_add,    spec_add, serialize_add, deserialize_add, stream_add,  memory_add,
        framework_add, open_add, slice_add,     scan_add,        convert_add,
    };
    module_state *state = PyModule_GetState(module);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (parts[i](module, state) < 0) {
            return -1;
        }
    }
    return PyModule_AddStringConstant(module, "__version__",
                                      PEER_VERSION "+sft." SFT_VERSION_STRING);
}

static int traverse(PyObject *module, visitproc visit, void *arg) {
    module_state *state = PyModule_GetState(module);
    Py_VISIT(state->error);
    Py_VISIT(state->spec_type);
    Py_VISIT(state->open_type);
    Py_VISIT(state->slice_type);
    Py_VISIT(state->framework_type);
    Py_VISIT(state->memory_type);
    Py_VISIT(state->writer_type);
    return 0;
}

static int clear(PyObject *module) {
    module_state *state = PyModule_GetState(module);
    Py_CLEAR(state->error);
    Py_CLEAR(state->spec_type);
    Py_CLEAR(state->open_type);
    Py_CLEAR(state->slice_type);
    Py_CLEAR(state->framework_type);
    Py_CLEAR(state->memory_type);
    Py_CLEAR(state->writer_type);
    return 0;
}

static void release(void *module) {
    (void)clear(module);
}

PyMODINIT_FUNC PyInit__sft(void);

PyMODINIT_FUNC PyInit__sft(void) {
    static PyModuleDef_Slot slots[] = {
        {Py_mod_exec, execute},
#if PY_VERSION_HEX >= 0x030C0000
        {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#if PY_VERSION_HEX >= 0x030D0000
        {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
        {0, NULL},
    };
    static PyModuleDef definition = {
        .m_base = PyModuleDef_HEAD_INIT,
        .m_name = "safetensors._sft",
        .m_doc = PyDoc_STR("Safetensors files for Python, over libsft."),
        .m_size = sizeof(module_state),
        .m_slots = slots,
        .m_traverse = traverse,
        .m_clear = clear,
        .m_free = release,
    };
    return PyModuleDef_Init(&definition);
}
