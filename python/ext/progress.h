/* A long call of the library, without the interpreter: told how far it is, ended by Ctrl-C. */
#ifndef SFT_PYTHON_PROGRESS_H
#define SFT_PYTHON_PROGRESS_H

#include "state.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

typedef struct progress {
    PyObject *function; /* called with two ints; borrowed; NULL for none */
    PyThreadState *thread;
    unsigned long caller;
    struct timespec last; /* when it was called */
    atomic_bool stopped;
} progress;

/*
 * Gives the interpreter back before the call, and takes it after it. An exception that the function
 * raised, or a signal's handler, is set then.
 *
 * @function: what Python gave for it; None for none
 */
void progress_begin(progress *self, PyObject *function);
void progress_end(progress *self);

/* The library's callback, whose context is the progress. */
bool progress_report(void *context, uint64_t done, uint64_t total);

#endif
