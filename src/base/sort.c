#include "base/sort.h"

#include <string.h>

#include "base/checked.h"
#include "base/memory.h"

/* Merges the sorted runs [begin, middle) and [middle, end). */
static void merge(const void *things, sft_sort_after after, const uint32_t *from, uint32_t *to,
                  uint64_t begin, uint64_t middle, uint64_t end) {
    uint64_t left = begin;
    uint64_t right = middle;
    for (uint64_t at = begin; at < end; at++) {
        bool take_right = left == middle || (right < end && after(things, from[left], from[right]));
        to[at] = take_right ? from[right++] : from[left++];
    }
}

/* The C library's qsort() may be quadratic, and takes memory past the caller's allocator. */
uint32_t *sft_sort(const void *things, uint32_t count, sft_sort_after after,
                   const sft_allocator *allocator) {
    uint64_t size = (uint64_t)count * sizeof(uint32_t);
    uint32_t *from = sft_allocate(allocator, size);
    uint32_t *to = sft_allocate(allocator, size);
    if (from == NULL || to == NULL) {
        sft_release(allocator, from, size);
        sft_release(allocator, to, size);
        return NULL;
    }
    for (uint32_t i = 0; i < count; i++) {
        from[i] = i;
    }
    for (uint64_t width = 1; width < count; width *= 2) {
        for (uint64_t begin = 0; begin < count; begin += 2 * width) {
            uint64_t middle = sft_min(begin + width, count);
            merge(things, after, from, to, begin, middle, sft_min(begin + 2 * width, count));
        }
        uint32_t *sorted = to;
        to = from;
        from = sorted;
    }
    sft_release(allocator, to, size);
    return from;
}

int sft_sort_bytes(const char *a, size_t a_length, const char *b, size_t b_length) {
    size_t common = a_length < b_length ? a_length : b_length;
    int order = common > 0 ? memcmp(a, b, common) : 0;
    return order != 0 ? order : (a_length > b_length) - (a_length < b_length);
}
