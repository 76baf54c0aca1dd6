#include "progress.h"

#include <string.h>

/* Often enough for an eye and for Ctrl-C, and seldom enough to cost nothing. */
#define NANOSECONDS_BETWEEN 50000000

void progress_begin(progress *self, PyObject *function) {
    memset(self, 0, sizeof *self);
    self->function = function == Py_None ? NULL : function;
    self->caller = PyThread_get_thread_ident();
    atomic_init(&self->stopped, false);
    self->thread = PyEval_SaveThread();
}

void progress_end(progress *self) {
    PyEval_RestoreThread(self->thread);
}

static bool is_due(progress *self, bool last) {
    struct timespec now;
    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0) {
        return true;
    }
    int64_t passed =
        (int64_t)(now.tv_sec - self->last.tv_sec) * 1000000000 + (now.tv_nsec - self->last.tv_nsec);
    if (passed < NANOSECONDS_BETWEEN && !last) {
        return false;
    }
    self->last = now;
    return true;
}

static bool tell(progress *self, uint64_t done, uint64_t total) {
    if (PyErr_CheckSignals() < 0) {
        return false;
    }
    if (self->function == NULL) {
        return true;
    }
    PyObject *result = PyObject_CallFunction(self->function, "KK", (unsigned long long)done,
                                             (unsigned long long)total);
    Py_XDECREF(result);
    return result != NULL;
}

bool progress_report(void *context, uint64_t done, uint64_t total) {
    progress *self = context;
    if (atomic_load(&self->stopped)) {
        return false;
    }
    /* The interpreter is the caller's to take; a thread of the library only learns to stop. */
    if (PyThread_get_thread_ident() != self->caller || !is_due(self, done == total)) {
        return true;
    }
    PyEval_RestoreThread(self->thread);
    if (!tell(self, done, total)) {
        atomic_store(&self->stopped, true);
    }
    self->thread = PyEval_SaveThread();
    return !atomic_load(&self->stopped);
}
