#include "block.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

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
    block *self = malloc(sizeof *self + BLOCK_ALIGNMENT - 1 + (size_t)size);
    if (self != NULL) {
        uintptr_t end = (uintptr_t)(self + 1);
        owner_init(&self->owner, free_one_piece);
        self->memory = (char *)(self + 1) + (block_next(end) - end);
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

/* ---- many blocks in one stretch ---- */

static uint64_t round_up(uint64_t size, uint64_t unit) {
    return (size + unit - 1) / unit * unit;
}

static uint64_t page_size(void) {
    long size = sysconf(_SC_PAGESIZE);
    return size > 0 ? (uint64_t)size : 4096;
}

/* Each block has its pages for itself, so it can give them back while its neighbours live on. */
static void free_from_stretch(owner *self) {
    block *freed = (block *)self;
    size_t size = (size_t)round_up(freed->size, page_size());
    /* A hole in the stretch makes two mappings of one. Where the system refuses another mapping,
     * the memory goes back and its addresses stay taken. */
    if (munmap(freed->memory, size) != 0) {
        (void)madvise(freed->memory, size, MADV_DONTNEED);
    }
    free(freed);
}

/* Begins at a large page, on large pages as far as they go. NULL if there is no memory. */
static char *map_stretch(uint64_t size) {
    if (size > PTRDIFF_MAX - LARGE_PAGE) {
        return NULL;
    }
    uint64_t taken = size + LARGE_PAGE;
    char *start =
        mmap(NULL, (size_t)taken, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED) {
        return NULL;
    }
    uint64_t before = (LARGE_PAGE - (uintptr_t)start % LARGE_PAGE) % LARGE_PAGE;
    if (before > 0) {
        (void)munmap(start, (size_t)before);
    }
    start += before;
    (void)munmap(start + size, (size_t)(taken - before - size));
#if defined(MADV_HUGEPAGE)
    (void)madvise(start, (size_t)size, MADV_HUGEPAGE);
#endif
    return start;
}

static block *new_in_stretch(char *start, uint64_t size) {
    block *self = malloc(sizeof *self);
    if (self != NULL) {
        owner_init(&self->owner, free_from_stretch);
        self->memory = start;
        self->size = size;
    }
    return self;
}

/* What a block takes of the stretch: nothing if it is a piece of the heap. */
static uint64_t room_of(uint64_t size, uint64_t page) {
    return size > ONE_PIECE ? round_up(size, page) : 0;
}

bool blocks_new(const uint64_t *sizes, uint64_t count, block **blocks) {
    uint64_t page = page_size();
    uint64_t room = 0;
    for (uint64_t i = 0; i < count; i++) {
        room += room_of(sizes[i], page);
    }
    char *stretch = room < LARGE_PAGE ? NULL : map_stretch(room);
    if (room >= LARGE_PAGE && stretch == NULL) {
        return false;
    }
    for (uint64_t i = 0; i < count; i++) {
        uint64_t taken = stretch == NULL ? 0 : room_of(sizes[i], page);
        blocks[i] = taken == 0 ? block_new(sizes[i]) : new_in_stretch(stretch, sizes[i]);
        if (blocks[i] == NULL) {
            if (stretch != NULL && room > 0) {
                (void)munmap(stretch, (size_t)room);
            }
            return false;
        }
        if (taken > 0) {
            stretch += taken;
            room -= taken;
        }
    }
    return true;
}
