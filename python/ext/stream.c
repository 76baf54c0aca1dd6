#include "stream.h"

#include "arguments.h"
#include "errors.h"

PyDoc_STRVAR(
    writer_doc,
    "StreamWriter(path, specs, metadata=None, durable=False, alignment=0)\n"
    "--\n\n"
    "Writes a safetensors file whose tensors need not be in memory at once.\n\n"
    "What will come is declared at the start; the bytes follow in any order, in pieces, from any\n"
    "number of threads. The file appears under its name with commit(), whole. Until then an\n"
    "existing file stays as it was; without commit() nothing is left.\n\n"
    "Args:\n"
    "    path: the target; str, bytes or os.PathLike.\n"
    "    specs: an iterable of (name, dtype, shape). A dtype is a str: the name that NumPy and\n"
    "        PyTorch have (\"float32\"), or that of a header (\"F32\"). With \"float4_e2m1fn_x2\" "
    "the\n"
    "        last dimension counts bytes, with \"F4\" elements, two to a byte.\n"
    "    metadata: a dict of str to str, for the file's `__metadata__`.\n"
    "    durable: commit() returns only when file and folder have reached the disk.\n"
    "    alignment: begin the tensors' bytes at a multiple of this power of two, from 8 to 2**20\n"
    "        bytes; 0 is 8.\n\n"
    "Raises:\n"
    "    SafetensorError: a name, type or shape that no file may have, or a file that cannot be\n"
    "        written.\n"
    "    TypeError: an argument of the wrong type. ValueError: a NUL in the path.\n"
    "    OverflowError: a dimension is negative, or 2**64 or more.");

/* ---- phases ---- */

PyObject *writer_refuse(writer_object *self, phase now) {
    static const char *const reasons[] = {
        [DECLARING] = "The writer is not ready",
        [OPEN] = "put() is under way in another thread: wait for it",
        [COMMITTING] = "commit() is under way in another thread",
        [COMMITTED] = "The writer is closed: the file is committed",
        [ABORTED] = "The writer is closed: it was aborted",
        [FAILED] = "The writer is closed: writing failed, and nothing is left; make a new one",
    };
    return raise_safetensor_error(state_of((PyObject *)self), "%s", reasons[now]);
}

sft_writer *writer_take(writer_object *self) {
    sft_writer *taken = self->puts == 0 ? self->writer : NULL;
    if (taken != NULL) {
        self->writer = NULL;
    }
    return taken;
}

void writer_free(sft_writer *writer) {
    if (writer != NULL) {
        Py_BEGIN_ALLOW_THREADS
        sft_writer_free(writer);
        Py_END_ALLOW_THREADS
    }
}

int writer_check_process(writer_object *self) {
    if (getpid() == self->process) {
        return 0;
    }
    raise_safetensor_error(state_of((PyObject *)self),
                           "The writer belongs to the process that made it, not to its forks");
    return -1;
}

/* ---- making one ---- */

static PyObject *make_writer(PyTypeObject *type, PyObject *arguments, PyObject *keywords) {
    static char *names[] = {"path", "specs", "metadata", "durable", "alignment", NULL};
    PyObject *given;
    PyObject *specs;
    PyObject *metadata = Py_None;
    int durable = 0;
    PyObject *alignment = NULL;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "OO|OpO:StreamWriter", names, &given,
                                     &specs, &metadata, &durable, &alignment)) {
        return NULL;
    }
    sft_write_options options = SFT_WRITE_OPTIONS;
    options.durable = durable != 0;
    if (alignment != NULL && argument_unsigned(alignment, "alignment", &options.alignment) < 0) {
        return NULL;
    }
    PyObject *path = argument_path(given, "path");
    if (path == NULL) {
        return NULL;
    }
    writer_object *self = (writer_object *)type->tp_alloc(type, 0);
    if (self != NULL) {
        atomic_init(&self->cancelled, false);
        self->process = getpid();
        if (writer_begin(self, path, specs, metadata, &options) < 0) {
            Py_CLEAR(self);
        }
    }
    Py_DECREF(path);
    return (PyObject *)self;
}

static int traverse(PyObject *object, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(((writer_object *)object)->indices);
    return 0;
}

static int clear(PyObject *object) {
    Py_CLEAR(((writer_object *)object)->indices);
    return 0;
}

static void dealloc(PyObject *object) {
    writer_object *self = (writer_object *)object;
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    /* A fork's copy would take the file away from under the one who writes it. */
    if (getpid() == self->process) {
        writer_free(self->writer);
    }
    for (Py_ssize_t i = 0; i < self->count; i++) {
        PyMem_Free(self->declared[i].shape);
    }
    PyMem_Free(self->declared);
    (void)clear(object);
    type->tp_free(object);
    Py_DECREF(type);
}

/* ---- put ---- */

