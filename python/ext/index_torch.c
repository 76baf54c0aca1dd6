/*
 * Torch's way of indexing, as far as it decides which bytes are needed.
 *
 * An item of an index is a number, a slice, None, a bool, an Ellipsis, or something like an array.
 * Numbers and slices narrow their dimension; all else needs it whole and is left for torch, which
 * finds the narrowed dimensions in place: those of slices with a slice of everything, those of
 * numbers with their one element at 0. How many dimensions an array takes is for torch to know, so
 * what follows one is narrowed only if an Ellipsis pins it to the last dimensions.
 */
#include "errors.h"
#include "index.h"

typedef enum item_kind { NUMBER, SLICE, NO_DIMENSION, ONE_DIMENSION, ELLIPSIS, ARRAY } item_kind;

/* An index on its way to a selection. Ranges count torch's elements until the end. */
typedef struct narrowing {
    const uint64_t *shape;
    uint32_t rank;
    uint64_t packing;
    PyObject *items; /* tuple */
    PyObject *rest;  /* tuple of the same length */
    bool any_left;   /* whether the rest does more than drop dimensions */
    bool given_up;   /* torch gets all of the tensor */
    selection *part;
} narrowing;

/* ---- what an item is ---- */

/* NumPy's numbers are numbers; its arrays and torch's tensors, which have a length, are not. */
static bool is_number(PyObject *item) {
    if (PyBool_Check(item) || !PyIndex_Check(item)) {
        return false;
    }
    const PySequenceMethods *sequence = Py_TYPE(item)->tp_as_sequence;
    const PyMappingMethods *mapping = Py_TYPE(item)->tp_as_mapping;
    return (sequence == NULL || sequence->sq_length == NULL) &&
           (mapping == NULL || mapping->mp_length == NULL);
}

static bool holds_numbers(PyObject *list) {
    bool numbers = true;
    for (Py_ssize_t i = 0; numbers && i < PyList_GET_SIZE(list); i++) {
        numbers = PyLong_CheckExact(PyList_GET_ITEM(list, i));
    }
    return numbers;
}

static item_kind kind_of(PyObject *item) {
    if (item == Py_Ellipsis) {
        return ELLIPSIS;
    }
    if (item == Py_None || PyBool_Check(item)) {
        return NO_DIMENSION;
    }
    if (PySlice_Check(item)) {
        return SLICE;
    }
    if (is_number(item)) {
        return NUMBER;
    }
    bool numbers = false;
    if (PyList_CheckExact(item)) {
        Py_BEGIN_CRITICAL_SECTION(item);
        numbers = holds_numbers(item);
        Py_END_CRITICAL_SECTION();
    }
    return numbers ? ONE_DIMENSION : ARRAY;
}

/* ---- one item ---- */

/*
 * Torch is to judge the index, and to raise again what reading it has raised. Returns 0, or -1
 * where the exception is not about the index.
 */
static int give_up(narrowing *self) {
    self->given_up = true;
    if (PyErr_Occurred() && PyErr_ExceptionMatches(PyExc_Exception) &&
        !PyErr_ExceptionMatches(PyExc_MemoryError)) {
        PyErr_Clear();
    }
    return PyErr_Occurred() ? -1 : 0;
}

/* Takes the value over. */
static int leave(narrowing *self, Py_ssize_t at, PyObject *value) {
    return value == NULL ? -1 : PyTuple_SetItem(self->rest, at, value);
}

static bool is_packed(const narrowing *self, uint32_t dimension) {
    return self->packing > 1 && dimension + 1 == self->rank;
}

static int narrow_number(narrowing *self, Py_ssize_t at, uint32_t dimension) {
    int overflow = 0;
    PyObject *number = PyNumber_Index(PyTuple_GET_ITEM(self->items, at));
    if (number == NULL) {
        return give_up(self);
    }
    long long value = PyLong_AsLongLongAndOverflow(number, &overflow);
    Py_DECREF(number);
    int64_t size = (int64_t)self->shape[dimension];
    if (overflow != 0 || value < -size || value >= size) {
        return give_up(self);
    }
    int64_t place = value < 0 ? value + size : value;
    self->part->ranges[dimension] = (sft_range){SFT_INDEX, place, place + 1, 1};
    self->any_left = self->any_left || is_packed(self, dimension);
    return leave(self, at, PyLong_FromLong(0));
}

