#include "errors.h"

#include <errno.h>
#include <string.h>

PyDoc_STRVAR(error_doc,
             "A safetensors file, or a call about one, that cannot be right.\n\n"
             "The message says what is wrong. Errors that come from a file's bytes also have\n"
             "these attributes (None where they do not apply):\n\n"
             "code: the rule that is broken, such as \"HEADER_TOO_LARGE\"\n"
             "byte: where, counted from the start of the file\n"
             "tensor: the name of the tensor at fault\n"
             "file: the path of the file at fault\n"
             "errno: the system's own reason, as in OSError");

int errors_add(PyObject *module, module_state *state) {
    PyObject *defaults = Py_BuildValue("{sOsOsOsOsO}", "code", Py_None, "byte", Py_None, "tensor",
                                       Py_None, "file", Py_None, "errno", Py_None);
    if (defaults == NULL) {
        return -1;
    }
    state->error =
        PyErr_NewExceptionWithDoc("safetensors.SafetensorError", error_doc, NULL, defaults);
    Py_DECREF(defaults);
    return state->error == NULL ? -1
                                : PyModule_AddObjectRef(module, "SafetensorError", state->error);
}

PyObject *raise_safetensor_error(module_state *state, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    PyErr_FormatV(state->error, format, arguments);
    va_end(arguments);
    return NULL;
}

/* Text of the library: UTF-8, or a path in whatever encoding. */
static PyObject *decode(const char *text, size_t length) {
    return PyUnicode_DecodeUTF8(text, (Py_ssize_t)length, "backslashreplace");
}

static PyObject *file_of(const sft_error *error, PyObject *name) {
    if (error->file[0] != '\0') {
        return PyUnicode_DecodeFSDefault(error->file);
    }
    return Py_NewRef(name != NULL ? name : Py_None);
}

/* ---- the sentence ---- */

/* What the Rust implementation says of each kind of defect; NULL where more has to be told. */
static const char *plain_sentence(const char *kind) {
    static const char *const sentences[][2] = {
        {"HeaderTooSmall", "header too small"},
        {"HeaderTooLarge", "header too large"},
        {"InvalidHeaderLength", "invalid header length"},
        {"TensorInvalidInfo", "invalid shape, data type, or offset for tensor"},
        {"MetadataIncompleteBuffer", "incomplete metadata, file not fully covered"},
        {"ValidationOverflow", "overflow computing buffer size from shape and/or element type"},
        {"MisalignedSlice",
         "The slice is slicing for subbytes dtypes, and the slice does not end up "
         "at a byte boundary, this is invalid."},
    };
    for (size_t i = 0; i < sizeof sentences / sizeof sentences[0]; i++) {
        if (strcmp(sentences[i][0], kind) == 0) {
            return sentences[i][1];
        }
    }
    return NULL;
}

/* The library's message without words that the sentence around it begins with. */
static const char *detail_of(const sft_error *error, const char *twice) {
    size_t length = strlen(twice);
    return strncmp(error->message, twice, length) == 0 ? error->message + length : error->message;
}

static PyObject *json_sentence(const sft_error *error) {
    const char *detail = detail_of(error, "invalid JSON: ");
    PyObject *text = decode(detail, strlen(detail));
    if (text == NULL) {
        return NULL;
    }
    PyObject *sentence =
        PyUnicode_FromFormat("invalid JSON in header: %U at line %llu column %llu", text,
                             (unsigned long long)(error->line == 0 ? 1 : error->line),
                             (unsigned long long)error->column);
    Py_DECREF(text);
    return sentence;
}

static PyObject *offset_sentence(const sft_error *error) {
    PyObject *tensor = decode(error->tensor, error->tensor_length);
    if (tensor == NULL) {
        return NULL;
    }
    PyObject *sentence = PyUnicode_FromFormat("invalid offset for tensor `%U`", tensor);
    Py_DECREF(tensor);
    return sentence;
}

static PyObject *sentence_of(const sft_error *error, const char *kind) {
    const char *plain = plain_sentence(kind);
    if (plain != NULL) {
        return PyUnicode_FromString(plain);
    }
    if (strcmp(kind, "InvalidHeaderDeserialization") == 0) {
        return json_sentence(error);
    }
    if (strcmp(kind, "InvalidOffset") == 0) {
        return offset_sentence(error);
    }
    return PyUnicode_FromFormat("invalid UTF-8 in header: %s", detail_of(error, "invalid UTF-8: "));
}

static const char *prefix_of(operation doing) {
    switch (doing) {
    case OPENING:
        return "Error while deserializing header: ";
    case DESERIALIZING:
        return "Error while deserializing: ";
    case SERIALIZING:
        return "Error while serializing: ";
    case READING:
    case CONVERTING:
        break;
    }
    return "";
}

/* What failed when a file was made; the Rust implementation numbers the system's reason too. */
static PyObject *writing_message(const sft_error *error, PyObject *text, PyObject *file) {
    const char *prefix = prefix_of(SERIALIZING);
    if (error->system_error != 0 && file == Py_None) { /* a path without a character */
        return PyUnicode_FromFormat("%sI/O error: %U (os error %d)", prefix, text,
                                    error->system_error);
    }
    if (error->system_error != 0) {
        return PyUnicode_FromFormat("%sI/O error: %U (os error %d) at path \"%S\"", prefix, text,
                                    error->system_error, file);
    }
    if (!error->has_tensor) {
        return PyUnicode_FromFormat("%s%U", prefix, text);
    }
    PyObject *tensor = decode(error->tensor, error->tensor_length);
    PyObject *message =
        tensor == NULL ? NULL : PyUnicode_FromFormat("%sin tensor `%U`: %U", prefix, tensor, text);
    Py_XDECREF(tensor);
    return message;
}

