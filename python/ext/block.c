#include "block.h"

#include <stdlib.h>

/* Where tensors begin: a cache line, and the widest vectors. */
#define ALIGNMENT 64U

/* Up to here a block and its bytes are one piece of the heap: half as many to take and to free. */
#define ONE_PIECE (UINT64_C(64) << 10)

/* Pages of this size are many times quicker to touch first; a block that is almost one becomes one.
 */
#define LARGE_PAGE (UINT64_C(2) << 20)

static void free_one_piece(owner *self) {
    free(self);
}

static void free_two_pieces(owner *self) {
    block *freed = (block *)self;
    sft_memory_free(freed->memory);
    free(freed);
}

static block *new_one_piece(uint64_t size) {
    block *self = malloc(sizeof *self + ALIGNMENT - 1 + (size_t)size);
    if (self != NULL) {
        uintptr_t end = (uintptr_t)(self + 1);
        owner_init(&self->owner, free_one_piece);
        self->memory = (char *)(self + 1) + (ALIGNMENT - end % ALIGNMENT) % ALIGNMENT;
        self->size = size;
    }
    return self;
}

block *block_new(uint64_t size) {
    if (size <= ONE_PIECE) {
        return new_one_piece(size);
    }
    bool almost_large = size < LARGE_PAGE && size >= LARGE_PAGE - LARGE_PAGE / 16;
    block *self = malloc(sizeof *self);
    void *memory = self == NULL ? NULL : sft_memory_new(almost_large ? LARGE_PAGE : size);
    if (memory == NULL) {
        free(self);
        return NULL;
    }
    owner_init(&self->owner, free_two_pieces);
    self->memory = memory;
    self->size = size;
    return self;
}
