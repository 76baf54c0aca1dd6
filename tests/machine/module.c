/*
 * The machine as a Python module, for machine.py: streams to try, and what the machine makes of
 * them, in the terms in which stubs under CPython's unpickler see it.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdlib.h>
#include <string.h>

#include "pickle/machine.h"
#include "streams.h"

/* ---- streams ---- */

static PyObject *seed_at(PyObject *seeds, unsigned index) {
    PyObject *seed = PyList_GetItem(seeds, index);
    if (seed != NULL && !PyBytes_Check(seed)) {
        PyErr_SetString(PyExc_TypeError, "seeds are bytes");
        return NULL;
    }
    return seed;
}

/* make(seeds, number): stream `number`, always the same one. A third each: from the grammar as it
 * is, from the grammar with mutations, and mutations of a seed. */
static PyObject *make(PyObject *module, PyObject *arguments) {
    PyObject *seeds;
    unsigned long long number;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "O!K", &PyList_Type, &seeds, &number)) {
        return NULL;
    }
    stream made;
    made.random = number;
    unsigned count = (unsigned)PyList_GET_SIZE(seeds);
    unsigned how = stream_below(&made, count > 0 ? 3 : 2);
    PyObject *other = count > 0 ? seed_at(seeds, stream_below(&made, count)) : NULL;
    if (count > 0 && other == NULL) {
        return NULL;
    }
    if (how < 2) {
        stream_generate(&made);
    } else {
        PyObject *seed = seed_at(seeds, stream_below(&made, count));
        if (seed == NULL) {
            return NULL;
        }
        made.size = (size_t)PyBytes_GET_SIZE(seed);
        made.size = made.size < STREAM_ROOM ? made.size : STREAM_ROOM;
        memcpy(made.bytes, PyBytes_AS_STRING(seed), made.size);
    }
    if (how > 0) {
        stream_mutate(&made,
                      other != NULL ? (const unsigned char *)PyBytes_AS_STRING(other) : made.bytes,
                      other != NULL ? (size_t)PyBytes_GET_SIZE(other) : 0);
    }
    return PyBytes_FromStringAndSize((const char *)made.bytes, (Py_ssize_t)made.size);
}

/* ---- reading ---- */

static sft_status read_bytes(void *context, uint64_t offset, void *to, uint64_t size,
                             sft_error *error) {
    (void)error;
    memcpy(to, (const char *)context + offset, (size_t)size);
    return SFT_OK;
}

static bool read_pickle(PyObject *data, sft_pickle *pickle) {
    char *bytes;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(data, &bytes, &size) != 0) {
        return false;
    }
    const sft_pickle_input input = {bytes, read_bytes, (uint64_t)size};
    sft_error error;
    if (sft_pickle_read(pickle, &input, 0, NULL, &error) != SFT_OK) {
        sft_pickle_free(pickle);
        PyErr_SetString(PyExc_MemoryError, "the machine had no memory");
        return false;
    }
    return true;
}

/* None for what was computed. Bytes of Python 2 are decoded as machine.py lets CPython do it. */
static PyObject *text_of(const sft_graph *graph, sft_ref ref) {
    sft_value_kind kind = sft_graph_kind(graph, ref);
    if (kind != SFT_VALUE_STR && kind != SFT_VALUE_OLD_STR) {
        Py_RETURN_NONE;
    }
    const sft_long_text *text = sft_graph_text(graph, ref);
    Py_ssize_t length = (Py_ssize_t)text->length;
    return kind == SFT_VALUE_STR ? PyUnicode_DecodeUTF8(text->text.bytes, length, "surrogatepass")
                                 : PyUnicode_DecodeLatin1(text->text.bytes, length, NULL);
}

/*
 * Stubs are numbered as they come into being, from 1. CPython keeps what an extension code stands
 * for, so that a code makes one stub only.
 */
typedef struct numbering {
    uint32_t *of; /* by value; 0: no stub */
    uint32_t count;
    struct {
        int64_t code;
        uint32_t number;
    } codes[64];
    unsigned code_count;
} numbering;

static uint32_t known_code(const numbering *stubs, int64_t code) {
    for (unsigned i = 0; i < stubs->code_count; i++) {
        if (stubs->codes[i].code == code) {
            return stubs->codes[i].number;
        }
    }
    return 0;
}

static PyObject *event_of_global(const sft_graph *graph, numbering *stubs, sft_ref subject) {
    const sft_global *global = &graph->values[subject].global;
    stubs->of[subject] = ++stubs->count;
    return Py_BuildValue("(CINN)", 'G', stubs->of[subject], text_of(graph, global->module),
                         text_of(graph, global->name));
}

