#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

static void *default_allocate(void *context, size_t size) {
    (void)context;
    return malloc(size);
}

static void *default_reallocate(void *context, void *memory, size_t old_size, size_t new_size) {
    (void)context;
    (void)old_size;
    return realloc(memory, new_size);
}

static void default_release(void *context, void *memory, size_t size) {
    (void)context;
    (void)size;
    free(memory);
}

sft_allocator sft_allocator_of(const sft_allocator *given) {
    static const sft_allocator over_malloc = {NULL, default_allocate, default_reallocate,
                                              default_release};
    return given != NULL ? *given : over_malloc;
}

bool sft_allocator_usable(const sft_allocator *given) {
    return given == NULL ||
           (given->allocate != NULL && given->reallocate != NULL && given->release != NULL);
}

/* malloc(0) may return NULL, which would read as a failure. */
static size_t host_size(uint64_t size) {
    return size == 0 ? 1 : (size_t)size;
}

void *sft_allocate(const sft_allocator *allocator, uint64_t size) {
    if (size > PTRDIFF_MAX) {
        return NULL;
    }
    return allocator->allocate(allocator->context, host_size(size));
}

void *sft_allocate_zeroed(const sft_allocator *allocator, uint64_t count, uint64_t size) {
    uint64_t bytes;
    if (!sft_multiply(count, size, &bytes)) {
        return NULL;
    }
    void *memory = sft_allocate(allocator, bytes);
    if (memory != NULL) {
        memset(memory, 0, (size_t)bytes);
    }
    return memory;
}

void *sft_reallocate(const sft_allocator *allocator, void *memory, uint64_t old_size,
                     uint64_t new_size) {
    if (new_size > PTRDIFF_MAX) {
        return NULL;
    }
    if (memory == NULL) {
        return sft_allocate(allocator, new_size);
    }
    return allocator->reallocate(allocator->context, memory, host_size(old_size),
                                 host_size(new_size));
}

void sft_release(const sft_allocator *allocator, void *memory, uint64_t size) {
    if (memory != NULL) {
        allocator->release(allocator->context, memory, host_size(size));
    }
}

bool sft_reserve(const sft_allocator *allocator, void **items, uint64_t *capacity, uint64_t wanted,
                 uint64_t item_size) {
    uint64_t bytes;
    if (wanted <= *capacity) {
        return true;
    }
    if (!sft_multiply(wanted, item_size, &bytes)) {
        return false;
    }
    void *grown = sft_reallocate(allocator, *items, *capacity * item_size, bytes);
    if (grown == NULL) {
        return false;
    }
    *items = grown;
    *capacity = wanted;
    return true;
}

bool sft_grow(const sft_allocator *allocator, void **items, uint64_t *capacity, uint64_t count,
              uint64_t item_size) {
    return count < *capacity ||
           sft_reserve(allocator, items, capacity, *capacity + *capacity / 2 + 8, item_size);
}

static bool spend(sft_budget *budget, uint64_t old_size, uint64_t new_size) {
    uint64_t used;
    bool fits = sft_add(budget->used - old_size, new_size, &used) &&
                (budget->limit == 0 || used <= budget->limit);
    if (!fits) {
        budget->exceeded = true;
    }
    return fits;
}

static void *budget_allocate(void *context, size_t size) {
    sft_budget *budget = context;
    void *memory = spend(budget, 0, size) ? sft_allocate(&budget->from, size) : NULL;
    budget->used += memory != NULL ? size : 0;
    return memory;
}

static void *budget_reallocate(void *context, void *memory, size_t old_size, size_t new_size) {
    sft_budget *budget = context;
    void *moved = spend(budget, old_size, new_size)
                      ? sft_reallocate(&budget->from, memory, old_size, new_size)
                      : NULL;
    if (moved != NULL) {
        budget->used = budget->used - old_size + new_size;
    }
    return moved;
}

static void budget_release(void *context, void *memory, size_t size) {
    sft_budget *budget = context;
    sft_release(&budget->from, memory, size);
    budget->used -= size;
}

sft_allocator sft_budget_allocator(sft_budget *budget) {
    return (sft_allocator){budget, budget_allocate, budget_reallocate, budget_release};
}
