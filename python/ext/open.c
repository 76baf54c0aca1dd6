#include <sft.h>

#include "errors.h"
#include "framework.h"
#include "handle.h"
#include "listing.h"
#include "load.h"
#include "slice.h"
#include "wishes.h"

typedef struct open_object {
    PyObject_HEAD
    handle *file; /* NULL once it is closed */
    framework *maker;
    ahead ahead; /* of get_tensor() */
} open_object;

/* ---- opening ---- */

/* The object of a handle, which is taken over; NULL with an exception, also if there is no handle.
 */
static PyObject *new_object(module_state *state, handle *file, open_wishes *wishes) {
    framework *maker = NULL;
    open_object *self = NULL;
    if (file != NULL) {
        maker = framework_new(state, wishes->kind, wishes->device);
    }
    if (maker != NULL) {
        self = (open_object *)state->open_type->tp_alloc(state->open_type, 0);
    }
    Py_CLEAR(wishes->device);
    if (self == NULL) {
        Py_XDECREF((PyObject *)maker);
        if (file != NULL) {
            owner_drop(&file->owner);
        }
        return NULL;
    }
    self->file = file;
    self->maker = maker;
    return (PyObject *)self;
}

static PyObject *open_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"filename", "framework", "device", "backend", NULL};
    module_state *state = PyType_GetModuleState(type);
    PyObject *filename, *kind, *device = NULL, *backend = NULL;
    open_wishes wishes;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO|O$O:safe_open", names, &filename, &kind,
                                     &device, &backend)) {
        return NULL;
    }
    PyObject *path = handle_path(filename);
    if (path == NULL) {
        return NULL;
    }
    PyObject *self = NULL;
    if (wishes_read(state, kind, device, backend, &wishes) == 0) {
        self = new_object(state, handle_open_path(state, path, wishes.access), &wishes);
    }
    Py_DECREF(path);
    return self;
}

PyDoc_STRVAR(
    open_handle_doc,
    "_safe_open_handle($module, f, framework, device='cpu', *, backend=None)\n"
    "--\n\n"
    "Opens a safetensors file that a file object reads.\n\n"
    "If the object has a descriptor (`fileno()`) that is used: not its `read()`, so that\n"
    "its mode does not matter and its position does not move. Else `read()` and `seek()`\n"
    "are, by ranges, in the thread that asks for a tensor: an fsspec file, say, or BytesIO.\n"
    "The object may be closed afterwards in the first case only.\n\n"
    "The other arguments, the result and the errors are those of `safe_open`; what the\n"
    "object raises passes as it is.");

static PyObject *open_handle(PyObject *module, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"f", "framework", "device", "backend", NULL};
    module_state *state = PyModule_GetState(module);
    PyObject *file, *kind, *device = NULL, *backend = NULL;
    open_wishes wishes;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO|O$O:_safe_open_handle", names, &file, &kind,
                                     &device, &backend) ||
        wishes_read(state, kind, device, backend, &wishes) < 0) {
        return NULL;
    }
    return new_object(state, handle_open_object(state, file, wishes.access), &wishes);
}

PyDoc_STRVAR(
    open_bytes_doc,
    "open_bytes($module, data, framework, device='cpu', *, copy=True)\n"
    "--\n\n"
    "Opens a safetensors file that is in memory: bytes, bytearray, memoryview, mmap or any\n"
    "other object with a buffer of bytes. The buffer is held until the file is closed.\n\n"
    "With `copy` tensors get memory of their own. Without it NumPy's and PyTorch's lie in\n"
    "`data` where they can, and keep it: arrays over memory that is read-only are read-only;\n"
    "PyTorch's, which know no such thing, are copied then.\n\n"
    "The other arguments, the result and the errors are those of `safe_open`.");

static PyObject *open_bytes(PyObject *module, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"data", "framework", "device", "copy", NULL};
    module_state *state = PyModule_GetState(module);
    PyObject *data, *kind, *device = NULL;
    int copy = 1;
    open_wishes wishes;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO|O$p:open_bytes", names, &data, &kind,
                                     &device, &copy) ||
        wishes_read(state, kind, device, NULL, &wishes) < 0) {
        return NULL;
    }
    return new_object(state, handle_open_bytes(state, data, copy == 0), &wishes);
}

