#include "compare.h"

#include "inputs.h"
#include "progress.h"
#include "values.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Elements in one go; whole bytes for every dtype. */
enum { PIECE = 128 * 1024 };

struct side {
    sft_dtype dtype;
    unsigned char *bytes;
    double *values;
};

bool compare_possible(const sft_tensor *a, const sft_tensor *b) {
    return a->rank == b->rank && values_per_element(a->dtype) == values_per_element(b->dtype) &&
           (a->rank == 0 || memcmp(a->shape, b->shape, a->rank * sizeof *a->shape) == 0);
}

static void add_difference(struct comparison *comparison, double difference) {
    comparison->different++;
    if (difference > comparison->greatest) {
        comparison->greatest = difference;
    }
}

/* 64-bit integers do not fit into a double: their difference is taken before it is rounded. */
static void compare_integers(const struct side *a, const struct side *b, size_t count,
                             struct comparison *comparison) {
    for (size_t i = 0; i < count; i++) {
        uint64_t x = values_integer(a->bytes, i);
        uint64_t y = values_integer(b->bytes, i);
        if (x != y) {
            bool x_greater = a->dtype == SFT_I64 ? (int64_t)x > (int64_t)y : x > y;
            add_difference(comparison, (double)(x_greater ? x - y : y - x));
        }
    }
}

static void compare_real(const struct side *a, const struct side *b, size_t count,
                         struct comparison *comparison) {
    for (size_t i = 0; i < count; i++) {
        double x = a->values[i];
        double y = b->values[i];
        bool x_nan = isnan(x);
        bool y_nan = isnan(y);
        comparison->nan[0] += x_nan;
        comparison->nan[1] += y_nan;
        if (x_nan || y_nan) {
            comparison->different += x_nan != y_nan;
        } else if (x < y || x > y) {
            add_difference(comparison, fabs(x - y));
        }
    }
}

static void compare_complex(const struct side *a, const struct side *b, size_t count,
                            struct comparison *comparison) {
    for (size_t i = 0; i < 2 * count; i += 2) {
        const double *x = a->values + i;
        const double *y = b->values + i;
        bool x_nan = isnan(x[0]) || isnan(x[1]);
        bool y_nan = isnan(y[0]) || isnan(y[1]);
        comparison->nan[0] += x_nan;
        comparison->nan[1] += y_nan;
        if (x_nan || y_nan) {
            comparison->different += x_nan != y_nan;
        } else {
            /* Equal infinities would give NaN when subtracted. */
            double real = x[0] < y[0] || x[0] > y[0] ? x[0] - y[0] : 0;
            double imaginary = x[1] < y[1] || x[1] > y[1] ? x[1] - y[1] : 0;
            double difference = hypot(real, imaginary);
            if (difference > 0) {
                add_difference(comparison, difference);
            }
        }
    }
}

static void compare_piece(const struct side *a, const struct side *b, size_t count, size_t size,
                          struct comparison *comparison) {
    if (a->dtype == b->dtype && memcmp(a->bytes, b->bytes, size) == 0) {
        struct special special = {0, 0, 0};
        values_count_special(a->dtype, a->bytes, count, 0, &special);
        comparison->nan[0] += special.nan;
        comparison->nan[1] += special.nan;
        return;
    }
    if (a->dtype == b->dtype && (a->dtype == SFT_I64 || a->dtype == SFT_U64)) {
        compare_integers(a, b, count, comparison);
        return;
    }
    values_decode(a->dtype, a->bytes, count, a->values);
    values_decode(b->dtype, b->bytes, count, b->values);
    if (values_per_element(a->dtype) == 2) {
        compare_complex(a, b, count, comparison);
    } else {
        compare_real(a, b, count, comparison);
    }
}

static sft_status compare_all(const sft_model_tensor places[2], const struct side sides[2],
                              struct comparison *comparison, int *failed, sft_error *error) {
    for (uint64_t at = 0; at < comparison->elements;) {
        uint64_t left = comparison->elements - at;
        size_t count = left < PIECE ? (size_t)left : PIECE;
        uint64_t size = 0;
        for (int i = 0; i < 2; i++) {
            uint64_t bits = sft_dtype_bits(sides[i].dtype);
            size = count * bits / 8;
            /* `at` is a multiple of PIECE, so at / 8 is exact. */
            sft_status status = sft_read_part(places[i].file, places[i].tensor, at / 8 * bits,
                                              sides[i].bytes, size, error);
            if (status != SFT_OK) {
                *failed = i;
                return status;
            }
            progress_add(size);
        }
        compare_piece(&sides[0], &sides[1], count, (size_t)size, comparison);
        at += count;
    }
    return SFT_OK;
}

sft_status compare_data(const sft_model_tensor places[2], struct comparison *comparison,
                        int *failed, sft_error *error) {
    struct side sides[2];
    memset(comparison, 0, sizeof *comparison);
    comparison->elements = input_elements(places[0].tensor);
    uint64_t room = comparison->elements < PIECE ? comparison->elements : PIECE;
    for (int i = 0; i < 2; i++) {
        sides[i].dtype = places[i].tensor->dtype;
        sides[i].bytes = memory_take((size_t)room, 8);
        sides[i].values = memory_take((size_t)room * 2, sizeof(double));
    }
    sft_status status = compare_all(places, sides, comparison, failed, error);
    for (int i = 0; i < 2; i++) {
        free(sides[i].bytes);
        free(sides[i].values);
    }
    return status;
}
