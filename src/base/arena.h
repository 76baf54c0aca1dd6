/* Many small pieces of memory that live and die together; their addresses stay. */
#ifndef SFT_SRC_BASE_ARENA_H
#define SFT_SRC_BASE_ARENA_H

#include <sft/base.h>

typedef struct sft_arena_block sft_arena_block;

typedef struct sft_arena {
    sft_allocator allocator;
    sft_arena_block *blocks; /* newest first */
    uint64_t total;          /* bytes taken from the allocator */
} sft_arena;

void sft_arena_init(sft_arena *arena, const sft_allocator *allocator);

/* Memory aligned to 8 bytes, or NULL. */
void *sft_arena_take(sft_arena *arena, uint64_t size);

/* A copy of some bytes, or NULL. */
char *sft_arena_copy(sft_arena *arena, const char *bytes, uint64_t size);

void sft_arena_free(sft_arena *arena);

#endif