PyDoc_STRVAR(put_doc,
             "put($self, /, name, data, offset=0)\n"
             "--\n\n"
             "Writes a tensor, or a piece of one.\n\n"
             "Several threads may do so at once. The data is not needed after the call.\n\n"
             "Args:\n"
             "    name: one of the tensors that were declared.\n"
             "    data: the bytes as the file shall have them: any C-contiguous buffer, or a\n"
             "        TensorSpec of the declared type and, where it is the whole, shape.\n"
             "    offset: where the piece begins, in bytes from the start of the tensor. Pieces\n"
             "        may come in any order; of bytes that come twice, the later count.\n\n"
             "Raises:\n"
             "    SafetensorError: the tensor was not declared, or otherwise; the piece lies\n"
             "        outside of it; the file cannot be written, which ends the writer; or the\n"
             "        writer has ended.\n"
             "    TypeError: an argument of the wrong type. BufferError: the bytes lie apart.\n"
             "    OverflowError: the offset is negative, or 2**64 or more.");

/* ---- the end ---- */

PyDoc_STRVAR(commit_doc,
             "commit($self, /)\n"
             "--\n\n"
             "Gives the file its name, in the place of one that had it.\n\n"
             "Raises:\n"
             "    SafetensorError: a byte has not come (deliver it, and commit again), put() is\n"
             "        under way in another thread, the file cannot be written, or the writer has\n"
             "        ended.");

static PyObject *commit(PyObject *object, PyObject *unused) {
    (void)unused;
    writer_object *self = (writer_object *)object;
    if (writer_check_process(self) < 0) {
        return NULL;
    }
    phase now;
    bool ready;
    Py_BEGIN_CRITICAL_SECTION(self);
    now = self->phase;
    ready = now == OPEN && self->puts == 0;
    if (ready) {
        self->phase = COMMITTING;
    }
    Py_END_CRITICAL_SECTION();
    if (!ready) {
        return writer_refuse(self, now);
    }
    sft_error error;
    sft_status status;
    Py_BEGIN_ALLOW_THREADS
    status = sft_writer_commit(self->writer, &error);
    Py_END_ALLOW_THREADS
    sft_writer *ended = NULL;
    Py_BEGIN_CRITICAL_SECTION(self);
    self->phase = status == SFT_OK ? COMMITTED : status == SFT_INCOMPLETE ? OPEN : FAILED;
    if (self->phase != OPEN) {
        ended = writer_take(self);
    }
    Py_END_CRITICAL_SECTION();
    writer_free(ended);
    return status == SFT_OK ? Py_NewRef(Py_None)
                            : raise_error(state_of(object), SERIALIZING, &error, NULL);
}

PyDoc_STRVAR(abort_doc,
             "abort($self, /)\n"
             "--\n\n"
             "Ends without a file. Nothing happens if the writer has ended already.\n\n"
             "A put() that is under way in another thread ends soon, with an error, and the last\n"
             "of them takes the unfinished file away.\n\n"
             "Raises:\n"
             "    SafetensorError: commit() is under way in another thread.");

static PyObject *stop(PyObject *object, PyObject *unused) {
    (void)unused;
    writer_object *self = (writer_object *)object;
    if (writer_check_process(self) < 0) {
        return NULL;
    }
    phase now;
    sft_writer *ended = NULL;
    Py_BEGIN_CRITICAL_SECTION(self);
    now = self->phase;
    if (now == OPEN) {
        self->phase = ABORTED;
        atomic_store_explicit(&self->cancelled, true, memory_order_relaxed);
        ended = writer_take(self);
    }
    Py_END_CRITICAL_SECTION();
    writer_free(ended);
    return now == DECLARING || now == COMMITTING ? writer_refuse(self, now) : Py_NewRef(Py_None);
}

static PyObject *get_closed(PyObject *object, void *unused) {
    (void)unused;
    writer_object *self = (writer_object *)object;
    phase now;
    Py_BEGIN_CRITICAL_SECTION(self);
    now = self->phase;
    Py_END_CRITICAL_SECTION();
    return PyBool_FromLong(now == COMMITTED || now == ABORTED || now == FAILED);
}

int stream_add(PyObject *module, module_state *state) {
    static PyMethodDef methods[] = {
        {"put", (PyCFunction)(void (*)(void))writer_put, METH_VARARGS | METH_KEYWORDS, put_doc},
        {"commit", commit, METH_NOARGS, commit_doc},
        {"abort", stop, METH_NOARGS, abort_doc},
        {NULL, NULL, 0, NULL},
    };
    static PyGetSetDef attributes[] = {
        {"closed", get_closed, NULL,
         PyDoc_STR("Whether the writer has ended: by commit(), abort() or a failure."), NULL},
        {NULL, NULL, NULL, NULL, NULL},
    };
    static PyType_Slot slots[] = {
        {Py_tp_doc, (char *)(uintptr_t)writer_doc},
        {Py_tp_new, make_writer},
        {Py_tp_dealloc, dealloc},
        {Py_tp_traverse, traverse},
        {Py_tp_clear, clear},
        {Py_tp_methods, methods},
        {Py_tp_getset, attributes},
        {0, NULL},
    };
    static PyType_Spec spec = {
        .name = "safetensors.StreamWriter",
        .basicsize = sizeof(writer_object),
        .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
        .slots = slots,
    };
    return state_add_type(module, &spec, "StreamWriter", &state->writer_type);
}