/* ---- closing ---- */

/* Mappings may take a while to go, so other threads run meanwhile. */
static void close_handle(handle *file) {
    if (file == NULL) {
        return;
    }
    PyThreadState *thread = file->from != NULL ? NULL : PyEval_SaveThread();
    owner_drop(&file->owner);
    if (thread != NULL) {
        PyEval_RestoreThread(thread);
    }
}

/*
 * The file with a hold for the caller, so that another thread may close it meanwhile; NULL with a
 * SafetensorError if that has happened.
 */
static handle *hold(open_object *self) {
    handle *file = NULL;
    Py_BEGIN_CRITICAL_SECTION(self);
    if (self->file != NULL) {
        file = self->file;
        owner_hold(&file->owner);
    }
    Py_END_CRITICAL_SECTION();
    if (file == NULL) {
        raise_safetensor_error(state_of((PyObject *)self), "File is closed");
    }
    return file;
}

PyDoc_STRVAR(enter_doc, "__enter__($self, /)\n--\n\nThe file itself.");

static PyObject *open_enter(PyObject *self, PyObject *Py_UNUSED(none)) {
    return Py_NewRef(self);
}

PyDoc_STRVAR(exit_doc,
             "__exit__($self, exc_type, exc_value, traceback, /)\n"
             "--\n\n"
             "Closes the file; a second time does nothing. Tensors and slices made before stay\n"
             "usable, and keep what they need of it. Threads that are reading finish their read.");

static PyObject *open_exit(PyObject *object, PyObject *const *args, Py_ssize_t count) {
    open_object *self = (open_object *)object;
    (void)args;
    if (count != 3) {
        return PyErr_Format(PyExc_TypeError,
                            "safe_open.__exit__() takes 3 positional arguments but %zd were given",
                            count);
    }
    handle *closed;
    ahead_window *window;
    Py_BEGIN_CRITICAL_SECTION(self);
    closed = self->file;
    self->file = NULL;
    window = ahead_put(&self->ahead, NULL);
    Py_END_CRITICAL_SECTION();
    ahead_free(window);
    close_handle(closed);
    Py_RETURN_NONE;
}

/* ---- names and metadata ---- */

PyDoc_STRVAR(
    offset_keys_doc,
    "offset_keys($self, /)\n"
    "--\n\n"
    "The names of the tensors as a new list, in the order in which their bytes lie in the\n"
    "file; of a sharded model, file after file.\n\n"
    "Raises SafetensorError if the file is closed.");

static PyObject *open_offset_keys(PyObject *self, PyObject *Py_UNUSED(none)) {
    handle *file = hold((open_object *)self);
    if (file == NULL) {
        return NULL;
    }
    PyObject *list = listing_names(file);
    owner_drop(&file->owner);
    return list;
}

PyDoc_STRVAR(keys_doc, "keys($self, /)\n"
                       "--\n\n"
                       "The names of the tensors as a new list, sorted.\n\n"
                       "Raises SafetensorError if the file is closed.");

static PyObject *open_keys(PyObject *self, PyObject *none) {
    PyObject *list = open_offset_keys(self, none);
    if (list != NULL && PyList_Sort(list) < 0) {
        Py_CLEAR(list);
    }
    return list;
}

PyDoc_STRVAR(metadata_doc,
             "metadata($self, /)\n"
             "--\n\n"
             "The file's text metadata as a new dict, or None if it has none. Of a sharded model,\n"
             "what all its files say together; where two differ, the first counts.\n\n"
             "Raises SafetensorError if the file is closed.");

static PyObject *open_metadata(PyObject *self, PyObject *Py_UNUSED(none)) {
    handle *file = hold((open_object *)self);
    if (file == NULL) {
        return NULL;
    }
    PyObject *metadata = listing_metadata(file);
    owner_drop(&file->owner);
    return metadata;
}

/* ---- tensors ---- */

