#include "handle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "errors.h"
#include "source.h"

/* ---- the end of a handle ---- */

static void close_files(handle *self) {
    sft_close(self->file);
    sft_model_close(self->model);
    free(self);
}

static void plain_free(owner *self) {
    close_files((handle *)self);
}

/* One whose bytes belong to a Python object, which only its own interpreter can let go. */
typedef struct python_handle {
    handle base;
    int64_t home;   /* the number of that interpreter: an address may be another's by now */
    Py_buffer view; /* of the bytes; its obj is NULL where a file object is read */
} python_handle;

#if PY_VERSION_HEX < 0x030D0000
#define PyThreadState_GetUnchecked _PyThreadState_UncheckedGet
#define Py_IsFinalizing _Py_IsFinalizing
#endif

static void release_python(python_handle *self) {
    Py_buffer view = self->view;
    close_files(&self->base);
    if (view.obj != NULL) {
        PyBuffer_Release(&view);
    }
}

/* The interpreter that this thread has at this moment; -1: none. */
static int64_t current_interpreter(void) {
    PyThreadState *thread = PyThreadState_GetUnchecked();
#if PY_VERSION_HEX < 0x030C0000
    /* Up to 3.11 this is the state of whichever thread has the interpreter's lock. */
    if (thread != NULL && thread->thread_id != PyThread_get_thread_ident()) {
        return -1;
    }
#endif
    return thread == NULL ? -1 : PyInterpreterState_GetID(PyThreadState_GetInterpreter(thread));
}

/*
 * The last hold may be a tensor that dies in a thread which knows no Python, or after the
 * interpreter's end. In the latter case the bytes stay: there is no one left to give them to.
 */
static void python_free(owner *self) {
    python_handle *freed = (python_handle *)self;
    int64_t current = current_interpreter();
    if (current == freed->home) {
        release_python(freed);
    } else if (current == -1 && Py_IsInitialized() && !Py_IsFinalizing() &&
               freed->home == PyInterpreterState_GetID(PyInterpreterState_Main())) {
        PyGILState_STATE attached = PyGILState_Ensure();
        release_python(freed);
        PyGILState_Release(attached);
    }
}

