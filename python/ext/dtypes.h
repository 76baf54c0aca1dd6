/* Element types by the names that NumPy and PyTorch have for them. */
#ifndef SFT_PYTHON_DTYPES_H
#define SFT_PYTHON_DTYPES_H

#include <sft.h>

#include "state.h"

/* How a type is known outside of headers. */
typedef struct dtype_names {
    const char *python; /* what str(dtype) ends with: "float32"; NULL if TensorSpec knows none */
    const char *numpy;  /* the attribute of numpy that is the type, or NULL */
    const char *ml;     /* the attribute of ml_dtypes that is the type, or NULL */
    const char *torch;  /* the attribute of torch that is the type, or NULL */
} dtype_names;

/* The names of a type. Static. */
const dtype_names *dtype_names_of(sft_dtype dtype);

/*
 * The type of a TensorSpec's name ("float32", "bfloat16", "float4_e2m1fn_x2"…). Returns 0, or -1
 * with a SafetensorError that lists the names there are.
 */
int dtype_from_python(module_state *state, const char *name, sft_dtype *dtype);

/*
 * Elements that one element of the framework's own type stands for: 2 for F4, whose torch type
 * counts bytes, else 1.
 */
uint64_t dtype_packing(sft_dtype dtype);

#endif
