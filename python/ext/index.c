#include "index.h"

#include "errors.h"

/* One dimension of an index by the common rule. */
typedef struct bound {
    enum { POSITION, SPAN } kind;
    bool has_start;
    bool has_stop;
    uint64_t start; /* the position itself, counted from the first element */
    uint64_t stop;
    uint64_t step;
} bound;

/* An index spelled out: an Ellipsis has become the dimensions that it stands for. */
typedef struct bounds {
    bound *items;
    size_t count;
} bounds;

/* ---- messages ---- */

static PyObject *show_bound(const bound *one) {
    char text[80];
    unsigned long long start = one->start;
    unsigned long long stop = one->stop;
    size_t used = 0;
    if (one->kind == POSITION || one->has_start) {
        used += (size_t)PyOS_snprintf(text, sizeof text, "%llu", start);
    }
    if (one->kind == SPAN) {
        text[used++] = ':';
        if (one->has_stop) {
            used += (size_t)PyOS_snprintf(text + used, sizeof text - used, "%llu", stop);
        }
        if (one->step != 1) {
            used += (size_t)PyOS_snprintf(text + used, sizeof text - used, ":%llu",
                                          (unsigned long long)one->step);
        }
    }
    return PyUnicode_FromStringAndSize(text, (Py_ssize_t)used);
}

static PyObject *show_bounds(const bounds *index) {
    PyObject *text = PyUnicode_FromString("[");
    for (size_t i = 0; i < index->count && text != NULL; i++) {
        if (i > 0) {
            PyUnicode_AppendAndDel(&text, PyUnicode_FromString(", "));
        }
        PyUnicode_AppendAndDel(&text, show_bound(&index->items[i]));
    }
    PyUnicode_AppendAndDel(&text, PyUnicode_FromString("]"));
    return text;
}

static PyObject *show_shape(const sft_tensor *tensor) {
    PyObject *text = PyUnicode_FromString("[");
    for (uint32_t i = 0; i < tensor->rank && text != NULL; i++) {
        PyUnicode_AppendAndDel(&text, PyUnicode_FromFormat(i > 0 ? ", %llu" : "%llu",
                                                           (unsigned long long)tensor->shape[i]));
    }
    PyUnicode_AppendAndDel(&text, PyUnicode_FromString("]"));
    return text;
}

/* Takes the reason over. Returns -1. */
static int refuse(module_state *state, const bounds *index, const sft_tensor *tensor,
                  PyObject *reason) {
    PyObject *shown = show_bounds(index);
    PyObject *shape = show_shape(tensor);
    if (shown != NULL && shape != NULL && reason != NULL) {
        raise_safetensor_error(state, "Error during slicing %U with shape %U: %U", shown, shape,
                               reason);
    }
    Py_XDECREF(shown);
    Py_XDECREF(shape);
    Py_XDECREF(reason);
    return -1;
}

static int refuse_item(module_state *state, size_t position) {
    raise_safetensor_error(
        state, "Unsupported slice index at position %zu: expected slice, int, or ellipsis",
        position);
    return -1;
}

/* ---- from Python ---- */

/* A KeyboardInterrupt in an object's own __index__ is no comment on the index. */
static bool is_comment(void) {
    return PyErr_ExceptionMatches(PyExc_Exception) && !PyErr_ExceptionMatches(PyExc_MemoryError);
}

static int read_position(module_state *state, PyObject *item, size_t position, uint64_t size,
                         bound *to) {
    int overflow = 0;
    long long value = 0;
    PyObject *number = PyIndex_Check(item) ? PyNumber_Index(item) : NULL;
    if (number != NULL) {
        value = PyLong_AsLongLongAndOverflow(number, &overflow);
        Py_DECREF(number);
    } else if (PyErr_Occurred() && !is_comment()) {
        return -1;
    }
    if (number == NULL || overflow != 0) {
        PyErr_Clear();
        return refuse_item(state, position);
    }
    uint64_t distance = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    bool outside = value < 0 ? distance > size : distance >= size;
    /* The Rust implementation takes integers of 32 bits; where a larger one has an element, ours
     * takes it too. */
    if (outside && (value < INT32_MIN || value > INT32_MAX)) {
        return refuse_item(state, position);
    }
    if (outside && value < 0) {
        raise_safetensor_error(state, "Invalid index %lld for dimension %zu of size %llu", value,
                               position, (unsigned long long)size);
        return -1;
    }
    *to = (bound){.kind = POSITION, .start = value < 0 ? size - distance : distance};
    return 0;
}

/* Sets `given` to false and leaves the value alone for None. */
static int read_edge(PyObject *item, bool *given, uint64_t *value) {
    *given = item != Py_None;
    if (!*given) {
        return 0;
    }
    PyObject *number = PyNumber_Index(item);
    if (number == NULL) {
        return -1;
    }
    *value = PyLong_AsUnsignedLongLong(number);
    Py_DECREF(number);
    return *value == UINT64_MAX && PyErr_Occurred() ? -1 : 0;
}

static int read_step(module_state *state, PyObject *item, uint64_t *value) {
    *value = 1;
    if (item == Py_None) {
        return 0;
    }
    PyObject *number = PyNumber_Index(item);
    if (number == NULL) {
        return -1;
    }
    long step = PyLong_AsLong(number);
    Py_DECREF(number);
    if (step == -1 && PyErr_Occurred()) {
        return -1;
    }
    if (step < 1) {
        raise_safetensor_error(state, "Slice step must be a positive integer, got %ld", step);
        return -1;
    }
    *value = (uint64_t)step;
    return 0;
}

