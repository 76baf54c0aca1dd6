/* What a scan found, as plain tuples, which _checkpoints.py makes its classes of. */
#ifndef SFT_PYTHON_SCAN_H
#define SFT_PYTHON_SCAN_H

#include <sft.h>

#include "state.h"

/* The names that a caller vouches for, as the library takes them. */
typedef struct allowed_names {
    PyObject *pairs; /* a tuple of tuples, which keeps the texts */
    sft_allowed *names;
    uint64_t count;
} allowed_names;

/* Returns 0, or -1 with an exception; the caller frees it in either case. */
int allowed_take(allowed_names *self, PyObject *pairs);
void allowed_free(allowed_names *self);

/*
 * (path, verdict, format, found, findings), each finding a tuple in the order of sft_finding. NULL
 * with an exception.
 */
PyObject *scan_tuple(const char *path, const sft_scan_result *result);

/* Text of the library, or None for NULL: UTF-8, with what is not shown by escapes. */
PyObject *scan_text(const char *text);

#endif
