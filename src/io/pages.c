#include "io/pages.h"

#include <sft/memory.h>
#include <stdlib.h>

#include "io/os.h"

/* Of a cache line, and of the widest vectors. */
#define ALIGNMENT 64U

void *sft_memory_new(uint64_t size) {
    if (size > PTRDIFF_MAX) {
        return NULL;
    }
    return size < SFT_OS_LARGE_PAGE ? sft_os_take_aligned((size_t)size, ALIGNMENT)
                                    : sft_os_take_large_pages((size_t)size);
}

void sft_memory_free(void *memory) {
    free(memory);
}

static void *pages_allocate(void *context, size_t size) {
    (void)context;
    return size < SFT_OS_LARGE_PAGE ? malloc(size) : sft_os_take_large_pages(size);
}

static void *pages_reallocate(void *context, void *memory, size_t old_size, size_t new_size) {
    (void)context;
    (void)old_size;
    return realloc(memory, new_size);
}

static void pages_release(void *context, void *memory, size_t size) {
    (void)context;
    (void)size;
    free(memory);
}

sft_allocator sft_pages_allocator(const sft_allocator *given) {
    static const sft_allocator over_malloc = {NULL, pages_allocate, pages_reallocate,
                                              pages_release};
    return given != NULL ? *given : over_malloc;
}
