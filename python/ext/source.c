#include "source.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* The most that is asked for at once: read() returns memory of its own. */
#define LARGEST_READ ((size_t)64 << 20)

typedef struct source {
    PyObject *object;
    PyThread_type_lock turn; /* held from seek() to read(), for they belong together */
    atomic_ulong reader;     /* the thread that holds it, or 0 */
} source;

/*
 * Waits with the interpreter released: whoever holds the turn may need it. Returns 0, or -1 with a
 * RuntimeError where the object's own read() came back here.
 */
static int take_turn(source *self) {
    unsigned long me = PyThread_get_thread_ident();
    if (atomic_load(&self->reader) == me) {
        PyErr_SetString(PyExc_RuntimeError,
                        "a file object's read() or seek() uses the handle that reads from it");
        return -1;
    }
    if (PyThread_acquire_lock(self->turn, NOWAIT_LOCK) == 0) {
        Py_BEGIN_ALLOW_THREADS
        PyThread_acquire_lock(self->turn, WAIT_LOCK);
        Py_END_ALLOW_THREADS
    }
    atomic_store(&self->reader, me);
    return 0;
}

static void end_turn(source *self) {
    atomic_store(&self->reader, 0);
    PyThread_release_lock(self->turn);
}

/* Takes the position over. Returns 0 and stores it, or -1 with an exception. */
static int read_position(PyObject *position, uint64_t *value) {
    if (position == NULL) {
        return -1;
    }
    *value = PyLong_AsUnsignedLongLong(position);
    Py_DECREF(position);
    return *value == (uint64_t)-1 && PyErr_Occurred() ? -1 : 0;
}

/* What seek() returns is checked if it is a number: some return None. */
static int seek(PyObject *object, uint64_t offset) {
    uint64_t reached;
    PyObject *position =
        PyObject_CallMethod(object, "seek", "Ki", (unsigned long long)offset, SEEK_SET);
    if (position == NULL || position == Py_None) {
        Py_XDECREF(position);
        return position == NULL ? -1 : 0;
    }
    if (read_position(position, &reached) < 0) {
        return -1;
    }
    if (reached != offset) {
        PyErr_Format(PyExc_OSError, "the file object's seek(%llu) went to %llu",
                     (unsigned long long)offset, (unsigned long long)reached);
        return -1;
    }
    return 0;
}

static int find_size(source *self, uint64_t *size) {
    PyObject *position = PyObject_CallMethod(self->object, "seek", "ii", 0, SEEK_END);
    if (position == Py_None) {
        Py_DECREF(position);
        position = PyObject_CallMethod(self->object, "tell", NULL);
    }
    return read_position(position, size);
}

static int source_size(void *context, uint64_t *size) {
    source *self = context;
    if (take_turn(self) < 0) {
        return EIO;
    }
    int found = find_size(self, size);
    end_turn(self);
    return found < 0 ? EIO : 0;
}

/* Copies what read() returned. Returns how much, or -1 with an exception. */
static int64_t take_bytes(PyObject *bytes, void *to, size_t size) {
    Py_buffer view;
    if (PyUnicode_Check(bytes)) {
        PyErr_SetString(PyExc_TypeError, "the file object's read() returns text: open the file in "
                                         "binary mode");
        return -1;
    }
    if (PyObject_GetBuffer(bytes, &view, PyBUF_SIMPLE) < 0) {
        return -1;
    }
    size_t length = (size_t)view.len;
    if (length > size) {
        PyErr_Format(PyExc_OSError, "the file object's read(%zu) returned %zu bytes", size, length);
    } else if (length > 0) {
        memcpy(to, view.buf, length);
    }
    PyBuffer_Release(&view);
    return length > size ? -1 : (int64_t)length;
}

static int64_t source_read_at(void *context, uint64_t offset, void *to, size_t size) {
    source *self = context;
    size = size < LARGEST_READ ? size : LARGEST_READ;
    if (PyErr_Occurred() || take_turn(self) < 0) {
        return -EIO;
    }
    PyObject *bytes = NULL;
    if (seek(self->object, offset) == 0) {
        bytes = PyObject_CallMethod(self->object, "read", "n", (Py_ssize_t)size);
    }
    end_turn(self);
    int64_t length = bytes == NULL ? -1 : take_bytes(bytes, to, size);
    Py_XDECREF(bytes);
    return length < 0 ? -EIO : length;
}

static void source_close(void *context) {
    source *self = context;
    Py_DECREF(self->object);
    PyThread_free_lock(self->turn);
    free(self);
}

sft_status source_open(PyObject *object, const sft_open_options *options, sft_file **file,
                       sft_error *error) {
    source *self = malloc(sizeof *self);
    PyThread_type_lock turn = self == NULL ? NULL : PyThread_allocate_lock();
    if (turn == NULL) {
        free(self);
        error->status = SFT_NO_MEMORY;
        return SFT_NO_MEMORY;
    }
    self->object = Py_NewRef(object);
    self->turn = turn;
    atomic_init(&self->reader, 0);
    const sft_source functions = {
        .context = self,
        .size = source_size,
        .read_at = source_read_at,
        .close = source_close,
    };
    return sft_open_source(&functions, options, file, error);
}