/* Every other byte is no range of the elements in it: torch picks the bytes from all. */
static int leave_steps(narrowing *self, Py_ssize_t at, const sft_range *range) {
    self->any_left = true;
    return leave(self, at, index_slice(range));
}

static int narrow_slice(narrowing *self, Py_ssize_t at, uint32_t dimension) {
    Py_ssize_t start = 0;
    Py_ssize_t stop = 0;
    Py_ssize_t step = 0;
    /* Torch's arithmetic overflows at the largest steps: what comes of it, torch alone can tell. */
    if (PySlice_Unpack(PyTuple_GET_ITEM(self->items, at), &start, &stop, &step) < 0 || step < 1 ||
        step > INT32_MAX) {
        return give_up(self);
    }
    (void)PySlice_AdjustIndices((Py_ssize_t)self->shape[dimension], &start, &stop, step);
    sft_range range = {SFT_RANGE, start, stop, step};
    if (step > 1 && is_packed(self, dimension)) {
        return leave_steps(self, at, &range);
    }
    self->part->ranges[dimension] = range;
    return leave(self, at, PySlice_New(NULL, NULL, NULL));
}

static int leave_item(narrowing *self, Py_ssize_t at, item_kind kind) {
    self->any_left = true;
    self->part->doubtful = self->part->doubtful || kind == ONE_DIMENSION || kind == ARRAY;
    return leave(self, at, Py_NewRef(PyTuple_GET_ITEM(self->items, at)));
}

/* ---- all items ---- */

static int narrow_item(narrowing *self, Py_ssize_t at, item_kind kind, uint32_t dimension) {
    switch (kind) {
    case NUMBER:
        return narrow_number(self, at, dimension);
    case SLICE:
        return narrow_slice(self, at, dimension);
    default:
        return leave_item(self, at, kind);
    }
}

/*
 * From the first item, and dimension, up to one whose dimension is not known. Stores at `*at` which
 * item that is, and returns how many dimensions came before it; -1 with an exception.
 */
static int64_t narrow_front(narrowing *self, Py_ssize_t *at) {
    uint32_t dimension = 0;
    for (*at = 0; *at < PyTuple_GET_SIZE(self->items) && !self->given_up; ++*at) {
        item_kind kind = kind_of(PyTuple_GET_ITEM(self->items, *at));
        if (kind == ELLIPSIS || kind == ARRAY) {
            break;
        }
        if (kind != NO_DIMENSION && dimension == self->rank) {
            return give_up(self);
        }
        if (narrow_item(self, *at, kind, dimension) < 0) {
            return -1;
        }
        dimension += kind != NO_DIMENSION;
    }
    return dimension;
}

/* From the last item, and dimension, back to the Ellipsis or to an array behind it. */
static int narrow_back(narrowing *self, Py_ssize_t ellipsis, uint32_t front) {
    uint32_t dimension = self->rank;
    for (Py_ssize_t at = PyTuple_GET_SIZE(self->items) - 1; at > ellipsis && !self->given_up;
         at--) {
        item_kind kind = kind_of(PyTuple_GET_ITEM(self->items, at));
        if (kind == ARRAY) {
            break;
        }
        if (kind != NO_DIMENSION && dimension == front) {
            return give_up(self);
        }
        dimension -= kind != NO_DIMENSION;
        if (narrow_item(self, at, kind, dimension) < 0) {
            return -1;
        }
    }
    return 0;
}

