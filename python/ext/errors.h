/* From an sft_error to the exception that users of safetensors expect. */
#ifndef SFT_PYTHON_ERRORS_H
#define SFT_PYTHON_ERRORS_H

#include <sft.h>

#include "state.h"

/* What was being done: it decides how the message begins. */
typedef enum operation {
    OPENING,       /* "Error while deserializing header: " */
    DESERIALIZING, /* "Error while deserializing: ", of bytes in memory */
    SERIALIZING,   /* "Error while serializing: " */
    READING,       /* nothing: a tensor or a slice of an open file, a file to scan */
    CONVERTING     /* nothing: another format's file */
} operation;

/*
 * Sets the exception of a failed call and returns NULL.
 *
 * A missing file is a FileNotFoundError, one without permission a PermissionError, a folder without
 * shards an IsADirectoryError; memory that ran out a MemoryError; all else a SafetensorError, whose
 * message is the sentence and the kind of error that the Rust implementation has for the defect.
 * The attributes `code` (such as "HEADER_TOO_LARGE"), `byte`, `tensor`, `file` and `errno` (None
 * where there is none) say where, and a note (Python 3.11 and later) holds the library's own line.
 *
 * @name: what the user called the file, or NULL; shown instead of the error's own path
 */
PyObject *raise_error(module_state *state, operation doing, const sft_error *error, PyObject *name);

/* SafetensorError for a tensor that no file has, with the attributes `code` and `tensor`. NULL. */
PyObject *raise_missing_tensor(module_state *state, PyObject *name);

/* SafetensorError with a printf-like message, as PyErr_Format() knows it. Returns NULL. */
PyObject *raise_safetensor_error(module_state *state, const char *format, ...);

#endif