static PyObject *event_of_extension(const sft_graph *graph, numbering *stubs, sft_ref subject) {
    int64_t code = graph->values[subject].integer;
    stubs->of[subject] = known_code(stubs, code);
    if (stubs->of[subject] != 0) {
        Py_RETURN_NONE;
    }
    stubs->of[subject] = ++stubs->count;
    if (stubs->code_count < sizeof stubs->codes / sizeof stubs->codes[0]) {
        stubs->codes[stubs->code_count].code = code;
        stubs->codes[stubs->code_count++].number = stubs->of[subject];
    }
    return Py_BuildValue("(CIsN)", 'G', stubs->of[subject], "extension",
                         PyUnicode_FromFormat("%lld", (long long)code));
}

static PyObject *event_of_call(const sft_graph *graph, numbering *stubs, sft_ref subject) {
    const sft_object *object = sft_graph_object(graph, subject);
    bool counted = sft_graph_kind(graph, object->arguments) == SFT_VALUE_TUPLE;
    stubs->of[subject] = ++stubs->count;
    return Py_BuildValue("(CIIi)", 'C', stubs->of[subject], stubs->of[object->callee],
                         counted ? (int)graph->values[object->arguments].count : -1);
}

static PyObject *event_of_persistent(const sft_graph *graph, numbering *stubs, sft_ref subject) {
    sft_ref id = sft_graph_at(graph, subject, 0);
    stubs->of[subject] = ++stubs->count;
    return Py_BuildValue("(CIN)", 'P', stubs->of[subject], text_of(graph, id));
}

/* None for what stubs do not see. */
static PyObject *event_of(const sft_graph *graph, numbering *stubs, const sft_effect *effect) {
    static const char letters[] = {
        [SFT_EFFECT_STATE] = 'S', [SFT_EFFECT_APPEND] = 'A', [SFT_EFFECT_SET_ITEM] = 'I'};
    switch ((sft_effect_kind)effect->kind) {
    case SFT_EFFECT_GLOBAL:
        return event_of_global(graph, stubs, effect->subject);
    case SFT_EFFECT_EXTENSION:
        return event_of_extension(graph, stubs, effect->subject);
    case SFT_EFFECT_CALL:
        return event_of_call(graph, stubs, effect->subject);
    case SFT_EFFECT_PERSISTENT:
        return event_of_persistent(graph, stubs, effect->subject);
    case SFT_EFFECT_BUFFER:
        if (sft_graph_kind(graph, effect->subject) == SFT_VALUE_BUFFER) {
            return Py_BuildValue("(C)", 'B');
        }
        break;
    case SFT_EFFECT_STATE:
    case SFT_EFFECT_APPEND:
    case SFT_EFFECT_SET_ITEM:
        if (stubs->of[effect->subject] != 0) {
            return Py_BuildValue("(CI)", letters[effect->kind], stubs->of[effect->subject]);
        }
        break;
    case SFT_EFFECT_STRADDLED:
    case SFT_EFFECT_LEFTOVER:
    case SFT_EFFECT_MEMO:
        break;
    }
    Py_RETURN_NONE;
}

/* Adds an event; one that repeats the one before it says nothing. */
static bool add_event(PyObject *events, PyObject *event) {
    Py_ssize_t count = PyList_GET_SIZE(events);
    int again = 0;
    if (event != NULL && event != Py_None && count > 0) {
        again = PyObject_RichCompareBool(event, PyList_GET_ITEM(events, count - 1), Py_EQ);
    }
    bool added = event != NULL && again >= 0 &&
                 (event == Py_None || again == 1 || PyList_Append(events, event) == 0);
    Py_XDECREF(event);
    return added;
}

/* The events of a graph, and before how many of them a frame was first straddled (or -1). */
static PyObject *events_of(const sft_graph *graph, Py_ssize_t *straddled) {
    numbering stubs = {calloc((size_t)graph->value_count + 1, sizeof *stubs.of), 0, {{0, 0}}, 0};
    PyObject *events = PyList_New(0);
    bool added = events != NULL && stubs.of != NULL;
    *straddled = -1;
    for (uint64_t i = 0; added && i < graph->effect_count; i++) {
        const sft_effect *effect = &graph->effects[i];
        if (effect->kind == SFT_EFFECT_STRADDLED && *straddled < 0) {
            *straddled = PyList_GET_SIZE(events);
        }
        added = add_event(events, event_of(graph, &stubs, effect));
    }
    free(stubs.of);
    if (!added) {
        Py_CLEAR(events);
        return PyErr_Occurred() != NULL ? NULL : PyErr_NoMemory();
    }
    return events;
}

