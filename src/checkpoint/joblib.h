/*
 * Arrays that joblib.dump writes as raw bytes inside of the pickle, behind NumpyArrayWrapper. Other
 * loaders than joblib's take those bytes for opcodes: who judges a file reads it both ways.
 */
#ifndef SFT_SRC_CHECKPOINT_JOBLIB_H
#define SFT_SRC_CHECKPOINT_JOBLIB_H

#include <sft/base.h>

#include "checkpoint/npy.h"
#include "checkpoint/region.h"

/* What a NumpyArrayWrapper says. */
typedef struct sft_joblib_array {
    sft_numpy_dtype dtype;
    bool fortran;
    uint32_t rank;
    uint64_t shape[64];
    uint64_t elements;
    uint64_t size; /* bytes; 0 for objects */
} sft_joblib_array;

/* False where the object is no such wrapper, or says nothing that can be understood. */
bool sft_joblib_array_of(const sft_graph *graph, sft_ref object, sft_joblib_array *array);

typedef struct sft_joblib {
    const sft_region *region;
    bool seen;    /* set by the hook: there was such an array */
    bool misread; /* set by the hook: there was one whose bytes could not be told from opcodes, so
                     that what follows may not be what joblib reads */
    /*
     * Called where an array of objects, which is another pickle, begins at `position`: it says
     * where that ends. May be NULL: the machine goes on behind the BUILD.
     */
    bool (*nested)(void *context, uint64_t position, uint64_t *end);
    void *context;
} sft_joblib;

/* For sft_pickle_options.after_build; its context is an sft_joblib. */
bool sft_joblib_after_build(void *context, const sft_graph *graph, sft_ref object,
                            uint64_t position, uint64_t *raw_offset, uint64_t *raw_size,
                            uint64_t *next);

#endif
