/* TensorSpec: where a tensor lies in memory, and what it is. */
#ifndef SFT_PYTHON_SPEC_H
#define SFT_PYTHON_SPEC_H

#include <sft.h>

#include "state.h"

/* A TensorSpec. It never changes, so any thread may read it. It does not keep its bytes alive. */
typedef struct spec_object {
    PyVarObject base;
    sft_dtype dtype;
    uint32_t rank;
    const void *data; /* may be null or wrong: it is the caller's word */
    uint64_t size;    /* bytes at data, likewise */
    uint64_t shape[]; /* in elements of the header: twice the bytes for F4's last dimension */
} spec_object;

#endif
