/* NumPy's objects in pickles: types of elements, and arrays. */
#ifndef SFT_SRC_CHECKPOINT_NUMPY_H
#define SFT_SRC_CHECKPOINT_NUMPY_H

#include <sft/base.h>

#include "checkpoint/npy.h"
#include "checkpoint/values.h"

/* False where the value is no dtype, or one that is described in a way that is not known. */
bool sft_numpy_dtype_of(const sft_graph *graph, sft_ref ref, sft_numpy_dtype *dtype);

typedef struct sft_numpy_array {
    sft_numpy_dtype dtype;
    bool fortran;
    uint32_t rank;
    uint64_t shape[SFT_RANK_MAX];
    sft_ref bytes; /* what holds its bytes; a LIST of objects; SFT_NO_REF where nothing does */
} sft_numpy_array;

typedef enum sft_numpy_result {
    SFT_NUMPY_ARRAY,
    SFT_NUMPY_NONE,   /* it is no array, or of a class derived from NumPy's */
    SFT_NUMPY_BROKEN, /* it is meant to be an array, and cannot be understood */
    SFT_NUMPY_RANK    /* more than 64 dimensions */
} sft_numpy_result;

/*
 * What _reconstruct and a state, or _frombuffer, make of their arguments. *why receives a sentence
 * where the array cannot be understood.
 */
sft_numpy_result sft_numpy_array_of(const sft_graph *graph, sft_ref ref, sft_numpy_array *array,
                                    const char **why);

#endif
