/* Allocation through the caller's hook, with 64-bit sizes on every host. */
#ifndef SFT_SRC_BASE_MEMORY_H
#define SFT_SRC_BASE_MEMORY_H

#include <sft/base.h>

/* A copy of the caller's allocator, or of the one over malloc where given is NULL. */
sft_allocator sft_allocator_of(const sft_allocator *given);

/* False if an allocator lacks one of its functions. */
bool sft_allocator_usable(const sft_allocator *given);

/* NULL where the host has not that much, or size does not fit its size_t. Size 0 gives a pointer.
 */
void *sft_allocate(const sft_allocator *allocator, uint64_t size);

/* The same for count elements of a size, zeroed. */
void *sft_allocate_zeroed(const sft_allocator *allocator, uint64_t count, uint64_t size);

/* Keeps the old memory where it returns NULL. */
void *sft_reallocate(const sft_allocator *allocator, void *memory, uint64_t old_size,
                     uint64_t new_size);

void sft_release(const sft_allocator *allocator, void *memory, uint64_t size);

/* Makes room for `wanted` elements at once, in an array as sft_grow() has it. */
bool sft_reserve(const sft_allocator *allocator, void **items, uint64_t *capacity, uint64_t wanted,
                 uint64_t item_size);

/*
 * Makes room in an array for one element more. `items` is the array's pointer, capacity how many
 * elements it has room for. Grows by half, so that n elements cost time linear in n. False where
 * there is no memory; the array is then as before.
 */
bool sft_grow(const sft_allocator *allocator, void **items, uint64_t *capacity, uint64_t count,
              uint64_t item_size);

/* An allocator that stops giving at a limit, and knows that it did. */
typedef struct sft_budget {
    sft_allocator from;
    uint64_t limit; /* 0: none */
    uint64_t used;
    bool exceeded;
} sft_budget;

/* The allocator over a budget, which must not move while it is in use. */
sft_allocator sft_budget_allocator(sft_budget *budget);

#endif
