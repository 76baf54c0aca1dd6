/* A stable sort of numbers by what they stand for, in O(n log n) whatever the input. */
#ifndef SFT_SRC_BASE_SORT_H
#define SFT_SRC_BASE_SORT_H

#include <sft/base.h>

/* Whether thing number a must stand behind thing number b. */
typedef bool (*sft_sort_after)(const void *things, uint32_t a, uint32_t b);

/*
 * The numbers 0 to count - 1 in sorted order, or NULL where there is no memory.
 * The caller releases count * sizeof(uint32_t) bytes.
 */
uint32_t *sft_sort(const void *things, uint32_t count, sft_sort_after after,
                   const sft_allocator *allocator);

/* Compares bytes as unsigned values, then lengths: below, equal to or above 0. */
int sft_sort_bytes(const char *a, size_t a_length, const char *b, size_t b_length);

#endif
