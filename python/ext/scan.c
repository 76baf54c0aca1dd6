#include "scan.h"

#include <string.h>

#include "arguments.h"
#include "errors.h"
#include "progress.h"

/* ---- what is vouched for ---- */

/* The text of one half of a pair, which ends with its first NUL. */
static const char *half(PyObject *pair, Py_ssize_t index) {
    size_t length;
    const char *text = argument_text(PyTuple_GET_ITEM(pair, index), "allow", &length);
    if (text != NULL && strlen(text) != length) {
        PyErr_SetString(PyExc_ValueError, "argument 'allow': embedded null character");
        return NULL;
    }
    return text;
}

int allowed_take(allowed_names *self, PyObject *pairs) {
    memset(self, 0, sizeof *self);
    self->pairs = PySequence_Tuple(pairs);
    if (self->pairs == NULL) {
        return -1;
    }
    Py_ssize_t count = PyTuple_GET_SIZE(self->pairs);
    self->names = PyMem_Calloc((size_t)count + 1, sizeof *self->names);
    if (self->names == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *pair = PyTuple_GET_ITEM(self->pairs, i);
        if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2) {
            return argument_refuse("allow", pair, "tuple");
        }
        self->names[i] = (sft_allowed){.module = half(pair, 0)};
        self->names[i].name = self->names[i].module == NULL ? NULL : half(pair, 1);
        if (self->names[i].name == NULL) {
            return -1;
        }
        self->count++;
    }
    return 0;
}

void allowed_free(allowed_names *self) {
    PyMem_Free(self->names);
    Py_XDECREF(self->pairs);
}

/* ---- results ---- */

PyObject *scan_text(const char *text) {
    return text == NULL ? Py_NewRef(Py_None)
                        : PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "backslashreplace");
}

static PyObject *byte_of(uint64_t byte) {
    return byte == SFT_NO_BYTE ? Py_NewRef(Py_None) : PyLong_FromUnsignedLongLong(byte);
}

static PyObject *finding_tuple(const sft_finding *finding) {
    return Py_BuildValue("(ssNNNNNNN)", sft_severity_name(finding->severity), finding->code,
                         scan_text(finding->where), scan_text(finding->detail),
                         scan_text(finding->member), byte_of(finding->byte),
                         scan_text(finding->opcode), scan_text(finding->global),
                         scan_text(finding->call));
}

static PyObject *findings_of(const sft_scan_result *result) {
    uint64_t count = sft_scan_count(result);
    PyObject *findings = PyTuple_New((Py_ssize_t)count);
    for (uint64_t i = 0; i < count && findings != NULL; i++) {
        PyObject *finding = finding_tuple(sft_scan_at(result, i));
        if (finding == NULL) {
            Py_CLEAR(findings);
        } else {
            PyTuple_SET_ITEM(findings, (Py_ssize_t)i, finding);
        }
    }
    return findings;
}

PyObject *scan_tuple(const char *path, const sft_scan_result *result) {
    PyObject *findings = findings_of(result);
    if (findings == NULL) {
        return NULL;
    }
    return Py_BuildValue("(NssKN)", PyUnicode_DecodeFSDefault(path),
                         sft_verdict_name(sft_scan_verdict(result)), sft_scan_format(result),
                         (unsigned long long)sft_scan_found(result), findings);
}

/* A file of a folder that could not be looked at: a finding says why. */
static PyObject *unreadable_tuple(const char *path, const sft_error *error) {
    PyObject *name = PyUnicode_DecodeFSDefault(path);
    if (name == NULL) {
        return NULL;
    }
    return Py_BuildValue("(NssK((ssONOOOOO)))", name, "malformed", "unreadable", 1ULL, "malformed",
                         sft_status_name(error->status), name, scan_text(error->message), Py_None,
                         Py_None, Py_None, Py_None, Py_None);
}

/* ---- one file ---- */

static PyObject *scan_one(module_state *state, PyObject *path, const sft_scan_options *options,
                          progress *told, PyObject *function) {
    sft_error error;
    sft_scan_result *result = NULL;
    progress_begin(told, function);
    sft_status status = sft_scan(PyBytes_AS_STRING(path), options, &result, &error);
    progress_end(told);
    PyObject *tuple = NULL;
    if (PyErr_Occurred()) {
        tuple = NULL;
    } else if (status != SFT_OK) {
        raise_error(state, READING, &error, NULL);
    } else {
        tuple = scan_tuple(PyBytes_AS_STRING(path), result);
    }
    sft_scan_free(result);
    return tuple;
}

/* ---- a folder ---- */

typedef struct tree_walk {
    progress *told;
    PyObject *list;
} tree_walk;

static bool add_result(void *context, const char *path, const sft_scan_result *result,
                       const sft_error *error) {
    tree_walk *self = context;
    PyEval_RestoreThread(self->told->thread);
    PyObject *tuple = result != NULL ? scan_tuple(path, result) : unreadable_tuple(path, error);
    bool added = tuple != NULL && PyList_Append(self->list, tuple) == 0;
    Py_XDECREF(tuple);
    self->told->thread = PyEval_SaveThread();
    return added;
}

static PyObject *scan_all(module_state *state, PyObject *path, const sft_scan_options *options,
                          progress *told, PyObject *function) {
    sft_error error;
    tree_walk found = {.told = told, .list = PyList_New(0)};
    if (found.list == NULL) {
        return NULL;
    }
    progress_begin(told, function);
    sft_status status = sft_scan_tree(PyBytes_AS_STRING(path), options, add_result, &found, &error);
    progress_end(told);
    if (PyErr_Occurred()) {
        Py_CLEAR(found.list);
    } else if (status != SFT_OK) {
        Py_CLEAR(found.list);
        raise_error(state, READING, &error, NULL);
    }
    return found.list;
}

/* ---- the function ---- */

PyDoc_STRVAR(scan_doc, "scan($module, /, path, allow, progress, folder)\n"
                       "--\n\n"
                       "What safetensors.scan() does, with plain tuples for its results.\n\n"
                       "Args:\n"
                       "    path: str, bytes or os.PathLike.\n"
                       "    allow: an iterable of (module, name).\n"
                       "    progress: called with bytes looked at and bytes in all; or None.\n"
                       "    folder: whether the path is one, and a list is wanted.");

static PyObject *scan(PyObject *module, PyObject *arguments, PyObject *keywords) {
    static char *names[] = {"path", "allow", "progress", "folder", NULL};
    PyObject *given;
    PyObject *allow;
    PyObject *function;
    int folder;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "OOOp:scan", names, &given, &allow,
                                     &function, &folder)) {
        return NULL;
    }
    PyObject *path = argument_path(given, "path");
    if (path == NULL) {
        return NULL;
    }
    PyObject *found = NULL;
    allowed_names allowed;
    if (allowed_take(&allowed, allow) == 0) {
        progress told = {.function = NULL};
        sft_scan_options options = SFT_SCAN_OPTIONS;
        options.allowed = allowed.names;
        options.allowed_count = allowed.count;
        options.progress = progress_report;
        options.progress_context = &told;
        found = (folder ? scan_all : scan_one)(PyModule_GetState(module), path, &options, &told,
                                               function);
    }
    allowed_free(&allowed);
    Py_DECREF(path);
    return found;
}

int scan_add(PyObject *module, module_state *state) {
    (void)state;
    static PyMethodDef functions[] = {
        {"scan", (PyCFunction)(void (*)(void))scan, METH_VARARGS | METH_KEYWORDS, scan_doc},
        {NULL, NULL, 0, NULL},
    };
    return PyModule_AddFunctions(module, functions);
}