/* read(data): whether STOP was reached, where it ended, straddled, events. */
static PyObject *read_(PyObject *module, PyObject *data) {
    sft_pickle pickle;
    (void)module;
    if (!read_pickle(data, &pickle)) {
        return NULL;
    }
    Py_ssize_t straddled;
    PyObject *events = events_of(&pickle.graph, &straddled);
    PyObject *all = events == NULL
                        ? NULL
                        : Py_BuildValue("(NKnN)", PyBool_FromLong(pickle.end == SFT_PICKLE_STOPPED),
                                        (unsigned long long)pickle.position, straddled, events);
    sft_pickle_free(&pickle);
    return all;
}

/* ---- values ---- */

static PyObject *row_of(const sft_graph *graph, const sft_value *value) {
    PyObject *row = PyTuple_New((Py_ssize_t)value->count);
    uint32_t link = value->items.first;
    for (uint32_t i = 0; row != NULL && i < value->count; i++) {
        PyTuple_SET_ITEM(row, (Py_ssize_t)i, PyLong_FromUnsignedLong(sft_graph_item(graph, &link)));
    }
    return row;
}

static PyObject *content_of(const sft_graph *graph, const sft_value *value, sft_ref ref) {
    const sft_long_text *text;
    switch ((sft_value_kind)value->kind) {
    case SFT_VALUE_BOOL:
    case SFT_VALUE_INT:
        return PyLong_FromLongLong(value->integer);
    case SFT_VALUE_FLOAT:
        return PyFloat_FromDouble(value->real);
    case SFT_VALUE_STR:
    case SFT_VALUE_OLD_STR:
        return text_of(graph, ref);
    case SFT_VALUE_BYTES:
    case SFT_VALUE_BYTEARRAY:
    case SFT_VALUE_BIG_INT:
        text = sft_graph_text(graph, ref);
        return PyBytes_FromStringAndSize(text->text.bytes, (Py_ssize_t)text->length);
    case SFT_VALUE_LIST:
    case SFT_VALUE_TUPLE:
    case SFT_VALUE_DICT:
    case SFT_VALUE_SET:
    case SFT_VALUE_FROZENSET:
        return row_of(graph, value);
    case SFT_VALUE_NONE:
    case SFT_VALUE_GLOBAL:
    case SFT_VALUE_OBJECT:
    case SFT_VALUE_PERSISTENT:
    case SFT_VALUE_EXTENSION:
    case SFT_VALUE_BUFFER:
        break;
    }
    Py_RETURN_NONE;
}

/* Whether items were added to what is no stub and does not keep them here: a bytearray, say. */
static bool is_changed(const sft_graph *graph) {
    for (uint64_t i = 0; i < graph->effect_count; i++) {
        const sft_effect *effect = &graph->effects[i];
        bool adds = effect->kind == SFT_EFFECT_APPEND || effect->kind == SFT_EFFECT_SET_ITEM;
        if (adds && sft_graph_kind(graph, effect->subject) < SFT_VALUE_GLOBAL) {
            return true;
        }
    }
    return false;
}

/* values(data): the number of the result, and for each value its kind and content; None where the
 * effects alone tell what became of some. */
static PyObject *values(PyObject *module, PyObject *data) {
    sft_pickle pickle;
    (void)module;
    if (!read_pickle(data, &pickle)) {
        return NULL;
    }
    const sft_graph *graph = &pickle.graph;
    PyObject *list = NULL;
    if (is_changed(graph) || pickle.result == SFT_NO_REF) {
        sft_pickle_free(&pickle);
        Py_RETURN_NONE;
    }
    list = PyList_New(0);
    for (uint64_t i = 0; list != NULL && i < graph->value_count; i++) {
        const sft_value *value = &graph->values[i];
        PyObject *pair = Py_BuildValue("(iN)", value->kind, content_of(graph, value, (sft_ref)i));
        if (pair == NULL || PyList_Append(list, pair) != 0) {
            Py_CLEAR(list);
        }
        Py_XDECREF(pair);
    }
    PyObject *all = list == NULL ? NULL : Py_BuildValue("(IN)", pickle.result, list);
    sft_pickle_free(&pickle);
    return all;
}

static PyMethodDef methods[] = {
    {"make", make, METH_VARARGS, NULL},
    {"read", read_, METH_O, NULL},
    {"values", values, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT, .m_name = "sft_machine", .m_size = 0, .m_methods = methods};

PyMODINIT_FUNC PyInit_sft_machine(void);

PyMODINIT_FUNC PyInit_sft_machine(void) {
    return PyModule_Create(&definition);
}
