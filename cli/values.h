/*
 * The values behind a tensor's bytes, whatever its dtype.
 */
#ifndef CLI_VALUES_H
#define CLI_VALUES_H

#include <sft.h>

#include <stdbool.h>

/* values_per_element() - 2 for complex numbers (real, imaginary), else 1. */
unsigned values_per_element(sft_dtype dtype);

/* values_may_be_special() - whether the dtype has a NaN or an infinity at all. */
bool values_may_be_special(sft_dtype dtype);

/*
 * values_decode() - turns little-endian bytes into numbers. Integers beyond 2^53 are
 * rounded, everything else is exact.
 *
 * @bytes: `count` elements, from a whole byte on
 * @values: room for count times values_per_element()
 */
void values_decode(sft_dtype dtype, const unsigned char *bytes, size_t count, double *values);

/* values_integer() - element `index` of an I64 or U64 tensor, as its 64 bits. */
uint64_t values_integer(const unsigned char *bytes, size_t index);

/* What is not finite among some elements. A complex number with a NaN in it counts as one NaN. */
struct special {
    uint64_t nan;
    uint64_t infinite;
    uint64_t first; /* number of the first such element; only where there is one */
};

/* values_count_special() - adds to `special`; `from` is the number of the first element here. */
void values_count_special(sft_dtype dtype, const unsigned char *bytes, size_t count, uint64_t from,
                          struct special *special);

#endif /* CLI_VALUES_H */
