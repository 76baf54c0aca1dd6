#include <sft.h>

#include <string.h>

#include "arguments.h"
#include "errors.h"
#include "progress.h"
#include "scan.h"
#include "shapes.h"

/* ---- what was done, as plain tuples ---- */

/* A name of raw bytes. */
static PyObject *name_text(const char *name, size_t length) {
    return PyUnicode_DecodeUTF8(name, (Py_ssize_t)length, "backslashreplace");
}

static PyObject *numbers(const uint64_t *values, uint32_t count) {
    if (values == NULL) {
        return Py_NewRef(Py_None);
    }
    PyObject *list = shape_list(values, count);
    PyObject *tuple = list == NULL ? NULL : PyList_AsTuple(list);
    Py_XDECREF(list);
    return tuple;
}

static PyObject *path_text(const char *path) {
    return path == NULL ? Py_NewRef(Py_None) : PyUnicode_DecodeFSDefault(path);
}

static PyObject *tensor_item(const sft_conversion *done, uint64_t index) {
    const sft_converted *tensor = sft_conversion_at(done, index);
    return Py_BuildValue("(NNsNNKNNKN)", name_text(tensor->name, tensor->name_length),
                         name_text(tensor->source_name, tensor->source_name_length),
                         sft_dtype_name(tensor->dtype), numbers(tensor->shape, tensor->rank),
                         numbers(tensor->strides, tensor->rank), (unsigned long long)tensor->size,
                         path_text(tensor->source_file), scan_text(tensor->member),
                         (unsigned long long)tensor->source_offset,
                         path_text(sft_conversion_file(done, tensor->file)));
}

static PyObject *tie_item(const sft_conversion *done, uint64_t index) {
    const sft_tie *tie = sft_conversion_tie(done, index);
    return Py_BuildValue("(NN)", name_text(tie->dropped, tie->dropped_length),
                         name_text(tie->kept, tie->kept_length));
}

static PyObject *dropped_item(const sft_conversion *done, uint64_t index) {
    const sft_dropped *dropped = sft_conversion_dropped(done, index);
    return Py_BuildValue("(NN)", name_text(dropped->name, dropped->name_length),
                         scan_text(dropped->kind));
}

static PyObject *metadata_item(const sft_conversion *done, uint64_t index) {
    const sft_metadata_entry *entry = sft_conversion_metadata(done, index);
    return Py_BuildValue("(NN)", name_text(entry->key, entry->key_length),
                         name_text(entry->value, entry->value_length));
}

static PyObject *file_item(const sft_conversion *done, uint64_t index) {
    return path_text(sft_conversion_file(done, index));
}

/* Of a folder whose first shard is refused, the others were not looked at. */
static PyObject *scan_item(const sft_conversion *done, uint64_t index) {
    const sft_scan_result *result = sft_conversion_scan(done, index);
    return result == NULL ? Py_NewRef(Py_None)
                          : scan_tuple(sft_conversion_source(done, index), result);
}

/* A list of so many, made one by one. */
static PyObject *list_of(const sft_conversion *done, uint64_t count,
                         PyObject *(*item)(const sft_conversion *done, uint64_t index)) {
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (uint64_t i = 0; i < count && list != NULL; i++) {
        PyObject *made = item(done, i);
        if (made == NULL) {
            Py_CLEAR(list);
        } else {
            PyList_SET_ITEM(list, (Py_ssize_t)i, made);
        }
    }
    return list;
}

static PyObject *scans_of(const sft_conversion *done) {
    return list_of(done, sft_conversion_sources(done), scan_item);
}

static PyObject *conversion_dict(const sft_conversion *done) {
    return Py_BuildValue("{sNsNsNsNsNsKsNsNsKsssN}", "files",
                         list_of(done, sft_conversion_files(done), file_item), "index",
                         path_text(sft_conversion_index_path(done)), "tensors",
                         list_of(done, sft_conversion_count(done), tensor_item), "ties",
                         list_of(done, sft_conversion_ties(done), tie_item), "dropped",
                         list_of(done, sft_conversion_dropped_count(done), dropped_item),
                         "dropped_total", (unsigned long long)sft_conversion_dropped_total(done),
                         "wrapper", scan_text(sft_conversion_wrapper(done)), "metadata",
                         list_of(done, sft_conversion_metadata_count(done), metadata_item), "bytes",
                         (unsigned long long)sft_conversion_bytes(done), "format",
                         sft_conversion_format(done), "scans", scans_of(done));
}

/* ---- the call ---- */

/* Raises the error of a conversion; where the source was refused, with what the scans found. */
static PyObject *refuse(module_state *state, const sft_error *error, const sft_conversion *done) {
    raise_error(state, CONVERTING, error, NULL);
    if (done == NULL) {
        return NULL;
    }
    PyObject *type;
    PyObject *value;
    PyObject *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    PyObject *scans = scans_of(done);
    if (scans != NULL && PyObject_SetAttrString(value, "_scans", scans) == 0) {
        PyErr_Restore(type, value, traceback);
    } else {
        Py_XDECREF(type);
        Py_XDECREF(value);
        Py_XDECREF(traceback);
    }
    Py_XDECREF(scans);
    return NULL;
}

