/*
 * The header of a .npy file (NumPy's format 1.0 to 3.0): a Python literal, parsed by its grammar,
 * evaluated by nobody. Also NumPy's descriptions of dtypes, wherever they stand.
 */
#ifndef SFT_SRC_CHECKPOINT_NPY_H
#define SFT_SRC_CHECKPOINT_NPY_H

#include <sft/base.h>
#include <sft/dtype.h>

#include "checkpoint/region.h"

/* What a dtype string such as "<f4" or "|O" says. */
typedef struct sft_numpy_dtype {
    bool supported; /* `dtype` is one of ours */
    bool object;    /* elements are pickled */
    bool big_endian;
    sft_dtype dtype;
    uint64_t item_size; /* bytes of an element; 0 where not known */
    char text[32];      /* as it was written, escaped, cut */
} sft_numpy_dtype;

/* SFT_MALFORMED_SOURCE for what is no dtype string. Structured types are well formed, and not
 * supported. */
sft_status sft_numpy_dtype_parse(const char *text, size_t length, sft_numpy_dtype *dtype,
                                 sft_error *error);

typedef struct sft_npy {
    sft_numpy_dtype dtype;
    bool fortran;
    uint32_t rank;
    uint64_t shape[64];
    uint64_t elements;
    uint64_t data; /* where the array's bytes (or the pickle, of objects) begin in the region */
} sft_npy;

/*
 * Reads the header. SFT_MALFORMED_SOURCE, SFT_SOURCE_LIMIT (rank, a header above 1 MiB),
 * SFT_READ_FAILED, SFT_FILE_SHRANK. That the array's bytes fit the region exactly is checked here
 * too, but for objects.
 */
sft_status sft_npy_read(const sft_region *region, const sft_allocator *allocator, sft_npy *npy,
                        sft_error *error);

#endif
