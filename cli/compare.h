/*
 * The values of two tensors, element by element.
 */
#ifndef CLI_COMPARE_H
#define CLI_COMPARE_H

#include <sft.h>

#include <stdbool.h>

struct comparison {
    uint64_t elements;
    uint64_t different; /* NaN equals NaN, and 0 equals -0 */
    double greatest;    /* absolute difference, where neither is NaN */
    uint64_t nan[2];
};

/* compare_possible() - whether shapes are the same, and both are real or both complex. */
bool compare_possible(const sft_tensor *a, const sft_tensor *b);

/* compare_data() - two tensors for which that is true. *failed receives 0 or 1, the side that
 * could not be read. Returns as sft_read_part(). */
sft_status compare_data(const sft_model_tensor places[2], struct comparison *comparison,
                        int *failed, sft_error *error);

#endif /* CLI_COMPARE_H */
