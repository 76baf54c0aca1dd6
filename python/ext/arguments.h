/* What Python hands to our functions, taken apart, and what is said where it is of a wrong type. */
#ifndef SFT_PYTHON_ARGUMENTS_H
#define SFT_PYTHON_ARGUMENTS_H

#include <sft.h>

#include "state.h"

/*
 * Sets a TypeError that says of what type the argument should have been. Returns -1.
 *
 * @argument: its name
 * @wanted: a type: "dict", say
 */
int argument_refuse(const char *argument, PyObject *given, const char *wanted);

/*
 * A number from 0 to 2^64 - 1, from anything with __index__. Returns 0, or -1 with an OverflowError
 * or a TypeError.
 */
int argument_unsigned(PyObject *given, const char *argument, uint64_t *value);

/*
 * A path, from a str, a bytes or an os.PathLike: a new bytes object, as the system takes it. NULL
 * with a TypeError, or a ValueError for a NUL in it.
 */
PyObject *argument_path(PyObject *given, const char *argument);

/*
 * The text of a str, in UTF-8. It lives as long as the str. NULL with a TypeError, or a
 * UnicodeEncodeError for half of a surrogate pair.
 */
const char *argument_text(PyObject *given, const char *argument, size_t *length);

/* An element type, and how its name counts. */
typedef struct named_dtype {
    sft_dtype dtype;
    bool packed; /* one element of the last dimension stands for two of the header's */
} named_dtype;

/* Whose names an element type may have. */
typedef enum dtype_vocabulary {
    PYTHON_NAMES, /* NumPy's and PyTorch's: "float32" */
    ALL_NAMES     /* those, and the header's: "F32" */
} dtype_vocabulary;

/*
 * The element type of a name. Returns 0, or -1 with a TypeError if it is no str, or a
 * SafetensorError that lists the names there are.
 */
int argument_dtype(module_state *state, PyObject *given, const char *argument,
                   dtype_vocabulary vocabulary, named_dtype *named);

#endif
