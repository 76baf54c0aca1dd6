/* Arithmetic on sizes. Every sum or product of numbers from outside goes through here. */
#ifndef SFT_SRC_BASE_CHECKED_H
#define SFT_SRC_BASE_CHECKED_H

#include <stdbool.h>
#include <stdint.h>

/* Each stores the result and returns true, or returns false where it does not fit in 64 bits. */
static inline bool sft_add(uint64_t a, uint64_t b, uint64_t *sum) {
    *sum = a + b;
    return *sum >= a;
}

static inline bool sft_multiply(uint64_t a, uint64_t b, uint64_t *product) {
#if defined(__GNUC__)
    return !__builtin_mul_overflow(a, b, product);
#else
    *product = a * b;
    return a == 0 || *product / a == b;
#endif
}

/* value rounded up to a multiple of a power of two. */
static inline bool sft_round_up(uint64_t value, uint64_t power_of_two, uint64_t *rounded) {
    bool fits = sft_add(value, power_of_two - 1, rounded);
    *rounded &= ~(power_of_two - 1);
    return fits;
}

static inline uint64_t sft_min(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

#endif
