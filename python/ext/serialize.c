/* Tensors that lie in memory, made into a file or into its bytes. */
#include <sft.h>
#include <time.h>

#include "arguments.h"
#include "collect.h"
#include "errors.h"
#include "state.h"

/* ---- what to write ---- */

typedef struct job {
    collected_tensors tensors;
    collected_metadata metadata;
    sft_write_options options;
} job;

static int job_tensors(module_state *state, PyObject *dict, job *work) {
    *work = (job){.options = SFT_WRITE_OPTIONS};
    return collect_tensors(state, dict, &work->tensors);
}

static void job_free(job *work) {
    collected_tensors_free(&work->tensors);
    collected_metadata_free(&work->metadata);
}

static PyObject *raise_failure(module_state *state, sft_error *error) {
    /* Bytes that do not fit their shape are one defect, in a file and on the way there. */
    if (error->status == SFT_BUFFER_SIZE) {
        error->status = SFT_SIZE_MISMATCH;
    }
    return raise_error(state, SERIALIZING, error, NULL);
}

/* ---- to memory ---- */

PyDoc_STRVAR(
    serialize_doc,
    "serialize($module, /, tensor_dict, metadata=None)\n"
    "--\n\n"
    "The bytes of a safetensors file.\n\n"
    "The same tensors and metadata always give the same bytes: tensors stand sorted by the rank\n"
    "of their type and then by name, metadata by key. Other threads run meanwhile; the tensors'\n"
    "memory must stay as it is until the call returns.\n\n"
    "Args:\n"
    "    tensor_dict: a dict of name to TensorSpec. Up to safetensors 0.7 a value was a dict,\n"
    "        which is still taken: {\"dtype\": \"float32\", \"shape\": [2, 3], \"data\": data}, "
    "where\n"
    "        `data` is any C-contiguous buffer of the right length, and `dtype` may also be the\n"
    "        name in a header (\"F32\"; then the shape counts the elements of a packed type, "
    "too).\n"
    "    metadata: a dict of str to str, for the file's `__metadata__`.\n\n"
    "Returns:\n"
    "    bytes: the whole file.\n\n"
    "Raises:\n"
    "    SafetensorError: a shape, type, length or name that no file may have.\n"
    "    TypeError: an argument, a name or a value of the wrong type.\n"
    "    OverflowError: a dimension is negative, or 2**64 or more.\n"
    "    MemoryError: the bytes do not fit into memory.");

static sft_status encode_size(const job *work, uint64_t *size, sft_error *error) {
    sft_status status;
    Py_BEGIN_ALLOW_THREADS
    status = sft_encode_size(work->tensors.tensors, (uint64_t)work->tensors.snapshot.count,
                             &work->options, size, error);
    Py_END_ALLOW_THREADS
    return status;
}

/* Nobody else can reach the bytes object yet, so it may be filled without the interpreter. */
static sft_status encode_into(const job *work, PyObject *bytes, uint64_t size, sft_error *error) {
    char *to = PyBytes_AS_STRING(bytes);
    sft_status status;
    Py_BEGIN_ALLOW_THREADS
    status = sft_encode(work->tensors.tensors, (uint64_t)work->tensors.snapshot.count,
                        &work->options, to, size, error);
    Py_END_ALLOW_THREADS
    return status;
}

static PyObject *encode(module_state *state, const job *work) {
    sft_error error;
    uint64_t size;
    if (encode_size(work, &size, &error) != SFT_OK) {
        return raise_failure(state, &error);
    }
    if (size > PY_SSIZE_T_MAX) {
        return PyErr_NoMemory();
    }
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
    if (bytes != NULL && encode_into(work, bytes, size, &error) != SFT_OK) {
        Py_CLEAR(bytes);
        raise_failure(state, &error);
    }
    return bytes;
}

static PyObject *serialize(PyObject *module, PyObject *arguments, PyObject *keywords) {
    static char *names[] = {"tensor_dict", "metadata", NULL};
    module_state *state = PyModule_GetState(module);
    PyObject *dict;
    PyObject *metadata = Py_None;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O|O:serialize", names, &dict,
                                     &metadata)) {
        return NULL;
    }
    job work;
    if (job_tensors(state, dict, &work) < 0) {
        return NULL;
    }
    PyObject *bytes = NULL;
    if (collect_metadata(metadata, &work.options, &work.metadata) == 0) {
        bytes = encode(state, &work);
    }
    job_free(&work);
    return bytes;
}

/* ---- to a file ---- */

/*
 * Lets Ctrl-C end a long save. Asking needs the interpreter, which busy threads are slow to give,
 * so it is not asked for often.
 */
typedef struct interruption {
    PyThreadState *thread; /* of the caller, while it does not have the interpreter */
    unsigned long ident;
    struct timespec asked;
} interruption;

