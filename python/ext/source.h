/* A file that a Python object reads. */
#ifndef SFT_PYTHON_SOURCE_H
#define SFT_PYTHON_SOURCE_H

#include <sft.h>

#include "state.h"

/*
 * Opens a file over an object's read(size) and seek(offset, whence), by ranges. The object is kept
 * alive until sft_close(). Threads that read at once take turns.
 *
 * Everything that reads from the file, and sft_close(), is called with the interpreter attached.
 * What the object raises stays set when the call returns SFT_READ_FAILED.
 *
 * Returns as sft_open_source() does.
 */
sft_status source_open(PyObject *object, const sft_open_options *options, sft_file **file,
                       sft_error *error);

#endif