static handle *new_handle(void) {
    handle *self = calloc(1, sizeof *self);
    if (self == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    owner_init(&self->owner, plain_free);
    return self;
}

static python_handle *new_python_handle(void) {
    python_handle *self = calloc(1, sizeof *self);
    if (self == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    owner_init(&self->base.owner, python_free);
    self->home = PyInterpreterState_GetID(PyInterpreterState_Get());
    self->base.with_python = true;
    return self;
}

/* ---- opening ---- */

static sft_open_options file_options(sft_access access) {
    sft_open_options options = SFT_OPEN_OPTIONS;
    options.access = access;
    options.writable = access != SFT_ACCESS_READ;
    options.no_descriptor = true;
    return options;
}

static sft_status open_model(handle *self, const char *path, sft_access access, sft_error *error) {
    sft_model_options options = SFT_MODEL_OPTIONS;
    options.access = access;
    options.writable = access != SFT_ACCESS_READ;
    options.no_descriptor = true;
    return sft_model_open(path, &options, &self->model, error);
}

static bool is_index(const char *path) {
    static const char end[] = ".index.json";
    size_t length = strlen(path);
    return length >= sizeof end && strcmp(path + length - (sizeof end - 1), end) == 0;
}

/* That a path is a folder shows when it can't be opened: files, the usual case, pay nothing. */
static sft_status open_path(handle *self, const char *path, sft_access access, sft_error *error) {
    if (is_index(path)) {
        return open_model(self, path, access, error);
    }
    sft_open_options options = file_options(access);
    sft_status status = sft_open(path, &options, &self->file, error);
    if (status == SFT_NOT_A_FILE && error->system_error == EISDIR) {
        status = open_model(self, path, access, error);
    }
    return status;
}

PyObject *handle_path(PyObject *given) {
    if (PyBytes_Check(given)) {
        return PyErr_Format(PyExc_TypeError,
                            "argument 'filename': expected str or os.PathLike object, not bytes "
                            "(for a file in memory there is load)");
    }
    PyObject *path = PyOS_FSPath(given);
    if (path == NULL && PyErr_ExceptionMatches(PyExc_TypeError)) {
        PyErr_Format(PyExc_TypeError,
                     "argument 'filename': expected str, bytes or os.PathLike object, not %s",
                     Py_TYPE(given)->tp_name);
    }
    if (path != NULL && PyBytes_Check(path)) {
        Py_SETREF(path, PyUnicode_DecodeFSDefaultAndSize(PyBytes_AS_STRING(path),
                                                         PyBytes_GET_SIZE(path)));
    }
    return path;
}

/* The path in the system's encoding; NULL with an exception. */
static PyObject *encode_path(PyObject *path) {
    PyObject *encoded = PyUnicode_EncodeFSDefault(path);
    if (encoded != NULL &&
        strlen(PyBytes_AS_STRING(encoded)) != (size_t)PyBytes_GET_SIZE(encoded)) {
        PyErr_Format(PyExc_FileNotFoundError, "No such file or directory: %S", path);
        Py_CLEAR(encoded);
    }
    return encoded;
}

handle *handle_open_path(module_state *state, PyObject *path, sft_access access) {
    PyObject *encoded = encode_path(path);
    handle *self = encoded == NULL ? NULL : new_handle();
    if (self != NULL) {
        sft_error error;
        sft_status status;
        Py_BEGIN_ALLOW_THREADS
        status = open_path(self, PyBytes_AS_STRING(encoded), access, &error);
        Py_END_ALLOW_THREADS
        if (status != SFT_OK) {
            owner_drop(&self->owner);
            self = NULL;
            raise_error(state, OPENING, &error, path);
        }
    }
    Py_XDECREF(encoded);
    return self;
}

/* What messages call a file object: its name if it has one. NULL, without an exception, if not. */
static PyObject *name_of(PyObject *object) {
    PyObject *name = PyObject_GetAttrString(object, "name");
    if (name == NULL || !PyUnicode_Check(name)) {
        PyErr_Clear();
        Py_XSETREF(name, PyObject_Repr(object));
    }
    if (name == NULL) {
        PyErr_Clear();
    }
    return name;
}

static void raise_object(module_state *state, const sft_error *error, PyObject *object) {
    PyObject *name = name_of(object);
    raise_error(state, OPENING, error, name);
    Py_XDECREF(name);
}

static handle *open_descriptor(module_state *state, PyObject *object, int descriptor,
                               sft_access access) {
    handle *self = new_handle();
    if (self == NULL) {
        return NULL;
    }
    sft_open_options options = file_options(access);
    sft_error error;
    sft_status status;
    Py_BEGIN_ALLOW_THREADS
    status = sft_open_fd(descriptor, &options, &self->file, &error);
    Py_END_ALLOW_THREADS
    if (status != SFT_OK) {
        owner_drop(&self->owner);
        raise_object(state, &error, object);
        return NULL;
    }
    return self;
}

static handle *open_source(module_state *state, PyObject *object, sft_access access) {
    python_handle *self = new_python_handle();
    if (self == NULL) {
        return NULL;
    }
    sft_open_options options = file_options(access);
    sft_error error;
    self->base.from = object;
    if (source_open(object, &options, &self->base.file, &error) != SFT_OK) {
        free(self);
        if (!PyErr_Occurred()) {
            raise_object(state, &error, object);
        }
        return NULL;
    }
    return &self->base;
}

/* True for the ways in which file objects say that they have no descriptor. Clears them. */
static bool has_no_descriptor(void) {
    bool none = PyErr_ExceptionMatches(PyExc_AttributeError) ||
                PyErr_ExceptionMatches(PyExc_NotImplementedError);
    if (!none && PyErr_ExceptionMatches(PyExc_OSError)) {
        PyObject *type, *value, *trace;
        PyErr_Fetch(&type, &value, &trace);
        PyObject *io = PyImport_ImportModule("io");
        PyObject *unsupported =
            io == NULL ? NULL : PyObject_GetAttrString(io, "UnsupportedOperation");
        none = unsupported != NULL && PyErr_GivenExceptionMatches(type, unsupported);
        PyErr_Clear();
        Py_XDECREF(unsupported);
        Py_XDECREF(io);
        PyErr_Restore(type, value, trace);
    }
    if (none) {
        PyErr_Clear();
    }
    return none;
}

handle *handle_open_object(module_state *state, PyObject *object, sft_access access) {
    PyObject *number = PyObject_CallMethod(object, "fileno", NULL);
    if (number != NULL) {
        int descriptor = PyObject_AsFileDescriptor(number);
        Py_DECREF(number);
        return descriptor < 0 ? NULL : open_descriptor(state, object, descriptor, access);
    }
    if (!has_no_descriptor()) {
        return NULL;
    }
    if (!PyObject_HasAttrString(object, "read") || !PyObject_HasAttrString(object, "seek")) {
        PyErr_Format(PyExc_AttributeError,
                     "'%s' object has neither a usable fileno() nor read() and seek(): it is no "
                     "file to read from",
                     Py_TYPE(object)->tp_name);
        return NULL;
    }
    return open_source(state, object, access);
}

handle *handle_open_bytes(module_state *state, PyObject *bytes, bool views) {
    python_handle *self = new_python_handle();
    if (self == NULL) {
        return NULL;
    }
    if (PyObject_GetBuffer(bytes, &self->view, PyBUF_SIMPLE) < 0) {
        free(self);
        return NULL;
    }
    sft_error error;
    sft_status status;
    Py_BEGIN_ALLOW_THREADS
    status =
        sft_open_memory(self->view.buf, (uint64_t)self->view.len, NULL, &self->base.file, &error);
    Py_END_ALLOW_THREADS
    if (status != SFT_OK) {
        release_python(self);
        raise_error(state, DESERIALIZING, &error, NULL);
        return NULL;
    }
    self->base.with_python = false; /* the bytes are there: any thread may copy them */
    self->base.from = self->view.obj;
    self->base.views = views;
    self->base.writable = !self->view.readonly;
    return &self->base;
}

PyObject *handle_raise(module_state *state, const handle *self, const sft_error *error) {
    if (self->with_python && PyErr_Occurred()) {
        return NULL;
    }
    return raise_error(state, READING, error, NULL);
}

/*
 * Holds are dropped without the interpreter too, but new ones are taken with it: a single hold
 * stays the only one while the collector runs.
 */
int handle_traverse(const handle *self, visitproc visit, void *arg) {
    if (self != NULL && atomic_load(&self->owner.count) == 1) {
        Py_VISIT(self->from);
    }
    return 0;
}

/* ---- what is in it ---- */

placed_tensor handle_find(const handle *self, const char *name, size_t length) {
    if (self->file != NULL) {
        const sft_tensor *tensor = sft_find(self->file, name, length);
        return (placed_tensor){tensor, tensor == NULL ? NULL : self->file};
    }
    sft_model_tensor found;
    if (!sft_model_find(self->model, name, length, &found)) {
        return (placed_tensor){NULL, NULL};
    }
    return (placed_tensor){found.tensor, found.file};
}

uint64_t handle_count(const handle *self) {
    return self->file != NULL ? sft_count(self->file) : sft_model_count(self->model);
}

placed_tensor handle_at(const handle *self, uint64_t index) {
    if (self->file != NULL) {
        const sft_tensor *tensor = sft_at(self->file, index);
        return (placed_tensor){tensor, tensor == NULL ? NULL : self->file};
    }
    sft_model_tensor found;
    if (!sft_model_at(self->model, index, &found)) {
        return (placed_tensor){NULL, NULL};
    }
    return (placed_tensor){found.tensor, found.file};
}

void *handle_view(const handle *self, placed_tensor place, bool *writable) {
    if (self->views) {
        *writable = self->writable;
        return (void *)(uintptr_t)sft_data(place.file, place.tensor);
    }
    *writable = true;
    return sft_data_writable(place.file, place.tensor);
}

uint64_t handle_files(const handle *self) {
    return self->file != NULL ? 1 : sft_model_shards(self->model);
}

const sft_file *handle_file(const handle *self, uint64_t index) {
    return self->file != NULL ? self->file : sft_model_shard(self->model, index);
}