#define BETWEEN_QUESTIONS_MS 100

static bool goes_on(void *context, uint64_t done, uint64_t total) {
    (void)done;
    (void)total;
    interruption *self = context;
    struct timespec now;
    timespec_get(&now, TIME_UTC);
    int64_t since = ((int64_t)now.tv_sec - (int64_t)self->asked.tv_sec) * 1000 +
                    (now.tv_nsec - self->asked.tv_nsec) / 1000000;
    /* A clock that was set back asks at once. */
    if ((since >= 0 && since < BETWEEN_QUESTIONS_MS) ||
        PyThread_get_thread_ident() != self->ident) {
        return true;
    }
    self->asked = now;
    PyEval_RestoreThread(self->thread);
    int interrupted = PyErr_CheckSignals();
    self->thread = PyEval_SaveThread();
    return interrupted == 0;
}

static PyObject *write_file(module_state *state, job *work, PyObject *path) {
    interruption watch = {.ident = PyThread_get_thread_ident()};
    timespec_get(&watch.asked, TIME_UTC);
    work->options.progress = goes_on;
    work->options.progress_context = &watch;
    sft_error error;
    watch.thread = PyEval_SaveThread();
    sft_status status = sft_write(PyBytes_AS_STRING(path), work->tensors.tensors,
                                  (uint64_t)work->tensors.snapshot.count, &work->options, &error);
    PyEval_RestoreThread(watch.thread);
    if (PyErr_Occurred()) { /* the signal's own, after SFT_CANCELLED */
        return NULL;
    }
    return status == SFT_OK ? Py_NewRef(Py_None) : raise_failure(state, &error);
}

PyDoc_STRVAR(
    serialize_file_doc,
    "serialize_file($module, /, tensor_dict, filename, metadata=None, *, durable=False,\n"
    "               alignment=0)\n"
    "--\n\n"
    "Writes a safetensors file, straight from the tensors' memory.\n\n"
    "The file is written beside its target and takes the target's place in one step when it is\n"
    "whole. Until then, and on any failure, an existing file stays as it was, also for those who\n"
    "have it mapped. A symbolic link is written through, and a file that is replaced keeps its\n"
    "mode. Other threads run meanwhile; the tensors' memory must stay as it is until the call\n"
    "returns. A signal handler that raises, Ctrl-C's for one, ends the call.\n\n"
    "Args:\n"
    "    tensor_dict, metadata: as serialize() takes them.\n"
    "    filename: the target; str, bytes or os.PathLike.\n"
    "    durable: return only when file and folder have reached the disk.\n"
    "    alignment: begin the tensors' bytes at a multiple of this power of two, from 8 to 2**20\n"
    "        bytes; 0 is 8.\n\n"
    "Raises:\n"
    "    SafetensorError: as serialize(), and where the file cannot be written: a full disk, a\n"
    "        folder that is not there or may not be written to. `code` and `file` tell which.\n"
    "    TypeError, OverflowError, MemoryError: as serialize().\n"
    "    ValueError: there is a NUL in the file's name.");

static PyObject *serialize_file(PyObject *module, PyObject *arguments, PyObject *keywords) {
    static char *names[] = {"tensor_dict", "filename", "metadata", "durable", "alignment", NULL};
    module_state *state = PyModule_GetState(module);
    PyObject *dict;
    PyObject *filename;
    PyObject *metadata = Py_None;
    int durable = 0;
    PyObject *alignment = NULL;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "OO|O$pO:serialize_file", names, &dict,
                                     &filename, &metadata, &durable, &alignment)) {
        return NULL;
    }
    job work;
    if (job_tensors(state, dict, &work) < 0) {
        return NULL;
    }
    PyObject *result = NULL;
    PyObject *path = argument_path(filename, "filename");
    work.options.durable = durable != 0;
    if (path != NULL && collect_metadata(metadata, &work.options, &work.metadata) == 0 &&
        (alignment == NULL ||
         argument_unsigned(alignment, "alignment", &work.options.alignment) == 0)) {
        result = write_file(state, &work, path);
    }
    Py_XDECREF(path);
    job_free(&work);
    return result;
}

int serialize_add(PyObject *module, module_state *state) {
    (void)state;
    static PyMethodDef functions[] = {
        {"serialize", (PyCFunction)(void (*)(void))serialize, METH_VARARGS | METH_KEYWORDS,
         serialize_doc},
        {"serialize_file", (PyCFunction)(void (*)(void))serialize_file,
         METH_VARARGS | METH_KEYWORDS, serialize_file_doc},
        {NULL, NULL, 0, NULL},
    };
    return PyModule_AddFunctions(module, functions);
}