static PyObject *run(module_state *state, PyObject *source, PyObject *target,
                     const sft_convert_options *wanted, PyObject *function) {
    progress told;
    sft_error error;
    sft_conversion *done = NULL;
    sft_convert_options options = *wanted;
    options.progress = progress_report;
    options.progress_context = &told;
    const char *to = target == NULL ? NULL : PyBytes_AS_STRING(target);
    progress_begin(&told, function);
    sft_status status = sft_convert(PyBytes_AS_STRING(source), to, &options, &done, &error);
    progress_end(&told);
    PyObject *result = NULL;
    if (PyErr_Occurred()) {
        result = NULL;
    } else if (status != SFT_OK) {
        refuse(state, &error, done);
    } else {
        result = conversion_dict(done);
    }
    Py_BEGIN_ALLOW_THREADS
    sft_conversion_free(done);
    Py_END_ALLOW_THREADS
    return result;
}

/* The text of a str, which ends with its first NUL; NULL for None. Returns 0, or -1. */
static int optional_text(PyObject *given, const char *argument, const char **text) {
    *text = NULL;
    if (given == Py_None) {
        return 0;
    }
    size_t length;
    *text = argument_text(given, argument, &length);
    if (*text != NULL && strlen(*text) != length) {
        PyErr_Format(PyExc_ValueError, "argument '%s': embedded null character", argument);
        return -1;
    }
    return *text == NULL ? -1 : 0;
}

typedef struct wishes {
    PyObject *source;
    PyObject *target;
    PyObject *key;
    PyObject *drop_prefix;
    PyObject *max_shard_size;
    PyObject *allow;
    PyObject *progress;
    int allow_unknown;
    int dry_run;
    int overwrite;
    int durable;
} wishes;

/* Returns 0, or -1 with a TypeError. */
static int read_wishes(wishes *self, PyObject *arguments, PyObject *keywords) {
    static char *names[] = {
        "src",           "dst",     "key",       "drop_prefix", "max_shard_size", "allow",
        "allow_unknown", "dry_run", "overwrite", "durable",     "progress",       NULL};
    return PyArg_ParseTupleAndKeywords(arguments, keywords, "OOOOOOppppO:convert", names,
                                       &self->source, &self->target, &self->key, &self->drop_prefix,
                                       &self->max_shard_size, &self->allow, &self->allow_unknown,
                                       &self->dry_run, &self->overwrite, &self->durable,
                                       &self->progress)
               ? 0
               : -1;
}

static int fill_options(const wishes *self, sft_convert_options *options) {
    options->allow_unknown = self->allow_unknown != 0;
    options->dry_run = self->dry_run != 0;
    options->keep_existing = self->overwrite == 0;
    options->durable = self->durable != 0;
    return argument_unsigned(self->max_shard_size, "max_shard_size", &options->max_shard_size) <
                       0 ||
                   optional_text(self->key, "key", &options->key) < 0 ||
                   optional_text(self->drop_prefix, "drop_prefix", &options->drop_prefix) < 0
               ? -1
               : 0;
}

PyDoc_STRVAR(convert_doc,
             "convert($module, /, src, dst, key, drop_prefix, max_shard_size, allow,\n"
             "        allow_unknown, dry_run, overwrite, durable, progress)\n"
             "--\n\n"
             "What safetensors.convert() does, with a plain dict for its result. Where the source\n"
             "is refused for what it holds, the exception has the attribute `_scans`.");

static PyObject *convert(PyObject *module, PyObject *arguments, PyObject *keywords) {
    wishes wanted;
    sft_convert_options options = SFT_CONVERT_OPTIONS;
    if (read_wishes(&wanted, arguments, keywords) < 0 || fill_options(&wanted, &options) < 0) {
        return NULL;
    }
    PyObject *source = argument_path(wanted.source, "src");
    if (source == NULL) {
        return NULL;
    }
    PyObject *result = NULL;
    PyObject *target = wanted.target == Py_None ? NULL : argument_path(wanted.target, "dst");
    allowed_names allowed = {NULL, NULL, 0};
    if ((target != NULL || wanted.target == Py_None) && allowed_take(&allowed, wanted.allow) == 0) {
        options.scan.allowed = allowed.names;
        options.scan.allowed_count = allowed.count;
        result = run(PyModule_GetState(module), source, target, &options, wanted.progress);
    }
    allowed_free(&allowed);
    Py_XDECREF(target);
    Py_DECREF(source);
    return result;
}

int convert_add(PyObject *module, module_state *state) {
    (void)state;
    static PyMethodDef functions[] = {
        {"convert", (PyCFunction)(void (*)(void))convert, METH_VARARGS | METH_KEYWORDS,
         convert_doc},
        {NULL, NULL, 0, NULL},
    };
    return PyModule_AddFunctions(module, functions);
}
