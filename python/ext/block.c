#include "block.h"

#include <stdlib.h>

static void block_free(owner *self) {
    block *freed = (block *)self;
    sft_memory_free(freed->memory);
    free(freed);
}

block *block_new(uint64_t size) {
    block *self = malloc(sizeof *self);
    void *memory = self == NULL ? NULL : sft_memory_new(size);
    if (memory == NULL) {
        free(self);
        return NULL;
    }
    owner_init(&self->owner, block_free);
    self->memory = memory;
    self->size = size;
    return self;
}
