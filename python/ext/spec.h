/* TensorSpec: where a tensor lies in memory, and what it is. */
#ifndef SFT_PYTHON_SPEC_H
#define SFT_PYTHON_SPEC_H

#include <sft.h>

#include "state.h"

/* A TensorSpec; immutable. */
typedef struct spec_object {
    PyObject_HEAD sft_dtype dtype;
    uint32_t rank;
    uint64_t *shape; /* in elements of the header: twice the bytes for F4's last dimension */
    void *data;
    uint64_t size; /* bytes at data */
} spec_object;

#endif
