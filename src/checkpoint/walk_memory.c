#include "base/memory.h"
#include "checkpoint/walk.h"

static void *note(sft_walk *walk, void *memory) {
    walk->out_of_memory = walk->out_of_memory || memory == NULL;
    return memory;
}

static void *take(void *context, size_t size) {
    sft_walk *walk = context;
    return note(walk, sft_allocate(&walk->given, size));
}

static void *resize(void *context, void *memory, size_t old_size, size_t new_size) {
    sft_walk *walk = context;
    return note(walk, sft_reallocate(&walk->given, memory, old_size, new_size));
}

static void give_back(void *context, void *memory, size_t size) {
    sft_release(&((const sft_walk *)context)->given, memory, size);
}

void sft_walk_use_allocator(sft_walk *walk, const sft_allocator *given) {
    walk->given = *given;
    walk->allocator = (sft_allocator){walk, take, resize, give_back};
    walk->out_of_memory = false;
}