/* Of a defect that the Rust implementation has no name for. */
static PyObject *own_message(operation doing, const sft_error *error, PyObject *file) {
    PyObject *text = decode(error->message, strlen(error->message));
    if (text == NULL) {
        return NULL;
    }
    PyObject *message = doing == SERIALIZING ? writing_message(error, text, file)
                                             : PyUnicode_FromFormat("%s%U", prefix_of(doing), text);
    Py_DECREF(text);
    return message;
}

static PyObject *message_of(operation doing, const sft_error *error, PyObject *file) {
    const char *kind = sft_status_kind(error->status);
    if (kind == NULL) {
        return own_message(doing, error, file);
    }
    PyObject *sentence = sentence_of(error, kind);
    if (sentence == NULL) {
        return NULL;
    }
    PyObject *message = PyUnicode_FromFormat("%s%U (%s)", prefix_of(doing), sentence, kind);
    Py_DECREF(sentence);
    return message;
}

/* ---- the exception ---- */

/* Exceptions of Python's own, where users of files expect them. NULL if it is not one of these. */
static PyObject *system_type(operation doing, const sft_error *error) {
    if (doing == SERIALIZING) {
        return NULL;
    }
    if (error->status == SFT_ALREADY_EXISTS) {
        return PyExc_FileExistsError;
    }
    if (error->status == SFT_NO_SHARDS ||
        (error->status == SFT_NOT_A_FILE && error->system_error == EISDIR)) {
        return PyExc_IsADirectoryError;
    }
    if (error->status == SFT_NOT_A_FILE) {
        return PyExc_OSError;
    }
    if (error->status != SFT_OPEN_FAILED && error->status != SFT_READ_FAILED) {
        return NULL;
    }
    switch (error->system_error) {
    case ENOENT:
    case ENOTDIR:
        return PyExc_FileNotFoundError;
    case EACCES:
    case EPERM:
        return PyExc_PermissionError;
    case EISDIR:
        return PyExc_IsADirectoryError;
    default:
        return PyExc_OSError;
    }
}

static PyObject *system_message(const sft_error *error, PyObject *type, PyObject *file) {
    if (type == PyExc_FileNotFoundError) {
        return PyUnicode_FromFormat("No such file or directory: %S", file);
    }
    if (type == PyExc_PermissionError) {
        return PyUnicode_FromFormat("Permission denied: %S", file);
    }
    PyObject *text = decode(error->message, strlen(error->message));
    PyObject *message = text == NULL ? NULL : PyUnicode_FromFormat("%U: %S", text, file);
    Py_XDECREF(text);
    return message;
}

/* Takes the value over. */
static int set(PyObject *exception, const char *attribute, PyObject *value) {
    int done = value == NULL ? -1 : PyObject_SetAttrString(exception, attribute, value);
    Py_XDECREF(value);
    return done;
}

static int describe(PyObject *exception, const sft_error *error, PyObject *file) {
    if (set(exception, "code", PyUnicode_FromString(sft_status_name(error->status))) < 0 ||
        set(exception, "byte",
            error->byte == SFT_NO_BYTE ? Py_NewRef(Py_None)
                                       : PyLong_FromUnsignedLongLong(error->byte)) < 0 ||
        set(exception, "tensor",
            error->has_tensor ? decode(error->tensor, error->tensor_length) : Py_NewRef(Py_None)) <
            0 ||
        set(exception, "file", Py_NewRef(file)) < 0) {
        return -1;
    }
    /* Not both of errno and strerror: with them str() would no longer be the message. */
    return error->system_error == 0 ? 0
                                    : set(exception, "errno", PyLong_FromLong(error->system_error));
}

/* Before Python 3.11 exceptions take no notes. */
static int add_note(PyObject *exception, const sft_error *error) {
    if (PyObject_HasAttrString(exception, "add_note") == 0) {
        return 0;
    }
    char line[2048];
    size_t length = sft_error_format(error, line, sizeof line);
    length = length < sizeof line ? length : sizeof line - 1;
    PyObject *note = decode(line, length);
    PyObject *none = note == NULL ? NULL : PyObject_CallMethod(exception, "add_note", "O", note);
    Py_XDECREF(note);
    Py_XDECREF(none);
    return none == NULL ? -1 : 0;
}

PyObject *raise_missing_tensor(module_state *state, PyObject *name) {
    PyObject *message = PyUnicode_FromFormat("File does not contain tensor %U", name);
    PyObject *exception = message == NULL ? NULL : PyObject_CallOneArg(state->error, message);
    Py_XDECREF(message);
    if (exception != NULL &&
        set(exception, "code", PyUnicode_FromString(sft_status_name(SFT_NOT_FOUND))) == 0 &&
        set(exception, "tensor", Py_NewRef(name)) == 0) {
        PyErr_SetObject(state->error, exception);
    }
    Py_XDECREF(exception);
    return NULL;
}

PyObject *raise_error(module_state *state, operation doing, const sft_error *error,
                      PyObject *name) {
    if (error->status == SFT_NO_MEMORY) {
        return PyErr_NoMemory();
    }
    PyObject *file = file_of(error, name);
    if (file == NULL) {
        return NULL;
    }
    PyObject *type = system_type(doing, error);
    PyObject *message = type != NULL ? system_message(error, type, name != NULL ? name : file)
                                     : message_of(doing, error, file);
    type = type != NULL ? type : state->error;
    PyObject *exception = message == NULL ? NULL : PyObject_CallOneArg(type, message);
    if (exception != NULL && describe(exception, error, file) == 0 &&
        add_note(exception, error) == 0) {
        PyErr_SetObject(type, exception);
    }
    Py_XDECREF(exception);
    Py_XDECREF(message);
    Py_DECREF(file);
    return NULL;
}