/* The place of the one Ellipsis, the number of items if there is none, -1 if there are several. */
static Py_ssize_t find_ellipsis(PyObject *items) {
    Py_ssize_t place = PyTuple_GET_SIZE(items);
    for (Py_ssize_t at = place - 1; at >= 0; at--) {
        if (PyTuple_GET_ITEM(items, at) == Py_Ellipsis) {
            if (place < PyTuple_GET_SIZE(items)) {
                return -1;
            }
            place = at;
        }
    }
    return place;
}

static int narrow_items(narrowing *self) {
    Py_ssize_t count = PyTuple_GET_SIZE(self->items);
    Py_ssize_t ellipsis = find_ellipsis(self->items);
    if (ellipsis < 0) {
        return give_up(self);
    }
    Py_ssize_t at = 0;
    int64_t front = narrow_front(self, &at);
    if (front < 0 || narrow_back(self, ellipsis, (uint32_t)front) < 0) {
        return -1;
    }
    for (; at < count && !self->given_up; at++) {
        PyObject *item = PyTuple_GET_ITEM(self->items, at);
        int done = 0;
        if (item == Py_Ellipsis) {
            done = leave(self, at, Py_NewRef(item));
        } else if (PyTuple_GET_ITEM(self->rest, at) == NULL) {
            done = leave_item(self, at, ARRAY);
        }
        if (done < 0) {
            return -1;
        }
    }
    return 0;
}

/* ---- the selection ---- */

static void select_all(const narrowing *self) {
    self->part->count = self->rank;
    for (uint32_t i = 0; i < self->rank; i++) {
        self->part->ranges[i] = (sft_range)SFT_ALL;
    }
}

/* What the rest is to be, and what the ranges are, by all that is known now. */
static void finish(narrowing *self, PyObject *index) {
    selection *part = self->part;
    if (self->given_up) {
        select_all(self);
        part->doubtful = true;
        part->rest = Py_NewRef(index);
    } else if (self->any_left) {
        part->rest = Py_NewRef(self->rest);
    }
    for (uint32_t i = 0; i < self->rank && part->rest != NULL; i++) {
        part->ranges[i].kind = SFT_RANGE;
    }
    for (uint32_t i = 0; i < self->rank; i++) {
        if (is_packed(self, i) && part->ranges[i].stop != SFT_END) {
            part->ranges[i].start *= (int64_t)self->packing;
            part->ranges[i].stop *= (int64_t)self->packing;
        }
    }
}

static bool fits(const narrowing *self) {
    bool small = true;
    for (uint32_t i = 0; i < self->rank; i++) {
        small = small && self->shape[i] <= (uint64_t)PY_SSIZE_T_MAX / self->packing;
    }
    return small;
}

static int narrow(narrowing *self, PyObject *index) {
    bool one = !PyTuple_Check(index);
    self->items = one ? PyTuple_Pack(1, index) : Py_NewRef(index);
    self->rest = self->items == NULL ? NULL : PyTuple_New(PyTuple_GET_SIZE(self->items));
    if (self->rest == NULL) {
        return -1;
    }
    select_all(self);
    /* Torch takes some lists for tuples: as an item of one they would mean something else. */
    self->given_up = !fits(self) || (one && kind_of(index) == ARRAY);
    if (!self->given_up && narrow_items(self) < 0) {
        return -1;
    }
    finish(self, index);
    return 0;
}

int index_narrow(module_state *state, PyObject *index, const sft_tensor *tensor,
                 const uint64_t *shape, uint64_t packing, selection *part) {
    part->rest = NULL;
    part->doubtful = false;
    narrowing self = {.shape = shape, .rank = tensor->rank, .packing = packing, .part = part};
    int done = narrow(&self, index);
    Py_XDECREF(self.items);
    Py_XDECREF(self.rest);
    sft_error error;
    if (done == 0 && sft_slice_shape(tensor, part->ranges, part->count, part->shape, &part->rank,
                                     &part->bytes, &error) != SFT_OK) {
        raise_error(state, READING, &error, NULL);
        done = -1;
    }
    if (done < 0) {
        index_clear(part);
    }
    return done;
}
