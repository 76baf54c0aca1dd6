/* StreamWriter's inside, shared by what begins a writer, what it writes, and how it ends. */
#ifndef SFT_PYTHON_STREAM_H
#define SFT_PYTHON_STREAM_H

#include "state.h"

#include <sft.h>
#include <stdatomic.h>
#include <unistd.h>

typedef enum phase {
    DECLARING,
    OPEN,
    COMMITTING, /* in one thread; the others wait for its end by an error */
    COMMITTED,
    ABORTED,
    FAILED /* the disk or memory failed a put() or a commit() */
} phase;

typedef struct declared_tensor {
    sft_dtype dtype;
    uint32_t rank;
    uint64_t *shape;
    uint64_t size; /* bytes */
} declared_tensor;

typedef struct writer_object {
    PyObject ob_base;
    PyObject *indices; /* dict of name to the library's number of the tensor */
    declared_tensor *declared;
    Py_ssize_t count;
    atomic_bool cancelled; /* puts under way are to end */
    pid_t process;         /* that made it; a fork's copy must leave the file alone */
    /* From here on: under the object's critical section. */
    sft_writer *writer; /* NULL once it has ended and the last put has left */
    phase phase;
    Py_ssize_t puts; /* under way */
} writer_object;

/*
 * Fills a new writer and begins its file, which makes it OPEN. Returns 0, or -1 with an exception;
 * the writer is then fit only to be freed.
 *
 * @path: bytes, as the system takes them
 * @specs: an iterable of (name, dtype, shape)
 * @metadata: a dict, or None
 * @options: durable and alignment; the rest is set here
 */
int writer_begin(writer_object *self, PyObject *path, PyObject *specs, PyObject *metadata,
                 sft_write_options *options);

/* The method put(). */
PyObject *writer_put(PyObject *object, PyObject *arguments, PyObject *keywords);

/* SafetensorError, for what the phase does not allow. Returns NULL. */
PyObject *writer_refuse(writer_object *self, phase now);

/* Returns 0, or -1 with a SafetensorError in the copy that a fork has. */
int writer_check_process(writer_object *self);

/*
 * Ends the use of the library's handle, if no put is at it. Under the object's critical section;
 * the caller passes what is returned to writer_free() when it has left it.
 */
sft_writer *writer_take(writer_object *self);

/* Frees it, without the interpreter: it unlinks, or gives back, what may be large. NULL is fine. */
void writer_free(sft_writer *writer);

#endif