/* The argument `name`, by place or by name; borrowed, NULL with a TypeError. */
static PyObject *name_argument(const char *method, PyObject *const *args, Py_ssize_t count,
                               PyObject *kwnames) {
    Py_ssize_t named = kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames);
    if (count + named != 1 || (named == 1 && PyUnicode_CompareWithASCIIString(
                                                 PyTuple_GET_ITEM(kwnames, 0), "name") != 0)) {
        return PyErr_Format(PyExc_TypeError, "safe_open.%s() takes one argument: name", method);
    }
    if (!PyUnicode_Check(args[0])) {
        return PyErr_Format(PyExc_TypeError, "argument 'name': expected str, not %s",
                            Py_TYPE(args[0])->tp_name);
    }
    return args[0];
}

/* Finds a tensor; its file is NULL with an exception set if there is none. */
static placed_tensor find(module_state *state, const handle *file, PyObject *name) {
    Py_ssize_t length;
    placed_tensor place = {NULL, NULL};
    const char *text = PyUnicode_AsUTF8AndSize(name, &length);
    if (text == NULL) {
        return place;
    }
    place = handle_find(file, text, (size_t)length);
    if (place.file == NULL) {
        raise_missing_tensor(state, name);
    }
    return place;
}

/* A method of one tensor: `work` gets the tensor that the arguments name, and the file that holds
 * it. */
static PyObject *with_tensor(PyObject *object, const char *method, PyObject *const *args,
                             Py_ssize_t count, PyObject *kwnames,
                             PyObject *(*work)(open_object *self, handle *file, placed_tensor place,
                                               PyObject *name)) {
    open_object *self = (open_object *)object;
    PyObject *name = name_argument(method, args, count, kwnames);
    handle *file = name == NULL ? NULL : hold(self);
    if (file == NULL) {
        return NULL;
    }
    placed_tensor place = find(state_of(object), file, name);
    PyObject *result = place.file == NULL ? NULL : work(self, file, place, name);
    owner_drop(&file->owner);
    return result;
}

PyDoc_STRVAR(get_tensor_doc,
             "get_tensor($self, /, name)\n"
             "--\n\n"
             "One tensor, on the device that the file was opened for. Small ones that are asked\n"
             "for in the order of the file are read some at a time.\n\n"
             "Raises SafetensorError if there is no such tensor, if the framework lacks its type,\n"
             "or if the file is closed or has shrunk; OSError if it can't be read; MemoryError.");

static PyObject *load_one(open_object *self, handle *file, placed_tensor place, PyObject *name) {
    return load_tensor(state_of((PyObject *)self), file, self->maker, place, &self->ahead,
                       (PyObject *)self, name);
}

static PyObject *open_get_tensor(PyObject *self, PyObject *const *args, Py_ssize_t count,
                                 PyObject *kwnames) {
    return with_tensor(self, "get_tensor", args, count, kwnames, load_one);
}

PyDoc_STRVAR(
    get_tensors_doc,
    "get_tensors($self, /)\n"
    "--\n\n"
    "All tensors, as a new dict by name in the order of the file. Quicker than one by one:\n"
    "what has to be read is read at once, by several threads.\n\n"
    "Raises as get_tensor() does.");

static PyObject *open_get_tensors(PyObject *object, PyObject *Py_UNUSED(none)) {
    open_object *self = (open_object *)object;
    handle *file = hold(self);
    if (file == NULL) {
        return NULL;
    }
    PyObject *tensors = load_tensors(state_of(object), file, self->maker);
    owner_drop(&file->owner);
    return tensors;
}

PyDoc_STRVAR(get_slice_doc,
             "get_slice($self, /, name)\n"
             "--\n\n"
             "A tensor of which no byte is read yet: index it, `f.get_slice(\"w\")[:, :8]`, for a\n"
             "part; ask it for `get_shape()` and `get_dtype()`. It stays usable when the file is\n"
             "closed.\n\n"
             "Raises SafetensorError if there is no such tensor or the file is closed.");

static PyObject *slice_one(open_object *self, handle *file, placed_tensor place, PyObject *name) {
    return slice_new(state_of((PyObject *)self), file, place, self->maker, name);
}

static PyObject *open_get_slice(PyObject *self, PyObject *const *args, Py_ssize_t count,
                                PyObject *kwnames) {
    return with_tensor(self, "get_slice", args, count, kwnames, slice_one);
}

