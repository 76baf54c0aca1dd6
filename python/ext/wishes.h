/* How a file is to be read and for whom: the arguments that all ways to open one have. */
#ifndef SFT_PYTHON_WISHES_H
#define SFT_PYTHON_WISHES_H

#include <sft.h>

#include "framework.h"

typedef struct open_wishes {
    framework_kind kind;
    PyObject *device; /* what device_read() returned; a reference of its own */
    sft_access access;
} open_wishes;

/*
 * Reads them.
 *
 * @framework_name: any object; "pt", "numpy"…
 * @device, @backend: likewise; NULL or None for the default
 *
 * Returns 0, or -1 with an exception: TypeError for what is no text, SafetensorError for an unknown
 * name, ValueError as device_read() has it. Then nothing is to be given back.
 */
int wishes_read(module_state *state, PyObject *framework_name, PyObject *device, PyObject *backend,
                open_wishes *wishes);

#endif