/* The slice's own members: a slice cannot be subclassed, so that nothing stands before them. */
static int read_span(module_state *state, PyObject *item, bound *to) {
    const PySliceObject *slice = (const PySliceObject *)item;
    *to = (bound){.kind = SPAN};
    return read_edge(slice->start, &to->has_start, &to->start) < 0 ||
                   read_edge(slice->stop, &to->has_stop, &to->stop) < 0 ||
                   read_step(state, slice->step, &to->step) < 0
               ? -1
               : 0;
}

static size_t ellipses_of(PyObject *items) {
    size_t count = 0;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(items); i++) {
        count += PyTuple_GET_ITEM(items, i) == Py_Ellipsis;
    }
    return count;
}

static int read_items(module_state *state, PyObject *items, const sft_tensor *tensor, size_t stands,
                      bounds *index) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(items); i++) {
        PyObject *item = PyTuple_GET_ITEM(items, i);
        if (item == Py_Ellipsis) {
            for (size_t whole = 0; whole < stands; whole++) {
                index->items[index->count++] = (bound){.kind = SPAN, .step = 1};
            }
            continue;
        }
        size_t position = index->count;
        uint64_t size = position < tensor->rank ? tensor->shape[position] : 0;
        bound *to = &index->items[position];
        int done = PySlice_Check(item) ? read_span(state, item, to)
                                       : read_position(state, item, position, size, to);
        if (done < 0) {
            return -1;
        }
        index->count++;
    }
    return 0;
}

/* ---- against the tensor ---- */

static PyObject *not_within(uint64_t position, uint32_t dimension, uint64_t size) {
    return PyUnicode_FromFormat("index %llu out of bounds for tensor dimension #%u of size %llu",
                                (unsigned long long)position, dimension, (unsigned long long)size);
}

static int64_t clamped(uint64_t value) {
    return value < INT64_MAX ? (int64_t)value : INT64_MAX;
}

/* From the innermost dimension outwards, for the first error found is the one told. */
static int apply(module_state *state, const bounds *index, const sft_tensor *tensor,
                 selection *part) {
    if (index->count > tensor->rank) {
        return refuse(state, index, tensor,
                      PyUnicode_FromString("more slicing indexes than dimensions in tensor"));
    }
    part->count = (uint32_t)index->count;
    for (uint32_t i = part->count; i-- > 0;) {
        const bound *one = &index->items[i];
        uint64_t size = tensor->shape[i];
        uint64_t stop = one->kind == POSITION ? one->start + 1 : one->has_stop ? one->stop : size;
        if (one->start >= size || stop > size) {
            uint64_t outside = one->start >= size ? one->start : stop - 1;
            return refuse(state, index, tensor, not_within(outside, i, size));
        }
        part->ranges[i] = (sft_range){.kind = one->kind == POSITION ? SFT_INDEX : SFT_RANGE,
                                      .start = clamped(one->start),
                                      .stop = clamped(stop),
                                      .step = clamped(one->step)};
    }
    sft_error error;
    sft_status status = sft_slice_shape(tensor, part->ranges, part->count, part->shape, &part->rank,
                                        &part->bytes, &error);
    if (status == SFT_SLICE_PARTIAL_BYTE) {
        return refuse(state, index, tensor,
                      PyUnicode_FromString(
                          "The slice is slicing for subbytes dtypes, and the slice does not end "
                          "up at a byte boundary, this is invalid."));
    }
    return status == SFT_OK ? 0 : (raise_error(state, READING, &error, NULL), -1);
}

static int select_items(module_state *state, PyObject *items, const sft_tensor *tensor,
                        selection *part) {
    size_t given = (size_t)PyTuple_GET_SIZE(items);
    size_t ellipses = ellipses_of(items);
    if (ellipses > 1) {
        raise_safetensor_error(state, "Only one ellipsis (...) is allowed in slice index");
        return -1;
    }
    size_t named = given - ellipses;
    size_t stands = ellipses == 1 && named < tensor->rank ? tensor->rank - named : 0;
    bounds index = {PyMem_New(bound, named + stands), 0};
    if (index.items == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    int done = read_items(state, items, tensor, stands, &index);
    done = done < 0 ? done : apply(state, &index, tensor, part);
    PyMem_Free(index.items);
    return done;
}

static int select_nothing(module_state *state, const sft_tensor *tensor, selection *part) {
    bound none = {.kind = SPAN, .has_start = true, .has_stop = true, .step = 1};
    return apply(state, &(bounds){&none, 1}, tensor, part);
}

int index_select(module_state *state, PyObject *index, const sft_tensor *tensor, selection *part) {
    part->rest = NULL;
    part->doubtful = false;
    if (PyTuple_Check(index)) {
        return select_items(state, index, tensor, part);
    }
    if (PyList_Check(index)) {
        if (PyList_Size(index) == 0) {
            return select_nothing(state, tensor, part);
        }
        raise_safetensor_error(state, "Non empty lists are not implemented");
        return -1;
    }
    PyObject *items = PyTuple_Pack(1, index);
    int done = items == NULL ? -1 : select_items(state, items, tensor, part);
    Py_XDECREF(items);
    return done;
}

PyObject *index_slice(const sft_range *range) {
    PyObject *start = PyLong_FromLongLong(range->start);
    PyObject *stop = PyLong_FromLongLong(range->stop);
    PyObject *step = PyLong_FromLongLong(range->step);
    PyObject *slice =
        start != NULL && stop != NULL && step != NULL ? PySlice_New(start, stop, step) : NULL;
    Py_XDECREF(start);
    Py_XDECREF(stop);
    Py_XDECREF(step);
    return slice;
}