/* ---- the type ---- */

static int open_traverse(PyObject *object, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(object));
    Py_VISIT((PyObject *)((open_object *)object)->maker);
    return handle_traverse(((open_object *)object)->file, visit, arg);
}

static void open_dealloc(PyObject *object) {
    open_object *self = (open_object *)object;
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    Py_XDECREF((PyObject *)self->maker);
    ahead_free(self->ahead.window);
    if (self->file != NULL) {
        owner_drop(&self->file->owner);
    }
    type->tp_free(object);
    Py_DECREF(type);
}

PyDoc_STRVAR(open_doc,
             "safe_open(filename, framework, device='cpu', *, backend=None)\n"
             "--\n\n"
             "A safetensors file that is open for reading; it keeps every rule of the format.\n\n"
             "filename: a str or os.PathLike. An index (*.index.json) or a folder of shards is\n"
             "    read as one file.\n"
             "framework: whose tensors to make: \"pt\", \"torch\" or \"pytorch\"; \"np\" or\n"
             "    \"numpy\"; \"tf\" or \"tensorflow\"; \"jax\" or \"flax\"; \"mlx\"; \"paddle\"\n"
             "device: where PyTorch's and Paddle's tensors go: \"cpu\" or None, \"cuda\",\n"
             "    \"cuda:1\", a number, a torch.device\n"
             "backend: \"mmap\" maps the file: tensors on the CPU take no copy, and changes to\n"
             "    them stay in this process. The price: SIGBUS if someone cuts the file short\n"
             "    meanwhile. \"pread\" reads into memory of their own. None: PyTorch's are\n"
             "    mapped, but not over a network; all others are read.\n\n"
             "Use it in a `with` block, which closes it. Any number of threads may read at once;\n"
             "a thread may close it while others read.\n\n"
             "Raises FileNotFoundError, PermissionError, IsADirectoryError (a folder without\n"
             "shards) or another OSError if the file can't be read; SafetensorError for a file\n"
             "that breaks a rule, and for an unknown framework, device or backend; ValueError\n"
             "for a device whose number is none; ImportError if the framework is missing.");

int open_add(PyObject *module, module_state *state) {
    static PyMethodDef methods[] = {
        {"__enter__", open_enter, METH_NOARGS, enter_doc},
        {"__exit__", (PyCFunction)(void (*)(void))open_exit, METH_FASTCALL, exit_doc},
        {"keys", open_keys, METH_NOARGS, keys_doc},
        {"offset_keys", open_offset_keys, METH_NOARGS, offset_keys_doc},
        {"metadata", open_metadata, METH_NOARGS, metadata_doc},
        {"get_tensor", (PyCFunction)(void (*)(void))open_get_tensor, METH_FASTCALL | METH_KEYWORDS,
         get_tensor_doc},
        {"get_tensors", open_get_tensors, METH_NOARGS, get_tensors_doc},
        {"get_slice", (PyCFunction)(void (*)(void))open_get_slice, METH_FASTCALL | METH_KEYWORDS,
         get_slice_doc},
        {NULL, NULL, 0, NULL},
    };
    static PyType_Slot slots[] = {
        {Py_tp_new, open_new},
        {Py_tp_dealloc, open_dealloc},
        {Py_tp_traverse, open_traverse},
        {Py_tp_methods, methods},
        {Py_tp_doc, (void *)(uintptr_t)open_doc},
        {0, NULL},
    };
    static PyType_Spec spec = {
        .name = "safetensors.safe_open",
        .basicsize = sizeof(open_object),
        .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
        .slots = slots,
    };
    static PyMethodDef functions[] = {
        {"_safe_open_handle", (PyCFunction)(void (*)(void))open_handle,
         METH_VARARGS | METH_KEYWORDS, open_handle_doc},
        {"open_bytes", (PyCFunction)(void (*)(void))open_bytes, METH_VARARGS | METH_KEYWORDS,
         open_bytes_doc},
        {NULL, NULL, 0, NULL},
    };
    return state_add_type(module, &spec, "safe_open", &state->open_type) < 0
               ? -1
               : PyModule_AddFunctions(module, functions);
}
