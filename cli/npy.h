/*
 * The header of a NumPy .npy file.
 */
#ifndef CLI_NPY_H
#define CLI_NPY_H

#include "text.h"

#include <sft.h>

/* npy_descr() - NumPy's name for a dtype; NULL where elements are not whole bytes. */
const char *npy_descr(sft_dtype dtype);

/* npy_is_opaque() - whether NumPy has no such number, so that `descr` is a void type. */
bool npy_is_opaque(sft_dtype dtype);

/* npy_header() - adds the header (format version 1.0) of a dense little-endian array. */
void npy_header(struct text *to, sft_dtype dtype, const uint64_t *shape, uint32_t rank);

#endif /* CLI_NPY_H */
