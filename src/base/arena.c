#include "base/arena.h"

#include <string.h>

#include "base/checked.h"
#include "base/memory.h"

struct sft_arena_block {
    sft_arena_block *older;
    uint64_t size; /* of the bytes behind this struct */
    uint64_t used;
};

#define SMALLEST_BLOCK UINT64_C(1024)
#define LARGEST_BLOCK UINT64_C(1048576)

void sft_arena_init(sft_arena *arena, const sft_allocator *allocator) {
    arena->allocator = *allocator;
    arena->blocks = NULL;
    arena->total = 0;
}

static sft_arena_block *add_block(sft_arena *arena, uint64_t size) {
    /* As much again as was taken before, so that blocks stay few and waste stays below half. */
    uint64_t wanted = arena->total < SMALLEST_BLOCK  ? SMALLEST_BLOCK
                      : arena->total > LARGEST_BLOCK ? LARGEST_BLOCK
                                                     : arena->total;
    if (wanted < size) {
        wanted = size;
    }
    uint64_t bytes;
    if (!sft_add(wanted, sizeof(sft_arena_block), &bytes)) {
        return NULL;
    }
    sft_arena_block *block = sft_allocate(&arena->allocator, bytes);
    if (block == NULL) {
        return NULL;
    }
    block->older = arena->blocks;
    block->size = wanted;
    block->used = 0;
    arena->blocks = block;
    arena->total += bytes;
    return block;
}

void *sft_arena_take(sft_arena *arena, uint64_t size) {
    uint64_t rounded;
    if (!sft_round_up(size, 8, &rounded)) {
        return NULL;
    }
    sft_arena_block *block = arena->blocks;
    if (block == NULL || block->size - block->used < rounded) {
        block = add_block(arena, rounded);
        if (block == NULL) {
            return NULL;
        }
    }
    char *memory = (char *)(block + 1) + block->used;
    block->used += rounded;
    return memory;
}

char *sft_arena_copy(sft_arena *arena, const char *bytes, uint64_t size) {
    char *copy = sft_arena_take(arena, size);
    if (copy != NULL && size > 0) {
        memcpy(copy, bytes, (size_t)size);
    }
    return copy;
}

void sft_arena_free(sft_arena *arena) {
    while (arena->blocks != NULL) {
        sft_arena_block *block = arena->blocks;
        arena->blocks = block->older;
        sft_release(&arena->allocator, block, block->size + sizeof(sft_arena_block));
    }
    arena->total = 0;
}
