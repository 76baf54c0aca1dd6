/* A file that lies in memory, taken apart into its tensors' bytes. */
#include <sft.h>

#include "arguments.h"
#include "errors.h"
#include "shapes.h"
#include "state.h"

PyDoc_STRVAR(
    deserialize_doc,
    "deserialize($module, /, bytes)\n"
    "--\n\n"
    "The tensors of a safetensors file that lies in memory, as plain bytes.\n\n"
    "Every rule of the format is checked first. Other threads run while the bytes are copied.\n\n"
    "Args:\n"
    "    bytes: the whole file; bytes, or any other C-contiguous buffer, such as a bytearray, a\n"
    "        memoryview or an mmap. It must not change until the call returns.\n\n"
    "Returns:\n"
    "    list: a (name, {\"shape\", \"dtype\", \"data\"}) for each tensor, in the order of the "
    "file:\n"
    "    its dimensions as a list of int, its type by the name in a header, such as \"F32\", and\n"
    "    its bytes, little-endian, as a bytearray of their own.\n\n"
    "Raises:\n"
    "    SafetensorError: the bytes break a rule of the format; `code` and `byte` tell which, and\n"
    "        where.\n"
    "    TypeError: not a buffer. BufferError: a buffer whose bytes lie apart.\n"
    "    MemoryError: the tensors do not fit into memory.");

/* ---- the bytes ---- */

/* One bytearray for each tensor. Until they are in the list nobody else can reach them. */
typedef struct parts {
    PyObject **bytes;
    sft_read_request *requests;
    uint64_t count;
} parts;

static void parts_free(parts *made) {
    for (uint64_t i = 0; made->bytes != NULL && i < made->count; i++) {
        Py_XDECREF(made->bytes[i]);
    }
    PyMem_Free(made->bytes);
    PyMem_Free(made->requests);
}

static int parts_make(const sft_file *file, parts *made) {
    uint64_t count = sft_count(file);
    *made = (parts){.bytes = PyMem_Calloc((size_t)count, sizeof *made->bytes),
                    .requests = PyMem_Calloc((size_t)count, sizeof *made->requests),
                    .count = count};
    if (made->bytes == NULL || made->requests == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (uint64_t i = 0; i < count; i++) {
        const sft_tensor *tensor = sft_at(file, i);
        uint64_t size = tensor->end - tensor->begin;
        made->bytes[i] = PyByteArray_FromStringAndSize(NULL, (Py_ssize_t)size);
        if (made->bytes[i] == NULL) {
            return -1;
        }
        made->requests[i] = (sft_read_request){.file = file,
                                               .tensor = tensor,
                                               .to = PyByteArray_AS_STRING(made->bytes[i]),
                                               .size = size};
    }
    return 0;
}

static int parts_fill(module_state *state, const parts *made) {
    sft_error error;
    sft_status status;
    Py_BEGIN_ALLOW_THREADS
    status = sft_read_many(made->requests, made->count, NULL, &error);
    Py_END_ALLOW_THREADS
    if (status != SFT_OK) {
        raise_error(state, DESERIALIZING, &error, NULL);
        return -1;
    }
    return 0;
}

/* ---- the list ---- */

static PyObject *entry_of(const sft_tensor *tensor, PyObject *bytes) {
    PyObject *shape = shape_list(tensor->shape, tensor->rank);
    if (shape == NULL) {
        return NULL;
    }
    return Py_BuildValue("(s#{sNsssO})", tensor->name, (Py_ssize_t)tensor->name_length, "shape",
                         shape, "dtype", sft_dtype_name(tensor->dtype), "data", bytes);
}

static PyObject *list_of(const sft_file *file, const parts *made) {
    PyObject *list = PyList_New((Py_ssize_t)made->count);
    for (uint64_t i = 0; i < made->count && list != NULL; i++) {
        PyObject *entry = entry_of(sft_at(file, i), made->bytes[i]);
        if (entry == NULL) {
            Py_CLEAR(list);
        } else {
            PyList_SET_ITEM(list, (Py_ssize_t)i, entry);
        }
    }
    return list;
}

static PyObject *take_apart(module_state *state, const sft_file *file) {
    PyObject *list = NULL;
    parts made;
    if (parts_make(file, &made) == 0 && parts_fill(state, &made) == 0) {
        list = list_of(file, &made);
    }
    parts_free(&made);
    return list;
}

static PyObject *from_buffer(module_state *state, const Py_buffer *buffer) {
    sft_error error;
    sft_file *file;
    sft_status status;
    Py_BEGIN_ALLOW_THREADS
    status = sft_open_memory(buffer->buf, (uint64_t)buffer->len, NULL, &file, &error);
    Py_END_ALLOW_THREADS
    if (status != SFT_OK) {
        return raise_error(state, DESERIALIZING, &error, NULL);
    }
    PyObject *list = take_apart(state, file);
    sft_close(file);
    return list;
}

static PyObject *deserialize(PyObject *module, PyObject *arguments, PyObject *keywords) {
    static char *names[] = {"bytes", NULL};
    PyObject *given;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O:deserialize", names, &given)) {
        return NULL;
    }
    if (!PyObject_CheckBuffer(given)) {
        argument_refuse("bytes", given, "bytes");
        return NULL;
    }
    Py_buffer buffer;
    if (PyObject_GetBuffer(given, &buffer, PyBUF_SIMPLE) < 0) {
        return NULL;
    }
    PyObject *list = from_buffer(PyModule_GetState(module), &buffer);
    PyBuffer_Release(&buffer);
    return list;
}

int deserialize_add(PyObject *module, module_state *state) {
    (void)state;
    static PyMethodDef functions[] = {
        {"deserialize", (PyCFunction)(void (*)(void))deserialize, METH_VARARGS | METH_KEYWORDS,
         deserialize_doc},
        {NULL, NULL, 0, NULL},
    };
    return PyModule_AddFunctions(module, functions);
}
